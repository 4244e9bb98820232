"""Runs on data: every printed number against plain Fractions, token by token."""

import re
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from plain_regression import dot, least_squares

from proofs import data_run
from proofs.command_line import main
from proofs.data_run import exact_number

TABLE = """\
size, age, price
1.5, 10, 30.1
2, 3.5, 52
0.5, 20, 7.25
3, 1, 80
2.5, 6, 61.3
1, 4, 33
"""
ROWS = [[Fraction(cell) for cell in line.split(",")] for line in TABLE.splitlines()[1:]]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text(TABLE, encoding="utf-8")
    return str(path)


def inputs_and_targets(queries, intercept=True):
    """(inputs, targets) of the context and of the queries; the target is the last column."""
    tokens = [([Fraction(1)] * intercept + row[:-1], row[-1]) for row in ROWS]
    return tokens[:-queries], tokens[-queries:]


# The algorithms once more, as loops over examples and weights w.


def gradient_descent(context, layers):
    w = [Fraction(0)] * len(context[0][0])
    eta = len(context) / sum(dot(x, x) for x, _ in context)
    yield w
    for _ in range(layers):
        errors = [dot(w, x) - y for x, y in context]
        w = [w[i] - eta / len(context) * dot(errors, [x[i] for x, _ in context]) for i in range(len(w))]
        yield w


def preconditioned_descent(context, layers):
    w = [Fraction(0)] * len(context[0][0])
    yield w
    for _ in range(layers):
        errors = [dot(w, x) - y for x, y in context]
        w = [
            w[i] - dot(errors, [x[i] for x, _ in context]) / (len(w) * sum(x[i] ** 2 for x, _ in context))
            for i in range(len(w))
        ]
        yield w


def gdpp_predictions(context, query, layers):
    """GD++ as the tokens see it: the inputs move, the targets become residuals."""
    trace = sum(dot(x, x) for x, _ in context)
    tokens, guess = [*context], Fraction(0)
    yield guess
    for l in range(layers):
        rate = Fraction(9, 4) ** l / trace

        def curved(x, tokens=tokens, gamma=rate / 3):
            return [value - gamma * sum(z[i] * dot(z, x) for z, _ in tokens) for i, value in enumerate(x)]

        def corrected(x, tokens=tokens, rate=rate):
            return rate * sum(r * dot(z, x) for z, r in tokens)

        guess += corrected(query)
        tokens, query = [(curved(x), r - corrected(x)) for x, r in tokens], curved(query)
        yield guess


def predictions(name, context, query, layers):
    if name == "gdpp":
        return list(gdpp_predictions(context, query, layers))
    algorithm = {"gradient_descent": gradient_descent, "preconditioned_descent": preconditioned_descent}[name]
    return [dot(w, query) for w in algorithm(context, layers)]


def printed_tables(out):
    """For each query the rows (layer, transformer, algorithm, rounding error), as text."""
    tables = []
    for line in out.splitlines():
        if line.startswith("query "):
            tables.append([])
        elif re.match(r" +\d+  ", line):
            tables[-1].append(line.split())
    return tables


def printed(out, label):
    """The numbers behind a label, one per query."""
    return [line.removeprefix(label).strip() for line in out.splitlines() if line.startswith(label)]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("name", ["gradient_descent", "gdpp", "preconditioned_descent"])
def test_printed_numbers_are_those_of_an_independent_run(capsys, path, name, queries, intercept):
    context, asked = inputs_and_targets(queries, intercept)
    options = ["--layers", "4", "--queries", str(queries), "--intercept" if intercept else "--no-intercept"]
    assert main(["run", name, path, "--target", "price", *options]) == 0
    out = capsys.readouterr().out
    assert f"n = {len(context)} rows in context, d = {2 + intercept}, m = 1" in out
    tables = printed_tables(out)
    w = least_squares(context)
    assert len(tables) == queries
    for (query, target), table, best, truth, distance in zip(
        asked,
        tables,
        printed(out, "ordinary least squares"),
        printed(out, "price in the table"),
        printed(out, "last iterate - least squares"),
        strict=True,
    ):
        expected = predictions(name, context, query, 4)
        assert [int(layer) for layer, *_ in table] == list(range(5))
        for (_, computed, exact, error), value in zip(table, expected, strict=True):
            assert abs(Fraction(exact) - value) <= abs(value) * Fraction(5, 10**17)
            assert float(error) == float(f"{float(Fraction(float(computed)) - value):.2e}")
        assert abs(Fraction(best) - dot(w, query)) <= abs(dot(w, query)) * Fraction(5, 10**17)
        assert Fraction(truth) == target
        assert float(distance) == float(f"{float(expected[-1] - dot(w, query)):.2e}")


@pytest.mark.parametrize("name", ["gradient_descent", "gdpp", "preconditioned_descent"])
def test_float_column_is_what_the_transformer_of_that_depth_predicts(capsys, path, name):
    main(["run", name, path, "--target", "price", "--layers", "3"])
    ((_, *table),) = printed_tables(capsys.readouterr().out)
    for layers, row in enumerate(table, start=1):
        run = data_run.prepared(name, path, "price", layers=layers)
        prompt = run.prompts[0].map(lambda entry: np.array(entry, dtype=np.float64))
        assert float(row[1]) == run.plan.in_floats(prompt.X, prompt.Y, prompt.x_query)[0, 0]


def test_step_size_is_printed_exactly_and_in_decimals(capsys, path):
    main(["run", "gradient_descent", path, "--target", "price", "--layers", "1"])
    context, _ = inputs_and_targets(1)
    eta = len(context) / sum(dot(x, x) for x, _ in context)
    assert f"eta = n / trace(X X^T) = {eta} ({float(eta):.6})" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["1/100", "0.01", "1e-2"])
def test_step_size_can_be_chosen_exactly(capsys, path, text):
    main(["run", "gradient_descent", path, "--target", "price", "--layers", "1", "--step-size", text])
    out = capsys.readouterr().out
    assert "step size eta = 1/100 (0.01), as asked for" in out
    context, ((query, _),) = inputs_and_targets(1)
    gram = [sum(y * x[i] for x, y in context) for i in range(3)]
    assert abs(Fraction(printed_tables(out)[0][1][2]) - dot(gram, query) / 500) < Fraction(1, 10**12)


def test_divergent_step_size_is_allowed_and_said(capsys, path):
    assert main(["run", "gradient_descent", path, "--target", "price", "--layers", "2", "--step-size", "10"]) == 0
    assert re.search(
        r"WARNING: eta diverges: it must be below 2 n / lambda_max\(X X\^T\) = 0\.0\d+", capsys.readouterr().out
    )


def test_hyphens_may_stand_for_underscores(capsys, path):
    main(["run", "gradient-descent", path, "--target", "price", "--layers", "1"])
    hyphens = capsys.readouterr().out
    main(["run", "gradient_descent", path, "--target", "price", "--layers", "1"])
    assert capsys.readouterr().out == hyphens


def test_features_are_named_in_the_order_of_the_table(capsys, path):
    main(["run", "gradient_descent", path, "--target", "size", "--layers", "1"])
    assert "features: intercept, age, price; target: size; start: W_0 = 0\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [("gdpp", "the solution of minimum norm"), ("preconditioned_descent", "smallest in the norm")],
)
def test_least_squares_that_is_not_unique_is_said_and_has_minimum_norm(capsys, tmp_path, name, said):
    path = tmp_path / "twice.csv"
    path.write_text("a,b,y\n1,1,2\n2,2,3\n1,0,0\n", encoding="utf-8")
    assert main(["run", name, str(path), "--target", "y", "--no-intercept", "--layers", "1"]) == 0
    out = capsys.readouterr().out
    # On a = b the best slope is 8/5; the smallest weights share it equally.
    assert printed(out, "ordinary least squares (minimum norm)") == ["0.8"]
    assert "X has rank 1 < d = 2; from W_0 = 0 the algorithm approaches the solution" in out
    assert said in out


def test_a_run_that_overflows_says_so_and_stays_exact(capsys, tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("a,y\n1e200,1e200\n3e200,2e200\n1e200,0\n", encoding="utf-8")
    assert main(["run", "gradient_descent", str(path), "--target", "y", "--no-intercept", "--layers", "2"]) == 0
    rows = printed_tables(capsys.readouterr().out)[0]
    # In one dimension the default step ends at once: 7/10 of the query.
    assert [row[2] for row in rows] == ["0", "7e+199", "7e+199"]
    assert rows[1][3] == "overflow"
    assert not abs(float(rows[1][1])) < inf


@pytest.mark.parametrize(
    ("text", "value"), [("1/3", Fraction(1, 3)), (" 0.25 / 2 ", Fraction(1, 8)), ("1E2", Fraction(100))]
)
def test_numbers_are_read_exactly(text, value):
    assert exact_number(text) == value


@pytest.mark.parametrize("text", ["", "a", "1/", "inf", "1_000", "1e9999"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"a decimal such as 0\.01 or a fraction such as 1/3 is required"):
        exact_number(text)


@pytest.mark.parametrize("text", ["0", "-1", "1/0", "-1/-2"])
def test_what_is_not_above_zero_is_refused(text):
    with pytest.raises(ValueError, match="it must be above 0"):
        exact_number(text)


def test_a_shipped_table_runs_by_its_name(capsys):
    assert main(["run", "gradient_descent", "norris", "--target", "y", "--layers", "1"]) == 0
    assert capsys.readouterr().out.startswith("gradient_descent on norris.csv: 1 layer, n = 35 rows")


def test_progress_advances_by_every_step(path):
    run = data_run.prepared("gdpp", path, "price", layers=3, queries=2)
    steps = []
    data_run.predictions(run, lambda: steps.append(1))
    assert len(steps) == run.steps == 12

"""The Newton transformer on data: certified digits, polynomials, data of every condition, and what is refused."""

import random
from decimal import Decimal
from fractions import Fraction
from math import inf

import pytest
from plain_regression import dot, least_squares, newton_weights

from numerics.datasets import DATASETS
from numerics.tables import Table
from proofs import newton_data_run as module
from proofs.newton_data_run import NewtonRun, newton_run
from proofs.newton_report import report


def table(columns, rows):
    return Table(tuple(columns.split()), tuple(tuple(Fraction(cell) for cell in row) for row in rows))


def polynomial(xs, degree, y):
    """(the table of x and y(x), the context with the powers of x)."""
    context = [([x**power for power in range(degree + 1)], y(x)) for x in map(Fraction, xs)]
    return Table(("y", "x"), tuple((value, powers[1]) for powers, value in context)), context


def filip_like():
    """Degree 10 on 82 decimals between -8.8 and -3.1, as in NIST's data set Filip; the condition number is 10^30."""
    draw = random.Random(0)
    xs = [Fraction(draw.randint(-88 * 10**8, -31 * 10**8), 10**9) for _ in range(82)]
    return polynomial(xs, 10, lambda x: Fraction(draw.randint(7000, 9500), 10**4))


@pytest.mark.parametrize("name", DATASETS)
def test_every_certified_digit_is_reached(name):
    run = newton_run(name, DATASETS[name].target, coefficients=True)
    assert run.layers is None
    for prediction, printed in zip(run.predictions, DATASETS[name].coefficients, strict=True):
        assert Decimal(prediction.written) == Decimal(printed)
        assert len(Decimal(prediction.written).as_tuple().digits) == 15
        assert prediction.digits >= 15


def test_float64_loses_most_digits_of_longley_and_says_so():
    run = newton_run("longley", "y", coefficients=True)
    for prediction in run.predictions:
        value, exact = Fraction(prediction.in_floats.value), prediction.least_squares
        assert Fraction(1, 10**9) < abs(value - exact) / abs(exact) < Fraction(1, 10**3)
        assert 3 <= prediction.in_floats.least_squares_digits <= 9
        assert prediction.in_floats.bound == inf


def test_coefficients_of_an_exact_polynomial_are_ones():
    """As in NIST's data set Wampler1: x = 0, ..., 20 and y = 1 + x + ... + x^5."""
    data, _ = polynomial(range(21), 5, lambda x: sum(x**power for power in range(6)))
    run = newton_run(data, "y", coefficients=True, degree=5)
    assert [prediction.name for prediction in run.predictions] == ["intercept", "x", "x^2", "x^3", "x^4", "x^5"]
    assert [prediction.least_squares for prediction in run.predictions] == [1] * 6
    assert [prediction.written for prediction in run.predictions] == ["1.00000000000000"] * 6


def test_coefficients_of_a_polynomial_of_degree_10_are_exact_least_squares():
    data, context = filip_like()
    run = newton_run(data, "y", coefficients=True, degree=10)
    for prediction, exact in zip(run.predictions, least_squares(context), strict=True):
        assert prediction.least_squares == exact
        exponent = Decimal(prediction.written).as_tuple().exponent
        assert abs(Fraction(prediction.written) - exact) <= Fraction(10) ** exponent
        assert prediction.digits >= 15


def test_predictions_of_a_polynomial_are_exact_least_squares():
    data, context = filip_like()
    run = newton_run(data, "y", queries=2, degree=10)
    w = least_squares(context[:-2])
    assert [prediction.least_squares for prediction in run.predictions] == [dot(w, x) for x, _ in context[-2:]]
    assert [prediction.truth for prediction in run.predictions] == [y for _, y in context[-2:]]
    assert [prediction.name for prediction in run.predictions] == ["row 81", "row 82"]
    assert [list(prediction.query) for prediction in run.predictions] == [x for x, _ in context[-2:]]


DATA = table("a y b", [(1, 3, "0.5"), (2, 1, 4), (4, 5, 0), (3, "2.5", -1), (5, 7, 2)])
CONTEXT = [([Fraction(1), a, b], y) for a, y, b in DATA.rows]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("layers", [0, 1, 4])
def test_a_number_of_layers_is_a_number_of_newton_steps(layers, intercept):
    run = newton_run(DATA, "y", layers=layers, queries=2, intercept=intercept, digits=12)
    tokens = [(x if intercept else x[1:], y) for x, y in CONTEXT]
    alpha = 1 / sum(dot(x, x) for x, _ in tokens[:-2])
    w, best = newton_weights(tokens[:-2], alpha, layers), None if len(tokens[0][0]) > 3 else least_squares(tokens[:-2])
    assert (run.alpha, run.steps, run.layers) == (alpha, layers, layers)
    for prediction, (x, y) in zip(run.predictions, tokens[-2:], strict=True):
        written = Decimal(prediction.written)
        assert abs(Fraction(written) - dot(w, x)) <= Fraction(10) ** written.as_tuple().exponent / 2
        assert prediction.least_squares == dot(best, x)
        assert prediction.truth == y


def test_digits_of_least_squares_are_those_of_the_iterate_after_few_steps():
    run = newton_run(DATA, "y", layers=6, coefficients=True)
    alpha = 1 / sum(dot(x, x) for x, _ in CONTEXT)
    for prediction, value, exact in zip(
        run.predictions, newton_weights(CONTEXT, alpha, 6), least_squares(CONTEXT), strict=True
    ):
        unit = Fraction(10) ** (Decimal(float(exact)).adjusted())
        shared = [N for N in range(1, 30) if abs(value - exact) <= unit * Fraction(10) ** (1 - N) / 2]
        assert prediction.digits == max(shared, default=0)
        assert abs(value - exact) <= Fraction(float(prediction.difference_bound.upper()) * (1 + 1e-12))


@pytest.mark.parametrize("digits", [1, 2, 40])
def test_digits_are_as_many_as_asked_for(digits):
    run = newton_run(DATA, "y", digits=digits)
    (prediction,) = run.predictions
    assert prediction.digits >= digits
    assert len(Decimal(prediction.written).as_tuple().digits) == digits


def test_constant_and_duplicated_features_give_minimum_norm_and_are_named():
    rows = [(i, 5, 2 * i + 10, i, 0, i * i) for i in range(6)]
    run = newton_run(table("a c b twin none y", rows), "y", coefficients=True)
    assert run.rank == 2
    assert run.dependent == ("c = 5 intercept", "b = 10 intercept + 2 a", "twin = a", "none = 0")
    # Minimum norm: the weights lie in the span of the inputs, so W = (p, q) applied to intercept and a.
    W = [prediction.least_squares for prediction in run.predictions]
    assert W[2] == 5 * W[0]
    assert W[3] == 10 * W[0] + 2 * W[1]
    assert (W[4], W[5]) == (W[1], 0)
    line = least_squares([([Fraction(1), Fraction(i)], Fraction(i * i)) for i in range(6)])
    assert W[0] + 5 * W[2] + 10 * W[3] == line[0]
    assert all(prediction.digits >= 15 for prediction in run.predictions)


def test_a_dependence_with_long_factors_is_named_without_them():
    rows = [(i, i * i, Fraction(i) / 12345678901 + i * i) for i in range(6)]
    assert newton_run(table("a b c", rows), "a", layers=0).dependent == ()
    rows = [(*row[:3], 1) for row in rows]
    run = newton_run(table("a b c y", rows), "y", layers=0)
    assert run.dependent == ("c depends on the features before it",)


def test_fewer_rows_than_features_give_minimum_norm():
    run = newton_run(table("a b y", [(1, 2, 3), (0, 0, 0)]), "y", intercept=False, coefficients=False)
    (prediction,) = run.predictions
    assert run.rank == 1
    assert prediction.least_squares == 0
    assert prediction.written == "0"
    # One token (1, 2) with target 3: the smallest weights are 3 (1, 2) / 5.
    run = newton_run(table("a b y", [(1, 2, 3)]), "y", intercept=False, coefficients=True)
    assert [prediction.least_squares for prediction in run.predictions] == [Fraction(3, 5), Fraction(6, 5)]


def test_nearly_equal_features_are_told_apart():
    """They differ by 10^-41: the condition number is 10^83."""
    rows = [(i, Fraction(i) + Fraction(i * i % 7, 10**41), i * i) for i in range(1, 9)]
    run = newton_run(table("a b y", rows), "y", coefficients=True)
    assert run.rank == 3
    exact = least_squares([([Fraction(1), *row[:2]], Fraction(row[2])) for row in rows])
    assert [prediction.least_squares for prediction in run.predictions] == exact
    assert all(prediction.digits >= 15 for prediction in run.predictions)


def test_huge_magnitudes_are_certified_and_float64_is_not_run():
    rows = [("1e400", "1e500"), ("3e400", "2e500"), ("2e400", "4e500"), ("1e400", 0)]
    run = newton_run(table("a y", rows), "y")
    (prediction,) = run.predictions
    exact = least_squares([([Fraction(1), Fraction(a)], Fraction(y)) for a, y in rows[:-1]])
    assert prediction.least_squares == dot(exact, [1, Fraction(10**400)])
    assert prediction.digits >= 15
    assert prediction.in_floats is None
    assert run.float_failure == "a number of this run is beyond the range of float64"
    assert "float64: not run, a number of this run is beyond the range of float64" in str(run)


def test_the_limit_is_bounded_from_both_sides():
    run = newton_run(table("a y", [(3, 1), (4, 1), (1, 1)]), "y", intercept=False)
    assert run.limit == (Fraction(2, 25), Fraction(2, 25))
    assert run.condition_bound == 1


def test_a_divergent_alpha_runs_for_a_number_of_layers():
    run = newton_run(table("a y", [(1, 1), (1, 1)]), "y", intercept=False, step_size=3, layers=3)
    (prediction,) = run.predictions
    assert prediction.written == "-255.000000000000"
    assert "WARNING: alpha diverges: it must be below 2 / lambda_max(X X^T) = 2 for this context" in str(run)


def test_a_divergent_alpha_is_written_however_far_it_gets():
    run = newton_run(table("a y", [(1, 1), (1, 1)]), "y", intercept=False, step_size=3, layers=70)
    (prediction,) = run.predictions
    # The error is 2^(2^70), which has 2^70 log10(2) digits.
    assert prediction.written.endswith("e+355393490465494856465")
    assert "overflow" in str(run)
    assert "nan" not in str(run).lower()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": -1}, r"layers = -1: it must be one of 0, \.\.\., 10000"),
        ({"layers": 10001}, "layers = 10001: it must be one of"),
        ({"digits": 0}, r"digits = 0: it must be one of 1, \.\.\., 4000"),
        ({"digits": 4001}, "digits = 4001: it must be one of"),
        ({"precision": 1}, r"precision = 1: it must be one of 2, \.\.\., 16777216"),
        ({"coefficients": True, "queries": 2}, "queries = 2 leaves rows out of the context, but coefficients take all"),
        ({"queries": 0}, "queries = 0: at least 1 row must be a query"),
        ({"queries": 9}, "queries = 9 needs at least 10 rows"),
        ({"degree": 2}, "a polynomial in one feature, but the table has 2"),
        ({"step_size": "0"}, "step size '0': it must be above 0"),
        ({"step_size": 0}, "step size 0: it must be above 0"),
        ({"step_size": -0.5}, "step size -0.5: it must be above 0"),
        ({"step_size": float("nan")}, "a scalar must be finite, but nan came"),
        ({"step_size": "1/10"}, r"alpha = 1/10 \(0\.1\) cannot be shown to converge"),
        ({"step_size": "1/10"}, "pass a smaller step size, or a number of layers to run it nevertheless"),
        ({"digits": 50, "precision": 100}, "50 digits of least squares are not proven with a precision of 100 bits"),
        ({"layers": 500, "precision": 100}, "layers = 500: 15 digits of the prediction are not proven .* of 100 bits"),
    ],
)
def test_what_cannot_be_run_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        newton_run(DATA, "y", **options)


def test_nearly_singular_data_beyond_the_precision_are_refused_with_their_condition_number():
    rows = [(i, Fraction(i) + Fraction(i * i % 7, 10**41), i * i) for i in range(1, 9)]
    with pytest.raises(
        ValueError, match=r"precision of 1000 bits, on data where the condition number .* may be .*e\+8"
    ):
        newton_run(table("a b y", rows), "y", coefficients=True, precision=1000)


def test_data_without_a_feature_other_than_zero_are_refused():
    with pytest.raises(ValueError, match="every feature is zero in the whole context"):
        newton_run(table("a y", [(0, 1), (0, 2)]), "y", intercept=False)


def test_a_missing_file_is_refused():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv cannot be opened"):
        newton_run("nowhere.csv", "y")


def test_the_limit_that_an_error_names_is_below_the_true_one():
    with pytest.raises(ValueError, match=r"below 2 / lambda_max\(X X\^T\) = 0\.666666\.\.\. for this context"):
        newton_run(table("a y", [(1, 1), (1, 1), (1, 2), (1, 2)]), "y", intercept=False, step_size="2/3")


def test_an_alpha_within_rounding_of_the_limit_is_not_searched(monkeypatch):
    monkeypatch.setattr(module, "largest_eigenvalue_bounds", lambda S: (Fraction(20), Fraction(40)))
    with pytest.raises(ValueError, match="cannot be shown to converge"):
        newton_run(DATA, "y", step_size="1/15")
    assert "WARNING: alpha is within rounding of" in str(newton_run(DATA, "y", step_size="1/15", layers=1))


def test_watch_sees_every_step():
    seen = []
    run = newton_run(DATA, "y", watch=lambda bits, steps: seen.append((bits, steps)))
    assert seen == [(run.bits, steps) for steps in range(run.steps + 1)]


def test_a_large_context_takes_seconds():
    draw = random.Random(1)
    rows = [tuple(Fraction(draw.randint(-(10**6), 10**6), 10**4) for _ in range(5)) for _ in range(20_000)]
    run = newton_run(Table(tuple("abcdy"), tuple(rows)), "y")
    assert run.shape == (5, 19_999)
    assert run.predictions[0].digits >= 15


def test_run_is_a_record_that_prints_its_report():
    run = newton_run("norris", "y", coefficients=True)
    assert isinstance(run, NewtonRun)
    assert str(run) == "\n".join(report(run))

"""``icl run newton``: what the command prints, number by number."""

import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import pytest
from plain_regression import dot, least_squares, newton_weights

from numerics.datasets import DATASETS
from proofs.command_line import main

TABLE = "a,y,b\n1,3,0.5\n2,1,4\n4,5,0\n3,2.5,-1\n5,7,2\n"
CONTEXT = [
    ([Fraction(1), Fraction(a), Fraction(b)], Fraction(y))
    for a, y, b in (line.split(",") for line in TABLE.splitlines()[1:])
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(TABLE, encoding="utf-8")
    return str(path)


def printed(out):
    """(rows of the table of what is proven, rows of the table of float64): the cells by column, as text."""
    tables = []
    for line in out.splitlines():
        if re.match(r"(proven, |the same transformer)", line):
            tables.append([])
        elif tables and "  " in line:
            tables[-1].append(re.split(r" {2,}", line.strip()))
    return [rows[1:] for rows in tables]


def is_rounded(text, value):
    """Whether the text is the value to within half a unit of its last digit."""
    return abs(Fraction(text) - value) <= Fraction(10) ** Decimal(text).as_tuple().exponent / 2


def test_coefficients_command_prints_every_certified_digit_of_longley():
    run = subprocess.run(
        [sys.executable, "-m", "proofs.command_line", "run", "newton", "longley", "--target", "y", "--coefficients"],
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    proven, floats = printed(run.stdout)
    assert [row[0] for row in proven] == ["intercept", "x1", "x2", "x3", "x4", "x5", "x6"]
    for row, certified in zip(proven, DATASETS["longley"].coefficients, strict=True):
        assert Decimal(row[1]) == Decimal(row[2]) == Decimal(certified)
        assert int(row[3]) >= 15
    assert all(row[-1] == "infinite (proves no digit)" for row in floats)
    assert "in 7 of 7 it is not below the value, and proves no digit, not even the sign." in run.stdout


def test_every_certified_digit_of_norris_is_printed(capsys):
    assert main(["run", "newton", "norris.csv", "--target", "y", "--coefficients"]) == 0
    proven, _ = printed(capsys.readouterr().out)
    for row, certified in zip(proven, DATASETS["norris"].coefficients, strict=True):
        assert Decimal(row[1]) == Decimal(row[2]) == Decimal(certified)


def test_polynomial_is_run_from_its_only_feature(capsys, tmp_path):
    path = tmp_path / "cubic.csv"
    path.write_text("y,x\n" + "".join(f"{1 + 2 * x - x**3},{x}\n" for x in range(8)), encoding="utf-8")
    assert main(["run", "newton", str(path), "--target", "y", "--coefficients", "--degree", "3", "--digits", "6"]) == 0
    out = capsys.readouterr().out
    assert "features: intercept, x, x^2, x^3; target: y; start: M_0 = alpha I\n" in out
    rows, _ = printed(out)
    assert [row[2] for row in rows] == ["1.00000", "2.00000", "0", "-1.00000"]
    assert "The digits of a least-squares prediction of exactly 0 count from its size" in out


@pytest.mark.parametrize("layers", ["0", "4"])
def test_numbers_of_a_run_are_those_of_an_independent_one(capsys, path, layers):
    command = ["run", "newton", path, "--target", "y", "--layers", layers, "--queries", "1", "--digits", "9"]
    assert main(command) == 0
    out = capsys.readouterr().out
    (x, y), alpha = CONTEXT[-1], 1 / sum(dot(x, x) for x, _ in CONTEXT[:-1])
    iterate, best = dot(newton_weights(CONTEXT[:-1], alpha, int(layers)), x), dot(least_squares(CONTEXT[:-1]), x)
    ((name, written, least, _, bound, truth),), ((_, value, digits, *_),) = printed(out)
    assert (name, Fraction(truth)) == ("row 5", y)
    assert is_rounded(written, iterate)
    assert is_rounded(least, best)
    assert abs(iterate - best) <= Fraction(bound) <= abs(iterate - best) * Fraction(11, 10)
    assert abs(Fraction(float(value)) - iterate) <= abs(iterate) * Fraction(10) ** (1 - int(digits))
    assert f"alpha = 1 / trace(X X^T) = {alpha} (" in out
    assert re.search(r"converges: alpha is below 2 / lambda_max\(X X\^T\) = 0\.\d+", out)
    assert f"{layers} Newton steps, as asked for\n" in out
    assert f"{layers} Newton steps in {int(layers) + 1} layer" in out


def test_the_number_of_steps_is_chosen_and_said(capsys, path):
    assert main(["run", "newton", path, "--target", "y", "--digits", "4"]) == 0
    out = capsys.readouterr().out
    ((row,), _) = printed(out)
    assert int(row[3]) >= 4
    assert re.search(r"(\d+) Newton steps: the fewest after which every prediction has 4 digits of least squares", out)


def test_an_intercept_can_be_left_out(capsys, path):
    assert main(["run", "newton", path, "--target", "y", "--no-intercept", "--coefficients"]) == 0
    out = capsys.readouterr().out
    assert "features: a, b; target: y" in out
    best = least_squares([(x[1:], y) for x, y in CONTEXT])
    assert all(is_rounded(row[2], value) for row, value in zip(printed(out)[0], best, strict=True))


def test_minimum_norm_is_said(capsys, tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("a,b,y\n1,1,2\n2,2,3\n1,0,0\n", encoding="utf-8")
    assert main(["run", "newton", str(path), "--target", "y", "--no-intercept"]) == 0
    out = capsys.readouterr().out
    # On a = b the best slope is 8/5; the smallest weights share it equally.
    assert printed(out)[0][0][1:3] == ["0.800000000000000", "0.800000000000000"]
    assert "least squares is not unique: X has rank 1 < d = 2 (b = a); what stands here is that of minimum norm" in out
    assert "at most 1.00e+00, without the eigenvalue 0\n" in out


def test_a_rounding_bound_below_the_value_is_not_called_useless(capsys, path):
    assert main(["run", "newton", path, "--target", "y", "--layers", "3"]) == 0
    out = capsys.readouterr().out
    assert "no digit" not in out
    assert out.endswith("The rounding bound is rigorous, from the rounding of the data to the prediction.\n")


def test_an_iterate_that_may_be_zero_shows_how_small_it_is(capsys, tmp_path):
    path = tmp_path / "level.csv"
    path.write_text("a,y\n1,1\n-1,1\n1,1\n", encoding="utf-8")
    assert main(["run", "newton", str(path), "--target", "y", "--coefficients", "--layers", "60"]) == 0
    out = capsys.readouterr().out
    row = printed(out)[0][1]
    assert re.fullmatch(r"\(0\) \+- \d\.\de-\d+", row[1])
    assert row[2] == "0"
    assert "(0): at most as large as the bound beside it, and nothing more is known." in out

"""Several constructions on one prompt: errors that other routes give too."""

import sys
from fractions import Fraction
from math import sqrt

import pytest
import sympy

from proofs.convergence import EXAMPLES, FEATURES, RUNS, convergence, example_table

SEED = 5
epsilon = sys.float_info.epsilon


@pytest.fixture(scope="module")
def errors():
    return {each.name: each for each in convergence(SEED)}


def test_every_construction_starts_and_ends_where_it_is_said(errors):
    assert {name: len(each.convergence) - 1 for name, each in errors.items()} == {n: k for n, (_, k) in RUNS.items()}


def test_gradient_descent_errs_as_its_matrix_power_says(errors):
    """W_k - W* = -W* (I - S / t)^k from W_0 = 0, with t = trace S."""
    rows = sympy.Matrix([[sympy.Rational(cell) for cell in row] for row in example_table(SEED).rows])
    X, Y = rows[:, :-1].T, rows[:, -1:].T
    S = X * X.T
    best = Y * X.T * S.inv()
    for k, error in enumerate(errors["gradient_descent"].convergence):
        assert error == norm(best * (sympy.eye(FEATURES) - S / S.trace()) ** k) / norm(best)


def norm(row):
    return sqrt(sum(Fraction(str(entry)) ** 2 for entry in row))


def test_newton_after_k_steps_is_gradient_descent_after_two_to_the_k(errors):
    newton, descent = errors["newton"].convergence, errors["gradient_descent"].convergence
    assert [newton[k] for k in range(5)] == [descent[2**k] for k in range(5)]


def test_errors_fall_with_every_step(errors):
    for each in errors.values():
        assert list(each.convergence) == sorted(each.convergence, reverse=True)


def test_float64_follows_the_algorithm_up_to_its_rounding(errors):
    for each in errors.values():
        for exact, computed, rounding in zip(each.convergence, each.in_floats, each.rounding, strict=True):
            # The triangle inequality, with |W_k| <= |W*| + |W_k - W*|; all of these numbers were rounded once or twice.
            assert abs(computed - exact) <= (rounding or 0) * (1 + exact) + 8 * epsilon * exact


def test_the_prompt_is_exact_and_depends_on_the_seed_alone():
    table = example_table(SEED)
    assert len(table.rows) == EXAMPLES
    assert all((cell * 100).denominator == 1 and isinstance(cell, Fraction) for row in table.rows for cell in row)
    assert example_table(SEED) == table != example_table(SEED + 1)

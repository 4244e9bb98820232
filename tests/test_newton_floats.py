"""The Newton transformer in float64: its values are those of the construction, and its bounds hold."""

from fractions import Fraction
from math import inf, isinf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_regression import dot, newton_weights
from test_newton_passes import question

from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from proofs.newton_floats import float_answers, rounded
from proofs.newton_passes import proven_answers

TENTHS = st.integers(-99, 99).map(lambda value: Fraction(value, 10))
ALPHA = Fraction(1, 700)


def run(X, Y, queries, steps, alpha=ALPHA):
    asked = question(X, Y, queries, alpha, steps, digits=1)
    proven = proven_answers(asked, 400, 4000)
    prompt = Prompt(X, Y, [[row[0]] for row in queries])
    return float_answers(prompt, queries, alpha, asked.goals, proven)


def fractions(rows):
    return [[Fraction(value) for value in row] for row in rows]


@given(X=st.lists(st.lists(TENTHS, min_size=4, max_size=4), min_size=4, max_size=4), steps=st.integers(0, 4))
def test_bound_holds_against_the_exact_iterate_of_the_exact_decimals(X, steps):
    *inputs, targets = X
    W = [Fraction(0)] * 3
    asked = question(inputs, [targets], [[Fraction(1, 3)], [Fraction(1)], [Fraction(-2, 7)]], ALPHA, steps, 1, W)
    proven = proven_answers(asked, 400, 4000)
    queries = [[Fraction(1, 3)], [Fraction(1)], [Fraction(-2, 7)]]
    (answer,) = float_answers(Prompt(inputs, [targets], queries), queries, ALPHA, asked.goals, proven)
    w = newton_weights([([row[i] for row in inputs], targets[i]) for i in range(4)], ALPHA, steps)
    exact = dot(w, [row[0] for row in queries])
    assert abs(Fraction(answer.value) - exact) <= Fraction(answer.bound)


@pytest.mark.parametrize("steps", [0, 3, 8])
def test_value_is_what_the_construction_predicts_in_floats(steps):
    rng = np.random.default_rng(0)
    X, Y, x = (fractions(rng.integers(-9, 9, shape).tolist()) for shape in ((3, 6), (1, 6), (3, 1)))
    (answer,) = run(X, Y, x, steps)
    floats = [np.array(entry, dtype=np.float64) for entry in (X, Y, x)]
    assert answer.value == NewtonFromIdentity(alpha=ALPHA, steps=steps)(*floats)[0, 0]


def test_digits_are_those_of_the_iterate_and_of_least_squares():
    """y = 3 x: after 2 steps with alpha S = 1/4 the error is (3/4)^4 of the 3, for 2 the 6."""
    answers = run([[1, 1]], [[3, 3]], fractions([[1, 2]]), 2, Fraction(1, 8))
    assert [answer.value for answer in answers] == [3 * (1 - 0.75**4), 6 * (1 - 0.75**4)]
    assert all(answer.digits >= 15 for answer in answers)
    # The errors are 0.95 and 1.9: neither is within half a unit of the first digit.
    assert [answer.least_squares_digits for answer in answers] == [0, 0]


def test_a_value_that_is_exact_has_all_digits():
    (answer,) = run([[2]], [[3]], fractions([[2]]), 0, Fraction(1, 4))
    assert (answer.value, answer.digits, answer.least_squares_digits) == (3.0, inf, inf)


@pytest.mark.parametrize(
    ("value", "radius"),
    [
        (Fraction(3, 4), 0),
        (Fraction(1, 10), 2.0**-57),
        (Fraction(2) ** 60 + 1, 2.0**7),
        (Fraction(1, 10**400), 2.0**-1022),
    ],
)
def test_rounding_moves_a_cell_by_half_a_unit_in_its_last_place_or_not_at_all(value, radius):
    held = rounded([[value]])
    assert abs(Fraction(held.value[0, 0]) - value) <= Fraction(held.radius[0, 0])
    assert held.radius[0, 0] == radius


def test_a_run_that_overflows_has_no_digits_and_no_bound():
    (answer,) = run([[1]], [[1]], fractions([[1]]), 12, Fraction(3))
    assert isinf(answer.value) or isnan(answer.value)
    assert (answer.bound, answer.digits, answer.least_squares_digits) == (inf, 0, 0)
    assert not answer.proves_sign


def test_a_finite_value_of_an_iterate_beyond_all_floats_has_no_digits():
    """alpha = 2 + 10^-20 rounds to 2, where M_1 = 0; exactly, the error is (1 + 10^-20)^(2^77) > 10^600."""
    (answer,) = run([[1]], [[1]], fractions([[1]]), 77, 2 + Fraction(1, 10**20))
    assert (answer.value, answer.digits, answer.least_squares_digits) == (0.0, 0, 0)


@pytest.mark.parametrize(
    ("X", "steps", "alpha"), [(10**400, 1, 1), (1, 1500, Fraction(1, 2)), (1, 1, Fraction(10) ** 400)]
)
def test_numbers_beyond_the_range_of_floats_are_refused(X, steps, alpha):
    with pytest.raises(OverflowError, match="too large"):
        run([[X]], [[1]], fractions([[1]]), steps, Fraction(alpha))


@pytest.mark.parametrize("steps", [8, 12])
def test_digits_of_a_zero_count_from_the_units_of_the_data(steps):
    """The exact slope is 10^-45 after 8 steps, and smaller than any precision shows after 12."""
    X, Y = [[1, 1, 1], [1, -1, 1]], [[1, 1, 1]]
    (answer,) = run(X, Y, fractions([[0], [1]]), steps, Fraction(1, 6))
    assert abs(answer.value) < 1e-15
    assert answer.digits >= 14
    assert answer.least_squares_digits >= 14

"""Step counts, against loops over exact powers, enclosures at other precisions, and hand-made ties."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import example, given
from hypothesis import strategies as st

from numerics.balls import precision
from numerics.step_counts import (
    chebyshev_value,
    conjugate_gradient_step_count,
    conjugate_gradient_sufficient_step_count,
    contraction_factor,
    gradient_descent_step_count,
    gradient_descent_sufficient_step_count,
    newton_step_count,
    newton_sufficient_step_count,
)

COUNTS = [
    newton_step_count,
    gradient_descent_step_count,
    conjugate_gradient_step_count,
    newton_sufficient_step_count,
    gradient_descent_sufficient_step_count,
    conjugate_gradient_sufficient_step_count,
]
every_count = pytest.mark.parametrize("count", COUNTS, ids=lambda count: count.__name__)
kappas = st.fractions(1, 12, max_denominator=6)
epsilons = st.fractions(Fraction(1, 200), Fraction(9, 10), max_denominator=300)
choices = st.sampled_from(["1/lmax", "optimal"])


def largest_factor(kappa, power, choice):
    """max |1 - alpha lam^p| over the two ends of [1, kappa]."""
    alpha = 1 / kappa**power if choice == "1/lmax" else 2 / (kappa**power + 1)
    return max(abs(1 - alpha), abs(1 - alpha * kappa**power))


@given(kappas, epsilons, st.sampled_from([("identity", 1), ("gram", 2)]), choices)
@example(Fraction(1), Fraction(1, 2), ("identity", 1), "1/lmax")
@example(Fraction(3), Fraction(2, 3), ("identity", 1), "1/lmax")
@example(Fraction(3), Fraction(16, 81), ("identity", 1), "1/lmax")
def test_newton_count_is_the_first_squaring_within_epsilon(kappa, epsilon, start, choice):
    residual, steps = largest_factor(kappa, start[1], choice), 0
    while residual > epsilon:
        residual, steps = residual**2, steps + 1
    assert newton_step_count(kappa, epsilon, start[0], choice) == steps


@given(kappas, epsilons, choices)
@example(Fraction(1), Fraction(1, 2), "1/lmax")
@example(Fraction(3), Fraction(8, 27), "1/lmax")
@example(Fraction(3), Fraction(1, 8), "optimal")
def test_gradient_descent_count_is_the_first_power_within_epsilon(kappa, epsilon, choice):
    rho = largest_factor(kappa, 1, choice)
    error, steps = rho, 1
    while error > epsilon:
        error, steps = error * rho, steps + 1
    assert gradient_descent_step_count(kappa, epsilon, choice) == steps


@given(kappas, epsilons)
@example(Fraction(1), Fraction(1, 2))
@example(Fraction(2), Fraction(1, 3))
@example(Fraction(3), Fraction(1, 7))
def test_conjugate_gradient_count_is_the_first_chebyshev_bound_within_epsilon(kappa, epsilon):
    steps = 1
    if kappa > 1:
        sigma = (kappa + 1) / (kappa - 1)
        before, value = Fraction(1), sigma
        while 1 / value > epsilon:
            before, value, steps = value, 2 * sigma * value - before, steps + 1
    assert conjugate_gradient_step_count(kappa, epsilon) == steps


@given(st.integers(0, 40), st.fractions(-3, 3, max_denominator=4))
def test_chebyshev_value_follows_the_three_term_recurrence(degree, x):
    values = [Fraction(1), x]
    while len(values) <= degree:
        values.append(2 * x * values[-1] - values[-2])
    assert chebyshev_value(degree, x) == values[degree]


@pytest.mark.parametrize("T", [1, 7, 300])
@pytest.mark.parametrize("sigma", [Fraction(3, 2), Fraction(2), Fraction(5, 3), Fraction(7, 4), Fraction(9, 7)])
def test_conjugate_gradient_count_decides_a_tie(sigma, T):
    kappa, epsilon = (sigma + 1) / (sigma - 1), 1 / chebyshev_value(T, sigma)
    assert conjugate_gradient_step_count(kappa, epsilon) == T
    assert conjugate_gradient_step_count(kappa, epsilon * (1 - Fraction(1, 10**300))) == T + 1


@pytest.mark.parametrize("T", [1, 7, 300])
def test_gradient_descent_count_decides_a_tie(T):
    epsilon = Fraction(6, 7) ** T
    assert gradient_descent_step_count(7, epsilon) == T
    assert gradient_descent_step_count(7, epsilon * (1 - Fraction(1, 10**300))) == T + 1
    assert gradient_descent_step_count(7, epsilon * (1 + Fraction(1, 10**300))) == T


def test_newton_count_decides_a_tie():
    assert newton_step_count(3, Fraction(2, 3) ** 64) == 6
    assert newton_step_count(3, Fraction(2, 3) ** 64 - Fraction(1, 10**300)) == 7


def test_a_float_is_the_dyadic_number_that_it_is():
    """10/9 has rho = 1/10, and the float 1e-6 is below 10^-6, 1e-5 above 10^-5."""
    kappa = Fraction(10, 9)
    assert gradient_descent_step_count(kappa, Fraction(1, 10**6)) == 6
    assert gradient_descent_step_count(kappa, 1e-6) == 7
    assert gradient_descent_step_count(kappa, 1e-5) == 5
    assert gradient_descent_step_count(np.float32(1.5), np.float64(0.25)) == gradient_descent_step_count(1.5, 0.25)


KAPPA, EPSILON = 10**40, Fraction(1, 10**1000)


def logarithms():
    """ln(1 / epsilon), -ln rho of gradient descent, arcosh(1 / epsilon) and arcosh(sigma), at 3000 bits."""
    sigma = fmpq(KAPPA + 1, KAPPA - 1)
    return (
        arb(10).log() * 1000,
        -(1 - 1 / arb(KAPPA)).log(),
        arb(10**1000).acosh(),
        arb(sigma).acosh(),
    )


def test_extreme_counts_are_the_least_at_another_precision():
    with precision(3000):
        needed, per_step, needed_degree, per_degree = logarithms()
        T = gradient_descent_step_count(KAPPA, EPSILON)
        assert T * per_step >= needed > (T - 1) * per_step
        k = newton_step_count(KAPPA, EPSILON)
        assert 2**k * per_step >= needed > 2 ** (k - 1) * per_step
        degree = conjugate_gradient_step_count(KAPPA, EPSILON)
        assert degree * per_degree >= needed_degree > (degree - 1) * per_degree


@every_count
def test_extreme_counts_grow_with_the_condition_number(count):
    counts = [count(kappa, EPSILON) for kappa in (1, 1 + Fraction(1, 10**1000), 2, KAPPA, 10**1000)]
    assert counts == sorted(counts)


def test_reference_counts_of_well_and_badly_conditioned_contexts():
    assert [newton_step_count(kappa, 1e-6) for kappa in (23, 56, 146, 1043)] == [9, 10, 11, 14]
    assert [newton_step_count(kappa, 1e-6, "gram") for kappa in (23, 1043)] == [13, 24]


@given(st.fractions(1, 1000, max_denominator=10), epsilons, st.sampled_from(["identity", "gram"]), choices)
def test_closed_forms_suffice(kappa, epsilon, start, choice):
    spare = newton_sufficient_step_count(kappa, epsilon, start, choice) - newton_step_count(
        kappa, epsilon, start, choice
    )
    assert spare >= 0
    assert spare <= 1 or kappa < 2
    assert gradient_descent_sufficient_step_count(kappa, epsilon, choice) >= gradient_descent_step_count(
        kappa, epsilon, choice
    )
    assert conjugate_gradient_sufficient_step_count(kappa, epsilon) >= conjugate_gradient_step_count(kappa, epsilon)


def test_closed_forms_are_the_formulas():
    assert newton_sufficient_step_count(100, 1e-3) == math.ceil(math.log2(100) + math.log2(math.log(1e3)))
    assert newton_sufficient_step_count(100, 1e-3, "gram") == math.ceil(2 * math.log2(100) + math.log2(math.log(1e3)))
    assert newton_sufficient_step_count(100, 1e-3, "gram", "optimal") == math.ceil(
        2 * math.log2(100) + math.log2(math.log(1e3)) - 1
    )
    assert gradient_descent_sufficient_step_count(100, 1e-3) == math.ceil(100 * math.log(1e3))
    assert gradient_descent_sufficient_step_count(100, 1e-3, "optimal") == math.ceil(50 * math.log(1e3))
    assert conjugate_gradient_sufficient_step_count(100, 1e-3) == math.ceil(5 * math.log(2e3))


@every_count
@pytest.mark.parametrize(
    ("kappa", "message"),
    [
        (Fraction(9, 10), r"kappa = 9/10: a condition number is at least 1; pass lmax / lmin"),
        (-3, "kappa = -3"),
        (float("nan"), "kappa: a scalar must be finite, but nan came"),
        (float("inf"), "kappa: a scalar must be finite, but inf came"),
    ],
)
def test_impossible_condition_numbers_are_refused(count, kappa, message):
    with pytest.raises(ValueError, match=message):
        count(kappa, 0.1)


@every_count
@pytest.mark.parametrize("epsilon", [0, 1, 1.5, -0.1, float("nan"), float("-inf")])
def test_impossible_errors_are_refused(count, epsilon):
    with pytest.raises(ValueError, match=r"epsilon = .* above 0 and below 1|epsilon: a scalar must be finite"):
        count(2, epsilon)


@every_count
@pytest.mark.parametrize("value", ["2", None, [2], True])
def test_what_is_no_number_is_refused(count, value):
    with pytest.raises(TypeError, match="kappa: an e"):
        count(value, 0.1)
    with pytest.raises(TypeError, match="epsilon: an e"):
        count(2, value)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="start = 'zero': it must be 'identity'"):
        newton_step_count(2, 0.1, start="zero")
    for call in (
        lambda: newton_step_count(2, 0.1, alpha="best"),
        lambda: newton_sufficient_step_count(2, 0.1, alpha="best"),
        lambda: contraction_factor(2, alpha="best"),
    ):
        with pytest.raises(ValueError, match="alpha = 'best': it must be '1/lmax' or 'optimal'"):
            call()
    for count in (gradient_descent_step_count, gradient_descent_sufficient_step_count):
        with pytest.raises(ValueError, match="step = 'best': it must be '1/lmax' or 'optimal'"):
            count(2, 0.1, step="best")
    with pytest.raises(ValueError, match="degree = -1"):
        chebyshev_value(-1, Fraction(2))

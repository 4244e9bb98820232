"""Digits that a ball proves, against Python's decimal module and the definition in Fractions."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import inf

import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from numerics.balls import as_arb, precision
from numerics.rationals import as_fmpq, as_fraction
from proofs.proven_digits import bound_written, half_unit, leading_unit, midpoint, proven_decimal, proven_digits

VALUES = st.builds(
    lambda p, q, e: Fraction(p, q) * Fraction(10) ** e,
    st.integers(-(10**12), 10**12).filter(bool),
    st.integers(1, 10**12),
    st.integers(-30, 30),
)
RELATIVE = st.builds(lambda e: Fraction(1, 10**e), st.integers(1, 30))


def ball(value, radius=Fraction(0)):
    with precision(300):
        return arb(as_arb(value).mid(), as_arb(radius).upper() + as_arb(abs(value)) * as_arb(Fraction(1, 2**200)))


def rounded(value, digits):
    context = Context(prec=digits, rounding=ROUND_HALF_EVEN, Emin=-999, Emax=999)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


@given(value=VALUES, relative=RELATIVE, place=st.integers(-4, 4), digits=st.integers(1, 12))
@example(value=Fraction(5, 2), relative=Fraction(1, 10**20), place=0, digits=1)
@example(value=Fraction(10), relative=Fraction(1, 10**20), place=-4, digits=3)
@example(value=Fraction(999999), relative=Fraction(1, 10**7), place=4, digits=3)
def test_written_digits_are_those_of_every_number_in_the_ball(value, relative, place, digits):
    """The ball is centred elsewhere, so that the number lies anywhere in it, its end included."""
    radius = abs(value) * relative
    with precision(300):
        text = proven_decimal(ball(value + radius * Fraction(place, 4), radius), digits)
    if text is not None:
        assert Decimal(text) in (rounded(value, digits), rounded(value, digits + 1))


@given(value=VALUES, digits=st.integers(1, 12))
def test_a_narrow_ball_is_written_to_the_digits_or_one_more(value, digits):
    with precision(300):
        text = proven_decimal(ball(value, abs(value) / 10**20), digits)
    shown = Decimal(text).as_tuple().digits
    assert len(shown) == digits or (len(shown) == digits + 1 and shown[-1] == 5)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (Fraction(1), 15, "1.00000000000000"),
        (Fraction(-1, 8), 2, "-0.125"),
        (Fraction(123456), 3, "1.23e+05"),
        (Fraction(123456), 6, "123456"),
        (Fraction(10) - Fraction(1, 10**40), 5, "10.000"),
    ],
)
def test_every_digit_is_shown_and_no_other(value, digits, text):
    with precision(300):
        assert proven_decimal(ball(value), digits) == text


@pytest.mark.parametrize("text", ["0 +/- 1e-9", "1 +/- 0.6", "nan", "inf", "0 +/- inf"])
def test_a_ball_that_proves_no_digit_is_not_written(text):
    assert proven_decimal(arb(text), 1) is None


def test_an_exact_zero_is_written():
    assert proven_decimal(arb(0), 5) == "0"


@pytest.mark.parametrize(
    ("mantissa", "exponent", "text"),
    [
        (1, 10**5, "1.0000e+100000"),
        (-3, -(10**5), "-3.0000e-100000"),
        (Fraction(99999999, 10**8), 10**5, "1.0000e+100000"),
        (Fraction(12345678, 10**7), 10**12, "1.2346e+1000000000000"),
        (Fraction(99994, 10**4), -(10**12), "9.9994e-1000000000000"),
    ],
)
def test_numbers_beyond_any_fraction_are_written(mantissa, exponent, text):
    with precision(300):
        assert proven_decimal(as_arb(mantissa) * arb(10) ** exponent, 5) == text


def test_a_number_beyond_any_fraction_is_not_written_if_its_ball_is_wide():
    assert proven_decimal(arb(10) ** 10**6 * arb(1, 0.1), 5) is None


def most_digits(difference, unit):
    """The definition, upwards: the largest N >= 0 with |difference| <= (1/2) 10^(1 - N) unit."""
    N = 0
    while abs(difference) <= Fraction(1, 2) * Fraction(10) ** (1 - (N + 1)) * unit:
        N += 1
    return N


@given(value=VALUES, exponent=st.integers(-20, 20))
@example(value=Fraction(5), exponent=2)
@example(value=Fraction(1, 2), exponent=0)
@example(value=Fraction(500), exponent=2)
def test_digits_are_the_most_that_the_definition_allows(value, exponent):
    unit = Fraction(10) ** exponent
    with precision(300):
        held = as_arb(value)
        largest = as_fraction(midpoint(held.abs_upper()))
        assert proven_digits(held, unit) == most_digits(largest, unit)


@given(value=VALUES, relative=RELATIVE, place=st.integers(-4, 4))
def test_digits_are_proven_for_every_number_in_the_ball(value, relative, place):
    radius = abs(value) * relative
    with precision(300):
        proven = proven_digits(ball(value + radius * Fraction(place, 4), radius), Fraction(1))
    assert proven <= most_digits(value, Fraction(1))


def test_equal_numbers_share_all_digits():
    assert proven_digits(arb(0), Fraction(1)) == inf


@pytest.mark.parametrize("difference", [arb(0, 1), arb.nan(), arb.pos_inf(), arb(10) ** 10**9])
def test_a_wide_difference_proves_no_digit(difference):
    assert proven_digits(difference, Fraction(1)) == 0


@given(value=VALUES)
def test_leading_unit_is_the_largest_power_of_ten_below(value):
    with precision(300):
        unit = leading_unit(ball(value))
        quotient = abs(ball(value)) / unit
    assert quotient > arb(1) - arb(2) ** -100
    # The ball of an exact power of ten may begin below it.
    assert quotient < 10 or any(abs(value) == Fraction(10) ** e for e in range(-50, 50))


def test_half_unit_halves_the_weight_of_the_digit():
    assert half_unit(3, Fraction(1000)) == arb(5)
    assert half_unit(1, arb(8)) == arb(4)


@given(value=VALUES)
@example(value=Fraction(99999, 1000))
@example(value=Fraction(34, 100))
def test_written_bound_is_no_smaller_and_hardly_larger(value):
    bound = as_fraction(midpoint(as_arb(abs(value)).abs_upper()))
    written = Fraction(bound_written(arb(as_fmpq(bound))))
    assert bound <= written <= bound * Fraction(11, 10)


@pytest.mark.parametrize(
    ("bound", "text"), [(arb(0), "0"), (arb(7), "7.0e+00"), (arb.nan(), "infinite"), (arb.pos_inf(), "infinite")]
)
def test_bounds_that_are_exact_or_unknown(bound, text):
    assert bound_written(bound) == text


def test_a_bound_beyond_any_fraction_is_written():
    assert bound_written(arb(10) ** 10**15) in ("1.0e+1000000000000000", "1.1e+1000000000000000")

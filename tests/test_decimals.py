"""Decimals of exact numbers, against Python's decimal module and by hand."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import example, given
from hypothesis import strategies as st

from proofs.decimals import decimal_exponent, decimal_written, fraction_written, scientific_written

FRACTIONS = st.builds(
    lambda p, q, e: Fraction(p, q) * Fraction(10) ** e,
    st.integers(-(10**20), 10**20),
    st.integers(1, 10**20),
    st.integers(-60, 60),
)


def reference(value, digits, rounding):
    context = Context(prec=digits, rounding=rounding, Emin=-999, Emax=999)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


@given(value=FRACTIONS, digits=st.integers(1, 20))
@example(value=Fraction(10**17 - 1, 10**17), digits=3)
@example(value=Fraction(25, 10), digits=1)
@example(value=Fraction(35, 10), digits=1)
@example(value=Fraction(-1, 10**6), digits=5)
def test_decimals_are_rounded_as_the_decimal_module_rounds(value, digits):
    assert Decimal(decimal_written(value, digits)) == reference(value, digits, ROUND_HALF_EVEN)
    assert Decimal(scientific_written(value, digits)) == reference(value, digits, ROUND_HALF_EVEN)


@given(value=FRACTIONS, digits=st.integers(1, 20))
def test_decimals_can_be_rounded_towards_zero(value, digits):
    assert Decimal(decimal_written(value, digits, down=True)) == reference(value, digits, ROUND_DOWN)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Fraction(0), "0"),
        (Fraction(1, 8), "0.125"),
        (Fraction(-120), "-120"),
        (Fraction(2, 3), "0.66666666666666667"),
        (Fraction(10**16), "10000000000000000"),
        (Fraction(10**17), "1e+17"),
        (Fraction(15, 10**6), "0.000015"),
        (Fraction(15, 10**7), "1.5e-06"),
        (fmpq(-7, 4), "-1.75"),
    ],
)
def test_decimals_have_an_exponent_only_far_from_one(value, written):
    assert decimal_written(value) == written


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (Fraction(1), 3, "1.00"),
        (Fraction(1000), 3, "1.00e+03"),
        (Fraction(100), 3, "100"),
        (Fraction(1, 8), 5, "0.12500"),
        (Fraction(-3, 10**7), 2, "-3.0e-07"),
        (Fraction(0), 4, "0"),
    ],
)
def test_every_significant_digit_can_be_shown_and_no_other(value, digits, written):
    assert decimal_written(value, digits, zeros=True) == written


@given(value=FRACTIONS.filter(bool))
@example(value=Fraction(1000))
@example(value=Fraction(1, 1000))
@example(value=Fraction(-999999, 1000))
def test_decimal_exponent_is_that_of_the_first_digit(value):
    exponent = decimal_exponent(value)
    assert Fraction(10) ** exponent <= abs(value) < Fraction(10) ** (exponent + 1)


def test_scientific_notation_keeps_its_digits():
    assert scientific_written(fmpq(1, 1000)) == "1.00e-03"
    assert scientific_written(Fraction(-99999)) == "-1.00e+05"
    assert scientific_written(Fraction(0)) == "0"


def test_numbers_longer_than_python_prints_are_no_obstacle():
    value = Fraction(10**6000 + 1, 3 * 10**6000)
    assert decimal_written(value, 5) == "0.33333"
    assert fraction_written(value) == "0.33333333333333333 (rounded; the exact fraction has 12000 digits)"

"""Exact scalars: the numbers that weights are made of.

A scalar is an int, a Fraction, or a symbolic expression (anything with its own exact arithmetic, such as a SymPy
expression). A float is never a scalar of a weight: it is read as the dyadic rational that it is.
"""

from fractions import Fraction
from numbers import Rational, Real
from typing import Any, TypeAlias

Scalar: TypeAlias = Any
"""An int, a Fraction, or a symbolic expression; the type checker cannot name the last without importing SymPy."""


def exact(value: Scalar) -> Scalar:
    """The value as an exact scalar: a float becomes the Fraction that it is.

    Raises:
        ValueError: for NaN and infinities, which are no numbers of any exact kind.
    """
    if type(value) is Fraction:
        return value
    if type(value) is int:
        return Fraction(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"a scalar must be finite, but {value} came; pass an int, a Fraction or a finite float")
        return Fraction(value)
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Real) and not hasattr(value, "free_symbols"):
        return exact(float(value))
    return value


def ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """The exact quotient numerator / denominator.

    >>> ratio(1, 3)
    Fraction(1, 3)
    >>> ratio(0.5, 2)
    Fraction(1, 4)
    """
    return exact(numerator) / exact(denominator)


def power_of_two(exponent: Scalar) -> Scalar:
    """2 to the given integer power, exactly, negative exponents included.

    >>> power_of_two(-1)
    Fraction(1, 2)
    """
    return Fraction(2) ** exponent if isinstance(exponent, int) else 2**exponent


def one_if_equal(a: Scalar, b: Scalar) -> Scalar:
    """1 if a == b, else 0: an entry such as that of the identity, in one expression for all indices of a proof.

    >>> one_if_equal(2, 2), one_if_equal(2, 3)
    (1, 0)
    """
    for one, other in ((a, b), (b, a)):
        if hasattr(one, "one_if_equal"):
            return one.one_if_equal(other)
    return int(a == b)


def one_if_at_most(a: Scalar, b: Scalar) -> Scalar:
    """1 if a <= b, else 0, for integers: an entry such as that of a causal mask.

    >>> one_if_at_most(2, 2), one_if_at_most(3, 2)
    (1, 0)
    """
    if hasattr(a, "at_most"):
        return a.at_most(b)
    return b.at_least(a) if hasattr(b, "at_least") else int(a <= b)


def is_zero(value: Scalar) -> bool:
    """Whether the scalar is known to be zero."""
    if isinstance(value, (int, Fraction)):
        return not value
    return value.is_zero is True if hasattr(value, "is_zero") else bool(value == 0)


def is_one(value: Scalar) -> bool:
    """Whether the scalar is known to be one."""
    return value == 1 if isinstance(value, (int, Fraction)) else is_zero(value - 1)

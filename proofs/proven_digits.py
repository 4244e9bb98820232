"""Digits that a ball proves: of the number in it, and of a number that it comes close to.

Digits count from the first significant one, of weight u = 10^e. A number v has N digits of a reference r if it is
within half a unit of the N-th:  |v - r| <= (1/2) 10^(1 - N) u,  where 10^e <= |r| < 10^(e+1).
"""

from __future__ import annotations

from fractions import Fraction
from math import inf

from flint import arb, ctx

from numerics.balls import as_arb, midpoint, precision
from proofs.decimals import decimal_written

FAR = 1 << 16
"""A binary exponent beyond which a number is no longer written as a fraction."""


def proven_decimal(ball: arb, digits: int) -> str | None:
    """The number in the ball, correctly rounded (half to even) to so many significant digits; None if it is too wide.

    A number that may lie on either side of a tie is written with one digit more, which decides.

    Args:
        ball: finite or not.
        digits: >= 1.

    >>> proven_decimal(arb(2) / 3, 5), proven_decimal(arb(2.5, 1e-9), 1), proven_decimal(arb(0, 1e-9), 5)
    ('0.66667', '2.5', None)
    """
    if not ball.is_finite():
        return None
    if ball.is_zero():
        return "0"
    if ball.contains(0):
        return None
    if abs(int(ball.mid().man_exp()[1]) + ball.mid().bits()) > FAR:
        return _far_decimal(ball, digits)
    low, high = midpoint(ball.lower()), midpoint(ball.upper())
    for kept in (digits, digits + 1):
        text = decimal_written(low, kept, zeros=True)
        if text == decimal_written(high, kept, zeros=True):
            return text
    return None


def _far_decimal(ball: arb, digits: int) -> str | None:
    """A number too large or too small for a fraction: its mantissa, after division by a power of ten."""
    bits = int(ball.mid().man_exp()[1]).bit_length()
    with precision(ctx.prec + 2 * bits + 64):
        exponent = _floor(abs(ball).log() / arb(10).log())
        text = proven_decimal(ball / arb(10) ** exponent, digits)
    if text is None:
        return None
    mantissa, _, rest = text.partition("e")
    # A quotient that rounds to 10 or just misses 1 is written with digits before or after its point.
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, part = mantissa.partition(".")
    figures = (whole + part).lstrip("0")
    exponent += int(rest or 0) + (len(whole) - 1 if whole != "0" else len(figures) - len(part) - 1)
    return f"{sign}{figures[0]}{'.' * (len(figures) > 1)}{figures[1:]}e{exponent:+03d}"


def leading_unit(ball: arb) -> arb:
    """The largest power of ten 10^e that is proven to be at most the number in the ball, which is not 0."""
    least = abs(ball).lower()
    exponent = _floor(least.log() / arb(10).log()) + 1
    while not arb(10) ** exponent <= least:
        exponent -= 1
    return arb(10) ** exponent


def half_unit(digits: int, unit: arb | Fraction) -> arb:
    """Half a unit of that digit: (1/2) 10^(1 - digits) u, for the weight u of the first digit."""
    scale = Fraction(10) ** (1 - digits) / 2
    return as_arb(scale * unit) if isinstance(unit, Fraction) else as_arb(scale) * unit


def proven_digits(difference: arb, unit: arb | Fraction) -> int | float:
    """The number of digits that two numbers share: the largest N >= 0 with |difference| <= half_unit(N, unit), proven.

    Args:
        difference: encloses the difference of the two.
        unit: the weight of the first digit of one of them, >= 0.

    Returns:
        N; 0 if not even the first digit is shared, ``inf`` if the difference is exactly 0.

    >>> proven_digits(arb(0.004), Fraction(1)), proven_digits(arb(0.6), Fraction(1)), proven_digits(arb(0), Fraction(1))
    (3, 0, inf)
    """
    if difference.is_zero():
        return inf
    bound = difference.abs_upper()
    if not bound <= half_unit(1, unit):
        return 0
    digits = _floor(1 - (2 * bound / as_arb(unit)).log() / arb(10).log()) + 1
    while not bound <= half_unit(digits, unit):
        digits -= 1
    return digits


def bound_written(bound: arb) -> str:
    """A number that is at least the bound, to two digits.

    Args:
        bound: >= 0; infinite or NaN if nothing is known.

    >>> bound_written(arb(1) / 3), bound_written(arb(0.999)), bound_written(arb(0)), bound_written(arb.pos_inf())
    ('3.4e-01', '1.0e+00', '0', 'infinite')
    """
    if bound.is_zero():
        return "0"
    upper = bound.abs_upper()
    if not upper.is_finite():
        return "infinite"
    with precision(64 + 2 * int(upper.man_exp()[1]).bit_length()):
        exponent = _floor(upper.log() / arb(10).log())
        mantissa = max(10, _floor(upper / arb(10) ** (exponent - 1)))
        power = arb(10) ** abs(exponent - 1)
        # With a power that is a whole number, an exact bound stays as it is.
        while not (upper <= mantissa * power if exponent >= 1 else upper * power <= mantissa):
            mantissa += 1
    if mantissa >= 100:
        mantissa, exponent = -(-mantissa // 10), exponent + 1
    return f"{mantissa // 10}.{mantissa % 10}e{exponent:+03d}"


def _floor(ball: arb) -> int:
    """The whole part of the midpoint."""
    value = midpoint(ball)
    return int(value.p // value.q)

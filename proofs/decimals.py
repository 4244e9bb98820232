"""Exact numbers in print: correctly rounded decimals, however long the fraction is."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq

SHORT = 132
"""Fractions of up to that many bits (40 digits) are printed as they are."""


def decimal_written(value: Fraction | fmpq, digits: int = 17, *, down: bool = False, zeros: bool = False) -> str:
    """The number in decimals, to so many significant digits; zeros at the end are left out.

    Args:
        value: any rational.
        digits: significant digits, >= 1.
        down: whether to round towards zero; by default to the nearest, half to even.
        zeros: whether to show every significant digit, zeros at the end too, and no others.

    >>> decimal_written(Fraction(-2, 3), 4), decimal_written(Fraction(1, 8)), decimal_written(Fraction(10**30, 7), 6)
    ('-0.6667', '0.125', '1.42857e+29')
    """
    sign, mantissa, exponent = _rounded(value, digits, down)
    if not mantissa:
        return "0"
    kept = str(mantissa) if zeros else str(mantissa).rstrip("0")
    if not -5 <= exponent < (min(17, digits) if zeros else 17):
        return f"{sign}{kept[0]}{'.' * (len(kept) > 1)}{kept[1:]}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{kept}"
    whole, rest = kept[: exponent + 1].ljust(exponent + 1, "0"), kept[exponent + 1 :]
    return f"{sign}{whole}{'.' * bool(rest)}{rest}"


def decimal_exponent(value: Fraction | fmpq) -> int:
    """The e with 10^e <= |value| < 10^(e+1), for a value other than 0.

    >>> decimal_exponent(Fraction(-999)), decimal_exponent(Fraction(1, 1000))
    (2, -3)
    """
    return _rounded(value, 1, down=True)[2]


def scientific_written(value: Fraction | fmpq, digits: int = 3) -> str:
    """The number with an exponent, rounded to so many significant digits, half to even; an exact zero is 0.

    >>> scientific_written(Fraction(1, 3)), scientific_written(Fraction(0))
    ('3.33e-01', '0')
    """
    sign, mantissa, exponent = _rounded(value, digits)
    text = str(mantissa)
    return f"{sign}{text[0]}.{text[1:]}e{exponent:+03d}" if mantissa else "0"


def fraction_written(value: Fraction) -> str:
    """The number as it is, with its decimals behind it; a long fraction in decimals only.

    >>> fraction_written(Fraction(2, 3)), fraction_written(Fraction(5))
    ('2/3 (0.666667)', '5')
    """
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    if bits > SHORT:
        return f"{decimal_written(value)} (rounded; the exact fraction has {bits * 30103 // 100000} digits)"
    return str(value) if value.denominator == 1 else f"{value} ({decimal_written(value, 6)})"


def _rounded(value: Fraction | fmpq, digits: int, down: bool = False) -> tuple[str, int, int]:
    """(sign, mantissa, exponent): a mantissa of so many digits, its first one worth 10^exponent; all zero for zero."""
    p, q = (int(value.p), int(value.q)) if isinstance(value, fmpq) else (value.numerator, value.denominator)
    if p == 0:
        return "", 0, 0
    sign, p = "-" * (p < 0), abs(p)
    exponent = (p.bit_length() - q.bit_length() + 1) * 30103 // 100000 + 1
    while True:
        shift = digits - 1 - exponent
        mantissa, rest = divmod(p * 10 ** max(shift, 0), q * 10 ** max(-shift, 0))
        if mantissa >= 10 ** (digits - 1):
            break
        exponent -= 1
    whole = q * 10 ** max(-shift, 0)
    if not down:
        mantissa += 2 * rest > whole or (2 * rest == whole and mantissa % 2 == 1)
    return (sign, mantissa // 10, exponent + 1) if mantissa == 10**digits else (sign, mantissa, exponent)

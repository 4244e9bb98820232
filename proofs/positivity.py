"""Signs for all sizes: a rational function is positive where its coefficients, shifted to the least sizes, say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from proofs.formula import plain


@dataclass(frozen=True)
class Positivity:
    """A step of an argument that is checked: a rational function is positive wherever its symbols are large enough.

    With each symbol written as its least value plus something >= 0, the numerator and the denominator have no negative
    coefficient, and a positive constant one. That suffices; it is not needed, so that a failure refutes nothing.

    Args:
        text: what it says.
        expression: a rational function of the symbols.
        least: symbol -> the least value that it takes: a number, or a polynomial in the symbols that come after it.

    >>> x = sympy.Symbol("x")
    >>> Positivity("", x**2 - x + 1, {x: 1}).holds, Positivity("", x**2 - x, {x: 1}).holds
    (True, False)
    """

    text: str
    expression: Any
    least: Mapping[Any, Any]

    @property
    def holds(self) -> bool:
        excess = {symbol: sympy.Dummy(str(symbol)) for symbol in self.least}
        shifted = sympy.sympify(self.expression)
        for symbol, least in self.least.items():
            shifted = shifted.subs(symbol, least + excess[symbol])
        parts = sympy.fraction(sympy.cancel(sympy.together(shifted)))
        return all(_is_positive(sympy.Poly(part, *excess.values())) for part in parts)

    def written(self) -> str:
        over = ", ".join(f"{symbol} >= {least}" for symbol, least in self.least.items())
        return f"{self.text}\n    0 <    {plain(sympy.factor(self.expression))}   for {over}, by its coefficients"


def _is_positive(polynomial: sympy.Poly) -> bool:
    origin = polynomial.coeff_monomial(1)
    return all(c.is_nonnegative for c in polynomial.coeffs()) and bool(origin.is_positive)

"""Contexts of a given spectrum, in rationals: X X^T is diagonal, and so is what every method makes of it.

Symbols: n context tokens, d features; X (d, n), Y = W* X (1, n), W* (1, d), S = X X^T.

A positive rational is a sum of four squares of rationals: row i of X holds those of its eigenvalue, in columns of its
own; a component of W* whose square is given is spread over as many features of the same eigenvalue.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from sympy.solvers.diophantine.diophantine import sum_of_four_squares

from constructions.prompt import Prompt


def four_squares(value: Fraction) -> list[Fraction]:
    """At most four rationals whose squares sum to the value, none of them 0.

    Raises:
        ValueError: for a negative value.

    >>> four_squares(Fraction(7, 4))
    [Fraction(1, 2), Fraction(1, 2), Fraction(1, 2), Fraction(1, 1)]
    """
    if value < 0:
        raise ValueError(f"only a number >= 0 is a sum of squares, but {value} came")
    roots = sum_of_four_squares(value.numerator * value.denominator)
    return [Fraction(int(root), value.denominator) for root in roots if root]


def context_of(spectrum: Sequence[tuple[Fraction, Fraction]]) -> tuple[Prompt, list[Fraction]]:
    """(a context, W*) for pairs of an eigenvalue of S and the squared size of W* in its eigenspace.

    An eigenvalue 0 makes a feature that is zero in the whole context, so that S is singular. The query is (1, ..., 1).

    Raises:
        ValueError: if no eigenvalue is above 0, or a number is below 0.
    """
    if not any(value > 0 for value, _ in spectrum):
        raise ValueError(f"no eigenvalue is above 0 in {[str(value) for value, _ in spectrum]}: the context is empty")
    components = [(value, root) for value, square in spectrum for root in four_squares(square) or [Fraction(0)]]
    rows = [four_squares(eigenvalue) for eigenvalue, _ in components]
    width = sum(map(len, rows))
    X, start = [], 0
    for row in rows:
        X.append([Fraction(0)] * start + row + [Fraction(0)] * (width - start - len(row)))
        start += len(row)
    W_star = [root for _, root in components]
    Y = [sum((w * row[j] for w, row in zip(W_star, X, strict=True)), start=Fraction(0)) for j in range(width)]
    return Prompt(X, [Y], [[Fraction(1)] for _ in X]), W_star

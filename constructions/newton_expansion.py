"""The expansion of Newton's iterates in powers of X X^T, from M_0 = alpha X X^T.

Symbols: d features; S = X X^T, M (d, d); C(N, j) = N! / (j! (N - j)!).

    M_k = sum over j = 1, ..., 2^k of  (-1)^(j + 1) C(2^k, j) alpha^j S^(2 j - 1)

All powers are odd, the largest is 2^(k + 1) - 1. M_1 = 2 alpha S - alpha^2 S^3 and M_2 = 4 alpha S - 6 alpha^2 S^3
+ 4 alpha^3 S^5 - alpha^4 S^7.

Reference: Fu et al. (2024), appendix B.3, print other coefficients of M_1 and M_2; the formula is this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from constructions.block import Block
from constructions.scalars import Scalar


def expansion_coefficients(steps: int) -> tuple[int, ...]:
    """(-1)^(j + 1) C(2^k, j) for j = 1, ..., 2^k: the coefficients of alpha^j S^(2 j - 1) in M_k.

    Args:
        steps: k, >= 0.

    Raises:
        ValueError: if k is negative.

    >>> expansion_coefficients(2)
    (4, -6, 4, -1)
    """
    if steps < 0:
        raise ValueError(f"steps = {steps}: the number of Newton steps must be at least 0")
    return tuple((-1) ** (j + 1) * comb(2**steps, j) for j in range(1, 2**steps + 1))


def odd_powers(coefficients: Sequence[Scalar], gram: Block, alpha: Scalar) -> Block:
    """sum over j of coefficients[j - 1] alpha^j S^(2 j - 1), for the Gram matrix S, (d, d)."""
    one = gram.identity(gram.rows)
    first, *others = reversed(coefficients)
    total = one.scale(first)
    for coefficient in others:
        total = one.scale(coefficient) + (gram @ gram @ total).scale(alpha)
    return (gram @ total).scale(alpha)

"""Quadrature for the mean spectrum of a Gram matrix: a few nodes that integrate polynomials exactly.

Symbols: mu the measure with the moments m_k = E tr S^k, S = X X^T / n, of total mass m_0 = d; s its variable.

A rule with the node 0 and K nodes s_j > 0 has, for every polynomial h of degree at most 2 K,

    E tr h(S) = w_0 h(0) + sum_j w_j h(s_j)        w_0, w_j > 0

(Gauss-Radau). The s_j are the zeros of the orthogonal polynomial of degree K of s dmu, whose recurrence is computed
from the moments in rationals: in floats that step loses all digits from K of about 10 on, the eigenvalues none.

Reference: Gautschi (2004), sections 2.1.7 and 3.1; from memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal


@dataclass(frozen=True, eq=False)
class SpectralRule:
    """Nodes, 0 the first, and their weights, as float64 arrays of length K + 1."""

    nodes: Any
    weights: Any

    def mean(self, values: Any) -> float:
        """sum_j w_j h(s_j), from the values of h at the nodes."""
        return float(self.weights @ values)


def spectral_rule(moments: Sequence[Fraction]) -> SpectralRule:
    """The rule with K positive nodes from m_0, ..., m_2K.

    Args:
        moments: an odd number of them, >= 3, exact, of a measure on [0, infinity) with more than K points.

    Raises:
        ValueError: for an even number of moments, or moments of no such measure.
    """
    if len(moments) < 3 or len(moments) % 2 == 0:
        raise ValueError(f"m_0, ..., m_2K are required, K >= 1: an odd number of moments, but {len(moments)} came")
    centres, squares = recurrence(moments[1:])
    diagonal = np.array([float(value) for value in centres])
    beside = np.array([math.sqrt(value) for value in squares[1:]])
    positive = eigh_tridiagonal(diagonal, beside, eigvals_only=True)
    weights = float(moments[1]) / _inverse_weights(positive, diagonal, beside) / positive
    return SpectralRule(np.append(0.0, positive), np.append(float(moments[0]) - weights.sum(), weights))


def _inverse_weights(nodes: Any, diagonal: Any, beside: Any) -> Any:
    """The sums of squares of the orthonormal polynomials at the nodes: small weights keep all their digits."""
    before, polynomial = np.zeros_like(nodes), np.ones_like(nodes)
    total = polynomial**2
    for k, above in enumerate(beside):
        below = beside[k - 1] if k else 0.0
        before, polynomial = polynomial, ((nodes - diagonal[k]) * polynomial - below * before) / above
        total += polynomial**2
    return total


def recurrence(moments: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """(alpha_0..alpha_(K-1), beta_0..beta_(K-1)) with p_(k+1) = (s - alpha_k) p_k - beta_k p_(k-1), from 2 K moments.

    Chebyshev's algorithm: row k holds the integrals of p_k s^l, l = k, k + 1, ....

    Raises:
        ValueError: if some beta_k is not positive: the moments are those of no measure with K points or more.
    """
    rows, count = [Fraction(0)] * len(moments), len(moments) // 2
    row = [Fraction(moment) for moment in moments]
    alpha, beta = [], []
    for k in range(count):
        previous = rows[k - 1] if k else Fraction(1)
        if row[k] <= 0 or previous <= 0:
            raise ValueError(
                f"these moments belong to no measure with {count} points or more: beta_{k} is not positive"
            )
        alpha.append(row[k + 1] / row[k] - (rows[k] / previous if k else 0))
        beta.append(row[k] / previous if k else row[0])
        following = [
            row[l + 1] - alpha[k] * row[l] - (beta[k] * rows[l] if k else 0)
            if k < l < len(row) - k - 1
            else Fraction(0)
            for l in range(len(row))
        ]
        rows, row = row, following
    return alpha, beta

"""Bounds on the largest eigenvalue, exact: floats propose the eigenvectors, rationals bound what these miss.

Symbols: S (d, d), symmetric and positive semidefinite; D = diag(weights), positive; V (d, d), invertible.

The largest eigenvalue of S v = lam D v is the largest ratio v^T S v / v^T D v. In the coordinates v = V z, with
A = V^T S V and B = V^T D V, the coordinate vectors bound it from below, and row i of A z = lam B z, for the largest
|z_i| (Gershgorin's argument), from above:

    max_i A_ii / B_ii  <=  lam_max  <=  max_i sum_j |A_ij| / (B_ii - sum_{j != i} |B_ij|)

With eigenvectors for V both matrices are diagonal and the bounds are equal; with their floats they nearly are.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

from constructions.scalars import power_of_two
from numerics.rationals import as_fmpq, as_fraction


def largest_eigenvalue_bounds(S: fmpq_mat, weights: Sequence[Fraction] | None = None) -> tuple[Fraction, Fraction]:
    """(lower, upper) with lower <= lam_max <= upper, for the largest eigenvalue of S v = lam D v.

    Args:
        S: symmetric and positive semidefinite; not checked.
        weights: the diagonal of D, each above 0; ones by default.

    Returns:
        Exact numbers; upper / lower - 1 is of the order of d times the roundoff of float64.

    >>> largest_eigenvalue_bounds(fmpq_mat(1, 1, [3]), [Fraction(2)])
    (Fraction(3, 2), Fraction(3, 2))
    """
    d = S.nrows()
    weights = [Fraction(1)] * d if weights is None else weights
    if any(weight <= 0 for weight in weights):
        raise ValueError(f"every weight must be above 0, but {min(weights)} came")
    trace = sum((as_fraction(S[i, i]) / weights[i] for i in range(d)), start=Fraction(0))
    if trace == 0:
        return Fraction(0), Fraction(0)
    # Units near 1 / sqrt(weight), and the trace, keep the floats in range whatever the units of the data.
    units = [_unit(weight) for weight in weights]
    scale = _diagonal(units)
    S, D = scale * S * scale / as_fmpq(trace), scale * _diagonal(weights) * scale
    V = _eigenvectors(S, [as_fraction(D[i, i]) for i in range(d)])
    A, B = V.transpose() * S * V, V.transpose() * D * V
    lower = max(A[i, i] / B[i, i] for i in range(d))
    above = [sum((abs(A[i, j]) for j in range(d)), start=fmpq(0)) for i in range(d)]
    below = [2 * B[i, i] - sum((abs(B[i, j]) for j in range(d)), start=fmpq(0)) for i in range(d)]
    if min(below) <= 0:
        raise ArithmeticError(
            f"the eigenvectors of this ({d}, {d}) matrix, as float64 has them, are far from orthogonal"
        )
    upper = max(a / b for a, b in zip(above, below, strict=True))
    return as_fraction(lower) * trace, as_fraction(upper) * trace


def _unit(weight: Fraction) -> Fraction:
    """The power of two s with 1/4 < s^2 weight < 4."""
    unit: Fraction = power_of_two((weight.denominator.bit_length() - weight.numerator.bit_length()) // 2)
    return unit


def _eigenvectors(S: fmpq_mat, weights: Sequence[Fraction]) -> fmpq_mat:
    """Eigenvectors of S v = lam diag(weights) v in float64, one per column, as the dyadic numbers that they are."""
    d = len(weights)
    floats = np.array([[float(as_fraction(S[i, j])) for j in range(d)] for i in range(d)])
    roots = np.sqrt(np.array([float(weight) for weight in weights]))
    _, vectors = np.linalg.eigh(floats / roots[:, None] / roots)
    return fmpq_mat(d, d, [as_fmpq(value) for value in (vectors / roots[:, None]).ravel().tolist()])


def _diagonal(values: Sequence[Fraction]) -> fmpq_mat:
    d = len(values)
    return fmpq_mat(d, d, [as_fmpq(values[i]) if i == j else fmpq(0) for i in range(d) for j in range(d)])

"""Teachers: contexts of small integers of which a least-squares solution, or an eigenvector of X X^T, is known exactly.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), W_star (m, d), v (d, 1).

Integers are held by every kind of number, floats included, so that a hypothesis such as Y X^T = W_star X X^T is true of
the float instance as well and not only nearly so.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from flint import fmpz_mat

from constructions.prompt import Prompt
from numerics.tasks import Randomness, generator

Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


class Eigenvector(NamedTuple):
    """Inputs X, and X X^T v = lam v; lam is (1, 1)."""

    X: Integers
    v: Integers
    lam: Integers


def inputs_with_eigenvector(rng: Randomness, n: int, d: int) -> Eigenvector:
    """X = H D with H of orthogonal columns (1, 1), (1, -1) in pairs, D rectangular and diagonal; v a column of H."""
    rng = generator(rng)
    H = np.zeros((d, d), dtype=int)
    for i in range(0, d - 1, 2):
        H[i : i + 2, i : i + 2] = [[1, 1], [1, -1]]
    if d % 2:
        H[-1, -1] = 1
    D = np.zeros((d, n), dtype=int)
    for i in range(min(d, n)):
        D[i, i] = rng.integers(1, 4)
    column = int(rng.integers(0, d))
    X, v = H @ D, H[:, [column]]
    squared = D[column, column] ** 2 * (v.T @ v) if column < n else np.zeros((1, 1), dtype=int)
    return Eigenvector(X, v, squared)


def null_space(X: Integers) -> Integers:
    """A basis of the vectors c (n, 1) with X c = 0, as integer columns, (n, n - rank X)."""
    basis, nullity = fmpz_mat(X.tolist()).nullspace()
    return np.array([[int(basis[i, j]) for j in range(nullity)] for i in range(X.shape[1])], dtype=int).reshape(
        X.shape[1], nullity
    )


def labels(rng: Randomness, X: Integers, W_star: Integers) -> Integers:
    """Y = W_star X + noise with Y X^T = W_star X X^T; the noise is not zero unless X has rank n."""
    rng, basis = generator(rng), null_space(X)
    weights = rng.integers(1, 3, (W_star.shape[0], basis.shape[1])) * rng.choice([-1, 1], basis.shape[1])
    return W_star @ X + weights @ basis.T


def as_prompt(entries: tuple[Integers, Integers, Integers], extras: Mapping[str, Integers], dtype: Any) -> Prompt:
    """(X, Y, x_query) and extras as a prompt of Fractions (dtype None) or of arrays of the float dtype."""

    def held(matrix: Integers) -> Any:
        if dtype is None:
            return [[Fraction(int(value)) for value in row] for row in matrix]
        return matrix.astype(dtype)

    X, Y, x_query = map(held, entries)
    return Prompt(X, Y, x_query, tuple((name, held(matrix)) for name, matrix in extras.items()))

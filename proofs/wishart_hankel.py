"""The best polynomial of L gradient steps in closed form: linear systems of Wishart moments, for symbolic n and d.

Symbols: p_k = E tr W^k, a polynomial in n and d; rho_1, ..., rho_L with phi(lam) = 1 - sum_j rho_j lam^j; sigma2 the
noise; M_ij = p_{i+j} + sigma2 p_{i+j-1}, i, j = 1..L; M rho = (p_1, ..., p_L).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy
from sympy.polys.matrices import DomainMatrix

from proofs.gaussian_moments import sigma2
from proofs.index_sums import d, n
from proofs.wishart_moments import trace_moment

Moment = Callable[[int], Any]
"""E tr W^k, from k."""


@dataclass(frozen=True)
class SymbolicOptimum:
    """The least loss and its polynomial, as quotients of polynomials.

    Args:
        bordered: det [[p_0, p^T], [p, M]].
        inner: det M; the least loss is bordered / inner.
        numerators: of phi_1, ..., phi_L over inner, phi(s) = sum_k phi_k s^k in the eigenvalues s = lam / n.
    """

    bordered: Any
    inner: Any
    numerators: tuple[Any, ...]


def symbolic_optimum(
    L: int, moment: Moment = trace_moment, noise: Any = 0, variables: tuple[Any, ...] = (n, d), tokens: Any = n
) -> SymbolicOptimum:
    """The least loss of L steps, by Cramer's rule.

    Args:
        L: layers, >= 1.
        moment: E tr W^k; a polynomial in the variables.
        noise: sigma2.
        variables: what moments and noise are polynomials in.
        tokens: n.

    >>> sympy.factor(symbolic_optimum(1).bordered), sympy.factor(symbolic_optimum(1).inner)
    (d**2*n*(d + 1), d*n*(d + n + 1))
    """
    p = [sympy.expand(moment(k)) for k in range(2 * L + 1)]
    inner = [[p[i + j] + noise * p[i + j - 1] for j in range(1, L + 1)] for i in range(1, L + 1)]
    column = p[1 : L + 1]
    bordered = [[p[0], *column], *([value, *row] for value, row in zip(column, inner, strict=True))]
    # Cramer: rho_k is det M with its column k replaced by p, over det M; phi_k = -rho_k n^k.
    replaced = ([[*row[:k], value, *row[k + 1 :]] for value, row in zip(column, inner, strict=True)] for k in range(L))
    numerators = (
        sympy.expand(-determinant(matrix, variables) * tokens**k) for k, matrix in enumerate(replaced, start=1)
    )
    return SymbolicOptimum(determinant(bordered, variables), determinant(inner, variables), tuple(numerators))


@lru_cache(maxsize=16)
def optimum(L: int) -> SymbolicOptimum:
    """That of L steps without noise, in n and d."""
    return symbolic_optimum(L)


@lru_cache(maxsize=16)
def noisy_optimum(L: int) -> SymbolicOptimum:
    """That of L steps with noise, in n, d and sigma2."""
    return symbolic_optimum(L, noise=sigma2, variables=(n, d, sigma2))


def determinant(rows: list[list[Any]], variables: tuple[Any, ...]) -> Any:
    """The determinant of a matrix of polynomials in those variables, without divisions.

    >>> determinant([[n, 1], [2, n]], (n,))
    n**2 - 2
    """
    size, ring = len(rows), sympy.QQ[variables]
    matrix = DomainMatrix(
        [[ring.from_sympy(sympy.sympify(value)) for value in row] for row in rows], (size, size), ring
    )
    return ring.to_sympy(matrix.charpoly()[-1]) * (-1) ** size

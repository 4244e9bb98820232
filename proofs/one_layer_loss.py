"""The population loss of one layer of linear attention in closed form, for symbolic n and d and for given laws.

Symbols (columns; coordinates in the eigenbasis of Sigma = diag(lam) where indices occur): p0 = P_yx^T (d), p1 = P_yy,
Q1 = Q_xx (d, d), q2 = Q_yx^T (d); Omega (d, d) the teacher's covariance, sigma2 the noise;
tau = tr Omega Sigma + sigma2; N = p0 q2^T + p1 Q1, C = Q1 Sigma Q1^T,
K = (1 + 1/n) Sigma Omega Sigma + (tau / n) Sigma = E v v^T.

    loss = odd + even
    odd  = tr Omega Sigma + 2 tr N Sigma Omega Sigma + tr N Sigma N^T K          = E |N^T v + w|_Sigma^2
    even = p0^T ((1 + 1/n) Sigma C Sigma + (1/n) tr(C Sigma) Sigma) p0
         + 2 p1 p0^T (tau Sigma + (2/n) Sigma Omega Sigma) Q1 Sigma q2
         + p1^2 (q2^T Sigma q2) (1 + 2/n) (tau^2 + 2 tr (Omega Sigma)^2)         = E |Q1^T S p0 + p1 g q2|_Sigma^2
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from constructions.one_layer_attention import OneLayerAttention
from constructions.parameters import Unspecified
from proofs.gaussian_moments import Omega, sigma2
from proofs.index_sums import Index, IndexSum, Tensor, Terms, delta, lam, n, summed
from proofs.regression_law import RegressionLaw, as_matrix
from proofs.symbols import SymbolBlock

p0, q2 = Tensor("P_yx", "d"), Tensor("Q_yx", "d")
Q1, N = Tensor("Q_xx", "dd"), Tensor("N", "dd")
K = Tensor("K", "dd", is_symmetric=True)
p1 = sympy.Symbol("P_yy", real=True)

BLOCKS = tuple(f"{name}_{out}{into}" for name in "PQ" for out in "xy" for into in "xy")
"""The blocks of the weights, by name."""


def with_letters(kind: type[OneLayerAttention], blocks: tuple[str, ...] = BLOCKS) -> OneLayerAttention:
    """The layer with weights of unspecified size, the blocks not named being zero."""
    sizes: dict[str, str | int] = {"x": "d", "y": 1}
    letters = {name: Unspecified(name, sizes[name[-2]], sizes[name[-1]]) for name in blocks}
    return kind(**{name: SymbolBlock.lift(letter) for name, letter in letters.items()})


def second_moment(a: Index, b: Index) -> Terms:
    """K[a, b] = E v[a] v[b], written out."""
    return [
        (1 + 1 / n, [lam(a), Omega(a, b), lam(b)]),
        (1 / n, [lam(a), delta(a, b), Omega("t", "t"), lam("t")]),
        (sigma2 / n, [lam(a), delta(a, b)]),
    ]


def odd_loss() -> IndexSum:
    """The odd part as a function of N and K."""
    return summed(
        [
            (1, [Omega("a", "a"), lam("a")]),
            (2, [N("a", "b"), lam("b"), Omega("b", "a"), lam("a")]),
            (1, [N("a", "b"), lam("b"), N("c", "b"), K("c", "a")]),
        ]
    )


def tau() -> IndexSum:
    """tr Omega Sigma + sigma2."""
    return summed([(1, [Omega("t", "t"), lam("t")]), (sigma2, [])])


def even_loss() -> IndexSum:
    """The even part."""
    ends = [p0("a"), lam("a")]
    through = summed([(2 * p1, [*ends, Q1("a", "b"), lam("b"), q2("b")])])
    norm = summed([(p1**2 * (1 + 2 / n), [q2("a"), q2("a"), lam("a")])])
    power = tau() * tau() + summed([(2, [Omega("a", "b"), lam("b"), Omega("b", "a"), lam("a")])])
    rest = summed(
        [
            (1 + 1 / n, [*ends, Q1("a", "b"), lam("b"), Q1("c", "b"), lam("c"), p0("c")]),
            (1 / n, [*ends, p0("a"), Q1("c", "b"), lam("b"), Q1("c", "b"), lam("c")]),
            (4 * p1 / n, [*ends, Omega("a", "c"), lam("c"), Q1("c", "b"), lam("b"), q2("b")]),
        ]
    )
    return rest + through * tau() + norm * power


def closed_form() -> IndexSum:
    """odd + even, as a polynomial in the weights."""
    product = {N: lambda a, b: [(1, [p0(a), q2(b)]), (p1, [Q1(a, b)])], K: second_moment}
    return odd_loss().substituted(product) + even_loss()


@dataclass(frozen=True)
class Weights:
    """The blocks that enter the loss.

    Args:
        p0: P_yx, (1, d).
        p1: P_yy.
        Q1: Q_xx, (d, d).
        q2: Q_yx, (1, d).
    """

    p0: Any
    p1: Any
    Q1: Any
    q2: Any

    def __post_init__(self) -> None:
        for name in ("p0", "Q1", "q2"):
            object.__setattr__(self, name, sympy.ImmutableDenseMatrix(getattr(self, name)))
        object.__setattr__(self, "p1", sympy.sympify(self.p1))
        d = self.Q1.rows
        if self.Q1.cols != d or self.p0.shape != (1, d) or self.q2.shape != (1, d):
            raise ValueError(
                f"p0, Q1, q2 must be (1, d), (d, d), (1, d), but {self.p0.shape}, {self.Q1.shape}, {self.q2.shape} came"
            )

    @property
    def N(self) -> Any:
        """p0 q2^T + p1 Q1."""
        return self.p0.T * self.q2 + self.p1 * self.Q1


def loss(weights: Weights, law: RegressionLaw) -> Any:
    """The population loss of a layer with these weights; exact, and a polynomial if they hold symbols."""
    _require_fit(weights, law)
    return sympy.expand(odd_part(weights.N, law) + even_part(weights, law))


def odd_part(matrix: Any, law: RegressionLaw) -> Any:
    """tr Omega Sigma + 2 tr N Sigma Omega Sigma + tr N Sigma N^T K."""
    S, O = law.Sigma, law.Omega
    quadratic = matrix * S * matrix.T * moment_matrix(law)
    return (O * S).trace() + 2 * (matrix * S * O * S).trace() + quadratic.trace()


def even_part(weights: Weights, law: RegressionLaw) -> Any:
    """E |Q1^T S p0 + p1 g q2|_Sigma^2."""
    S, O, tokens, t = law.Sigma, law.Omega, sympy.Integer(law.n), noise_level(law)
    row, column, Q, p = weights.p0, weights.q2.T, weights.Q1, weights.p1
    C = Q * S * Q.T
    first = row * ((1 + 1 / tokens) * S * C * S + (C * S).trace() / tokens * S) * row.T
    second = 2 * p * row * (t * S + 2 / tokens * S * O * S) * Q * S * column
    third = p**2 * (column.T * S * column) * (1 + 2 / tokens) * (t**2 + 2 * (O * S * O * S).trace())
    return (first + second + third)[0, 0]


def noise_level(law: RegressionLaw) -> Any:
    """tau = tr Omega Sigma + sigma2, the variance of a label."""
    return (law.Omega * law.Sigma).trace() + law.sigma2


def moment_matrix(law: RegressionLaw) -> Any:
    """K = E v v^T."""
    tokens, S = sympy.Integer(law.n), law.Sigma
    return (1 + 1 / tokens) * S * law.Omega * S + noise_level(law) / tokens * S


def optimal_matrix(law: RegressionLaw) -> Any:
    """N* = -((1 + 1/n) Sigma + (tau / n) Omega^-1)^-1, symmetric; -N* is the preconditioner.

    >>> optimal_matrix(RegressionLaw.isotropic(20, 5))[0, 0]
    -10/13
    """
    tokens = sympy.Integer(law.n)
    return -((1 + 1 / tokens) * law.Sigma + noise_level(law) / tokens * law.Omega.inv()).inv()


def least_loss(law: RegressionLaw) -> Any:
    """f* = tr Omega Sigma + tr N* Sigma Omega Sigma, the least population loss of one layer.

    >>> least_loss(RegressionLaw.isotropic(20, 5))
    15/13
    """
    O, S = law.Omega, law.Sigma
    return (O * S).trace() + (optimal_matrix(law) * S * O * S).trace()


def optimal_weights(law: RegressionLaw, scale: Any = 1) -> Weights:
    """A global minimiser: P = [[0, 0], [0, scale]], Q = [[N*, 0], [0, 0]] / scale.

    Raises:
        ValueError: for scale = 0.
    """
    scale = sympy.Rational(scale)
    if scale == 0:
        raise ValueError("scale = 0: the minimisers are the orbit of nonzero scales")
    zero = sympy.zeros(1, law.d)
    return Weights(zero, scale, optimal_matrix(law) / scale, zero)


def attention(weights: Weights, kind: type[OneLayerAttention] = OneLayerAttention) -> OneLayerAttention:
    """The layer with these rational weights."""
    rows = {"P_yx": weights.p0, "P_yy": as_matrix([[weights.p1]]), "Q_xx": weights.Q1, "Q_yx": weights.q2}
    return kind(**{name: _fractions(matrix) for name, matrix in rows.items()})


def _fractions(matrix: Any) -> list[list[Any]]:
    return [[Fraction(int(value.p), int(value.q)) for value in row] for row in as_matrix(matrix).tolist()]


def _require_fit(weights: Weights, law: RegressionLaw) -> None:
    if weights.Q1.rows != law.d:
        raise ValueError(f"the weights are for d = {weights.Q1.rows}, but the law has d = {law.d}")

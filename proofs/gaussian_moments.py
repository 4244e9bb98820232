"""Expectations of polynomials in Gaussian vectors, by Isserlis' pairings over symbolic indices.

Symbols: x_i[a] samples with covariance Sigma = diag(lam), iid over i = 1..n; x_query[a] of the same law; w[a] a
teacher with covariance Omega; eps_i noise of variance sigma2. All have mean 0, and different families are independent.

    E z_1 ... z_2k = sum over all ways to pair the factors, of the product of the pairs' covariances

and an odd number of factors of a family has the expectation 0. A pair's covariance is a product of one tensor per
index (``delta`` for samples and isotropic coordinates, ``lam`` in the eigenbasis of Sigma, else a full matrix).

Reference: Isserlis (1918); Wick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from numerics.pairings import pairings
from proofs.index_sums import Factor, Index, IndexSum, Monomial, Tensor, apart, delta, lam, same_sample, summed

sigma2 = sympy.Symbol("sigma2", nonnegative=True)
"""The variance of the label noise."""


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian family of mean 0.

    Args:
        tensor: the random tensor.
        coordinates: the covariance of its coordinates: ``delta`` (identity), ``lam`` (diagonal, the eigenvalues of
            Sigma), or a symmetric ``Tensor`` over "dd"; of no effect on a family without coordinates.
        variance: a scalar factor of the covariance.
    """

    tensor: Tensor
    coordinates: Tensor = delta
    variance: Any = sympy.Integer(1)

    def __post_init__(self) -> None:
        if self.coordinates != lam and not (self.coordinates.is_symmetric and self.coordinates.ranges == "dd"):
            raise ValueError(f"the covariance must be lam or a symmetric tensor over 'dd', but {self.coordinates} came")

    def covariance(self, left: Factor, right: Factor) -> list[Factor]:
        """The tensors whose product, times the variance, is the covariance of two of its entries."""
        factors = list[Factor]()
        for a, b in zip(left.indices, right.indices, strict=True):
            if a.range == "n":
                factors.append(same_sample(a, b))
            elif self.coordinates == lam:
                factors += [delta(a, b), lam(a)]
            else:
                factors.append(self.coordinates(a, b))
        return factors


X = Tensor("X", "dn")
x_query = Tensor("x_query", "d")
w = Tensor("w", "d")
eps = Tensor("eps", "n")
Omega = Tensor("Omega", "dd", is_symmetric=True)

INPUTS = Gaussian(X, lam)
QUERY = Gaussian(x_query, lam)
TEACHER = Gaussian(w, Omega)
NOISE = Gaussian(eps, variance=sigma2)


def expectation(polynomial: IndexSum, families: Sequence[Gaussian]) -> IndexSum:
    """E over the families, all independent; tensors of no family are constants.

    >>> gram_squared = summed([(1, [X("a", "i"), X("b", "i"), X("b", "j"), X("a", "j")])])
    >>> sympy.factor(expectation(gram_squared, [Gaussian(X)]).scalar)
    d*n*(d + n + 1)
    """
    names = [family.tensor.name for family in families]
    polynomial = IndexSum({monomial: c for monomial, c in polynomial.terms.items() if not _is_odd(monomial, names)})
    for family in families:
        polynomial = _integrated(polynomial, family)
    return polynomial


def _is_odd(monomial: Monomial, names: Sequence[str]) -> bool:
    """Whether some family has an odd number of factors: then the expectation is 0."""
    counts = Counter(factor.tensor for component in monomial for factor in component)
    return any(counts[name] % 2 for name in names)


def _integrated(polynomial: IndexSum, family: Gaussian) -> IndexSum:
    terms: list[tuple[Any, Sequence[Factor]]] = []
    for monomial, coefficient in polynomial.terms.items():
        factors = apart(monomial, "")
        random = [factor for factor in factors if factor.tensor == family.tensor.name]
        constant = [factor for factor in factors if factor.tensor != family.tensor.name]
        scalar = coefficient * family.variance ** (len(random) // 2)
        for pairing in pairings(random):
            moved = [tensor for pair in pairing for tensor in family.covariance(*pair)]
            terms.append((scalar, [*constant, *moved, *_still_summed(random)]))
    return summed(terms)


def _still_summed(random: Sequence[Factor]) -> list[Factor]:
    """Deltas of value 1 that keep the indices of factors that are gone."""
    indices: set[Index] = {index for factor in random for index in factor.indices}
    return [(delta if index.range == "d" else same_sample)(index, index) for index in sorted(indices)]

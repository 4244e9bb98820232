"""A concrete law of noisy linear regression tasks, and a transformer's expected loss under it, exactly.

Symbols: n context tokens, d features; x_i = R z_i and x_query = R z (d), R R^T = Sigma; w = V u (d), V V^T = Omega;
y_i = w^T x_i + eps_i with variance sigma2 = s^2; z_i, z, u and eps_i / s standard normal. Given by roots, everything
is rational. Two routes to the loss, neither of which knows a closed form:

- the prediction as a polynomial in the entries of z_i, z, u, eps, its square integrated monomial by monomial, with
  E z^k = (k - 1)!! for even k;
- the mean over a finite law with the Gaussian's moments up to the degree that an entry has: +-1 for degree 3; 0, +-1,
  +-2 with the weights 6, 2, 1 for degree 5; 0, +-1, +-2, +-3 with 70, 45, 9, 1 for degree 7. That equals the Gaussian
  mean, exactly. The squared error of one layer has degree 4 in an entry, 2 in the query's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import sympy

from constructions.construction import Construction, forward
from constructions.prompt import Prompt
from numerics.rounding import ROUNDOFF, RoundedBlock
from proofs.explicit import ExplicitBlock

Matrix = Sequence[Sequence[Any]]
"""Rows of ints, Fractions or SymPy rationals."""


def as_matrix(rows: Matrix | sympy.MatrixBase) -> Any:
    """The matrix in SymPy's rationals."""
    return sympy.ImmutableDenseMatrix([[sympy.Rational(value) for value in row] for row in sympy.Matrix(rows).tolist()])


@dataclass(frozen=True)
class RegressionLaw:
    """The law of a task.

    Args:
        n: context tokens, >= 1.
        Sigma: covariance of the inputs, (d, d), symmetric and positive definite.
        Omega: covariance of the teacher, likewise.
        sigma2: variance of the label noise, >= 0.

    Raises:
        ValueError: for sizes of 0, a covariance that is not symmetric and positive definite, or negative noise.

    >>> RegressionLaw(2, [[1, 0], [0, 3]], [[1, 0], [0, 1]], 0).d
    2
    """

    n: int
    Sigma: Any
    Omega: Any
    sigma2: Any = 0
    roots: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"n = {self.n!r}: at least one context token is required; pass an int n >= 1")
        for name in ("Sigma", "Omega"):
            object.__setattr__(self, name, _covariance(name, getattr(self, name)))
        if self.Sigma.shape != self.Omega.shape:
            raise ValueError(
                f"Sigma is {self.Sigma.shape} and Omega is {self.Omega.shape}: both must be (d, d) with the same d"
            )
        object.__setattr__(self, "sigma2", sympy.Rational(self.sigma2))
        if self.sigma2 < 0:
            raise ValueError(f"sigma2 = {self.sigma2}: a variance must be >= 0")

    @property
    def d(self) -> int:
        """The number of features."""
        return int(self.Sigma.rows)

    @classmethod
    def of_roots(cls, n: int, R: Any, V: Any, s: Any = 0) -> RegressionLaw:
        """The law with Sigma = R R^T, Omega = V V^T and sigma2 = s^2, for the routes that need rational roots.

        Args:
            R, V: (d, d) matrices of rationals, invertible.
            s: a rational.
        """
        R, V, s = as_matrix(R), as_matrix(V), sympy.Rational(s)
        return cls(n, R * R.T, V * V.T, s**2, {"R": R, "V": V, "s": s})

    @classmethod
    def isotropic(cls, n: int, d: int, s: Any = 0) -> RegressionLaw:
        """Sigma = Omega = I and sigma2 = s^2."""
        if not isinstance(d, int) or d < 1:
            raise ValueError(f"d = {d!r}: at least one feature is required; pass an int d >= 1")
        return cls.of_roots(n, sympy.eye(d), sympy.eye(d), s)

    def __str__(self) -> str:
        return f"n = {self.n}, Sigma = {self.Sigma.tolist()}, Omega = {self.Omega.tolist()}, sigma2 = {self.sigma2}"

    def root(self, name: str) -> Any:
        """R, V or s.

        Raises:
            ValueError: if the law was not given by its roots.
        """
        if name not in self.roots:
            raise ValueError(f"the law has no rational root {name}: make it with RegressionLaw.of_roots")
        return self.roots[name]


def _covariance(name: str, rows: Any) -> Any:
    try:
        matrix = as_matrix(rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a (d, d) matrix of exact numbers, but {rows!r} came") from error
    if matrix.rows != matrix.cols or matrix.rows == 0:
        raise ValueError(f"{name} must be (d, d) with d >= 1, but {matrix.shape} came")
    minors = [matrix[:k, :k].det() for k in range(1, matrix.rows + 1)]
    if matrix != matrix.T or any(minor <= 0 for minor in minors):
        raise ValueError(
            f"{name} must be symmetric and positive definite, but {matrix.tolist()} came, "
            f"whose leading minors are {minors}"
        )
    return matrix


Link = Callable[[Any], Any]
"""From u = w^T x to the label t(u), a polynomial."""


def linear(u: Any) -> Any:
    """t(u) = u."""
    return u


def integrated_loss(construction: Construction, law: RegressionLaw, link: Link = linear) -> Any:
    """E (prediction - t(w^T x_query))^2 of the transformer, run on the entries as symbols and integrated one by one.

    Args:
        construction: one target, rational weights, a prediction polynomial in the data.
        law: by its roots.
        link: t; the labels are t(w^T x_i) + eps_i.
    """
    prompt, w, entries = symbolic_task(law, link)
    predicted = forward(construction, prompt.lifted(ExplicitBlock)) + ExplicitBlock.lift([[0]])
    error = sympy.Poly(predicted.entry[0, 0] - link((w.T * prompt.x_query)[0, 0]), *entries)
    return integrated(error * error)


def integrated_weight_loss(construction: Construction, law: RegressionLaw) -> Any:
    """E |prediction - w|^2 of a transformer that predicts the teacher (d, 1), integrated entry by entry.

    Args:
        construction: one target, rational weights, a prediction polynomial in the data.
        law: by its roots.
    """
    prompt, w, entries = symbolic_task(law)
    predicted = forward(construction, prompt.lifted(ExplicitBlock)) + ExplicitBlock.lift([[0]] * law.d)
    errors = (sympy.Poly(predicted.entry[a, 0] - w[a], *entries) for a in range(law.d))
    return sympy.Add(*(integrated(error * error) for error in errors))


def symbolic_task(law: RegressionLaw, link: Link = linear) -> tuple[Prompt, Any, list[Any]]:
    """(the prompt, the teacher (d, 1), the standard normal variables that they are polynomials in)."""
    (Z, z, u, e), entries = _symbols(law)
    R, V, s = (law.root(name) for name in ("R", "V", "s"))
    X, w = R * Z, V * u
    return Prompt(X, (w.T * X).applyfunc(link) + s * e, R * z), w, entries


def integrated(polynomial: sympy.Poly) -> Any:
    """The expectation of a polynomial in independent standard normal variables.

    >>> a, b = sympy.symbols("a b")
    >>> integrated(sympy.Poly(5 + a**4 * b**2 + a * b**2, a, b))
    8
    """
    return sympy.Add(
        *(
            coefficient * prod(int(sympy.factorial2(power - 1)) for power in powers)
            for powers, coefficient in polynomial.terms()
            if all(power % 2 == 0 for power in powers)
        )
    )


def _symbols(law: RegressionLaw) -> tuple[tuple[Any, Any, Any, Any], list[Any]]:
    shapes = (("z", law.d, law.n), ("z_query", law.d, 1), ("u", law.d, 1), ("e", 1, law.n))
    blocks = tuple(
        sympy.ImmutableDenseMatrix(rows, columns, lambda i, j, name=name: sympy.Symbol(f"{name}[{i},{j}]"))
        for name, rows, columns in shapes
    )
    return blocks, [symbol for block in blocks for symbol in block]


FiniteLaw = tuple[tuple[int, int], ...]
"""(value, weight) of each point, both whole."""

TWO_POINTS: FiniteLaw = ((1, 1), (-1, 1))
"""The first three moments of N(0, 1)."""

FIVE_POINTS: FiniteLaw = ((0, 6), (1, 2), (-1, 2), (2, 1), (-2, 1))
"""The first five moments of N(0, 1)."""

SEVEN_POINTS: FiniteLaw = ((0, 70), (1, 45), (-1, 45), (2, 9), (-2, 9), (3, 1), (-3, 1))
"""The first seven moments of N(0, 1)."""

NINE_POINTS: FiniteLaw = (
    *((0, 8050), (1, 4872), (-1, 4872), (2, 1092), (-2, 1092)),
    *((3, 88), (-3, 88), (4, 3), (-4, 3)),
)
"""The first nine moments of N(0, 1)."""

LINEAR_LAWS = (FIVE_POINTS, FIVE_POINTS, FIVE_POINTS, TWO_POINTS)
"""For entries of z_i, u, eps and z_query: enough for any one-layer loss with t(u) = u."""


def cubature(laws: Sequence[FiniteLaw]) -> tuple[Any, Any, int]:
    """(points, (count, entries); weights; their sum): the product of finite laws, one per entry.

    >>> cubature([TWO_POINTS, TWO_POINTS])[2]
    4
    """
    values, weights = (
        np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        for axes in zip(*(np.array(law, dtype=float).T for law in laws), strict=True)
    )
    return values, np.prod(weights, axis=1), prod(weight_sum(law) for law in laws)


def weight_sum(law: FiniteLaw) -> int:
    """What the weights of a finite law are parts of."""
    return sum(weight for _, weight in law)


def float_loss_bounds(
    construction: Construction, law: RegressionLaw, link: Link = linear, laws: Sequence[FiniteLaw] = LINEAR_LAWS
) -> tuple[Fraction, Fraction]:
    """An enclosure of the transformer's expected loss, from one float64 run over a finite law.

    Args:
        construction: one target, weights as float arrays.
        law: by its roots; the labels must be floats exactly, as they are for small dyadic roots.
        link: t.
        laws: the finite laws of the entries of z_i, u, eps and z_query; of no lower degree than the squared error.
    """
    prompt, wT, weights, total = _finite_tasks(law, link, laws)
    target = link(wT @ prompt.x_query)[:, 0, 0]
    predicted: Any = forward(construction, prompt.lifted(RoundedBlock))
    low, high = mean_square_bounds(predicted.value[:, 0, 0], predicted.radius[:, 0, 0], target, weights)
    return low / total, high / total


def float_weight_loss_bounds(
    construction: Construction, law: RegressionLaw, laws: Sequence[FiniteLaw] = LINEAR_LAWS
) -> tuple[Fraction, Fraction]:
    """An enclosure of E |prediction - w|^2 of a transformer that predicts the teacher, as ``float_loss_bounds``."""
    prompt, wT, weights, total = _finite_tasks(law, linear, laws)
    predicted: Any = forward(construction, prompt.lifted(RoundedBlock)) + RoundedBlock.lift(np.zeros((law.d, 1)))
    bounds = [
        mean_square_bounds(predicted.value[:, a, 0], predicted.radius[:, a, 0], wT[:, 0, a], weights)
        for a in range(law.d)
    ]
    return sum((low for low, _ in bounds), Fraction(0)) / total, sum((high for _, high in bounds), Fraction(0)) / total


def _finite_tasks(law: RegressionLaw, link: Link, laws: Sequence[FiniteLaw]) -> tuple[Prompt, Any, Any, int]:
    """(every prompt of a finite law, one per batch entry; the teachers, (.., 1, d); the weights; their sum)."""
    n, d = law.n, law.d
    R, V, s = (np.array(law.root(name), dtype=float) for name in ("R", "V", "s"))
    counts = (d * n, d, n if s != 0 else 0, d)
    points, weights, total = cubature([each for each, count in zip(laws, counts, strict=True) for _ in range(count)])
    Z, u, e, z = np.split(points, np.cumsum(counts)[:-1], axis=1)
    noise = s * e.reshape(-1, 1, n) if s != 0 else 0.0
    X, x, wT = R @ Z.reshape(-1, d, n), R @ z[:, :, None], np.swapaxes(V @ u[:, :, None], 1, 2)
    return Prompt(X, link(wT @ X) + noise, x), wT, weights, total


def mean_square_bounds(value: Any, radius: Any, target: Any, weights: Any) -> tuple[Fraction, Fraction]:
    """Bounds on sum weight (value +- radius - target)^2; values and weights are exact, and the sum is (fsum).

    Each step errs by at most one unit roundoff u, relatively: the margins of 4 u per step are more than that.
    """
    error, above, below = np.abs(value - target), 1 + 4 * ROUNDOFF, 1 - 4 * ROUNDOFF
    largest = (error * above + radius) * above
    smallest = np.maximum(error * below - radius * above, 0.0) * below
    high = math.fsum(weights * largest * largest * above)
    low = math.fsum(weights * smallest * smallest * below)
    return Fraction(low) * Fraction(below), Fraction(high) * Fraction(above)

"""Runs of layers A_l = a_l Sigma^-1, and other routes to their least loss, for the theorems about the best step sizes.

Symbols: as in ``proofs.optimal_steps``; a law has Omega = Sigma^-1 and noise of the deviation s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import fmpq, fmpq_poly

from constructions.preconditioned import PreconditionedDescent
from constructions.scalars import Scalar
from numerics.optimal_steps import optimal_polynomial, steps_loss
from numerics.rationals import as_fmpq, as_fraction
from numerics.wishart import wishart_trace_moments
from proofs.argued_theorem import Run
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds

LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
"""For up to two layers: degree 8 in an entry of z_i, 2 in the others."""


def drawn_law(rng: np.random.Generator, tokens: int, features: int, s: Any = 0) -> RegressionLaw:
    """A law with Omega = Sigma^-1 and a drawn root of Sigma."""
    while True:
        R = sympy.Matrix(features, features, lambda i, j: sympy.Rational(int(rng.integers(-2, 3)), 2))
        if R.det() != 0:
            return RegressionLaw.of_roots(tokens, R, R.inv().T, s)


def network(steps: Sequence[Scalar], law: RegressionLaw) -> PreconditionedDescent:
    """The layers A_l = a_l Sigma^-1, in rationals."""
    inverse = law.Sigma.inv()
    return PreconditionedDescent(
        preconditioners=[[[a * Fraction(int(v.p), int(v.q)) for v in row] for row in inverse.tolist()] for a in steps]
    )


def excess_form(steps: Sequence[Scalar], tokens: int, features: int, noise: Any = 0) -> Fraction:
    """mu s (s + c) (r - r_best)^2, the loss beyond the least one, from the coefficients."""
    best = optimal_polynomial(tokens, features, len(steps), noise).coefficients
    phi = fmpq_poly([1])
    for a in steps:
        phi *= fmpq_poly([1, -as_fmpq(a)])
    difference = fmpq_poly([value - as_fmpq(b) for value, b in zip(phi, best, strict=True)][1:])
    p = wishart_trace_moments(tokens, features, 2 * len(steps))
    square = difference * difference * fmpq_poly([as_fmpq(noise) / tokens, 1])
    return as_fraction(sum((v * p[k + 1] / fmpq(tokens) ** (k + 1) for k, v in enumerate(square)), start=fmpq(0)))


def by_recursion(moments: Sequence[int], degree: int) -> Iterator[tuple[fmpq_poly, fmpq]]:
    """The monic orthogonal polynomials of a measure with their squared norms, by the three-term recursion.

    Args:
        moments: of the measure, the first 2 degree + 1 of them.
        degree: the last polynomial's.
    """

    def mean(polynomial: fmpq_poly) -> fmpq:
        return sum((value * moments[k] for k, value in enumerate(polynomial)), start=fmpq(0))

    x, before, q = fmpq_poly([0, 1]), fmpq_poly([0]), fmpq_poly([1])
    norm_before, norm = fmpq(1), mean(fmpq_poly([1]))
    yield q, norm
    for _ in range(degree):
        q, before = x * q - mean(x * q * q) / norm * q - norm / norm_before * before, q
        norm_before, norm = norm, mean(q * q)
        yield q, norm


def float_step_runs(tokens: int, features: int, steps: Sequence[float], s: Any = 0) -> Iterator[Run]:
    """The float64 layers with these steps have their exact loss, and not that of a token more."""
    low, high = float_bounds(steps, tokens, features, s)
    for shift in (0, 1):
        claimed = steps_loss(steps, tokens + shift, features, Fraction(s) ** 2)
        text = f"steps {steps}, n = {tokens}, d = {features}, {shift} tokens more"
        yield Run(text, bool(low <= claimed <= high), is_control=bool(shift))


def float_bounds(steps: Sequence[float], tokens: int, features: int, s: Any = 0) -> tuple[Fraction, Fraction]:
    """An enclosure of the loss of the float64 layers with these steps, L <= 2, and noise of deviation s."""
    layers = PreconditionedDescent(preconditioners=[a * np.eye(features) for a in steps])
    return float_loss_bounds(layers, RegressionLaw.isotropic(tokens, features, s), laws=LAWS)

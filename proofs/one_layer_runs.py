"""Runs of one attention layer under drawn laws: its loss integrated exactly, and enclosed in floats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.one_layer_attention import OneLayerAttention
from constructions.parameters import map_parameters
from proofs.argued_theorem import Run
from proofs.one_layer_loss import Weights, attention, loss
from proofs.regression_law import (
    LINEAR_LAWS,
    FiniteLaw,
    Link,
    RegressionLaw,
    float_loss_bounds,
    integrated_loss,
    linear,
)

EXACT_SIZES = ((1, 1, True), (2, 1, True), (1, 2, True), (2, 2, False), (3, 1, True), (2, 2, True))
"""(n, d, noisy) of the exact runs, in turn."""

FLOAT_SIZES = ((1, 1, True), (2, 1, True), (1, 2, False), (1, 2, True))
"""(n, d, noisy) of the float runs, in turn."""

Claim = Callable[[Weights, RegressionLaw], Any]
"""A loss that is claimed of weights under a law."""


def drawn_law(rng: np.random.Generator, n: int, d: int, noisy: bool) -> RegressionLaw:
    """A law whose roots are lower triangular, in halves."""
    R, V = ([[Fraction(_drawn_root(rng, i, j), 2) for j in range(d)] for i in range(d)] for _ in range(2))
    return RegressionLaw.of_roots(n, R, V, Fraction(int(rng.integers(1, 4)), 2) if noisy else 0)


def _drawn_root(rng: np.random.Generator, i: int, j: int) -> int:
    if i == j:
        return int(rng.integers(1, 5))
    return int(rng.integers(-2, 3)) if j < i else 0


def drawn_weights(rng: np.random.Generator, d: int) -> Weights:
    """Weights in quarters, p1 not 0."""

    def quarters(rows: int, columns: int) -> Any:
        return sympy.Matrix(rows, columns, lambda i, j: sympy.Rational(int(rng.integers(-6, 7)), 4))

    return Weights(quarters(1, d), sympy.Rational(2 * int(rng.integers(-3, 3)) + 1, 4), quarters(d, d), quarters(1, d))


def exact_loss_runs(rng: np.random.Generator, instances: int, claimed: Claim = loss) -> Iterator[Run]:
    """The loss of drawn weights, integrated entry by entry, is the claimed one."""
    for number in range(instances):
        n, d, noisy = EXACT_SIZES[number % len(EXACT_SIZES)]
        law, weights = drawn_law(rng, n, d, noisy), drawn_weights(rng, d)
        holds = integrated_loss(attention(weights), law) == claimed(weights, law)
        yield Run(f"{law}, {weights}", bool(holds))


def float_loss_runs(rng: np.random.Generator, instances: int, claimed: Claim = loss) -> Iterator[Run]:
    """The float64 layer over the finite law encloses the claimed loss, and not one of n + 1 tokens."""
    for number in range(instances):
        n, d, noisy = FLOAT_SIZES[number % len(FLOAT_SIZES)]
        law, weights = drawn_law(rng, n, d, noisy), drawn_weights(rng, d)
        low, high = float_bounds(weights, law)
        longer = RegressionLaw(n + 1, law.Sigma, law.Omega, law.sigma2)
        yield Run(f"{law}, {weights}", bool(low <= claimed(weights, law) <= high))
        yield Run(f"a token more, {law}, {weights}", bool(low <= claimed(weights, longer) <= high), is_control=True)


def float_bounds(
    weights: Weights,
    law: RegressionLaw,
    kind: type[OneLayerAttention] = OneLayerAttention,
    link: Link = linear,
    laws: Sequence[FiniteLaw] = LINEAR_LAWS,
) -> tuple[Any, Any]:
    """An enclosure of the loss of the float64 layer, whose weights must be floats exactly."""
    floats = map_parameters(attention(weights, kind), lambda value, _: np.array(value, dtype=float))
    low, high = float_loss_bounds(floats, law, link, laws)
    return sympy.Rational(low.numerator, low.denominator), sympy.Rational(high.numerator, high.denominator)


def rounded(weights: Weights) -> Weights:
    """The weights as float64 has them."""

    def nearest(value: Any) -> Any:
        return sympy.Rational(*float(value).as_integer_ratio())

    p0, Q1, q2 = (matrix.applyfunc(nearest) for matrix in (weights.p0, weights.Q1, weights.q2))
    return Weights(p0, nearest(weights.p1), Q1, q2)

"""Ahn et al. (2023), Theorem 5, with noise: the best layer of ReLU attention.

Symbols: x_i, x_query, w ~ N(0, I), noise sigma2; p0 = P_yx^T, p1 = P_yy, Q1 = Q_xx, Q_yx = Q_yy = 0, the
other blocks play no part.

    kap = (n + 2 d + 3 + 2 sigma2) / (4 n)
    loss = d + p1 tr Q1 + kap p1^2 |Q1|^2 + E ((1/n) sum_i p0^T x_i relu(x_i^T Q1 x_query))^2

A relu is symmetrised by x -> -x: relu(t) - relu(-t) = t and relu(t)^2 + relu(-t)^2 = t^2, so that only the second and
fourth moments of a symmetric law enter, and a finite law with the same ones has the same odd part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.construction import forward
from constructions.one_layer_attention import OneLayerReluAttention
from constructions.prompt import Prompt
from numerics.rationals import RationalBlock, as_fraction
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.gaussian_moments import Gaussian, expectation, sigma2, x_query
from proofs.index_sums import Free, Tensor, d, delta, n, summed
from proofs.one_layer_closed_form import PAPER
from proofs.one_layer_loss import Q1, Weights, attention, p1
from proofs.one_layer_runs import drawn_weights, float_bounds, rounded
from proofs.regression_law import FIVE_POINTS, TWO_POINTS, RegressionLaw, cubature

KAPPA = (n + 2 * d + 3 + 2 * sigma2) / (4 * n)
"""kap, half of the curvature of the loss in an entry of p1 Q1."""

_LAWS = (FIVE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
"""For the odd part: degree 4 in an entry of z_i, 2 in the others."""

LAYER = OneLayerReluAttention(**{name: [[1]] for name in ("P_xx", "P_xy", "P_yx", "P_yy", "Q_xx", "Q_xy")})
"""The network that the theorem is about; the values of its weights do not matter."""


def relu_curvature(law: RegressionLaw) -> Any:
    """kap of a law."""
    return sympy.sympify(KAPPA.subs({n: law.n, d: law.d, sigma2: law.sigma2}))


def odd_relu_loss(weights: Weights, law: RegressionLaw) -> Any:
    """d + p1 tr Q1 + kap p1^2 |Q1|^2: the loss for p0 = 0.

    Raises:
        ValueError: unless Sigma = Omega = I.
    """
    if law.Sigma != sympy.eye(law.d) or law.Omega != sympy.eye(law.d):
        raise ValueError(f"Sigma = Omega = I is required, but {law} came")
    square = sum(value**2 for value in weights.Q1)
    return law.d + weights.p1 * weights.Q1.trace() + relu_curvature(law) * weights.p1**2 * square


def least_relu_loss(tokens: Any = n, features: Any = d, noise: Any = sigma2) -> Any:
    """d (2 d + 3 + 2 sigma2) / (n + 2 d + 3 + 2 sigma2).

    >>> least_relu_loss(20, 5, 0)
    65/33
    """
    above = 2 * features + 3 + 2 * noise
    return sympy.sympify(features * above) / (tokens + above)


def optimal_relu_weights(law: RegressionLaw, p1: Any = 1) -> Weights:
    """p0 = 0 and p1 Q1 = -(2 n / (n + 2 d + 3 + 2 sigma2)) I, for either sign of p1."""
    zero, p1 = sympy.zeros(1, law.d), sympy.Rational(p1)
    return Weights(zero, p1, -sympy.eye(law.d) / (2 * relu_curvature(law) * p1), zero)


def finite_loss(weights: Weights, law: RegressionLaw) -> Any:
    """The mean squared error of the layer itself over the finite law, run in rationals; isotropic laws.

    It is the Gaussian loss if p0 = 0.
    """
    construction = attention(weights, OneLayerReluAttention)
    tokens, features, s = law.n, law.d, _fraction(law.root("s"))
    counts = (features * tokens, features, tokens if s else 0, features)
    points, parts, total = cubature([each for each, count in zip(_LAWS, counts, strict=True) for _ in range(count)])
    mean = Fraction(0)
    for point, weight in zip(points.astype(int).tolist(), parts, strict=True):
        Z, u, e, z = (point[a:b] for a, b in zip(np.cumsum((0, *counts)), np.cumsum(counts), strict=False))
        X = [Z[a * tokens : (a + 1) * tokens] for a in range(features)]
        Y = [[sum(u[a] * X[a][i] for a in range(features)) + (s * e[i] if s else 0) for i in range(tokens)]]
        prompt = Prompt(X, Y, [[value] for value in z]).lifted(RationalBlock)
        predicted = as_fraction((forward(construction, prompt) + RationalBlock.lift([[0]])).entry[0, 0])
        mean += int(weight) * (predicted - sum(a * b for a, b in zip(u, z, strict=True))) ** 2
    return sympy.Rational(mean.numerator, mean.denominator * total)


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def theorems() -> tuple[ArguedTheorem, ...]:
    """The best layer of ReLU attention."""
    return (
        ArguedTheorem(
            name="relu_attention_has_its_minimum_at_a_smaller_step",
            system=PAPER,
            reference="Ahn et al. (2023), Theorem 5, arXiv 2306.00297 (no noise); noise, uniqueness, proof are ours",
            statement=(
                "For x, w ~ N(0, I), noise sigma2 and Z <- Z + (1/n) P Z M relu(Z^T Q Z), Q_yx = Q_yy = 0, the global "
                "minimisers are P_yx = 0, P_yy Q_xx = -2 n / (n + 2 d + 3 + 2 sigma2) I, P_yy of either sign; the "
                "minimum is d (2 d + 3 + 2 sigma2) / (n + 2 d + 3 + 2 sigma2), above linear attention's."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, sigma2, P and Q with Q_yx = Q_yy = 0",
                "exact": "the layer in rationals over a finite law with the same odd part, n 1..2, d 1..2",
                "float": "the float64 layer over the finite law, enclosed, n 1..3, d 1..2",
            },
            slips={name: partial(_is_worse, step) for name, step in _SLIPS.items()},
            about=LAYER,
        ),
    )


_SLIPS: dict[str, Callable[[RegressionLaw], Any]] = {
    "the step of linear attention": lambda law: law.n / (law.n + law.d + 1 + law.sigma2),
    "the factor 2 dropped": lambda law: law.n / (law.n + 2 * law.d + 3 + 2 * law.sigma2),
    "n for n - 1": lambda law: 2 * law.n / (law.n + 2 * law.d + 4 + 2 * law.sigma2),
    "noise counted once": lambda law: 2 * law.n / (law.n + 2 * law.d + 3 + law.sigma2),
}

_LAW = RegressionLaw.isotropic(2, 1, 1)


def _is_worse(step: Callable[[RegressionLaw], Any]) -> bool:
    zero = sympy.zeros(1, 1)
    weights = Weights(zero, 1, [[-sympy.sympify(step(_LAW))]], zero)
    return bool(finite_loss(weights, _LAW) > least_relu_loss(_LAW.n, _LAW.d, _LAW.sigma2))


def _argument() -> Sequence[Equation | Induction | Inference]:
    t = sympy.Symbol("t", real=True)
    m, u = Free("m"), Tensor("u", "d")
    inputs = Gaussian(x_query)
    quadratic = summed([(d, []), (p1, [Q1("a", "a")]), (KAPPA * p1**2, [Q1("a", "b"), Q1("a", "b")])])
    half = sympy.Rational(1, 2)
    return (
        Induction("the layer predicts -(1/n) (p0^T X + p1 Y) relu(X^T Q1 x_query), for all data", LAYER),
        Inference("p1's part and w^T x_query are odd in (w, eps), p0's is even: their squares add"),
        Equation("relu(t) - relu(-t) = t", _relu(t) - _relu(-t), t),
        Equation("relu(t)^2 + relu(-t)^2 = t^2", _relu(t) ** 2 + _relu(-t) ** 2, t**2),
        Equation(
            "so, by x -> -x, E relu(x^T u) x = (1/2) E (x^T u) x = u / 2",
            expectation(summed([(half, [x_query("a"), u("a"), x_query(m)])]), [inputs]),
            summed([(half, [u(m)])]),
        ),
        Equation(
            "and E |x|^2 relu(x^T u)^2 = (1/2) E |x|^2 (x^T u)^2 = (d + 2) |u|^2 / 2",
            expectation(
                summed([(half, [x_query("e"), x_query("e"), x_query("a"), u("a"), x_query("b"), u("b")])]), [inputs]
            ),
            summed([((d + 2) / 2, [u("a"), u("a")])]),
        ),
        Inference(
            "given u = Q1 x_query, E ((1/n) sum_i y_i relu(x_i^T u))^2 has n terms i = j, E (|x|^2 + sigma2) "
            "relu^2, and "
            "n (n - 1) terms |E relu(x^T u) x|^2; E |u|^2 = |Q1|^2, and E w^T x_query times the first power is "
            "tr Q1 / 2"
        ),
        Equation(
            "their sum is kap |u|^2",
            (n * (d + 2 + sigma2) / 2 + n * (n - 1) * sympy.Rational(1, 4)) / n**2,
            KAPPA,
        ),
        Equation(
            "the odd part d + p1 tr Q1 + kap p1^2 |Q1|^2 is kap |p1 Q1 + I / (2 kap)|^2 + d - d / (4 kap)",
            quadratic,
            summed(
                [
                    (KAPPA * p1**2, [Q1("a", "b"), Q1("a", "b")]),
                    (p1, [Q1("a", "b"), delta("a", "b")]),
                    (1 / (4 * KAPPA), [delta("a", "b"), delta("a", "b")]),
                    (d - d / (4 * KAPPA), []),
                ]
            ),
        ),
        Equation("the minimum", d - d / (4 * KAPPA), least_relu_loss()),
        Inference(
            "it is attained with p0 = 0; conversely p1 Q1 = -I / (2 kap) is invertible, and p0^T sum_i x_i "
            "relu(x_i^T Q1 "
            "x_query) = 0 almost surely with an invertible Q1 makes p0 = 0: with positive probability one relu "
            "alone is "
            "not 0, and p0^T x_i has no atom at 0 unless p0 = 0"
        ),
        Equation(
            "it is above linear attention's minimum by a positive multiple of n (d + 2 + sigma2)",
            least_relu_loss() - d * (d + 1 + sigma2) / (n + d + 1 + sigma2),
            d * n * (d + 2 + sigma2) / ((n + 2 * d + 3 + 2 * sigma2) * (n + d + 1 + sigma2)),
        ),
    )


def _relu(t: Any) -> Any:
    return (t + sympy.Abs(t)) / 2


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, s = ((1, 1, 1), (2, 1, 1), (1, 2, 0), (2, 1, 0))[number % 4]
        law = RegressionLaw.isotropic(tokens, features, sympy.Rational(s * int(rng.integers(1, 4)), 2))
        drawn = _without_q2(drawn_weights(rng, features))
        odd, even = _halved(drawn)
        claimed, least = odd_relu_loss(odd, law), least_relu_loss(law.n, law.d, law.sigma2)
        if number % 4 == 0:
            total = finite_loss(drawn, law)
            added = claimed + finite_loss(even, law) - features
            yield Run(f"the squares add, {drawn}, {law}", bool(total == added and total > least))
        yield Run(f"p0 = 0, {odd}, {law}", bool(finite_loss(odd, law) == claimed))
        best = finite_loss(optimal_relu_weights(law, (-1) ** number), law)
        yield Run(f"the minimum, {law}", bool(best == least))


def _without_q2(weights: Weights) -> Weights:
    return Weights(weights.p0, weights.p1, weights.Q1, 0 * weights.q2)


def _halved(weights: Weights) -> tuple[Weights, Weights]:
    """The weights with p0 = 0, and those with p1 = 0."""
    return (
        Weights(0 * weights.p0, weights.p1, weights.Q1, weights.q2),
        Weights(weights.p0, 0, weights.Q1, weights.q2),
    )


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features = ((1, 1), (2, 1), (1, 2), (3, 1))[number % 4]
        law = RegressionLaw.isotropic(tokens, features, sympy.Rational(int(rng.integers(0, 3)), 2))
        best = rounded(optimal_relu_weights(law, (-1) ** number))
        low, high = float_bounds(best, law, OneLayerReluAttention, laws=_LAWS)
        yield Run(f"the minimum, {law}", bool(low <= odd_relu_loss(best, law) <= high))
        linear = features * (features + 1 + law.sigma2) / (tokens + features + 1 + law.sigma2)
        yield Run(f"linear attention's minimum, {law}", bool(low <= linear <= high), is_control=True)
        odd, _ = _halved(_without_q2(drawn_weights(rng, features)))
        low, high = float_bounds(odd, law, OneLayerReluAttention, laws=_LAWS)
        yield Run(f"p0 = 0, {odd}, {law}", bool(low <= odd_relu_loss(odd, law) <= high))

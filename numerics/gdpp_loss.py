"""GD++ on its scalar family: the population loss from exact moments, its spread between contexts, and its optimum.

Symbols: S = X X^T / n; m_k = E tr S^k; L layers with A_l = a_l I and B_l = b_l I, l = 0..L-1; s an eigenvalue of S.

    E (prediction - w^T x_query)^2 = E tr q(S)^2        q = prod_l (1 + a_l s_l)
                                                        s_0 = s,  s_(l+1) = s_l (1 + a_l b_l s_l)^2

for x_i, x_query, w ~ N(0, I), a descent having a_l < 0; likewise for x ~ N(0, Sigma), w ~ N(0, Sigma^-1) with A_l =
a_l Sigma^-1. The degree of q is (3^L - 1) / 2, and b_(L-1) plays no part. Everything is exact, except how an optimum is
searched. A context's tr q(S)^2 has so heavy a tail from three layers on that samples show neither its variance nor, at
weights which were fitted to them, most of its mean (``relative_variance_bounds``).

Reference: Ahn et al. (2023), section 5.1, arXiv 2306.00297; von Oswald et al. (2023), section 3. The formula is this
project's; ``icl show gdpp_family_loss_is_a_polynomial_in_wishart_moments`` has the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_poly
from scipy.optimize import least_squares

from constructions.scalars import exact
from numerics.gram_moments import input_variance, spectral_moments
from numerics.rationals import as_fmpq, as_fraction
from numerics.spectral_rule import SpectralRule, spectral_rule
from numerics.tasks import LinearTask, Randomness, generator

MOST_LAYERS = 4
"""The most layers whose moments are computed: q^2 has degree 80 then, 242 with one more."""


def error_polynomial(steps: Sequence[Any], input_steps: Sequence[Any]) -> fmpq_poly:
    """q, exactly.

    Args:
        steps: a_0, ..., a_(L-1); a float is the dyadic number that it is.
        input_steps: b_0, ..., b_(L-2), or b_0, ..., b_(L-1), of which the last plays no part.

    Raises:
        ValueError: if their numbers do not fit, or there are more than ``MOST_LAYERS`` layers.

    >>> error_polynomial([-1, -1], [1])
    x^4 + (-3)*x^3 + 3*x^2 + (-2)*x + 1
    """
    layers = len(steps)
    if layers > MOST_LAYERS:
        raise ValueError(f"{layers} layers came, whose loss has degree {3**layers - 1}: at most {MOST_LAYERS} are held")
    if len(input_steps) not in (layers - 1, layers) and layers:
        raise ValueError(
            f"{layers} steps a_l need {layers - 1} or {layers} input steps b_l, but {len(input_steps)} came"
        )
    ell, product = fmpq_poly([0, 1]), fmpq_poly([1])
    for l, step in enumerate(steps):
        a = as_fmpq(step)
        product *= 1 + a * ell
        if l + 1 < layers:
            shrunk = 1 + a * as_fmpq(input_steps[l]) * ell
            ell *= shrunk * shrunk
    return product


def gdpp_loss(steps: Sequence[Any], input_steps: Sequence[Any], n: int, d: int) -> Fraction:
    """E tr q(S)^2 for x_i, x_query, w ~ N(0, I), exactly.

    Args:
        steps, input_steps: as for ``error_polynomial``.
        n, d: context tokens and features, >= 1.

    Raises:
        TypeError, ValueError: for sizes that are no ints or below 1, and as ``error_polynomial``.

    >>> gdpp_loss([Fraction(-10, 13)], [], 20, 5)
    Fraction(15, 13)
    """
    return _mean(error_polynomial(steps, input_steps) ** 2, LinearTask(n=n, d=d))


def relative_variance_bounds(
    steps: Sequence[Any], input_steps: Sequence[Any], n: int, d: int
) -> tuple[Fraction, Fraction]:
    """Bounds on Var(tr q(S)^2) / (E tr q(S)^2)^2: how much a context's loss varies, w and x_query averaged out.

    For eigenvalues p_i >= 0 of a matrix, sum p_i^2 <= (sum p_i)^2 <= d sum p_i^2: E tr q(S)^4 decides. So the mean of N
    contexts has a relative standard error of at least sqrt(lower / N). For d = 1 the bounds are equal.

    Args:
        steps, input_steps, n, d: as for ``gdpp_loss``; at most ``MOST_LAYERS`` - 1 layers.

    Raises:
        TypeError, ValueError: as ``gdpp_loss``.
    """
    if len(steps) >= MOST_LAYERS:
        raise ValueError(f"{len(steps)} layers came: the fourth powers of at most {MOST_LAYERS - 1} are held")
    task = LinearTask(n=n, d=d)
    squared = error_polynomial(steps, input_steps) ** 2
    fourth, mean = _mean(squared**2, task), _mean(squared, task)
    return fourth / mean**2 - 1, d * fourth / mean**2 - 1


def _mean(polynomial: fmpq_poly, task: LinearTask) -> Fraction:
    """E tr h(S)."""
    moments = spectral_moments(task, polynomial.degree())
    terms = (as_fraction(fmpq(c)) * moment for c, moment in zip(polynomial.coeffs(), moments, strict=True))
    return sum(terms, start=Fraction(0))


@dataclass(frozen=True)
class GDPPOptimum:
    """The best of the local minima that were found.

    Args:
        steps: a_0, ..., a_(L-1).
        input_steps: b_0, ..., b_(L-2).
        loss: E (prediction - w^T x_query)^2 at these floats, exactly: no less than the infimum.
    """

    steps: tuple[float, ...]
    input_steps: tuple[float, ...]
    loss: Fraction


def gdpp_optimum(layers: int, n: int, d: int, starts: int = 40, seed: Randomness = 0) -> GDPPOptimum:
    """The best GD++ steps for x_i, x_query, w ~ N(0, I) that a search from several starts finds.

    The loss is no convex function of the steps: nothing says that the best one found is the global minimum.

    Args:
        layers: L, 1..``MOST_LAYERS``.
        n, d: context tokens and features, >= 1.
        starts: how many starts are drawn, >= 1.
        seed: a generator, or a seed.

    Raises:
        TypeError, ValueError: for arguments out of range.
    """
    if not 1 <= layers <= MOST_LAYERS:
        raise ValueError(f"layers = {layers}: 1..{MOST_LAYERS} are held")
    task, rng = LinearTask(n=n, d=d), generator(seed)
    rule = spectral_rule(spectral_moments(task, 3**layers - 1))

    def unfolded(point: Any) -> tuple[Any, Any]:
        return -np.exp(point[:layers]), point[layers:]

    def drawn() -> Any:
        return np.append(rng.standard_normal(layers), rng.uniform(0, 1, layers - 1))

    steps, input_steps = _searched(rule, unfolded, drawn, starts)
    return GDPPOptimum(steps, input_steps, gdpp_loss(steps, input_steps, n, d))


@dataclass(frozen=True)
class RecurrentOptimum:
    """The best of the local minima that were found, in the parameters of von Oswald et al. (2023).

    Args:
        step_size: eta, which multiplies X X^T / n.
        curvature_step: gamma, which multiplies X X^T.
        loss: E (prediction - w^T x_query)^2 at these floats, exactly; the paper prints half of it.
    """

    step_size: float
    curvature_step: float
    loss: Fraction


def recurrent_gdpp_loss(eta: Any, gamma: Any, task: LinearTask, layers: int = 2) -> Fraction:
    """E (prediction - w^T x_query)^2 of GD++ with the same eta and gamma in every layer, exactly.

    Args:
        eta: the step size, not 0.
        gamma: the curvature step.
        task: one target, prior I, no noise; inputs Gaussian of covariance I, or uniform.
        layers: L >= 1; at most 2 for uniform inputs.

    Raises:
        ValueError: for another task, an eta of 0, or too many layers.

    >>> from numerics.tasks import VON_OSWALD
    >>> round(float(recurrent_gdpp_loss(13.49, 0.176, VON_OSWALD)) / 2, 4)
    0.1105
    """
    _require_plain(task)
    eta, gamma = exact(eta), exact(gamma)
    if eta == 0:
        raise ValueError("eta = 0: a network that takes no step predicts 0; pass another step size")
    steps, input_steps = [-eta] * layers, [gamma * task.n / eta] * layers
    return input_variance(task) * _mean(error_polynomial(steps, input_steps) ** 2, task)


def recurrent_gdpp_optimum(
    task: LinearTask, layers: int = 2, starts: int = 20, seed: Randomness = 0
) -> RecurrentOptimum:
    """The best (eta, gamma) that a search from several starts finds, for GD++ with one layer looped.

    Args:
        task, layers: as for ``recurrent_gdpp_loss``.
        starts: how many starts are drawn, >= 1.
        seed: a generator, or a seed.

    Raises:
        ValueError: as ``recurrent_gdpp_loss``.
    """
    _require_plain(task)
    if not 1 <= layers <= MOST_LAYERS:
        raise ValueError(f"layers = {layers}: 1..{MOST_LAYERS} are held")
    moments, rng = spectral_moments(task, 3**layers - 1), generator(seed)
    scale = float(moments[1] / moments[0])

    def unfolded(point: Any) -> tuple[Any, Any]:
        return np.full(layers, -np.exp(point[0]) / scale), np.full(layers - 1, point[1])

    def drawn() -> Any:
        return np.array([rng.standard_normal(), rng.uniform(0, 1)])

    steps, input_steps = _searched(spectral_rule(moments), unfolded, drawn, starts)
    eta, gamma = -steps[0], -steps[0] * (input_steps[0] if input_steps else 0.0) / task.n
    return RecurrentOptimum(eta, gamma, recurrent_gdpp_loss(eta, gamma, task, layers))


def _require_plain(task: LinearTask) -> None:
    if task.m != 1 or task.prior is not None or task.noise:
        raise ValueError(
            f"m = {task.m}, prior = {task.prior}, noise = {task.noise}: the loss of GD++ is held for one target, "
            "a prior of None and no noise"
        )


def _searched(
    rule: SpectralRule, unfolded: Callable[[Any], tuple[Any, Any]], drawn: Callable[[], Any], starts: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The steps and input steps with the least sum_j w_j q(s_j)^2 among the ends of all starts."""
    if starts < 1:
        raise ValueError(f"starts = {starts}: at least one is required")
    roots = np.sqrt(rule.weights)

    def residuals(point: Any) -> Any:
        steps, input_steps = unfolded(point)
        ell, product = rule.nodes, np.ones_like(rule.nodes)
        for a, b in zip(steps, np.append(input_steps, 0.0), strict=True):
            ell, product = ell * (1 + a * b * ell) ** 2, product * (1 + a * ell)
        return roots * product

    with np.errstate(over="ignore", invalid="ignore"):
        ends = [least_squares(residuals, drawn(), xtol=1e-15, ftol=1e-15, gtol=1e-15) for _ in range(starts)]
    best = min((end for end in ends if np.isfinite(end.cost)), key=lambda end: end.cost)
    steps, input_steps = unfolded(best.x)
    return tuple(map(float, steps)), tuple(map(float, input_steps))

"""Tuned descent: the step sizes of gradient descent and the parameters of GD++ of least loss, from spectra alone.

Symbols: n context tokens, d features, m targets, K layers; lam_i the eigenvalues of S = X X^T; eta_k, gamma_k; s2 the
variance of an input coordinate.

    rho_0 = 1, l_0 = lam      rho <- rho (1 - eta_k l / n)      l <- l (1 - gamma_k l)^2
    loss = (1/2) m s2 E sum_i rho_K(lam_i)^2

For noiseless targets, isotropic inputs and teachers; the mean over teachers and queries is taken exactly, the one over
contexts on drawn ones. gamma = 0 is gradient descent. The last gamma never reaches the prediction and is set to 0
unless all layers share theirs.

Reference: von Oswald et al. (2023), appendix A.10, who tune by Adam; the spectral form is this project's
(``constructions.gdpp_spectrum`` is proved).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import minimize

from constructions.construction import Construction
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from numerics.tasks import VON_OSWALD, Array, LinearTask, Randomness

CONTEXTS = 10_000
"""How many contexts the loss is a mean over."""


@dataclass(frozen=True)
class TunedDescent:
    """The parameters of least loss that were found, and that loss on the contexts that they were tuned on.

    Args:
        step_sizes, curvature_steps: eta and gamma of each layer; no gamma for gradient descent.
        loss: 1/2 of the mean square error, exact in teachers and queries, over the drawn contexts.
        slope: the largest derivative of log(loss) by the logarithm of a parameter, where the search stopped.
        contexts: how many were drawn.
    """

    step_sizes: tuple[float, ...]
    curvature_steps: tuple[float, ...]
    loss: float
    slope: float
    contexts: int

    @property
    def construction(self) -> Construction:
        """The network with these parameters."""
        if not self.curvature_steps:
            return GradientDescent(step_sizes=self.step_sizes)
        return GDPlusPlus(step_sizes=self.step_sizes, curvature_steps=self.curvature_steps)


def tuned_descent(
    task: LinearTask = VON_OSWALD,
    layers: int = 1,
    *,
    curvature: bool = True,
    shared: bool = True,
    contexts: int = CONTEXTS,
    rng: Randomness = 0,
) -> TunedDescent:
    """Gradient descent or GD++ with parameters of least loss: a local minimum, the best of a grid of starts.

    Args:
        task: noiseless, with isotropic inputs and teachers.
        layers: K >= 1.
        curvature: whether gamma is tuned too: GD++; otherwise gradient descent.
        shared: whether all layers have the same parameters.
        contexts, rng: the contexts drawn, and their generator or seed. GD++ of three layers and more with parameters of
            their own is heavy-tailed: its loss on fresh contexts can be far above the one that was minimised.

    Raises:
        ValueError: for another task or fewer than one layer.
    """
    if layers < 1:
        raise ValueError(f"layers = {layers}: at least 1 is required")
    spectra, variance = drawn_spectra(task, contexts, rng), _variance(task)
    free = _Free(layers, curvature, shared)
    scale = task.m * variance / 2

    def objective(logs: Array) -> tuple[float, Array]:
        parameters = np.exp(logs)
        # A step of the line search may lead out of the range of floats: it is taken back.
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = _loss(spectra, task.n, *free.steps(parameters))
            slope = free.pulled_back(gradient) * parameters / value
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return math.inf, np.zeros_like(logs)
        return math.log(value), slope

    runs = [minimize(objective, np.log(start), jac=True, method="BFGS") for start in free.starts(spectra, task.n)]
    best = min(runs, key=lambda run: run.fun)
    eta, gamma = free.steps(np.exp(best.x))
    return TunedDescent(
        tuple(map(float, eta)),
        tuple(map(float, gamma)) if curvature else (),
        scale * float(np.exp(best.fun)),
        float(np.abs(best.jac).max()),
        contexts,
    )


def spectral_loss(
    spectra: Array, n: int, step_sizes: Any, curvature_steps: Any = None, *, variance: float = 1.0, m: int = 1
) -> float:
    """(1/2) m s2 times the mean of sum_i rho_K(lam_i)^2.

    Args:
        spectra: eigenvalues of X X^T, (contexts, d).
        n: context tokens.
        step_sizes, curvature_steps: eta and gamma of each layer; None is gradient descent.
        variance, m: s2, and the number of targets.
    """
    eta = np.asarray(step_sizes, dtype=float)
    gamma = np.zeros_like(eta) if curvature_steps is None else np.asarray(curvature_steps, dtype=float)
    return m * variance / 2 * _loss(spectra, n, eta, gamma)[0]


def drawn_spectra(task: LinearTask, contexts: int = CONTEXTS, rng: Randomness = 0) -> Array:
    """The eigenvalues of X X^T of drawn contexts, (contexts, d), ascending, those that rounding makes negative 0."""
    X = task.sample(rng, contexts).X.astype(np.float64)
    singular = np.linalg.svd(X, compute_uv=False)[:, ::-1] ** 2
    return np.concatenate([np.zeros((contexts, task.d - singular.shape[1])), singular], axis=1)


def _variance(task: LinearTask) -> float:
    if task.covariance is not None or task.prior is not None or task.noise:
        raise ValueError(
            "spectra suffice for noiseless tasks with isotropic inputs and teachers only, but a covariance, a prior or "
            "noise came; tune on tasks with numerics.alignment.mean_loss instead"
        )
    return 1.0 if task.half_width is None else task.half_width**2 / 3


@dataclass(frozen=True)
class _Free:
    """Which parameters are free: eta of all layers, then gamma, each one number if shared."""

    layers: int
    curvature: bool
    shared: bool

    @property
    def _matrix(self) -> Array:
        """From the free parameters to (eta_1 .. eta_K, gamma_1 .. gamma_K), linearly."""
        K = self.layers
        ones, each = np.ones((K, 1)), np.eye(K)
        eta, gamma = (ones, ones if K > 1 else ones[:, :0]) if self.shared else (each, each[:, :-1])
        gamma = gamma if self.curvature else gamma[:, :0]
        above, below = np.zeros((K, gamma.shape[1])), np.zeros((K, eta.shape[1]))
        return np.block([[eta, above], [below, gamma]])

    def steps(self, parameters: Array) -> tuple[Array, Array]:
        eta, gamma = np.split(self._matrix @ parameters, 2)
        return eta, gamma

    def pulled_back(self, gradient: Array) -> Array:
        return self._matrix.T @ gradient

    def starts(self, spectra: Array, n: int) -> list[Array]:
        """On a grid: eta around 1 / (mean eigenvalue of S / n), gamma below 1 / max(lam).

        Equal etas are a saddle for layers with parameters of their own, so that those start apart, rising or falling.
        """
        K, count = self.layers, self._matrix.shape[1]
        etas = 1 if self.shared else K
        eta, gamma = n / float(spectra[spectra > 0].mean()), 1 / float(spectra.max())
        spreads = [np.ones(1)] if etas == 1 else [np.geomspace(1 / r, r, K) for r in (2.0, 0.5)]
        gammas = [gamma * b for b in (0.2, 0.5, 0.8)] if count > etas else [gamma]
        sizes = (0.5, 1.0, 2.0, 4.0) if count > etas else (0.5, 1.0)
        return [
            np.concatenate([eta * a * spread, np.full(count - etas, g)])
            for a, spread, g in product(sizes, spreads, gammas)
        ]


def _loss(spectra: Array, n: int, eta: Array, gamma: Array) -> tuple[float, Array]:
    """The mean of sum_i rho_K(lam_i)^2, and its gradient by (eta, gamma), by the chain rule along the recursion."""
    K = len(eta)
    rho, l = np.ones_like(spectra), spectra
    states = []
    for k in range(K):
        states.append((rho, l))
        rho, l = rho * (1 - eta[k] * l / n), l * (1 - gamma[k] * l) ** 2
    contexts = len(spectra)
    gradient = np.zeros(2 * K)
    rho_bar, l_bar = 2 * rho, np.zeros_like(l)
    for k in reversed(range(K)):
        before, l = states[k]
        c = 1 - gamma[k] * l
        gradient[k] = np.sum(rho_bar * before * (-l / n))
        gradient[K + k] = np.sum(l_bar * l * 2 * c * (-l))
        l_bar = l_bar * (c**2 - 2 * gamma[k] * l * c) + rho_bar * before * (-eta[k] / n)
        rho_bar = rho_bar * (1 - eta[k] * l / n)
    return float(np.sum(rho**2) / contexts), gradient / contexts

"""Adam: one step of it, with clipped gradients and a step size that is halved, on arrays of any library.

Symbols: g the gradient, m and v its running first and second moments, t = 1, 2, ... the step.

    m <- beta_1 m + (1 - beta_1) g        v <- beta_2 v + (1 - beta_2) g^2
    theta <- theta - eta_t (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + eps)

Reference: Kingma and Ba (2015), Algorithm 1. Without weight decay AdamW, which the papers name, is the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import array_api_compat

from numerics.weight_sets import Matrices, mapped


@dataclass(frozen=True)
class Adam:
    """How Adam steps.

    Args:
        learning_rate: eta, > 0.
        betas: (beta_1, beta_2), each in [0, 1).
        eps: added to the denominator, > 0.
        clip: the largest Euclidean norm of a gradient, > 0; a longer one is shortened to it. None never is.
        clip_each: whether the norm is that of each matrix by itself, not that of all together.
        halve_every: after how many steps the learning rate is halved, again and again, >= 1; None is never.

    Raises:
        ValueError: for a value out of its range.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip: float | None = None
    clip_each: bool = False
    halve_every: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name, value in (("learning_rate", self.learning_rate), ("eps", self.eps), ("clip", self.clip)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} = {value}: it must be finite and above 0")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {self.betas}: they must be two numbers, at least 0 and below 1")
        if self.halve_every is not None and self.halve_every < 1:
            raise ValueError(f"halve_every = {self.halve_every}: it must be at least 1; pass None for never")

    def rate(self, step: int) -> float:
        """eta_t of step t = 1, 2, ..."""
        return self.learning_rate * 0.5 ** ((step - 1) // self.halve_every if self.halve_every else 0)


class AdamState(NamedTuple):
    """What is carried from step to step: how many were taken, the matrices, and the moments of their gradients."""

    step: int
    matrices: Matrices
    first: Matrices
    second: Matrices


def initial_state(matrices: Matrices) -> AdamState:
    """The state before the first step."""
    zeros = mapped(lambda array: array * 0, matrices)
    return AdamState(0, matrices, zeros, zeros)


def adam_step(adam: Adam, state: AdamState, gradients: Matrices) -> AdamState:
    """The state after one more step.

    Args:
        adam: the settings.
        state: before the step.
        gradients: by the names of the matrices.
    """
    t, (beta_1, beta_2) = state.step + 1, adam.betas
    clipped = _clipped(adam, gradients)
    first = mapped(lambda m, g: beta_1 * m + (1 - beta_1) * g, state.first, clipped)
    second = mapped(lambda v, g: beta_2 * v + (1 - beta_2) * g**2, state.second, clipped)
    rate, root = adam.rate(t) / (1 - beta_1**t), math.sqrt(1 - beta_2**t)

    def moved(theta: Any, m: Any, v: Any) -> Any:
        xp = array_api_compat.array_namespace(theta)
        return theta - rate * m / (xp.sqrt(v) / root + adam.eps)

    return AdamState(t, mapped(moved, state.matrices, first, second), first, second)


def gradient_norm(gradients: Matrices) -> float:
    """The Euclidean norm of all the entries."""
    return math.sqrt(sum(float((array**2).sum()) for array in gradients.values()))


def _clipped(adam: Adam, gradients: Matrices) -> Matrices:
    if adam.clip is None:
        return gradients
    whole = gradient_norm(gradients)

    def shortened(name: str, array: Any) -> Any:
        norm = gradient_norm({name: array}) if adam.clip_each else whole
        return array * (adam.clip / norm) if adam.clip is not None and norm > adam.clip else array

    return {name: shortened(name, array) for name, array in gradients.items()}

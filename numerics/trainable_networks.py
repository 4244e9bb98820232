"""Networks to be trained: their architectures by name, and the random weights that the papers start from.

Symbols: d features, m targets, k layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri

from constructions.construction import Construction
from constructions.parameters import Repeated, parameters
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.self_attention import LinearSelfAttention
from numerics.tasks import Array

ARCHITECTURES: dict[str, type[Construction]] = {
    "lsa": LinearSelfAttention,
    "preconditioned": PreconditionedDescent,
    "gdpp": RelaxedPreconditionedDescent,
}
"""``lsa``: all four matrices of every head on tokens (x; y), von Oswald et al. (2023). ``preconditioned`` and ``gdpp``:
the matrices A_l, and B_l too, of Ahn et al. (2023), equations (8) and (11); in ``gdpp`` the inputs move as in GD++."""

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int], int], Array]
"""An initial matrix, from a generator, its shape, and the number of inputs that feed its rows."""

TRUNCATED_AT = 2.0
"""Standard deviations at which a truncated normal law is cut."""


def truncated_fan_in(scale: float) -> Draw:
    """A normal law cut at two standard deviations, then of variance scale / fan-in.

    The authors' code of von Oswald et al. (2023) has the scale 0.002 / k.
    """
    ends = float(ndtr(-TRUNCATED_AT)), float(ndtr(TRUNCATED_AT))
    density = math.exp(-(TRUNCATED_AT**2) / 2) / math.sqrt(2 * math.pi)
    variance_left = 1 - 2 * TRUNCATED_AT * density / (ends[1] - ends[0])

    def draw(rng: np.random.Generator, shape: tuple[int, int], fan_in: int) -> Array:
        return np.asarray(ndtri(rng.uniform(*ends, shape)) * math.sqrt(scale / fan_in / variance_left))

    return draw


def normal(deviation: float) -> Draw:
    """N(0, deviation^2); the authors' code of Ahn et al. (2023) has 1e-4."""
    return lambda rng, shape, fan_in: deviation * rng.standard_normal(shape)


def initial_network(
    architecture: str, layers: int, looped: bool, sizes: tuple[int, int], draw: Draw, rng: np.random.Generator
) -> Construction:
    """The network with random weights.

    Args:
        architecture: of ``ARCHITECTURES``.
        layers: k >= 1.
        looped: whether all layers share one weight set.
        sizes: (d, m).
        draw: each matrix; the rows of one that maps whole tokens, slot by slot, are fed by d + m inputs.
        rng: advanced.

    Raises:
        ValueError: for an unknown architecture, or fewer than one layer.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"there is no architecture {architecture!r}: it must be one of {', '.join(ARCHITECTURES)}")
    if layers < 1:
        raise ValueError(f"layers = {layers}: at least one layer is required")
    kind = ARCHITECTURES[architecture]
    (d, m), by_name = sizes, dict(zip(("d", "m"), sizes, strict=True))
    fan_in = d + m if kind is LinearSelfAttention else d
    values: dict[str, Any] = {}
    for name, declared in parameters(kind).items():
        if declared.per_layer:
            shape = by_name[str(declared.rows)], by_name[str(declared.columns)]
            drawn = [draw(rng, shape, fan_in) for _ in range(1 if looped else layers)]
            values[name] = Repeated(drawn[0], layers) if looped else tuple(drawn)
    return kind(**values)

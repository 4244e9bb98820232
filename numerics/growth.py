"""Growth: by which powers a prediction grows with its data, a fingerprint that algorithms share or do not.

Symbols: X (B, d, n), Y (B, m, n), x_query (B, d, 1), f(X, Y, x_query) the predictions, t > 0.

    |f(t X, Y, x_query)| ~ c t^p   as t -> infinity or t -> 0

k steps of gradient descent from 0 have p = 2 k - 1 and 1, k Newton steps from alpha I 2^(k+1) - 1 and 1, least squares
-1 and -1: each counts the steps without knowing the step size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from numerics.algorithms import Array

Run: TypeAlias = Callable[[Array, Array, Array], Array]

POWERS = (("X", 1), ("X", -1), ("Y", 1), ("x_query", 1))
"""What is scaled, and whether t tends to infinity (1) or to 0 (-1)."""

VANISHES = -(10**6)
"""The power of what is zero."""

_BITS = (12, 8, 5)
"""log2 t, tried in turn until nothing overflows."""

_AS_A_POWER = 0.1
"""How far the measured power may be from the integer that it is; the next one is ten times as far."""


def power(run: Run, number: int, X: Array, Y: Array, x_query: Array) -> int | None:
    """One of the ``POWERS`` by which the predictions grow.

    A power that overflow, another exception or a growth like no power hides is None. A power that is found may still be
    wrong, if a leading coefficient is tiny: growth rules nothing out for certain, and proves nothing.

    Args:
        run: the predictions from (X, Y, x_query).
        number: of the power in ``POWERS``.
        X, Y, x_query: the prompts that are scaled.
    """
    scaled, sign = POWERS[number]
    data = {"X": X, "Y": Y, "x_query": x_query}
    return _power(lambda t: run(*(t * array if name == scaled else array for name, array in data.items())), sign)


def _power(run: Callable[[float], Array], sign: int) -> int | None:
    for bits in _BITS:
        try:
            with np.errstate(all="ignore"):
                sizes = [float(np.linalg.norm(run(2.0 ** (sign * b)))) for b in (bits, bits + 1)]
        except Exception:
            # Whatever an unknown predictor raises far from its usual data: no power is found there.
            continue
        if sizes == [0.0, 0.0]:
            return VANISHES
        if not all(0 < size < math.inf for size in sizes):
            continue
        power = sign * math.log2(sizes[1] / sizes[0])
        if abs(power - round(power)) < _AS_A_POWER:
            return round(power)
    return None

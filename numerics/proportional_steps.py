"""The best step sizes of L layers for n, d -> infinity at a fixed ratio d / n = gamma.

Symbols: as in ``numerics.optimal_steps``, without noise; gamma > 0; f_L* the least loss.

    a_k  ->  1 / (1 + gamma + 2 sqrt(gamma) cos(k pi / (L + 1))),   k = 1..L
    f_L*  =  d g + e + O(1 / n),   g = gamma^L / G,   e = (L (L + 1) / 2) gamma^L / G^2,   G = 1 + gamma + ... + gamma^L

and |f_L* - d g - e| <= L (L + 1) / (2 (n + d)) for L <= 3 and all n and d; no such bound is claimed for larger L.

Reference: derived, from the law of Marchenko and Pastur (1967); the theorem of ``proofs.proportional_steps``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, fmpq

from numerics.balls import precision
from numerics.rationals import as_fmpq, as_fraction
from numerics.wishart import require_size

_SPARE_BITS = 20
"""What the balls are computed with beyond the precision asked for."""


def limiting_step_sizes(gamma: Any, L: int, *, bits: int = 64) -> tuple[arb, ...]:
    """The limits of the best step sizes, largest first, each enclosed by a ball.

    Args:
        gamma: d / n > 0, exact, or a float (dyadic).
        L: layers, >= 1.
        bits: the precision of the balls, at least 2.

    Raises:
        TypeError: for an L that is no int, or a gamma that is no number.
        ValueError: for an L below 1, a gamma that is not above 0 and finite, or less than 2 bits.

    >>> [round(float(a), 6) for a in limiting_step_sizes(Fraction(1, 4), 3)]
    [1.841983, 0.8, 0.510958]
    """
    ratio = _ratio(gamma)
    require_size("L", L)
    with precision(bits), precision(bits + _SPARE_BITS):
        root = arb(ratio).sqrt()
        cosines = (arb.cos_pi_fmpq(fmpq(k, L + 1)) for k in range(L, 0, -1))
        return tuple(1 / (1 + ratio + 2 * root * cosine) for cosine in cosines)


def limiting_loss(gamma: Any, L: int) -> Fraction:
    """The limit g of f_L* / d: gamma^L / (1 + gamma + ... + gamma^L).

    Args and raises: as ``limiting_step_sizes``.

    >>> limiting_loss(1, 3), limiting_loss(Fraction(1, 4), 1)
    (Fraction(1, 4), Fraction(1, 5))
    """
    ratio = _ratio(gamma)
    require_size("L", L)
    return as_fraction(ratio**L / _sum(ratio, L))


def first_order_loss(gamma: Any, L: int) -> Fraction:
    """The limit e of f_L* - d g: (L (L + 1) / 2) gamma^L / (1 + gamma + ... + gamma^L)^2.

    Args and raises: as ``limiting_step_sizes``.

    >>> first_order_loss(1, 1)
    Fraction(1, 4)
    """
    ratio = _ratio(gamma)
    require_size("L", L)
    return as_fraction(fmpq(L * (L + 1), 2) * ratio**L / _sum(ratio, L) ** 2)


def _sum(ratio: fmpq, L: int) -> fmpq:
    return sum((ratio**k for k in range(L + 1)), start=fmpq(0))


def _ratio(gamma: Any) -> fmpq:
    ratio = as_fmpq(gamma)
    if ratio <= 0:
        raise ValueError(f"gamma = {gamma}: the ratio d / n of features to tokens must be above 0")
    return ratio

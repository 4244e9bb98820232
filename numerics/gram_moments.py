"""Moments of Gram matrices at given sizes: E tr (X X^T)^k exactly, for Gaussian and for uniform coordinates.

Symbols: X (d, n) with independent entries of one law, symmetric about 0; k the power.

Gaussian coordinates have the closed form of ``numerics.wishart``. Otherwise

    E tr (X X^T)^k = sum over closed walks a_1 i_1 a_2 i_2 ... a_k i_k a_1 of E prod X[a_t, i_t] X[a_t+1, i_t]

where only walks count that use every edge (a, i) an even number of times. Those with c features, e samples and the
same multiplicities are counted once each up to the names of their vertices: there are d (d-1) ... (d-c+1) times n (n-1)
... (n-e+1) of them.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache
from math import perm, prod

from constructions.scalars import exact
from numerics.tasks import LinearTask
from numerics.wishart import require_size, wishart_trace_moments

Shape = tuple[int, int, tuple[int, ...]]
"""Of a walk: its numbers of features and of samples, and how often it uses each edge."""

LARGEST_WALK = 8
"""The largest power for coordinates that are not Gaussian; its 280,000 walks take a second, the next ones 12."""


def uniform_trace_moments(n: int, d: int, largest: int, half_width: Fraction) -> tuple[Fraction, ...]:
    """E tr (X X^T)^k for k = 0..largest, the entries of X uniform on [-half_width, half_width].

    Args:
        n, d: samples and features, >= 1.
        largest: the largest power, 0..``LARGEST_WALK``.
        half_width: > 0; a float is the dyadic number that it is.

    Raises:
        TypeError: for sizes that are no ints.
        ValueError: for anything out of range.

    >>> uniform_trace_moments(10, 10, 2, Fraction(1, 2))
    (Fraction(10, 1), Fraction(25, 3), Fraction(55, 4))
    """
    require_size("n", n)
    require_size("d", d)
    if not 0 <= largest <= LARGEST_WALK:
        raise ValueError(
            f"largest = {largest}: powers 0..{LARGEST_WALK} are counted for coordinates other than Gaussian"
        )
    width = Fraction(exact(half_width))
    if width <= 0:
        raise ValueError(f"half_width = {half_width}: it must be above 0")
    return tuple(Fraction(d) if k == 0 else _by_walks(n, d, k, width) for k in range(largest + 1))


def spectral_moments(task: LinearTask, largest: int) -> tuple[Fraction, ...]:
    """m_k = E tr (X X^T / n)^k for k = 0..largest, under the law from which a task's inputs are drawn.

    Args:
        task: Gaussian inputs of covariance I, or uniform ones.
        largest: the largest power, >= 0; at most ``LARGEST_WALK`` for uniform inputs.

    Raises:
        ValueError: for inputs with another covariance, or a power out of range.
    """
    if task.covariance is not None:
        raise ValueError(
            "the inputs have a covariance: where the prior is its inverse, whitening leaves a task with covariance "
            "None, whose moments these are; otherwise the loss is no function of them"
        )
    if task.half_width is None:
        raw = [Fraction(moment) for moment in wishart_trace_moments(task.n, task.d, largest)]
    else:
        raw = list(uniform_trace_moments(task.n, task.d, largest, Fraction(task.half_width)))
    return tuple(moment / task.n**k for k, moment in enumerate(raw))


def input_variance(task: LinearTask) -> Fraction:
    """The variance of an input's coordinate, exactly."""
    return Fraction(1) if task.half_width is None else Fraction(task.half_width) ** 2 / 3


def _by_walks(n: int, d: int, power: int, width: Fraction) -> Fraction:
    """With E x^m = width^m / (m + 1) for even m; each walk has 2 power edges in all."""
    total = Fraction(0)
    for (features, samples, multiplicities), count in even_walks(power).items():
        weight = prod(multiplicity + 1 for multiplicity in multiplicities)
        total += Fraction(count * perm(d, features) * perm(n, samples), weight)
    return Fraction(width ** (2 * power)) * total


@lru_cache(maxsize=LARGEST_WALK)
def even_walks(power: int) -> Counter[Shape]:
    """How many closed walks of 2 power steps use every edge evenly, by shape, vertices numbered as they come.

    >>> even_walks(2)
    Counter({(1, 1, (4,)): 1, (1, 2, (2, 2)): 1, (2, 1, (2, 2)): 1})
    """
    found: Counter[Shape] = Counter()
    used: dict[tuple[int, int], int] = {}
    last = 2 * power - 1

    def walk(step: int, at: int, features: int, samples: int, odd: int) -> None:
        if odd > last + 1 - step:
            return
        if step > last:
            found[features, samples, tuple(sorted(used.values()))] += 1
            return
        to_sample = step % 2 == 0
        ends = range(samples + 1) if to_sample else range(features + 1) if step < last else (0,)
        for end in ends:
            edge = (at, end) if to_sample else (end, at)
            times = used.get(edge, 0)
            used[edge] = times + 1
            seen = (features, max(samples, end + 1)) if to_sample else (max(features, end + 1), samples)
            walk(step + 1, end, *seen, odd + (1 if times % 2 == 0 else -1))
            if times:
                used[edge] = times
            else:
                del used[edge]

    walk(0, 0, 1, 0, 0)
    return found

"""Fitting: the numbers with which a known algorithm makes the predictions of an unknown one.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1); theta the vector
of tuned numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import least_squares

from numerics.algorithms import Algorithm, Array
from numerics.instances import Sizes

_TRIED = 2
"""From how many of the best starts the fit is run."""

_EVALUATIONS = (15, 60)
"""How many steps a fit takes at most, and how many more if it is promising by then."""

_COARSE = 8
"""How many steps a coarse fit takes at most."""

_PROMISING = 1e-2
"""The misfit of a promising fit."""

_EXACT = 1e-12
"""A misfit of rounding alone: no other start is tried."""

_DIVERGED = 1e3
"""What stands for a prediction that is not finite, in units of the target's: only that it is bad matters."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What an unknown predictor makes of a batch of tasks.

    Args:
        X, Y, x_query: the tasks.
        predicted: its predictions, (B, m, 1).
    """

    X: Array
    Y: Array
    x_query: Array
    predicted: Array

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.X.shape[-1], self.X.shape[-2], self.Y.shape[-2])


@dataclass(frozen=True, eq=False)
class Fit:
    """The numbers that fit best.

    Args:
        theta: the vector.
        misfit: the root mean square of the differences, over that of the observed predictions.
    """

    theta: Array
    misfit: float


def fitted(algorithm: Algorithm, steps: int, observed: Sequence[Observed], coarse: bool = False) -> list[Fit]:
    """The numbers of an algorithm that fit the first batch best, from several starts, by their misfit on all batches.

    Args:
        algorithm: the known algorithm, run for so many steps.
        observed: batches of one number of features and targets; their n may differ.
        coarse: whether to take few steps from the best start alone, which find what fits exactly all the same if the
            start is near.
    """
    sizes = observed[0].sizes
    scale = float(np.sqrt(np.mean(np.concatenate([each.predicted.ravel() for each in observed]) ** 2))) or 1.0

    def differences(theta: Array, batches: Sequence[Observed]) -> Array:
        try:
            with np.errstate(all="ignore"):
                values = algorithm.values(theta.tolist(), steps, sizes)
                parts = [
                    algorithm.predictions(values, steps, each.X, each.Y, each.x_query)[steps] - each.predicted
                    for each in batches
                ]
        except (ValueError, OverflowError, ZeroDivisionError, np.linalg.LinAlgError):
            # Numbers outside of the algorithm's range, or with which it leaves that of floats.
            return np.full(sum(each.predicted.size for each in batches), _DIVERGED)
        held = np.concatenate([part.ravel() for part in parts]) / scale
        return np.clip(np.nan_to_num(held, nan=_DIVERGED), -_DIVERGED, _DIVERGED)

    def residual(theta: Array) -> Array:
        return differences(theta, observed[:1])

    def misfit(theta: Array, batches: Sequence[Observed] = observed) -> float:
        return float(np.sqrt(np.mean(differences(theta, batches) ** 2)))

    starts = [
        algorithm.start(start, steps, sizes) for start in itertools.product(*(t.starts for t in algorithm.tunables))
    ]
    if not algorithm.numbers(steps, sizes):
        return [Fit(np.zeros(0), misfit(np.zeros(0)))]
    if algorithm.per_step:
        rng = np.random.default_rng(0)
        starts = [_varied(start, rng) for start in starts for _ in range(3)]
    best = sorted(starts, key=lambda start: misfit(start, observed[:1]))[: 1 if coarse else _TRIED]
    fits: list[Fit] = []
    for start in best:
        for evaluations in (_COARSE,) if coarse else _EVALUATIONS:
            start = least_squares(residual, start, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=evaluations).x
            fits.append(Fit(start, misfit(start)))
            if not _EXACT < fits[-1].misfit < _PROMISING:
                break
        if fits[-1].misfit < _EXACT:
            break
    return sorted(fits, key=lambda fit: fit.misfit)


_PRECISIONS = (1e-13, 1e-11, 1e-9, 1e-7, 1e-5)
"""How far, relatively, a fraction may be from a fitted number, in turn; the check of the fraction decides."""


def exact_numbers(theta: Array) -> Iterator[tuple[Fraction, ...]]:
    """Vectors that the fit may stand for: the simplest fractions near it, as they are and as floats; then itself.

    >>> next(exact_numbers(np.array([1 / 3 + 1e-14, 0.25])))
    (Fraction(1, 3), Fraction(1, 4))
    """
    seen = set()
    for precision in _PRECISIONS:
        simple = tuple(simplest_fraction(float(number), precision) for number in theta)
        for held in (simple, tuple(Fraction(float(number)) for number in simple)):
            if held not in seen:
                seen.add(held)
                yield held
    raw = tuple(Fraction(float(number)) for number in theta)
    if raw not in seen:
        yield raw


def simplest_fraction(number: float, precision: float) -> Fraction:
    """The fraction of least denominator within precision max(|number|, 1) of the number.

    >>> simplest_fraction(0.3333333, 1e-6)
    Fraction(1, 3)
    """
    exact, allowed = Fraction(number), Fraction(precision) * Fraction(max(abs(number), 1.0))
    low, high = exact - allowed, exact + allowed
    return -_simplest(-high, -low) if high < 0 else Fraction(0) if low <= 0 else _simplest(low, high)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator between two positive ones, by their continued fractions."""
    floor = low.numerator // low.denominator
    if floor == low:
        return Fraction(floor)
    if floor < high.numerator // high.denominator:
        return Fraction(floor + 1)
    return floor + 1 / _simplest(1 / (high - floor), 1 / (low - floor))


def _varied(start: Array, rng: np.random.Generator) -> Array:
    """A start whose steps differ, and whose matrices are not diagonal."""
    return start * rng.uniform(0.5, 1.5, start.shape) + 0.1 * np.abs(start).max() * rng.standard_normal(start.shape)

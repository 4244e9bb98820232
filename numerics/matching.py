"""Matching: which known algorithms make exactly the predictions of an unknown predictor, and with which numbers.

The numbers are fitted in floats on one set of tasks, made fractions, and judged on another: of a construction by
equality in rationals, or in balls where an exponential rules rationals out; of a function by whether every prediction
is within the rounding bound of the algorithm's own float64 run. Where no rigorous bound is known (least squares,
SciPy's methods), that is by how much the algorithm's predictions move when the data are perturbed by as many roundings
as it takes operations per entry. Agreement on drawn prompts is evidence, no proof.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from constructions.block import compare
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.prompt import Prompt
from numerics.algorithms import Algorithm, Array, CatalogueAlgorithm, Values, predictions_by_step
from numerics.balls import BallBlock, precision
from numerics.fitting import Observed, exact_numbers, fitted
from numerics.growth import POWERS, power
from numerics.instances import Sizes, rational_prompt
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock
from numerics.unknown_predictor import UnknownPredictor, answer, as_prediction, random_prompts

TASKS = 24
"""How many tasks of each size the numbers are fitted on, and as many others they are judged on."""

EXACT_PROMPTS = 3
"""How many rational prompts of each size a construction is held against a known algorithm on."""

MISFIT = 1e-6
"""A fit that misses by more, relatively, is not worth an exact check: fits of what matches end near 1e-15."""

MOST_NUMBERS = 20
"""The largest number of tuned numbers."""

BITS = 256
"""The precision of the balls."""


@dataclass(frozen=True)
class Match:
    """A known algorithm that makes the predictions of the unknown one.

    Args:
        name: of the algorithm.
        steps: the number of steps.
        numbers: how many numbers were tuned.
        values: what they are, by symbol.
        evidence: what the agreement was established by.
    """

    name: str
    steps: int
    numbers: int
    values: Values
    evidence: str


def matches(
    unknown: UnknownPredictor,
    algorithms: Sequence[Algorithm],
    most: int,
    seed: int = 0,
    most_numbers: int = MOST_NUMBERS,
) -> Iterator[Match]:
    """Every algorithm and number of steps that agrees with the unknown predictor.

    Args:
        unknown: what is to be identified.
        algorithms: the candidates.
        most: the largest number of steps tried.
        seed: of the tasks.
        most_numbers: the largest number of tuned numbers, but for one step.
    """
    fitted_on, judged_on = unknown.observed(seed, TASKS), unknown.observed(seed + 1, TASKS)
    sizes, found = unknown.sizes[0], list[Match]()
    limit = min(MOST_NUMBERS, fitted_on[0].predicted.size)
    prompts = random_prompts(0, sizes, 4)
    grows = cache(lambda number: power(unknown.predict, number, *prompts))
    candidates = [(algorithm, steps) for algorithm in algorithms for steps in _steps(algorithm, most, sizes, grows)]
    for algorithm, steps in sorted(candidates, key=lambda each: each[0].numbers(each[1], sizes)):
        numbers = algorithm.numbers(steps, sizes)
        # What more numbers fit would only be special cases of what is found; one step is cheap, and has many names.
        is_more = numbers > min((match.numbers for match in found), default=most_numbers) and steps > 1
        # More steps would only be those of a method that has converged.
        if numbers > limit or is_more or any(match.name == algorithm.name for match in found):
            continue
        match = _match(unknown, algorithm, steps, fitted_on, judged_on)
        if match is not None:
            found.append(match)
            yield match


def _steps(algorithm: Algorithm, most: int, sizes: Sizes, grows: Callable[[int], int | None]) -> Iterator[int]:
    """The numbers of steps with which the algorithm grows like the unknown predictor."""
    most = most if algorithm.most is None else min(most, algorithm.most)
    for steps in range(algorithm.least, most + 1):
        own = _power_of(algorithm, steps, sizes, 0)
        if own is not None and (unknown := grows(0)) is not None and own > max(unknown, 0):
            # It grows with every step, and has outgrown the unknown predictor.
            return
        compared = range(len(POWERS) if algorithm.is_homogeneous else 1)
        # A power that the unknown predictor does not show, because it overflows on the way, rules nothing out.
        if all(grows(number) in (None, _power_of(algorithm, steps, sizes, number)) for number in compared):
            yield steps


@cache
def _power_of(algorithm: Algorithm, steps: int, sizes: Sizes, number: int) -> int | None:
    """A power of growth of the algorithm, at numbers of no special meaning."""
    rng = np.random.default_rng(1)
    usual = algorithm.start([t.starts[len(t.starts) // 2] or 0.5 for t in algorithm.tunables], steps, sizes)
    values = algorithm.values((usual * rng.uniform(0.7, 1.3, usual.shape)).tolist(), steps, sizes)

    def run(X: Array, Y: Array, x_query: Array) -> Array:
        return algorithm.predictions(values, steps, X, Y, x_query)[steps]

    return power(run, number, *random_prompts(0, sizes, 4))


def _match(
    unknown: UnknownPredictor,
    algorithm: Algorithm,
    steps: int,
    fitted_on: Sequence[Observed],
    judged_on: Sequence[Observed],
) -> Match | None:
    sizes = unknown.sizes[0]
    for fit in fitted(algorithm, steps, fitted_on):
        if fit.misfit > MISFIT:
            return None
        for numbers in exact_numbers(fit.theta):
            evidence = _agreement(unknown, algorithm, steps, numbers, judged_on)
            if evidence is not None:
                values = algorithm.values(numbers, steps, sizes)
                return Match(algorithm.name, steps, algorithm.numbers(steps, sizes), values, evidence)
    return None


def _agreement(
    unknown: UnknownPredictor,
    algorithm: Algorithm,
    steps: int,
    numbers: Sequence[Fraction],
    judged_on: Sequence[Observed],
) -> str | None:
    """What shows that the algorithm with these numbers agrees; None if it does not."""
    values = algorithm.values(numbers, steps, unknown.sizes[0])
    if not isinstance(algorithm, CatalogueAlgorithm):
        return _agreement_by_sensitivity(algorithm, values, steps, judged_on)
    try:
        if unknown.construction is not None:
            return exact_agreement(unknown.construction, algorithm.construction(values, steps), unknown.sizes)
        return _agreement_within_rounding(algorithm, values, steps, judged_on)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None  # numbers outside of the algorithm's range


def exact_agreement(unknown: Construction, known: Construction, sizes: Sequence[Sizes]) -> str | None:
    """What shows that a network predicts what a known construction's algorithm does; None if it does not.

    Args:
        unknown: the network, its matrices nested lists of Fractions.
        known: the construction whose algorithm is run.
        sizes: those of the rational prompts that both see, the same every time.

    Raises:
        ValueError, ZeroDivisionError: if the known construction's parameters are out of range, or do not fit.
    """
    rng = np.random.default_rng(2)
    prompts = [rational_prompt(rng, *each) for each in sizes for _ in range(EXACT_PROMPTS)]
    for kind, words in ((RationalBlock, "exactly, in rationals"), (BallBlock, f"in balls of {BITS} bits")):
        try:
            with precision(BITS):
                if all(_agree(unknown, known, prompt.lifted(kind)) for prompt in prompts):
                    return f"{words}, on {len(prompts)} prompts"
                return None
        except TypeError:
            continue  # an exponential, which no rational has
    return None


def _agree(unknown: Construction, known: Construction, prompt: Prompt) -> bool:
    """Whether the predictions are equal; balls must be narrow enough to tell them apart at half of the precision."""
    compared = compare(answer(unknown, prompt), as_prediction(predictions_by_step(known, prompt)[-1], prompt))
    narrow = compared.bound is None or compared.bound < 2.0 ** (-BITS // 2)
    return compared.verdict is Verdict.EQUAL and bool(narrow)


def _agreement_within_rounding(
    algorithm: CatalogueAlgorithm, values: Values, steps: int, judged_on: Sequence[Observed]
) -> str | None:
    """Whether every prediction is within the rounding bound of the algorithm's float64 run, and the bound says much."""
    construction = algorithm.construction(
        {name: _with_radius(algorithm, name, value) for name, value in values.items()}, steps
    )
    largest = 0.0
    for each in judged_on:
        prompt = Prompt(each.X, each.Y, each.x_query).lifted(RoundedBlock)
        *_, before, last = (block.entry for block in predictions_by_step(construction, prompt))
        if np.any(np.abs(each.predicted - last.value) > last.radius):
            return None
        if np.linalg.norm(last.radius) >= np.linalg.norm(last.value - before.value):
            return None  # the bound would not tell this number of steps from one less
        largest = max(largest, float(np.max(last.radius)))
    return f"within the rounding bound of its float64 run, at most {largest:.1e}, on {_tasks(judged_on)} tasks"


def _agreement_by_sensitivity(
    algorithm: Algorithm, values: Values, steps: int, judged_on: Sequence[Observed]
) -> str | None:
    rng, largest = np.random.default_rng(3), 0.0
    held = {name: float(value) for name, value in values.items()}
    for each in judged_on:
        data = (each.X, each.Y, each.x_query)
        found = algorithm.predictions(held, steps, *data)
        roundings = (each.X.shape[-1] + each.X.shape[-2]) * (steps + 1) * np.finfo(float).eps
        moved = np.zeros_like(each.predicted)
        for _ in range(8):
            perturbed = (array * (1 + roundings * rng.choice([-1.0, 1.0], array.shape)) for array in data)
            moved = np.maximum(moved, np.abs(algorithm.predictions(held, steps, *perturbed)[steps] - found[steps]))
        moved = moved + roundings * np.abs(found[steps])
        if np.any(np.abs(each.predicted - found[steps]) > moved):
            return None
        if np.linalg.norm(moved) >= np.linalg.norm(found[steps] - found[steps - 1]):
            return None  # a method that has converged: any number of steps would agree
        largest = max(largest, float(np.max(moved)))
    return f"up to what roundings of the data change, at most {largest:.1e}, on {_tasks(judged_on)} tasks"


def _with_radius(algorithm: Algorithm, name: str, value: Any) -> Any:
    """A matrix of Fractions as floats with the error of their rounding; scalars and the rest as they are."""
    tunable = next(each for each in algorithm.tunables if each.symbol == name)
    if tunable.rows is None:
        return value
    if isinstance(value, tuple):
        return tuple(_rounded(each) for each in value)
    return _rounded(value)


def _rounded(rows: Sequence[Sequence[Fraction]]) -> Rounded:
    floats = np.array([[float(number) for number in row] for row in rows])
    exact = all(Fraction(held) == number for held, number in zip(floats.flat, itertools.chain(*rows), strict=True))
    return Rounded(floats, np.zeros_like(floats) if exact else np.spacing(np.abs(floats)))


def _tasks(judged_on: Sequence[Observed]) -> int:
    return sum(each.X.shape[0] for each in judged_on)

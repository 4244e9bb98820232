"""Identification: which known algorithm an unknown transformer, or any function of a prompt, runs.

First by agreement (``numerics.matching``, ``proofs.own_algorithms``); for the ranked table and the heat map by
similarity (``numerics.ranking``). Agreement on drawn prompts is evidence, no proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from constructions.construction import Construction
from numerics.algorithms import Values
from numerics.instances import Sizes
from numerics.known_algorithms import known_algorithms
from numerics.matching import MOST_NUMBERS, Match, matches
from numerics.predictors import PredictorFailed, predictions
from numerics.ranking import Similarity, ranking
from numerics.unknown_predictor import UnknownPredictor, of_callable, of_construction, random_prompts
from proofs.own_algorithms import free_numbers, own_matches

MOST_STEPS = 16
"""The largest number of steps tried, unless more is asked for."""


@dataclass(frozen=True, eq=False)
class Identification:
    """What is known of an unknown predictor.

    Args:
        unknown: it.
        matches: the algorithms that agree with it, those with the fewest tuned numbers and steps first; empty if none
            of those known does.
        most: the largest number of steps that was tried.
        seed: of the tasks.
    """

    unknown: UnknownPredictor
    matches: tuple[Match, ...]
    most: int
    seed: int

    @property
    def algorithm(self) -> str | None:
        """The first algorithm that agrees; None if none does."""
        return self.matches[0].name if self.matches else None

    @property
    def steps(self) -> int | None:
        """Its number of steps."""
        return self.matches[0].steps if self.matches else None

    @property
    def ties(self) -> tuple[tuple[str, int], ...]:
        """Every algorithm that agrees, with its number of steps."""
        return tuple((match.name, match.steps) for match in self.matches)

    @cached_property
    def ranking(self) -> tuple[Similarity, ...]:
        """The known algorithms by their similarity, the most similar first; computed when it is asked for."""
        return tuple(ranking(self.unknown, known_algorithms(), self.most, self.seed))

    @property
    def heat_map(self) -> Similarity:
        """The algorithm whose heat map says most: the first that agrees, if it is ranked, or the most similar one."""
        return next((each for each in self.ranking if each.name == self.algorithm), self.ranking[0])

    @property
    def answer(self) -> str:
        """One sentence."""
        if self.matches:
            first, *others = (f"{name}, {_steps(steps)}" for name, steps in self.ties)
            return f"{first}; the same as {'; '.join(others)}" if others else first
        nearest = self.ranking[0]
        return (
            f"none of these; nearest: {nearest.name}, {_steps(nearest.steps)}, similarity of errors "
            f"{nearest.errors:.4f}, of induced weights {nearest.weights:.4f}"
        )

    def __str__(self) -> str:
        return "\n".join([self.answer, *(line for match in self.matches for line in _match_lines(match))])


def identify(
    predict: Construction | Callable[..., Any],
    *,
    sizes: Sequence[Sizes] | None = None,
    most: int = MOST_STEPS,
    layers: int = 0,
    seed: int = 0,
) -> Identification:
    """Which algorithm of the catalogue, or classical baseline, a construction or a function runs, and how many steps.

    Its numbers (step sizes, momenta, preconditioners) are fitted on one set of prompts and judged on another. A
    construction agrees if it is equal in rationals (in balls, if it has an exponential), a function if each of its
    predictions is within the computed rounding bound of the algorithm's own run.

    Args:
        predict: a construction, whose layers are run; or predict(X, Y, x_query), NumPy float64 in and out,
            (d, n), (m, n), (d, 1) -> (m, 1), or all of them with one batch dimension in front. A function of both
            kinds is given one prompt at a time.
        sizes: the prompts it is shown, one ``Sizes`` per number of tokens n; by default n = 6 and 4, d = 3, m = 1, or
            what the parameters of a construction decide. One n alone cannot tell a step size from eta / n.
        most: the largest number of steps tried, >= 1.
        layers: of a function that takes ``layers=l`` and then predicts after layer l, how many layers it has; the heat
            map then has a row for each.
        seed: of the prompts.

    Returns:
        The identification; ``algorithm`` is None if nothing known agrees, and ``ranking`` says what is nearest.

    Raises:
        PredictorFailed: if the function raises; its exception is the cause.
        TypeError: if it returns no array of floats, or is not callable.
        ValueError: for a wrong shape, NaN or infinity, sizes that differ in more than n, or most < 1.

    Reference:
        Fu et al. (2024), section 4, for the similarities and the best-matching number of steps.
    """
    if layers < 0 or (layers and isinstance(predict, Construction)):
        raise ValueError(f"layers = {layers}: it is the number of layers of a function, not below 0; leave it out")
    if most < 1:
        raise ValueError(f"most = {most}: at least one step must be tried")
    if sizes is not None and (
        not sizes or len({each[1:] for each in sizes}) > 1 or min(min(each) for each in sizes) < 1
    ):
        raise ValueError(f"sizes = {sizes}: at least one is required, each at least 1, and they may differ in n only")
    if isinstance(predict, Construction):
        unknown = of_construction(predict, sizes)
    elif callable(predict):
        unknown = of_callable(predict, sizes, layers)
    else:
        raise TypeError(f"a construction or a function predict(X, Y, x_query) is required, but {predict!r} came")
    algorithms = known_algorithms() + (known_algorithms(started=True) if _is_started(unknown) else ())
    own = list(own_matches(unknown))
    # What takes more numbers than the construction itself has would only contain it as a special case.
    numbers = free_numbers(unknown.construction) if own and unknown.construction else MOST_NUMBERS
    found = [*own, *matches(unknown, algorithms, most, seed, numbers)]
    found.sort(key=lambda match: (match.numbers, match.steps))
    # An algorithm that agrees with the construction's own numbers and with fitted ones is one answer.
    distinct = {(match.name, match.steps): match for match in reversed(found)}
    return Identification(unknown, tuple(reversed(distinct.values())), most, seed)


def _is_started(unknown: UnknownPredictor) -> bool:
    """Whether it predicts something without any targets in context, as what starts from weights W_0 does."""
    X, Y, x_query = random_prompts(0, unknown.sizes[0], 2)
    try:
        with np.errstate(all="ignore"):
            return bool(np.any(predictions(unknown.predict, X, 0 * Y, x_query)))
    except (PredictorFailed, TypeError, ValueError):
        return False  # such as 0 / 0 where there is nothing to fit: on its usual data it is as it should be


def _steps(steps: int) -> str:
    return f"{steps} step{'s' if steps != 1 else ''}"


def _match_lines(match: Match) -> Iterator[str]:
    yield f"  {match.name}, {_steps(match.steps)}: {match.evidence}"
    yield from (f"    {symbol} = {value}" for symbol, value in written(match.values).items())


def written(values: Values) -> dict[str, str]:
    """Tuned numbers in print: fractions whose numbers are short, decimals otherwise."""
    return {symbol: _written(value) for symbol, value in values.items()}


def _written(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_written(each) for each in value)}]"
    if isinstance(value, Fraction) and value.denominator < 10**6:
        return str(value)
    return f"{float(value):.10g}"

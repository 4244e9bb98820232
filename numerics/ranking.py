"""Ranking: how similar every known algorithm is to an unknown predictor, tuned, at its best-matching number of steps.

The numbers of an algorithm are fitted to the predictor's predictions on one set of tasks; similarity is judged on
sequences of another. Only algorithms with the same few numbers in every step are ranked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from numerics.algorithms import Algorithm, Array, Baseline, Values
from numerics.fitting import Observed, fitted
from numerics.instances import Sizes
from numerics.similarity import QUERIES_PER_FEATURE, Layers, answers, cosines, induced_weights, prefix_errors
from numerics.tasks import generator
from numerics.unknown_predictor import UnknownPredictor

SEQUENCES = 24
"""How many sequences similarity is judged on."""

TASKS = 8
"""How many tasks of each size the numbers are fitted on."""

REFINED = 2
"""How far from the best number of steps of the grid the numbers of an algorithm are fitted."""

DIGITS = 9
"""To how many digits similarities are compared: among equal ones the algorithm with the fewest numbers comes first."""

MOST_TUNED = 3
"""The most numbers of an algorithm that is ranked."""

NOISE = 0.1
"""The standard deviation of the noise of the tasks; without noise every method that has converged has no error."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """How similar a known algorithm is to the unknown predictor.

    Args:
        name: of the algorithm.
        steps: the number of steps at which it is most similar, by its errors.
        values: its tuned numbers, by symbol.
        errors: the similarity of errors there, SimE.
        weights: the similarity of induced weights there, SimW.
        heat: SimE of the predictor after each layer (rows) and of the algorithm after 0, 1, ... steps (columns).
    """

    name: str
    steps: int
    values: Values
    errors: float
    weights: float
    heat: Array

    @property
    def best_steps(self) -> list[int]:
        """For each layer the most similar number of steps."""
        return [int(steps) for steps in np.argmax(self.heat, axis=1)]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Noisy linear tasks, what the errors and the weights of the predictor on them are, layer by layer.

    Args:
        X, Y: the examples of each sequence, (B, d, N), (B, m, N).
        queries: fresh queries, (B, d, T).
        lengths: of the prefixes from which the next example is predicted.
        errors, weights: of the predictor, (L, B, .); the last layer is its prediction.
    """

    X: Array
    Y: Array
    queries: Array
    lengths: range
    errors: Array
    weights: Array


def judged(unknown: UnknownPredictor, seed: int) -> Sequences:
    """The sequences on which similarity is judged, and what the predictor makes of them.

    The prefixes have the lengths 1, ..., n; of a predictor that takes one number of tokens only, that one.
    """
    rng, sizes = generator(seed), unknown.sizes[0]
    X = rng.standard_normal((SEQUENCES, sizes.d, sizes.n + 1)) / np.sqrt(sizes.d)
    W_star = rng.standard_normal((SEQUENCES, sizes.m, sizes.d))
    Y = np.matmul(W_star, X) + NOISE * rng.standard_normal((SEQUENCES, sizes.m, sizes.n + 1))
    queries = rng.standard_normal((SEQUENCES, sizes.d, QUERIES_PER_FEATURE * sizes.d))
    layers = unknown.layers or _last_alone(unknown)
    lengths = range(1, sizes.n + 1)
    try:
        errors = prefix_errors(layers, X, Y, lengths)
    except Exception:
        # Many a predictor takes no other number of tokens; what is wrong with it otherwise arises again.
        lengths = range(sizes.n, sizes.n + 1)
        errors = prefix_errors(layers, X, Y, lengths)
    weights = induced_weights(answers(layers, X[..., :-1], Y[..., :-1], queries), queries)
    return Sequences(X, Y, queries, lengths, errors, weights)


def ranking(unknown: UnknownPredictor, algorithms: Sequence[Algorithm], most: int, seed: int = 0) -> list[Similarity]:
    """Every algorithm of few numbers by its similarity of errors, the most similar first.

    Args:
        unknown: what is to be identified.
        algorithms: the candidates.
        most: the largest number of steps tried.
        seed: of the tasks.
    """
    sizes, fitted_on, sequences = unknown.sizes[0], unknown.observed(seed, TASKS), judged(unknown, seed + 1)
    ranked = []
    for algorithm in algorithms:
        steps = most if algorithm.most is None else min(most, algorithm.most)
        if (
            steps < algorithm.least
            or algorithm.per_step
            or algorithm.started
            or algorithm.numbers(steps, sizes) > MOST_TUNED
        ):
            continue
        ranked.append(_similarity(algorithm, _tuned(algorithm, steps, sizes, fitted_on), steps, sequences))
    return sorted(ranked, key=lambda each: (-round(each.errors, DIGITS), len(each.values)))


def _tuned(algorithm: Algorithm, steps: int, sizes: Sizes, fitted_on: Sequence[Observed]) -> Values:
    """The numbers that fit best, fitted at the numbers of steps near the one that fits best on the grid of starts."""
    misfits = np.full(steps + 1, np.inf)
    for start in itertools.product(*(tunable.starts for tunable in algorithm.tunables)):
        values = algorithm.values(algorithm.start(start, steps, sizes).tolist(), steps, sizes)
        total = np.zeros(steps + 1)
        with np.errstate(all="ignore"):
            for each in fitted_on:
                found = algorithm.predictions(values, steps, each.X, each.Y, each.x_query)
                total += [np.sum((predicted - each.predicted) ** 2) for predicted in found]
        misfits = np.fmin(misfits, total)
    if not algorithm.tunables:
        return {}
    best = algorithm.least + int(np.argmin(misfits[algorithm.least :]))
    likely = range(max(algorithm.least, best - REFINED), min(steps, best + REFINED) + 1)
    fits = {each: fitted(algorithm, each, fitted_on, coarse=True)[0] for each in likely}
    best = min(likely, key=lambda each: fits[each].misfit)
    return algorithm.values(fits[best].theta.tolist(), best, sizes)


def _similarity(algorithm: Algorithm, values: Values, steps: int, sequences: Sequences) -> Similarity:
    layers: Callable[..., Array] = partial(_by_step, algorithm, values, steps)
    with np.errstate(all="ignore"):
        errors = prefix_errors(layers, sequences.X, sequences.Y, sequences.lengths)
        context = sequences.X[..., :-1], sequences.Y[..., :-1], sequences.queries
        # A baseline predicts for all the queries from its one fit.
        predicted = layers(*context) if isinstance(algorithm, Baseline) else answers(layers, *context)
        weights = induced_weights(predicted, sequences.queries)
        heat = cosines(sequences.errors, errors)
    best = int(np.argmax(heat[-1]))
    similar = cosines(sequences.weights[-1:], weights[best : best + 1])
    return Similarity(algorithm.name, best, values, float(heat[-1, best]), float(similar[0, 0]), heat)


def _by_step(algorithm: Algorithm, values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> Array:
    found = np.stack(algorithm.predictions(values, steps, X, Y, x_query))
    # What diverges is far from everything; infinities would be near to nothing, NaN.
    return np.clip(np.nan_to_num(found, nan=1e100), -1e100, 1e100)


def _last_alone(unknown: UnknownPredictor) -> Layers:
    return lambda X, Y, x_query: np.asarray(unknown.predict(X, Y, x_query), dtype=float)[None]

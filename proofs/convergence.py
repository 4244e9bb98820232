"""How networks converge, and how they round: several constructions on one prompt, layer by layer.

Symbols: n = 24 examples, d = 3 features, one target; W_k (1, 3) the weights after k steps, W* those of least squares.
The inputs are hundredths, uniform in [-1, 1], and the targets a linear map of them plus noise, so that least squares
leaves a residual. W_k is read off the predictions for the basis vectors, exactly and of the float64 networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import isfinite, sqrt
from typing import TypeAlias

import numpy as np

from constructions.block import materialised
from constructions.construction import Construction, forward, iterates
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.parameters import lifted
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock, as_fraction
from numerics.tables import Table, prompts_of_coefficients
from proofs.converging_steps import PLANS, gram
from proofs.data_run import DataRun, predictions

EXAMPLES, FEATURES = 24, 3

RUNS: dict[str, tuple[type[Construction], int]] = {
    "gradient_descent": (GradientDescent, 16),
    "preconditioned_descent": (PreconditionedDescent, 16),
    "gdpp": (GDPlusPlus, 5),
    "newton": (NewtonFromIdentity, 7),
}
"""The constructions, and after how many steps they are last looked at."""

Weights: TypeAlias = "Sequence[Fraction]"
"""W_k, exactly: that of a float64 network, too, is a dyadic number."""


@dataclass(frozen=True)
class Errors:
    """One construction on the prompt, after k = 0, 1, ... steps of its algorithm.

    Args:
        name: of the construction.
        convergence: |W_k - W*| / |W*| of the exact algorithm.
        in_floats: the same of the float64 network.
        rounding: |W_k in float64 - W_k| / |W_k|; None where W_k is zero.
    """

    name: str
    convergence: tuple[float, ...]
    in_floats: tuple[float, ...]
    rounding: tuple[float | None, ...]


@lru_cache(maxsize=4)
def convergence(seed: int) -> tuple[Errors, ...]:
    """The errors of every construction in ``RUNS``, on the prompt of that seed."""
    table = example_table(seed)
    prompts = prompts_of_coefficients(table, "y", intercept=False)
    exact = prompts[0].lifted(RationalBlock)
    best = _numbers(least_squares(exact))
    return tuple(_errors(name, best, list(_weights(name, last, table, prompts))) for name, (_, last) in RUNS.items())


def _errors(name: str, best: Weights, pairs: Sequence[tuple[Weights, Weights]]) -> Errors:
    return Errors(
        name,
        tuple(_distance(exact, best) / _norm(best) for _, exact in pairs),
        tuple(_distance(computed, best) / _norm(best) for computed, _ in pairs),
        tuple(_distance(computed, exact) / _norm(exact) if any(exact) else None for computed, exact in pairs),
    )


def _norm(weights: Weights) -> float:
    return sqrt(sum(weight**2 for weight in weights))


def _distance(left: Weights, right: Weights) -> float:
    return _norm([a - b for a, b in zip(left, right, strict=True)])


def _weights(name: str, last: int, table: Table, prompts: Sequence[Prompt]) -> Iterator[tuple[Weights, Weights]]:
    """(W_k of the float64 network, of the exact algorithm) for k = 0, 1, ..., last."""
    if name == "newton":
        yield from _newton_weights(prompts, last)
        return
    plan = PLANS[name](prompts[0].lifted(RationalBlock), last, None)
    truths = tuple(Fraction(0) for _ in prompts)
    run = DataRun(name, "y", table.columns[:-1], len(table.rows), tuple(prompts), truths, plan)
    for layer in zip(*predictions(run), strict=True):
        yield [_exactly(computed) for computed, _ in layer], [as_fraction(exact) for _, exact in layer]


def _newton_weights(prompts: Sequence[Prompt], last: int) -> Iterator[tuple[Weights, Weights]]:
    """The same of Newton's networks, one for each number of steps, with alpha = 1 / trace(X X^T)."""
    exact = prompts[0].lifted(RationalBlock)
    _, trace = gram(exact)
    model = lifted(NewtonFromIdentity(alpha=1 / trace, steps=last), RationalBlock, exact)
    queries = [replace(exact, x_query=prompt.lifted(RationalBlock).x_query) for prompt in prompts]
    for steps, iterate in zip(range(last + 1), iterates(model, exact), strict=False):
        network = NewtonFromIdentity(alpha=1 / trace, steps=steps)
        yield (
            [_float_prediction(network, prompt) for prompt in prompts],
            [_numbers(model.predict(iterate, query))[0] for query in queries],
        )


def _float_prediction(network: Construction, prompt: Prompt) -> Fraction:
    held = prompt.map(lambda rows: np.array([[float(cell) for cell in row] for row in rows])).lifted(FloatBlock)
    computed = materialised(forward(network, held), held.X)
    assert isinstance(computed, FloatBlock)
    return _exactly(float(computed.entry[0, 0]))


def _exactly(value: float) -> Fraction:
    assert isfinite(value), "inputs of size one stay in range for so few layers"
    return Fraction(value)


def _numbers(block: object) -> list[Fraction]:
    """The entries of a rational row."""
    assert isinstance(block, RationalBlock)
    return [as_fraction(value) for value in block.matrix.entries()]


def example_table(seed: int) -> Table:
    """The examples, with columns x1, x2, x3 and y."""
    rng = np.random.default_rng((seed, 3))
    inputs = rng.integers(-100, 101, size=(EXAMPLES, FEATURES))
    noise = rng.integers(-20, 21, size=EXAMPLES)
    targets = inputs @ np.array([2, -1, 1]) + noise
    rows = [tuple(Fraction(int(x), 100) for x in (*row, y)) for row, y in zip(inputs, targets, strict=True)]
    return Table((*(f"x{i + 1}" for i in range(FEATURES)), "y"), tuple(rows))

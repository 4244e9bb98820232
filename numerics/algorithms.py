"""Algorithms as identification sees them: a name, numbers to tune, and a prediction after every step.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1); k steps.

What is tuned is a vector theta: the tunables one after another, each a scalar or a matrix row by row, once or (``per
step``) once for every step that uses it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np

from constructions.block import Block, materialised
from constructions.construction import Construction
from constructions.parameters import Repeated, lifted
from constructions.prompt import Prompt
from numerics.instances import Sizes

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Values: TypeAlias = Mapping[str, Any]
"""The tuned numbers by symbol: a number, a nested list of rows, or a tuple of either, one per step."""


@dataclass(frozen=True)
class Tunable:
    """Numbers that an algorithm leaves free.

    Args:
        symbol: their name.
        starts: where tuning starts; of a matrix the multiples of the identity (a row of them, if it is not square).
        rows, columns: of a matrix, the names of its sizes, n, d or m, or ints; None for a scalar.
        unused: in how many of the first steps (of the last ones, if negative) it plays no part; it is 0 there.
        shared: whether all steps share it, even where the others have one of each step.
    """

    symbol: str
    starts: tuple[float, ...]
    rows: str | int | None = None
    columns: str | int | None = None
    unused: int = 0
    shared: bool = False

    def shape(self, sizes: Sizes) -> tuple[int, int] | None:
        """(rows, columns), or None for a scalar."""
        if self.rows is None or self.columns is None:
            return None
        rows, columns = (size if isinstance(size, int) else getattr(sizes, size) for size in (self.rows, self.columns))
        return rows, columns

    def numbers(self, sizes: Sizes) -> int:
        """How many numbers one value has."""
        shape = self.shape(sizes)
        return 1 if shape is None else shape[0] * shape[1]


@dataclass(frozen=True)
class Algorithm(ABC):
    """A known algorithm, its numbers left free.

    Args:
        name: as users read it.
        tunables: what is tuned.
        per_step: whether every step has numbers of its own.
        least: the least number of steps.
        most: the largest number of steps that makes sense, if there is one: 1 for a closed form.
        started: whether it has a start W_0; then W_0 is its last tunable.
        is_homogeneous: whether its steps do not depend on how the targets are scaled, so that all its powers of growth
            are its own; of the others only that of X at infinity is.
    """

    name: str
    tunables: tuple[Tunable, ...] = ()
    per_step: bool = False
    least: int = 1
    most: int | None = None
    started: bool = False
    is_homogeneous: bool = True

    @abstractmethod
    def predictions(self, values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        """The predictions after 0, 1, ..., steps steps, (B, m, 1) each; not finite where the algorithm diverges."""

    def numbers(self, steps: int, sizes: Sizes) -> int:
        """How many numbers are tuned."""
        return sum(self._times(tunable, steps) * tunable.numbers(sizes) for tunable in self.tunables)

    def values(self, theta: Sequence[Any], steps: int, sizes: Sizes) -> dict[str, Any]:
        """The vector as values by symbol; its entries may be floats or Fractions."""
        values, place = {}, 0
        for tunable in self.tunables:
            shape, each, many = tunable.shape(sizes), tunable.numbers(sizes), self._times(tunable, steps)
            held = [_shaped(theta[place + i * each : place + (i + 1) * each], shape) for i in range(many)]
            zero = _shaped([0 * number for number in (*theta, 0.0)[:1]] * each, shape)
            place += many * each
            if not self.per_step or tunable.shared:
                values[tunable.symbol] = held[0] if held else zero
            else:
                zeros = [zero] * (steps - many)
                values[tunable.symbol] = tuple([*zeros, *held] if tunable.unused >= 0 else [*held, *zeros])
        return values

    def start(self, scale: Sequence[float], steps: int, sizes: Sizes) -> Array:
        """The vector whose tunables have these starting values, one per tunable."""
        parts = []
        for tunable, value in zip(self.tunables, scale, strict=True):
            shape = tunable.shape(sizes)
            one = np.array([value]) if shape is None else value * np.eye(*shape).ravel()
            parts.append(np.tile(one, self._times(tunable, steps)))
        return np.concatenate(parts) if parts else np.zeros(0)

    def _times(self, tunable: Tunable, steps: int) -> int:
        """For how many steps the tunable has a value."""
        used = max(steps - abs(tunable.unused), 0)
        return used if self.per_step and not tunable.shared else min(used, 1)


Build: TypeAlias = Callable[[int, Any], Construction]
"""From (number of steps, values) to the construction; the values are attributes, per-layer ones sequences."""


@final
@dataclass(frozen=True)
class CatalogueAlgorithm(Algorithm):
    """The algorithm of a construction: its plain steps, never its layers.

    Args:
        build: the construction, from the number of steps and the values, each per step unless it is a matrix that the
            construction has once.
    """

    build: Build = field(kw_only=True)

    def construction(self, values: Values, steps: int) -> Construction:
        """The construction with these values."""
        return self.build(steps, {name: self._spread(name, value, steps) for name, value in values.items()})

    def _spread(self, name: str, value: Any, steps: int) -> Any:
        tunable = next(each for each in self.tunables if each.symbol == name)
        if isinstance(value, tuple):
            return tuple(_entry(each) for each in value)
        return _entry(value) if tunable.shared else Repeated(_entry(value), steps)

    def predictions(self, values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        shape = (*Y.shape[:-1], 1)
        blocks = predictions_by_step(self.construction(values, steps), Prompt(X, Y, x_query).lifted())
        return [np.broadcast_to(block.entry, shape) for block in blocks]


@final
@dataclass(frozen=True)
class Baseline(Algorithm):
    """A classical algorithm that is no construction of the catalogue, in floats.

    Args:
        run: the predictions after 0, 1, ..., steps steps from (values, steps, X, Y, x_query).
    """

    run: Callable[[Values, int, Array, Array, Array], list[Array]] = field(kw_only=True)

    def predictions(self, values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        return self.run(values, steps, X, Y, x_query)


def predictions_by_step(construction: Construction, prompt: Prompt) -> list[Block]:
    """What a construction's algorithm predicts from its initial iterate and after each of its steps.

    Args:
        construction: its parameters raw or lifted.
        prompt: a lifted prompt.
    """
    held = lifted(construction, type(prompt.X), prompt)
    iterate = held.initial(prompt)
    predicted = [held.predict(iterate, prompt)]
    for l in range(held.depth):
        iterate = held.step(l, iterate, prompt)
        predicted.append(held.predict(iterate, prompt))
    return [materialised(block, prompt.X) for block in predicted]


def _shaped(numbers: Sequence[Any], shape: tuple[int, int] | None) -> Any:
    if shape is None:
        return numbers[0]
    return [list(numbers[i * shape[1] : (i + 1) * shape[1]]) for i in range(shape[0])]


def _entry(value: Any) -> Any:
    """A matrix of floats as an array, any other value as it is."""
    if isinstance(value, list) and isinstance(value[0][0], float):
        return np.array(value)
    return value

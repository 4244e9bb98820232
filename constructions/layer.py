"""Layers: attention, token-wise maps and MLPs, each with its skip connection, one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from constructions.attention import Head, Update
from constructions.block import Block, materialised
from constructions.functions import FeatureMap
from constructions.located import located
from constructions.stream import Stream
from constructions.weights import Weight


class Sublayer(ABC):
    """A part of a layer: what it makes of the stream is added to it (skip connection) or replaces it."""

    skip: bool

    @abstractmethod
    def update(self, stream: Stream) -> Update:
        """What is added to the stream."""

    def __call__(self, stream: Stream) -> Stream:
        update = self.update(stream)
        return stream.plus(update) if self.skip else replace(stream, blocks=update)


@final
@dataclass(frozen=True, init=False)
class Attention(Sublayer):
    """Heads side by side: their updates, all taken from the same stream, are added."""

    heads: tuple[Head, ...]
    skip: bool = True

    def __init__(self, *heads: Head, skip: bool = True) -> None:
        object.__setattr__(self, "heads", heads)
        object.__setattr__(self, "skip", skip)

    def update(self, stream: Stream) -> Update:
        return self._added_to({}, stream)

    def __call__(self, stream: Stream) -> Stream:
        if not self.skip:
            return super().__call__(stream)
        # Onto the stream, not into an update of its own: a product may then be added where it is made.
        return stream.holding(self._added_to(dict(stream.blocks), stream))

    def _added_to(self, total: Update, stream: Stream) -> Update:
        for number, head in enumerate(self.heads, start=1):
            with located(f"head {number}"):
                total = head.added_to(total, stream)
        return total


@final
@dataclass(frozen=True)
class TokenMap(Sublayer):
    """A linear map applied to every token: h <- h + A h."""

    weight: Weight
    skip: bool = True

    def update(self, stream: Stream) -> Update:
        return {
            (slot, group): block for group in stream.groups for slot, block in self.weight(stream.tokens(group)).items()
        }


@final
@dataclass(frozen=True)
class MLP(Sublayer):
    """A two-layer perceptron applied to every token: h <- h + W_2 phi(W_1 h + b_1) + b_2.

    Args:
        inner: W_1, slots of the token -> hidden slots.
        outer: W_2, hidden slots -> slots of the token.
        activation: ``"relu"`` or ``"square"``, entry by entry.
        inner_bias: b_1, hidden slot -> column (rows, 1).
        outer_bias: b_2, slot -> column (rows, 1).
    """

    inner: Weight
    outer: Weight
    activation: str = "relu"
    inner_bias: Mapping[str, Block] | None = None
    outer_bias: Mapping[str, Block] | None = None
    skip: bool = True

    def __post_init__(self) -> None:
        if self.activation not in ("relu", "square"):
            raise ValueError(f"activation = {self.activation!r}: it must be 'relu' or 'square'")

    def update(self, stream: Stream) -> Update:
        total: Update = {}
        for group in stream.groups:
            hidden = _plus_bias(self.inner(stream.tokens(group)), self.inner_bias, stream, group)
            active = {
                slot: block.relu() if self.activation == "relu" else block.square() for slot, block in hidden.items()
            }
            for slot, block in _plus_bias(self.outer(active), self.outer_bias, stream, group).items():
                total[slot, group] = block
        return total


def _plus_bias(
    token: dict[str, Block], bias: Mapping[str, Block] | None, stream: Stream, group: str
) -> dict[str, Block]:
    for slot, column in (bias or {}).items():
        if not column.is_zero:
            spread = column @ column.ones(1, stream.groups[group])
            token[slot] = token[slot] + spread if slot in token else spread
    return token


@final
@dataclass(frozen=True)
class TokenFunction(Sublayer):
    """A feature map applied to every token: slot ``target`` <- target + m(slot ``source``)."""

    function: FeatureMap
    source: str
    target: str
    skip: bool = True

    def update(self, stream: Stream) -> Update:
        like = stream.like()
        return {
            (self.target, group): materialised(stream[self.source, group], like).features(self.function)
            for group in stream.groups
        }


SUBLAYERS: tuple[type[Sublayer], ...] = (Attention, TokenMap, MLP, TokenFunction)
"""What a layer of a transformer is made of."""


@final
@dataclass(frozen=True, init=False)
class Layer:
    """One layer of a transformer: sublayers, each applied to what the one before it left."""

    sublayers: tuple[Sublayer, ...]

    def __init__(self, *sublayers: Sublayer) -> None:
        object.__setattr__(self, "sublayers", sublayers)

    def __call__(self, stream: Stream) -> Stream:
        for number, sublayer in enumerate(self.sublayers, start=1):
            with located(f"sublayer {number}"):
                stream = sublayer(stream)
        return stream

"""Stages: the parts that a network is made of, and what the residual stream holds between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

from constructions.block import Block, Size, Zero
from constructions.scalars import is_zero
from constructions.stream import Stream

Iterate: TypeAlias = Any
"""What the algorithm carries from step to step: a block, or a named tuple of blocks."""

Index: TypeAlias = Any
"""A layer index: an int, or a symbol."""


@final
class Anything:
    """A claim of nothing: the slot may hold whatever it likes."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING = Anything()

State: TypeAlias = Mapping[tuple[str, str], "Block | Anything"]
"""What the stream holds, (slot, group) -> block. A place left out is claimed to be zero."""


@dataclass(frozen=True)
class Relation:
    """An equation that the iterate (or the data) satisfies; a proof rewrites its left side to its right side."""

    name: str
    left: Block
    right: Block


@final
@dataclass(frozen=True)
class Single:
    """One layer, and the state after it.

    Args:
        layer: the layer; any map of streams will do, such as one that appends a generated token.
        state: the state after it, from the iterate; None if nothing is claimed of it.
        step: the algorithm's step that the layer runs; None if it runs none.
    """

    layer: Callable[[Stream], Stream]
    state: Callable[[Iterate], State | Stream | None]
    step: Callable[[Iterate], Iterate] | None = None
    name: str = "layer"


@final
@dataclass(frozen=True)
class Loop:
    """Layers that share a form: layer(l), the step that it runs, and the state before it.

    Args:
        layer: the layer of index l = 0, 1, ...; one weight set looped if it does not depend on l.
        step: the algorithm's step l, iterate -> iterate.
        state: the state before layer l, from l and the iterate; None if nothing is claimed of it, for all l.
        times: how many layers; symbolic in a proof.
        grows: by how many columns a step lengthens blocks of the iterate, a named tuple, by their names; such a block
            may list what earlier steps have made.
    """

    layer: Callable[[Index], Callable[[Stream], Stream]]
    step: Callable[[Index, Iterate], Iterate]
    state: Callable[[Index, Iterate], State | Stream | None]
    times: Size
    name: str = "layer"
    grows: Mapping[str, int] = field(default_factory=dict)

    def lengthened(self, iterate: Iterate, steps: Size) -> Iterate:
        """The iterate in the shapes that it has that many steps later, itself if nothing has grown by then.

        What the steps in between put into a block that grows is not known here: it is ``Zero``, of which only the shape
        is to be read.

        Raises:
            TypeError: if ``grows`` names what is no block of the iterate.
        """
        if unknown := sorted(set(self.grows) - set(getattr(iterate, "_fields", ()))):
            blocks = getattr(iterate, "_fields", "no names")
            raise TypeError(f"the loop says that {unknown} of the iterate grow, but its blocks have {blocks}")
        if not self.grows or is_zero(steps):
            return iterate
        grown = ((name, getattr(iterate, name), many * steps) for name, many in self.grows.items())
        return iterate._replace(**{name: Zero(held.rows, held.columns + more) for name, held, more in grown})


@final
@dataclass(frozen=True)
class Handover:
    """No layer: the algorithm goes over to another iterate, as where a second network takes over from a first.

    Args:
        step: from the iterate before to the one after.
    """

    step: Callable[[Iterate], Iterate]
    name: str = "handover"


Stage: TypeAlias = Single | Loop | Handover


def layers_of(stage: Stage) -> Iterator[Callable[[Stream], Stream]]:
    """The layers of a stage, one after another; a loop must have a number of layers that is known."""
    if isinstance(stage, Single):
        yield stage.layer
    elif isinstance(stage, Loop):
        yield from (stage.layer(l) for l in range(stage.times))

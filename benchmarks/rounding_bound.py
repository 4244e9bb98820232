"""A rounding bound for a forward pass in PyTorch: the pass itself, on tensors that carry their radius.

A ``Bounded`` has the operators of a tensor that the passes of ``benchmarks.dense_torch`` use. Its values are what
PyTorch computes, by the same calls; its radii are those of ``numerics.rounding``, computed beside them.
"""

from __future__ import annotations

from typing import Any, final

from constructions.block import Block
from constructions.scalars import Scalar
from numerics.rounding import Rounded, RoundedBlock


@final
class Bounded:
    """A tensor with the radius of every entry, under the operators of a tensor."""

    def __init__(self, block: Block) -> None:
        self._block = block

    @classmethod
    def lift(cls, entry: Any) -> Bounded:
        """A tensor, which is exact, or a ``numerics.rounding.Rounded`` pair of tensors."""
        return cls(RoundedBlock.lift(entry))

    @property
    def value(self) -> Any:
        """What PyTorch computed."""
        return self._block.entry.value

    @property
    def radius(self) -> Any:
        """How far the exact result may be, entry by entry."""
        return self._block.entry.radius

    @property
    def mT(self) -> Bounded:
        return Bounded(self._block.T)

    def __getitem__(self, place: Any) -> Bounded:
        return Bounded(RoundedBlock.lift(Rounded(self.value[place], self.radius[place])))

    def __matmul__(self, other: Bounded) -> Bounded:
        return Bounded(self._block @ other._block)

    def __add__(self, other: Bounded) -> Bounded:
        return Bounded(self._block + other._block)

    def __neg__(self) -> Bounded:
        return Bounded(-self._block)

    def __sub__(self, other: Bounded) -> Bounded:
        return self + -other

    def __mul__(self, other: Bounded | Scalar) -> Bounded:
        """The entrywise product; a row, a column or a single entry is spread over the rest, as tensors do."""
        if isinstance(other, Bounded):
            return Bounded(self._block.hadamard(_spread(other._block, *self._block.shape)))
        return Bounded(self._block.scale(other))


def _spread(block: Block, rows: int, columns: int) -> Block:
    if block.rows == 1 != rows:
        block = block.ones(rows, 1) @ block
    return block @ block.ones(1, columns) if block.columns == 1 != columns else block

"""A rounding bound for a forward pass in PyTorch: the pass itself, on tensors that carry their radius.

A ``Bounded`` has the operators of a tensor that the passes of ``benchmarks.dense_torch`` and ``benchmarks.by_hand``
use. Its radii are those of ``numerics.rounding``, for sums in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    def shape(self) -> tuple[int, ...]:
        """The batch, the rows and the columns."""
        return (*self._block.batch, *self._block.shape)

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

    def joined(self, others: Sequence[Bounded], dim: int) -> Bounded:
        """This and the others, side by side along the last dimension (-1) or the one before it (-2)."""
        blocks = [other._block for other in others]
        return Bounded(self._block.beside(*blocks) if dim == -1 else self._block.above(*blocks))


def cat(operands: Sequence[Bounded], dim: int) -> Bounded:
    """``torch.cat`` along the last dimension or the one before it."""
    first, *rest = operands
    return first.joined(rest, dim)


def baddbmm(total: Bounded, A: Bounded, B: Bounded, *, beta: int = 1, alpha: int = 1) -> Bounded:
    """``torch.baddbmm``: beta total + alpha A @ B, added up in any order.

    It is bounded as the one product [beta total, alpha A] @ [I; B], whose sums of products contain its own.
    """
    import torch

    identity = Bounded.lift(torch.eye(total.shape[-1], dtype=total.value.dtype))
    return cat((total * beta, A * alpha), dim=-1) @ cat((identity, B), dim=-2)


def _spread(block: Block, rows: int, columns: int) -> Block:
    if block.rows == 1 != rows:
        block = block.ones(rows, 1) @ block
    return block @ block.ones(1, columns) if block.columns == 1 != columns else block

"""Footprint: how many numbers a run holds at once, counted by the run itself.

A ``SizeBlock`` is a kind of number without numbers: a block that has a shape and a place in memory. It goes through
the one forward pass like every other kind, so that the count follows the weights and the scores, n x n scores included,
and nothing about a construction has to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, final

from constructions.block import Block, Entry
from constructions.comparison import Comparison
from constructions.scalars import Scalar


def numbers_at_once(function: Callable[..., Any], *entries: Entry) -> int:
    """How many numbers ``function`` holds at most at any moment for one prompt, beside its arguments.

    An upper bound for arrays on a device: a product is counted with copies of both factors, which CuPy makes of
    transposes, and what all prompts of a batch share is counted as if each had its own.

    Args:
        function: takes blocks of any kind, such as the forward pass.
        entries: its arguments; only their last two dimensions count.
    """
    memory = Memory()
    function(*(SizeBlock(entry.shape[-2], entry.shape[-1], memory) for entry in entries))
    return memory.peak


class Memory:
    """The numbers held now, and the most that were held at any moment."""

    def __init__(self) -> None:
        self.held = 0
        self.peak = 0

    def take(self, count: int, beside: int) -> Place:
        """A place for so many numbers; while they are computed, there are so many more beside them."""
        self.peak = max(self.peak, self.held + count + beside)
        return Place(self, count)


class Place:
    """Numbers in memory, until nothing refers to them."""

    def __init__(self, memory: Memory, count: int) -> None:
        self._memory, self._count = memory, count
        memory.held += count

    def __del__(self) -> None:
        self._memory.held -= self._count


@final
class SizeBlock(Block):
    """A matrix of which only the shape is known, and what it takes in memory; arguments take none.

    A sum with a product is computed when it is read, as that of floats, and holds its operands until then.
    """

    __slots__ = ("_held", "_memory", "_product", "_shape")

    def __init__(
        self,
        rows: int,
        columns: int,
        memory: Memory | None = None,
        place: Place | None = None,
        product: tuple[SizeBlock, SizeBlock] | None = None,
    ) -> None:
        self._shape, self._memory, self._held, self._product = (rows, columns), memory, place, product

    def _settled(self) -> Place | None:
        """Where the numbers are, once the product is added that was still to be added."""
        if self._product is not None:
            left, right = self._product
            base, self._product = SizeBlock(*self.shape, self._memory, self._held), None
            product = left @ right
            in_place = isinstance(product, SizeBlock) and product._memory is not None
            total = product if in_place else base + product
            self._held = total._settled() if isinstance(total, SizeBlock) else None
        return self._held

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """A parameter of the construction: it is held anyway."""
        if len(getattr(entry, "shape", ())) < 2:
            raise TypeError(f"an array with at least two axes is required, but {type(entry).__name__} came")
        return cls(*entry.shape[-2:])

    @property
    def entry(self) -> Entry:
        self._settled()
        return self

    @property
    def shape(self) -> tuple[int, int]:
        return self._shape

    @property
    def T(self) -> Self:
        return type(self)(self.columns, self.rows, self._memory, self._settled())

    def ones(self, rows: int, columns: int) -> Self:
        return self._made(rows, columns)

    def identity(self, size: int) -> Self:
        return self._made(size, size)

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        return self._made(rows, columns)

    def relu(self) -> Self:
        return self._made(*self.shape, beside=2 * self._size)

    def exp(self) -> Self:
        return self._made(*self.shape)

    def inverse(self) -> Self:
        return self._made(*self.shape, beside=3 * self._size)

    def diagonal(self) -> Self:
        return self._made(self._size, self._size, beside=self._size**2)

    def _matmul(self, other: Self) -> Self:
        return self._with(other)._made(self.rows, other.columns, beside=self._size + other._size)

    def plus_product(self, left: Block, right: Block) -> Block:
        if not (isinstance(left, SizeBlock) and isinstance(right, SizeBlock)):
            return super().plus_product(left, right)
        memory = next((block._memory for block in (self, left, right) if block._memory is not None), None)
        return type(self)(*self.shape, memory, self._settled(), (left, right))

    def _add(self, other: Self) -> Self:
        return self._with(other)._made(*self.shape)

    def _scale(self, scalar: Scalar) -> Self:
        return self._made(*self.shape)

    def _hadamard(self, other: Self) -> Self:
        return self._with(other)._made(*self.shape)

    def _beside(self, others: Sequence[Self]) -> Self:
        return self._with(*others)._made(self.rows, self.columns + sum(block.columns for block in others))

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        like = self._with(*others)
        # The exponentials, what a pattern selects, and a row each of largest scores and sums.
        beside = sum(block._size for block in blocks) + 3 * max(block._size for block in blocks) + 2 * self.columns
        return tuple(like._made(*block.shape, beside=beside) for block in blocks)

    def _compare(self, other: Self) -> Comparison:
        raise TypeError("blocks without numbers cannot be compared: only their sizes are known")

    def __repr__(self) -> str:
        return f"SizeBlock({self.rows}, {self.columns})"

    @property
    def _size(self) -> int:
        return self.rows * self.columns

    def _with(self, *others: Self) -> Self:
        """This block, or the first of the others that is in memory: a parameter of the construction is not."""
        blocks: list[Self] = [self, *others]
        for block in blocks:
            block._settled()
        return next((block for block in blocks if block._memory is not None), self)

    def _made(self, rows: int, columns: int, beside: int = 0) -> Self:
        self._settled()
        place = None if self._memory is None else self._memory.take(rows * columns, beside)
        return type(self)(rows, columns, self._memory, place)

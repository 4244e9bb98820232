"""Weights: linear maps between named slots of a token, as blocks.

"[[I, 0], [0, -W]] applied to tokens (x; y)" is ``Weight({("x", "x"): 1, ("y", "y"): -W})``: the keys are (slot out,
slot in), a scalar is that multiple of the identity, and an absent block is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from constructions.block import Block, Size, Zero
from constructions.scalars import Scalar, exact, is_zero

WeightBlock: TypeAlias = "Block | Scalar"
"""A block of a weight: an exact scalar (that multiple of the identity) or a matrix."""


class Weight(Mapping[tuple[str, str], WeightBlock]):
    """A linear map of tokens: (slot out, slot in) -> block. Zero blocks are dropped.

    Raises:
        TypeError: for a block that is a raw array or a list.
        ValueError: for a scalar that is not finite.
    """

    __slots__ = ("_blocks", "_matrices")

    def __init__(self, blocks: Mapping[tuple[str, str], WeightBlock]) -> None:
        kept: dict[tuple[str, str], WeightBlock] = {}
        matrices = set()
        for slots, block in blocks.items():
            if not isinstance(block, Block):
                if not is_zero(scalar := _scalar(slots, block)):
                    kept[slots] = scalar
            elif not block.is_zero:
                kept[slots] = block
                matrices.add(slots)
        self._blocks, self._matrices = kept, matrices

    def __getitem__(self, slots: tuple[str, str]) -> WeightBlock:
        return self._blocks[slots]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        return f"Weight({self._blocks!r})"

    def __call__(self, token: Mapping[str, Block]) -> dict[str, Block]:
        """The image of a token (or of a group of tokens), slot by slot; slots that get nothing are left out.

        Raises:
            ValueError: if a block does not fit the slots it connects.
        """
        return {slot: block.scale(scalar) for slot, (scalar, block) in self.factored(token).items()}

    def factored(self, token: Mapping[str, Block]) -> dict[str, tuple[Scalar, Block]]:
        """The image of a token, each slot as a scalar and the block that it is still to be multiplied with.

        The scalar is one unless a single multiple of the identity is all that feeds the slot. Who multiplies on can
        put it where the numbers are fewest.

        Raises:
            ValueError: as for the image itself.
        """
        image: dict[str, tuple[Scalar, Block]] = {}
        for (slot_out, slot_in), block in self._blocks.items():
            operand = token.get(slot_in)
            if operand is None or operand.is_zero:
                continue
            try:
                term = (1, block @ operand) if (slot_out, slot_in) in self._matrices else (block, operand)
                if slot_out in image:
                    term = (1, _multiplied(image[slot_out]) + _multiplied(term))
                image[slot_out] = term
            except ValueError as error:
                raise ValueError(
                    f"the weight's block from slot {slot_in!r} to slot {slot_out!r} does not fit: {error}"
                ) from error
        return image

    def replaced(self, slots: tuple[str, str], block: WeightBlock) -> Weight:
        """The weight with one block replaced; a zero deletes it."""
        return Weight({**self._blocks, slots: block})

    def dense(self, slots_out: Mapping[str, Size], slots_in: Mapping[str, Size], like: Block) -> Block:
        """The full matrix, slots in the given order, in the kind of ``like``."""
        rows = []
        for slot_out, size_out in slots_out.items():
            row = []
            for slot_in, size_in in slots_in.items():
                block = self._blocks.get((slot_out, slot_in), 0)
                if not isinstance(block, Block):
                    if not is_zero(block) and size_out != size_in:
                        raise ValueError(
                            f"a multiple of the identity connects slot {slot_in!r} ({size_in} rows) with slot "
                            f"{slot_out!r} ({size_out})"
                        )
                    block = Zero(size_out, size_in) if is_zero(block) else like.identity(size_out).scale(block)
                if block.shape != (size_out, size_in):
                    raise ValueError(
                        f"the block ({slot_out!r}, {slot_in!r}) has shape {block.shape}, not {(size_out, size_in)}"
                    )
                row.append(block)
            rows.append(row[0].beside(*row[1:]))
        return rows[0].above(*rows[1:])


def _scalar(slots: tuple[str, str], block: Scalar) -> Scalar:
    if isinstance(block, (list, tuple)) or (hasattr(block, "shape") and block.shape):
        raise TypeError(
            f"the weight's block {slots} is a {type(block).__name__}, but a scalar or a block is required: pass "
            "constant(matrix, prompt.X), or declare it as a parameter with matrix(...)"
        )
    try:
        return exact(block)
    except ValueError as error:
        raise ValueError(f"the weight's block {slots}: {error}") from error


def _multiplied(term: tuple[Scalar, Block]) -> Block:
    scalar, block = term
    return block.scale(scalar)

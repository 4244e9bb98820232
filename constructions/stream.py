"""The residual stream: a table of blocks, slots (named rows of a token) by groups (named columns).

Tokens are columns. Theorems speak of blocks, "the y rows of the context tokens", and so does the stream:
``stream["y", "context"]``. A block that is absent is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import chain

from constructions.block import Block, Size, Zero, materialised
from constructions.scalars import is_zero


@dataclass(frozen=True)
class Stream:
    """The tokens between two layers.

    Args:
        slots: the rows of each slot, in the order in which they are stacked.
        groups: the number of tokens of each group.
        blocks: (slot, group) -> block of that many rows and columns; an absent block is zero. A group may be empty.
        order: the order of the tokens: an item is a group, or a tuple of groups whose tokens alternate (the first
            token of each, then the second of each, ...); by default the groups one after another.
    """

    slots: Mapping[str, Size]
    groups: Mapping[str, Size]
    blocks: Mapping[tuple[str, str], Block]
    order: tuple[str | tuple[str, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        for place, block in self.blocks.items():
            self._require_fit(place, block)
        held = {k: b for k, b in self.blocks.items() if not (isinstance(b, Zero) or is_zero(b.columns))}
        object.__setattr__(self, "blocks", held)
        object.__setattr__(self, "order", self.order or tuple(self.groups))
        placed = list(chain.from_iterable((item,) if isinstance(item, str) else item for item in self.order))
        if sorted(placed) != sorted(self.groups):
            raise ValueError(f"the order {self.order} must name each of the groups {list(self.groups)} once")

    def _require_fit(self, place: tuple[str, str], block: Block) -> None:
        slot, group = place
        if slot not in self.slots or group not in self.groups:
            raise ValueError(
                f"the stream has no block ({slot!r}, {group!r}): its slots are {list(self.slots)}, its groups "
                f"{list(self.groups)}"
            )
        required = (self.slots[slot], self.groups[group])
        if block.shape != required:
            raise ValueError(f"block ({slot!r}, {group!r}) must have shape {required}, but {block.shape} came")

    def __getitem__(self, place: tuple[str, str]) -> Block:
        slot, group = place
        if slot not in self.slots or group not in self.groups:
            raise KeyError(
                f"the stream has no block ({slot!r}, {group!r}): its slots are {list(self.slots)}, its groups "
                f"{list(self.groups)}"
            )
        return self.blocks.get(place, Zero(self.slots[slot], self.groups[group]))

    def tokens(self, group: str) -> dict[str, Block]:
        """The slots of a group's tokens that hold something."""
        return {slot: self.blocks[slot, group] for slot in self.slots if (slot, group) in self.blocks}

    def like(self) -> Block:
        """Any block of the stream: it carries the kind of number."""
        for block in self.blocks.values():
            return block
        raise ValueError("every block of the stream is zero, so it has no kind of number")

    def plus(self, update: Mapping[tuple[str, str], Block]) -> Stream:
        """The stream with the update added, as a skip connection does."""
        blocks = dict(self.blocks)
        for place, block in update.items():
            blocks[place] = blocks[place] + block if place in blocks else block
        return self.holding(blocks)

    def holding(self, blocks: Mapping[tuple[str, str], Block]) -> Stream:
        """The stream with these blocks in place of its own; of one whose place held something the shape is known."""
        for place, block in blocks.items():
            if place not in self.blocks:
                self._require_fit(place, block)
        changed = copy(self)
        object.__setattr__(changed, "blocks", {place: block for place, block in blocks.items() if not block.is_zero})
        return changed

    def append(self, group: str, token: Mapping[str, Block], size: Size = 1) -> Stream:
        """The stream with ``size`` more tokens at the end of a group, which is made if the stream has none of it."""
        for slot in token:
            if slot not in self.slots:
                raise ValueError(f"the appended token has a slot {slot!r}, but the stream has {list(self.slots)}")
        held = self.groups.get(group)
        if held is None:
            added = {(slot, group): block for slot, block in token.items()}
            return Stream(self.slots, {**self.groups, group: size}, {**self.blocks, **added}, (*self.order, group))
        blocks = dict(self.blocks)
        for slot, rows in self.slots.items():
            blocks[slot, group] = self[slot, group].beside(token.get(slot, Zero(rows, size)))
        return replace(self, groups={**self.groups, group: held + size}, blocks=blocks)

    def positions(self) -> dict[str, tuple[Size, int]]:
        """Where each group's tokens stand: token i of the group is token ``first + stride * i`` of the prompt.

        Raises:
            ValueError: if alternating groups do not fit: they must be equally long, or the last ones one shorter.
        """
        positions: dict[str, tuple[Size, int]] = {}
        first: Size = 0
        for item in self.order:
            strand = (item,) if isinstance(item, str) else item
            sizes = [self.groups[group] for group in strand]
            shorter = [size != sizes[0] for size in sizes]
            if shorter != sorted(shorter) or any(size not in (sizes[0], sizes[0] - 1) for size in sizes):
                raise ValueError(f"the groups {strand} cannot alternate: they have {sizes} tokens")
            for place, group in enumerate(strand):
                positions[group] = (first + place, len(strand))
            first = first + sum(sizes)
        return positions

    def dense(self) -> Block:
        """The token matrix, (rows of all slots, tokens), tokens in their order; concrete sizes only."""
        like, positions = self.like(), self.positions()
        tokens = sum(self.groups.values())
        total: Block = Zero(sum(self.slots.values()), tokens)
        for group, size in self.groups.items():
            columns = [materialised(self[slot, group], like) for slot in self.slots]
            total = total + columns[0].above(*columns[1:]) @ _placed(like, size, tokens, *positions[group])
        return materialised(total, like)


def _placed(like: Block, size: int, tokens: int, first: int, stride: int) -> Block:
    """The 0/1 block (size, tokens) that puts token i of a group where it stands in the prompt."""
    return like.fill(size, tokens, lambda i, t: int(t == first + stride * i))

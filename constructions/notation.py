"""Notation: blocks, weights, states and layers written in the symbolic kind's formulas, as text or as LaTeX."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from constructions.attention import Head, Mask, is_unscaled
from constructions.block import Block, Kernel, Size, Zero
from constructions.decoding import Decoding, layer_in
from constructions.dense import inner_slots
from constructions.layer import MLP, Attention, Sublayer, TokenFunction, TokenMap
from constructions.layout import Grid, Heading, Matrices, Part, Sentence, Style, Table, worded
from constructions.scalars import Scalar
from constructions.stages import ANYTHING, Anything, Relation
from constructions.stream import Stream
from constructions.weights import Weight

MOST_SLOTS = 4
"""How many slots a token has whose matrices are printed whole, as in the papers."""


class Notation:
    """How what a construction is made of is written.

    Args:
        style: ``"text"`` or ``"latex"``.
        stream: a symbolic stream; weights are block matrices over its slots.
    """

    def __init__(self, style: Style, stream: Stream) -> None:
        self.style = style
        self.stream = stream
        self.arrow = "<-" if style == "text" else r"\leftarrow"

    # Formulas.

    def formula(self, block: Block | Anything) -> str:
        """The block as it was written."""
        if isinstance(block, Anything):
            return self.words("anything")
        symbolic: Any = block
        return "0" if isinstance(block, Zero) else str(symbolic.formula.written(self.style))

    def normal_form(self, block: Block) -> str:
        """The block multiplied out."""
        symbolic: Any = block
        if isinstance(block, Zero):
            return "0"
        return str(block) if self.style == "text" else str(symbolic._repr_latex_()).strip("$")

    def identity(self, slot: str) -> Block:
        """The identity of a slot."""
        return self.stream.like().identity(self.stream.slots[slot])

    def scalar(self, value: Scalar) -> str:
        """An exact scalar, as it stands in front of an identity."""
        scaled = self.formula(self.identity(next(iter(self.stream.slots))).scale(value)).removesuffix("I").strip()
        return {"": "1", "-": "-1"}.get(scaled, scaled)

    def words(self, text: str) -> str:
        """Words inside a formula."""
        return text if self.style == "text" else worded(text)

    def relation(self, words: str, relation: Relation) -> Sentence:
        """An equation that is assumed or claimed, multiplied out."""
        equation = f"{self.normal_form(relation.left)} = {self.normal_form(relation.right)}"
        return Sentence(f"{words}, {relation.name}:", equation)

    # Tables.

    def table(self, stream: Stream, free: frozenset[tuple[str, str]] = frozenset()) -> Table:
        """What a stream holds, slots by groups; nothing is claimed of the free places."""

        def entry(slot: str, group: str) -> str:
            return self.formula(ANYTHING if (slot, group) in free else stream[slot, group])

        entries = tuple(tuple(entry(slot, group) for group in stream.groups) for slot in stream.slots)
        return Table(Grid(tuple(stream.slots), tuple(stream.groups), entries))

    def grid(self, weight: Weight, rows: Mapping[str, Size], columns: Mapping[str, Size] | None = None) -> Grid:
        """A weight as a block matrix, as it was written; by default its columns are the token's slots."""
        columns, like = columns or self.stream.slots, self.stream.like()

        def entry(row: str, column: str) -> str:
            block = weight.get((row, column), 0)
            return self.formula(block if isinstance(block, Block) else like.identity(columns[column]).scale(block))

        entries = tuple(tuple(entry(row, column) for column in columns) for row in rows)
        return Grid(tuple(rows), tuple(columns), entries)

    def product(self, *factors: Weight) -> Grid:
        """A product of weights, multiplied out: what it makes of each slot of the token."""
        columns = []
        for slot in self.stream.slots:
            token = {slot: self.identity(slot)}
            for factor in reversed(factors):
                token = factor(token)
            columns.append([self.normal_form(token[row]) if row in token else "0" for row in self.stream.slots])
        return Grid(tuple(self.stream.slots), tuple(self.stream.slots), tuple(zip(*columns, strict=True)))

    def bias(self, blocks: Mapping[str, Block], rows: Mapping[str, Size]) -> Grid:
        """A bias as a block column."""
        entries = tuple((self.formula(blocks.get(row, Zero(size, 1))),) for row, size in rows.items())
        return Grid(tuple(rows), ("",), entries)

    def matrices(self, *named: tuple[str, Grid | str]) -> Matrices:
        """Block matrices by name, of wide tokens without their zero rows and columns."""
        slots = tuple(self.stream.slots)
        if len(slots) > MOST_SLOTS:
            named = tuple((name, grid if isinstance(grid, str) else grid.without_zeros()) for name, grid in named)
        return Matrices(named, slots)

    # Layers.

    def layer(self, layer: Callable[[Stream], Stream]) -> Iterator[Part]:
        """The weights of a layer."""
        if isinstance(layer, Decoding):
            yield Heading("generates a token: the last column of the output is appended, all others are dropped", 1)
        held = layer_in(layer)
        if held is not None:
            for part in held.sublayers:
                yield from self.sublayer(part)
        else:
            yield Heading(f"a map of streams without weights. {first_line(layer)}".strip(), 1)

    def sublayer(self, part: Sublayer) -> Iterator[Part]:
        """The weights of a part of a layer."""
        skip = "added to the tokens" if part.skip else "in place of the tokens"
        if isinstance(part, Attention):
            for number, head in enumerate(part.heads, start=1):
                name = f"attention head {number}" if len(part.heads) > 1 else "attention head"
                yield Heading(f"{name}, {skip}; {keys_written(head.mask)}; {_score(head)}", 1)
                yield from self.head(head)
        elif isinstance(part, TokenMap):
            yield Heading(f"linear map of every token, {skip}", 1)
            yield self.matrices(("A", self.grid(part.weight, self.stream.slots)))
        elif isinstance(part, TokenFunction):
            yield Heading(f"{part.function.name}({part.source}) of every token, {skip} in slot {part.target}", 1)
        elif isinstance(part, MLP):
            yield Heading(f"MLP of every token, {skip}; activation: {part.activation}", 1)
            yield self.mlp(part)

    def mlp(self, part: MLP) -> Matrices:
        """W_1, b_1, W_2 and b_2."""
        token = self.stream.slots
        hidden = inner_slots(self.stream, (part.inner,), part.outer, part.inner_bias, as_token=False)
        return self.matrices(
            ("W_1", self.grid(part.inner, hidden)),
            *((("b_1", self.bias(part.inner_bias, hidden)),) if part.inner_bias else ()),
            ("W_2", self.grid(part.outer, token, hidden)),
            *((("b_2", self.bias(part.outer_bias, token)),) if part.outer_bias else ()),
        )

    def head(self, head: Head) -> Iterator[Part]:
        """W_K, W_Q, W_V and P as given, and the products by which they enter."""
        is_kernel, token = isinstance(head.score, Kernel), self.stream.slots
        keys = inner_slots(self.stream, (head.key, head.query), as_token=not is_kernel)
        values = inner_slots(self.stream, (head.value,), head.projection)
        if not is_unscaled(head):
            yield Sentence("scores times", self.scalar(head.factor))
        yield self.matrices(
            ("W_K", self.grid(head.key, keys)),
            ("W_Q", self.grid(head.query, keys)),
            ("W_V", self.grid(head.value, values)),
            ("P", "I" if head.projection is None else self.grid(head.projection, token, values)),
        )
        if not is_kernel:
            transposed = "W_K'" if self.style == "text" else r"W_K^\top"
            B = (head.value,) if head.projection is None else (head.projection, head.value)
            yield self.matrices(
                (f"M = {transposed} W_Q", self.product(_transposed(head.key), head.query)),
                ("B = P W_V", self.product(*B)),
            )


def _transposed(weight: Weight) -> Weight:
    return Weight({(b, a): block.T if isinstance(block, Block) else block for (a, b), block in weight.items()})


def keys_written(mask: Mask) -> str:
    """Which tokens a mask leaves as keys, in words."""
    if mask.keys is None:
        keys = "every token"
    elif isinstance(mask.keys, Mapping):
        keys = ", ".join(f"{' and '.join(keys) or 'none'} for {query}" for query, keys in mask.keys.items())
    else:
        keys = " and ".join(mask.keys)
    pattern = "" if mask.pattern is None else f" ({getattr(mask.pattern, '__name__', mask.pattern)})"
    return f"keys: {keys}{pattern}"


def _score(head: Head) -> str:
    return f"score: the kernel {head.score.name}" if isinstance(head.score, Kernel) else f"score: {head.score}"


def first_line(described: Any) -> str:
    """The first line of a docstring; nothing if there is none, or only the signature that a dataclass is given."""
    name = getattr(described, "__name__", type(described).__name__)
    line = (inspect.getdoc(described) or "").partition("\n")[0]
    return "" if line.startswith(f"{name}(") else line

"""Constructions in print: slots, weights as labelled block matrices, the invariant and the algorithm.

The parameters and the prompt are left free, so that weights read as in the papers; formulas are the symbolic kind's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from constructions.attention import Head, Mask, is_unscaled
from constructions.block import Block, Kernel, Zero, kind_of
from constructions.construction import Anything, Construction, Iterate, Loop, Relation, Single, State
from constructions.layer import MLP, Attention, Layer, Sublayer, TokenMap
from constructions.layout import Grid, Heading, Matrices, Part, Sentence, Style, Table, as_latex, as_text, upright
from constructions.parameters import Parameter, PerLayer, Repeated, Unspecified, generic, generic_prompt, lifted, parameters
from constructions.scalars import Scalar
from constructions.stream import Stream
from constructions.weights import Weight, WeightBlock


def described(construction: Construction) -> str:
    """The construction for a terminal: parameters, tokens, embedding, layers, invariant, algorithm and read-out."""
    return as_text(_parts(construction, "text"))


def described_in_latex(construction: Construction) -> str:
    """The construction as one display formula, for a notebook."""
    return as_latex(_parts(construction, "latex"))


def _parts(construction: Construction, style: Style) -> Iterator[Part]:
    name = type(construction).__name__
    first_line = (inspect.getdoc(type(construction)) or "").partition("\n")[0]
    yield Heading(f"{name}: {first_line}" if first_line else name)
    try:
        drawing = _Drawing(construction, style)
        parts = [*drawing.parameters(construction), *drawing.tokens(), *drawing.network(), *drawing.read_out()]
    except TypeError as error:
        # A construction that fills in entries one by one has no symbolic form; printing it must not fail.
        parts = [Sentence(f"no formulas, since it is not defined for symbols of unspecified size: {error}")]
    yield from parts


class _Drawing:
    """A construction with everything left free, and how its formulas are written."""

    def __init__(self, construction: Construction, style: Style) -> None:
        self.style = style
        kind = kind_of(Unspecified("X", "d", "n"))
        self.kind: Any = kind
        self.prompt = generic_prompt(construction).lifted(kind)
        self.construction = lifted(generic(construction), kind, self.prompt)
        self.stream = self.construction.embed(self.prompt)
        self.initial = self.construction.initial(self.prompt)
        self.l = kind.lift_scalar(Unspecified("l"))

    # How things are written.

    def formula(self, block: Block | Anything) -> str:
        """The block as it was written."""
        if isinstance(block, Anything):
            return "anything" if self.style == "text" else r"\text{anything}"
        held: Any = block
        return "0" if isinstance(block, Zero) else str(held.formula.written(self.style))

    def normal_form(self, block: Block) -> str:
        """The block multiplied out."""
        if isinstance(block, Zero):
            return "0"
        held: Any = block
        return str(held) if self.style == "text" else str(held._repr_latex_()).strip("$")

    def scalar(self, value: Scalar) -> str:
        """An exact scalar."""
        if value in (0, 1, -1):
            return str(int(value))
        return self.formula(self.prompt.X.identity(1).scale(value)).removesuffix("I").strip().removeprefix("(").removesuffix(")")

    def matrix_of(self, weight: Weight, rows: Mapping[str, Any], write: Callable[[Block], str] | None = None) -> Grid:
        """The weight as a block matrix; its columns are the token's slots unless it comes from hidden ones."""
        write = write if write is not None else self.formula
        return self.grid(weight, rows, self.stream.slots, write)

    def grid(
        self, weight: Weight, rows: Mapping[str, Any], columns: Mapping[str, Any], write: Callable[[Block], str]
    ) -> Grid:
        """The weight as a block matrix."""

        def entry(row: str, column: str) -> str:
            block = weight.get((row, column), Zero(rows[row], columns[column]))
            return write(block if isinstance(block, Block) else self.prompt.X.identity(columns[column]).scale(block))

        return Grid(tuple(rows), tuple(columns), tuple(tuple(entry(row, column) for column in columns) for row in rows))

    def matrices(self, *named: tuple[str, Grid | str]) -> Matrices:
        return Matrices(named, tuple(self.stream.slots))

    def table(self, stream: Stream, free: frozenset[tuple[str, str]] = frozenset()) -> Table:
        """Slots by groups."""
        rows = (
            tuple(self.formula(Anything() if (slot, group) in free else stream[slot, group]) for group in stream.groups)
            for slot in stream.slots
        )
        return Table(Grid(tuple(stream.slots), tuple(stream.groups), tuple(rows)))

    # The parts, in order.

    def parameters(self, given: Construction) -> Iterator[Part]:
        """What the construction leaves free, and the values given."""
        declared = parameters(given)
        if declared:
            yield Heading(f"Parameters, for k = {given.depth} layers")
        for name, p in declared.items():
            held = getattr(given, name)
            shape = f" ({p.rows} x {p.columns})" if p.is_matrix else ""
            symbol, equals = self.symbol(p, held), "=" if self.style == "text" else r"\text{ = "
            end = "" if self.style == "text" else "}"
            yield Sentence(f"{name}{shape}:", f"{symbol} {equals}{' ' if self.style == 'text' else ''}{_values(held, p)}{end}")

    def symbol(self, p: Parameter, held: Any) -> str:
        """The symbol of a parameter, with the index l where every layer has its own."""
        index = self.l if p.per_layer and not isinstance(held, Repeated) else None
        letter = Unspecified(p.symbol, p.rows, p.columns, index)
        return self.formula(self.kind.lift(letter)) if p.is_matrix else self.scalar(self.kind.lift_scalar(letter))

    def tokens(self) -> Iterator[Part]:
        """Slots, groups, order and embedding."""
        stream = self.stream
        yield Heading("Tokens")
        yield Sentence("slots: " + ", ".join(f"{slot} ({_count(rows, 'row')})" for slot, rows in stream.slots.items()))
        yield Sentence("groups: " + ", ".join(f"{group} ({_count(many, 'token')})" for group, many in stream.groups.items()))
        if stream.order != tuple(stream.groups):
            strands = (item if isinstance(item, str) else " and ".join(item) + " in turn" for item in stream.order)
            yield Sentence("order: " + ", ".join(strands))
        for relation in self.construction.hypotheses(self.prompt):
            yield self.relation("assumed: ", relation)
        yield Heading("Embedding")
        yield self.table(stream)

    def relation(self, words: str, relation: Relation) -> Sentence:
        return Sentence(f"{words}{relation.name}:", f"{self.normal_form(relation.left)} = {self.normal_form(relation.right)}")

    def network(self) -> Iterator[Part]:
        """The stages, each with its weights and its claim."""
        stages, stream, iterate = self.construction.stages(self.prompt), self.stream, self.initial
        for number, stage in enumerate(stages, start=1):
            where = f"Stage {number}, " if len(stages) > 1 else ""
            if isinstance(stage, Loop):
                iterate = self.arbitrary(iterate)
                layer, again = stage.layer(self.l), stage.layer(stage.times)
                parts = list(self.layer(layer))
                looped = ", all with the same weights" if parts == list(self.layer(again)) else ""
                name = stage.name if len(stages) > 1 else "Layer"
                yield Heading(f"{where}{name} l = 0, ..., {stage.times} - 1{looped}")
                yield from parts
                yield Heading(f"state before layer l, {self.iterate_name(iterate)} the algorithm's iterate:", 1)
                stream, free = _claimed(stage.state(self.l, iterate), stream)
                yield self.table(stream, free)
                yield Heading("step of the algorithm:", 1)
                yield from self.assignments(iterate, stage.step(self.l, iterate))
                for relation in self.construction.relations(iterate, self.prompt):
                    yield self.relation("holds throughout: ", relation)
            else:
                yield Heading(f"{where}{stage.name}" if len(stages) > 1 else "Layer")
                yield from self.layer(stage.layer)
                if stage.step is not None:
                    following = stage.step(iterate)
                    yield Heading("step of the algorithm:", 1)
                    yield from self.assignments(iterate, following)
                    iterate = following
                yield Heading("state after it:", 1)
                stream, free = _claimed(stage.state(iterate), stream)
                yield self.table(stream, free)
        self.stream, self.iterate = stream, iterate

    def read_out(self) -> Iterator[Part]:
        """Where the algorithm starts, what it predicts, and where the prediction is read."""
        places = {
            (slot, group): self.kind.letter(f"{slot}[{group}]", rows, columns)
            for slot, rows in self.stream.slots.items()
            for group, columns in self.stream.groups.items()
        }
        read = self.construction.read_out(Stream(self.stream.slots, self.stream.groups, places, self.stream.order))
        yield Heading("Algorithm")
        start = zip(self.names(self.initial), _blocks(self.initial), strict=True)
        yield Sentence("start:", ", ".join(f"{name} = {self.formula(block)}" for name, block in start))
        yield Sentence("prediction:", self.formula(self.construction.predict(self.iterate, self.prompt)))
        yield Sentence("read from the tokens as:", self.formula(read))

    # The iterate.

    def arbitrary(self, iterate: Iterate) -> Iterate:
        """Letters of the iterate's shape."""
        letters = [self.kind.letter(name, *block.shape) for name, block in zip(_names(self.construction, iterate), _blocks(iterate), strict=True)]
        return letters[0] if isinstance(iterate, Block) else type(iterate)(*letters)

    def names(self, iterate: Iterate) -> list[str]:
        """The names of the iterate's blocks."""
        return [self.formula(block) for block in _blocks(self.arbitrary(iterate))]

    def iterate_name(self, iterate: Iterate) -> str:
        return ", ".join(_names(self.construction, iterate)) + " being"

    def assignments(self, before: Iterate, after: Iterate) -> Iterator[Part]:
        arrow = "<-" if self.style == "text" else r"\leftarrow"
        for name, block in zip(self.names(before), _blocks(after), strict=True):
            yield Sentence("", f"{name} {arrow} {self.formula(block)}")

    # The layers.

    def layer(self, layer: Callable[[Stream], Stream]) -> Iterator[Part]:
        """The weights of a layer."""
        if not isinstance(layer, Layer):
            yield Sentence(f"no weights, but a map of tokens: {(inspect.getdoc(layer) or repr(layer)).partition(chr(10))[0]}")
            return
        for part in layer.sublayers:
            yield from self.sublayer(part)

    def sublayer(self, part: Sublayer) -> Iterator[Part]:
        skip = "added to the tokens" if part.skip else "replacing the tokens"
        slots = self.stream.slots
        if isinstance(part, Attention):
            for number, head in enumerate(part.heads, start=1):
                yield Heading(f"attention head{f' {number}' if len(part.heads) > 1 else ''}, {skip}: {self.score(head)}", 1)
                yield from self.head(head)
        elif isinstance(part, TokenMap):
            yield Heading(f"linear map A of every token, {skip}:", 1)
            yield self.matrices(("A", self.matrix_of(part.weight, slots)))
        elif isinstance(part, MLP):
            yield from self.mlp(part, skip)

    def score(self, head: Head) -> str:
        """Keys, score function and factor, in words."""
        score = f"kernel {head.score.name}" if isinstance(head.score, Kernel) else head.score
        factor = "" if is_unscaled(head) else f", times {head.factor}"
        return f"{_keys(head.mask)}; score {score}{factor}"

    def head(self, head: Head) -> Iterator[Part]:
        token = self.stream.slots
        keys = self.space(head.key, head.query)
        values = self.space(head.value)
        weights = [(self.tex("W_K"), self.matrix_of(head.key, keys)), (self.tex("W_Q"), self.matrix_of(head.query, keys))]
        weights.append((self.tex("W_V"), self.matrix_of(head.value, values)))
        P = "I" if head.projection is None else self.grid(head.projection, token, values, self.formula)
        yield self.matrices(*weights, ("P", P))
        if isinstance(head.score, Kernel):
            return
        M = self.product(_transposed(head.key), head.query)
        B = head.value if head.projection is None else self.product(head.projection, head.value)
        names = ("M = W_K' W_Q", "B = P W_V") if self.style == "text" else (r"M = W_K^\top W_Q", "B = P W_V")
        grids = (self.grid(product, token, token, self.normal_form) for product in (M, B))
        yield self.matrices(*zip(names, grids, strict=True))

"""Constructions in print: slots, weights as labelled block matrices, the invariant and the algorithm.

The parameters and the prompt are left free, so that weights read as in the papers; formulas are the symbolic kind's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from constructions.block import Block, Size, kind_of
from constructions.construction import Construction
from constructions.layout import Heading, Part, Sentence, Style, as_latex, as_text
from constructions.notation import MOST_SLOTS, Notation, first_line
from constructions.parameters import (
    Parameter,
    PerLayer,
    Repeated,
    Unspecified,
    generic,
    generic_prompt,
    lifted,
    parameters,
)
from constructions.scalars import exact
from constructions.stages import Anything, Handover, Iterate, Loop, Single, State
from constructions.stream import Stream

MOST_VALUES = 6
"""How many numbers of a parameter are printed; of a larger one, the first ones or the shape."""


def described(construction: Construction) -> str:
    """The construction for a terminal: parameters, tokens, embedding, layers, invariant, algorithm and read-out."""
    return as_text(described_parts(construction, "text"))


def described_in_latex(construction: Construction) -> str:
    """The construction as one display formula, for a notebook."""
    return as_latex(described_parts(construction, "latex"))


def described_parts(construction: Construction, style: Style) -> Iterator[Part]:
    """The same as headings, sentences, tables and block matrices, whose formulas are in that style."""
    yield Heading(": ".join(filter(None, [type(construction).__name__, first_line(type(construction))])))
    try:
        parts = list(_Drawing(construction, style).parts())
    except TypeError as error:
        # Weights given entry by entry have no symbolic form, and printing a construction must not fail.
        parts = [Sentence(f"It has no form for symbols of unspecified size: {error}")]
    yield from parts


class _Drawing:
    """A construction with everything left free, and what is said of it."""

    def __init__(self, construction: Construction, style: Style) -> None:
        self.given = construction
        self.kind: Any = kind_of(Unspecified("X", "d", "n"))
        self.prompt = generic_prompt(construction).lifted(self.kind)
        self.construction = lifted(generic(construction), self.kind, self.prompt)
        self.stream = self.construction.embed(self.prompt)
        self.write = Notation(style, self.stream)
        self.l = self.kind.lift_scalar(Unspecified("l"))

    def parts(self) -> Iterator[Part]:
        """Everything, in the order of a run."""
        yield from self.parameters()
        yield from self.tokens()
        stages, stream = self.construction.stages(self.prompt), self.stream
        iterate = initial = self.construction.initial(self.prompt)
        for number, stage in enumerate(stages, start=1):
            where = f"Stage {number}, {stage.name}" if len(stages) > 1 else stage.name.capitalize()
            if isinstance(stage, Handover):
                iterate = stage.step(iterate)
                yield Heading(where)
                yield from self.assigned(self.write.arrow, iterate)
            elif isinstance(stage, Loop):
                yield from self.loop(stage, where, stream, self.arbitrary(stage.lengthened(iterate, self.l)))
                iterate = self.arbitrary(stage.lengthened(iterate, stage.times))
                stream = self.after(stage.state(stage.times, iterate), stream)
            else:
                iterate = stage.step(iterate) if stage.step is not None else iterate
                yield from self.single(stage, where, stream, iterate)
                stream = self.after(stage.state(iterate), stream)
        yield from self.algorithm(initial, iterate, stream)

    def parameters(self) -> Iterator[Part]:
        """The symbols left free, and the values given for them."""
        declared = parameters(self.given)
        if declared:
            yield Heading("Parameters, left free below")
        for name, p in declared.items():
            held = getattr(self.given, name)
            index = self.l if p.per_layer and not isinstance(held, Repeated) else None
            letter = Unspecified(p.symbol, p.rows, p.columns, index)
            if p.is_matrix:
                name, symbol = f"{name} ({p.rows} x {p.columns})", self.write.formula(self.kind.lift(letter))
            else:
                symbol = self.write.scalar(self.kind.lift_scalar(letter))
            sign = ", " if isinstance(getattr(held, "value", held), Unspecified) else " = "
            yield Sentence(f"{name}:", f"{symbol}{sign}{self.write.words(_values(held, p))}")

    def tokens(self) -> Iterator[Part]:
        """Slots, groups, order, hypotheses and the embedding."""
        slots = (f"{slot} ({_count(rows, 'row')})" for slot, rows in self.stream.slots.items())
        groups = (f"{group} ({_count(many, 'token')})" for group, many in self.stream.groups.items())
        yield Heading("Tokens")
        yield Sentence(f"slots: {', '.join(slots)}")
        yield Sentence(f"groups: {', '.join(groups)}")
        if self.stream.order != tuple(self.stream.groups):
            strands = (
                strand if isinstance(strand, str) else f"{' and '.join(strand)} in turn" for strand in self.stream.order
            )
            yield Sentence(f"order: {', then '.join(strands)}")
        for relation in self.construction.hypotheses(self.prompt):
            yield self.write.relation("assumed", relation)
        if len(self.stream.slots) > MOST_SLOTS:
            yield Sentence("zero rows and columns of weights are left out")
        yield Heading("embedding:", 1)
        yield self.write.table(self.stream)

    def loop(self, stage: Loop, where: str, stream: Stream, iterate: Iterate) -> Iterator[Part]:
        """The layers of a loop, the state before layer l and the step."""
        weights = list(self.write.layer(stage.layer(self.l)))
        another = list(self.write.layer(stage.layer(self.kind.lift_scalar(Unspecified("k")))))
        looped = ", one set of weights" if weights == another else ""
        yield Heading(f"{where} l = 0, ..., {stage.times - 1}{looped}")
        yield from weights
        yield from self.state(
            "state before layer l, from the iterate of the algorithm:", stage.state(self.l, iterate), stream
        )
        for relation in self.construction.relations(iterate, self.prompt):
            yield self.write.relation("throughout", relation)
        yield Heading("step of the algorithm:", 1)
        yield from self.assigned(self.write.arrow, stage.step(self.l, iterate))

    def single(self, stage: Single, where: str, stream: Stream, iterate: Iterate) -> Iterator[Part]:
        """One layer, the state after it and the iterate there."""
        yield Heading(where)
        yield from self.write.layer(stage.layer)
        yield from self.state("state after it:", stage.state(iterate), stream)
        if stage.step is not None:
            yield Heading("step of the algorithm:", 1)
            yield from self.assigned(self.write.arrow, iterate)

    def state(self, heading: str, state: State | Stream | None, stream: Stream) -> Iterator[Part]:
        """What the tokens hold there, if anything is claimed of it."""
        if state is None:
            yield Heading("no invariant: nothing is claimed of what the tokens hold", 1)
        else:
            yield Heading(heading, 1)
            yield self.write.table(*_claimed(state, stream))

    def after(self, state: State | Stream | None, stream: Stream) -> Stream:
        """The slots and groups after a stage, with what it claims of them."""
        return stream if state is None else _claimed(state, stream)[0]

    def algorithm(self, initial: Iterate, iterate: Iterate, stream: Stream) -> Iterator[Part]:
        """Where the algorithm starts, what it predicts, and where the network holds the prediction."""
        yield Heading("Algorithm")
        yield Heading("start:", 1)
        yield from self.assigned("=", initial)
        places = {
            (slot, group): self.kind.letter(f"{slot}[{group}]", rows, columns)
            for slot, rows in stream.slots.items()
            for group, columns in stream.groups.items()
        }
        read = self.construction.read_out(replace(stream, blocks=places))
        predicted = self.construction.predict(iterate, self.prompt)
        yield Heading("prediction, and where the tokens hold it:", 1)
        yield Sentence("", f"{self.write.formula(predicted)} = {self.write.formula(read)}")

    def arbitrary(self, iterate: Iterate) -> Iterate:
        """Letters of the iterate's shape."""
        if isinstance(iterate, Block):
            return self.kind.letter(self.construction.iterate_symbol, *iterate.shape)
        fields = zip(iterate._fields, iterate, strict=True)
        return type(iterate)(*(self.kind.letter(name, *block.shape) for name, block in fields))

    def assigned(self, sign: str, iterate: Iterate) -> Iterator[Part]:
        """What each block of the iterate is, or becomes."""
        for name, block in zip(_blocks(self.arbitrary(iterate)), _blocks(iterate), strict=True):
            yield Sentence("", f"{self.write.formula(name)} {sign} {self.write.formula(block)}")


def _claimed(state: State | Stream, stream: Stream) -> tuple[Stream, frozenset[tuple[str, str]]]:
    """The state as a stream, and the places of which it claims nothing."""
    if isinstance(state, Stream):
        return state, frozenset()
    free = frozenset(place for place, block in state.items() if isinstance(block, Anything))
    return replace(stream, blocks={place: block for place, block in state.items() if isinstance(block, Block)}), free


def _blocks(iterate: Iterate) -> Sequence[Block]:
    return (iterate,) if isinstance(iterate, Block) else tuple(iterate)


def _count(size: Size, noun: str) -> str:
    return f"{size} {noun}" if str(size) == "1" else f"{size} {noun}s"


def _values(held: Any, p: Parameter) -> str:
    """The value of a parameter, on one line."""
    if isinstance(held, Repeated):
        return f"{_value(held.value)}, the same in every layer"
    if not p.per_layer or held is None:
        return _value(held)
    if isinstance(held, (PerLayer, Unspecified)):
        return "any, one per layer"
    values = [_value(value) for value in held]
    return ", ".join(values[:MOST_VALUES]) + (f", ... ({len(values)} layers)" if len(values) > MOST_VALUES else "")


def _value(held: Any) -> str:
    """A scalar, small lists, or the shape of a matrix."""
    if held is None:
        return "0"
    if isinstance(held, Unspecified):
        return "any"
    if isinstance(held, (list, tuple)):
        rows = [row if isinstance(row, (list, tuple)) else [row] for row in held]
        if sum(map(len, rows)) <= MOST_VALUES:
            return "[" + ", ".join(f"[{', '.join(map(str, row))}]" for row in rows) + "]"
        return f"lists of shape {(len(rows), len(rows[0]))}"
    if hasattr(held, "shape"):
        return f"{type(held).__name__} of shape {tuple(held.shape)}"
    return str(held if isinstance(held, float) else exact(held))

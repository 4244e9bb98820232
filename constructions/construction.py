"""Constructions: weights, the algorithm they are claimed to run, and the invariant that connects the two.

A construction states the algorithm (initial iterate, step, prediction), the layers that run it, and what the residual
stream holds before and after each of them. From these three everything else follows mechanically:

    embed(prompt)                == state(0, initial)              base
    layer(l)(state(l, iterate))  == state(l + 1, step(l, iterate)) step, for an arbitrary iterate within its relations
    read_out(state(k, iterate))  == predict(iterate)               read-out

With symbols of unspecified size these identities are the induction proof for every k, n, d and m; with numbers they
locate the first wrong layer, slot and group.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias, final

from constructions.block import Block, Entry, Size, kind_of, materialised
from constructions.layer import Layer
from constructions.parameters import lifted
from constructions.prompt import Prompt
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
        state: the state after it, from the iterate.
        step: the algorithm's step that the layer runs; None if it runs none.
    """

    layer: Callable[[Stream], Stream]
    state: Callable[[Iterate], State | Stream]
    step: Callable[[Iterate], Iterate] | None = None
    name: str = "layer"


@final
@dataclass(frozen=True)
class Loop:
    """Layers that share a form: layer(l), the step that it runs, and the state before it.

    Args:
        layer: the layer of index l = 0, 1, ...; one weight set looped if it does not depend on l.
        step: the algorithm's step l, iterate -> iterate.
        state: the state before layer l, from l and the iterate.
        times: how many layers; symbolic in a proof.
    """

    layer: Callable[[Index], Callable[[Stream], Stream]]
    step: Callable[[Index, Iterate], Iterate]
    state: Callable[[Index, Iterate], State | Stream]
    times: Size
    name: str = "layer"


Stage: TypeAlias = Single | Loop


class Construction(ABC):
    """A transformer with given weights, and the algorithm that it is claimed to run.

    A subclass is a frozen dataclass; its fields are declared with ``scalar`` and ``matrix`` (see
    ``constructions.parameters``). Every method sees a lifted prompt and lifted parameters: blocks and exact scalars.
    """

    iterate_symbol: ClassVar[str] = "W"
    """How the iterate is called in a proof, if it is a single block; a named tuple names its own."""

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {}
    """Further data that the theorem speaks of, by name, with their rows and columns as names of the prompt's sizes."""

    # The algorithm.

    @abstractmethod
    def initial(self, prompt: Prompt) -> Iterate:
        """The algorithm's first iterate."""

    @abstractmethod
    def step(self, l: Index, iterate: Iterate, prompt: Prompt) -> Iterate:
        """The iterate after step l = 0, 1, ..."""

    @abstractmethod
    def predict(self, iterate: Iterate, prompt: Prompt) -> Block:
        """The algorithm's prediction for the query, (m, 1)."""

    # The weights and the invariant.

    @property
    @abstractmethod
    def depth(self) -> Size:
        """The number of layers of the loop."""

    @abstractmethod
    def embed(self, prompt: Prompt) -> Stream:
        """The stream before the first layer."""

    @abstractmethod
    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Layer l = 0, 1, ..."""

    @abstractmethod
    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State:
        """What the stream holds before layer l."""

    @abstractmethod
    def read_out(self, stream: Stream) -> Block:
        """The transformer's prediction from the last stream."""

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """The network, stage by stage; by default one loop over ``layer``."""
        return (
            Loop(
                layer=lambda l: self.layer(l, prompt),
                step=lambda l, iterate: self.step(l, iterate, prompt),
                state=lambda l, iterate: self.state(l, iterate, prompt),
                times=self.depth,
            ),
        )

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        """What is claimed of every iterate, beside the invariant; proved like it, by induction."""
        return ()

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        """What is assumed of the data; a prompt that violates it is no instance of the theorem."""
        return ()

    def warnings(self, prompt: Prompt) -> tuple[str, ...]:
        """What a user should know before running on this prompt, such as a step size that diverges."""
        return ()

    # Running it.

    def __call__(self, X: Entry, Y: Entry, x_query: Entry) -> Entry:
        """The transformer's prediction for the query, (m, 1), in the kind of number of the prompt.

        Args:
            X: inputs, (d, n), one column per example; floats may have batch dimensions in front.
            Y: targets, (m, n).
            x_query: the query's input, (d, 1).

        Raises:
            TypeError: for mixed kinds of number, integer arrays, or entries that no kind holds.
            ValueError: for shapes that do not fit, empty contexts, NaN and infinities.
        """
        kind = kind_of(X)

        def predicted(*entries: Entry) -> Entry:
            prompt = Prompt(*entries).lifted(kind)
            return materialised(forward(self, prompt), prompt.X).entry

        return kind.in_batches(predicted, X, Y, x_query)

    def __str__(self) -> str:
        from constructions.display import described

        return described(self)

    def _repr_latex_(self) -> str:
        from constructions.display import described_in_latex

        return described_in_latex(self)


def forward(construction: Construction, prompt: Prompt) -> Block:
    """The transformer's prediction, (m, 1), in whatever kind of number the prompt is.

    Args:
        construction: the weights.
        prompt: raw entries, or lifted blocks.
    """
    *_, last = streams(construction, prompt)
    return construction.read_out(last)


def streams(construction: Construction, prompt: Prompt) -> Iterator[Stream]:
    """The residual stream before the first layer and after each layer."""
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    stream = construction.embed(prompt)
    yield stream
    for stage in construction.stages(prompt):
        layers = [stage.layer] if isinstance(stage, Single) else (stage.layer(l) for l in range(stage.times))
        for layer in layers:
            stream = layer(stream)
            yield stream


def iterates(construction: Construction, prompt: Prompt) -> Iterator[Iterate]:
    """The algorithm's iterates: the initial one, then the one after each layer (the same if it runs no step)."""
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    iterate = construction.initial(prompt)
    yield iterate
    for stage in construction.stages(prompt):
        if isinstance(stage, Single):
            iterate = stage.step(iterate) if stage.step is not None else iterate
            yield iterate
        else:
            for l in range(stage.times):
                iterate = stage.step(l, iterate)
                yield iterate


@dataclass(frozen=True)
class Claim:
    """One identity: two blocks that a construction claims to be equal."""

    kind: str
    """``"base"``, ``"step"``, ``"read-out"``, ``"relation"`` or ``"hypothesis"``."""
    layer: Index
    """The layer it is about, counted from 1; None if it is about none."""
    slot: str | None
    group: str | None
    left: Block
    right: Block
    text: str
    """What it says, in words."""

    @property
    def place(self) -> str:
        """Where in the network it is, for messages."""
        layer = "" if self.layer is None else f"layer {self.layer}, "
        slot = "" if self.slot is None else f"slot {self.slot!r} of group {self.group!r}, "
        return f"{layer}{slot}{self.kind}"


def claims(
    construction: Construction,
    prompt: Prompt,
    *,
    indices: Callable[[Size], Iterable[Index]] = range,
    arbitrary: Callable[[Iterate], Iterate] = lambda iterate: iterate,
    anything: Callable[[Size, Size], Block] | None = None,
    change: Callable[[int, Callable[[Stream], Stream]], Callable[[Stream], Stream]] = lambda stage, layer: layer,
) -> Iterator[Claim]:
    """Every identity that makes the construction's claim, for a lifted construction and prompt.

    Args:
        indices: the layer indices at which the step of a loop is claimed, from its length: ``range`` for numbers, one
            symbol for a proof.
        arbitrary: from the iterate reached to the one at which the next step is claimed: itself along a run, fresh
            letters in a proof, random blocks for mutants.
        anything: a block for a slot of which the state claims nothing.
        change: from (number of the stage, layer) to the layer that is run in its place, for mutants.
    """
    iterate = construction.initial(prompt)
    stream = construction.embed(prompt)
    for relation in construction.hypotheses(prompt):
        yield Claim("hypothesis", None, None, None, relation.left, relation.right, relation.name)
    yield from _relation_claims(construction, iterate, prompt, 0, "of the initial iterate")
    done: Index = 0
    for number, stage in enumerate(construction.stages(prompt)):
        if isinstance(stage, Single):
            if stage.step is not None:
                iterate = stage.step(iterate)
            claimed = _claimed(stage.state(iterate), stream)
            result = change(number, stage.layer)(stream)
            yield from _stream_claims("step", done + 1, result, claimed, f"after {stage.name} {done + 1}")
            stream, done = _filled(claimed, anything), done + 1
            continue
        yield from _stream_claims(
            "base",
            done or None,
            stream,
            _claimed(stage.state(0, iterate), stream),
            "embedding" if not done else f"after layer {done}",
        )
        for l in indices(stage.times):
            iterate = arbitrary(iterate)
            stream = _filled(_claimed(stage.state(l, iterate), stream), anything)
            following = stage.step(l, iterate)
            result = change(number, stage.layer(l))(stream)
            yield from _stream_claims(
                "step",
                done + l + 1,
                result,
                _claimed(stage.state(l + 1, following), stream),
                f"after {stage.name} {done + l + 1}",
            )
            yield from _relation_claims(construction, following, prompt, done + l + 1, f"after step {done + l + 1}")
            iterate = following
        iterate = arbitrary(iterate)
        stream = _filled(_claimed(stage.state(stage.times, iterate), stream), anything)
        done = done + stage.times
    left, right = construction.read_out(stream), construction.predict(iterate, prompt)
    yield Claim("read-out", done, None, None, left, right, "the prediction")


def _relation_claims(
    construction: Construction, iterate: Iterate, prompt: Prompt, layer: Index, when: str
) -> Iterator[Claim]:
    for relation in construction.relations(iterate, prompt):
        yield Claim("relation", layer, None, None, relation.left, relation.right, f"{relation.name} ({when})")


def _claimed(state: State | Stream, stream: Stream) -> tuple[Stream, frozenset[tuple[str, str]]]:
    """The state as a stream, and the places of which it claims nothing."""
    if isinstance(state, Stream):
        return state, frozenset()
    free = frozenset(place for place, block in state.items() if isinstance(block, Anything))
    blocks = {place: block for place, block in state.items() if isinstance(block, Block)}
    return replace(stream, blocks=blocks), free


def _filled(
    claimed: tuple[Stream, frozenset[tuple[str, str]]], anything: Callable[[Size, Size], Block] | None
) -> Stream:
    stream, free = claimed
    if not free:
        return stream
    if anything is None:
        raise ValueError(f"the state claims nothing of {sorted(free)}: pass anything= to fill these places")
    added = {(slot, group): anything(stream.slots[slot], stream.groups[group]) for slot, group in sorted(free)}
    return replace(stream, blocks={**stream.blocks, **added})


def _stream_claims(
    kind: str, layer: Index, left: Stream, claimed: tuple[Stream, frozenset[tuple[str, str]]], when: str
) -> Iterator[Claim]:
    right, free = claimed
    if dict(left.groups) != dict(right.groups) or dict(left.slots) != dict(right.slots):
        raise ValueError(
            f"{when} the stream has slots {dict(left.slots)} and groups {dict(left.groups)}, but the state claims "
            f"slots {dict(right.slots)} and groups {dict(right.groups)}"
        )
    for group in right.groups:
        for slot in right.slots:
            if (slot, group) not in free and ((slot, group) in left.blocks or (slot, group) in right.blocks):
                yield Claim(
                    kind,
                    layer,
                    slot,
                    group,
                    left[slot, group],
                    right[slot, group],
                    f"{slot} of {group}, {when}",
                )

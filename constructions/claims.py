"""Claims: every identity that makes a construction what it says it is, in whatever kind of number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.located import located
from constructions.prompt import Prompt
from constructions.stages import Anything, Handover, Index, Iterate, Single, State
from constructions.stream import Stream

END_TO_END = "end to end"
"""The kind of the claim about the uninterrupted forward pass."""


class NoInvariant(ValueError):
    """The construction claims nothing of its layers, and their number is not known: there is no induction."""


@dataclass(frozen=True)
class Claim:
    """One identity: two blocks that a construction claims to be equal."""

    kind: str
    """``"base"``, ``"step"``, ``"read-out"``, ``"end to end"``, ``"relation"``, ``"lemma"`` or ``"hypothesis"``."""
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
    lemmas: bool = True,
) -> Iterator[Claim]:
    """Every identity that makes the construction's claim, for a lifted construction and prompt.

    Args:
        indices: the layer indices at which the step of a loop is claimed, from its length: ``range`` for numbers, one
            symbol for a proof.
        arbitrary: from the iterate reached to the one at which the next step is claimed: itself along a run, fresh
            letters in a proof, random blocks for mutants.
        anything: a block for a slot of which the state claims nothing.
        change: from (number of the stage, layer) to the layer that is run in its place, for mutants.
        lemmas: whether to claim the lemmas, which no change of a layer touches.
    """

    def run(stage: int, layer: Callable[[Stream], Stream], l: Index, stream: Stream) -> Stream:
        with located(f"layer {l}"):
            return change(stage, layer)(stream)

    iterate = construction.initial(prompt)
    stream = construction.embed(prompt)
    for relation in construction.hypotheses(prompt):
        yield Claim("hypothesis", None, None, None, relation.left, relation.right, relation.name)
    for relation in construction.lemmas(prompt) if lemmas else ():
        yield Claim("lemma", None, None, None, relation.left, relation.right, relation.name)
    yield from _relation_claims(construction, iterate, prompt, 0, "of the initial iterate")
    done: Index = 0
    interrupted = False
    for number, stage in enumerate(construction.stages(prompt)):
        if isinstance(stage, Single):
            if stage.step is not None:
                iterate = stage.step(iterate)
            state, result = stage.state(iterate), run(number, stage.layer, done + 1, stream)
            if state is not None:
                claimed, interrupted = _claimed(state, stream), True
                yield from _stream_claims("step", done + 1, result, claimed, f"after {stage.name} {done + 1}")
                result = _filled(claimed, anything)
            if stage.step is not None:
                yield from _relation_claims(construction, iterate, prompt, done + 1, f"after {stage.name} {done + 1}")
            stream, done = result, done + 1
            continue
        if isinstance(stage, Handover):
            iterate = stage.step(iterate)
            yield from _relation_claims(construction, iterate, prompt, done, f"after the {stage.name}")
            continue
        first = stage.state(0, iterate)
        if first is None:
            for l in range(_known(stage.times, construction)):
                stream, iterate = run(number, stage.layer(l), done + l + 1, stream), stage.step(l, iterate)
                yield from _relation_claims(construction, iterate, prompt, done + l + 1, f"after step {done + l + 1}")
            done = done + stage.times
            continue
        interrupted = True
        yield from _stream_claims(
            "base",
            None if isinstance(done, int) and done == 0 else done,
            stream,
            _claimed(first, stream),
            "embedding" if isinstance(done, int) and done == 0 else f"after layer {done}",
        )
        reached: Index = 0
        for l in indices(stage.times):
            iterate = arbitrary(stage.lengthened(iterate, l - reached))
            stream = _filled(_claimed(stage.state(l, iterate), stream), anything)
            following = stage.step(l, iterate)
            _require_same_form(stage.lengthened(iterate, 1), following)
            result = run(number, stage.layer(l), done + l + 1, stream)
            yield from _stream_claims(
                "step",
                done + l + 1,
                result,
                _claimed(stage.state(l + 1, following), stream),
                f"after {stage.name} {done + l + 1}",
            )
            yield from _relation_claims(construction, following, prompt, done + l + 1, f"after step {done + l + 1}")
            iterate, reached = following, l + 1
        iterate = arbitrary(stage.lengthened(iterate, stage.times - reached))
        stream = _filled(_claimed(stage.state(stage.times, iterate), stream), anything)
        done = done + stage.times
    left, right = construction.read_out(stream), construction.predict(iterate, prompt)
    if interrupted:
        yield Claim("read-out", done, None, None, left, right, "the prediction")
    else:
        yield Claim(END_TO_END, None, None, None, left, right, "the prediction of the uninterrupted forward pass")


def _known(times: Size, construction: Construction) -> int:
    """The number of layers of which nothing is claimed.

    Raises:
        NoInvariant: if it is a symbol.
    """
    if not isinstance(times, int):
        raise NoInvariant(
            f"{type(construction).__name__} has no invariant, so that nothing can be proved for every number of layers "
            "at once: write its state, or prove it for one number of layers, prove(construction, layers=2)"
        )
    return times


def _require_same_form(iterate: Iterate, following: Iterate) -> None:
    """Refuses a step of a loop that changes the shape of the iterate otherwise than the loop says.

    Raises:
        ValueError: if it does.
    """
    pair = [(each,) if isinstance(each, Block) else tuple(each) for each in (iterate, following)]
    shapes = [[block.shape for block in each] for each in pair]
    if type(following) is not type(iterate) and not all(isinstance(each, Block) for each in (iterate, following)):
        raise ValueError(f"a step of a loop turns a {type(iterate).__name__} into a {type(following).__name__}")
    if shapes[0] != shapes[1]:
        raise ValueError(f"a step of a loop changes the iterate's shapes from {shapes[0]} to {shapes[1]}")


def _relation_claims(
    construction: Construction, iterate: Iterate, prompt: Prompt, layer: Index, when: str
) -> Iterator[Claim]:
    for relation in construction.relations(iterate, prompt):
        yield Claim("relation", layer, None, None, relation.left, relation.right, f"{relation.name} ({when})")


def _claimed(state: State | Stream | None, stream: Stream) -> tuple[Stream, frozenset[tuple[str, str]]]:
    """The state as a stream, and the places of which it claims nothing."""
    if state is None:
        raise ValueError(
            "the state is None for some layers of a loop and not for others: it must be so for all or none"
        )
    if isinstance(state, Stream):
        return state, frozenset()
    for place, block in state.items():
        if not isinstance(block, (Block, Anything)):
            raise TypeError(f"the state of {place} must be a block or ANYTHING, but {type(block).__name__} came")
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
    tables = [(dict(each.groups), dict(each.slots), each.order) for each in (left, right)]
    if tables[0] != tables[1]:
        raise ValueError(f"{when} the stream has (groups, slots, order) {tables[0]}, but the state claims {tables[1]}")
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

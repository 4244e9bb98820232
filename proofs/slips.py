"""Known slips: changes to a construction that fails, each the inverse of a common mistake, and which of them mend it.

A hint is found, not guessed: the change is made to the weights and the whole check is run again. Only a change after
which everything holds is named, with whether that is then proved for all sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from constructions.attention import EVERY_TOKEN, Mask
from constructions.block import Block, compare
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.decoding import layer_in, with_layer
from constructions.layer import Attention, Layer
from constructions.parameters import Repeated, lifted, parameters
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import ANYTHING, Index, Loop, Single, Stage, State, layers_of
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.check import NotAnInstance, check
from numerics.mutations import Instance, Mutation, edited, mutations, weight_blocks
from proofs.induction import prove

MOST_HINTS = 3
"""How many changes that mend a construction are named."""

LayerChange: TypeAlias = Callable[[Construction, Prompt, int, Index, Any], Any]
"""From (construction, prompt, number of the stage, index in the stage, layer) to the layer in its place."""

Factor: TypeAlias = Callable[[Any, Prompt, Index], Scalar]
"""From (construction, prompt, index in the stage) to the number that a weight is multiplied by."""


@dataclass(frozen=True)
class Change:
    """A change to a construction, the inverse of a slip.

    Args:
        text: what to do, in words.
        layer: to its layers.
        embed: to its embedding.
        read_out: to what is read out, from the last stream and that.
        state: to its invariant.
    """

    text: str
    layer: LayerChange = lambda construction, prompt, stage, l, layer: layer
    embed: Callable[[Stream], Stream] = lambda stream: stream
    read_out: Callable[[Stream, Block], Block] = lambda stream, block: block
    state: Callable[[State], State] = lambda state: state


def hints(construction: Construction, instances: Sequence[Instance], at: Index | None = None) -> tuple[str, ...]:
    """The changes that mend a construction, at most ``MOST_HINTS``, in words; none where it is no known slip.

    Args:
        construction: one that fails.
        instances: instances of it in rationals or balls: the first is one on which it fails, the last is large enough
            to tell a matrix from its transpose, and its parameters are not 0.
        at: the layer at fault, from 1; None if no layer is.
    """
    typical, prompt = instances[-1]
    held = prompt.lifted()
    found: list[str] = []
    for change in _changes(lifted(typical, type(held.X), held), held, at):
        if len(found) < MOST_HINTS and all(_holds(changed(each, change), prompt) for each, prompt in instances):
            found.append(f"{change.text}; then the check passes, {_established(changed(construction, change))}")
    return tuple(found)


def changed(construction: Construction, change: Change) -> Construction:
    """The construction with a change made to it, in whatever kind of number it is run."""
    cls: Any = type(construction)

    def stages(self: Any, prompt: Prompt) -> tuple[Stage, ...]:
        return tuple(stage_changed(self, prompt, *each) for each in enumerate(cls.stages(self, prompt)))

    def stage_changed(self: Any, prompt: Prompt, number: int, stage: Stage) -> Stage:
        if isinstance(stage, Single):
            return replace(stage, layer=change.layer(self, prompt, number, 0, stage.layer))
        if isinstance(stage, Loop):
            return replace(stage, layer=lambda l: change.layer(self, prompt, number, l, stage.layer(l)))
        return stage

    namespace = {
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "stages": stages,
        "embed": lambda self, prompt: change.embed(cls.embed(self, prompt)),
        "read_out": lambda self, stream: change.read_out(stream, cls.read_out(self, stream)),
        "state": lambda self, *given: change.state(cls.state(self, *given)),
    }
    made: Construction = object.__new__(type(cls.__name__, (cls,), namespace))
    vars(made).update(vars(construction))
    return made


def _holds(construction: Construction, prompt: Prompt) -> bool:
    """Whether everything that is claimed holds on a prompt; what cannot be run does not."""
    try:
        return check(construction, prompt).holds
    except NotAnInstance:
        return True
    except (ValueError, TypeError, ArithmeticError, LookupError):
        return False


def _established(construction: Construction) -> str:
    try:
        proved = prove(construction).holds
    except (ValueError, TypeError, ArithmeticError, LookupError):
        proved = False
    return "and is proved for all sizes" if proved else "on every instance tried"


def _changes(construction: Construction, prompt: Prompt, at: Index | None) -> Iterator[Change]:
    """The inverse of every known slip of a lifted construction, the likeliest first."""
    places = [place for place in mutations(construction, prompt) if place.change == "negated"]
    blocks = sorted(places, key=lambda place: place.weight in ("query", "key"))  # of equals the value is named first
    in_layers = [
        *(_scaled(place, "change its sign", lambda *_: -1) for place in blocks),
        *(_transposed(place) for place in blocks if place.block is not None),
        *_masked(construction, prompt),
        *_of_its_own_layer(construction, prompt),
        *(_scaled(place, *scaling) for scaling in _scalings(construction) for place in blocks),
        *_in_another_order(construction, prompt),
    ]
    yield from in_layers
    yield from _embedded(construction.embed(prompt))
    yield from _read_out(construction, prompt)
    yield from _claimed(construction.embed(prompt))
    if isinstance(at, int) and len(construction.stages(prompt)) == 1:
        yield from (_only_in(at, change) for change in in_layers)


def _scaled(place: Mutation, said: str, factor: Factor) -> Change:
    """One block, or factor, multiplied by a number."""

    def scaled(value: Any, *given: Any) -> Any:
        return value.scale(factor(*given)) if isinstance(value, Block) else factor(*given) * value

    return Change(f"{place.place_in_the_layer}: {said}", _at(place, scaled))


def _transposed(place: Mutation) -> Change:
    def transposed(value: Any, *_: Any) -> Any:
        return value.T if isinstance(value, Block) else value

    return Change(f"{place.place_in_the_layer}: transpose it", _at(place, transposed))


def _scalings(construction: Construction) -> Iterator[tuple[str, Factor]]:
    """What a weight may lack, or have too much of: n, two, a step size, or that of its own layer."""
    yield "divide it by n", lambda _, prompt, l: ratio(1, prompt.n)
    yield "multiply it by n", lambda _, prompt, l: prompt.n
    yield "halve it", lambda *_: ratio(1, 2)
    yield "double it", lambda *_: 2
    for name, p in parameters(construction).items():
        if p.is_matrix or p.counts_layers or getattr(construction, name) is None:
            continue
        symbol = f"{p.symbol}_l" if p.per_layer else p.symbol

        def value(self: Any, l: Index, name: str = name, per_layer: bool = p.per_layer) -> Scalar:
            return getattr(self, name)[l] if per_layer else getattr(self, name)

        yield f"multiply it by {symbol}", lambda self, _, l, value=value: value(self, l)  # type: ignore[misc]
        yield f"divide it by {symbol}", lambda self, _, l, value=value: ratio(1, value(self, l))  # type: ignore[misc]


def _of_its_own_layer(construction: Construction, prompt: Prompt) -> Iterator[Change]:
    """A parameter read at another layer than that of the weights: its own is read in its place."""
    if type(construction).stages is not Construction.stages or construction.depth < 2:
        return
    for name, p in parameters(construction).items():
        if p.per_layer and getattr(construction, name) is not None:

            def layer(self: Any, prompt: Prompt, stage: int, l: Index, held: Any, name: str = name) -> Any:
                return replace(self, **{name: Repeated(getattr(self, name)[l], self.depth)}).layer(l, prompt)

            was, becomes = (
                dict(weight_blocks(each))
                for each in (construction.layer(1, prompt), layer(construction, prompt, 0, 1, None))
            )
            moved = [place for place, block in was.items() if not _is_equal(block, becomes.get(place))]
            yield Change(f"{'; '.join(moved) or 'the layer'}: use {p.symbol} of its own layer", layer)


def _is_equal(a: Any, b: Any) -> bool:
    """Whether two blocks of weights are equal, in numbers."""
    if isinstance(a, Block) and isinstance(b, Block):
        return a.shape == b.shape and compare(a, b).verdict is Verdict.EQUAL
    return bool(type(a) is type(b) and a == b)


def _at(place: Mutation, edit: Callable[..., Any]) -> LayerChange:
    """The change of one block or factor, ``edit(value, construction, prompt, l)``, in every layer of its stage."""

    def layer(self: Construction, prompt: Prompt, stage: int, l: Index, held: Any) -> Any:
        def change(owner: Any) -> Any:
            weight = getattr(owner, place.weight, None)
            if weight is None or (place.block is not None and place.block not in weight):
                return owner
            if place.block is None:
                return replace(owner, **{place.weight: edit(weight, self, prompt, l)})
            block = edit(weight[place.block], self, prompt, l)
            new = weight.replaced(place.block, block) if isinstance(weight, Weight) else {**weight, place.block: block}
            return replace(owner, **{place.weight: new})

        return held if stage != place.stage else edited(held, place.sublayer, place.head, change)

    return layer


def _masked(construction: Construction, prompt: Prompt) -> Iterator[Change]:
    """Every head with other groups as keys: all tokens, all groups but one, or one alone."""
    groups = tuple(construction.embed(prompt).groups)
    others = (tuple(each for each in groups if each != group) for group in groups)
    subsets = dict.fromkeys([*others, *((group,) for group in groups)])
    masks = [(f"only {' and '.join(keys)} tokens may be keys", Mask(keys)) for keys in subsets if keys]
    masks.append(("every token must be a key", EVERY_TOKEN))
    for number, sublayer, layer in _parts(construction, prompt):
        if isinstance(part := layer.sublayers[sublayer], Attention):
            for head in range(len(part.heads)):
                for said, mask in masks:
                    text = f"sublayer {sublayer + 1}, head {head + 1}, mask: {said}"
                    yield Change(text, _with_mask(number, sublayer, head, mask))


def _with_mask(number: int, sublayer: int, head: int, mask: Mask) -> LayerChange:
    def layer(self: Construction, prompt: Prompt, stage: int, l: Index, held: Any) -> Any:
        return held if stage != number else edited(held, sublayer, head, lambda each: replace(each, mask=mask))

    return layer


def _in_another_order(construction: Construction, prompt: Prompt) -> Iterator[Change]:
    """Two sublayers after one another, exchanged."""
    for number, first, _ in _parts(construction, prompt):

        def layer(
            self: Any, prompt: Prompt, stage: int, l: Index, held: Any, number: int = number, first: int = first
        ) -> Any:
            parts = list(inner.sublayers) if (inner := layer_in(held)) is not None else []
            if stage != number or first + 1 >= len(parts):
                return held
            parts[first : first + 2] = parts[first + 1], parts[first]
            return with_layer(held, Layer(*parts))

        yield Change(f"sublayers {first + 1} and {first + 2}: exchange them", layer)


def _parts(construction: Construction, prompt: Prompt) -> Iterator[tuple[int, int, Layer]]:
    """(number of the stage, position of a sublayer, its layer), from the first layer of every stage."""
    for number, stage in enumerate(construction.stages(prompt)):
        layer = layer_in(next(layers_of(stage), None))  # type: ignore[arg-type]  # None is no layer either
        for sublayer in range(len(layer.sublayers)) if layer is not None else ():
            assert layer is not None
            yield number, sublayer, layer


def _embedded(stream: Stream) -> Iterator[Change]:
    for slot, group in stream.blocks:
        for said, factor in (("change its sign", -1), ("leave it out", 0)):

            def embed(stream: Stream, place: tuple[str, str] = (slot, group), factor: int = factor) -> Stream:
                return stream.holding({**stream.blocks, place: stream[place].scale(factor)})

            yield Change(f"embedding, {slot} of {group}: {said}", embed=embed)


def _read_out(construction: Construction, prompt: Prompt) -> Iterator[Change]:
    stream = construction.embed(prompt)
    yield Change("read-out: change its sign", read_out=lambda _, block: -block)
    for slot in stream.slots:
        for group in stream.groups:
            for sign, written in ((1, ""), (-1, "minus ")):

                def read(stream: Stream, _: Block, place: tuple[str, str] = (slot, group), sign: int = sign) -> Block:
                    return stream[place].scale(sign)

                yield Change(f"read-out: read {written}the slot {slot} of {group}", read_out=read)


def _claimed(stream: Stream) -> Iterator[Change]:
    """Another claim of the invariant, for weights that need no change."""
    for place in ((slot, group) for slot in stream.slots for group in stream.groups):

        def negated(state: Any, place: tuple[str, str] = place) -> Any:
            held = state.get(place) if isinstance(state, Mapping) else None
            return {**state, place: -held} if isinstance(held, Block) else state

        def dropped(state: Any, place: tuple[str, str] = place) -> Any:
            return {**state, place: ANYTHING} if isinstance(state, Mapping) else state

        where = f"the state of {place[0]} of {place[1]}"
        yield Change(f"{where}: change its sign", state=negated)
        yield Change(f"{where}: claim ANYTHING, as nothing needs it", state=dropped)


def _only_in(at: int, change: Change) -> Change:
    def layer(self: Construction, prompt: Prompt, stage: int, l: Index, held: Any) -> Any:
        return change.layer(self, prompt, stage, l, held) if l == at - 1 else held

    return Change(f"in layer {at} only, {change.text}", layer)

"""Mutations: every way of negating, doubling or deleting one block of one weight, or a factor, or of dropping a mask.

A construction whose proof survives such a change has a weight that does not matter, or a checker that does not look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from constructions.attention import EVERY_TOKEN, Head, is_unscaled
from constructions.block import Block
from constructions.construction import Construction
from constructions.decoding import layer_in, with_layer
from constructions.layer import MLP, Attention, Layer, Sublayer, TokenMap
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import Iterate, Loop, Stage, layers_of
from constructions.weights import Weight
from numerics.check import Failure, check, deciding_kind, restarts
from numerics.instances import arbitrary_like
from numerics.tasks import Randomness, generator

Instance: TypeAlias = tuple[Construction, Prompt]
"""A construction with its parameters drawn, and a prompt of the same kind of number."""

CHANGES: dict[str, Scalar] = {"negated": -1, "doubled": 2, "deleted": 0}
"""What a mutation does to a block or to a factor: by which number it is multiplied."""

DROPPED = "dropped"
"""What a mutation does to a mask: every token becomes a key for every token."""

_WEIGHTS: dict[type[Any], tuple[str, ...]] = {
    Head: ("query", "key", "value", "projection"),
    TokenMap: ("weight",),
    MLP: ("inner", "outer", "inner_bias", "outer_bias"),
}


@dataclass(frozen=True)
class Mutation:
    """One changed block.

    Args:
        stage: the number of the stage of the network, from 0; every layer of a loop is changed alike.
        sublayer, head: where in the layer, from 0; the head is None outside attention.
        weight: the field that is changed, such as ``"value"``, ``"factor"`` or ``"mask"``.
        block: (slot out, slot in), or the slot of a bias; None for a factor and a mask.
        change: ``"negated"``, ``"doubled"``, ``"deleted"`` or ``"dropped"``.
    """

    stage: int
    sublayer: int
    head: int | None
    weight: str
    block: Any
    change: str

    def __call__(self, stage: int, layer: Any) -> Any:
        """The layer of that stage with the block changed."""
        return layer if stage != self.stage else edited(layer, self.sublayer, self.head, self._changed)

    def _changed(self, owner: Any) -> Any:
        if self.change == DROPPED:
            return replace(owner, mask=EVERY_TOKEN)
        held, factor = getattr(owner, self.weight, None), CHANGES[self.change]
        if held is None or (self.block is not None and self.block not in held):
            return owner
        if self.block is None:
            return replace(owner, **{self.weight: factor * held})
        block = held[self.block]
        changed = block.scale(factor) if isinstance(block, Block) else factor * block
        new = held.replaced(self.block, changed) if isinstance(held, Weight) else {**held, self.block: changed}
        return replace(owner, **{self.weight: new})

    @property
    def place(self) -> str:
        """Where the changed block is."""
        return f"stage {self.stage + 1}, {self.place_in_the_layer}"

    @property
    def place_in_the_layer(self) -> str:
        """Where the changed block is, in its layer."""
        return _placed(self.sublayer + 1, None if self.head is None else self.head + 1, self.weight, self.block)

    def __str__(self) -> str:
        return f"{self.place} {self.change}"


def _placed(sublayer: int, head: int | None, weight: str, block: Any) -> str:
    """Where a block of a weight, or a factor or mask, is in its layer; the sublayer and the head counted from 1."""
    where = f"sublayer {sublayer}, {'' if head is None else f'head {head}, '}{weight}"
    if block is None:
        return where
    return f"{where}, block {block[0]} <- {block[1]}" if isinstance(block, tuple) else f"{where}, slot {block}"


def edited(layer: Any, sublayer: int, head: int | None, edit: Callable[[Any], Any]) -> Any:
    """The layer with one head, or one sublayer without heads, edited; the layer itself if it has none there."""
    held = layer_in(layer)
    if held is None or sublayer >= len(held.sublayers):
        return layer
    parts = list(held.sublayers)
    part = parts[sublayer]
    if head is None:
        parts[sublayer] = edit(part)
    elif isinstance(part, Attention) and head < len(part.heads):
        heads = list(part.heads)
        heads[head] = edit(heads[head])
        parts[sublayer] = Attention(*heads, skip=part.skip)
    return with_layer(layer, Layer(*parts))


def mutations(construction: Construction, prompt: Prompt) -> Iterator[Mutation]:
    """Every mutation of a construction, from a lifted construction and prompt (of any kind).

    Those of a loop are the ones of its layers 0 and 1, or of all layers if their number is known: a block that is zero
    in one need not be so in the other.
    """
    for number, stage in enumerate(construction.stages(prompt)):
        yield from dict.fromkeys(mutation for layer in _layers(stage) for mutation in _mutations_of(layer, number))


def _layers(stage: Stage) -> Iterator[Layer | None]:
    """The layers of a stage whose weights are mutated: of a loop of unknown length two."""
    if isinstance(stage, Loop):
        many = stage.times if isinstance(stage.times, int) else 2
        yield from (layer_in(stage.layer(l)) for l in range(many))
    else:
        yield from map(layer_in, layers_of(stage))


def _mutations_of(layer: Layer | None, number: int) -> Iterator[Mutation]:
    for position, head, owner in _owners(layer):
        changed = [
            (weight, block) for weight in _WEIGHTS.get(type(owner), ()) for block in getattr(owner, weight) or ()
        ]
        if isinstance(owner, Head) and not is_unscaled(owner):
            changed.append(("factor", None))
        for weight, block in changed:
            for change in CHANGES:
                yield Mutation(number, position, head, weight, block, change)
        if isinstance(owner, Head) and owner.mask != EVERY_TOKEN:
            yield Mutation(number, position, head, "mask", None, DROPPED)


def _owners(layer: Layer | None) -> Iterator[tuple[int, int | None, Head | Sublayer]]:
    """What has weights in a layer: (sublayer, head, owner), the head None outside attention."""
    for position, part in enumerate(layer.sublayers if layer is not None else ()):
        if isinstance(part, Attention):
            yield from ((position, number, head) for number, head in enumerate(part.heads))
        else:
            yield position, None, part


def weight_blocks(part_of_network: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Every block of every weight and bias of a layer, with where it is; none of a map of streams without weights."""
    for position, head, owner in _owners(layer_in(part_of_network)):
        number = None if head is None else head + 1
        for weight in _WEIGHTS.get(type(owner), ()):
            for slots, block in (getattr(owner, weight) or {}).items():
                yield _placed(position + 1, number, weight, slots), block


def refutation_of(mutation: Mutation, instances: Sequence[Instance], seed: Randomness) -> Failure | None:
    """The first claim that the mutant fails on some instance, from arbitrary iterates; None if it survives them all.

    Where the construction declares relations of its iterates, the iterates of a run are taken in place of arbitrary
    ones, since random blocks do not satisfy them.
    """
    rng = generator(seed)
    for construction, prompt in instances:
        report = check(
            construction,
            prompt,
            arbitrary=arbitrary_iterates(construction, prompt, rng),
            end_to_end=False,
            change=mutation,
            lemmas=False,
        )
        if report.failure is not None:
            return report.failure
    return None


def arbitrary_iterates(construction: Construction, prompt: Prompt, seed: Randomness) -> Callable[[Iterate], Iterate]:
    """The map from the iterate reached to a random one, or to itself where the iterates satisfy relations."""
    rng = generator(seed)
    kind = deciding_kind(prompt.X)
    held = prompt.lifted(kind)
    live = lifted(construction, kind, held)
    if live.relations(live.initial(held), held):
        return restarts(live, held)
    return lambda iterate: arbitrary_like(iterate, rng, like=held.X)

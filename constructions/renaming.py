"""Layers under other names: the same weights for a stream that calls its slots and groups something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from constructions.attention import Head, Mask
from constructions.layer import MLP, Attention, Layer, Sublayer, TokenMap
from constructions.weights import Weight

Names = Mapping[str, str]
"""From the name that a layer was written with to the one that the stream has; a name left out stays."""


def renamed(layer: Layer, slots: Names, groups: Names) -> Layer:
    """The layer for a stream whose slots and groups have other names.

    Args:
        layer: made of attention, token maps and MLPs.
        slots, groups: from the old names to the new ones. Key, value and hidden spaces keep their names.

    Raises:
        TypeError: for a layer, or a part of one, whose names are unknown.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"a {type(layer).__name__} is no Layer, so its slots cannot be renamed")
    return Layer(*(_renamed_part(part, slots, groups) for part in layer.sublayers))


def _renamed_part(part: Sublayer, slots: Names, groups: Names) -> Sublayer:
    if isinstance(part, Attention):
        return Attention(*(_renamed_head(head, slots, groups) for head in part.heads), skip=part.skip)
    if isinstance(part, TokenMap):
        return replace(part, weight=_from_token(_to_token(part.weight, slots), slots))
    if isinstance(part, MLP):
        bias = part.outer_bias
        return replace(
            part,
            inner=_from_token(part.inner, slots),
            outer=_to_token(part.outer, slots),
            outer_bias=None if bias is None else {slots.get(slot, slot): column for slot, column in bias.items()},
        )
    raise TypeError(f"a {type(part).__name__} is no attention, token map or MLP, so its slots cannot be renamed")


def _renamed_head(head: Head, slots: Names, groups: Names) -> Head:
    value = _from_token(head.value, slots)
    return replace(
        head,
        key=_from_token(head.key, slots),
        query=_from_token(head.query, slots),
        value=_to_token(value, slots) if head.projection is None else value,
        projection=None if head.projection is None else _to_token(head.projection, slots),
        mask=_renamed_mask(head.mask, groups),
    )


def _renamed_mask(mask: Mask, groups: Names) -> Mask:
    def new(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(groups.get(name, name) for name in names)

    if mask.keys is None:
        return mask
    if isinstance(mask.keys, Mapping):
        return replace(mask, keys={groups.get(group, group): new(keys) for group, keys in mask.keys.items()})
    return replace(mask, keys=new(mask.keys))


def _from_token(weight: Weight, slots: Names) -> Weight:
    return Weight({(out, slots.get(slot, slot)): block for (out, slot), block in weight.items()})


def _to_token(weight: Weight, slots: Names) -> Weight:
    return Weight({(slots.get(out, out), slot): block for (out, slot), block in weight.items()})

"""Decoding: a transformer generates tokens, each the last column of its output, appended to its input unchanged.

Symbols: D the width of a token, T the number of tokens; Z (D, T), f a layer.

    Z <- [Z, f(Z)[:, T]]

The tokens that are there are never rewritten: of the output only the last column is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from constructions.attention import Mask
from constructions.block import Size
from constructions.layer import Attention, Layer, Sublayer
from constructions.stream import Stream


@final
@dataclass(frozen=True)
class Decoding:
    """One generated token: the layer runs on all tokens, and the last column of what it makes is appended.

    Of the last sublayer only that column is computed, so that a token costs time linear in the number of tokens there
    are: attention to them, and a copy of ``past``. (Where generated tokens have neither key nor value, as in gradient
    descent, the copy alone grows: 1000 float64 tokens take 4 times as long as 250.)

    Args:
        layer: f.
        last: the group of the last token, which is replaced by the generated one.
        past: the group, before it in the order, that the token which was the last one joins.
    """

    layer: Layer
    last: str = "last"
    past: str = "past"

    def __call__(self, stream: Stream) -> Stream:
        """The stream with one more token.

        Raises:
            ValueError: if the stream does not end with the groups ``past`` and ``last``, the latter a single token.
        """
        self._require_order(stream)
        generated, inner = stream, self.layer.sublayers
        for sublayer in (*inner[:-1], *(_asked_by(self.last, each, stream) for each in inner[-1:])):
            generated = sublayer(generated)
        appended = stream.append(self.past, stream.tokens(self.last))
        kept = {place: block for place, block in appended.blocks.items() if place[1] != self.last}
        token = {(slot, self.last): block for slot, block in generated.tokens(self.last).items()}
        return replace(appended, blocks={**kept, **token})

    def grown(self, stream: Stream) -> Stream:
        """The groups after one more token, nothing being said of what ``past`` and ``last`` hold."""
        kept = {place: block for place, block in stream.blocks.items() if place[1] not in (self.past, self.last)}
        return replace(stream, groups={**stream.groups, self.past: stream.groups[self.past] + 1}, blocks=kept)

    def _require_order(self, stream: Stream) -> None:
        size: Size = stream.groups.get(self.last)
        if stream.order[-2:] != (self.past, self.last) or size != 1:
            raise ValueError(
                f"decoding needs a stream whose order ends with the groups {self.past!r} and {self.last!r}, the latter "
                f"a single token, but the order {stream.order} with {size} tokens in {self.last!r} came"
            )


def layer_in(part: Callable[[Stream], Stream]) -> Layer | None:
    """The layer whose weights a map of streams has: itself, or what it decodes with; None if it has none."""
    if isinstance(part, Decoding):
        return part.layer
    return part if isinstance(part, Layer) else None


def with_layer(part: Callable[[Stream], Stream], layer: Layer) -> Callable[[Stream], Stream]:
    """The map of streams with another layer in the place of its own."""
    return replace(part, layer=layer) if isinstance(part, Decoding) else layer


def _asked_by(group: str, sublayer: Sublayer, stream: Stream) -> Sublayer:
    """The sublayer with the tokens of the group as its only queries."""
    if not isinstance(sublayer, Attention):
        return sublayer
    masks = (Mask({group: head.mask.key_groups(stream, group)}, head.mask.pattern) for head in sublayer.heads)
    heads = (replace(head, mask=mask) for head, mask in zip(sublayer.heads, masks, strict=True))
    return Attention(*heads, skip=sublayer.skip)

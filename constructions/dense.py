"""Dense weights: the papers' full matrices of every head, and a plain forward pass with them.

Symbols: D the width of a token, T the number of tokens, r and s the widths of the key space and of the value; H (D, T),
one column per token in the order of the prompt; W_K, W_Q (r, D), W_V (s, D), P (D, s), M, B (D, D); mask (T, T).

    H <- H + sum over heads of  factor P (W_V H) (mask o score((W_K H)^T (W_Q H)))

This is the slow twin of the forward pass over blocks, written as the papers print it; a test holds the two equal. Only
the order of the slots (and of the tokens) is taken from the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from constructions.attention import Head, Mask, Score
from constructions.block import Block, Entry, Kernel, Size, materialised, softmax
from constructions.construction import Construction
from constructions.decoding import Decoding, layer_in
from constructions.layer import MLP, Attention, Layer, Sublayer, TokenFunction, TokenMap
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import layers_of
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True)
class DenseHead:
    """The full matrices of one head.

    The columns of W_K, W_Q and W_V and the rows of P are the token's slots, in the order of the stream. The rows of W_K
    and W_Q are the slots of the key space: if all of them are slots of the token, the token's, so that both are (D, D)
    as in the papers; otherwise those that the key, then the query mentions, in that order. Likewise for the value. A
    kernel score sees the key space's own slots in any case.
    """

    W_K: Block
    W_Q: Block
    W_V: Block
    P: Block


def dense_head(head: Head, stream: Stream) -> DenseHead:
    """The full matrices of a head, in the kind of number of the stream."""
    like, token = stream.like(), stream.slots
    keys = inner_slots(stream, (head.key, head.query), as_token=not isinstance(head.score, Kernel))
    values = inner_slots(stream, (head.value,), head.projection)
    if head.projection is None:
        if values != token:
            raise ValueError(
                f"a head without a projection must have the token's slots {list(token)} as value, but it has "
                f"{list(values)}"
            )
        P = like.identity(sum(token.values()))
    else:
        P = materialised(head.projection.dense(token, values, like), like)
    return DenseHead(
        materialised(head.key.dense(keys, token, like), like),
        materialised(head.query.dense(keys, token, like), like),
        materialised(head.value.dense(values, token, like), like),
        P,
    )


def products(head: Head, stream: Stream) -> tuple[Block, Block]:
    """(M, B) = (W_K^T W_Q, P W_V), all that matters of a linear head; the papers' (P, Q) parameterisation is (B, M)."""
    dense = dense_head(head, stream)
    return dense.W_K.T @ dense.W_Q, dense.P @ dense.W_V


def dense_mask(mask: Mask, stream: Stream, *, weighted: bool = True) -> Block:
    """The weight of the token of the row as a key for the token of the column, 1 or 0 unless the pattern gives others.

    Concrete sizes only; ``weighted=False`` refuses other weights, as a softmax does.
    """
    groups = list(_token_groups(stream))
    keys = {group: mask.key_groups(stream, group) for group in stream.groups}

    def weight(i: int, j: int) -> Scalar:
        return mask.weight(i, j, weighted=weighted) if groups[i] in keys[groups[j]] else 0

    return stream.like().fill(len(groups), len(groups), weight)


def dense_attention(H: Block, head: DenseHead, mask: Block, score: Score = "linear", factor: Scalar = 1) -> Block:
    """factor P (W_V H) (mask o score((W_K H)^T (W_Q H))): what a head adds to the token matrix.

    Args:
        H: the token matrix, (D, T).
        head: the full matrices.
        mask: the weights of the keys, (T, T), a row per key, 0 or 1 under a softmax. A token without a key gets
            nothing, under a softmax too.
        score, factor: as in ``Head``.
    """
    keys, queries, values = head.W_K @ H, head.W_Q @ H, head.W_V @ H
    if isinstance(score, Kernel):
        scores = keys.kernel(queries, score)
    elif score == "softmax":
        idle = (mask.ones(1, mask.rows) - mask.ones(1, mask.rows) @ mask).relu()
        defined = (mask + mask.ones(mask.rows, 1) @ idle).restarted()
        (scores,) = softmax([keys.T @ queries], [defined])
    else:
        inner = keys.T @ queries
        scores = {"linear": lambda: inner, "relu": inner.relu, "exp": inner.exp}[score]()
    return (head.P @ (values @ scores.hadamard(mask))).scale(factor)


def dense_layer(layer: Layer, stream: Stream, H: Block | None = None) -> Block:
    """The token matrix after a layer.

    Args:
        layer: the layer.
        stream: gives the slots, the groups and their order.
        H: the token matrix before the layer, (D, T); by default that of the stream.
    """
    H = stream.dense() if H is None else H
    for part in layer.sublayers:
        update = _update(part, stream, H)
        H = H + update if part.skip else update
    return H


def _update(part: Sublayer, stream: Stream, H: Block) -> Block:
    if isinstance(part, Attention):
        total = H.zeros(*H.shape)
        for head in part.heads:
            mask = dense_mask(head.mask, stream, weighted=head.score != "softmax")
            total = total + dense_attention(H, dense_head(head, stream), mask, head.score, head.factor)
        return total
    if isinstance(part, TokenMap):
        return materialised(part.weight.dense(stream.slots, stream.slots, H), H) @ H
    if isinstance(part, MLP):
        W_1, b_1, W_2, b_2 = _dense_mlp(part, stream)
        row = H.ones(1, H.columns)
        hidden = W_1 @ H + b_1 @ row
        return W_2 @ (hidden.relu() if part.activation == "relu" else hidden.hadamard(hidden)) + b_2 @ row
    if isinstance(part, TokenFunction):
        selected = _selector(part.source, stream, H) @ H
        return _selector(part.target, stream, H).T @ selected.features(part.function)
    raise TypeError(f"a {type(part).__name__} has no dense weights: only Attention, TokenMap and MLP have")


def _selector(slot: str, stream: Stream, like: Block) -> Block:
    """The matrix that takes the rows of a slot out of the token matrix."""
    return materialised(Weight({(slot, slot): 1}).dense({slot: stream.slots[slot]}, stream.slots, like), like)


def _dense_mlp(part: MLP, stream: Stream) -> tuple[Block, Block, Block, Block]:
    """(W_1, b_1, W_2, b_2), the hidden slots in the order in which W_1, b_1 and W_2 mention them."""
    like, token = stream.like(), stream.slots
    hidden = inner_slots(stream, (part.inner,), part.outer, part.inner_bias, as_token=False)
    matrices = (
        part.inner.dense(hidden, token, like),
        _dense_column(part.inner_bias, hidden, like),
        part.outer.dense(token, hidden, like),
        _dense_column(part.outer_bias, token, like),
    )
    W_1, b_1, W_2, b_2 = (materialised(matrix, like) for matrix in matrices)
    return W_1, b_1, W_2, b_2


def _dense_column(column: Mapping[str, Block] | None, slots: Mapping[str, Size], like: Block) -> Block:
    first, *rest = ((column or {}).get(slot, like.zeros(size, 1)) for slot, size in slots.items())
    return first.above(*rest)


def inner_slots(
    stream: Stream,
    into: tuple[Weight, ...],
    out_of: Weight | None = None,
    column: Mapping[str, Block] | None = None,
    as_token: bool = True,
) -> dict[str, Size]:
    """The slots and sizes of the space that weights map into and out of; the token's if all of them are its slots."""
    sizes: dict[str, Size] = {}
    for weight in into:
        for (slot, slot_in), block in weight.items():
            sizes.setdefault(slot, block.rows if isinstance(block, Block) else stream.slots[slot_in])
    for slot, block in (column or {}).items():
        sizes.setdefault(slot, block.rows)
    for (slot_out, slot), block in (out_of or {}).items():
        sizes.setdefault(slot, block.columns if isinstance(block, Block) else stream.slots[slot_out])
    if not sizes or (as_token and all(stream.slots.get(slot) == size for slot, size in sizes.items())):
        return dict(stream.slots)
    return sizes


def _token_groups(stream: Stream) -> Iterator[str]:
    """The group of every token, in the order of the prompt."""
    for item in stream.order:
        waiting = {group: stream.groups[group] for group in ((item,) if isinstance(item, str) else item)}
        while any(waiting.values()):
            for group in waiting:
                if waiting[group]:
                    waiting[group] -= 1
                    yield group


def dense_forward(construction: Construction, prompt: Prompt) -> Iterator[Block]:
    """The token matrix before the first layer and after each layer.

    Raises:
        TypeError: if a stage of the network is neither a ``Layer`` nor ``Decoding``.
    """
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    H = construction.embed(prompt).dense()
    yield H
    for layer, stream, generates in dense_layers(construction, prompt):
        made = dense_layer(layer, stream, H)
        H = H.beside(_last_column(made)) if generates else made
        yield H


def _last_column(H: Block) -> Block:
    return H @ H.fill(H.columns, 1, lambda i, _: int(i == H.columns - 1))


def dense_layers(construction: Construction, prompt: Prompt) -> Iterator[tuple[Layer, Stream, bool]]:
    """Every layer, a stream with the groups that it sees, and whether a token is generated by it."""
    stream = construction.embed(prompt)
    for stage in construction.stages(prompt):
        for part in layers_of(stage):
            layer = layer_in(part)
            if layer is None:
                raise TypeError(
                    f"the {stage.name} {part!r} is neither a Layer nor Decoding, so it has no dense weights; run "
                    "``streams`` instead"
                )
            yield layer, stream, isinstance(part, Decoding)
            stream = part.grown(stream) if isinstance(part, Decoding) else stream


def export(construction: Construction, prompt: Prompt, l: int | None = None) -> dict[str, Entry]:
    """The dense weights by name, as users hold entries: arrays of floats, or object arrays of ``flint.fmpq``.

    ``layer_0.attention_0.head_0.W_K`` (and W_Q, W_V, P, mask and factor, a 1 x 1 matrix), ``layer_0.token_map_1.A`` and
    ``layer_0.mlp_1.W_1`` (and b_1, W_2, b_2): layers, the parts of a layer and heads are counted from 0.

    Args:
        construction: the construction.
        prompt: gives the sizes and the kind of number.
        l: the index of the only layer wanted; None for all.

    Raises:
        IndexError: if the network has no layer l.
        TypeError: for a layer that is not given by its weights, such as a feature map.
    """
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    layers = dict(enumerate(dense_layers(construction, prompt)))
    if l is not None and l not in layers:
        raise IndexError(
            f"l = {l}: the network has {len(layers)} layers; pass l = 0 .. {len(layers) - 1}, or None for all"
        )
    weights: dict[str, Block] = {}
    for index in layers if l is None else [l]:
        layer, stream, _ = layers[index]
        for position, part in enumerate(layer.sublayers):
            weights.update((f"layer_{index}.{name}", block) for name, block in part_weights(part, position, stream))
    return {name: block.entry for name, block in weights.items()}


def part_weights(part: Sublayer, position: int, stream: Stream) -> Iterator[tuple[str, Block]]:
    if isinstance(part, Attention):
        for number, head in enumerate(part.heads):
            place = f"attention_{position}.head_{number}"
            for name, block in vars(dense_head(head, stream)).items():
                yield f"{place}.{name}", block
            yield f"{place}.mask", dense_mask(head.mask, stream)
            yield f"{place}.factor", stream.like().ones(1, 1).scale(head.factor)
    elif isinstance(part, TokenMap):
        like = stream.like()
        yield f"token_map_{position}.A", materialised(part.weight.dense(stream.slots, stream.slots, like), like)
    elif isinstance(part, MLP):
        names = (f"mlp_{position}.{name}" for name in ("W_1", "b_1", "W_2", "b_2"))
        yield from zip(names, _dense_mlp(part, stream), strict=True)
    else:
        raise TypeError(f"a {type(part).__name__} has no dense weights to export; write it as an MLP")

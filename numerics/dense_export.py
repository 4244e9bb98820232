"""A construction as a dense network: its matrices at given sizes, found exactly and checked.

Nothing in a construction says that its tokens are a linear map of the prompt, that its weights do not depend on the
prompt's data, or what its read-out reads. All three are found by probing, in rationals (in balls where the weights hold
exponentials), and must then hold on prompts drawn at random: entries of any embedding but a linear one are polynomials
or quotients of such, which agree with a linear map on random integers of 40 bits only with a probability of about
degree / 2^40.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.block import Block, Kernel, compare, materialised
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.decoding import Decoding
from constructions.dense import dense_layers, part_weights
from constructions.layer import MLP, Attention, Layer, Sublayer, TokenMap
from constructions.parameters import Repeated, Unspecified, lifted, parameters
from constructions.prompt import Prompt
from constructions.stages import layers_of
from constructions.stream import Stream
from numerics.balls import BallBlock, precision
from numerics.dense_network import DenseNetwork, DensePart
from numerics.rationals import RationalBlock

BITS = 256
"""The precision of the balls, where the weights hold exponentials."""

_SPREAD = 2**40
"""Random prompts have integer entries up to this magnitude."""


class NotDense(ValueError):
    """The construction is not a network of dense matrices; the message says why."""


def dense_network(construction: Construction, n: int, d: int, m: int | None = None, **sizes: int) -> DenseNetwork:
    """The construction's matrices at these sizes, exact: object arrays of ``flint.fmpq`` (``flint.arb`` with an exp).

    ``dense_network(...).as_floats()`` has them in NumPy arrays, each entry rounded once.

    Args:
        construction: the construction, with values for all of its parameters.
        n: the context tokens, >= 1.
        d: the features, >= 1.
        m: the targets, >= 1; by default 1, or the number for which alone the construction is meant.
        sizes: the further sizes that its extras name.

    Raises:
        NotDense: if a score is a kernel, tokens are generated, a layer is no ``Layer`` or holds a feature map, the
            tokens are no linear map of the prompt, the weights depend on its data, or the read-out reads more than
            slots.
        ValueError: for a parameter without a value, or sizes that do not fit.
    """
    held = m if m is not None else (construction.targets if isinstance(construction.targets, int) else 1)
    given = {"n": n, "d": d, "m": held, **sizes}
    _require_complete(construction, given)
    shapes = _source_shapes(construction, given)
    try:
        return _network(construction, given, shapes, RationalBlock)
    except _HasExponentials:
        with precision(BITS):
            return _network(construction, given, shapes, BallBlock)


class _HasExponentials(Exception):
    """The weights are no rationals."""


def _network(
    construction: Construction, sizes: dict[str, int], shapes: dict[str, tuple[int, int]], kind: type[Block]
) -> DenseNetwork:
    prompts = [_drawn(seed, shapes, kind) for seed in (1, 2)]
    try:
        live = [lifted(construction, kind, prompt) for prompt in prompts]
        streams = [each.embed(prompt) for each, prompt in zip(live, prompts, strict=True)]
        sets, run, weights = _weight_sets(live[0], prompts[0])
        others = _weight_sets(live[1], prompts[1])[2]
    except TypeError as error:
        if kind is RationalBlock and "is not rational" in str(error):
            raise _HasExponentials from error
        raise NotDense(f"{_name(construction)} has no dense matrices: {error}") from error
    for name, matrix in weights.items():
        if name not in others or not _equal(kind.lift(matrix), kind.lift(others[name])):
            raise NotDense(f"{_name(construction)}: {name} depends on the data of the prompt, so no file can hold it")
    stream = streams[0]
    positions = {
        group: tuple(range(first, first + stride * int(stream.groups[group]), stride))
        for group, (first, stride) in stream.positions().items()
    }
    read, read_out = _read_out(live[0], stream, positions, kind)
    network = DenseNetwork(
        sizes=sizes,
        slots={slot: int(rows) for slot, rows in stream.slots.items()},
        groups={group: int(many) for group, many in stream.groups.items()},
        positions=positions,
        sources=shapes,
        layers=sets,
        run=run,
        read=read,
        weights={**_embedding(construction, shapes, kind), **weights, "read_out": read_out},
        about={},
    )
    for prompt, embedded, each in zip(prompts, streams, live, strict=True):
        H = embedded.dense()
        if not _equal(network.embedded(_sources(prompt)), H):
            raise NotDense(f"{_name(construction)}: its tokens are no linear map of the prompt, token by token")
        if not _equal(network.prediction(H), each.read_out(embedded)):
            raise NotDense(f"{_name(construction)}: its read-out is no matrix applied to some of the tokens")
    return network


# The weights.


def _weight_sets(
    construction: Construction, prompt: Prompt
) -> tuple[tuple[tuple[DensePart, ...], ...], tuple[int, ...], dict[str, Any]]:
    """(the parts of each weight set, the sets in the order of the run, the matrices by name)"""
    _require_layers(construction, prompt)
    sets: list[tuple[DensePart, ...]] = []
    known: dict[Any, int] = {}
    run: list[int] = []
    weights: dict[str, Any] = {}
    for layer, stream, _ in dense_layers(construction, prompt):
        parts = tuple(_part(part, position, len(run)) for position, part in enumerate(layer.sublayers))
        named = {
            name: block.entry
            for position, part in enumerate(layer.sublayers)
            for name, block in part_weights(part, position, stream)
        }
        key = (parts, tuple((name, str(matrix.tolist())) for name, matrix in named.items()))
        if key not in known:
            known[key] = len(sets)
            weights |= {f"layer_{len(sets)}.{name}": matrix for name, matrix in named.items()}
            sets.append(parts)
        run.append(known[key])
    return tuple(sets), tuple(run), weights


def _part(part: Sublayer, position: int, layer: int) -> DensePart:
    if isinstance(part, Attention):
        for number, head in enumerate(part.heads):
            if isinstance(head.score, Kernel):
                raise NotDense(
                    f"head {number} of layer {layer} has the kernel {head.score.name} as its score: only linear, relu, "
                    "exp and softmax scores have dense weights"
                )
        return DensePart(f"attention_{position}", part.skip, scores=tuple(str(head.score) for head in part.heads))
    if isinstance(part, TokenMap):
        return DensePart(f"token_map_{position}", part.skip)
    if isinstance(part, MLP):
        return DensePart(f"mlp_{position}", part.skip, activation=part.activation)
    raise NotDense(f"layer {layer} holds a {type(part).__name__}, which has no dense weights; write it as an MLP")


def _require_layers(construction: Construction, prompt: Prompt) -> None:
    number = 0
    for stage in construction.stages(prompt):
        for layer in layers_of(stage):
            if isinstance(layer, Decoding):
                raise NotDense(
                    f"{_name(construction)} generates tokens: its number of tokens grows from layer to layer, and a "
                    "dense network has a fixed one"
                )
            if not isinstance(layer, Layer):
                raise NotDense(
                    f"{_name(construction)}: layer {number} is a {type(layer).__name__}, a map of streams without "
                    "weights"
                )
            number += 1


# The tokens and the read-out.


def _embedding(construction: Construction, shapes: Mapping[str, tuple[int, int]], kind: type[Block]) -> dict[str, Any]:
    """``constant`` and ``embedding.GROUP.SOURCE``; matrices that are zero are left out."""

    def embedded(name: str = "", row: int = 0) -> Stream:
        tables = {
            source: [[int(source == name and i == row)] * columns for i in range(rows)]
            for source, (rows, columns) in shapes.items()
        }
        prompt = _prompt(tables, kind)
        try:
            return lifted(construction, kind, prompt).embed(prompt)
        except ZeroDivisionError as error:
            raise NotDense(f"{_name(construction)}: its tokens are no linear map of the prompt: {error}") from error

    start = embedded()
    constant, like = start.dense(), kind.lift([[1]])
    found: dict[str, Any] = {"constant": constant.entry}
    for source, (rows, _) in shapes.items():
        streams = [embedded(source, row) for row in range(rows)]
        for group, many in start.groups.items():
            if not many:
                continue
            first, *others = (_column(each, group, like) - _column(start, group, like) for each in streams)
            matrix = first.beside(*others)
            if not _equal(matrix, matrix.zeros(*matrix.shape)):
                found[f"embedding.{group}.{source}"] = matrix.entry
    return found


def _column(stream: Stream, group: str, like: Block) -> Block:
    """The first token of a group, (D, 1)."""
    first = like.fill(stream.groups[group], 1, lambda i, _: int(i == 0))
    top, *rest = (materialised(stream[slot, group], like) @ first for slot in stream.slots)
    return top.above(*rest)


def _read_out(
    construction: Construction, stream: Stream, positions: Mapping[str, tuple[int, ...]], kind: type[Block]
) -> tuple[tuple[int, ...], Any]:
    """(the tokens that are read, the matrix that is applied to each of them)"""
    like, tokens = kind.lift([[1]]), sum(stream.groups.values())

    def read(slot: str, row: int, places: Mapping[str, tuple[int, ...]]) -> list[list[Fraction]]:
        """The read-out of a stream that holds its tokens' numbers in one row of a slot, and zeros else."""
        blocks = {
            (each, group): like.fill(
                rows,
                len(numbers),
                lambda i, t, each=each, numbers=numbers: int(each == slot and i == row) * numbers[t],  # type: ignore[misc]
            )
            for each, rows in stream.slots.items()
            for group, numbers in places.items()
        }
        result = materialised(construction.read_out(Stream(stream.slots, stream.groups, blocks, stream.order)), like)
        return [[_fraction(entry) for entry in line] for line in result.entry.tolist()]

    ones = {group: (1,) * len(numbers) for group, numbers in positions.items()}
    rows = [(slot, row) for slot, many in stream.slots.items() for row in range(many)]
    columns = [read(slot, row, ones) for slot, row in rows]
    numbered = [read(slot, row, positions) for slot, row in rows]
    height, width = len(columns[0]), len(columns[0][0])
    chosen = [
        next(
            (numbered[k][r][j] / columns[k][r][j] for k in range(len(rows)) for r in range(height) if columns[k][r][j]),
            Fraction(0),
        )
        for j in range(width)
    ]
    if not all(place.denominator == 1 and 0 <= place < tokens for place in chosen):
        raise NotDense(f"{_name(construction)}: its read-out is no matrix applied to some of the tokens")
    matrix = [[column[r][0] for column in columns] for r in range(height)]
    return tuple(int(place) for place in chosen), kind.lift(matrix).entry


# Prompts.


def _source_shapes(construction: Construction, sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    def size(name: str | int) -> int:
        if isinstance(name, int):
            return name
        if name not in sizes:
            raise ValueError(f"{_name(construction)} has a further size {name}: say how large it is, {name} = ...")
        return sizes[name]

    known = {"n", "d", "m"} | {name for shape in construction.extras.values() for name in shape}
    for name, value in sizes.items():
        if name not in known:
            raise ValueError(f"{_name(construction)} has no size {name}; its sizes are n, d and m")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} = {value!r}: it must be an int, at least 1")
    extras = {name: (size(rows), size(columns)) for name, (rows, columns) in construction.extras.items()}
    n, d, m = (sizes[name] for name in ("n", "d", "m"))
    return {"X": (d, n), "Y": (m, n), "x_query": (d, 1), **extras}


def _require_complete(construction: Construction, sizes: Mapping[str, int]) -> None:
    for name, p in parameters(construction).items():
        held = getattr(construction, name)
        if isinstance(held.value if isinstance(held, Repeated) else held, Unspecified):
            raise ValueError(f"{_name(construction)}: the parameter {name} ({p.symbol}) has no value; give it one")
    if isinstance(construction.targets, int) and sizes["m"] != construction.targets:
        raise ValueError(f"{_name(construction)} is meant for m = {construction.targets}, but m = {sizes['m']} came")


def _drawn(seed: int, shapes: Mapping[str, tuple[int, int]], kind: type[Block]) -> Prompt:
    rng = np.random.default_rng(seed)
    tables = {name: rng.integers(-_SPREAD, _SPREAD, shape, endpoint=True).tolist() for name, shape in shapes.items()}
    return _prompt(tables, kind)


def _prompt(tables: Mapping[str, list[list[Any]]], kind: type[Block]) -> Prompt:
    extras = tuple((name, table) for name, table in tables.items() if name not in ("X", "Y", "x_query"))
    return Prompt(tables["X"], tables["Y"], tables["x_query"], extras).lifted(kind)


def _sources(prompt: Prompt) -> dict[str, Block]:
    return {"X": prompt.X, "Y": prompt.Y, "x_query": prompt.x_query, **dict(prompt.extras)}


def _equal(left: Block, right: Block) -> bool:
    return left.shape == right.shape and compare(left, right).verdict is Verdict.EQUAL


def _fraction(entry: Any) -> Fraction:
    """An entry of a read-out of integers, of a ball the nearest integer fraction that its midpoint is."""
    if hasattr(entry, "mid"):
        mantissa, exponent = entry.mid().man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return Fraction(int(entry.p), int(entry.q))


def _name(construction: Construction) -> str:
    return type(construction).__name__

"""Weights given as dense matrices: the papers' W_K, W_Q, W_V and P, or trained ones, cut into blocks between slots.

Symbols: D the width of a token, r and s the widths of the key space and of the value; W_K, W_Q (r, D), W_V (s, D), P
(D, s); the columns of W_K, W_Q and W_V and the rows of P are the token's slots, one after another, as the layout says.

A block that is zero is left out and one that is a multiple of the identity is that number, so that a proof sees them;
any other is a matrix of exact numbers: a float is the dyadic number that it is. This is the way back from ``dense``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import pairwise
from typing import Any

from constructions.attention import Head
from constructions.block import Block, Size
from constructions.layer import MLP, TokenMap
from constructions.scalars import Scalar, exact
from constructions.weights import Weight

Slots = Mapping[str, Size]
"""The slots of a space and their rows, in the order in which they are stacked: the layout of a matrix's side."""

MOST_WRITTEN = 24
"""A matrix whose entries take more characters is called by a fingerprint of them."""


def constant(matrix: Any, like: Block, name: str = "a matrix") -> Block:
    """The block of a given matrix, in the kind of number of another; in a proof equal matrices are one letter.

    Args:
        matrix: nested sequences of numbers, or anything with ``tolist()``, such as a NumPy array.
        like: a block of the kind, such as ``prompt.X``.
        name: what it is called in messages.

    Raises:
        TypeError: if it is no matrix of numbers.
        ValueError: if its rows are unequal, or an entry is NaN or infinite.
    """
    return _block(_entries(matrix, name), like)


def given_weight(matrix: Any, out: Slots, into: Slots, like: Block, name: str = "a matrix") -> Weight:
    """The weight with the blocks of a dense matrix.

    Args:
        matrix: as for ``constant``, of shape (rows of ``out``, rows of ``into``).
        out, into: the layout: the slots that its rows, and its columns, are.
        like: a block of the kind of number, such as ``prompt.X``.
        name: what it is called in messages.

    Raises:
        TypeError, ValueError: as for ``constant``, and if the shape is not that of the layout.
    """
    values = _entries(matrix, name)
    rows_of, columns_of = _spans(out), _spans(into)
    shape, needed = (len(values), len(values[0])), (sum(out.values()), sum(into.values()))
    if shape != needed:
        raise ValueError(f"{name} has shape {shape}, but its layout {dict(out)} by {dict(into)} has shape {needed}")
    blocks: dict[tuple[str, str], Any] = {}
    for slot_out, (top, bottom) in rows_of.items():
        for slot_in, (left, right) in columns_of.items():
            block = [row[left:right] for row in values[top:bottom]]
            multiple = _multiple_of_identity(block)
            blocks[slot_out, slot_in] = _block(block, like) if multiple is None else multiple
    return Weight(blocks)


def given_head(matrices: Mapping[str, Any], slots: Slots, like: Block, **options: Any) -> Head:
    """The head with the dense matrices of a paper.

    Args:
        matrices: ``"W_K"``, ``"W_Q"``, ``"W_V"`` and, unless it is the identity, ``"P"``.
        slots: the layout of a token, such as {"x": 2, "y": 1}. A key space or a value of the token's width has the
            token's slots; of another width it is one slot.
        like: a block of the kind of number, such as ``prompt.X``.
        options: ``score``, ``factor`` and ``mask`` of the head.

    Raises:
        TypeError, ValueError: as for ``given_weight``, and for unknown or missing names.
    """
    unknown, missing = set(matrices) - {"W_K", "W_Q", "W_V", "P"}, {"W_K", "W_Q", "W_V"} - set(matrices)
    if unknown or missing:
        raise ValueError(
            f"a head is given by W_K, W_Q, W_V and P: {', '.join(sorted(missing)) or 'none'} missing, "
            f"{', '.join(sorted(unknown)) or 'none'} unknown"
        )
    _spans(slots)
    width = sum(slots.values())
    rows = {name: len(_entries(matrix, name)) for name, matrix in matrices.items()}
    if rows["W_K"] != rows["W_Q"]:
        raise ValueError(f"W_K has {rows['W_K']} rows and W_Q {rows['W_Q']}: both must have those of the key space")
    keys: Slots = slots if rows["W_K"] == width else {"key": rows["W_K"]}
    values: Slots = slots if rows["W_V"] == width else {"value": rows["W_V"]}
    projection = given_weight(matrices["P"], slots, values, like, "P") if "P" in matrices else None
    if projection is None and values is not slots:
        raise ValueError(f"W_V has {rows['W_V']} rows, not the {width} of a token, so a projection P is required")
    return Head(
        key=given_weight(matrices["W_K"], keys, slots, like, "W_K"),
        query=given_weight(matrices["W_Q"], keys, slots, like, "W_Q"),
        value=given_weight(matrices["W_V"], values, slots, like, "W_V"),
        projection=projection,
        **options,
    )


def given_map(matrix: Any, slots: Slots, like: Block) -> TokenMap:
    """The token map h <- h + A h of a dense matrix A, (D, D)."""
    return TokenMap(given_weight(matrix, slots, slots, like, "A"))


def given_mlp(matrices: Mapping[str, Any], slots: Slots, like: Block, activation: str = "relu") -> MLP:
    """The perceptron h <- h + W_2 phi(W_1 h + b_1) + b_2 of dense ``"W_1"``, ``"W_2"``; ``"b_1"``, ``"b_2"`` may lack.

    A bias is a vector, or a column. The hidden layer is one slot.
    """
    hidden = {"hidden": len(_entries(matrices["W_1"], "W_1"))}
    columns = {name: _column(matrices[name], name) for name in ("b_1", "b_2") if name in matrices}
    outer = None
    if "b_2" in columns:
        spans = _spans(slots).items()
        outer = {slot: _block(columns["b_2"][top:bottom], like) for slot, (top, bottom) in spans}
    return MLP(
        given_weight(matrices["W_1"], hidden, slots, like, "W_1"),
        given_weight(matrices["W_2"], slots, hidden, like, "W_2"),
        activation,
        {"hidden": _block(columns["b_1"], like)} if "b_1" in columns else None,
        outer,
    )


def _column(vector: Any, name: str) -> list[list[Scalar]]:
    values = vector.tolist() if hasattr(vector, "tolist") else vector
    return _entries([[value] if not isinstance(value, (list, tuple)) else value for value in values], name)


def _entries(matrix: Any, name: str) -> list[list[Scalar]]:
    """The entries of a matrix as exact scalars."""
    rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
    if not isinstance(rows, Sequence) or not rows or not all(isinstance(row, Sequence) and row for row in rows):
        raise TypeError(f"{name} must be a matrix, such as a NumPy array of two dimensions, but {matrix!r:.80} came")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"{name} must be a matrix, but its rows have {sorted({len(row) for row in rows})} entries")
    try:
        return [[exact(value) for value in row] for row in rows]
    except ValueError as error:
        raise ValueError(f"{name} has an entry that is no number: {error}") from error


def _spans(slots: Slots) -> dict[str, tuple[Size, Size]]:
    """Where each slot begins and ends."""
    for slot, rows in slots.items():
        if not isinstance(rows, int):
            raise ValueError(
                f"the slot {slot!r} has {rows} rows: a given matrix is for one size alone; fix it in the construction, "
                "dimension = 2 for d, targets = 1 for m"
            )
    ends = [0]
    for rows in slots.values():
        ends.append(ends[-1] + rows)
    return dict(zip(slots, pairwise(ends), strict=True))


def _multiple_of_identity(block: list[list[Scalar]]) -> Scalar | None:
    """The number, if the block is that multiple of the identity, zero included; a zero block need not be square."""
    if not any(value for row in block for value in row):
        return Fraction(0)
    is_square = len(block) == len(block[0])
    if not is_square or any(
        value != (block[0][0] if i == j else 0) for i, row in enumerate(block) for j, value in enumerate(row)
    ):
        return None
    return block[0][0]


def _block(values: list[list[Scalar]], like: Block) -> Block:
    def entry(i: int, j: int) -> Scalar:
        return values[i][j]

    written = "; ".join(" ".join(map(str, row)) for row in values)
    name = f"[{written}]" if len(written) <= MOST_WRITTEN else f"[{sha256(written.encode()).hexdigest()[:8]}]"
    return like.given(name, len(values), len(values[0]), entry, opaque=(written,))

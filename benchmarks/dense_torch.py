"""The dense forward pass in PyTorch, with the exported weights: the papers' full matrices, zero blocks and all.

Symbols: D the width of a token, T the number of tokens, B the batch; H (B, D, T), one column per token.

    H <- H + sum over heads of  factor P (W_V H) (mask o (W_K H)^T (W_Q H))

Each pass is written in operators alone, so that it runs on ``Bounded`` (benchmarks.rounding_bound) as well, and leaves
out masks and factors of ones. PyTorch is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from constructions.construction import Construction
from constructions.dense import export
from constructions.prompt import Prompt


class Head(NamedTuple):
    """The full matrices of a linear head; a factor or a mask of ones is None: nothing is multiplied by it."""

    W_K: Any
    W_Q: Any
    W_V: Any
    P: Any
    mask: Any
    factor: Any


Layers = tuple[tuple[Head, ...], ...]
"""The heads of each layer."""


def layers_of(construction: Construction, prompt: Prompt, operand: Callable[[Any], Any] | None = None) -> Layers:
    """The exported weights of linear attention layers.

    Args:
        construction: the construction; its layers must be attention and nothing else, with scores that are linear.
        prompt: gives the sizes and the kind of number.
        operand: what to make of each exported matrix; by default a tensor.

    Raises:
        ValueError: if a layer has other parts than attention.
    """
    operand = operand or tensor
    heads: dict[str, dict[str, dict[str, Any]]] = {}
    for name, matrix in export(construction, prompt).items():
        layer, part, *rest = name.split(".")
        if part != "attention_0" or len(rest) != 2:
            raise ValueError(f"{name} was exported: the dense forward pass is for layers of attention and nothing else")
        heads.setdefault(layer, {}).setdefault(rest[0], {})[rest[1]] = matrix
    return tuple(
        tuple(
            Head(
                **{
                    name: None if name in ("factor", "mask") and _is_one(matrix) else operand(matrix)
                    for name, matrix in head.items()
                }
            )
            for head in layer.values()
        )
        for layer in heads.values()
    )


def tensor(array: Any) -> Any:
    """The NumPy array as a tensor on the same memory."""
    import torch

    return torch.from_numpy(array)


def by_columns(H: Any, layers: Layers) -> Any:
    """The tokens after the layers, as printed: tokens are columns."""
    for heads in layers:
        update = None
        for head in heads:
            scores = _scaled((head.W_K @ H).mT @ (head.W_Q @ H), head.mask)
            update = _plus(update, _scaled(head.P @ ((head.W_V @ H) @ scores), head.factor))
        H = _plus(update, H)
    return H


def by_rows(R: Any, layers: Layers) -> Any:
    """The same with tokens as rows, (B, T, D), as PyTorch's own layers have them."""
    for heads in layers:
        update = None
        for head in heads:
            scores = _scaled((R @ head.W_Q.mT) @ (R @ head.W_K.mT).mT, None if head.mask is None else head.mask.mT)
            update = _plus(update, _scaled((scores @ (R @ head.W_V.mT)) @ head.P.mT, head.factor))
        R = _plus(update, R)
    return R


def reassociated(R: Any, layers: Layers) -> Any:
    """The same with tokens as rows and no T x T matrix: Q (K^T V), for masks that treat all queries alike."""
    for heads in layers:
        update = None
        for head in heads:
            keys = _scaled(R @ head.W_K.mT, None if head.mask is None else head.mask[:, :1])
            gathered = keys.mT @ (R @ head.W_V.mT)
            update = _plus(update, _scaled((R @ head.W_Q.mT @ gathered) @ head.P.mT, head.factor))
        R = _plus(update, R)
    return R


def _plus(total: Any, term: Any) -> Any:
    return term if total is None else term + total


def _scaled(update: Any, factor: Any) -> Any:
    return update if factor is None else update * factor


def _is_one(matrix: Any) -> bool:
    value, radius = getattr(matrix, "value", matrix), getattr(matrix, "radius", 0)
    return bool((value == 1).all()) and not np.asarray(radius).any()

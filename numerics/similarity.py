"""Similarity of two predictors, by their errors and by the weights that they induce.

Symbols: B sequences, N examples in each, d features, m targets; X (B, d, N), Y (B, m, N); t the length of a prefix.

    SimE = mean over sequences of cos(Er(A), Er(B)),   Er(A) = [A(x_(t+1)) - y_(t+1)] for t = 1, ..., N - 1
    SimW = mean over sequences and t of cos(w_t(A), w_t(B)),   w_t(A) the regression of A's predictions on fresh queries

The authors' code counts t = 0 as well, where every baseline predicts 0; a prompt without examples is none here.

Reference: Fu et al. (2024), section 4, arXiv 2310.17086; the number of fresh queries is not stated there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from numerics.algorithms import Array

Layers: TypeAlias = Callable[[Array, Array, Array], Array]
"""From prompts (B, d, n), (B, m, n), (B, d, 1) to predictions after every layer or step, (L, B, m, 1)."""

QUERIES_PER_FEATURE = 4
"""How many fresh queries per feature the induced weights are regressed on: T = 4 d."""


def prefix_errors(layers: Layers, X: Array, Y: Array, lengths: range) -> Array:
    """Er, (L, B, len(lengths) m): the error of the prediction of example t + 1 from the first t, for each layer."""
    parts = []
    for t in lengths:
        predicted = layers(X[..., :t], Y[..., :t], X[..., t : t + 1])
        parts.append((predicted - Y[..., t : t + 1])[..., 0])
    return np.concatenate(parts, axis=-1)


def answers(layers: Layers, X: Array, Y: Array, queries: Array) -> Array:
    """The predictions for several queries (B, d, T) of each context, asked one by one: (L, B, m, T)."""
    return np.concatenate([layers(X, Y, queries[..., i : i + 1]) for i in range(queries.shape[-1])], axis=-1)


def induced_weights(predicted: Array, queries: Array) -> Array:
    """w, (L, B, m d): the least-squares weights from queries (B, d, T) to the predictions (L, B, m, T) for them."""
    weights = np.matmul(predicted, np.linalg.pinv(queries))
    return weights.reshape(*weights.shape[:2], -1)


def cosines(left: Array, right: Array) -> Array:
    """The mean cosine over sequences, (L, L'), of vectors (L, B, p) and (L', B, p); that of a zero vector is 0."""
    products = np.einsum("lbp,kbp->lkb", left, right)
    sizes = np.einsum("lb,kb->lkb", np.linalg.norm(left, axis=-1), np.linalg.norm(right, axis=-1))
    with np.errstate(all="ignore"):
        held = np.where(sizes > 0, products / sizes, 0.0)
    mean: Array = np.nan_to_num(held, nan=-1.0).mean(axis=-1)
    return mean

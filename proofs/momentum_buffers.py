"""Momentum on outer products: the buffers D_s of the updates v_s k_s^T, and with which weights a query sees their sum.

Symbols: n updates with values V (m, n) and keys K (d, n); q (d, 1) a query; R, r and h the matrices of
``proofs/geometric_weights.py``; e the unit vector of an index s, D_s (m, d).

    D_s = eta D_(s - 1) + v_s k_s^T = sum_(i <= s) eta^(s - i) v_i k_i^T        D_s = V diag(R e) K^T
    sum_s D_s q = V diag(r) K^T q = sum_i (1 - eta^(n + 1 - i)) / (1 - eta) v_i <k_i, q>,  i from 1

At q = 0 this is 0, and the sum V h that momentum attention adds is what it always is.

Reference: Dai et al. (2022), arXiv 2212.10559, who compare momentum attention with gradient descent with momentum.
"""

from __future__ import annotations

from constructions.block import Block
from constructions.stages import Relation
from proofs.geometric_weights import (
    RECURSION_IN_T,
    ROW_SUMS,
    ROW_SUMS_IN_CLOSED_FORM,
    UNIT_VECTOR,
    last,
    momentum,
    next_column,
    resolvent,
    row_of_ones,
    row_sums,
    shift,
)
from proofs.matrix_identities import Data, MatrixIdentities


def buffer(data: Data, index: Block) -> Block:
    """D_s (m, d), for the unit vector of s; for a sum of unit vectors the sum of their buffers."""
    return data["V"] @ (resolvent(data) @ index).diagonal() @ data["K"].T


def recursion(data: Data) -> Relation:
    e = last(data)
    update = data["V"] @ e @ (data["K"] @ e).T
    previous = buffer(data, shift(data) @ e).scale(momentum(data))
    return Relation("D_s = eta D_(s - 1) + v_s k_s^T", buffer(data, e), previous + update)


def summed(data: Data) -> Relation:
    total = buffer(data, row_of_ones(data).T) @ data["q"]
    weighted = data["V"] @ row_sums(data).diagonal() @ (data["K"].T @ data["q"])
    return Relation("sum_s D_s q is sum_i r_i v_i <k_i, q>", total, weighted)


def _attention_sum(data: Data) -> Relation:
    return Relation("the sum of momentum attention", summed(data).left, data["V"] @ next_column(data))


def _one_buffer(data: Data) -> Relation:
    return Relation("the last buffer alone", summed(data).left, buffer(data, last(data)) @ data["q"])


def _undiscounted(data: Data) -> Relation:
    return Relation("the outer products without momentum", summed(data).left, data["V"] @ (data["K"].T @ data["q"]))


def _other_way(data: Data) -> Relation:
    e = last(data)
    update = (data["V"] @ e @ (data["K"] @ e).T).scale(momentum(data))
    previous = buffer(data, shift(data) @ e).scale(momentum(data))
    return Relation("the newest product with weight eta", buffer(data, e), previous + update)


def theorem() -> MatrixIdentities:
    """The theorem on the buffers of momentum."""
    return MatrixIdentities(
        name="momentum_buffers_weigh_every_inner_product",
        system="Dai et al. 2022",
        reference="Dai et al. (2022), arXiv 2212.10559, momentum-based attention; momentum on its updates",
        statement=(
            "The buffers D_s = eta D_(s - 1) + v_s k_s^T sum to sum_s D_s q = sum_i (1 - eta^(n + 1 - i)) / (1 - eta) "
            "v_i <k_i, q>: the query is in every term, so that q = 0 gives 0, where momentum attention adds sum_i "
            "eta^(n + 1 - i) v_i."
        ),
        matrices={"V": ("m", "n"), "K": ("d", "n"), "q": ("d", 1)},
        scalars=("eta",),
        nonzero=frozenset({"eta"}),
        lemmas=(RECURSION_IN_T, UNIT_VECTOR, ROW_SUMS, ROW_SUMS_IN_CLOSED_FORM),
        identities=(recursion, summed),
        slips={
            "the sum that momentum attention adds": _attention_sum,
            "the last buffer alone": _one_buffer,
            "no momentum": _undiscounted,
            "the newest product with weight eta": _other_way,
        },
    )

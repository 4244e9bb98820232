"""The momentum sum of momentum attention: a recursion, heavy ball, and a Toeplitz matrix that is not normalised.

Symbols: n time steps t, from 1; G (m, n) the gradients (or the values), g_t its columns; E (m, n) any m_t as columns;
H, R, Z and h the matrices of ``proofs/geometric_weights.py``, where indices count from 0.

    m_t = sum_(i < t) eta^(t - i) g_i        m_1 = 0, m_t = eta (m_(t - 1) + g_(t - 1))

Reference: Dai et al. (2022), arXiv 2212.10559, momentum-based attention; its form is second-hand, the rest derived.
"""

from __future__ import annotations

from constructions.stages import Relation
from proofs.geometric_weights import (
    COLUMN_SUMS,
    FIRST_COLUMN,
    NEXT_COLUMN,
    RECURSION_IN_I,
    RECURSION_IN_T,
    STRICT_PART,
    first,
    last,
    momentum,
    next_column,
    resolvent,
    row_of_ones,
    shift,
    toeplitz,
)
from proofs.matrix_identities import Data, MatrixIdentities


def recursion(data: Data) -> Relation:
    G, H, Z = data["G"], toeplitz(data), shift(data)
    return Relation("M = G H has m_t = eta (m_(t - 1) + g_(t - 1))", G @ H, ((G @ H + G) @ Z).scale(momentum(data)))


def start(data: Data) -> Relation:
    moved = data["G"] @ toeplitz(data) @ first(data)
    return Relation("and m_1 = 0: the first update is none", moved, moved.zeros(data["G"].rows, 1))


def uniqueness(data: Data) -> Relation:
    E, G = data["E"], data["G"]
    defect = E - ((E + G) @ shift(data)).scale(momentum(data))
    name = "any E is G H but for its defect E - eta (E + G) Z times R: the recursion has no other solution"
    return Relation(name, defect @ resolvent(data), E - G @ toeplitz(data))


def heavy_ball(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    velocity = G @ Z @ resolvent(data)
    name = "with the heavy-ball velocity v_t = eta v_(t - 1) + g_(t - 1) it is m_t = eta v_t: the rate gamma eta"
    return Relation(name, velocity.scale(momentum(data)), G @ toeplitz(data))


def velocity_recursion(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    velocity = G @ Z @ resolvent(data)
    name = "where V = G Z R is that velocity"
    return Relation(name, velocity, (velocity @ Z).scale(momentum(data)) + G @ Z)


def current(data: Data) -> Relation:
    G, H, e = data["G"], toeplitz(data), last(data)
    following = ((G @ H + G) @ e).scale(momentum(data))
    return Relation("the sum at the next index is G h", following, G @ next_column(data))


def _newest_with_weight_one(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    return Relation("the newest gradient has weight 1", G @ toeplitz(data), G @ Z @ resolvent(data))


def _normalised(data: Data) -> Relation:
    row = row_of_ones(data)
    return Relation("the weights sum to 1", row @ toeplitz(data), row)


def _mean(data: Data) -> Relation:
    G, H, Z = data["G"], toeplitz(data), shift(data)
    mean = (G @ H @ Z).scale(momentum(data)) + (G @ Z).scale(1 - momentum(data))
    return Relation("a running mean: m_t = eta m_(t - 1) + (1 - eta) g_(t - 1)", G @ H, mean)


def _not_strict(data: Data) -> Relation:
    return Relation("a step sees its own gradient", data["G"] @ toeplitz(data), data["G"] @ resolvent(data))


def theorem() -> MatrixIdentities:
    """The theorem on the momentum sum."""
    return MatrixIdentities(
        name="momentum_sum_is_a_recursion",
        system="Dai et al. 2022",
        reference="Dai et al. (2022), arXiv 2212.10559, momentum-based attention; the definition is second-hand",
        statement=(
            "m_t = sum_(i < t) eta^(t - i) g_i is the only solution of m_1 = 0, m_t = eta (m_(t - 1) + g_(t - 1)), and "
            "eta times the heavy-ball velocity; as columns M = G H with the strictly causal Toeplitz matrix H_it = "
            "eta^(t - i), whose column t sums to eta (1 - eta^(t - 1)) / (1 - eta): it is not normalised."
        ),
        matrices={"G": ("m", "n"), "E": ("m", "n")},
        scalars=("eta",),
        nonzero=frozenset({"eta"}),
        lemmas=(STRICT_PART, RECURSION_IN_T, RECURSION_IN_I, FIRST_COLUMN, NEXT_COLUMN, COLUMN_SUMS),
        identities=(recursion, start, uniqueness, heavy_ball, velocity_recursion, current),
        slips={
            "the newest gradient with weight 1": _newest_with_weight_one,
            "weights that sum to 1": _normalised,
            "a running mean": _mean,
            "a step that sees its own gradient": _not_strict,
        },
    )

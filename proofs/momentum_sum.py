"""The momentum sum of momentum attention: a recursion, heavy ball, and a Toeplitz matrix that is not normalised.

Symbols: n time steps; G (m, n) the gradients (or the values), g_t its columns; E (m, n) any m_t as columns; H (n, n)
with H_it = eta^(t - i) for i < t, else 0; R = I + H; Z (n, n) the shift, (A Z)_t = A_(t - 1) and 0 for t = 1; p (1, n)
with p_t = eta^(t - 1); e_1, e_n unit vectors; h (n, 1) with h_i = eta^(n + 1 - i).

    m_t = sum_(i < t) eta^(t - i) g_i        m_1 = 0, m_t = eta (m_(t - 1) + g_(t - 1))

Reference: Dai et al. (2022), arXiv 2212.10559, momentum-based attention; its form is second-hand, the rest derived.
"""

from __future__ import annotations

from typing import Any

import sympy

from constructions.block import Block
from constructions.momentum_attention import current_momentum_weights, momentum_weight, momentum_weights
from constructions.stages import Relation
from proofs.matrix_identities import Data, Lemma, MatrixIdentities

eta = sympy.Symbol("eta", real=True, nonzero=True)
i, s = sympy.symbols("i s", integer=True, nonnegative=True)
"""Indices of a case, from 0: i any row, and s any distance."""

n = sympy.Symbol("n", integer=True, positive=True)


def resolvent_entry(eta: Any, i: Any, t: Any) -> Any:
    """R_it = eta^(t - i) for i <= t, else 0."""
    return eta ** (t - i) if i <= t else 0


def toeplitz(data: Data) -> Block:
    """H."""
    return momentum_weights(data["G"], data.sizes["n"], data.scalars["eta"])


def resolvent(data: Data) -> Block:
    """R: eta^(t - i) for i <= t, else 0."""
    eta, n = data.scalars["eta"], data.sizes["n"]
    return data["G"].given("R", n, n, lambda i, t: resolvent_entry(eta, i, t))


def shift(data: Data) -> Block:
    """Z: 1 where i = t - 1, else 0."""
    n = data.sizes["n"]
    return data["G"].given("Z", n, n, lambda i, t: int(i == t - 1))


def first(data: Data) -> Block:
    """e_1."""
    return data["G"].given("e_1", data.sizes["n"], 1, lambda i, _: int(i == 0))


def last(data: Data) -> Block:
    """e_n."""
    n = data.sizes["n"]
    return data["G"].given("e_n", n, 1, lambda i, _: int(i == n - 1))


def powers(data: Data) -> Block:
    """p: eta^(t - 1)."""
    eta = data.scalars["eta"]
    return data["G"].given("p", 1, data.sizes["n"], lambda _, t: eta**t)


def _identity(data: Data) -> Block:
    return data["G"].identity(data.sizes["n"])


def _R(i: Any, t: Any) -> Any:
    return sympy.sympify(resolvent_entry(eta, i, t))


def _H(i: Any, t: Any) -> Any:
    return sympy.sympify(momentum_weight(eta, i, t))


_ONE, _ZERO = sympy.Integer(1), sympy.Integer(0)

LEMMAS = (
    Lemma(
        lambda data: Relation("H is R without its diagonal", toeplitz(data), resolvent(data) - _identity(data)),
        (
            ("right of the diagonal, t = i + 1 + s", _H(i, i + 1 + s), _R(i, i + 1 + s)),
            ("on the diagonal", _H(i, i), _R(i, i) - 1),
            ("left of it, i = t + 1 + s", _H(i + 1 + s, i), _R(i + 1 + s, i)),
        ),
    ),
    Lemma(
        lambda data: Relation(
            "R is a recursion in t",
            (resolvent(data) @ shift(data)).scale(data.scalars["eta"]),
            resolvent(data) - _identity(data),
        ),
        (
            ("right of the diagonal", eta * _R(i, i + s), _R(i, i + 1 + s)),
            ("on the diagonal, t > 0", eta * _R(i + 1, i), _R(i + 1, i + 1) - 1),
            ("left of it, t > 0", eta * _R(i + 2 + s, i), _R(i + 2 + s, i + 1)),
            ("in the first column, where R Z is 0: i = 0", _ZERO, _R(0, 0) - 1),
            ("in the first column, where R Z is 0: i > 0", _ZERO, _R(i + 1, 0)),
        ),
    ),
    Lemma(
        lambda data: Relation(
            "R is a recursion in i",
            (shift(data) @ resolvent(data)).scale(data.scalars["eta"]),
            resolvent(data) - _identity(data),
        ),
        (
            ("right of the diagonal", eta * _R(i + 1, i + 1 + s), _R(i, i + 1 + s)),
            ("on the diagonal, i < n - 1", eta * _R(i + 1, i), _R(i, i) - 1),
            ("left of it, i < n - 1", eta * _R(i + 2 + s, i), _R(i + 1 + s, i)),
            ("in the last row, where Z R is 0: t = n - 1", _ZERO, _R(n - 1, n - 1) - 1),
            ("in the last row, where Z R is 0: t = n - 2 - s", _ZERO, _R(n - 1, n - 2 - s)),
        ),
    ),
    Lemma(
        lambda data: Relation("the first column of R is the unit vector", resolvent(data) @ first(data), first(data)),
        (("i = 0", _R(0, 0), _ONE), ("i > 0", _R(i + 1, 0), _ZERO)),
    ),
    Lemma(
        lambda data: Relation(
            "the last column of R, one step later, is h",
            (resolvent(data) @ last(data)).scale(data.scalars["eta"]),
            current_momentum_weights(data["G"], data.sizes["n"], data.scalars["eta"]),
        ),
        (("i = n - 1 - s", eta * _R(n - 1 - s, n - 1), _H(n - 1 - s, n)),),
    ),
    Lemma(
        lambda data: Relation(
            "column t of H has the sum s_t with (1 - eta) s_t = eta (1 - eta^(t - 1)), t from 1",
            (data["G"].ones(1, data.sizes["n"]) @ toeplitz(data)).scale(1 - data.scalars["eta"]),
            (data["G"].ones(1, data.sizes["n"]) - powers(data)).scale(data.scalars["eta"]),
        ),
        (
            ("s_1 = 0, and so is the closed form: the first column", _H(0, 0) + _H(i + 1, 0), eta * (1 - eta**0)),
            (
                "s_(t + 1) = eta (s_t + 1): the entries of the column before, times eta",
                _H(i, i + 2 + s),
                eta * _H(i, i + 1 + s),
            ),
            ("s_(t + 1) = eta (s_t + 1): and one more entry", _H(i, i + 1), eta),
            (
                "the closed form satisfies that, times 1 - eta",
                eta * (eta * (1 - eta**i) + (1 - eta)),
                eta * (1 - eta ** (i + 1)),
            ),
        ),
        is_rule=False,
    ),
)


def recursion(data: Data) -> Relation:
    G, H, Z = data["G"], toeplitz(data), shift(data)
    return Relation("M = G H has m_t = eta (m_(t - 1) + g_(t - 1))", G @ H, ((G @ H + G) @ Z).scale(_eta(data)))


def start(data: Data) -> Relation:
    moved = data["G"] @ toeplitz(data) @ first(data)
    return Relation("and m_1 = 0: the first update is none", moved, moved.zeros(data["G"].rows, 1))


def uniqueness(data: Data) -> Relation:
    E, G = data["E"], data["G"]
    defect = E - ((E + G) @ shift(data)).scale(_eta(data))
    name = "any E is G H but for its defect E - eta (E + G) Z times R: the recursion has no other solution"
    return Relation(name, defect @ resolvent(data), E - G @ toeplitz(data))


def heavy_ball(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    velocity = G @ Z @ resolvent(data)
    name = "with the heavy-ball velocity v_t = eta v_(t - 1) + g_(t - 1) it is m_t = eta v_t: the rate gamma eta"
    return Relation(name, velocity.scale(_eta(data)), G @ toeplitz(data))


def velocity_recursion(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    velocity = G @ Z @ resolvent(data)
    name = "where V = G Z R is that velocity"
    return Relation(name, velocity, (velocity @ Z).scale(_eta(data)) + G @ Z)


def current(data: Data) -> Relation:
    G, H, e = data["G"], toeplitz(data), last(data)
    h = current_momentum_weights(G, data.sizes["n"], _eta(data))
    return Relation("the next sum, of the token at n + 1, is G h", ((G @ H + G) @ e).scale(_eta(data)), G @ h)


def _eta(data: Data) -> Any:
    return data.scalars["eta"]


def _newest_with_weight_one(data: Data) -> Relation:
    G, Z = data["G"], shift(data)
    return Relation("the newest gradient has weight 1", G @ toeplitz(data), G @ Z @ resolvent(data))


def _normalised(data: Data) -> Relation:
    row = data["G"].ones(1, data.sizes["n"])
    return Relation("the weights sum to 1", row @ toeplitz(data), row)


def _mean(data: Data) -> Relation:
    G, H, Z = data["G"], toeplitz(data), shift(data)
    mean = (G @ H @ Z).scale(_eta(data)) + (G @ Z).scale(1 - _eta(data))
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
        lemmas=LEMMAS,
        identities=(recursion, start, uniqueness, heavy_ball, velocity_recursion, current),
        slips={
            "the newest gradient with weight 1": _newest_with_weight_one,
            "weights that sum to 1": _normalised,
            "a running mean": _mean,
            "a step that sees its own gradient": _not_strict,
        },
    )

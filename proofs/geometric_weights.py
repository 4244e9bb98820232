"""Geometric weights: the matrices given entry by entry of which momentum is made, and what is known of their entries.

Symbols: indices i, t from 0; eta a number other than 0; H_it = eta^(t - i) for i < t, else 0; R = I + H; Z_it = 1 for i
= t - 1, else 0, so that (A Z)_t = A_(t - 1) and the first column is 0; h_i = eta^(n - i); p_t = eta^t; r_i the sum of
row i of R; e_0 and e_(n - 1) the first and the last unit vector. Each lemma is proved by cases, in which the entries
are computed by the same functions.
"""

from __future__ import annotations

from typing import Any

import sympy

from constructions.block import Block
from constructions.momentum_attention import (
    current_momentum_weights,
    momentum_buffer_weights,
    momentum_weight,
    momentum_weights,
)
from constructions.scalars import one_if_equal
from constructions.stages import Relation
from proofs.matrix_identities import Data, Lemma

eta = sympy.Symbol("eta", real=True, nonzero=True)
i, s = sympy.symbols("i s", integer=True, nonnegative=True)
"""Indices of a case: i any row, and s any distance."""

n = sympy.Symbol("n", integer=True, positive=True)


def resolvent_entry(eta: Any, i: Any, t: Any) -> Any:
    """R_it = eta^(t - i) for i <= t, else 0."""
    return eta ** (t - i) if i <= t else 0


def momentum(data: Data) -> Any:
    """eta."""
    return data.scalars["eta"]


def identity(data: Data) -> Block:
    """I (n, n)."""
    return data.like.identity(data.sizes["n"])


def row_of_ones(data: Data) -> Block:
    """1^T (1, n)."""
    return data.like.ones(1, data.sizes["n"])


def toeplitz(data: Data) -> Block:
    """H (n, n)."""
    return momentum_weights(data.like, data.sizes["n"], momentum(data))


def resolvent(data: Data) -> Block:
    """R (n, n)."""
    n = data.sizes["n"]
    return data.like.given("R", n, n, lambda i, t: resolvent_entry(momentum(data), i, t), opaque=(resolvent_entry,))


def shift(data: Data) -> Block:
    """Z (n, n)."""
    n = data.sizes["n"]
    return data.like.given("Z", n, n, lambda i, t: one_if_equal(i, t - 1))


def first(data: Data) -> Block:
    """e_0 (n, 1)."""
    return data.like.given("e_0", data.sizes["n"], 1, lambda i, _: one_if_equal(i, 0))


def last(data: Data) -> Block:
    """e_(n - 1) (n, 1)."""
    n = data.sizes["n"]
    return data.like.given("e_last", n, 1, lambda i, _: one_if_equal(i, n - 1))


def powers(data: Data) -> Block:
    """p (1, n)."""
    return data.like.given("p", 1, data.sizes["n"], lambda _, t: momentum(data) ** t)


def next_column(data: Data) -> Block:
    """h (n, 1), the column of H for an index n."""
    return current_momentum_weights(data.like, data.sizes["n"], momentum(data))


def row_sums(data: Data) -> Block:
    """r (n, 1): 1 + eta + ... + eta^(n - 1 - i), which is (1 - eta^(n - i)) / (1 - eta)."""
    return momentum_buffer_weights(data.like, data.sizes["n"], momentum(data))


def _R(i: Any, t: Any) -> Any:
    return sympy.sympify(resolvent_entry(eta, i, t))


def _H(i: Any, t: Any) -> Any:
    return sympy.sympify(momentum_weight(eta, i, t))


def _r(i: Any) -> Any:
    return (1 - eta ** (n - i)) / (1 - eta)


def _e(i: Any) -> Any:
    return sympy.KroneckerDelta(i, n - 1)


_ONE, _ZERO = sympy.Integer(1), sympy.Integer(0)

STRICT_PART = Lemma(
    lambda data: Relation("H is R without its diagonal", toeplitz(data), resolvent(data) - identity(data)),
    (
        ("right of the diagonal, t = i + 1 + s", _H(i, i + 1 + s), _R(i, i + 1 + s)),
        ("on the diagonal", _H(i, i), _R(i, i) - 1),
        ("left of it", _H(i + 1 + s, i), _R(i + 1 + s, i)),
    ),
)

RECURSION_IN_T = Lemma(
    lambda data: Relation(
        "R is a recursion in t",
        (resolvent(data) @ shift(data)).scale(momentum(data)),
        resolvent(data) - identity(data),
    ),
    (
        ("right of the diagonal, t = i + 1 + s", eta * _R(i, i + s), _R(i, i + 1 + s)),
        ("on the diagonal, t > 0", eta * _R(i + 1, i), _R(i + 1, i + 1) - 1),
        ("left of it, t > 0", eta * _R(i + 2 + s, i), _R(i + 2 + s, i + 1)),
        ("t = 0, where R Z is 0: i = 0", _ZERO, _R(0, 0) - 1),
        ("t = 0, where R Z is 0: i > 0", _ZERO, _R(i + 1, 0)),
    ),
)

RECURSION_IN_I = Lemma(
    lambda data: Relation(
        "R is a recursion in i",
        (shift(data) @ resolvent(data)).scale(momentum(data)),
        resolvent(data) - identity(data),
    ),
    (
        ("right of the diagonal, t = i + 1 + s", eta * _R(i + 1, i + 1 + s), _R(i, i + 1 + s)),
        ("on the diagonal, i < n - 1", eta * _R(i + 1, i), _R(i, i) - 1),
        ("left of it, i < n - 1", eta * _R(i + 2 + s, i), _R(i + 1 + s, i)),
        ("i = n - 1, where Z R is 0: t = n - 1", _ZERO, _R(n - 1, n - 1) - 1),
        ("i = n - 1, where Z R is 0: t = n - 2 - s", _ZERO, _R(n - 1, n - 2 - s)),
    ),
)

FIRST_COLUMN = Lemma(
    lambda data: Relation("the first column of R is the unit vector", resolvent(data) @ first(data), first(data)),
    (("i = 0", _R(0, 0), _ONE), ("i > 0", _R(i + 1, 0), _ZERO)),
)

NEXT_COLUMN = Lemma(
    lambda data: Relation(
        "the last column of R, one index later, is h",
        (resolvent(data) @ last(data)).scale(momentum(data)),
        next_column(data),
    ),
    (("i = n - 1 - s", eta * _R(n - 1 - s, n - 1), _H(n - 1 - s, n)),),
)

COLUMN_SUMS = Lemma(
    lambda data: Relation(
        "column t of H has the sum s_t with (1 - eta) s_t = eta (1 - eta^t)",
        (row_of_ones(data) @ toeplitz(data)).scale(1 - momentum(data)),
        (row_of_ones(data) - powers(data)).scale(momentum(data)),
    ),
    (
        ("s_0 = 0, and so is the closed form", _H(0, 0) + _H(i + 1, 0), eta * (1 - eta**0)),
        ("s_(t + 1) = eta s_t + eta: the entries of column t times eta", _H(i, i + 2 + s), eta * _H(i, i + 1 + s)),
        ("s_(t + 1) = eta s_t + eta: and one more entry", _H(i, i + 1), eta),
        ("the closed form does the same", eta * (eta * (1 - eta**i)) + eta * (1 - eta), eta * (1 - eta ** (i + 1))),
    ),
    is_rule=False,
)

ROW_SUMS = Lemma(
    lambda data: Relation("the rows of R have the sums r", resolvent(data) @ row_of_ones(data).T, row_sums(data)),
    (
        ("the last row has one entry", _R(n - 1, n - 1), _r(n - 1)),
        ("row i has one more than row i + 1 times eta: on the diagonal", _R(i, i), _ONE),
        ("row i has one more than row i + 1 times eta: the others", _R(i, i + 1 + s), eta * _R(i + 1, i + 1 + s)),
        ("r_i = 1 + eta r_(i + 1)", _r(i), 1 + eta * _r(i + 1)),
    ),
)

ROW_SUMS_IN_CLOSED_FORM = Lemma(
    lambda data: Relation(
        "r_i (1 - eta) = 1 - eta^(n - i)",
        row_sums(data).scale(1 - momentum(data)),
        row_of_ones(data).T - next_column(data),
    ),
    (("every i = n - 1 - s", _r(n - 1 - s) * (1 - eta), 1 - _H(n - 1 - s, n)),),
    is_rule=False,
)

UNIT_VECTOR = Lemma(
    lambda data: Relation("diag(e) is e e^T for a unit vector", last(data).diagonal(), last(data) @ last(data).T),
    (
        ("at its index", _ONE, _e(n - 1) * _e(n - 1)),
        ("elsewhere on the diagonal, i = n - 2 - s", _e(n - 2 - s), _e(n - 2 - s) * _e(n - 2 - s)),
        ("off the diagonal, in the row of its index", _ZERO, _e(n - 1) * _e(n - 2 - s)),
        ("off the diagonal, elsewhere", _ZERO, _e(n - 2 - s) * _e(i)),
    ),
)

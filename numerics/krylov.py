"""Krylov methods: what a polynomial of bounded degree can do to the error, and conjugate gradient, which does the best.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), W (m, d), S = X X^T.

A method whose iterate is W_T = Y X^T p(S) with deg p < T has the error W_T - W* = -W* q(S), q(z) = 1 - z p(z): any
polynomial with deg q <= T and q(0) = 1. At T + 1 nodes z_i > 0 the weights l_i = prod_(j != i) z_j / (z_j - z_i) have
sum_i l_i q(z_i) = q(0) = 1, so that with L = sum_i |l_i|

    max_i |q(z_i)| >= 1 / L        sum_i (|l_i| / L) q(z_i)^2 >= 1 / L^2

for every such q, with equality for q(z_i) = sign(l_i) / L.

Reference: Nemirovski and Yudin (1983), for the bound; Hestenes and Stiefel (1952), for conjugate gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

from constructions.prompt import Prompt
from numerics.rationals import RationalBlock, as_fraction


def interpolation_weights(nodes: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """l_i = prod_(j != i) z_j / (z_j - z_i): sum_i l_i q(z_i) = q(0) for every q of degree below the number of nodes.

    Args:
        nodes: z_i, different from each other.

    Raises:
        ValueError: if two nodes are equal, or there is none.

    >>> interpolation_weights([Fraction(1), Fraction(3)])
    (Fraction(3, 2), Fraction(-1, 2))
    """
    if not nodes or len(set(nodes)) < len(nodes):
        raise ValueError(f"at least one node is required, and different ones, but {list(map(str, nodes))} came")
    weights = []
    for i, node in enumerate(nodes):
        weight = Fraction(1)
        for other in (*nodes[:i], *nodes[i + 1 :]):
            weight *= other / (other - node)
        weights.append(weight)
    return tuple(weights)


def least_krylov_error(nodes: Sequence[Fraction]) -> Fraction:
    """1 / L: the least max_i |q(z_i)| over all polynomials with q(0) = 1 of a degree below the number of nodes.

    Args:
        nodes: the eigenvalues of S that a context has, positive and different from each other.

    Raises:
        ValueError: if a node is not positive, two are equal, or there is none.

    >>> least_krylov_error([Fraction(1), Fraction(3)])
    Fraction(1, 2)
    """
    if any(node <= 0 for node in nodes):
        raise ValueError(f"the nodes are eigenvalues and must be above 0, but {min(nodes)} came")
    return 1 / sum(map(abs, interpolation_weights(nodes)), start=Fraction(0))


def conjugate_gradient(prompt: Prompt) -> Iterator[RationalBlock]:
    """The iterates W_0 = 0, W_1, ... of conjugate gradient on W S = Y X^T, in rationals; ends at least squares.

    It minimises |(W - W*) X| over W in the span of Y X^T, Y X^T S, ..., Y X^T S^(T-1).

    Args:
        prompt: rational entries, one target.

    Raises:
        TypeError: if the prompt is not of rationals.
        ValueError: for more than one target: each has directions of its own.
    """
    held = prompt.lifted()
    if not isinstance(held.X, RationalBlock) or not isinstance(held.Y, RationalBlock):
        raise TypeError(
            f"conjugate gradient is run in rationals, but {type(held.X).__name__} came: pass nested lists of numbers"
        )
    if held.m != 1:
        raise ValueError(f"conjugate gradient is run for 1 target, but Y has {held.m} rows: run them one by one")
    S = held.X.matrix * held.X.matrix.transpose()
    W = fmpq_mat(1, held.d)
    residual = direction = held.Y.matrix * held.X.matrix.transpose()
    while True:
        yield RationalBlock(W)
        size = _inner(residual, residual)
        if size == 0:
            return
        moved = direction * S
        length = size / _inner(direction, moved)
        W, residual = W + length * direction, residual - length * moved
        direction = residual + _inner(residual, residual) / size * direction


def _inner(left: fmpq_mat, right: fmpq_mat) -> fmpq:
    return (left * right.transpose())[0, 0]


def excess_loss(W: RationalBlock, W_star: RationalBlock, X: RationalBlock) -> Fraction:
    """|(W - W*) X|^2, which is 2 n times the loss of W beyond the least one."""
    error = (W.matrix - W_star.matrix) * X.matrix
    return sum((as_fraction(value) ** 2 for value in error.entries()), start=Fraction(0))

"""Exact averages over signed permutations: the loss and the gradient of a stack, one context moved by the whole group.

Symbols: O (d, d) a signed permutation, one of 2^d d!; R (d, d) invertible, Sigma = R R^T; T = R O R^-1; X (d, n) one
context, S = X X^T / n; A_l, B_l (d, d) in the relaxed form's sign; J as in ``constructions.stack_error``.

    loss(A, B) = mean over all O of tr Sigma^-1 J Sigma J^T, the context being T X in place of X

It is the expected squared error under the law "T X for a random O", with E w w^T = Sigma^-1 and E x x^T = Sigma, which
the group leaves as it is: what follows from that symmetry holds for it exactly, without any Gaussian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from math import factorial
from typing import Any

from flint import fmpq, fmpq_mat

from constructions.prompt import Prompt
from constructions.stack_error import RelaxedStackError
from numerics.rationals import RationalBlock, as_fraction

LARGEST_GROUP = 4
"""The largest d: its group has 384 elements, the next one 3840."""

Matrices = Sequence[fmpq_mat]


def signed_permutations(d: int) -> Iterator[fmpq_mat]:
    """All 2^d d! matrices with one entry +-1 in every row and column.

    Args:
        d: 1..``LARGEST_GROUP``.

    Raises:
        ValueError: for another d.

    >>> len(list(signed_permutations(3)))
    48
    """
    if not 1 <= d <= LARGEST_GROUP:
        raise ValueError(f"d = {d}: groups of 1..{LARGEST_GROUP} features are gone through")
    for order in permutations(range(d)):
        for signs in product((1, -1), repeat=d):
            yield fmpq_mat(d, d, [signs[i] if order[i] == j else 0 for i in range(d) for j in range(d)])


def averaged_loss(steps: Matrices, input_maps: Matrices, X: fmpq_mat, R: fmpq_mat) -> Fraction:
    """The mean over the group of tr Sigma^-1 J Sigma J^T.

    Args:
        steps: A_0, ..., A_(L-1), (d, d) each.
        input_maps: B_0, ..., B_(L-1), likewise; zero for the stack that leaves the inputs alone.
        X: one context, (d, n).
        R: (d, d), invertible.

    Raises:
        ValueError: if the numbers of matrices differ.
        ZeroDivisionError: if R is singular.
    """
    if len(steps) != len(input_maps):
        raise ValueError(f"{len(steps)} matrices A_l and {len(input_maps)} matrices B_l came: one of each per layer")
    inverse = R.inv()
    Sigma, prior = R * R.transpose(), inverse.transpose() * inverse
    total, count = fmpq(0), 0
    for O in signed_permutations(R.nrows()):
        J = _error_matrix(steps, input_maps, R * O * inverse * X)
        moved = prior * J * Sigma * J.transpose()
        total, count = total + sum((moved[i, i] for i in range(R.nrows())), start=fmpq(0)), count + 1
    return as_fraction(total / count)


def averaged_slopes(
    steps: Matrices, input_maps: Matrices, X: fmpq_mat, R: fmpq_mat
) -> tuple[list[fmpq_mat], list[fmpq_mat]]:
    """The derivatives of the averaged loss by every entry of every A_l, and of every B_l, exactly.

    Args:
        steps, input_maps, X, R: as for ``averaged_loss``.

    Raises:
        ValueError, ZeroDivisionError: as ``averaged_loss``.
    """
    d = R.nrows()

    def entry(number: int, i: int, j: int) -> fmpq:
        return _fmpq(averaged_slope(steps, input_maps, X, R, number, _unit(d, i, j)))

    found = [
        fmpq_mat(d, d, [entry(number, i, j) for i in range(d) for j in range(d)]) for number in range(2 * len(steps))
    ]
    return found[: len(steps)], found[len(steps) :]


def averaged_slope(
    steps: Matrices, input_maps: Matrices, X: fmpq_mat, R: fmpq_mat, number: int, direction: fmpq_mat
) -> Fraction:
    """The derivative of the averaged loss as one matrix moves, exactly.

    Args:
        steps, input_maps, X, R: as for ``averaged_loss``.
        number: l for A_l, L + l for B_l.
        direction: (d, d).

    Raises:
        ValueError, ZeroDivisionError: as ``averaged_loss``.
    """
    layers, held = len(steps), [*steps, *input_maps]

    def value(t: int) -> Fraction:
        changed = [*held[:number], held[number] + t * direction, *held[number + 1 :]]
        return averaged_loss(changed[:layers], changed[layers:], X, R)

    moves_inputs = any(B != 0 * B for B in input_maps) or number >= layers
    return slope_at_0(value, 2 * 3 ** (layers - 1) if moves_inputs else 2)


def slope_at_0(polynomial: Callable[[int], Fraction], degree: int) -> Fraction:
    """The derivative at 0 of a polynomial of at most that degree, from its values at whole numbers.

    >>> slope_at_0(lambda t: Fraction(5 + 3 * t - t**4), 4)
    Fraction(3, 1)
    """
    reach = (degree + 1) // 2
    total = Fraction(0)
    for j in range(1, reach + 1):
        weight = Fraction((-1) ** (j + 1) * factorial(reach) ** 2, j * factorial(reach - j) * factorial(reach + j))
        total += weight * (polynomial(j) - polynomial(-j))
    return total


def _error_matrix(steps: Matrices, input_maps: Matrices, X: fmpq_mat) -> fmpq_mat:
    """J, by the recursion that is proved of the network."""
    stack = RelaxedStackError(
        preconditioners=[RationalBlock(A) for A in steps], input_maps=[RationalBlock(B) for B in input_maps]
    )
    none: Any = RationalBlock(fmpq_mat(1, X.ncols()))
    prompt = Prompt(RationalBlock(X), none, RationalBlock(fmpq_mat(X.nrows(), 1)))
    iterate = stack.initial(prompt)
    for l in range(len(steps)):
        iterate = stack.step(l, iterate, prompt)
    J: Any = iterate.J
    held: fmpq_mat = J.matrix
    return held


def _unit(d: int, i: int, j: int) -> fmpq_mat:
    matrix = fmpq_mat(d, d)
    matrix[i, j] = fmpq(1)
    return matrix


def _fmpq(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)

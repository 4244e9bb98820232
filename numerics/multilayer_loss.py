"""The exact population loss of a stack of linear attention layers that leave the inputs alone, for any matrices A_l.

Symbols: n context tokens, d features, L layers; x_i, x_query ~ N(0, Sigma); w of covariance Omega, (d, d); labels
y_i = w^T x_i + eps_i with noise of variance sigma2; S = X X^T / n; C_l = A_l^T (d, d), l = 0..L-1.

The layers P = [[0, 0], [0, 1]], Q_l = -[[A_l, 0], [0, 0]] take the steps u <- u - C_l (S u - v), so that

    w_L - w = -Err w + R X eps^T / n        Err = (I - C_(L-1) S) ... (I - C_0 S)        R S = I - Err
    E (prediction - w^T x_query)^2 = E tr Sigma Err Omega Err^T + (sigma2 / n) E tr Sigma R S R^T

Both are sums over pairs of words (-1)^p C_j1 S ... C_jp S, j1 > ... > jp, each an expectation of ``word_moments``: a
polynomial in 1/n, exactly. Only second moments of w and eps enter. For A_l = a_l Sigma^-1 and any number of layers see
``numerics.optimal_steps`` and ``numerics.gdpp_loss``.

Reference: the loss of Ahn et al. (2023), equation (5), arXiv 2306.00297; the formula is this project's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

from flint import fmpq, fmpq_mat

from numerics.definiteness import factors
from numerics.rationals import RationalBlock, as_fmpq, as_fraction
from numerics.wishart import require_size
from numerics.word_moments import LONGEST, word_moment

MOST_LAYERS = LONGEST // 2
"""The most layers."""


def multilayer_loss(preconditioners: Sequence[Any], n: int, Sigma: Any, Omega: Any, sigma2: Any = 0) -> Fraction:
    """E (prediction - w^T x_query)^2, exactly.

    Args:
        preconditioners: A_0, ..., A_(L-1), (d, d) each, symmetric or not: nested lists of ints and Fractions, or arrays
            of floats, each the dyadic number that it is; at most ``MOST_LAYERS``.
        n: context tokens, >= 1.
        Sigma, Omega: (d, d), symmetric and positive semidefinite.
        sigma2: >= 0, the variance of the noise on the context's labels; for a noisy query label add it to the loss.

    Raises:
        TypeError: for an n that is no int, or entries that are no numbers.
        ValueError: for anything out of range, or matrices whose shapes do not fit.

    >>> one = [[1]]
    >>> multilayer_loss([[[Fraction(1, 3)]]], 1, one, one)
    Fraction(2, 3)
    """
    require_size("n", n)
    terms = multilayer_loss_coefficients(preconditioners, Sigma, Omega, sigma2)
    return sum((term / n**power for power, term in enumerate(terms)), start=Fraction(0))


def multilayer_loss_coefficients(
    preconditioners: Sequence[Any], Sigma: Any, Omega: Any, sigma2: Any = 0
) -> tuple[Fraction, ...]:
    """The loss for every n: the coefficients of 1, 1/n, 1/n^2, ....

    Args:
        preconditioners, Sigma, Omega, sigma2: as for ``multilayer_loss``.

    Raises:
        TypeError, ValueError: as ``multilayer_loss``.

    >>> multilayer_loss_coefficients([[[1]]], [[1]], [[1]])
    (Fraction(0, 1), Fraction(2, 1))
    """
    S, O = _covariance("Sigma", Sigma), _covariance("Omega", Omega)
    if S.shape != O.shape:
        raise ValueError(f"Sigma is {S.shape} and Omega is {O.shape}: both must be (d, d) with the same d")
    noise = as_fmpq(sigma2)
    if noise < 0:
        raise ValueError(f"sigma2 = {sigma2}: a variance must be at least 0")
    if len(preconditioners) > MOST_LAYERS:
        raise ValueError(
            f"{len(preconditioners)} layers came: at most {MOST_LAYERS} are summed over pairings; for A_l = a_l "
            "Sigma^-1 the loss is a polynomial in moments, for any number of layers"
        )
    C = [_matrix(f"A_{l}", A, S.rows).transpose() for l, A in enumerate(preconditioners)]
    total = [fmpq(0)] * (2 * len(C) + 1)
    for power, value in (*_error_terms(C, S.matrix, O.matrix), *_noise_terms(C, S.matrix, noise)):
        total[power] += value
    while len(total) > 1 and total[-1] == 0:
        total.pop()
    return tuple(as_fraction(value) for value in total)


def multilayer_gradient(
    preconditioners: Sequence[Any], n: int, Sigma: Any, Omega: Any, sigma2: Any = 0
) -> list[list[list[Fraction]]]:
    """The derivatives of the loss by every entry of every A_l, exactly: L matrices (d, d).

    The loss is quadratic in each A_l, so that a central difference of step 1 is its derivative.

    Args:
        preconditioners, n, Sigma, Omega, sigma2: as for ``multilayer_loss``.

    Raises:
        TypeError, ValueError: as ``multilayer_loss``.

    >>> multilayer_gradient([[[Fraction(1, 2)]]], 1, [[1]], [[1]])
    [[[Fraction(1, 1)]]]
    """
    held = [RationalBlock.lift(A) for A in preconditioners]

    def moved(l: int, i: int, j: int, by: int) -> Fraction:
        matrix = fmpq_mat(held[l].matrix)
        matrix[i, j] += by
        changed = [*held[:l], RationalBlock(matrix), *held[l + 1 :]]
        return multilayer_loss([A.matrix for A in changed], n, Sigma, Omega, sigma2)

    return [
        [[(moved(l, i, j, 1) - moved(l, i, j, -1)) / 2 for j in range(A.columns)] for i in range(A.rows)]
        for l, A in enumerate(held)
    ]


def _words(C: Sequence[fmpq_mat]) -> Iterator[tuple[int, list[fmpq_mat]]]:
    """(sign, [C_j1, ..., C_jp]) for every word of Err, j1 > ... > jp, the empty one first."""
    for length in range(len(C) + 1):
        for chosen in combinations(reversed(C), length):
            yield (-1) ** length, list(chosen)


def _error_terms(C: Sequence[fmpq_mat], Sigma: fmpq_mat, Omega: fmpq_mat) -> Iterator[tuple[int, fmpq]]:
    """(power of 1/n, coefficient) of E tr Sigma Err Omega Err^T."""
    for sign, left in _words(C):
        for other_sign, right in _words(C):
            # tr Sigma (J1 S .. Jp S) Omega (S Kr^T .. S K1^T), read from K1^T on; each matrix but Sigma precedes an S.
            back = [K.transpose() for K in reversed(right)]
            if left and right:
                word = [back[-1] * Sigma * left[0], *left[1:], Omega, *back[:-1]]
            elif left:
                word = [Omega * Sigma * left[0], *left[1:]]
            elif right:
                word = [back[-1] * Sigma * Omega, *back[:-1]]
            else:
                yield 0, _trace(Sigma * Omega)
                continue
            for power, value in enumerate(word_moment(word, Sigma)):
                yield power, sign * other_sign * value


def _noise_terms(C: Sequence[fmpq_mat], Sigma: fmpq_mat, sigma2: fmpq) -> Iterator[tuple[int, fmpq]]:
    """(power of 1/n, coefficient) of (sigma2 / n) E tr Sigma R S R^T, R = -sum of the words J1 S .. S Jp, p >= 1."""
    for sign, left in _words(C) if sigma2 != 0 else ():
        for other_sign, right in _words(C):
            if left and right:
                back = [K.transpose() for K in reversed(right)]
                word = [back[-1] * Sigma * left[0], *left[1:], *back[:-1]]
                for power, value in enumerate(word_moment(word, Sigma), start=1):
                    yield power, sign * other_sign * sigma2 * value


def _trace(matrix: fmpq_mat) -> fmpq:
    return sum((matrix[i, i] for i in range(matrix.nrows())), start=fmpq(0))


def _covariance(name: str, entry: Any) -> RationalBlock:
    block = RationalBlock.lift(entry)
    if block.rows != block.columns:
        raise ValueError(f"{name} must be (d, d), but shape {block.shape} came")
    try:
        factors(block)
    except ValueError as error:
        raise ValueError(f"{name} must be a covariance: {error}") from error
    return block


def _matrix(name: str, entry: Any, d: int) -> fmpq_mat:
    block = RationalBlock.lift(entry)
    if block.shape != (d, d):
        raise ValueError(f"{name} must be ({d}, {d}) for d = {d}, but shape {block.shape} came")
    return block.matrix

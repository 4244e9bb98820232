"""Ahn et al. (2023), Theorem 2: two layers have a pair of diagonal matrices as a global minimiser; with more shown.

Symbols: x, w ~ N(0, I), no noise; A_0, A_1 (d, d); b a vector, diag(b) (d, d); D diagonal, H of zero diagonal.

    f(D + H, diag(b)) = f(D, diag(b)) + E |(I - diag(b) S) H^T S|^2
    f(diag(b), D + H) = f(diag(b), D) + E |H^T S (I - diag(b) S)|^2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import sympy

from constructions.parameters import Unspecified
from constructions.preconditioned import PreconditionedDescent
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.expected_words import indexed
from proofs.gaussian_moments import Gaussian, X, expectation, w
from proofs.index_sums import IndexSum, Tensor, Terms, delta, n
from proofs.induction import normal_form
from proofs.multilayer_closed_form import A_LAYERS, LAWS, Matrices, drawn_matrices, loss_under, stack_loss
from proofs.regression_law import RegressionLaw, float_loss_bounds, integrated
from proofs.stacks import CHANGED_BASIS, PAPER, STACK_ERROR
from proofs.stationary_families import isotropic
from proofs.symbols import SymbolBlock

_A0, _A1 = A_LAYERS
_H, _K = Tensor("H", "dd"), Tensor("K", "dd")
_b, _c = Tensor("b", "d"), Tensor("c", "d")


def theorems() -> tuple[ArguedTheorem, ...]:
    """The global minimum of two layers."""
    return (
        ArguedTheorem(
            name="two_layers_have_a_diagonal_global_minimum",
            system=PAPER,
            reference=(
                "Ahn et al. (2023), Theorem 2, arXiv 2306.00297: a pair of diagonal matrices is a global minimiser "
                "over symmetric pairs; existence, one matrix being arbitrary, and all minimisers are this project's"
            ),
            statement=(
                "For x, w ~ N(0, I), all n and d, the loss of two layers attains its minimum over the pairs of which "
                "one matrix is symmetric and the other arbitrary, and some pair of diagonal matrices attains it. Every "
                "minimiser is such a pair in some orthonormal basis, hence two commuting symmetric matrices: with "
                "diag(b) for one, off-diagonal entries H of the other add E |(I - diag(b) S) H^T S|^2 or E |H^T S (I - "
                "diag(b) S)|^2."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d and pairs of matrices of which one is symmetric",
                "exact": "exact losses of drawn pairs, the square integrated entry by entry, and of rotated pairs",
                "float": "the float64 network over a finite law of equal moments, enclosed, n 1..2, d = 2",
            },
            slips={
                "H for its transpose": lambda: not _is_excess(_PAIR, 2, transposed=False),
                "whatever the other matrix": lambda: not _is_excess((_PAIR[0], _SHEAR), 2),
                "whatever the diagonal of H": lambda: not _is_excess(_PAIR, 2, keeps_diagonal=True),
                "off-diagonal entries of both matrices at once": lambda: (
                    _loss(_COMMUTING, 2) < _loss([_rows(3 * sympy.eye(2) / 4)] * 2, 2)
                ),
            },
            about=STACK_ERROR,
        ),
    )


def _argument() -> Sequence[Equation | Induction | Inference]:
    x = SymbolBlock.lift(Unspecified("x", "d", 1))
    first, second = (SymbolBlock.lift(Unspecified(f"A_{l}", "d", "d")) for l in range(2))
    S = x @ x.T
    return (
        Induction("in another basis the stack is the same network", CHANGED_BASIS),
        Inference(
            "for O orthogonal O x and O w have the laws of x and w: f(O^T A_0 O, O^T A_1 O) = f(A_0, A_1). A symmetric "
            "matrix of the pair may be taken to be diag(b)"
        ),
        Equation(
            "A_1 = diag(b), A_0 = D + H, D = diag(c), H of zero diagonal: the loss is f(D, diag(b)) + E |(I - diag(b) "
            "S) H^T S|^2",
            _with(_A0, _A1),
            _without(_A0, _A1) + _square(lambda S, A, H, one: (one - A @ S) @ H.T @ S),
        ),
        Equation(
            "A_0 = diag(b), A_1 = D + H: the loss is f(diag(b), D) + E |H^T S (I - diag(b) S)|^2",
            _with(_A1, _A0),
            _without(_A1, _A0) + _square(lambda S, A, H, one: H.T @ S @ (one - A @ S)),
        ),
        Inference(
            "so dropping H does not raise the loss; it lowers it unless the square is 0 for all X, that is, in lowest "
            "order, H^T x x^T = 0 for all x: H = 0"
        ),
        Equation(
            "the minimum exists. Where S = x x^T, as for the only column sqrt(n) x, the part of Err of degree 4 is",
            normal_form(second @ S @ first @ S),
            normal_form(second @ x @ (x.T @ first @ x) @ x.T),
        ),
        Inference(
            "f is a mean square of the polynomial Err, so bounded f bounds its parts of each degree: A_0 + A_1 and A_1 "
            "S A_0 S. Were A_0 unbounded along a sequence, A_0 / |A_0| -> B and A_1 / |A_0| -> -B for a part of it, B "
            "symmetric as one of the two is, and (B x) (x^T B x) x^T = 0 for all x: x^T B x = 0 for all x, B = 0, but "
            "|B| = 1. So a minimising sequence is bounded, and f continuous"
        ),
    )


def _diagonal(vector: Tensor) -> Callable[[Any, Any], Terms]:
    return lambda i, j: [(1, [delta(i, j), vector(i)])]


def _off_diagonal(i: Any, j: Any) -> Terms:
    """K without its diagonal."""
    return [(1, [_K(i, j)]), (-1, [delta(i, j), _K(i, i)])]


@cache
def _with(moved: Tensor, fixed: Tensor) -> IndexSum:
    """The loss at D + H for one matrix and diag(b) for the other."""
    return isotropic(stack_loss(2)).substituted(
        {moved: lambda i, j: [*_diagonal(_c)(i, j), *_off_diagonal(i, j)], fixed: _diagonal(_b)}
    )


def _without(moved: Tensor, fixed: Tensor) -> IndexSum:
    return isotropic(stack_loss(2)).substituted({moved: _diagonal(_c), fixed: _diagonal(_b)})


def _square(matrix: Callable[..., Any]) -> IndexSum:
    """E |M|^2, as E |M u|^2 over a standard normal u."""
    held, A, H, u = (
        SymbolBlock.lift(Unspecified(*letter))
        for letter in (("X", "d", "n"), ("A", "d", "d"), ("H", "d", "d"), ("w", "d", 1))
    )
    image = matrix((held @ held.T).scale(1 / n), A, H, held.identity(held.rows)) @ u
    total = expectation(indexed(normal_form(image.T @ image)), [Gaussian(X), Gaussian(w)])
    return total.substituted({Tensor("A", "dd"): _diagonal(_b), _H: _off_diagonal})


def _loss(pair: Matrices, tokens: int) -> Any:
    return loss_under(pair, RegressionLaw.isotropic(tokens, len(pair[0])))


def integrated_square(H: Any, A: Any, tokens: int, is_first: bool = True) -> Any:
    """E |(I - A S) H^T S|^2, or E |H^T S (I - A S)|^2 if H is of the second matrix, integrated entry by entry."""
    size = H.rows
    Z = sympy.Matrix(size, tokens, lambda a, i: sympy.Symbol(f"z[{a},{i}]"))
    S = Z * Z.T / tokens
    factors = (sympy.eye(size) - A * S, H.T * S)
    product = factors[0] * factors[1] if is_first else factors[1] * factors[0]
    return sympy.Add(*(integrated(sympy.Poly(entry, *Z) ** 2) for entry in product))


def excess_of_the_off_diagonal(pair: Matrices, tokens: int, is_first: bool = True) -> Any:
    """The exact loss of a pair minus its loss without the off-diagonal entries of the first, or second, matrix."""
    number = 0 if is_first else 1
    cut = [[value if i == j else Fraction(0) for j, value in enumerate(row)] for i, row in enumerate(pair[number])]
    changed = [cut, pair[1]] if is_first else [pair[0], cut]
    return _loss(pair, tokens) - _loss(changed, tokens)


def _is_excess(pair: Matrices, tokens: int, transposed: bool = True, keeps_diagonal: bool = False) -> bool:
    A, B = map(sympy.Matrix, pair)
    H = A if keeps_diagonal else A - sympy.diag(*A.diagonal())
    square = integrated_square(H if transposed else H.T, B, tokens)
    return bool(excess_of_the_off_diagonal(pair, tokens) == square)


_QUARTER, _ZERO = Fraction(1, 4), Fraction(0)
_SHEAR: Sequence[Sequence[Fraction]] = ((2 * _QUARTER, Fraction(1)), (_ZERO, _QUARTER))
_PAIR: Matrices = (
    ((_QUARTER, Fraction(1)), (-2 * _QUARTER, 3 * _QUARTER)),
    ((2 * _QUARTER, _ZERO), (_ZERO, -_QUARTER)),
)
_COMMUTING: Matrices = tuple(((3 * _QUARTER, sign * _QUARTER), (sign * _QUARTER, 3 * _QUARTER)) for sign in (1, -1))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    turn = sympy.Matrix([[3, 4], [-4, 3]]) / 5
    for number in range(instances):
        tokens, is_first = 1 + number % 2, number % 4 < 2
        pair = _drawn_pair(rng, is_first)
        H = sympy.Matrix(pair[0 if is_first else 1])
        H -= sympy.diag(*H.diagonal())
        other = sympy.Matrix(pair[1 if is_first else 0])
        excess = excess_of_the_off_diagonal(pair, tokens, is_first)
        yield Run(
            f"the excess, n = {tokens}, {pair}", bool(excess == integrated_square(H, other, tokens, is_first) >= 0)
        )
        rotated = [_rows(turn.T * sympy.Matrix(A) * turn) for A in pair]
        yield Run(f"rotated, n = {tokens}, {pair}", bool(_loss(pair, tokens) == _loss(rotated, tokens)))
    sheared = [_rows(sympy.Matrix(_SHEAR).T * sympy.Matrix(A) * sympy.Matrix(_SHEAR)) for A in _PAIR]
    yield Run("sheared", bool(_loss(_PAIR, 2) == _loss(sheared, 2)), is_control=True)


def _drawn_pair(rng: np.random.Generator, is_first: bool) -> Matrices:
    """A matrix of any entries and a diagonal one, the first first or second."""
    a, b = drawn_matrices(rng, 2, 2)
    diagonal = [[b[0][0], Fraction(0)], [Fraction(0), b[1][1]]]
    return (a, diagonal) if is_first else (diagonal, a)


def _rows(matrix: Any) -> list[list[Fraction]]:
    return [[Fraction(int(v.p), int(v.q)) for v in row] for row in matrix.tolist()]


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(min(instances, 4)):
        tokens, is_first = 1, number % 2 == 0
        pair = _drawn_pair(rng, is_first)
        moved = sympy.Matrix(pair[0 if is_first else 1])
        without = sympy.diag(*moved.diagonal())
        cut = (_rows(without), pair[1]) if is_first else (pair[0], _rows(without))
        (low, high), (low_cut, high_cut) = (_enclosed(each, tokens) for each in (pair, cut))
        other = sympy.Matrix(pair[1 if is_first else 0])
        square = integrated_square(moved - without, other, tokens, is_first)
        for factor in (1, 2):
            claimed = Fraction(int(square.p) * factor, int(square.q))
            if factor == 1 or claimed:
                holds = low - high_cut <= claimed <= high - low_cut
                yield Run(f"{factor} times the square, {pair}", holds, is_control=factor == 2)


def _enclosed(pair: Matrices, tokens: int) -> tuple[Fraction, Fraction]:
    network = PreconditionedDescent(preconditioners=[np.array(A, dtype=float) for A in pair])
    return float_loss_bounds(network, RegressionLaw.isotropic(tokens, 2), laws=LAWS)

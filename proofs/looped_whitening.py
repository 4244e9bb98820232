"""Whitening: the looped transformer's loss under any covariance is its loss under the identity, at another A.

Symbols: x_i, x_query ~ N(0, Sigma), w ~ N(0, Omega); Sigma = R R^T, R any root, the symmetric one among them; A, B
(d, d); S = X X^T / n. Gatmiry et al. have the prior Omega = Sigma^-1.

    loss(A; Sigma, Omega) = loss(R^T A R; I, R^T Omega R)            and R^T Sigma^-1 R = I
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.block import Block
from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from constructions.parameters import Unspecified
from constructions.whitening import TransformedPrompt
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.expected_words import indexed, population_loss
from proofs.gaussian_moments import NOISE, Gaussian, X, expectation, sigma2, w, x_query
from proofs.index_sums import IndexSum, Tensor, d, delta, n, summed
from proofs.induction import normal_form
from proofs.looped_saddle import loss_at
from proofs.looped_scalar_loss import scalar_loss
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss
from proofs.symbols import SymbolBlock

_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
_ONE: Any = [[1]]
_A = Tensor("A", "dd")
_ISOTROPIC = (Gaussian(X), Gaussian(x_query), NOISE, Gaussian(w))


def whitened(A: Any, R: Any) -> Any:
    """B = R^T A R, at which the loss of one loop or more under the identity is that of A under Sigma = R R^T.

    Args:
        A: (d, d).
        R: (d, d), invertible: any root of Sigma.

    Raises:
        ValueError: if R is singular: Sigma would not be positive definite.
    """
    A, R = sympy.Matrix(A), sympy.Matrix(R)
    if R.det() == 0:
        raise ValueError(
            f"R = {R.tolist()} is singular, but Sigma = R R^T must be positive definite; pass another root"
        )
    return R.T * A * R


def one_loop_loss(B: Any, tokens: int) -> Any:
    """d - 2 tr B + ((n + d + 1) / n) |B|^2, the loss of one loop for Sigma = I and any B, (d, d)."""
    B = sympy.Matrix(B)
    size = B.rows
    return size - 2 * B.trace() + sympy.Rational(tokens + size + 1, tokens) * sum(value**2 for value in B)


def theorems() -> tuple[ArguedTheorem, ...]:
    """The reduction to identity covariance."""
    return (
        ArguedTheorem(
            name="whitening_reduces_the_looped_loss_to_identity_covariance",
            system="Gatmiry et al. 2024",
            reference=(
                "Gatmiry et al. (2024), arXiv 2410.08292, the reduction as reported second-hand; every root R, every "
                "prior and the proof are this project's"
            ),
            statement=(
                "For x_i, x_query ~ N(0, Sigma), w ~ N(0, Omega), every root Sigma = R R^T, every A and every number L "
                "of loops, the loss at A is that of x ~ N(0, I), w ~ N(0, R^T Omega R) at B = R^T A R. For Omega = "
                "Sigma^-1 it is E |(I - S B)^L|^2, S white: A = R^-T B R^-1 is a minimiser exactly if B is one for "
                "Sigma = I, A = a Sigma^-1 has the loss of a I, and for L = 1 the unique minimiser over all A is n / "
                "(n + d + 1) Sigma^-1, with the loss d (d + 1) / (n + d + 1)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L, A, Sigma > 0 and Omega > 0",
                "exact": "loops on correlated inputs integrated entry by entry, against the closed forms at R^T A R",
                "float": "the float64 loops on correlated inputs over a finite law, enclosed, n 1..2, d 1..2, L 1..2",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=LoopedTransformer(preconditioner=_ONE, loops=1),
        ),
    )


def _argument() -> tuple[Step, ...]:
    R = SymbolBlock.lift(Unspecified("R", "d", "d", has_inverse=True))
    A, F, z, teacher, query = (
        SymbolBlock.lift(Unspecified(name, "d", columns))
        for name, columns in (("A", "d"), ("F", "d"), ("z", 1), ("w", 1), ("x_query", 1))
    )
    T, Sigma = R.inverse(), R @ R.T
    I = A.identity(A.rows)
    a = sympy.Symbol("a", real=True)
    tF = Tensor("F", "dd")
    best = n / (n + d + 1)
    error: Block = teacher.T @ F @ query
    polynomial = indexed(normal_form(error))
    return (
        Induction(
            "the network (T^-T A T^-1) on the inputs T x has, loop for loop, the labels of A on the inputs x",
            TransformedPrompt(preconditioner=_ONE, transform=_ONE, loops=1, shift=_ONE),
        ),
        Inference("take T = R^-1: T x ~ N(0, I)"),
        Equation("T^-T A T^-1 = R^T A R", normal_form(T.inverse().T @ A @ T.inverse()), normal_form(R.T @ A @ R)),
        Equation(
            "the target w^T x is (R^T w)^T z for x = R z: the teacher of the white inputs is R^T w",
            normal_form(teacher.T @ (R @ z)),
            normal_form((R.T @ teacher).T @ z),
        ),
        Equation(
            "whose covariance is I for w ~ N(0, Sigma^-1)", normal_form(R.T @ Sigma.inverse() @ R), normal_form(I)
        ),
        Equation(
            "A = a Sigma^-1 becomes a I", normal_form(R.T @ Sigma.inverse().scale(a) @ R), normal_form(I.scale(a))
        ),
        Induction("the error is w^T (I - S B)^L x_query", LoopedClosedForm(preconditioner=_ONE, loops=1)),
        Equation(
            "whose mean square over w and x_query of covariance I is |F|^2, F = (I - S B)^L",
            expectation(polynomial * polynomial, [Gaussian(x_query), Gaussian(w)]),
            summed([(1, [tF("a", "b"), tF("a", "b")])]),
        ),
        Equation(
            "for L = 1 the loss of the forward pass is its minimum plus a square, for every B",
            _one_loop(),
            summed(
                [
                    (d * (d + 1) / (n + d + 1), []),
                    (1 / best, [_A("a", "b"), _A("a", "b")]),
                ]
            ).substituted({_A: lambda i, j: [(1, [_A(i, j)]), (-best, [delta(i, j)])]}),
        ),
        Inference("A -> R^T A R is a bijection: minimisers go to minimisers"),
    )


def _one_loop() -> IndexSum:
    network = LoopedTransformer(preconditioner=SymbolBlock.lift(Unspecified("A", "d", "d")), loops=1)
    return population_loss(network, _ISOTROPIC).map(lambda c: c.subs(sigma2, 0))


def _law(rng: np.random.Generator, tokens: int, features: int) -> RegressionLaw:
    """Sigma = R R^T, R lower triangular in halves with a diagonal of powers of two, and Omega = Sigma^-1."""
    R = sympy.Matrix(features, features, lambda i, j: sympy.Rational(int(rng.integers(-2, 3)), 2) if j < i else 0)
    for j in range(features):
        R[j, j] = sympy.Rational(2) ** int(rng.integers(-1, 2))
    return RegressionLaw.of_roots(tokens, R, R.inv().T)


def _white_loss(B: Any, loops: int, tokens: int) -> Any:
    return one_loop_loss(B, tokens) if loops == 1 else loss_at(B, tokens)


def _loss(A: Any, loops: int, law: RegressionLaw) -> Any:
    return integrated_loss(LoopedTransformer(preconditioner=A.tolist(), loops=loops), law)


_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 2, 2))
"""(n, d, L) of the exact runs, in turn."""


def _drawn(rng: np.random.Generator, features: int) -> Any:
    return sympy.Matrix(features, features, lambda i, j: sympy.Rational(int(rng.integers(-4, 5)), 4))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = _CASES[number % len(_CASES)]
        law, A = _law(rng, tokens, features), _drawn(rng, features)
        B = whitened(A, law.root("R"))
        yield Run(f"L = {loops}, A = {A.tolist()}, {law}", bool(_loss(A, loops, law) == _white_loss(B, loops, tokens)))
        a = sympy.Rational(int(rng.integers(1, 9)), 8)
        claimed = scalar_loss(loops, a, tokens, features)
        yield Run(f"{a} Sigma^-1, L = {loops}, {law}", bool(_loss(a * law.Sigma.inv(), loops, law) == claimed))
        best = sympy.Rational(tokens, tokens + features + 1) * law.Sigma.inv()
        least = sympy.Rational(features * (features + 1), tokens + features + 1)
        is_best = _loss(best, 1, law) == least and (best == A or _loss(A, 1, law) > least)
        yield Run(f"one loop, {best.tolist()} is better than {A.tolist()}, {law}", bool(is_best))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 1))[number % 4]
        law = _law(rng, tokens, features)
        A = _drawn(rng, features) + 2 * sympy.eye(features)
        network = LoopedTransformer(preconditioner=np.array(A, dtype=float), loops=loops)
        low, high = (
            sympy.Rational(end.numerator, end.denominator) for end in float_loss_bounds(network, law, laws=_LAWS)
        )
        B = whitened(A, law.root("R"))
        name = f"L = {loops}, A = {A.tolist()}, {law}"
        yield Run(name, bool(low <= _white_loss(B, loops, tokens) <= high))
        wrong = _white_loss(B, loops, tokens + 1)
        yield Run(f"a token more, {name}", bool(low <= wrong <= high), is_control=True)


def _is_refuted(slip: Callable[[Any, Any], Any]) -> bool:
    R = sympy.Matrix([[2, 0], [1, 1]])
    law = RegressionLaw.of_roots(2, R, R.inv().T)
    A = sympy.Matrix([[1, 2], [-1, 3]]) / 8
    true = _loss(A, 2, law)
    return bool(true == loss_at(whitened(A, R), 2) and true != loss_at(slip(A, R), 2))


_SLIPS: dict[str, Callable[[Any, Any], Any]] = {
    "A itself": lambda A, R: A,
    "R A R^T": lambda A, R: R * A * R.T,
    "Sigma A": lambda A, R: R * R.T * A,
    "the inverse root": lambda A, R: R.inv() * A * R.inv().T,
    "the symmetric part of A": lambda A, R: R.T * (A + A.T) * R / 2,
}

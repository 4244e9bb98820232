"""The label shift u of the looped transformer is useless: it adds a square to the loss, whatever A, L and the law.

Symbols: x_i, x_query ~ N(0, Sigma), w ~ N(0, Omega), no noise; S = X X^T / n, F = (I - S A)^L, G = I - F; u (d, 1).

    loss(A, u) = loss(A, 0) + E |Sigma^(1/2) G^T u|^2                    loss(A, 0) = E tr Omega F Sigma F^T
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.expected_words import indexed
from proofs.gaussian_moments import QUERY, TEACHER, Omega, expectation
from proofs.index_sums import Tensor, delta, lam, summed
from proofs.induction import normal_form
from proofs.one_layer_runs import drawn_law
from proofs.regression_law import (
    NINE_POINTS,
    TWO_POINTS,
    RegressionLaw,
    float_loss_bounds,
    integrated,
    integrated_loss,
)
from proofs.symbols import SymbolBlock

_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
_ONE: Any = [[1]]


def theorems() -> tuple[ArguedTheorem, ...]:
    """The shift is useless."""
    return (
        ArguedTheorem(
            name="label_shift_is_useless",
            system="Gatmiry et al. 2024",
            reference=(
                "Gatmiry et al. (2024), arXiv 2410.08292, whose minimiser is reported, second-hand, to have u = 0; the "
                "exact excess, its uniqueness and the proof are this project's, for every Sigma and prior"
            ),
            statement=(
                "For x_i, x_query ~ N(0, Sigma), w ~ N(0, Omega) independent of them, every A and every L, the loss "
                "with the label shift u is the loss without it plus E |Sigma^(1/2) G^T u|^2, G = I - (I - S A)^L: u = "
                "0 is a minimiser for every A. It is the only one if and only if A is not 0 (and L >= 1); for A = 0 u "
                "plays no part."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L, A, u, Sigma > 0 and Omega > 0",
                "exact": "the shifted loops integrated entry by entry, less those without u: the quadratic form of G",
                "float": "the float64 loops over a finite law of equal moments, enclosed, n 1..2, d 1..2, L 1..2",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=LoopedTransformer(preconditioner=_ONE, loops=1, shift=_ONE),
        ),
    )


def _argument() -> tuple[Step, ...]:
    F, G, SA, w, u, x = (
        SymbolBlock.lift(Unspecified(name, "d", columns))
        for name, columns in (("F", "d"), ("G", "d"), ("SA", "d"), ("w", 1), ("u", 1), ("x_query", 1))
    )
    I = F.identity(F.rows)
    error = indexed(normal_form(w.T @ F @ x - u.T @ (I - F) @ x))
    f, g, shift = Tensor("F", "dd"), Tensor("G", "dd"), Tensor("u", "d")
    weighed = summed(
        [
            (1, [Omega("a", "b"), f("a", "c"), lam("c"), f("b", "c")]),
            (1, [shift("a"), g("a", "c"), lam("c"), g("b", "c"), shift("b")]),
        ]
    ).substituted({g: lambda a, b: [(1, [delta(a, b)]), (-1, [f(a, b)])]})
    return (
        Induction(
            "after L loops the prediction is (w + u)^T (I - F) x_query, F = (I - S A)^L, for every L",
            LoopedClosedForm(preconditioner=_ONE, loops=1, shift=_ONE),
        ),
        Inference("F depends on X alone; rotate into the eigenbasis of Sigma, so that Sigma = diag(lam)"),
        Equation(
            "E over w and x_query of (w^T F x - u^T (I - F) x)^2 is tr Omega F Sigma F^T + u^T G Sigma G^T u, for any "
            "F: the cross term is linear in w",
            expectation(error * error, [QUERY, TEACHER]),
            weighed,
        ),
        Inference(
            "E over X: only the last term knows u, and it is >= 0; it is 0 only if u^T G = 0 almost surely, that is "
            "for all X, since G is a polynomial in X"
        ),
        Equation(
            "one loop more takes G to G + S A - S A G",
            normal_form(I - (I - SA) @ (I - G)),
            normal_form(G + SA - SA @ G),
        ),
        Inference(
            "so the part of u^T G of second degree in X is L u^T S A; if u^T G is 0, so is that, and for X = x e_1^T "
            "it is (L/n) (u^T x) (x^T A): x^T A = 0 wherever u^T x is not 0, for u other than 0 a dense set, so that "
            "A = 0; conversely G = 0 for A = 0"
        ),
    )


def _network(A: Any, loops: int, u: Any) -> LoopedTransformer:
    return LoopedTransformer(preconditioner=A.tolist(), loops=loops, shift=u.tolist())


def _loss(A: Any, loops: int, u: Any, law: RegressionLaw) -> Any:
    return integrated_loss(_network(A, loops, u), law)


Form = Callable[[Any, Any, Any], Any]
"""A quadratic form's matrix, from S, A and L."""


def _form(S: Any, A: Any, loops: int) -> Any:
    """G."""
    return sympy.eye(A.rows) - (sympy.eye(A.rows) - S * A) ** loops


def excess(A: Any, loops: int, u: Any, law: RegressionLaw, form: Form = _form) -> Any:
    """E u^T G Sigma G^T u, from the matrices alone: no network, the entries of X integrated one by one.

    Args:
        A: (d, d).
        loops: L.
        u: (1, d).
        law: by its roots.
    """
    Z = sympy.Matrix(law.d, law.n, lambda i, j: sympy.Symbol(f"z[{i},{j}]"))
    X = law.root("R") * Z
    row = u * form(X * X.T / law.n, A, loops)
    return integrated(sympy.Poly((row * law.Sigma * row.T)[0, 0], *Z))


_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 1, 3))
"""(n, d, L) of the exact runs, in turn."""


def _drawn(rng: np.random.Generator, rows: int, columns: int) -> Any:
    return sympy.Matrix(rows, columns, lambda i, j: sympy.Rational(int(rng.integers(-4, 5)), 4))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = _CASES[number % len(_CASES)]
        law = drawn_law(rng, tokens, features, False)
        A, u = _drawn(rng, features, features), _drawn(rng, 1, features)
        above = _loss(A, loops, u, law) - _loss(A, loops, 0 * u, law)
        name = f"L = {loops}, A = {A.tolist()}, u = {u.tolist()}, {law}"
        is_positive = above > 0 if any(A) and any(u) else above == 0
        yield Run(name, bool(above == excess(A, loops, u, law) and is_positive))
    law = drawn_law(rng, 2, 2, False)
    zero, u = sympy.zeros(2, 2), _drawn(rng, 1, 2)
    yield Run("A = 0: u plays no part", bool(_loss(zero, 2, u, law) == _loss(zero, 2, 0 * u, law)))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 1))[number % 4]
        law = RegressionLaw.isotropic(tokens, features)
        A = _drawn(rng, features, features) + 2 * sympy.eye(features)
        u = _drawn(rng, 1, features) + sympy.ones(1, features) * 2
        network = LoopedTransformer(
            preconditioner=np.array(A, dtype=float), loops=loops, shift=np.array(u, dtype=float)
        )
        low, high = (
            sympy.Rational(end.numerator, end.denominator) for end in float_loss_bounds(network, law, laws=_LAWS)
        )
        base = _loss(A, loops, 0 * u, law)
        name = f"L = {loops}, A = {A.tolist()}, u = {u.tolist()}, {law}"
        yield Run(name, bool(low <= base + excess(A, loops, u, law) <= high))
        yield Run(f"as if u were 0, {name}", bool(low <= base <= high), is_control=True)


def _is_refuted(form: Form) -> bool:
    law = RegressionLaw.of_roots(1, [[1, 0], [1, 2]], [[1, 0], [-1, 1]])
    A, u = sympy.Matrix([[1, 1], [0, 1]]) / 2, sympy.Matrix([[1, -1]])
    above = _loss(A, 2, u, law) - _loss(A, 2, 0 * u, law)
    return bool(above == excess(A, 2, u, law) and above != excess(A, 2, u, law, form))


_SLIPS: dict[str, Form] = {
    "u adds nothing": lambda S, A, loops: sympy.zeros(A.rows),
    "F for G": lambda S, A, loops: (sympy.eye(A.rows) - S * A) ** loops,
    "one loop fewer": lambda S, A, loops: _form(S, A, loops - 1),
    "A transposed": lambda S, A, loops: _form(S, A.T, loops),
    "A S for S A": lambda S, A, loops: _form(A, S, loops),
    "G transposed": lambda S, A, loops: _form(S, A, loops).T,
}

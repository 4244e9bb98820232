"""The looped transformer with A = a I: its population loss is a polynomial in the moments of a Wishart matrix.

Symbols: x_i, x_query, w ~ N(0, I), no noise; S = X X^T / n, W = n S a Wishart matrix; m_k = E tr S^k; L loops.

    E (prediction - w^T x_query)^2 = E tr (I - a S)^(2 L) = sum_{k = 0 .. 2 L} binomial(2 L, k) (-a)^k m_k
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.expected_words import population_loss
from proofs.gaussian_moments import NOISE, Gaussian, X, sigma2, w, x_query
from proofs.index_sums import d, n, summed
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss
from proofs.symbols import SymbolBlock
from proofs.wishart_moments import mixed_moment, moment_by_pairings, normalised_moment, trace_moment

_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
"""For up to two loops: degree 8 in an entry of z_i, 2 in the others."""

_a = sympy.Symbol("a", real=True)
_ONE: Any = [[1]]
Moment = Callable[..., Any]


def scalar_loss(loops: int, a: Any = _a, tokens: Any = n, features: Any = d, moment: Moment = normalised_moment) -> Any:
    """sum_k binomial(2 L, k) (-a)^k m_k.

    Args:
        loops: L >= 0.
        a: the step size.
        tokens, features: n and d, symbols or ints >= 1.
        moment: m_k, from k, n and d.

    Raises:
        ValueError: for a negative number of loops, or n or d of 0.

    >>> scalar_loss(1, sympy.Rational(20, 26), 20, 5)
    15/13
    """
    if loops < 0:
        raise ValueError(f"loops = {loops}: at least 0 are required")
    terms = (
        sympy.binomial(2 * loops, k) * (-sympy.sympify(a)) ** k * moment(k, tokens, features)
        for k in range(2 * loops + 1)
    )
    return sympy.Add(*terms)


def theorems() -> tuple[ArguedTheorem, ...]:
    """The loss on multiples of the identity."""
    return (
        ArguedTheorem(
            name="looped_scalar_loss_is_a_polynomial_in_wishart_moments",
            system="this project",
            reference=(
                "for the model of Gatmiry et al. (2024), arXiv 2410.08292, as reported second-hand; the moments: zonal "
                "polynomials, James (1964), Stanley (1989), from memory"
            ),
            statement=(
                "For x, w ~ N(0, I) and A = a I, L loops have the loss E tr (I - a S)^(2L) = sum_k binomial(2L, "
                "k) (-a)^k "
                "E tr W^k / n^k, W Wishart; E tr W^k is the sum over partitions of k without the box (3, 2) of 2 "
                "k prod "
                "(2(j-1)-(i-1)) / prod (2 arm + leg + 1) (2 arm + leg + 2) times prod (d + 2(j-1)-(i-1)) (n + "
                "2(j-1)-(i-"
                "1)) over the boxes (i, j). For L = 1 the minimum is d (d + 1) / (n + d + 1) at a = n / (n + d + 1)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, a and L; E tr W^k for every k by citation, for k <= 8 by pairings or recursion",
                "exact": "the looped layer's loss integrated entry by entry, n 1..2, d 1..2, L 1..3",
                "float": "the float64 loops over a finite law of equal moments, enclosed, n 1..3, d 1..2, L 1..2",
            },
            slips={name: partial(_is_refuted, moment) for name, moment in _SLIPS.items()},
            about=LoopedTransformer(preconditioner=_ONE, loops=1),
        ),
    )


def _argument() -> Sequence[Equation | Induction | Inference]:
    isotropic = (Gaussian(X), Gaussian(x_query), NOISE, Gaussian(w))
    I = SymbolBlock.lift(Unspecified("X", "d", "n")).identity(d)

    def looped(loops: int) -> Any:
        network = LoopedTransformer(preconditioner=I.scale(_a), loops=loops)
        return population_loss(network, isotropic).map(lambda c: c.subs(sigma2, 0))

    best = n / (n + d + 1)
    return (
        Induction(
            "after L loops the error is w^T (I - S A)^L x_query, for every L",
            LoopedClosedForm(preconditioner=_ONE, loops=1),
        ),
        Inference("E over w and x_query, both of covariance I, makes the mean square for A = a I E tr (I - a S)^(2 L)"),
        *(
            Equation(
                f"the loss of the forward pass for L = {loops}, by pairings",
                looped(loops),
                summed([(scalar_loss(loops), [])]),
            )
            for loops in (1, 2)
        ),
        *(
            Equation(f"E tr W^{k}: the closed form counts the pairings", trace_moment(k), moment_by_pairings(k))
            for k in range(1, 7)
        ),
        *(
            Equation(f"E tr W^{k}: the closed form satisfies the recursion", trace_moment(k), mixed_moment(k))
            for k in (7, 8)
        ),
        Inference(
            "for every k: the expansion of tr W^k in zonal polynomials, whose Wishart expectations are their "
            "values at I "
            "times prod (n + 2(j-1)-(i-1)) (cited from memory)"
        ),
        Equation(
            "for L = 1 the loss is its minimum plus a square",
            scalar_loss(1),
            d * (d + 1) / (n + d + 1) + d * (n + d + 1) / n * (_a - best) ** 2,
        ),
    )


def _network(a: Any, features: int, loops: int) -> LoopedTransformer:
    rows = [[Fraction(int(a.p), int(a.q)) if i == j else Fraction(0) for j in range(features)] for i in range(features)]
    return LoopedTransformer(preconditioner=rows, loops=loops)


_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 2, 1), (1, 2, 2), (2, 2, 2), (1, 1, 3))
"""(n, d, L) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = _CASES[number % len(_CASES)]
        a = sympy.Rational(int(rng.integers(1, 13)), 4)
        law = RegressionLaw.isotropic(tokens, features)
        value = integrated_loss(_network(a, features, loops), law)
        yield Run(f"a = {a}, L = {loops}, {law}", bool(value == scalar_loss(loops, a, tokens, features)))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1))[number % 4]
        a = sympy.Rational(int(rng.integers(1, 9)), 4)
        law = RegressionLaw.isotropic(tokens, features)
        network = LoopedTransformer(preconditioner=float(a) * np.eye(features), loops=loops)
        low, high = float_loss_bounds(network, law, laws=_LAWS)
        for shift in (0, 1):
            claimed = scalar_loss(loops, a, tokens + shift, features)
            bounds = (sympy.Rational(bound.numerator, bound.denominator) for bound in (low, high))
            holds = bool(next(bounds) <= claimed <= next(bounds))
            yield Run(f"a = {a}, L = {loops}, {shift} tokens more, {law}", holds, is_control=bool(shift))


def _is_refuted(moment: Moment) -> bool:
    a, law = sympy.Rational(3, 4), RegressionLaw.isotropic(2, 2)
    return bool(integrated_loss(_network(a, 2, 2), law) != scalar_loss(2, a, 2, 2, moment))


def _with(change: Callable[[int, Any, Any], Any]) -> Moment:
    return lambda k, tokens, features: change(k, tokens, features)


_SLIPS: dict[str, Moment] = {
    "S = I, its mean": _with(lambda k, tokens, features: features),
    "n + d for n + d + 1 in E tr W^2": _with(
        lambda k, tokens, features: (
            normalised_moment(k, tokens, features) - (sympy.Rational(features, tokens) if k == 2 else 0)
        )
    ),
    "n - 1 tokens": _with(lambda k, tokens, features: normalised_moment(k, tokens - 1, features)),
    "complex Gaussians: E tr W^2 = n d (n + d), E tr W^3 = n d (n^2 + d^2 + 3 n d + 1)": _with(
        lambda k, tokens, features: {
            2: sympy.Rational(features * (tokens + features), tokens),
            3: sympy.Rational(features * (tokens**2 + features**2 + 3 * tokens * features + 1), tokens**2),
        }.get(k, normalised_moment(k, tokens, features))
    ),
}

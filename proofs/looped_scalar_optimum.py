"""The best multiple of the identity for L loops: the one real root of its critical equation, enclosed exactly.

Symbols: as in ``proofs.looped_scalar_loss``; f_L(a) = E tr (I - a S)^(2 L) is the loss at A = a I, m_k = E tr S^k.

    f_L'(a) = -2 L E tr S (I - a S)^(2 L - 1) = -2 L sum_{k = 0 .. 2 L - 1} binomial(2 L - 1, k) (-a)^k m_{k + 1}
    f_L''(a) = 2 L (2 L - 1) E |S (I - a S)^(L - 1)|^2 > 0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy

from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.index_sums import d, n
from proofs.looped_scalar_loss import scalar_loss
from proofs.positivity import Positivity
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss
from proofs.wishart_moments import normalised_moment

_a = sympy.Symbol("a", real=True)
_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
_ONE: Any = [[1]]
WIDTH = sympy.Rational(1, 10**12)
"""How far apart the ends of an enclosure of the optimum are, unless told."""

BRACKETED = 4
"""Up to how many loops the bracket of the optimum is proved."""


def critical_polynomial(loops: int, a: Any = _a, tokens: Any = n, features: Any = d) -> Any:
    """E tr S (I - a S)^(2 L - 1), which is 0 at the best step size alone.

    Args:
        loops: L >= 1.
        a: the step size.
        tokens, features: n and d, symbols or ints >= 1.

    Raises:
        ValueError: for fewer than one loop, which has no step size, or n or d of 0.

    >>> critical_polynomial(1, sympy.Rational(20, 26), 20, 5)
    0
    """
    _require_loops(loops)
    terms = (
        sympy.binomial(2 * loops - 1, k) * (-sympy.sympify(a)) ** k * normalised_moment(k + 1, tokens, features)
        for k in range(2 * loops)
    )
    return sympy.Add(*terms)


@lru_cache(maxsize=256)
def scalar_optimum(loops: int, tokens: int, features: int, width: Any = WIDTH) -> tuple[Any, Any]:
    """The best step size a* of L loops, between two rationals no further apart than the width; equal if a* is rational.

    Args:
        loops: L >= 1.
        tokens, features: n and d, ints >= 1.
        width: > 0, a rational.

    Raises:
        ValueError: for loops, sizes or a width out of range.

    >>> scalar_optimum(1, 20, 5)
    (10/13, 10/13)
    >>> low, high = scalar_optimum(2, 20, 10)
    >>> print(float(low).__format__(".6f"), float(high).__format__(".6f"))
    0.628077 0.628077
    """
    _require_loops(loops)
    width = sympy.Rational(width)
    if width <= 0:
        raise ValueError(f"width = {width}: an enclosure has a width > 0")
    for name, size in (("tokens", tokens), ("features", features)):
        if not isinstance(size, int):
            raise ValueError(f"{name} = {size!r}: the optimum is a number for int sizes only; pass an int >= 1")
    slope = sympy.Poly(critical_polynomial(loops, _a, tokens, features), _a)
    if slope.degree() == 1:
        root = -slope.nth(0) / slope.nth(1)
        return root, root
    ((low, high), _), *_ = slope.intervals(eps=width)
    return low, high


def optimal_scalar_loss(loops: int, tokens: int, features: int, width: Any = WIDTH) -> tuple[Any, Any]:
    """The least loss of L loops over the multiples of the identity, between two rationals.

    The upper one is the loss at an end of the enclosure of a*. By convexity f_L is at least its tangent there, which
    is the lower one at the other end.

    Args:
        loops, tokens, features, width: as for ``scalar_optimum``; the width is that of a*, not of the loss.

    >>> low, high = optimal_scalar_loss(2, 100, 10)
    >>> print(float(low).__format__(".6f"), float(high).__format__(".6f"))
    0.194513 0.194513
    """
    low, high = scalar_optimum(loops, tokens, features, width)
    value = scalar_loss(loops, low, tokens, features)
    slope = -2 * loops * critical_polynomial(loops, low, tokens, features)
    return value + slope * (high - low), value


def _require_loops(loops: int) -> None:
    if not isinstance(loops, int) or loops < 1:
        raise ValueError(f"loops = {loops!r}: without a loop the loss has no step size; pass an int loops >= 1")


def theorems() -> tuple[ArguedTheorem, ...]:
    """The optimum over the multiples of the identity."""
    return (
        ArguedTheorem(
            name="looped_scalar_optimum_is_the_one_root_of_its_critical_equation",
            system="this project",
            reference=(
                "for the model of Gatmiry et al. (2024), arXiv 2410.08292, as reported second-hand; their minimiser "
                "over all A, and its distance from Sigma^-1, are unconfirmed and not claimed"
            ),
            statement=(
                "For x, w ~ N(0, I) and A = a I, the loss of L >= 1 loops is strictly convex in a. Its one critical "
                "point a*, the global minimum, is the one real root of E tr S (I - a S)^(2L-1) = sum_k binomial(2L-1, "
                "k) (-a)^k E tr S^(k+1) = 0, and it is positive. For L <= "
                f"{BRACKETED} and all n and d, n / (n + d + 2L - 1) <= a* <= n / (n + d + 1), with equality for L = 1 "
                "alone. a* = 1 - beta/n + O(1/n^2) with "
                "beta = d + 1, (3d^2 + 8d + 9) / (3(d + 1)), (10d^3 + 47d^2 + 122d + 101) / (5(2d^2 + 5d + 5)) for L = "
                "1, 2, 3."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": f"all n and d; convexity and uniqueness for every L, the bracket for L <= {BRACKETED}",
                "exact": "one real root by Sturm; the looped layer's integrated loss is larger on both sides of it",
                "float": "the float64 loops at a* rounded, enclosed; at drawn a the loss is above the minimum",
            },
            slips={name: partial(_is_worse, slip) for name, slip in _SLIPS.items()},
            about=LoopedTransformer(preconditioner=_ONE, loops=1),
        ),
    )


def _argument() -> Sequence[Step]:
    L, k = sympy.symbols("L k", integer=True, positive=True)
    return (
        Induction("after L loops the error is w^T (I - S A)^L x_query", LoopedClosedForm(preconditioner=_ONE, loops=1)),
        Inference("so that f_L(a) = E tr (I - a S)^(2L) = sum_k binomial(2L, k) (-a)^k m_k"),
        Equation(
            "differentiating term by term: k binomial(2L, k) = 2L binomial(2L - 1, k - 1), for every L and k",
            k * sympy.binomial(2 * L, k),
            2 * L * sympy.binomial(2 * L - 1, k - 1),
        ),
        *(
            Equation(
                f"so f_L'(a) = -2L E tr S (I - a S)^(2L - 1), here for L = {loops}",
                sympy.diff(scalar_loss(loops, _a), _a),
                -2 * loops * critical_polynomial(loops),
            )
            for loops in (1, 2)
        ),
        Inference(
            "and f_L''(a) = 2L (2L - 1) E |S (I - a S)^(L - 1)|^2 > 0: it is 0 only if every eigenvalue of S is 0 or "
            "1/a almost surely, but the largest one has a density"
        ),
        Inference(
            "f_L' is increasing and a polynomial of odd degree 2L - 1: one real root; its coefficients alternate in "
            "sign, as m_k > 0, so that f_L'(a) < 0 for a <= 0: the root is positive"
        ),
        *_bracket(),
        *_first_orders(),
    )


def _bracket() -> Sequence[Step]:
    least = {n: 1, d: 1}
    return (
        Equation("for L = 1 the root is n / (n + d + 1)", critical_polynomial(1, n / (n + d + 1)), sympy.Integer(0)),
        *(
            step
            for loops in range(2, BRACKETED + 1)
            for step in (
                Positivity(
                    f"L = {loops}: the loss falls at n / (n + d + 2L - 1), so that a* is above",
                    critical_polynomial(loops, n / (n + d + 2 * loops - 1)),
                    least,
                ),
                Positivity(
                    f"L = {loops}: and grows at n / (n + d + 1), so that a* is below",
                    -critical_polynomial(loops, n / (n + d + 1)),
                    least,
                ),
            )
        ),
    )


def _first_orders() -> Iterator[Step]:
    beta = sympy.Symbol("beta", real=True)
    for loops, (above, below) in enumerate(FIRST_ORDERS, start=1):
        expanded = sympy.cancel(critical_polynomial(loops, 1 - beta / n) * n**loops)
        numerator, denominator = (sympy.Poly(part, n) for part in sympy.fraction(expanded))
        yield Equation(
            f"L = {loops}: n^L E tr S (I - a S)^(2L - 1) at a = 1 - beta/n tends to a multiple of beta less its limit",
            numerator.coeff_monomial(n ** denominator.degree()) / denominator.LC(),
            d * (below * beta - above),
        )
        yield Equation(f"L = {loops}: with no higher power of n", numerator.degree() - denominator.degree(), 0)


FIRST_ORDERS = (
    (d + 1, sympy.Integer(1)),
    (3 * d**2 + 8 * d + 9, 3 * (d + 1)),
    (10 * d**3 + 47 * d**2 + 122 * d + 101, 5 * (2 * d**2 + 5 * d + 5)),
)
"""beta of a* = 1 - beta/n + O(1/n^2) for L = 1, 2, 3, as (numerator, denominator)."""


def _loss(a: Any, tokens: int, features: int, loops: int) -> Any:
    """The looped layer's loss, integrated entry by entry."""
    return integrated_loss(_network(a, features, loops), RegressionLaw.isotropic(tokens, features))


def _network(a: Any, features: int, loops: int) -> LoopedTransformer:
    return LoopedTransformer(preconditioner=(a * sympy.eye(features)).tolist(), loops=loops)


_SIZES = ((1, 1, 2), (2, 1, 2), (1, 2, 2), (1, 1, 3), (2, 1, 3), (2, 2, 1), (2, 2, 2))
"""(n, d, L) of the exact runs, in turn."""

_COARSE = sympy.Rational(1, 64)


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = (int(rng.integers(1, high)) for high in (60, 12, 5))
        slope = sympy.Poly(critical_polynomial(loops, _a, tokens, features), _a)
        low, high = scalar_optimum(loops, tokens, features)
        bracket = (
            sympy.Rational(tokens, tokens + features + 2 * loops - 1),
            sympy.Rational(tokens, tokens + features + 1),
        )
        yield Run(f"one root, n = {tokens}, d = {features}, L = {loops}", slope.count_roots() == 1)
        yield Run(f"bracket, n = {tokens}, d = {features}, L = {loops}", bool(bracket[0] <= low and high <= bracket[1]))
        tokens, features, loops = _SIZES[number % len(_SIZES)]
        low, high = scalar_optimum(loops, tokens, features, _COARSE)
        inside, outside = _loss((low + high) / 2, tokens, features, loops), (low - _COARSE, high + _COARSE)
        around = all(_loss(end, tokens, features, loops) > inside for end in outside)
        yield Run(f"n = {tokens}, d = {features}, L = {loops}: larger on both sides", around)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, loops = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1))[number % 4]
        best = float(scalar_optimum(loops, tokens, features)[0])
        floor, _ = optimal_scalar_loss(loops, tokens, features)
        low, high = _enclosed(best, tokens, features, loops)
        claimed = scalar_loss(loops, sympy.Rational(best), tokens, features)
        name = f"n = {tokens}, d = {features}, L = {loops}"
        yield Run(f"at a* rounded, {name}", bool(low <= claimed <= high and floor <= high))
        away = best + float(rng.integers(1, 9)) / 16 * float(rng.choice([-1, 1]))
        yield Run(f"at {away}, above, {name}", bool(_enclosed(away, tokens, features, loops)[0] > floor))
        wrong, _ = optimal_scalar_loss(loops, tokens + 1, features)
        yield Run(f"the minimum of a token more, {name}", bool(low <= wrong <= high), is_control=True)


def _enclosed(a: float, tokens: int, features: int, loops: int) -> tuple[Any, Any]:
    network = LoopedTransformer(preconditioner=a * np.eye(features), loops=loops)
    low, high = float_loss_bounds(network, RegressionLaw.isotropic(tokens, features), laws=_LAWS)
    return tuple(sympy.Rational(end.numerator, end.denominator) for end in (low, high))


def _is_worse(slip: Callable[[int, int, int], Any]) -> bool:
    tokens, features, loops = 2, 2, 2
    best = sum(scalar_optimum(loops, tokens, features, _COARSE)) / 2
    return bool(_loss(slip(tokens, features, loops), tokens, features, loops) > _loss(best, tokens, features, loops))


def _root(moment: Callable[[int, Any, Any], Any]) -> Callable[[int, int, int], Any]:
    """The root of a wrong critical equation, its k-th moment replaced."""

    def slip(tokens: int, features: int, loops: int) -> Any:
        terms = (sympy.binomial(2 * loops - 1, k) * (-_a) ** k * moment(k, tokens, features) for k in range(2 * loops))
        slope = sympy.Poly(sympy.Add(*terms), _a)
        ((low, high), _), *_ = slope.intervals(eps=_COARSE)
        return (low + high) / 2

    return slip


_SLIPS: dict[str, Callable[[int, int, int], Any]] = {
    "the best step of one loop, n / (n + d + 1)": lambda tokens, features, loops: sympy.Rational(
        tokens, tokens + features + 1
    ),
    "the lower end of the bracket": lambda tokens, features, loops: sympy.Rational(
        tokens, tokens + features + 2 * loops - 1
    ),
    "the inverse covariance, a = 1": lambda tokens, features, loops: sympy.Integer(1),
    "E tr (I - a S)^(2L - 1) = 0, without the factor S": _root(normalised_moment),
    "a token more": _root(lambda k, tokens, features: normalised_moment(k + 1, tokens + 1, features)),
    "the trace dropped: the moments of one feature": _root(
        lambda k, tokens, features: normalised_moment(k + 1, tokens, 1)
    ),
}

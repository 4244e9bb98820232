"""Two loops: the best multiple of the identity is a critical point over all A, and no local minimum for many tokens.

Symbols: x_i, x_query, w ~ N(0, I), no noise; A (d, d) any matrix, a a number, K antisymmetric; two loops of the layer.

    second derivative of the loss along K at a I = c(a) |K|^2
    c(a) = (4/n) (n + 2 d + 3) - (8 a/n^2) (n^2 + 3 n (d + 1) + d^2 + 3 d + 4)
           + (2 a^2/n^3) (2 n^3 + 4 n^2 (2 d + 1) + n (7 d^2 + 14 d + 22) + d^3 + 5 d^2 + 22 d + 20)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import sympy

from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.expected_words import population_loss
from proofs.gaussian_moments import NOISE, Gaussian, X, sigma2, w, x_query
from proofs.index_sums import IndexSum, Tensor, d, delta, n, summed
from proofs.looped_scalar_loss import scalar_loss
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss
from proofs.symbols import SymbolBlock

_A, _J = Tensor("A", "dd"), Tensor("J", "dd")
_a, _t = sympy.symbols("a t", real=True)
_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
_ONE: Any = [[1]]


def antisymmetric_curvature(a: Any = _a, tokens: Any = n, features: Any = d) -> Any:
    """c(a), the second derivative along an antisymmetric matrix of norm 1.

    >>> antisymmetric_curvature(0, 2, 1)
    14
    """
    second = 2 * n**3 + 4 * n**2 * (2 * d + 1) + n * (7 * d**2 + 14 * d + 22) + d**3 + 5 * d**2 + 22 * d + 20
    first = n**2 + 3 * n * (d + 1) + d**2 + 3 * d + 4
    value = 4 * (n + 2 * d + 3) / n - 8 * _a * first / n**2 + 2 * _a**2 * second / n**3
    return value.subs({_a: a, n: tokens, d: features}, simultaneous=True)


@cache
def two_loop_loss() -> IndexSum:
    """The loss of two loops as a polynomial in A, from the forward pass on letters."""
    network = LoopedTransformer(preconditioner=SymbolBlock.lift(Unspecified("A", "d", "d")), loops=2)
    isotropic = (Gaussian(X), Gaussian(x_query), NOISE, Gaussian(w))
    return population_loss(network, isotropic).map(lambda c: c.subs(sigma2, 0))


def loss_at(A: Any, tokens: int) -> Any:
    """The loss of two loops at a given matrix, (d, d)."""
    A = sympy.Matrix(A)
    return two_loop_loss().evaluated({"n": tokens, "d": A.rows}, {"lam": [1] * A.rows, "A": A.tolist()}, {})


def theorems() -> tuple[ArguedTheorem, ...]:
    """The saddle."""
    return (
        ArguedTheorem(
            name="looped_scalar_optimum_is_a_saddle_for_many_tokens",
            system="this project",
            reference=(
                "for the model of Gatmiry et al. (2024), arXiv 2410.08292, as reported second-hand; what their theorem "
                "claims of unconstrained A is unconfirmed"
            ),
            statement=(
                "For x, w ~ N(0, I), L = 2 and d >= 2, the best multiple a* I of the identity is a critical "
                "point of the "
                "loss over all A, and along every antisymmetric K the second derivative is c(a*) |K|^2, with n "
                "c(a*) -> -4 "
                "as n grows: no local minimum for many tokens. c(a*) > 0 at (n, d) = (10, 3), (20, 5), (20, 10)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, a and K",
                "exact": "two loops integrated entry by entry at drawn A; second differences; signs of c at a*",
                "float": "the float64 loops over a finite law of equal moments at drawn A, enclosed, n 1..2, d 1..2",
            },
            slips={
                "always a saddle": lambda: sign_at_optimum(10, 3) > 0,
                "always a minimum": lambda: sign_at_optimum(100, 2) < 0,
                "the curvature along symmetric matrices": lambda: (
                    _second_difference(sympy.Matrix([[0, 1], [1, 0]])) != 2 * antisymmetric_curvature(_HALF, 2, 2)
                ),
            },
            about=LoopedTransformer(preconditioner=_ONE, loops=2),
        ),
    )


_HALF = sympy.Rational(1, 2)


def sign_at_optimum(tokens: int, features: int) -> int:
    """The sign of c(a*), decided exactly: a* is isolated between rationals until c has one sign there.

    The loss is convex in a, so that its derivative has one real root.

    Raises:
        ArithmeticError: if c is not of one sign between them.
    """
    slope = sympy.Poly(sympy.diff(scalar_loss(2, _a, tokens, features), _a), _a)
    ((low, high), _), *_ = slope.intervals(eps=sympy.Rational(1, 10**6))
    values = [antisymmetric_curvature(end, tokens, features) for end in (low, high)]
    curve = sympy.Poly(antisymmetric_curvature(_a, tokens, features), _a)
    vertex = -curve.nth(1) / (2 * curve.nth(2))
    if values[0] * values[1] <= 0 or low <= vertex <= high:
        raise ArithmeticError(f"c has no certain sign between {low} and {high}, where a* is")
    return int(sympy.sign(values[0]))


def _argument() -> Sequence[Equation | Induction | Inference]:
    slope = sympy.diff(scalar_loss(2), _a)
    beta = sympy.Symbol("beta", real=True)
    norm = [(1, [_J("e", "f"), _J("e", "f")]), (-1, [_J("e", "f"), _J("f", "e")])]
    return (
        Induction(
            "after L loops the error is w^T (I - S A)^L x_query, for every A",
            LoopedClosedForm(preconditioner=_ONE, loops=1),
        ),
        Equation(
            "at a I the first derivative along any J is (1/d) (d loss / d a) tr J: zero for all J at a*",
            _of_order(1, lambda a, b: [(_a, [delta(a, b)]), (_t, [_J(a, b)])]),
            summed([(sympy.cancel(slope / d), [_J("e", "e")])]),
        ),
        Equation(
            "at a I the second derivative along K = J - J^T is c(a) |K|^2, half of it being c(a) (|J|^2 - tr J^2)",
            _of_order(2, lambda a, b: [(_a, [delta(a, b)]), (_t, [_J(a, b)]), (-_t, [_J(b, a)])]),
            summed([(antisymmetric_curvature() * c, factors) for c, factors in norm]),
        ),
        Inference("the loss E tr (I - a S)^4 is convex in a: a* is where its derivative changes sign"),
        Equation(
            "the derivative at a = 1 - beta/n tends to 0 like 1/n^2, with a factor linear in beta: a* = 1 - (3 "
            "d^2 + 8 d "
            "+ 9) / (3 (d + 1) n) to first order",
            _leading(slope.subs(_a, 1 - beta / n) * n**2),
            4 * d * ((3 * d**2 + 8 * d + 9) - 3 * (d + 1) * beta),
        ),
        Equation(
            "and n c(1 - beta/n) -> -4, whatever beta", _leading(antisymmetric_curvature(1 - beta / n) * n), -4 + 0 * d
        ),
        Inference("so c(a*) < 0 for all large n: a* I is a critical point, and the loss decreases along every K"),
    )


def _of_order(power: int, rule: Any) -> IndexSum:
    """The coefficient of t^power of the loss."""
    along = two_loop_loss().substituted({_A: rule})
    return along.map(lambda c: sympy.Poly(c, _t).coeff_monomial(_t**power))


def _leading(expression: Any) -> Any:
    """The limit for n -> infinity of a rational function of n, finite."""
    above, below = (sympy.Poly(part, n) for part in sympy.fraction(sympy.cancel(expression)))
    if above.degree() > below.degree():
        raise ValueError(f"{expression} has no finite limit as n grows")
    return sympy.expand(above.coeff_monomial(n ** below.degree()) / below.LC())


def _drawn(rng: np.random.Generator, features: int) -> Any:
    return sympy.Matrix(features, features, lambda i, j: sympy.Rational(int(rng.integers(-4, 5)), 4))


def _network(A: Any) -> LoopedTransformer:
    return LoopedTransformer(
        preconditioner=[[Fraction(int(v.p), int(v.q)) for v in row] for row in A.tolist()], loops=2
    )


def _integrated(A: Any, tokens: int) -> Any:
    return integrated_loss(_network(A), RegressionLaw.isotropic(tokens, A.rows))


def _second_difference(K: Any, a: Any = _HALF, tokens: int = 1) -> Any:
    """The second derivative of the integrated loss along K at a I, from its values on the line, a quartic."""
    values = [_integrated(a * sympy.eye(2) + step * K, tokens) for step in (-2, -1, 0, 1, 2)]
    return sum(weight * value for weight, value in zip((-1, 16, -30, 16, -1), values, strict=True)) / 12


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features = ((1, 1), (2, 1), (1, 2), (2, 1), (2, 2))[number % 5]
        A = _drawn(rng, features)
        yield Run(f"n = {tokens}, A = {A.tolist()}", bool(_integrated(A, tokens) == loss_at(A, tokens)))
    K = sympy.Matrix([[0, 1], [-1, 0]])
    for tokens, a in ((1, _HALF), (2, sympy.Rational(3, 4))):
        claimed = 2 * antisymmetric_curvature(a, tokens, 2)
        yield Run(f"second difference, n = {tokens}, a = {a}", bool(_second_difference(K, a, tokens) == claimed))
    for tokens, features, sign in ((10, 3, 1), (20, 5, 1), (20, 10, 1), (100, 2, -1), (1000, 5, -1)):
        yield Run(f"sign of c(a*), n = {tokens}, d = {features}", sign_at_optimum(tokens, features) == sign)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features = ((1, 1), (2, 1), (1, 2))[number % 3]
        A = _drawn(rng, features) + sympy.eye(features) / 4
        network = LoopedTransformer(preconditioner=np.array(A, dtype=float), loops=2)
        low, high = float_loss_bounds(network, RegressionLaw.isotropic(tokens, features), laws=_LAWS)
        bounds = [sympy.Rational(bound.numerator, bound.denominator) for bound in (low, high)]
        yield Run(f"n = {tokens}, A = {A.tolist()}", bool(bounds[0] <= loss_at(A, tokens) <= bounds[1]))
        if any(A):
            wrong = loss_at(A, tokens + 1)
            yield Run(f"a token more, A = {A.tolist()}", bool(bounds[0] <= wrong <= bounds[1]), is_control=True)

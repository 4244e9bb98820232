"""Two loops: the best multiple of the identity is a strict saddle over all A, with its whole Hessian, from a number on.

Symbols: x_i, x_query, w ~ N(0, I), no noise; A (d, d) any matrix; a a number; two loops. A direction J is split into a
multiple of I, a symmetric part H of trace 0 and an antisymmetric part K; by symmetry the second derivative of the loss
at a I is

    h(a) |H|^2 + c(a) |K|^2 + f''(a) (tr J / d)^2               f(a) = loss(a I)

with c of ``proofs.looped_saddle``, h(a) = symmetric_curvature. At a* the gradient is 0, h, f'' > 0 for all n and d, and
c < 0 for all d >= 2 and n >= d^2/2 + 2 d + 13: d (d - 1) / 2 descent directions, and no direction is flat. Where
the saddle begins exactly: n = 15, 20, 25, 31, 39, 47, 57 for d = 2, ..., 8, close to d^2/2 + 2 d + 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.index_sums import IndexSum, Tensor, d, delta, n, summed
from proofs.looped_saddle import antisymmetric_curvature, loss_at, sign_at_optimum, two_loop_loss
from proofs.looped_scalar_loss import scalar_loss
from proofs.looped_scalar_optimum import critical_polynomial, scalar_optimum
from proofs.positivity import Positivity
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss

_J = Tensor("J", "dd")
_a, _t = sympy.symbols("a t", real=True)
_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
_ONE: Any = [[1]]
_HALF = sympy.Rational(1, 2)


def symmetric_curvature(a: Any = _a, tokens: Any = n, features: Any = d) -> Any:
    """h(a), the second derivative along a symmetric matrix of trace 0 and norm 1.

    >>> symmetric_curvature(0, 1, 1)
    32
    """
    second = 6 * n**3 + 4 * n**2 * (5 * d + 9) + n * (11 * d**2 + 56 * d + 126) + d**3 + 11 * d**2 + 68 * d + 120
    first = 3 * n**2 + n * (5 * d + 9) + d**2 + 5 * d + 12
    value = 4 * (3 * n + 2 * d + 3) / n - 8 * _a * first / n**2 + 2 * _a**2 * second / n**3
    return value.subs({_a: a, n: tokens, d: features}, simultaneous=True)


def descent_directions(tokens: int, features: int) -> int:
    """How many eigenvalues of the Hessian at a* I are negative, exactly: d (d - 1) / 2 or 0.

    Args:
        tokens, features: n and d, ints >= 1.

    >>> descent_directions(14, 2), descent_directions(15, 2)
    (0, 1)
    """
    return features * (features - 1) // 2 if sign_at_optimum(tokens, features) < 0 else 0


def theorems() -> tuple[ArguedTheorem, ...]:
    """The strict saddle."""
    return (
        ArguedTheorem(
            name="looped_scalar_optimum_is_a_strict_saddle",
            system="this project",
            reference=(
                "for the model of Gatmiry et al. (2024), arXiv 2410.08292, as reported second-hand; whether their "
                "theorem on the minimiser restricts A to symmetric matrices is unconfirmed"
            ),
            statement=(
                "For x, w ~ N(0, I), L = 2, d >= 2 and n >= d^2/2 + 2 d + 13, the best multiple a* I of the identity "
                "is a strict saddle of the loss over all A: its gradient is 0 and its Hessian has exactly d (d - 1) / "
                "2 negative eigenvalues, along the antisymmetric matrices, and none is 0. Along symmetric directions "
                "the Hessian is positive at every a I, for all n and d. For d = 2 a* I is a saddle exactly from n = 15 "
                "on; for n < 15 it is a strict local minimum."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all d >= 2 and n >= d^2/2 + 2 d + 13; the symmetric directions all n, d and a",
                "exact": "second differences of the integrated loss; Hessians at rational a near a*; where c changes",
                "float": "the float64 loops at a* rounded plus multiples of H and K over a finite law, n 1..2, d 2",
            },
            slips={
                "a saddle for every n": lambda: descent_directions(10, 3) == 0,
                "a local minimum for every n": lambda: descent_directions(100, 2) == 1,
                "a saddle along symmetric matrices too": lambda: bool(_second_difference(_H, 2) > 0),
                "h for c": lambda: bool(_second_difference(_K, 2) != 2 * symmetric_curvature(_HALF, 2, 2)),
                "d for d + 1 in the trace": lambda: bool(
                    _second_difference(_H, 2) != 2 * symmetric_curvature(_HALF, 2, 1)
                ),
                "a token more": lambda: bool(_second_difference(_H, 2) != 2 * symmetric_curvature(_HALF, 3, 2)),
            },
            about=LoopedTransformer(preconditioner=_ONE, loops=2),
        ),
    )


_H, _K = sympy.Matrix([[0, 1], [1, 0]]), sympy.Matrix([[0, 1], [-1, 0]])


def _argument() -> tuple[Step, ...]:
    h, c = symmetric_curvature(), antisymmetric_curvature()
    curve = sympy.Poly(h, _a)
    low, high = n / (n + d + sympy.Rational(7, 3)), n / (n + d + 1)
    many, sizes = {n: d**2 / 2 + 2 * d + 13, d: 2}, {n: 1, d: 1}
    curvature = sympy.diff(scalar_loss(2, _a), _a, 2)
    return (
        Induction("after L loops the error is w^T (I - S A)^L x_query", LoopedClosedForm(preconditioner=_ONE, loops=1)),
        Equation(
            "the first derivative at a I along any J is (tr J / d) f'(a), by pairings: 0 at a*",
            _of_order(1),
            summed([(sympy.cancel(sympy.diff(scalar_loss(2, _a), _a) / d), [_J("e", "e")])]),
        ),
        Equation(
            "half the second derivative along any J, by pairings: |J|^2 = |H|^2 + |K|^2 + (tr J)^2/d, and tr J^2 has "
            "-|K|^2 in place of |K|^2",
            _of_order(2),
            summed(
                [
                    ((h + c) / 4, [_J("e", "f"), _J("e", "f")]),
                    ((h - c) / 4, [_J("e", "f"), _J("f", "e")]),
                    ((curvature / d - h) / (2 * d), [_J("e", "e"), _J("f", "f")]),
                ]
            ),
        ),
        Inference("so it is (h |H|^2 + c |K|^2 + f'' (tr J / d)^2) / 2"),
        Positivity("h opens upwards in a", curve.nth(2), sizes),
        Positivity(
            "and has no real root: h > 0 at every a", 4 * curve.nth(2) * curve.nth(0) - curve.nth(1) ** 2, sizes
        ),
        Inference("f'' > 0: f is strictly convex (looped_scalar_optimum_is_the_one_root_of_its_critical_equation)"),
        Positivity("the loss falls at n / (n + d + 7/3), so that a* is above", critical_polynomial(2, low), many),
        Positivity("and grows at n / (n + d + 1), so that a* is below", -critical_polynomial(2, high), sizes),
        Positivity("c < 0 at the lower end for n >= d^2/2 + 2 d + 13, d >= 2", -c.subs(_a, low), many),
        Positivity("and at the upper end", -c.subs(_a, high), many),
        Positivity("c is convex in a", sympy.Poly(c, _a).nth(2), sizes),
        Inference("so c(a*) < 0, while h(a*), f''(a*) > 0: the antisymmetric matrices, d (d - 1) / 2 dimensions"),
    )


def _of_order(power: int) -> IndexSum:
    """The coefficient of t^power of the loss at a I + t J."""
    along = two_loop_loss().substituted({Tensor("A", "dd"): lambda i, j: [(_a, [delta(i, j)]), (_t, [_J(i, j)])]})
    return along.map(lambda value: sympy.Poly(value, _t).coeff_monomial(_t**power))


def _second_difference(J: Any, tokens: int, a: Any = _HALF) -> Any:
    """The second derivative of the integrated loss along J at a I, from its values on the line, a quartic."""
    law = RegressionLaw.isotropic(tokens, J.rows)
    values = [
        integrated_loss(
            LoopedTransformer(preconditioner=(a * sympy.eye(J.rows) + step * J).tolist(), loops=2),
            law,
        )
        for step in (-2, -1, 0, 1, 2)
    ]
    return sum(weight * value for weight, value in zip((-1, 16, -30, 16, -1), values, strict=True)) / 12


def hessian(a: Any, tokens: int, features: int) -> Any:
    """The Hessian of the two-loop loss at a I over the d^2 entries of A, from the loss as a polynomial in them."""
    entries = sympy.symbols(f"s0:{features**2}")
    A = a * sympy.eye(features) + sympy.Matrix(features, features, entries)
    polynomial = sympy.Poly(loss_at(A, tokens), *entries)
    return sympy.hessian(polynomial.as_expr(), entries).subs(dict.fromkeys(entries, 0))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(min(instances, 2)):
        tokens, a = 1 + number, sympy.Rational(int(rng.integers(1, 8)), 8)
        for name, J, curvature in (("H", _H, symmetric_curvature), ("K", _K, antisymmetric_curvature)):
            claimed = 2 * curvature(a, tokens, 2)
            yield Run(f"along {name}, n = {tokens}, a = {a}", bool(_second_difference(J, tokens, a) == claimed))
    for features, tokens in ((2, 14), (2, 15)):
        a = sum(scalar_optimum(2, tokens, features, sympy.Rational(1, 10**9))) / 2
        signs = [sympy.sign(value) for value in _eigenvalues(hessian(a, tokens, features), features)]
        claimed = descent_directions(tokens, features)
        holds = signs.count(-1) == claimed and signs.count(0) == 0
        yield Run(f"Hessian near a*, n = {tokens}, d = {features}", holds)
    signs = [sign_at_optimum(tokens, 2) for tokens in range(1, 19)]
    yield Run("d = 2: c(a*) > 0 for n < 15 alone, up to n = d^2/2 + 2 d + 12", signs == [1] * 14 + [-1] * 4)


def _eigenvalues(matrix: Any, features: int) -> list[Any]:
    """The eigenvalues with their multiplicities."""
    return [value for value, count in matrix.eigenvals().items() for _ in range(count)]


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens = 1 + number % 2
        best = scalar_optimum(2, tokens, 2)[0]
        a, step = sympy.Rational(float(best)), sympy.Rational(int(rng.integers(1, 5)), 8)
        for name, J, curvature in (("H", _H, symmetric_curvature), ("K", _K, antisymmetric_curvature)):
            network = LoopedTransformer(preconditioner=np.array(a * sympy.eye(2) + step * J, dtype=float), loops=2)
            low, high = (
                sympy.Rational(end.numerator, end.denominator)
                for end in float_loss_bounds(network, RegressionLaw.isotropic(tokens, 2), laws=_LAWS)
            )
            flat = scalar_loss(2, a, tokens, 2) + step**4 * _fourth_order(J, tokens)
            claimed = flat + curvature(a, tokens, 2) * step**2
            yield Run(f"a* rounded plus {step} {name}, n = {tokens}", bool(low <= claimed <= high))
            yield Run(f"flat along {name}, n = {tokens}", bool(low <= flat <= high), is_control=True)


def _fourth_order(J: Any, tokens: int) -> Any:
    """E |(S J)^2|^2, the loss's term of order t^4, from its values far out; its odd terms are 0 for H and K."""
    near, far = (loss_at(step * J, tokens) - J.rows for step in (1, 2))
    return (far - 4 * near) / 12

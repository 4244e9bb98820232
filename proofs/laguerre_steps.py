"""One feature, or one token: the best step sizes of every number of layers are inverse roots of Laguerre polynomials.

Symbols: as in ``numerics.optimal_steps``, without noise; L_L^(alpha) the generalised Laguerre polynomial; nu the number
of degrees of freedom of the only eigenvalue lam of W that is not 0, chi-square: nu = n for d = 1, nu = d for n = 1.

    sum_k (-L)_k / ((nu/2 + 1)_k k!) (lam / 2)^k = L_L^(nu/2)(lam / 2) / L_L^(nu/2)(0)
    E lam^k = 2^k (nu/2)_k,   (x)_k = x (x + 1) ... (x + k - 1)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from math import prod
from typing import Any

import numpy as np
import sympy
from scipy.special import roots_genlaguerre

from numerics.optimal_steps import optimal_loss, optimal_polynomial, steps_loss
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.index_sums import d, n
from proofs.optimal_steps import LAYERS, REFERENCE, Step
from proofs.step_runs import float_step_runs
from proofs.wishart_moments import trace_moment

_nu, _x = sympy.symbols("nu x", positive=True)
_CHECKED = range(1, 6)
"""The numbers of layers for which the sums are expanded."""


def theorems() -> tuple[ArguedTheorem, ...]:
    """The best steps in one dimension."""
    return (
        ArguedTheorem(
            name="optimal_steps_of_one_feature_are_inverse_laguerre_roots",
            system="this project",
            reference=f"{REFERENCE}; Laguerre polynomials and the sum of Chu and Vandermonde are classical",
            statement=(
                "For d = 1 and every n and L, without noise, the best steps are a_l = n / (2 x_l), x_l the roots of "
                "the Laguerre polynomial of degree L and parameter n / 2, and f_L* = prod_{j = 1..L} 2 j / (n + 2 j). "
                "For n = 1 and every d and L they are 1 / (2 x_l), x_l of parameter d / 2, and f_L* = d - 1 + prod_j 2 "
                "j / (d + 2 j)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n (or d) and L",
                "exact": "the best polynomial from Wishart moments, against Laguerre's, n or d 1..40, L 1..12",
                "float": "the float64 layers at the inverse of SciPy's Laguerre roots, enclosed, L 1..2",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=LAYERS,
        ),
    )


def laguerre_coefficients(degree: int, nu: Any) -> list[Any]:
    """The coefficients of lam^k, k = 0..degree, of the best polynomial in the eigenvalue lam of W.

    >>> laguerre_coefficients(1, 4)
    [1, -1/6]
    """
    half = sympy.sympify(nu) / 2
    return [
        sympy.rf(-degree, k) / (sympy.rf(half + 1, k) * sympy.factorial(k) * sympy.Integer(2) ** k)
        for k in range(degree + 1)
    ]


def _mean(coefficients: Sequence[Any], power: int) -> Any:
    """E lam^power sum_k coefficients_k lam^k for the chi-square of nu degrees of freedom."""
    return sympy.Add(*(value * 2 ** (k + power) * sympy.rf(_nu / 2, k + power) for k, value in enumerate(coefficients)))


def _argument() -> Sequence[Step]:
    chi_square = [sympy.Mul(*(_nu + 2 * j for j in range(k))) for k in range(7)]
    return (
        Inference(
            "for d = 1, W is a chi-square of n degrees of freedom; for n = 1, W = x x^T has the eigenvalue |x|^2, a "
            "chi-square of d, and d - 1 eigenvalues 0, where phi^2 = 1: f_L* = d - 1 + the least E phi(lam)^2"
        ),
        *(
            Equation(f"E tr W^{k} for d = 1 is nu (nu + 2) ... (nu + {2 * k - 2})", at_one, chi_square[k].subs(_nu, n))
            for k in range(1, 7)
            for at_one in [trace_moment(k).subs(d, 1)]
        ),
        *(
            Equation(
                f"L = {degree}: the sum is Laguerre's polynomial over its value at 0",
                sympy.expand(sum(c * (2 * _x) ** k for k, c in enumerate(laguerre_coefficients(degree, _nu)))),
                sympy.expand(
                    sympy.assoc_laguerre(degree, _nu / 2, _x)
                    / sympy.assoc_laguerre(degree, _nu / 2, 0).expand(func=True)
                ),
            )
            for degree in _CHECKED
        ),
        *(
            Equation(f"L = {degree}: E lam phi lam^{i} = 0", _mean(laguerre_coefficients(degree, _nu), i + 1), 0 * _nu)
            for degree in _CHECKED
            for i in range(degree)
        ),
        Inference(
            "for every L: lam^(nu/2) exp(-lam / 2), the weight of lam mu, is that of the Laguerre polynomials of "
            "parameter nu / 2 in lam / 2 (or Chu-Vandermonde: the sum is proportional to (-i)_L = 0 for i < L)"
        ),
        Inference("the best polynomial is orthogonal to lower degrees under lam mu, and f_L* - (d - 1) = E phi(lam)"),
        *(
            Equation(
                f"L = {degree}: E phi(lam) = prod_j 2 j / (nu + 2 j)",
                _mean(laguerre_coefficients(degree, _nu), 0),
                sympy.Mul(*(2 * j / (_nu + 2 * j) for j in range(1, degree + 1))),
            )
            for degree in _CHECKED
        ),
        Inference(
            "for every L: E phi = sum_k (-L)_k (nu/2)_k / ((nu/2 + 1)_k k!) = (1)_L / (nu/2 + 1)_L (Chu-Vandermonde)"
        ),
    )


def closed_loss(nu: int, depth: int) -> Fraction:
    """prod_{j = 1..L} 2 j / (nu + 2 j).

    >>> closed_loss(4, 2)
    Fraction(1, 6)
    """
    return prod((Fraction(2 * j, nu + 2 * j) for j in range(1, depth + 1)), start=Fraction(1))


Shape = Callable[[int, int], Sequence[Any]]
"""From L and nu to the coefficients of a polynomial in lam."""


def _agrees(tokens: int, features: int, depth: int, shape: Shape = laguerre_coefficients) -> bool:
    """Whether the best polynomial from the Wishart moments has these coefficients; one size is 1."""
    nu = tokens * features
    best = optimal_polynomial(tokens, features, depth)
    claimed = [
        Fraction(int(value.p), int(value.q)) * tokens**k
        for k, value in enumerate(map(sympy.Rational, shape(depth, nu)))
    ]
    return list(best.coefficients) == claimed and best.loss == features - 1 + closed_loss(nu, depth)


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        nu, depth = int(rng.integers(1, 41)), int(rng.integers(1, 13))
        tokens, features = (nu, 1) if number % 2 == 0 else (1, nu)
        yield Run(f"n = {tokens}, d = {features}, L = {depth}", _agrees(tokens, features, depth))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1))[number % 4]
        roots, _ = roots_genlaguerre(depth, tokens * features / 2)
        steps = [float(tokens / (2 * root)) for root in roots]
        yield from float_step_runs(tokens, features, steps)
        losses = [steps_loss([a * factor for a in steps], tokens, features) for factor in (1.0, 0.999, 1.001)]
        best = optimal_loss(tokens, features, depth)
        yield Run(f"n = {tokens}, d = {features}: at least f*, less than nearby", best <= losses[0] < min(losses[1:]))


def _is_refuted(shape: Shape) -> bool:
    return not _agrees(6, 1, 3, shape) and not _agrees(1, 6, 3, shape)


_SLIPS: dict[str, Shape] = {
    "parameter n / 2 - 1, the weight of mu": lambda L, nu: laguerre_coefficients(L, nu - 2),
    "n for n / 2": lambda L, nu: laguerre_coefficients(L, 2 * nu),
    "x for 2 x": lambda L, nu: [value * 2**k for k, value in enumerate(laguerre_coefficients(L, nu))],
    "a layer less": lambda L, nu: [*laguerre_coefficients(L - 1, nu), 0],
}

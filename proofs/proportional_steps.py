"""The best step sizes for many tokens and features, d / n = gamma: Chebyshev nodes, with the first order of the error.

Symbols: as in ``numerics.proportional_steps``; MP the law of Marchenko and Pastur; U_L Chebyshev's polynomial of the
second kind, z(s) = (s - 1 - gamma) / (2 sqrt(gamma)); G_L = 1 + gamma + ... + gamma^L.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import sympy

from numerics.optimal_steps import optimal_loss, steps_loss
from numerics.proportional_steps import first_order_loss, limiting_loss, limiting_step_sizes
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.index_sums import d, n
from proofs.optimal_steps import LAYERS, REFERENCE, Step
from proofs.step_runs import float_step_runs
from proofs.wishart_hankel import SymbolicOptimum, optimum, symbolic_optimum
from proofs.wishart_moments import trace_moment

_gamma, _s = sympy.symbols("gamma s", positive=True)
_BOUNDED = (1, 2, 3)
"""The numbers of layers whose error is bounded for all n and d."""


def theorems() -> tuple[ArguedTheorem, ...]:
    """The limit."""
    return (
        ArguedTheorem(
            name="optimal_steps_tend_to_inverse_chebyshev_nodes",
            system="this project",
            reference=(
                f"{REFERENCE}; the law of eigenvalues: Marchenko and Pastur (1967), and its 1 / n correction for real "
                "Gaussians, both cited from memory"
            ),
            statement=(
                "Without noise, for n, d -> infinity at d / n = gamma: phi tends to U_L(z(s)) / U_L(z(0)), a_k to 1 / "
                "(1 + gamma + 2 sqrt(gamma) cos(k pi / (L + 1))), each with an error O(1 / n), and f_L* = d g + e + "
                "O(1 / n), g = gamma^L / G, e = (L (L + 1) / 2) gamma^L / G^2, G = 1 + gamma + ... + gamma^L (so g = 1 "
                "/ (L + 1) at gamma = 1). For L <= 3 and all n and d, f_L* > d g and |f_L* - d g - e| <= L (L + 1) / "
                "(2 (n + d))."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all gamma > 0 and L; the law of eigenvalues and its correction cited, checked for k <= 8",
                "exact": "f_L* and phi as quotients of polynomials in n, gamma in 1/4..3, L 1..4: what they tend to",
                "float": "the float64 layers at the rounded limiting steps, enclosed, L 1..2, and never below f_L*",
            },
            slips={name: partial(_is_refuted, *slip) for name, slip in _SLIPS.items()},
            about=LAYERS,
        ),
    )


def pastur_moment(power: int) -> Any:
    """The moment of MP, mass 1: the Narayana polynomial in gamma.

    >>> pastur_moment(3)
    gamma**2 + 3*gamma + 1
    """
    if power == 0:
        return sympy.Integer(1)
    terms = (
        sympy.binomial(power, r) * sympy.binomial(power, r - 1) * _gamma ** (r - 1) / power for r in range(1, power + 1)
    )
    return sympy.expand(sympy.Add(*terms))


def correction(power: int) -> Any:
    """What E tr (W / n)^k has beyond d MP_k, to first order: (values at the edges) / 4 - (mean over the angle) / 2.

    >>> correction(1), correction(2)
    (0, gamma)
    """
    root = sympy.sqrt(_gamma)
    edges = ((1 + root) ** (2 * power) + (1 - root) ** (2 * power)) / 4
    angles = sympy.Add(*(sympy.binomial(power, j) ** 2 * _gamma**j for j in range(power + 1))) / 2
    return sympy.expand(edges - angles)


def _leading(power: int) -> tuple[Any, Any]:
    """The coefficients of n^(k+1) and n^k of E tr W^k at d = gamma n."""
    polynomial = sympy.Poly(trace_moment(power).subs(d, _gamma * n), n)
    return polynomial.coeff_monomial(n ** (power + 1)), polynomial.coeff_monomial(n**power)


def _pastur_polynomial(degree: int) -> Any:
    """p_0 = 1, p_1 = s - 1, p_{k+1} = (s - 1 - gamma) p_k - gamma p_{k-1}."""
    before, current = sympy.Integer(1), _s - 1
    for _ in range(degree):
        before, current = current, sympy.expand((_s - 1 - _gamma) * current - _gamma * before)
    return before


def _inner(left: Any, right: Any) -> Any:
    """Their mean product under MP."""
    polynomial = sympy.Poly(left * right, _s)
    return sympy.expand(sympy.Add(*(value * pastur_moment(k) for (k,), value in polynomial.terms())))


def _chebyshev(degree: int) -> Any:
    """U_L(z(s)) / U_L(z(0))."""
    z = (_s - 1 - _gamma) / (2 * sympy.sqrt(_gamma))
    polynomial = sympy.expand(sympy.chebyshevu(degree, z))
    return polynomial / polynomial.subs(_s, 0)


def _argument() -> Sequence[Step]:
    sign, x, L = sympy.Symbol("sign", real=True), sympy.Symbol("x", positive=True), sympy.Symbol("L", positive=True)
    value = sympy.Symbol("U_L(z(0))", positive=True)
    p = [_pastur_polynomial(k) for k in range(5)]
    return (
        Inference("the best phi and f_L* are the quotients of determinants of the moments m_k, for every n, d, L"),
        *(
            Equation(f"at d = gamma n, E tr W^{k} = n^k (d MP_{k} + its correction + O(1/n)): the limit", first, limit)
            for k in range(1, 9)
            for first, limit in [(_leading(k)[0], _gamma * pastur_moment(k))]
        ),
        *(Equation(f"the correction to E tr W^{k}", _leading(k)[1], correction(k)) for k in range(1, 9)),
        Inference(
            "for every k: d MP plus half of (half of the edges (1 +- sqrt(gamma))^2 minus their arcsine law) (cited "
            "from memory); m_k is a polynomial in 1 / n, so phi and f_L* / n are quotients of such, whose denominators "
            "tend to determinants of MP that are not 0: they converge with an error O(1 / n), and so do the roots, "
            "being simple"
        ),
        *(
            Equation(
                f"p_{i} and p_{j} of the recursion have the mean product {f'gamma^{i}' if i == j else 0} under MP",
                _inner(p[i], p[j]),
                _gamma**i * int(i == j),
            )
            for i in range(5)
            for j in range(i + 1)
        ),
        Inference("for every k: p_k = gamma^(k/2) (U_k(z) + sqrt(gamma) U_{k-1}(z)) are MP's polynomials (classical)"),
        Equation(
            "p_k(0) = (-1)^k, by induction over the recursion",
            -(1 + _gamma) * sign - _gamma * (-sign),
            -sign,
        ),
        Inference(
            "so f_L* / d tends to 1 / sum_{k <= L} gamma^-k, which is 1 / (L + 1) at gamma = 1 and else, summed, g:"
        ),
        Equation(
            "g = gamma^L (1 - gamma) / (1 - gamma^(L+1))",
            (1 / _gamma - 1) / (_gamma ** (-L - 1) - 1),
            _gamma**L * (1 - _gamma) / (1 - _gamma ** (L + 1)),
        ),
        *(
            Equation(
                f"phi tends to sum_k p_k(0) p_k / gamma^k over its value at 0, for L = {depth}",
                sympy.expand(sympy.Add(*((-1) ** k * p[k] * _gamma ** (depth - k) for k in range(depth + 1)))),
                _chebyshev(depth) * sum(_gamma**k for k in range(depth + 1)),
            )
            for depth in range(1, 5)
        ),
        Inference(
            "for every L: s MP has the density sqrt(1 - z^2) up to a factor, for which the U_L are orthogonal; U_L "
            "vanishes at cos(k pi / (L + 1)), so s = 1 + gamma + 2 sqrt(gamma) cos(k pi / (L + 1))"
        ),
        Inference(
            "f_L* is a minimum over phi, so to first order it changes by the correction's mean of the limiting phi^2: "
            "(U_L(1)^2 + U_L(-1)^2) / 4 minus half the mean of U_L(cos t)^2 over t, over U_L(z(0))^2; U_L(+-1)^2 = (L "
            "+ 1)^2, and U_L(cos t) is a sum of L + 1 different e^(i m t), of mean square L + 1"
        ),
        Equation(
            "that is L (L + 1) / (2 U_L(z(0))^2)",
            ((L + 1) ** 2 / 2 - (L + 1) / 2) / value**2,
            L * (L + 1) / (2 * value**2),
        ),
        Equation(
            "for x = sqrt(gamma), z(0) = -(x + 1/x) / 2, U_L = +-(x^(L+1) - x^-(L+1)) / (x - 1/x): 1 / U_L(z(0))^2 is",
            ((x - 1 / x) / (x ** (L + 1) - x ** (-L - 1))) ** 2,
            x ** (2 * L) * ((1 - x**2) / (1 - x ** (2 * L + 2))) ** 2,
        ),
        Inference("which is gamma^L / G_L^2, as G_L = (1 - gamma^(L+1)) / (1 - gamma), and at gamma = 1 by continuity"),
        *(
            Equation(f"for L = {depth}, coefficients that are not > 0 of {name}, in n - 1 and d - 1", wrong, 0 * n)
            for depth in _BOUNDED
            for name, wrong in _sign_counts(depth)
        ),
    )


@cache
def _sign_counts(depth: int) -> tuple[tuple[str, Any], ...]:
    """How many coefficients hinder each claimed inequality; none proves it for all n, d >= 1."""
    best = optimum(depth)
    G = sympy.Add(*(n ** (depth - k) * d**k for k in range(depth + 1)))
    f, half = best.bordered / best.inner, sympy.Rational(depth * (depth + 1), 2)
    above = f - d ** (depth + 1) / G
    error, bound = above - half * n**depth * d**depth / G**2, half / (n + d)
    claims = {"f* - d g": above, "bound - (f* - d g - e)": bound - error, "bound + (f* - d g - e)": bound + error}
    return tuple((name, _not_positive(claim)) for name, claim in claims.items())


def _not_positive(quotient: Any) -> Any:
    """How many coefficients of numerator and denominator, as polynomials in n - 1 and d - 1, are not positive.

    >>> _not_positive((n + d - 1) / n), _not_positive(1 / (n - d))
    (0, 1)
    """
    parts = sympy.fraction(sympy.cancel(quotient))
    shifted = [sympy.Poly(part.subs({n: n + 1, d: d + 1}, simultaneous=True), n, d).coeffs() for part in parts]
    counts = [sum(bool(sign * value <= 0) for part in shifted for value in part) for sign in (1, -1)]
    return sympy.Integer(min(counts))


@cache
def optimum_at_ratio(ratio: Any, depth: int) -> SymbolicOptimum:
    """The best phi and loss at d = ratio n, as quotients of polynomials in n."""
    return symbolic_optimum(depth, lambda k: trace_moment(k).subs(d, ratio * n), variables=(n,))


def _expansion(ratio: Any, depth: int) -> tuple[Any, Any]:
    """(a, b) of f_L* = a n + b + O(1/n) at d = ratio n."""
    best = optimum_at_ratio(ratio, depth)
    quotient, _ = sympy.div(sympy.Poly(best.bordered, n), sympy.Poly(best.inner, n))
    return quotient.coeff_monomial(n), quotient.coeff_monomial(1)


def _limiting_coefficients(ratio: Any, depth: int) -> list[Any]:
    """The limits of phi_1, ..., phi_L at d = ratio n."""
    best = optimum_at_ratio(ratio, depth)
    inner = sympy.Poly(best.inner, n)
    quotients = (sympy.div(sympy.Poly(above, n), inner)[0] for above in best.numerators)
    return [quotient.as_expr() for quotient in quotients]


def _rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)


_RATIOS = (Fraction(1, 4), Fraction(1), Fraction(3), Fraction(1, 2), Fraction(4, 9))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        ratio, depth = _RATIOS[number % 5], 1 + number % 4
        expected = ratio * limiting_loss(ratio, depth), first_order_loss(ratio, depth)
        found = _expansion(_rational(ratio), depth)
        yield Run(f"f*, gamma = {ratio}, L = {depth}", found == tuple(map(_rational, expected)))
        limit = sympy.Poly(_chebyshev(depth).subs(_gamma, _rational(ratio)), _s).all_coeffs()[-2::-1]
        yield Run(f"phi, gamma = {ratio}, L = {depth}", _limiting_coefficients(_rational(ratio), depth) == limit)
        tokens, features = (int(value) for value in rng.integers(1, 200, 2))
        gamma, depth = Fraction(features, tokens), int(rng.choice(_BOUNDED))
        above = optimal_loss(tokens, features, depth) - features * limiting_loss(gamma, depth)
        bound = Fraction(depth * (depth + 1), 2 * (tokens + features))
        within = above > 0 and abs(above - first_order_loss(gamma, depth)) <= bound
        yield Run(f"n = {tokens}, d = {features}, L = {depth}: within the bound", within)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1))[number % 4]
        steps = [float(a) for a in limiting_step_sizes(Fraction(features, tokens), depth)]
        yield from float_step_runs(tokens, features, steps)
        not_below = steps_loss(steps, tokens, features) > optimal_loss(tokens, features, depth)
        yield Run(f"limiting steps, n = {tokens}, d = {features}, L = {depth}", not_below)


Limit = Callable[[Fraction, int], Fraction]


def _is_refuted(limit: Limit, order: Limit) -> bool:
    """Whether the expansion differs at gamma = 1/2, L = 2."""
    ratio = Fraction(1, 2)
    claimed = ratio * limit(ratio, 2), order(ratio, 2)
    return _expansion(_rational(ratio), 2) != tuple(map(_rational, claimed))


_SLIPS: dict[str, tuple[Limit, Limit]] = {
    "one layer more": (lambda g, L: limiting_loss(g, L + 1), first_order_loss),
    "1 / gamma for gamma": (lambda g, L: limiting_loss(1 / g, L), first_order_loss),
    "complex Gaussians: no correction": (limiting_loss, lambda g, L: Fraction(0)),
    "half of the correction": (limiting_loss, lambda g, L: first_order_loss(g, L) / 2),
    "L^2 for L (L + 1)": (limiting_loss, lambda g, L: first_order_loss(g, L) * L / (L + 1)),
}

"""What no Krylov method can beat, what conjugate gradient attains, and how far Newton's iteration is below it.

Symbols: S = X X^T with nonzero eigenvalues lam in [lmin, lmax]; kappa = lmax / lmin; sigma = (kappa + 1)/(kappa - 1);
T_t, U_t: Chebyshev's polynomials of the first and second kind. A Krylov method's iterate is W_T = Y X^T p(S) with
deg p < T: gradient descent with any step sizes and momentum, conjugate gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.block import materialised
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from numerics.krylov import conjugate_gradient, excess_loss, interpolation_weights, least_krylov_error
from numerics.rationals import RationalBlock, as_fraction
from numerics.rounding import RoundedBlock
from numerics.step_counts import (
    chebyshev_value,
    conjugate_gradient_step_count,
    conjugate_gradient_sufficient_step_count,
    gradient_descent_step_count,
    newton_step_count,
)
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.induction import normal_form
from proofs.rewriting import reduced, rule
from proofs.spectral_contexts import context_of
from proofs.step_count_theorems import bounds_on_logarithms
from proofs.symbols import SymbolBlock

_KAPPAS = (Fraction(4), Fraction(10))

_COUNTED = (
    (Fraction(2), Fraction(1, 3)),
    (Fraction(4), Fraction(1, 100)),
    (Fraction(10), Fraction(1, 50)),
    (Fraction(30), Fraction(1, 10)),
)
"""(kappa, epsilon) at which the count of conjugate gradient is held against runs."""

_SEPARATED = tuple(
    (Fraction(kappa), epsilon)
    for kappa in (4, 5, 17, 10**3, 10**6, 10**40)
    for epsilon in (Fraction(7, 20), Fraction(1, 10**3), Fraction(1, 10**16), Fraction(1, 10**1000))
)
"""(kappa, epsilon) with kappa >= 4 and epsilon <= 1/e at which Newton is held against every Krylov method."""


def theorems() -> tuple[ArguedTheorem, ...]:
    """The bound for Krylov methods, attained, and the separation from it."""
    return (
        ArguedTheorem(
            name="every_krylov_method_needs_exponentially_more_steps_than_newton",
            system="this project",
            reference=(
                "Nemirovski and Yudin (1983), cited by Fu et al. (2024), section 5, for the lower bound; Hestenes and "
                "Stiefel (1952) for the optimality of conjugate gradient; the exact counts are this project's"
            ),
            statement=(
                "Let B = 1 / T_T((kappa + 1)/(kappa - 1)), T_T Chebyshev's polynomial. For some context of condition "
                "number kappa every W_T = Y X^T p(S) with deg p < T errs by at least B relatively in a given norm "
                "|(W - W*) f(S)|; conjugate gradient errs by at most B in excess loss on all, so its worst-case count "
                "is the least of any such method. It is at least ((sqrt kappa - 1)/2) ln(1/epsilon), at most the least "
                "integer >= (sqrt kappa / 2) ln(2/epsilon), and if kappa >= 4 and epsilon <= 1/e then k Newton steps "
                "from I / lmax suffice with k <= 2 log2 T + 5."
            ),
            argument=_argument,
            exact_runs=exact_runs,
            float_runs=float_runs,
            over={
                "proof": "every kappa > 1, T >= 1 and epsilon in (0, 1)",
                "exact": "gradient-descent networks with drawn step sizes and conjugate gradient on the hard contexts, "
                "T 1..6; counts against both, and against Newton's up to kappa 10^40",
                "float": "gradient-descent networks with Chebyshev's step sizes in float64, enclosed, T 1..6",
            },
            slips={
                "the bound of one degree less": lambda: not _is_lower_bound(lambda T, s: 1 / chebyshev_value(T - 1, s)),
                "gradient descent's factor ((kappa - 1)/(kappa + 1))^T": lambda: (
                    not _is_lower_bound(lambda T, s: s**-T)
                ),
                "one step fewer": lambda: not _is_count(lambda *case: conjugate_gradient_step_count(*case) - 1),
                "one step more": lambda: not _is_count(lambda *case: conjugate_gradient_step_count(*case) + 1),
                "the closed form taken for the count": lambda: not _is_count(conjugate_gradient_sufficient_step_count),
                "the step count of gradient descent": lambda: (
                    not _is_count(lambda kappa, epsilon: gradient_descent_step_count(kappa, epsilon, "optimal"))
                ),
            },
            about=GradientDescent(step_sizes=[1]),
        ),
    )


def _argument() -> Sequence[Equation | Inference]:
    return (*_lower_bound(), *_chebyshev(), *_separation())


def _lower_bound() -> tuple[Equation | Inference, ...]:
    """The duality: a context on which no polynomial does better than 1 / L."""
    X, Y, W_star, p = (
        SymbolBlock.lift(Unspecified(*letter))
        for letter in (("X", "d", "n"), ("Y", "m", "n"), ("W_star", "m", "d"), ("p", "d", "d"))
    )
    S = X @ X.T
    normal_equations = rule(normal_form(Y @ X.T), normal_form(W_star @ S))
    return (
        Equation(
            "with W* S = Y X^T and q(z) = 1 - z p(z): Y X^T p(S) - W* = -W* q(S)",
            reduced(normal_form(Y @ X.T @ p - W_star), [normal_equations]),
            normal_form(-(W_star @ (X.identity(X.rows) - S @ p))),
        ),
        *(_interpolation(degree) for degree in (1, 2, 3)),
        Inference(
            "for any T by Lagrange's interpolation, which is exact up to degree T at T + 1 nodes: with l_i = prod_(j "
            "!= i) z_j/(z_j - z_i) every q of degree <= T with q(0) = 1 has sum_i l_i q(z_i) = 1"
        ),
        Inference(
            "with L = sum |l_i|: 1 <= sum |l_i| |q(z_i)|, so max |q(z_i)| >= 1/L, and by Cauchy and Schwarz sum (|l_i|"
            "/L) q(z_i)^2 >= 1/L^2: no such method errs by less than 1/L on the context whose S has the eigenvalues "
            "z_i and whose W* has |l_i| / (L f(z_i)^2) as its squared size there"
        ),
        Inference(
            "l_i has the sign (-1)^(number of z_j < z_i), so L = |q(0)| for the q of degree T that alternates between "
            "1 and -1 at the nodes"
        ),
    )


def _interpolation(degree: int) -> Equation:
    nodes = sympy.symbols(f"z0:{degree + 1}", positive=True)
    c = sympy.symbols(f"c1:{degree + 1}")
    total = sympy.Integer(0)
    for i, node in enumerate(nodes):
        weight = sympy.prod(other / (other - node) for j, other in enumerate(nodes) if j != i)
        total += weight * (1 + sum(c[power - 1] * node**power for power in range(1, degree + 1)))
    return Equation(f"sum_i l_i q(z_i) = q(0) for degree {degree}, any nodes and coefficients", total, sympy.Integer(1))


def _chebyshev() -> tuple[Equation | Inference, ...]:
    """What Chebyshev's polynomials are on the interval and at sigma, by induction over the degree."""
    x, T, U, a, b, kappa, lam, s, r, u = sympy.symbols("x T U a b kappa lam s r u", positive=True)
    T_next, U_next = x * T + (x**2 - 1) * U, T + x * U
    T_after = x * T_next + (x**2 - 1) * U_next
    sigma = (kappa + 1) / (kappa - 1)
    place = (kappa + 1 - 2 * lam) / (kappa - 1)
    ratio = (s + 1) / (s - 1)
    return (
        Inference("let T_(t+1) = x T_t + (x^2 - 1) U_(t-1) and U_t = T_t + x U_(t-1), from T_0 = 1 and U_(-1) = 0"),
        Equation("then T_(t+2) = 2 x T_(t+1) - T_t: they are Chebyshev's", T_after, 2 * x * T_next - T),
        Equation(
            "T_t^2 - (x^2 - 1) U_(t-1)^2 is the same for t + 1, so it is 1, and |T_t| <= 1 on [-1, 1]",
            sympy.expand(T_next**2 - (x**2 - 1) * U_next**2),
            sympy.expand(T**2 - (x**2 - 1) * U**2),
        ),
        Equation(
            "T_t(cos a) = cos t a and sin a U_(t-1)(cos a) = sin t a; with b = t a, for T_(t+1)",
            T_next.subs({x: sympy.cos(a), T: sympy.cos(b), U: sympy.sin(b) / sympy.sin(a)}),
            sympy.cos(a + b),
        ),
        Equation(
            "and for U_t",
            sympy.sin(a) * U_next.subs({x: sympy.cos(a), T: sympy.cos(b), U: sympy.sin(b) / sympy.sin(a)}),
            sympy.sin(a + b),
        ),
        Inference("so T_T alternates between 1 and -1 at cos(i pi / T), i = 0..T"),
        Equation("x = (kappa + 1 - 2 lam)/(kappa - 1) is 1 at lam = 1", place.subs(lam, 1), sympy.Integer(1)),
        Equation("-1 at lam = kappa", place.subs(lam, kappa), sympy.Integer(-1)),
        Equation("and sigma at lam = 0", place.subs(lam, 0), sigma),
        Inference(
            "so L = T_T(sigma) for the nodes with x = cos(i pi / T), all in [lmin, lmax] with lmin = 1: the bound is B"
        ),
        Inference(
            "q = T_T(x)/T_T(sigma) has q(0) = 1 and |q| <= B on [lmin, lmax]; conjugate gradient minimises "
            "|(W - W*) X| over the Krylov iterates (Hestenes and Stiefel), so it errs by at most B"
        ),
        Equation(
            "with s = sqrt kappa and r = (s + 1)/(s - 1), sigma = (r + 1/r)/2",
            sigma.subs(kappa, s**2),
            (ratio + 1 / ratio) / 2,
        ),
        Equation(
            "c_t = (r^t + r^-t)/2 follows the recursion, so T_t(sigma) = c_t; with u = r^t",
            (u * r + 1 / (u * r)) / 2,
            (r + 1 / r) * (u + 1 / u) / 2 - (u / r + r / u) / 2,
        ),
        Inference("so r^T/2 < T_T(sigma) <= r^T"),
    )


def _separation() -> tuple[Equation | Inference, ...]:
    x, kappa, log, T = sympy.symbols("x kappa lambda T", positive=True)
    return (
        *bounds_on_logarithms(x),
        Inference(
            "with x = 1/s: 2/s <= ln r <= 2/(s - 1), so (sqrt kappa / 2) ln(2/epsilon) steps suffice and ((sqrt kappa "
            "- 1)/2) ln(1/epsilon) are needed; for kappa >= 4, sqrt kappa - 1 >= sqrt kappa / 2, so T >= (sqrt kappa "
            "/ 4) ln(1/epsilon)"
        ),
        Inference(
            "Newton's count k from I / lmax is the least with (1 - 1/kappa)^(2^k) <= epsilon, so if k >= 1, 2^(k-1) < "
            "kappa ln(1/epsilon), since kappa ln(1/epsilon) gradient steps suffice"
        ),
        Equation(
            "with T = (sqrt kappa / 4) lambda, lambda = ln(1/epsilon): 2 kappa lambda = 32 T^2 / lambda",
            2 * kappa * log,
            (32 * T**2 / log).subs(T, sympy.sqrt(kappa) * log / 4),
        ),
        Inference(
            "so 2^k <= 32 T^2 / ln(1/epsilon) <= 32 T^2 if epsilon <= 1/e (for k = 0 as well), and k <= 2 log2 T + 5"
        ),
    )


def chebyshev_nodes(kappa: Fraction, degree: int, denominator: int) -> list[Fraction]:
    """degree + 1 rationals in [1, kappa] next to the points at which T_degree alternates, 1 and kappa among them."""
    cosines = [Fraction(math.cos(math.pi * i / degree)).limit_denominator(denominator) for i in range(degree + 1)]
    return [(kappa + 1 - (kappa - 1) * x) / 2 for x in cosines]


def hard_context(nodes: Sequence[Fraction]) -> tuple[Prompt, RationalBlock]:
    """(a context, W*) on which every Krylov method of fewer steps than nodes errs by 1 / L in excess loss, or more."""
    weights = [abs(weight) for weight in interpolation_weights(nodes)]
    total = sum(weights, start=Fraction(0))
    prompt, W_star = context_of([(z, weight / total / z) for z, weight in zip(nodes, weights, strict=True)])
    return prompt, RationalBlock.lift([W_star])


def exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """The duality on networks, conjugate gradient on the hard contexts, and the counts."""
    for number in range(max(instances, 6)):
        kappa, degree = _KAPPAS[number % 2], 1 + number % 6
        yield _network_run(rng, chebyshev_nodes(kappa, degree, 12))
    for kappa in _KAPPAS:
        for degree in range(1, 7):
            nodes = chebyshev_nodes(kappa, degree, 12)
            yield Run(f"conjugate gradient, kappa {kappa}, T = {degree}", _is_attained(nodes))
            if degree <= 3:  # whose cosines are rational
                bound = 1 / chebyshev_value(degree, (kappa + 1) / (kappa - 1))
                yield Run(f"1/L = {bound} at T = {degree}", least_krylov_error(nodes) == bound)
    for kappa, epsilon in _COUNTED:
        T = conjugate_gradient_step_count(kappa, epsilon)
        yield Run(f"{T} steps, kappa {kappa}, epsilon {epsilon}", _is_count_at(T, kappa, epsilon, rng))
    for kappa, epsilon in _SEPARATED:
        T, k = conjugate_gradient_step_count(kappa, epsilon), newton_step_count(kappa, epsilon)
        yield Run(f"k = {k}, T = {T}, kappa {kappa}", 2**k <= 32 * T**2)
        closed = conjugate_gradient_sufficient_step_count(kappa, epsilon)
        yield Run(f"closed form {closed}, T = {T}, kappa {kappa}", closed >= T)


def _network_run(rng: np.random.Generator, nodes: Sequence[Fraction]) -> Run:
    """A gradient-descent network with drawn step sizes: its factors q(z_i) interpolate, and are at least 1/L."""
    degree = len(nodes) - 1
    steps = [Fraction(int(rng.integers(1, 12)), 6) / nodes[-1] for _ in range(degree)]
    prompt, W_star = context_of([(z, Fraction(1)) for z in nodes])
    n = len(prompt.X[0])
    network = GradientDescent(step_sizes=[step * n for step in steps])
    factors = []
    for i in range(len(W_star)):
        query = [[Fraction(int(i == j))] for j in range(len(W_star))]
        held = Prompt(prompt.X, prompt.Y, query).lifted()
        prediction = materialised(forward(network, held), held.X).entry[0, 0]
        factors.append(1 - as_fraction(prediction))
    sums = sum((l * q for l, q in zip(interpolation_weights(nodes), factors, strict=True)), start=Fraction(0))
    return Run(
        f"{degree} layers with step sizes {list(map(str, steps))} on the eigenvalues {list(map(str, nodes))}",
        sums == 1 and max(map(abs, factors)) >= least_krylov_error(nodes),
    )


def _is_attained(nodes: Sequence[Fraction]) -> bool:
    """Whether on the hard context conjugate gradient's error is exactly 1 / L after T steps, and 0 after one more."""
    prompt, W_star = hard_context(nodes)
    X = prompt.lifted().X
    assert isinstance(X, RationalBlock)
    errors = [excess_loss(W, W_star, X) for W in conjugate_gradient(prompt)]
    degree = len(nodes) - 1
    return errors[0] == 1 and errors[degree] == least_krylov_error(nodes) ** 2 and errors[degree + 1 :] == [0]


def _is_count_at(T: int, kappa: Fraction, epsilon: Fraction, rng: np.random.Generator) -> bool:
    """Whether T steps of conjugate gradient suffice on the hard contexts and drawn ones, and T - 1 do not on one."""
    if T < 1 or (T > 1 and least_krylov_error(chebyshev_nodes(kappa, T - 1, 10**6)) <= epsilon):
        return False
    contexts = [hard_context(chebyshev_nodes(kappa, T, 12)), *(_drawn_context(rng, kappa, T) for _ in range(3))]
    for prompt, W_star in contexts:
        X = prompt.lifted().X
        assert isinstance(X, RationalBlock)
        errors = [excess_loss(W, W_star, X) for W in conjugate_gradient(prompt)]
        if errors[min(T, len(errors) - 1)] > epsilon**2 * errors[0]:
            return False
    return True


def _drawn_context(rng: np.random.Generator, kappa: Fraction, steps: int) -> tuple[Prompt, RationalBlock]:
    """A context with one eigenvalue more than steps, drawn from [1, kappa]."""
    inside = [1 + (kappa - 1) * Fraction(int(rng.integers(0, 13)), 12) for _ in range(steps + 1)]
    prompt, W_star = context_of([(z, Fraction(int(rng.integers(1, 4)))) for z in inside])
    return prompt, RationalBlock.lift([W_star])


def _is_count(count: Any) -> bool:
    """Whether a count passes the runs at every case."""
    rng = np.random.default_rng(0)
    return all(_is_count_at(count(*case), *case, rng) for case in _COUNTED)


def _is_lower_bound(bound: Any) -> bool:
    """Whether bound(T, sigma) is below what conjugate gradient attains at the nodes of T = 2 and 3."""
    return all(
        least_krylov_error(chebyshev_nodes(kappa, degree, 12)) >= bound(degree, (kappa + 1) / (kappa - 1))
        for kappa in _KAPPAS
        for degree in (2, 3)
    )


def float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """Networks of T layers with Chebyshev's step sizes in floats: not below 1/L, though below the bound of T - 1."""
    for kappa in _KAPPAS:
        for degree in range(1, 7):
            nodes = [Fraction(round(1000 * z)) for z in chebyshev_nodes(kappa, degree, 12)]
            prompt, W_star = context_of([(z, Fraction(1)) for z in nodes])
            X, Y = np.array(prompt.X, dtype=float), np.array(prompt.Y, dtype=float)
            roots = [math.cos(math.pi * (2 * i + 1) / (2 * degree)) for i in range(degree)]
            sizes = [Fraction(2) / (1000 * (kappa + 1 - (kappa - 1) * Fraction(root))) for root in roots]
            network = GradientDescent(step_sizes=[size * X.shape[1] for size in sizes])
            largest = Fraction(0)
            for i in range(len(W_star)):
                held = Prompt(X, Y, np.eye(len(W_star))[:, [i]]).lifted(RoundedBlock)
                prediction = materialised(forward(network, held), held.X)
                assert isinstance(prediction, RoundedBlock)
                middle, radius = (Fraction(float(part[0, 0])) for part in (prediction.value, prediction.radius))
                largest = max(largest, abs(1 - middle) + radius)
            text = f"kappa {kappa}, {degree} layers, error at most {float(largest)}"
            yield Run(text, largest >= least_krylov_error(nodes))
            wrong = 1 / chebyshev_value(degree - 1, (kappa + 1) / (kappa - 1))
            yield Run(f"{text}, against the bound {float(wrong)} of a degree less", largest >= wrong, is_control=True)

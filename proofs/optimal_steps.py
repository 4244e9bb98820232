"""The best step sizes of L layers of preconditioned gradient descent: inverse roots of an orthogonal polynomial.

Symbols: as in ``numerics.optimal_steps`` and ``constructions.step_polynomial``; mu h = E tr h(T), T = W / n the
whitened second moment, m_k = mu s^k = p_k / n^k, c = sigma2 / n; phi(s) = prod_l (1 - a_l s) = 1 - s r(s).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
from flint import fmpq

from constructions.parameters import Unspecified
from constructions.preconditioned import PreconditionedDescent
from constructions.step_polynomial import StepPolynomial
from numerics.optimal_steps import optimal_loss, optimal_polynomial, optimal_step_sizes, steps_loss
from numerics.rationals import as_fmpq, as_fraction
from numerics.wishart import wishart_trace_moments
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.construction_theorem import ConstructionTheorem
from proofs.expected_words import indexed, population_loss
from proofs.gaussian_moments import NOISE, Gaussian, X, expectation, sigma2, w, x_query
from proofs.index_sums import Tensor, d, n, summed
from proofs.induction import normal_form
from proofs.regression_law import integrated_loss
from proofs.step_runs import by_recursion, drawn_law, excess_form, float_bounds, float_step_runs, network
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem
from proofs.wishart_hankel import optimum
from proofs.wishart_moments import normalised_moment

REFERENCE = "derived for the setting of Ahn et al. (2023), Theorem 3, arXiv 2306.00297"
LAYERS = StepPolynomial(step_sizes=[1], root=[[1]])
"""The network that these theorems are about; the values of its weights do not matter."""

Step = Equation | Induction | Inference


def theorems() -> tuple[Theorem, ...]:
    """What the steps do to the error, and the best of them without noise."""
    return (
        ConstructionTheorem(
            name="different_step_sizes_act_on_the_error_by_one_polynomial",
            system="this project",
            reference="derived for the family A_l = a_l Sigma^-1 of Ahn et al. (2023), Theorem 3, arXiv 2306.00297",
            statement=(
                "k layers A_l = a_l (H H^T)^-1 predict W_star H (I - F) H^-1 x + (1/n) E X^T H^-T R H^-1 x for every "
                "W_star, E = Y - W_star X: F = prod_l (I - a_l T) = I - R T, R symmetric and commuting with T, T = "
                "H^-1 X X^T H^-T / n."
            ),
            prototype=LAYERS,
        ),
        ArguedTheorem(
            name="optimal_steps_are_inverse_roots_of_an_orthogonal_polynomial",
            system="this project",
            reference=f"{REFERENCE}: its infimum over A_l = a_l Sigma^-1 is attained",
            statement=(
                "For x ~ N(0, Sigma), w ~ N(0, Sigma^-1), no noise, and L layers A_l = a_l Sigma^-1, the population "
                "loss is sum_ij phi_i phi_j m_{i+j}, phi(s) = prod_l (1 - a_l s), m_k = E tr W^k / n^k, W Wishart: "
                "symmetric in the steps. Its minimum is attained, at L different positive steps unique up to their "
                "order: 1 / a_l are the roots of the orthogonal polynomial of degree L of s mu, mu s^k = m_k. It is "
                "f_L* = det [m_{i+j}], i, j = 0..L, over det [m_{i+j+2}], i, j = 0..L-1, strictly falling in L, and "
                "above d - n. L = 1: a = n / (n + d + 1), f* = d (d + 1) / (n + d + 1)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L and Sigma; E tr W^k in closed form for every k by citation",
                "exact": (
                    "integrated losses of drawn steps, which exceed f* by the form that they should; the three-term "
                    "recursion instead of determinants, n, d 1..30, L 1..8"
                ),
                "float": "the float64 layers at the rounded best steps, enclosed, L 1..2; equal steps are worse",
            },
            slips={name: partial(_is_not_optimal, slip) for name, slip in _SLIPS.items()},
            about=LAYERS,
        ),
    )


def loss_argument() -> Sequence[Step]:
    """The loss is mu (phi^2 + c s r^2)."""
    a, b = sympy.symbols("a b", real=True)
    H, F, R = (SymbolBlock.lift(Unspecified(name, "d", "d", None, name == "H")) for name in "HFR")
    T = SymbolBlock.lift(Unspecified("T", "d", "d"))
    Z = SymbolBlock.lift(Unspecified("X", "d", "n"))
    u, z = (SymbolBlock.lift(Unspecified(name, "d", 1)) for name in ("w", "x_query"))
    noise = SymbolBlock.lift(Unspecified("eps", 1, "n"))
    I, inverse = F.identity(d), H.inverse()
    error = noise @ Z.T @ R @ z.scale(1 / n) - u.T @ F @ z
    F_ab, R_ab = Tensor("F", "dd"), Tensor("R", "dd")
    squared = indexed(normal_form(error))
    return (
        Induction("for every L and context the teacher is missed by F = phi(T), noise enters by R = r(T)", LAYERS),
        Equation(
            "neighbouring steps may be swapped, so phi and the loss do not depend on the order",
            normal_form((I - T.scale(a)) @ (I - T.scale(b))),
            normal_form((I - T.scale(b)) @ (I - T.scale(a))),
        ),
        Equation(
            "for w = H^-T u, x_query = H z, X = H Z the error is (1/n) eps Z^T R z - u^T F z, and T = Z Z^T / n",
            normal_form(
                (noise @ (H @ Z).T @ inverse.T @ R @ inverse @ (H @ z)).scale(1 / n)
                - (inverse.T @ u).T @ H @ F @ inverse @ (H @ z)
            ),
            normal_form(error),
        ),
        Equation(
            "E over u, z ~ N(0, I) and eps makes its square tr F F^T + (sigma2 / n^2) tr Z^T R R^T Z",
            expectation(squared * squared, (Gaussian(x_query), NOISE, Gaussian(w))),
            summed(
                [
                    (1, [F_ab("a", "b"), F_ab("a", "b")]),
                    (sigma2 / n**2, [X("a", "i"), R_ab("a", "b"), R_ab("c", "b"), X("c", "i")]),
                ]
            ),
        ),
        Inference(
            "F = phi(T) and R = r(T) are polynomials of the symmetric T: E over X is mu (phi^2 + c s r^2), mu h = E tr "
            "h(T), c = sigma2 / n"
        ),
        *(
            Equation(f"which is the loss of the forward pass for L = {depth}, by pairings", *_loss_by_pairings(depth))
            for depth in (1, 2)
        ),
    )


def _loss_by_pairings(depth: int) -> tuple[Any, Any]:
    """(the expectation of the forward pass on letters, mu (phi^2 + c s r^2)) for symbolic steps."""
    steps, s = sympy.symbols(f"a_0:{depth}", real=True), sympy.Symbol("s")
    I = SymbolBlock.lift(Unspecified("X", "d", "n")).identity(d)
    network = PreconditionedDescent(preconditioners=[I.scale(a) for a in steps])
    isotropic = (Gaussian(X), Gaussian(x_query), NOISE, Gaussian(w))
    phi = sympy.expand(sympy.Mul(*(1 - a * s for a in steps)))
    r = sympy.expand(sympy.cancel((1 - phi) / s))
    integrand = sympy.Poly(phi**2 + sigma2 / n * s * r**2, s)
    value = sympy.Add(*(value * normalised_moment(k) for (k,), value in integrand.terms()))
    return population_loss(network, isotropic), summed([(value, [])])


def schur_step() -> Equation:
    """The elimination whose determinant is that of the ratio, for every L."""
    M, p = (SymbolBlock.lift(letter) for letter in (Unspecified("M", "L", "L", None, True), Unspecified("p", "L", 1)))
    return Equation(
        "p^T M^-1 times the rows (p, M), taken from (m_0, p^T), leaves (m_0 - p^T M^-1 p, 0), since its second part is",
        normal_form(p.T @ M.inverse() @ M),
        normal_form(p.T),
    )


def _argument() -> Sequence[Step]:
    s, r, best = sympy.symbols("s r r_best", real=True)
    one, two = optimum(1), optimum(2)
    return (
        *loss_argument(),
        Inference(
            "mu has mass d and infinite support on [0, inf): a nonzero eigenvalue of W has a density there, so a "
            "polynomial with mu s p^2 = 0 or mu s^2 p^2 = 0 is 0, and M = (m_{i+j}), i, j = 1..L, is positive "
            "definite: M x = (m_1, ..., m_L) has one solution r_best(s) s = sum_j x_j s^j; phi_best = 1 - s r_best has "
            "mu phi_best s p = 0 for deg p < L"
        ),
        Equation(
            "any phi = 1 - s r of degree L differs from phi_best by s q, q = r_best - r, deg q < L",
            ((1 - s * r) ** 2).expand(),
            ((1 - s * best) ** 2 + 2 * (1 - s * best) * s * (best - r) + s**2 * (best - r) ** 2).expand(),
        ),
        Inference("the middle term has mean 0: the loss is mu phi_best^2 + mu s^2 q^2, with one minimiser, q = 0"),
        Equation(
            "phi_best^2 = phi_best - phi_best s r_best, whose last mean is 0: f_L* = mu phi_best = m_0 - sum_j x_j m_j",
            ((1 - s * best) ** 2).expand(),
            ((1 - s * best) - (1 - s * best) * s * best).expand(),
        ),
        Inference(
            "phi_best is orthogonal to lower degrees under the positive measure s mu: were it to change sign at fewer "
            "than L points of (0, inf), its product with the polynomial changing sign there would have mean > 0; so "
            "its L roots are real, positive and simple, and phi_best = prod_l (1 - a_l s) with 1 / a_l these roots, "
            "for no other a up to order: the minimum over polynomials is attained by steps"
        ),
        schur_step(),
        Inference("so det [[m_0, p^T], [p, M]] = f_L* det M: the ratio of the Hankel determinants, for every L"),
        *(
            Equation(
                f"f_(L-1)* - f_L* = det [m_(i+j+1)]^2 over both denominators, for L = {depth} and any moments",
                *_condensation(depth),
            )
            for depth in (1, 2, 3)
        ),
        Inference(
            "for every L this is the identity of Desnanot and Jacobi for the determinant of size L + 1; det "
            "[m_(i+j+1)] is that of the Gram matrix of s mu, so f_L* strictly falls"
        ),
        Inference("for n < d, d - n eigenvalues of W are 0, where phi^2 = 1, and the others are > 0: f_L* > d - n"),
        Equation("for L = 1, f* = d (d + 1) / (n + d + 1)", one.bordered / one.inner, d * (d + 1) / (n + d + 1)),
        Equation("at a = n / (n + d + 1)", one.numerators[0] / one.inner, -n / (n + d + 1)),
        *(
            Equation(f"for L = 2, {name} D_2 is the polynomial of the reference", sympy.cancel(value / two.inner), form)
            for (name, form), value in zip(_two_layers(), (two.bordered, *two.numerators), strict=True)
        ),
    )


def _condensation(depth: int) -> tuple[Any, Any]:
    """(A_(L-1) B_L - A_L B_(L-1), det [m_(i+j+1)]^2) for f_L* = A_L / B_L and letters for moments."""
    m = sympy.symbols(f"m_0:{2 * depth + 1}")

    def hankel(size: int, shift: int) -> Any:
        return sympy.Matrix(size, size, lambda i, j: m[i + j + shift]).det(method="berkowitz")

    left = hankel(depth, 0) * hankel(depth, 2) - hankel(depth + 1, 0) * hankel(depth - 1, 2)
    return sympy.expand(left), sympy.expand(hankel(depth, 1) ** 2)


def _two_layers() -> Sequence[tuple[str, Any]]:
    """f*, phi_1 and phi_2 of two layers."""
    cubic = d**3 * n + d**3 + 5 * d**2 * n + 10 * d**2 + 17 * d * n + 17 * d
    D2 = cubic + d**2 * n**2 + d * n**3 + 5 * d * n**2 + n**3 + 10 * n**2 + 17 * n + 4
    first = d**2 * n + d**2 + d * n**2 + 4 * d * n + 7 * d + n**2 + 7 * n + 8
    loss = d**3 * n + d**3 + 4 * d**2 * n + 10 * d**2 + 7 * d * n + 17 * d + 4 * n + 4
    return (
        ("f*", d * loss / D2),
        ("phi_1", -2 * n * first / D2),
        ("phi_2", n**2 * (d * n + d + n + 3) / D2),
    )


_SIZES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 2, 1), (1, 2, 2))
"""(n, d, L) of the integrated losses, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = _SIZES[number % len(_SIZES)]
        law = drawn_law(rng, tokens, features)
        steps = [Fraction(int(value), 4) for value in rng.integers(1, 9, depth)]
        loss = integrated_loss(network(steps, law), law)
        claimed = optimal_loss(tokens, features, depth) + excess_form(steps, tokens, features)
        yield Run(f"steps {list(map(str, steps))}, {law}", bool(loss == claimed))
        if depth > 1:
            reverse = integrated_loss(network(steps[::-1], law), law)
            yield Run(f"the other order, {law}", bool(loss == reverse == steps_loss(steps, tokens, features)))
        tokens, features, depth = (int(value) for value in (*rng.integers(1, 31, 2), rng.integers(1, 9)))
        yield Run(f"recursion, n = {tokens}, d = {features}, L = {depth}", _recursion_agrees(tokens, features, depth))


def _recursion_agrees(tokens: int, features: int, depth: int) -> bool:
    """Whether 1 / f* = sum_k p_k(0)^2 / h_k for mu, and phi_best is the polynomial of s mu."""
    p = wishart_trace_moments(tokens, features, 2 * depth + 1)
    kernel = sum((q[0] ** 2 / norm for q, norm in by_recursion(p[:-1], depth)), start=fmpq(0))
    *_, (last, _) = by_recursion(p[1:], depth)
    best = optimal_polynomial(tokens, features, depth)
    phi = [as_fraction(value / last[0] * tokens**k) for k, value in enumerate(last)]
    return phi == list(best.coefficients) and as_fmpq(best.loss) * kernel == 1


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 1, 1))[number % 4]
        yield from float_step_runs(tokens, features, [float(a) for a in optimal_step_sizes(tokens, features, depth)])
        equal = [float(rng.integers(4, 13)) / 16] * depth
        yield from float_step_runs(tokens, features, equal)
        if depth > 1:
            low, _ = float_bounds(equal, tokens, features)
            yield Run(f"equal steps {equal[0]}, n = {tokens}", bool(low > optimal_loss(tokens, features, depth)))


Slip = Callable[[Callable[[int], Any]], Sequence[Any]]
"""From the moments m_k to phi_0, phi_1, phi_2 of two layers, for n = d = 2."""


def _is_not_optimal(slip: Slip) -> bool:
    """Whether the polynomial has a larger loss than the least one, its moments counted by pairings."""
    moments = [normalised_moment(k, 2, 2) for k in range(6)]
    phi = slip(lambda k: moments[k])
    loss = sum(phi[i] * phi[j] * moments[i + j] for i in range(3) for j in range(3))
    return bool(phi[0] == 1 and loss > sympy.Rational(*optimal_loss(2, 2, 2).as_integer_ratio()))


def _solved(m: Callable[[int], Any], shift: int = 1) -> Sequence[Any]:
    """phi of degree 2 with phi(0) = 1, orthogonal to 1 and s under s^shift mu."""
    rows = [[m(i + j + shift) for j in (1, 2)] for i in (0, 1)]
    right = [-m(i + shift) for i in (0, 1)]
    return [1, *sympy.Matrix(rows).LUsolve(sympy.Matrix(right))]


def _changed(power: int, change: Callable[[Any], Any]) -> Slip:
    return lambda m: _solved(lambda k: change(m(k)) if k == power else m(k))


_SLIPS: dict[str, Slip] = {
    "orthogonal for mu": lambda m: _solved(m, 0),
    "orthogonal for s^2 mu": lambda m: _solved(m, 2),
    "n + d for n + d + 1 in E tr W^2": _changed(2, lambda value: value - 1),
    "E tr W^2 without its trace term": _changed(2, lambda value: value - 2),
    "n - 1 tokens": lambda m: _solved(lambda k: normalised_moment(k, 1, 2)),
    "the best single step, twice": lambda m: [1, -2 * m(1) / m(2), (m(1) / m(2)) ** 2],
    "roots for their inverses": lambda m: [1, _solved(m)[1] / _solved(m)[2], 1 / _solved(m)[2]],
}

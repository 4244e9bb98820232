"""The best step sizes with label noise: L steps approximate ridge regression, and large noise has no real ones.

Symbols: as in ``proofs.optimal_steps``; c = sigma2 / n; r(s) = (1 - phi(s)) / s, of degree L - 1.

    loss = mu c / (s + c) + mu s (s + c) (r - 1 / (s + c))^2

Ridge regression with the penalty sigma2, the posterior mean, is r = 1 / (s + c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.scalars import Scalar
from numerics.optimal_steps import (
    NoRealSteps,
    largest_noise_of_two_real_steps,
    optimal_loss,
    optimal_polynomial,
    optimal_step_sizes,
    steps_loss,
)
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.gaussian_moments import sigma2
from proofs.index_sums import d, n
from proofs.optimal_steps import LAYERS, REFERENCE, Step, loss_argument, schur_step
from proofs.regression_law import integrated_loss
from proofs.step_runs import drawn_law, excess_form, float_step_runs, network
from proofs.wishart_hankel import noisy_optimum
from proofs.wishart_moments import normalised_moment

_HALF = Fraction(1, 2)


def theorems() -> tuple[ArguedTheorem, ...]:
    """What noise does to the best steps."""
    return (
        ArguedTheorem(
            name="optimal_steps_with_noise_approximate_ridge_regression",
            system="this project",
            reference=REFERENCE,
            statement=(
                "With label noise sigma2 > 0 the loss of L steps is the Bayes risk E tr sigma2 (W + sigma2)^-1 plus mu "
                "s (s + c) (r - 1 / (s + c))^2, c = sigma2 / n, r(s) = (1 - prod_l (1 - a_l s)) / s. Over polynomials "
                "it has one minimiser, of degree L exactly: (m_{i+j} + c m_{i+j-1}) x = (m_i), r = sum_j x_j s^(j-1), "
                "f_L* = d - sum_j x_j m_j, a ratio of determinants, strictly falling in L and growing in sigma2. Real "
                "steps attain it if and only if all roots of 1 - s r are real. L = 1: a = n / (n + d + 1 + sigma2), f* "
                "= d (d + 1 + sigma2) / (n + d + 1 + sigma2)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L, Sigma and sigma2 > 0",
                "exact": "integrated losses of drawn steps, which exceed f* by the form that they should, L 1..2",
                "float": "the float64 layers at the rounded best steps, with noise, enclosed, L 1..2",
            },
            slips={name: partial(_is_not_optimal, slip) for name, slip in _SLIPS.items()},
            about=LAYERS,
        ),
        ArguedTheorem(
            name="two_optimal_steps_are_real_up_to_a_noise_level",
            system="this project",
            reference=REFERENCE,
            statement=(
                "Two real step sizes attain the least loss if and only if sigma2 <= (2 sqrt(P^2 - 3 Q) - P) / 3, P and "
                "Q the sum and the product of n / a_l of the two best steps without noise, for all n and d; beyond it "
                "the best two real steps are equal. For n = 20, d = 5 the level is 4.248641..."
            ),
            argument=_level_argument,
            exact_runs=_exact_level_runs,
            float_runs=_float_level_runs,
            over={
                "proof": "all n, d and sigma2 >= 0",
                "exact": "the sign of the discriminant of the best polynomial, from the Wishart moments, n, d 1..30",
                "float": "roots isolated in balls just below and above the level, n, d 1..30",
            },
            slips={name: partial(_is_no_level, slip) for name, slip in _LEVEL_SLIPS.items()},
            about=LAYERS,
        ),
    )


def _argument() -> Sequence[Step]:
    s, c, r, q, best, k, lead = sympy.symbols("s c r q r_best K r_lead", positive=True)
    phi = 1 - s * r
    one = noisy_optimum(1)
    return (
        *loss_argument(),
        Equation(
            "at every s > 0, and at s = 0 with both sides 1",
            phi**2 + c * s * r**2,
            c / (s + c) + s * (s + c) * (r - 1 / (s + c)) ** 2,
        ),
        Inference(
            "mu c / (s + c) = E tr sigma2 (W + sigma2)^-1, the trace of the posterior covariance: the Bayes risk; so "
            "the best r of degree < L is the projection of 1 / (s + c) in the mean square of s (s + c) mu"
        ),
        Inference(
            "s (s + c) mu has infinite support on (0, inf): its Gram matrix M = (m_{i+j} + c m_{i+j-1}) is positive "
            "definite, and M x = (m_1, ..., m_L) has one solution, r_best: mu s q ((s + c) r_best - 1) = 0 for deg q < "
            "L"
        ),
        Equation(
            "beyond r_best the loss has mu s (s + c) q^2, and a term of mean 0",
            sympy.expand((1 - s * (best + q)) ** 2 + c * s * (best + q) ** 2),
            sympy.expand((1 - s * best) ** 2 + c * s * best**2 + s * (s + c) * q**2 + 2 * s * q * ((s + c) * best - 1)),
        ),
        Equation(
            "with q = r_best in that orthogonality, f_L* = mu (1 - s r_best) = m_0 - sum_j x_j m_j",
            sympy.expand((1 - s * best) ** 2 + c * s * best**2),
            sympy.expand(1 - s * best + s * best * ((s + c) * best - 1)),
        ),
        schur_step(),
        Inference("so f_L* = det [[m_0, p^T], [p, M]] / det M, p = (m_1, ..., m_L), for every L"),
        Inference(
            "with k(s) the Christoffel-Darboux kernel of s mu at -c, of degree L - 1: it is orthogonal to lower "
            "degrees under (s + c) s mu, mu s k = 1 as it reproduces the constant 1, and its leading coefficient is "
            "not 0, the roots of orthogonal polynomials being > 0 and -c < 0"
        ),
        Equation(
            "adding the multiple k / K of it, K = mu s (s + c) k^2, to r_best of L - 1 steps lowers the loss by 1 / K",
            (-2 * lead + lead**2 * k).subs(lead, 1 / k),
            -1 / k,
        ),
        Inference(
            "so f_L* strictly falls in L and r_best has degree L - 1 exactly: a product of L factors 1 - a_l s if its "
            "roots are real, and then for the inverses of these roots alone; complex roots belong to no real steps"
        ),
        Inference(
            "mu s r^2 > 0 for r != 0: the loss of each r, so f_L* (r_best = 0 is no solution), grows with sigma2"
        ),
        Equation(
            "for L = 1, f* = d (d + 1 + sigma2) / (n + d + 1 + sigma2)",
            one.bordered / one.inner,
            d * (d + 1 + sigma2) / (n + d + 1 + sigma2),
        ),
        Equation("at a = n / (n + d + 1 + sigma2)", one.numerators[0] / one.inner, -n / (n + d + 1 + sigma2)),
    )


def _level_argument() -> Sequence[Step]:
    m_1, m_2, m_3, m_4, c, P, Q, root = sympy.symbols("m_1:5 c P Q root", positive=True)
    gap, D_0, D_1 = m_1 * m_3 - m_2**2, m_2 * m_4 - m_3**2, m_1 * m_4 - m_2 * m_3
    M = sympy.Matrix([[m_2 + c * m_1, m_3 + c * m_2], [m_3 + c * m_2, m_4 + c * m_3]])
    first, second = M.adjugate() * sympy.Matrix([m_1, m_2])
    inner = sympy.expand(M.det())
    return (
        *loss_argument()[-1:],
        Inference("with noise, M x = (m_1, m_2), phi = 1 - x_1 s - x_2 s^2 is the one best polynomial"),
        Equation(
            "its M has the determinant D_0 + c D_1 + c^2 G, G = m_1 m_3 - m_2^2", inner, D_0 + c * D_1 + c**2 * gap
        ),
        Equation("Cramer: det M x_1 = D_1 + c G", first, D_1 + c * gap),
        Equation("Cramer: det M x_2 = -G", second, -gap),
        Inference("G > 0, the determinant of the Gram matrix of s mu; at c = 0 the roots s_1 < s_2 of phi are real"),
        Equation("their sum is P = D_1 / G", (-first / second).subs(c, 0), D_1 / gap),
        Equation("their product is Q = D_0 / G", (-inner / second).subs(c, 0), D_0 / gap),
        Equation(
            "(det M)^2 times the discriminant x_1^2 + 4 x_2, over G^2, in P = D_1 / G, Q = D_0 / G",
            sympy.expand(first**2 + 4 * second * inner),
            sympy.expand(D_1**2 - 4 * gap * D_0 - 2 * c * gap * D_1 - 3 * c**2 * gap**2),
        ),
        Equation(
            "P^2 - 4 Q - 2 P c - 3 c^2 is 0 at c = (2 root - P) / 3, root^2 = P^2 - 3 Q",
            (P**2 - 4 * Q - 2 * P * c - 3 * c**2).subs(c, (2 * root - P) / 3) - 4 * (P**2 - 3 * Q - root**2) / 3,
            0 * root,
        ),
        Inference(
            "it is P^2 - 4 Q = (s_1 - s_2)^2 > 0 at c = 0 and falls for c > 0: it is >= 0 exactly up to that zero"
        ),
        Inference(
            "beyond it: a_0^2 + a_1^2 = phi_1^2 - 2 phi_2 and the loss is a positive definite quadratic in phi_1, "
            "phi_2, so a best pair of real steps exists; the real pairs are phi_1^2 >= 4 phi_2, a closed set outside "
            "of which the one minimum of that convex loss lies: the best point is on its boundary, a_0 = a_1"
        ),
    )


_SIZES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 2, 1), (1, 2, 2), (1, 1, 2))
"""(n, d, L) of the integrated losses, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = _SIZES[number % len(_SIZES)]
        s = Fraction(int(rng.integers(1, 9)), 4)
        law = drawn_law(rng, tokens, features, s)
        steps = [Fraction(int(value), 4) for value in rng.integers(1, 9, depth)]
        loss = integrated_loss(network(steps, law), law)
        claimed = optimal_loss(tokens, features, depth, s**2) + excess_form(steps, tokens, features, s**2)
        yield Run(f"steps {list(map(str, steps))}, {law}", bool(loss == claimed))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, depth = ((1, 1, 1), (2, 1, 2), (2, 1, 1), (1, 2, 2))[number % 4]
        s = Fraction(int(rng.integers(1, 4)), 8)
        best = optimal_step_sizes(tokens, features, depth, s**2)
        yield from float_step_runs(tokens, features, [float(a) for a in best], s)


Slip = Callable[[Callable[[int], Any], Any], tuple[Any, Any]]
"""From the moments m_k and c = sigma2 / n to (M, right-hand side) of two layers, for n = d = 2."""


def _system(m: Callable[[int], Any], c: Any, before: int = -1) -> tuple[Any, Any]:
    M = sympy.Matrix(2, 2, lambda i, j: m(i + j + 2) + c * m(i + j + 2 + before))
    return M, sympy.Matrix([m(1), m(2)])


def _is_not_optimal(slip: Slip) -> bool:
    """Whether its polynomial has a larger loss than the least one, for n = d = 2 and sigma2 = 1 / 2."""
    moments, c = [normalised_moment(k, 2, 2) for k in range(6)], sympy.Rational(1, 4)
    M, right = slip(lambda k: moments[k], c)
    x = M.LUsolve(right)
    phi = [1, -x[0], -x[1]]
    loss = sum(phi[i] * phi[j] * moments[i + j] for i in range(3) for j in range(3))
    loss += c * sum(x[i] * x[j] * moments[i + j + 1] for i in range(2) for j in range(2))
    return bool(loss > sympy.Rational(*optimal_loss(2, 2, 2, _HALF).as_integer_ratio()))


_SLIPS: dict[str, Slip] = {
    "no noise": lambda m, c: _system(m, 0),
    "sigma2 for sigma2 / n": lambda m, c: _system(m, 2 * c),
    "c m_{i+j} for c m_{i+j-1}": lambda m, c: _system(m, c, 0),
    "c m_{i+j-2}": lambda m, c: _system(m, c, -2),
    "noise on the query's label, in the right-hand side": lambda m, c: (_system(m, c)[0], _system(m, c)[1] * (1 + c)),
    "E tr W^2 without its trace term": lambda m, c: _system(lambda k: m(k) - 2 * (k == 2), c),
}


def _sum_and_product(tokens: int, features: int) -> tuple[Fraction, Fraction]:
    """P and Q."""
    _, first, second = optimal_polynomial(tokens, features, 2).coefficients
    return -tokens * first / second, tokens**2 / second


def _discriminant(tokens: int, features: int, noise: Scalar) -> Fraction:
    _, first, second = optimal_polynomial(tokens, features, 2, noise).coefficients
    return first**2 - 4 * second


def _is_up_to_level(tokens: int, features: int, noise: Scalar) -> bool:
    """Whether 3 sigma2 + P <= 2 sqrt(P^2 - 3 Q), in rationals."""
    P, Q = _sum_and_product(tokens, features)
    return bool((3 * noise + P) ** 2 <= 4 * (P**2 - 3 * Q))


def _exact_level_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for _ in range(instances):
        tokens, features = (int(value) for value in rng.integers(1, 31, 2))
        level = Fraction(float(largest_noise_of_two_real_steps(tokens, features)))
        for factor in (0, Fraction(int(rng.integers(1, 1000)), 1000), Fraction(int(rng.integers(1001, 4000)), 1000)):
            noise = factor * level
            is_real = _discriminant(tokens, features, noise) >= 0
            expected = _is_up_to_level(tokens, features, noise) == (factor <= 1)
            yield Run(
                f"n = {tokens}, d = {features}, sigma2 = {factor} of the level", expected and is_real == (factor <= 1)
            )
        steps = [Fraction(int(value), 8) for value in rng.integers(1, 20, 2)]
        above = steps_loss(steps, tokens, features, 2 * level) > optimal_loss(tokens, features, 2, 2 * level)
        yield Run(f"n = {tokens}, d = {features}: real steps beyond the level miss the least loss", above)


def _is_real(tokens: int, features: int, noise: Scalar) -> bool:
    try:
        optimal_step_sizes(tokens, features, 2, noise)
    except NoRealSteps:
        return False
    return True


def _float_level_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for _ in range(instances):
        tokens, features = (int(value) for value in rng.integers(1, 31, 2))
        level = float(largest_noise_of_two_real_steps(tokens, features))
        for factor, is_control in ((1 - 2.0**-40, False), (1 + 2.0**-40, True)):
            text = f"n = {tokens}, d = {features}, real at {factor!r} of the level"
            yield Run(text, _is_real(tokens, features, level * factor), is_control)


def _is_no_level(slip: Callable[[float, float], float]) -> bool:
    """Whether, half-way between the level and another one, the other one tells the wrong thing, n = 20, d = 5."""
    P, Q = map(float, _sum_and_product(20, 5))
    level, claimed = float(largest_noise_of_two_real_steps(20, 5)), slip(P, Q)
    noise = Fraction(max(level + claimed, 0.0)) / 2
    return _is_real(20, 5, noise) != (noise <= claimed)


_LEVEL_SLIPS: dict[str, Callable[[float, float], float]] = {
    "one root for two": lambda P, Q: (float(np.sqrt(P * P - 3 * Q)) - P) / 3,
    "4 Q for 3 Q": lambda P, Q: (2 * float(np.sqrt(P * P - 4 * Q)) - P) / 3,
    "without the division by 3": lambda P, Q: 2 * float(np.sqrt(P * P - 3 * Q)) - P,
    "sigma2 / n for sigma2": lambda P, Q: (2 * float(np.sqrt(P * P - 3 * Q)) - P) / 60,
}

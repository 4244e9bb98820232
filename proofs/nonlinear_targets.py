"""Nonlinear targets t(x): one layer learns their linear Hermite component alone, the rest acts as noise.

Symbols: x_i, x_query ~ N(0, I); y_i = t(x_i) + eps_i; t(x) = a u + b u^2 + c u^3 with u = w^T x, w ~ N(0, I): a link,
given by its coefficients (a, b, c). cvec[m] = E_x x[m] t(x), random through w. n v = sum_i y_i x_i.

    eta = E |cvec|^2 / (E t(x)^2 |x|^2 + sigma2 d + (n - 1) E |cvec|^2)      the prediction is eta n v^T x_query

The proof is the projection on the span of the products G_kl x_query[m], in which all predictions of the model lie: its
normal equations hold at eta n v^T x_query, so that no prediction has a smaller loss, and none but it the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy

from constructions.one_layer_attention import SummedAttention
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.gaussian_moments import X, expectation, sigma2, w, x_query
from proofs.index_sums import Free, IndexSum, d, n, summed
from proofs.mahankali import SUMMED, gradient_step
from proofs.one_layer_loss import attention
from proofs.one_layer_runs import drawn_weights, float_bounds, rounded
from proofs.regression_law import FIVE_POINTS, SEVEN_POINTS, RegressionLaw, integrated_loss
from proofs.target_moments import (
    ISOTROPIC,
    Coefficients,
    Products,
    component_norm,
    label,
    label_moment,
    multiplied,
    one,
    target,
    target_moment,
    target_power,
    weighted_power,
)

_a, _b, _c = sympy.symbols("a b c", real=True)
_CUBIC: Coefficients = (_a, _b, _c)


def optimal_step_size(link: Coefficients) -> Any:
    """eta, for symbolic n, d and sigma2.

    >>> optimal_step_size((1,))
    1/(d + n + sigma2 + 1)
    """
    norm = component_norm(link)
    return sympy.factor(norm / (weighted_power(link) + sigma2 * d + (n - 1) * norm))


def least_loss(link: Coefficients) -> Any:
    """E t(x)^2 - n eta E |cvec|^2."""
    return target_power(link) - n * optimal_step_size(link) * component_norm(link)


def theorems() -> tuple[ArguedTheorem, ...]:
    """Theorem 3."""
    return (
        ArguedTheorem(
            name="one_layer_learner_sees_the_linear_component_of_the_targets",
            system="Mahankali et al. 2023",
            reference=(
                "Mahankali et al. (2023), Theorem 3, arXiv 2307.03576; its assumption on t is from memory, "
                "unconfirmed; "
                "the formula and this proof are this project's"
            ),
            statement=(
                "For x ~ N(0, I), y_i = t(x_i) + eps_i, t = a u + b u^2 + c u^3, u = w^T x, w ~ N(0, I), every global "
                "minimiser over u, R of E (u^T (n G) R x_query - t(x_query))^2 predicts eta sum_i y_i x_i^T "
                "x_query, eta = "
                "E|cvec|^2 / (E t(x)^2 |x|^2 + sigma2 d + (n - 1) E|cvec|^2), cvec = E_x x t(x); the minimum is "
                "E t(x)^2 - "
                "n eta E|cvec|^2. So for every t whose law is invariant under rotations and sign, with these moments."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, sigma2, and all a, b, c; other t of invariant law in words",
                "exact": "integrated losses of cubic and quadratic links, n 1..2, d 1..2",
                "float": "the float64 layer at eta rounded, quadratic links, enclosed over a finite law",
            },
            slips={
                "the nonlinear part is no noise": lambda: _is_worse((1, 1), (1,)),
                "only its linear coefficient counts": lambda: _is_worse((1, 0, 1), (1,)),
                "an even t is learnt": lambda: _is_worse((0, 1), (1,)),
                "n for n - 1": lambda: _loss((1, 1), _with_n_for_n_minus_1((1, 1))) > _value(least_loss((1, 1)), _LAW),
            },
            about=SUMMED,
        ),
    )


_LAW = RegressionLaw.isotropic(2, 1, sympy.Rational(1, 2))


def _value(expression: Any, law: RegressionLaw) -> Any:
    return sympy.sympify(expression).subs({n: law.n, d: law.d, sigma2: law.sigma2})


def _link(coefficients: Coefficients, u: Any) -> Any:
    return sum(coefficient * u**power for power, coefficient in enumerate(coefficients, start=1))


def _loss(link: Coefficients, eta: Any, law: RegressionLaw = _LAW) -> Any:
    """The integrated loss of the layer with that step size."""
    weights = gradient_step(law, _value(eta, law), sympy.eye(law.d))
    return integrated_loss(attention(weights, SummedAttention), law, partial(_link, link))


def _is_worse(link: Coefficients, other: Coefficients) -> bool:
    """Whether the step size of another link has a greater loss than the least."""
    return bool(_loss(link, optimal_step_size(other)) > _value(least_loss(link), _LAW))


def _with_n_for_n_minus_1(link: Coefficients) -> Any:
    norm = component_norm(link)
    return norm / (weighted_power(link) + sigma2 * d + n * norm)


def _argument() -> Sequence[Equation | Induction | Inference]:
    a, b, c = _CUBIC
    m, k, l = Free("m"), Free("k"), Free("l")
    optimum = optimal_step_size(_CUBIC)
    direction = multiplied(target(_CUBIC, "p"), one(x_query(m)))
    norm_of_w = [w("s"), w("s"), w(m)]
    blocks = {
        "v[k]": [*_times(label(_CUBIC, "q", "j"), one(X(k, "j")))],
        "S[k, l]": one(X(k, "j"), X(l, "j")),
        "g": [*_times(label(_CUBIC, "q", "j"), label(_CUBIC, "r", "j"))],
    }
    return (
        Induction("the layer predicts u^T (n G) R x_query, for all weights and all data, whatever the labels", SUMMED),
        Equation(
            "cvec[m] = E_x x[m] t(x) = (a + 3 c |w|^2) w[m]",
            expectation(direction, [ISOTROPIC[1]]),
            summed([(a, [w(m)]), (3 * c, norm_of_w)]),
        ),
        Equation(
            "E |cvec|^2 = d (a^2 + 6 a c (d + 2) + 9 c^2 (d + 2) (d + 4))",
            component_norm(_CUBIC),
            d * (a**2 + 6 * a * c * (d + 2) + 9 * c**2 * (d + 2) * (d + 4)),
        ),
        Equation(
            "E |n v|^2 = n (E t(x)^2 |x|^2 + sigma2 d + (n - 1) E |cvec|^2)",
            label_moment(_CUBIC),
            n * (weighted_power(_CUBIC) + sigma2 * d + (n - 1) * component_norm(_CUBIC)),
        ),
        *(
            Equation(
                f"the normal equations of the blocks n {name}: E (eta n v^T x_query - t(x_query)) n {name} "
                f"x_query[m] = 0",
                _integrated_step(block, m).scale(optimum),
                _integrated_target(block, m),
            )
            for name, block in blocks.items()
        ),
        Inference(
            "every prediction of the model is linear in the products G_kl x_query[m], so the one that satisfies these "
            "equations is the projection of t(x_query) on their span: the least loss, and unique almost surely"
        ),
        Equation(
            "the minimum E t^2 - 2 eta E t(x_query) x_query^T (n v) + eta^2 E |n v|^2",
            target_power(_CUBIC) - 2 * optimum * target_moment(_CUBIC) + optimum**2 * label_moment(_CUBIC),
            least_loss(_CUBIC),
        ),
        Equation(
            "for t = u + b u^2, 1 / eta = n + d + 1 + sigma2 + 3 b^2 (d + 2) (d + 4)",
            1 / optimal_step_size((1, b)),
            n + d + 1 + sigma2 + 3 * b**2 * (d + 2) * (d + 4),
        ),
        Inference(
            "for any other t of invariant law the same holds: the sign makes the normal equations of S and g vanish, "
            "rotations make that of v a multiple of I, and eta makes its trace 0"
        ),
    )


def _times(left: Products, right: Products) -> Products:
    return [(p * q, [*f, *h]) for (p, f), (q, h) in product(left, right)]


def _integrated_step(block: Products, m: Free) -> IndexSum:
    """E n v^T x_query (block) x_query[m]."""
    step = _times(label(_CUBIC, "p", "i"), one(X("e", "i"), x_query("e"), x_query(m)))
    return expectation(multiplied(step, block), ISOTROPIC)


def _integrated_target(block: Products, m: Free) -> IndexSum:
    """E t(x_query) (block) x_query[m]."""
    return expectation(multiplied(_times(target(_CUBIC, "p"), one(x_query(m))), block), ISOTROPIC)


_EXACT_CASES = (
    ((1, 1, 1), 1, 1),
    ((1, 1), 2, 1),
    ((2, 1), 1, 2),
    ((0, 1), 2, 1),
    ((1, 0, 1), 1, 2),
    ((1, -1, 2), 2, 1),
)
"""(link, n, d) of the exact runs, in turn."""

_QUADRATIC_LAWS = (SEVEN_POINTS, FIVE_POINTS, FIVE_POINTS, FIVE_POINTS)
"""For a quadratic link and the odd part: degree 6 in an entry of z_i, 4 in one of u and z_query, 2 in eps."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        link, tokens, features = _EXACT_CASES[number % len(_EXACT_CASES)]
        law = RegressionLaw.isotropic(tokens, features, sympy.Rational(int(rng.integers(0, 4)), 2))
        least = _value(least_loss(link), law)
        yield Run(f"the step, t = {link}, {law}", bool(_loss(link, optimal_step_size(link), law) == least))
        drawn = drawn_weights(rng, features)
        above = integrated_loss(attention(drawn, SummedAttention), law, partial(_link, link))
        yield Run(f"t = {link}, {drawn}, {law}", bool(above > least))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        link, tokens, features, s = (((1, 1), 1, 1, 1), ((2, -1), 2, 1, 1), ((1, 2), 1, 2, 0))[number % 3]
        law = RegressionLaw.isotropic(tokens, features, s)
        eta, least = _value(optimal_step_size(link), law), _value(least_loss(link), law)
        step = rounded(gradient_step(law, eta, sympy.eye(features)))
        low, high = float_bounds(step, law, SummedAttention, partial(_link, link), _QUADRATIC_LAWS)
        off = (step.Q1[0, 0] - eta) ** 2 * _value(label_moment(link), law)
        yield Run(f"the step, rounded, t = {link}, {law}", bool(low <= least + off <= high))
        linear = _value(least_loss(link[:1]), law)
        yield Run(f"the linear part's minimum, t = {link}, {law}", bool(low <= linear <= high), is_control=True)

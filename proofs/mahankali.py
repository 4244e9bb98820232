"""Mahankali et al. (2023), Theorems 1 and 2: the best one-layer learner is one (preconditioned) gradient step.

Symbols: n context tokens, d features; y_i = t(x_i) + eps_i with noise sigma2; v = (1/n) sum_i y_i x_i, S and g the
other second moments of the tokens (x_i; y_i), G = [[S, v], [v^T, g]]. The model predicts u^T (n G) R x_query, with no
residual and no 1 / n: u (d + 1) and R (d + 1, d) are free.

Model and statements are known to us in part: the model's details, the form of eta and the assumption on nonlinear
targets are from memory, unconfirmed; what is claimed here is proved of the model above.

Its loss is that of Ahn et al.'s layer with p = -n u, so their minimum proves Theorems 1 and 2. Theorem 3 is proved in
``proofs.nonlinear_targets``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.one_layer_attention import SummedAttention
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.expected_words import population_loss
from proofs.gaussian_moments import sigma2
from proofs.index_sums import Tensor, d, n
from proofs.induction import normal_form
from proofs.one_layer_loss import BLOCKS, Weights, attention, closed_form, least_loss, p0, p1, with_letters
from proofs.one_layer_optimum import minimum_argument
from proofs.one_layer_runs import drawn_law, drawn_weights, float_bounds, rounded
from proofs.regression_law import RegressionLaw, integrated_loss
from proofs.symbols import SymbolBlock
from proofs.target_moments import label_moment, target_moment

PAPER = "Mahankali et al. 2023"
_MODEL = "arXiv 2307.03576; the model's details are from memory, unconfirmed"
SUMMED = SummedAttention(**{name: [[1]] for name in BLOCKS})
"""The network that these theorems are about; the values of its weights do not matter."""

_SIZES = ((1, 1, True), (2, 1, True), (1, 2, True), (2, 2, False), (3, 1, False), (2, 2, True))


def step_size(law: RegressionLaw) -> Any:
    """eta = 1 / (n + d + 1 + sigma2) of the unnormalised step."""
    return 1 / sympy.Integer(law.n + law.d + 1) if law.sigma2 == 0 else 1 / (law.n + law.d + 1 + law.sigma2)


def gradient_step(law: RegressionLaw, eta: Any, preconditioner: Any) -> Weights:
    """u = e_{d+1}, R = eta [preconditioner; 0]: predicts eta sum_i y_i (preconditioner x_i)^T x_query."""
    zero = sympy.zeros(1, law.d)
    return Weights(zero, 1, eta * preconditioner.T, zero)


def theorems() -> tuple[ArguedTheorem, ...]:
    """Theorems 1 and 2."""
    return (
        ArguedTheorem(
            name="one_layer_learner_is_one_gradient_step",
            system=PAPER,
            reference=f"Mahankali et al. (2023), Theorem 1, {_MODEL}; values and proof are this project's",
            statement=(
                "For x, w ~ N(0, I) and noise sigma2, every global minimiser of the population loss over u and R "
                "predicts eta sum_i y_i x_i^T x_query almost surely, eta = 1 / (n + d + 1 + sigma2): one gradient step "
                "from 0. The minimum is d (d + 1 + sigma2) / (n + d + 1 + sigma2)."
            ),
            argument=partial(_argument, is_skewed=False),
            exact_runs=partial(_exact_runs, is_skewed=False),
            float_runs=partial(_float_runs, is_skewed=False),
            over={
                "proof": "all n, d and sigma2 >= 0",
                "exact": "integrated losses: the step's is the minimum, drawn weights' are above it, n 1..3, d 1..2",
                "float": "the float64 layer at eta rounded, enclosed; at drawn weights it is above the minimum",
            },
            slips={name: partial(_is_worse, eta, False) for name, eta in _ETA_SLIPS.items()},
            about=SUMMED,
        ),
        ArguedTheorem(
            name="one_layer_learner_preconditions_by_the_inverse_covariance",
            system=PAPER,
            reference=f"Mahankali et al. (2023), Theorem 2, {_MODEL}; the prior Sigma^-1 too; proof and converse ours",
            statement=(
                "For x ~ N(0, Sigma), w ~ N(0, Sigma^-1) and noise sigma2, every global minimiser predicts eta sum_i "
                "y_i (Sigma^-1 x_i)^T x_query almost surely, eta = 1 / (n + d + 1 + sigma2), with the minimum of "
                "Sigma = "
                "I. The preconditioner is a multiple of Sigma^-1 only if the prior is: w ~ N(0, Omega) has ((n + "
                "1) Sigma "
                "+ tau Omega^-1)^-1, tau = tr Omega Sigma + sigma2."
            ),
            argument=partial(_argument, is_skewed=True),
            exact_runs=partial(_exact_runs, is_skewed=True),
            float_runs=partial(_float_runs, is_skewed=True),
            over={
                "proof": "all n, d, Sigma > 0 and sigma2 >= 0",
                "exact": "integrated losses: the step's is the minimum, drawn weights' are above it, n 1..3, d 1..2",
                "float": "the float64 layer at the step rounded, enclosed; at drawn weights it is above the minimum",
            },
            slips={
                **{name: partial(_is_worse, eta, True) for name, eta in _ETA_SLIPS.items()},
                "no preconditioner": lambda: _loss_of(_SKEWED, step_size(_SKEWED), sympy.eye(2)) > _least(_SKEWED),
                "Sigma^-1 for the prior I": lambda: (
                    _loss_of(_OTHER, step_size(_OTHER), _OTHER.Sigma.inv()) > least_loss(_OTHER)
                ),
            },
            about=SUMMED,
        ),
    )


_ETA_SLIPS: dict[str, Callable[[RegressionLaw], Any]] = {
    "the noise dropped": lambda law: sympy.Rational(1, law.n + law.d + 1),
    "n + d for n + d + 1": lambda law: 1 / (law.n + law.d + law.sigma2),
    "1 / n": lambda law: sympy.Rational(1, law.n),
    "n eta, of the normalised sum": lambda law: law.n * step_size(law),
}

_HALF = sympy.Rational(1, 2)


def _matched(n: int, R: Any, s: Any) -> RegressionLaw:
    """Sigma = R R^T, Omega = Sigma^-1."""
    return RegressionLaw.of_roots(n, R, sympy.Matrix(R).inv().T, s)


_SKEWED = _matched(2, [[1, 0], [_HALF, 2]], _HALF)
_OTHER = RegressionLaw.of_roots(2, [[1, 0], [_HALF, 2]], sympy.eye(2), _HALF)


def _least(law: RegressionLaw) -> Any:
    """d (d + 1 + sigma2) / (n + d + 1 + sigma2)."""
    return law.d * (law.d + 1 + law.sigma2) * step_size(law)


def _loss_of(law: RegressionLaw, eta: Any, preconditioner: Any) -> Any:
    return integrated_loss(attention(gradient_step(law, eta, preconditioner), SummedAttention), law)


def _is_worse(eta: Callable[[RegressionLaw], Any], is_skewed: bool) -> bool:
    law = _SKEWED if is_skewed else RegressionLaw.isotropic(2, 2, _HALF)
    return bool(_loss_of(law, eta(law), law.Sigma.inv()) > _least(law))


def _argument(is_skewed: bool) -> Sequence[Equation | Induction | Inference]:
    scaled = closed_form().substituted({p0: lambda a: [(-n, [Tensor("P_yx", "d")(a)])]})
    same = (
        Induction("the layer predicts u^T (n G) R x_query, for all weights and all data", SUMMED),
        Equation(
            "its population loss is that of Ahn et al.'s layer with p = -n u and Q = R",
            population_loss(with_letters(SummedAttention)),
            scaled.map(lambda coefficient: coefficient.subs(p1, -n * p1)),
        ),
        *minimum_argument(),
        Inference(
            "a minimiser has N = N* and an even part that is 0 almost surely, so that it predicts -v^T N* x_query: all "
            "minimisers compute the same function"
        ),
    )
    return (*same, *(_skewed_steps() if is_skewed else _isotropic_steps()))


def _isotropic_steps() -> Sequence[Equation]:
    eta = 1 / (n + d + 1 + sigma2)
    tau, lam = d + sigma2, 1
    return (
        Equation(
            "for Sigma = Omega = I, -N* = n eta I: eta sum_i y_i x_i^T x_query",
            1 / ((1 + 1 / n) * lam + tau / n),
            n * eta,
        ),
        Equation("E w^T (n v) = n d", target_moment((1,)), n * d),
        Equation("E |n v|^2 = n d (n + d + 1 + sigma2)", label_moment((1,)), n * d / eta),
        Equation(
            "so eta = E w^T (n v) / E |n v|^2, as the paper has it with E (w | data) for w, and the minimum is",
            d - target_moment((1,)) ** 2 / label_moment((1,)),
            d * (d + 1 + sigma2) * eta,
        ),
    )


def _skewed_steps() -> Sequence[Equation | Inference]:
    Sigma = SymbolBlock.lift(Unspecified("Sigma", "d", "d"))
    omega = sympy.Symbol("omega", positive=True)
    level = omega * d + sigma2
    return (
        Equation(
            "for Omega = omega Sigma^-1, tau = omega d + sigma2 and -N*^-1 is a multiple of Sigma",
            normal_form(Sigma.scale(1 + 1 / n) + Sigma.inverse().inverse().scale(level / (n * omega))),
            normal_form(Sigma.scale((omega * (n + 1 + d) + sigma2) / (n * omega))),
        ),
        Equation("which for omega = 1 is 1 / (n eta)", (n + 1 + d + sigma2) / n, 1 / (n * (1 / (n + d + 1 + sigma2)))),
        Inference(
            "conversely -N*^-1 = c Sigma gives (tau / n) Omega^-1 = (c - 1 - 1/n) Sigma, and tau > 0: the prior is a "
            "multiple of Sigma^-1"
        ),
        Equation(
            "and the minimum, tr Omega Sigma + tr N* Sigma Omega Sigma, is",
            d - n * d / (n + d + 1 + sigma2),
            d * (d + 1 + sigma2) / (n + d + 1 + sigma2),
        ),
    )


def _law(rng: np.random.Generator, number: int, is_skewed: bool) -> RegressionLaw:
    tokens, features, noisy = _SIZES[number % len(_SIZES)]
    drawn = drawn_law(rng, tokens, features, noisy)
    if not is_skewed:
        return RegressionLaw.isotropic(tokens, features, drawn.root("s"))
    R = drawn.root("R").as_mutable()
    for j in range(features):
        R[j, j] = sympy.Rational(2) ** int(rng.integers(-1, 2))
    return _matched(tokens, R, drawn.root("s"))


def _exact_runs(rng: np.random.Generator, instances: int, is_skewed: bool) -> Iterator[Run]:
    for number in range(instances):
        law = _law(rng, number, is_skewed)
        yield Run(f"the step, {law}", bool(_loss_of(law, step_size(law), law.Sigma.inv()) == _least(law)))
        drawn = drawn_weights(rng, law.d)
        above = integrated_loss(attention(drawn, SummedAttention), law)
        yield Run(f"{drawn}, {law}", bool(above > _least(law)))


def _float_runs(rng: np.random.Generator, instances: int, is_skewed: bool) -> Iterator[Run]:
    for number in range(instances):
        law = _law(rng, number % 3, is_skewed)
        step = rounded(gradient_step(law, step_size(law), law.Sigma.inv()))
        low, high = float_bounds(step, law, SummedAttention)
        claimed = integrated_loss(attention(step, SummedAttention), law)
        yield Run(f"the step, rounded, {law}", bool(low <= claimed <= high and claimed >= _least(law)))
        yield Run(f"without the 1, {law}", bool(low <= _least(law) - step_size(law) <= high), is_control=True)
        drawn = drawn_weights(rng, law.d)
        yield Run(f"{drawn}, {law}", bool(float_bounds(drawn, law, SummedAttention)[0] > _least(law)))

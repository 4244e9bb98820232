"""With chain of thought: the exact expected error of k generated tokens, and that two beat every single forward pass.

Symbols: x_i, w ~ N(0, I), y = w^T X, w_0 = 0; S = X X^T / n; m_j = E tr S^j; k generated tokens of step size eta.

    L_Eval = (1/2) E |w_k - w|^2 = (1/2) E tr (I - eta S)^(2 k) = (1/2) sum_{j = 0 .. 2 k} binomial(2 k, j) (-eta)^j m_j
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.chain_of_thought import ChainOfThought
from constructions.chain_of_thought_error import ChainOfThoughtClosedForm
from constructions.construction import forward
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.expected_words import indexed, regression_prompt
from proofs.gaussian_moments import NOISE, Gaussian, X, expectation, sigma2, w
from proofs.index_sums import IndexSum, d, n, summed
from proofs.induction import normal_form
from proofs.looped_scalar_loss import scalar_loss
from proofs.one_forward_pass import one_pass_bound
from proofs.positivity import Positivity
from proofs.regression_law import (
    NINE_POINTS,
    TWO_POINTS,
    RegressionLaw,
    float_weight_loss_bounds,
    integrated_weight_loss,
)
from proofs.symbols import SymbolBlock

_LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
"""For up to two tokens: degree 8 in an entry of X, 2 in the others."""

_eta = sympy.Symbol("eta", real=True)
_ONE: Any = [[1]]
_PAPER = "Huang et al. 2025"
_MODEL = "for the model of Huang et al. (2025), arXiv 2502.21212, as reported second-hand"


def generated_error(tokens: int, eta: Any = _eta, samples: Any = n, features: Any = d) -> Any:
    """L_Eval of k generated tokens, half the loss of k loops at A = eta I.

    Args:
        tokens: k >= 0.
        eta: the step size.
        samples, features: n and d, symbols or ints >= 1.

    Raises:
        ValueError: for a negative number of tokens, or n or d of 0.

    >>> generated_error(2, sympy.Rational(20, 31), 20, 10)
    975205/923521
    """
    if tokens < 0:
        raise ValueError(f"tokens = {tokens}: at least 0 are generated")
    return scalar_loss(tokens, eta, samples, features) / 2


def theorems() -> tuple[ArguedTheorem, ...]:
    """The error with chain of thought, and what it gains."""
    return (_error_theorem(), _separation_theorem())


def _error_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="chain_of_thought_error_is_a_polynomial_in_wishart_moments",
        system=_PAPER,
        reference=(
            f"{_MODEL}, with orders only (near-exact recovery for k ~ log d); the exact error, its divergence in k and "
            "the proof are this project's"
        ),
        statement=(
            "For x_i, w ~ N(0, I), y = w^T X and w_0 = 0, k generated tokens of step size eta have (1/2) E |w_k - w|^2 "
            "= (1/2) E tr (I - eta S)^(2k) = (1/2) sum_j binomial(2k, j) (-eta)^j E tr S^j, for every k: half the loss "
            "of k loops at A = eta I. At eta = n / (n + d + 1) one token attains the bound without chain of thought; "
            "for fixed n, d and eta > 0 the error grows without bound in k."
        ),
        argument=_error_argument,
        exact_runs=_exact_error_runs,
        float_runs=_float_error_runs,
        over={
            "proof": "all n, d, eta and k; E tr S^j for every j as in the looped scalar loss",
            "exact": "the generated tokens integrated entry by entry, n 1..2, d 1..2, k 0..3",
            "float": "the float64 tokens over a finite law of equal moments, enclosed, n 1..2, d 1..2, k 1..2",
        },
        slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
        about=ChainOfThought(eta=1, tokens=1),
    )


def _separation_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="two_generated_tokens_beat_every_single_forward_pass",
        system="this project",
        reference=f"{_MODEL}: their separation, of which orders are reported, for all n and d and with two tokens",
        statement=(
            "For x_i, w ~ N(0, I) and all n and d, two generated tokens of step size eta = n / (n + d + 3) have a "
            "smaller expected error than every V and W without chain of thought: (1/2) E |w_2 - w|^2 < d (d + 1) / (2 "
            "(n + d + 1)), by d n p(n, d) / (2 (n + d + 1) (n + d + 3)^4), p a polynomial of positive coefficients."
        ),
        argument=_separation_argument,
        exact_runs=_exact_separation_runs,
        float_runs=_float_separation_runs,
        over={
            "proof": "all n >= 1 and d >= 1",
            "exact": "two generated tokens integrated entry by entry, below the bound, by that much; n 1..2, d 1..2",
            "float": "the float64 tokens over a finite law of equal moments, enclosed below the bound",
        },
        slips={
            "two tokens of any step size do": lambda: _integrated(2, sympy.Integer(1), 2, 2) > _bound(2, 2),
            "one token does": lambda: _integrated(1, _step(2, 2), 2, 2) > _bound(2, 2),
            "the gain of a sample more": lambda: (
                gain(sympy.Integer(3), sympy.Integer(2)) != _bound(2, 2) - _integrated(2, _step(2, 2), 2, 2)
            ),
        },
        about=ChainOfThought(eta=1, tokens=2),
    )


def _population(tokens: int) -> IndexSum:
    """(1/2) E |w_k - w|^2 of the generated token itself, by pairings."""
    prompt, _ = regression_prompt()
    network = ChainOfThought(eta=_eta, tokens=tokens)
    error = forward(network, prompt) - SymbolBlock.lift(Unspecified("w", "d", 1))
    total = expectation(indexed(normal_form(error.T @ error)), (Gaussian(X), NOISE, Gaussian(w)))
    return total.map(lambda c: c.subs(sigma2, 0)).scale(sympy.Rational(1, 2))


def _error_argument() -> tuple[Step, ...]:
    F, teacher = SymbolBlock.lift(Unspecified("F", "d", "d")), SymbolBlock.lift(Unspecified("w", "d", 1))
    return (
        Induction(
            "token k holds w + (I - eta S)^k (w_0 - w), for every k",
            ChainOfThoughtClosedForm(eta=1, tokens=1, w_0=_ONE),
        ),
        Equation(
            "so |w_k - w|^2 = w^T F^T F w for w_0 = 0, F = (I - eta S)^k",
            normal_form((F @ teacher).T @ (F @ teacher)),
            normal_form(teacher.T @ F.T @ F @ teacher),
        ),
        Inference("E over w of covariance I is tr F^T F = tr (I - eta S)^(2k), S being symmetric: the loss of k loops"),
        *(
            Equation(
                f"the error of generated token {tokens}, by pairings",
                _population(tokens),
                summed([(generated_error(tokens), [])]),
            )
            for tokens in (1, 2)
        ),
        Equation(
            "one token at eta = n / (n + d + 1) attains the bound of one forward pass",
            generated_error(1, n / (n + d + 1)),
            d * (d + 1) / (2 * (n + d + 1)),
        ),
        Inference(
            "the largest eigenvalue of S exceeds 3/eta with a probability p > 0; then tr (I - eta S)^(2k) >= 4^k, so "
            "that the error is at least p 4^k / 2"
        ),
    )


def _separation_argument() -> tuple[Step, ...]:
    difference = d * (d + 1) / (2 * (n + d + 1)) - generated_error(2, n / (n + d + 3))
    return (
        Induction(
            "token k holds w + (I - eta S)^k (w_0 - w), for every k",
            ChainOfThoughtClosedForm(eta=1, tokens=1, w_0=_ONE),
        ),
        Inference(
            "no V and W without chain of thought are below d (d + 1) / (2 (n + d + 1)) "
            "(without_chain_of_thought_one_gradient_step_is_optimal), and two tokens have the error of "
            "chain_of_thought_error_is_a_polynomial_in_wishart_moments"
        ),
        Equation("the difference", difference, gain(n, d)),
        Positivity("which is positive", difference, {n: 1, d: 1}),
    )


def _step(samples: int, features: int) -> Any:
    return sympy.Rational(samples, samples + features + 3)


def _bound(samples: int, features: int) -> Any:
    return one_pass_bound(RegressionLaw.isotropic(samples, features))


def gain(samples: Any, features: Any) -> Any:
    """d n p(n, d) / (2 (n + d + 1) (n + d + 3)^4): how far two tokens of step n / (n + d + 3) are below the bound.

    Args:
        samples, features: n and d, symbols or SymPy integers.
    """
    p = (
        features**3 * (samples + 1)
        + features**2 * (2 * samples**2 + 11 * samples + 7)
        + features * (samples**3 + 11 * samples**2 + 21 * samples + 23)
        + (samples**3 + 7 * samples**2 + 23 * samples + 1)
    )
    return features * samples * p / (2 * (samples + features + 1) * (samples + features + 3) ** 4)


def _integrated(tokens: int, eta: Any, samples: int, features: int) -> Any:
    """The generated token's error, integrated entry by entry."""
    network = ChainOfThought(eta=Fraction(int(eta.p), int(eta.q)), tokens=tokens)
    return integrated_weight_loss(network, RegressionLaw.isotropic(samples, features)) / 2


_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 2, 1), (1, 2, 2), (2, 2, 2), (1, 1, 3), (2, 2, 0))
"""(n, d, k) of the exact runs, in turn."""


def _exact_error_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        samples, features, tokens = _CASES[number % len(_CASES)]
        eta = sympy.Rational(int(rng.integers(1, 13)), 4)
        value = _integrated(tokens, eta, samples, features)
        name = f"n = {samples}, d = {features}, k = {tokens}, eta = {eta}"
        yield Run(name, bool(value == generated_error(tokens, eta, samples, features)))


def _enclosed(tokens: int, eta: float, samples: int, features: int) -> tuple[Any, Any]:
    network = ChainOfThought(eta=eta, tokens=tokens)
    low, high = float_weight_loss_bounds(network, RegressionLaw.isotropic(samples, features), _LAWS)
    return tuple(sympy.Rational(end.numerator, 2 * end.denominator) for end in (low, high))


_FLOAT_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 1, 1))
"""(n, d, k) of the float runs, in turn."""


def _float_error_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        samples, features, tokens = _FLOAT_CASES[number % len(_FLOAT_CASES)]
        eta = int(rng.integers(1, 9)) / 4
        low, high = _enclosed(tokens, eta, samples, features)
        for more in (0, 1):
            claimed = generated_error(tokens, sympy.Rational(eta), samples + more, features)
            name = f"n = {samples}, d = {features}, k = {tokens}, eta = {eta}, {more} samples more"
            yield Run(name, bool(low <= claimed <= high), is_control=bool(more))


def _exact_separation_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(min(instances, 4)):
        samples, features = ((1, 1), (2, 1), (1, 2), (2, 2))[number]
        below = _bound(samples, features) - _integrated(2, _step(samples, features), samples, features)
        claimed = gain(sympy.Integer(samples), sympy.Integer(features))
        yield Run(f"n = {samples}, d = {features}", bool(below == claimed and below > 0))


def _float_separation_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for samples, features in ((1, 1), (2, 1), (1, 2)):
        _, high = _enclosed(2, float(_step(samples, features)), samples, features)
        yield Run(f"n = {samples}, d = {features}", bool(high < _bound(samples, features)))
        large, _ = _enclosed(2, 2.0, samples, features)
        yield Run(f"eta = 2, n = {samples}, d = {features}", bool(large < _bound(samples, features)), is_control=True)


def _is_refuted(slip: Callable[[Any, int, int], Any]) -> bool:
    eta = sympy.Rational(3, 4)
    return bool(_integrated(2, eta, 2, 2) != slip(eta, 2, 2))


_SLIPS: dict[str, Callable[[Any, int, int], Any]] = {
    "without the half": lambda eta, samples, features: 2 * generated_error(2, eta, samples, features),
    "a token fewer": lambda eta, samples, features: generated_error(1, eta, samples, features),
    "a token more": lambda eta, samples, features: generated_error(3, eta, samples, features),
    "a sample more": lambda eta, samples, features: generated_error(2, eta, samples + 1, features),
    "the trace dropped: one feature": lambda eta, samples, features: generated_error(2, eta, samples, 1),
    "S = I, its mean": lambda eta, samples, features: features * (1 - eta) ** 4 / 2,
    "divided by the number of all tokens, n + 1": lambda eta, samples, features: generated_error(
        2, eta * samples / (samples + 1), samples, features
    ),
}

"""Ahn et al. (2023), Theorem 1, for every covariance, prior and noise: the minimum of the one-layer loss.

Symbols: as in ``proofs.one_layer_loss``. N* = -((1 + 1/n) Sigma + (tau / n) Omega^-1)^-1 and c_j, for Omega = I, the
eigenvalues of -N*: c_j = 1 / ((1 + 1/n) lam_j + tau / n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.block import Block
from constructions.parameters import Unspecified
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.gaussian_moments import Omega, sigma2
from proofs.index_sums import IndexSum, Tensor, Terms, lam, n, summed
from proofs.induction import normal_form
from proofs.one_layer_closed_form import LAYER, PAPER, loss_argument
from proofs.one_layer_loss import (
    K,
    N,
    Weights,
    attention,
    even_part,
    least_loss,
    moment_matrix,
    noise_level,
    odd_loss,
    optimal_matrix,
    optimal_weights,
)
from proofs.one_layer_runs import (
    EXACT_SIZES,
    FLOAT_SIZES,
    drawn_law,
    drawn_weights,
    float_bounds,
    rounded,
)
from proofs.regression_law import RegressionLaw, integrated_loss
from proofs.symbols import SymbolBlock

_HALF = sympy.Rational(1, 2)
_STAR = Tensor("N*", "dd")


def theorems() -> tuple[ArguedTheorem, ...]:
    """The minimum of the loss."""
    return (_minimum_theorem(),)


def _minimum_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="one_layer_global_minimum_is_a_preconditioned_gradient_step",
        system=PAPER,
        reference=(
            "Ahn et al. (2023), Theorem 1, arXiv 2306.00297 (Omega = I, no noise); general prior, noise and this proof "
            "are this project's"
        ),
        statement=(
            "P = [[0, 0], [0, 1]], Q = [[N*, 0], [0, 0]], N* = -((1 + 1/n) Sigma + (tau/n) Omega^-1)^-1, is a global "
            "minimiser over all P and Q of the population loss of one layer, for every Sigma, Omega > 0 and sigma2 >= "
            "0: one gradient step from 0, preconditioned by -N*. The minimum is f* = tr Omega Sigma + tr N* "
            "Sigma Omega "
            "Sigma; for Omega = I, sum_j lam_j (lam_j + tau) / ((n + 1) lam_j + tau), and for Sigma = I too, d "
            "(d + 1 + "
            "sigma2) / (n + d + 1 + sigma2)."
        ),
        argument=minimum_argument,
        exact_runs=_exact_minimum_runs,
        float_runs=_float_minimum_runs,
        over={
            "proof": "all n, d, P, Q, Sigma, Omega > 0 and sigma2 >= 0",
            "exact": "integrated losses of drawn weights, which exceed f* by the squares that they should, and of N*",
            "float": "the float64 layer with N* rounded, enclosed; with drawn weights it is above f*",
        },
        slips={name: partial(_is_no_minimiser, slip) for name, slip in _MINIMUM_SLIPS.items()},
        about=LAYER,
    )


def minimum_argument() -> Sequence[Equation | Induction | Inference]:
    """The excess over f* is a sum of squares that vanishes at N*."""
    Sigma, O = (SymbolBlock.lift(Unspecified(name, "d", "d")) for name in ("Sigma", "Omega"))
    t = sympy.Symbol("tau", positive=True)
    inverse = _inverse_preconditioner(Sigma, O, t)
    lam_j, d, s = sympy.Symbol("lam_j", positive=True), sympy.Symbol("d", positive=True), sigma2
    c_j = 1 / ((1 + 1 / n) * lam_j + t / n)
    matched = d + s
    return (
        *loss_argument()[-1:],
        Equation(
            "K = Sigma Omega ((1 + 1/n) Sigma + (tau/n) Omega^-1) = -Sigma Omega N*^-1, so K N* = -Sigma Omega",
            normal_form((Sigma @ O @ Sigma).scale(1 + 1 / n) + Sigma.scale(t / n)),
            normal_form(Sigma @ O @ inverse),
        ),
        Equation(
            "the odd part, 2 tr N Sigma (Sigma Omega)^T its linear term",
            odd_loss(),
            _odd_with(lambda a, b: [(1, [lam(a), Omega(a, b)])]),
        ),
        Equation(
            "with Sigma Omega = -K N* the odd part is its value at N* plus tr (N - N*) Sigma (N - N*)^T K",
            _odd_with(lambda a, b: [(-1, [K(a, "t"), _STAR("t", b)])]),
            summed([(1, [Omega("a", "a"), lam("a")]), (-1, _form(_STAR, _STAR)), (1, _form(_D, _D))]).substituted(
                {_D: lambda a, b: [(1, [N(a, b)]), (-1, [_STAR(a, b)])]}
            ),
        ),
        Inference(
            "Sigma > 0 and K >= (tau/n) Sigma > 0, so that trace is |K^(1/2) (N - N*) Sigma^(1/2)|^2 >= 0; the even "
            "part, a mean square, is >= 0 too"
        ),
        Inference("p0 = q2 = 0, p1 Q1 = N* makes both 0: a global minimiser, with the loss f* = odd part at N*"),
        Equation(
            "for Omega = I coordinate j contributes lam_j - c_j lam_j^2 to f*",
            lam_j - c_j * lam_j**2,
            lam_j * (lam_j + t) / ((n + 1) * lam_j + t),
        ),
        Equation(
            "for Sigma = Omega = I, tau = d + sigma2, f* is",
            (d * (lam_j - c_j * lam_j**2)).subs({t: matched, lam_j: 1}),
            d * (d + 1 + s) / (n + d + 1 + s),
        ),
    )


_D = Tensor("D", "dd")


def _form(left: Tensor, right: Tensor) -> list[Any]:
    """tr left Sigma right^T K, as factors."""
    return [left("a", "b"), lam("b"), right("c", "b"), K("c", "a")]


def _odd_with(rule: Callable[..., Terms]) -> IndexSum:
    """The odd part with something for Sigma Omega in its linear term; the constant tr Omega Sigma stays."""
    linear = summed([(2, [N("a", "b"), lam("b"), _S_OMEGA("a", "b")])]).substituted({_S_OMEGA: rule})
    return summed([(1, [Omega("a", "a"), lam("a")]), (1, _form(N, N))]) + linear


_S_OMEGA = Tensor("Sigma Omega", "dd")


def _inverse_preconditioner(Sigma: Block, O: Block, t: Any) -> Block:
    """(1 + 1/n) Sigma + (tau / n) Omega^-1."""
    return Sigma.scale(1 + 1 / n) + O.inverse().scale(t / n)


def excess(weights: Weights, law: RegressionLaw) -> Any:
    """The loss minus f*: tr (N - N*) Sigma (N - N*)^T K, and the even part."""
    difference = weights.N - optimal_matrix(law)
    return (difference * law.Sigma * difference.T * moment_matrix(law)).trace() + even_part(weights, law)


def _exact_minimum_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, noisy = EXACT_SIZES[number % len(EXACT_SIZES)]
        law = drawn_law(rng, tokens, features, noisy)
        best = integrated_loss(attention(optimal_weights(law, _HALF)), law)
        yield Run(f"N* has the loss f*, {law}", bool(best == least_loss(law)))
        weights = drawn_weights(rng, features)
        above = integrated_loss(attention(weights), law) - best
        yield Run(f"the excess is the squares, {law}, {weights}", bool(above == excess(weights, law) and above >= 0))


def _float_minimum_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, noisy = FLOAT_SIZES[number % len(FLOAT_SIZES)]
        law = drawn_law(rng, tokens, features, noisy)
        best = rounded(optimal_weights(law))
        low, high = float_bounds(best, law)
        yield Run(f"N* rounded, {law}", bool(low <= least_loss(law) + excess(best, law) <= high))
        weights = drawn_weights(rng, features)
        yield Run(f"above f*, {law}, {weights}", bool(float_bounds(weights, law)[0] > least_loss(law)))
        longer = RegressionLaw(tokens + 1, law.Sigma, law.Omega, law.sigma2)
        yield Run(f"f* of a token more, {law}", bool(low <= least_loss(longer) <= high), is_control=True)


GENERIC_LAW = RegressionLaw.of_roots(2, [[1, 0], [_HALF, 2]], [[_HALF, 0], [-1, 1]], _HALF)
"""A law with nothing special about it, d = 2."""

_MINIMUM_SLIPS: dict[str, Callable[[RegressionLaw], Any]] = {
    "n for n + 1": lambda law: -(law.Sigma + noise_level(law) / law.n * law.Omega.inv()).inv(),
    "tau without the trace": lambda law: _preconditioned(law, law.sigma2),
    "tau without the noise": lambda law: _preconditioned(law, noise_level(law) - law.sigma2),
    "Omega for its inverse": lambda law: (
        -(law.Sigma * (1 + sympy.Rational(1, law.n)) + noise_level(law) / law.n * law.Omega).inv()
    ),
    "the prior is the identity": lambda law: optimal_matrix(
        RegressionLaw(law.n, law.Sigma, sympy.eye(law.d), law.sigma2)
    ),
    "Sigma^-1": lambda law: -law.Sigma.inv(),
    "a multiple of the identity": lambda law: -sympy.Rational(law.n, law.n + law.d + 1) * sympy.eye(law.d),
}


def _preconditioned(law: RegressionLaw, level: Any) -> Any:
    return -(law.Sigma * (1 + sympy.Rational(1, law.n)) + level / law.n * law.Omega.inv()).inv()


def _is_no_minimiser(slip: Callable[[RegressionLaw], Any]) -> bool:
    law, zero = GENERIC_LAW, sympy.zeros(1, 2)
    return bool(integrated_loss(attention(Weights(zero, 1, slip(law), zero)), law) > least_loss(law))

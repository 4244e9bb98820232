"""The family A_l = a_l Sigma^-1 of Ahn et al. (2023), Theorem 3: the order of its steps, and its minimum.

Symbols: S = X X^T / n; m_k = E tr S^k for x ~ N(0, I); phi(s) = prod_l (1 - a_l s) = sum_k phi_k s^k, phi_0 = 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.preconditioned import PreconditionedDescent
from constructions.stages import Relation
from numerics.gram_moments import spectral_moments
from numerics.optimal_steps import optimal_loss, optimal_polynomial
from numerics.tasks import LinearTask
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.index_sums import d, n
from proofs.matrix_identities import Data, MatrixIdentities
from proofs.multilayer_closed_form import LAWS
from proofs.regression_law import RegressionLaw, float_loss_bounds
from proofs.stacks import CHANGED_BASIS, PAPER
from proofs.stationary_families import STEP_SYMBOLS, family_loss
from proofs.theorem import Theorem
from proofs.wishart_moments import normalised_moment


def theorems() -> tuple[Theorem, ...]:
    """The order of the steps, and the minimum."""
    return (_order_theorem(), _attained_theorem())


def _order_theorem() -> MatrixIdentities:
    return MatrixIdentities(
        name="steps_of_one_preconditioner_may_be_taken_in_any_order",
        system=PAPER,
        reference=(
            "Ahn et al. (2023), Lemma 4, arXiv 2306.00297, of the loss at A_l = a_l Sigma^-1; here of the error on "
            "every prompt, for multiples of any matrix"
        ),
        statement=(
            "Exchanging two neighbouring layers A_l = a M, A_(l+1) = b M leaves the error J of the stack as it is on "
            "every prompt, for every M: J (I - a S M) (I - b S M) = J (I - b S M) (I - a S M). So the loss is "
            "symmetric in the a_l of A_l = a_l Sigma^-1, for every law of inputs and teachers."
        ),
        matrices={"J": ("d", "d"), "X": ("d", "n"), "M": ("d", "d"), "N": ("d", "d")},
        scalars=("a", "b"),
        identities=(partial(_exchanged, second="M"),),
        slips={
            "multiples of two matrices": partial(_exchanged, second="N"),
            "layers that move the inputs": _exchanged_with_moving_inputs,
        },
    )


def _exchanged(data: Data, second: str) -> Relation:
    one, S = data["M"].identity(data.sizes["d"]), data["X"] @ data["X"].T
    first = one - (S @ data["M"]).scale(data.scalars["a"])
    other = one - (S @ data[second]).scale(data.scalars["b"])
    return Relation("the layers exchanged", data["J"] @ first @ other, data["J"] @ other @ first)


def _exchanged_with_moving_inputs(data: Data) -> Relation:
    """J after two layers with B = I, from J = F = I."""
    S, M = data["X"] @ data["X"].T, data["M"]

    def after(*steps: Any) -> Any:
        J = F = M.identity(data.sizes["d"])
        for step in steps:
            moved = (S @ F.T @ M @ F).scale(step)
            J, F = J + J @ moved, F + F @ moved
        return J

    a, b = data.scalars["a"], data.scalars["b"]
    return Relation("the layers exchanged", after(a, b), after(b, a))


def _attained_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="infimum_on_the_inverse_covariance_family_is_attained",
        system=PAPER,
        reference=(
            "Ahn et al. (2023), Theorem 3, arXiv 2306.00297, which has the infimum of the gradient's norm over the "
            "family as 0; that it is attained is this project's"
        ),
        statement=(
            "For x ~ N(0, Sigma), w ~ N(0, Sigma^-1), all n, d and L, the loss on A_l = a_l Sigma^-1 attains its "
            "minimum, at steps a_l* > 0, all different and unique up to their order; there the gradient over all "
            "matrices A_l is 0. For L = 2 they are the inverse roots of 1 + phi_1 s + phi_2 s^2, phi_2 = n^2 (d n + d "
            "+ n + 3) / D, phi_1 = -2 n (d^2 n + d^2 + d n^2 + 4 d n + 7 d + n^2 + 7 n + 8) / D, D = n^4 (m_2 m_4 - "
            "m_3^2) / d^2."
        ),
        argument=_attained_argument,
        exact_runs=_exact_runs,
        float_runs=_float_runs,
        over={
            "proof": "all n, d, L and Sigma; the formulas for L = 1, 2",
            "exact": "best polynomials from exact moments, L 1..5: their roots counted, stationarity, losses above",
            "float": "the float64 network at the steps rounded, enclosed, L 1..2, n 1..2, d 1..2",
        },
        slips={
            "at equal steps": lambda: _equal_steps_loss(3, 2) > optimal_loss(3, 2, 2),
            "one layer's step, twice": lambda: (
                family_loss([sympy.Rational(3, 6)] * 2, 3, 2) > _rational(optimal_loss(3, 2, 2))
            ),
            "for phi with roots of any sign": lambda: _root_count([Fraction(1), Fraction(1), Fraction(-1)]) < 2,
        },
        about=CHANGED_BASIS,
    )


def _attained_argument() -> Sequence[Equation | Induction | Inference]:
    a = STEP_SYMBOLS[0]
    m = [normalised_moment(k) for k in range(5)]
    determinant = d**3 * n + d**3 + d**2 * n**2 + 5 * d**2 * n + 10 * d**2 + d * n**3 + 5 * d * n**2 + 17 * d * n
    determinant += 17 * d + n**3 + 10 * n**2 + 17 * n + 4
    phi_2 = n**2 * (d * n + d + n + 3) / determinant
    phi_1 = -2 * n * (d**2 * n + d**2 + d * n**2 + 4 * d * n + 7 * d + n**2 + 7 * n + 8) / determinant
    least = d * (d**3 * n + d**3 + 4 * d**2 * n + 10 * d**2 + 7 * d * n + 17 * d + 4 * n + 4) / determinant
    p, q = sympy.symbols("p q", real=True)
    loss = m[0] + 2 * p * m[1] + 2 * q * m[2] + p**2 * m[2] + 2 * p * q * m[3] + q**2 * m[4]
    square = (p - phi_1) ** 2 * m[2] + 2 * (p - phi_1) * (q - phi_2) * m[3] + (q - phi_2) ** 2 * m[4]
    discriminant = sympy.fraction(sympy.factor(phi_1**2 - 4 * phi_2))[0]
    return (
        Induction("with T = Sigma^(-1/2) the stack is the same network for Sigma = I, A_l = a_l I", CHANGED_BASIS),
        Inference(
            "f = E tr phi(S)^2 is a quadratic in phi_1, ..., phi_L, positive definite as S has a continuous law on its "
            "range: its least value over all polynomials is attained at one phi*"
        ),
        Inference(
            "there E tr S phi*(S) r(S) = 0 for all r of degree < L. Had phi* fewer than L changes of sign on s > 0, an "
            "r with these would make s phi* r >= 0, not 0: so phi* has L simple roots 1 / a_l* > 0, and f* is attained"
        ),
        Equation(
            "L = 1: the loss is its minimum plus a square",
            family_loss([a]),
            d * (d + 1) / (n + d + 1) + d * (n + d + 1) / n * (a - n / (n + d + 1)) ** 2,
        ),
        Equation(
            "L = 2: with phi_1 = p, phi_2 = q the loss is its minimum plus a form in p - phi_1, q - phi_2",
            loss,
            least + square,
        ),
        Equation(
            "the form's determinant m_2 m_4 - m_3^2 is d^2 D / n^4", m[2] * m[4] - m[3] ** 2, d**2 * determinant / n**4
        ),
        Equation(
            "D is a polynomial in n and d with positive coefficients",
            _negatives(determinant),
            sympy.Integer(0),
        ),
        Equation("so is the numerator of phi_1^2 - 4 phi_2: real roots", _negatives(discriminant), sympy.Integer(0)),
        Inference("phi_1 < 0 < phi_2: both are positive"),
        Inference("df/da_l = 0 for all l, so the gradient over all A_l is 0, the family keeping it (Theorem 3)"),
    )


def _negatives(polynomial: Any) -> Any:
    """How many coefficients are not positive."""
    return sympy.Integer(sum(bool(c <= 0) for c in sympy.Poly(polynomial, n, d).coeffs()))


def _root_count(phi: Sequence[Fraction]) -> int:
    """The number of different roots in (0, infinity), by Sturm's theorem; phi(0) = 1."""
    s = sympy.Symbol("s")
    return int(sympy.Poly([_rational(c) for c in reversed(phi)], s).count_roots(0, None))


def _rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)


def _equal_steps_loss(tokens: int, features: int) -> Any:
    """The least loss of two equal steps, a lower bound on it: the value at a root isolated between rationals."""
    a = STEP_SYMBOLS[0]
    value = sympy.Poly(family_loss([a, a], tokens, features), a)
    (((low, high), _),) = value.diff(a).intervals(eps=sympy.Rational(1, 10**6))
    # The loss is convex in a: its tangent at low is below it.
    return value.eval(low) - abs(value.diff(a).eval(low)) * (high - low)


def _loss_of(phi: Sequence[Fraction], tokens: int, features: int) -> Fraction:
    """E tr phi(S)^2."""
    moments = spectral_moments(LinearTask(n=tokens, d=features), 2 * len(phi) - 2)
    return sum((x * y * moments[i + j] for i, x in enumerate(phi) for j, y in enumerate(phi)), start=Fraction(0))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        layers, tokens, features = 1 + number % 5, int(rng.integers(1, 12)), int(rng.integers(1, 6))
        phi, size = (
            optimal_polynomial(tokens, features, layers).coefficients,
            f"L = {layers}, n = {tokens}, d = {features}",
        )
        yield Run(f"L positive roots, {size}", _root_count(phi) == layers)
        least = optimal_loss(tokens, features, layers)
        yield Run(f"the loss, {size}", _loss_of(phi, tokens, features) == least)
        steps = [Fraction(int(rng.integers(1, 13)), 6) for _ in range(layers)]
        other = family_loss([_rational(a) for a in steps], tokens, features)
        yield Run(f"steps {steps}, {size}", bool(other >= _rational(least)))
        yield Run(
            f"a layer less, {size}", least == optimal_loss(tokens, features, layers - 1) if layers > 1 else False, True
        )


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(min(instances, 4)):
        layers, tokens, features = ((1, 1, 1), (2, 2, 1), (1, 1, 2), (2, 1, 2))[number]
        phi = optimal_polynomial(tokens, features, layers).coefficients
        roots = np.roots([float(c) for c in reversed(phi)])
        network = PreconditionedDescent(preconditioners=[np.eye(features) / root for root in roots.real])
        low, high = float_loss_bounds(network, RegressionLaw.isotropic(tokens, features), laws=LAWS)
        for more in (0, 1):
            claimed = optimal_loss(tokens + more, features, layers)
            yield Run(f"L = {layers}, n = {tokens} + {more}, d = {features}", low <= claimed <= high, bool(more))

"""The minimisers of the one-layer loss: unique up to a scale and the blocks that play no part, except for d = 1.

Symbols: as in ``proofs.one_layer_optimum``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from constructions.one_layer_attention import OneLayerAttention
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.critical_points import hessian_signs
from proofs.expected_words import population_loss
from proofs.gaussian_moments import sigma2
from proofs.index_sums import n
from proofs.one_layer_closed_form import LAYER, PAPER
from proofs.one_layer_loss import (
    Weights,
    attention,
    closed_form,
    least_loss,
    optimal_matrix,
    optimal_weights,
    p1,
    with_letters,
)
from proofs.one_layer_optimum import excess, minimum_argument
from proofs.one_layer_runs import (
    drawn_law,
    float_bounds,
    rounded,
)
from proofs.regression_law import RegressionLaw, integrated_loss

_HALF = sympy.Rational(1, 2)


def theorems() -> tuple[ArguedTheorem, ...]:
    """Uniqueness, and its exceptions."""
    return (_uniqueness_theorem(),)


def _uniqueness_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="one_layer_minimiser_is_unique_up_to_scale",
        system=PAPER,
        reference=(
            "Ahn et al. (2023), Theorem 1, which says 'up to rescaling' and neither names the free blocks nor excludes "
            "d = 1; this project's proof"
        ),
        statement=(
            "For d >= 2 the global minimisers are exactly P_yx = 0, P_yy = gamma, Q_xx = N* / gamma, Q_yx = 0 with "
            "gamma != 0, the four blocks P_xx, P_xy, Q_xy, Q_yy being free. For d = 1 there are more: P_yx = "
            "gamma, P_yy "
            "= 0, Q_xx = 0, Q_yx = N* / gamma."
        ),
        argument=_uniqueness_argument,
        exact_runs=_exact_uniqueness_runs,
        float_runs=_float_uniqueness_runs,
        over={
            "proof": "all n, Sigma, Omega > 0 and sigma2 >= 0, d = 1 and d >= 2",
            "exact": "Hessians at N* for d = 2: one zero eigenvalue, the rest positive; the second orbit for d = 1",
            "float": "the float64 layer on the second orbit for d = 1, enclosed; for d = 2 its loss is above f*",
        },
        slips={
            "unique, without a scale": lambda: _has_least_loss(optimal_weights(_law(2), 2), _law(2)),
            "unique up to rescaling for d = 1 as well": lambda: _has_least_loss(_second_orbit(_law(1)), _law(1)),
            "the same second orbit for d = 2": lambda: not _has_least_loss(_second_orbit(_law(2)), _law(2)),
            "Q_yx is free": lambda: not _has_least_loss(_with_q2(optimal_weights(_law(2))), _law(2)),
            "unique up to rescaling, P_xx, P_xy, Q_xy, Q_yy not free": _other_blocks_are_free,
        },
        about=LAYER,
    )


def _uniqueness_argument() -> Sequence[Equation | Induction | Inference]:
    l, o, t = sympy.symbols("lam_1 omega tau", positive=True)
    gamma = sympy.Symbol("gamma", nonzero=True)
    c = 1 / ((1 + 1 / n) * l + t / (n * o))
    return (
        *minimum_argument(),
        Equation(
            "the blocks P_xx, P_xy, Q_xy, Q_yy do not enter the loss",
            population_loss(with_letters(OneLayerAttention)),
            population_loss(with_letters(OneLayerAttention, ("P_yx", "P_yy", "Q_xx", "Q_yx"))),
        ),
        Inference(
            "so a minimiser has N = N*, an invertible matrix, and Q1^T S p0 + p1 g q2 = 0 almost surely, Sigma > 0"
        ),
        Inference(
            "if p1 != 0: given X, g takes more than one value (tau > 0), so q2 = 0, then Q1 = N* / p1 is "
            "invertible and "
            "S p0 = 0 almost surely, so that p0^T Sigma p0 = E p0^T S p0 = 0 and p0 = 0"
        ),
        Inference(
            "if p1 = 0: N* = p0 q2^T has rank 1, impossible for d >= 2; for d = 1 then p0, q2 != 0, and Q1 S p0 = 0 "
            "almost surely makes Q1 = 0"
        ),
        Equation(
            "for d = 1, p0 = gamma, q2 = N* / gamma, p1 = Q1 = 0 has the least loss omega lam - c omega lam^2",
            _at_d_1({"P_yx": [gamma], "Q_xx": [[0]], "Q_yx": [-c / gamma]}, l, o, t),
            o * l - c * o * l**2,
        ),
    )


def _at_d_1(weights: Mapping[str, Any], l: Any, o: Any, t: Any) -> Any:
    """The closed form for d = 1 with p1 = 0, for symbols lam, omega and tau = omega lam + sigma2."""
    total = closed_form().map(lambda coefficient: coefficient.subs({p1: 0, sigma2: t - o * l}))
    return total.evaluated({"d": 1}, {"lam": [l], "Omega": [[o]], **weights}, {})


def _second_orbit(law: RegressionLaw) -> Weights:
    """p0 = 2 e_1, q2 = N*[1, 1] e_1 / 2: for d = 1 a minimiser that is no rescaling of the first."""
    row = sympy.eye(law.d)[0, :]
    return Weights(2 * row, 0, sympy.zeros(law.d, law.d), optimal_matrix(law)[0, 0] / 2 * row)


def _with_q2(weights: Weights) -> Weights:
    return Weights(weights.p0, weights.p1, weights.Q1, sympy.ones(1, weights.q2.cols))


def _law(d: int) -> RegressionLaw:
    """A law with nothing special about it."""
    R = [[1, 0], [_HALF, 2]] if d == 2 else [[2]]
    V = [[_HALF, 0], [-1, 1]] if d == 2 else [[_HALF]]
    return RegressionLaw.of_roots(2, R, V, _HALF)


def _has_least_loss(weights: Weights, law: RegressionLaw) -> bool:
    return bool(integrated_loss(attention(weights), law) == least_loss(law))


def _other_blocks_are_free() -> bool:
    law = _law(2)
    fixed = attention(optimal_weights(law))
    rows = {name: getattr(fixed, name) for name in ("P_yx", "P_yy", "Q_xx", "Q_yx")}
    moved = OneLayerAttention(**rows, P_xx=[[1, 2], [3, 4]], P_xy=[[1], [5]], Q_xy=[[2], [7]], Q_yy=[[3]])
    return bool(integrated_loss(moved, law) == least_loss(law))


def _exact_uniqueness_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        if number % 2:
            law = drawn_law(rng, 1 + number % 3, 1, number % 4 == 1)
            yield Run(f"the second orbit, {law}", _has_least_loss(_second_orbit(law), law))
        else:
            law = drawn_law(rng, 1 + number % 4, 2, number % 4 == 0)
            scale = sympy.Rational(int(rng.integers(1, 5)), 2)
            signs = hessian_signs(optimal_weights(law, scale), law)
            yield Run(f"Hessian at N*, {law}", signs == (0, 1, 8))
            yield Run(f"Hessian without a zero, {law}", signs == (0, 0, 9), is_control=True)


def _float_uniqueness_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = drawn_law(rng, 1 + number % 2, 1, number % 3 == 0)
        second = rounded(_second_orbit(law))
        low, high = float_bounds(second, law)
        yield Run(f"the second orbit, {law}", bool(low <= least_loss(law) + excess(second, law) <= high))
        wider = drawn_law(rng, 1, 2, False)
        orbit = rounded(_second_orbit(wider))
        yield Run(f"no minimiser for d = 2, {wider}", bool(float_bounds(orbit, wider)[0] > least_loss(wider)))

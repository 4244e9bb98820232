"""The population loss of one layer of linear attention is a closed form: the theorem, with its evidence.

Symbols: as in ``proofs.one_layer_loss``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sympy

from constructions.one_layer_attention import OneLayerAttention
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference
from proofs.construction_theorem import ConstructionTheorem
from proofs.expected_words import FAMILIES, indexed, population_loss, regression_prompt
from proofs.gaussian_moments import INPUTS, NOISE, TEACHER, Omega, X, eps, expectation, sigma2, w
from proofs.index_sums import Free, IndexSum, Tensor, delta, n, summed
from proofs.induction import normal_form
from proofs.one_layer_loss import (
    BLOCKS,
    Q1,
    K,
    N,
    Weights,
    attention,
    closed_form,
    even_loss,
    loss,
    odd_loss,
    p0,
    p1,
    q2,
    second_moment,
    with_letters,
)
from proofs.one_layer_runs import (
    EXACT_SIZES,
    FLOAT_SIZES,
    exact_loss_runs,
    float_loss_runs,
)
from proofs.regression_law import RegressionLaw, integrated_loss
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem

PAPER = "Ahn et al. 2023"
_HALF = sympy.Rational(1, 2)
LAYER = OneLayerAttention(**{name: [[1]] for name in BLOCKS})
"""The network that these theorems are about; the values of its weights do not matter."""

FORWARD_PASS = Induction(
    "for all P and Q the layer predicts -(N^T v)^T x_query [odd in w, eps] - (Q1^T S p0 + p1 g q2)^T x_query [even]",
    LAYER,
)


def theorems() -> tuple[Theorem, ...]:
    """What one layer predicts, and its loss."""
    return (
        ConstructionTheorem(
            name="one_layer_attention_splits_by_parity",
            system=PAPER,
            reference="the layer of Ahn et al. (2023), equation (3), arXiv 2306.00297; the split is this project's",
            statement=(
                "For all P and Q one layer Z <- Z + (1/n) P Z M Z^T Q Z predicts -(P_yy v^T Q_xx + P_yx v Q_yx) "
                "x_query "
                "[odd in Y] - (P_yx S Q_xx + P_yy g Q_yx) x_query [even], S = X X^T / n, v = X Y^T / n, g = Y Y^T / n; "
                "P_xx, P_xy, Q_xy and Q_yy play no part."
            ),
            prototype=LAYER,
            layers=(1,),
        ),
        _loss_theorem(),
    )


def _loss_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="one_layer_population_loss_has_a_closed_form",
        system=PAPER,
        reference="the loss of Ahn et al. (2023), equation (5), at L = 1, arXiv 2306.00297; the form is this project's",
        statement=(
            "For x_i, x_query ~ N(0, Sigma), w ~ N(0, Omega), noise sigma2 and all P, Q, with tau = tr Omega Sigma + "
            "sigma2, N = p0 q2^T + p1 Q1, C = Q1 Sigma Q1^T: E (prediction - w^T x_query)^2 = tr Omega Sigma + 2 tr N "
            "Sigma Omega Sigma + tr N Sigma N^T ((1 + 1/n) Sigma Omega Sigma + (tau/n) Sigma) + p0^T ((1 + 1/n) "
            "Sigma C "
            "Sigma + (1/n) tr(C Sigma) Sigma) p0 + 2 p1 p0^T (tau Sigma + (2/n) Sigma Omega Sigma) Q1 Sigma q2 + p1^2 "
            "(q2^T Sigma q2) (1 + 2/n) (tau^2 + 2 tr (Omega Sigma)^2)."
        ),
        argument=loss_argument,
        exact_runs=exact_loss_runs,
        float_runs=float_loss_runs,
        over={
            "proof": "all n, d, P, Q, Sigma, Omega and sigma2",
            "exact": f"the layer's squared error integrated entry by entry, (n, d) in {sizes_written(EXACT_SIZES)}",
            "float": f"the float64 layer over a finite law of equal moments, (n, d) in {sizes_written(FLOAT_SIZES)}",
        },
        slips={name: partial(_is_refuted, slip) for name, slip in _LOSS_SLIPS.items()},
        about=LAYER,
    )


def sizes_written(sizes: Sequence[tuple[int, int, bool]]) -> str:
    """The sizes (n, d) in words."""
    return ", ".join(sorted({str((n, d)) for n, d, _ in sizes}))


def loss_argument() -> Sequence[Equation | Induction | Inference]:
    """The loss is the closed form, by pairings, in its parts and as a whole."""
    odd, even = _parts()
    j, k = Free("j"), Free("k")
    moment = summed([(1 / n**2, _v(j, "i") + _v(k, "m")), *_noise_terms(j, k)])
    return (
        FORWARD_PASS,
        Inference(
            "rotating x, w, p0, Q1 and q2 into the eigenbasis of Sigma changes neither the loss nor any trace below: "
            "let Sigma = diag(lam)"
        ),
        Equation(
            "E v v^T = K = (1 + 1/n) Sigma Omega Sigma + (tau/n) Sigma, entry (j, k)",
            expectation(moment, [INPUTS, NOISE, TEACHER]),
            summed([(1, [K(j, k)])]).substituted({K: second_moment}),
        ),
        Equation(
            "the mean square of the odd part of the forward pass minus w^T x_query, by pairings",
            expectation(odd * odd, FAMILIES),
            _in_weights(odd_loss()),
        ),
        Equation(
            "the mean square of its even part",
            expectation(even * even, FAMILIES),
            even_loss(),
        ),
        Inference("the parts are uncorrelated: negating w and eps, which changes no law, negates one of them"),
        Equation(
            "E (prediction - w^T x_query)^2 of the forward pass, with all eight blocks of P and Q",
            population_loss(with_letters(OneLayerAttention)),
            closed_form(),
        ),
    )


def _v(j: Free, i: str) -> list[Any]:
    """x_i[j] (w^T x_i), the noise-free label times an input."""
    return [X(j, i), X(f"a{i}", i), w(f"a{i}")]


def _noise_terms(j: Free, k: Free) -> list[tuple[Any, list[Any]]]:
    return [
        (1 / n**2, [*_v(j, "i"), X(k, "m"), eps("m")]),
        (1 / n**2, [X(j, "i"), eps("i"), *_v(k, "m")]),
        (1 / n**2, [X(j, "i"), eps("i"), X(k, "m"), eps("m")]),
    ]


def _parts() -> tuple[IndexSum, IndexSum]:
    """(odd part minus the target, even part) of the layer on letters."""
    prompt, target = regression_prompt()
    layer = with_letters(OneLayerAttention)
    held = prompt.lifted(SymbolBlock)
    odd, even = layer.step(0, layer.initial(held), held)
    return indexed(normal_form(odd - target)), indexed(normal_form(even))


def _in_weights(total: IndexSum) -> IndexSum:
    """With N = p0 q2^T + p1 Q1 and K written out."""
    return total.substituted({N: lambda a, b: [(1, [p0(a), q2(b)]), (p1, [Q1(a, b)])], K: second_moment})


def _is_refuted(slip: Callable[[IndexSum], IndexSum]) -> bool:
    """Whether the integrated loss of generic weights is the closed form's, and not the slip's."""
    law = RegressionLaw.of_roots(2, [[2, 0], [0, 1]], [[_HALF, 0], [-1, 1]], _HALF)
    weights = Weights([[_HALF, -1]], sympy.Rational(3, 4), [[1, _HALF], [-_HALF, 2]], [[_HALF, 1]])
    tensors = {
        "lam": [4, 1],
        "Omega": law.Omega.tolist(),
        "P_yx": list(weights.p0),
        "Q_xx": weights.Q1.tolist(),
        "Q_yx": list(weights.q2),
    }
    value = slip(closed_form()).evaluated({"n": law.n, "d": law.d}, tensors, {p1: weights.p1, sigma2: law.sigma2})
    true = integrated_loss(attention(weights), law)
    return bool(true == loss(weights, law) and value != true)


_LOSS_SLIPS: dict[str, Callable[[IndexSum], IndexSum]] = {
    "n for n + 1": lambda total: total.map(lambda c: c.subs(n + 1, n)),
    "n + 1 for n + 2": lambda total: total.map(lambda c: c.subs(n + 2, n + 1)),
    "noise counted twice": lambda total: total.map(lambda c: c.subs(sigma2, 2 * sigma2)),
    "Q1 transposed": lambda total: total.substituted({Tensor("Q_xx", "dd"): _transposed}),
    "Omega = I": lambda total: total.substituted({Omega: lambda a, b: [(1, [delta(a, b)])]}),
    "odd part only": lambda total: total - even_loss(),
}


def _transposed(a: Any, b: Any) -> list[tuple[Any, list[Any]]]:
    return [(1, [Tensor("Q_xx", "dd")(b, a)])]

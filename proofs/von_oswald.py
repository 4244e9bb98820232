"""The theorems of von Oswald et al. (2023): linear attention is gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from constructions.as_printed import (
    GDPlusPlusWithStartInValue,
    PositiveQueryStart,
    PositiveQueryStartReadPositively,
    UnmaskedFromZero,
)
from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated, parameters
from constructions.self_attention import LinearSelfAttention
from constructions.unmasked import OneUnmaskedLayer, UnmaskedGradientDescent
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.teachers import as_prompt, inputs_with_eigenvector
from proofs.construction_theorem import ConstructionTheorem, with_drawn_parameters
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_ONE: Any = [[1]]
"""Stands for any matrix: a proof leaves it free, an instance redraws it."""

_PAPER = "von Oswald et al. 2023"


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of this system, corrections beside the printed forms."""
    return (*_gradient_descent(), *_query_start(), *_query_mask(), *_gdpp())


def _gradient_descent() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="linear_attention_head_takes_one_gradient_step",
            system=_PAPER,
            reference=(
                "von Oswald et al. (2023), Proposition 1, arXiv 2212.07677; any number of targets, query at -W_0 x"
            ),
            statement=(
                "One linear attention head with W_K = W_Q = diag(I, 0), W_V = [[0, 0], [W_0, -I]], P = (eta/n) I maps "
                "y_j to y_j - dW x_j, where dW = -(eta/n) (W_0 X - Y) X^T is one gradient step on |W X - Y|^2 / "
                "2n from "
                "any W_0; minus the y rows of the query (x, -W_0 x) is the prediction (W_0 + dW) x."
            ),
            prototype=GradientDescent(step_sizes=[1], W_0=_ONE),
            layers=(1,),
        ),
        ConstructionTheorem(
            name="k_linear_layers_take_k_gradient_steps",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 2, stated there for W_0 = 0 or one layer",
            statement=(
                "k linear attention layers with the same W_V and step sizes eta_1, ..., eta_k take k gradient "
                "steps from "
                "any W_0: before layer l + 1 the targets hold y_i - (W_l - W_0) x_i and the query -W_l x."
            ),
            prototype=GradientDescent(step_sizes=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="only_products_of_attention_weights_matter",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 3, which mentions matching products and the scale s",
            statement=(
                "(A^-T W_K, A W_Q / s, C W_V, s P C^-1) is the same linear attention layer as (W_K, W_Q, W_V, "
                "P), for any "
                "weights, invertible A and C, and s != 0, at every depth."
            ),
            prototype=GaugedAttention(W_K=[_ONE], W_Q=[_ONE], W_V=[_ONE], P=[_ONE], A=[_ONE], C=[_ONE], scales=[1]),
        ),
        ConstructionTheorem(
            name="linear_self_attention_multiplies_every_token_by_one_matrix",
            system=_PAPER,
            reference="the layer of von Oswald et al. (2023), section 2, arXiv 2212.07677; this project's recursion",
            statement=(
                "k layers of linear self-attention with any weights, keys from the context, multiply every token "
                "(x; y) by one matrix, T <- T + P W_V (T Z) (W_K T Z)^T W_Q T from T = I, Z = [X; Y]; so the "
                "prediction, minus the y rows of the query (x_query; 0), is -T_yx x_query, linear in the query, and T "
                "depends on the context through Z Z^T alone."
            ),
            prototype=LinearSelfAttention(**{name: [_ONE] for name in parameters(LinearSelfAttention)}),
        ),
    )


def _query_start() -> tuple[Theorem, ...]:
    return (
        RefutedStatement(
            name="query_started_at_plus_w0_x_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 2",
            statement=(
                "As printed, the query starts at (x, +W_0 x). Neither minus nor plus its y rows is then the prediction."
            ),
            printed=(
                PositiveQueryStart(step_sizes=[1], W_0=_ONE),
                PositiveQueryStartReadPositively(step_sizes=[1], W_0=_ONE),
            ),
            corrected="linear_attention_head_takes_one_gradient_step",
        ),
    )


def _query_mask() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="unmasked_query_acts_as_a_training_example",
            system="this project",
            reference="the exact error of dropping the mask in von Oswald et al. (2023), section 2",
            statement=(
                "With the query among the keys, the k layers run W <- W - (eta_l/n) ((W X - Y) X^T + (W_0 + W) x "
                "x^T): the "
                "first layer adds (2 eta/n) W_0 x x^T x_j to the y rows of token j."
            ),
            prototype=UnmaskedGradientDescent(step_sizes=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="unmasked_query_is_harmless_for_one_layer_from_zero",
            system="this project",
            reference="the case in which the remark of von Oswald et al. (2023), section 2, holds",
            statement="One layer from W_0 = 0 takes a gradient step with or without the query among the keys.",
            prototype=OneUnmaskedLayer(step_sizes=[1]),
            layers=(1,),
        ),
        RefutedStatement(
            name="unmasked_query_takes_gradient_steps_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 2: the mask may be dropped when W_0 is near 0",
            statement=(
                "As printed, layers from W_0 = 0 take gradient steps without the mask. From the second layer on they "
                "do not."
            ),
            printed=(UnmaskedFromZero(step_sizes=[1]),),
            corrected="unmasked_query_acts_as_a_training_example",
        ),
    )


def _gdpp() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="gdpp_layers_precondition_by_their_own_inputs",
            system=_PAPER,
            reference=(
                "von Oswald et al. (2023), section 3 (GD++); W_0 != 0 by the embedding, the induction is this project's"
            ),
            statement=(
                "k GD++ layers with their own eta_l and gamma_l run W <- W - (eta_l/n) (W X - Y) X^T F^T F and "
                "F <- F - gamma_l F X X^T F^T F from F = I and any W_0, if the embedding takes W_0 x_i off the targets."
            ),
            prototype=GDPlusPlus(step_sizes=[1], curvature_steps=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="recurrent_gdpp_is_one_looped_layer",
            system=_PAPER,
            reference="von Oswald et al. (2023), section 3 (GD++, recurrent), with W_0 = 0 as there",
            statement="One GD++ layer, looped k times, runs k steps of GD++ with one eta and one gamma.",
            prototype=GDPlusPlus(step_sizes=Repeated(1, 1), curvature_steps=Repeated(1, 1)),
        ),
        ConstructionTheorem(
            name="gdpp_follows_a_spectral_recursion",
            system="this project",
            reference="the recursion behind the heuristic of von Oswald et al. (2023), section 3 and appendix A.10",
            statement=(
                "On Y = W* X, along any eigenvector X X^T v = lam v, GD++ multiplies the error by e <- e (1 - "
                "eta_l lam_l / n), "
                "where lam_0 = lam and lam_(l+1) = lam_l (1 - gamma_l lam_l)^2 is the eigenvalue of the moved Hessian."
            ),
            prototype=GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1], W_0=_ONE),
            draw=spectral_instance,
        ),
        RefutedStatement(
            name="gdpp_with_w0_in_the_value_weights_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), appendix A.10: W_V = [[I, 0], [W, -I]] for GD++",
            statement=(
                "As printed, W_0 stays in W_V. From the second layer on that is not GD++: the inputs that W_0 "
                "multiplies have moved."
            ),
            printed=(GDPlusPlusWithStartInValue(step_sizes=[1], curvature_steps=[1], W_0=_ONE),),
            corrected="gdpp_layers_precondition_by_their_own_inputs",
        ),
    )


def spectral_instance(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
    """An instance of the spectral recursion, with inputs of which an eigenvector of X X^T is rational."""
    n, d, m = sizes
    prototype = GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1], W_0=_ONE)
    X, v, lam = inputs_with_eigenvector(rng, n, d)
    W_star, x_query = rng.integers(-3, 4, (m, d)), rng.integers(-3, 4, (d, 1))
    prompt = as_prompt((X, W_star @ X, x_query), {"W_star": W_star, "v": v, "lam": lam}, dtype)
    return with_drawn_parameters(prototype, sizes, rng, depth, dtype), prompt

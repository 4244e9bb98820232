"""The theorems of Dai et al. (2022), all derived: the dual form, implicit finetuning, and momentum attention.

The paper's equation numbers are known to us at second hand only and are not given.
"""

from __future__ import annotations

from typing import Any

from constructions.dual_form import BatchTraining, DualForm, ErrorsAtTheStart, FullBatchTraining
from constructions.momentum_attention import MomentumAttention, ValuesAsOuterProducts
from constructions.outer_products import OuterProductMomentum
from constructions.zero_shot import FinetunedAttention, FirstOrderFinetuning, RelaxedAttention
from proofs import linear_loss, momentum_buffers, momentum_sum
from proofs.construction_theorem import ConstructionTheorem
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_PAPER = "Dai et al. 2022"
_ARTICLE = "Dai et al. (2022), arXiv 2212.10559"
_PROJECTIONS: dict[str, Any] = {"W_K": _ONE, "W_Q": _ONE, "W_V": _ONE}


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of this system, and what contradicts a reading of it."""
    return (*_dual_form(), *_implicit_finetuning(), *_momentum())


def _dual_form() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="gradient_trained_linear_layer_is_linear_attention",
            system=_PAPER,
            reference=f"{_ARTICLE}, the dual form of a linear layer; derived for any losses, rates, batches and epochs",
            statement=(
                "A linear layer trained by k steps W <- W + E_s X^T, whatever the errors E_s, is W_k x = W_0 x + sum_i "
                "e_i <x_i, x>: one linear attention layer with keys x_i and values e_i, E = E_1 + ... + E_k; with a "
                "column for every pair (step, sample) E holds their errors side by side."
            ),
            prototype=DualForm(errors=[_ONE], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="batch_training_records_its_errors_in_sequence",
            system="this project",
            reference=f"the dual form of {_ARTICLE}, as a network that trains the layer itself; SGD is a batch of one",
            statement=(
                "k layers record the errors gamma_l (Y - W_l X) B_l of batches B_l, diagonals of 0 and 1 or any "
                "matrices, each evaluated at the weights of its step by linear attention over the errors before it; "
                "one more attention layer over them predicts W_k x, W <- W + gamma_l (Y - W X) B_l X^T."
            ),
            prototype=BatchTraining(batches=[_ONE], rates=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="full_batch_training_is_linear_attention_over_summed_errors",
            system="this project",
            reference=f"the dual form of {_ARTICLE}, as a network without position codes",
            statement=(
                "k layers that add gamma_l (y_i - W_l x_i) to the error slot of every token, and one linear attention "
                "layer over the sums, take k full-batch steps W <- W + gamma_l (Y - W X) X^T from any W_0."
            ),
            prototype=FullBatchTraining(rates=[1], W_0=_ONE),
        ),
        RefutedStatement(
            name="errors_evaluated_at_the_start_are_the_dual_form_is_false",
            system="this project",
            reference=f"a reading of the dual form of {_ARTICLE}: all errors computed in parallel, at W_0",
            statement="Errors evaluated at W_0 in parallel do not train the layer, from the second step on.",
            printed=(ErrorsAtTheStart(batches=[_ONE], rates=[1], W_0=_ONE),),
            corrected="batch_training_records_its_errors_in_sequence",
        ),
    )


def _implicit_finetuning() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="relaxed_attention_is_an_update_of_the_zero_shot_map",
            system=_PAPER,
            reference=f"{_ARTICLE}, in-context learning as implicit finetuning; softmax and scale removed",
            statement=(
                "Attention without softmax and scale over demonstrations X' and query-side tokens X is (W_ZSL + "
                "dW_ICL) q with W_ZSL = W_V X (W_K X)^T and dW_ICL = W_V X' (W_K X')^T = sum_i (W_V x'_i) (W_K x'_i)^T."
            ),
            prototype=RelaxedAttention(**_PROJECTIONS),
            layers=(1,),
        ),
        linear_loss.theorem(),
        ConstructionTheorem(
            name="key_value_finetuning_has_three_terms",
            system=_PAPER,
            reference=f"{_ARTICLE}, finetuning of keys and values, as reported second-hand; derived",
            statement=(
                "Attention without softmax and scale, finetuned to W_V + dW_V and W_K + dW_K, is (W_ZSL + dW_FT) q "
                "with dW_FT = dW_V X X^T W_K^T + W_V X X^T dW_K^T + dW_V X X^T dW_K^T: two first-order terms and a "
                "cross term."
            ),
            prototype=FinetunedAttention(**_PROJECTIONS, dW_K=_ONE, dW_V=_ONE),
            layers=(1,),
        ),
        RefutedStatement(
            name="finetuning_without_its_cross_term_is_false",
            system="this project",
            reference=f"a reading of {_ARTICLE}: dW_FT as the sum of its two first-order terms",
            statement="The two first-order terms are not dW_FT: the cross term dW_V X X^T dW_K^T is missing.",
            printed=(FirstOrderFinetuning(**_PROJECTIONS, dW_K=_ONE, dW_V=_ONE),),
            corrected="key_value_finetuning_has_three_terms",
        ),
    )


def _momentum() -> tuple[Theorem, ...]:
    return (
        momentum_sum.theorem(),
        ConstructionTheorem(
            name="momentum_attention_adds_a_strictly_causal_toeplitz_matrix",
            system=_PAPER,
            reference=f"{_ARTICLE}, momentum-based attention; its additive form is second-hand",
            statement=(
                "Causal softmax attention plus sum_(i < t) eta^(t - i) v_i is two heads, with outputs V (P + H), H_it "
                "= eta^(t - i) for i < t and 0 otherwise: H is a linear head on positions, free of queries and not "
                "normalised."
            ),
            prototype=MomentumAttention(eta=1, **_PROJECTIONS),
            layers=(1,),
            bits=128,
        ),
        ConstructionTheorem(
            name="relaxed_momentum_attention_adds_the_same_matrix",
            system=_PAPER,
            reference=f"{_ARTICLE}, momentum-based attention, with its softmax removed as in the dual form",
            statement=(
                "The same holds of causal linear attention: outputs V (K^T Q o C + H), C the causal mask; it runs in "
                "rationals."
            ),
            prototype=MomentumAttention(eta=1, score="linear", **_PROJECTIONS),
            layers=(1,),
        ),
        momentum_buffers.theorem(),
        ConstructionTheorem(
            name="momentum_on_outer_products_has_a_velocity_slot",
            system="this project",
            reference=f"momentum on the updates of the dual form of {_ARTICLE}",
            statement=(
                "k layers with a velocity slot run D <- mu D + gamma_l y_l x_l^T, W <- W + D on the examples in turn, "
                "from any W_0: momentum on the updates of the dual form is a network, and not momentum attention."
            ),
            prototype=OuterProductMomentum(momentum=1, rates=[1], W_0=_ONE),
        ),
        RefutedStatement(
            name="momentum_attention_is_momentum_on_outer_products_is_false",
            system="this project",
            reference=f"a reading of {_ARTICLE}: momentum attention as gradient descent with momentum; here eta = 1/2",
            statement=(
                "The sum of values that momentum attention adds is not momentum on the outer products v_i k_i^T: at q "
                "= 0 the one is sum_(i < t) eta^(t - i) v_i and the other 0."
            ),
            printed=(ValuesAsOuterProducts(**_PROJECTIONS),),
            corrected="momentum_buffers_weigh_every_inner_product",
        ),
    )

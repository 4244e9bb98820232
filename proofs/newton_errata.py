"""Errata of Fu et al. (2024): what is printed is refuted, and what holds in its place is proved."""

from __future__ import annotations

from constructions.newton_as_printed import (
    PaperNewtonEqualValues,
    PaperNewtonEqualValuesWithQuery,
    PaperNewtonWithQueryClaimedOnGram,
)
from constructions.newton_causal import (
    CausalNewton,
    CausalNewtonReadThroughQuery,
    StableCausalNewton,
    StableCausalNewtonReadThroughQuery,
)
from constructions.newton_with_query import NewtonFromGramWithQuery, PaperNewtonWithQuery
from proofs.construction_theorem import ConstructionTheorem
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_PAPER = "Fu et al. 2024"
_OURS = "this project"


def theorems() -> tuple[Theorem, ...]:
    """Every erratum, the correction beside the printed form."""
    return (*_equal_values(), *_query_among_the_keys(), *_causal())


def _equal_values() -> tuple[Theorem, ...]:
    return (
        RefutedStatement(
            name="relu_heads_of_equal_values_run_newton_as_printed_is_false",
            system=_PAPER,
            reference="Fu et al. (2024), equations (21) and (28), arXiv 2310.17086",
            statement=(
                "As printed, both heads of every ReLU pair have the value V_1. A pair is then |z| in place of z, and "
                "the network of k + 8 layers does not run Newton's iteration, with x_query among the keys or not."
            ),
            printed=(
                PaperNewtonEqualValues(alpha=1, steps=1),
                PaperNewtonEqualValuesWithQuery(alpha=1, steps=1),
            ),
            corrected="interleaved_relu_network_runs_newton_in_k_plus_8_layers",
        ),
    )


def _query_among_the_keys() -> tuple[Theorem, ...]:
    statement = "runs k steps M <- 2 M - M G M from M_0 = alpha G and predicts Y X^T M_k x_query, for the Gram matrix "
    return (
        ConstructionTheorem(
            name="interleaved_network_with_query_among_the_keys_runs_newton_on_s_plus_x_xt",
            system=_OURS,
            reference="Fu et al. (2024), Theorem 5.1 with equation (35) as printed, V_2 = -V_1; the claim is ours",
            statement=(
                f"With x_query in U and X, as printed, the network of k + 8 layers {statement}"
                "G = X X^T + x_query x_query^T: the query counts as an example with the target 0."
            ),
            prototype=PaperNewtonWithQuery(alpha=1, steps=1),
            layers=(0, 1, 2),
        ),
        ConstructionTheorem(
            name="newton_from_gram_without_its_mask_runs_on_s_plus_x_xt",
            system=_OURS,
            reference="the exact error of dropping the mask of newton_from_gram_runs_in_k_plus_2_masked_layers",
            statement=(
                f"Without its mask, the network of k + 2 layers {statement}"
                "G = X X^T + x_query x_query^T in place of X X^T."
            ),
            prototype=NewtonFromGramWithQuery(alpha=1, steps=1),
            layers=(0, 1, 2, 3),
        ),
        RefutedStatement(
            name="query_in_the_unmasked_sums_as_printed_is_false",
            system=_PAPER,
            reference="Fu et al. (2024), equation (35) and the proof of Theorem 5.1",
            statement=(
                "As printed, x_query sits in U and X and no key is masked, yet the iteration is said to be on X X^T. "
                "It is on X X^T + x_query x_query^T."
            ),
            printed=(PaperNewtonWithQueryClaimedOnGram(alpha=1, steps=1),),
            corrected="interleaved_network_with_query_among_the_keys_runs_newton_on_s_plus_x_xt",
        ),
    )


def _causal() -> tuple[Theorem, ...]:
    readings = (
        CausalNewton,
        CausalNewtonReadThroughQuery,
        StableCausalNewton,
        StableCausalNewtonReadThroughQuery,
    )
    return (
        RefutedStatement(
            name="causal_attention_runs_newton_as_printed_is_false",
            system=_PAPER,
            reference="Fu et al. (2024), remark B.6, arXiv 2310.17086",
            statement=(
                "As printed, causal attention with the normaliser 1 / t runs Newton's iteration on X X^T / n as well. "
                "It does not, from two examples on: key j carries the iterate of its own prefix."
            ),
            printed=tuple(reading(alpha=1, steps=1) for reading in readings),
            corrected="newton_from_gram_runs_in_k_plus_2_masked_layers",
        ),
    )

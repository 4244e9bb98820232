"""The theorems of Fu et al. (2024) and their sharper forms: transformers run Newton's iteration."""

from __future__ import annotations

from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked, NewtonFromGramOwnRows, NewtonFromGramUnmasked
from constructions.newton_paper import PaperNewton
from proofs.construction_theorem import ConstructionTheorem
from proofs.theorem import Theorem

_PAPER = "Fu et al. 2024"
_STEP = "M <- 2 M - M X X^T M"
_SHARPER = "this project; sharper than Fu et al. (2024), Theorem 5.1, arXiv 2310.17086, which has k + 8 layers"


def theorems() -> tuple[Theorem, ...]:
    """Newton's iteration: the published network as corrected, then the shallower ones."""
    return (
        ConstructionTheorem(
            name="interleaved_relu_network_runs_newton_in_k_plus_8_layers",
            system=_PAPER,
            reference=(
                "Fu et al. (2024), Theorem 5.1, arXiv 2310.17086, corrected: V_2 = -V_1, x_query in rows of its own"
            ),
            statement=(
                f"The network of k + 8 ReLU layers on x_1, y_1, ..., x_n, y_n, x_query runs k steps {_STEP} from "
                "M_0 = alpha X X^T and predicts y X^T M_k x_query, exactly: position scores, products by squares and "
                "ReLU pairs in place of the printed approximations."
            ),
            prototype=PaperNewton(alpha=1, steps=1),
            layers=(0, 1, 2, 3),
        ),
        *_sharper(relu=False),
        ConstructionTheorem(
            name="newton_from_identity_is_one_looped_layer_and_a_read_out",
            system="this project",
            reference=_SHARPER,
            statement=(
                f"k loops of one layer (attention and a doubling) run {_STEP} from alpha I; one more layer reads out."
            ),
            prototype=NewtonFromIdentity(alpha=1, steps=1, looped=True),
            layers=(0, 1, 2, 3),
        ),
        *_sharper(relu=True),
    )


def _sharper(relu: bool) -> tuple[Theorem, ...]:
    suffix, by = ("_by_relu_pairs", ", each head as two ReLU heads") if relu else ("", "")
    cases = (
        (
            NewtonFromIdentity(alpha=1, steps=1, relu=relu),
            "newton_from_identity_runs_in_k_plus_1_layers",
            "k + 1 attention layers of width 2 d + m, without a mask, run {step} from M_0 = alpha I",
        ),
        (
            NewtonFromGramMasked(alpha=1, steps=1, relu=relu),
            "newton_from_gram_runs_in_k_plus_2_masked_layers",
            "k + 2 attention layers of width 2 d + m, the query masked, run {step} from M_0 = alpha X X^T",
        ),
        (
            NewtonFromGramUnmasked(alpha=1, steps=1, relu=relu),
            "newton_from_gram_runs_in_k_plus_2_unmasked_layers",
            "k + 2 attention layers of width 2 d + 2 m, without a mask, run {step} from M_0 = alpha X X^T",
        ),
        (
            NewtonFromGramOwnRows(alpha=1, steps=1, relu=relu),
            "newton_from_gram_runs_in_k_plus_2_layers_with_own_rows",
            "k + 2 attention layers of width 3 d + m, without a mask, run {step} from M_0 = alpha X X^T",
        ),
    )
    return tuple(
        ConstructionTheorem(
            name=name + suffix,
            system="this project",
            reference=_SHARPER,
            statement=f"{claim.format(step=_STEP)} and predict Y X^T M_k x_query{by}.",
            prototype=prototype,
            layers=(0, 1, 2, 3),
        )
        for prototype, name, claim in cases
    )

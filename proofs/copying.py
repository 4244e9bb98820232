"""The theorems on copying of von Oswald et al. (2023): an interleaved prompt becomes a concatenated one."""

from __future__ import annotations

from constructions.composition import composed
from constructions.copying import NextTokenCopy, TokenMerging
from constructions.copying_as_printed import EveryCodeErased, LowerDiagonalCopy, OneHeadMerging
from constructions.gradient_descent import GradientDescent
from proofs.construction_theorem import ConstructionTheorem
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_PAPER = "von Oswald et al. 2023"

INTERLEAVED_DESCENT = composed(
    TokenMerging(), GradientDescent(step_sizes=[1]), slots={"y": "y2"}, groups={"context": "inputs"}
)
"""Merging the tokens, then gradient descent."""


def theorems() -> tuple[Theorem, ...]:
    """Copying by positions, exactly, with linear heads."""
    return (
        ConstructionTheorem(
            name="position_head_copies_next_token",
            system=_PAPER,
            reference="von Oswald et al. (2023), Proposition 3, arXiv 2212.07677, with U above the diagonal",
            statement=(
                "One linear head with W_K = I, W_Q = U^T on unit vectors as position codes and W_V = [[0, 0], [I, -U]] "
                "turns (c_t | p_t) into (c_t | c_(t+1)) for every t < T; the last token keeps p_T."
            ),
            prototype=NextTokenCopy(),
            layers=(1,),
        ),
        ConstructionTheorem(
            name="two_heads_merge_alternating_prompt",
            system=_PAPER,
            reference="von Oswald et al. (2023), appendix A.5, corrected and for n examples of any sizes d and m",
            statement=(
                "Two linear heads that see positions only turn x_1, y_1, ..., x_n, y_n, x_query into (x_i, y_i), zero "
                "tokens between them, and (x_query, 0)."
            ),
            prototype=TokenMerging(),
            layers=(1,),
        ),
        ConstructionTheorem(
            name="interleaved_prompt_takes_gradient_steps",
            system=_PAPER,
            reference="von Oswald et al. (2023), Proposition 3 with Proposition 1, composed; any number of layers",
            statement=(
                "The merging layer, then k linear layers, take k gradient steps from W_0 = 0 on the interleaved prompt "
                "x_1, y_1, ..., x_n, y_n, x_query."
            ),
            prototype=INTERLEAVED_DESCENT,
        ),
        RefutedStatement(
            name="copying_with_a_lower_diagonal_matrix_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), appendix A.5",
            statement=(
                "As printed, U has its ones below the diagonal. In the printed block columns the head then copies the "
                "token before, not the next one."
            ),
            printed=(LowerDiagonalCopy(),),
            corrected="position_head_copies_next_token",
        ),
        RefutedStatement(
            name="copying_into_every_token_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), Proposition 3",
            statement=(
                "As printed, every token's position code gives way to the content of the next token. The last token "
                "has none, and keeps its position code: the slot that is read as its target is not zero."
            ),
            printed=(EveryCodeErased(),),
            corrected="position_head_copies_next_token",
        ),
        RefutedStatement(
            name="merging_by_one_head_as_printed_is_false",
            system=_PAPER,
            reference="von Oswald et al. (2023), Proposition 3",
            statement=(
                "As printed, one head merges the prompt. It leaves the target tokens as they are; the second head of "
                "appendix A.5 is needed to empty them."
            ),
            printed=(OneHeadMerging(),),
            corrected="two_heads_merge_alternating_prompt",
        ),
    )

"""The constructive theorems of Ahn et al. (2023): a stack of (P, Q) layers takes preconditioned gradient steps."""

from __future__ import annotations

from typing import Any

from constructions.as_printed import UntransposedPreconditioner
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from proofs.construction_theorem import ConstructionTheorem
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_PAPER = "Ahn et al. 2023"


def theorems() -> tuple[Theorem, ...]:
    """Every constructive theorem of this system, corrections beside the printed forms."""
    return (
        ConstructionTheorem(
            name="attention_stack_takes_preconditioned_gradient_steps",
            system=_PAPER,
            reference="Ahn et al. (2023), Lemma 1, arXiv 2306.00297, with the transpose; any W_0 and number of targets",
            statement=(
                "k layers P = [[0, 0], [0, I]], Q_l = -[[A_l, 0], [0, 0]] take k steps w <- w - A_l^T (S w - v), "
                "S = X X^T / n, "
                "v = X y^T / n, for every A_l, symmetric or not; the labels hold the residuals."
            ),
            prototype=PreconditionedDescent(preconditioners=[_ONE], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="relaxed_attention_stack_moves_the_inputs_as_well",
            system=_PAPER,
            reference=(
                "Ahn et al. (2023), equation (11) (with its sign: no minus in Q); the recursion is this project's"
            ),
            statement=(
                "k layers P_l = [[B_l, 0], [0, I]], Q_l = [[A_l, 0], [0, 0]] run W <- W + (1/n) (W X - Y) X^T "
                "F^T A_l F and "
                "F <- F + (1/n) B_l F X X^T F^T A_l F from F = I; the inputs are F x, the labels the residuals."
            ),
            prototype=RelaxedPreconditionedDescent(preconditioners=[_ONE], input_maps=[_ONE], W_0=_ONE),
        ),
        RefutedStatement(
            name="preconditioner_without_transpose_as_printed_is_false",
            system=_PAPER,
            reference="Ahn et al. (2023), Lemma 1",
            statement=(
                "As printed, the preconditioner of a step is A_l. It is A_l^T, which differs unless A_l is symmetric."
            ),
            printed=(UntransposedPreconditioner(preconditioners=[_ONE]),),
            corrected="attention_stack_takes_preconditioned_gradient_steps",
        ),
    )

"""What a stack of (P, Q) layers does on any prompt: its error, a label in the query's slot, and changes of basis."""

from __future__ import annotations

from typing import Any

import numpy as np

from constructions.change_of_basis import ChangedBasis
from constructions.stack_error import QueryWithLabel, RelaxedStackError, StackError
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.teachers import as_prompt, labels
from proofs.construction_theorem import ConstructionTheorem, with_drawn_parameters
from proofs.theorem import Theorem

PAPER = "Ahn et al. 2023"
ONE: Any = [[1]]
"""Stands for any matrix: a proof leaves it free, an instance redraws it."""

STACK_ERROR = StackError(preconditioners=[ONE])
RELAXED_STACK_ERROR = RelaxedStackError(preconditioners=[ONE], input_maps=[ONE])
CHANGED_BASIS = ChangedBasis(preconditioners=[ONE], input_maps=[ONE], basis=ONE)


def theorems() -> tuple[Theorem, ...]:
    """The exact error, the additive query label, and the change of basis."""
    return (
        ConstructionTheorem(
            name="attention_stack_error_is_a_matrix_product",
            system=PAPER,
            reference=(
                "Ahn et al. (2023), Lemma 1, arXiv 2306.00297, continued by this project to the error; every "
                "least-squares solution w*, so that y may be noisy"
            ),
            statement=(
                "The k layers P = [[0, 0], [0, I]], Q_l = -[[A_l, 0], [0, 0]] predict w*^T (I - J) x, J = (I - S A_0) "
                "... (I - S A_(k-1)), S = X X^T / n, for all A_l and every w* with X y = X X^T w*: the error is w*^T J "
                "x."
            ),
            prototype=STACK_ERROR,
            draw=_drawn(STACK_ERROR),
        ),
        ConstructionTheorem(
            name="relaxed_stack_error_is_a_matrix_recursion",
            system=PAPER,
            reference="Ahn et al. (2023), equation (11), arXiv 2306.00297; the recursion is this project's",
            statement=(
                "The k layers P_l = [[B_l, 0], [0, I]], Q_l = [[A_l, 0], [0, 0]] predict w*^T (I - J) x with J <- J + "
                "J S F^T A_l F and F <- F + B_l F S F^T A_l F from J = F = I, for all A_l, B_l and every w* with X y = "
                "X X^T w*: the error is w*^T J x."
            ),
            prototype=RELAXED_STACK_ERROR,
            draw=_drawn(RELAXED_STACK_ERROR),
        ),
        ConstructionTheorem(
            name="query_label_enters_additively",
            system=PAPER,
            reference="Ahn et al. (2023), Lemmas 5 and 6, arXiv 2306.00297; any W_0 and number of targets",
            statement=(
                "A label t in the query's slot in place of 0 adds t to what the slot ends with, for all P_l = [[B_l, "
                "0], [0, I]], Q_l = [[A_l, 0], [0, 0]] and on every prompt; with t = w*^T x it ends with the error."
            ),
            prototype=QueryWithLabel(preconditioners=[ONE], input_maps=[ONE], W_0=ONE),
        ),
        ConstructionTheorem(
            name="changing_the_basis_of_the_inputs_transforms_the_weights",
            system=PAPER,
            reference=(
                "the symmetry in the proofs of Theorems 3 and 4 of Ahn et al. (2023), arXiv 2306.00297; for every "
                "invertible T, on every prompt and for any depth this project's"
            ),
            statement=(
                "The stack P_l = [[T B_l T^-1, 0], [0, I]], Q_l = [[T^-T A_l T^-1, 0], [0, 0]] on the inputs T x has, "
                "label for label and layer for layer, the labels of P_l = [[B_l, 0], [0, I]], Q_l = [[A_l, 0], [0, 0]] "
                "on the inputs x, for every invertible T. So the population loss is the same wherever T x, T^-T w and "
                "x, w have one law."
            ),
            prototype=CHANGED_BASIS,
        ),
    )


def _drawn(prototype: Any) -> Any:
    """Draws noisy labels with a known least-squares solution."""

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, d, m = sizes
        X, W_star, x_query = (rng.integers(-3, 4, shape) for shape in ((d, n), (m, d), (d, 1)))
        prompt = as_prompt((X, labels(rng, X, W_star), x_query), {"W_star": W_star}, dtype)
        return with_drawn_parameters(prototype, sizes, rng, depth, dtype), prompt

    return draw

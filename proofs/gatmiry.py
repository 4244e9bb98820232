"""The constructive theorems about the looped transformer of Gatmiry et al. (2024): preconditioned gradient steps.

Their model is known to us second-hand; what is claimed here is proved of that model, whoever stated it first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from constructions.looped import LoopedTransformer, UnmaskedLoopedTransformer
from constructions.looped_error import LoopedClosedForm, LoopedSpectrum
from constructions.whitening import TransformedPrompt
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.teachers import as_prompt, inputs_with_eigenvector, labels
from proofs.construction_theorem import ConstructionTheorem, with_drawn_parameters
from proofs.theorem import Theorem

_ONE: Any = [[1]]
"""Stands for any matrix: a proof leaves it free, an instance redraws it."""

_PAPER = "Gatmiry et al. 2024"
_MODEL = "the model of Gatmiry et al. (2024), arXiv 2410.08292, as reported second-hand"
_LOOPS = (0, 1, 2, 3)


def theorems() -> tuple[Theorem, ...]:
    """The looped transformer: its steps, its error, and what moves with the prompt."""
    return (*_steps(), *_error(), *_prompt())


def _steps() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="looped_transformer_takes_preconditioned_gradient_steps",
            system=_PAPER,
            reference=f"{_MODEL}; the proof is this project's, for any Y, A and number of targets",
            statement=(
                "One layer Q = [[A, 0], [0, 0]], P = [[0, 0], [0, 1]], Z <- Z - (1/n) P Z M Z^T Q Z, looped L times, "
                "takes L steps w <- w - A^T (1/n) X (X^T w - y) from 0, for every A, symmetric or not; the labels hold "
                "the residuals, the query -w^T x."
            ),
            prototype=LoopedTransformer(preconditioner=_ONE, loops=1),
            layers=_LOOPS,
        ),
        ConstructionTheorem(
            name="label_shift_moves_the_labels_that_the_loops_fit",
            system=_PAPER,
            reference=f"{_MODEL}; this form, without a teacher, is this project's",
            statement=(
                "With u in P = [[0, 0], [u^T, 1]] the loops take the steps w <- w - A^T (1/n) X (X^T w - (y + X^T u)): "
                "they fit the labels y + X^T u, while the labels that they carry are the residuals of y."
            ),
            prototype=LoopedTransformer(preconditioner=_ONE, loops=1, shift=_ONE),
            layers=_LOOPS,
        ),
    )


def _error() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="looped_prediction_is_a_matrix_power",
            system=_PAPER,
            reference=f"{_MODEL}; stated here for every least-squares solution w*, so that y may be noisy",
            statement=(
                "After t loops the prediction is w*^T (I - (I - S A)^t) x, S = X X^T / n, for every w* with X y = X "
                "X^T w* (a noiseless teacher is one): on any prompt the error is w*^T (I - S A)^t x."
            ),
            prototype=LoopedClosedForm(preconditioner=_ONE, loops=1),
            layers=_LOOPS,
            draw=_with_teacher(shifted=False),
        ),
        ConstructionTheorem(
            name="label_shift_enters_additively",
            system=_PAPER,
            reference=f"{_MODEL}; stated here for every least-squares solution w*, so that y may be noisy",
            statement=(
                "With u in P the prediction after t loops is (w* + u)^T (I - (I - S A)^t) x, so that u adds u^T (I - "
                "(I - S A)^t) x, which does not depend on the labels, for every w* with X y = X X^T w*."
            ),
            prototype=LoopedClosedForm(preconditioner=_ONE, loops=1, shift=_ONE),
            layers=_LOOPS,
            draw=_with_teacher(shifted=True),
        ),
        ConstructionTheorem(
            name="looped_transformer_contracts_out_of_distribution",
            system="this project",
            reference=f"for {_MODEL}: the exact rate on any prompt, in or out of distribution",
            statement=(
                "If S A v = lam v, t loops multiply the error (w* - w)^T v by (1 - lam)^t exactly, on every prompt and "
                "for every A: one that is not 0 goes to 0 if 0 < lam < 2, stays if lam = 0, alternates if lam = 2, and "
                "grows without bound if lam < 0 or lam > 2."
            ),
            prototype=LoopedSpectrum(preconditioner=_ONE, loops=1),
            layers=_LOOPS,
            draw=_with_eigenvector,
        ),
    )


def _prompt() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="whitening_the_prompt_transforms_the_preconditioner",
            system=_PAPER,
            reference=f"{_MODEL}: the algebra of the reduction to identity covariance, for every invertible T",
            statement=(
                "The network (T^-T A T^-1, T^-T u) on the inputs T x has, label for label and loop for loop, the "
                "labels of the network (A, u) on the inputs x, for every invertible T; for T = Sigma^(-1/2) the new A "
                "is Sigma^(1/2) A Sigma^(1/2)."
            ),
            prototype=TransformedPrompt(preconditioner=_ONE, transform=_ONE, loops=1, shift=_ONE),
            layers=_LOOPS,
        ),
        ConstructionTheorem(
            name="unmasked_loop_takes_the_query_for_an_example",
            system="this project",
            reference=f"the exact error of dropping the mask in {_MODEL}",
            statement=(
                "With the query among the keys the loops run w <- w - A^T (1/n) (X (X^T w - y - X^T u) + x x^T (w - "
                "u)): without u the first loop from 0 is as with the mask, the second is not."
            ),
            prototype=UnmaskedLoopedTransformer(preconditioner=_ONE, loops=1, shift=_ONE),
            layers=_LOOPS,
        ),
    )


def _with_teacher(shifted: bool) -> Any:
    """Draws noisy labels with a known least-squares solution."""
    prototype = LoopedClosedForm(preconditioner=_ONE, loops=1, shift=_ONE if shifted else None)

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, d, m = sizes
        X, W_star, x_query = (rng.integers(-3, 4, shape) for shape in ((d, n), (m, d), (d, 1)))
        prompt = as_prompt((X, labels(rng, X, W_star), x_query), {"W_star": W_star}, dtype)
        return with_drawn_parameters(prototype, sizes, rng, depth, dtype), prompt

    return draw


def _with_eigenvector(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
    """Draws an eigenvector v of X X^T, and A = (c I + v^T v R - R v v^T) / 4 with a random R: A v = (c / 4) v."""
    n, d, m = sizes
    X, v, lam = inputs_with_eigenvector(rng, n, d)
    W_star, x_query, R = (rng.integers(-3, 4, shape) for shape in ((m, d), (d, 1), (d, d)))
    c = 4 * int(rng.integers(1, 3)) * int(rng.choice([-1, 1]))
    A = c * np.eye(d, dtype=int) + int((v.T @ v)[0, 0]) * R - R @ v @ v.T
    extras = {"W_star": W_star, "v": v, "lam": lam * (c // 4)}
    quarters = [[Fraction(int(value), 4) for value in row] for row in A] if dtype is None else (A / 4).astype(dtype)
    prompt = as_prompt((X, labels(rng, X, W_star), x_query), extras, dtype)
    return LoopedSpectrum(preconditioner=quarters, loops=depth), prompt

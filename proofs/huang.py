"""The constructive theorems about the chain of thought of Huang et al. (2025): generated tokens hold gradient iterates.

Their model and weights are known to us second-hand; what is claimed here is proved of them, whoever stated it first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from constructions.chain_of_thought import ChainOfThought, PreconditionedChainOfThought
from constructions.chain_of_thought_error import ChainOfThoughtClosedForm, ChainOfThoughtSpectrum
from constructions.construction import Construction
from constructions.parameters import parameters
from constructions.without_chain_of_thought import OneForwardPass
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.teachers import Integers, as_prompt, inputs_with_eigenvector, labels
from proofs.construction_theorem import ConstructionTheorem, with_drawn_parameters
from proofs.theorem import Theorem

_ONE: Any = [[1]]
"""Stands for any matrix: a proof leaves it free, an instance redraws it."""

_PAPER = "Huang et al. 2025"
_MODEL = "the model of Huang et al. (2025), arXiv 2502.21212, as reported second-hand"
_TOKENS = (0, 1, 2, 3)


def theorems() -> tuple[Theorem, ...]:
    """Chain of thought: what is generated, with which error, and what one forward pass does without it."""
    return (*_generated(), *_error(), _without())


def _generated() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="chain_of_thought_generates_gradient_descent_iterates",
            system=_PAPER,
            reference=f"{_MODEL}; the proof is this project's, for arbitrary y and w_0",
            statement=(
                "One linear attention layer with V_31 = -eta I, W_13 = I, W_24 = -1 and no other block generates the "
                "tokens (0, 0, w_i, 1), w <- w - (eta/n) X (X^T w - y), from the last token (0, 0, w_0, 1): after l "
                "tokens the prompt is Z_0 with w_1, ..., w_l appended, and nothing is rewritten."
            ),
            prototype=ChainOfThought(eta=1, tokens=1, w_0=_ONE),
            layers=_TOKENS,
        ),
        ConstructionTheorem(
            name="preconditioned_chain_of_thought_generates_preconditioned_iterates",
            system=_PAPER,
            reference=f"{_MODEL}; for every matrix Gamma, symmetric or not",
            statement=(
                "With V_31 = -Gamma, any d x d matrix, the generated tokens hold w <- w - Gamma (1/n) X (X^T w - y)."
            ),
            prototype=PreconditionedChainOfThought(preconditioner=_ONE, tokens=1, w_0=_ONE),
            layers=_TOKENS,
        ),
    )


def _error() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="chain_of_thought_error_is_a_matrix_power",
            system=_PAPER,
            reference=f"{_MODEL}; stated here for every least-squares solution w*, so that y may be noisy",
            statement=(
                "Generated token k holds w* + (I - eta S)^k (w_0 - w*), S = X X^T / n, on any prompt and for every w* "
                "with X y = X X^T w* (a noiseless teacher is one)."
            ),
            prototype=ChainOfThoughtClosedForm(eta=1, tokens=1, w_0=_ONE),
            layers=_TOKENS,
            draw=_draw(ChainOfThoughtClosedForm(eta=1, tokens=1, w_0=_ONE), _any_inputs),
        ),
        ConstructionTheorem(
            name="chain_of_thought_contracts_out_of_distribution",
            system="this project",
            reference=f"for {_MODEL}: the exact rate on any prompt, in or out of distribution",
            statement=(
                "If S v = lam v, k tokens multiply the error v^T (w - w*) by (1 - eta lam)^k exactly, on every prompt: "
                "one that is not 0 goes to 0 if 0 < eta lam < 2, stays if eta lam = 0, alternates if eta lam = 2, and "
                "grows without bound if eta lam < 0 or eta lam > 2."
            ),
            prototype=ChainOfThoughtSpectrum(eta=1, tokens=1, w_0=_ONE),
            layers=_TOKENS,
            draw=_draw(ChainOfThoughtSpectrum(eta=1, tokens=1, w_0=_ONE), _eigenvector_inputs),
        ),
    )


def _without() -> Theorem:
    return ConstructionTheorem(
        name="output_without_chain_of_thought_splits_by_parity",
        system="this project",
        reference=f"for {_MODEL}; all 32 blocks of V and W free, y arbitrary",
        statement=(
            "For all V and W, one forward pass from w_0 = 0 predicts M X y / n + (V_31 S W_14 + V_32 W_24 |y|^2 / n + "
            "V_34 W_44 / n), M = W_24 V_31 + V_32 W_14^T: a part odd in y, which is one preconditioned gradient step, "
            "and a part even in y."
        ),
        prototype=OneForwardPass(**dict.fromkeys(parameters(OneForwardPass), _ONE)),
        layers=(1,),
    )


def _any_inputs(rng: np.random.Generator, n: int, d: int) -> tuple[Integers, dict[str, Integers]]:
    return rng.integers(-3, 4, (d, n)), {}


def _eigenvector_inputs(rng: np.random.Generator, n: int, d: int) -> tuple[Integers, dict[str, Integers]]:
    X, v, lam = inputs_with_eigenvector(rng, n, d)
    return X, {"v": v, "lam": lam}


def _draw(
    prototype: Construction,
    inputs: Callable[[np.random.Generator, int, int], tuple[Integers, dict[str, Integers]]],
) -> Callable[[np.random.Generator, Sizes, int, Any], Instance]:
    """Draws noisy labels with a known least-squares solution."""

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        X, extras = inputs(rng, sizes.n, sizes.d)
        w_star, x_query = rng.integers(-3, 4, (sizes.d, 1)), rng.integers(-3, 4, (sizes.d, 1))
        prompt = as_prompt((X, labels(rng, X, w_star.T), x_query), {"w_star": w_star, **extras}, dtype)
        return with_drawn_parameters(prototype, sizes, rng, depth, dtype), prompt

    return draw

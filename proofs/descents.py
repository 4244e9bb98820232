"""Descent methods beyond gradient descent: momentum, weight decay and online steps, each in the slots that it needs."""

from __future__ import annotations

from typing import Any

from constructions.heavy_ball import HeavyBall, NesterovDescent, TwoMemories
from constructions.online import OnlineDescent
from constructions.parameters import Repeated
from constructions.ridge import (
    RidgeDescent,
    RidgeWithTheSignOfTheDemo,
    ShrunkAfterTheStep,
    ShrunkBeforeTheStep,
)
from proofs import ridge_slots
from proofs.construction_theorem import ConstructionTheorem
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_OURS = "this project"


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of this kind."""
    return (*_momentum(), *_ridge(), *_online())


def _momentum() -> tuple[Theorem, ...]:
    reference = "this project; the slots are those of von Oswald et al. (2023), Proposition 1, and a velocity"
    return (
        ConstructionTheorem(
            name="velocity_slot_runs_heavy_ball",
            system=_OURS,
            reference=reference,
            statement=(
                "k linear attention layers on tokens (x, y, v) run W <- W + V, V <- beta_l V - (eta_l/n) (W X - Y) X^T "
                "from any W_0 and V = 0: v <- beta v, the head of gradient descent adds its step to v, y <- y - v."
            ),
            prototype=HeavyBall(step_sizes=[1], momenta=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="heavy_ball_is_one_looped_layer",
            system=_OURS,
            reference=reference,
            statement="One such layer, looped k times, runs k steps of heavy ball with one eta and one beta.",
            prototype=HeavyBall(step_sizes=Repeated(1, 1), momenta=Repeated(1, 1), W_0=_ONE),
        ),
        ConstructionTheorem(
            name="velocity_slot_runs_nesterov",
            system=_OURS,
            reference=reference,
            statement=(
                "With y <- y - v before the attention, whose step goes to v and to -y, k layers run Nesterov's method: "
                "W <- W + V, V <- beta_l V - (eta_l/n) ((W + beta_l V) X - Y) X^T."
            ),
            prototype=NesterovDescent(step_sizes=[1], momenta=[1], W_0=_ONE),
        ),
        ConstructionTheorem(
            name="two_velocity_slots_run_two_step_momentum",
            system=_OURS,
            reference=reference,
            statement=(
                "With a second velocity slot k layers run W <- W + V, V <- beta_l V + kappa_l U - (eta_l/n) (W X - Y) "
                "X^T, U the V before: momentum over two steps."
            ),
            prototype=TwoMemories(step_sizes=[1], momenta=[1], older_momenta=[1], W_0=_ONE),
        ),
    )


def _ridge() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="prediction_slot_runs_ridge_descent",
            system=_OURS,
            reference="this project; von Oswald et al. (2023) leave weight decay open",
            statement=(
                "k layers on tokens (x, p, g, y), p = W x, take k gradient steps on |W X - Y|^2 / 2n + (lam/2) |W|^2 "
                "from any W_0, every step with its own eta and lam: attention makes the step g, and p <- (1 - eta lam) "
                "p + g."
            ),
            prototype=RidgeDescent(step_sizes=[1], decays=[1], W_0=_ONE),
        ),
        ridge_slots.theorem(),
        RefutedStatement(
            name="shrinking_the_y_rows_is_weight_decay_is_false",
            system=_OURS,
            reference="this project: y <- (1 - eta lam) y after or before the step, in the slots (x, y)",
            statement=(
                "Shrinking the y rows of gradient descent by 1 - eta lam is not weight decay: it shrinks the targets "
                "as well."
            ),
            printed=(
                ShrunkAfterTheStep(step_sizes=[1], decays=[1]),
                ShrunkBeforeTheStep(step_sizes=[1], decays=[1]),
            ),
            corrected="prediction_slot_runs_ridge_descent",
        ),
        RefutedStatement(
            name="weight_decay_with_the_sign_of_the_demo_is_false",
            system="von Oswald et al. 2023",
            reference="von Oswald et al. (2023), released code: the stand-alone demo, where the decay is 0 and unused",
            statement=(
                "As coded, weight decay subtracts lam W from the gradient. That is ascent on (lam/2) |W|^2; the sign "
                "is plus."
            ),
            printed=(RidgeWithTheSignOfTheDemo(step_sizes=[1], decays=[1], W_0=_ONE),),
            corrected="prediction_slot_runs_ridge_descent",
        ),
    )


def _online() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="position_codes_run_online_gradient_descent",
            system=_OURS,
            reference="this project; the rule of Widrow and Hoff (1960)",
            statement=(
                "k layers take k online steps W <- W - eta_l (W x_l - y_l) x_l^T, one example each, in turn, for any k "
                "and n and from any W_0: one head copies example l to every token by its position code, and the mean "
                "over equal keys is the step."
            ),
            prototype=OnlineDescent(step_sizes=[1], W_0=_ONE),
        ),
    )

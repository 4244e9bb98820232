"""Settings of a training run: network, tasks, loss and optimiser, and those that the papers print.

Symbols: k layers, B prompts of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from numerics.adam import Adam
from numerics.tasks import AHN_ANISOTROPIC, VON_OSWALD, LinearTask, generator
from numerics.trainable_networks import ARCHITECTURES, Draw, normal, truncated_fan_in

OPTIMISERS = ("adam", "l-bfgs")
OBJECTIVES = ("sampled", "population")
INITIAL_LAWS = {"truncated": truncated_fan_in, "normal": normal}


@dataclass(frozen=True)
class TrainingSettings:
    """All that a run depends on: the same settings give the same run.

    Args:
        architecture: of ``numerics.trainable_networks.ARCHITECTURES``.
        layers: k >= 1.
        looped: whether all layers share one weight set (recurrent), or each has its own (untied).
        task: the law of the tasks.
        steps: how many the optimiser takes, >= 1; of L-BFGS at most so many.
        batch: B >= 1, the tasks of a step; L-BFGS has these tasks throughout.
        refresh: after how many steps of Adam fresh tasks are drawn, >= 1.
        objective: "sampled" for the mean over a batch, "population" for the exact expectation, of one layer.
        optimiser: "adam" or "l-bfgs".
        adam: how Adam steps.
        initial_law: "truncated" for a fan-in law of this scale, "normal" for entries of this standard deviation.
        initial_scale: > 0; from large weights training may end in a spurious local minimum.
        factor: of the squared error in the loss, > 0.
        give_up_at: a run whose loss exceeds so many times that of predicting zero has diverged, > 1.
        seed: of the initial weights and of all tasks, >= 0.
        device: "cpu", or "cuda".

    Raises:
        TypeError: for a count that is no int.
        ValueError: for a value out of its range.
    """

    architecture: str = "lsa"
    layers: int = 1
    looped: bool = True
    task: LinearTask = VON_OSWALD
    steps: int = 5000
    batch: int = 2048
    refresh: int = 1
    objective: str = "sampled"
    optimiser: str = "adam"
    adam: Adam = field(default_factory=Adam)
    initial_law: str = "truncated"
    initial_scale: float = 0.002
    factor: float = 0.5
    give_up_at: float = 1e6
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("layers", "steps", "batch", "refresh"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int):
                raise TypeError(f"{name} must be an int, but {count!r} came")
            if count < 1:
                raise ValueError(f"{name} = {count}: it must be at least 1")
        for name, known in (
            ("architecture", tuple(ARCHITECTURES)),
            ("objective", OBJECTIVES),
            ("optimiser", OPTIMISERS),
            ("initial_law", tuple(INITIAL_LAWS)),
            ("device", ("cpu", "cuda")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} = {getattr(self, name)!r}: it must be one of {', '.join(known)}")
        for name, least in (("initial_scale", 0), ("factor", 0), ("give_up_at", 1)):
            if not least < getattr(self, name) < math.inf:
                raise ValueError(f"{name} = {getattr(self, name)}: it must be finite and above {least}")
        if self.objective == "population" and (self.layers != 1 or self.task.m != 1):
            raise ValueError(
                f"the population loss is that of one layer and one target, but layers = {self.layers} and m = "
                f"{self.task.m} came: train on sampled tasks"
            )
        generator(self.seed)

    @property
    def draw(self) -> Draw:
        """The law of the initial matrices."""
        return INITIAL_LAWS[self.initial_law](self.initial_scale)

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON holds them."""
        return {**asdict(self), "task": {**asdict(self.task), "dtype": np.dtype(self.task.dtype).name}}

    @classmethod
    def of_json(cls, held: Mapping[str, Any]) -> TrainingSettings:
        """The settings from their JSON.

        Raises:
            ValueError: if a setting is missing or unknown.
        """
        if set(held) != (expected := {each.name for each in fields(cls)}):
            differing = ", ".join(sorted(expected ^ set(held)))
            raise ValueError(f"these settings of a training run are missing or unknown: {differing}")
        return cls(**{**held, "task": LinearTask(**held["task"]), "adam": Adam(**held["adam"])})


def von_oswald(layers: int = 1, looped: bool = True, **changes: Any) -> TrainingSettings:
    """The setting of von Oswald et al. (2023) for linear self-attention, as the authors' code has it.

    AdamW without weight decay, b = (.9, .98), step size 1e-3 (5e-4 for k > 3), batch 2048 of fresh tasks, the global
    norm of the gradient clipped at 1e-3 for k <= 2 and at 10 beyond; 5000 steps looped, 50000 untied; initial weights
    truncated normal of variance 0.002 / (k fan-in). The text prints b_2 = .999, clip 10 and std 0.002 / k instead. For
    k > 3 the code also clips the tokens to [-10, 10], which no network here does.

    Args:
        layers, looped: of the network; one layer is looped.
        changes: other fields of ``TrainingSettings``.
    """
    settings = TrainingSettings(
        layers=layers,
        looped=looped,
        steps=5000 if looped or layers == 1 else 50000,
        adam=Adam(1e-3 if layers <= 3 else 5e-4, (0.9, 0.98), clip=1e-3 if layers <= 2 else 10.0),
        initial_scale=0.002 / max(layers, 1),
    )
    return replace(settings, **changes)


def ahn(layers: int = 3, moves_inputs: bool = False, **changes: Any) -> TrainingSettings:
    """The setting of Ahn et al. (2023), section 4.3, or 5.1 if the inputs move: untied layers, skewed covariance.

    Adam, b = (.99, .9), step size .02 halved every 2000 steps (.1, every 4000, if the inputs move), batch 20000 drawn
    anew every 100 steps, the norm of each matrix' gradient clipped at .01; 30000 steps; initial weights N(0, 1e-8).
    Step sizes, betas and initial weights are those of the authors' code for section 4.3; for section 5.1 it is
    unconfirmed that betas and clip are the same. The paper's covariance is rotated, the task here in its eigenbasis.

    Args:
        layers: k.
        moves_inputs: whether to train B_l beside A_l.
        changes: other fields of ``TrainingSettings``.
    """
    settings = TrainingSettings(
        architecture="gdpp" if moves_inputs else "preconditioned",
        layers=layers,
        looped=False,
        task=AHN_ANISOTROPIC,
        steps=30000,
        batch=20000,
        refresh=100,
        adam=Adam(
            0.1 if moves_inputs else 0.02,
            (0.99, 0.9),
            clip=0.01,
            clip_each=True,
            halve_every=4000 if moves_inputs else 2000,
        ),
        initial_law="normal",
        initial_scale=1e-4,
        factor=1.0,
    )
    return replace(settings, **changes)

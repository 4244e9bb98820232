"""Pictures of trained networks beside what theory expects of them: curves, weights, interpolation.

Symbols: n context tokens, d features; M = W_K^T W_Q and B = P W_V of a layer (with any factor such as 1 / n).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from numerics.alignment import Alignment, alignment, mean_loss
from numerics.distribution_shift import losses_by_input_scale
from numerics.linear_layers import LinearLayers, interpolated, linear_layers, rescaled
from numerics.tasks import Sampled
from numerics.training import train
from numerics.training_outcome import Outcome, outcome
from numerics.training_run import TrainingRun
from numerics.training_settings import TrainingSettings, von_oswald
from proofs.picture import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, Drawing, Picture, new_figure, with_error_bars

STEPS = 1500
"""Of the run that is trained where none is given; enough for one layer."""

MEASURED = 24
"""How often a training is measured, at steps that grow geometrically."""


def training_picture(drawing: Drawing) -> Any:
    """The loss of a training by its steps, and the alignment of the network with the expected algorithm."""
    settings = settings_of(drawing)
    expected = outcome(TrainingRun.begun(settings), drawing.tasks)
    tasks = validation(settings, drawing)
    steps = set(np.geomspace(1, settings.steps, MEASURED).astype(int).tolist())
    found: dict[int, Alignment] = {}

    def watch(run: TrainingRun) -> None:
        if run.step in steps:
            found[run.step] = alignment(run.predict, expected.network, tasks)

    run = train(TrainingRun.begun(settings), watch)
    figure, (losses, distances) = new_figure(
        2,
        f"Training {_network(settings)}: loss, and distance to {expected.reference}",
        f"Left, line: the training loss of each step ({settings.optimiser}, batches of {settings.batch}); points: "
        f"the loss on {drawing.tasks} other tasks (bars: 2 standard errors). Right: on the same tasks, as von Oswald "
        f"et al. (2023) measure it. {_task(settings)}, seed {settings.seed}; {run.stopped} after {run.step} steps.",
        width=5.0,
    )
    factor = 0.5 / settings.factor
    taken = np.arange(1, len(run.losses) + 1)
    losses.plot(taken, factor * np.array(run.losses), color=BLUE, linewidth=0.8, alpha=0.6, label="training loss")
    measured = sorted(found)
    with_error_bars(
        losses, measured, [found[step].loss for step in measured], fmt="o", markersize=4, color=BLUE,
        label="other tasks",
    )  # fmt: skip
    losses.axhline(least_loss(expected), color=BLACK, linewidth=1, linestyle="--", label=_least_label(expected))
    losses.set_ylabel("loss, (1/2) E |prediction - target|^2")
    losses.set_ylim(bottom=0)
    for label, values, colour, style in (
        ("1 - cosine of the sensitivities", [1 - found[step].cosine.mean for step in measured], RED, "o-"),
        ("model difference |G - G'|", [found[step].model_difference.mean for step in measured], GREEN, "s--"),
        ("prediction difference", [found[step].prediction_difference.mean for step in measured], PURPLE, "^-."),
    ):
        distances.plot(measured, values, style, color=colour, markersize=4, label=label)
    distances.set_yscale("log")
    distances.set_ylabel(f"distance to {expected.reference}")
    for axis in (losses, distances):
        axis.set_xscale("log")
        axis.set_xlabel("steps of the optimiser")
        axis.legend(fontsize=9)
    return figure


def weights_picture(drawing: Drawing) -> Any:
    """The matrices M and B of a trained layer beside those of the expected algorithm."""
    run = run_of(drawing)
    settings, expected = run.settings, outcome(run, drawing.tasks)
    trained, like = layers_of(run, expected)
    which = "its layer" if settings.looped or settings.layers == 1 else f"layer 1 of {settings.layers}"
    figure, axes = new_figure(
        4,
        f"The weights of {_network(settings)} beside {expected.reference}",
        f"M = W_K^T W_Q and B = P W_V of {which}, by the slots of a token (x; y). Rescaled to (M / b, b B), the same "
        "network, with b the mean of the first d diagonal entries of M over that of theory. Sensitivity cosine "
        f"{expected.alignment.cosine} on {drawing.tasks} tasks. {_task(settings)}, seed {settings.seed}; "
        f"trained {run.step} steps of {settings.optimiser} on batches of {settings.batch}.",
        width=3.1,
        height=4.0,
    )
    d, m = settings.task.d, settings.task.m
    slots = [(d - 1) / 2, d + (m - 1) / 2], ["x", "y"]
    for pair, name in ((axes[:2], "M"), (axes[2:], "B")):
        matrices = [getattr(each, name)[0] for each in (trained, like)]
        largest = max(float(np.abs(matrix).max()) for matrix in matrices)
        for axis, matrix, whose in zip(pair, matrices, ("trained", "theory"), strict=True):
            image = axis.imshow(matrix, cmap="PuOr", vmin=-largest, vmax=largest)
            axis.set_title(f"{name}, {whose}", fontsize=10)
            axis.set_xlabel("from slot" if name == "B" else "query slot")
            axis.set_ylabel("to slot" if name == "B" else "key slot")
            for ticks in (axis.set_xticks, axis.set_yticks):
                ticks(*slots)
            axis.axhline(d - 0.5, color=BLACK, linewidth=0.6)
            axis.axvline(d - 0.5, color=BLACK, linewidth=0.6)
            axis.grid(False)
        figure.colorbar(image, ax=pair, shrink=0.7, label=f"entry of {name}")
    return figure


WEIGHTS = tuple(weight / 10 for weight in range(11))
SCALES = tuple(1 + step / 8 for step in range(-4, 9))


def interpolation_picture(drawing: Drawing) -> Any:
    """The loss between trained and expected weights, and of both out of distribution."""
    run = run_of(drawing)
    settings, expected = run.settings, outcome(run, drawing.tasks)
    tasks = validation(settings, drawing)
    trained, like = layers_of(run, expected)
    raw = linear_layers(run.network, settings.task.n, settings.task.d, settings.task.m)
    figure, (between, shifted) = new_figure(
        2,
        f"Between {_network(settings)} and {expected.reference}; out of distribution",
        "Left: the loss of (1 - w) (trained weights) + w (weights of theory), in M = W_K^T W_Q and B = P W_V, after "
        "the rescaling (M / b, b B) that makes the diagonals of M equal, and without it. Right: inputs of context and "
        f"query scaled. {drawing.tasks} tasks (bars: 2 standard errors). {_task(settings)}, seed {settings.seed}; "
        f"trained {run.step} steps of {settings.optimiser} on batches of {settings.batch}.",
        width=5.0,
    )
    for start, colour, marker, label in ((trained, BLUE, "o-", "rescaled"), (raw, ORANGE, "s--", "as trained")):
        losses = [mean_loss(interpolated(start, like, weight), tasks) for weight in WEIGHTS]
        with_error_bars(between, WEIGHTS, losses, fmt=marker, markersize=4, color=colour, label=label)
    between.axhline(least_loss(expected), color=BLACK, linewidth=1, linestyle=":", label=_least_label(expected))
    between.set_xlabel("weight w: 0 trained, 1 theory")
    between.set_ylim(bottom=0)
    for network, colour, marker, label in (
        (like, BLACK, "-", expected.reference),
        (trained, RED, "o", "trained"),
    ):
        losses = losses_by_input_scale(network, tasks, SCALES)
        with_error_bars(shifted, SCALES, losses, fmt=marker, markersize=4, color=colour, label=label)
    shifted.axvline(1, color=BLACK, linewidth=0.8, linestyle=":", label="as in training")
    shifted.set_yscale("log")
    shifted.set_xlabel("scale alpha of the inputs")
    for axis in (between, shifted):
        axis.set_ylabel("loss, (1/2) E |prediction - target|^2")
    between.legend(fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 0.1))
    shifted.legend(fontsize=9, loc="upper left")
    return figure


def settings_of(drawing: Drawing) -> TrainingSettings:
    """Those of the run that was saved, as far as it went, or one layer as von Oswald et al. train it.

    Raises:
        OSError, ValueError: if the run cannot be read, or took no step.
    """
    if drawing.run is None:
        return von_oswald(steps=STEPS, seed=drawing.seed)
    run = TrainingRun.load(drawing.run)
    if run.step == 0:
        raise ValueError(f"the run {drawing.run} has taken no step: train it first")
    return replace(run.settings, steps=run.step)


def run_of(drawing: Drawing) -> TrainingRun:
    """The run that was saved, or one that is trained now."""
    return train(TrainingRun.begun(settings_of(drawing))) if drawing.run is None else TrainingRun.load(drawing.run)


def validation(settings: TrainingSettings, drawing: Drawing) -> Sampled:
    """Tasks that the training has not seen."""
    return settings.task.sample(np.random.default_rng([settings.seed, 2]), drawing.tasks)


def layers_of(run: TrainingRun, expected: Outcome) -> tuple[LinearLayers, LinearLayers]:
    """The trained layers, rescaled to those of the expected algorithm, and these."""
    task = run.settings.task
    trained, like = (linear_layers(each, task.n, task.d, task.m) for each in (run.network, expected.network))
    return rescaled(trained, like), like


def least_loss(expected: Outcome) -> float:
    """The exact least loss where it is known, else the measured one of the expected algorithm."""
    if expected.exact_losses is not None:
        return expected.exact_losses[1]
    return expected.alignment.reference_loss.mean


def _least_label(expected: Outcome) -> str:
    how = "exact" if expected.exact_losses is not None else "measured"
    return f"{expected.reference}, {how}: {least_loss(expected):.4f}"


def _network(settings: TrainingSettings) -> str:
    names = {"lsa": "linear self-attention", "preconditioned": "preconditioned attention", "gdpp": "GD++ attention"}
    layers = "one layer" if settings.layers == 1 else f"{settings.layers} {'looped' if settings.looped else ''} layers"
    return f"{' '.join(layers.split())} of {names[settings.architecture]}"


def _task(settings: TrainingSettings) -> str:
    task = settings.task
    inputs = f"x from U(-{task.half_width:g}, {task.half_width:g})^d" if task.half_width is not None else "Gaussian x"
    skewed = " of a covariance of its own" if task.covariance is not None else ""
    noise = f", noise {task.noise:g}" if task.noise else ""
    return f"n = {task.n}, d = {task.d}, {inputs}{skewed}{noise}"


PICTURES = (
    Picture(
        "training",
        "loss and alignment of a network while it is trained, anew if a run is given",
        training_picture,
        is_of_training=True,
    ),
    Picture(
        "weights",
        "the matrices of a trained layer beside those of the expected algorithm",
        weights_picture,
        is_of_training=True,
    ),
    Picture(
        "interpolation",
        "the loss between trained and expected weights, and out of distribution",
        interpolation_picture,
        is_of_training=True,
    ),
)
"""The pictures of this module."""

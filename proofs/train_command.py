"""The command ``icl train``: a network is trained, and held against what theory says that training finds."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from numerics.device import require_device
from numerics.one_layer_population import law_of
from numerics.tasks import LinearTask
from numerics.trainable_networks import ARCHITECTURES
from numerics.training import train
from numerics.training_outcome import outcome
from numerics.training_run import INTERRUPTED, TrainingRun, files_of
from numerics.training_settings import OBJECTIVES, OPTIMISERS, TrainingSettings, ahn, von_oswald
from proofs import reports
from proofs.arguments import BadInput, Commands, require_writable

SAVED_EVERY = 30.0
"""Seconds after which a run in progress is saved again."""

ONE_LAYER_STEPS = 1500
"""Enough for one layer to be within a percent of the optimum; the authors take 5000 steps."""


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "Train a network on in-context regression, and compare it with what theory expects: one layer with the closed-"
        "form optimum, more with tuned GD++. lsa has the setting of von Oswald et al. (2023), preconditioned and gdpp "
        "that of Ahn et al. (2023). The run is kept in PATH.json and PATH.npz, also if it is interrupted or diverges. "
        "Exit code 1: it has diverged; 130: it was interrupted."
    )
    parser = commands.add_parser("train", help="train a network and see which algorithm it finds", description=about)
    parser.add_argument("model", metavar="MODEL", nargs="?", help=f"{', '.join(ARCHITECTURES)}")
    parser.add_argument("--layers", type=int, default=1, metavar="K", help="(default: 1)")
    parser.add_argument(
        "--untied", action="store_true", help="each layer has its own weights (default: one weight set)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="where the run is kept (default: named by its options)"
    )
    parser.add_argument("--resume", type=Path, metavar="PATH", help="go on with this run; --steps may give it more")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and tasks (default: 0)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    task = parser.add_argument_group("the tasks (default: those of the paper)")
    task.add_argument("--tokens", type=int, metavar="N", help="examples in context")
    task.add_argument("--features", type=int, metavar="D")
    task.add_argument("--inputs", choices=("gaussian", "uniform"))
    task.add_argument("--half-width", type=float, metavar="A", help="uniform inputs are in (-A, A)")
    task.add_argument("--covariance", metavar="MATRIX", help="of Gaussian inputs: 2,1;1,3, or a diagonal such as 1,1,4")
    task.add_argument("--prior", metavar="MATRIX", help="covariance of the teacher, likewise")
    task.add_argument("--noise", type=float, metavar="S", help="standard deviation of the label noise")
    steps = parser.add_argument_group("the optimiser (default: that of the paper)")
    steps.add_argument("--steps", type=int, metavar="T")
    steps.add_argument("--batch", type=int, metavar="B", help="tasks of a step")
    steps.add_argument("--learning-rate", type=float, metavar="ETA", help="of Adam")
    steps.add_argument("--objective", choices=OBJECTIVES, help="population: the exact expectation, of one layer")
    steps.add_argument("--optimiser", choices=OPTIMISERS)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    run, path = _resumed(arguments) if arguments.resume is not None else _begun(arguments)
    if run.settings.device == "cuda":
        require_device()
    began, saved, first = time.perf_counter(), time.perf_counter(), run.step
    with reports.progress_bar() as bar:
        task = bar.add_task("", total=run.settings.steps)

        def watch(run: TrainingRun) -> None:
            nonlocal saved
            bar.update(task, description=f"loss {run.losses[-1]:.5g}", completed=run.step)
            if time.perf_counter() - saved > SAVED_EVERY:
                run.save(path)
                saved = time.perf_counter()

        try:
            train(run, watch)
        except ValueError as error:
            raise BadInput(str(error)) from error
    run.save(path)
    for line in _report(run, path, run.step - first, time.perf_counter() - began):
        for part in reports.folded(line, 0):
            print(part)
    if run.stopped == INTERRUPTED:
        return 130
    return 1 if run.has_diverged else 0


def _begun(arguments: argparse.Namespace) -> tuple[TrainingRun, Path]:
    if arguments.model is None:
        raise BadInput(f"name a model: {', '.join(ARCHITECTURES)}; or go on with a run by --resume PATH")
    if arguments.model not in ARCHITECTURES:
        raise BadInput(f"there is no model {arguments.model!r}: it must be one of {', '.join(ARCHITECTURES)}")
    try:
        settings = _settings(arguments)
        run = TrainingRun.begun(settings)
    except (TypeError, ValueError) as error:
        raise BadInput(str(error)) from error
    ties = "untied" if arguments.untied else "looped"
    path = arguments.out or Path(f"{arguments.model}_{arguments.layers}_{ties}_seed_{arguments.seed}")
    for file in files_of(path):
        if file.exists():
            raise BadInput(f"{file} is there already: go on with --resume {path}, or name another place with --out")
        require_writable(file)
    return run, path


def _resumed(arguments: argparse.Namespace) -> tuple[TrainingRun, Path]:
    if arguments.model is not None:
        raise BadInput(f"--resume goes on with the model of that run: leave out {arguments.model}")
    try:
        run = TrainingRun.load(arguments.resume)
        if arguments.steps is not None:
            run.settings = replace(run.settings, steps=arguments.steps)
    except (OSError, ValueError) as error:
        raise BadInput(str(error)) from error
    for file in files_of(arguments.resume):
        require_writable(file)
    return run, arguments.resume


def _settings(arguments: argparse.Namespace) -> TrainingSettings:
    looped = not arguments.untied
    if arguments.model == "lsa":
        settings = von_oswald(arguments.layers, looped)
        if arguments.layers == 1:
            settings = replace(settings, steps=ONE_LAYER_STEPS)
    else:
        settings = ahn(arguments.layers, arguments.model == "gdpp", looped=looped)
    adam = settings.adam
    if arguments.learning_rate is not None:
        adam = replace(adam, learning_rate=arguments.learning_rate)
    given = {name: getattr(arguments, name) for name in ("steps", "batch", "objective", "optimiser")}
    changes = {name: value for name, value in given.items() if value is not None}
    settings = replace(settings, adam=adam, task=_task(arguments, settings.task), seed=arguments.seed, **changes)
    law_of(settings.task)
    return replace(settings, device=arguments.device)


def _task(arguments: argparse.Namespace, task: LinearTask) -> LinearTask:
    """The paper's task with what was asked for in place of it."""
    changes: dict[str, Any] = {
        name: value
        for name, value in (
            ("n", arguments.tokens),
            ("d", arguments.features),
            ("inputs", arguments.inputs),
            ("half_width", arguments.half_width),
            ("noise", arguments.noise),
        )
        if value is not None
    }
    if changes.get("inputs", task.inputs) != task.inputs:
        changes = {"half_width": None, "covariance": None, **changes}
    if changes.get("d", task.d) != task.d:
        changes = {"covariance": None, "prior": None, **changes}
    for name in ("covariance", "prior"):
        if (written := getattr(arguments, name)) is not None:
            changes[name] = _matrix(name, written)
    return replace(task, **changes)


def _matrix(name: str, written: str) -> list[list[float]]:
    try:
        rows = [[float(entry) for entry in row.split(",")] for row in written.split(";")]
    except ValueError as error:
        raise BadInput(
            f"--{name} {written}: a matrix is rows of numbers such as 2,1;1,3, or a diagonal 1,1,4"
        ) from error
    if len(rows) > 1:
        return rows
    [diagonal] = rows
    return [[value if i == j else 0.0 for j in range(len(diagonal))] for i, value in enumerate(diagonal)]


def _report(run: TrainingRun, path: Path, taken: int, seconds: float) -> list[str]:
    settings, task = run.settings, run.settings.task
    layers = f"{settings.layers} layer{'s' if settings.layers > 1 else ''}"
    ties = "" if settings.layers == 1 else " looped" if settings.looped else " untied"
    law = f"n = {task.n}, d = {task.d}, {task.inputs} inputs"
    lines = [
        f"{settings.architecture} of {layers}{ties}, {law}, seed {settings.seed}",
        f"{run.stopped}: {run.step} steps of {settings.optimiser}, {taken} of them now in {seconds:.1f} s",
    ]
    if not run.has_diverged:
        try:
            lines += outcome(run).lines()
        except ValueError as error:
            lines.append(f"not compared with an algorithm: {error}")
    arrays, record = files_of(path)
    lines.append(f"kept in {record} and {arrays}")
    if run.stopped == INTERRUPTED:
        lines.append(f"icl train --resume {path} goes on")
    return lines

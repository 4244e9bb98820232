"""The record of a training run: what was set, what came out, and where it stands; saved without pickle.

A run at ``PATH`` is ``PATH.json``, settings, versions and losses for people and plots, and ``PATH.npz``, the arrays
that it goes on from. Each file is replaced as a whole, so that whatever ends the process leaves one that can be read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from constructions.construction import Construction
from numerics.adam import AdamState, initial_state
from numerics.tasks import Array
from numerics.trainable_networks import initial_network
from numerics.training_settings import TrainingSettings
from numerics.versions import versions
from numerics.weight_sets import mapped, matrices_of, with_matrices

FINISHED = "finished"
UNFINISHED = "unfinished"
INTERRUPTED = "interrupted"

KINDS = ("matrix", "first", "second")
"""What a state holds of each matrix: itself, and the moments of its gradient."""


@dataclass
class TrainingRun:
    """A run, before, during or after its training.

    Args:
        settings: all that it depends on.
        state: the matrices after the last step, and the optimiser's moments; arrays of NumPy or CuPy.
        losses: the loss before each step; ``losses[t]`` is that of the matrices after t steps, on the tasks of step t.
        stopped: why the run does not go on: "unfinished", "finished...", "interrupted" or "diverged...", with why.
        versions: of the libraries that it began with.
    """

    settings: TrainingSettings
    state: AdamState
    losses: list[float] = field(default_factory=list)
    stopped: str = UNFINISHED
    versions: Mapping[str, str | None] = field(default_factory=versions)

    @classmethod
    def begun(cls, settings: TrainingSettings) -> TrainingRun:
        """The run before its first step, with the initial weights of its seed."""
        network = _initial(settings)
        return cls(settings, initial_state(mapped(lambda A: A.astype(settings.task.dtype), matrices_of(network))))

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return self.state.step

    @property
    def has_diverged(self) -> bool:
        return self.stopped.startswith("diverged")

    @property
    def matrices(self) -> dict[str, Array]:
        """The trained matrices by name, such as ``W_K_xx`` (looped) or ``W_K_xx[0]``, in NumPy."""
        return mapped(_on_host, self.state.matrices)

    @property
    def network(self) -> Construction:
        """The trained network: a construction, so it can be checked, shown, and called as (X, Y, x_query)."""
        return with_matrices(_initial(self.settings), self.matrices)

    def predict(self, X: Array, Y: Array, x_query: Array) -> Array:
        """The trained network's prediction, (*batch, m, 1), of X (*batch, d, n), Y (*batch, m, n), x_query likewise."""
        return np.asarray(self.network(X, Y, x_query))

    def save(self, path: str | Path) -> None:
        """Writes ``path.json`` and ``path.npz``.

        Raises:
            OSError: if they cannot be written.
        """
        arrays, record = files_of(path)
        numbers: dict[str, Any] = {"step": np.array(self.step), "losses": np.array(self.losses)}
        for kind, matrices in zip(KINDS, self.state[1:], strict=True):
            numbers.update({f"{kind}/{name}": _on_host(matrix) for name, matrix in matrices.items()})
        with _replaced(arrays) as part, part.open("wb") as file:
            np.savez(file, **numbers)
        with _replaced(record) as part:
            part.write_text(json.dumps(self.as_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """The record, for people and plots."""
        return {
            "settings": self.settings.as_json(),
            "versions": dict(self.versions),
            "stopped": self.stopped,
            "step": self.step,
            "losses": self.losses,
        }

    @classmethod
    def load(cls, path: str | Path) -> TrainingRun:
        """The run that was saved there.

        Args:
            path: with or without the ending .json or .npz.

        Raises:
            FileNotFoundError: if one of the files is missing.
            ValueError: if they are not those of a run, or of another one each.
        """
        arrays, record = files_of(path)
        try:
            held = json.loads(record.read_text(encoding="utf-8"))
            settings, stopped = TrainingSettings.of_json(held["settings"]), str(held["stopped"])
            saved_with = dict(held["versions"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{record} is no record of a training run: {error}") from error
        expected = matrices_of(_initial(settings))
        try:
            with arrays.open("rb") as file, np.load(file, allow_pickle=False) as numbers:
                kinds = [
                    {name: numbers[f"{kind}/{name}"] for name in expected} for kind in ("matrix", "first", "second")
                ]
                step, losses = int(numbers["step"]), [float(loss) for loss in numbers["losses"]]
        except (KeyError, ValueError, EOFError, BadZipFile) as error:
            raise ValueError(f"{arrays} does not hold the arrays of {record}: {error}") from error
        for name, matrix in expected.items():
            if any(kind[name].shape != matrix.shape for kind in kinds):
                raise ValueError(f"{arrays} does not hold the arrays of {record}: {name} is not {matrix.shape}")
        return cls(settings, AdamState(step, *kinds), losses, stopped, saved_with)


def files_of(path: str | Path) -> tuple[Path, Path]:
    """The .npz and the .json of a run."""
    path = Path(path)
    stem = path.with_suffix("") if path.suffix in (".json", ".npz") else path
    return stem.with_name(stem.name + ".npz"), stem.with_name(stem.name + ".json")


def _initial(settings: TrainingSettings) -> Construction:
    sizes, rng = (settings.task.d, settings.task.m), np.random.default_rng([settings.seed, 0])
    return initial_network(settings.architecture, settings.layers, settings.looped, sizes, settings.draw, rng)


class _replaced:
    """A file beside the one of this name, which takes its place when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + ".part")

    def __enter__(self) -> Path:
        return self._part

    def __exit__(self, error: Any, *_: Any) -> None:
        if error is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)


def _on_host(array: Any) -> Array:
    return np.asarray(array.get() if hasattr(array, "get") else array)

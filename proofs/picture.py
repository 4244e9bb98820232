"""What all pictures share: their record, a figure with a caption, colours that colour-blind readers tell apart, files.

Matplotlib, an extra, is imported by the functions here and only when they are called.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXTRA = "icl-theory[plots]"

BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#000000",
)
"""Colours by Okabe and Ito; lines differ in their markers or dashes as well."""

FORMATS = ("svg", "png", "pdf")

_CHARACTERS_PER_INCH = 16.5
"""Of a caption in its font size."""


class NoMatplotlib(RuntimeError):
    """Matplotlib is not installed."""


@dataclass(frozen=True)
class Drawing:
    """What a picture is drawn from.

    Args:
        seed: of everything that is drawn at random, >= 0.
        tasks: how many tasks a loss is a mean over, >= 2.
        run: where a training run was saved, for the pictures of trained networks; None trains one.

    Raises:
        ValueError: for a seed or a number of tasks out of range.
    """

    seed: int = 0
    tasks: int = 10_000
    run: Path | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed = {self.seed}: it must be at least 0")
        if self.tasks < 2:
            raise ValueError(f"tasks = {self.tasks}: a mean and its standard error need at least 2")


@dataclass(frozen=True)
class Picture:
    """A picture by name.

    Args:
        name: as ``icl plot`` takes it.
        about: what it shows, one sentence.
        draw: makes the Matplotlib figure.
        is_of_training: whether it shows a trained network, so that it takes a run.
    """

    name: str
    about: str
    draw: Callable[[Drawing], Any]
    is_of_training: bool = False


def require_matplotlib() -> None:
    """Nothing, if Matplotlib can be imported.

    Raises:
        NoMatplotlib: if not; the message names the extra.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise NoMatplotlib(f"Matplotlib cannot be imported ({error}): install {EXTRA}") from error


def new_figure(columns: int, title: str, caption: str, *, width: float = 4.6, height: float = 4.4) -> tuple[Any, Any]:
    """A figure with a row of so many axes, a title, and a caption beneath that says what the data are.

    Returns:
        The figure, and its axes, a list.
    """
    require_matplotlib()
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    inches = width * columns
    figure: Any = Figure(figsize=(inches, height), layout=ConstrainedLayoutEngine(wspace=0.05))
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    figure.suptitle(title, fontsize=12)
    figure.supxlabel(textwrap.fill(caption, int(inches * _CHARACTERS_PER_INCH)), fontsize=8, ha="center")
    for axis in axes:
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.tick_params(labelsize=9)
    return figure, axes


def with_error_bars(axis: Any, x: Sequence[float], estimates: Sequence[Any], **style: Any) -> Any:
    """Means over tasks with bars of two standard errors either way."""
    means, errors = [each.mean for each in estimates], [2 * each.standard_error for each in estimates]
    return axis.errorbar(list(x), means, yerr=errors, capsize=2.5, elinewidth=1, **style)


def require_format(path: Path) -> None:
    """Nothing, if the ending of the file is a format.

    Raises:
        ValueError: for another ending.
    """
    if path.suffix.removeprefix(".").lower() not in FORMATS:
        raise ValueError(f"{path} must end in {', '.join('.' + each for each in FORMATS)}: the ending is the format")


def saved(figure: Any, path: Path) -> None:
    """Writes the figure; the ending is the format. The same figure gives the same SVG.

    Raises:
        ValueError: for an ending that is no format.
        OSError: if the file cannot be written.
    """
    require_format(path)
    from matplotlib import rc_context

    ending = path.suffix.removeprefix(".").lower()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[ending]
    with rc_context({"svg.hashsalt": "icl-theory"}):
        figure.savefig(path, dpi=160, metadata=metadata)

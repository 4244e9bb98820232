"""The command ``icl plot``: what was proved and measured, as pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proofs import reports
from proofs.arguments import BadInput, Commands, require_writable, unknown
from proofs.picture import EXTRA, FORMATS, Drawing, NoMatplotlib, Picture, require_format, require_matplotlib, saved
from proofs.pictures import pictures


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = f"Draw a picture into a file, or list the pictures. Matplotlib is needed: install {EXTRA}."
    plot = commands.add_parser("plot", help="draw a picture, or list the pictures", description=about)
    plot.add_argument("name", metavar="NAME", nargs="?", help="the picture; without it the pictures are listed")
    plot.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"ends in {', '.join('.' + each for each in FORMATS)} (default: NAME.svg, here)",
    )
    plot.add_argument("--seed", type=int, default=0, help="of everything drawn at random (default: 0)")
    plot.add_argument(
        "--tasks", type=int, default=10_000, metavar="N", help="tasks that a loss is a mean over (default: 10000)"
    )
    plot.add_argument(
        "--run",
        dest="training_run",
        type=Path,
        metavar="PATH",
        help="a run of icl train, for the pictures of trained networks (default: one layer, trained now)",
    )
    plot.set_defaults(run=_plot)


def _plot(arguments: argparse.Namespace) -> int:
    known = pictures()
    if arguments.name is None:
        for line in _listed(known.values()):
            print(line)
        return 0
    name = arguments.name if arguments.name in known else arguments.name.replace("-", "_")
    if name not in known:
        raise BadInput(unknown("picture", arguments.name, list(known)).replace("see icl list", "see icl plot"))
    path = arguments.output if arguments.output is not None else Path(f"{name}.svg")
    picture = known[name]
    if arguments.training_run is not None and not picture.is_of_training:
        raise BadInput(f"{name} shows no trained network: leave out --run")
    try:
        drawing = Drawing(arguments.seed, arguments.tasks, arguments.training_run)
        require_format(path)
        require_matplotlib()
    except (NoMatplotlib, ValueError) as error:
        raise BadInput(str(error)) from error
    require_writable(path)
    with reports.progress_bar() as bar:
        bar.add_task(f"drawing {name}", total=None)
        figure = _drawn(picture, drawing)
    try:
        saved(figure, path)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from error
    print(f"wrote {path}")
    return 0


def _drawn(picture: Picture, drawing: Drawing) -> Any:
    if not picture.is_of_training:
        return picture.draw(drawing)
    try:
        return picture.draw(drawing)
    except (OSError, ValueError) as error:
        # A run that cannot be read, or of a network for which the picture makes no sense.
        raise BadInput(str(error)) from error


def _listed(known: Iterable[Picture]) -> Iterator[str]:
    """Every picture with what it shows."""
    for picture in known:
        yield picture.name
        yield from reports.folded(picture.about, 4)
    yield ""
    yield from reports.folded("icl plot NAME --output FILE draws one", 0)

"""The command ``icl identify``: which algorithm a user's own construction, or function of a prompt, runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from constructions.construction import Construction
from numerics.instances import Sizes
from numerics.predictors import PredictorFailed
from numerics.ranking import Similarity
from numerics.unknown_predictor import usual_sizes
from proofs import reports
from proofs.arguments import BadInput, Commands, require_writable
from proofs.identification import MOST_STEPS, Identification, identify
from proofs.user_file import add_file_argument, as_construction, object_in

SHOWN = 8
"""How many algorithms the ranked table has."""


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "Say which known algorithm a construction, or a function predict(X, Y, x_query) of NumPy arrays, (d, n), "
        "(m, n), (d, 1) -> (m, 1), runs, and how many steps: first by agreement (of a construction exactly, of a "
        "function within a computed rounding bound), then by similarity of errors and of induced weights, with tuned "
        "parameters."
    )
    parser = commands.add_parser("identify", help="say which algorithm a network runs", description=about)
    add_file_argument(parser, "the construction, or the function predict(X, Y, x_query)")
    parser.add_argument("--features", type=int, metavar="D", help="features d of the prompts (default: 3)")
    parser.add_argument(
        "--tokens",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers n of context tokens; two tell a step size from eta / n (default: 6 4)",
    )
    parser.add_argument("--targets", type=int, metavar="M", help="targets m of the prompts (default: 1)")
    parser.add_argument(
        "--steps", type=int, default=MOST_STEPS, metavar="K", help=f"the most steps tried (default: {MOST_STEPS})"
    )
    parser.add_argument(
        "--layers",
        type=int,
        default=0,
        metavar="L",
        help="of a function that takes layers=l and predicts after layer l: how many it has, for the heat map",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the prompts (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the heat map into a picture, with Matplotlib")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.plot is not None:
        require_writable(arguments.plot)
    held: Any = object_in(arguments.where)
    if isinstance(held, type) and issubclass(held, Construction):
        held = as_construction(held, arguments.where)
    try:
        found = identify(
            held, sizes=_sizes(arguments, held), most=arguments.steps, layers=arguments.layers, seed=arguments.seed
        )
        lines(found)
    except (PredictorFailed, ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{arguments.where}: {error}") from error
    if arguments.plot is not None:
        _plot(found.heat_map, arguments.plot)
    return 0


def _sizes(arguments: argparse.Namespace, held: Any) -> Sequence[Sizes]:
    """The sizes asked for, and the usual ones where nothing is asked."""
    usual = usual_sizes(held if isinstance(held, Construction) else None)
    asked = {"d": arguments.features, "m": arguments.targets}
    tokens = arguments.tokens or [each.n for each in usual]
    return [
        usual[0]._replace(n=n, **{size: value for size, value in asked.items() if value is not None}) for n in tokens
    ]


def lines(found: Identification) -> None:
    """Prints the answer, the ranked table and the heat map."""
    console = Console(highlight=False)
    for line in reports.folded(found.answer, 0):
        console.print(line, soft_wrap=True, markup=False)
    for line in str(found).splitlines()[1:]:
        console.print(line, soft_wrap=True, markup=False)
    console.print()
    console.print(_ranked(found.ranking[:SHOWN]))
    console.print(_heat_map(found.heat_map))
    if found.unknown.by_iterates:
        console.print("layers: what the construction says of its iterates, of which only the last is read out")
    console.print(
        f"seed {found.seed}; similarities on tasks other than those that tuned the numbers; agreement on drawn prompts "
        "is evidence, no proof",
        soft_wrap=True,
    )


def _ranked(ranking: Sequence[Similarity]) -> Table:
    table = Table(title="most similar algorithms, tuned")
    for name in ("algorithm", "steps", "errors", "weights", "numbers"):
        table.add_column(name, justify="left" if name in ("algorithm", "numbers") else "right", overflow="fold")
    for each in ranking:
        numbers = ", ".join(f"{symbol} {float(value):.4g}" for symbol, value in each.values.items())
        table.add_row(each.name, str(each.steps), f"{each.errors:.4f}", f"{each.weights:.4f}", numbers)
    return table


def _heat_map(similar: Similarity) -> Table:
    """Layers by steps: similarity of errors, the best-matching number of steps of each layer in bold."""
    table = Table(title=f"similarity of errors, layer by layer, to {similar.name} after so many steps")
    table.add_column("layer", justify="right")
    shown = _columns(similar)
    for steps in shown:
        table.add_column(str(steps), justify="right", no_wrap=True)
    for layer, (row, best) in enumerate(zip(similar.heat, similar.best_steps, strict=True), start=1):
        cells = [f"[bold reverse]{row[k]:.3f}[/]" if k == best else f"{row[k]:.3f}" for k in shown]
        table.add_row(str(layer) if len(similar.heat) > 1 else "last", *cells)
    return table


def _columns(similar: Similarity) -> list[int]:
    """The numbers of steps that fit on a line: a window that holds the best-matching ones."""
    last = min(similar.heat.shape[1] - 1, max(similar.best_steps) + 2)
    return list(range(max(0, last - 9), last + 1)) if min(similar.best_steps) > last - 9 else list(range(last + 1))


def _plot(similar: Similarity, path: Path) -> None:
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise BadInput("--plot needs Matplotlib: pip install 'icl-theory[plots]'") from error
    figure, axes = pyplot.subplots(layout="constrained")
    image = axes.imshow(similar.heat, aspect="auto", vmin=-1, vmax=1, origin="lower")
    axes.plot(similar.best_steps, range(len(similar.heat)), "o", color="black", label="best-matching number of steps")
    axes.set(xlabel=f"steps of {similar.name}", ylabel="layer", title="similarity of errors")
    axes.set_yticks(range(len(similar.heat)), [str(layer + 1) for layer in range(len(similar.heat))])
    axes.legend()
    figure.colorbar(image)
    try:
        figure.savefig(path)
    except ValueError as error:
        raise BadInput(f"cannot draw into {path}: {error}") from error
    finally:
        pyplot.close(figure)

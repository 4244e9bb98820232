"""The command ``icl run``: a transformer with constructed weights predicts rows of a table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofs import data_run, reports
from proofs.arguments import BadInput, Commands
from proofs.newton_data_run import newton_run

NEWTON_OPTIONS = ("digits", "coefficients", "degree", "precision")
"""The options of ``icl run newton`` that no other construction has; None where they are left out."""


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "A transformer with constructed weights predicts the last rows of a table in-context, from all the rows above. "
        "Its prediction after each layer, in float64, stands beside the algorithm's exact iterate and least squares. "
        "Of newton the digits are proven, in ball arithmetic: of the prediction, and of least squares."
    )
    run = commands.add_parser("run", help="predict the last rows of a CSV file in-context", description=about)
    run.add_argument(
        "construction", metavar="CONSTRUCTION", help="gradient_descent, gdpp, preconditioned_descent or newton"
    )
    run.add_argument(
        "data",
        metavar="DATA.csv",
        type=Path,
        help="a header, then rows of decimals, read exactly; longley and norris are shipped",
    )
    run.add_argument("--target", metavar="COLUMN", required=True, help="the column to predict from all the others")
    run.add_argument(
        "--layers",
        type=int,
        metavar="K",
        help="(default: 10, gdpp: 6) the exact run gains digits with every layer and slows down, in gdpp threefold; "
        "newton takes K Newton steps and has one layer more, to read out (default: as many as prove the digits of "
        "least squares)",
    )
    run.add_argument("--queries", type=int, metavar="R", help="predict the last R rows (default: 1)")
    run.add_argument(
        "--intercept", action=argparse.BooleanOptionalAction, default=True, help="add a feature that is 1 (default)"
    )
    run.add_argument(
        "--step-size",
        metavar="ETA",
        help="a decimal, or a fraction such as 1/3; alpha of newton (default: one that converges here)",
    )
    newton = run.add_argument_group("of newton only")
    newton.add_argument("--digits", type=int, metavar="D", help="significant digits to prove (default: 15)")
    newton.add_argument(
        "--coefficients",
        action="store_true",
        default=None,
        help="every row is context, and the predictions are the regression coefficients, the intercept first",
    )
    newton.add_argument("--degree", type=int, metavar="P", help="a polynomial of degree P in the only feature")
    newton.add_argument("--precision", type=int, metavar="BITS", help="the most bits the balls have (default: 16384)")
    run.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    given = {name: value for name in NEWTON_OPTIONS if (value := getattr(arguments, name)) is not None}
    lines = _newton_lines(arguments, given) if arguments.construction == "newton" else _layer_lines(arguments, given)
    for line in lines:
        for part in reports.folded(line, 0):
            print(part)
    return 0


def _newton_lines(arguments: argparse.Namespace, given: Mapping[str, Any]) -> list[str]:
    """The report on a run of the Newton transformer."""
    with reports.progress_bar() as bar:
        task = bar.add_task("", total=arguments.layers)

        def watch(bits: int, steps: int) -> None:
            bar.update(task, description=f"newton in balls of {bits} bits, step", completed=steps)

        try:
            run = newton_run(
                arguments.data,
                arguments.target,
                layers=arguments.layers,
                queries=arguments.queries,
                intercept=arguments.intercept,
                step_size=arguments.step_size,
                watch=watch,
                **given,
            )
        except (OSError, ValueError) as error:
            raise BadInput(str(error)) from error
    return str(run).splitlines()


def _layer_lines(arguments: argparse.Namespace, given: Mapping[str, Any]) -> list[str]:
    """The report on a run of a construction whose iterates are exact."""
    try:
        run = _prepared(arguments)
        if given:
            option = next(iter(given))
            raise BadInput(f"--{option} is an option of newton only; leave it out for {arguments.construction}")
        with reports.progress_bar() as bar:
            task = bar.add_task(arguments.construction, total=run.steps)
            tables = data_run.predictions(run, lambda: bar.advance(task))
    except OverflowError as error:
        raise BadInput(f"{arguments.data}: this run leaves the range of float64; rescale the columns") from error
    return list(data_run.report(run, tables))


def _prepared(arguments: argparse.Namespace) -> data_run.DataRun:
    try:
        return data_run.prepared(
            arguments.construction,
            arguments.data,
            arguments.target,
            layers=arguments.layers,
            queries=1 if arguments.queries is None else arguments.queries,
            intercept=arguments.intercept,
            step_size=arguments.step_size,
        )
    except (OSError, ValueError) as error:
        raise BadInput(str(error)) from error

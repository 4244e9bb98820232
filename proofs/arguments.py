"""The arguments of the command line: its commands, their options, and what is said of them in the help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

NEWTON_OPTIONS = ("digits", "coefficients", "degree", "precision")
"""The options of ``icl run newton`` that no other construction has; None where they are left out."""


class BadInput(Exception):
    """The user's usage or input is at fault; the message is one sentence."""


class Parser(argparse.ArgumentParser):
    """A parser that raises what it finds wrong instead of printing the usage and ending the process."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def parser(version: str) -> Parser:
    """The parser of all commands; what it parses names the ``command``.

    Args:
        version: what --version prints.
    """
    top = Parser(prog="icl", description="Which algorithm does this transformer run? Theorems, verified.")
    top.add_argument("--version", action="version", version=version, help="print the version and exit")
    commands = top.add_subparsers(metavar="COMMAND", dest="command", required=True, title="commands")

    commands.add_parser("list", help="list every theorem", description="List every theorem.")

    about = (
        "Print a theorem with its weights, its invariant and its proof, or a construction; or compare the networks "
        "that run one algorithm."
    )
    show = commands.add_parser("show", help="print a theorem or a construction", description=about)
    show.add_argument(
        "name", metavar="NAME", help="a theorem, a construction such as gradient_descent, or a family: newton"
    )
    show.add_argument("--latex", action="store_true", help="as LaTeX")

    about = "Verify theorems. Exit code 0: all are verified; 1: some are not; 2: bad usage or input."
    verify = commands.add_parser("verify", help="verify theorems, all by default", description=about)
    verify.add_argument("names", metavar="NAME", nargs="*", help="theorems; see icl list")
    verify.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    verify.add_argument("--instances", type=int, default=10, help="random instances of each theorem (default: 10)")
    verify.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda adds runs on a CUDA device")
    verify.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core; one with CUDA)")
    verify.add_argument("--json", type=Path, metavar="PATH", help="write the evidence to this file")

    _add_run(commands)
    return top


def _add_run(commands: argparse._SubParsersAction[Parser]) -> None:
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

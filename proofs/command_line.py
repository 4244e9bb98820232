"""The command line ``icl``: list, show, verify and report theorems; check, identify, run, train, draw, export networks.

Exit codes: 0 verified, 1 refuted or not verified, 2 bad usage or input, which is one sentence on the standard error, or
a check that could decide nothing.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections.abc import Sequence

from numerics.device import NoDevice
from proofs import (
    check_command,
    export_command,
    identify_command,
    plot_command,
    report_command,
    reports,
    run_command,
    show_command,
    train_command,
    verify_command,
)
from proofs.arguments import BadInput, Parser

COMMANDS = (
    show_command,
    verify_command,
    check_command,
    identify_command,
    run_command,
    train_command,
    plot_command,
    report_command,
    export_command,
)
"""The modules whose ``add_parser`` adds a command, in the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command, run now.

    Args:
        argv: the arguments, without the program's name; by default those of the process.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The proofs have signs that an ASCII output does not; it shows question marks, and no traceback.
        sys.stdout.reconfigure(errors="replace")
    arguments = argparse.Namespace()
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except (BadInput, NoDevice) as error:
        if getattr(arguments, "traceback", False):
            traceback.print_exception(error)
        print(f"icl: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has gone, as in "icl list | head"; nothing more may be written when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("icl: interrupted", file=sys.stderr)
        return 130


def _parser() -> Parser:
    version = reports.version("icl-theory") or "(not installed)"
    parser = Parser(prog="icl", description="Which algorithm does this transformer run? Theorems, verified.")
    parser.add_argument(
        "--version", action="version", version=f"icl-theory {version}", help="print the version and exit"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for module in COMMANDS:
        module.add_parser(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

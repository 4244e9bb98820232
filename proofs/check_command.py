"""The command ``icl check``: a construction in a file of your own, proved or refuted."""

from __future__ import annotations

import argparse

from constructions.construction import Construction
from proofs.arguments import BadInput, Commands
from proofs.checking import REFUTED, UNDECIDED, Check, check
from proofs.evidence import Settings
from proofs.user_file import add_file_argument, construction_in, fault_of


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "Check a construction in a file of your own: it is proved for all sizes, or refuted by the smallest prompt on "
        "which it fails, with the layer, slot and group at fault. Exit code 0: it is proved; 1: it is refuted; 2: "
        "neither, or bad usage or input."
    )
    parser = commands.add_parser("check", help="prove or refute a construction in your own file", description=about)
    add_file_argument(parser, "an instance of Construction, or a class of one")
    parser.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    parser.add_argument("--instances", type=int, default=10, help="random instances of each kind (default: 10)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda adds runs on a CUDA device")
    parser.set_defaults(run=_check)


def _check(arguments: argparse.Namespace) -> int:
    if arguments.seed < 0:
        raise BadInput(f"seed = {arguments.seed}: it must be at least 0")
    try:
        settings = Settings(arguments.seed, arguments.instances, arguments.device)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if settings.device == "cuda":
        from numerics.device import require_device

        require_device()
    found = checked(construction_in(arguments.where), settings, arguments.where)
    for line in found.lines():
        print(line)
    return {REFUTED: 1, UNDECIDED: 2}.get(found.verdict, 0)


def checked(construction: Construction, settings: Settings, where: str) -> Check:
    """The check of a construction; whatever its code raises is bad input, with the line of the file.

    Raises:
        BadInput: if the construction cannot be run.
    """
    try:
        return check(construction, settings=settings)
    except Exception as error:
        raise BadInput(f"{where} cannot be checked: {fault_of(error, where)}") from error

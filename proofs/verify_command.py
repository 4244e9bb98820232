"""The command ``icl verify``: every kind of evidence for the theorems."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from numerics.device import device_name
from proofs import reports
from proofs.arguments import BadInput, Commands, Parser, require_writable, unknown
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.processes import default_jobs
from proofs.theorem import Verification

_DEFAULT = Settings()


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = "Verify theorems. Exit code 0: all are verified; 1: some are not; 2: bad usage or input."
    verify = commands.add_parser("verify", help="verify theorems, all by default", description=about)
    add_options(verify)
    verify.add_argument("--json", type=Path, metavar="PATH", help="write the evidence to this file")
    verify.set_defaults(run=_verify)


def add_options(parser: Parser) -> None:
    """Adds the options of everything that verifies; None stands for what is left out."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="theorems; see icl list")
    parser.add_argument("--seed", type=int, help=f"of every random draw (default: {_DEFAULT.seed})")
    parser.add_argument(
        "--instances", type=int, help=f"random instances of each theorem (default: {_DEFAULT.instances})"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cuda adds runs on a CUDA device (default: cpu)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core; one with CUDA)")


def given_options(arguments: argparse.Namespace) -> dict[str, object]:
    """The options of verification that were given, by name."""
    given = {"NAME": " ".join(arguments.names) or None}
    given |= {f"--{name}": getattr(arguments, name) for name in ("seed", "instances", "device", "jobs")}
    return {name: value for name, value in given.items() if value is not None}


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.json is not None:
        require_writable(arguments.json)
    verifications, settings = verified(arguments)
    if arguments.json is not None:
        try:
            arguments.json.write_text(reports.report_as_json(verifications, settings), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {arguments.json}: {error.strerror}") from error
    return 0 if all(verification.verified for verification in verifications) else 1


def verified(arguments: argparse.Namespace) -> tuple[list[Verification], Settings]:
    """The theorems that the options name, verified, each printed as soon as it is; and how.

    Raises:
        BadInput: for a name that there is not, or an option out of range.
        NoDevice: if CUDA is asked for and there is none.
    """
    theorems = catalogue()
    for name in arguments.names:
        if name not in theorems:
            raise BadInput(unknown("theorem", name, list(theorems)))
    chosen = [theorem for name, theorem in theorems.items() if not arguments.names or name in arguments.names]
    settings = _settings(arguments)
    device = f"cuda: {device_name()}" if settings.device == "cuda" else settings.device
    start = time.perf_counter()
    jobs = processes(arguments, len(chosen))
    if settings.device == "cuda":
        jobs = 1
    verifications = list(reports.verifications(chosen, settings, jobs))
    for line in reports.not_run_lines(verifications):
        print(line)
    print(reports.summary(verifications, settings, device, time.perf_counter() - start))
    return verifications, settings


def processes(arguments: argparse.Namespace, theorems: int) -> int:
    """How many processes the options ask for, or the default for so many theorems.

    Raises:
        BadInput: for less than one.
    """
    jobs = default_jobs(theorems) if arguments.jobs is None else arguments.jobs
    if jobs < 1:
        raise BadInput(f"jobs = {jobs}: at least one process is required")
    return jobs


def _settings(arguments: argparse.Namespace) -> Settings:
    names = ("seed", "instances", "device")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if given.get("seed", 0) < 0:
        raise BadInput(f"seed = {arguments.seed}: it must be at least 0")
    try:
        return Settings(**given)
    except ValueError as error:
        raise BadInput(str(error)) from error

"""The command ``icl verify``: every kind of evidence for the theorems."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from numerics.device import device_name
from proofs import reports
from proofs.arguments import BadInput, Commands, require_writable, unknown
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.processes import default_jobs


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = "Verify theorems. Exit code 0: all are verified; 1: some are not; 2: bad usage or input."
    verify = commands.add_parser("verify", help="verify theorems, all by default", description=about)
    verify.add_argument("names", metavar="NAME", nargs="*", help="theorems; see icl list")
    verify.add_argument("--seed", type=int, default=0, help="of every random draw (default: 0)")
    verify.add_argument("--instances", type=int, default=10, help="random instances of each theorem (default: 10)")
    verify.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda adds runs on a CUDA device")
    verify.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core; one with CUDA)")
    verify.add_argument("--json", type=Path, metavar="PATH", help="write the evidence to this file")
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    theorems = catalogue()
    for name in arguments.names:
        if name not in theorems:
            raise BadInput(unknown("theorem", name, list(theorems)))
    chosen = [theorem for name, theorem in theorems.items() if not arguments.names or name in arguments.names]
    if arguments.seed < 0:
        raise BadInput(f"seed = {arguments.seed}: it must be at least 0")
    try:
        settings = Settings(arguments.seed, arguments.instances, arguments.device)
    except ValueError as error:
        raise BadInput(str(error)) from error
    device = f"cuda: {device_name()}" if settings.device == "cuda" else settings.device
    if arguments.json is not None:
        require_writable(arguments.json)
    start = time.perf_counter()
    jobs = arguments.jobs if arguments.jobs is not None else default_jobs(len(chosen))
    if jobs < 1:
        raise BadInput(f"jobs = {jobs}: at least one process is required")
    if settings.device == "cuda":
        jobs = 1
    verifications = list(reports.verifications(chosen, settings, jobs))
    for line in reports.not_run_lines(verifications):
        print(line)
    print(reports.summary(verifications, settings, device, time.perf_counter() - start))
    if arguments.json is not None:
        try:
            arguments.json.write_text(reports.report_as_json(verifications, settings), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {arguments.json}: {error.strerror}") from error
    return 0 if all(verification.verified for verification in verifications) else 1

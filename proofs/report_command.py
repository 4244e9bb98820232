"""The command ``icl report``: the theorems and their evidence as one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from proofs import reports, verify_command
from proofs.arguments import BadInput, Commands, require_writable
from proofs.catalogue import catalogue
from proofs.evidence_file import Gathered, gathered_in, read_evidence


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    about = (
        "Write the theorems with their weights, proofs and evidence as one self-contained HTML file. Without --from "
        "they are verified first. Exit code 0: all are verified; 1: some are not; 2: bad usage or input."
    )
    report = commands.add_parser("report", help="write the theorems as an HTML file", description=about)
    verify_command.add_options(report)
    report.add_argument("--output", type=Path, metavar="FILE.html", required=True, help="the file to write")
    report.add_argument(
        "--from", dest="source", type=Path, metavar="PATH", help="take the evidence that icl verify --json wrote"
    )
    report.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    # Imported here, since no other command needs the page.
    from proofs.report_page import report_page

    theorems = catalogue()
    if arguments.source is None:
        require_writable(arguments.output)
        gathered = _verified(arguments)
    else:
        for name, option in verify_command.given_options(arguments).items():
            if name != "--jobs":
                raise BadInput(f"--from takes the evidence as it is, but {name} {option} is for verifying: drop one")
        if arguments.output.exists() and arguments.source.exists() and arguments.output.samefile(arguments.source):
            raise BadInput(f"--output {arguments.output} is the evidence of --from itself: name another file to write")
        gathered = read_evidence(arguments.source, theorems)
        require_writable(arguments.output)
    count = len(gathered.verifications)
    jobs = verify_command.processes(arguments, count)
    with reports.progress_bar() as bar:
        task = bar.add_task("writing the report", total=count)
        page = report_page(gathered, len(theorems), jobs, lambda: bar.advance(task))
    try:
        arguments.output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write {arguments.output}: {error.strerror}") from error
    return 0 if all(verification.verified for verification in gathered.verifications) else 1


def _verified(arguments: argparse.Namespace) -> Gathered:
    """The evidence, gathered now, by way of the same JSON as ``icl verify --json``."""
    verifications, settings = verify_command.verified(arguments)
    return gathered_in(reports.report_as_json(verifications, settings), "the evidence", catalogue())

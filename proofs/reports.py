"""Reports: the lists and lines that the command line prints, the JSON object that it writes, and its progress bar."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from numerics.versions import LIBRARIES as LIBRARIES
from numerics.versions import version as version
from numerics.versions import versions
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings
from proofs.processes import gathered_in_processes
from proofs.theorem import SYSTEMS, Theorem, Verification, gathered

_STYLES = {"verified": "green", "REFUTED": "bold red", "not verified": "yellow"}


def listed(theorems: Iterable[Theorem]) -> Iterator[str]:
    """Every theorem with its kinds of evidence and its reference, system by system; names are never cut or folded."""
    theorems = list(theorems)
    for system in SYSTEMS:
        held = [theorem for theorem in theorems if theorem.system == system]
        if held:
            yield system
        for theorem in held:
            yield f"  {theorem.name}"
            yield from folded(f"evidence: {', '.join(theorem.kinds)}", 4)
            yield from folded(f"reference: {theorem.reference}", 4)
        if held:
            yield ""
    yield from folded(f"{_theorems(len(theorems))}; icl show NAME prints one, icl verify NAME verifies it", 0)


def verifications(theorems: Sequence[Theorem], settings: Settings, jobs: int = 1) -> Iterator[Verification]:
    """The theorems verified, each printed as soon as it and those before it are.

    Args:
        theorems: of the catalogue, if there are several processes.
        settings: how the evidence is gathered.
        jobs: the number of processes, >= 1.
    """
    console, width = Console(), max(len(theorem.name) for theorem in theorems)
    names = [theorem.name for theorem in theorems]
    with progress_bar() as bar:
        task = bar.add_task("", total=len(theorems))
        many = gathered_in_processes(names, settings, jobs) if jobs > 1 else (gathered(t, settings) for t in theorems)
        for theorem in theorems:
            bar.update(task, description=theorem.name)
            verification = Verification(theorem, tuple(next(many)))
            bar.advance(task)
            bar.stop()
            for line in verification_lines(verification, width, console.encoding):
                console.print(line, soft_wrap=True)
            bar.start()
            yield verification


def verdict(verification: Verification) -> str:
    """ "verified", "REFUTED" or "not verified"."""
    if verification.verified:
        return "verified"
    return "REFUTED" if verification.refuted else "not verified"


def verification_lines(verification: Verification, width: int, encoding: str) -> Iterator[Text]:
    """One line with the outcome of every kind of evidence, and below it each piece that fails, with its reason.

    Args:
        width: of the longest name.
        encoding: of the output; decides whether the outcomes can be signs.
    """
    signs = (
        {HOLDS: "✓", FAILS: "✗", NOT_RUN: "–"} if encoding.startswith("utf") else {HOLDS: "+", FAILS: "x", NOT_RUN: "-"}
    )
    said = verdict(verification)
    outcomes = "  ".join(f"{signs[evidence.outcome]} {evidence.kind}" for evidence in verification.evidence)
    yield Text.assemble((f"{said:<12}", _STYLES[said]), f"  {verification.theorem.name:<{width}}  {outcomes}")
    for evidence in verification.evidence:
        if evidence.outcome == FAILS:
            yield from (Text(part) for part in folded(failure_written(evidence), 14))


def failure_written(evidence: Evidence) -> str:
    """Why a piece of evidence fails and where it was looked for; long numbers abridged."""
    over = f" ({evidence.over})" if evidence.over else ""
    at = f", instance {evidence.instances}" if evidence.instances else ""
    return f"{evidence.kind} fails{over}{at}: {abridged(evidence.reason or 'no reason was given')}"


def abridged(text: str) -> str:
    """The text with every whole number of more than 24 digits cut down to its first ones and their count.

    >>> abridged("1/" + "7" * 30)
    '1/77777777...(30 digits)'
    """
    return re.sub(r"\d{25,}", lambda found: f"{found[0][:8]}...({len(found[0])} digits)", text)


def not_run_lines(verifications: Sequence[Verification]) -> Iterator[str]:
    """What was not run, each kind and reason once, with the number of theorems."""
    counts: dict[tuple[str, str], int] = {}
    for verification in verifications:
        for evidence in verification.evidence:
            if evidence.outcome == NOT_RUN:
                key = evidence.kind, evidence.reason or "no reason was given"
                counts[key] = counts.get(key, 0) + 1
    for (kind, reason), count in counts.items():
        yield from folded(f"not run: {kind} of {_theorems(count)} ({abridged(reason)})", 0)


def summary(verifications: Sequence[Verification], settings: Settings, device: str, seconds: float) -> str:
    """The last line of a verification; ``device`` is what the device is called."""
    verdicts = [verdict(verification) for verification in verifications]
    said = [f"{verdicts.count('verified')} verified", f"{verdicts.count('REFUTED')} refuted"]
    if "not verified" in verdicts:
        said.append(f"{verdicts.count('not verified')} not verified")
    instances = f"{settings.instances} instance{'s' if settings.instances != 1 else ''}"
    run = f"seed {settings.seed}, {instances}, {device}, {seconds:.1f} s"
    return f"{_theorems(len(verdicts))}: {', '.join(said)} ({run})"


def report_as_json(verifications: Sequence[Verification], settings: Settings) -> str:
    """The report as one JSON object; a float that is not finite is a string, since JSON has none."""
    report = {
        "seed": settings.seed,
        "device": settings.device,
        "versions": versions(),
        "theorems": [verification.as_json() for verification in verifications],
    }
    return json.dumps(_finite(report), indent=2, allow_nan=False) + "\n"


def folded(text: str, indent: int) -> Iterator[str]:
    """The text in lines that fit the terminal, or in one line where there is none; no word is cut."""
    if not sys.stdout.isatty():
        yield " " * indent + text
        return
    yield from textwrap.wrap(
        text,
        max(Console().width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, a line per row: its columns to the right, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield from ("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)


def progress_bar() -> Progress:
    """A progress bar on the standard error stream, if that is a terminal; it vanishes when it ends."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(separator=" of "),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # The report may go elsewhere than the bar.
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not (sys.stderr.isatty() and console.is_interactive),
    )


def _theorems(count: int) -> str:
    return f"{count} theorem{'s' if count != 1 else ''}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_finite(held) for held in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value

"""Proofs: seconds for each symbolic proof of the catalogue, and for all the evidence of ``icl verify``."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial

from sympy.core.cache import clear_cache

from benchmarks.results import Section, Target
from benchmarks.timing import RUNS, interleaved
from proofs.catalogue import catalogue
from proofs.evidence import HOLDS, Settings

SECONDS_PER_PROOF = 2.0
SECONDS_TO_VERIFY = 60.0


def symbolic_proofs(names: tuple[str, ...] | None = None, runs: int = RUNS) -> Section:
    """Seconds for each symbolic proof, with SymPy's cache emptied before each run.

    Args:
        names: the theorems; all of the catalogue that have a proof by default.
        runs: how often each is proved.
    """
    named = {name: theorem for name, theorem in catalogue().items() if "proof" in theorem.kinds}
    chosen = tuple(named) if names is None else names
    timings = interleaved({name: partial(_proved, name) for name in chosen}, runs, before=clear_cache)
    slowest = max(timings, key=lambda name: timings[name].median)
    return Section(
        "symbolic_proofs",
        "Symbolic proofs, for all sizes",
        {"theorems": len(chosen)},
        [{"theorem": name, **timing.columns()} for name, timing in timings.items()],
        targets=(
            Target(
                f"each symbolic proof takes less than {SECONDS_PER_PROOF:g} s",
                f"at most {timings[slowest].median:.3f} s ({slowest})",
                timings[slowest].median < SECONDS_PER_PROOF,
            ),
        ),
    )


def verification(names: tuple[str, ...] = ()) -> Section:
    """Seconds for ``icl verify`` in a process of its own, once.

    Args:
        names: the theorems; all by default.
    """
    start = time.perf_counter()
    command = (sys.executable, "-m", "proofs.command_line", "verify", *names)
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    last = ((run.stderr or run.stdout).strip().splitlines() or ["it printed nothing"])[-1]
    outcome = "verified" if run.returncode == 0 else f"exit code {run.returncode}: {last}"
    return Section(
        "verification",
        "All evidence: icl verify",
        {"theorems": len(names) or len(catalogue())},
        [{"command": " ".join(("icl verify", *names)), "seconds": seconds, "outcome": outcome}],
        targets=(
            Target(
                f"icl verify takes less than {SECONDS_TO_VERIFY:g} s",
                f"{seconds:.1f} s, {outcome}",
                run.returncode == 0 and seconds < SECONDS_TO_VERIFY,
            ),
        ),
    )


def _proved(name: str) -> None:
    evidence = catalogue()[name].evidence("proof", Settings())
    if evidence.outcome != HOLDS:
        raise AssertionError(f"{name}: the proof must hold before its time counts, but it {evidence.outcome}")

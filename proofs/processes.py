"""Evidence and proofs gathered in several processes at once: theorems do not depend on each other.

The theorems are named, not sent: each process has the catalogue. The precision of balls belongs to a process, so that
the processes do not disturb each other as threads would.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

from proofs.evidence import Evidence, Settings
from proofs.theorem import gathered

Result = TypeVar("Result")

FEW = 8
"""So many theorems are verified before several processes would have started."""


def default_jobs(theorems: int) -> int:
    """One process for every core that may be used, or a single one for few theorems."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, theorems) if theorems > FEW else 1


def gathered_in_processes(names: Sequence[str], settings: Settings, jobs: int) -> Iterator[tuple[Evidence, ...]]:
    """The evidence for each theorem of the catalogue that is named, in their order.

    Args:
        names: of theorems.
        settings: how it is gathered.
        jobs: the number of processes, >= 1.
    """
    yield from in_processes(partial(_gathered_here, settings=settings), names, jobs)


def in_processes(function: Callable[[str], Result], names: Sequence[str], jobs: int) -> Iterator[Result]:
    """The function of each name, in their order, from several processes at once; it must be one that can be sent."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, names)


def _gathered_here(name: str, settings: Settings) -> tuple[Evidence, ...]:
    from proofs.catalogue import catalogue

    return tuple(gathered(catalogue()[name], settings))

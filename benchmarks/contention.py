"""Contention: how much of the cores other processes took during a measurement.

It matters to a ratio: threads that wait for each other at every operation, as PyTorch's do, lose more to a busy core
than threads that work on their own, so that a busy machine flatters us.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STAT = Path("/proc/stat")


@contextmanager
def contention() -> Iterator[Callable[[], float | None]]:
    """The share of all cores that other processes have taken since it was entered, as a function; None if unknown.

    Other processes are those of this machine and, on a virtual one, of its host; children of ours that still run count
    among them.
    """
    start, taken = time.perf_counter(), _taken_by_others()

    def share() -> float | None:
        now = _taken_by_others()
        if taken is None or now is None:
            return None
        return max(0.0, (now - taken) / ((time.perf_counter() - start) * (os.cpu_count() or 1)))

    yield share


def _taken_by_others() -> float | None:
    """Seconds of all cores that were neither idle nor ours, since the machine was started."""
    try:
        user, nice, system, _, _, _, _, stolen = map(int, _STAT.read_text(encoding="ascii").split()[1:9])
    except (OSError, ValueError):
        return None
    ours = os.times()
    everyone = (user + nice + system + stolen) / os.sysconf("SC_CLK_TCK")
    return everyone - ours.user - ours.system - ours.children_user - ours.children_system

"""Timing: medians over several runs, taken in turn, so that a busy moment of the machine falls on all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RUNS = 7
"""How often each function is timed."""

PAUSE = 0.02
"""Seconds of sleep before each run: threads of another library that still wait actively give the cores back."""


@dataclass(frozen=True)
class Timing:
    """The seconds that the runs of one function took, in the order in which they were made."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def columns(self) -> dict[str, Any]:
        """The timing as columns of a table."""
        return {
            "seconds": self.median,
            "smallest": min(self.seconds),
            "largest": max(self.seconds),
            "runs": len(self.seconds),
        }


@dataclass(frozen=True)
class Ratio:
    """How many times as long one function took as another: the ratio of the medians, and of single pairs of runs."""

    of_medians: float
    smallest: float
    largest: float


def interleaved(
    functions: Mapping[str, Callable[[], Any]], runs: int = RUNS, before: Callable[[], Any] = lambda: None
) -> dict[str, Timing]:
    """The timing of each function: A B A B ..., after one run of each that is not timed.

    Args:
        functions: what to time, by name; each must have finished its work when it returns.
        runs: how often, >= 1.
        before: called before each run, not timed.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            before()
            time.sleep(PAUSE)
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def ratio(slow: Timing, fast: Timing) -> Ratio:
    """How many times as long the first took as the second; the pairs are the runs made in turn."""
    pairs = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return Ratio(slow.median / fast.median, min(pairs), max(pairs))

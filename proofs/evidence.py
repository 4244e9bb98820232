"""Evidence: what was tried on a theorem, and what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

KINDS = ("proof", "exact", "ball", "float", "cuda", "refutation", "closed_form")
"""The kinds of evidence, in the order in which they are gathered and shown."""

HOLDS, FAILS, NOT_RUN = "holds", "fails", "not run"


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence.

    Args:
        kind: one of ``KINDS``.
        outcome: ``"holds"``, ``"fails"`` or ``"not run"``.
        over: what it ranges over, in words.
        instances: how many instances it is from; None where that makes no sense.
        worst: the largest difference seen.
        bound: the largest difference that rounding explains; None in exact kinds.
        seconds: how long it took.
        reason: why it failed, or why it was not run.
        undecided: whether it "fails" only because it could not decide; that refutes nothing. Not part of the JSON,
            where the reason says so.
    """

    kind: str
    outcome: str
    over: str | None = None
    instances: int | None = None
    worst: Any = None
    bound: Any = None
    seconds: float | None = None
    reason: str | None = None
    undecided: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.outcome not in (HOLDS, FAILS, NOT_RUN):
            raise ValueError(
                f"kind = {self.kind!r}, outcome = {self.outcome!r}: see proofs.evidence for what they may be"
            )

    def as_json(self) -> dict[str, Any]:
        """The evidence as JSON has it: exact numbers as strings."""
        record = asdict(self)
        del record["undecided"]
        for name in ("worst", "bound"):
            record[name] = number_as_json(record[name])
        return record


def number_as_json(value: Any) -> Any:
    """A number as JSON has it: a float as it is, an exact number as a string, nothing as null."""
    if value is None or isinstance(value, float):
        return value
    return str(value)


@dataclass(frozen=True)
class Settings:
    """How evidence is gathered.

    Args:
        seed: of every random draw.
        instances: random instances per theorem and kind, >= 1.
        device: ``"cpu"``, or ``"cuda"`` to run the CUDA evidence as well.
    """

    seed: int = 0
    instances: int = 10
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.instances < 1:
            raise ValueError(f"instances = {self.instances}: at least one instance is required")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"device = {self.device!r}: it must be 'cpu' or 'cuda'")


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """The seconds since it was entered, as a function."""
    start = time.perf_counter()
    yield lambda: time.perf_counter() - start


def timed(gather: Callable[[], Evidence]) -> Evidence:
    """The evidence with the time that it took."""
    with stopwatch() as seconds:
        evidence = gather()
    return replace(evidence, seconds=round(seconds(), 6))


def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers, either of which may be missing."""
    if a is None or b is None:
        return b if a is None else a
    return b if b > a else a


def float_above(value: Fraction | None) -> float | None:
    """The least float that is no less than the number; None stays None.

    >>> float_above(Fraction(1, 3)) >= Fraction(1, 3) > Fraction(float_above(Fraction(1, 3))) - Fraction(1, 2**53)
    True
    """
    if value is None:
        return None
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)

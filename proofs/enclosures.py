"""Enclosures: an exact instance in balls, and a float run held against the exact one of the same inputs."""

from __future__ import annotations

from typing import Any

from constructions.block import Block, materialised
from constructions.comparison import Verdict
from constructions.construction import streams
from constructions.parameters import lifted, map_parameters
from numerics.balls import BallBlock, precision
from numerics.mutations import Instance
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock, contains


def enclosed(instance: Instance) -> Instance:
    """A rational instance in balls of the precision in force."""
    construction, prompt = instance

    def ball(entry: Any) -> Any:
        return BallBlock.lift(entry).entry

    return map_parameters(construction, lambda held, p: ball(held) if p.is_matrix else held), prompt.map(ball)


def held_against_exact(exact: Instance, moved: Instance, bits: int | None = None) -> str | None:
    """Where a float run leaves its rounding bound around the exact run of the same dyadic inputs; None if nowhere.

    Args:
        exact, moved: the instance, and the same on its device.
        bits: the precision of the exact run, in balls; None for one in rationals.
    """
    if bits is not None:
        with precision(bits):
            return _held_against(BallBlock, exact, moved)
    return _held_against(RationalBlock, exact, moved)


def _held_against(exact_kind: type[Block], exact: Instance, moved: Instance) -> str | None:
    runs = []
    for (construction, prompt), kind in ((exact, exact_kind), (moved, RoundedBlock)):
        held = prompt.lifted(kind)
        runs.append(streams(lifted(construction, kind, held), held))
    for number, (true, computed) in enumerate(zip(*runs, strict=True)):
        for place in true.blocks.keys() | computed.blocks.keys():
            left, right = (
                materialised(computed[place], computed.like()),
                materialised(true[place], true.like()),
            )
            comparison = contains(left, right)  # type: ignore[arg-type]
            if comparison.verdict is not Verdict.EQUAL:
                return (
                    f"after layer {number}, slot {place[0]!r} of group {place[1]!r}: off by {comparison.gap}, bound "
                    f"{comparison.bound}"
                )
    return None

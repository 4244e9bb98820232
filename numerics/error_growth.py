"""The growth of rounding errors: a float run of a network against the exact state that its invariant claims.

Symbols: U the block of one slot and group; |.| the Frobenius norm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flint import arb

from constructions.block import Block, Entry
from constructions.construction import Construction
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.stages import Loop, layers_of
from numerics.balls import BallBlock, as_arb, precision
from numerics.check import restarted
from numerics.rounding import RoundedBlock

BITS = 512
"""The precision of the exact states: each Newton step costs the balls a few bits, and the floats have 53."""


@dataclass(frozen=True)
class RoundedState:
    """A slot of the float run before a layer of a loop.

    Args:
        index: of the layer, from 0.
        value: what the float run holds, U.
        radius: how far rounding in the layer before may have moved each entry, that layer alone.
        error: |U - exact| / |exact|, enclosed; exact is the claim of the invariant for the same inputs.
        size: |exact|, enclosed.
    """

    index: int
    value: Entry
    radius: Any
    error: arb
    size: arb


def rounded_states(
    construction: Construction, prompt: Prompt, slot: str, group: str, bits: int = BITS
) -> list[RoundedState]:
    """What a float run holds in one place before each layer of the network's loops, and after the last one.

    The run is uninterrupted; each layer is run on the float values that the one before it left.

    Args:
        construction: its parameters floats, or exact.
        prompt: arrays of one float dtype.
        slot, group: the place.
        bits: the precision of the exact states.
    """
    states: list[RoundedState] = []
    rounded, exact = prompt.lifted(RoundedBlock), prompt.lifted(BallBlock)
    run = lifted(construction, RoundedBlock, rounded)
    with precision(bits):
        model = lifted(construction, BallBlock, exact)
        iterate = model.initial(exact)
        stream = run.embed(rounded)
        for stage, claimed in zip(run.stages(rounded), model.stages(exact), strict=True):
            if not (isinstance(stage, Loop) and isinstance(claimed, Loop)):
                for layer in layers_of(stage):
                    stream = _restarted(layer(stream))
                continue
            for l in range(stage.times + 1):
                held: Any = stream[slot, group]
                state: Any = claimed.state(l, iterate)
                size = norm(state[slot, group])
                error = norm(BallBlock.lift(held.value) - state[slot, group]) / size
                states.append(RoundedState(l, held.value, held.radius, error, size))
                if l < stage.times:
                    stream, iterate = stage.layer(l)(_restarted(stream)), claimed.step(l, iterate)
    return states


def norm(block: Block) -> arb:
    """The Frobenius norm of a block of balls, enclosed."""
    total = arb(0)
    for entry in block.entry.flat:
        total += as_arb(entry) ** 2
    return total.sqrt()


def _restarted(stream: Any) -> Any:
    return replace(stream, blocks={place: restarted(block) for place, block in stream.blocks.items()})

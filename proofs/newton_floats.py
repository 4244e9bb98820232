"""The Newton transformer in float64: how many digits it keeps, and what its rounding bound proves.

The bound is accumulated over the whole run, from the rounding of the data and of alpha to the prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from numerics.balls import as_arb, precision
from numerics.rounding import LEAST, Rounded, RoundedBlock
from proofs.newton_passes import Answer, Answers, Goal, read_out, streams_of_queries
from proofs.proven_digits import leading_unit, proven_digits

FLOAT_DIGITS = 15
"""The digits that every float64 can carry: a decimal of so many comes back from float64 as it went in."""


@dataclass(frozen=True)
class FloatAnswer:
    """One prediction of the float64 run.

    Args:
        value: the prediction; infinite or NaN if the run overflows.
        bound: |value - exact prediction of the same network| <= bound, rigorously; infinite if nothing is known.
        digits: how many digits of the exact prediction it has, proven, see ``proofs.proven_digits``.
        least_squares_digits: how many digits of least squares.
    """

    value: float
    bound: float
    digits: int | float
    least_squares_digits: int | float

    @property
    def proves_sign(self) -> bool:
        """Whether the bound is below the value; otherwise it proves no digit of it, and not even its sign."""
        return self.bound < abs(self.value)


def float_answers(
    prompt: Prompt, queries: Sequence[Sequence[Fraction]], alpha: Fraction, goals: Sequence[Goal], proven: Answers
) -> tuple[FloatAnswer, ...]:
    """The float64 run of the network of which balls proved the answers.

    Args:
        prompt: nested lists of Fractions; its own query does not count.
        queries: (d, r), one column per query.
        alpha: the initial scale.
        goals, proven: for each query what it is held against.

    Raises:
        OverflowError: if a cell or a weight is beyond the range of float64.
    """
    network = NewtonFromIdentity(alpha=alpha, steps=proven.steps)
    with np.errstate(all="ignore"):
        held = prompt.map(rounded).lifted(RoundedBlock)
        streams = streams_of_queries(network, held, RoundedBlock.lift(rounded(queries)))
        *_, last = (stream for stream, _ in zip(streams, range(proven.steps + 1), strict=False))
        row = read_out(network, last, held).entry
    with precision(proven.bits):
        triples = zip(row.value[0].tolist(), row.radius[0].tolist(), proven.answers, goals, strict=True)
        return tuple(_float_answer(*each) for each in triples)


def rounded(rows: Sequence[Sequence[Fraction]]) -> Rounded:
    """The numbers in float64, and how far rounding moved each: half a unit in the last place, or nothing.

    Raises:
        OverflowError: for a number beyond the range.
    """
    values = [[float(cell) for cell in row] for row in rows]
    radii = [
        [0.0 if Fraction(value) == cell else max(math.ulp(value) / 2, LEAST) for value, cell in zip(*each, strict=True)]
        for each in zip(values, rows, strict=True)
    ]
    return Rounded(np.array(values), np.array(radii))


def _float_answer(value: float, bound: float, answer: Answer, goal: Goal) -> FloatAnswer:
    if not math.isfinite(value):
        return FloatAnswer(value, math.inf, 0, 0)
    # Where least squares or the iterate is zero, digits count from the size of a prediction in the units of the data.
    unit = as_arb(goal.scale / 10) if not goal.best or answer.written in ("0", None) else arb(0)
    unit = unit if answer.written in ("0", None) else unit.max(leading_unit(answer.iterate))
    return FloatAnswer(
        value,
        bound,
        proven_digits(as_arb(value) - answer.iterate, unit),
        proven_digits(as_arb(value) - as_arb(goal.best), goal.unit),
    )

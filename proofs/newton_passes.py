"""The Newton transformer in balls: enough steps, and enough bits, that the digits wanted are proven.

Symbols: n context tokens, d features, r queries; X (d, n), Y (1, n), queries (d, r), alpha the initial scale, k steps.

A run at b bits encloses what the network of k steps (k Newton layers and a read-out layer) predicts for every query.
The radii grow with every step; where they are too wide to decide, all is run again at 2 b bits. The first b is a guess,
and nothing that is proven depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq, fmpq_mat

from constructions.block import Block
from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from constructions.stages import Single
from constructions.stream import Stream
from numerics.balls import BallBlock, as_arb, precision
from numerics.rationals import as_fraction
from proofs.decimals import decimal_exponent
from proofs.proven_digits import half_unit, proven_decimal, proven_digits

Watch = Callable[[int, int], None]
"""Called before every step with (bits, steps taken), to show progress."""


@dataclass(frozen=True)
class Goal:
    """What a prediction is held against.

    Args:
        best: the exact least-squares prediction.
        unit: the weight of its first digit. A zero has none: its digits count from the tenth part of ``scale``.
        scale: max |y_i| sum_j |x_query_j| / max |x_ij|, the size of a prediction in the units of the data.
    """

    best: fmpq
    unit: Fraction
    scale: Fraction


@dataclass(frozen=True)
class Question:
    """What is asked of the transformer.

    Args:
        prompt: the context, lifted to rationals, with one target; its own query does not count.
        queries: (d, r).
        goals: one per query.
        alpha: the initial scale; it must converge if ``steps`` is None.
        steps: k >= 0; None for the least k after which every prediction is proven to have the digits of least squares.
        digits: how many digits of each prediction are to be proven, >= 1.
    """

    prompt: Prompt
    queries: fmpq_mat
    goals: tuple[Goal, ...]
    alpha: Fraction
    steps: int | None
    digits: int


@dataclass(frozen=True)
class Answer:
    """What is proven of one prediction of the network.

    Args:
        iterate: encloses the prediction.
        written: the prediction, correctly rounded to the digits wanted; None if it is proven to be a zero in the units
            of the data, within half a unit of the last digit, and nothing more.
        difference: encloses prediction - least squares.
        digits: how many digits of least squares it is proven to have, see ``proofs.proven_digits``.
    """

    iterate: arb
    written: str | None
    difference: arb
    digits: int | float


@dataclass(frozen=True)
class Answers:
    """The answer to every query, the number of steps, and the bits that proved them."""

    answers: tuple[Answer, ...]
    steps: int
    bits: int


def goals_of(prompt: Prompt, queries: fmpq_mat, W: fmpq_mat) -> tuple[Goal, ...]:
    """The goal of each query.

    Args:
        prompt: lifted to rationals, with one target.
        queries: (d, r).
        W: exact least squares, (1, d).
    """
    best = (W * queries).entries()
    sizes = [max(abs(value) for value in row) for row in prompt.X.matrix.tolist()]
    largest = max(abs(value) for value in prompt.Y.matrix.entries())
    found = []
    for column, value in zip(queries.transpose().tolist(), best, strict=True):
        terms = [abs(entry) / size for entry, size in zip(column, sizes, strict=True) if size]
        scale = as_fraction(largest * sum(terms, start=fmpq(0)))
        unit = Fraction(10) ** decimal_exponent(value) if value else scale / 10
        found.append(Goal(value, unit, scale))
    return tuple(found)


def streams_of_queries(network: NewtonFromIdentity, prompt: Prompt, queries: Block) -> Iterator[Stream]:
    """The stream before the first Newton layer and after each, with every query in one pass, without an end.

    The x slot of a query is empty, so that no token attends to it, and queries do not see each other. The layers do not
    depend on ``network.steps``.

    Args:
        network: neither looped nor by ReLU pairs.
        prompt: lifted; its own query does not count.
        queries: (d, r), of the same kind of number.
    """
    first = network.embed(prompt)
    blocks = {**first.blocks, ("u", "query"): queries.scale(network.alpha)}
    stream = Stream(first.slots, {**first.groups, "query": queries.columns}, blocks)
    l = 0
    while True:
        yield stream
        stream = network.layer(l, prompt)(stream)
        l += 1


def read_out(network: NewtonFromIdentity, stream: Stream, prompt: Prompt) -> Block:
    """The predictions (1, r) of the network, whose read-out layer runs on the stream after its last Newton layer."""
    *_, last = network.stages(prompt)
    assert isinstance(last, Single)
    return network.read_out(last.layer(stream))


def proven_answers(
    question: Question, first_bits: int, most_bits: int, watch: Watch = lambda bits, steps: None
) -> Answers | None:
    """The answers, at the first precision that proves them: ``first_bits``, twice as many, and so on.

    Args:
        question: what is asked.
        first_bits, most_bits: the precision of the first run, and the highest one.
        watch: called before every step.

    Returns:
        The answers; None if ``most_bits`` are too few.
    """
    bits = min(first_bits, most_bits)
    while True:
        with precision(bits):
            found = _attempt(question, bits, bits == most_bits, watch)
        if found is not None or bits == most_bits:
            return found
        bits = min(2 * bits, most_bits)


def _attempt(question: Question, bits: int, is_last: bool, watch: Watch) -> Answers | None:
    """The answers at the current precision; None if it is too low."""
    held, alpha, goals = (
        question.prompt.map(lambda block: block.matrix).lifted(BallBlock),
        question.alpha,
        question.goals,
    )
    streams = streams_of_queries(NewtonFromIdentity(alpha=alpha, steps=0), held, BallBlock.lift(question.queries))
    start = None
    for k, stream in enumerate(streams):
        watch(bits, k)
        u = _entries(stream["u", "query"])
        start = start if start is not None else max(abs(ball).upper() for ball in u)
        if _is_lost(u, start):
            break
        if question.steps is not None and k < question.steps:
            continue
        predictions = _entries(read_out(NewtonFromIdentity(alpha=alpha, steps=k), stream, held))
        differences = [ball - as_arb(goal.best) for ball, goal in zip(predictions, goals, strict=True)]
        if question.steps is None:
            halves = [half_unit(question.digits, goal.unit) for goal in goals]
            if _is_too_wide(differences, halves):
                break
            if not all(abs(gap) <= half for gap, half in zip(differences, halves, strict=True)):
                continue
        answers = [
            _answer(*each, question.digits, is_last) for each in zip(predictions, differences, goals, strict=True)
        ]
        proven = tuple(answer for answer in answers if answer is not None)
        return Answers(proven, k, bits) if len(proven) == len(answers) else None
    return None


def _answer(ball: arb, difference: arb, goal: Goal, digits: int, is_last: bool) -> Answer | None:
    """What the ball proves, or None if that is not enough.

    Only a least-squares prediction of exactly 0, or the limit of the precision, lets a zero in the units of the data
    pass for the digits.
    """
    written = proven_decimal(ball, digits)
    if written is None:
        unit = goal.unit if not goal.best else goal.scale / 10
        if (goal.best and not is_last) or not (ball.contains(0) and abs(ball) <= half_unit(digits, unit)):
            return None
    return Answer(ball, written, difference, proven_digits(difference, goal.unit))


def _is_too_wide(differences: Sequence[arb], halves: Sequence[arb]) -> bool:
    """Whether no prediction is proven to be too far, and one is undecided for want of precision.

    A difference that is undecided although it agrees with the limit in 64 bits counts as not proven; another step moves
    it away, where more bits would not if it were the limit itself.
    """
    pairs = list(zip(differences, halves, strict=True))
    if any(abs(gap) > half for gap, half in pairs):
        return False
    return any(not (abs(gap) <= half or gap.rad() * 2**64 < half) for gap, half in pairs)


def _entries(block: Block) -> list[arb]:
    assert isinstance(block, BallBlock)
    return block.matrix.entries()


def _is_lost(entries: Sequence[arb], start: arb) -> bool:
    """Whether the radii exceed both the values and their start, so that this precision will prove nothing more.

    The rescaled u slot does not grow unless the iteration diverges. At worst, precision is raised in vain.
    """
    if not all(ball.is_finite() for ball in entries):
        return True
    radius, value = max(ball.rad() for ball in entries), max(abs(ball.mid()) for ball in entries)
    return bool(radius > start and radius > value)

"""The check: a construction held against its invariant on numbers, layer by layer.

In rationals equality is equality; in balls, and in floats with a radius, a claim fails when the enclosures of its two
sides are disjoint. Each layer is restarted from the state that the invariant claims, so that the first layer that fails
is the one at fault: as exact data, or, where the iterates satisfy relations, which rounded ones would violate, with the
radii that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from constructions.block import Block, compare, kind_of
from constructions.claims import END_TO_END, Claim, claims
from constructions.comparison import Comparison, Verdict
from constructions.construction import Construction, forward, iterates
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.stages import Iterate


class NotAnInstance(ValueError):
    """The prompt violates a hypothesis of the theorem, so nothing can be learnt from it."""


@dataclass(frozen=True)
class Failure:
    """The first claim that failed: where, by how much, and on which prompt."""

    claim: Claim
    comparison: Comparison
    construction: Construction
    prompt: Prompt

    @property
    def place(self) -> str:
        """The layer, slot and group at fault."""
        return self.claim.place

    def __str__(self) -> str:
        c = self.comparison
        gap = (
            ""
            if c.gap is None
            else f", by {c.gap}" + (f" where rounding explains {c.bound}" if c.bound is not None else "")
        )
        said = f"{self.claim.text} is not what the invariant claims ({self.place}): {c.left} instead of {c.right}{gap}"
        return said + (f", on the prompt {entries}" if (entries := _small_prompt(self.prompt)) else "")


@dataclass(frozen=True)
class CheckReport:
    """What a check established.

    ``holds`` if every claim held; ``undecided`` counts the claims that the kind of number could not decide. ``worst``
    and ``bound`` are the largest difference and the largest that rounding explains, over single layers: the radius that
    an uninterrupted run accumulates says nothing.
    """

    failure: Failure | None
    claims: int
    undecided: int = 0
    worst: Any = None
    bound: Any = None
    kind: str = field(default="")

    @property
    def holds(self) -> bool:
        return self.failure is None and self.undecided == 0 and self.claims > 0


def deciding_kind(entry: Any) -> type[Block]:
    """The kind of number in which equality of such entries can be decided: floats get a radius."""
    kind = kind_of(entry)
    if kind.__name__ == "FloatBlock":
        from numerics.rounding import RoundedBlock

        return RoundedBlock
    return kind


def check(
    construction: Construction,
    prompt: Prompt,
    *,
    kind: type[Block] | None = None,
    arbitrary: Callable[[Iterate], Iterate] | None = None,
    end_to_end: bool = True,
    change: Callable[..., Any] = lambda stage, layer: layer,
    anything: Callable[..., Block] | None = None,
    lemmas: bool = True,
) -> CheckReport:
    """Holds a construction against its invariant on one prompt.

    Args:
        construction: the construction, its parameters in the prompt's kind of number (or floats for balls, ...).
        prompt: raw entries or blocks. Plain floats are given a rounding radius.
        kind: the kind of number to decide in; by default the prompt's own.
        arbitrary: from the iterate reached to the one from which the next step is checked; by default the iterate
            itself, as exact data unless it satisfies relations.
        end_to_end: whether to compare the uninterrupted forward pass with the algorithm's last iterate as well.
        change: from (number of the stage, layer) to the layer that is run in its place, for mutants.
        anything: a block for a slot of which the state claims nothing; ones by default.
        lemmas: whether to check the lemmas as well.

    Raises:
        NotAnInstance: if the prompt violates a hypothesis.
    """
    kind = kind if kind is not None else deciding_kind(prompt.X)
    prompt = prompt.lifted(kind)
    construction = lifted(construction, kind, prompt)
    restart = arbitrary if arbitrary is not None else restarts(construction, prompt)
    made = claims(
        construction,
        prompt,
        arbitrary=restart,
        change=change,
        anything=anything or (lambda *shape: prompt.X.ones(*shape)),
        lemmas=lemmas,
    )
    counted = undecided = 0
    worst = bound = None
    for claim in _with_prediction(made, construction, prompt) if end_to_end else made:
        comparison = compare(claim.left, claim.right)
        if claim.kind == "hypothesis":
            if comparison.verdict is Verdict.DIFFERENT:
                raise NotAnInstance(
                    f"the prompt violates the hypothesis {claim.text!r}: {comparison.left} is not {comparison.right}"
                )
            continue
        counted += 1
        if comparison.verdict is Verdict.DIFFERENT:
            return CheckReport(
                Failure(claim, comparison, construction, prompt),
                counted,
                undecided,
                comparison.gap,
                comparison.bound,
                kind.__name__,
            )
        undecided += comparison.verdict is Verdict.UNDECIDED
        if claim.kind != END_TO_END:
            worst, bound = _larger(worst, comparison.gap), _larger(bound, comparison.bound)
    return CheckReport(None, counted, undecided, worst, bound, kind.__name__)


def restarts(construction: Construction, prompt: Prompt) -> Callable[[Iterate], Iterate]:
    """From the iterate reached to the one from which the next step is checked, for a lifted construction and prompt.

    As exact data; but where iterates satisfy relations, a rounded one does not, and the next step is claimed of those
    that do. There the enclosure is kept, which holds the true iterate.
    """
    if construction.relations(construction.initial(prompt), prompt):
        return lambda iterate: iterate
    return restarted


def restarted(iterate: Iterate) -> Iterate:
    """The iterate as exact data, its radii dropped."""
    if isinstance(iterate, Block):
        return iterate.restarted()
    return type(iterate)(*(block.restarted() for block in iterate))


def _with_prediction(made: Iterator[Claim], construction: Construction, prompt: Prompt) -> Iterator[Claim]:
    yield from made
    *_, last = iterates(construction, prompt)
    left, right = forward(construction, prompt), construction.predict(last, prompt)
    yield Claim(END_TO_END, None, None, None, left, right, "the prediction of the uninterrupted forward pass")


MOST_ENTRIES = 16
"""A prompt with more entries is not written into a message."""


def _small_prompt(prompt: Prompt) -> str:
    """The entries of a prompt that a person can check by hand; nothing for a larger one."""
    named = {"X": prompt.X, "Y": prompt.Y, "x_query": prompt.x_query, **dict(prompt.extras)}
    if prompt.X.batch or sum(block.rows * block.columns for block in named.values()) > MOST_ENTRIES:
        return ""
    entries = {name: getattr(block.entry, "value", block.entry).tolist() for name, block in named.items()}
    return ", ".join(f"{name} = [{', '.join(map(_row, rows))}]" for name, rows in entries.items())


def _row(values: list[Any]) -> str:
    return f"[{', '.join(map(str, values))}]"


def _larger(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return b if b > a else a

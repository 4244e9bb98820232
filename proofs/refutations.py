"""Refutations: the smallest prompt found on which a construction fails, where it fails first, and what would mend it.

Three searches, one after another: the smallest integers, size by size, on which the prediction is wrong; those on which
anything else that is claimed is; and what Hypothesis draws, shrunk, at sizes and numbers of layers beyond these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, find, settings
from hypothesis.errors import NoSuchExample

from constructions.block import materialised
from constructions.claims import END_TO_END
from constructions.construction import Construction
from constructions.parameters import map_parameters
from constructions.prompt import Prompt
from numerics.check import CheckReport, Failure, NotAnInstance, check
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.strategies import instances
from proofs.counterexamples import Counterexample, claimed_sides, smallest_counterexample
from proofs.slips import hints

MOST_EXAMPLES = 300
"""How many instances Hypothesis draws where no small one was found."""


@dataclass(frozen=True)
class Refutation:
    """A construction fails.

    Args:
        construction, prompt: the instance on which it does.
        failure: the first claim that fails there.
        example: the same as a counterexample among small integers, with what is known of the smaller ones; None if it
            was found by Hypothesis.
        predicts_rightly: whether it is the invariant alone that is wrong: at all sizes searched every prediction is
            the algorithm's.
        hints: the changes that would mend it.
    """

    construction: Construction
    prompt: Prompt
    failure: Failure
    example: Counterexample | None
    predicts_rightly: bool
    hints: tuple[str, ...]

    @property
    def layer(self) -> Any:
        """The layer at fault, from 1; None for the embedding, the read-out or a network without an invariant."""
        return self.failure.claim.layer if self.failure.claim.kind == "step" else None

    @property
    def where(self) -> str:
        """What fails first, in words."""
        claim = self.failure.claim
        if claim.kind == "base" and claim.layer is None:
            return f"the embedding: slot {claim.slot!r} of the group {claim.group!r}"
        if claim.kind == "read-out":
            return "the read-out"
        if claim.kind == END_TO_END:
            return "the prediction (no invariant is given, so that no layer can be named)"
        if claim.slot is None:
            return f"{claim.kind}: {claim.text}"
        return f"layer {claim.layer}: slot {claim.slot!r} of the group {claim.group!r}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The refutation for a terminal."""
        yield "counterexample: " + (str(self.example).split(": the transformer")[0] if self.example else self.entries())
        if self.example is not None and not self.predicts_rightly:
            predicted, claimed = (_written(side) for side in (self.example.predicted, self.example.claimed))
            yield f"the transformer predicts {predicted}, the algorithm {claimed}"
        if self.predicts_rightly:
            yield "the predictions are the algorithm's at every size searched: the invariant is what is wrong"
        yield f"first wrong: {self.where}"
        yield from (f"    {line}" for line in self.side_by_side())
        yield from (f"hint: {hint}" for hint in self.hints)

    def entries(self) -> str:
        """The instance, entry by entry."""
        prompt = ", ".join(f"{name} = {entry}" for name, entry in _named(self.prompt))
        return f"{Sizes.of(self.prompt)}: {prompt}, {self.construction!r}"

    def side_by_side(self) -> Iterator[str]:
        """The two blocks, what is there and what should be."""
        claim = self.failure.claim
        like = self.failure.prompt.X
        tables = [_rows(materialised(side, like).entry) for side in (claim.left, claim.right)]
        there, should = ("the state holds", "it should be") if claim.kind == "relation" else ("is there", "is claimed")
        widths = [max(map(len, [head, *rows])) for head, rows in zip((there, should), tables, strict=True)]
        for cells in [(there, should), *zip(*tables, strict=True)]:
            yield "    ".join(cell.center(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def refutation_found(
    prototype: Construction, typical: Sequence[Instance], decidable: Callable[[Instance], Instance] | None = None
) -> Refutation | None:
    """The smallest counterexample found to anything that a construction claims, or None.

    Args:
        prototype: the construction; its parameters are searched like the entries of the prompt.
        typical: instances to try changes on, the last one large enough to tell a matrix from its transpose.
        decidable: from a rational instance to one in the kind of number that decides, such as balls, where rationals
            do not.
    """
    example, predicts_rightly = None, False
    if decidable is None:
        example = smallest_counterexample(prototype)
        if example is None:
            example = smallest_counterexample(prototype, sides=claimed_sides)
            predicts_rightly = example is not None
    made = decidable or (lambda instance: instance)
    found = (example.construction, example.prompt) if example is not None else _drawn(prototype, made)
    if found is None:
        return None
    failure = check(*made(found)).failure
    assert failure is not None, "a counterexample to a prediction is one to some claim"
    at = failure.claim.layer if failure.claim.kind == "step" else None
    mending = hints(prototype, [made(found), *map(made, typical)], at)
    return Refutation(*found, failure, example, predicts_rightly, mending)


def with_nonzero_scalars(instance: Instance) -> Instance:
    """The instance with 1 for every scalar that is 0, so that nothing in its weights vanishes."""
    construction, prompt = instance
    return map_parameters(construction, lambda held, p: held if p.is_matrix or held else 1), prompt


def _drawn(prototype: Construction, made: Callable[[Instance], Instance]) -> Instance | None:
    """The smallest failing instance that Hypothesis finds, the same in every run."""

    def fails(instance: Any) -> bool:
        try:
            report: CheckReport = check(*made(tuple(instance)))
        except (NotAnInstance, ZeroDivisionError):
            return False
        return report.failure is not None

    drawn = instances(prototype, _sizes(prototype))
    chosen = settings(
        max_examples=MOST_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        construction, prompt = find(drawn, fails, settings=chosen)
    except NoSuchExample:
        return None
    return construction, prompt


def _sizes(prototype: Construction) -> Any:
    from numerics.strategies import SIZES

    return SIZES.map(lambda sizes: sizes.meant_for(prototype))


def _named(prompt: Prompt) -> Iterator[tuple[str, str]]:
    for name, entry in (("X", prompt.X), ("Y", prompt.Y), ("x_query", prompt.x_query), *prompt.extras):
        yield name, _written(entry)


def _written(rows: Any) -> str:
    """A matrix of numbers in the shortest form."""
    if isinstance(rows, (list, tuple)):
        parts = [_written(part) for part in rows]
        return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    return str(rows)


def _rows(entry: Any) -> list[str]:
    """The rows of a matrix, its columns aligned."""
    values = getattr(entry, "value", entry)
    table = [[str(value) for value in row] for row in values.tolist()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [f"[{'  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))}]" for row in table]

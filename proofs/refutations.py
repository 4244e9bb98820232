"""Refutations: the smallest prompt found on which a construction fails, where it fails first, and what would mend it.

Three searches, one after another: the smallest integers, size by size, on which the prediction is wrong; those on which
anything else that is claimed is; and what Hypothesis draws, shrunk, at sizes and numbers of layers beyond these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from constructions.block import Block, compare, materialised
from constructions.claims import END_TO_END
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.parameters import map_parameters
from constructions.prompt import Prompt
from numerics.check import CheckReport, Failure, NotAnInstance, check
from numerics.instances import Sizes
from numerics.mutations import Instance
from numerics.strategies import SIZES, instances
from proofs.counterexamples import (
    LARGEST,
    MOST_LAYERS,
    Counterexample,
    claimed_sides,
    entries_of,
    predictions,
    short,
    smallest_counterexample,
)
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
        predicts_rightly: whether the prediction is right there, and only the invariant wrong.
        wrong_elsewhere: whether the prediction is wrong on some other prompt, as with more layers.
        hints: the changes that would mend it.
    """

    construction: Construction
    prompt: Prompt
    failure: Failure
    example: Counterexample | None
    predicts_rightly: bool
    wrong_elsewhere: bool
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
        size = self.example.size if self.example else _size(self.construction, self.prompt)
        entries = entries_of(self.construction, self.prompt)
        yield f"counterexample: {size}: {', '.join(f'{name} = {short(value)}' for name, value in entries.items())}"
        if not self.predicts_rightly:
            predicted, claimed = map(_short_block, predictions(self.failure.construction, self.failure.prompt))
            yield f"the transformer predicts {predicted}, the algorithm {claimed}"
        elif self.wrong_elsewhere:
            yield "the prediction is right there, but wrong on other prompts, as with more layers"
        else:
            yield "the prediction is right, there and on every prompt tried: it is the invariant that is wrong"
        yield f"first wrong: {self.where}"
        yield from (f"    {line}" for line in self.side_by_side())
        yield from (f"hint: {hint}" for hint in self.hints)

    def side_by_side(self) -> Iterator[str]:
        """The two blocks, what is there and what should be."""
        claim = self.failure.claim
        tables = [_rows(materialised(side, self.failure.prompt.X)) for side in (claim.left, claim.right)]
        heads = ("is there", "is claimed")
        widths = [max(map(len, [head, *rows])) for head, rows in zip(heads, tables, strict=True)]
        for cells in [heads, *zip(*tables, strict=True)]:
            yield "    ".join(cell.center(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def refutation_found(
    prototype: Construction, typical: Sequence[Instance], decidable: Callable[[Instance], Instance] | None = None
) -> Refutation | None:
    """The smallest counterexample found to anything that a construction claims, or None.

    Args:
        prototype: the construction; its parameters are searched like the entries of the prompt.
        typical: instances to try changes and predictions on, the last one large enough to tell a matrix from its
            transpose.
        decidable: from a rational instance to one in the kind of number that decides, such as balls, where rationals
            do not.
    """
    made = decidable or (lambda instance: instance)
    example = _smallest(prototype) if decidable is None else None
    found = (example.construction, example.prompt) if example is not None else None
    if found is None and (found := _drawn(prototype, made, shrunk=False)) is not None:
        depth = found[0].depth
        if decidable is None and depth > MOST_LAYERS:
            example = _smallest(prototype, depth, MOST_LAYERS + 1)
        found = (example.construction, example.prompt) if example is not None else _drawn(prototype, made, shrunk=True)
    if found is None:
        return None
    failure = check(*made(found)).failure
    assert failure is not None, "a counterexample to a prediction is one to some claim"
    at = failure.claim.layer if failure.claim.kind == "step" else None
    tried = [made(found), *map(made, typical)]
    rightly = [not _is_wrong(*instance) for instance in tried]
    return Refutation(*found, failure, example, rightly[0], not all(rightly), hints(prototype, tried, at))


def with_nonzero_scalars(instance: Instance) -> Instance:
    """The instance with 1 for every scalar that is 0, so that nothing in its weights vanishes."""
    construction, prompt = instance
    return map_parameters(construction, lambda held, p: held if p.is_matrix or held else 1), prompt


def _smallest(prototype: Construction, most: int = MOST_LAYERS, fewest: int = 0) -> Counterexample | None:
    """The smallest counterexample to the prediction; if there is none, to anything that is claimed."""
    sizes = LARGEST if fewest == 0 else Sizes(2, 1, 1)  # of many layers the polynomials are large
    example = smallest_counterexample(prototype, sizes, most, fewest)
    return example or smallest_counterexample(prototype, sizes, most, fewest, claimed_sides)


def _is_wrong(construction: Construction, prompt: Prompt) -> bool:
    """Whether the prediction certainly differs from the algorithm's."""
    return compare(*predictions(construction, prompt)).verdict is Verdict.DIFFERENT


def _drawn(prototype: Construction, made: Callable[[Instance], Instance], shrunk: bool) -> Instance | None:
    """A failing instance that Hypothesis finds, the same in every run; the smallest that it finds, if it is shrunk."""

    def fails(instance: Any) -> bool:
        try:
            report: CheckReport = check(*made(tuple(instance)))
        except (NotAnInstance, ZeroDivisionError):
            return False
        return report.failure is not None

    drawn = instances(prototype, SIZES.map(lambda sizes: sizes.meant_for(prototype)))
    chosen = settings(
        max_examples=MOST_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if shrunk else (Phase.generate,),
    )
    try:
        construction, prompt = find(drawn, fails, settings=chosen)
    except NoSuchExample:
        return None
    return construction, prompt


def _size(construction: Construction, prompt: Prompt) -> str:
    n, d, m = Sizes.of(prompt)
    return f"{construction.depth} layer{'' if construction.depth == 1 else 's'}, n = {n}, d = {d}, m = {m}"


def _short_block(block: Block) -> str:
    return short(_table(block))


def _rows(block: Block) -> list[str]:
    """The rows of a matrix, its columns aligned."""
    table = _table(block)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [f"[{'  '.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))}]" for row in table]


def _table(block: Block) -> list[list[str]]:
    return [[str(value) for value in row] for row in block.entry.tolist()]

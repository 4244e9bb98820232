"""Printed statements that are wrong: each is refuted by its smallest counterexample, and has a corrected form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from constructions.block import compare
from constructions.comparison import Comparison, Verdict
from constructions.construction import Construction
from constructions.parameters import map_parameters
from numerics.instances import Sizes
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.counterexamples import (
    LARGEST,
    MOST_LAYERS,
    Counterexample,
    predictions,
    smallest_counterexample,
)
from proofs.evidence import FAILS, HOLDS, Evidence, Settings, timed
from proofs.theorem import Theorem


@final
@dataclass(frozen=True, kw_only=True)
class RefutedStatement(Theorem):
    """A printed statement that is false.

    Args:
        printed: the construction as printed, in every reading of the text; each must be refuted.
        corrected: the name of the theorem that holds in its place.
    """

    printed: tuple[Construction, ...]
    corrected: str

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    @property
    def construction(self) -> Construction:
        return self.printed[0]

    @cached_property
    def counterexamples(self) -> tuple[Counterexample | None, ...]:
        """The smallest counterexample of each reading."""
        return tuple(smallest_counterexample(reading) for reading in self.printed)

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        return timed(lambda: self._evidence(kind))

    def _evidence(self, kind: str) -> Evidence:
        found = [example for example in self.counterexamples if example is not None]
        if len(found) < len(self.printed):
            n, d, m = LARGEST
            reason = f"no counterexample to a reading up to n = {n}, d = {d}, m = {m} and {MOST_LAYERS} layers"
            return Evidence(kind, FAILS, instances=len(self.printed), reason=reason, undecided=True)
        if kind == "proof":
            return Evidence(kind, HOLDS, "; ".join(_differing(example) for example in found), len(found))
        if kind == "refutation":
            return Evidence(kind, HOLDS, "smallest counterexample: " + "; ".join(map(str, found)), len(found))
        run: Callable[[Counterexample], Comparison] = _compared_exactly if kind == "exact" else _compared_in_floats
        comparisons = [run(example) for example in found]
        unrefuted = [c for c in comparisons if c.verdict is not Verdict.DIFFERENT]
        return Evidence(
            kind,
            FAILS if unrefuted else HOLDS,
            "the smallest counterexample" + (" in floats with their rounding bound" if kind == "float" else ""),
            len(found),
            max(c.gap for c in comparisons),
            max((c.bound for c in comparisons if c.bound is not None), default=None),
            reason="a counterexample does not refute" if unrefuted else None,
        )

    def shown(self) -> str:
        lines = []
        for reading, example in zip(self.printed, self.counterexamples, strict=True):
            lines += [f"As printed: {(type(reading).__doc__ or '').splitlines()[0]}", f"Counterexample: {example}"]
            if example is not None:
                lines += _difference_lines(example)
                lines += [f"Smaller sizes: {text}" for text in _smaller(example)]
            lines.append("")
        return "\n".join([*lines, f"Corrected: {self.corrected}"])


def _differing(example: Counterexample) -> str:
    if example.difference is None:
        differing = f"at {example.size} the exact run of the counterexample is the proof"
    else:
        differing = f"at {example.size} transformer minus claim is the polynomial {_polynomials(example)}"
    return "; ".join([differing, *_smaller(example)])


def _difference_lines(example: Counterexample) -> list[str]:
    if example.difference is None:
        return []
    hypotheses = " that satisfy the hypotheses" if example.prompt.extras else ""
    return [f"Transformer minus claim, for all entries of that size{hypotheses}: {_polynomials(example)}"]


def _smaller(example: Counterexample) -> Iterator[str]:
    """What is known of the smaller sizes that were searched."""
    if example.sizes_without:
        count = len(example.sizes_without)
        yield f"at {count} smaller size{'s' if count > 1 else ''} transformer and claim are equal for all entries"
    for layers, sizes, largest in example.sizes_searched:
        size = example.written(layers, sizes)
        yield f"at {size} none among the integer points up to sum {largest}, which proves nothing of the others"


def _polynomials(example: Counterexample) -> str:
    """The polynomials as one writes them; where every matrix is 1 x 1, its entry by the matrix's name."""
    written = ", ".join(str(polynomial).replace("**", "^").replace("*", " ") for polynomial in example.difference or ())
    return written.replace("[1,1]", "") if example.sizes == Sizes(1, 1, 1) else written


def _compared_exactly(example: Counterexample) -> Comparison:
    return compare(*predictions(example.construction, example.prompt, RationalBlock))


def _compared_in_floats(example: Counterexample) -> Comparison:
    def as_floats(value: Any) -> Any:
        return np.array(value, dtype=float)

    construction = map_parameters(
        example.construction, lambda value, declared: as_floats(value) if declared.is_matrix else value
    )
    return compare(*predictions(construction, example.prompt.map(as_floats), RoundedBlock))

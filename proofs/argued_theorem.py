"""Theorems that are no identity of a network: an argument whose equations are checked, runs, and slips to refute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np
import sympy

from constructions.construction import Construction
from proofs import words
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, timed
from proofs.formula import plain, sum_written
from proofs.index_sums import IndexSum
from proofs.induction import prove
from proofs.positivity import Positivity
from proofs.theorem import Theorem


@dataclass(frozen=True)
class Equation:
    """A step of an argument that is checked: two SymPy expressions, or two normal forms, that must be equal.

    A normal form is one of words (matrices) or of indices (expectations).
    """

    text: str
    left: Any
    right: Any

    @property
    def holds(self) -> bool:
        if isinstance(self.left, words.Sum | IndexSum):
            return bool(self.left == self.right)
        return bool(sympy.simplify(self.left - self.right) == 0)

    def written(self) -> str:
        return f"{self.text}\n    left   {_written(self.left)}\n    right  {_written(self.right)}"


def _written(side: Any) -> str:
    if isinstance(side, words.Sum):
        return sum_written(side)
    return str(side) if isinstance(side, IndexSum) else plain(side)


@dataclass(frozen=True)
class Induction:
    """A step of an argument that is another theorem: a construction, proved by induction over its layers."""

    text: str
    construction: Construction

    @property
    def holds(self) -> bool:
        return prove(self.construction).holds

    def written(self) -> str:
        return f"{self.text}\n    by induction over the layers of {type(self.construction).__name__}"


@dataclass(frozen=True)
class Inference:
    """A step of an argument that is drawn in words from those above, or cited."""

    text: str

    def written(self) -> str:
        return self.text


Step: TypeAlias = Equation | Induction | Positivity | Inference
"""A step of an argument."""


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Args:
        text: what was run, and what was claimed of it.
        holds: whether the claim held; None if the kind of number could not decide.
        is_control: the claim is a wrong one that the run must reject, or it would accept anything.
    """

    text: str
    holds: bool | None
    is_control: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class ArguedTheorem(Theorem):
    """A theorem with an argument.

    Args:
        argument: the steps: equations, inductions and signs, which are checked, and the inferences between them.
        exact_runs: runs in rationals, from a generator and how many random instances to draw.
        float_runs: runs in float64 whose rounding is enclosed.
        over: what the proof and the runs range over, by kind of evidence.
        slips: what the theorem does not say, by name; each must be refuted by a run (True).
        about: the network that it is about.
    """

    argument: Callable[[], Sequence[Step]]
    exact_runs: Callable[[np.random.Generator, int], Iterator[Run]]
    float_runs: Callable[[np.random.Generator, int], Iterator[Run]]
    over: Mapping[str, str]
    slips: Mapping[str, Callable[[], bool]]
    about: Construction

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    @property
    def construction(self) -> Construction:
        return self.about

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The argument."""
        return tuple(self.argument())

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": self._proof,
            "exact": lambda: self._ran("exact", self.exact_runs, settings),
            "float": lambda: self._ran("float", self.float_runs, settings),
            "refutation": self._refutation,
        }[kind]
        return timed(gather)

    def _proof(self) -> Evidence:
        checked = [step for step in self.steps if not isinstance(step, Inference)]
        over = f"{self.over['proof']}; {len(checked)} steps checked, {len(self.steps) - len(checked)} inferred in words"
        open_steps = [step.text for step in checked if not step.holds]
        if open_steps:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(open_steps)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _ran(
        self, kind: str, runs: Callable[[np.random.Generator, int], Iterator[Run]], settings: Settings
    ) -> Evidence:
        made = list(runs(np.random.default_rng(settings.seed), settings.instances))
        over, count = self.over[kind], sum(not run.is_control for run in made)
        wrong = [run for run in made if run.holds is False and not run.is_control]
        if wrong:
            return Evidence(kind, FAILS, over, count, reason=f"does not hold: {wrong[0].text}")
        blind = [run for run in made if run.holds is None or (run.is_control and run.holds)]
        if blind:
            return Evidence(kind, NOT_RUN, reason=f"uninformative: undecided or not rejected: {blind[0].text}")
        return Evidence(kind, HOLDS, over, count)

    def _refutation(self) -> Evidence:
        survivors = [name for name, is_refuted in self.slips.items() if not is_refuted()]
        over = f"{len(self.slips)} slips: {', '.join(self.slips)}"
        if survivors:
            return Evidence("refutation", FAILS, over, len(self.slips), reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, len(self.slips))

    def shown(self) -> str:
        lines = ["Proof", ""]
        for number, step in enumerate(self.steps, start=1):
            mark = "in words" if isinstance(step, Inference) else "checked" if step.holds else "UNDECIDED"
            lines += [f"  {number}. ({mark}) {step.written()}", ""]
        return "\n".join(lines)

"""Theorems that are one equation between matrices: proved for all sizes, and evaluated in every kind of number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias, final

import numpy as np

from constructions.block import Block, Kernel, compare
from constructions.comparison import Comparison, Verdict
from numerics.balls import BallBlock, precision
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, float_above, larger, timed
from proofs.explicit import ExplicitBlock
from proofs.formula import sum_written
from proofs.induction import normal_form
from proofs.proof import formula_of
from proofs.symbols import SymbolBlock, size_of
from proofs.theorem import Theorem

Data: TypeAlias = Mapping[str, Any]
"""The matrices by name, as blocks, and the kernel as ``"kappa"`` if the theorem is about one."""

Sides: TypeAlias = Callable[[Data], tuple[Block, Block]]
"""The two sides of an equation, from the data."""

_LARGEST_SIZE = 4

_MOST_DRAWS = 100
"""How often an instance is drawn again because a matrix that is inverted is singular."""


@final
@dataclass(frozen=True, kw_only=True)
class IdentityTheorem(Theorem):
    """An equation between matrices, for all sizes and entries, or for the entries that are given.

    Args:
        sides: the equation, generic in the kind of number.
        shapes: the matrices it speaks of, name -> (rows, columns): names of sizes, or ints.
        wrong: equations like it that are false, by what is wrong with them; each must be refuted.
        kernels: what stands for an arbitrary symmetric kernel, ``data["kappa"]``, on instances.
        given: entries of the matrices, if it is about these alone; nested lists of ints or Fractions.
        largest: the largest magnitude of an entry of an instance.
        bits: the precision of balls, where rationals do not do; None for rationals.
    """

    sides: Sides
    shapes: Mapping[str, tuple[str | int, str | int]]
    wrong: Mapping[str, Sides]
    kernels: Sequence[Kernel] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    largest: Fraction = Fraction(3)
    bits: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact" if self.bits is None else "ball", "float", "refutation")

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": self._proof,
            "exact": lambda: self._compared("exact", self._rigorous(settings)),
            "ball": lambda: self._ball(settings),
            "float": lambda: self._float(settings),
            "refutation": lambda: self._refutation(settings),
        }[kind]
        return timed(gather)

    def _proof(self) -> Evidence:
        left, right = self.sides(self._symbols())
        verdict = compare(left, right).verdict
        over = "the entries given" if self.given else "all sizes and entries"
        if verdict is Verdict.EQUAL:
            return Evidence("proof", HOLDS, over=over)
        return Evidence("proof", FAILS, over=over, reason="the normal forms differ", undecided=True)

    def _symbols(self) -> Data:
        if self.given:
            return {name: ExplicitBlock.lift(entry) for name, entry in self.given.items()}
        return self._letters()

    def _letters(self) -> Data:
        letters: dict[str, Any] = {
            name: SymbolBlock.letter(name, *map(size_of, shape)) for name, shape in self.shapes.items()
        }
        return {**letters, "kappa": Kernel("kappa")} if self.kernels else letters

    def _precision(self) -> AbstractContextManager[None]:
        return nullcontext() if self.bits is None else precision(self.bits)

    def _rigorous(self, settings: Settings) -> list[Data]:
        """Instances in rationals, or in balls of the precision in force."""
        return list(self._instances(settings, self._rigorous_kind))

    @property
    def _rigorous_kind(self) -> type[Block]:
        return RationalBlock if self.bits is None else BallBlock

    def _instances(self, settings: Settings, kind: type[Block]) -> Iterator[Data]:
        """Instances in that kind; what is inverted is invertible, exactly."""
        if self.given:
            yield _lifted(self.given, kind)
            return
        rng = np.random.default_rng(settings.seed)
        names = dict.fromkeys(size for shape in self.shapes.values() for size in shape if isinstance(size, str))
        for number in range(settings.instances):
            kernel = {"kappa": self.kernels[number % len(self.kernels)]} if self.kernels else {}
            for _ in range(_MOST_DRAWS):
                sizes = {name: int(rng.integers(1, _LARGEST_SIZE + 1)) for name in names}
                entries = {
                    name: _drawn(rng, sizes.get(str(rows), rows), sizes.get(str(columns), columns), self.largest)
                    for name, (rows, columns) in self.shapes.items()
                }
                try:
                    with self._precision():
                        self.sides({**_lifted(entries, self._rigorous_kind), **kernel})
                except ZeroDivisionError:
                    continue
                yield {**_lifted(entries, kind), **kernel}
                break
            else:
                raise ZeroDivisionError(f"{self.name} has a singular matrix on each of {_MOST_DRAWS} instances")

    def _compared(self, kind: str, instances: Sequence[Data]) -> Evidence:
        worst = bound = None
        for number, data in enumerate(instances, start=1):
            comparison = compare(*self.sides(data))
            worst, bound = larger(worst, comparison.gap), larger(bound, comparison.bound)
            if comparison.verdict is not Verdict.EQUAL:
                undecided = comparison.verdict is Verdict.UNDECIDED
                reason = f"{comparison.left} is not {comparison.right}"
                return Evidence(kind, FAILS, None, number, worst, bound, reason=reason, undecided=undecided)
        over = "the entries given" if self.given else f"sizes 1..{_LARGEST_SIZE}, entries up to {self.largest}"
        over += f"; {self.bits} bits" if kind == "ball" else ""
        return Evidence(kind, HOLDS, over, len(instances), worst, bound)

    def _ball(self, settings: Settings) -> Evidence:
        with self._precision():
            instances = self._rigorous(settings)
            evidence = self._informative(self._compared("ball", instances), instances)
        return replace(evidence, worst=float_above(evidence.worst), bound=float_above(evidence.bound))

    def _float(self, settings: Settings) -> Evidence:
        instances = list(self._instances(settings, RoundedBlock))
        return self._informative(self._compared("float", instances), instances)

    def _informative(self, evidence: Evidence, instances: Sequence[Data]) -> Evidence:
        """The evidence of enclosures, unless they are so wide that they would not reject a false equation."""
        unrefuted = self._unrefuted(instances) if evidence.outcome == HOLDS else []
        if not unrefuted:
            return evidence
        return Evidence(
            evidence.kind, NOT_RUN, reason=f"uninformative: the bound does not reject the equation {unrefuted[0]}"
        )

    def _refutation(self, settings: Settings) -> Evidence:
        with self._precision():
            unrefuted = self._unrefuted(self._rigorous(settings))
        over = f"{len(self.wrong)} false equations: {'; '.join(self.wrong)}"
        if unrefuted:
            return Evidence("refutation", FAILS, over, reason=f"not refuted: {'; '.join(unrefuted)}", undecided=True)
        return Evidence("refutation", HOLDS, over, len(self.wrong))

    def _unrefuted(self, instances: Sequence[Data]) -> list[str]:
        def is_refuted(sides: Sides) -> bool:
            compared: Iterator[Comparison] = (compare(*sides(data)) for data in instances)
            return any(comparison.verdict is Verdict.DIFFERENT for comparison in compared)

        return [name for name, sides in self.wrong.items() if not is_refuted(sides)]

    @property
    def symbolic_sides(self) -> tuple[Any, Any]:
        """The two sides, written in letters (or from the entries that are given)."""
        return self.sides(self._symbols())

    def shown(self) -> str:
        if not self.given:
            left, right = self.symbolic_sides
            return "\n".join([*_written(left, right), f"both =  {sum_written(normal_form(left))}"])
        entries = [f"{name} = {entry}" for name, entry in self.given.items()]
        left, right = self.symbolic_sides
        try:
            sides = _written(*self.sides(self._letters()))
        except TypeError:  # a side that is given entry by entry has no form in letters
            return "\n".join([*entries, f"left    {left.entry.tolist()}", f"right   {right.entry.tolist()}"])
        return "\n".join([*entries, *sides, f"both =  {left.entry.tolist()}"])


def _written(left: Block, right: Block) -> list[str]:
    return [f"left    {formula_of(left).written()}", f"right   {formula_of(right).written()}"]


def _lifted(entries: Mapping[str, Any], kind: type[Block]) -> dict[str, Any]:
    if kind is not RoundedBlock:
        return {name: kind.lift(entry) for name, entry in entries.items()}
    return {name: kind.lift(np.array(entry, dtype=np.float64)) for name, entry in entries.items()}


def _drawn(rng: np.random.Generator, rows: Any, columns: Any, largest: Fraction) -> list[list[Fraction]]:
    """Sixteenths of the largest magnitude, which floats hold exactly if they hold it."""
    return [[largest * int(rng.integers(-16, 17)) / 16 for _ in range(columns)] for _ in range(rows)]

"""Theorems that are identities between matrices, for all sizes: no network, the same evidence.

The two sides are written once over blocks. On letters of unspecified size equal normal forms prove them; in rationals
they are equal, in floats within their rounding bounds; slips, each a side with a typical mistake, are refuted. What is
used of matrices given entry by entry is a lemma: proved by cases of its indices, cited by the proof, checked on
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, final

import numpy as np
import sympy

from constructions.block import Block, Size, compare
from constructions.comparison import Comparison, Verdict
from constructions.parameters import Unspecified
from constructions.scalars import Scalar
from constructions.stages import Relation
from numerics.instances import DYADIC
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, larger, timed
from proofs.formula import plain, sum_written
from proofs.induction import normal_form
from proofs.rewriting import reduced, rule
from proofs.symbols import SymbolBlock, size_of
from proofs.theorem import Theorem
from proofs.words import Sum

LARGEST = 4
"""The largest size of an instance."""


@dataclass(frozen=True)
class Data:
    """The matrices and numbers that identities speak of, in one kind of number.

    ``data["A"]`` is a matrix; ``scalars`` and ``sizes`` go by name.
    """

    matrices: Mapping[str, Block]
    scalars: Mapping[str, Scalar]
    sizes: Mapping[str, Size]

    def __getitem__(self, name: str) -> Block:
        return self.matrices[name]

    @property
    def like(self) -> Block:
        """Any of the matrices: it carries the kind of number."""
        return next(iter(self.matrices.values()))


@dataclass(frozen=True)
class Lemma:
    """An equation about matrices that are given entry by entry.

    Args:
        relation: the equation; a proof rewrites its left side to its right side, if it ``is_rule``.
        cases: its proof: (which entries, left side, right side), expressions in the indices that are equal.
    """

    relation: Callable[[Data], Relation]
    cases: tuple[tuple[str, Any, Any], ...]
    is_rule: bool = True


Written: TypeAlias = Callable[[Data], Relation]
"""An identity, written over blocks."""


@final
@dataclass(frozen=True, kw_only=True)
class MatrixIdentities(Theorem):
    """Identities between matrices of unspecified size.

    Args:
        matrices: name -> (rows, columns), each the name of a size or an int.
        identities: what is claimed.
        slips: identities with a mistake in them, by what it is; each must be refuted.
        scalars: the names of numbers; those in ``nonzero`` are other than 0.
        lemmas: what is used of matrices given entry by entry.
    """

    matrices: Mapping[str, tuple[str | int, str | int]]
    identities: tuple[Written, ...]
    slips: Mapping[str, Written]
    scalars: tuple[str, ...] = ()
    nonzero: frozenset[str] = frozenset()
    lemmas: tuple[Lemma, ...] = field(default=())

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": self._proof,
            "exact": lambda: self._exact(settings),
            "float": lambda: self._float(settings),
            "refutation": lambda: self._refutation(settings),
        }[kind]
        return timed(gather)

    def letters(self) -> Data:
        """The matrices as letters of unspecified size."""
        matrices = {name: SymbolBlock.lift(Unspecified(name, *shape)) for name, shape in self.matrices.items()}
        scalars = {name: Unspecified(name, has_inverse=name in self.nonzero) for name in self.scalars}
        like = next(iter(matrices.values()))
        return Data(
            matrices,
            {name: SymbolBlock.lift_scalar(each) for name, each in scalars.items()},
            {name: like.known_size(size_of(name)) for name in self.size_names},
        )

    @property
    def size_names(self) -> tuple[str, ...]:
        """The names of the sizes."""
        return tuple(sorted({size for shape in self.matrices.values() for size in shape if isinstance(size, str)}))

    def proved(self) -> Iterator[tuple[Relation, Sum, Sum]]:
        """Every identity, with the normal forms of its sides under the lemmas."""
        data = self.letters()
        cited = [lemma.relation(data) for lemma in self.lemmas if lemma.is_rule]
        rules = [rule(normal_form(each.left), normal_form(each.right)) for each in cited]
        for written in self.identities:
            claimed = written(data)
            yield (
                claimed,
                reduced(normal_form(claimed.left), rules),
                reduced(normal_form(claimed.right), rules),
            )

    def instances(self, settings: Settings, kind: type[Block]) -> Iterator[Data]:
        """Random instances, the smallest first; the same settings give the same ones."""
        rng = np.random.default_rng((settings.seed, 0 if kind is RationalBlock else 1))
        for number in range(settings.instances):
            sizes: dict[str, int] = {
                name: 1 if number == 0 else int(rng.integers(1, LARGEST + 1)) for name in self.size_names
            }

            def matrix(shape: tuple[str | int, str | int], sizes: dict[str, int] = sizes) -> Block:
                rows, columns = (size if isinstance(size, int) else sizes[size] for size in shape)
                if kind is RationalBlock:
                    return kind.lift([[_number(rng) for _ in range(columns)] for _ in range(rows)])
                return kind.lift(rng.uniform(-2, 2, (rows, columns)))

            scalars = {name: _nonzero(rng) if name in self.nonzero else _number(rng) for name in self.scalars}
            yield Data({name: matrix(shape) for name, shape in self.matrices.items()}, scalars, sizes)

    def _proof(self) -> Evidence:
        found = list(self.proved())
        cases = [case for lemma in self.lemmas for case in lemma.cases]
        undecided = [claimed.name for claimed, left, right in found if left != right]
        undecided += [f"lemma, {text}" for text, left, right in cases if sympy.simplify(left - right) != 0]
        over = f"all sizes; {len(found)} identities"
        over += f", {len(self.lemmas)} lemmas by {len(cases)} cases of their indices" if cases else ""
        if undecided:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(undecided)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _claims(self) -> list[Written]:
        return [*self.identities, *(lemma.relation for lemma in self.lemmas)]

    def _exact(self, settings: Settings) -> Evidence:
        over, worst = f"random sizes 1..{LARGEST}", Fraction(0)
        for number, data in enumerate(self.instances(settings, RationalBlock), start=1):
            for written in self._claims():
                claimed, comparison = _compared(written, data)
                if comparison.verdict is not Verdict.EQUAL:
                    reason = f"{claimed.name}: {comparison.left} instead of {comparison.right} at {dict(data.sizes)}"
                    return Evidence("exact", FAILS, over, number, comparison.gap, reason=reason)
        return Evidence("exact", HOLDS, over, settings.instances, worst)

    def _float(self, settings: Settings) -> Evidence:
        over, worst, bound = f"random sizes 1..{LARGEST}", None, None
        held = list(self.instances(settings, RoundedBlock))
        for number, data in enumerate(held, start=1):
            for written in self._claims():
                claimed, comparison = _compared(written, data)
                worst, bound = larger(worst, comparison.gap), larger(bound, comparison.bound)
                if comparison.verdict is not Verdict.EQUAL:
                    undecided = comparison.verdict is Verdict.UNDECIDED
                    return Evidence(
                        "float", FAILS, over, number, worst, bound, reason=claimed.name, undecided=undecided
                    )
        blind = [name for name, slip in self.slips.items() if not _is_refuted(slip, held)]
        if blind:
            return Evidence("float", NOT_RUN, reason=f"uninformative: the bound does not reject {blind[0]!r}")
        return Evidence("float", HOLDS, over, len(held), worst, bound)

    def _refutation(self, settings: Settings) -> Evidence:
        held = list(self.instances(settings, RationalBlock))
        survivors = [name for name, slip in self.slips.items() if not _is_refuted(slip, held)]
        over = f"{len(self.slips)} slips: {', '.join(self.slips)}"
        if survivors:
            reason = f"not refuted: {', '.join(survivors)}"
            return Evidence("refutation", FAILS, over, len(self.slips), reason=reason)
        return Evidence("refutation", HOLDS, over, len(self.slips))

    def shown(self) -> str:
        lines = ["For all " + ", ".join(f"{name} ({r}, {c})" for name, (r, c) in self.matrices.items()) + ":", ""]
        data = self.letters()
        for lemma in self.lemmas:
            claimed = lemma.relation(data)
            sides = (sum_written(normal_form(side)) for side in (claimed.left, claimed.right))
            lines += [f"Lemma, {claimed.name}: {' = '.join(sides)}"]
            lines += [f"    {text}: {plain(left)} = {plain(right)}" for text, left, right in lemma.cases]
            lines += [""]
        for claimed, left, right in self.proved():
            lines += [
                f"  {claimed.name}",
                f"    left    {_formula(claimed.left)}",
                f"    right   {_formula(claimed.right)}",
                f"    both =  {sum_written(left)}" if left == right else "    undecided",
                "",
            ]
        return "\n".join([*lines, "Slips that are refuted: " + "; ".join(self.slips)])


def _formula(block: Block) -> str:
    return block.formula.written() if isinstance(block, SymbolBlock) else "0"


def _compared(written: Written, data: Data) -> tuple[Relation, Comparison]:
    claimed = written(data)
    return claimed, compare(claimed.left, claimed.right)


def _is_refuted(slip: Written, held: list[Data]) -> bool:
    return any(_compared(slip, data)[1].verdict is Verdict.DIFFERENT for data in held)


def _number(rng: np.random.Generator) -> Fraction:
    """A dyadic number of small height, which every kind holds exactly."""
    return Fraction(int(rng.integers(-2 * DYADIC, 2 * DYADIC + 1)), DYADIC)


def _nonzero(rng: np.random.Generator) -> Fraction:
    drawn = Fraction(0)
    while not drawn:
        drawn = _number(rng)
    return drawn

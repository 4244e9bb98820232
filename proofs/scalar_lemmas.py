"""Scalar lemmas: facts about single numbers on which networks rest, each proved once.

A lemma is an equation with ReLUs in one or two numbers. It is proved by cases: every real number is w or -w with
w >= 0, every integer 0, 1 + w or -1 - w. In a case the argument of each ReLU has one sign, since it is a polynomial
whose coefficients are all >= 0 or all <= 0, and what is left is an identity of polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, TypeAlias, final

import numpy as np
import sympy

from constructions.block import Block, compare
from constructions.comparison import Comparison, Verdict
from constructions.scalars import ratio
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.entrywise import CITED
from proofs.evidence import FAILS, HOLDS, Evidence, Settings, larger, timed
from proofs.explicit import ExplicitBlock
from proofs.formula import plain
from proofs.theorem import Theorem
from proofs.word_operations import RELU_PAIR

Side: TypeAlias = Callable[..., Block]
"""A side of a lemma: a block from one block per variable, by entrywise operations."""

_W = [sympy.Symbol(name, nonnegative=True) for name in ("w", "v")]

CASES: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "real": lambda w: (w, -w),
    "integer": lambda w: (sympy.Integer(0), 1 + w, -1 - w),
}
"""Every number of a domain, as expressions in some w >= 0."""


@dataclass(frozen=True)
class Case:
    """One case of a lemma: what its variables are, and both sides there."""

    values: tuple[Any, ...]
    left: Any
    right: Any

    @property
    def is_proved(self) -> bool:
        """Whether no ReLU is left, and the two polynomials are equal."""
        return not (self.left.has(sympy.Max) or self.right.has(sympy.Max)) and sympy.expand(self.left - self.right) == 0


@final
@dataclass(frozen=True, kw_only=True)
class ScalarLemma(Theorem):
    """An equation that holds of every number.

    Args:
        variables: their names, one or two.
        domain: ``"real"`` or ``"integer"``: what they range over.
        left, right: the two sides.
        wrong: slips in the left side, by name; each must be refuted.
    """

    variables: tuple[str, ...]
    domain: str
    left: Side
    right: Side
    wrong: tuple[tuple[str, Side], ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation")

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather: dict[str, Callable[[], Evidence]] = {
            "proof": self._proof,
            "exact": self._exact,
            "float": lambda: self._float(settings),
            "refutation": self._refutation,
        }
        return timed(gather[kind])

    def cases(self) -> Iterator[Case]:
        """The cases of the proof: every combination of those of the variables."""
        for values in product(*(CASES[self.domain](w) for w, _ in zip(_W, self.variables, strict=False))):
            blocks = [ExplicitBlock.lift([[value]]) for value in values]
            yield Case(values, *(side(*blocks).entry[0, 0] for side in (self.left, self.right)))

    def compared(self, left: Side, numbers: list[Block]) -> Comparison:
        """A left side held against the right one, on a row of numbers for each variable."""
        return compare(left(*numbers), self.right(*numbers))

    @property
    def grid(self) -> list[Block]:
        """All combinations of the integers from -12 to 12, or of their quarters for real numbers, as rational rows."""
        step = Fraction(1) if self.domain == "integer" else Fraction(1, 4)
        numbers = [step * i for i in range(-12, 13)]
        rows = zip(*product(numbers, repeat=len(self.variables)), strict=True)
        return [RationalBlock.lift([list(row)]) for row in rows]

    def _proof(self) -> Evidence:
        cases = list(self.cases())
        over = f"all {self.domain} numbers {', '.join(self.variables)}; {len(cases)} cases"
        undecided = [plain(case.values) for case in cases if not case.is_proved]
        if undecided:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(undecided)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _exact(self) -> Evidence:
        comparison, over = self.compared(self.left, self.grid), f"a grid of {self.domain} numbers"
        outcome = HOLDS if comparison.verdict is Verdict.EQUAL else FAILS
        reason = None if outcome == HOLDS else f"{comparison.left} is not {comparison.right}"
        return Evidence("exact", outcome, over, self.grid[0].columns, comparison.gap, reason=reason)

    def _float(self, settings: Settings) -> Evidence:
        rng, many = np.random.default_rng((settings.seed, 3)), 100
        worst = bound = None
        for dtype in (np.float64, np.float32):
            drawn = rng.integers(-50, 51, (len(self.variables), 1, many)) if self.domain == "integer" else None
            values = rng.uniform(-3, 3, (len(self.variables), 1, many)) if drawn is None else drawn
            comparison = self.compared(self.left, [RoundedBlock.lift(row.astype(dtype)) for row in values])
            worst, bound = larger(worst, comparison.gap), larger(bound, comparison.bound)
            if comparison.verdict is not Verdict.EQUAL:
                reason = f"{comparison.left} is not {comparison.right}"
                return Evidence("float", FAILS, dtype.__name__, many, worst, bound, reason=reason)
        return Evidence("float", HOLDS, "float64 and float32", 2 * many, worst, bound)

    def _refutation(self) -> Evidence:
        names = [name for name, _ in self.wrong]
        survivors = [
            name for name, left in self.wrong if self.compared(left, self.grid).verdict is not Verdict.DIFFERENT
        ]
        over = f"{len(names)} slips: {', '.join(names)}"
        if survivors:
            return Evidence("refutation", FAILS, over, len(names), reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, len(names))

    def shown(self) -> str:
        lines = [f"Proof, by cases; {self.domain} numbers, w >= 0 and v >= 0", ""]
        for case in self.cases():
            where = ", ".join(
                f"{name} = {plain(value)}" for name, value in zip(self.variables, case.values, strict=True)
            )
            sign = "both =" if case.is_proved else "(undecided)"
            lines.append(f"  {where}:  {sign} {plain(case.left)}")
        return "\n".join(lines)


def _ones(z: Block) -> Block:
    return z.ones(z.rows, z.columns)


def _indicator_by_relu(z: Block) -> Block:
    return (_ones(z) - z.square()).relu()


def _is_zero(z: Block) -> Block:
    """1 where an integer is 0, else 0: 1 - min(1, |z|), by ReLUs of z - 1 and z alone."""
    size = z.relu() + (-z).relu()
    return _ones(z) - (size - (size - _ones(z)).relu())


def _product_by_squares(first: int, second: int, factor: int) -> Side:
    return lambda p, q: ((p + q).square().scale(first) + (p - q).square().scale(second)).scale(ratio(1, factor))


def _pair(key: int, value: int) -> Side:
    return lambda z: z.relu() + z.scale(key).relu().scale(value)


def theorems() -> tuple[Theorem, ...]:
    """The facts that the exact realisation of the networks of Fu et al. (2024) rests on."""
    return (
        ScalarLemma(
            name=CITED,
            system="this project",
            reference="this project; in place of the cosines of Fu et al. (2024), Proposition B.4",
            statement=(
                "For every integer z, ReLU(1 - z^2) is 1 if z = 0 and 0 otherwise. So ReLU(1 - (t - 1 - j)^2) is 1 if "
                "token j stands just before token t and 0 otherwise, at all positions."
            ),
            variables=("z",),
            domain="integer",
            left=_indicator_by_relu,
            right=_is_zero,
            wrong=(
                ("without ReLU", lambda z: _ones(z) - z.square()),
                ("z^2 with a plus", lambda z: (_ones(z) + z.square()).relu()),
                ("2 - z^2", lambda z: (_ones(z).scale(2) - z.square()).relu()),
                ("1 - z^2 / 2", lambda z: (_ones(z) - z.square().scale(ratio(1, 2))).relu()),
                ("1 - z", lambda z: (_ones(z) - z).relu()),
            ),
        ),
        ScalarLemma(
            name="product_is_a_difference_of_squares",
            system="this project",
            reference="this project; in place of the GeLU product of Akyurek et al. (2023), which is approximate",
            statement="For all real p and q, (p + q)^2 / 4 - (p - q)^2 / 4 = p q: an MLP with squares multiplies.",
            variables=("p", "q"),
            domain="real",
            left=_product_by_squares(1, -1, 4),
            right=lambda p, q: p.hadamard(q),
            wrong=(
                ("a sum of squares", _product_by_squares(1, 1, 4)),
                ("the squares exchanged", _product_by_squares(-1, 1, 4)),
                ("a half in place of a quarter", _product_by_squares(1, -1, 2)),
            ),
        ),
        ScalarLemma(
            name=RELU_PAIR,
            system="this project",
            reference="this project; Fu et al. (2024), equations (21) and (28), print a plus, which gives |z|",
            statement="For every real z, ReLU(z) - ReLU(-z) = z: two ReLU heads are one linear head.",
            variables=("z",),
            domain="real",
            left=_pair(-1, -1),
            right=lambda z: z,
            wrong=(
                ("V_2 = +V_1, as printed", _pair(-1, 1)),
                ("Q_2 = +Q_1", _pair(1, -1)),
                ("one head", _pair(0, -1)),
            ),
        ),
    )

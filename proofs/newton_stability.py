"""Why the printed heads are unstable: one Newton step in its two forms, as the networks' own layers run it.

Symbols: n tokens, d features; X, U, F (d, n), u the token slot that holds U; S = X X^T, R = S^-1, E (d, d).

    printed (query x, key u)    U <- 2 U - U U^T X       stable (query u, key x)    U <- 2 U - U X^T U

The two agree where U = M X with M symmetric. Printed, the antisymmetric part of the scores X^T U doubles with every
step, whatever U is, so rounding errors double too: at the fixed point M = R + E with E antisymmetric becomes
R + 2 E + E S E. In the stable form it becomes R - E S E, and any error F at all F (I - X^T R X) - F X^T F, which is not
longer than F up to second order.

Reference: this project; Fu et al. (2024), appendix B, print the first form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np

from constructions.block import Block, compare
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.newton_gram import NewtonFromGramMasked, NewtonFromGramOwnRows
from constructions.newton_paper import PaperNewton
from constructions.parameters import Unspecified, generic_prompt, lifted
from constructions.prompt import Prompt
from constructions.stream import Stream
from numerics.instances import is_invertible, rational_prompt, until
from numerics.newton_growth import CONVERGED, STEPS, antisymmetric_part, newton_growth, written
from numerics.rationals import RationalBlock
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, timed
from proofs.formula import sum_written
from proofs.induction import normal_form
from proofs.proof import formula_of
from proofs.rewriting import Rule, reduced, rule
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem
from proofs.words import identity

Blocks: TypeAlias = Mapping[str, Block]
"""X, U, F, E and R in one kind of number."""

Place: TypeAlias = tuple[str, str]

_NETWORKS: tuple[tuple[str, Callable[[bool], Construction], Place, Place], ...] = (
    ("masked", lambda printed: _merged(NewtonFromGramMasked, printed), ("x", "context"), ("u", "context")),
    ("own rows", lambda printed: _merged(NewtonFromGramOwnRows, printed), ("x", "context"), ("u", "context")),
    ("published", lambda printed: PaperNewton(alpha=1, steps=1, printed=printed), ("X", "inputs"), ("U", "inputs")),
)
"""(name, network, place of X, place of U), each with both forms of the Newton layer."""


def _merged(network: Any, printed: bool) -> Construction:
    return network(alpha=1, steps=1, looped=True, printed=printed)


def stepped(network: Construction, x: Place, u: Place, X: Block, U: Block) -> Block:
    """What one Newton layer of the network makes of U in the place u, next to X in the place x."""
    prompt = Prompt(X, X.ones(1, X.columns), X @ X.ones(X.columns, 1)).lifted()
    network = lifted(network, type(X), prompt)
    embedded = network.embed(prompt)
    stream = Stream(embedded.slots, embedded.groups, {x: X, u: U}, embedded.order)
    return network.layer(0, prompt)(stream)[u]


@dataclass(frozen=True)
class Step:
    """One identity about a Newton layer: what the layer makes of a U, and what it is claimed to make of it."""

    text: str
    left: Block
    right: Block


def identities(held: Blocks) -> Iterator[Step]:
    """Every identity of the theorem, in the kind of number of the blocks."""
    X, U, F, E, R = (held[name] for name in "XUFER")
    fixed, S = R @ X, X @ X.T
    for name, network, x, u in _NETWORKS:

        def printed(V: Block, network: Any = network, x: Place = x, u: Place = u) -> Block:
            return stepped(network(True), x, u, X, V)

        def stable(V: Block, network: Any = network, x: Place = x, u: Place = u) -> Block:
            return stepped(network(False), x, u, X, V)

        yield Step(f"{name}, printed: U <- 2 U - U U' X", printed(U), U.scale(2) - U @ (U.T @ X))
        yield Step(
            f"{name}, printed: the antisymmetric part of X' U doubles, for every U",
            antisymmetric_part(X, printed(U)),
            antisymmetric_part(X, U).scale(2),
        )
        yield Step(
            f"{name}, printed: from (R + E) X with E antisymmetric to (R + 2 E + E S E) X",
            printed(fixed + E @ X),
            fixed + (E.scale(2) + E @ S @ E) @ X,
        )
        yield Step(f"{name}, stable: U <- 2 U - U X' U", stable(U), U.scale(2) - U @ (X.T @ U))
        yield Step(f"{name}, stable: from (R + E) X to (R - E S E) X", stable(fixed + E @ X), fixed - E @ S @ E @ X)
        yield Step(
            f"{name}, stable: from R X + F to R X + F (I - X' R X) - F X' F, for every F",
            stable(fixed + F),
            fixed + F - F @ X.T @ R @ X - F @ X.T @ F,
        )


def _one(held: Blocks, printed: bool, U: Block) -> Block:
    _, network, x, u = _NETWORKS[0]
    return stepped(network(printed), x, u, held["X"], U)


def _grown(held: Blocks, printed: bool, factor: int) -> tuple[Block, Block]:
    """The claim that the antisymmetric part of the scores is multiplied by the factor."""
    X, U = held["X"], held["U"]
    return antisymmetric_part(X, _one(held, printed, U)), antisymmetric_part(X, U).scale(factor)


def _from_the_limit(held: Blocks, E: Block, quadratic: int) -> tuple[Block, Block]:
    """The claim that the printed form takes (R + E) X to (R + 2 E + quadratic E S E) X."""
    X, R = held["X"], held["R"]
    return _one(held, True, (R + E) @ X), (R + E.scale(2) + (E @ X @ X.T @ E).scale(quadratic)) @ X


WRONG: Mapping[str, Callable[[Blocks], tuple[Block, Block]]] = {
    "printed errors stay": lambda held: _grown(held, True, 1),
    "printed errors are quadrupled": lambda held: _grown(held, True, 4),
    "stable errors double": lambda held: _grown(held, False, 2),
    "both forms are one for every U": lambda held: (_one(held, True, held["U"]), _one(held, False, held["U"])),
    "the quadratic term has a minus": lambda held: _from_the_limit(held, held["E"], -1),
    "symmetric errors double as well": lambda held: _from_the_limit(held, held["E"] @ held["E"], 1),
}
"""Slips in the identities, each of which a rational instance must refute."""


def letters() -> tuple[dict[str, Block], tuple[Rule, ...]]:
    """X, U, F, E, R as letters of unspecified size, and the rules R' = R, R S = S R = I, E' = -E."""
    prompt = generic_prompt(PaperNewton).lifted(SymbolBlock)
    X = prompt.X
    U, F = (SymbolBlock.lift(Unspecified(name, "d", "n")) for name in "UF")
    E, R = (SymbolBlock.lift(Unspecified(name, "d", "d")) for name in "ER")
    unit, S = identity(normal_form(X).rows), normal_form(X @ X.T)
    rules = (
        rule(normal_form(R.T), normal_form(R)),
        rule(normal_form(R) @ S, unit),
        rule(S @ normal_form(R), unit),
        rule(normal_form(E.T), -normal_form(E)),
    )
    return {"X": X, "U": U, "F": F, "E": E, "R": R}, rules


def rational_blocks(rng: np.random.Generator, n: int, d: int) -> dict[str, Block]:
    """Random rational X of full rank, U, F, an antisymmetric E that is not zero where d > 1, and R = (X X^T)^-1."""
    X = until(lambda: RationalBlock.lift(rational_prompt(rng, n, d).X), lambda drawn: is_invertible(_gram(drawn).entry))
    U, F = (RationalBlock.lift(rational_prompt(rng, n, d).X) for _ in range(2))
    E = until(lambda: _antisymmetric(rng, d), lambda drawn: d == 1 or any(drawn.entry.flat))
    return {"X": X, "U": U, "F": F, "E": E, "R": _gram(X).inverse()}


def _gram(X: Block) -> Block:
    return X @ X.T


def _antisymmetric(rng: np.random.Generator, d: int) -> Block:
    drawn = RationalBlock.lift(rational_prompt(rng, d, d).X)
    return drawn - drawn.T


@final
@dataclass(frozen=True, kw_only=True)
class NewtonStability(Theorem):
    """The two forms of a Newton step: identities from the networks' weights, and the errors that they predict."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact", "float", "refutation", "closed_form")

    @property
    def construction(self) -> Construction:
        return _NETWORKS[0][1](True)

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather: dict[str, Callable[[], Evidence]] = {
            "proof": self._proof,
            "exact": lambda: self._exact(settings),
            "float": lambda: self._float(settings),
            "refutation": lambda: self._refutation(settings),
            "closed_form": self._closed_form,
        }
        return timed(gather[kind])

    @cached_property
    def proved(self) -> tuple[tuple[Step, Any, Any], ...]:
        """Every identity with the normal forms of its sides."""
        held, rules = letters()
        return tuple(
            (step, reduced(normal_form(step.left), rules), reduced(normal_form(step.right), rules))
            for step in identities(held)
        )

    def _proof(self) -> Evidence:
        undecided = [step.text for step, left, right in self.proved if left != right]
        over = f"all n, d, X with invertible X X', U, F and E; {len(self.proved)} identities"
        if undecided:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(undecided)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _instances(self, settings: Settings) -> Iterator[dict[str, Block]]:
        rng = np.random.default_rng((settings.seed, 2))
        for number in range(settings.instances):
            d = 2 + number % 3
            yield rational_blocks(rng, d + int(rng.integers(0, 3)), d)

    def _exact(self, settings: Settings) -> Evidence:
        over = f"{len(self.proved)} identities on rational X of full rank, d 2..4, n d..d+2"
        for number, held in enumerate(self._instances(settings), start=1):
            for step in identities(held):
                comparison = compare(step.left, step.right)
                if comparison.verdict is not Verdict.EQUAL:
                    return Evidence("exact", FAILS, over, number, comparison.gap, reason=step.text)
        return Evidence("exact", HOLDS, over, settings.instances, Fraction(0))

    def _float(self, settings: Settings) -> Evidence:
        """The antisymmetric part of the printed run doubles up to rounding, which is bounded, in every step."""
        worst = bound = 0.0
        for dtype in STEPS:
            found = newton_growth(dtype, settings.seed)
            for k in range(1, len(found.printed)):
                gap = abs(found.antisymmetric[k] - 2 * found.antisymmetric[k - 1])
                worst, bound = max(worst, float(gap.mid())), max(bound, float(found.rounding[k].mid()))
                if not gap <= found.rounding[k]:
                    reason = f"step {k} in {dtype}: the antisymmetric part does not double, by {written(gap)}"
                    return Evidence("float", FAILS, "n = 40, d = 20", k, worst, bound, reason=reason)
            if not found.antisymmetric[-1] > found.antisymmetric[-2] + found.rounding[-1]:
                reason = f"uninformative: the bound of {dtype} does not reject an antisymmetric part that stays"
                return Evidence("float", NOT_RUN, reason=reason)
        steps = ", ".join(f"{many} steps in {dtype}" for dtype, many in STEPS.items())
        return Evidence("float", HOLDS, f"n = 40, d = 20, {steps}", sum(STEPS.values()), worst, bound)

    def _refutation(self, settings: Settings) -> Evidence:
        instances = list(self._instances(settings))
        survivors = [
            name
            for name, claim in WRONG.items()
            if all(compare(*claim(held)).verdict is Verdict.EQUAL for held in instances)
        ]
        over = f"{len(WRONG)} slips in the identities: {', '.join(WRONG)}"
        if survivors:
            return Evidence("refutation", FAILS, over, len(WRONG), reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, len(WRONG))

    def _closed_form(self) -> Evidence:
        """From step 20 on the printed errors double at the least, and the stable ones keep a bound."""
        said = []
        for dtype, steps in STEPS.items():
            found, start = newton_growth(dtype), CONVERGED
            least, most = found.least_errors(start), found.largest_errors(start)
            grown = [state.error >= bound for state, bound in zip(found.printed[start:], least, strict=True)]
            kept = [error <= bound for error, bound in zip(found.limit_errors(start)[1:], most[1:], strict=True)]
            if not (all(grown) and all(kept) and least[-1] > most[-1]):
                return Evidence("closed_form", FAILS, reason=f"{dtype}: the errors do not part as the identities say")
            said.append(
                f"{dtype}: after {start} and {steps} steps relative error {written(found.printed[start].error)}, "
                f"{written(found.printed[-1].error)} printed (at least {written(least[-1])}), "
                f"{written(found.stable[start].error)}, {written(found.stable[-1].error)} stable "
                f"(limit within {written(most[-1])})"
            )
        return Evidence("closed_form", HOLDS, "; ".join(said), len(STEPS))

    def shown(self) -> str:
        lines = ["Proof, with R S = S R = I, R' = R, E' = -E", ""]
        for step, left, right in self.proved:
            lines += [
                f"  {step.text}",
                f"    left    {formula_of(step.left).written()}",
                f"    right   {formula_of(step.right).written()}",
                f"    both =  {sum_written(left)}" if left == right else "    (undecided)",
                "",
            ]
        lines += ["Relative errors in floats, n = 40, d = 20, X standard normal; A = X' U - U' X", ""]
        for dtype in STEPS:
            lines += [*newton_growth(dtype).table(), ""]
        return "\n".join(lines)


def theorems() -> tuple[Theorem, ...]:
    """The stability of Newton's networks."""
    return (
        NewtonStability(
            name="printed_newton_heads_double_antisymmetric_errors",
            system="this project",
            reference="this project; about the heads (G, J, J), (-G, J, -J) of Fu et al. (2024), equations (27-32)",
            statement=(
                "With S = X X^T and R = S^-1, one Newton layer with the printed heads doubles the antisymmetric part "
                "of X^T U, whatever U it holds: M = R + E with E antisymmetric becomes R + 2 E + E S E. With query and "
                "key exchanged it becomes R - E S E, and any error F of the tokens F (I - X^T R X) - F X^T F."
            ),
        ),
    )

"""Theorems about constructions: "these weights run this algorithm", with the four kinds of evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, final

import numpy as np

from constructions.block import Block, compare, materialised
from constructions.comparison import Verdict
from constructions.construction import Construction, forward
from constructions.parameters import generic
from constructions.prompt import Prompt
from constructions.stream import Stream
from numerics.balls import precision
from numerics.check import CheckReport, check
from numerics.instances import (
    Sizes,
    exact_parameters,
    extra_shapes,
    float_parameters,
    float_prompt,
    rational_prompt,
)
from numerics.mutations import Instance, Mutation, mutations, refutation_of
from proofs.enclosures import enclosed, held_against_exact
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, float_above, larger, timed
from proofs.induction import UNSYMBOLIC, SymbolicRun, prove
from proofs.proof import Proof
from proofs.theorem import Theorem

Draw: TypeAlias = Callable[[np.random.Generator, Sizes, int, Any], Instance]
"""From (generator, sizes, number of layers, dtype or None for rationals) to an instance of the theorem."""

Rival: TypeAlias = Callable[[Construction, Prompt], Instance]
"""From an instance to another network, and the prompt on which it must make the same prediction."""

_FIRST_SIZES = (Sizes(1, 1, 1), Sizes(1, 3, 2), Sizes(4, 2, 1), Sizes(3, 3, 2))
"""The sizes of the first instances: the smallest, fewer tokens than features, more, as many."""

_LARGEST = Sizes(5, 4, 3)
"""The largest sizes of the others."""

_LARGE, _DEEPEST = Sizes(9, 6, 2), 5
"""The sizes and the number of layers of one more exact instance."""


@dataclass(frozen=True)
class MutationOutcome:
    """What became of one mutation."""

    mutation: Mutation
    refuted_at: str | None
    """The layer, slot and group at which an exact instance refutes it; None if it survives them all."""
    is_equivalent: bool
    """Whether its layer is proved equal to the original, on the state of an arbitrary iterate."""
    survivor: str | None = None
    """``"idle"`` if it may be deleted (dropped), ``"gauge"`` if it may only be changed in this way; None if refuted."""


@final
@dataclass(frozen=True, kw_only=True)
class ConstructionTheorem(Theorem):
    """A construction runs its algorithm, for all sizes and every number of layers.

    Args:
        prototype: the construction; the values of its parameters do not matter, but which of them are None (zero) or
            looped does.
        layers: the numbers of layers of the instances.
        draw: instances of the theorem, where hypotheses rule out generic ones.
        rival: another network that the theorem says computes the same function; run beside it on the exact instances.
        bits: the precision of the balls that enclose the rational instances, for a network with an exponential, which
            does not run in rationals; None for one that does.
    """

    prototype: Construction
    layers: Sequence[int] = (1, 2, 3, 4)
    draw: Draw | None = None
    rival: Rival | None = None
    bits: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "exact" if self.bits is None else "ball", "float", "cuda", "refutation")

    @property
    def construction(self) -> Construction:
        return self.prototype

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": lambda: self._proof(),
            "exact": lambda: self._exact(settings),
            "ball": lambda: self._ball(settings),
            "float": lambda: self._float(settings),
            "cuda": lambda: self._cuda(settings),
            "refutation": lambda: self._refutation(settings),
        }[kind]
        return timed(gather)

    @cached_property
    def proof(self) -> Proof:
        """The proof by induction over the layers."""
        return prove(self.prototype)

    def instances(self, settings: Settings, dtype: Any = None) -> Iterator[Instance]:
        """Random instances: rational, or of a float dtype. The same settings give the same instances."""
        rng = np.random.default_rng((settings.seed, 0 if dtype is None else 1))
        for number in range(settings.instances):
            if number < len(_FIRST_SIZES):
                sizes = _FIRST_SIZES[number]
            else:
                sizes = Sizes(*(int(rng.integers(1, largest + 1)) for largest in _LARGEST))
            sizes = sizes.meant_for(self.prototype)
            depth = self.layers[number % len(self.layers)]
            yield (self.draw or generic_instance(self.prototype))(rng, sizes, depth, dtype)

    def large_instance(self, settings: Settings) -> Instance:
        """One rational instance that is larger and deeper than the others."""
        depth = _DEEPEST if len(self.layers) > 1 else self.layers[0]
        sizes = _LARGE.meant_for(self.prototype)
        draw = self.draw or generic_instance(self.prototype)
        return draw(np.random.default_rng((settings.seed, 2)), sizes, depth, None)

    def mutation_outcomes(self, settings: Settings) -> list[MutationOutcome]:
        """Every mutation, judged twice: on exact instances (or in balls), and by the normal form of its layer."""
        with self._precision():
            instances = self._rigorous_instances(settings)
            return _survivors_named(
                [
                    MutationOutcome(mutation, failure.place if failure else None, mutation in self.equivalent)
                    for mutation in self.mutations
                    for failure in [refutation_of(mutation, instances, settings.seed)]
                ]
            )

    def _precision(self) -> AbstractContextManager[None]:
        return nullcontext() if self.bits is None else precision(self.bits)

    def _rigorous_instances(self, settings: Settings) -> list[Instance]:
        """The rational instances, enclosed in balls where they do not run in rationals."""
        instances = list(self.instances(settings))
        return instances if self.bits is None else [enclosed(instance) for instance in instances]

    @cached_property
    def mutations(self) -> tuple[Mutation, ...]:
        """Every mutation of a single block, factor or mask."""
        run = SymbolicRun(self.prototype)
        return tuple(mutations(run.construction, run.prompt))

    @cached_property
    def equivalent(self) -> frozenset[Mutation]:
        """The mutations that are proved to change nothing; none if the construction itself is not proved."""
        try:
            proved = self.proof.holds
        except UNSYMBOLIC:
            proved = False
        if not proved:
            return frozenset()
        return equivalent_among(SymbolicRun(self.prototype), self.mutations)

    def _proof(self) -> Evidence:
        proof = self.proof
        given = {"n": "n", "d": self.prototype.dimension, "m": self.prototype.targets}
        fixed = [f"{name} = {size}" for name, size in given.items() if isinstance(size, int)]
        left = ", ".join(name for name, size in given.items() if not isinstance(size, int))
        sizes = "; ".join([f"all {left}", *fixed])
        over = f"{sizes} and every number of layers" if len(self.layers) > 1 else f"{sizes}; layers: {self.layers[0]}"
        if proof.holds:
            return Evidence("proof", HOLDS, over=f"{over}; {len(proof.identities)} identities")
        where = "; ".join(identity.claim.text for identity in proof.undecided)
        return Evidence("proof", FAILS, over=over, reason=f"undecided: {where}", undecided=True)

    def _exact(self, settings: Settings) -> Evidence:
        instances = list(self.instances(settings))
        evidence = self._checked("exact", [*instances, self.large_instance(settings)])
        if self.rival is None or evidence.outcome != HOLDS:
            return evidence
        rivals = [self.rival(*instance) for instance in instances]
        for instance, other in zip(instances, rivals, strict=True):
            comparison = compare(_prediction(*instance), _prediction(*other))
            if comparison.verdict is not Verdict.EQUAL:
                reason = (
                    f"with {instance[0].depth} layers in its loop it predicts {comparison.left}, but the network of "
                    f"{other[0].depth} layers {comparison.right}, on the prompt {instance[1]}"
                )
                return replace(evidence, outcome=FAILS, reason=reason)
        depths = [int(other.depth) for other, _ in rivals]
        return replace(
            evidence, over=f"{evidence.over}; equal to {min(depths)}..{max(depths)} layers of the other kind"
        )

    def _ball(self, settings: Settings) -> Evidence:
        with self._precision():
            evidence = self.informative("ball", self._rigorous_instances(settings), settings)
        over = f"{evidence.over}; {self.bits} bits" if evidence.over else None
        return replace(evidence, over=over, worst=float_above(evidence.worst), bound=float_above(evidence.bound))

    def _float(self, settings: Settings) -> Evidence:
        return self.informative("float", list(self.instances(settings, np.float64)), settings)

    def informative(
        self,
        kind: str,
        instances: Sequence[Instance],
        settings: Settings,
        sign_flips: Sequence[Mutation] | None = None,
    ) -> Evidence:
        """The evidence of enclosures, unless they are so wide that they would not reject a sign flip.

        Args:
            kind: of the evidence.
            instances: those that are run.
            settings: give the seed.
            sign_flips: those that must be rejected; by default all that are not proved to change nothing.
        """
        evidence = self._checked(kind, instances)
        blind = self.blind_to(instances, settings, sign_flips) if evidence.outcome == HOLDS else None
        if blind is None:
            return evidence
        return Evidence(kind, NOT_RUN, reason=f"uninformative: the bound does not reject the mutant {blind}")

    def blind_to(
        self, instances: Sequence[Instance], settings: Settings, sign_flips: Sequence[Mutation] | None = None
    ) -> Mutation | None:
        """A sign flip that matters, and that the runs with their bounds do not reject; None if there is none."""
        if sign_flips is None:
            sign_flips = [each for each in self.mutations if each.change == "negated" and each not in self.equivalent]
        return next((each for each in sign_flips if refutation_of(each, instances, settings.seed) is None), None)

    def _checked(self, kind: str, instances: Sequence[Instance]) -> Evidence:
        worst = bound = None
        for number, (construction, prompt) in enumerate(instances, start=1):
            report: CheckReport = check(construction, prompt)
            worst, bound = larger(worst, report.worst), larger(bound, report.bound)
            if not report.holds:
                reason = str(report.failure) if report.failure else f"{report.undecided} claims undecided"
                where = _range_of(instances)
                return Evidence(
                    kind, FAILS, where, number, worst, bound, reason=reason, undecided=report.failure is None
                )
        return Evidence(kind, HOLDS, _range_of(instances), len(instances), worst, bound)

    def _cuda(self, settings: Settings) -> Evidence:
        if settings.device != "cuda":
            return Evidence("cuda", NOT_RUN, reason="needs --device cuda")
        from numerics.device import on_device, require_device

        require_device()
        worst = bound = None
        instances: list[Instance] = []
        for dtype in (np.float64, np.float32):
            for construction, prompt in self.instances(settings, dtype):
                instances.append((construction, prompt))
                moved = on_device(construction), prompt.map(on_device)
                report = check(*moved)
                failure = None if report.holds else str(report.failure or "undecided")
                failure = failure or held_against_exact((construction, prompt), moved, self.bits)
                worst, bound = larger(worst, report.worst), larger(bound, report.bound)
                if failure:
                    return Evidence("cuda", FAILS, _range_of(instances), len(instances), worst, bound, reason=failure)
        return Evidence("cuda", HOLDS, f"float64 and float32, {_range_of(instances)}", len(instances), worst, bound)

    def _refutation(self, settings: Settings) -> Evidence:
        return refutation_evidence(self.mutation_outcomes(settings))

    def shown(self) -> str:
        from constructions.display import described

        return f"{described(generic(self.prototype))}\n\nProof\n\n{self.proof}"


def _prediction(construction: Construction, prompt: Prompt) -> Block:
    held = prompt.lifted()
    return materialised(forward(construction, held), held.X)


def generic_instance(prototype: Construction) -> Draw:
    """Draws the parameters and the prompt, with its extras, independently of each other."""

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        construction = with_drawn_parameters(prototype, sizes, rng, depth, dtype)
        extras = extra_shapes(prototype, sizes, rng)
        if dtype is None:
            return construction, rational_prompt(rng, *sizes, extras=extras)
        return construction, float_prompt(rng, *sizes, dtype=dtype, extras=extras)

    return draw


def with_drawn_parameters(
    prototype: Construction, sizes: Sizes, rng: np.random.Generator, depth: int, dtype: Any
) -> Construction:
    """The construction with its parameters redrawn: rational for the dtype None, or of a float dtype."""
    if dtype is None:
        return exact_parameters(prototype, sizes, rng, depth)
    return float_parameters(prototype, sizes, rng, depth, dtype)


def equivalent_among(run: SymbolicRun, candidates: Sequence[Mutation]) -> frozenset[Mutation]:
    """Those of the mutations that are proved to change nothing, from one run of a construction that is proved."""
    run.restart()
    left, made, running = set(candidates), dict[Mutation, Stream](), -1
    judged: set[int] = set()  # the stages of which something is claimed

    def watched(stage: int, layer: Any) -> Any:
        def original(stream: Stream) -> Stream:
            nonlocal running
            running, result = stage, layer(stream)
            for mutation in [each for each in left if each.stage == stage]:
                made[mutation] = mutation(stage, layer)(stream)
                added = [block for place, block in made[mutation].blocks.items() if place not in result.blocks]
                if not all(run.reduced(block).is_zero for block in added):
                    left.discard(mutation)
            return result

        return original

    for claim in run.claims(change=watched, lemmas=False):
        if claim.kind == "step" and claim.slot is not None and claim.group is not None:
            judged.add(running)
            for mutation in [each for each in left if each.stage == running]:
                if run.reduced(made[mutation][claim.slot, claim.group]) != run.reduced(claim.right):
                    left.discard(mutation)
    return frozenset(mutation for mutation in left if mutation.stage in judged)


def refutation_evidence(outcomes: Sequence[MutationOutcome]) -> Evidence:
    """That every mutation is refuted or proved equivalent, and none both."""
    odd = sorted((o for o in outcomes if (o.refuted_at is None) != o.is_equivalent), key=lambda o: not o.is_equivalent)
    survivors = [f"{o.mutation.place} ({o.survivor})" for o in outcomes if o.refuted_at is None]
    refuted = len(outcomes) - len(survivors)
    over = f"{len(outcomes)} mutations of single blocks, factors and masks, {refuted} refuted and located"
    over += "; survivors, proved equivalent: " + ", ".join(dict.fromkeys(survivors)) if survivors else ""
    if odd:
        # A survivor refutes nothing: the instances may be too few to tell it.
        undecided = odd[0].refuted_at is None
        what = (
            "survives these instances, but is not proved equivalent"
            if undecided
            else "is proved equivalent, but refuted"
        )
        return Evidence(
            "refutation", FAILS, over, len(outcomes), reason=f"{odd[0].mutation} {what}", undecided=undecided
        )
    if not outcomes:
        return Evidence("refutation", NOT_RUN, reason="the construction has no weight to change")
    return Evidence("refutation", HOLDS, over, len(outcomes))


def _survivors_named(outcomes: Sequence[MutationOutcome]) -> list[MutationOutcome]:
    without = ("deleted", "dropped")
    deletable = {o.mutation.place for o in outcomes if o.mutation.change in without and o.refuted_at is None}
    return [
        o if o.refuted_at is not None else replace(o, survivor="idle" if o.mutation.place in deletable else "gauge")
        for o in outcomes
    ]


def _range_of(instances: Sequence[Instance]) -> str:
    """The sizes that the instances range over, in words."""
    sizes = [Sizes.of(prompt) for _, prompt in instances]
    depths = [int(construction.depth) for construction, _ in instances]
    spans = [
        (name, min(values), max(values))
        for name, values in (
            ("n", [s.n for s in sizes]),
            ("d", [s.d for s in sizes]),
            ("m", [s.m for s in sizes]),
            ("layers", depths),
        )
    ]
    return ", ".join(f"{name} {low}" if low == high else f"{name} {low}..{high}" for name, low, high in spans)

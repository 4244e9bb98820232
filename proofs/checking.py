"""The check of a construction: proved for all sizes, or refuted by the smallest prompt on which it fails.

Nothing has to be told about it. In order: one run, which finds what does not fit; the proof; where there is none, the
search of a counterexample; and then what stands beside a proof: exact and float runs, and every change of a weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any, overload

import numpy as np

from constructions.block import compare
from constructions.claims import NoInvariant
from constructions.comparison import Verdict
from constructions.construction import Construction
from constructions.parameters import lifted, parameters
from constructions.prompt import Prompt
from numerics.balls import precision
from numerics.check import CheckReport, NotAnInstance
from numerics.check import check as check_on_a_prompt
from numerics.instances import Sizes
from numerics.mutations import Instance, Mutation, arbitrary_iterates
from numerics.rationals import NotRational
from proofs.arguments import BadInput
from proofs.construction_theorem import (
    ConstructionTheorem,
    Draw,
    MutationOutcome,
    generic_instance,
)
from proofs.enclosures import enclosed
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, stopwatch, timed
from proofs.formula import sum_written
from proofs.induction import UNSYMBOLIC, prove
from proofs.proof import Identity, Proof
from proofs.refutations import Refutation, refutation_found, with_nonzero_scalars
from proofs.substance import without_substance
from proofs.user_file import as_construction
from proofs.words import Sum

PROVED, HOLDS_SO_FAR, REFUTED, UNDECIDED = "proved", "holds", "refuted", "undecided"
"""What a check has found: proved for every number of layers; proved for some; refuted; neither."""

FEW_LAYERS = (1, 2, 3)
"""The numbers of layers for which a network is proved, one by one, that has no proof for all of them."""

BITS = 128
"""The precision of the balls in which a network with an exponential is run."""

_TRIAL = Sizes(4, 3, 2)
"""The sizes of the first run: no two are equal, so that what does not fit shows."""

_TYPICAL = ((Sizes(1, 3, 2), 1), (Sizes(3, 2, 1), 2), (Sizes(4, 3, 2), 3))
"""The sizes and numbers of layers of the instances on which a change that would mend a construction is tried."""

_SCALE, _DEPTH_AT_SCALE = Sizes(101, 17, 2), 9
"""The sizes and the number of layers of the float run at scale: larger, and odder, than those of all other runs."""

_NO_INVARIANT = (
    "no invariant is given: only the prediction is compared, end to end, and nothing is claimed of single layers, so "
    "that none can be named where it fails; write state() for that and for all numbers of layers"
)

MOST_DRAWS = 200
"""How many prompts are drawn for one that satisfies the hypotheses."""

MOST_CHARACTERS = 400
"""A side of an identity that is longer is cut."""


@dataclass(frozen=True)
class Check:
    """What the check of a construction has found.

    Args:
        construction: what was checked; ``print`` it for its weights and its invariant.
        verdict: ``"proved"`` for all sizes and every number of layers; ``"holds"`` where that is proved for some
            numbers of layers only, as where there is no invariant; ``"refuted"``; ``"undecided"``, neither.
        proofs: the proof, or those of each number of layers.
        evidence: the proof, the exact runs, the float runs, the CUDA runs and the mutations, as far as they were run.
        refutation: the counterexample, if it is refuted.
        mutations: every change of a single block, factor or mask, and whether it was found out.
        notes: what is weaker than it could be, and why.
    """

    construction: Construction
    verdict: str
    proofs: tuple[Proof, ...]
    evidence: tuple[Evidence, ...]
    refutation: Refutation | None = None
    mutations: tuple[MutationOutcome, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it is proved, at least for some numbers of layers."""
        return self.verdict in (PROVED, HOLDS_SO_FAR)

    @property
    def undecided(self) -> tuple[Identity, ...]:
        """The identities that are not proved."""
        return tuple(identity for proof in self.proofs for identity in proof.undecided)

    @property
    def idle(self) -> tuple[str, ...]:
        """The blocks, factors and masks that nothing needs: without them, it is proved, nothing changes.

        Where there is no proof by induction: nothing has changed on any instance tried.
        """
        idle = (o for o in self.mutations if o.survivor == "idle" and (o.is_equivalent or self.verdict != PROVED))
        return tuple(dict.fromkeys(o.mutation.place for o in idle))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The check for a terminal."""
        yield f"{type(self.construction).__name__}: {self.verdict}"
        yield ""
        if self.refutation is not None:
            yield from (f"  {line}" for line in self.refutation.lines())
            yield ""
        signs = {HOLDS: "✓", FAILS: "✗", NOT_RUN: "–"}
        for evidence in self.evidence:
            reason = None if evidence.kind == "proof" and self.refutation is not None else evidence.reason
            said = "; ".join(filter(None, [evidence.over, reason, _gap(evidence)]))
            yield f"  {signs[evidence.outcome]} {evidence.kind:<10}  {said}"
        known = "proved" if self.verdict == PROVED else "on every instance tried"
        yield from (f"  idle: {place}: nothing changes without it, {known}" for place in self.idle)
        if self.verdict != REFUTED:
            sides = {(identity.left, identity.right): identity for identity in reversed(self.undecided)}
            for identity in reversed(sides.values()):
                yield from (f"  {line}" for line in _identity_lines(identity))
        yield from (f"  note: {note}" for note in self.notes)


@overload
def check(
    construction: Construction | type[Construction], prompt: None = None, *, settings: Settings | None = None
) -> Check: ...


@overload
def check(construction: Construction, prompt: Prompt, **options: Any) -> CheckReport: ...


def check(
    construction: Construction | type[Construction],
    prompt: Prompt | None = None,
    *,
    settings: Settings | None = None,
    **options: Any,
) -> Check | CheckReport:
    """Whether a construction runs its algorithm: proved for all sizes, or refuted by a smallest counterexample.

    >>> from constructions import GradientDescent
    >>> check(GradientDescent).verdict
    'proved'

    Args:
        construction: the construction, or its class. The values of its parameters do not matter, but which of them are
            None (zero) or looped does.
        prompt: only on this prompt, with the parameters that the construction has; see ``numerics.check``.
        settings: seed, number of instances and device; by default those of ``Settings()``.
        options: those of ``numerics.check``, with a prompt.

    Raises:
        ValueError: if shapes disagree, or a parameter is not finite; the message names where.
        TypeError: if something is no block, scalar or stream where one is required, or no construction came.
    """
    try:
        construction = as_construction(construction, getattr(construction, "__name__", repr(construction)))
    except BadInput as error:
        raise TypeError(str(error)) from error
    if prompt is not None:
        return check_on_a_prompt(construction, prompt, **options)
    if options:
        raise TypeError(f"without a prompt there is no option {', '.join(options)}; pass settings=Settings(...)")
    settings = settings or Settings()
    require_finite(construction)
    theorem = _theorem(construction)
    proof, proofs, notes = _proof(theorem)
    evidence, refutation = [proof], None
    outcomes: tuple[MutationOutcome, ...] = ()
    if proof.outcome == HOLDS:
        outcomes = tuple(theorem.mutation_outcomes(settings))
        flips = [o.mutation for o in outcomes if o.mutation.change == "negated" and o.refuted_at is not None]
        evidence.append(theorem.evidence("exact" if theorem.bits is None else "ball", settings))
        evidence += _float_evidence(theorem, settings, flips)
        evidence.append(theorem.evidence("cuda", settings))
        evidence.append(_mutant_evidence(outcomes))
    if proof.outcome != HOLDS or any(each.outcome == FAILS for each in evidence):
        refutation = _refutation(theorem)
    if refutation is not None:
        return Check(construction, REFUTED, proofs, tuple(evidence), refutation, outcomes, notes)
    if proof.outcome != HOLDS:
        evidence.append(theorem.evidence("exact" if theorem.bits is None else "ball", settings))
        notes = (*notes, *_needed(theorem, settings))
    verdict = UNDECIDED if any(each.outcome == FAILS for each in evidence) or proof.outcome != HOLDS else PROVED
    if verdict == PROVED and notes:
        verdict = HOLDS_SO_FAR
    if verdict != UNDECIDED and (void := tuple(without_substance(_drawn(theorem, _TRIAL, 2), theorem.bits, outcomes))):
        verdict, notes = UNDECIDED, (*notes, *void)
    return Check(construction, verdict, proofs, tuple(evidence), None, outcomes, notes)


def require_finite(construction: Construction) -> None:
    """Nothing, if every number among the values of the parameters is finite.

    Raises:
        ValueError: if one is not; it names the parameter.
    """
    for name, declared in parameters(construction).items():
        if not all(_finite(value) for value in _numbers(getattr(construction, name))):
            raise ValueError(f"the parameter {name} ({declared.symbol}) has an entry that is NaN or infinite")


def _numbers(held: Any) -> Iterator[Any]:
    """Every number in a parameter's value."""
    held = getattr(held, "value", held)
    held = held.tolist() if hasattr(held, "tolist") else held
    if isinstance(held, (list, tuple)):
        for part in held:
            yield from _numbers(part)
    elif isinstance(held, Number):
        yield held


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _theorem(construction: Construction) -> ConstructionTheorem:
    """The construction as a theorem to be verified; found out by a first run is whether it needs balls."""
    declared = [p for name, p in parameters(construction).items() if getattr(construction, name) is not None]
    is_any_depth = any(p.per_layer or p.counts_layers for p in declared)
    name = type(construction).__name__
    theorem = ConstructionTheorem(
        name=name,
        system="this project",
        reference="a construction of your own",
        statement=f"{name} runs its algorithm.",
        prototype=construction,
        layers=(1, 2, 3, 4) if is_any_depth else (int(construction.depth),),
        draw=_satisfying(construction),
    )
    instance = _drawn(theorem, _TRIAL, 2)
    try:
        check_on_a_prompt(*instance)
    except NotRational:
        with precision(BITS):
            check_on_a_prompt(*enclosed(instance))
        return replace(theorem, bits=BITS)
    return theorem


def _satisfying(construction: Construction) -> Draw:
    """Draws instances that satisfy the hypotheses: most are refused, so that few may be found."""
    draw = generic_instance(construction)

    def drawn(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        for _ in range(MOST_DRAWS):
            live, prompt = draw(rng, sizes, depth, dtype)
            held = prompt.lifted()
            relations = lifted(live, type(held.X), held).hypotheses(held)
            if all(compare(each.left, each.right).verdict is not Verdict.DIFFERENT for each in relations):
                return live, prompt
        raise NotAnInstance(
            f"none of {MOST_DRAWS} prompts drawn at random satisfies the hypotheses of {type(construction).__name__}; "
            "state them as a parameter instead, such as Y = W X with a parameter W"
        )

    return drawn


def _drawn(theorem: ConstructionTheorem, sizes: Sizes, depth: int, dtype: Any = None, seed: int = 0) -> Instance:
    assert theorem.draw is not None
    layers = depth if len(theorem.layers) > 1 else theorem.layers[0]
    return theorem.draw(np.random.default_rng(seed), sizes.meant_for(theorem.prototype), layers, dtype)


def _proof(theorem: ConstructionTheorem) -> tuple[Evidence, tuple[Proof, ...], tuple[str, ...]]:
    """The proof for every number of layers; where there is none, those for a few of them, and why."""
    layers = FEW_LAYERS if len(theorem.layers) > 1 else (None,)
    try:
        evidence, proof = theorem.evidence("proof", Settings()), theorem.proof
        weaker = () if any(each.claim.kind == "step" for each in proof.identities) else (_NO_INVARIANT,)
        return evidence, (proof,), weaker
    except NoInvariant:
        weaker = (f"{_NO_INVARIANT}; other numbers of layers than those named are neither proved nor refuted",)
    except UNSYMBOLIC as error:
        weaker = (f"there is no proof by induction: {type(error).__name__}: {error}",)
    try:
        with stopwatch() as seconds:
            proofs = tuple(prove(theorem.prototype, layers=many) for many in layers)
    except UNSYMBOLIC as error:
        reason = f"symbols of unspecified size cannot go through it: {type(error).__name__}: {error}"
        return Evidence("proof", NOT_RUN, reason=reason), (), weaker
    free = proofs[0].free[0].partition(" >=")[0]
    named = (
        f"{', '.join(map(str, layers[:-1]))} and {layers[-1]} layers, no others" if len(layers) > 1 else "its layers"
    )
    undecided = [identity for proof in proofs for identity in proof.undecided]
    outcome = FAILS if undecided else HOLDS
    over = f"all {free}; {named}"
    return Evidence("proof", outcome, over, seconds=seconds(), undecided=bool(undecided)), proofs, weaker


def _refutation(theorem: ConstructionTheorem) -> Refutation | None:
    typical = [_drawn(theorem, sizes, depth) for sizes, depth in _TYPICAL]
    with nullcontext() if theorem.bits is None else precision(theorem.bits):
        decidable = None if theorem.bits is None else enclosed
        return refutation_found(theorem.prototype, [with_nonzero_scalars(each) for each in typical], decidable)


def _needed(theorem: ConstructionTheorem, settings: Settings) -> Iterator[str]:
    """What keeps a proof from being one, where no run fails: a step that fails from iterates that no run reaches."""
    instances = [_drawn(theorem, sizes, depth) for sizes, depth in _TYPICAL]
    with nullcontext() if theorem.bits is None else precision(theorem.bits):
        for instance in instances if theorem.bits is None else map(enclosed, instances):
            report = check_on_a_prompt(*instance, arbitrary=arbitrary_iterates(*instance, settings.seed))
            if report.failure is not None:
                yield (
                    f"along every run that was tried the claims hold, but from an arbitrary iterate they fail "
                    f"({report.failure.place}): if the iterates have a property, such as being symmetric, declare it "
                    "in relations()"
                )
                return


def _float_evidence(theorem: ConstructionTheorem, settings: Settings, flips: Sequence[Mutation]) -> Iterator[Evidence]:
    """Float runs at small sizes, and one at sizes as they occur, unless a bound would not reject a sign flip."""
    small = list(theorem.instances(settings, np.float64))
    yield timed(lambda: theorem.informative("float", small, settings, flips))
    large = [_drawn(theorem, _SCALE, _DEPTH_AT_SCALE, np.float64, settings.seed)]
    evidence = timed(lambda: theorem.informative("float", large, settings, flips))
    yield replace(evidence, over=f"at scale: {evidence.over}" if evidence.over else "at scale")


def _mutant_evidence(outcomes: Sequence[MutationOutcome]) -> Evidence:
    """What became of the mutants. One that survives unproved says only that the instances, or the claims, are few."""
    survivors = [o for o in outcomes if o.refuted_at is None]
    over = f"{len(outcomes)} mutations of single blocks, factors and masks, {len(outcomes) - len(survivors)} refuted"
    for is_proved, said in (
        (True, "proved to change nothing"),
        (False, "neither refuted nor proved to change nothing"),
    ):
        places = dict.fromkeys(f"{o.mutation}" for o in survivors if o.is_equivalent == is_proved)
        over += f"; {said}: {', '.join(places)}" if places else ""
    if not outcomes:
        return Evidence("refutation", NOT_RUN, reason="the construction has no weight to change")
    if wrong := [o for o in outcomes if o.refuted_at is not None and o.is_equivalent]:
        reason = f"{wrong[0].mutation} is proved equivalent, but refuted: the prover is at fault"
        return Evidence("refutation", FAILS, over, len(outcomes), reason=reason)
    return Evidence("refutation", HOLDS, over, len(outcomes))


def _gap(evidence: Evidence) -> str:
    """The largest difference of a float run, and the largest that rounding explains."""
    if evidence.outcome != HOLDS or not isinstance(evidence.worst, float) or evidence.bound is None:
        return ""
    return f"largest difference {evidence.worst:.2g}, rounding explains {evidence.bound:.2g}"


def _identity_lines(identity: Identity) -> Iterator[str]:
    """An identity that is not proved: its two sides in normal form."""
    yield f"undecided: {identity.claim.text} ({identity.claim.place})"
    for name, side in (("transformer", identity.left), ("claimed", identity.right)):
        written = sum_written(side) if isinstance(side, Sum) else str(side)
        yield f"  {name}: {written if len(written) <= MOST_CHARACTERS else written[:MOST_CHARACTERS] + ' ...'}"

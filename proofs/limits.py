"""Theorems about limits: a network tends to another map, with an error bound at every value of its parameter.

The bound is proved step by step in closed form, and held against the network itself in balls: on every instance, at
every value of the parameter, the distance from the limit must not exceed the bound, and that from each wrong limit must
exceed, somewhere, the bound that would hold for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any, TypeAlias, final

import numpy as np
import sympy
from flint import arb

from constructions.block import Block, materialised
from constructions.construction import Construction, forward
from constructions.parameters import generic
from constructions.prompt import Prompt
from numerics.balls import BallBlock, precision
from numerics.check import check
from numerics.instances import Sizes, float_prompt, rational_prompt
from numerics.mutations import refutation_of
from numerics.rounding import RoundedBlock
from proofs.construction_theorem import ConstructionTheorem
from proofs.enclosures import enclosed
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings, timed
from proofs.theorem import Theorem

Map: TypeAlias = Callable[[Any, Prompt], Block]
"""From the construction and a lifted prompt to a block."""

Step: TypeAlias = "tuple[str, Any, Any]"
"""What is claimed, and two expressions that must be equal."""

BITS = 256
"""The precision of the balls."""

WIDEST = arb(2) ** -128
"""The largest radius of a distance: a wider ball would not be held against a bound."""

_SIZES = (Sizes(4, 2, 1), Sizes(1, 1, 1), Sizes(2, 1, 1), Sizes(1, 3, 2), Sizes(3, 3, 2), Sizes(6, 2, 3))


@final
@dataclass(frozen=True, kw_only=True)
class LimitTheorem(Theorem):
    """A network tends to a map, with a proved bound on its distance.

    Args:
        networks: the network at each of several values of its parameter, towards the limit.
        limit: the map that it tends to.
        bound: on the largest entry of the distance, in balls, (1, 1).
        wrong: by name, maps that the network does not tend to, or bounds that do not hold: (map, bound).
        steps: the proof, for all sizes: equalities that SymPy decides, and in words what follows from each.
        read: the block that is compared; by default the prediction.
    """

    networks: Sequence[Construction]
    limit: Map
    bound: Map
    wrong: dict[str, tuple[Map, Map]]
    steps: Callable[[], Sequence[Step]]

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("proof", "ball", "float", "refutation")

    @property
    def construction(self) -> Construction:
        return self.networks[0]

    def evidence(self, kind: str, settings: Settings) -> Evidence:
        gather = {
            "proof": lambda: self._proof(),
            "ball": lambda: self._ball(settings),
            "float": lambda: self._float(settings),
            "refutation": lambda: self._refutation(settings),
        }[kind]
        return timed(gather)

    @cached_property
    def network(self) -> ConstructionTheorem:
        """That the network computes what it claims to, at any value of its parameter."""
        return ConstructionTheorem(
            name=self.name,
            system=self.system,
            reference=self.reference,
            statement=self.statement,
            prototype=self.networks[0],
            layers=(1,),
            bits=BITS,
        )

    def prompts(self, settings: Settings) -> list[Prompt]:
        """Rational prompts, the same for the same settings."""
        rng = np.random.default_rng((settings.seed, 2))
        return [rational_prompt(rng, *_SIZES[number % len(_SIZES)]) for number in range(settings.instances)]

    def _proof(self) -> Evidence:
        steps = self.steps()
        undecided = [text for text, left, right in steps if sympy.simplify(left - right) != 0]
        network = self.network.proof
        undecided += [identity.claim.text for identity in network.undecided]
        over = (
            f"all n, d, m and every value of the parameters; {len(network.identities)} identities of the network, "
            f"{len(steps)} equalities for its distance from the limit"
        )
        if undecided:
            return Evidence("proof", FAILS, over, reason=f"undecided: {'; '.join(undecided)}", undecided=True)
        return Evidence("proof", HOLDS, over)

    def _ball(self, settings: Settings) -> Evidence:
        worst = arb(0)
        prompts = self.prompts(settings)
        with precision(BITS):
            for number, prompt in enumerate(prompts, start=1):
                for network in self.networks:
                    report = check(network, prompt, kind=BallBlock)
                    if not report.holds:
                        return Evidence("ball", FAILS, instances=number, reason=str(report.failure or "undecided"))
                    distance, bound = self._held(network, prompt, self.limit, self.bound)
                    if distance > bound or distance.rad() > WIDEST:
                        reason = f"the distance from the limit is {distance}, the bound {bound}"
                        return Evidence("ball", FAILS, instances=number, reason=reason)
                    worst = worst.max(distance / bound) if bound > 0 else worst
        over = f"{len(self.networks)} values of the parameter each, in balls of {BITS} bits; worst is distance / bound"
        return Evidence("ball", HOLDS, over, len(prompts), float(worst.abs_upper()), 1.0)

    def _held(self, network: Construction, prompt: Prompt, limit: Map, bound: Map) -> tuple[arb, arb]:
        """(the distance of the network's prediction from the limit, the bound on it), in balls."""
        held = prompt.lifted(BallBlock)
        difference = materialised(forward(network, held) - limit(network, held), held.X)
        allowed = materialised(bound(network, held), held.X)
        distance = arb(0)
        for entry in difference.entry.ravel():
            distance = distance.max(abs(entry))
        return distance, allowed.entry[0, 0]

    def _float(self, settings: Settings) -> Evidence:
        """The float network is what it claims to be, within its rounding bound, layer by layer."""
        rng = np.random.default_rng((settings.seed, 3))
        prompts = [float_prompt(rng, *_SIZES[number % len(_SIZES)]) for number in range(settings.instances)]
        instances = list(zip(cycle(self.networks), prompts, strict=False))
        worst, bound = 0.0, 0.0
        for network, prompt in instances:
            report = check(network, prompt, kind=RoundedBlock)
            if not report.holds:
                return Evidence("float", FAILS, instances=len(instances), reason=str(report.failure or "undecided"))
            worst, bound = max(worst, float(report.worst)), max(bound, float(report.bound))
        if (blind := self.network.blind_to(instances, settings)) is not None:
            return Evidence("float", NOT_RUN, reason=f"uninformative: the bound does not reject the mutant {blind}")
        return Evidence("float", HOLDS, "every value of the parameter", len(instances), worst, bound)

    def _refutation(self, settings: Settings) -> Evidence:
        """Wrong limits, and every single-block mutation of the network."""
        survivors = [
            name for name, (limit, bound) in self.wrong.items() if not self._is_refuted(limit, bound, settings)
        ]
        with precision(BITS):
            instances = [enclosed(each) for each in zip(cycle(self.networks), self.prompts(settings), strict=False)]
            for mutation in self.network.mutations:
                is_refuted = refutation_of(mutation, instances, settings.seed) is not None
                if is_refuted == (mutation in self.network.equivalent):
                    survivors.append(str(mutation))
        over = (
            f"{len(self.wrong)} wrong limits or bounds ({', '.join(self.wrong)}); "
            f"{len(self.network.mutations)} mutations of single blocks"
        )
        count = len(self.wrong) + len(self.network.mutations)
        if survivors:
            return Evidence("refutation", FAILS, over, count, reason=f"not refuted: {', '.join(survivors)}")
        return Evidence("refutation", HOLDS, over, count)

    def _is_refuted(self, limit: Map, bound: Map, settings: Settings) -> bool:
        with precision(BITS):
            pairs = [
                self._held(network, prompt, limit, bound)
                for prompt in self.prompts(settings)
                for network in self.networks
            ]
            return any(bool(distance > allowed) for distance, allowed in pairs)

    def shown(self) -> str:
        from constructions.display import described

        lines = [described(generic(self.networks[0])), "", "Distance from the limit", ""]
        for text, left, right in self.steps():
            lines += [f"  {text}", f"    {left} = {right}"]
        return "\n".join(lines)

"""Theorems: a statement, where it comes from, and how evidence for it is gathered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from constructions.construction import Construction
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Evidence, Settings

SYSTEMS = (
    "von Oswald et al. 2023",
    "Ahn et al. 2023",
    "Mahankali et al. 2023",
    "Fu et al. 2024",
    "Dai et al. 2022",
    "Gatmiry et al. 2024",
    "Cheng et al. 2024",
    "Huang et al. 2025",
    "this project",
)
"""Who claims it, spelled so everywhere."""


@dataclass(frozen=True, kw_only=True)
class Theorem(ABC):
    """A theorem of the catalogue.

    Args:
        name: its claim, the same in code, tests, reports and README.
        system: one of ``SYSTEMS``.
        reference: where the statement is; differences from it are said.
        statement: the claim in a sentence or two, with its formula.
    """

    name: str
    system: str
    reference: str
    statement: str

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise ValueError(f"system = {self.system!r}: it must be one of {', '.join(SYSTEMS)}")

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """The kinds of evidence that this theorem has."""

    @abstractmethod
    def evidence(self, kind: str, settings: Settings) -> Evidence:
        """One kind of evidence, gathered now."""

    @property
    def construction(self) -> Construction | None:
        """The construction it is about, if there is one."""
        return None

    @abstractmethod
    def shown(self) -> str:
        """The theorem in print: weights, invariant, proof or counterexample."""


@dataclass(frozen=True)
class Verification:
    """A theorem with the evidence gathered for it."""

    theorem: Theorem
    evidence: tuple[Evidence, ...]

    @property
    def verified(self) -> bool:
        """Whether every kind that ran holds, and at least one ran."""
        ran = [evidence for evidence in self.evidence if evidence.outcome != NOT_RUN]
        return bool(ran) and all(evidence.outcome == HOLDS for evidence in ran)

    @property
    def refuted(self) -> bool:
        """Whether some kind of evidence failed, other than by not deciding."""
        return any(evidence.outcome == FAILS and not evidence.undecided for evidence in self.evidence)

    def as_json(self) -> dict[str, Any]:
        """The verification as JSON has it."""
        theorem = self.theorem
        return {
            "name": theorem.name,
            "system": theorem.system,
            "reference": theorem.reference,
            "statement": theorem.statement,
            "verified": self.verified,
            "evidence": [evidence.as_json() for evidence in self.evidence],
        }


def verify(theorem: Theorem, settings: Settings | None = None) -> Verification:
    """The theorem with all of its evidence, gathered now."""
    return Verification(theorem, tuple(gathered(theorem, settings or Settings())))


def gathered(theorem: Theorem, settings: Settings) -> Iterator[Evidence]:
    """The evidence, one kind after another."""
    for kind in theorem.kinds:
        yield theorem.evidence(kind, settings)

"""Comparisons: what holding one block against another has established."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Verdict(Enum):
    """What a comparison of two blocks has established.

    EQUAL: equal in exact kinds, enclosures that overlap in balls and floats with a radius. DIFFERENT: certainly so.
    UNDECIDED: the kind of number cannot tell (different normal forms, or a radius that is not finite).
    """

    EQUAL = "equal"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Comparison:
    """The outcome of holding one block against another.

    ``gap`` is the largest absolute difference of two entries and ``bound`` the largest that the enclosures allow, where
    the kind of number has them; ``left`` and ``right`` are the entries that differ most, or the two normal forms.
    """

    verdict: Verdict
    gap: Any = None
    bound: Any = None
    left: Any = None
    right: Any = None

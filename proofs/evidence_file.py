"""The JSON object of ``icl verify --json``, read back and held against the catalogue.

Evidence is for a statement. A file is refused if it is not whole, if it says "verified" where its own evidence does
not or "holds" where its own numbers do not, or if a theorem of it is not in this catalogue with the very same
statement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from proofs.arguments import BadInput, unknown
from proofs.evidence import HOLDS, Evidence
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem, Verification


@dataclass(frozen=True)
class Gathered:
    """Evidence that was gathered in one run of ``icl verify``.

    Args:
        seed: of every random draw.
        device: ``"cpu"`` or ``"cuda"``.
        versions: of the libraries; None for one that was not installed.
        verifications: the theorems with their evidence, in the order of the file.
    """

    seed: int
    device: str
    versions: Mapping[str, str | None]
    verifications: tuple[Verification, ...]


def as_float(value: float | str) -> float:
    """A number of the JSON object as a float: exact numbers and floats that are not finite are strings in it.

    Raises:
        ValueError: for a string that is no number.
    """
    try:
        return float(value)
    except ValueError:
        return float(Fraction(value))


def _is_number(value: Any, exact: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, str) if exact else (int, float)):
        return False
    try:
        as_float(value)
    except (ValueError, ZeroDivisionError):
        return False
    except OverflowError:
        pass
    return True


def read_evidence(path: Path, catalogue: Mapping[str, Theorem]) -> Gathered:
    """The evidence in a file.

    Raises:
        BadInput: if the file cannot be read, is not such a JSON object, or is of another catalogue.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text in UTF-8; pass a file that icl verify --json wrote") from error
    return gathered_in(text, str(path), catalogue)


def gathered_in(text: str, path: str, catalogue: Mapping[str, Theorem]) -> Gathered:
    """The evidence in a JSON text; ``path`` is what messages call it.

    Raises:
        BadInput: see ``read_evidence``.
    """
    reader = _Reader(path)
    try:
        held = json.loads(text, parse_constant=lambda constant: reader.refuse(f"it holds {constant}"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON ({error}); pass a file that icl verify --json wrote") from error
    report = reader.mapping(held, "the file")
    versions = reader.mapping(reader.field(report, "versions", "the file"), "versions")
    for name, version in versions.items():
        if version is not None and not isinstance(version, str):
            reader.refuse(f"the version of {name} is no string")
    theorems = reader.field(report, "theorems", "the file")
    if not isinstance(theorems, list) or not theorems:
        reader.refuse("theorems is not a list of at least one theorem")
    verifications = tuple(reader.verification(each, catalogue) for each in theorems)
    names = [verification.theorem.name for verification in verifications]
    if len(set(names)) < len(names):
        reader.refuse("a theorem is in it twice")
    seed, device = reader.field(report, "seed", "the file"), reader.field(report, "device", "the file")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        reader.refuse(f"seed is {seed!r}, not an integer of at least 0")
    if device not in ("cpu", "cuda"):
        reader.refuse(f"device is {device!r}, neither 'cpu' nor 'cuda'")
    return Gathered(seed, device, versions, verifications)


class _Reader:
    """Reads the parts of one file, and names it where one is wrong."""

    def __init__(self, path: str) -> None:
        self.path = path

    def refuse(self, what: str) -> NoReturn:
        raise BadInput(f"{self.path} is no evidence of icl verify --json: {what}; verify again, and pass what it wrote")

    def mapping(self, value: Any, what: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"{what} is no JSON object")
        return value

    def field(self, held: Mapping[str, Any], name: str, what: str) -> Any:
        if name not in held:
            self.refuse(f"{what} has no {name!r}")
        return held[name]

    def verification(self, value: Any, catalogue: Mapping[str, Theorem]) -> Verification:
        record = self.mapping(value, "an entry of theorems")
        name = self.field(record, "name", "a theorem")
        if not isinstance(name, str):
            self.refuse(f"the name of a theorem is {name!r}, no text")
        if name not in catalogue:
            raise BadInput(f"{self.path}: {unknown('theorem', name, list(catalogue))}; verify again")
        theorem = catalogue[name]
        for part in ("system", "reference", "statement"):
            if self.field(record, part, name) != getattr(theorem, part):
                raise BadInput(
                    f"{self.path}: the {part} of {name} is not that of this catalogue; its evidence is for another "
                    "version, verify again"
                )
        pieces = self.field(record, "evidence", name)
        if not isinstance(pieces, list) or not pieces:
            self.refuse(f"the evidence of {name} is no list of at least one piece")
        verification = Verification(theorem, tuple(self.evidence(piece, theorem) for piece in pieces))
        if self.field(record, "verified", name) is not verification.verified:
            self.refuse(f"{name} is said to be verified or not, but its evidence says otherwise")
        return verification

    def evidence(self, value: Any, theorem: Theorem) -> Evidence:
        record = self.mapping(value, f"a piece of evidence for {theorem.name}")
        names = {field.name for field in fields(Evidence)} - {"undecided"}
        if record.keys() != names:
            self.refuse(f"a piece of evidence for {theorem.name} does not have the fields {', '.join(sorted(names))}")
        if record["kind"] not in theorem.kinds:
            self.refuse(f"{theorem.name} has no evidence of the kind {record['kind']!r}")
        for name in ("over", "reason"):
            if record[name] is not None and not isinstance(record[name], str):
                self.refuse(f"{name} of {theorem.name}, {record['kind']}, is no text")
        for name in ("instances", "worst", "bound", "seconds"):
            if not (record[name] is None or _is_number(record[name], exact=name in ("worst", "bound"))):
                self.refuse(f"{name} of {theorem.name}, {record['kind']}, is {record[name]!r}, no number")
        try:
            evidence = Evidence(**record)
        except ValueError as error:
            self.refuse(str(error))
        if evidence.outcome == HOLDS and evidence.worst is not None and not _may_hold(evidence, theorem):
            bound = "none" if evidence.bound is None else evidence.bound
            self.refuse(
                f"{evidence.kind} of {theorem.name} is said to hold, but its largest difference {evidence.worst} with "
                f"the bound {bound} says otherwise"
            )
        return evidence


def _may_hold(evidence: Evidence, theorem: Theorem) -> bool:
    """Whether the largest difference is what evidence that holds has.

    An identity differs by no more than rounding explains, which is nothing in exact kinds; a counterexample to a
    statement that is false by more.
    """
    worst = _exactly(evidence.worst)
    bound = 0 if evidence.bound is None else _exactly(evidence.bound)
    return worst > bound if isinstance(theorem, RefutedStatement) else worst <= bound


def _exactly(value: float | str) -> Fraction | float:
    """A number of the JSON object; a comparison with one that is not a number is false."""
    try:
        return Fraction(value)
    except (ValueError, OverflowError):
        return float(value)

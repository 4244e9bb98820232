"""One theorem or construction in print: its claim, and then its weights, its invariant and its proof."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

from constructions.construction import Construction
from constructions.parameters import generic
from proofs.reports import folded
from proofs.theorem import Theorem


def theorem_lines(theorem: Theorem) -> Iterator[str]:
    """The theorem: name, system, reference, statement, and what it shows of itself."""
    yield theorem.name
    yield ""
    yield f"system: {theorem.system}"
    yield from folded(f"reference: {theorem.reference}", 0)
    yield from folded(f"statement: {theorem.statement}", 0)
    yield ""
    yield theorem.shown()


def constructions_by_name(theorems: Iterable[Theorem]) -> dict[str, Construction]:
    """The constructions that the theorems are about, in snake case; the first of a module by the module's name as well.

    ``GDPlusPlus`` of ``constructions/gdpp.py`` is ``gd_plus_plus`` and ``gdpp``.
    """
    named: dict[str, Construction] = {}
    for theorem in theorems:
        construction = theorem.construction
        if construction is not None:
            named.setdefault(
                re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(construction).__name__).lower(),
                construction,
            )
            named.setdefault(type(construction).__module__.rpartition(".")[2], construction)
    return named


def construction_lines(construction: Construction, theorems: Iterable[Theorem]) -> Iterator[str]:
    """The construction: its docstring, the theorems about it, its weights and its invariant."""
    from constructions.display import described

    cls = type(construction)
    yield f"{cls.__module__}.{cls.__name__}"
    yield ""
    yield inspect.getdoc(cls) or ""
    yield ""
    yield from (f"theorem: {theorem.name}" for theorem in theorems if type(theorem.construction) is cls)
    yield ""
    yield described(generic(construction))

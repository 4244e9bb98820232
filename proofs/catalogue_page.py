"""The catalogue as a page of Markdown: run as a module, it prints ``docs/catalogue.md``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from proofs.catalogue import catalogue
from proofs.publications import PUBLICATIONS
from proofs.theorem import SYSTEMS, Theorem

WIDTH = 120


def catalogue_page(theorems: Iterable[Theorem]) -> str:
    """The theorems system by system, each with its statement, its reference and its kinds of evidence."""
    return "\n".join(_lines(list(theorems))) + "\n"


def _lines(theorems: list[Theorem]) -> Iterator[str]:
    yield "# The catalogue"
    yield ""
    yield "Written by `make docs` from the code; `icl show NAME` prints a theorem with its weights and its proof."
    for system in SYSTEMS:
        held = [theorem for theorem in theorems if theorem.system == system]
        if not held:
            continue
        yield ""
        yield f"## {system[0].upper()}{system[1:]}" if system == "this project" else f"## {system}"
        if (publication := PUBLICATIONS.get(system)) is not None:
            yield ""
            yield from _folded(f"{publication.authors}. *{publication.title}*.")
            yield f"[arXiv:{publication.arxiv}]({publication.address})"
        for theorem in held:
            yield ""
            yield f"### `{theorem.name}`"
            yield ""
            yield from _folded(_escaped(theorem.statement))
            yield ""
            yield from _folded(f"- reference: {_escaped(theorem.reference)}", 2)
            yield from _folded(f"- evidence: {', '.join(kind.replace('_', ' ') for kind in theorem.kinds)}", 2)


def _folded(text: str, indent: int = 0) -> list[str]:
    """The text in lines; a later line that starts like a list or a heading of Markdown is escaped."""
    first, *rest = textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    return [first, *(re.sub(r"^(\s*)([-+>#]|\d+[.)])(?=\s|$)", r"\1\\\2", line) for line in rest)]


def _escaped(text: str) -> str:
    """The text with the characters that Markdown would take for marks."""
    for mark in "\\*_<|[":
        text = text.replace(mark, f"\\{mark}")
    return text


if __name__ == "__main__":
    print(catalogue_page(catalogue().values()), end="")

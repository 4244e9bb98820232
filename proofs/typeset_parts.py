"""What a theorem and its construction print of themselves, typeset: block matrices, sentences, equations, tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from constructions.layout import Grid, Heading, Matrices, Part, Sentence
from proofs.mathml import mathml
from proofs.prose import typeset

WIDEST = 84
"""So many columns of text are a grid that fits on a page; of a wider one the entries are listed."""

BROKEN = range(96, 121)
"""A line at the margin of so many characters was broken at the width of a text, if what follows may go on from it."""

_LABELLED = re.compile(r"\s*(left - right =|left =|right =|both =|left(?= {2,}\S)|right(?= {2,}\S))\s+(.*)")
"""A side of an identity. The bare labels stand in a column: after a single space goes on a sentence, "left of it"."""

_STEP = re.compile(r"\s*(\d+)\. \((checked|in words|UNDECIDED)\) (.*)")


@dataclass(frozen=True)
class Title:
    """A heading: level 0 opens a part, level 1 a piece of it."""

    kind: ClassVar[str] = "title"
    html: Markup
    level: int = 0


@dataclass(frozen=True)
class Words:
    """A sentence, and a formula after it."""

    kind: ClassVar[str] = "words"
    html: Markup
    formula: Markup | None = None


@dataclass(frozen=True)
class Equations:
    """A step of a proof: what it says, how it is known, and its sides by label."""

    kind: ClassVar[str] = "equations"
    html: Markup
    sides: tuple[tuple[str, Markup], ...]
    number: str = ""
    status: str = ""


@dataclass(frozen=True)
class Verbatim:
    """A table of numbers, in columns."""

    kind: ClassVar[str] = "verbatim"
    text: str


@dataclass(frozen=True)
class Drawing:
    """A matrix or a table with named rows and columns.

    Args:
        name: of the matrix; empty for the table of what the tokens hold.
        label: the same, as text.
        rows: (name, entries); an entry is (formula, whether it is zero).
        columns: their names.
        listed: whether the entries that are not zero are listed, since the whole is too wide.
    """

    name: Markup
    label: str
    rows: tuple[tuple[str, tuple[tuple[Markup, bool], ...]], ...]
    columns: tuple[str, ...]
    listed: bool


@dataclass(frozen=True)
class Drawings:
    """Matrices side by side, as far as they fit."""

    kind: ClassVar[str] = "drawings"
    drawings: tuple[Drawing, ...]


Piece = Title | Words | Equations | Verbatim | Drawings


def typeset_parts(parts: Iterable[Part]) -> Iterator[Piece]:
    """The parts of a description whose formulas are text."""
    for part in parts:
        if isinstance(part, Heading):
            yield Title(typeset(part.text), part.level)
        elif isinstance(part, Sentence):
            words = re.sub(r"\((\S+) x (\S+)\)", r"(\1 × \2)", part.words)
            yield Words(typeset(words), mathml(part.formula) if part.formula else None)
        elif isinstance(part, Matrices):
            yield Drawings(tuple(_drawing(name, matrix) for name, matrix in part.merged()))
        else:
            yield Drawings((_drawing("", part.grid),))


def _drawing(name: str, matrix: Grid | str) -> Drawing:
    drawn = mathml(name) if name else Markup("")
    if isinstance(matrix, str):
        return Drawing(drawn, name, (("", ((mathml(matrix), False),)),), (), False)
    entries = [tuple((mathml(entry), entry == "0") for entry in row) for row in matrix.entries]
    return Drawing(
        drawn, name, tuple(zip(matrix.rows, entries, strict=True)), matrix.columns, listed=_width(matrix) > WIDEST
    )


def _width(grid: Grid) -> int:
    """How many columns of text the grid takes."""
    widths = [max(len(name), *(len(row[j]) for row in grid.entries), 0) + 2 for j, name in enumerate(grid.columns)]
    return sum(widths) + max(map(len, grid.rows), default=0)


def typeset_lines(lines: Sequence[str], names: Collection[str] = ()) -> Iterator[Piece]:
    """The lines of a printed argument: titles, steps with their sides, sentences and tables of numbers.

    Args:
        lines: as a terminal shows them.
        names: of the theorems to which links lead.
    """
    lines, place = _unwrapped(lines), 0
    while place < len(lines):
        line = lines[place]
        if not line.strip():
            place += 1
        elif _is_aligned(line):
            end = _end(lines, place, lambda each: bool(each.strip()))
            yield Verbatim("\n".join(lines[place:end]))
            place = end
        else:
            end = _end(lines, place + (not _LABELLED.match(line)), lambda each: bool(_LABELLED.match(each)))
            opening = "" if _LABELLED.match(line) else line
            yield _step(opening, lines[place + bool(opening) : end], names)
            place = max(end, place + 1)


def _unwrapped(lines: Sequence[str]) -> list[str]:
    """The lines with sentences in one that were broken at the width of a text."""
    joined: list[str] = []
    last = ""
    for line in lines:
        is_prose = not any(_LABELLED.match(each) or _STEP.match(each) or _is_aligned(each) for each in (last, line))
        is_broken = len(last) in BROKEN and not last.startswith(" ")
        if is_broken and is_prose and re.match(r"(?:   )?(?![A-Z][a-z])[^\W_]|   \S", line):
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
        last = line
    return joined


def _end(lines: Sequence[str], start: int, belongs: Callable[[str], bool]) -> int:
    """Where the lines end that belong together."""
    end = start
    while end < len(lines) and belongs(lines[end]):
        end += 1
    return end


def _is_aligned(line: str) -> bool:
    """Whether the line is one of a table of numbers, whose columns are set by spaces."""
    return not _LABELLED.match(line) and len(re.findall(r"\S {3,}\S", line)) >= 2


def _step(opening: str, sides: Sequence[str], names: Collection[str]) -> Piece:
    numbered = _STEP.match(opening)
    number, status, text = numbered.groups() if numbered else ("", "", opening.strip())
    if not sides and not numbered:
        is_title = opening == opening.strip() and not opening.endswith(".") and len(opening) < 90
        return Title(typeset(text, names), 0) if is_title else Words(typeset(text, names))
    labelled = [(found[1], found[2]) for side in sides if (found := _LABELLED.match(side))]
    return Equations(typeset(text, names), tuple(_merged(labelled)), number, status)


def _merged(sides: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Markup]]:
    """The sides; where all are the same text, once."""
    formulas = [formula.removesuffix("   (undecided)") for _, formula in sides]
    if len(sides) > 1 and len(set(formulas)) == 1:
        yield "both", mathml(formulas[0])
        return
    for (label, _), formula in zip(sides, formulas, strict=True):
        yield label, mathml(formula)

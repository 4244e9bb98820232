"""Layout: headings, sentences, tables and labelled block matrices, as text for a terminal or as one LaTeX formula."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["text", "latex"]

WIDTH = 110
"""How many columns of a terminal the text takes, where no single formula is longer."""


@dataclass(frozen=True)
class Grid:
    """Formulas with named rows and columns."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]

    def without_zeros(self) -> Grid | str:
        """The grid without its zero rows and columns; ``"0"`` if nothing is left."""
        rows = [i for i, row in enumerate(self.entries) if any(entry != "0" for entry in row)]
        columns = [j for j in range(len(self.columns)) if any(row[j] != "0" for row in self.entries)]
        kept = Grid(
            tuple(self.rows[i] for i in rows),
            tuple(self.columns[j] for j in columns),
            tuple(tuple(self.entries[i][j] for j in columns) for i in rows),
        )
        return kept if rows else "0"


@dataclass(frozen=True)
class Heading:
    """A line that opens a section (level 0) or a part of one."""

    text: str
    level: int = 0


@dataclass(frozen=True)
class Sentence:
    """Words, and a formula after them."""

    words: str
    formula: str = ""


@dataclass(frozen=True)
class Table:
    """A grid with ruled margins: slots by groups."""

    grid: Grid


@dataclass(frozen=True)
class Matrices:
    """Named block matrices, side by side as far as they fit; those that are equal are written once.

    Args:
        named: (name, matrix); a string in place of a matrix is written as it is.
        order: the names of rows and columns that LaTeX need not repeat: the token's slots.
    """

    named: tuple[tuple[str, Grid | str], ...]
    order: tuple[str, ...]

    def merged(self) -> Iterator[tuple[str, Grid | str]]:
        """(names joined by =, matrix)"""
        names: dict[Grid | str, list[str]] = {}
        for name, matrix in self.named:
            names.setdefault(matrix, []).append(name)
        for matrix, equal in names.items():
            yield " = ".join(equal), matrix


Part: TypeAlias = Heading | Sentence | Table | Matrices


def as_text(parts: Iterable[Part]) -> str:
    """The parts below one another, for a terminal."""
    lines: list[str] = []
    indent = 0
    for part in parts:
        if isinstance(part, Heading):
            lines += [""] * (part.level == 0 and bool(lines))
            lines += _wrapped(part.text, 2 * part.level, 2 * part.level + 2)
            indent = 2 * part.level + 2
        elif isinstance(part, Sentence):
            words = f"{part.words}  {part.formula}" if part.formula and part.words else part.words + part.formula
            lines += _wrapped(words, indent, indent + 4)
        else:
            width = WIDTH - indent
            tables = [("", part.grid)] if isinstance(part, Table) else part.merged()
            pieces = [_fitting(*each, width) for each in tables]
            lines += [" " * indent + line for line in _side_by_side(pieces, width)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(line: str, indent: int, hanging: int, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _fitting(name: str, grid: Grid | str, width: int) -> list[str]:
    """The matrix of that name, or the table without one; entry by entry where it is wider than that."""
    piece = _matrix(name, grid) if name or isinstance(grid, str) else _ruled(grid)
    if isinstance(grid, str) or _width(piece) <= width:
        return piece
    lines = [f"{name}, zero but for"] if name else []
    for row, entries in zip(grid.rows, grid.entries, strict=True):
        for column, entry in zip(grid.columns, entries, strict=True):
            if entry != "0" or not name:
                lines += _wrapped(f"{row} {'<-' if name else 'of'} {column}:  {entry}", 2 if name else 0, 6, width)
    return lines


def _ruled(grid: Grid) -> list[str]:
    margin = max(map(len, grid.rows), default=0)
    widths = _widths(grid)
    head = "   ".join(name.ljust(width) for name, width in zip(grid.columns, widths, strict=True))
    lines = [f"{'':{margin}} │ {head}", f"{'─' * margin}─┼─{'─' * len(head)}"]
    for name, row in zip(grid.rows, grid.entries, strict=True):
        body = "   ".join(entry.ljust(width) for entry, width in zip(row, widths, strict=True))
        lines.append(f"{name:{margin}} │ {body}")
    return lines


def _matrix(name: str, matrix: Grid | str) -> list[str]:
    """The matrix in brackets, its columns named above and its rows on the left; the first line is that of the names."""
    if isinstance(matrix, str):
        return ["", f"{name} = {matrix}"]
    margin, widths, last = max(map(len, matrix.rows)), _widths(matrix), len(matrix.rows) - 1
    head = "  ".join(column.center(width) for column, width in zip(matrix.columns, widths, strict=True))
    lines = [f"{'':{len(name) + 3 + margin}}   {head}"]
    for number, (row, entries) in enumerate(zip(matrix.rows, matrix.entries, strict=True)):
        left, right = "[]" if last == 0 else "⎡⎤" if number == 0 else "⎣⎦" if number == last else "⎢⎥"
        body = "  ".join(entry.center(width) for entry, width in zip(entries, widths, strict=True))
        prefix = f"{name} = " if number == last // 2 else " " * (len(name) + 3)
        lines.append(f"{prefix}{row:{margin}} {left} {body} {right}")
    return lines


def _widths(grid: Grid) -> list[int]:
    return [max(len(name), *(len(row[place]) for row in grid.entries), 0) for place, name in enumerate(grid.columns)]


def _side_by_side(pieces: Sequence[list[str]], width: int) -> Iterator[str]:
    row: list[list[str]] = []
    for piece in pieces:
        if row and sum(_width(each) + 4 for each in row) + _width(piece) > width:
            yield from _joined(row)
            row = []
        row.append(piece)
    yield from _joined(row)


def _joined(row: Sequence[list[str]]) -> Iterator[str]:
    for lines in zip_longest(*row, fillvalue=""):
        yield "    ".join(line.ljust(_width(piece)) for line, piece in zip(lines, row, strict=True))


def _width(piece: Sequence[str]) -> int:
    return max(map(len, piece))


def as_latex(parts: Iterable[Part]) -> str:
    r"""The parts below one another, as one display formula of \text, \textbf, array and bmatrix."""
    lines = []
    for part in parts:
        if isinstance(part, Heading):
            lines.append(worded(part.text, r"\textbf") if part.level == 0 else rf"\quad{worded(part.text)}")
        elif isinstance(part, Sentence):
            both = ([worded(part.words)] if part.words else []) + ([part.formula] if part.formula else [])
            lines.append(r"\quad " + r"\quad ".join(both))
        elif isinstance(part, Table):
            lines.append(rf"\qquad {_bordered(part.grid)}")
        else:
            matrices = (rf"{name} = {grid_in_latex(matrix, part.order)}" for name, matrix in part.merged())
            lines.append(r"\qquad " + r" \qquad ".join(matrices))
    body = " \\\\[1ex]\n".join(lines)
    return f"$$\\begin{{array}}{{l}}\n{body}\n\\end{{array}}$$"


def _bordered(grid: Grid) -> str:
    head = " & ".join(["", *(upright(name) for name in grid.columns)])
    rows = (" & ".join([upright(name), *entries]) for name, entries in zip(grid.rows, grid.entries, strict=True))
    columns = "c" * len(grid.columns)
    return rf"\begin{{array}}{{r|{columns}}} {head} \\ \hline " + r" \\ ".join(rows) + r" \end{array}"


def grid_in_latex(matrix: Grid | str, order: tuple[str, ...]) -> str:
    """A matrix or a table; only rows and columns in another order than this have their names beside them."""
    if isinstance(matrix, str):
        return matrix
    if matrix.rows != order or matrix.columns not in (order, ("",)):
        return _bordered(matrix)
    rows = r" \\ ".join(" & ".join(entries) for entries in matrix.entries)
    return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"


_SPECIAL = {
    **{character: f"\\{character}" for character in "_&%#${}"},
    "\\": r"\backslash ",
    "^": r"\wedge ",
    "~": r"\sim ",
}


def worded(text: str, command: str = r"\text") -> str:
    r"""Words in a LaTeX formula; special characters stand outside of \text, where not every reader takes them."""
    return f"{command}{{{''.join(f'}}{_SPECIAL[c]}{command}{{' if c in _SPECIAL else c for c in text)}}}"


def upright(name: str) -> str:
    """A name in a formula: one letter in italics, a word upright."""
    if len(name) <= 1 and name not in _SPECIAL:
        return name
    return rf"\mathrm{{{''.join(_SPECIAL.get(c, c) for c in name)}}}"

"""Tables: a CSV file as exact rationals, and the regression prompts that its rows make.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path

from constructions.prompt import Prompt

DECIMAL = re.compile(r"[+-]?(?=\.?\d)\d{0,400}(\.\d{0,400})?([eE][+-]?\d{1,3})?", re.ASCII)
"""A decimal number; the lengths are bounded so that no cell makes a rational that fills the memory."""


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Args:
        columns: the names of the columns.
        rows: one tuple of exact numbers per row, in the order of the columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Fraction, ...], ...]


def read_table(path: str | Path) -> Table:
    """The table in a CSV file: a header of names, then rows of decimal numbers, read exactly.

    Cells are separated by commas and may be quoted; spaces around them and blank lines at the end do not count.

    Raises:
        OSError: if the file cannot be opened; FileNotFoundError if it is not there.
        ValueError: if it is no such table, naming the line and the column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except OSError as error:
        raise type(error)(f"the table {path} cannot be opened: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: save the table as CSV in UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: no CSV ({error}); check the quotes") from error
    while lines and not any(lines[-1][1]):
        lines.pop()
    if not lines:
        raise ValueError(
            f"{path} is empty: a header with the names of the columns and at least one row are required"
        )
    columns = _header(lines[0][1], path)
    if len(lines) == 1:
        raise ValueError(f"{path} has a header but no rows: at least one row of numbers is required")
    return Table(
        columns, tuple(_row(cells, columns, f"{path}, line {number}") for number, cells in lines[1:])
    )


def _header(cells: list[str], path: Path) -> tuple[str, ...]:
    if all(DECIMAL.fullmatch(cell) for cell in cells):
        raise ValueError(
            f"{path}, line 1: a header with the names of the columns is required, but numbers came ({', '.join(cells)}); "
            "add a line of names"
        )
    for number, name in enumerate(cells, start=1):
        if not name:
            raise ValueError(f"{path}, line 1: column {number} has no name; give it one")
        if name in cells[: number - 1]:
            raise ValueError(
                f"{path}, line 1: two columns are named {name!r} ({cells.index(name) + 1} and {number}); rename one"
            )
    return tuple(cells)


def _row(cells: list[str], columns: tuple[str, ...], place: str) -> tuple[Fraction, ...]:
    if len(cells) != len(columns):
        raise ValueError(
            f"{place}: the header names {len(columns)} columns, but this row has {len(cells)} cells; separate the cells by "
            "commas, one per column"
        )
    for name, cell in zip(columns, cells, strict=True):
        if not cell:
            raise ValueError(f"{place}, column {name!r}: the cell is empty; fill it in or remove the row")
        if not DECIMAL.fullmatch(cell):
            raise ValueError(
                f"{place}, column {name!r}: a decimal number such as 12, -0.5 or 1.5E-3 is required (exponents have at "
                f"most 3 digits), but {cell!r} came"
            )
    return tuple(Fraction(cell) for cell in cells)


def prompts_from_table(
    table: Table, target: str | Sequence[str], queries: int = 1, intercept: bool = True
) -> list[Prompt]:
    """Regression prompts, exact: the last rows are the queries, one prompt each; all the others are the context.

    The features are the columns that are no target, in the order of the file; with an intercept the first feature is 1.

    Args:
        table: a table of numbers.
        target: the column to predict, or several, in the order of the rows of Y.
        queries: how many rows are queries, >= 1.
        intercept: whether a feature that is always 1 comes first.

    Raises:
        ValueError: for a target that the table lacks or that comes twice, no feature, or too few rows.
    """
    targets = [target] if isinstance(target, str) else list(target)
    if not targets:
        raise ValueError(f"target is empty: name at least one of the columns {', '.join(table.columns)}")
    for name in targets:
        if name not in table.columns:
            near = get_close_matches(name, table.columns, n=3) or table.columns
            raise ValueError(
                f"the table has no column {name!r}: did you mean {' or '.join(map(repr, near))}?"
            )
        if targets.count(name) > 1:
            raise ValueError(f"the target {name!r} comes twice: name each column once")
    features = [name for name in table.columns if name not in targets]
    if not features and not intercept:
        raise ValueError(
            "no feature is left: every column is a target; name fewer targets, or pass intercept=True"
        )
    if queries < 1:
        raise ValueError(f"queries = {queries}: at least one row must be a query")
    if len(table.rows) <= queries:
        raise ValueError(
            f"the table has {len(table.rows)} rows: {queries} as queries and at least 1 as context are required; "
            "add rows or ask for fewer queries"
        )
    context = table.rows[:-queries]
    X = [_feature(table, name, context) for name in features]
    if intercept:
        X.insert(0, [Fraction(1)] * len(context))
    Y = [_feature(table, name, context) for name in targets]
    return [Prompt(X, Y, _query(table, features, row, intercept)) for row in table.rows[-queries:]]


def _feature(table: Table, name: str, rows: Sequence[tuple[Fraction, ...]]) -> list[Fraction]:
    place = table.columns.index(name)
    return [row[place] for row in rows]


def _query(
    table: Table, features: list[str], row: tuple[Fraction, ...], intercept: bool
) -> list[list[Fraction]]:
    column = [[row[table.columns.index(name)]] for name in features]
    return [[Fraction(1)], *column] if intercept else column

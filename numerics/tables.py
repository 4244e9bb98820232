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
"""A decimal number; its digits are limited, so that no cell makes a Fraction that fills the memory."""

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
"""What other programs put between cells."""

MOST_DEGREE = 100
"""The highest power of a feature; with it a cell of 400 digits becomes one of 40 000."""


@dataclass(frozen=True)
class Table:
    """A table of exact numbers: the names of its columns, and a tuple per row in their order."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Fraction, ...], ...]


def read_table(path: str | Path) -> Table:
    """The table in a CSV file: a header of names, then rows of decimal numbers, read exactly.

    Commas separate the cells, which may be quoted. Spaces around cells, and empty last lines, do not count.

    Raises:
        OSError: if the file cannot be opened; FileNotFoundError if there is none.
        ValueError: if it holds no such table; the message names the line and the column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            lines = [([cell.strip() for cell in cells], reader.line_num) for cells in reader]
    except OSError as error:
        raise type(error)(f"the table {path} cannot be opened: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: save the table as CSV in UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: this is no CSV ({error}); check the quotes") from error
    while lines and not any(lines[-1][0]):
        lines.pop()
    if not lines:
        raise ValueError(f"{path} is empty: a header that names the columns, and rows of numbers, are required")
    columns = _header(lines[0][0], f"{path}, line {lines[0][1]}")
    _refuse_other_separators(columns, lines[1:], f"{path}, line {lines[0][1]}")
    if len(lines) == 1:
        raise ValueError(f"{path} has a header but no data: at least one row of numbers is required")
    return Table(columns, tuple(_row(cells, columns, f"{path}, line {line}") for cells, line in lines[1:]))


def _header(cells: list[str], place: str) -> tuple[str, ...]:
    if all(DECIMAL.fullmatch(cell) for cell in cells):
        came = "numbers" if cells else "an empty line"
        raise ValueError(f"{place}: the names of the columns are required first, but {came} came; add a header")
    for number, name in enumerate(cells, start=1):
        if not name:
            raise ValueError(f"{place}: column {number} has no name; give it one")
        if name in cells[: number - 1]:
            first = cells.index(name) + 1
            raise ValueError(f"{place}: columns {first} and {number} are both named {name!r}; rename one of them")
    return tuple(cells)


def _refuse_other_separators(columns: tuple[str, ...], lines: list[tuple[list[str], int]], place: str) -> None:
    """Nothing, unless header and rows show that another sign than a comma separates the cells."""
    for separator, name in SEPARATORS.items():
        if len(columns) == 1 and separator in columns[0] and any(separator in ",".join(cells) for cells, _ in lines):
            raise ValueError(
                f"{place}: {name} separate the cells, but commas are required; save the table with commas between the "
                "cells (and points, not commas, in the numbers)"
            )


def _row(cells: list[str], columns: tuple[str, ...], place: str) -> tuple[Fraction, ...]:
    if len(cells) != len(columns):
        raise ValueError(
            f"{place}: the header names {len(columns)} columns, but this row has {len(cells)} cells; "
            "separate them by commas, one per column"
        )
    for name, cell in zip(columns, cells, strict=True):
        if not cell:
            raise ValueError(f"{place}, column {name!r}: the cell is empty; fill it in or remove the row")
        if not DECIMAL.fullmatch(cell):
            raise ValueError(
                f"{place}, column {name!r}: a decimal number such as 12, -0.5 or 1.5E-3 is required "
                f"(exponents of at most 3 digits), but {cell!r} came; correct the cell or remove the row"
            )
    return tuple(Fraction(cell) for cell in cells)


def prompts_from_table(
    table: Table, target: str | Sequence[str], queries: int = 1, intercept: bool = True
) -> list[Prompt]:
    """Regression prompts of nested lists of Fractions: one per query, all with the same context.

    The last rows are the queries, all others the context. The features are the columns that are no target, in
    the order of the file, below the intercept.

    Args:
        table: exact numbers.
        target: the column to predict, or several in the order of the rows of Y.
        queries: how many of the last rows are queries, >= 1.
        intercept: whether the first feature is 1 in every row.

    Raises:
        ValueError: for a target that is missing or repeated, for no feature, and for too few rows.
    """
    targets, features = _targets_and_features(table, target, intercept)
    if queries < 1:
        raise ValueError(f"queries = {queries}: at least 1 row must be a query")
    if len(table.rows) <= queries:
        raise ValueError(
            f"queries = {queries} needs at least {queries + 1} rows, for one in context, but the table has "
            f"{len(table.rows)}; add rows or ask for fewer queries"
        )
    context, asked = table.rows[:-queries], table.rows[-queries:]
    X, Y = _columns(table, features, context, intercept), _columns(table, targets, context, False)
    return [Prompt(X, Y, _columns(table, features, [row], intercept)) for row in asked]


def prompts_of_coefficients(table: Table, target: str | Sequence[str], intercept: bool = True) -> list[Prompt]:
    """Regression prompts whose predictions are the regression coefficients: one per feature, the intercept first.

    Every row is context. A linear prediction W x_query is column j of W where x_query is the j-th basis vector.

    Args:
        table, target, intercept: as for ``prompts_from_table``.

    Raises:
        ValueError: for a target that is missing or repeated, and for no feature.
    """
    targets, features = _targets_and_features(table, target, intercept)
    X, Y = _columns(table, features, table.rows, intercept), _columns(table, targets, table.rows, False)
    return [Prompt(X, Y, [[Fraction(int(i == j))] for i in range(len(X))]) for j in range(len(X))]


def with_powers(table: Table, target: str, degree: int) -> Table:
    """The table of a polynomial model: the only feature x, its exact powers x^2, ..., x^degree, and the target.

    Args:
        table: exact numbers, in two columns.
        target: the column that is no feature.
        degree: 1, ..., ``MOST_DEGREE``.

    Raises:
        ValueError: for another degree, a missing target, and for more features than one or none.
    """
    if not 1 <= degree <= MOST_DEGREE:
        raise ValueError(f"degree = {degree}: it must be one of 1, ..., {MOST_DEGREE}")
    _, features = _targets_and_features(table, target, True)
    if len(features) != 1:
        raise ValueError(
            f"degree = {degree} asks for a polynomial in one feature, but the table has {len(features)} beside the "
            "target; leave the degree out, or the other columns"
        )
    (name,) = features
    columns = (name, *(f"{name}^{power}" for power in range(2, degree + 1)), target)
    if target in columns[:-1]:
        raise ValueError(f"the target {target!r} has the name of a power of {name!r}; rename it")
    x, y = table.columns.index(name), table.columns.index(target)
    return Table(columns, tuple((*(row[x] ** power for power in range(1, degree + 1)), row[y]) for row in table.rows))


def _targets_and_features(table: Table, target: str | Sequence[str], intercept: bool) -> tuple[list[str], list[str]]:
    """The names of the targets, as asked for, and of the other columns, in the order of the file."""
    targets = [target] if isinstance(target, str) else list(target)
    if not targets:
        raise ValueError(f"target is empty: name one or more of the columns {', '.join(table.columns)}")
    for name in targets:
        if name not in table.columns:
            near = get_close_matches(name, table.columns) or table.columns
            raise ValueError(f"the table has no column {name!r}; did you mean {' or '.join(map(repr, near))}?")
        if targets.count(name) > 1:
            raise ValueError(f"the target {name!r} is named {targets.count(name)} times; name it once")
    features = [name for name in table.columns if name not in targets]
    if not features and not intercept:
        raise ValueError("every column is a target and no feature is left; name fewer, or pass intercept=True")
    return targets, features


def _columns(
    table: Table, names: list[str], rows: Sequence[tuple[Fraction, ...]], intercept: bool
) -> list[list[Fraction]]:
    """The named columns of some rows, one list per name, below a list of ones if there is an intercept."""
    held = [[row[table.columns.index(name)] for row in rows] for name in names]
    return [[Fraction(1)] * len(rows), *held] if intercept else held

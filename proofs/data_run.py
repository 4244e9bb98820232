"""A run on data: a transformer with constructed weights predicts the last rows of a table in-context.

Its prediction after every layer, in float64, stands beside the algorithm's exact iterate and ordinary least squares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import TypeAlias

import numpy as np
from flint import fmpq

from constructions.block import Block, materialised
from constructions.construction import Construction, iterates, streams
from constructions.parameters import lifted
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.datasets import data_path
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock, as_fmpq
from numerics.tables import DECIMAL, prompts_from_table, read_table
from proofs.converging_steps import PLANS, Plan
from proofs.decimals import decimal_written, scientific_written
from proofs.reports import aligned


@dataclass(frozen=True)
class DataRun:
    """A run whose inputs are checked.

    Args:
        title: what is run on what.
        target: the column that is predicted.
        features: the names of the features, in the order of the rows of X.
        rows: how many rows the table has; the queries are the last ones.
        prompts: exact, one per query, all with the same context.
        truths: the target of each query, from the table.
        plan: the construction with its step sizes.
    """

    title: str
    target: str
    features: tuple[str, ...]
    rows: int
    prompts: tuple[Prompt, ...]
    truths: tuple[Fraction, ...]
    plan: Plan

    @property
    def steps(self) -> int:
        """How often ``predictions`` calls its ``advance``."""
        return (int(self.plan.construction.depth) + 1) * (len(self.prompts) + 1)


Table: TypeAlias = "Sequence[tuple[float, fmpq]]"
"""For one query, before the first layer and after each: (the transformer's prediction, the algorithm's)."""


def prepared(
    construction: str,
    path: str | Path,
    target: str,
    *,
    layers: int | None = None,
    queries: int = 1,
    intercept: bool = True,
    step_size: str | None = None,
) -> DataRun:
    """The run that a user asks for.

    Args:
        construction: one of ``PLANS``; hyphens may stand for underscores.
        path: a CSV file with a header, whose cells are read as exact decimals; or the name of a shipped table.
        target: the column to predict.
        layers: how many, >= 1; None is the construction's own default.
        queries: how many of the last rows are predicted, >= 1.
        intercept: whether to add a feature that is 1 in every row.
        step_size: eta, a decimal or a fraction of two, > 0; None chooses one that converges.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: for anything else that is wrong.
    """
    name, path = construction.replace("-", "_"), data_path(path)
    if name not in PLANS:
        known = [*PLANS, "newton"]
        near = get_close_matches(name, known, cutoff=0.4) or known
        raise ValueError(f"there is no construction {construction!r} to run on data; did you mean {' or '.join(near)}?")
    if layers is not None and layers < 1:
        raise ValueError(f"layers = {layers}: at least one layer is required")
    eta = None if step_size is None else exact_number(step_size)
    table = read_table(path)
    prompts = tuple(prompts_from_table(table, target, queries, intercept))
    column = table.columns.index(target)
    held = prompts[0].lifted(RationalBlock)
    plan = PLANS[name](held, layers, eta)
    depth = int(plan.construction.depth)
    shapes = f"n = {held.n} rows in context, d = {held.d}, m = 1"
    return DataRun(
        title=f"{name} on {path.name}: {depth} layer{'s' * (depth > 1)}, {shapes}",
        target=target,
        features=("intercept",) * intercept + tuple(each for each in table.columns if each != target),
        rows=len(table.rows),
        prompts=prompts,
        truths=tuple(row[column] for row in table.rows[-queries:]),
        plan=plan,
    )


def exact_number(text: str) -> Fraction:
    """The positive number that a user wrote as a decimal, or as a fraction of two decimals.

    >>> exact_number("1/3"), exact_number("0.1")
    (Fraction(1, 3), Fraction(1, 10))
    """
    parts = [part.strip() for part in text.split("/")]
    if len(parts) > 2 or not all(DECIMAL.fullmatch(part) for part in parts):
        raise ValueError(f"step size {text!r}: a decimal such as 0.01 or a fraction such as 1/3 is required")
    values = [Fraction(part) for part in parts]
    if any(value <= 0 for value in values):
        raise ValueError(f"step size {text!r}: it must be above 0")
    return values[0] / values[1] if len(values) == 2 else values[0]


def predictions(run: DataRun, advance: Callable[[], None] = lambda: None) -> list[Table]:
    """The predictions for each query; ``advance`` is called after every layer, ``run.steps`` times in all.

    Raises:
        OverflowError: if a cell or a weight is beyond the range of float64. The run itself may end in inf or NaN.
    """
    floats = [_float_predictions(run.plan.in_floats, prompt, advance) for prompt in run.prompts]
    return [list(zip(*both, strict=True)) for both in zip(floats, _exact_predictions(run, advance), strict=True)]


def _float_predictions(construction: Construction, prompt: Prompt, advance: Callable[[], None]) -> list[float]:
    held = prompt.map(lambda rows: np.array([[float(cell) for cell in row] for row in rows])).lifted(FloatBlock)
    predicted = []
    with np.errstate(all="ignore"):
        for stream in streams(construction, held):
            predicted.append(float(materialised(construction.read_out(stream), held.X).entry[0, 0]))
            advance()
    return predicted


def _exact_predictions(run: DataRun, advance: Callable[[], None]) -> list[list[fmpq]]:
    """For each query those of the iterates; these do not depend on the query, so they are computed once."""
    prompt = run.prompts[0].lifted(RationalBlock)
    construction = lifted(run.plan.construction, RationalBlock, prompt)
    queries = [replace(prompt, x_query=RationalBlock.lift(asked.x_query)) for asked in run.prompts]
    predicted: list[list[fmpq]] = [[] for _ in queries]
    for iterate in iterates(construction, prompt):
        for column, query in zip(predicted, queries, strict=True):
            column.append(_number(construction.predict(iterate, query)))
        advance()
    return predicted


def report(run: DataRun, tables: Sequence[Table]) -> Iterator[str]:
    """The report, line by line; ``tables`` is what ``predictions`` returns."""
    prompt = run.prompts[0].lifted(RationalBlock)
    rank, W = prompt.X.matrix.rank(), least_squares(prompt)
    yield run.title
    yield f"features: {', '.join(run.features)}; target: {run.target}; start: W_0 = 0"
    yield from run.plan.notes
    for number, (query, truth, table) in enumerate(zip(run.prompts, run.truths, tables, strict=True)):
        row = run.rows - len(run.prompts) + number + 1
        best, (_, last) = _number(W @ RationalBlock.lift(query.x_query)), table[-1]
        ends = {
            f"ordinary least squares{'' if rank == prompt.d else ' (minimum norm)'}": decimal_written(best),
            f"{run.target} in the table": decimal_written(truth),
            "last iterate - least squares": scientific_written(last - best),
        }
        yield from ("", f"query {number + 1} of {len(run.prompts)}: row {row} of {run.rows}", "")
        yield from _layer_table(table)
        yield ""
        yield from (f"{name:<{max(map(len, ends))}}  {value}" for name, value in ends.items())
    yield ""
    if rank < prompt.d:
        yield f"Least squares is not unique: X has rank {rank} < d = {prompt.d}; {run.plan.limit}."
    yield (
        "The algorithm and least squares are exact, in rationals, printed to 17 digits; the rounding error is the "
        "float64 run minus the exact one, and includes the rounding of cells and weights to float64."
    )


def _layer_table(table: Table) -> Iterator[str]:
    rows = [("layer", "transformer (float64)", "algorithm (exact)", "rounding error")]
    for layer, (computed, true) in enumerate(table):
        error = scientific_written(as_fmpq(computed) - true) if isfinite(computed) else "overflow"
        rows.append((str(layer), f"{computed}".removesuffix(".0"), decimal_written(true), error))
    yield from aligned(rows)


def _number(block: Block) -> fmpq:
    """The only entry of a (1, 1) block."""
    return block.matrix[0, 0] if isinstance(block, RationalBlock) else fmpq(0)

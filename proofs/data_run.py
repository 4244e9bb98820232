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

import numpy as np
from flint import fmpq

from constructions.block import Block, materialised
from constructions.construction import iterates, streams
from constructions.parameters import lifted
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock, as_fmpq, as_fraction
from numerics.tables import DECIMAL, Table, prompts_from_table, read_table
from proofs.converging_steps import PLANS, Plan, decimal_written


@dataclass(frozen=True)
class DataRun:
    """A run that is ready to be reported.

    Args:
        path, table: the data.
        target: the column that is predicted.
        prompts: exact, one per query, all with the same context.
        plan: the construction with its step sizes, exact and in floats.
        layers: how many.
        floats: for each query the transformer's prediction before the first layer and after each, in float64.
        intercept: whether the first feature is 1 in every row.
    """

    path: Path
    table: Table
    target: str
    prompts: tuple[Prompt, ...]
    plan: Plan
    layers: int
    floats: tuple[tuple[float, ...], ...]
    intercept: bool

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features, in the order of the rows of X."""
        return ("intercept",) * self.intercept + tuple(name for name in self.table.columns if name != self.target)


def prepared(
    construction: str,
    path: Path,
    target: str,
    *,
    layers: int | None = None,
    queries: int = 1,
    intercept: bool = True,
    step_size: str | None = None,
) -> DataRun:
    """The run, its inputs checked and its float part done.

    Args:
        construction: one of ``PLANS``; hyphens may stand for underscores.
        path: a CSV file with a header; its cells are read as exact decimals.
        target: the column to predict.
        layers: how many, >= 1; None is the construction's own default.
        queries: how many of the last rows are predicted, >= 1.
        intercept: whether to add a feature that is 1 in every row.
        step_size: eta, a decimal or a fraction of two, > 0; None chooses one that converges.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: for anything else that is wrong, in one sentence.
    """
    name = construction.replace("-", "_")
    if name not in PLANS:
        near = get_close_matches(name, PLANS, n=1, cutoff=0.4) or list(PLANS)
        raise ValueError(
            f"{construction!r} cannot be run on data: did you mean {' or '.join(near)}? (icl run knows {', '.join(PLANS)})"
        )
    if layers is not None and layers < 1:
        raise ValueError(f"layers = {layers}: at least one layer is required")
    eta = None if step_size is None else exact_number(step_size)
    table = read_table(path)
    prompts = tuple(prompts_from_table(table, target, queries, intercept))
    plan = PLANS[name](prompts[0].lifted(RationalBlock), layers, eta)
    try:
        floats = tuple(float_predictions(plan, prompt) for prompt in prompts)
    except OverflowError as error:
        raise ValueError(f"{path}: this run leaves the range of float64; rescale the columns") from error
    return DataRun(Path(path), table, target, prompts, plan, plan.construction.depth, floats, intercept)


def exact_number(text: str) -> Fraction:
    """The number that a user wrote as a decimal or as a fraction of two decimals.

    >>> exact_number("1/3"), exact_number("0.1")
    (Fraction(1, 3), Fraction(1, 10))
    """
    parts = text.strip().split("/")
    if len(parts) > 2 or not all(DECIMAL.fullmatch(part) for part in parts):
        raise ValueError(f"step size {text!r}: a decimal such as 0.01 or a fraction such as 1/3 is required")
    values = [Fraction(part) for part in parts]
    if any(value <= 0 for value in values):
        raise ValueError(f"step size {text!r}: it must be above 0")
    return values[0] / values[1] if len(values) == 2 else values[0]


def float_predictions(plan: Plan, prompt: Prompt) -> tuple[float, ...]:
    """The transformer's prediction before the first layer and after each, in float64; it may overflow to inf or NaN."""
    with np.errstate(all="ignore"):
        held = prompt.map(lambda rows: np.array([[float(cell) for cell in row] for row in rows])).lifted(FloatBlock)
        outputs = [plan.in_floats.read_out(stream) for stream in streams(plan.in_floats, held)]
        return tuple(float(materialised(output, held.X).entry[0, 0]) for output in outputs)


def exact_predictions(run: DataRun, advance: Callable[[], None] = lambda: None) -> list[list[fmpq]]:
    """For each query the prediction of the algorithm's iterates: the initial one, and the one after each step.

    The iterates do not depend on the query, so that they are computed once.
    """
    prompt = run.prompts[0].lifted(RationalBlock)
    construction = lifted(run.plan.construction, RationalBlock, prompt)
    columns = [RationalBlock.lift(prompt.x_query) for prompt in run.prompts]
    made = []
    for iterate in iterates(construction, prompt):
        made.append([_number(construction.predict(iterate, replace(prompt, x_query=x))) for x in columns])
        advance()
    return [list(row) for row in zip(*made, strict=True)]


def described_run(run: DataRun, exact: Sequence[Sequence[fmpq]]) -> Iterator[str]:
    """The report, line by line.

    Args:
        exact: what ``exact_predictions`` returns.
    """
    prompt = run.prompts[0].lifted(RationalBlock)
    layers = f"{run.layers} layer{'s' if run.layers > 1 else ''}"
    yield f"{run.plan.name} on {run.path.name}: {layers}, n = {prompt.n} rows in context, d = {prompt.d}, m = 1"
    yield f"features: {', '.join(run.features)}; target: {run.target}; W_0 = 0"
    yield from run.plan.notes
    W, rank = least_squares(prompt), prompt.X.matrix.rank()
    unique = rank == prompt.d
    label = "ordinary least squares, exact" + ("" if unique else ", of minimum norm")
    for number, query in enumerate(run.prompts):
        row = len(run.table.rows) - len(run.prompts) + number
        yield ""
        yield f"query {number + 1} of {len(run.prompts)}: row {row + 1} of {len(run.table.rows)}"
        yield ""
        yield from _layer_table(run.floats[number], exact[number])
        best = _number(W @ RationalBlock.lift(query.x_query))
        known = as_fmpq(run.table.rows[row][run.table.columns.index(run.target)])
        ends = {
            label: decimal_written(best),
            f"{run.target} in the table": decimal_written(known),
            "last iterate minus least squares": decimal_written(exact[number][-1] - best, 3),
        }
        yield ""
        yield from (f"{name:<{max(map(len, ends))}}  {value:>1}" for name, value in ends.items())
    yield ""
    yield "The algorithm runs in rationals; its decimals are rounded to 17 digits. The rounding error is the float64 run"
    yield "minus the exact one, and includes the rounding of cells and weights to float64."
    if not unique:
        yield f"The context has rank {rank} < d = {prompt.d}, so that least squares is not unique{run.plan.if_not_unique}."


def _layer_table(floats: Sequence[float], exact: Sequence[fmpq]) -> Iterator[str]:
    rows = [("layer", " transformer (float64)", " algorithm (exact)", " rounding error")]
    for layer, (computed, true) in enumerate(zip(floats, exact, strict=True)):
        error = decimal_written(as_fmpq(computed) - true, 3) if isfinite(computed) else " overflow"
        rows.append((str(layer), f"{computed: }" if computed else " 0", decimal_written(true), error))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for layer, *cells, last in rows:
        padded = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{layer:>{widths[0]}}  {padded}  {last}"


def _number(block: Block) -> fmpq:
    """The only entry of a (1, 1) block."""
    return block.matrix[0, 0] if isinstance(block, RationalBlock) else fmpq(0)


__all__ = ["DataRun", "as_fraction", "described_run", "exact_predictions", "prepared"]

"""The report on a run of the Newton transformer on data. Every digit in it is proven, but those of the float64 run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flint import arb

from proofs.converging_steps import choice_written, verdict
from proofs.decimals import decimal_written, scientific_written
from proofs.newton_floats import FLOAT_DIGITS, FloatAnswer
from proofs.proven_digits import bound_written
from proofs.reports import aligned

if TYPE_CHECKING:
    from proofs.newton_data_run import NewtonPrediction, NewtonRun


def report(run: NewtonRun) -> Iterator[str]:
    """The report, line by line."""
    yield from _head(run)
    yield ""
    yield from _proven(run)
    yield ""
    yield from _floats(run)


def _head(run: NewtonRun) -> Iterator[str]:
    d, n = run.shape
    steps = f"{run.steps} Newton step{'s' * (run.steps != 1)}"
    layers = f"{run.steps + 1} layer{'s' * (run.steps != 0)}, the last of which reads out"
    yield f"{run.title}: {steps} in {layers}; n = {n} rows in context, d = {d}, m = 1"
    yield f"features: {', '.join(run.features)}; target: {run.target}; start: M_0 = alpha I"
    yield choice_written("alpha", run.step_size, "1 / trace(X X^T)", run.alpha)
    yield verdict("alpha", run.alpha, *run.limit, "2 / lambda_max(X X^T)")
    yield f"condition number of X X^T: at most {scientific_written(run.condition_bound)}" + (
        "" if run.rank == d else ", without the eigenvalue 0"
    )
    if run.rank < d:
        yield (
            f"least squares is not unique: X has rank {run.rank} < d = {d} ({'; '.join(run.dependent)}); what stands "
            "here is that of minimum norm, the limit of the iteration where it converges"
        )
    if run.layers is None:
        yield f"{steps}: the fewest after which every prediction has {run.digits} digits of least squares, proven"
    else:
        yield f"{steps}, as asked for"


def _proven(run: NewtonRun) -> Iterator[str]:
    is_coefficient = all(each.truth is None for each in run.predictions)
    first = ("coefficient", f"after {run.steps} steps", "least squares", "its digits proven", "|difference| <=")
    rows = [first if is_coefficient else (run.target, *first[1:], "in the table")]
    for each in run.predictions:
        digits = "all" if each.digits == math.inf else str(each.digits)
        row = (each.name, _iterate(each), decimal_written(each.least_squares, run.digits, zeros=True), digits)
        truth = () if each.truth is None else (decimal_written(each.truth),)
        rows.append((*row, bound_written(each.difference_bound), *truth))
    yield f"proven, by the transformer in balls of {run.bits} bits and exact least squares:"
    yield from aligned(rows)
    yield (
        f"Correctly rounded: the prediction after {run.steps} steps to {run.digits} significant digits (one more where "
        f"these are a tie), least squares to {run.digits}. N digits of least squares are proven where the difference "
        "is at most half a unit of the N-th."
    )
    if any(each.is_zero for each in run.predictions):
        yield "(0): at most as large as the bound beside it, and nothing more is known."
    if any(not each.least_squares for each in run.predictions):
        yield (
            "The digits of a least-squares prediction of exactly 0 count from its size in the units of the data, "
            "max |y_i| sum_j |x_query_j| / max |x_ij|."
        )


def _iterate(prediction: NewtonPrediction) -> str:
    return f"(0) +- {bound_written(abs(prediction.iterate))}" if prediction.is_zero else prediction.written


def _floats(run: NewtonRun) -> Iterator[str]:
    if run.float_failure is not None:
        yield f"float64: not run, {run.float_failure}"
        return
    answers = [each.in_floats for each in run.predictions if each.in_floats is not None]
    digits = (f"digits of step {run.steps}", "digits of least squares")
    rows = [("", "float64", *digits, "rounding bound")]
    for prediction, answer in zip(run.predictions, answers, strict=True):
        counts = (_count(answer.digits), _count(answer.least_squares_digits))
        value = repr(answer.value).removesuffix(".0") if math.isfinite(answer.value) else "overflow"
        rows.append((prediction.name, value, *counts, _bound(answer)))
    yield "the same transformer in float64:"
    yield from aligned(rows)
    kept, best = min(each.digits for each in answers), min(each.least_squares_digits for each in answers)
    lost = max(0, FLOAT_DIGITS - int(min(kept, FLOAT_DIGITS)))
    of = "the worst of them" if len(answers) > 1 else "it"
    yield (
        f"float64 carries {FLOAT_DIGITS} digits; {of} keeps {_count(kept)} of the exact prediction after {run.steps} "
        f"steps ({lost} lost) and {_count(best)} of least squares."
    )
    silent = sum(not each.proves_sign for each in answers)
    rigorous = "The rounding bound is rigorous, from the rounding of the data to the prediction"
    no_digit = f"in {silent} of {len(answers)} it is not below the value, and proves no digit, not even the sign"
    yield f"{rigorous}; {no_digit}." if silent else f"{rigorous}."


def _count(digits: int | float) -> str:
    return "all" if digits == math.inf else str(digits)


def _bound(answer: FloatAnswer) -> str:
    return bound_written(arb(answer.bound)) + ("" if answer.proves_sign else " (proves no digit)")

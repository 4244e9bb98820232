"""A run of the Newton transformer on data, with proven digits.

Symbols: n context tokens, d features, r queries; X (d, n), Y (1, n), S = X X^T, alpha the initial scale, k steps.

The transformer with k Newton layers and a read-out layer runs in ball arithmetic, at a precision at which the digits of
its predictions are proven; least squares is exact, in rationals; and the same network runs in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from flint import arb, fmpq_mat

from constructions.prompt import Prompt
from constructions.scalars import Scalar, exact
from numerics.baselines import pseudo_inverse
from numerics.datasets import data_path
from numerics.eigenvalue_bounds import largest_eigenvalue_bounds
from numerics.rationals import RationalBlock, as_fraction
from numerics.tables import Table, prompts_from_table, prompts_of_coefficients, read_table, with_powers
from proofs.converging_steps import gram
from proofs.data_run import exact_number
from proofs.decimals import decimal_written, fraction_written, scientific_written
from proofs.newton_floats import FloatAnswer, float_answers
from proofs.newton_passes import Answers, Question, Watch, goals_of, proven_answers
from proofs.newton_report import report

DIGITS = 15
"""The default number of digits; NIST certifies as many."""

PRECISION = 1 << 14
"""The default limit on the bits of the balls. Longley takes 1000, a polynomial of degree 10 about 2000."""

MOST_DIGITS, MOST_LAYERS, MOST_PRECISION = 4000, 10_000, 1 << 24


@dataclass(frozen=True)
class NewtonPrediction:
    """What the transformer predicts for one query.

    Args:
        name: the row of the table, or the feature whose coefficient it is.
        query: the query's input, d numbers.
        truth: the target in the table; None for a coefficient.
        iterate: a ball (``flint.arb``) that encloses the prediction of the network, which is that of the k-th iterate.
        written: the same, correctly rounded to the digits asked for, or to one more where these would be a tie; "0" if
            it is a zero in the units of the data, of which no digit is known.
        least_squares: the exact least-squares prediction, of minimum norm where the weights are not unique.
        difference_bound: |iterate - least_squares| <= difference_bound, an exact ball.
        digits: how many digits of least squares the iterate is proven to have: the difference is at most half a unit of
            that significant digit; ``inf`` if there is none. The digits of an exact zero count from the size of a
            prediction in the units of the data, max |y_i| sum_j |x_query_j| / max |x_ij|.
        in_floats: the float64 run; None where ``NewtonRun.float_failure`` says why.
    """

    name: str
    query: tuple[Fraction, ...]
    truth: Fraction | None
    iterate: arb
    written: str
    least_squares: Fraction
    difference_bound: arb
    digits: int | float
    in_floats: FloatAnswer | None

    @property
    def is_zero(self) -> bool:
        """Whether the iterate may be zero: all that is proven is how small it is."""
        return self.written == "0" and not self.iterate.is_zero()


@dataclass(frozen=True)
class NewtonRun:
    """A run of the Newton transformer on a table; ``print`` shows the report.

    Args:
        title: what ran on what.
        target: the column that is predicted.
        features: the names of the features, in the order of the rows of X.
        shape: (d, n).
        alpha: the initial scale, exact.
        step_size: what was asked for as alpha; None for the default 1 / trace(X X^T).
        limit: (lower, upper), exact bounds on 2 / lambda_max(X X^T), below which alpha converges.
        steps: k, the number of Newton steps; the network has k + 1 layers.
        layers: the number of Newton layers asked for; None if k is the least that proves the digits of least squares.
        digits: how many digits were asked for.
        bits: the precision of the balls that proved them.
        rank: of X.
        dependent: where the rank is below d, the features that others determine, in words.
        condition_bound: at least the ratio of the largest to the smallest eigenvalue of X X^T other than 0.
        predictions: one per query.
        float_failure: why there is no float64 run; None if there is one.
    """

    title: str
    target: str
    features: tuple[str, ...]
    shape: tuple[int, int]
    alpha: Fraction
    step_size: Fraction | None
    limit: tuple[Fraction, Fraction]
    steps: int
    layers: int | None
    digits: int
    bits: int
    rank: int
    dependent: tuple[str, ...]
    condition_bound: Fraction
    predictions: tuple[NewtonPrediction, ...]
    float_failure: str | None

    def __str__(self) -> str:
        return "\n".join(report(self))


def newton_run(
    data: str | Path | Table,
    target: str,
    *,
    layers: int | None = None,
    digits: int = DIGITS,
    coefficients: bool = False,
    queries: int | None = None,
    intercept: bool = True,
    degree: int | None = None,
    step_size: str | Scalar | None = None,
    precision: int = PRECISION,
    watch: Watch = lambda bits, steps: None,
) -> NewtonRun:
    """The run of ``constructions.newton.NewtonFromIdentity`` on a table.

    Args:
        data: a CSV file, the name of a shipped table (``longley``, ``norris``), or a table.
        target: the column to predict from all the others.
        layers: k, the number of Newton layers, each of which takes one Newton step, 0, ..., ``MOST_LAYERS``; the
            read-out layer comes on top. None for the least k after which every prediction is proven to have the digits
            of least squares.
        digits: how many digits are to be proven, 1, ..., ``MOST_DIGITS``.
        coefficients: whether every row is context and the queries are the basis vectors, so that the predictions are
            the regression coefficients, the intercept first.
        queries: otherwise, how many of the last rows are queries, all others being context; 1 by default.
        intercept: whether to add a feature that is 1 in every row.
        degree: for a polynomial in the only feature, which is replaced by its powers 1, ..., degree.
        step_size: alpha, > 0; a decimal or a fraction as a string, or an exact number; None for 1 / trace(X X^T), which
            converges.
        precision: how many bits the balls have at most.
        watch: called before every Newton step with (bits, steps taken).

    Raises:
        OSError: if the file cannot be opened.
        ValueError: for anything else that is wrong, and for digits that the precision does not prove.

    >>> run = newton_run("norris", "y", coefficients=True, digits=6)
    >>> [prediction.written for prediction in run.predictions], run.steps
    (['-0.262323', '1.00212'], 24)
    """
    _require("layers", layers, 0, MOST_LAYERS)
    _require("digits", digits, 1, MOST_DIGITS)
    _require("precision", precision, 2, MOST_PRECISION)
    if coefficients and queries is not None:
        raise ValueError(f"queries = {queries} leaves rows out of the context, but coefficients take all; drop one")
    alpha = _step_size(step_size)
    table, name = (data, "a table") if isinstance(data, Table) else (read_table(data_path(data)), data_path(data).name)
    if degree is not None:
        table = with_powers(table, target, degree)
    features = ("intercept",) * intercept + tuple(each for each in table.columns if each != target)
    prompts = (
        prompts_of_coefficients(table, target, intercept)
        if coefficients
        else prompts_from_table(table, target, 1 if queries is None else queries, intercept)
    )
    rows = len(table.rows) - len(prompts)
    names = features if coefficients else [f"row {rows + number}" for number in range(1, len(prompts) + 1)]
    column = table.columns.index(target)
    truths = [None] * len(prompts) if coefficients else [row[column] for row in table.rows[-len(prompts) :]]

    held = prompts[0].lifted(RationalBlock)
    S, trace = gram(held)
    inverse = pseudo_inverse(S)
    condition = trace * _trace(inverse)
    W = held.Y.matrix * held.X.matrix.transpose() * inverse
    asked = [[prompt.x_query[i][0] for prompt in prompts] for i in range(held.d)]
    queried = RationalBlock.lift(asked).matrix
    lower, upper = largest_eigenvalue_bounds(S)
    question = Question(
        held, queried, goals_of(held, queried, W), 1 / trace if alpha is None else alpha, layers, digits
    )
    if layers is None and question.alpha >= 2 / upper:
        raise ValueError(
            f"alpha = {fraction_written(question.alpha)} cannot be shown to converge: it must be below "
            f"2 / lambda_max(X X^T) = {decimal_written(2 / upper, 6, down=True)}... for this context; pass a smaller "
            "step size, or a number of layers to run it nevertheless"
        )
    proven = proven_answers(question, _first_bits(question, condition), precision, watch)
    if proven is None:
        raise ValueError(_too_few_bits(question, condition, precision))
    try:
        floats: Sequence[FloatAnswer | None] = float_answers(prompts[0], asked, question.alpha, question.goals, proven)
        failure = None
    except OverflowError:
        floats, failure = [None] * len(prompts), "a number of this run is beyond the range of float64"
    return NewtonRun(
        title=f"newton on {name}",
        target=target,
        features=features,
        shape=(held.d, held.n),
        alpha=question.alpha,
        step_size=alpha,
        limit=(2 / upper, 2 / lower),
        steps=proven.steps,
        layers=layers,
        digits=digits,
        bits=proven.bits,
        rank=S.rank(),
        dependent=_dependent(S, features),
        condition_bound=condition,
        predictions=_predictions(names, prompts, truths, question, proven, floats),
        float_failure=failure,
    )


def _require(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise ValueError(f"{name} = {value}: it must be one of {least}, ..., {most}")


def _step_size(asked: str | Scalar | None) -> Fraction | None:
    """alpha as it was asked for, exactly."""
    if asked is None or isinstance(asked, str):
        return None if asked is None else exact_number(asked)
    alpha: Fraction = exact(asked)
    if alpha <= 0:
        raise ValueError(f"step size {asked}: it must be above 0")
    return alpha


def _trace(A: fmpq_mat) -> Fraction:
    return sum((as_fraction(A[i, i]) for i in range(A.nrows())), start=Fraction(0))


def _first_bits(question: Question, condition: Fraction) -> int:
    """A guess at the bits needed: measured, a step loses a fixed part of the bits of the condition number."""
    bits = condition.numerator.bit_length() - condition.denominator.bit_length() + 1
    natural = bits + 8
    steps = natural if question.steps is None else question.steps
    lost = bits * min(steps, natural) // 6 + (bits // 3 + 2) * max(0, steps - natural)
    return 64 * (2 + (4 * question.digits + lost) // 64)


def _too_few_bits(question: Question, condition: Fraction, precision: int) -> str:
    if question.steps is None:
        return (
            f"{question.digits} digits of least squares are not proven with a precision of {precision} bits, on data "
            f"where the condition number of X X^T may be {scientific_written(condition)}; raise the precision, ask "
            "for fewer digits, or choose the number of layers"
        )
    return (
        f"layers = {question.steps}: {question.digits} digits of the prediction are not proven with a precision of "
        f"{precision} bits; raise the precision, or ask for fewer digits or layers"
    )


def _dependent(S: fmpq_mat, features: Sequence[str]) -> tuple[str, ...]:
    """The features that are combinations of earlier ones: X^T v = 0 where S v = 0, as the echelon form of S shows."""
    echelon, rank = S.rref()
    rows = echelon.tolist()[:rank]
    pivots = [next(j for j, value in enumerate(row) if value) for row in rows]
    found = []
    for j in (j for j in range(S.ncols()) if j not in pivots):
        terms = [(as_fraction(row[j]), features[i]) for row, i in zip(rows, pivots, strict=True) if row[j]]
        written = [name if factor == 1 else f"{factor} {name}" for factor, name in terms]
        short = len(written) <= 3 and all(len(str(factor)) <= 12 for factor, _ in terms)
        of = " + ".join(written).replace("+ -", "- ") or "0"
        found.append(f"{features[j]} = {of}" if short else f"{features[j]} depends on the features before it")
    return tuple(found)


def _predictions(
    names: Sequence[str],
    prompts: Sequence[Prompt],
    truths: Sequence[Fraction | None],
    question: Question,
    proven: Answers,
    floats: Sequence[FloatAnswer | None],
) -> tuple[NewtonPrediction, ...]:
    parts = zip(names, prompts, truths, question.goals, proven.answers, floats, strict=True)
    return tuple(
        NewtonPrediction(
            name=name,
            query=tuple(row[0] for row in prompt.x_query),
            truth=truth,
            iterate=answer.iterate,
            written=answer.written or "0",
            least_squares=as_fraction(goal.best),
            difference_bound=answer.difference.abs_upper(),
            digits=answer.digits,
            in_floats=in_floats,
        )
        for name, prompt, truth, goal, answer, in_floats in parts
    )

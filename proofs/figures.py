"""The figures of the report: rounding against its bounds, convergence, and how many steps each method needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from constructions.newton_gram import NewtonFromGramMasked
from numerics.newton_growth import newton_growth
from numerics.step_counts import conjugate_gradient_step_count, gradient_descent_step_count, newton_step_count
from proofs.convergence import EXAMPLES, FEATURES, RUNS, convergence
from proofs.evidence import HOLDS
from proofs.evidence_file import Gathered, as_float
from proofs.newton_stability import NewtonStability
from proofs.svg import Axis, Series, around, plotted
from proofs.theorem import Theorem

ERROR = 1e-6
"""The relative error up to which steps are counted."""

CONDITIONS = tuple(10 ** (exponent / 4) for exponent in range(1, 25))
"""The condition numbers at which steps are counted."""

MOST_SHARE = 1e20
"""Where the axis of shares ends, and its inverse where it begins."""

_COUNTED = (
    "newton_depth_is_the_logarithm_of_gradient_descent_depth",
    "newton_step_counts_are_logarithmic_in_the_condition_number",
    "every_krylov_method_needs_exponentially_more_steps_than_newton",
)


@dataclass(frozen=True)
class Figure:
    """A plot with its legend, its caption and its numbers.

    Args:
        name: unique; the anchor is figure-NAME.
        title: in a few words.
        svg: the plot.
        legend: what is drawn.
        caption: what is to be seen, and where the numbers are from.
        columns, rows: the numbers.
        about: the names of the theorems that it illustrates.
        is_from_evidence: whether its numbers are those of the evidence; if not, they were computed with the figure.
    """

    name: str
    title: str
    svg: Markup
    legend: tuple[Series, ...]
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    about: tuple[str, ...]
    is_from_evidence: bool = False


def figures(gathered: Gathered) -> list[Figure]:
    """The figures that illustrate some theorem of the report."""
    theorems = [verification.theorem for verification in gathered.verifications]
    drawn = list(_rounding_shares(gathered))
    converging = tuple(cls for cls, _ in RUNS.values())
    if about := _names(theorems, lambda theorem: isinstance(theorem.construction, converging)):
        drawn += [_convergence(gathered.seed, about), _rounding(gathered.seed, about)]
    if about := _names(theorems, lambda theorem: theorem.name in _COUNTED):
        drawn.append(_step_counts(about))
    grows = (NewtonStability, NewtonFromGramMasked)
    if about := _names(theorems, lambda each: isinstance(each, grows) or isinstance(each.construction, grows)):
        drawn.append(_growth(gathered.seed, about))
    return drawn


def _names(theorems: Sequence[Theorem], belongs: Callable[[Theorem], bool]) -> tuple[str, ...]:
    return tuple(theorem.name for theorem in theorems if belongs(theorem))


def _rounding_shares(gathered: Gathered) -> Iterator[Figure]:
    """The largest difference of each float run, as a share of what rounding explains."""
    shares = []
    for verification in gathered.verifications:
        for each in verification.evidence:
            if each.kind in ("float", "cuda") and each.outcome == HOLDS and None not in (each.worst, each.bound):
                worst, bound = as_float(each.worst), as_float(each.bound)
                if isfinite(worst) and isfinite(bound) and bound > 0:
                    shares.append((verification.theorem.name, each.kind, worst, bound))
    if not shares:
        return
    ordered = sorted(shares, key=lambda share: share[2] / share[3])
    low, high = around([worst / bound for _, _, worst, bound in ordered] + [1.0])
    low, high = max(low, 1 / MOST_SHARE), min(high, MOST_SHARE)
    within, beyond = (
        Series(
            name,
            [
                (worst / bound, place)
                for place, (_, _, worst, bound) in enumerate(ordered, start=1)
                if (worst <= bound) is is_within
            ],
            colour,
            is_line=False,
            titles=[each for each, _, worst, bound in ordered if (worst <= bound) is is_within],
        )
        for name, colour, is_within in (("identities", 1, True), ("counterexamples", 2, False))
    )
    held = tuple(each for each in (within, beyond) if each.points)
    yield Figure(
        "rounding-shares",
        "Rounding against its proved bound",
        plotted(
            "rounding-shares",
            f"One point for each of {len(ordered)} float runs. Identities lie left of 1, counterexamples right of it.",
            Axis("largest difference / rounding bound", low, high, is_log=True),
            Axis("float runs, in order", 0, len(ordered) + 1),
            held,
            mark=1.0,
        ),
        held,
        "The largest difference between network and algorithm in the float runs of each theorem, as a share of the "
        "rounding bound that was computed with it. Left of the line rounding explains the difference: an identity "
        "must stay there. Right of it no rounding does: a counterexample must lie there. A difference of 0 "
        "is drawn at the left edge, and what is beyond either edge at that edge.",
        ("theorem", "run", "largest difference", "bound"),
        tuple(ordered),
        tuple(dict.fromkeys(name for name, *_ in shares)),
        is_from_evidence=True,
    )


def _convergence(seed: int, about: tuple[str, ...]) -> Figure:
    runs = convergence(seed)
    lines = [Series(_spoken(run.name), list(enumerate(run.convergence)), i) for i, run in enumerate(runs, start=1)]
    dots = [Series("", list(enumerate(run.in_floats)), i, is_line=False) for i, run in enumerate(runs, start=1)]
    steps = max(len(run.convergence) for run in runs) - 1
    low, high = around([error for run in runs for error in (*run.convergence, *run.in_floats)])
    return Figure(
        "convergence",
        "Convergence on one prompt",
        plotted(
            "convergence",
            "Newton and GD++ reach least squares in a few steps, gradient descent and preconditioned descent slowly.",
            Axis("steps of the algorithm", 0, steps),
            Axis("relative error", low, high, is_log=True),
            [*lines, *dots],
        ),
        tuple(lines),
        f"The distance of the weights from least squares, relatively, on one prompt of n = {EXAMPLES} examples with "
        f"d = {FEATURES} features (seed {seed}). Lines: the algorithm, in exact rationals. Points: the network in "
        "float64, which ends at the precision of float64. The step sizes are those that icl run chooses.",
        ("steps", *(line.name for line in lines)),
        _by_step([run.convergence for run in runs]),
        about,
    )


def _rounding(seed: int, about: tuple[str, ...]) -> Figure:
    runs = convergence(seed)
    series = [
        Series(_spoken(run.name), [(k, error) for k, error in enumerate(run.rounding) if error], i)
        for i, run in enumerate(runs, start=1)
    ]
    low, high = around([error for line in series for _, error in line.points])
    return Figure(
        "rounding",
        "Rounding on the same prompt",
        plotted(
            "rounding",
            "All networks stay within a few units of float64's precision.",
            Axis("steps of the algorithm", 0, max(len(run.rounding) for run in runs) - 1),
            Axis("relative rounding error", low, high, is_log=True),
            series,
        ),
        tuple(series),
        "The distance between the weights that the float64 network computes and those of the exact algorithm, "
        "relatively, after the same number of steps.",
        ("steps", *(line.name for line in series)),
        _by_step([run.rounding for run in runs]),
        about,
    )


def _step_counts(about: tuple[str, ...]) -> Figure:
    counts = {
        "gradient descent": gradient_descent_step_count,
        "conjugate gradient": conjugate_gradient_step_count,
        "Newton": newton_step_count,
    }
    table = {name: [count(kappa, ERROR) for kappa in CONDITIONS] for name, count in counts.items()}
    lines = [
        Series(name, list(zip(CONDITIONS, steps, strict=True)), i) for i, (name, steps) in enumerate(table.items(), 1)
    ]
    return Figure(
        "step-counts",
        "Steps in the worst case",
        plotted(
            "step-counts",
            "Gradient descent grows like the condition number, conjugate gradient like its root, Newton like its "
            "logarithm.",
            Axis("condition number", 1, 1e6, is_log=True),
            Axis("steps", 1, 1e8, is_log=True),
            lines,
        ),
        tuple(lines),
        f"How many steps always suffice for a relative error of {ERROR:g}, exactly, for the step sizes 1 / lambda_max.",
        ("condition number", *table),
        tuple(
            (f"{kappa:.3g}", *map(str, row))
            for kappa, row in zip(CONDITIONS, zip(*table.values(), strict=True), strict=True)
        ),
        about,
    )


def _growth(seed: int, about: tuple[str, ...]) -> Figure:
    lines = []
    for colour, dtype in enumerate(("float32", "float64"), start=1):
        growth = newton_growth(dtype, seed)
        for form, states, is_dashed in (
            ("printed heads", growth.printed, False),
            ("stable heads", growth.stable, True),
        ):
            points = [(k, float(state.error.mid())) for k, state in enumerate(states)]
            lines.append(Series(f"{form}, {dtype}", [p for p in points if p[1] > 0], colour, is_dashed=is_dashed))
    low, high = around([error for line in lines for _, error in line.points])
    steps = int(max(line.points[-1][0] for line in lines))
    return Figure(
        "growth",
        "The printed Newton heads double rounding errors",
        plotted(
            "growth",
            "The error of the printed heads doubles with every step; that of the stable heads stays.",
            Axis("Newton steps", 0, steps),
            Axis("relative error", low, high, is_log=True),
            lines,
        ),
        tuple(lines),
        f"The distance of the slot u from its exact value, relatively, in a float run of Newton's network (n = 40, "
        f"d = 20, seed {seed}): with the query from x and the key from u, as printed, and the other way round.",
        ("steps", *(line.name for line in lines)),
        _by_step([[dict(line.points).get(k) for k in range(steps + 1)] for line in lines]),
        about,
    )


def _spoken(name: str) -> str:
    return {"chebyshev": "Chebyshev", "gdpp": "GD++", "newton": "Newton", "richardson": "Richardson"}.get(
        name, name.replace("_", " ")
    )


def _by_step(columns: Sequence[Sequence[float | None]]) -> tuple[tuple[str | float, ...], ...]:
    """A row for every step; nothing where a column has ended, or has no number."""

    def held(column: Sequence[float | None], step: int) -> str | float:
        value = column[step] if step < len(column) else None
        return "" if value is None else value

    return tuple((str(step), *(held(column, step) for column in columns)) for step in range(max(map(len, columns))))

"""Growth of Newton's forward pass with n, d, k and the batch: time and memory, with fitted exponents.

Symbols: n context tokens, d features, k Newton steps, B prompts.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import networks
from benchmarks.results import Section, Target
from benchmarks.setting import Setting
from benchmarks.timing import interleaved

RUNS = 5
"""How often each size is timed."""

FITTED = 3
"""The exponents are fitted to so many of the largest sizes: at small ones the calls take longer than the work."""


@dataclass(frozen=True)
class Direction:
    """One size that grows while the others are held.

    Args:
        size: "n", "d", "k" or "B".
        values: its values, ascending.
        held: the other sizes.
        exponent: the power of the number of operations in this size.
    """

    size: str
    values: Sequence[int]
    held: Mapping[str, int]
    exponent: int


DIRECTIONS = (
    Direction("n", (10**3, 10**4, 10**5, 10**6), {"d": 20, "k": 4, "B": 1}, 1),
    Direction("d", (32, 64, 128, 256, 512), {"n": 2048, "k": 4, "B": 1}, 2),
    Direction("k", (2, 4, 8, 16, 32), {"n": 40, "d": 20, "B": 1024}, 1),
    Direction("B", (1, 16, 256, 1024, 4096, 16384), {"n": 40, "d": 20, "k": 12}, 1),
)


def growth(directions: Sequence[Direction] = DIRECTIONS, m: int = 1, runs: int = RUNS) -> Section:
    """Seconds and peak memory of the forward pass in float64, one size after another growing."""
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    for direction in directions:
        measured = [_measured(direction, value, m, runs) for value in direction.values]
        rows += measured
        targets += _targets(direction, measured[-FITTED:])
    return Section(
        "growth",
        "Growth of Newton's forward pass, float64",
        {"m": m, **{f"{each.size} grows at": _in_words(each.held) for each in directions}},
        rows,
        (
            f"Exponents are fitted to the {FITTED} largest sizes by least squares in logarithms. Time counts as "
            "growing like a power if its exponent is below that power and a half. Memory is what Python and NumPy "
            "allocate beside the inputs (tracemalloc), in a run of its own. A large batch is cut into pieces, so that "
            "its memory stays that of one piece on each core.",
        ),
        targets,
        plotted,
    )


def _measured(direction: Direction, value: int, m: int, runs: int) -> dict[str, Any]:
    sizes = {**direction.held, direction.size: value}
    setting = Setting.drawn(networks.newton, sizes["n"], sizes["d"], m, sizes["k"], sizes["B"], "float64")
    peak, timing = peak_bytes(setting.ours), interleaved({"ours": setting.ours}, runs)["ours"]
    prompt = setting.prompt
    return {
        "grows": direction.size,
        "size": value,
        **timing.columns(),
        "GFLOP/s": sizes["B"] * setting.network.operations / timing.median / 1e9,
        "input bytes": sum(entry.nbytes for entry in (prompt.X, prompt.Y, prompt.x_query)),
        "peak bytes beside it": peak,
        "peak / one n x n matrix": peak / (8 * sizes["n"] ** 2),
    }


def _targets(direction: Direction, largest: Sequence[Mapping[str, Any]]) -> list[Target]:
    sizes, what = [row["size"] for row in largest], f"{direction.size} up to {largest[-1]['size']}"
    in_time = exponent(sizes, [row["seconds"] for row in largest])
    in_memory = exponent(sizes, [row["peak bytes beside it"] for row in largest])
    targets = [
        Target(
            f"the time grows with {what} no faster than the operations, like the power {direction.exponent}",
            f"like {direction.size}^{in_time:.2f}; memory like {direction.size}^{in_memory:.2f}",
            in_time < direction.exponent + 0.5,
        )
    ]
    if direction.size == "n":
        share = max(row["peak / one n x n matrix"] for row in largest)
        targets.append(
            Target("no n x n matrix is made", f"the peak is at most {share:.2g} of one, from n = {sizes[0]}", share < 1)
        )
    return targets


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent a of the power law values ~ sizes^a, by least squares in logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def peak_bytes(function: Callable[[], Any]) -> int:
    """How much memory the function holds at most beside what was held before, as Python and NumPy allocate it.

    It is run once before, so that what it imports and keeps does not count.
    """
    function()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def plotted(section: Section, path: Path) -> None:
    """The growth as a figure, written to the path: seconds above, memory below, a column for each size that grows.

    Args:
        section: what ``growth`` returned.
        path: the file; its ending is the format.
    """
    from matplotlib.figure import Figure

    directions = dict.fromkeys(row["grows"] for row in section.rows)
    figure = Figure(figsize=(3.2 * len(directions), 5.2), layout="constrained")
    axes = figure.subplots(2, len(directions), squeeze=False, sharex="col", sharey="row")
    for column, size in zip(axes.T, directions, strict=True):
        rows = [row for row in section.rows if row["grows"] == size]
        values = [row["size"] for row in rows]
        for axis, name in zip(column, ("seconds", "peak bytes beside it"), strict=True):
            measured = [row[name] for row in rows]
            fitted = exponent(values[-FITTED:], measured[-FITTED:])
            axis.loglog(values, measured, "o-", label=f"{size}^{fitted:.2f} at the {FITTED} largest")
            axis.legend(loc="upper left", fontsize="small")
            axis.grid(alpha=0.3)
            axis.set_xticks(values, [f"{value:g}" for value in values])
            axis.minorticks_off()
        column[1].set_xlabel(size)
    axes[0, 0].set_ylabel("seconds (median)")
    axes[1, 0].set_ylabel("peak bytes beside the input")
    figure.suptitle(section.title)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _in_words(sizes: Mapping[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in sizes.items())

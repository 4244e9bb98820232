"""Growth in the number of context tokens: time and memory of one long prompt."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.results import Section, Target
from benchmarks.timing import RUNS, interleaved
from constructions.gradient_descent import GradientDescent
from numerics.tasks import LinearTask

LENGTHS = (10**3, 10**4, 10**5, 10**6)


def growth(lengths: Sequence[int] = LENGTHS, d: int = 20, m: int = 1, layers: int = 2, runs: int = RUNS) -> Section:
    """Seconds and peak memory of the forward pass of gradient descent on one prompt, for ever more tokens."""
    construction = GradientDescent(step_sizes=[1 / 20] * layers)
    rows = []
    for n in lengths:
        prompt = LinearTask(n=n, d=d, m=m).sample(0).prompt
        entries = (prompt.X, prompt.Y, prompt.x_query)
        input_bytes = sum(entry.nbytes for entry in entries)

        def predicted(entries: tuple[Any, ...] = entries) -> Any:
            return construction(*entries)

        peak, timing = peak_bytes(predicted), interleaved({"ours": predicted}, runs)["ours"]
        rows.append(
            {
                "n": n,
                **timing.columns(),
                "seconds per token": timing.median / n,
                "input bytes": input_bytes,
                "peak bytes beside it": peak,
                "peak / input": peak / input_bytes,
                "peak / one n x n matrix": peak / (8 * n * n),
            }
        )
    last = rows[-3:]
    in_time = exponent([row["n"] for row in last], [row["seconds"] for row in last])
    in_memory = exponent([row["n"] for row in last], [row["peak bytes beside it"] for row in last])
    targets = (
        Target(f"the time grows linearly in n up to {lengths[-1]}", f"like n^{in_time:.2f}", in_time < 1.5),
        Target(
            "no n x n matrix: the forward pass takes less memory beside its input than the input itself",
            f"{max(row['peak / input'] for row in rows[-3:]):.2f} of it, growing like n^{in_memory:.2f}",
            all(row["peak bytes beside it"] < row["input bytes"] for row in last),
        ),
    )
    return Section(
        "growth",
        "Growth in the number of context tokens",
        {"d": d, "m": m, "layers": layers, "batch": 1, "dtype": "float64"},
        rows,
        (
            f"Exponents, fitted to the last three lengths: time n^{in_time:.2f}, memory n^{in_memory:.2f}. Time counts "
            "as linear if its exponent is nearer to 1 than to 2. Memory is what Python and NumPy allocate "
            "(tracemalloc), in a run of its own.",
        ),
        targets if tuple(lengths) == LENGTHS else (),
    )


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

"""The ceiling: how long the matrix products of a network take alone, on operands that stay in the cache.

What is above it is traffic of memory, additions, and calls; no forward pass that multiplies by NumPy goes below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.results import cores

PIECE = 32
"""Prompts at a time: at n = 40, d = 20 in float64 their two factors take 0.5 MiB."""


def products_alone(products: Sequence[tuple[int, int, int, int]], batch: int, dtype: Any) -> Callable[[], None]:
    """A function that makes all products of the batch, spread over the cores.

    Args:
        products: (times, rows, inner size, columns) of the products for one prompt.
        batch: the number of prompts.
        dtype: the dtype.
    """
    rng = np.random.default_rng(0)
    pairs = [
        (
            times,
            rng.standard_normal((PIECE, rows, inner)).astype(dtype),
            rng.standard_normal((PIECE, inner, columns)).astype(dtype),
        )
        for times, rows, inner, columns in products
    ]
    pieces = -(-batch // PIECE)

    def piece(_: int) -> None:
        for times, A, B in pairs:
            for _ in range(times):
                A @ B

    def run() -> None:
        with ThreadPoolExecutor(max_workers=cores()) as pool:
            list(pool.map(piece, range(pieces)))

    return run

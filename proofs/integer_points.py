"""Integer points in the order in which counterexamples are searched: by the sum of their absolute values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np


@lru_cache(maxsize=64)
def integer_points(dimension: int, total: int) -> np.ndarray[Any, Any]:
    """Every integer vector whose absolute values sum to ``total``, positive entries first; (count, dimension)."""
    return np.array(list(_integer_points(dimension, total)), dtype=np.int64).reshape(-1, dimension)


def _integer_points(dimension: int, total: int) -> Iterator[tuple[int, ...]]:
    for support in range(min(dimension, total), -1, -1):
        if (support == 0) != (total == 0):
            continue
        for places in combinations(range(dimension), support):
            for cuts in combinations(range(1, total), support - 1) if support else [()]:
                parts = np.diff((0, *cuts, total)) if support else ()
                for signs in product((1, -1), repeat=support):
                    vector = [0] * dimension
                    for place, part, sign in zip(places, parts, signs, strict=True):
                        vector[place] = sign * int(part)
                    yield tuple(vector)


def count_of_integer_points(dimension: int, total: int) -> int:
    """How many integer vectors have absolute values that sum to ``total``."""
    if total == 0:
        return 1
    return sum(comb(dimension, s) * comb(total - 1, s - 1) * 2**s for s in range(1, min(dimension, total) + 1))

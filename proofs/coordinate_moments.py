"""Moments of independent symmetric coordinates, for symbolic numbers of samples and features.

Symbols: X (d, n) with independent identically distributed entries x_i[a], symmetric about 0, with variance s2 and
kurtosis kap = E x^4 / s2^2. A sum over indices of E prod x_i[a] is split by which indices coincide: with c classes of
sample indices there are n (n-1) ... (n-c+1) assignments, likewise for the features, and for each the expectation is a
product of moments of single coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sympy

n, d, m = sympy.symbols("n d m", integer=True, positive=True)
s2, kap, eta = sympy.symbols("s2 kap eta", positive=True)


def expected_sum(factors: Sequence[tuple[str, str]], samples: Any = n, features: Any = d) -> Any:
    """sum over all indices of E prod x_i[a], the factors given as (sample index, feature index) by name.

    Args:
        factors: the coordinates that are multiplied; no coordinate may occur more than four times at once.
        samples, features: the ranges of the indices, symbols or ints.

    Returns:
        A polynomial in the ranges, ``s2`` and ``kap``.

    >>> expected_sum([("i", "a"), ("i", "a")])
    d*n*s2
    """
    total = sympy.Integer(0)
    for sample_class in partitions(sorted({i for i, _ in factors})):
        for feature_class in partitions(sorted({a for _, a in factors})):
            counts = Counter((sample_class[i], feature_class[a]) for i, a in factors)
            expectation = sympy.prod(moment(power) for power in counts.values())
            ways = sympy.ff(samples, len(set(sample_class.values()))) * sympy.ff(
                features, len(set(feature_class.values()))
            )
            total += expectation * sympy.expand_func(ways)
    return sympy.factor(sympy.expand(total))


def moment(power: int) -> Any:
    """E x^power of one coordinate.

    Raises:
        ValueError: for a sixth or higher even moment, which variance and kurtosis do not determine.
    """
    if power % 2:
        return sympy.Integer(0)
    if power > 4:
        raise ValueError(f"E x^{power} is not determined by the variance and the kurtosis; at most E x^4 may occur")
    return {0: sympy.Integer(1), 2: s2, 4: kap * s2**2}[power]


def partitions(items: Sequence[str]) -> Iterator[dict[str, int]]:
    """Every way to say which of the items coincide: item -> number of its class."""

    def grown(position: int, classes: dict[str, int], used: int) -> Iterator[dict[str, int]]:
        if position == len(items):
            yield dict(classes)
            return
        for number in range(used + 1):
            yield from grown(position + 1, {**classes, items[position]: number}, max(used, number + 1))

    yield from grown(0, {}, 0)


def expected_gram_trace(power: int) -> Any:
    """E tr (X X^T)^power for power 1 or 2, for all n and d.

    >>> sympy.expand(expected_gram_trace(2) / (n * d * s2**2))
    d + kap + n - 2
    """
    factors = [factor for t in range(power) for factor in ((f"i{t}", f"a{t}"), (f"i{t}", f"a{(t + 1) % power}"))]
    return expected_sum(factors)

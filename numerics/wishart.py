"""Moments of a Wishart matrix at given sizes: E tr W^k as integers, for hundreds of powers at once.

Symbols: X (d, n) with independent N(0, 1) entries, W = X X^T (d, d); k the power.

The closed form of ``proofs.wishart_moments`` sums over the partitions of k without the box (3, 2), which are (a, b,
1, ..., 1) with c ones: at most k^2 of them. Each of its products splits into one over the first row, one over the
second and one over the rest of the first column, so that running products make a term a few multiplications.

Reference: zonal polynomials: James (1964), Stanley (1989), Hanlon, Stanley and Stembridge (1992); cited from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from flint import fmpq


def require_size(name: str, size: int) -> None:
    """Refuses a size that is no int, or below 1.

    Raises:
        TypeError, ValueError: if it is.
    """
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"{name} = {size!r}: an int is required, but {type(size).__name__} came")
    if size < 1:
        raise ValueError(f"{name} = {size}: at least 1 is required")


def wishart_trace_moments(n: int, d: int, largest: int) -> tuple[int, ...]:
    """E tr W^k for k = 0..largest, exactly; E tr W^0 = d.

    Args:
        n: samples, >= 1.
        d: features, >= 1.
        largest: the largest power, >= 0.

    Raises:
        TypeError: for a size or power that is no int.
        ValueError: for a size below 1, or a negative power.

    >>> wishart_trace_moments(20, 5, 4)
    (5, 100, 2600, 80400, 2792000)
    """
    require_size("n", n)
    require_size("d", d)
    if not isinstance(largest, int) or isinstance(largest, bool):
        raise TypeError(f"largest = {largest!r}: an int is required, but {type(largest).__name__} came")
    if largest < 0:
        raise ValueError(f"largest = {largest}: a moment has a power >= 0")
    return _moments(n, d, largest)


@lru_cache(maxsize=64)
def _moments(n: int, d: int, largest: int) -> tuple[int, ...]:
    rows = largest + 1
    first = _running(rows, lambda j: (d + 2 * j) * (n + 2 * j) * max(2 * j, 1))
    second = _running(rows, lambda j: (d + 2 * j - 1) * (n + 2 * j - 1) * (2 * j - 1))
    column = _running(rows, lambda i: (d - i - 2) * (n - i - 2) * -(i + 2))
    factorial = _running(2 * rows, lambda i: i + 1)
    moments = [d]
    for k in range(1, rows):
        total = fmpq(0)
        for a, b, c in _shapes(k):
            above = first[a] * second[b] * column[c]
            if above:
                total += fmpq(above, _hooks(a, b, c, factorial))
        moments.append(int((2 * k * total).p))
    return tuple(moments)


def _running(count: int, factor: Callable[[int], int]) -> list[int]:
    """1, f(0), f(0) f(1), ...: count + 1 products."""
    products = [1]
    for index in range(count):
        products.append(products[-1] * factor(index))
    return products


def _shapes(k: int) -> Iterator[tuple[int, int, int]]:
    """(a, b, c): the partitions (a, b, 1, ..., 1) of k with c ones; none if b = 0."""
    for a in range(1, k + 1):
        if a == k:
            yield a, 0, 0
        for b in range(1, min(a, k - a) + 1):
            yield a, b, k - a - b


def _hooks(a: int, b: int, c: int, factorial: list[int]) -> int:
    """The product over the boxes of (2 arm + leg + 1) (2 arm + leg + 2)."""
    leg = c + (b > 0)
    corner = (2 * a + leg - 1) * (2 * a + leg)
    if b == 0:
        return corner * factorial[2 * (a - 1)]
    over_second = factorial[2 * a - 1] // factorial[2 * (a - b) + 1] * factorial[2 * (a - b)]
    second = (2 * b + c - 1) * (2 * b + c) * factorial[2 * (b - 1)]
    return corner * over_second * second * factorial[c] * factorial[c + 1]

"""Moments of Wishart matrices: E tr W^k in closed form for every k, and mixed ones, as polynomials in n and d.

Symbols: X (d, n) with independent N(0, 1) entries, W = X X^T (d, d); p_k = tr W^k, p_0 = d. Three routes:

    pairings     E p_k = sum over the (2k-1)!! pairings of n^(classes of sample indices) d^(classes of coordinates)
    recursion    E p_k p_M = n E p_{k-1} p_M + sum_{j=1..k-1} E (p_{j-1} p_{k-j} + p_{k-1}) p_M
                           + sum_{m in M} 2 m E p_{k-1+m} p_{M without m}                      (Stein, k >= 1)
    closed form  E p_k = sum over partitions of k without the box (3, 2) of
                     2 k prod (2(j-1)-(i-1)) / prod (2a+l+1)(2a+l+2)  x  prod (d+2(j-1)-(i-1)) (n+2(j-1)-(i-1))

with (i, j) = (row, column) of a box, a and l the boxes right of and below it; the first product skips the box (1, 1).
The recursion integrates the last X of tr X^T W^(k-1) X by parts. The closed form is the expansion of p_k in zonal
polynomials, whose Wishart expectations factor.

Reference: zonal polynomials: James (1964), Stanley (1989), Hanlon, Stanley and Stembridge (1992); cited from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sympy

from numerics.pairings import pairings
from proofs.index_sums import d, n


def moment_by_pairings(power: int) -> Any:
    """E tr W^power, every pairing counted; (2 power - 1)!! of them.

    >>> sympy.factor(moment_by_pairings(2))
    d*n*(d + n + 1)
    """
    _require_power(power)
    # tr W^k = sum prod_t x_{i_t}[a_t] x_{i_t}[a_{t+1}]: factor 2t is (i_t, a_t), factor 2t + 1 is (i_t, a_{t+1}).
    legs = [(t, t) for t in range(power)] + [(t, (t + 1) % power) for t in range(power)]
    counts: dict[tuple[int, int], int] = {}
    for pairing in pairings(legs):
        samples = _classes(power, [(left[0], right[0]) for left, right in pairing])
        coordinates = _classes(power, [(left[1], right[1]) for left, right in pairing])
        counts[samples, coordinates] = counts.get((samples, coordinates), 0) + 1
    return sympy.expand(sum(number * n**c * d**e for (c, e), number in counts.items()) if power else d)


def _classes(size: int, merged: list[tuple[int, int]]) -> int:
    """The number of classes of 0..size-1 once those pairs are identified."""
    parent = list(range(size))

    def root(item: int) -> int:
        while parent[item] != item:
            item = parent[item]
        return item

    for left, right in merged:
        parent[root(left)] = root(right)
    return sum(parent[item] == item for item in range(size))


def mixed_moment(*powers: int) -> Any:
    """E of the product of tr W^k over the powers given, by integration by parts.

    >>> sympy.factor(mixed_moment(1, 1))
    d*n*(d*n + 2)
    """
    for power in powers:
        _require_power(power)
    return _mixed(tuple(sorted(powers)))


@lru_cache(maxsize=1 << 12)
def _mixed(powers: tuple[int, ...]) -> Any:
    if not powers:
        return sympy.Integer(1)
    if powers[0] == 0:
        return sympy.expand(d * _mixed(powers[1:]))
    *rest, k = powers

    def held(*more: int) -> Any:
        return _mixed(tuple(sorted((*rest, *more))))

    total = n * held(k - 1)
    for j in range(1, k):
        total += held(j - 1, k - j) + held(k - 1)
    for position, m in enumerate(rest):
        others = rest[:position] + rest[position + 1 :]
        total += 2 * m * _mixed(tuple(sorted((*others, k - 1 + m))))
    return sympy.expand(total)


def trace_moment(power: int) -> Any:
    """E tr W^power in closed form, a sum over the partitions of the power.

    >>> trace_moment(3)
    d**3*n + 3*d**2*n**2 + 3*d**2*n + d*n**3 + 3*d*n**2 + 4*d*n
    """
    _require_power(power)
    if power == 0:
        return d
    total = sympy.Poly(0, n, d, domain="QQ")
    for part in partitions(power):
        coefficient = _coefficient(part)
        if coefficient:
            total += coefficient * _content_product(part)
    return total.as_expr()


def _coefficient(part: tuple[int, ...]) -> Any:
    """What tr W^k has of the zonal polynomial of a partition of k, over its norm; 0 if the partition has (3, 2)."""
    columns = [sum(row > j for row in part) for j in range(part[0])]
    above, below = sympy.Integer(2 * sum(part)), sympy.Integer(1)
    for i, row in enumerate(part):
        for j in range(row):
            above *= 2 * j - i if (i, j) != (0, 0) else 1
            arm, leg = row - j - 1, columns[j] - i - 1
            below *= (2 * arm + leg + 1) * (2 * arm + leg + 2)
    return above / below


def _content_product(part: tuple[int, ...]) -> sympy.Poly:
    product = sympy.Poly(1, n, d, domain="QQ")
    for i, row in enumerate(part):
        for j in range(row):
            product *= sympy.Poly((d + 2 * j - i) * (n + 2 * j - i), n, d, domain="QQ")
    return product


def partitions(total: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """The partitions of a number, parts falling.

    >>> list(partitions(3))
    [(3,), (2, 1), (1, 1, 1)]
    """
    if total == 0:
        yield ()
        return
    for first in range(min(total, largest or total), 0, -1):
        for rest in partitions(total - first, first):
            yield (first, *rest)


def normalised_moment(power: int, tokens: Any = n, features: Any = d) -> Any:
    """m_k = E tr (W / n)^k, for symbols or ints; m_0 = d.

    >>> normalised_moment(2, 20, 5)
    13/2
    """
    for name, size in (("n", tokens), ("d", features)):
        if isinstance(size, int) and size < 1:
            raise ValueError(f"{name} = {size}: at least 1 is required")
    value = trace_moment(power) / n**power
    return sympy.factor(value.subs({n: tokens, d: features}, simultaneous=True))


def _require_power(power: int) -> None:
    if not isinstance(power, int) or power < 0:
        raise ValueError(f"power = {power!r}: a moment has an integer power >= 0")

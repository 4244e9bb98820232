"""Pairings: every way to put things into pairs, as Isserlis' and Wick's theorem sum over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def pairings(items: Sequence[Any]) -> Iterator[tuple[tuple[Any, Any], ...]]:
    """Every way to pair the items; none if their number is odd.

    >>> [len(list(pairings(range(2 * k)))) for k in range(5)]
    [1, 1, 3, 15, 105]
    """
    if len(items) % 2:
        return
    if not items:
        yield ()
        return
    first, *rest = items
    for position, mate in enumerate(rest):
        for others in pairings(rest[:position] + rest[position + 1 :]):
            yield ((first, mate), *others)

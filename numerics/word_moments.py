"""Expectations of words in a Wishart matrix and fixed matrices: E tr M_0 S M_1 S ... M_(k-1) S, for all n at once.

Symbols: S = (1/n) sum_i x_i x_i^T, x_i ~ N(0, Sigma) iid, i = 1..n; M_t any (d, d) matrices, t = 0..k-1.

The t-th S has a left and a right leg. A pairing of the 2 k legs is worth n^c, c the number of classes of the t once
those of paired legs are identified, times a trace for each cycle: entering M_t forwards writes M_t Sigma and stands
at the left leg of the t-th S, backwards M_t^T Sigma at the right leg of the one before; then one jumps to its mate.

    E tr M_0 S ... M_(k-1) S = sum over pairings of n^(c - k) prod over cycles of tr(word)

Reference: Isserlis (1918).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from flint import fmpq, fmpq_mat

from numerics.pairings import pairings

LONGEST = 6
"""The largest number of factors S: it has 10,395 pairings, the next one 135,135."""

_LEFT, _RIGHT = 0, 1

Word = tuple[tuple[int, bool], ...]
"""The matrices that a cycle enters, in order: (t, whether forwards)."""


def word_moment(matrices: Sequence[fmpq_mat], Sigma: fmpq_mat) -> list[fmpq]:
    """E tr M_0 S M_1 S ... M_(k-1) S as a polynomial in 1/n: the coefficients of 1, 1/n, ..., n^-(k-1).

    Args:
        matrices: M_0, ..., M_(k-1), (d, d) each; 1 <= k <= ``LONGEST``.
        Sigma: (d, d), symmetric.

    Raises:
        ValueError: for no matrix, or more than ``LONGEST``.

    >>> one = fmpq_mat(1, 1, [1])
    >>> word_moment([one, one], one)
    [1, 2]
    """
    k = len(matrices)
    entered = {(t, True): M * Sigma for t, M in enumerate(matrices)}
    entered |= {(t, False): M.transpose() * Sigma for t, M in enumerate(matrices)}
    coefficients = [fmpq(0)] * k
    for classes, words in closed_words(k):
        product = fmpq(1)
        for word in words:
            product *= _trace([entered[step] for step in word])
        coefficients[k - classes] += product
    return coefficients


def _trace(factors: Sequence[fmpq_mat]) -> fmpq:
    first, *others = factors
    for factor in others:
        first = first * factor
    return sum((first[i, i] for i in range(first.nrows())), start=fmpq(0))


@lru_cache(maxsize=LONGEST)
def closed_words(k: int) -> tuple[tuple[int, tuple[Word, ...]], ...]:
    """(c, the words that it closes) for every pairing of the legs of k factors S.

    Args:
        k: 1..``LONGEST``.

    Raises:
        ValueError: for another k.

    >>> closed_words(1)
    ((1, (((0, True),),)),)
    """
    if not 1 <= k <= LONGEST:
        raise ValueError(f"{k} factors S came: 1..{LONGEST} are paired, {LONGEST} in 10395 ways")
    legs = [(t, side) for t in range(k) for side in (_LEFT, _RIGHT)]
    found = []
    for pairing in pairings(legs):
        mates = dict(pairing) | {mate: leg for leg, mate in pairing}
        found.append((_class_count(k, [(left[0], right[0]) for left, right in pairing]), tuple(_words(k, mates))))
    return tuple(found)


def _words(k: int, mates: Mapping[tuple[int, int], tuple[int, int]]) -> Iterator[Word]:
    """The cycles of a pairing."""
    left_over = set(range(k))
    while left_over:
        at, is_forwards = min(left_over), True
        word = list[tuple[int, bool]]()
        while at in left_over:
            left_over.remove(at)
            word.append((at, is_forwards))
            s, side = mates[(at, _LEFT) if is_forwards else ((at - 1) % k, _RIGHT)]
            at, is_forwards = (s, False) if side == _LEFT else ((s + 1) % k, True)
        yield tuple(word)


def _class_count(size: int, merged: Sequence[tuple[int, int]]) -> int:
    """The number of classes of 0..size-1 once those pairs are identified."""
    names = list(range(size))
    for left, right in merged:
        old, new = names[left], names[right]
        names = [new if name == old else name for name in names]
    return len(set(names))

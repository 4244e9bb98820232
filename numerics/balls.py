"""Balls: blocks whose entries are rigorous enclosures, at any precision.

Everything, the exponential and the square root included, is enclosed; the precision is set by the one context manager
``precision``. The precision belongs to the whole process, so balls never run in a thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, final

import numpy as np
from flint import arb, arb_mat, ctx, fmpq, fmpz

from constructions.block import Block, Entry
from constructions.comparison import Comparison, Verdict
from constructions.scalars import Scalar
from numerics.rationals import as_fmpq, as_fraction, matrix_entries


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Runs what is inside with balls of that many bits.

    Args:
        bits: the precision of the midpoints, at least 2.
    """
    if bits < 2:
        raise ValueError(f"bits = {bits}: balls need at least 2 bits")
    held = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = held


def as_arb(value: Any) -> arb:
    """The value as a ball: an arb as it is, anything rational (a float is dyadic) enclosed at the current precision."""
    return value if isinstance(value, arb) else arb(as_fmpq(value))


def midpoint(ball: arb) -> fmpq:
    """The midpoint of a finite ball, exactly: a dyadic rational."""
    mantissa, exponent = ball.mid().man_exp()
    return fmpq(mantissa) * fmpq(2) ** int(exponent)


@final
class BallBlock(Block):
    """A matrix of balls (``flint.arb_mat``)."""

    __slots__ = ("_matrix",)

    def __init__(self, matrix: arb_mat) -> None:
        self._matrix = matrix

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """The entry as balls: balls as they are; rationals and floats (dyadic) enclosed at the current precision.

        Raises:
            ValueError: for balls that are not finite.
        """
        if hasattr(entry, "tolist") and hasattr(entry, "nrows"):
            entry = entry.tolist()
        rows, columns, entries = matrix_entries(entry)
        balls = [as_arb(value) for value in entries]
        for ball in balls:
            if not ball.is_finite():
                raise ValueError(f"every entry must be finite, but {ball} came")
        return cls(arb_mat(rows, columns, balls))

    @property
    def entry(self) -> Entry:
        """An object array of ``flint.arb``, (rows, columns)."""
        array = np.empty(self.shape, dtype=object)
        array[...] = np.array(self._matrix.entries(), dtype=object).reshape(self.shape)
        return array

    @property
    def matrix(self) -> arb_mat:
        """The entries as python-flint holds them."""
        return self._matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self._matrix.nrows(), self._matrix.ncols()

    @property
    def T(self) -> Self:
        return type(self)(self._matrix.transpose())

    def ones(self, rows: int, columns: int) -> Self:
        return type(self)(arb_mat(rows, columns, [arb(1)] * (rows * columns)))

    def identity(self, size: int) -> Self:
        return self.fill(size, size, lambda i, j: int(i == j))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        return type(self)(arb_mat(rows, columns, [as_arb(function(i, j)) for i in range(rows) for j in range(columns)]))

    def relu(self) -> Self:
        return self._mapped(lambda ball: ball.max(arb(0)))

    def exp(self) -> Self:
        return self._mapped(lambda ball: ball.exp())

    def inverse(self) -> Self:
        if self.rows != self.columns:
            raise ValueError(f"only a square block has an inverse, but shape {self.shape} came")
        try:
            return type(self)(self._matrix.inv())
        except ZeroDivisionError as error:
            raise ZeroDivisionError(
                f"the matrix is singular, or {ctx.prec} bits are too few to show that it is not: raise the precision"
            ) from error

    def diagonal(self) -> Self:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        entries = self._matrix.entries()
        return self.fill(len(entries), len(entries), lambda i, j: entries[i] if i == j else arb(0))

    def restarted(self) -> Self:
        return self._mapped(lambda ball: ball.mid())

    def _mapped(self, function: Callable[[arb], arb]) -> Self:
        return type(self)(arb_mat(*self.shape, [function(ball) for ball in self._matrix.entries()]))

    def _matmul(self, other: Self) -> Self:
        return type(self)(self._matrix * other._matrix)

    def _add(self, other: Self) -> Self:
        return type(self)(self._matrix + other._matrix)

    def _scale(self, scalar: Scalar) -> Self:
        return type(self)(self._matrix * as_arb(scalar))

    def _hadamard(self, other: Self) -> Self:
        products = [a * b for a, b in zip(self._matrix.entries(), other._matrix.entries(), strict=True)]
        return type(self)(arb_mat(*self.shape, products))

    def square(self) -> Self:
        return self._mapped(lambda ball: ball**2)

    def _beside(self, others: Sequence[Self]) -> Self:
        blocks: list[Self] = [self, *others]
        tables = [block._matrix.tolist() for block in blocks]
        entries = [ball for i in range(self.rows) for table in tables for ball in table[i]]
        return type(self)(arb_mat(self.rows, sum(block.columns for block in blocks), entries))

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        raised = [block.exp() for block in blocks]
        kept = [
            block if pattern is None else block.hadamard(pattern)
            for block, pattern in zip(raised, patterns, strict=True)
        ]
        total = sum(
            (block.ones(1, block.rows) @ block for block in kept[1:]), start=kept[0].ones(1, kept[0].rows) @ kept[0]
        )
        assert isinstance(total, BallBlock)
        reciprocal = total._mapped(lambda ball: 1 / ball).diagonal()
        return tuple(block @ reciprocal for block in kept)

    def _compare(self, other: Self) -> Comparison:
        """DIFFERENT if the enclosures of some entry are disjoint, by at least the gap; EQUAL says that all overlap."""
        worst, bound, unknown = fmpq(0), arb(0), None
        for a, b in zip(self._matrix.entries(), other._matrix.entries(), strict=True):
            difference = a - b
            if not difference.is_finite():
                unknown = unknown or (a, b)
                continue
            if not difference.contains(fmpz(0)):
                gap = as_fraction(midpoint(difference.abs_lower()))
                return Comparison(Verdict.DIFFERENT, gap=gap, left=a, right=b)
            bound = bound.max(difference.abs_upper())
            worst = max(worst, abs(midpoint(difference)))
        if unknown is not None:
            return Comparison(Verdict.UNDECIDED, left=unknown[0], right=unknown[1])
        return Comparison(Verdict.EQUAL, gap=as_fraction(worst), bound=as_fraction(midpoint(bound.abs_upper())))

    def __repr__(self) -> str:
        return f"BallBlock({[[ball.str(6) for ball in row] for row in self._matrix.tolist()]})"

"""Explicit symbols: matrices of known size whose entries are SymPy expressions.

At a fixed size a claim is a polynomial identity in the entries, which SymPy's expansion decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, final

import sympy

from constructions.block import Block, Entry
from constructions.comparison import Comparison, Verdict
from constructions.scalars import Scalar, exact
from numerics.rationals import refuse_floats
from proofs.words import exact_coefficient


@final
class ExplicitBlock(Block):
    """A matrix of SymPy expressions (``sympy.ImmutableDenseMatrix``)."""

    __slots__ = ("_matrix",)

    def __init__(self, matrix: sympy.ImmutableDenseMatrix) -> None:
        self._matrix = matrix

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """A SymPy matrix, or nested lists of SymPy expressions."""
        if not isinstance(entry, (list, tuple, sympy.MatrixBase)):
            raise TypeError(f"a SymPy matrix of known size is required, but {type(entry).__name__} came")
        table = entry.applyfunc(_entry) if isinstance(entry, sympy.MatrixBase) else _table(entry)
        matrix = sympy.ImmutableDenseMatrix(table)
        if 0 in matrix.shape:
            raise ValueError(f"a matrix must have rows and columns, but shape {matrix.shape} came")
        return cls(matrix)

    @property
    def entry(self) -> Entry:
        return self._matrix

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self._matrix.shape
        return int(rows), int(columns)

    @property
    def T(self) -> Self:
        return type(self)(self._matrix.T)

    def ones(self, rows: int, columns: int) -> Self:
        return self.fill(rows, columns, lambda i, j: 1)

    def identity(self, size: int) -> Self:
        return self.fill(size, size, lambda i, j: int(i == j))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        return type(self)(
            sympy.ImmutableDenseMatrix(rows, columns, lambda i, j: exact_coefficient(function(int(i), int(j))))
        )

    def relu(self) -> Self:
        return self._mapped(_relu)

    def exp(self) -> Self:
        return self._mapped(sympy.exp)

    def inverse(self) -> Self:
        if self.rows != self.columns:
            raise ValueError(f"only a square block has an inverse, but shape {self.shape} came")
        if self._matrix.det().equals(0):
            raise ZeroDivisionError("the matrix is singular")
        return self._mapped_matrix(self._matrix.inv())

    def diagonal(self) -> Self:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        return type(self)(sympy.ImmutableDenseMatrix(sympy.diag(*self._matrix)))

    def _mapped(self, function: Callable[[Any], Any]) -> Self:
        return self._mapped_matrix(self._matrix.applyfunc(function))

    def _mapped_matrix(self, matrix: Any) -> Self:
        return type(self)(sympy.ImmutableDenseMatrix(matrix).applyfunc(sympy.expand))

    def _matmul(self, other: Self) -> Self:
        return self._mapped_matrix(self._matrix * other._matrix)

    def _add(self, other: Self) -> Self:
        return type(self)(self._matrix + other._matrix)

    def _scale(self, scalar: Scalar) -> Self:
        return self._mapped_matrix(self._matrix * exact_coefficient(scalar))

    def _hadamard(self, other: Self) -> Self:
        return self._mapped_matrix(sympy.matrix_multiply_elementwise(self._matrix, other._matrix))

    def _beside(self, others: Sequence[Self]) -> Self:
        return type(self)(sympy.ImmutableDenseMatrix.hstack(self._matrix, *(block._matrix for block in others)))

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        raised = [block.exp() for block in blocks]
        kept: list[Any] = [
            block if pattern is None else block.hadamard(pattern)
            for block, pattern in zip(raised, patterns, strict=True)
        ]
        totals = [sum(block._matrix[i, j] for block in kept for i in range(block.rows)) for j in range(self.columns)]
        reciprocal = type(self)(sympy.ImmutableDenseMatrix(sympy.diag(*(1 / total for total in totals))))
        return tuple(block @ reciprocal for block in kept)

    def _compare(self, other: Self) -> Comparison:
        """EQUAL if every difference simplifies to zero; DIFFERENT if one certainly does not."""
        verdict = Verdict.EQUAL
        for left, right in zip(self._matrix, other._matrix, strict=True):
            equal = sympy.expand(left - right).equals(0)
            if equal is False:
                return Comparison(Verdict.DIFFERENT, gap=sympy.expand(left - right), left=left, right=right)
            if equal is None:
                verdict = Verdict.UNDECIDED
        return Comparison(verdict, gap=0)

    def __repr__(self) -> str:
        return f"ExplicitBlock({self._matrix.tolist()})"


def _table(rows: Sequence[Any]) -> list[list[Any]]:
    if not all(isinstance(row, (list, tuple)) for row in rows):
        raise ValueError("a matrix must have two axes: pass nested lists, one per row")
    if any(isinstance(value, (list, tuple)) for row in rows for value in row):
        raise ValueError("a matrix must have two axes: exact kinds have no batch dimensions; run one prompt at a time")
    if len({len(row) for row in rows}) > 1:
        lengths = sorted({len(row) for row in rows})
        raise ValueError(f"the rows of a matrix must be equally long, but they have lengths {lengths}")
    refuse_floats(value for row in rows for value in row)
    return [[_entry(value) for value in row] for row in rows]


def _entry(value: Any) -> Any:
    return exact_coefficient(value if isinstance(value, bool) else exact(value))


def _relu(value: Any) -> Any:
    # One form for z and -z, so that relu(z) - relu(-z) is z.
    return value + sympy.Max(0, -value) if value.could_extract_minus_sign() else sympy.Max(0, value)

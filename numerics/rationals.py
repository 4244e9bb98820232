"""Rationals: blocks with exact entries. Equality is equality; exp and softmax are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Self, final

import numpy as np
from flint import fmpq, fmpq_mat, fmpz

from constructions.block import Block, Entry
from constructions.comparison import Comparison, Verdict
from constructions.scalars import Scalar, exact


def as_fmpq(value: Any) -> fmpq:
    """The value as a rational: int, Fraction, fmpz, fmpq, or a float as the dyadic rational that it is.

    Raises:
        TypeError: for anything else.
        ValueError: for NaN and infinities.
    """
    if isinstance(value, fmpq):
        return value
    if isinstance(value, fmpz):
        return fmpq(value)
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"an entry must be a number, but {value!r} came")
    if isinstance(value, np.floating) and np.isfinite(value):
        return fmpq(*value.as_integer_ratio())
    if isinstance(value, np.generic):
        value = value.item()
    fraction = exact(value)
    if not isinstance(fraction, Fraction):
        raise TypeError(
            f"an exact entry must be an int, a Fraction, a flint.fmpq or a float, but {type(value).__name__} came"
        )
    return fmpq(fraction.numerator, fraction.denominator)


def as_fraction(value: fmpq) -> Fraction:
    """The rational as a Fraction."""
    return Fraction(int(value.p), int(value.q))


class NotRational(TypeError):
    """The value would not be rational: an exponential."""


@final
class RationalBlock(Block):
    """A matrix of rationals (``flint.fmpq_mat``)."""

    __slots__ = ("_matrix",)

    def __init__(self, matrix: fmpq_mat) -> None:
        self._matrix = matrix

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """The entry, exactly: nested lists or an object array of rationals, an fmpq_mat, or a float array (dyadic)."""
        if isinstance(entry, fmpq_mat):
            return cls(fmpq_mat(entry))
        rows, columns, entries = matrix_entries(entry)
        return cls(fmpq_mat(rows, columns, [as_fmpq(value) for value in entries]))

    @property
    def entry(self) -> Entry:
        """An object array of ``flint.fmpq``, (rows, columns)."""
        array = np.empty(self.shape, dtype=object)
        array[...] = np.array(self._matrix.entries(), dtype=object).reshape(self.shape)
        return array

    @property
    def matrix(self) -> fmpq_mat:
        """The entries as python-flint holds them."""
        return self._matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self._matrix.nrows(), self._matrix.ncols()

    @property
    def T(self) -> Self:
        return type(self)(self._matrix.transpose())

    def ones(self, rows: int, columns: int) -> Self:
        return type(self)(fmpq_mat(rows, columns, [fmpq(1)] * (rows * columns)))

    def identity(self, size: int) -> Self:
        return self.fill(size, size, lambda i, j: int(i == j))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        return type(self)(
            fmpq_mat(rows, columns, [as_fmpq(function(i, j)) for i in range(rows) for j in range(columns)])
        )

    def relu(self) -> Self:
        return self._mapped(lambda value: max(value, fmpq(0)))

    def exp(self) -> Block:
        raise NotRational("exp of a rational is not rational: run this network in balls (flint.arb entries) or floats")

    def inverse(self) -> Self:
        if self.rows != self.columns:
            raise ValueError(f"only a square block has an inverse, but shape {self.shape} came")
        return type(self)(self._matrix.inv())

    def diagonal(self) -> Self:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        entries = self._matrix.entries()
        return self.fill(len(entries), len(entries), lambda i, j: entries[i] if i == j else 0)

    def _mapped(self, function: Callable[[fmpq], fmpq]) -> Self:
        return type(self)(fmpq_mat(*self.shape, [function(value) for value in self._matrix.entries()]))

    def _matmul(self, other: Self) -> Self:
        return type(self)(self._matrix * other._matrix)

    def _add(self, other: Self) -> Self:
        return type(self)(self._matrix + other._matrix)

    def _scale(self, scalar: Scalar) -> Self:
        return type(self)(self._matrix * as_fmpq(scalar))

    def _hadamard(self, other: Self) -> Self:
        products = [a * b for a, b in zip(self._matrix.entries(), other._matrix.entries(), strict=True)]
        return type(self)(fmpq_mat(*self.shape, products))

    def _beside(self, others: Sequence[Self]) -> Self:
        blocks: list[Self] = [self, *others]
        tables = [block._matrix.tolist() for block in blocks]
        entries = [value for i in range(self.rows) for table in tables for value in table[i]]
        return type(self)(fmpq_mat(self.rows, sum(block.columns for block in blocks), entries))

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        raise NotRational(
            "softmax of rationals is not rational: run this network in balls (flint.arb entries) or floats"
        )

    def _compare(self, other: Self) -> Comparison:
        pairs = zip(self._matrix.entries(), other._matrix.entries(), strict=True)
        gap, left, right = max(((abs(a - b), a, b) for a, b in pairs), key=lambda triple: triple[0])
        verdict = Verdict.EQUAL if gap == 0 else Verdict.DIFFERENT
        return Comparison(verdict, gap=as_fraction(gap), left=as_fraction(left), right=as_fraction(right))

    def __repr__(self) -> str:
        return f"RationalBlock({[[str(value) for value in row] for row in self._matrix.tolist()]})"


def matrix_entries(entry: Entry) -> tuple[int, int, list[Any]]:
    """(rows, columns, entries row by row) of nested lists or of an array with two axes.

    Raises:
        TypeError: for arrays of anything but real floats or objects, and for floats among exact entries.
        ValueError: if it is not a rectangle with two axes, or empty.
    """
    is_floats = False
    if hasattr(entry, "dtype") and hasattr(entry, "shape"):
        entry = _on_host(entry)
        is_floats, entry = entry.dtype != object, entry.tolist()
    if not isinstance(entry, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in entry):
        raise ValueError("a matrix must have two axes: pass nested lists, one per row, such as [[1, 2], [3, 4]]")
    widths = {len(row) for row in entry}
    if len(widths) > 1:
        raise ValueError(f"the rows of a matrix must be equally long, but they have lengths {sorted(widths)}")
    values = [value for row in entry for value in row]
    if not values:
        raise ValueError(f"a matrix must have rows and columns, but shape ({len(entry)}, 0) came")
    if not is_floats:
        refuse_floats(values)
    if any(isinstance(value, (list, tuple)) for value in values):
        raise ValueError("a matrix must have two axes: exact kinds have no batch dimensions; run one prompt at a time")
    return len(entry), widths.pop(), values


def refuse_floats(values: Iterable[Any]) -> None:
    """Refuses floats among exact entries, which may be meant as they are printed or as the dyadics that they are."""
    for value in values:
        if isinstance(value, float):
            raise TypeError(
                f"{value!r} is a float among exact entries: pass a NumPy array of floats for a float run, or "
                f"Fraction('{value!r}') for an exact one"
            )


def _on_host(array: Any) -> Any:
    """The array in NumPy, of floats or of objects."""
    array = array.get() if hasattr(array, "get") else array
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError("a masked array is refused: fill it, or leave out what is masked")
    array = np.asarray(array)
    if array.dtype != object and not np.issubdtype(array.dtype, np.floating):
        raise TypeError(
            f"an array of dtype {array.dtype} is refused: pass real floats, or nested lists of int or Fraction for an "
            "exact run"
        )
    return array

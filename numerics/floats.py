"""Floats: blocks over the arrays of any array-API library (NumPy, CuPy, ...), any float dtype, any batch in front.

The library, dtype and device come from the argument. A large batch is cut into pieces: on the CPU pieces that stay in
the cache, spread over the cores, on a CUDA device pieces that fit its free memory, one after another.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, final

import array_api_compat
import numpy as np

from constructions.block import Block, Entry
from constructions.comparison import Comparison
from constructions.scalars import Scalar
from numerics.device import free_bytes
from numerics.footprint import numbers_at_once

CACHE_BYTES = 2 << 20
"""How many bytes of the inputs one piece of a batch takes at most: few enough to stay in the cache from layer to layer,
many enough that the work on them outweighs the calls."""

DEVICE_SHARE = 0.5
"""The share of the free device memory that one piece of a batch may take: the rest is for the workspaces of CUDA's
libraries, and for what the memory pool cannot put together again."""


def float_array(entry: Entry) -> Any:
    """The entry, checked: an array of floats with at least two axes, all finite.

    Raises:
        TypeError: if it is no array, or its dtype is not a real float.
        ValueError: if it has fewer than two axes, or holds NaN or infinities.
    """
    if not array_api_compat.is_array_api_obj(entry):
        raise TypeError(f"an array of floats is required, but {type(entry).__name__} came")
    if isinstance(entry, np.ma.MaskedArray):
        raise TypeError("a masked array is refused: fill it, or leave out what is masked")
    xp = array_api_compat.array_namespace(entry)
    if not xp.isdtype(entry.dtype, "real floating"):
        raise TypeError(
            f"an array of dtype {entry.dtype} is refused: pass real floats (.astype(float)), or nested lists of int or "
            "Fraction for an exact run"
        )
    if entry.ndim < 2:
        raise ValueError(
            f"a matrix must have two axes (rows, columns), but shape {tuple(entry.shape)} came; add one with [:, None]"
        )
    if not bool(xp.all(xp.isfinite(entry))):
        raise ValueError("every entry must be finite, but NaN or infinity came")
    return entry


def array_format(array: Any) -> str:
    """Library, dtype and device of an array, in words."""
    library = array_api_compat.array_namespace(array).__name__.removeprefix("array_api_compat.")
    dtype = str(array.dtype).rpartition(".")[2]
    return f"{library} {dtype} on {array_api_compat.device(array)}"


def product_of(left: Any, right: Any) -> Any:
    """The matrix product of two arrays: every product of a float run is made here."""
    return left @ right


@final
class FloatBlock(Block):
    """A float matrix, or a batch of them, in an array of any library.

    A sum with a product is computed when it is read, so that what nobody reads costs nothing: the last layers' updates
    of the context, say, of which only the query's are read out.
    """

    __slots__ = ("_held", "_product")

    def __init__(self, array: Any, product: tuple[FloatBlock, FloatBlock] | None = None) -> None:
        self._held, self._product = array, product

    @property
    def _array(self) -> Any:
        """The array, with the product added to it that was still to be added."""
        if self._product is not None:
            left, right = self._product
            held, product = self._held, product_of(left._array, right._array)
            if held.shape == product.shape and held.dtype == product.dtype:
                # Nobody else holds the product, so that the sum may take its place.
                product += held
                self._held = product
            else:
                self._held = held + product
            self._product = None
        return self._held

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        return cls(float_array(entry))

    @classmethod
    def in_batches(cls, function: Callable[..., Entry], *entries: Entry) -> Entry:
        """``function`` on pieces of the batch, put together again: see the top of this module.

        Only NumPy and CuPy arrays that all have the same batch dimensions are cut.

        Args:
            function: takes entries of any kind; of blocks without numbers it is asked what it takes in memory.
            entries: its arguments.

        Raises:
            OverflowError: if the result is not finite.
        """
        return _finite(cls._in_pieces(function, *entries))

    @classmethod
    def _in_pieces(cls, function: Callable[..., Entry], *entries: Entry) -> Entry:
        batches = {tuple(entry.shape[:-2]) for entry in entries if hasattr(entry, "shape")}
        batch = next(iter(batches), ())
        if len(batches) != 1 or not batch or batch[0] <= 1:
            return function(*entries)
        if all(array_api_compat.is_numpy_array(entry) for entry in entries):
            cores = os.cpu_count() or 1
            pieces = _pieces(entries, _count_in_cache(sum(entry.nbytes for entry in entries), cores))
            if len(pieces) == 1:
                return function(*entries)
            with ThreadPoolExecutor(max_workers=cores) as pool:
                return _together(list(pool.map(lambda piece: function(*piece), pieces)))
        if all(array_api_compat.is_cupy_array(entry) for entry in entries):
            first = entries[0]
            each = numbers_at_once(function, *entries) * math.prod(batch[1:]) * first.dtype.itemsize
            pieces = _pieces(entries, count_in_memory(batch[0], each, free_bytes(first)))
            return _together([function(*piece) for piece in pieces])
        return function(*entries)

    @property
    def xp(self) -> Any:
        """The array's namespace."""
        return array_api_compat.array_namespace(self._array)

    @property
    def entry(self) -> Entry:
        return self._array

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self._held.shape[-2:]
        return rows, columns

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self._array.shape[:-2])

    @property
    def number_format(self) -> str:
        return array_format(self._array)

    @property
    def T(self) -> Self:
        array = self._array
        return type(self)(array.mT if hasattr(array, "mT") else self.xp.matrix_transpose(array))

    def ones(self, rows: int, columns: int) -> Self:
        return type(self)(
            self.xp.ones((rows, columns), dtype=self._array.dtype, device=array_api_compat.device(self._array))
        )

    def identity(self, size: int) -> Self:
        return type(self)(self.xp.eye(size, dtype=self._array.dtype, device=array_api_compat.device(self._array)))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        table = [[float(function(i, j)) for j in range(columns)] for i in range(rows)]
        device = array_api_compat.device(self._array)
        return type(self)(
            self.xp.reshape(self.xp.asarray(table, dtype=self._array.dtype, device=device), (rows, columns))
        )

    def relu(self) -> Self:
        return type(self)(self.xp.where(self._array > 0, self._array, self.xp.zeros_like(self._array)))

    def exp(self) -> Self:
        return type(self)(self.xp.exp(self._array))

    def inverse(self) -> Self:
        if self.rows != self.columns:
            raise ValueError(f"only a square block has an inverse, but shape {self.shape} came")
        try:
            return type(self)(self.xp.linalg.inv(self._array))
        except np.linalg.LinAlgError as error:
            raise ZeroDivisionError(
                f"a block of shape {self.shape} is singular: its elimination met a zero pivot"
            ) from error

    def diagonal(self) -> Self:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        row = self._array if self.rows == 1 else self.xp.matrix_transpose(self._array)
        return type(self)(self.identity(row.shape[-1])._array * row)

    def _matmul(self, other: Self) -> Self:
        return type(self)(product_of(self._array, other._array))

    def _add(self, other: Self) -> Self:
        return type(self)(self._array + other._array)

    def _scale(self, scalar: Scalar) -> Self:
        return type(self)(self._array * float(scalar))

    def plus_product(self, left: Block, right: Block) -> Block:
        if not (isinstance(left, FloatBlock) and isinstance(right, FloatBlock)) or (
            (left.columns, left.rows, right.columns) != (right.rows, *self.shape)
        ):
            return super().plus_product(left, right)
        # At most one product waits in each block, so that what they hold does not pile up from layer to layer.
        return type(self)(self._array, (left, right))

    def __neg__(self) -> Block:
        return type(self)(-self._array)

    def __sub__(self, other: Block) -> Block:
        if not isinstance(other, FloatBlock) or other.shape != self.shape:
            return super().__sub__(other)
        return type(self)(self._array - other._array)

    def _hadamard(self, other: Self) -> Self:
        return type(self)(self._array * other._array)

    def _beside(self, others: Sequence[Self]) -> Self:
        blocks: list[Self] = [self, *others]
        return type(self)(joined(self.xp, [block._array for block in blocks]))

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        arrays = float_softmax(
            self.xp,
            [block._array for block in blocks],
            [None if pattern is None else pattern.entry for pattern in patterns],
        )
        return tuple(type(self)(array) for array in arrays)

    def _compare(self, other: Self) -> Comparison:
        raise TypeError(
            "plain floats cannot decide an equality: run the check in numerics.rounding.RoundedBlock (floats with a "
            "radius) or in rationals"
        )

    def __repr__(self) -> str:
        return f"FloatBlock({self._array!r})"


def count_in_memory(prompts: int, bytes_each: int, free: int) -> int:
    """Into how many pieces so many prompts are cut: a piece takes at most its share of the memory, or is one prompt."""
    fitting = max(1, int(free * DEVICE_SHARE) // max(1, bytes_each))
    return math.ceil(prompts / fitting)


def _count_in_cache(input_bytes: int, cores: int) -> int:
    """One, or a multiple of the number of cores."""
    fitting = math.ceil(input_bytes / CACHE_BYTES)
    return 1 if fitting <= 1 else cores * math.ceil(fitting / cores)


def _pieces(entries: Sequence[Any], count: int) -> list[list[Any]]:
    """The entries cut along the batch into so many pieces, as equal as can be; no more than there are prompts."""
    length = entries[0].shape[0]
    count = min(count, length)
    bounds = [length * i // count for i in range(count + 1)]
    return [[entry[i:j] for entry in entries] for i, j in itertools.pairwise(bounds)]


def _together(results: Sequence[Any]) -> Any:
    return results[0] if len(results) == 1 else array_api_compat.array_namespace(*results).concat(results, axis=0)


def _finite(result: Any) -> Any:
    """The result, if it is finite."""
    if array_api_compat.is_array_api_obj(result):
        xp = array_api_compat.array_namespace(result)
        if not bool(xp.all(xp.isfinite(result))):
            raise OverflowError(
                f"the run leaves the range of {result.dtype}: scale the inputs or the step sizes down, or run in balls "
                "or rationals"
            )
    return result


def joined(xp: Any, arrays: Sequence[Any]) -> Any:
    """The arrays side by side, their batch dimensions broadcast."""
    batch: tuple[int, ...] = ()
    for array in arrays:
        batch = _broadcast(batch, tuple(array.shape[:-2]))
    return xp.concat([xp.broadcast_to(array, (*batch, *array.shape[-2:])) for array in arrays], axis=-1)


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    longest = max(len(a), len(b))
    a, b = (1,) * (longest - len(a)) + a, (1,) * (longest - len(b)) + b
    if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=True)):
        raise ValueError(f"batch dimensions {a} and {b} do not fit each other")
    return tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))


def float_softmax(xp: Any, scores: Sequence[Any], patterns: Sequence[Any | None]) -> list[Any]:
    """exp(scores) over the column sums of all of them, shifted by the largest score of each column."""
    largest = None
    for score, pattern in zip(scores, patterns, strict=True):
        allowed = score if pattern is None else xp.where(pattern > 0, score, xp.full_like(score, -xp.inf))
        top = xp.max(allowed, axis=-2, keepdims=True)
        largest = top if largest is None else xp.maximum(largest, top)
    raised = [
        xp.exp(score - largest)
        if pattern is None
        else xp.exp(xp.where(pattern > 0, score - largest, xp.full_like(score, -xp.inf)))
        for score, pattern in zip(scores, patterns, strict=True)
    ]
    total = sum(xp.sum(array, axis=-2, keepdims=True) for array in raised)
    return [array / total for array in raised]

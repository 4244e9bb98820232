"""Blocks: matrices in one kind of number, and the algebra that a forward pass needs.

A transformer's forward pass is written once, over blocks. The kind of number decides what it means: symbols of
unspecified size give a proof, rationals an exact run, balls and floats with a radius an enclosure, floats speed.

Laws, tested for every kind: the ring laws, ``(A @ B).T == B.T @ A.T``, ``relu(A) - relu(-A) == A``, columns of softmax
sum to one, ``Zero`` is absorbing for ``@`` and neutral for ``+``.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self, cast, final

from constructions.comparison import Comparison, Verdict
from constructions.functions import FeatureMap as FeatureMap
from constructions.functions import Kernel as Kernel
from constructions.scalars import Scalar, exact, is_one, is_zero

Size = Any
"""A number of rows or columns: an int, or a symbolic expression in the symbolic kind."""

Entry = Any
"""What a user passes and gets back: a NumPy or CuPy array, nested lists of rationals, a SymPy matrix, ..."""


class Block(ABC):
    """A matrix of shape (rows, columns), possibly a batch of them, in one kind of number.

    The public operations check shapes and kinds and deal with ``Zero``; a kind of number implements the underscored
    ones, which may rely on operands of their own class and of fitting shapes.
    """

    __slots__ = ()

    is_zero: ClassVar[bool] = False  # True of ``Zero`` alone: known to be zero, whatever its entries

    __array_ufunc__ = None  # NumPy leaves an operation of an array and a block to the block, which refuses it

    # What every kind of number provides.

    @classmethod
    @abstractmethod
    def lift(cls, entry: Entry) -> Self:
        """The entry as a block of this kind; TypeError if the kind cannot hold it."""

    @property
    @abstractmethod
    def entry(self) -> Entry:
        """The block in the form in which users hold it."""

    @property
    @abstractmethod
    def shape(self) -> tuple[Size, Size]:
        """(rows, columns), without the batch."""

    @property
    @abstractmethod
    def T(self) -> Self:
        """The transpose."""

    @abstractmethod
    def ones(self, rows: Size, columns: Size) -> Self:
        """A block of ones of this block's kind (dtype, device, precision)."""

    @abstractmethod
    def identity(self, size: Size) -> Self:
        """An identity of this block's kind (dtype, device, precision)."""

    @abstractmethod
    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        """The block with the exact scalar ``function(i, j)`` in row i and column j; concrete sizes only."""

    @abstractmethod
    def relu(self) -> Block:
        """max(0, entry), entry by entry."""

    @abstractmethod
    def exp(self) -> Block:
        """The exponential, entry by entry. TypeError in kinds that cannot hold it (rationals)."""

    @abstractmethod
    def inverse(self) -> Block:
        """The matrix inverse of a square block. ZeroDivisionError if it is singular."""

    @abstractmethod
    def diagonal(self) -> Block:
        """The diagonal matrix (n, n) with the entries of this row (1, n) or column (n, 1)."""

    @abstractmethod
    def _matmul(self, other: Self) -> Block: ...

    @abstractmethod
    def _add(self, other: Self) -> Block: ...

    @abstractmethod
    def _scale(self, scalar: Scalar) -> Block: ...

    @abstractmethod
    def _hadamard(self, other: Self) -> Block: ...

    @abstractmethod
    def _beside(self, others: Sequence[Self]) -> Block: ...

    @abstractmethod
    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]: ...

    @abstractmethod
    def _compare(self, other: Self) -> Comparison: ...

    @classmethod
    def in_batches(cls, function: Callable[..., Entry], *entries: Entry) -> Entry:
        """``function(*entries)``, cut into pieces along the batch where that is faster; see the kinds of float."""
        return function(*entries)

    @classmethod
    def lift_scalar(cls, value: Any) -> Scalar:
        """The value as an exact scalar of this kind; the symbolic kind turns an unspecified one into a symbol."""
        return exact(value)

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch dimensions in front of (rows, columns)."""
        return ()

    @property
    def number_format(self) -> str:
        """The kind of number in full (library, dtype and device of an array): what must agree throughout a run."""
        return type(self).__name__

    def known_size(self, size: Size) -> Size:
        """One of this block's sizes as a construction may see it; the symbolic kind hides its value."""
        return size

    def restarted(self) -> Block:
        """The block as fresh exact data: without its radius, where it has one."""
        return self

    def given(
        self, name: str, rows: Size, columns: Size, function: Callable[[int, int], Scalar], *, opaque: Any = None
    ) -> Block:
        """A named matrix of exact entries ``function(i, j)``; ``opaque`` tells it from others if these have no form."""
        return self.fill(rows, columns, function)

    def kernel(self, queries: Block, kernel: Kernel) -> Block:
        """The Gram block kappa(keys, queries), (n, q), of these keys (r, n) and the queries (r, q)."""
        if kernel.function is None:
            raise TypeError(f"the kernel {kernel.name!r} is arbitrary: give it a function of blocks to run on numbers")
        return kernel.function(self, queries)

    def features(self, features: FeatureMap) -> Block:
        """The features of every column, (p, n)."""
        if features.function is None:
            raise TypeError(f"the map {features.name!r} is arbitrary: give it a function of blocks to run on numbers")
        image = features.function(self)
        if image.columns != self.columns:
            raise ValueError(
                f"the map {features.name!r} must keep the {self.columns} columns, but shape {image.shape} came"
            )
        return image

    # The algebra.

    @property
    def rows(self) -> Size:
        return self.shape[0]

    @property
    def columns(self) -> Size:
        return self.shape[1]

    def zeros(self, rows: Size, columns: Size) -> Block:
        """A block of explicit zeros of this block's kind."""
        return self.ones(rows, columns)._scale(exact(0))

    def __matmul__(self, other: Block) -> Block:
        if not (type(other) is type(self) or isinstance(other, Block)):
            return NotImplemented
        if self.columns != other.rows:
            raise ValueError(f"cannot multiply shapes {self.shape} and {other.shape}: {self.columns} != {other.rows}")
        if self.is_zero or other.is_zero:
            return Zero(self.rows, other.columns)
        return self._matmul(self._same_kind(other))

    def __add__(self, other: Block) -> Block:
        if not (type(other) is type(self) or isinstance(other, Block)):
            return NotImplemented
        self._same_shape(other, "add")
        if self.is_zero or other.is_zero:
            return self if other.is_zero else other
        return self._add(self._same_kind(other))

    def plus_product(self, left: Block, right: Block) -> Block:
        """self + left @ right; a kind may save the memory of the product."""
        return self + left @ right

    def __neg__(self) -> Block:
        return self.scale(-1)

    def __sub__(self, other: Block) -> Block:
        return self + (-other)

    def scale(self, scalar: Scalar) -> Block:
        """scalar * self, for an exact scalar; one costs nothing and zero gives ``Zero``."""
        scalar = exact(scalar)
        if is_zero(scalar):
            return Zero(*self.shape)
        if is_one(scalar) or self.is_zero:
            return self
        return self._scale(scalar)

    def hadamard(self, other: Block) -> Block:
        """The entrywise product."""
        self._same_shape(other, "multiply entrywise")
        if self.is_zero or other.is_zero:
            return Zero(*self.shape)
        return self._hadamard(self._same_kind(other))

    def square(self) -> Block:
        """The square of every entry."""
        return self.hadamard(self)

    def beside(self, *others: Block) -> Block:
        """[self, other, ...]: the blocks side by side; one without columns adds nothing."""
        for other in others:
            if other.rows != self.rows:
                raise ValueError(f"cannot put shapes {self.shape} and {other.shape} side by side: rows differ")
        blocks = [block for block in (self, *others) if not is_zero(block.columns)] or [self]
        if (like := next((block for block in blocks if not block.is_zero), None)) is None:
            return Zero(self.rows, sum(block.columns for block in blocks))
        first, *rest = [like._same_kind(materialised(block, like)) for block in blocks]
        return cast(Block, first._beside(rest) if rest else first)

    def above(self, *others: Block) -> Block:
        """[self; other; ...]: the blocks one above the other."""
        return self.T.beside(*(other.T for other in others)).T

    def _same_kind(self, other: Block) -> Any:
        if type(self) is not type(other):
            raise TypeError(
                f"kinds of number do not mix: {type(self).__name__} with {type(other).__name__}; "
                "lift every input into the same kind"
            )
        return other

    def _same_shape(self, other: Block, verb: str) -> None:
        if self.shape != other.shape:
            raise ValueError(f"cannot {verb} shapes {self.shape} and {other.shape}: they must be equal")


@final
class Zero(Block):
    """The zero block of any kind: it has a shape and nothing else, so it is never stored and never multiplied."""

    __slots__ = ("_shape",)

    is_zero: ClassVar[bool] = True

    def __init__(self, rows: Size, columns: Size) -> None:
        self._shape = (rows, columns)

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        raise TypeError("an entry is never lifted into Zero; leave the block out of the stream or the weight instead")

    @property
    def entry(self) -> Entry:
        raise TypeError(f"a zero block of shape {self.shape} has no kind of number; use materialised(block, like)")

    @property
    def shape(self) -> tuple[Size, Size]:
        return self._shape

    @property
    def T(self) -> Zero:
        return Zero(self.columns, self.rows)

    def _kindless(self, *_: Any) -> Any:
        raise TypeError("a zero block has no kind of number to make ones of")

    ones: Any = _kindless
    identity: Any = _kindless
    fill: Any = _kindless

    def relu(self) -> Block:
        return self

    def exp(self) -> Block:
        raise TypeError("exp of a zero block is a block of ones, which needs a kind: use materialised(block, like)")

    def features(self, features: FeatureMap) -> Block:
        raise TypeError("a zero block has no kind of number to take features in: use materialised(block, like)")

    def inverse(self) -> Block:
        raise ZeroDivisionError(f"a zero block of shape {self.shape} has no inverse")

    def diagonal(self) -> Block:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        size = self.columns if self.rows == 1 else self.rows
        return Zero(size, size)

    def __repr__(self) -> str:
        return f"Zero({self.rows}, {self.columns})"

    def _unreachable(self, *_: Any) -> Any:
        raise AssertionError("the public operations of Block deal with Zero before any kind of number is asked")

    _matmul: Any = _unreachable
    _add: Any = _unreachable
    _scale: Any = _unreachable
    _hadamard: Any = _unreachable
    _beside: Any = _unreachable
    _softmax: Any = _unreachable
    _compare: Any = _unreachable


def materialised(block: Block, like: Block) -> Block:
    """The block itself, or explicit zeros of the kind of ``like`` if it is ``Zero``."""
    return like.zeros(*block.shape) if isinstance(block, Zero) else block


def softmax(
    scores: Sequence[Block], patterns: Sequence[Block | None] | None = None, like: Block | None = None
) -> tuple[Block, ...]:
    """exp(scores), each column divided by its sum over the rows of all the blocks together.

    Args:
        scores: one block (keys of a group, queries) per key group, with equal columns; ``Zero`` scores count as zeros.
        patterns: for each block None, or a 0/1 block of its shape: where it is 0 the key is not attended to.
        like: any block of the kind, needed only if all scores are ``Zero``.
    """
    patterns = patterns if patterns is not None else [None] * len(scores)
    like = next((score for score in scores if not isinstance(score, Zero)), like)
    if like is None:
        raise TypeError("all scores are zero blocks, so the kind of number is unknown: pass like=")
    first, *rest = (like._same_kind(materialised(score, like)) for score in scores)
    return first._softmax(rest, patterns)


def compare(left: Block, right: Block) -> Comparison:
    """Holds one block against another in their kind of number."""
    left._same_shape(right, "compare")
    if isinstance(left, Zero) and isinstance(right, Zero):
        return Comparison(Verdict.EQUAL, gap=0)
    like = right if isinstance(left, Zero) else left
    return materialised(left, like)._compare(like._same_kind(materialised(right, like)))


_KINDS = {
    "int": "numerics.rationals.RationalBlock",
    "Fraction": "numerics.rationals.RationalBlock",
    "fmpz": "numerics.rationals.RationalBlock",
    "fmpq": "numerics.rationals.RationalBlock",
    "fmpq_mat": "numerics.rationals.RationalBlock",
    "arb": "numerics.balls.BallBlock",
    "arb_mat": "numerics.balls.BallBlock",
    "Rounded": "numerics.rounding.RoundedBlock",
    "Unspecified": "proofs.symbols.SymbolBlock",
}
"""Where a kind of number lives, by the type of its scalars; SymPy and array libraries are told by what they are."""


def kind_of(entry: Entry) -> type[Block]:
    """The kind of number that holds the entry, imported only now: the one upward glance of this package.

    An array (NumPy, CuPy, or any library of the array API) is held as floats, an object array or a nested list by the
    type of its first scalar (int, Fraction, fmpq: rationals; arb: balls), a SymPy matrix as explicit symbols if its
    size is known and as symbols of unspecified size otherwise.

    Raises:
        TypeError: if no kind holds the entry.
    """
    if isinstance(entry, Block):
        return type(entry)
    scalar = entry
    while isinstance(scalar, (list, tuple)) and scalar:
        scalar = scalar[0]
    if str(getattr(scalar, "dtype", "")) == "object" and getattr(scalar, "size", None):
        scalar = scalar.flat[0]
    cls: type = type(scalar)
    known = [_KINDS[base.__name__] for base in cls.__mro__ if base.__name__ in _KINDS and cls is not bool]
    if known:
        path = known[0]
    elif cls.__module__.startswith("sympy."):
        # An immutable matrix is a matrix expression as well; one of entries is a MatrixBase, whichever else it is.
        is_explicit = any(base.__name__ == "MatrixBase" for base in cls.__mro__) or not hasattr(scalar, "as_explicit")
        path = "proofs.explicit.ExplicitBlock" if is_explicit else "proofs.symbols.SymbolBlock"
    elif hasattr(scalar, "shape") and hasattr(scalar, "dtype"):
        path = "numerics.floats.FloatBlock"
    else:
        raise TypeError(
            f"no kind of number holds a {cls.__module__}.{cls.__qualname__}: pass a NumPy or CuPy array of floats, "
            "nested lists of int or Fraction (exact), an object array of flint.fmpq or flint.arb, or a SymPy matrix"
        )
    module, _, name = path.rpartition(".")
    return cast(type[Block], getattr(importlib.import_module(module), name))

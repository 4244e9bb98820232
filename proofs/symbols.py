"""Symbols of unspecified size: the kind of number in which a run of the forward pass is a proof for all sizes.

A block is its normal form (see ``proofs.words``), which decides equality, together with the formula as it was written,
which is printed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import reduce
from typing import Any, Self, final

import sympy

from constructions.block import Block, Entry, FeatureMap, Kernel, Size
from constructions.comparison import Comparison, Verdict
from constructions.parameters import Unspecified
from constructions.scalars import Scalar, exact
from proofs import word_operations, words
from proofs.formula import Formula, sum_written
from proofs.letters import COLUMN, ROW, Letter
from proofs.unknown import Unknown, comparisons_answered
from proofs.words import Sum


def size_of(name: str | int | None) -> Size:
    """A size by its name: a positive integer symbol, or the int itself."""
    return name if isinstance(name, int) else sympy.Symbol(str(name), integer=True, positive=True)


def size_in(size: Size) -> Size:
    """A size as words hold it: an int, or the SymPy expression of an unknown one."""
    return size.symbol if isinstance(size, Unknown) else size


def layer_index(name: str = "l") -> Unknown:
    """A symbolic layer index, or a symbolic number of layers."""
    return Unknown(sympy.Symbol(name, integer=True, nonnegative=True))


@final
class SymbolBlock(Block):
    """A matrix expression whose sizes are symbols."""

    __slots__ = ("formula", "normal_form")

    def __init__(self, normal_form: Sum, formula: Formula) -> None:
        self.normal_form = normal_form
        self.formula = formula

    @classmethod
    def letter(
        cls, name: str, rows: Size, columns: Size, index: Any = None, origin: str = "data", entries: Any = None
    ) -> Self:
        """A letter of that shape; letters of different origins or entries are different, whatever their names."""
        named = Letter(name, size_in(rows), size_in(columns), index, origin, entries)
        return cls(words.letter_sum(named), Formula("letter", label=(name, index)))

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """An unspecified entry or a SymPy MatrixSymbol as a letter; products and sums of MatrixSymbols as words."""
        if isinstance(entry, Unspecified):
            if entry.rows is None:
                raise TypeError(f"{entry.symbol} is a scalar where a matrix is required")
            index = None if entry.index is None else sympy.sympify(entry.index)
            return cls.letter(entry.symbol, size_of(entry.rows), size_of(entry.columns), index)
        if isinstance(entry, sympy.MatrixSymbol):
            return cls.letter(entry.name, *map(_size, entry.shape))
        if isinstance(entry, sympy.matrices.expressions.matexpr.MatrixExpr):
            return cls._lift_expression(entry)
        raise TypeError(
            f"a matrix of unspecified size is a sympy.MatrixSymbol (or a sum, product, transpose or inverse of some), "
            f"but {type(entry).__name__} came"
        )

    @classmethod
    def _lift_expression(cls, entry: Any) -> Self:
        rows, columns = map(_size, entry.shape)
        if isinstance(entry, sympy.Identity):
            return cls(words.identity(rows), Formula("letter", label=("I", None)))
        if isinstance(entry, sympy.ZeroMatrix):
            return cls(words.zero(rows, columns), Formula("letter", label=("0", None)))
        if isinstance(entry, sympy.OneMatrix):
            return cls(words.ones(rows, columns), Formula("letter", label=("ones", None)))
        operands: list[Any] = [cls.lift(part) for part in entry.args if getattr(part, "is_Matrix", False)]
        if isinstance(entry, sympy.Transpose):
            return operands[0].T
        if isinstance(entry, sympy.Inverse):
            return operands[0].inverse()
        if isinstance(entry, sympy.MatPow) and entry.exp.is_Integer:
            factor = operands[0] if entry.exp > 0 else operands[0].inverse()
            return reduce(operator.matmul, [factor] * abs(int(entry.exp)))
        if isinstance(entry, sympy.MatMul):
            return reduce(operator.matmul, operands).scale(entry.as_coeff_mmul()[0])
        if isinstance(entry, sympy.MatAdd):
            return reduce(operator.add, operands)
        if isinstance(entry, sympy.HadamardProduct):
            return reduce(lambda a, b: a.hadamard(b), operands)
        raise TypeError(
            f"a {type(entry).__name__} has no normal form here; pass sums, products, integer powers, transposes and "
            "inverses"
        )

    @classmethod
    def lift_scalar(cls, value: Any) -> Scalar:
        """An unspecified scalar as a real symbol (or one of a family eta_l), anything else as it is."""
        if not isinstance(value, Unspecified):
            return exact(value)
        if value.counts_layers:
            return layer_index(value.symbol)
        known = {"real": True, "nonzero": True} if value.has_inverse else {"real": True}
        if value.index is not None:
            return Unknown(sympy.IndexedBase(value.symbol, **known)[sympy.sympify(value.index)])
        return Unknown(sympy.Symbol(value.symbol, **known))

    @property
    def entry(self) -> Entry:
        """The block itself: symbols have no other form in which users hold them."""
        return self

    @property
    def shape(self) -> tuple[Size, Size]:
        return self.normal_form.rows, self.normal_form.columns

    @property
    def T(self) -> Self:
        inner = self.formula
        written = inner.operands[0] if inner.operation == "T" else Formula("T", (inner,))
        return type(self)(self.normal_form.T, written)

    def known_size(self, size: Size) -> Size:
        """A size that cannot be compared: a proof is for all sizes."""
        return size if isinstance(size, int) else Unknown(size)

    def ones(self, rows: Size, columns: Size) -> Self:
        return type(self)(words.ones(size_in(rows), size_in(columns)), Formula("letter", label=("ones", None)))

    def identity(self, size: Size) -> Self:
        return type(self)(words.identity(size_in(size)), Formula("letter", label=("I", None)))

    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        raise TypeError("a matrix given entry by entry needs concrete sizes; the symbolic kind has none")

    def given(
        self, name: str, rows: Size, columns: Size, function: Callable[[int, int], Scalar], *, opaque: Any = None
    ) -> Block:
        """The letter of that name, with its entry in row i and column j for all i and j.

        Raises:
            TypeError: for a function that compares indices: its entries have no one form. Unless it is opaque: then
                nothing is known of the matrix but what tells it from others, strings and the very objects in a tuple.
        """
        i, j = (0 if size_in(size) == 1 else Unknown(index) for size, index in ((rows, ROW), (columns, COLUMN)))
        try:
            # What compares its indices is opaque, if it may be; nothing else may compare.
            with nullcontext() if opaque is None else comparisons_answered():
                entry = function(i, j)  # type: ignore[arg-type]  # in a proof an index is unknown
        except TypeError as error:
            if opaque is not None:
                told = ", ".join(part if isinstance(part, str) else str(id(part)) for part in opaque)
                named = Letter(name, size_in(rows), size_in(columns), None, f"opaque, {told}", rule=opaque)
                return type(self)(words.letter_sum(named), Formula("letter", label=(name, None)))
            raise TypeError(
                f"the entries of {name!r} must have one form for all indices: write one_if_equal(i, j) for "
                f"int(i == j). {error}"
            ) from error
        return self.letter(name, rows, columns, origin="entries", entries=words.exact_coefficient(entry))

    def relu(self) -> Self:
        return self._applied("relu")

    def exp(self) -> Self:
        return self._applied("exp")

    def inverse(self) -> Self:
        if self.rows != self.columns:
            raise ValueError(f"only a square block has an inverse, but shape {self.shape} came")
        return type(self)(word_operations.inverse(self.normal_form), Formula("inverse", (self.formula,)))

    def diagonal(self) -> Self:
        if 1 not in self.shape:
            raise ValueError(f"only a row or a column has a diagonal matrix, but shape {self.shape} came")
        return type(self)(word_operations.diagonal(self.normal_form), Formula("diag", (self.formula,)))

    def kernel(self, queries: Block, kernel: Kernel) -> Block:
        if kernel.function is not None:
            return super().kernel(queries, kernel)
        other = self._same_kind(queries)
        gram = word_operations.kernel(kernel.name, self.normal_form, other.normal_form, kernel.symmetric)
        return type(self)(gram, Formula("kernel", (self.formula, other.formula), kernel.name))

    def features(self, features: FeatureMap) -> Block:
        if features.function is not None:
            return super().features(features)
        image = word_operations.features(features.name, size_of(features.rows), self.normal_form)
        return type(self)(image, Formula("features", (self.formula,), features.name))

    def restated(self, formula: Formula) -> Self:
        """The same block, written differently."""
        return type(self)(self.normal_form, formula)

    def _applied(self, function: str) -> Self:
        return type(self)(word_operations.entrywise(function, self.normal_form), Formula(function, (self.formula,)))

    def _matmul(self, other: Self) -> Self:
        formula = Formula("@", (*_operands("@", self.formula), *_operands("@", other.formula)))
        return type(self)(self.normal_form @ other.normal_form, formula)

    def _add(self, other: Self) -> Self:
        formula = Formula("+", (*_operands("+", self.formula), *_operands("+", other.formula)))
        return type(self)(self.normal_form + other.normal_form, formula)

    def _scale(self, scalar: Scalar) -> Self:
        inner, scalar = self.formula, words.exact_coefficient(scalar)
        factor = scalar
        if inner.operation == "scale":
            inner, factor = inner.operands[0], factor * inner.label
        formula = inner if factor == 1 else Formula("scale", (inner,), factor)
        return type(self)(self.normal_form.scale(scalar), formula)

    def _hadamard(self, other: Self) -> Self:
        return type(self)(
            word_operations.hadamard(self.normal_form, other.normal_form),
            Formula("hadamard", (self.formula, other.formula)),
        )

    def _beside(self, others: Sequence[Self]) -> Self:
        blocks: list[Self] = [self, *others]
        return type(self)(
            word_operations.beside([block.normal_form for block in blocks]),
            Formula("beside", tuple(block.formula for block in blocks)),
        )

    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        raised: list[Any] = [block.exp() for block in blocks]
        kept = [
            block if pattern is None else block.hadamard(pattern)
            for block, pattern in zip(raised, patterns, strict=True)
        ]
        total = kept[0].ones(1, kept[0].rows) @ kept[0]
        for block in kept[1:]:
            total = total + block.ones(1, block.rows) @ block
        reciprocal = total._applied("reciprocal").diagonal()
        return tuple(block @ reciprocal for block in kept)

    def _compare(self, other: Self) -> Comparison:
        equal = (self.normal_form - other.normal_form).is_zero
        return Comparison(Verdict.EQUAL if equal else Verdict.UNDECIDED, left=self, right=other)

    def __str__(self) -> str:
        return sum_written(self.normal_form)

    def _repr_latex_(self) -> str:
        return f"${sum_written(self.normal_form, 'latex')}$"

    def __repr__(self) -> str:
        return f"SymbolBlock({self.shape[0]} x {self.shape[1]}: {self})"


def _size(size: Any) -> Size:
    return int(size) if sympy.sympify(size).is_Integer else size


def _operands(operation: str, formula: Formula) -> tuple[Formula, ...]:
    return formula.operands if formula.operation == operation else (formula,)

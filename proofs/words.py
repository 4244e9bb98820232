"""The normal form: sums of scalar x word, for matrices of unspecified size.

A word is a product of factors, and a factor is a letter, perhaps transposed, perhaps inverted. Letters are named
matrices, columns of ones, diagonal matrices, entrywise functions, kernels and entrywise products. A product is brought
to normal form by expanding sums, cancelling inverses, and splitting the word wherever an inner size is 1: the pieces
that are 1 x 1 commute and equal their transposes, so they are moved in front. Coefficients are SymPy expressions.

Equal normal forms prove equality. Different ones refute nothing: exact instances do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import sympy

from proofs.letters import AnyLetter, Compound, Diagonal, Factor, Ones, Size, Word, transposed, word_key

Coefficient: TypeAlias = Any


class Monomial(NamedTuple):
    """A product of 1 x 1 words, which commute, and one word; the empty word is the identity."""

    scalars: tuple[Word, ...]
    word: Word

    @property
    def key(self) -> Any:
        return word_key(self.word), tuple(word_key(scalar) for scalar in self.scalars)


IDENTITY = Monomial((), ())


def exact_coefficient(value: Any) -> Coefficient:
    """The number as a SymPy expression, in which a float is the dyadic rational that it is.

    Raises:
        TypeError: for what is neither a rational nor a SymPy expression.
        ValueError: for infinities, NaN and the imaginary unit.
    """
    expression = None if isinstance(value, (str, bool)) else sympy.sympify(value)
    if not isinstance(expression, sympy.Expr) or (expression.has(sympy.Float) and not isinstance(value, sympy.Expr)):
        came = type(value).__name__
        raise TypeError(f"a symbolic number must be an int, a Fraction or a SymPy expression, but {came} came")
    if expression.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan, sympy.I):
        raise ValueError(f"a symbolic number must be real and finite, but {expression} came")
    return expression.replace(lambda part: part.is_Float, sympy.Rational)


@lru_cache(maxsize=1 << 14)
def tidy(coefficient: Coefficient) -> Coefficient:
    """The coefficient in a form in which equal rational functions are the same object."""
    if coefficient.is_Number:
        return coefficient
    return sympy.cancel(sympy.expand(coefficient, power_exp=True))


class Sum:
    """A linear combination of monomials, all of one shape. Immutable."""

    __slots__ = ("__dict__", "columns", "rows", "terms")

    def __init__(self, rows: Size, columns: Size, terms: Mapping[Monomial, Coefficient]) -> None:
        self.rows = rows
        self.columns = columns
        self.terms = {monomial: c for monomial, c in terms.items() if c != 0}

    @cached_property
    def key(self) -> str:
        """A text that is the same exactly for equal normal forms."""
        return f"{self.rows}x{self.columns}: " + " + ".join(
            f"{c}*{monomial.key}" for monomial, c in self.sorted_terms()
        )

    def sorted_terms(self) -> list[tuple[Monomial, Coefficient]]:
        """The terms in the order in which they are printed."""
        return sorted(self.terms.items(), key=lambda item: item[0].key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        # Equal texts alone would not do: two symbols, or two letters of different sizes, may have the same name.
        return isinstance(other, Sum) and self.key == other.key and self._held == other._held

    @property
    def _held(self) -> tuple[Size, Size, Mapping[Monomial, Coefficient]]:
        return self.rows, self.columns, self.terms

    @property
    def is_zero(self) -> bool:
        return not self.terms

    @cached_property
    def T(self) -> Sum:
        terms = [(_arranged(transposed(m.word), self.columns, self.rows), m.scalars, c) for m, c in self.terms.items()]
        return _collected(self.columns, self.rows, terms)

    def __add__(self, other: Sum) -> Sum:
        terms = dict(self.terms)
        for monomial, c in other.terms.items():
            terms[monomial] = tidy(terms[monomial] + c) if monomial in terms else c
        return Sum(self.rows, self.columns, terms)

    def scale(self, scalar: Coefficient) -> Sum:
        """scalar * self."""
        scalar = sympy.sympify(scalar)
        return Sum(self.rows, self.columns, {monomial: tidy(c * scalar) for monomial, c in self.terms.items()})

    def __neg__(self) -> Sum:
        return self.scale(-1)

    def __sub__(self, other: Sum) -> Sum:
        return self + (-other)

    def __matmul__(self, other: Sum) -> Sum:
        products = [
            (_arranged(a.word + b.word, self.rows, other.columns), a.scalars + b.scalars, c * e)
            for a, c in self.terms.items()
            for b, e in other.terms.items()
        ]
        return _collected(self.rows, other.columns, products)

    def __repr__(self) -> str:
        return f"Sum({self.key})"


def _collected(
    rows: Size,
    columns: Size,
    products: Iterable[tuple[tuple[Coefficient, tuple[Word, ...], Word], tuple[Word, ...], Coefficient]],
) -> Sum:
    terms: dict[Monomial, Coefficient] = {}
    for (factor, found, word), scalars, coefficient in products:
        monomial = Monomial(_without_inverse_pairs(scalars + found), word)
        value = coefficient * factor
        terms[monomial] = terms[monomial] + value if monomial in terms else value
    return Sum(rows, columns, {monomial: tidy(c) for monomial, c in terms.items()})


def _without_inverse_pairs(scalars: tuple[Word, ...]) -> tuple[Word, ...]:
    """The 1 x 1 words in order, a word and its inverse cancelled."""
    kept: list[Word] = []
    for word in scalars:
        opposite = reciprocal(word)
        if opposite in kept:
            kept.remove(opposite)
        else:
            kept.append(word)
    return tuple(sorted(kept, key=word_key))


def reciprocal(scalar: Word) -> Word:
    """The inverse of a 1 x 1 word, as a 1 x 1 word."""
    if len(scalar) > 1:
        held = Sum(1, 1, {Monomial((scalar,), ()): sympy.Integer(1)})
        return (Factor(Compound("inverse", (held,), 1, 1)),)
    (factor,) = scalar
    if isinstance(factor.letter, Compound) and factor.letter.operation == "inverse" and not factor.inverted:
        ((monomial, c), *others) = factor.letter.arguments[0].terms.items()
        if not others and c == 1 and len(monomial.scalars) == 1:
            return monomial.scalars[0]
    return (factor.inverse,)


def _arranged(word: Word, rows: Size, columns: Size) -> tuple[Coefficient, tuple[Word, ...], Word]:
    """(coefficient, 1 x 1 words, word): the product with its trivial factors cancelled and its scalars taken out."""
    coefficient, factors = sympy.Integer(1), list[Factor]()
    waiting = list(reversed(word))
    while waiting:
        factor = waiting.pop()
        last = factors.pop() if factors else None
        if last is None:
            factors.append(factor)
        elif last.inverse == factor:
            pass
        elif last.is_row_of_ones and last == factor.T:
            coefficient *= factor.letter.rows
        elif last.is_diagonal and not last.inverted and factor.is_column_of_ones:
            waiting.extend(reversed(_diagonal_of(last)))
        elif last.is_row_of_ones and factor.is_diagonal and not factor.inverted:
            waiting.extend(reversed(transposed(_diagonal_of(factor))))
        else:
            factors += [last, factor]
    pieces: list[Word] = [()]
    for position, factor in enumerate(factors):
        pieces[-1] += (factor,)
        if factor.columns == 1 and position < len(factors) - 1:
            pieces.append(())
    ordered = [_with_diagonals_in_order(piece) for piece in pieces]
    whole = tuple(factor for piece in ordered for factor in piece)
    if sum(factor.is_diagonal for factor in whole) < sum(factor.is_diagonal for factor in factors):
        more, scalars, kept = _arranged(whole, rows, columns)
        return coefficient * more, scalars, kept
    is_scalar = [bool(piece) and piece[0].rows == 1 and piece[-1].columns == 1 for piece in ordered]
    scalars = tuple(
        min(piece, transposed(piece), key=word_key) for piece, is_so in zip(ordered, is_scalar, strict=True) if is_so
    )
    kept = tuple(factor for piece, is_so in zip(ordered, is_scalar, strict=True) if not is_so for factor in piece)
    return coefficient, scalars, kept


def _with_diagonals_in_order(piece: Word) -> Word:
    """The word in one form for all orders of its diagonal factors: they commute, and diag(u) v = diag(v) u."""
    start = next((i for i, factor in enumerate(piece) if factor.is_diagonal), None)
    if start is None:
        return piece
    is_row, is_column = piece[0].rows == 1, piece[-1].columns == 1
    if is_row and not is_column:
        return transposed(_with_diagonals_in_order(transposed(piece)))
    end = next((i for i in range(start, len(piece)) if not piece[i].is_diagonal), len(piece))
    head, run, tail = piece[:start], piece[start:end], _with_diagonals_in_order(piece[end:])
    above = [_diagonal_of(factor) for factor in run if not factor.inverted]
    below = [_diagonal_of(factor) for factor in run if factor.inverted]
    above += [column for column in (tail,) if is_column and not column[0].is_column_of_ones]
    above += [column for column in (transposed(head),) if is_row and not column[0].is_column_of_ones]
    for column in list(below):
        if column in above:
            above.remove(column)
            below.remove(column)
    above.sort(key=word_key)
    ones = (Factor(Ones(run[0].rows)),)
    if is_column:
        tail = above.pop() if above else ones
    if is_row:
        head = transposed(above.pop(0) if above else ones)
    middle = [_diagonal(column) for column in above]
    return (*head, *middle, *(_diagonal(column).inverse for column in sorted(below, key=word_key)), *tail)


def _diagonal(column: Word) -> Factor:
    return Factor(Diagonal(word_sum(column, column[0].rows, 1)))


def _diagonal_of(factor: Factor) -> Word:
    assert isinstance(factor.letter, Diagonal)
    ((monomial, _),) = factor.letter.column.terms.items()
    return monomial.word


# Sums of one letter, and the operations that make letters.


def letter_sum(letter: AnyLetter, transposed: bool = False, inverted: bool = False) -> Sum:
    """The normal form of a single factor."""
    factor = Factor(letter, transposed and not letter.is_symmetric, inverted)
    return _collected(
        factor.rows,
        factor.columns,
        [(_arranged((factor,), factor.rows, factor.columns), (), sympy.Integer(1))],
    )


def identity(size: Size) -> Sum:
    """The identity of that size."""
    return Sum(size, size, {IDENTITY: sympy.Integer(1)})


def zero(rows: Size, columns: Size) -> Sum:
    """The zero matrix."""
    return Sum(rows, columns, {})


def ones(rows: Size, columns: Size) -> Sum:
    """The matrix of ones: a column of ones times a row of ones."""
    left = identity(1) if rows == 1 else letter_sum(Ones(rows))
    right = identity(1) if columns == 1 else letter_sum(Ones(columns), transposed=True)
    return left @ right


def times_scalar(scalar: Sum, matrix: Sum) -> Sum:
    """A 1 x 1 sum times a matrix."""
    terms: dict[Monomial, Coefficient] = {}
    for s, c in scalar.terms.items():
        for m, e in matrix.terms.items():
            monomial = Monomial(_without_inverse_pairs(s.scalars + m.scalars), m.word)
            terms[monomial] = terms.get(monomial, sympy.Integer(0)) + c * e
    return Sum(matrix.rows, matrix.columns, {monomial: tidy(c) for monomial, c in terms.items()})


def word_sum(word: Word, rows: Size, columns: Size) -> Sum:
    return Sum(rows, columns, {Monomial((), word): sympy.Integer(1)})

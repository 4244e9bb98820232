"""The normal form: sums of scalar x word, for matrices of unspecified size.

A word is a product of factors, and a factor is a letter, perhaps transposed, perhaps inverted. Letters are named
matrices, columns of ones, diagonal matrices, entrywise functions, kernels and entrywise products. A product is brought
to normal form by expanding sums, cancelling inverses, and splitting the word wherever an inner size is 1: the pieces
that are 1 x 1 commute and equal their transposes, so they are moved in front. Coefficients are SymPy expressions.

Equal normal forms prove equality. Different ones refute nothing: exact instances do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import sympy

Size: TypeAlias = Any
Coefficient: TypeAlias = Any


@dataclass(frozen=True)
class Letter:
    """A named matrix; an index makes it one of a family, such as A_l."""

    name: str
    rows: Size
    columns: Size
    index: Any = None

    @cached_property
    def key(self) -> str:
        return self.name if self.index is None else f"{self.name}[{self.index}]"


@dataclass(frozen=True)
class Ones:
    """The column of ones, (rows, 1)."""

    rows: Size
    columns: Size = 1

    @cached_property
    def key(self) -> str:
        return f"1[{self.rows}]"


@dataclass(frozen=True)
class Diagonal:
    """diag(column), the column being a single word."""

    column: Sum

    @property
    def rows(self) -> Size:
        return self.column.rows

    @property
    def columns(self) -> Size:
        return self.column.rows

    @cached_property
    def key(self) -> str:
        return f"diag({self.column.key})"


@dataclass(frozen=True)
class Entrywise:
    """A function applied to every entry of its argument."""

    function: str
    argument: Sum

    @property
    def rows(self) -> Size:
        return self.argument.rows

    @property
    def columns(self) -> Size:
        return self.argument.columns

    @cached_property
    def key(self) -> str:
        return f"{self.function}({self.argument.key})"


@dataclass(frozen=True)
class KernelLetter:
    """The Gram matrix kappa(keys, queries) of two matrices of columns, under an arbitrary kernel."""

    name: str
    keys: Sum
    queries: Sum
    symmetric: bool

    @property
    def rows(self) -> Size:
        return self.keys.columns

    @property
    def columns(self) -> Size:
        return self.queries.columns

    @cached_property
    def key(self) -> str:
        return f"{self.name}({self.keys.key}; {self.queries.key})"


@dataclass(frozen=True)
class Compound:
    """An operation that the normal form holds as it is: an entrywise product, an inverse of a sum, blocks in a row."""

    operation: str
    arguments: tuple[Sum, ...]
    rows: Size
    columns: Size

    @cached_property
    def key(self) -> str:
        return f"{self.operation}({', '.join(argument.key for argument in self.arguments)})"


AnyLetter: TypeAlias = Letter | Ones | Diagonal | Entrywise | KernelLetter | Compound


class Factor(NamedTuple):
    """A letter in a word."""

    letter: AnyLetter
    transposed: bool = False
    inverted: bool = False

    @property
    def rows(self) -> Size:
        return self.letter.columns if self.transposed else self.letter.rows

    @property
    def columns(self) -> Size:
        return self.letter.rows if self.transposed else self.letter.columns

    @property
    def key(self) -> tuple[str, bool, bool]:
        return self.letter.key, self.transposed, self.inverted

    @property
    def T(self) -> Factor:
        if isinstance(self.letter, Diagonal) or (self.rows == 1 and self.columns == 1):
            return self._replace(transposed=False)
        return self._replace(transposed=not self.transposed)


Word: TypeAlias = tuple[Factor, ...]


def _word_key(word: Word) -> tuple[int, tuple[tuple[str, bool, bool], ...]]:
    return len(word), tuple(factor.key for factor in word)


def _transposed(word: Word) -> Word:
    return tuple(factor.T for factor in reversed(word))


class Monomial(NamedTuple):
    """A product of 1 x 1 words, which commute, and one word; the empty word is the identity."""

    scalars: tuple[Word, ...]
    word: Word

    @property
    def key(self) -> Any:
        return _word_key(self.word), tuple(_word_key(scalar) for scalar in self.scalars)


IDENTITY = Monomial((), ())


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
        return isinstance(other, Sum) and self.key == other.key

    @property
    def is_zero(self) -> bool:
        return not self.terms

    @cached_property
    def T(self) -> Sum:
        terms = [(_arranged(_transposed(m.word), self.columns, self.rows), m.scalars, c) for m, c in self.terms.items()]
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
        opposite = tuple(factor._replace(inverted=not factor.inverted) for factor in word)
        if len(word) == 1 and opposite in kept:
            kept.remove(opposite)
        else:
            kept.append(word)
    return tuple(sorted(kept, key=_word_key))


def _arranged(word: Word, rows: Size, columns: Size) -> tuple[Coefficient, tuple[Word, ...], Word]:
    """(coefficient, 1 x 1 words, word): the product with its trivial factors cancelled and its scalars taken out."""
    coefficient, factors = sympy.Integer(1), list[Factor]()
    waiting = list(reversed(word))
    while waiting:
        factor = waiting.pop()
        last = factors[-1] if factors else None
        if last is not None and last._replace(inverted=not last.inverted) == factor:
            factors.pop()
        elif last is not None and isinstance(factor.letter, Ones) and last == factor.T:
            if last.transposed:
                factors.pop()
                coefficient *= factor.letter.rows
            else:
                factors.append(factor)
        elif (
            last is not None
            and isinstance(last.letter, Diagonal)
            and not last.inverted
            and isinstance(factor.letter, Ones)
            and not factor.transposed
        ):
            factors.pop()
            waiting.extend(reversed(_only_word(last.letter.column)))
        elif (
            last is not None
            and isinstance(last.letter, Ones)
            and last.transposed
            and isinstance(factor.letter, Diagonal)
            and not factor.inverted
        ):
            factors.pop()
            waiting.extend(reversed(_transposed(_only_word(factor.letter.column))))
        else:
            factors.append(factor)
    pieces: list[list[Factor]] = [[]]
    for position, factor in enumerate(factors):
        pieces[-1].append(factor)
        if factor.columns == 1 and position < len(factors) - 1:
            pieces.append([])
    scalars, kept = [], list[Factor]()
    for piece in pieces:
        if piece and piece[0].rows == 1 and piece[-1].columns == 1:
            scalars.append(min(tuple(piece), _transposed(tuple(piece)), key=_word_key))
        else:
            kept.extend(piece)
    return coefficient, tuple(scalars), tuple(kept)


def _only_word(column: Sum) -> Word:
    ((monomial, _),) = column.terms.items()
    return monomial.word


# Sums of one letter, and the operations that make letters.


def letter_sum(letter: AnyLetter, transposed: bool = False, inverted: bool = False) -> Sum:
    """The normal form of a single factor."""
    factor = Factor(letter, transposed, inverted)
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

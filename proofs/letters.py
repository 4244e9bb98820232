"""Letters: the matrices of which the words of a normal form are made, and factors: letters transposed or inverted."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import sympy

if TYPE_CHECKING:
    from proofs.words import Sum

Size: TypeAlias = Any

ROW, COLUMN = (sympy.Dummy(name, integer=True, nonnegative=True) for name in "ij")
"""The indices in which the entries of a matrix are given, from 0; dummies, which no parameter can be taken for."""


@dataclass(frozen=True)
class Letter:
    """A named matrix; an index makes it one of a family, such as A_l.

    Letters of one name are different if their origins are (data and parameters, an arbitrary iterate, entries that are
    given), their shapes, or their entries: an iterate called like a parameter must not be taken for it.

    Args:
        entries: the entry in row ``ROW`` and column ``COLUMN``, of a matrix that is given entry by entry.
        rule: kept alive as long as the letter is, whose origin has the identities of these objects.
    """

    name: str
    rows: Size
    columns: Size
    index: Any = None
    origin: str = "data"
    entries: Any = None
    rule: Any = field(default=None, compare=False)
    is_symmetric = False

    @cached_property
    def key(self) -> str:
        name = self.name if self.index is None else f"{self.name}[{self.index}]"
        entries = "" if self.entries is None else f"|{self.entries}"
        return f"{name}|{self.origin}|{self.rows}x{self.columns}{entries}"


@dataclass(frozen=True)
class Ones:
    """The column of ones, (rows, 1)."""

    rows: Size
    columns: Size = 1
    is_symmetric = False

    @cached_property
    def key(self) -> str:
        return f"1[{self.rows}]"


@dataclass(frozen=True)
class Diagonal:
    """diag(column), the column being a single word."""

    column: Sum
    is_symmetric = True

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
    def is_symmetric(self) -> bool:
        return self.argument.T == self.argument

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
    def is_symmetric(self) -> bool:
        return self.symmetric and self.keys == self.queries

    @cached_property
    def key(self) -> str:
        return f"{self.name}({self.keys.key}; {self.queries.key})"


@dataclass(frozen=True)
class Features:
    """What an arbitrary map of columns makes of its argument, column by column."""

    name: str
    rows: Size
    argument: Sum
    is_symmetric = False

    @property
    def columns(self) -> Size:
        return self.argument.columns

    @cached_property
    def key(self) -> str:
        return f"{self.name}({self.argument.key})|features {self.rows}"


@dataclass(frozen=True)
class Compound:
    """An operation that the normal form holds as it is: an entrywise product, an inverse of a sum, blocks in a row."""

    operation: str
    arguments: tuple[Sum, ...]
    rows: Size
    columns: Size

    @cached_property
    def is_symmetric(self) -> bool:
        if self.operation == "beside":
            return False
        keys = sorted(each.T.key for each in self.arguments)  # an entrywise product commutes
        return self.rows == self.columns and keys == sorted(each.key for each in self.arguments)

    @cached_property
    def key(self) -> str:
        return f"{self.operation}({', '.join(argument.key for argument in self.arguments)})"


AnyLetter: TypeAlias = Letter | Ones | Diagonal | Entrywise | KernelLetter | Features | Compound


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
        if self.letter.is_symmetric or (self.rows == 1 and self.columns == 1):
            return self._replace(transposed=False)
        return self._replace(transposed=not self.transposed)

    @property
    def inverse(self) -> Factor:
        return self._replace(inverted=not self.inverted)

    @property
    def is_diagonal(self) -> bool:
        return isinstance(self.letter, Diagonal)

    @property
    def is_column_of_ones(self) -> bool:
        return isinstance(self.letter, Ones) and not self.transposed

    @property
    def is_row_of_ones(self) -> bool:
        return isinstance(self.letter, Ones) and self.transposed


Word: TypeAlias = tuple[Factor, ...]


def word_key(word: Word) -> tuple[int, tuple[tuple[str, bool, bool], ...]]:
    """By what words are ordered: shorter first, then by their letters."""
    return len(word), tuple(factor.key for factor in word)


def transposed(word: Word) -> Word:
    """The word of the transpose."""
    return tuple(factor.T for factor in reversed(word))


def named_letters(total: Sum) -> Iterator[Letter]:
    """Every named letter of a sum, arguments of functions included."""
    for monomial in total.terms:
        for word in (*monomial.scalars, monomial.word):
            for factor in word:
                yield from _named_in(factor.letter)


def first_of_the_data(total: Sum, data: Container[str]) -> str | None:
    """The name of a letter of the given data, or of an iterate, that a sum contains; None if there is none."""
    for letter in named_letters(total):
        if letter.origin == "iterate" or (letter.origin == "data" and letter.name in data):
            return letter.name
    return None


def _named_in(letter: AnyLetter) -> Iterator[Letter]:
    if isinstance(letter, Letter):
        yield letter
    elif isinstance(letter, Diagonal):
        yield from named_letters(letter.column)
    elif isinstance(letter, (Entrywise, Features)):
        yield from named_letters(letter.argument)
    elif isinstance(letter, KernelLetter):
        yield from named_letters(letter.keys)
        yield from named_letters(letter.queries)
    elif isinstance(letter, Compound):
        for argument in letter.arguments:
            yield from named_letters(argument)

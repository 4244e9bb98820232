"""Operations on normal forms that make letters: diag, entrywise functions, kernels, entrywise products, inverses."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from proofs.words import (
    Compound,
    Diagonal,
    Entrywise,
    KernelLetter,
    Monomial,
    Ones,
    Size,
    Sum,
    Word,
    identity,
    letter_sum,
    ones,
    tidy,
    times_scalar,
    word_sum,
    zero,
)


def diagonal(argument: Sum) -> Sum:
    """diag of a row or column; linear in it, and the identity for ones."""
    column = argument if argument.columns == 1 else argument.T
    if column.rows == 1:
        return column
    total = zero(column.rows, column.rows)
    for monomial, c in column.terms.items():
        if len(monomial.word) == 1 and isinstance(monomial.word[0].letter, Ones):
            term = identity(column.rows)
        else:
            word = Sum(column.rows, 1, {Monomial((), monomial.word): sympy.Integer(1)})
            term = letter_sum(Diagonal(word))
        total = total + Sum(
            column.rows, column.rows, {Monomial(monomial.scalars, m.word): e for m, e in term.terms.items()}
        ).scale(c)
    return total


def entrywise(function: str, argument: Sum) -> Sum:
    """The function applied to every entry. relu is positively homogeneous, and relu(E) = relu(-E) + E."""
    if argument.is_zero:
        return ones(argument.rows, argument.columns) if function == "exp" else argument
    if function == "relu":
        leading = argument.sorted_terms()[0][1]
        if leading.could_extract_minus_sign():
            return entrywise("relu", -argument) + argument
        content = abs(leading.as_coeff_Mul()[0])
        if content != 1:
            return entrywise("relu", argument.scale(1 / content)).scale(content)
    if argument.T.key < argument.key:
        return letter_sum(Entrywise(function, argument.T), transposed=True)
    return letter_sum(Entrywise(function, argument))


def kernel(name: str, keys: Sum, queries: Sum, symmetric: bool) -> Sum:
    """The Gram matrix of an arbitrary kernel."""
    if symmetric and queries.key < keys.key:
        return letter_sum(KernelLetter(name, queries, keys, symmetric), transposed=True)
    return letter_sum(KernelLetter(name, keys, queries, symmetric))


def hadamard(a: Sum, b: Sum) -> Sum:
    """The entrywise product: bilinear, commutative; with a rank-one word u v^T it is diag(u) A diag(v)."""
    total = zero(a.rows, a.columns)
    for left, c in a.terms.items():
        for right, e in b.terms.items():
            scalars = Sum(1, 1, {Monomial(left.scalars + right.scalars, ()): c * e})
            product = _word_hadamard(left.word, right.word, a.rows, a.columns)
            total = total + times_scalar(scalars, product)
    return total


def _word_hadamard(left: Word, right: Word, rows: Size, columns: Size) -> Sum:
    for one, other in ((left, right), (right, left)):
        halves = _rank_one(one, rows, columns)
        if halves is not None:
            column, row = halves
            return diagonal(column) @ word_sum(other, rows, columns) @ diagonal(row)
    words = sorted((word_sum(left, rows, columns), word_sum(right, rows, columns)), key=lambda s: s.key)
    return letter_sum(Compound("hadamard", tuple(words), rows, columns))


def _rank_one(word: Word, rows: Size, columns: Size) -> tuple[Sum, Sum] | None:
    """(column, row) whose product is the word, if it passes through size 1 or has a single row or column."""
    if columns == 1:
        return (word_sum(word, rows, 1), identity(1)) if word else (identity(1), identity(1))
    if rows == 1:
        return identity(1), word_sum(word, 1, columns)
    for position, factor in enumerate(word[:-1]):
        if factor.columns == 1:
            return word_sum(word[: position + 1], rows, 1), word_sum(word[position + 1 :], 1, columns)
    return None


def inverse(argument: Sum) -> Sum:
    """The inverse: of a single word factor by factor, otherwise held as it is."""
    if argument.is_zero:
        raise ZeroDivisionError(f"the zero matrix of size {argument.rows} has no inverse")
    if len(argument.terms) == 1:
        ((monomial, c),) = argument.terms.items()
        invertible = all(
            factor.rows == factor.columns for word in (*monomial.scalars, monomial.word) for factor in word
        )
        if invertible:
            scalars = tuple(
                tuple(factor._replace(inverted=not factor.inverted) for factor in reversed(word))
                for word in monomial.scalars
            )
            word = tuple(factor._replace(inverted=not factor.inverted) for factor in reversed(monomial.word))
            return Sum(argument.rows, argument.columns, {Monomial(scalars, word): tidy(1 / c)})
    return letter_sum(Compound("inverse", (argument,), argument.rows, argument.columns))


def beside(parts: Sequence[Sum]) -> Sum:
    """The blocks side by side, held as they are."""
    columns = sum(part.columns for part in parts)
    return letter_sum(Compound("beside", tuple(parts), parts[0].rows, columns))

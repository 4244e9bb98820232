"""Operations on normal forms that make letters: diag, entrywise functions, kernels, entrywise products, inverses."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from proofs.letters import Compound, Diagonal, Entrywise, Features, KernelLetter, Ones, Size, Word, word_key
from proofs.words import (
    Coefficient,
    Monomial,
    Sum,
    identity,
    letter_sum,
    ones,
    reciprocal,
    tidy,
    times_scalar,
    word_sum,
    zero,
)

RELU_PAIR = "relu_pair_is_the_identity"
"""The theorem by which relu(-E) is written as relu(E) - E: the scalar lemma, proved once."""


def diagonal(argument: Sum) -> Sum:
    """diag of a row or column; linear in it, the identity for ones, and diag(diag(u) v) = diag(u) diag(v).

    The reciprocals of a single word u give diag(u)^-1; those of a sum are held as they are.
    """
    column = argument if argument.columns == 1 else argument.T
    if column.rows == 1:
        return column
    total = zero(column.rows, column.rows)
    for monomial, c in column.terms.items():
        scalars = Sum(1, 1, {Monomial(monomial.scalars, ()): c})
        total = total + times_scalar(scalars, _word_diagonal(monomial.word, column.rows))
    return total


def _word_diagonal(column: Word, rows: Size) -> Sum:
    first, *rest = column
    if isinstance(first.letter, Ones):
        return identity(rows)
    if first.is_diagonal:
        return word_sum((first,), rows, rows) @ _word_diagonal(tuple(rest), rows)
    if isinstance(first.letter, Entrywise) and first.letter.function == "reciprocal" and not rest:
        inverted = first.letter.argument.T if first.transposed else first.letter.argument
        if len(inverted.terms) == 1:
            return inverse(diagonal(inverted))
    return letter_sum(Diagonal(word_sum(column, rows, 1)))


def entrywise(function: str, argument: Sum, its_transpose: Sum | None = None) -> Sum:
    """The function applied to every entry. relu(c E) = c relu(E) for c > 0, and relu(-E) = relu(E) - E.

    On a I + b 1 1^T, with numbers a and b, f is f(b) 1 1^T + (f(a + b) - f(b)) I, and a reciprocal is an inverse.

    The letter holds the argument or its transpose, whichever comes first; under relations these have other forms.
    """
    its_transpose = argument.T if its_transpose is None else its_transpose
    if function == "reciprocal" and argument.rows == argument.columns == 1:
        return inverse(argument, its_transpose)
    if argument.is_zero and function in ("relu", "exp"):
        return ones(argument.rows, argument.columns) if function == "exp" else argument
    if function != "relu":
        known = _on_two_values(function, argument)
        if known is not None:
            return known
        held, is_transposed = _oriented(argument, its_transpose)
        return letter_sum(Entrywise(function, held), is_transposed)
    everywhere = _constant(argument)
    if everywhere is not None:
        return argument if everywhere.is_nonnegative else zero(argument.rows, argument.columns)
    candidates = [argument, its_transpose]
    contents = [_content(each.sorted_terms()[0][1]) for each in candidates]
    held, is_transposed = _oriented(*(each.scale(1 / c) for each, c in zip(candidates, contents, strict=True)))
    content, applied = contents[is_transposed], letter_sum(Entrywise(function, held), is_transposed)
    if content.could_extract_minus_sign():
        return applied.scale(-content) + argument
    return applied.scale(content)


def _on_two_values(function: str, argument: Sum) -> Sum | None:
    """f(a I + b 1 1^T), for an argument of that form that is more than a single number; None for any other."""
    if function == "reciprocal" and (argument.rows, argument.columns) == (1, 1):
        return inverse(argument)
    if (argument.rows, argument.columns) == (1, 1):
        return None
    (everywhere,) = ones(argument.rows, argument.columns).terms
    on_diagonal, elsewhere = zero(1, 1), zero(1, 1)
    for monomial, c in argument.terms.items():
        number = Sum(1, 1, {Monomial(monomial.scalars, ()): c})
        if monomial.word == everywhere.word:
            elsewhere = elsewhere + number
        elif monomial.word == ():
            on_diagonal = on_diagonal + number
        else:
            return None
    each = ones(argument.rows, argument.columns)
    if on_diagonal.is_zero:
        return times_scalar(entrywise(function, elsewhere), each)
    if function == "reciprocal":
        return None
    difference = entrywise(function, on_diagonal + elsewhere) - entrywise(function, elsewhere)
    return times_scalar(entrywise(function, elsewhere), each) + times_scalar(difference, identity(argument.rows))


def _constant(argument: Sum) -> Coefficient | None:
    """c if every entry is c, of known sign; None if that is not known."""
    each = ones(argument.rows, argument.columns)
    if argument.terms.keys() != each.terms.keys():
        return None
    (c,) = argument.terms.values()
    return c if c.is_nonnegative or c.is_nonpositive else None


def _content(coefficient: Coefficient) -> Coefficient:
    """The factors of the coefficient that are known to be positive, and its sign."""
    sign = -1 if coefficient.could_extract_minus_sign() else 1
    factors = sympy.Mul.make_args(sign * coefficient)
    return sign * sympy.Mul(*(factor for factor in factors if factor.is_positive))


def _oriented(argument: Sum, its_transpose: Sum) -> tuple[Sum, bool]:
    """Whichever comes first of the sum and its transpose, and whether that is the transpose."""
    keys = [([m.key for m, _ in each.sorted_terms()], each.key) for each in (argument, its_transpose)]
    return (its_transpose, True) if keys[1] < keys[0] else (argument, False)


def kernel(name: str, keys: Sum, queries: Sum, symmetric: bool) -> Sum:
    """The Gram matrix of an arbitrary kernel."""
    if symmetric and queries.key < keys.key:
        return letter_sum(KernelLetter(name, queries, keys, symmetric), transposed=True)
    return letter_sum(KernelLetter(name, keys, queries, symmetric))


def features(name: str, rows: Size, argument: Sum) -> Sum:
    """What an arbitrary map makes of every column; of blocks side by side, what it makes of each."""
    parts = _side_by_side(argument)
    return (
        letter_sum(Features(name, rows, argument))
        if parts is None
        else beside([features(name, rows, p) for p in parts])
    )


def _side_by_side(argument: Sum) -> Sequence[Sum] | None:
    """The blocks of which the argument is a row; None if it is not held as one."""
    for monomial, c in argument.terms.items():
        if len(argument.terms) == 1 and c == 1 and not monomial.scalars and len(monomial.word) == 1:
            ((letter, transposed, inverted),) = monomial.word
            if isinstance(letter, Compound) and letter.operation == "beside" and not (transposed or inverted):
                return letter.arguments
    return None


def hadamard(a: Sum, b: Sum, as_it_is: bool = False) -> Sum:
    """The entrywise product: bilinear, commutative; with a rank-one word u v^T it is diag(u) A diag(v).

    The letter holds the factors or their transposes, whichever come first, or the factors ``as_it_is``.
    """
    total = zero(a.rows, a.columns)
    for left, c in a.terms.items():
        for right, e in b.terms.items():
            scalars = Sum(1, 1, {Monomial(left.scalars + right.scalars, ()): c * e})
            product = _word_hadamard(left.word, right.word, a.rows, a.columns, as_it_is)
            total = total + times_scalar(scalars, product)
    return total


def _word_hadamard(left: Word, right: Word, rows: Size, columns: Size, as_it_is: bool) -> Sum:
    for one, other in ((left, right), (right, left)):
        halves = _rank_one(one, rows, columns)
        if halves is not None:
            column, row = halves
            return diagonal(column) @ word_sum(other, rows, columns) @ diagonal(row)
    parts = [*_entrywise_factors(left, rows, columns), *_entrywise_factors(right, rows, columns)]
    flipped = sorted((part.T for part in parts), key=lambda part: part.key)
    parts.sort(key=lambda part: part.key)
    if not as_it_is and [part.key for part in flipped] < [part.key for part in parts]:
        return letter_sum(Compound("hadamard", tuple(flipped), columns, rows), transposed=True)
    return letter_sum(Compound("hadamard", tuple(parts), rows, columns))


def _entrywise_factors(word: Word, rows: Size, columns: Size) -> Sequence[Sum]:
    if len(word) == 1 and isinstance(word[0].letter, Compound) and not word[0].inverted:
        letter = word[0].letter
        if letter.operation == "hadamard":
            return [part.T for part in letter.arguments] if word[0].transposed else letter.arguments
    return [word_sum(word, rows, columns)]


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


def inverse(argument: Sum, its_transpose: Sum | None = None) -> Sum:
    """The inverse: of a single word factor by factor, otherwise held as it is."""
    its_transpose = argument.T if its_transpose is None else its_transpose
    if argument.is_zero:
        raise ZeroDivisionError(f"the zero matrix of size {argument.rows} has no inverse")
    if len(argument.terms) == 1:
        ((monomial, c),) = argument.terms.items()
        if all(factor.rows == factor.columns for factor in monomial.word):
            scalars = tuple(sorted((reciprocal(scalar) for scalar in monomial.scalars), key=word_key))
            return times_scalar(Sum(1, 1, {Monomial(scalars, ()): tidy(1 / c)}), _word_inverse(monomial.word, argument))
    candidates = [argument, its_transpose]
    contents = [_signed_number(each.sorted_terms()[0][1]) for each in candidates]
    held, is_transposed = _oriented(*(each.scale(1 / c) for each, c in zip(candidates, contents, strict=True)))
    letter = Compound("inverse", (held,), argument.rows, argument.columns)
    return letter_sum(letter, is_transposed).scale(1 / contents[is_transposed])


def _word_inverse(word: Word, argument: Sum) -> Sum:
    if len(word) == 1 and isinstance(word[0].letter, Compound) and word[0].letter.operation == "inverse":
        (held,) = word[0].letter.arguments
        return held.T if word[0].transposed else held
    return word_sum(tuple(factor.inverse for factor in reversed(word)), argument.rows, argument.columns)


def _signed_number(coefficient: Coefficient) -> Coefficient:
    """The number in front of the coefficient, with the coefficient's sign."""
    number = abs(coefficient.as_coeff_Mul()[0])
    return -number if coefficient.could_extract_minus_sign() else number


def beside(parts: Sequence[Sum]) -> Sum:
    """The blocks side by side, held as they are; [u 1^T, u 1^T, ...] with one and the same u is u 1^T."""
    columns = sum(part.columns for part in parts)
    first, *others = map(_repeated_column, parts)
    if first is not None and all(other == first for other in others):
        return first @ ones(1, columns)
    return letter_sum(Compound("beside", tuple(parts), parts[0].rows, columns))


def _repeated_column(part: Sum) -> Sum | None:
    """u if the sum is u 1^T, in every column u; None if that is not known."""
    if part.columns == 1:
        return part
    terms: dict[Monomial, Coefficient] = {}
    for monomial, c in part.terms.items():
        if not monomial.word or not monomial.word[-1].is_row_of_ones:
            return None
        terms[monomial._replace(word=monomial.word[:-1])] = c
    return Sum(part.rows, 1, terms)

"""Rewriting: normal forms under declared relations, such as "F is symmetric" or "F commutes with X X^T".

A relation is a rule: its left side, a single word, is replaced by its right side wherever it occurs. A 1 x 1 word is
read from both ends, and a rule for a single letter is one for its transpose and its inverse too. Whoever declares
relations chooses their direction; rules that undo each other are noticed and refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from typing import NamedTuple

from proofs.letters import (
    AnyLetter,
    Compound,
    Diagonal,
    Entrywise,
    Factor,
    Features,
    KernelLetter,
    Letter,
    Ones,
    Size,
    Word,
    transposed,
    word_key,
)
from proofs.word_operations import beside, diagonal, entrywise, features, hadamard, inverse, kernel
from proofs.words import Coefficient, Monomial, Sum, identity, letter_sum, times_scalar, word_sum, zero


class Rule(NamedTuple):
    """A word and what it is rewritten to."""

    word: Word
    replacement: Sum


def rule(left: Sum, right: Sum) -> Rule:
    """left -> right; the left side must be a single word.

    Raises:
        ValueError: if it is not, or if the sides have different shapes.
    """
    if (left.rows, left.columns) != (right.rows, right.columns):
        raise ValueError(
            f"the sides of a relation must have one shape, but they have {left.rows, left.columns} and "
            f"{right.rows, right.columns}"
        )
    leading = _leading_term(left)
    if leading is not None:
        monomial, c = leading
        words = (*monomial.scalars, monomial.word) if monomial.word else monomial.scalars
        if c.is_nonzero is not True:
            raise ValueError(
                f"the left side of a relation has the coefficient {c}, which may be 0: it cannot be divided by; "
                "declare it nonzero, or leave it out"
            )
        if len(words) == 1 and (monomial.word or left.rows == left.columns == 1):
            rest = left - Sum(left.rows, left.columns, {monomial: c})
            return Rule(words[0], (right - rest).scale(1 / c))
    raise ValueError(
        "the left side of a relation must be a single product of letters, so that it can be rewritten, but it is "
        f"{left.key}; declare the letters themselves (for instance F @ X @ X.T -> X @ X.T @ F)"
    )


def _leading_term(left: Sum) -> tuple[Monomial, Coefficient] | None:
    """The only term, or the only one with a function in it: relu(E) may be held as relu(-E) + E."""
    terms = list(left.terms.items())
    if len(terms) > 1:
        terms = [
            (monomial, c)
            for monomial, c in terms
            if any(
                not isinstance(f.letter, (Letter, Ones)) for word in (*monomial.scalars, monomial.word) for f in word
            )
        ]
    return terms[0] if len(terms) == 1 else None


STEP_LIMIT = 2000
"""How many rewriting steps are taken before a reduction is given up."""


def reduced(argument: Sum, rules: Sequence[Rule]) -> Sum:
    """The sum rewritten by the rules until none applies.

    Raises:
        RecursionError: if that takes more than ``STEP_LIMIT`` steps (rules that undo each other).
    """
    return _reduced(argument, tuple(rules)) if rules else argument


@lru_cache(maxsize=1 << 12)
def _reduced(argument: Sum, rules: tuple[Rule, ...]) -> Sum:
    done, rest = zero(argument.rows, argument.columns), argument
    for _ in range(STEP_LIMIT):
        if rest.is_zero:
            return done
        monomial, c = next(iter(rest.terms.items()))
        single = Sum(argument.rows, argument.columns, {monomial: c})
        rewritten = _rewritten(monomial, c, argument.rows, argument.columns, rules)
        rest = rest - single
        if rewritten is None:
            done = done + single
        else:
            rest = rest + rewritten
    raise RecursionError(f"more than {STEP_LIMIT} rewriting steps: two of the declared relations may undo each other")


def _rewritten(monomial: Monomial, c: Coefficient, rows: Size, columns: Size, rules: Sequence[Rule]) -> Sum | None:
    for place, scalar in enumerate(monomial.scalars):
        replaced = _scalar_rewritten(scalar, rules)
        if replaced is not None and not _is_first_of_a_cycle(scalar, rules):
            rest = Sum(
                rows,
                columns,
                {Monomial(monomial.scalars[:place] + monomial.scalars[place + 1 :], monomial.word): c},
            )
            return times_scalar(replaced, rest)
    replaced = _word_rewritten(monomial.word, rows, columns, rules)
    if replaced is None:
        return None
    return times_scalar(Sum(1, 1, {Monomial(monomial.scalars, ()): c}), replaced)


def _scalar_rewritten(scalar: Word, rules: Sequence[Rule]) -> Sum | None:
    # A 1 x 1 word is kept in whichever direction comes first, not in that of the rules.
    readings = [_renamed(word, rules) for word in (scalar, transposed(scalar))]
    for reading in readings:
        replaced = _word_rewritten(reading, 1, 1, rules)
        if replaced is not None:
            return replaced
    first = min(readings, key=word_key)
    return None if first == scalar else word_sum(first, 1, 1) @ identity(1)


def _renamed(word: Word, rules: Sequence[Rule]) -> Word:
    """The word under those rules that give a letter for a letter, such as F^T -> F."""
    names: dict[Factor, Word] = {}
    for (*pattern, last), replacement in (variant for declared in rules for variant in _variants(declared)):
        terms = list(replacement.terms.items())
        if not pattern and len(terms) == 1 and terms[0][1] == 1 and not terms[0][0].scalars:
            names.setdefault(last, terms[0][0].word)
    return tuple(names[factor][0] if len(names.get(factor, ())) == 1 else factor for factor in word)


def _is_first_of_a_cycle(scalar: Word, rules: Sequence[Rule]) -> bool:
    """Whether rewriting leads from this 1 x 1 word back to it, and it comes first of those on the way.

    With F symmetric and commuting with S, x^T F S x becomes x^T S F x, which is x^T F S x read from its end.
    """
    seen = [scalar]
    while len(seen) < STEP_LIMIT:
        replaced = _scalar_rewritten(seen[-1], rules)
        if replaced is None or len(replaced.terms) != 1:
            return False
        ((monomial, c),) = replaced.terms.items()
        if c != 1 or len(monomial.scalars) != 1:
            return False
        (following,) = monomial.scalars
        if following in seen:
            return following == scalar and scalar == min(seen, key=word_key)
        seen.append(following)
    return False


def _word_rewritten(word: Word, rows: Size, columns: Size, rules: Sequence[Rule]) -> Sum | None:
    for pattern, replacement in (variant for declared in rules for variant in _variants(declared)):
        length = len(pattern)
        for start in range(len(word) - length + 1):
            if word[start : start + length] == pattern:
                before, after = word[:start], word[start + length :]
                middle = replacement
                if before:
                    middle = word_sum(before, rows, replacement.rows) @ middle
                if after:
                    middle = middle @ word_sum(after, replacement.columns, columns)
                return middle
    for position, factor in enumerate(word):
        changed = _letter_rewritten(factor.letter, rules)
        if changed is None and factor.transposed and _is_symmetric(factor.letter, rules):
            changed = letter_sum(factor.letter, transposed=True)
        if changed is not None:
            before, after = word[:position], word[position + 1 :]
            middle = changed.T if factor.transposed else changed
            middle = inverse(middle) if factor.inverted else middle
            left = word_sum(before, rows, middle.rows) @ middle if before else middle
            return left @ word_sum(after, middle.columns, columns) if after else left
    return None


@lru_cache(maxsize=1 << 10)
def _variants(declared: Rule) -> tuple[Rule, ...]:
    """The rule and, if its left side is a single letter, what it says of the letter's transpose and inverse."""
    if len(declared.word) > 1:
        return (declared,)
    (factor,) = declared.word
    variants = [declared]
    if not any(letter == factor.letter for letter in _letters(declared.replacement)):
        variants.append(Rule((factor.T,), declared.replacement.T))
    if factor.rows == factor.columns and not declared.replacement.is_zero:
        variants += [Rule((each.word[0].inverse,), inverse(each.replacement)) for each in tuple(variants)]
    return tuple(variants)


def _letters(held: Sum) -> Iterator[AnyLetter]:
    """The letters of a sum, those in the arguments of others included."""
    for monomial in held.terms:
        for factor in (factor for word in (*monomial.scalars, monomial.word) for factor in word):
            yield factor.letter
            for argument in _arguments(factor.letter):
                yield from _letters(argument)


def _arguments(letter: AnyLetter) -> tuple[Sum, ...]:
    if isinstance(letter, (Letter, Ones)):
        return ()
    if isinstance(letter, Diagonal):
        return (letter.column,)
    if isinstance(letter, (Entrywise, Features)):
        return (letter.argument,)
    return (letter.keys, letter.queries) if isinstance(letter, KernelLetter) else letter.arguments


def _letter_rewritten(letter: AnyLetter, rules: Sequence[Rule]) -> Sum | None:
    """The letter with its arguments reduced, or None if they are so already."""
    arguments = _arguments(letter)
    if not arguments:
        return None
    first, *others = (reduced(argument, rules) for argument in arguments)
    # Which of E and E^T a letter holds is decided here, on reduced forms: E^T need not be reduced where E is.
    if isinstance(letter, Entrywise):
        new = entrywise(letter.function, first, reduced(letter.argument.T, rules))
    elif isinstance(letter, KernelLetter):
        new = kernel(letter.name, first, others[0], letter.symmetric)
    elif isinstance(letter, Features):
        new = features(letter.name, letter.rows, first)
    elif isinstance(letter, Diagonal):
        new = diagonal(first)
    else:
        assert isinstance(letter, Compound)
        new = _compound(letter.operation, first, others, letter.arguments[0], rules)
    return None if new == letter_sum(letter) else new


def _compound(operation: str, first: Sum, others: Sequence[Sum], argument: Sum, rules: Sequence[Rule]) -> Sum:
    if operation == "inverse":
        return inverse(first, reduced(argument.T, rules))
    if operation == "beside":
        return beside([first, *others])
    return reduce(lambda a, b: hadamard(a, b, as_it_is=True), others, first)


def _is_symmetric(letter: AnyLetter, rules: Sequence[Rule]) -> bool:
    """Whether the letter, its arguments reduced, is symmetric under the rules."""
    is_entrywise = isinstance(letter, Entrywise) or (isinstance(letter, Compound) and letter.operation != "beside")
    if letter.rows != letter.columns or not is_entrywise:
        return False
    arguments = _arguments(letter)
    return sorted(reduced(each.T, rules).key for each in arguments) == sorted(each.key for each in arguments)

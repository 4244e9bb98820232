"""Rewriting: normal forms under declared relations, such as "F is symmetric" or "F commutes with X X^T".

A relation is a rule: its left side, a single word, is replaced by its right side wherever it occurs. Whoever declares
relations chooses their direction; rules that undo each other are noticed and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from proofs.word_operations import beside, diagonal, entrywise, hadamard, inverse, kernel
from proofs.words import (
    AnyLetter,
    Coefficient,
    Diagonal,
    Entrywise,
    KernelLetter,
    Letter,
    Monomial,
    Ones,
    Size,
    Sum,
    Word,
    times_scalar,
    word_sum,
    zero,
)


class Rule(NamedTuple):
    """A word and what it is rewritten to."""

    word: Word
    replacement: Sum


def rule(left: Sum, right: Sum) -> Rule:
    """left -> right; the left side must be a single word.

    Raises:
        ValueError: if it is not.
    """
    if len(left.terms) == 1:
        ((monomial, c),) = left.terms.items()
        words = [word for word in (*monomial.scalars, monomial.word) if word]
        if len(words) == 1:
            return Rule(words[0], right.scale(1 / c))
    raise ValueError(
        f"the left side of a relation must be a single product of letters, so that it can be rewritten, but it is "
        f"{left.key}; "
        "declare the letters themselves (for instance F @ X @ X.T -> X @ X.T @ F)"
    )


STEP_LIMIT = 2000
"""How many rewriting steps are taken before a reduction is given up."""


def reduced(argument: Sum, rules: Sequence[Rule]) -> Sum:
    """The sum rewritten by the rules until none applies.

    Raises:
        RecursionError: if that takes more than ``STEP_LIMIT`` steps (rules that undo each other).
    """
    if not rules:
        return argument
    done, todo = zero(argument.rows, argument.columns), argument
    for _ in range(STEP_LIMIT):
        if todo.is_zero:
            return done
        monomial, c = next(iter(todo.terms.items()))
        single = Sum(argument.rows, argument.columns, {monomial: c})
        rewritten = _rewritten(monomial, c, argument.rows, argument.columns, rules)
        todo = todo - single
        if rewritten is None:
            done = done + single
        else:
            todo = todo + rewritten
    raise RecursionError(f"more than {STEP_LIMIT} rewriting steps: two of the declared relations may undo each other")


def _rewritten(monomial: Monomial, c: Coefficient, rows: Size, columns: Size, rules: Sequence[Rule]) -> Sum | None:
    for place, scalar in enumerate(monomial.scalars):
        replaced = _word_rewritten(scalar, 1, 1, rules)
        if replaced is not None:
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


def _word_rewritten(word: Word, rows: Size, columns: Size, rules: Sequence[Rule]) -> Sum | None:
    for pattern, replacement in rules:
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
        if changed is not None:
            before, after = word[:position], word[position + 1 :]
            middle = changed.T if factor.transposed else changed
            middle = inverse(middle) if factor.inverted else middle
            left = word_sum(before, rows, middle.rows) @ middle if before else middle
            return left @ word_sum(after, middle.columns, columns) if after else left
    return None


def _letter_rewritten(letter: AnyLetter, rules: Sequence[Rule]) -> Sum | None:
    """The letter with its arguments reduced, or None if they are so already."""
    if isinstance(letter, (Letter, Ones)):
        return None
    if isinstance(letter, Diagonal):
        new = (reduced(letter.column, rules),)
        return None if new == (letter.column,) else diagonal(*new)
    if isinstance(letter, Entrywise):
        new = (reduced(letter.argument, rules),)
        return None if new == (letter.argument,) else entrywise(letter.function, *new)
    if isinstance(letter, KernelLetter):
        keys, queries = reduced(letter.keys, rules), reduced(letter.queries, rules)
        unchanged = keys == letter.keys and queries == letter.queries
        return None if unchanged else kernel(letter.name, keys, queries, letter.symmetric)
    arguments = tuple(reduced(argument, rules) for argument in letter.arguments)
    if arguments == letter.arguments:
        return None
    return _OPERATIONS[letter.operation](*arguments)


_OPERATIONS: dict[str, Callable[..., Sum]] = {
    "hadamard": hadamard,
    "inverse": inverse,
    "beside": lambda *parts: beside(parts),
}

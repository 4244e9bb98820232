"""From the forward pass to expectations: a scalar normal form, its letters replaced by tensors with summed indices.

Symbols: X (d, n) inputs, x_query (d, 1), w (d, 1) the teacher, eps (1, n) label noise, Y = w^T X + eps (1, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import sympy

from constructions.block import Block
from constructions.construction import Construction, forward
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from proofs.gaussian_moments import INPUTS, NOISE, QUERY, TEACHER, Gaussian, expectation
from proofs.index_sums import SIZES, Factor, Index, IndexSum, Tensor, summed
from proofs.induction import normal_form
from proofs.letters import Letter, Word
from proofs.symbols import SymbolBlock
from proofs.words import Sum

FAMILIES = (INPUTS, QUERY, NOISE, TEACHER)
"""Everything that is random in a noisy linear regression task."""


def indexed(scalar: Sum) -> IndexSum:
    """The polynomial that a 1 x 1 normal form is, a tensor for each letter; 1 x 1 letters become symbols.

    Raises:
        ValueError: if the normal form is not 1 x 1, or has a size other than n, d and 1.
        TypeError: for a letter that is no plain matrix (an inverse, a ReLU, ...), which is no polynomial.
    """
    if (scalar.rows, scalar.columns) != (1, 1):
        raise ValueError(f"only a 1 x 1 normal form is a polynomial, but a {scalar.rows} x {scalar.columns} one came")
    labels = count()
    return summed(
        _term(coefficient, [word for word in (*monomial.scalars, monomial.word) if word], labels)
        for monomial, coefficient in scalar.terms.items()
    )


def _term(coefficient: Any, scalars: Sequence[Word], labels: count[int]) -> tuple[Any, list[Factor]]:
    factors: list[Factor] = []
    for word in scalars:
        inner: Index | None = None
        for factor in word:
            letter = factor.letter
            if not isinstance(letter, Letter) or factor.inverted:
                raise TypeError(f"{letter.key} is no polynomial: only products of plain matrices have an expectation")
            if letter.rows == 1 and letter.columns == 1:
                coefficient *= sympy.Symbol(letter.name, real=True)
                continue
            outer = None if factor.columns == 1 else Index(_range(factor.columns), f"{next(labels)}")
            ends = (outer, inner) if factor.transposed else (inner, outer)
            ranges = "".join(_range(size) for size in (letter.rows, letter.columns) if size != 1)
            factors.append(Tensor(letter.name, ranges)(*(index for index in ends if index is not None)))
            inner = outer
    return coefficient, factors


def _range(size: Any) -> str:
    for name, symbol in SIZES.items():
        if size == symbol:
            return name
    raise ValueError(f"the size {size} is none of n, d and 1")


def regression_prompt() -> tuple[Prompt, Block]:
    """(the prompt with Y = w^T X + eps, the target w^T x_query), in letters of unspecified size."""
    X, w, eps, x_query = (
        SymbolBlock.lift(Unspecified(*letter))
        for letter in (("X", "d", "n"), ("w", "d", 1), ("eps", 1, "n"), ("x_query", "d", 1))
    )
    return Prompt(X, w.T @ X + eps, x_query), w.T @ x_query


def population_loss(construction: Construction, families: Sequence[Gaussian] = FAMILIES) -> IndexSum:
    """E (prediction - w^T x_query)^2 of the transformer itself, run on letters, for all n and d.

    Args:
        construction: one target; its weights are letters, as ``Unspecified`` or as SymPy matrix symbols.
        families: the laws of the inputs, the query, the noise and the teacher.
    """
    prompt, target = regression_prompt()
    error: Block = forward(construction, prompt) - target
    polynomial = indexed(normal_form(error))
    return expectation(polynomial * polynomial, families)

"""Entrywise proofs: matrices that are given entry by entry are compared in row i and column j, for all i, j and sizes.

An entry is a polynomial in i, j, the sizes and the parameters, with factors [z = 0] (1 where the integer z is 0, else
0) and [z >= 0]. ReLUs leave where the sign is certain, or by the fact relu(1 - z^2) = [z = 0] for integers z: between
them no integer has a square. A factor [z = 0] is 0 if z has no integer zero (2 j - 2 i - 1) or none in the range of its
indices (j - n for j < n); otherwise z is made primitive, so that equal conditions are equal expressions.

Symbols: i, j, ... row, column and inner indices, from 0 to a size minus 1; q, z polynomials with integer variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import sympy

from proofs.formula import Style, plain
from proofs.letters import COLUMN, ROW, Compound, Diagonal, Entrywise, Factor, Letter, Ones, Size, Word
from proofs.unknown import ONE_IF_NONNEGATIVE, ONE_IF_ZERO
from proofs.words import Sum

Ranges: TypeAlias = Mapping[Any, Size]
"""From an index to the size that it stays below."""


CITED = "relu_of_one_minus_a_square_is_one_at_zero_alone"
"""The theorem by which ReLUs leave: the scalar lemma, proved once."""


class NoEntries(ValueError):
    """A matrix of which no formula for its entries is known, or one that is beyond these rules."""


@dataclass(frozen=True)
class Entry:
    """The entry in row i and column j of a matrix, in normal form."""

    expression: Any

    def __sub__(self, other: Entry) -> Entry:
        return Entry(sympy.expand(self.expression - other.expression))

    def written(self, style: Style = "text") -> str:
        """The entry on one line; [z = 0] is 1 where z = 0, else 0."""
        names = {dummy: sympy.Symbol(dummy.name) for dummy in self.expression.atoms(sympy.Dummy)}
        in_words = sympy.latex if style == "latex" else plain
        conditions = {
            condition: sympy.Symbol(f"[{in_words(condition.args[0].xreplace(names))} = 0]")
            for condition in self.expression.atoms(ONE_IF_ZERO)
        }
        return str(in_words(self.expression.xreplace(conditions).xreplace(names)))


def entry(matrix: Sum) -> Entry:
    """The entry of a matrix in row i and column j, for all of them and all sizes.

    Raises:
        NoEntries: if the matrix is not made of matrices given entry by entry, or is beyond the rules above.
    """
    ranges = {index: size for index, size in ((ROW, matrix.rows), (COLUMN, matrix.columns)) if size != 1}
    i, j = (index if index in ranges else sympy.Integer(0) for index in (ROW, COLUMN))
    return Entry(_sum_entry(matrix, i, j, ranges))


def _sum_entry(matrix: Sum, i: Any, j: Any, ranges: Ranges) -> Any:
    total = sympy.Integer(0)
    for monomial, c in matrix.terms.items():
        zero = sympy.Integer(0)
        scalars = [_word_entry(word, zero, zero, 1, ranges) for word in monomial.scalars]
        total += sympy.Mul(c, *scalars, _word_entry(monomial.word, i, j, matrix.rows, ranges))
    return sympy.expand(total)


def _word_entry(word: Word, i: Any, j: Any, rows: Size, ranges: Ranges) -> Any:
    """The entry of a product: the sum over its first inner index, and so on."""
    if not word:
        return sympy.Integer(1) if rows == 1 else one_if_zero(i - j, ranges)
    first, *rest = word
    if not rest:
        return _factor_entry(first, i, j, ranges)
    if first.columns == 1:
        inner = sympy.Integer(0)
        return _factor_entry(first, i, inner, ranges) * _word_entry(tuple(rest), inner, j, 1, ranges)
    k = sympy.Dummy("k", integer=True, nonnegative=True)
    inside = {**ranges, k: first.columns}
    product = _factor_entry(first, i, k, inside) * _word_entry(tuple(rest), k, j, first.columns, inside)
    return _summed(_idempotent(sympy.expand(product)), k, first.columns, inside)


def _factor_entry(factor: Factor, i: Any, j: Any, ranges: Ranges) -> Any:
    if factor.inverted:
        _give_up("an inverse")
    if factor.transposed:
        i, j = j, i
    letter = factor.letter
    if isinstance(letter, Ones):
        return sympy.Integer(1)
    if isinstance(letter, Letter):
        if letter.entries is None:
            _give_up(f"{letter.name}, whose entries are not given,")
        return _normalised(letter.entries.xreplace({ROW: i, COLUMN: j}), ranges)
    if isinstance(letter, Diagonal):
        return one_if_zero(i - j, ranges) * _sum_entry(letter.column, i, sympy.Integer(0), ranges)
    if isinstance(letter, Entrywise) and letter.function == "relu":
        return _relu(_sum_entry(letter.argument, i, j, ranges), ranges)
    if isinstance(letter, Compound) and letter.operation == "hadamard":
        return sympy.Mul(*(_sum_entry(argument, i, j, ranges) for argument in letter.arguments))
    _give_up(f"a factor {type(letter).__name__}")


def _normalised(expression: Any, ranges: Ranges) -> Any:
    """The expression expanded, its conditions in normal form; what is multiplied by [i = j] speaks of i alone."""
    decided = expression.replace(ONE_IF_ZERO, lambda z: one_if_zero(z, ranges))
    decided = decided.replace(ONE_IF_NONNEGATIVE, lambda z: _one_if_nonnegative(z, ranges))
    expanded = _idempotent(sympy.expand(decided))
    return sympy.Add(*(_on_diagonal(term, ranges) for term in sympy.Add.make_args(expanded)))


def _idempotent(expression: Any) -> Any:
    """The expression with [z = 0] in place of its powers."""
    return expression.replace(
        lambda e: e.is_Pow and isinstance(e.base, ONE_IF_ZERO) and e.exp.is_positive, lambda power: power.base
    )


def _on_diagonal(term: Any, ranges: Ranges) -> Any:
    factors = sympy.Mul.make_args(term)
    same = next((f for f in factors if isinstance(f, ONE_IF_ZERO) and f.args[0] in (ROW - COLUMN, COLUMN - ROW)), None)
    if same is None or not (term / same).has(COLUMN):
        return term
    return same * _normalised((term / same).xreplace({COLUMN: ROW}), ranges)


def one_if_zero(z: Any, ranges: Ranges) -> Any:
    """[z = 0] in normal form: 0 or 1 where that is certain, otherwise z primitive, its leading coefficient positive.

    Args:
        z: a polynomial with rational coefficients.
        ranges: the indices among its variables, which are all integers.
    """
    z = sympy.expand(z)
    if z.is_Number:
        return sympy.Integer(z.is_zero)
    variables = sorted(z.free_symbols, key=lambda symbol: (symbol.name, symbol.is_Dummy, symbol.sort_key()))
    if not _is_rational_polynomial(z):
        _give_up(f"the condition {z} = 0, which is none of a rational polynomial in integers,")
    _, whole = sympy.Poly(z, *variables, domain="QQ").clear_denoms(convert=True)
    constant = whole.coeff_monomial(1)
    content = sympy.gcd_list([c for c in (whole - constant).coeffs() if c])
    if constant % content:
        return sympy.Integer(0)
    primitive = sympy.expand(whole.as_expr() / (content if whole.LC() > 0 else -content))
    if _is_above(primitive - 1, ranges) or _is_above(-primitive - 1, ranges):
        return sympy.Integer(0)
    return ONE_IF_ZERO(primitive)


def _one_if_nonnegative(z: Any, ranges: Ranges) -> Any:
    """[z >= 0], 0 or 1 where that is certain; z is an integer for all integers that its variables stand for."""
    z = sympy.expand(z)
    if not _is_rational_polynomial(z) or not all(
        c.is_Integer for c in sympy.Poly(z, *z.free_symbols or [ROW]).coeffs()
    ):
        _give_up(f"the condition {z} >= 0, which is none of a polynomial with integer coefficients in integers,")
    if _is_above(z, ranges):
        return sympy.Integer(1)
    return sympy.Integer(0) if _is_above(-z - 1, ranges) else ONE_IF_NONNEGATIVE(z)


def _is_rational_polynomial(z: Any) -> bool:
    """Whether it is a polynomial with rational coefficients, all of whose variables are integers."""
    variables = z.free_symbols
    if not (z.is_polynomial(*variables) and all(symbol.is_integer for symbol in variables)):
        return False
    return z.is_Rational or all(c.is_Rational for c in sympy.Poly(z, *variables).coeffs())


def _is_above(z: Any, ranges: Ranges) -> bool:
    """Whether the polynomial is certainly >= 0: it is at the worst end of every index, for all sizes >= 1."""
    worst = sympy.expand(z)
    for index, size in ranges.items():
        slope = sympy.diff(worst, index)
        if slope.has(index) or not (slope.is_nonnegative or slope.is_nonpositive):
            return False
        worst = sympy.expand(worst.subs(index, 0 if slope.is_nonnegative else size - 1))
    # A positive size is 1 + (something >= 0); a sum of products of numbers >= 0 is >= 0.
    shifted = sympy.expand(worst.subs({s: s + 1 for s in worst.free_symbols if s.is_positive}, simultaneous=True))
    known = all(symbol.is_nonnegative for symbol in shifted.free_symbols)
    return known and all(c >= 0 for c in sympy.Poly(shifted, *shifted.free_symbols or [ROW]).coeffs())


def _relu(q: Any, ranges: Ranges) -> Any:
    """relu of an entry: of a number, or of a multiple of 1 - z^2 for an integer z, where it is that of [z = 0]."""
    if q.is_Number:
        return sympy.Max(0, q)
    if _is_above(q, ranges) or _is_above(-q, ranges):
        return q if _is_above(q, ranges) else sympy.Integer(0)
    if not _is_rational_polynomial(q):
        _give_up(f"relu({q})")
    for scale, z in _as_one_minus_a_square(q):
        indicator = one_if_zero(z, ranges)
        return scale * indicator if scale > 0 else q - scale * indicator  # relu(q) = q + relu(-q)
    _give_up(f"relu({q})")


def _as_one_minus_a_square(q: Any) -> list[tuple[Any, Any]]:
    """(c, z) with q = c (1 - z^2), z a polynomial with integer coefficients; nothing if there are none."""
    for variable in q.free_symbols:
        polynomial = sympy.Poly(q, variable)
        if polynomial.degree() != 2:
            continue
        A, B, C = polynomial.all_coeffs()
        scale = sympy.expand(C - B**2 / (4 * A))
        root = sympy.sqrt(-A / scale) if A.is_Number and scale.is_Number and A * scale < 0 else None
        if root is None or not root.is_Rational:
            continue
        z = sympy.expand(root * (variable + B / (2 * A)))
        whole = all(c.is_Integer for c in sympy.Poly(z, *z.free_symbols).coeffs())
        if whole and sympy.expand(q - scale * (1 - z**2)) == 0:
            return [(scale, z)]
    return []


def _summed(total: Any, k: Any, size: Size, ranges: Ranges) -> Any:
    """The sum over k = 0, ..., size - 1 of an expanded expression, term by term."""
    result = sympy.Integer(0)
    for term in sympy.Add.make_args(total):
        conditions = [factor for factor in sympy.Mul.make_args(term) if _is_condition_on(factor, k, ONE_IF_ZERO)]
        if conditions:
            result += _summed_over_one(term, conditions, k, size, ranges)
            continue
        first, last, term = _bounds(term, k, size, ranges)
        if not term.is_polynomial(k) or any(part.has(k) for part in term.atoms(ONE_IF_ZERO, ONE_IF_NONNEGATIVE)):
            _give_up(f"the sum of {term}")
        result += sympy.summation(term, (k, first, last))
    return sympy.expand(result)


def _summed_over_one(term: Any, conditions: Sequence[Any], k: Any, size: Size, ranges: Ranges) -> Any:
    """The sum of a term with a factor [k = a]: the rest at k = a, if a is in range; -1 and the size are not."""
    outer = {index: bound for index, bound in ranges.items() if index != k}
    places = [(condition, sympy.expand(k - condition.args[0] / condition.args[0].coeff(k))) for condition in conditions]
    inside = [pair for pair in places if _is_above(pair[1], outer) and _is_above(size - 1 - pair[1], outer)]
    for condition, at in (*inside, *places):
        if _is_above(at + 1, outer) and _is_above(size - at, outer):
            within = (1 - one_if_zero(at + 1, outer)) * (1 - one_if_zero(at - size, outer))
            return _normalised((term / condition).subs(k, at) * within, outer)
    _give_up(f"the sum of {term}, where {k} may be out of range,")


def _bounds(term: Any, k: Any, size: Size, ranges: Ranges) -> tuple[Any, Any, Any]:
    """(first, last, rest): the bounds of k that a factor [k <= a] or [k >= a] leaves, with a in range, and the rest."""
    outer = {index: bound for index, bound in ranges.items() if index != k}
    for factor in sympy.Mul.make_args(term):
        if not _is_condition_on(factor, k, ONE_IF_NONNEGATIVE):
            continue
        (z,) = factor.args
        slope = sympy.diff(z, k)
        at = sympy.expand(k - z / slope)
        low, high = (at, size - 1) if slope == 1 else (sympy.Integer(0), at)
        within = (low, size - low, high + 1, size - 1 - high)
        if all(_is_above(distance, outer) for distance in within):
            return low, high, term / factor
    return sympy.Integer(0), size - 1, term


def _is_condition_on(factor: Any, k: Any, kind: Any) -> bool:
    """Whether the factor is [z = 0] (or [z >= 0]) with k in z, alone and with coefficient 1 or -1."""
    return isinstance(factor, kind) and abs(sympy.diff(factor.args[0], k)) == 1


def _give_up(what: str) -> NoReturn:
    raise NoEntries(f"{what} has no entry by entry normal form")

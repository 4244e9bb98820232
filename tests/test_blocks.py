"""The algebra of blocks in every kind of number: its laws, the values of its operations, softmax."""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy
from every_kind import FLOATS, QUARTERS, TABLE, agree, exact_kinds, float_kinds, floats, of_kind, with_fixture
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.block import Zero, softmax
from numerics.balls import BallBlock
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from numerics.strategies import rational_matrices
from proofs.explicit import ExplicitBlock
from proofs.symbols import SymbolBlock, size_of


class Blocks(NamedTuple):
    """What the laws speak of: A, C, E (2, 3), B (3, 2), D (2, 2), S and T (2, 2) invertible, u, v (3, 1), y (1, 2)."""

    A: Any
    C: Any
    E: Any
    B: Any
    D: Any
    S: Any
    T: Any
    u: Any
    v: Any
    y: Any


SHAPES = Blocks((2, 3), (2, 3), (2, 3), (3, 2), (2, 2), (2, 2), (2, 2), (3, 1), (3, 1), (1, 2))


@st.composite
def tables(draw):
    """Nested lists of quarters of those shapes; S and T are inverted without a rounding."""
    drawn = Blocks(*(draw(rational_matrices(*shape, QUARTERS)) for shape in SHAPES))
    a, b = (Fraction(draw(st.integers(-4, 4)), 4) for _ in range(2))
    return drawn._replace(S=[[1, a], [0, -1]], T=[[2, b], [0, 1]])


def lifted(kind, drawn):
    return Blocks(*(kind.lift(table) for table in drawn))


def in_a_batch(kind, xp, first, second):
    """Batches of two matrices each."""
    pairs = zip(first, second, strict=True)
    return Blocks(*(kind.lift(xp.asarray(np.array([floats(a), floats(b)]))) for a, b in pairs))


LETTERS = Blocks(
    *(
        SymbolBlock.letter(name, *(size_of({2: "n", 3: "d"}[s]) if s > 1 else 1 for s in shape))
        for name, shape in zip(Blocks._fields, SHAPES, strict=True)
    )
)

HALF, MINUS_TWO = Fraction(1, 2), Fraction(-2)

LAWS = {
    "sums associate": lambda b: ((b.A + b.C) + b.E, b.A + (b.C + b.E)),
    "sums commute": lambda b: (b.A + b.C, b.C + b.A),
    "a difference is a sum": lambda b: (b.A - b.C, b.A + (-b.C)),
    "A - A = 0": lambda b: (b.A - b.A, Zero(*b.A.shape)),
    "products associate": lambda b: ((b.A @ b.B) @ b.D, b.A @ (b.B @ b.D)),
    "products distribute from the left": lambda b: (b.D @ (b.A + b.C), b.D @ b.A + b.D @ b.C),
    "products distribute from the right": lambda b: ((b.A + b.C) @ b.B, b.A @ b.B + b.C @ b.B),
    "the identity is neutral from the left": lambda b: (b.A.identity(b.A.rows) @ b.A, b.A),
    "the identity is neutral from the right": lambda b: (b.A @ b.A.identity(b.A.columns), b.A),
    "a sum with a product": lambda b: (b.D.plus_product(b.A, b.B), b.D + b.A @ b.B),
    "the transpose of a product": lambda b: ((b.A @ b.B).T, b.B.T @ b.A.T),
    "the transpose of a sum": lambda b: ((b.A + b.C).T, b.A.T + b.C.T),
    "the transpose of a transpose": lambda b: (b.A.T.T, b.A),
    "multiples distribute": lambda b: ((b.A + b.C).scale(MINUS_TWO), b.A.scale(-2) + b.C.scale(-2)),
    "multiples associate": lambda b: (b.A.scale(HALF).scale(-4), b.A.scale(MINUS_TWO)),
    "multiples pass through products": lambda b: ((b.A @ b.B).scale(HALF), b.A @ b.B.scale(HALF)),
    "minus is the multiple by -1": lambda b: (-b.A, b.A.scale(-1)),
    "minus minus is nothing": lambda b: (-b.A.scale(-1), b.A),
    "relu(A) - relu(-A) = A": lambda b: (b.A.relu() - (-b.A).relu(), b.A),
    "relu of a difference": lambda b: ((b.A - b.C).relu() - (b.C - b.A).relu(), b.A - b.C),
    "relu of a positive multiple": lambda b: (b.A.scale(2).relu(), b.A.relu().scale(2)),
    "relu of a transpose": lambda b: (b.A.T.relu(), b.A.relu().T),
    "entrywise products commute": lambda b: (b.A.hadamard(b.C), b.C.hadamard(b.A)),
    "entrywise products associate": lambda b: (b.A.hadamard(b.C).hadamard(b.E), b.A.hadamard(b.C.hadamard(b.E))),
    "entrywise products distribute": lambda b: (b.A.hadamard(b.C + b.E), b.A.hadamard(b.C) + b.A.hadamard(b.E)),
    "the transpose of an entrywise product": lambda b: (b.A.hadamard(b.C).T, b.A.T.hadamard(b.C.T)),
    "ones are neutral entrywise": lambda b: (b.A.hadamard(b.A.ones(*b.A.shape)), b.A),
    "a square is an entrywise product": lambda b: (b.A.square(), b.A.hadamard(b.A)),
    "ones have rank one": lambda b: (b.A.ones(*b.A.shape), b.A.ones(b.A.rows, 1) @ b.A.ones(1, b.A.columns)),
    "1^T 1 = n": lambda b: (b.u.ones(1, b.u.rows) @ b.u.ones(b.u.rows, 1), b.u.identity(1).scale(b.u.rows)),
    "diag(u) 1 = u": lambda b: (b.u.diagonal() @ b.u.ones(b.u.rows, 1), b.u),
    "1^T diag(y) = y": lambda b: (b.y.ones(1, b.y.columns) @ b.y.diagonal(), b.y),
    "diag(u) v = u o v": lambda b: (b.u.diagonal() @ b.v, b.u.hadamard(b.v)),
    "diag of a sum": lambda b: ((b.u + b.v).diagonal(), b.u.diagonal() + b.v.diagonal()),
    "diag of a row is diag of the column": lambda b: (b.u.T.diagonal(), b.u.diagonal()),
    "diag is symmetric": lambda b: (b.u.diagonal().T, b.u.diagonal()),
    "an inverse from the left": lambda b: (b.S.inverse() @ b.S, b.S.identity(b.S.rows)),
    "an inverse from the right": lambda b: (b.T @ b.T.inverse(), b.T.identity(b.T.rows)),
    "the inverse of a product": lambda b: ((b.S @ b.T).inverse(), b.T.inverse() @ b.S.inverse()),
    "the inverse of a transpose": lambda b: (b.S.T.inverse(), b.S.inverse().T),
    "the inverse of an inverse": lambda b: (b.T.inverse().inverse(), b.T),
    "the transpose of blocks side by side": lambda b: (b.A.beside(b.D).T, b.A.T.above(b.D.T)),
    "zeros are zero": lambda b: (b.A.zeros(*b.A.shape), Zero(*b.A.shape)),
    "zeros are neutral": lambda b: (b.A + b.A.zeros(*b.A.shape), b.A),
}
BLOCK_LAWS = {
    "blocks side by side are put together in order": lambda b: (b.A.beside(b.D, b.C), b.A.beside(b.D).beside(b.C)),
    "a product of blocks side by side": lambda b: (b.D @ b.A.beside(b.C), (b.D @ b.A).beside(b.D @ b.C)),
    "a row of blocks times a column of blocks": lambda b: (b.A.beside(b.D) @ b.B.above(b.T), b.A @ b.B + b.D @ b.T),
    "relu of blocks side by side": lambda b: (b.A.beside(b.D).relu(), b.A.relu().beside(b.D.relu())),
}


@exact_kinds
@pytest.mark.parametrize("law", [*LAWS, *BLOCK_LAWS])
@settings(max_examples=5)
@given(drawn=tables())
def test_law_holds_exactly(kind, law, drawn):
    assert agree(*(LAWS | BLOCK_LAWS)[law](lifted(kind, drawn)))


ROUNDED_LAWS = [
    pytest.param(kind, law, id=f"{law}-{name}")
    for name, kind in FLOATS.items()
    for law in (*LAWS, *BLOCK_LAWS)
    if not ("inverse" in law and kind is FloatBlock)  # an inverse rounds, and a plain float does not say by how much
]


@pytest.mark.parametrize(("kind", "law"), ROUNDED_LAWS)
@settings(with_fixture, max_examples=3)
@given(first=tables(), second=tables())
def test_law_holds_for_batches_of_floats(xp, kind, law, first, second):
    assert agree(*(LAWS | BLOCK_LAWS)[law](in_a_batch(kind, xp, first, second)))


@pytest.mark.parametrize("law", LAWS)
def test_law_is_proved_for_all_sizes(law):
    assert agree(*LAWS[law](LETTERS))


# Values.


def matrix(rows, columns, entry):
    return [[Fraction(entry(i, j)) for j in range(columns)] for i in range(rows)]


VALUES = {
    "@": (lambda b: b.A @ b.B, lambda t: matrix(2, 2, lambda i, j: sum(t.A[i][k] * t.B[k][j] for k in range(3)))),
    "+": (lambda b: b.A + b.C, lambda t: matrix(2, 3, lambda i, j: t.A[i][j] + t.C[i][j])),
    "-": (lambda b: b.A - b.C, lambda t: matrix(2, 3, lambda i, j: t.A[i][j] - t.C[i][j])),
    "T": (lambda b: b.A.T, lambda t: matrix(3, 2, lambda i, j: t.A[j][i])),
    "scale": (lambda b: b.A.scale(Fraction(-3, 2)), lambda t: matrix(2, 3, lambda i, j: Fraction(-3, 2) * t.A[i][j])),
    "scale by a float": (lambda b: b.A.scale(0.75), lambda t: matrix(2, 3, lambda i, j: Fraction(3, 4) * t.A[i][j])),
    "relu": (lambda b: b.A.relu(), lambda t: matrix(2, 3, lambda i, j: max(t.A[i][j], 0))),
    "hadamard": (lambda b: b.A.hadamard(b.C), lambda t: matrix(2, 3, lambda i, j: t.A[i][j] * t.C[i][j])),
    "square": (lambda b: b.A.square(), lambda t: matrix(2, 3, lambda i, j: t.A[i][j] ** 2)),
    "diagonal": (lambda b: b.u.diagonal(), lambda t: matrix(3, 3, lambda i, j: t.u[i][0] if i == j else 0)),
    "beside": (lambda b: b.A.beside(b.D), lambda t: matrix(2, 5, lambda i, j: [*t.A[i], *t.D[i]][j])),
    "above": (lambda b: b.A.above(b.B.T), lambda t: matrix(4, 3, lambda i, j: [*t.A, *zip(*t.B, strict=True)][i][j])),
    "beside Zero": (lambda b: b.D.beside(Zero(2, 1)), lambda t: matrix(2, 3, lambda i, j: [*t.D[i], 0][j])),
    "Zero above": (lambda b: Zero(1, 3).above(b.A), lambda t: matrix(3, 3, lambda i, j: [[0] * 3, *t.A][i][j])),
    "ones": (lambda b: b.A.ones(3, 2), lambda t: matrix(3, 2, lambda i, j: 1)),
    "zeros": (lambda b: b.A.zeros(3, 2), lambda t: matrix(3, 2, lambda i, j: 0)),
    "identity": (lambda b: b.A.identity(3), lambda t: matrix(3, 3, lambda i, j: i == j)),
    "fill": (
        lambda b: b.A.fill(2, 3, lambda i, j: Fraction(i - j, 2)),
        lambda t: matrix(2, 3, lambda i, j: (i - j) / 2),
    ),
    "fill with zeros": (lambda b: b.A.fill(1, 2, lambda i, j: 0), lambda t: matrix(1, 2, lambda i, j: 0)),
    "inverse": (lambda b: b.S.inverse(), lambda t: [[1, t.S[0][1]], [0, -1]]),
}


def read(block):
    """The entries as nested lists of Fractions; of balls, the midpoints."""

    def fraction(value):
        if isinstance(value, arb):
            mantissa, exponent = value.mid().man_exp()
            return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
        if isinstance(value, fmpq):
            return Fraction(int(value.p), int(value.q))
        return Fraction(int(value.p), int(value.q)) if isinstance(value, sympy.Rational) else Fraction(value)

    entry = (
        block.entry
        if isinstance(block.entry, sympy.MatrixBase)
        else np.asarray(getattr(block.entry, "value", block.entry))
    )
    return [[fraction(value) for value in row] for row in entry.tolist()]


@exact_kinds
@pytest.mark.parametrize("operation", VALUES)
@settings(max_examples=3)
@given(drawn=tables())
def test_value_is_exact(kind, operation, drawn):
    run, expected = VALUES[operation]
    assert read(run(lifted(kind, drawn))) == expected(drawn)


@float_kinds
@pytest.mark.parametrize("operation", VALUES)
@settings(with_fixture, max_examples=3)
@given(first=tables(), second=tables())
def test_value_of_each_matrix_of_a_batch_is_exact(xp, kind, operation, first, second):
    run, expected = VALUES[operation]
    block = run(in_a_batch(kind, xp, first, second))
    value = np.broadcast_to(np.asarray(getattr(block.entry, "value", block.entry)), (2, *block.shape))
    assert [read(FloatBlock(np.array(each))) for each in value] == [expected(first), expected(second)]


# Softmax.

SCORES, MORE = [[Fraction(1), Fraction(-2)], [Fraction(0), Fraction(1, 2)]], [[Fraction(3), Fraction(-1)]]


@pytest.mark.parametrize("kind", [BallBlock, RoundedBlock, ExplicitBlock])
def test_columns_of_a_softmax_sum_to_one(kind):
    parts = softmax([of_kind(kind, SCORES), of_kind(kind, MORE)])
    total = parts[0].ones(1, 2) @ parts[0] + parts[1].ones(1, 1) @ parts[1]
    assert agree(total, total.ones(1, 2))


@with_fixture
@given(data=st.data())
def test_columns_of_a_softmax_of_floats_sum_to_one(xp, data):
    tables = [[data.draw(rational_matrices(rows, 2, QUARTERS)) for rows in (3, 2)] for _ in range(2)]
    scores = [xp.asarray(np.array([floats(table) for table in pair])) for pair in zip(*tables, strict=True)]
    parts = [np.asarray(part.entry) for part in softmax([FloatBlock.lift(score) for score in scores])]
    columns = np.moveaxis(np.concatenate(parts, axis=-2), -1, -2).reshape(-1, 5)
    # Five terms: four roundings of the sum and one of each quotient; exp is in both.
    bound = 6 * Fraction(2) ** -53
    assert all(abs(sum(map(Fraction, column.tolist())) - 1) <= bound for column in columns)


@pytest.mark.parametrize("kind", [BallBlock, FloatBlock, RoundedBlock])
def test_softmax_has_the_textbook_value(kind):
    (part,) = softmax([of_kind(kind, SCORES)])
    expected = math.exp(1) / (math.exp(1) + math.exp(0))
    assert abs(float(read(part)[0][0]) - expected) <= 4 * 2.0**-53


@pytest.mark.parametrize("kind", [BallBlock, FloatBlock, RoundedBlock, ExplicitBlock])
def test_a_key_outside_the_pattern_gets_nothing(kind):
    pattern = of_kind(kind, [[1, 0], [1, 1]])
    (part,) = softmax([of_kind(kind, SCORES)], [pattern])
    entries = part.entry.tolist() if isinstance(part, ExplicitBlock) else read(part)
    assert entries[0][1] == 0


def test_zero_scores_count_as_zeros():
    parts = softmax([Zero(2, 2), of_kind(BallBlock, MORE)])
    same = softmax([of_kind(BallBlock, [[0, 0], [0, 0]]), of_kind(BallBlock, MORE)])
    assert all(agree(left, right) for left, right in zip(parts, same, strict=True))


def test_softmax_of_zero_scores_alone_needs_a_kind():
    with pytest.raises(TypeError, match="all scores are zero blocks, so the kind of number is unknown: pass like="):
        softmax([Zero(2, 2)])
    (part,) = softmax([Zero(2, 1)], like=of_kind(BallBlock, TABLE))
    assert agree(part, part.ones(2, 1).scale(Fraction(1, 2)))


@pytest.mark.parametrize("operation", [lambda A: A.exp(), lambda A: softmax([A])])
def test_rationals_refuse_the_exponential(operation):
    with pytest.raises(TypeError, match=r"(exp of a rational|softmax of rationals) is not rational"):
        operation(of_kind(RationalBlock, TABLE))

"""Zero, the block that is never stored, and what blocks of every kind refuse."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from every_kind import ALL, KINDS, SYMBOLS, TABLE, agree, every_block, every_kind, of_kind
from flint import arb

from constructions.block import Zero, compare, softmax
from constructions.comparison import Verdict
from numerics.balls import BallBlock
from proofs.explicit import ExplicitBlock
from proofs.symbols import SymbolBlock


@every_block
def test_zero_is_absorbing(A):
    products = [A @ Zero(A.columns, 4), Zero(4, A.rows) @ A, A.hadamard(Zero(*A.shape)), Zero(*A.shape).hadamard(A)]
    assert all(isinstance(product, Zero) for product in products)
    assert [product.shape for product in products] == [(A.rows, 4), (4, A.columns), A.shape, A.shape]


@every_block
def test_zero_is_neutral(A):
    nothing = Zero(*A.shape)
    assert all(result is A for result in (A + nothing, nothing + A, A - nothing))
    assert agree(nothing - A, -A)


@every_block
def test_a_multiple_by_zero_is_zero(A):
    for scalar in (0, 0.0, Fraction(0), sympy.Integer(0), np.float64(0)):
        assert isinstance(A.scale(scalar), Zero)
        assert A.scale(scalar).shape == A.shape


@every_block
def test_a_multiple_by_one_costs_nothing(A):
    assert all(A.scale(scalar) is A for scalar in (1, 1.0, Fraction(1), sympy.Integer(1)))


@every_block
def test_zero_equals_explicit_zeros(A):
    assert agree(A.zeros(*A.shape), Zero(*A.shape))


def test_zero_stays_zero():
    O = Zero(2, 2)
    results = [O + O, -O, O - O, O @ O, O.T, O.relu(), O.scale(3), O.square(), O.beside(O), O.above(O), O.restarted()]
    assert all(isinstance(result, Zero) for result in results)
    assert [result.shape for result in results[-3:]] == [(2, 4), (4, 2), (2, 2)]
    assert compare(O, O).verdict is Verdict.EQUAL


def test_diag_of_zero_is_zero():
    assert [Zero(*shape).diagonal().shape for shape in ((1, 3), (3, 1), (1, 1))] == [(3, 3), (3, 3), (1, 1)]


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        (lambda: Zero.lift([[0]]), TypeError, "an entry is never lifted into Zero"),
        (lambda: Zero(2, 3).entry, TypeError, r"a zero block of shape \(2, 3\) has no kind of number"),
        (lambda: Zero(2, 3).exp(), TypeError, "exp of a zero block is a block of ones, which needs a kind"),
        (lambda: Zero(2, 2).inverse(), ZeroDivisionError, r"a zero block of shape \(2, 2\) has no inverse"),
        (lambda: Zero(2, 2).ones(1, 1), TypeError, "a zero block has no kind of number to make ones of"),
        (lambda: SYMBOLS.fill(1, 1, lambda i, j: 0), TypeError, "a matrix given entry by entry needs concrete sizes"),
    ],
)
def test_what_needs_a_kind_is_refused(operation, error, message):
    with pytest.raises(error, match=message):
        operation()


@pytest.mark.parametrize("operation", [lambda O: O.identity(1), lambda O: O.fill(1, 1, lambda i, j: 0)])
def test_zero_says_that_it_has_no_kind(operation):
    with pytest.raises(TypeError, match="a zero block has no kind of number"):
        operation(Zero(2, 2))


def test_zero_that_is_neither_row_nor_column_has_no_diagonal_matrix():
    with pytest.raises(ValueError, match="only a row or a column has a diagonal matrix"):
        Zero(2, 3).diagonal()


# What is refused.

PAIRS = {
    "@": lambda A, B: A @ B.T,
    "+": lambda A, B: A + B,
    "-": lambda A, B: A - B,
    "hadamard": lambda A, B: A.hadamard(B),
    "beside": lambda A, B: A.beside(B),
    "above": lambda A, B: A.above(B),
    "compare": compare,
    "softmax": lambda A, B: softmax([A, B]),
}


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(KINDS, 2)])
@pytest.mark.parametrize("operation", PAIRS)
def test_kinds_do_not_mix(one, other, operation):
    left, right = of_kind(KINDS[one], TABLE), of_kind(KINDS[other], TABLE)
    said = f"kinds of number do not mix: {type(left).__name__} with {type(right).__name__}; lift every input"
    with pytest.raises(TypeError, match=said):
        PAIRS[operation](left, right)


BAD_SHAPES = {
    "@": (lambda A: A @ A, "cannot multiply shapes"),
    "@ Zero": (lambda A: A @ Zero(7, 7), "cannot multiply shapes"),
    "+": (lambda A: A + A.T, "cannot add shapes"),
    "-": (lambda A: A - A.T, "cannot add shapes"),
    "+ Zero": (lambda A: A + Zero(7, 7), "cannot add shapes"),
    "hadamard": (lambda A: A.hadamard(A.T), "cannot multiply entrywise shapes"),
    "beside": (lambda A: A.beside(A.T), "cannot put shapes .* side by side: rows differ"),
    "above": (lambda A: A.above(A.T), "cannot put shapes .* side by side: rows differ"),
    "compare": (lambda A: compare(A, A.T), "cannot compare shapes"),
    "diagonal": (lambda A: A.diagonal(), "only a row or a column has a diagonal matrix, but shape .* came"),
    "inverse": (lambda A: A.inverse(), "only a square block has an inverse, but shape .* came"),
}


@every_block
@pytest.mark.parametrize("operation", BAD_SHAPES)
def test_shapes_that_do_not_fit_are_refused(A, operation):
    run, said = BAD_SHAPES[operation]
    with pytest.raises(ValueError, match=said):
        run(A)


@every_kind
def test_a_singular_matrix_has_no_inverse(kind):
    with pytest.raises(ZeroDivisionError):
        of_kind(kind, [[1, 2], [2, 4]]).inverse()


def test_a_ball_that_may_be_singular_is_named():
    with pytest.raises(ZeroDivisionError, match=r"singular, or 53 bits are too few .* raise the precision"):
        BallBlock.lift([[arb(0, 1)]]).inverse()


@every_block
@pytest.mark.parametrize("scalar", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_scalar_that_is_not_finite_is_refused(A, scalar):
    with pytest.raises(ValueError, match="a scalar must be finite, but"):
        A.scale(scalar)


@every_kind
@pytest.mark.parametrize("scalar", [1j, "1", None])
def test_a_scalar_that_is_no_number_is_refused(kind, scalar):
    with pytest.raises((TypeError, ValueError)):
        of_kind(kind, TABLE).scale(scalar)


@pytest.mark.parametrize("A", [A for A in ALL if not isinstance(A, (ExplicitBlock, SymbolBlock))])
def test_a_symbol_is_no_number(A):
    with pytest.raises(TypeError, match=r"Symbol|expression"):
        A.scale(sympy.Symbol("q"))


@pytest.mark.parametrize("scalar", [sympy.oo, sympy.nan, sympy.I])
@pytest.mark.parametrize("A", [of_kind(ExplicitBlock, TABLE), SYMBOLS], ids=["explicit symbols", "symbols"])
def test_a_symbolic_scalar_is_real_and_finite(A, scalar):
    with pytest.raises(ValueError, match="a symbolic number must be real and finite, but"):
        A.scale(scalar)


@every_block
@pytest.mark.parametrize("other", [1, 0.5, [[1]], None, "A", np.ones((2, 3))])
@pytest.mark.parametrize("operation", [lambda A, B: A + B, lambda A, B: B + A, lambda A, B: A @ B, lambda A, B: A - B])
def test_what_is_no_block_is_refused(A, other, operation):
    with pytest.raises(TypeError):
        operation(A, other)


def test_balls_that_are_disjoint_differ_even_where_others_are_unknown():
    unknown = BallBlock.lift([[arb(0, 1), 1]])._mapped(lambda ball: 1 / ball)
    assert compare(unknown, BallBlock.lift([[1, 2]])).verdict is Verdict.DIFFERENT
    assert compare(unknown, BallBlock.lift([[1, 1]])).verdict is Verdict.UNDECIDED

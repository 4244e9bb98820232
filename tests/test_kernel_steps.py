"""Definiteness and step sizes, decided: against eigenvalues in floats and by hand."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from constructions.block import compare
from constructions.comparison import Verdict
from constructions.functional_descent import FunctionalDescent
from constructions.functional_limits import AlternatingDescent
from constructions.kernels import LINEAR, RELU, exponential, polynomial
from constructions.parameters import Repeated
from numerics.balls import BallBlock, precision
from numerics.definiteness import Indefinite, factors, is_positive_definite, is_positive_semidefinite
from numerics.floats import FloatBlock
from numerics.kernel_steps import (
    eigenvalue_range,
    gram_matrix,
    is_convergent_alternating_step,
    is_convergent_step,
    limit_error_bound,
    require_convergent_step,
)
from numerics.rationals import RationalBlock, as_fraction
from numerics.strategies import rational_matrices

EIGHT = [[1, 1, 0, -1, -1, -1, 0, 1], [0, 1, 1, 1, 0, -1, -1, -1]]
RELU_GRAM = gram_matrix(RELU, EIGHT)
TWO = RationalBlock.lift([[4, 1], [1, 4]])
"""Eigenvalues 3 and 5."""


def numbers(block):
    return np.array([[float(as_fraction(value)) for value in row] for row in block.entry.tolist()])


@st.composite
def symmetric(draw):
    size = draw(st.integers(1, 4))
    A = RationalBlock.lift(draw(rational_matrices(size, size)))
    return A @ A.T if draw(st.booleans()) else A + A.T


@given(symmetric())
def test_definiteness_is_that_of_the_eigenvalues(M):
    least = np.linalg.eigvalsh(numbers(M))[0]
    assume(abs(least) > 1e-9)
    assert is_positive_definite(M) == (least > 0)
    assert is_positive_semidefinite(M) == (least > 0)


@given(symmetric())
def test_factors_multiply_to_the_matrix_or_a_direction_shows_that_there_are_none(M):
    try:
        C, D = factors(M)
    except Indefinite as error:
        v = error.direction
        assert as_fraction((v.T @ M @ v).matrix[0, 0]) < 0
    else:
        assert compare(C.T @ D @ C, M).verdict is Verdict.EQUAL
        assert all(D.matrix[i, i] >= 0 for i in range(D.rows))


@pytest.mark.parametrize(
    ("table", "definite", "semidefinite"),
    [
        ([[1]], True, True),
        ([[0]], False, True),
        ([[-1]], False, False),
        ([[0, 1], [1, 0]], False, False),
        ([[0, 1], [1, 5]], False, False),
        ([[1, 2], [2, 4]], False, True),
        ([[1, 2], [2, 3]], False, False),
        ([[2, 1], [1, 2]], True, True),
        ([[0, 0], [0, 3]], False, True),
    ],
)
@pytest.mark.parametrize("kind", [RationalBlock, BallBlock], ids=["rationals", "balls"])
def test_definiteness_of_small_matrices(kind, table, definite, semidefinite):
    assert is_positive_definite(kind.lift(table)) == definite
    assert is_positive_semidefinite(kind.lift(table)) == semidefinite


def test_balls_that_are_too_wide_to_tell_say_so():
    for wide in ([[arb(0, 1)]], [[arb(0), arb(0, 1)], [arb(0, 1), arb(1)]]):
        with pytest.raises(ArithmeticError, match=r"these balls are too wide to tell whether .* raise the precision"):
            is_positive_definite(BallBlock.lift(wide))


def test_a_matrix_that_is_not_symmetric_is_refused():
    with pytest.raises(ValueError, match=r"the matrix is not symmetric: entries \(1, 0\) and \(0, 1\) differ"):
        factors(RationalBlock.lift([[1, 2], [3, 4]]))
    with pytest.raises(ValueError, match=r"a square matrix is required, but shape \(1, 2\) came"):
        factors(RationalBlock.lift([[1, 2]]))


def test_definiteness_of_floats_is_refused():
    for decide in (is_positive_definite, eigenvalue_range):
        with pytest.raises(TypeError, match="in rationals and in balls, but FloatBlock came"):
            decide(FloatBlock.lift(np.eye(2)))


# Step sizes.


@pytest.mark.parametrize(
    ("r", "converges"), [(0, False), (-1, False), (Fraction(1, 3), True), (Fraction(2, 5), False), (1, False)]
)
def test_constant_steps_converge_below_two_over_the_largest_eigenvalue(r, converges):
    assert is_convergent_step(TWO, r) == converges
    assert is_convergent_step(BallBlock.lift([[4, 1], [1, 4]]), Fraction(1, 3))


def test_no_constant_step_converges_if_an_eigenvalue_is_zero_or_negative():
    for table in ([[1, 1], [1, 1]], [[1, 2], [2, 1]]):
        M = RationalBlock.lift(table)
        assert not any(is_convergent_step(M, Fraction(r, 10)) for r in range(-20, 20))


@pytest.mark.parametrize(("r", "converges"), [(Fraction(1, 4), True), (Fraction(-1, 4), True), (0, False), (1, False)])
def test_alternating_steps_converge_for_an_indefinite_matrix(r, converges):
    assert is_convergent_alternating_step(RationalBlock.lift([[1, 2], [2, 1]]), r) == converges


def test_alternating_steps_converge_up_to_the_root_of_two_over_the_largest_magnitude():
    """[[0, 1], [1, 0]] has the eigenvalues 1 and -1; 1.41421^2 < 2 < 1.41422^2."""
    M = RationalBlock.lift([[0, 1], [1, 0]])
    assert is_convergent_alternating_step(M, Fraction(141421, 100000))
    assert not is_convergent_alternating_step(M, Fraction(141422, 100000))


def test_a_step_that_converges_is_accepted():
    require_convergent_step(TWO, Fraction(1, 3))


def test_a_kernel_that_is_not_semidefinite_is_refused_with_a_direction():
    with pytest.raises(Indefinite, match=r"no constant step converges, .* v\^T M v = -1 for v = .*; use Alternating"):
        require_convergent_step(RELU_GRAM, Fraction(1, 10))


def test_inputs_that_are_repeated_are_refused():
    with pytest.raises(ValueError, match="K is singular: targets outside its range cannot be fitted"):
        require_convergent_step(gram_matrix(polynomial(2), [[1, 1]]), Fraction(1, 10))


@pytest.mark.parametrize("r", [Fraction(2, 5), 3, 0, -1])
def test_a_step_out_of_range_is_refused_with_the_range(r):
    with pytest.raises(ValueError, match=r"r = .*: it must be above 0 and below 2 / lambda_max\(K\), .* at least 0.4$"):
        require_convergent_step(TWO, r)


@given(symmetric())
def test_eigenvalues_are_within_their_range(M):
    low, high = eigenvalue_range(M)
    values = np.linalg.eigvalsh(numbers(M))
    scale = 1 + max(abs(values))
    assert low <= Fraction(values[0]) + Fraction(scale * 1e-12)
    assert high >= Fraction(values[-1]) - Fraction(scale * 1e-12)
    assert high - low <= Fraction(values[-1] - values[0] + scale * 1e-9)


def test_the_range_of_balls_holds_every_matrix_in_them():
    low, high = eigenvalue_range(BallBlock.lift([[arb(4, 0.5), arb(1)], [arb(1), arb(4, 0.5)]]))
    assert low <= Fraction(5, 2)
    assert high >= Fraction(11, 2)


def test_the_gram_matrix_of_an_exponential_kernel_is_decided_in_balls():
    with precision(128):
        K = gram_matrix(exponential(), [[arb(1), arb(0)], [arb(0), arb(1)]])
        low, high = eigenvalue_range(K)
        assert is_convergent_step(K, Fraction(53, 100))
        assert not is_convergent_step(K, Fraction(54, 100))
    with precision(512):
        assert arb(low.numerator) / low.denominator <= arb(1).exp() - 1
        assert arb(high.numerator) / high.denominator >= arb(1).exp() + 1


# What the decisions say is what the networks do.

POINTS, TARGETS, QUERY = [[1, 0, 2]], [[1, -1, 3]], [[Fraction(1, 2)]]


def exact(block):
    return as_fraction(block[0, 0])


@pytest.mark.parametrize("layers", [1, 2, 5, 20])
@pytest.mark.parametrize("r", [Fraction(1, 40), Fraction(1, 20), Fraction(1, 10)])
def test_the_prediction_is_within_its_error_bound_of_the_limit(layers, r):
    kernel = polynomial(2)
    K = gram_matrix(kernel, POINTS)
    k = RationalBlock.lift(POINTS).kernel(RationalBlock.lift(QUERY), kernel)
    y = RationalBlock.lift(TARGETS)
    limit = as_fraction((y @ K.inverse() @ k).matrix[0, 0])
    network = FunctionalDescent(step_sizes=Repeated(r, layers), kernel=kernel)
    error = abs(exact(network(POINTS, TARGETS, QUERY)) - limit)
    assert error <= limit_error_bound(K, k, y, r, layers)


def test_the_error_bound_shrinks_for_a_convergent_step_only():
    K, k, y = TWO, RationalBlock.lift([[1], [2]]), RationalBlock.lift([[1, 1]])
    bounds = [[limit_error_bound(K, k, y, r, layers) for layers in (1, 10)] for r in (Fraction(1, 4), Fraction(1, 2))]
    assert bounds[0][1] < bounds[0][0]
    assert bounds[1][1] > bounds[1][0]


def test_the_error_bound_is_tight_in_one_dimension():
    """K = 3, k = 1, y = 1, r = 1/4: the error after l layers is (1/4)^l / 3."""
    bound = limit_error_bound(*(RationalBlock.lift([[value]]) for value in (3, 1, 1)), Fraction(1, 4), 3)
    assert Fraction(1, 4) ** 3 / 3 <= bound < Fraction(1, 4) ** 3 / 3 * Fraction(1 + 1e-9)


def test_the_error_bound_of_a_singular_matrix_is_refused():
    one = RationalBlock.lift([[1], [1]])
    with pytest.raises(ValueError, match="K must be positive definite, but its least eigenvalue is only known"):
        limit_error_bound(gram_matrix(LINEAR, [[1, 1]]), one, one.T, Fraction(1, 4), 1)


def test_constant_steps_diverge_on_the_relu_kernel_and_alternating_ones_converge():
    """[[5, 4, 0, 0], [4, 5, 3, 0], [0, 3, 5, 4], [0, 0, 4, 5]] has the eigenvalues -0.772, 2.228, 7.772 and 10.772."""
    X, Y, x_query, r = [[-2, -1, 1, 2], [1, 2, 2, 1]], [[1, -1, 2, 1]], [[1], [0]], Fraction(1, 8)
    K = gram_matrix(RELU, X)
    assert numbers(K).tolist() == [[5, 4, 0, 0], [4, 5, 3, 0], [0, 3, 5, 4], [0, 0, 4, 5]]
    assert not is_positive_semidefinite(K)
    assert is_convergent_alternating_step(K, r)
    limit = (np.array(Y) @ np.linalg.solve(numbers(K), [[0], [0], [1], [2]])).item()
    errors = {
        cls: [
            abs(float(exact(cls(step_sizes=Repeated(r, layers), kernel=RELU)(X, Y, x_query))) - limit)
            for layers in (50, 100, 200)
        ]
        for cls in (FunctionalDescent, AlternatingDescent)
    }
    alternating, constant = errors[AlternatingDescent], errors[FunctionalDescent]
    assert alternating[0] > 1.5 * alternating[1] > 3 * alternating[2]
    assert 10 * constant[0] < constant[1] < constant[2] / 100

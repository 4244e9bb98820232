"""Kernels as functions of blocks, against plain Python; kernels in heads, and what softmax does with large logits."""

from fractions import Fraction

import numpy as np
import pytest
from every_kind import every_kind, of_kind
from flint import arb

from constructions.block import Kernel, compare
from constructions.comparison import Verdict
from constructions.functional_descent import FunctionalDescent
from constructions.kernels import LINEAR, RELU, SOFTMAX, exponential, polynomial, rbf
from numerics.balls import BallBlock, precision
from numerics.rationals import RationalBlock, as_fraction
from numerics.rounding import RoundedBlock
from proofs.symbols import SymbolBlock, size_of

KEYS = [[Fraction(1), Fraction(-1, 2), Fraction(2)], [Fraction(0), Fraction(1), Fraction(-1)]]
QUERIES = [[Fraction(-1), Fraction(1, 4)], [Fraction(2), Fraction(1, 2)]]


def columns(table):
    return list(zip(*table, strict=True))


def inner(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def squared_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


RATIONAL = {
    "linear": (LINEAR, inner),
    "relu": (RELU, lambda a, b: max(inner(a, b), 0)),
    "cubic": (polynomial(3), lambda a, b: (1 + inner(a, b)) ** 3),
    "affine": (polynomial(1), lambda a, b: 1 + inner(a, b)),
}
TRANSCENDENTAL = {
    "exponential": (exponential(), inner),
    "scaled exponential": (exponential(Fraction(1, 3)), lambda a, b: inner(a, b) / 3),
    "rbf": (rbf(), lambda a, b: -squared_distance(a, b) / 2),
    "narrow rbf": (rbf(2), lambda a, b: -2 * squared_distance(a, b)),
}


@pytest.mark.parametrize("name", RATIONAL)
@every_kind
def test_gram_block_has_the_kernel_of_every_pair(kind, name):
    kernel, value = RATIONAL[name]
    expected = [[value(a, b) for b in columns(QUERIES)] for a in columns(KEYS)]
    gram = of_kind(kind, KEYS).kernel(of_kind(kind, QUERIES), kernel)
    assert np.array_equal(
        np.array(gram.entry if kind is not RoundedBlock else gram.value, dtype=float), np.array(expected, dtype=float)
    )


@pytest.mark.parametrize("name", TRANSCENDENTAL)
def test_gram_block_encloses_the_exponentials_of_every_pair(name):
    kernel, exponent = TRANSCENDENTAL[name]
    with precision(128):
        gram = BallBlock.lift(KEYS).kernel(BallBlock.lift(QUERIES), kernel).entry
        for i, a in enumerate(columns(KEYS)):
            for j, b in enumerate(columns(QUERIES)):
                value = exponent(a, b)
                assert gram[i, j].overlaps((arb(value.numerator) / value.denominator).exp())


def test_softmax_is_the_exponential_kernel_over_its_column_sums():
    with precision(128):
        keys, queries = BallBlock.lift(KEYS), BallBlock.lift(QUERIES)
        gram, smoothed = keys.kernel(queries, exponential()).entry, keys.kernel(queries, SOFTMAX).entry
        for j in range(2):
            total = sum(gram[i, j] for i in range(3))
            assert all(smoothed[i, j].overlaps(gram[i, j] / total) for i in range(3))


@pytest.mark.parametrize("name", [*RATIONAL, *TRANSCENDENTAL])
def test_kernels_that_are_called_symmetric_are_so(name):
    kernel, _ = (RATIONAL | TRANSCENDENTAL)[name]
    X, Z = SymbolBlock.letter("X", size_of("d"), size_of("n")), SymbolBlock.letter("Z", size_of("d"), size_of("m"))
    assert kernel.symmetric
    assert compare(X.kernel(Z, kernel), Z.kernel(X, kernel).T).verdict is Verdict.EQUAL


def test_softmax_is_not_symmetric_and_not_called_so():
    with precision(64):
        keys, queries = BallBlock.lift(KEYS), BallBlock.lift(QUERIES)
        assert not SOFTMAX.symmetric
        assert compare(keys.kernel(queries, SOFTMAX), queries.kernel(keys, SOFTMAX).T).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("kernel", [exponential, rbf])
@pytest.mark.parametrize("scale", [0, -1, -0.5, Fraction(-1, 3)])
def test_a_kernel_that_is_not_positive_semidefinite_by_its_scale_is_refused(kernel, scale):
    with pytest.raises(ValueError, match=r"scale = .*: it must be above 0, or the kernel is not positive semidefinite"):
        kernel(scale)


def test_a_polynomial_without_a_degree_is_refused():
    with pytest.raises(ValueError, match="degree = 0: it must be at least 1"):
        polynomial(0)


def test_kernels_are_named_with_their_scale():
    names = [exponential().name, exponential(Fraction(1, 2)).name, rbf().name, rbf(2).name, polynomial(2).name]
    assert names == ["exponential", "exponential(1/2)", "rbf", "rbf(2)", "polynomial(2)"]


@pytest.mark.parametrize("kernel", [exponential(), rbf(), SOFTMAX])
def test_a_kernel_with_an_exponential_does_not_run_in_rationals(kernel):
    with pytest.raises(TypeError, match="not rational: run this network in balls"):
        RationalBlock.lift(KEYS).kernel(RationalBlock.lift(QUERIES), kernel)


def test_an_arbitrary_kernel_does_not_run_on_numbers():
    with pytest.raises(TypeError, match="the kernel 'kappa' is arbitrary: give it a function of blocks"):
        FunctionalDescent(step_sizes=[1])([[1]], [[1]], [[1]])


# Large logits.

SMOOTHER = FunctionalDescent(step_sizes=[0.5, 0.5], kernel=SOFTMAX, score="softmax")
EXPONENTIAL = FunctionalDescent(step_sizes=[0.5, 0.5], kernel=exponential(), score="exp")
FAR = np.array([[30.0, -30.0, 31.0]])


def test_softmax_of_logits_that_overflow_an_exponential_is_finite_and_right():
    """Logits up to 961: in floats exp overflows at 710, and softmax is shifted by the largest one first."""
    Y, x_query = np.array([[1.0, 2.0, 4.0]]), np.array([[31.0]])
    predicted = SMOOTHER(FAR, Y, x_query)
    with precision(4096):
        balls = [np.array([[arb(float(value)) for value in row] for row in table]) for table in (FAR, Y, x_query)]
        exact = SMOOTHER(*balls)
    assert float(exact[0, 0]) == pytest.approx(3.0, abs=1e-12)
    assert predicted[0, 0] == pytest.approx(float(exact[0, 0]), abs=1e-12)


def test_an_exponential_that_overflows_is_not_taken_for_a_number():
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(OverflowError, match="leaves the range of float64"),
    ):
        EXPONENTIAL(FAR, np.array([[1.0, 2.0, 4.0]]), np.array([[31.0]]))


def test_a_float_run_with_an_overflow_decides_nothing():
    held = RoundedBlock.lift(FAR)
    gram = held.kernel(held, exponential())
    assert np.isinf(gram.radius).any()
    assert compare(gram, gram).verdict is Verdict.UNDECIDED


def test_arbitrary_kernels_differ_from_concrete_ones_of_the_same_name():
    X = SymbolBlock.letter("X", size_of("d"), size_of("n"))
    assert compare(X.kernel(X, Kernel("linear")), X.kernel(X, LINEAR)).verdict is not Verdict.EQUAL


def test_a_gram_block_in_rationals_holds_fractions():
    gram = RationalBlock.lift(KEYS).kernel(RationalBlock.lift(QUERIES), LINEAR)
    assert as_fraction(gram.matrix[1, 1]) == Fraction(3, 8)

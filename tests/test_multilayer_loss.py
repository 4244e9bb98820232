"""The exact loss of a stack of layers: other routes to it, the notes' reference values, and formulas with a mistake."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import fmpq, fmpq_mat

from constructions.preconditioned import PreconditionedDescent
from numerics import multilayer_loss as module
from numerics import word_moments
from numerics.multilayer_loss import multilayer_gradient, multilayer_loss, multilayer_loss_coefficients
from numerics.word_moments import LONGEST, closed_words, word_moment
from proofs.looped_saddle import loss_at
from proofs.regression_law import RegressionLaw, integrated_loss
from proofs.wishart_moments import moment_by_pairings

HALF = Fraction(1, 2)
R, V, NOISE = [[1, 0], [HALF, 2]], [[HALF, 0], [-1, 1]], HALF
SIGMA = [[1, HALF], [HALF, Fraction(17, 4)]]
OMEGA = [[Fraction(1, 4), -HALF], [-HALF, 2]]
A = [[[HALF, -1], [1, Fraction(3, 4)]], [[Fraction(1, 4), 1], [0, -HALF]]]
"""Two matrices that are not symmetric."""


def identity(d, scale=1):
    return [[Fraction(scale) if i == j else 0 for j in range(d)] for i in range(d)]


def integrated(n=2):
    """The loss of the network A under the law of the roots R, V and NOISE, integrated entry by entry."""
    value = integrated_loss(PreconditionedDescent(preconditioners=A), RegressionLaw.of_roots(n, R, V, NOISE))
    return Fraction(str(value))


TRUE = integrated()


def test_loss_of_two_layers_is_that_of_the_network_integrated_entry_by_entry():
    assert multilayer_loss(A, 2, SIGMA, OMEGA, NOISE**2) == TRUE


def test_loss_of_three_layers_is_that_of_the_network_integrated_entry_by_entry():
    matrices = [[[Fraction(1, 4)]], [[-1]], [[Fraction(2, 3)]]]
    law = RegressionLaw.of_roots(2, [[HALF]], [[2]], 1)
    value = integrated_loss(PreconditionedDescent(preconditioners=matrices), law)
    assert multilayer_loss(matrices, 2, [[Fraction(1, 4)]], [[4]], 1) == Fraction(str(value))


def test_coefficients_give_the_loss_for_every_n():
    coefficients = multilayer_loss_coefficients(A, SIGMA, OMEGA, NOISE**2)
    assert sum(c / Fraction(2) ** power for power, c in enumerate(coefficients)) == TRUE
    assert len(coefficients) == 4


def test_limit_of_many_tokens_is_the_loss_of_gradient_descent_on_the_population():
    """S -> Sigma: E |(I - A_1^T Sigma)(I - A_0^T Sigma) w|^2 in the norm of Sigma."""
    S, O = sympy.Matrix(SIGMA), sympy.Matrix(OMEGA)
    first, second = (sympy.eye(2) - sympy.Matrix(each).T * S for each in A)
    expected = (S * second * first * O * first.T * second.T).trace()
    assert multilayer_loss_coefficients(A, SIGMA, OMEGA, NOISE**2)[0] == Fraction(str(expected))


def test_loss_of_equal_layers_is_that_of_two_loops():
    """The looped transformer's loss, a polynomial in A from the forward pass on letters."""
    assert multilayer_loss([A[0], A[0]], 3, identity(2), identity(2)) == Fraction(str(loss_at(A[0], 3)))


def test_no_layer_predicts_nothing():
    assert multilayer_loss([], 3, SIGMA, OMEGA, 1) == Fraction(str((sympy.Matrix(SIGMA) * sympy.Matrix(OMEGA)).trace()))


def test_reference_value_of_two_layers():
    """n = 10, d = 2 at the best steps: 253/1569, which the float steps miss by their rounding squared."""
    steps = [identity(2, "1.16612661955"), identity(2, "0.478232845078")]
    assert float(multilayer_loss(steps, 10, identity(2), identity(2))) == pytest.approx(253 / 1569, rel=1e-12)


def test_reference_value_of_three_layers():
    steps = [identity(5, a) for a in ("1.714217379531", "0.689126087405", "0.422408533929")]
    assert float(multilayer_loss(steps, 20, identity(5), identity(5))) == pytest.approx(12138645 / 90852389, rel=1e-12)


def test_reference_value_of_equal_steps():
    """n = 3, d = 2, a = .41683: the saddle of the notes, f = .779292."""
    steps = [identity(2, "0.41683")] * 2
    assert float(multilayer_loss(steps, 3, identity(2), identity(2))) == pytest.approx(0.779292, abs=5e-7)
    gradient = np.array(multilayer_gradient(steps, 3, identity(2), identity(2)), dtype=float)
    assert abs(gradient).max() < 1e-4


def test_equal_steps_are_a_saddle():
    """Moving the two steps apart lowers the loss, moving them together raises it."""

    def loss(a, b):
        return multilayer_loss([identity(2, a), identity(2, b)], 3, identity(2), identity(2))

    a, by = Fraction("0.41683"), Fraction(1, 20)
    assert loss(a + by, a - by) < loss(a, a) < loss(a + by, a + by)


def test_gradient_is_the_derivative_of_the_integrated_loss():
    entry = sympy.Symbol("entry", real=True)
    law = RegressionLaw.of_roots(1, [[2]], [[1]], 1)
    network = PreconditionedDescent(preconditioners=[[[entry]], [[Fraction(1, 3)]]])
    slope = sympy.diff(integrated_loss(network, law), entry).subs(entry, sympy.Rational(1, 5))
    claimed = multilayer_gradient([[[Fraction(1, 5)]], [[Fraction(1, 3)]]], 1, [[4]], [[1]], 1)
    assert claimed[0] == [[Fraction(str(slope))]]


def test_words_of_the_identity_are_wishart_moments():
    n, d = sympy.symbols("n d", integer=True, positive=True)
    one = fmpq_mat(3, 3, [1, 0, 0, 0, 1, 0, 0, 0, 1])
    for k in range(1, LONGEST + 1):
        claimed = sum(int(c.p) * n ** (k - power) for power, c in enumerate(word_moment([one] * k, one)))
        assert sympy.expand(moment_by_pairings(k).subs(d, 3) - claimed) == 0


def mutated_words(change):
    """word_moment with something wrong: what ``change`` makes of (number of factors, coefficients)."""
    return lambda matrices, Sigma: change(len(matrices), word_moment(matrices, Sigma))


def test_n_for_n_plus_1_is_noticed(monkeypatch):
    """E tr S B S C loses its term tr(Sigma B^T Sigma C) / n, as if 1 + 1/n were 1."""

    def without(k, coefficients):
        return [coefficients[0], *(fmpq(0) for _ in coefficients[1:])] if k == 2 else coefficients

    monkeypatch.setattr(module, "word_moment", mutated_words(without))
    assert multilayer_loss(A, 2, SIGMA, OMEGA, NOISE**2) != TRUE


def test_a_dropped_trace_is_noticed(monkeypatch):
    """Only pairings that close a single word count."""

    def single(k):
        return tuple((classes, words) for classes, words in closed_words(k) if len(words) == 1)

    monkeypatch.setattr(word_moments, "closed_words", single)
    assert multilayer_loss(A, 2, SIGMA, OMEGA, NOISE**2) != TRUE


@pytest.mark.parametrize("layer", [0, 1])
def test_a_transposed_matrix_is_noticed(layer):
    changed = [list(map(list, zip(*each, strict=True))) if l == layer else each for l, each in enumerate(A)]
    assert multilayer_loss(changed, 2, SIGMA, OMEGA, NOISE**2) != TRUE


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param((A[::-1], 2, SIGMA, OMEGA, NOISE**2), id="layers in the other order"),
        pytest.param((A, 3, SIGMA, OMEGA, NOISE**2), id="a token more"),
        pytest.param((A, 2, OMEGA, SIGMA, NOISE**2), id="Sigma and Omega exchanged"),
        pytest.param((A, 2, SIGMA, OMEGA, 0), id="no noise"),
        pytest.param((A, 2, SIGMA, OMEGA, NOISE), id="standard deviation for variance"),
    ],
)
def test_another_network_or_law_has_another_loss(changed):
    assert multilayer_loss(*changed) != TRUE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((A, 0, SIGMA, OMEGA), "n = 0: at least 1"),
        ((A, 2, SIGMA, OMEGA, -1), "sigma2 = -1: a variance must be at least 0"),
        (
            (A, 2, [[1, 2], [2, 1]], OMEGA),
            r"Sigma must be a covariance: the matrix is not positive semidefinite: v\^T M v",
        ),
        ((A, 2, SIGMA, [[1, 2], [0, 1]]), "Omega must be a covariance: the matrix is not symmetric"),
        ((A, 2, [], OMEGA), "a matrix must have rows and columns"),
        ((A, 2, [[1, 2]], OMEGA), r"Sigma must be \(d, d\), but shape \(1, 2\) came"),
        ((A, 2, [[1]], OMEGA), r"both must be \(d, d\) with the same d"),
        (([[[1]]], 2, SIGMA, OMEGA), r"A_0 must be \(2, 2\) for d = 2, but shape \(1, 1\) came"),
        (([A[0]] * 4, 2, SIGMA, OMEGA), "4 layers came: at most 3 are summed over pairings"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        multilayer_loss(*arguments)


@pytest.mark.parametrize("count", [0, LONGEST + 1])
def test_words_without_factors_or_with_too_many_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} factors S came"):
        word_moment([fmpq_mat(1, 1, [1])] * count, fmpq_mat(1, 1, [1]))


def test_an_n_that_is_no_int_is_refused():
    with pytest.raises(TypeError, match="an int is required"):
        multilayer_loss(A, 2.0, SIGMA, OMEGA)

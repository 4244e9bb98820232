"""Similarity of errors and of induced weights, growth, and the classical baselines, each by another route."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.classical import classical_baselines
from numerics.growth import POWERS, VANISHES, power
from numerics.krylov import conjugate_gradient
from numerics.similarity import answers, cosines, induced_weights, prefix_errors

RNG = np.random.default_rng(0)
X, Y, QUERIES = RNG.standard_normal((4, 3, 6)), RNG.standard_normal((4, 1, 6)), RNG.standard_normal((4, 3, 12))
W = RNG.standard_normal((4, 1, 3))


def linear(X, Y, x_query):
    """Two layers: zero, and W x."""
    return np.stack([0 * W @ x_query, W @ x_query])


def test_errors_are_predictions_of_the_next_example_less_its_target():
    zero, predicted = prefix_errors(linear, X, Y, range(1, 6))
    assert np.allclose(zero, -Y[:, 0, 1:])
    assert np.allclose(predicted, (W @ X - Y)[:, 0, 1:])


def test_induced_weights_of_a_linear_predictor_are_its_weights():
    zero, weights = induced_weights(answers(linear, X, Y, QUERIES), QUERIES)
    assert not zero.any()
    assert np.allclose(weights, W[:, 0])


def test_cosines_are_means_over_sequences_and_0_for_a_zero_vector():
    left = np.array([[[1.0, 0], [0, 2]], [[0, 0], [3, 0]]])
    right = np.array([[[1.0, 1], [0, -1]]])
    assert np.allclose(cosines(left, right), [[(np.sqrt(0.5) - 1) / 2], [0]])


def powers(run):
    return [power(run, number, X, Y, QUERIES[..., :1]) for number in range(len(POWERS))]


def test_growth_counts_the_powers_of_a_polynomial():
    assert powers(lambda X, Y, x: Y @ X.mT @ (np.eye(3) - X @ X.mT) @ x) == [3, 1, 1, 1]


def test_growth_of_what_is_no_power_is_none():
    assert powers(lambda X, Y, x: np.exp(np.abs(Y @ X.mT @ x)))[0] is None


def test_growth_of_what_vanishes_says_so():
    assert powers(lambda X, Y, x: 0 * Y @ X.mT @ x) == [VANISHES] * 4


def test_growth_takes_an_exception_for_no_power():
    def raising(X, Y, x):
        raise ArithmeticError

    assert powers(raising) == [None] * 4


def baseline(name, values, steps):
    (held,) = (each for each in classical_baselines() if each.name == name)
    return held.predictions(values, steps, X, Y, QUERIES[..., :1])


def test_conjugate_gradient_takes_the_exact_steps():
    predicted = baseline("conjugate gradient", {}, 3)
    for task in range(len(X)):
        data = (rationals(array[task]) for array in (X, Y, QUERIES[..., :1]))
        exact = conjugate_gradient(Prompt(*data))
        for step, iterate in enumerate(itertools.islice(exact, 4)):
            weights = np.array([[float(entry) for entry in row] for row in iterate.matrix.tolist()])
            assert predicted[step][task] == pytest.approx(weights @ QUERIES[task, :, :1], rel=1e-9)


def rationals(array):
    return [[Fraction(float(entry)) for entry in row] for row in array]


def test_least_squares_is_that_of_the_singular_values():
    weights = least_squares(Prompt(X, Y, QUERIES[..., :1])).entry
    assert np.allclose(baseline("least squares", {}, 1)[1], weights @ QUERIES[..., :1])


def test_ridge_regression_has_a_vanishing_gradient():
    for name, n in (("|W X - Y|^2 + lam |W|^2", 1), ("|W X - Y|^2 / n + lam |W|^2", 6)):
        (held,) = (each for each in classical_baselines() if each.name == f"ridge regression, {name}")
        unit = np.broadcast_to(np.eye(3), (4, 3, 3))
        weights = held.predictions({"lam": 0.5}, 1, X, Y, unit)[1]
        assert np.allclose((weights @ X - Y) @ X.mT / n + 0.5 * weights, 0)


@pytest.mark.parametrize("name", ["nonlinear conjugate gradient (SciPy)", "BFGS (SciPy)"])
def test_quasi_newton_methods_reach_least_squares(name):
    # SciPy stops where no entry of the gradient is above 1e-5, and S^-1 gradient is the error of the weights.
    smallest = np.linalg.eigvalsh(X @ X.mT)[:, 0]
    allowed = 1e-5 * np.sqrt(3) * np.linalg.norm(QUERIES[:, :, 0], axis=1) / smallest
    missed = baseline(name, {}, 30)[-1] - baseline("least squares", {}, 1)[1]
    assert np.all(np.abs(missed[:, 0, 0]) <= allowed)


@pytest.mark.parametrize("size", ["lambda_max(X X^T)", "tr(X X^T)"])
def test_newton_takes_two_to_the_k_gradient_steps_of_the_same_size(size):
    newton = baseline(f"Newton from c I / {size}", {"c": 0.5}, 3)
    descent = baseline(f"gradient descent, step c / {size}", {"c": 0.5}, 8)
    assert np.allclose(newton, [descent[2**k] for k in range(4)])

"""Identification of plain NumPy functions, ties, honest answers, and what is refused."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from constructions import GradientDescent, Repeated
from constructions.newton import NewtonFromIdentity
from numerics.instances import Sizes
from numerics.predictors import PredictorFailed
from proofs import identify

STEP, MOMENTUM = 0.3, 0.6


def gradient(W, X, Y):
    return (W @ X - Y) @ X.T / X.shape[1]


def zeros(X, Y):
    return np.zeros((Y.shape[0], X.shape[0]))


def gradient_descent(X, Y, x_query, layers=3):
    W = zeros(X, Y)
    for _ in range(layers):
        W = W - STEP * gradient(W, X, Y)
    return W @ x_query


def gradient_descent_from_ones(X, Y, x_query):
    W = zeros(X, Y) + 1
    for _ in range(3):
        W = W - STEP * gradient(W, X, Y)
    return W @ x_query


def descent_with_two_step_sizes(X, Y, x_query):
    W = zeros(X, Y)
    for eta in (0.7, 0.2):
        W = W - eta * gradient(W, X, Y)
    return W @ x_query


def gdpp(X, Y, x_query):
    W, F = zeros(X, Y), np.eye(X.shape[0])
    for _ in range(3):
        inputs = F @ X
        W, F = W - STEP / X.shape[1] * (W @ X - Y) @ inputs.T @ F, F - 0.05 * inputs @ inputs.T @ F
    return W @ x_query


def preconditioned(X, Y, x_query):
    A, W = np.array([[1, 0.5, 0], [0, 0.25, 0], [0.125, 0, 0.5]]), zeros(X, Y)
    for _ in range(2):
        W = W - gradient(W, X, Y) @ A
    return W @ x_query


def heavy_ball(X, Y, x_query):
    W, V = zeros(X, Y), zeros(X, Y)
    for _ in range(3):
        V = MOMENTUM * V - STEP * gradient(W, X, Y)
        W = W + V
    return W @ x_query


def nesterov(X, Y, x_query):
    W, V = zeros(X, Y), zeros(X, Y)
    for _ in range(3):
        V = MOMENTUM * V - STEP * gradient(W + MOMENTUM * V, X, Y)
        W = W + V
    return W @ x_query


def ridge_descent(X, Y, x_query):
    W = zeros(X, Y)
    for _ in range(3):
        W = W - STEP * (gradient(W, X, Y) + 0.5 * W)
    return W @ x_query


def online(X, Y, x_query):
    W = zeros(X, Y)
    for i in range(3):
        W = W - 0.25 * np.outer(W @ X[:, i] - Y[:, i], X[:, i])
    return W @ x_query


def newton(X, Y, x_query, start, steps=3):
    S = X @ X.T
    M = start(S)
    for _ in range(steps):
        M = 2 * M - M @ S @ M
    return Y @ X.T @ M @ x_query


def newton_from_identity(X, Y, x_query):
    return newton(X, Y, x_query, lambda S: 0.1 * np.eye(len(S)))


def newton_from_gram(X, Y, x_query):
    return newton(X, Y, x_query, lambda S: 0.05 * S)


def newton_of_fu_et_al(X, Y, x_query):
    return newton(X, Y, x_query, lambda S: S / np.linalg.norm(S @ S.T))


def softmax_kernel(X, Y, x_query):
    def attention(columns):
        scores = np.exp(X.T @ columns)
        return scores / scores.sum(axis=0)

    residual, predicted = Y, 0
    for _ in range(2):
        predicted = predicted + STEP * residual @ attention(x_query)
        residual = residual - STEP * residual @ attention(X)
    return predicted


def conjugate_gradient(X, Y, x_query):
    S, w = X @ X.T, np.zeros(X.shape[0])
    r = p = X @ Y[0]
    for _ in range(2):
        a = r @ r / (p @ S @ p)
        w, following = w + a * p, r - a * S @ p
        p, r = following + following @ following / (r @ r) * p, following
    return np.array([w @ x_query])


def ridge(X, Y, x_query):
    return Y @ X.T @ np.linalg.inv(X @ X.T + 0.3 * np.eye(len(X))) @ x_query


def least_squares(X, Y, x_query):
    return np.linalg.lstsq(X.T, Y.T)[0].T @ x_query


def bfgs(X, Y, x_query):
    from scipy.optimize import minimize

    return (
        minimize(
            lambda w: (0.5 * np.sum((w @ X - Y[0]) ** 2), (w @ X - Y[0]) @ X.T),
            np.zeros(len(X)),
            jac=True,
            method="BFGS",
            options={"maxiter": 3},
        ).x[None]
        @ x_query
    )


EACH = " with numbers of its own in each step"

FUNCTIONS = {
    gradient_descent: ("gradient descent", 3),
    gradient_descent_from_ones: ("gradient descent", 3),
    descent_with_two_step_sizes: ("gradient descent" + EACH, 2),
    gdpp: ("GD++", 3),
    preconditioned: ("preconditioned gradient descent", 2),
    heavy_ball: ("heavy ball", 3),
    nesterov: ("Nesterov's method", 3),
    ridge_descent: ("ridge descent", 3),
    online: ("online gradient descent", 3),
    newton_from_identity: ("Newton from alpha I", 3),
    newton_from_gram: ("Newton from alpha X X^T", 3),
    newton_of_fu_et_al: ("Newton from c X X^T / |X X^T X X^T|_F", 3),
    softmax_kernel: ("functional descent with the kernel softmax", 2),
    conjugate_gradient: ("conjugate gradient", 2),
    ridge: ("ridge regression, |W X - Y|^2 + lam |W|^2", 1),
    least_squares: ("least squares", 1),
    bfgs: ("BFGS (SciPy)", 3),
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_plain_function_is_named_with_its_steps(function):
    found = identify(function, most=3)
    assert (found.algorithm, found.steps) == FUNCTIONS[function]


def test_the_tuned_numbers_are_the_fractions_that_the_function_holds():
    (match,) = identify(heavy_ball, most=3).matches
    assert match.values == {"eta": Fraction(3, 10), "beta": Fraction(3, 5)}


def test_a_number_that_is_no_short_fraction_is_found_as_well():
    def descent(X, Y, x_query):
        return np.pi / 10 * Y @ X.T @ x_query / X.shape[1]

    assert float(identify(descent, most=2).matches[0].values["eta"]) == pytest.approx(np.pi / 10, rel=1e-14)


def test_a_function_of_batches_alone_is_identified():
    def batched(X, Y, x_query):
        batch, _, n = X.shape
        return np.einsum("bmn,bdn,bdq->bmq", Y, X, x_query).reshape(batch, -1, 1) / n

    assert identify(batched, most=2).ties[0] == ("gradient descent", 1)


def test_algorithms_that_coincide_are_all_named():
    found = identify(GradientDescent(step_sizes=[Fraction(1, 3)]), most=3)
    one_step = {name for name, steps in found.ties if steps == 1}
    same = {"gradient descent", "GD++", "preconditioned gradient descent", "heavy ball", "Nesterov's method"}
    assert same | {"ridge descent", "gradient descent with the query as an example"} <= one_step


def test_newton_from_identity_ties_with_twice_as_many_gradient_steps_for_each_step():
    found = identify(NewtonFromIdentity(alpha=Fraction(1, 10), steps=2), most=4)
    assert found.ties == (("Newton from alpha I", 2), ("gradient descent on the summed loss", 4))


def test_one_number_of_tokens_alone_ties_the_mean_loss_with_the_sum():
    found = identify(gradient_descent, sizes=[Sizes(6, 3)], most=3)
    assert {name for name, _ in found.ties} >= {"gradient descent", "gradient descent on the summed loss"}


def test_a_slip_far_below_the_rounding_of_float32_is_no_agreement():
    def slipped(X, Y, x_query):
        predicted = gradient_descent(X, Y, x_query, layers=2)
        return predicted + 1e-11 * np.sin(5 * predicted)

    assert not identify(slipped, most=2).matches


def test_where_nothing_agrees_the_nearest_is_named_with_its_similarity():
    found = identify(lambda X, Y, x_query: np.tanh(gradient_descent(X, Y, x_query)), most=2)
    assert (found.algorithm, found.steps) == (None, None)
    assert found.answer.startswith("none of these; nearest: ")
    assert f"similarity of errors {found.ranking[0].errors:.4f}" in found.answer


@pytest.fixture(scope="module")
def descent():
    """Gradient descent, which says what it predicts after each of its steps."""
    return identify(gradient_descent, most=4, layers=3)


def test_the_ranking_has_the_true_algorithm_first(descent):
    first = descent.ranking[0]
    assert (first.name, first.steps) == ("gradient descent", 3)
    assert (first.errors, first.weights) == (pytest.approx(1, abs=1e-9), pytest.approx(1, abs=1e-9))


def test_the_ranking_falls(descent):
    errors = [each.errors for each in descent.ranking]
    assert len(errors) > 20
    assert all(above >= below - 1e-9 for above, below in itertools.pairwise(errors))


def test_the_heat_map_of_a_function_with_layers_is_the_diagonal(descent):
    assert descent.heat_map.heat.shape == (3, 5)
    assert descent.heat_map.best_steps == [1, 2, 3]


def test_the_heat_map_of_a_construction_is_read_out_of_its_stream():
    found = identify(GradientDescent(step_sizes=Repeated(Fraction(3, 10), 2)), most=2)
    assert not found.unknown.by_iterates
    assert found.heat_map.best_steps == [1, 2]


def test_where_only_the_last_layer_reads_out_the_iterates_say_what_each_layer_predicts():
    found = identify(NewtonFromIdentity(alpha=Fraction(1, 10), steps=1), most=2)
    assert found.unknown.by_iterates
    assert found.heat_map.best_steps == [1, 1]


def raising(X, Y, x_query):
    raise ArithmeticError("no prediction today")


@pytest.mark.parametrize(
    ("predict", "error", "match"),
    [
        (raising, PredictorFailed, "ArithmeticError: no prediction today"),
        (lambda X, Y, x_query: Y, ValueError, r"returned shape .* one row per target and one column"),
        (lambda X, Y, x_query: np.full((1, 1), np.nan), ValueError, "NaN or infinity"),
        (lambda X, Y, x_query: np.ones((1, 1), dtype=int), TypeError, "real floats are required"),
        ("gradient descent", TypeError, "a construction or a function"),
    ],
)
def test_what_is_no_predictor_is_refused(predict, error, match):
    with pytest.raises(error, match=match):
        identify(predict)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"most": 0}, "at least one step"),
        ({"sizes": [Sizes(4, 2), Sizes(4, 3)]}, "may differ in n only"),
        ({"sizes": []}, "at least one is required"),
        ({"layers": -1}, "number of layers of a function"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        identify(gradient_descent, **options)


def test_layers_of_a_construction_are_its_own():
    with pytest.raises(ValueError, match="number of layers of a function"):
        identify(GradientDescent(step_sizes=[1]), layers=1)


def test_least_squares_is_named_beside_ridge_regression_without_a_penalty():
    found = identify(lambda X, Y, x_query: Y @ np.linalg.pinv(X) @ x_query, most=3)
    assert ("least squares", 1) in found.ties
    assert any("ridge" in each.name for each in found.ranking)


def test_a_function_that_changes_its_inputs_is_identified():
    def predict(X, Y, x_query):
        X *= 2
        return Y @ X.T @ x_query

    assert identify(predict, most=2).ties == (("gradient descent on the summed loss", 1),)

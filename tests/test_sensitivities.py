"""Sensitivities against derivatives that are known: by matrices, by hand, and by PyTorch's autograd."""

import numpy as np
import pytest

from constructions.functional_descent import FunctionalDescent
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.kernels import SOFTMAX
from numerics.sensitivities import sensitivities
from numerics.tasks import LinearTask

TASKS = LinearTask(n=6, d=4, m=2).sample(0, 7)
PROMPTS = (TASKS.X, TASKS.Y, TASKS.x_query)


def integer_tasks(count=6):
    """X, Y, x_query of small integers, and matrices (count, 2, 4) of them: sums and products of them are exact."""
    rng = np.random.default_rng(3)
    return tuple(
        rng.integers(-3, 4, (count, *shape)).astype(float) for shape in ((4, 6), (2, 6), (4, 1), (2, 4), (2, 1))
    )


def test_probing_finds_the_matrix_of_a_linear_predictor_exactly():
    *prompts, A, _ = integer_tasks()
    found = sensitivities(lambda X, Y, x: A @ x, *prompts)
    assert found.method == "probing"
    np.testing.assert_array_equal(found.G, A)
    np.testing.assert_array_equal(found.error, 0)


def test_probing_leaves_out_what_does_not_depend_on_the_query():
    *prompts, A, c = integer_tasks()
    found = sensitivities(lambda X, Y, x: A @ x + c, *prompts)
    assert found.method == "probing"
    np.testing.assert_array_equal(found.G, A)


@pytest.mark.parametrize(
    "predict",
    [GradientDescent(step_sizes=[1, 2]), GDPlusPlus(step_sizes=[1, 2], curvature_steps=[0.25, 0.125])],
    ids=["gradient descent", "GD++"],
)
def test_linear_attention_is_probed(predict):
    assert sensitivities(predict, *PROMPTS).method == "probing"


def test_sensitivity_of_one_gradient_step_is_its_weight_matrix():
    X, Y, x_query, _, _ = integer_tasks()
    found = sensitivities(GradientDescent(step_sizes=[3]), X, Y, x_query)
    np.testing.assert_array_equal(found.G, Y @ np.swapaxes(X, 1, 2) / 2)


def squares(X, Y, x):
    return np.sum(x**2, axis=1, keepdims=True) * Y[..., :1]


def sine(X, Y, x):
    return np.sin(np.sum(x, axis=1, keepdims=True)) * Y[..., :1]


def magnitude(X, Y, x):
    return np.abs(x[:, :1]) * Y[..., :1]


def cubic_mean(X, Y, x):
    """Homogeneous of degree 1 and odd, but not additive."""
    return np.cbrt(np.sum(x**3, axis=1, keepdims=True)) * Y[..., :1]


def row(x):
    return np.swapaxes(x, 1, 2)


DERIVATIVES = {
    squares: lambda x: 2 * row(x),
    sine: lambda x: np.cos(np.sum(row(x), axis=2, keepdims=True)) * np.ones((1, 1, 4)),
    magnitude: lambda x: np.sign(row(x)) * np.eye(4)[:1],
    cubic_mean: lambda x: row(x) ** 2 / np.cbrt(np.sum(row(x) ** 3, axis=2, keepdims=True)) ** 2,
}
"""The derivative of each, without the factor y_1."""


@pytest.mark.parametrize("predict", DERIVATIVES, ids=lambda predict: predict.__name__)
def test_nonlinear_predictors_get_differences_within_the_stated_error(predict):
    found = sensitivities(predict, *PROMPTS)
    assert found.method == "differences"
    exact = DERIVATIVES[predict](TASKS.x_query) * TASKS.Y[..., :1]
    assert (np.abs(found.G - exact).max(axis=(1, 2)) <= found.error).all()
    assert found.error.max() < 1e-5 * np.abs(exact).max()


def test_differences_agree_with_probing_to_the_error_that_they_state():
    descent = GradientDescent(step_sizes=[1, 2])
    probed, differenced = (sensitivities(descent, *PROMPTS, method) for method in ("probing", "differences"))
    assert (np.abs(probed.G - differenced.G).max(axis=(1, 2)) <= probed.error + differenced.error).all()
    assert differenced.error.max() < 1e-9


def test_extrapolation_is_exact_for_cubic_predictors():
    found = sensitivities(lambda X, Y, x: x[:, :1] ** 3 * Y[..., :1], *PROMPTS, method="differences")
    exact = 3 * TASKS.Y[..., :1] * row(TASKS.x_query) ** 2 * np.eye(4)[:1]
    assert (np.abs(found.G - exact).max(axis=(1, 2)) < found.error / 1000).all()


def test_a_step_over_a_kink_shows_in_the_error():
    kinked = TASKS.x_query.copy()
    kinked[0, 0] = 1e-5
    found = sensitivities(lambda X, Y, x: np.maximum(x[:, :1], 0) * Y[..., :1], TASKS.X, TASKS.Y, kinked)
    assert found.error[0] > 1e-3 > found.error[1:].max()


def test_float32_predictions_are_measured_in_their_own_accuracy():
    single = LinearTask(n=6, d=4, dtype=np.float32).sample(0, 7)
    found = sensitivities(GradientDescent(step_sizes=[1]), single.X, single.Y, single.x_query)
    assert found.method == "probing"
    assert found.G.dtype == np.float64
    exact = single.Y.astype(float) @ np.swapaxes(single.X.astype(float), 1, 2) / 6
    assert 0 < np.abs(found.G - exact).max() < 8 * np.finfo(np.float32).eps * np.abs(exact).max()


def test_queries_of_zero_can_be_probed():
    *prompts, A, _ = integer_tasks()
    prompts[2] = np.zeros_like(prompts[2])
    np.testing.assert_array_equal(sensitivities(lambda X, Y, x: A @ x, *prompts).G, A)


def test_predictor_that_fails_at_probes_is_told_what_they_were():
    def normalising(X, Y, x):
        with np.errstate(invalid="ignore"):
            return Y[..., :1] * (x / np.linalg.norm(x, axis=1, keepdims=True))[:, :1]

    with pytest.raises(ValueError, match=r"all 0, to probe linearity; method='differences' stays near the queries"):
        sensitivities(normalising, *PROMPTS)
    assert sensitivities(normalising, *PROMPTS, method="differences").error.max() < 1e-6


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method = 'autograd': it must be one of 'probing', 'differences', or None"):
        sensitivities(GradientDescent(step_sizes=[1]), *PROMPTS, method="autograd")


@pytest.mark.torch
def test_softmax_attention_agrees_with_autograd():
    import torch

    softmax = FunctionalDescent(step_sizes=[0.5], kernel=SOFTMAX)
    found = sensitivities(softmax, *PROMPTS)
    X, Y, x = (torch.from_numpy(array) for array in PROMPTS)
    x.requires_grad_(True)
    predicted = 0.5 * Y @ torch.softmax(X.mT @ x, dim=-2)
    rows = [torch.autograd.grad(predicted[:, i].sum(), x, retain_graph=True)[0] for i in range(2)]
    exact = torch.cat([row.mT for row in rows], dim=-2).numpy()
    assert found.method == "differences"
    assert (np.abs(found.G - exact).max(axis=(1, 2)) <= found.error).all()


@pytest.mark.parametrize("method", ["probing", "differences"])
def test_sensitivities_are_those_of_numpy_in_every_array_library(xp, method):
    descent, moved = GradientDescent(step_sizes=[1, 2]), [xp.asarray(array) for array in PROMPTS]
    host, found = sensitivities(descent, *PROMPTS, method), sensitivities(descent, *moved, method)
    assert bool(xp.all(xp.abs(found.G - xp.asarray(host.G)) <= 1e-9))

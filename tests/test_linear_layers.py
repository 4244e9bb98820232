"""Products M and B of constructions: the same network, its orbit of rescalings, interpolation and roll-out."""

from dataclasses import replace

import numpy as np
import pytest

from constructions.functional_descent import FunctionalDescent
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.kernels import SOFTMAX
from constructions.looped import LoopedTransformer
from constructions.newton import NewtonFromIdentity
from constructions.preconditioned import PreconditionedDescent
from numerics.alignment import mean_loss
from numerics.linear_layers import LinearLayers, interpolated, linear_layers, losses_by_layer, rescaled, rolled_out
from numerics.tasks import VON_OSWALD, LinearTask

TASKS = LinearTask(n=8, d=3, m=2).sample(0, 6)
PROMPTS = (TASKS.X, TASKS.Y, TASKS.x_query)
STEP = GradientDescent(step_sizes=[2.0])
NETWORKS = {
    "gradient descent": GradientDescent(step_sizes=[2.0, 1.0]),
    "GD++": GDPlusPlus(step_sizes=[2.0, 1.0], curvature_steps=[0.0625, 0.03125]),
    "preconditioned": PreconditionedDescent(preconditioners=[np.array([[1.0, 0.5, 0], [0, 2, 0], [1, 0, 1]])]),
    "looped": LoopedTransformer(preconditioner=np.eye(3) / 2, loops=3, shift=np.ones((2, 3)) / 4),
}


def dyadic(layers, b):
    """The same network with M / b and b B, b a power of two for each layer, so that nothing is rounded."""
    b = np.array(b)[:, None, None]
    return LinearLayers(layers.M / b, layers.B * b, layers.d)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_products_predict_what_the_construction_predicts(network):
    np.testing.assert_allclose(linear_layers(network, 8, 3, 2)(*PROMPTS), network(*PROMPTS), rtol=0, atol=1e-13)


def test_products_of_a_gradient_step_are_the_printed_matrices():
    layers = linear_layers(STEP, 8, 3, 2)
    np.testing.assert_array_equal(layers.M, [np.diag([1.0, 1, 1, 0, 0])])
    np.testing.assert_array_equal(layers.B, [np.diag([0.0, 0, 0, -0.25, -0.25])])


def test_layers_run_the_update_token_by_token():
    rng = np.random.default_rng(1)
    layers = LinearLayers(*rng.standard_normal((2, 3, 5, 5)) / 4, 3)
    for X, Y, x, predicted in zip(*PROMPTS, layers(*PROMPTS), strict=True):
        H = np.vstack([np.hstack([X, x]), np.hstack([Y, np.zeros((2, 1))])])
        for M, B in zip(layers.M, layers.B, strict=True):
            context = H[:, :-1]
            H = H + B @ context @ context.T @ M @ H
        np.testing.assert_allclose(predicted, -H[3:, -1:], rtol=1e-9)


@pytest.mark.parametrize("network", [NETWORKS["gradient descent"], NETWORKS["GD++"]], ids=["gradient descent", "GD++"])
def test_rescaling_undoes_every_rescaling(network):
    original = linear_layers(network, 8, 3, 2)
    found = rescaled(dyadic(original, [4.0, 0.5]), like=original)
    np.testing.assert_array_equal(found.M, original.M)
    np.testing.assert_array_equal(found.B, original.B)


@pytest.mark.parametrize("weight", [0, 0.25, 0.5, 1])
def test_interpolation_along_the_orbit_keeps_the_loss(weight):
    original = linear_layers(NETWORKS["GD++"], 8, 3, 2)
    between = interpolated(rescaled(dyadic(original, [4.0, 0.5]), like=original), original, weight)
    np.testing.assert_array_equal(between(*PROMPTS), original(*PROMPTS))


def test_half_way_without_rescaling_is_another_step_size():
    original = linear_layers(STEP, 8, 3, 2)
    half = interpolated(dyadic(original, [4.0]), original, 0.5)
    whole = [np.round(array) for array in PROMPTS]
    # (1/4 + 1)/2 for M and (4 + 1)/2 for B; integers are multiplied exactly.
    np.testing.assert_array_equal(half(*whole), (5 / 8) * (5 / 2) * original(*whole))


def test_mean_over_the_whole_diagonal_changes_the_half_way_step_as_derived():
    """With b the mean of all d + 1 entries (m = 1) the half-way step is eta (1 + 1 / (4 d (d + 1)))."""
    for d in (3, 10):
        single = LinearTask(n=8, d=d).sample(0, 6)
        original = linear_layers(STEP, 8, d)
        wrong = LinearLayers(original.M * (d + 1) / d, original.B * d / (d + 1), d)
        half = interpolated(wrong, original, 0.5)(single.X, single.Y, single.x_query)
        step = STEP(single.X, single.Y, single.x_query)
        np.testing.assert_allclose(half, (1 + 1 / (4 * d * (d + 1))) * step, rtol=1e-13)


@pytest.mark.parametrize("damping", [1.0, 0.75])
def test_roll_out_takes_damped_gradient_steps(damping):
    layers = linear_layers(GDPlusPlus(step_sizes=[2.0], curvature_steps=[0.0625]), 8, 3, 2)
    rolled = rolled_out(layers, 4, damping)
    steps = GradientDescent(step_sizes=[2.0 * damping] * 4)
    np.testing.assert_allclose(rolled(*PROMPTS), steps(*PROMPTS), rtol=1e-13, atol=1e-15)


def test_losses_by_layer_are_those_of_the_shorter_networks():
    layers = linear_layers(NETWORKS["gradient descent"], 8, 3, 2)
    found = losses_by_layer(layers, TASKS)
    steps = [mean_loss(GradientDescent(step_sizes=[2.0, 1.0][:k]), TASKS) for k in (1, 2)]
    np.testing.assert_allclose([each.mean for each in found[1:]], [each.mean for each in steps], rtol=1e-12)
    assert found[0].mean == np.mean(np.sum(TASKS.y_query**2, axis=(1, 2)) / 2)


def test_roll_out_that_leaves_the_floats_has_an_infinite_loss():
    rolled = rolled_out(linear_layers(GradientDescent(step_sizes=[1e9]), 8, 3, 2), 40)
    losses = losses_by_layer(rolled, TASKS)
    assert losses[-1].mean == np.inf
    assert np.isfinite(losses[2].mean)


def test_roll_out_of_the_best_step_reproduces_the_reference_losses():
    """0.1698 after two and 0.1165 after five steps damped by 0.75: derived in the notes from spectra."""
    layer = linear_layers(GradientDescent(step_sizes=[200 / 33]), 10, 10)
    found = losses_by_layer(rolled_out(layer, 5, 0.75), VON_OSWALD.sample(0, 10_000))
    for step, reference in ((1, 0.2195), (2, 0.1698), (3, 0.1443), (5, 0.1165)):
        assert abs(found[step].mean - reference) < 5 * found[step].standard_error < 0.02


@pytest.mark.parametrize(
    ("network", "match"),
    [
        (GradientDescent(step_sizes=[1.0], W_0=np.ones((2, 3))), "does not start from the tokens"),
        (NewtonFromIdentity(alpha=0.1, steps=1), "does not start from the tokens"),
        (FunctionalDescent(step_sizes=[1.0], kernel=SOFTMAX), "one linear head with the context as keys is required"),
        (GradientDescent(step_sizes=[]), "has no layers here; at least one is required"),
    ],
    ids=["W_0", "other slots", "softmax", "no layer"],
)
def test_networks_of_another_form_are_refused(network, match):
    with pytest.raises(ValueError, match=match):
        linear_layers(network, 8, 3, 2)


def test_arrays_of_another_form_are_refused():
    M = np.zeros((1, 5, 5))
    with pytest.raises(TypeError, match="M must be a NumPy array of floats, but list came"):
        LinearLayers(M.tolist(), M, 3)
    with pytest.raises(ValueError, match=r"must both be \(layers, D, D\)"):
        LinearLayers(M, M[:, :4], 3)
    with pytest.raises(ValueError, match="B must be finite"):
        LinearLayers(M, M + np.nan, 3)
    with pytest.raises(ValueError, match="tokens of width 5 have 1 to 4 features"):
        LinearLayers(M, M, 5)


def test_prompts_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="the layers are for d = 3 and m = 2, but the prompt has d = 2 and m = 2"):
        linear_layers(STEP, 8, 3, 2)(TASKS.X[:, :2], TASKS.Y, TASKS.x_query[:, :2])


def test_networks_that_cannot_be_interpolated_are_refused():
    one, two = (linear_layers(GradientDescent(step_sizes=[1.0] * k), 8, 3, 2) for k in (1, 2))
    with pytest.raises(ValueError, match="networks of equal shape are required"):
        interpolated(one, two, 0.5)
    with pytest.raises(ValueError, match="no rescaling makes the two equal"):
        rescaled(replace(one, M=0 * one.M), like=one)
    with pytest.raises(ValueError, match=r"weight = 1.5: it must be in \[0, 1\]"):
        interpolated(one, one, 1.5)


def test_roll_outs_out_of_range_are_refused():
    one, two = (linear_layers(GradientDescent(step_sizes=[1.0] * k), 8, 3, 2) for k in (1, 2))
    with pytest.raises(ValueError, match="a roll-out loops one layer, but 2 came"):
        rolled_out(two, 3)
    with pytest.raises(ValueError, match="at least one step and a damping above 0"):
        rolled_out(one, 3, 0)

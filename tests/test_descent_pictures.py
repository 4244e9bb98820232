"""Pictures of descents: what their artists hold, against the closed forms and the reference values."""

import numpy as np
import pytest

from numerics.newton_growth import newton_growth
from numerics.step_counts import gradient_descent_step_count, newton_step_count
from numerics.tasks import FU, VON_OSWALD
from numerics.tuned_descent import tuned_descent

pytestmark = [pytest.mark.plots, pytest.mark.xdist_group("pictures")]


def lines(axis):
    """The data of every line of the axes by its label."""
    return {line.get_label(): np.array(line.get_xydata()) for line in axis.get_lines()}


def test_roll_out_picture_draws_the_spectral_loss_of_its_contexts(drawn):
    (axis,) = drawn("roll_out").axes
    X = VON_OSWALD.sample(3, 40).X
    S = X @ np.swapaxes(X, 1, 2) / 10
    for damping in (1, 0.875, 0.75):
        steps, value = lines(axis)[f"damping delta = {damping:g}"].T
        assert steps.tolist() == list(range(51))
        power = np.linalg.matrix_power(np.eye(10) - damping * 200 / 33 * S, 3)
        np.testing.assert_allclose(value[3], np.mean(np.sum(power**2, axis=(1, 2))) / 24, rtol=1e-9)
        np.testing.assert_allclose(value[0], 10 / 24, rtol=1e-12)


def test_roll_out_picture_marks_the_loss_of_one_step(drawn):
    (axis,) = drawn("roll_out").axes
    np.testing.assert_allclose(lines(axis)["L* = 0.2062 of one step, exact"], [[1, 10 / 24 * (1 - 1 / 1.98)]])


def test_depth_picture_draws_the_tuned_losses(drawn):
    losses, parameters = drawn("depth").axes
    held = lines(losses)
    shared = tuned_descent(VON_OSWALD, 2, contexts=40, rng=3)
    assert held["GD++, one eta and gamma"][1].tolist() == [2, shared.loss]
    assert lines(parameters)["GD++, one eta and gamma: eta"][1, 1] == shared.step_sizes[0]
    assert lines(parameters)["GD++: 100 gamma"][0, 1] == 100 * shared.curvature_steps[0]
    assert held["predicting 0, exact"][0, 1] == 10 / 24
    # More freedom never costs: each curve lies under the one with fewer parameters.
    assert (held["GD, eta of each layer"][1:, 1] < held["GD, one eta"][1:, 1]).all()
    assert (held["GD++, one eta and gamma"][1:, 1] < held["GD, one eta"][1:, 1]).all()


def test_newton_picture_draws_exact_step_counts(drawn):
    counts, _ = drawn("newton").axes
    held = lines(counts)
    for label, count in (
        ("gradient descent", gradient_descent_step_count),
        ("Newton, M_0 = alpha I", newton_step_count),
    ):
        kappa, steps = held[label][8]
        assert steps == count(float(kappa), 1e-6)


def test_newton_picture_draws_errors_that_follow_the_closed_form(drawn):
    _, errors = drawn("newton").axes
    held = lines(errors)
    # k Newton steps are 2^k gradient steps: the same exact errors.
    np.testing.assert_array_equal(held["Newton"][:, 1], held["gradient descent"][:, 1])
    np.testing.assert_array_equal(2 ** held["Newton"][:, 0], held["gradient descent"][:, 0])
    task = FU.sample(3)
    S = task.X @ task.X.T
    residual = np.linalg.matrix_power(np.eye(20) - S / np.linalg.norm(S, 2), 8)
    exact = np.linalg.norm(task.W_star @ residual) / np.linalg.norm(task.W_star)
    for name in ("Newton", "gradient descent"):
        np.testing.assert_allclose(held[name][3, 1], exact, rtol=1e-9)
        np.testing.assert_allclose(held[f"_{name}, float64"][:9, 1], held[name][:9, 1], rtol=1e-6)


def test_rounding_picture_draws_the_measured_errors_between_their_bounds(drawn):
    single, double = drawn("rounding").axes
    for axis, dtype in ((single, "float32"), (double, "float64")):
        growth, held = newton_growth(dtype, 3), lines(axis)
        printed, stable = held["printed: query x, key u"], held["stable: query u, key x"]
        assert printed[:, 1].tolist() == [float(state.error.mid()) for state in growth.printed]
        low, high = held["printed, proved lower bound"], held["stable, proved upper bound"]
        assert (printed[20:, 1] >= low[:, 1]).all()
        assert (stable[20:, 1] <= high[:, 1] * (1 + 1e-3)).all()
        assert low[-1, 1] > 10 * low[0, 1]

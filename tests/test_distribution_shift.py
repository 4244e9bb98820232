"""Scaled tasks, and losses on them against the closed forms."""

from fractions import Fraction

import numpy as np
import pytest

from constructions.gradient_descent import GradientDescent
from numerics.alignment import mean_loss
from numerics.distribution_shift import losses_by_input_scale, losses_by_teacher_scale, shifted
from numerics.tasks import VON_OSWALD, LinearTask
from proofs.one_step_optimum import Convention, expected_loss, optimal_loss, optimal_step_size

STEP = optimal_step_size(10, 10, Convention.uniform(Fraction(1, 2), Fraction(1, 2)))


def test_scaled_inputs_keep_teacher_and_noise():
    tasks = LinearTask(n=4, d=3, m=2, noise=0.5).sample(0, 5)
    scaled = shifted(tasks, inputs=2)
    np.testing.assert_array_equal(scaled.X, 2 * tasks.X)
    np.testing.assert_array_equal(scaled.y_query, 2 * tasks.y_query)
    noise = tasks.Y - tasks.W_star @ tasks.X
    # Sums of d = 3 products and a subtraction or two on each side: at most 2 (d + 3) roundings of what is summed.
    summed = np.abs(tasks.W_star) @ np.abs(scaled.X) + np.abs(scaled.Y) + np.abs(tasks.Y)
    gap = np.abs(scaled.Y - tasks.W_star @ scaled.X - noise)
    assert (gap <= 12 * np.finfo(np.float64).eps * summed).all()
    assert np.abs(noise).max() > 0.1


def test_scaled_teachers_scale_predictions_and_losses_of_a_linear_network():
    tasks, step = VON_OSWALD.sample(0, 50), GradientDescent(step_sizes=[4.0])
    (half, same, double) = losses_by_teacher_scale(step, tasks, (0.5, 1, 2))
    assert (half.mean, double.mean) == (same.mean / 4, same.mean * 4)
    assert same == mean_loss(step, tasks)


def test_losses_out_of_range_are_the_closed_form_within_five_standard_errors():
    """The closed form at the variance alpha^2 s2, the step size being the best one for s2: 0.0812 and 8.401."""
    tasks, scales = VON_OSWALD.sample(0, 10_000), (Fraction(1, 2), Fraction(1), Fraction(2))
    found = losses_by_input_scale(GradientDescent(step_sizes=[float(STEP)]), tasks, [float(s) for s in scales])
    for scale, loss in zip(scales, found, strict=True):
        convention = Convention.uniform(scale / 2, Fraction(1, 2))
        exact = float(expected_loss(STEP, 10, 10, convention) * convention.factor)
        assert abs(loss.mean - exact) < 5 * loss.standard_error < 0.15 * exact
    in_range = float(optimal_loss(10, 10, Convention.uniform(Fraction(1, 2), Fraction(1, 2))))
    assert abs(found[1].mean - in_range) < 5 * found[1].standard_error


@pytest.mark.parametrize("scales", [{"inputs": 0}, {"teachers": -1}, {"inputs": float("nan")}])
def test_scales_that_are_not_positive_are_refused(scales):
    with pytest.raises(ValueError, match="scales must be above 0"):
        shifted(VON_OSWALD.sample(0, 2), **scales)

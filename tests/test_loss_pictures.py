"""Pictures of losses: what their artists hold, against the closed forms and the reference values."""

import numpy as np
import pytest
import sympy

from constructions.gradient_descent import GradientDescent
from numerics.alignment import mean_loss
from numerics.distribution_shift import shifted
from numerics.tasks import VON_OSWALD
from proofs import loss_pictures
from proofs.one_layer_loss import loss, optimal_weights

pytestmark = [pytest.mark.plots, pytest.mark.xdist_group("pictures")]


def lines(axis):
    """The data of every line of the axes by its label."""
    return {line.get_label(): np.array(line.get_xydata()) for line in axis.get_lines()}


def error_bars(axis):
    """The points of every series with error bars, and the ends of the bars."""
    return [
        (np.array(bars.lines[0].get_xydata()), np.array([bar[:, 1] for bar in bars.lines[2][0].get_segments()]))
        for bars in axis.containers
    ]


def parabola(eta, size):
    """(1/2) s2 (d - 2 eta s2 d + eta^2 s2^2 d (n + d - 2 + kap) / n) with n = d, s2 = 1/12 and kap = 9/5."""
    s2 = 1 / 12
    return s2 * size / 2 * (1 - 2 * eta * s2 + eta**2 * s2**2 * (2 * size - 0.2) / size)


def test_step_size_picture_draws_the_parabola_of_each_size(drawn):
    (axis,) = drawn("step_size").axes
    held = lines(axis)
    for size in (2, 5, 10, 20):
        eta, value = held[f"n = d = {size}"].T
        np.testing.assert_allclose(value, parabola(eta, size), rtol=1e-12)


def test_step_size_picture_marks_the_reference_minima(drawn):
    (axis,) = drawn("step_size").axes
    stars = [line.get_xydata()[0] for line in axis.get_lines() if line.get_marker() == "*"]
    assert [round(float(value), 4) for _, value in stars] == [0.0395, 0.1020, 0.2062, 0.4146]
    assert round(float(stars[2][0]), 4) == 6.0606


def test_step_size_picture_measures_with_two_standard_errors(drawn):
    (axis,) = drawn("step_size").axes
    points, ends = error_bars(axis)[2]
    tasks = VON_OSWALD.sample(3, 40)
    for (eta, value), (low, high) in zip(points, ends, strict=True):
        found = mean_loss(GradientDescent(step_sizes=[eta]), tasks)
        np.testing.assert_allclose(
            [value, low, high], found.mean + found.standard_error * np.array([0, -2, 2]), rtol=1e-12
        )


def test_shift_picture_draws_the_closed_forms(drawn):
    inputs, teachers = drawn("out_of_distribution").axes
    alpha, value = lines(inputs)["closed form"].T
    m2, least = 1.98, 1 / 24 * 10 * (1 - 1 / 1.98)
    np.testing.assert_allclose(value, 10 / 24 * alpha**2 * (1 - 2 * alpha**2 / m2 + alpha**4 / m2), rtol=1e-12)
    beta, value = lines(teachers)["closed form"].T
    np.testing.assert_allclose(value, least * beta**2, rtol=1e-12)


def test_shift_picture_measures_the_layer_on_scaled_tasks(drawn):
    inputs, _ = drawn("out_of_distribution").axes
    ((points, _),) = error_bars(inputs)
    step = GradientDescent(step_sizes=[float(sympy.Rational(200, 33))])
    expected = [mean_loss(step, shifted(VON_OSWALD.sample(3, 40), inputs=alpha)).mean for alpha, _ in points]
    np.testing.assert_array_equal(points[:, 1], expected)


def test_landscape_picture_shows_the_exact_loss(drawn):
    plane = drawn("landscape").axes[0]
    ((image,), best) = plane.get_images(), optimal_weights(loss_pictures.LANDSCAPE)
    held = image.get_array()
    least = 12559 / 13825
    # (s, t) = (1, 0) is a global minimum, (0, 1) the spurious one, (0, 0) predicts zero: tr Sigma = 19/10.
    for (row, column), value in {(120, 200): 0, (200, 120): 24 / 175, (120, 120): 1.9 - least}.items():
        np.testing.assert_allclose(10 ** held[row, column], value + 0.01, rtol=1e-9)
    assert loss(best, loss_pictures.LANDSCAPE) == sympy.Rational(12559, 13825)


def test_landscape_picture_shows_that_restarts_end_at_both_minima(drawn):
    restarts = drawn("landscape").axes[1]
    held = lines(restarts)
    reached, least = held["loss reached by BFGS"][:, 1], held["f*, exact"][0, 1]
    assert least == 12559 / 13825
    assert abs(reached[0] - least) < 1e-9
    assert len(reached) == 30
    above = held["spurious minimum, exact"][0, 1]
    assert np.min(np.abs(reached - above)) < 1e-9
    assert (reached > least - 1e-12).all()


def test_looped_picture_draws_the_reference_optimum(drawn):
    scalar, _ = drawn("looped_loss").axes
    best = [line.get_xydata()[0] for line in scalar.get_lines() if line.get_marker() == "*"]
    np.testing.assert_allclose(best[0], [20 / 31, 11 / 31], rtol=1e-12)
    np.testing.assert_allclose(best[1], [0.628077, 0.210528], rtol=1e-5)
    curve = lines(scalar)["L = 1, a* = 0.6452"]
    np.testing.assert_allclose(curve[:, 1], 1 - 2 * curve[:, 0] + 31 / 20 * curve[:, 0] ** 2, rtol=1e-12)


def test_looped_picture_draws_the_rise_and_its_parabola(drawn):
    _, across = drawn("looped_loss").axes
    curves = [np.array(line.get_xydata()) for line in across.get_lines()[:-1]]
    assert len(curves) == 6
    for rise, drawn_parabola in (curves[0:2], curves[2:4], curves[4:6]):
        middle = len(rise) // 2
        assert rise[middle, 1] == 0
        # The rise is even in t, a quartic, and its curvature at 0 is the parabola's.
        square, quartic = np.linalg.lstsq(np.stack([rise[:, 0] ** 2, rise[:, 0] ** 4], axis=1), rise[:, 1])[0]
        np.testing.assert_allclose(square * rise[:, 0] ** 2, drawn_parabola[:, 1], rtol=1e-6, atol=1e-12)
        assert quartic > 0
    assert curves[1][0, 1] > 0 > curves[5][0, 1]

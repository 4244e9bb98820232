"""GD++ on its scalar family: reference values, sampling where it is possible, and why it is not beyond two layers."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

from constructions.construction import forward
from constructions.gdpp import GDPlusPlus
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from numerics.gdpp_loss import (
    error_polynomial,
    gdpp_loss,
    gdpp_optimum,
    recurrent_gdpp_loss,
    recurrent_gdpp_optimum,
    relative_variance_bounds,
)
from numerics.rationals import RationalBlock
from numerics.tasks import VON_OSWALD, LinearTask
from proofs.regression_law import RegressionLaw, integrated_loss

PRINTED = ([-0.378, -2.411, -9.643], [0.907, 0.566])
"""The refit of the weights that Ahn et al. (2023) print, on a batch of 20000 contexts."""


def network(steps, input_steps, d):
    identity = np.eye(d, dtype=int)
    scaled = [
        [[[entry * Fraction(c) for entry in row] for row in identity.tolist()] for c in each]
        for each in (steps, input_steps)
    ]
    return RelaxedPreconditionedDescent(preconditioners=scaled[0], input_maps=scaled[1])


@pytest.mark.parametrize(("n", "d"), [(1, 1), (2, 1), (1, 2)])
def test_loss_of_two_layers_is_that_of_the_network_integrated_entry_by_entry(n, d):
    steps, input_steps = [Fraction(-1, 2), Fraction(-3, 4)], [Fraction(1, 3), 0]
    integrated = integrated_loss(network(steps, input_steps, d), RegressionLaw.isotropic(n, d))
    assert integrated == sympy.Rational(str(gdpp_loss(steps, input_steps, n, d)))


def test_polynomial_is_what_the_network_does_to_a_teacher_along_one_feature():
    """n = d = 1: the error of the prediction is -w q(x^2) x_query."""
    steps, input_steps = [-1, 2, Fraction(1, 2)], [3, Fraction(1, 4), 7]
    q = error_polynomial(steps, input_steps)
    for x in (1, 2, 3):
        (predicted,) = forward(network(steps, input_steps, 1), prompt_of_one_token(x)).entry.flat
        assert 1 - q(x**2) == predicted
    assert q.degree() == 13


def prompt_of_one_token(x):
    return Prompt([[x]], [[x]], [[1]]).lifted(RationalBlock)


@pytest.mark.parametrize(("layers", "moment"), [(1, 2), (2, 8), (3, 26), (4, 80)])
def test_degree_of_the_loss_is_that_of_the_notes(layers, moment):
    assert 2 * error_polynomial([-1] * layers, [1] * layers).degree() == moment


def test_without_input_steps_it_is_gradient_descent():
    loss = gdpp_loss([-1.249571961559, -0.515370682836], [0], 20, 5)
    assert float(loss) == pytest.approx(1795 / 4969, rel=1e-11)


def test_reference_value_of_three_layers():
    """n = 20, d = 5: the best point of the notes, with the exact moments up to the 26th."""
    loss = gdpp_loss([-0.338297, -2.090841, -8.568056], [0.877577, 0.578162], 20, 5)
    assert float(loss) == pytest.approx(9.61311e-4, rel=5e-7)


def test_search_finds_the_reference_optimum_of_three_layers():
    best = gdpp_optimum(3, 20, 5, starts=12)
    np.testing.assert_allclose(best.steps, [-0.338297, -2.090841, -8.568056], rtol=2e-6)
    np.testing.assert_allclose(best.input_steps, [0.877577, 0.578162], rtol=2e-6)
    assert best.loss == gdpp_loss(best.steps, best.input_steps, 20, 5)
    assert float(best.loss) == pytest.approx(9.61311e-4, rel=1e-6)


def test_two_layers_beat_gradient_descent_and_no_neighbour_beats_them():
    best = gdpp_optimum(2, 10, 2, starts=8)
    assert best.loss < Fraction(253, 1569)
    rng = np.random.default_rng(0)
    for _ in range(20):
        shifts = 1 + 1e-3 * rng.standard_normal(3)
        moved = [value * shift for value, shift in zip((*best.steps, *best.input_steps), shifts, strict=True)]
        assert gdpp_loss(moved[:2], moved[2:], 10, 2) > best.loss


def test_one_layer_is_the_one_step_optimum():
    best = gdpp_optimum(1, 10, 5, starts=1)
    assert best.steps[0] == pytest.approx(-0.625, rel=1e-12)
    assert float(best.loss) == pytest.approx(15 / 8, rel=1e-15)


@pytest.mark.parametrize(("n", "eta", "gamma", "half"), [(10, 13.49, 0.1760, 0.1105), (50, 19.82, 0.0560, 0.0026)])
def test_recurrent_optimum_of_von_oswald_et_al(n, eta, gamma, half):
    """The notes' values, from sampled spectra of uniform inputs; here their moments are exact."""
    best = recurrent_gdpp_optimum(replace(VON_OSWALD, n=n), starts=6)
    assert best.step_size == pytest.approx(eta, rel=1e-3)
    assert best.curvature_step == pytest.approx(gamma, rel=2e-3)
    assert float(best.loss) / 2 == pytest.approx(half, abs=6e-5)
    assert best.loss == recurrent_gdpp_loss(best.step_size, best.curvature_step, replace(VON_OSWALD, n=n))


def test_recurrent_loss_is_that_of_sampled_tasks():
    task = LinearTask(n=6, d=3, inputs="uniform")
    drawn = task.sample(0, 100_000)
    predicted = forward(GDPlusPlus(step_sizes=[9.0, 9.0], curvature_steps=[0.2, 0.2]), drawn.prompt.lifted())
    squares = ((predicted.entry - drawn.y_query) ** 2).ravel()
    claimed = float(recurrent_gdpp_loss(9.0, 0.2, task))
    assert abs(squares.mean() - claimed) < 4 * squares.std() / np.sqrt(len(squares))


def test_recurrent_layers_without_input_steps_are_one_for_one_layer():
    best = recurrent_gdpp_optimum(LinearTask(n=20, d=5), layers=1, starts=1)
    assert (best.step_size, best.curvature_step) == (pytest.approx(20 / 26, rel=1e-7), 0)


def test_variance_is_moderate_for_two_layers_and_not_for_three():
    """A context's loss has 214 times its squared mean as variance at most, and 2e13 times at least."""
    two, three = gdpp_optimum(2, 20, 5, starts=8), gdpp_optimum(3, 20, 5, starts=12)
    assert relative_variance_bounds(two.steps, two.input_steps, 20, 5)[1] < 220
    assert relative_variance_bounds(three.steps, three.input_steps, 20, 5)[0] > 10**13


def test_bounds_on_the_variance_meet_for_one_feature_at_the_variance_integrated():
    low, high = relative_variance_bounds([Fraction(-1, 2)], [], 2, 1)
    a = sympy.Symbol("a")
    # S = (x_1^2 + x_2^2) / 2 is a standard exponential: E S^k = k!.
    fourth, second = (
        sum(c * sympy.factorial(k) for (k,), c in sympy.Poly((1 - a / 2) ** power, a).terms()) for power in (4, 2)
    )
    assert low == high == sympy.Rational(fourth, second**2) - 1


def test_printed_weights_have_a_population_loss_far_above_what_a_batch_shows():
    """n = 20, d = 5: .056 instead of the 6.8e-4 of the batch on which they are the optimum."""
    assert float(gdpp_loss(*PRINTED, 20, 5)) == pytest.approx(0.0558, abs=5e-5)


def test_a_batch_shows_little_of_the_loss_of_the_printed_weights():
    X = np.random.default_rng(0).standard_normal((20_000, 5, 20))
    spectra = np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2) / 20)
    (a, b) = PRINTED
    ell, q = spectra, 1
    for step, move in zip(a, (*b, 0), strict=True):
        ell, q = ell * (1 + step * move * ell) ** 2, q * (1 + step * ell)
    assert (q**2).sum(axis=1).mean() < float(gdpp_loss(*PRINTED, 20, 5)) / 30


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gdpp_loss([-1, -1], [], 2, 2), "2 steps a_l need 1 or 2 input steps b_l, but 0 came"),
        (lambda: gdpp_loss([-1] * 5, [0] * 5, 2, 2), "5 layers came, whose loss has degree 242: at most 4"),
        (lambda: gdpp_loss([-1], [], 0, 2), "n = 0: it must be at least 1"),
        (lambda: gdpp_loss([-1], [], 2, 0), "d = 0: it must be at least 1"),
        (lambda: gdpp_loss([float("nan")], [], 2, 2), "must be finite"),
        (lambda: relative_variance_bounds([-1] * 4, [0] * 4, 2, 2), "fourth powers of at most 3"),
        (lambda: gdpp_optimum(0, 2, 2), r"layers = 0: 1\.\.4"),
        (lambda: gdpp_optimum(1, 2, 2, starts=0), "starts = 0: at least one"),
        (lambda: recurrent_gdpp_optimum(VON_OSWALD, layers=5), r"layers = 5: 1\.\.4"),
        (lambda: recurrent_gdpp_optimum(VON_OSWALD, layers=3), r"largest = 26: powers 0\.\.8"),
        (lambda: recurrent_gdpp_loss(0, 1, VON_OSWALD), "eta = 0"),
        (lambda: recurrent_gdpp_loss(1, 1, LinearTask(n=2, d=1, noise=0.1)), "noise = 0.1: the loss of GD"),
        (lambda: recurrent_gdpp_loss(1, 1, LinearTask(n=2, d=1, m=2)), "m = 2"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

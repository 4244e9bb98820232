"""Tuned parameters: losses from spectra against tokens, gradients against differences, minima against closed forms."""

import numpy as np
import pytest

from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from numerics.alignment import mean_loss
from numerics.tasks import VON_OSWALD, LinearTask, Sampled
from numerics.tuned_descent import drawn_spectra, spectral_loss, tuned_descent

SMALL = LinearTask(n=4, d=3, inputs="uniform")


def test_loss_from_spectra_is_that_of_the_network_averaged_over_unit_teachers_and_queries():
    """The mean over w, x_query = sqrt(d) e_i of either sign is the mean over N(0, I): both have the covariance I."""
    task = LinearTask(n=4, d=3)
    X = task.sample(2, 5).X
    network = GDPlusPlus(step_sizes=[1.5, 0.75, 0.5], curvature_steps=[0.0625, 0.03125, 0.125])
    units = np.sqrt(3) * np.eye(3)
    cases = [(x, w[None, :], q[:, None]) for x in X for w in units for q in units]
    X, W_star, x_query = (np.stack(parts) for parts in zip(*cases, strict=True))
    tasks = Sampled(X, W_star @ X, x_query, W_star @ x_query, W_star)
    spectra = np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2))
    by_spectra = spectral_loss(spectra, 4, network.step_sizes, network.curvature_steps)
    np.testing.assert_allclose(mean_loss(network, tasks).mean, by_spectra, rtol=1e-12)


def test_spectra_are_those_of_the_gram_matrix():
    X = VON_OSWALD.sample(3, 20).X
    np.testing.assert_allclose(
        drawn_spectra(VON_OSWALD, 20, 3), np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2)), atol=1e-14
    )


def test_spectra_of_short_contexts_have_zeros():
    spectra = drawn_spectra(LinearTask(n=2, d=5), 10)
    assert spectra.shape == (10, 5)
    assert (spectra[:, :3] == 0).all()
    assert (spectra[:, 3:] > 0).all()


def test_tuned_single_step_is_the_exact_minimiser_on_its_contexts():
    """The loss of one step is a quadratic in eta: eta = n mean(tr S) / mean(tr S^2)."""
    spectra = drawn_spectra(SMALL, 500)
    found = tuned_descent(SMALL, contexts=500, curvature=False)
    eta = 4 * spectra.sum(axis=1).mean() / (spectra**2).sum(axis=1).mean()
    assert abs(found.step_sizes[0] / eta - 1) < 1e-6
    exact = (1 / 12) * (3 - spectra.sum(axis=1).mean() ** 2 / (spectra**2).sum(axis=1).mean()) / 2
    assert abs(found.loss / exact - 1) < 1e-9


@pytest.mark.parametrize("curvature", [True, False])
def test_search_stops_where_differences_of_the_loss_vanish(curvature):
    """SciPy's BFGS stops at slopes below 1e-5; those of log(loss) by differences are that, and their own errors."""
    found = tuned_descent(SMALL, 3, shared=False, curvature=curvature, contexts=200)
    spectra, count = drawn_spectra(SMALL, 200), 5 if curvature else 3
    parameters = np.array([*found.step_sizes, *(found.curvature_steps or (0.0, 0.0, 0.0))])

    def log_loss(changed):
        return np.log(spectral_loss(spectra, 4, changed[:3], changed[3:], variance=1 / 12))

    assert abs(np.exp(log_loss(parameters)) / found.loss - 1) < 1e-12
    for step in np.eye(6)[:count] * 1e-6:
        slope = (log_loss(parameters * np.exp(step)) - log_loss(parameters * np.exp(-step))) / 2e-6
        assert abs(slope) < 2e-5


def test_tuned_networks_reproduce_the_reference_values():
    """n = d = 10, U(-1/2, 1/2): two shared layers, and two gradient steps of their own, as derived in the notes."""
    descent = tuned_descent(layers=2, curvature=False)
    plus = tuned_descent(layers=2)
    untied = tuned_descent(layers=2, curvature=False, shared=False)
    assert round(descent.loss, 3) == 0.157
    assert round(plus.loss, 3) == 0.110
    assert round(untied.loss, 3) == 0.141
    np.testing.assert_allclose(descent.step_sizes, [5.98] * 2, rtol=0.01)
    np.testing.assert_allclose(plus.step_sizes, [13.49] * 2, rtol=0.01)
    np.testing.assert_allclose(plus.curvature_steps, [0.176] * 2, rtol=0.01)
    np.testing.assert_allclose(sorted(untied.step_sizes), [4.00, 11.57], rtol=0.01)


def test_search_steps_back_where_a_line_search_leaves_the_range_of_floats():
    found = tuned_descent(layers=5, contexts=30)
    assert found.loss < tuned_descent(layers=4, contexts=30).loss
    assert found.slope < 1e-3


def test_tuned_parameters_come_as_a_network():
    assert tuned_descent(SMALL, 2, contexts=50, curvature=False).construction.depth == 2
    network = tuned_descent(SMALL, 2, contexts=50, shared=False).construction
    assert isinstance(network, GDPlusPlus)
    assert network.curvature_steps[-1] == 0
    assert isinstance(tuned_descent(SMALL, contexts=50, curvature=False).construction, GradientDescent)


@pytest.mark.parametrize(
    "task",
    [
        LinearTask(n=3, d=2, noise=0.1),
        LinearTask(n=3, d=2, covariance=[[2, 0], [0, 1]]),
        LinearTask(n=3, d=2, prior=[[2, 0], [0, 1]]),
    ],
    ids=["noise", "covariance", "prior"],
)
def test_tasks_beyond_spectra_are_refused(task):
    with pytest.raises(ValueError, match="spectra suffice for noiseless tasks with isotropic inputs and teachers only"):
        tuned_descent(task)


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="layers = 0: at least 1 is required"):
        tuned_descent(layers=0)

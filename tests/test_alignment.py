"""Alignment against what is known: an algorithm with itself, two step sizes, finite laws, and plain loops."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from constructions.construction import forward, iterates
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.parameters import lifted
from constructions.prompt import Prompt
from numerics.alignment import Estimate, alignment, mean_loss, validation_tasks
from numerics.predictors import PredictorFailed, algorithm
from numerics.rounding import ROUNDOFF, RoundedBlock
from numerics.sensitivities import sensitivities
from numerics.tasks import VON_OSWALD, LinearTask, Sampled
from proofs.one_step_optimum import AUTHORS_CODE, Convention, expected_loss, optimal_loss, optimal_step_size

BEST = float(optimal_step_size(10, 10, AUTHORS_CODE))
CONSTRUCTIONS = {
    "one gradient step": GradientDescent(step_sizes=[6.0]),
    "five gradient steps": GradientDescent(step_sizes=[6.0] * 5),
    "GD++": GDPlusPlus(step_sizes=[13.5, 13.5], curvature_steps=[0.176, 0.176]),
}


def all_tasks(n, d):
    """Every task with inputs and teachers of +-1: a finite law, all of whose means are sums of integers."""
    signs = np.array(list(product((1.0, -1.0), repeat=d * (n + 2))))
    X, x_query, W_star = signs[:, : d * n].reshape(-1, d, n), signs[:, d * n : -d, None], signs[:, None, -d:]
    return Sampled(X, W_star @ X, x_query, W_star @ x_query, W_star)


def rounded_network(construction):
    """The float run of the network, as the kind with a radius runs it, and the radius of any prompts."""

    def run(X, Y, x_query):
        return forward(construction, Prompt(X, Y, x_query).lifted(RoundedBlock))

    return lambda *prompts: run(*prompts).value, lambda *prompts: run(*prompts).radius


def rounded_algorithm(construction):
    """The same of the algorithm's plain steps."""

    def run(X, Y, x_query):
        prompt = Prompt(X, Y, x_query).lifted(RoundedBlock)
        *_, last = iterates(construction, prompt)
        return lifted(construction, RoundedBlock, prompt).predict(last, prompt)

    return lambda *prompts: run(*prompts).value, lambda *prompts: run(*prompts).radius


def with_queries_of_one_size(count):
    """Tasks whose queries have entries +-1/4, so that their sensitivities are probed with e_j / 4."""
    tasks = VON_OSWALD.sample(1, count)
    x_query = np.sign(tasks.x_query) / 4
    return replace(tasks, x_query=x_query, y_query=tasks.W_star @ x_query)


def rounding_bounds(construction, tasks):
    """How far rounding can part network and algorithm: in each prediction (B,), and in each sensitivity (B,)."""
    radii = [run(construction)[1] for run in (rounded_network, rounded_algorithm)]

    def gap(x_query):
        return sum(radius(tasks.X, tasks.Y, x_query) for radius in radii)[:, 0, 0]

    zero = np.zeros_like(tasks.x_query)
    probes = [zero + (np.eye(10)[:, [j]] / 4) for j in range(10)]
    return gap(tasks.x_query), 4 * np.linalg.norm([gap(probe) + gap(zero) for probe in probes], axis=0)


@pytest.mark.parametrize("construction", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_construction_is_aligned_with_its_algorithm_up_to_the_rounding_bound(construction):
    tasks = with_queries_of_one_size(50)
    in_predictions, in_sensitivities = rounding_bounds(construction, tasks)
    found = alignment(rounded_network(construction)[0], rounded_algorithm(construction)[0], tasks)
    # The means themselves are rounded: 50 sums, a norm of 10 entries.
    means = 1 + 70 * ROUNDOFF
    assert found.prediction_difference.mean <= np.mean(in_predictions) * means
    assert found.model_difference.mean <= np.mean(in_sensitivities) * means
    # Units of vectors that are gap apart are 2 gap / |G| apart; each is rounded in a norm of 10 squares and a division.
    G = sensitivities(construction, tasks.X, tasks.Y, tasks.x_query).G
    units = 2 * in_sensitivities / np.linalg.norm(G, axis=(1, 2)) + 28 * ROUNDOFF
    assert 0 <= 1 - found.cosine.mean <= np.mean(units**2 / 2) * means + ROUNDOFF


@pytest.mark.parametrize("construction", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)
def test_a_step_size_that_is_slightly_off_exceeds_the_rounding_bound(construction):
    tasks = with_queries_of_one_size(50)
    in_predictions, in_sensitivities = rounding_bounds(construction, tasks)
    wrong = replace(construction, step_sizes=[construction.step_sizes[0] + 2**-25, *construction.step_sizes[1:]])
    found = alignment(construction, algorithm(wrong), tasks)
    assert found.prediction_difference.mean > np.mean(in_predictions)
    assert found.model_difference.mean > np.mean(in_sensitivities)


def test_two_step_sizes_differ_by_exactly_their_share_of_y_x_t():
    X, Y, W_star = np.array([[1.0, 2, -1], [0, 1, 3]]), np.array([[2.0, -1, 1]]), np.array([[1.0, 1]])
    x_query = np.array([[2.0], [-3.0]])
    tasks = Sampled(X[None], Y[None], x_query[None], (W_star @ x_query)[None], W_star[None])
    found = alignment(GradientDescent(step_sizes=[9]), GradientDescent(step_sizes=[3]), tasks)
    # Y X^T = (-1, 2), Y X^T x_query = -8: times (9 - 3) / 3 = 2.
    assert found.model_difference.mean == math.sqrt(20)
    assert found.prediction_difference.mean == 16
    assert found.cosine.mean == 1
    assert (found.loss.mean, found.reference_loss.mean) == ((-24 + 1) ** 2 / 2, (-8 + 1) ** 2 / 2)
    assert math.isnan(found.loss.standard_error)


def test_opposite_steps_have_cosine_minus_one():
    found = alignment(GradientDescent(step_sizes=[6]), GradientDescent(step_sizes=[-3]), all_tasks(1, 3))
    assert found.cosine == Estimate(-1.0, 0.0)


def test_loss_over_a_finite_law_is_the_closed_form():
    n, d, eta = 2, 2, Fraction(3, 4)
    tasks = all_tasks(n, d)
    signs = Convention(variance=Fraction(1), kurtosis=Fraction(1), factor=Fraction(1, 2))
    exact = expected_loss(eta, n, d, signs) * signs.factor
    found = mean_loss(GradientDescent(step_sizes=[float(eta)]), tasks)
    assert Fraction(found.mean) == Fraction(str(exact))


def test_metrics_are_those_of_a_plain_loop():
    tasks = LinearTask(n=5, d=3, m=2).sample(4, 20)
    ours, theirs = GradientDescent(step_sizes=[1.0, 0.5]), GDPlusPlus(step_sizes=[2.0, 1.0], curvature_steps=[0.05] * 2)
    found = alignment(ours, theirs, tasks)
    rows = []
    for X, Y, x, y in zip(tasks.X, tasks.Y, tasks.x_query, tasks.y_query, strict=True):
        G, H = (np.hstack([each(X, Y, e[:, None]) for e in np.eye(3)]) for each in (ours, theirs))
        cosine = np.sum(G * H) / math.sqrt(np.sum(G * G) * np.sum(H * H))
        error, other = ours(X, Y, x) - y, theirs(X, Y, x) - y
        rows.append(
            [np.linalg.norm(error - other), np.linalg.norm(G - H), cosine, np.sum(error**2) / 2, np.sum(other**2) / 2]
        )
    means, errors = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / math.sqrt(20)
    parts = (found.prediction_difference, found.model_difference, found.cosine, found.loss, found.reference_loss)
    np.testing.assert_allclose([part.mean for part in parts], means, rtol=1e-12)
    np.testing.assert_allclose([part.standard_error for part in parts], errors, rtol=1e-10)


def test_loss_of_the_best_step_is_the_closed_form_within_five_standard_errors():
    found = alignment(GradientDescent(step_sizes=[BEST]), GradientDescent(step_sizes=[BEST])).loss
    exact = float(optimal_loss(10, 10, AUTHORS_CODE))
    assert abs(found.mean - exact) < 5 * found.standard_error < 0.1 * exact


def test_zero_predictor_has_no_cosine_and_says_so():
    found = alignment(lambda X, Y, x: 0 * Y[..., :1], GradientDescent(step_sizes=[1]), count=20)
    assert found.undefined_cosines == 20
    assert found.cosine.mean == 0
    assert "in 20 tasks a sensitivity is 0" in str(found)


def test_printed_alignment_says_how_the_sensitivities_were_found():
    def squashed(X, Y, x):
        return np.tanh(Y @ np.swapaxes(X, 1, 2) @ x)

    found = alignment(squashed, GradientDescent(step_sizes=[10]), count=30)
    assert found.methods == ("differences", "probing")
    assert "sensitivities by differences and probing" in str(found)
    assert "over 30 tasks" in str(found)


def test_same_seed_gives_the_same_alignment():
    pair = (GradientDescent(step_sizes=[1]), GradientDescent(step_sizes=[2, 1]))
    assert alignment(*pair, count=20, rng=5) == alignment(*pair, count=20, rng=5)
    assert alignment(*pair, count=20, rng=5) != alignment(*pair, count=20, rng=6)


def test_message_says_which_predictor_is_at_fault():
    def broken(X, Y, x):
        raise ZeroDivisionError("no")

    with pytest.raises(PredictorFailed, match="reference raised ZeroDivisionError: no"):
        alignment(GradientDescent(step_sizes=[1]), broken, count=5)
    with pytest.raises(ValueError, match="reference returned shape"):
        alignment(GradientDescent(step_sizes=[1]), lambda X, Y, x: Y, count=5)


def test_tasks_without_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"must have one batch axis, X \(tasks, d, n\), but X has shape \(10, 10\)"):
        validation_tasks(VON_OSWALD.sample(0))


def test_what_is_no_tasks_is_refused():
    with pytest.raises(TypeError, match="tasks must be a LinearTask or a Sampled, but int came"):
        validation_tasks(7)


def test_alignment_is_that_of_numpy_in_every_array_library(xp):
    tasks = VON_OSWALD.sample(0, 20)
    moved = Sampled(**{name: xp.asarray(array) for name, array in vars(tasks).items()})
    pair = (CONSTRUCTIONS["GD++"], algorithm(CONSTRUCTIONS["five gradient steps"]))
    host, found = alignment(*pair, tasks), alignment(*pair, moved)
    assert found.methods == host.methods
    for name in ("prediction_difference", "model_difference", "cosine", "loss"):
        assert math.isclose(getattr(found, name).mean, getattr(host, name).mean, rel_tol=1e-12)

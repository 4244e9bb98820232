"""What a run has reached: the exact loss, the paired excess, and the references of one and of several layers."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from numerics.one_layer_population import best_network, best_step, law_of
from numerics.tasks import VON_OSWALD, LinearTask
from numerics.training import train
from numerics.training_outcome import outcome
from numerics.training_run import TrainingRun
from numerics.training_settings import ahn, von_oswald
from proofs.one_step_optimum import Convention, optimal_loss

SMALL = LinearTask(n=6, d=2, inputs="uniform", half_width=1.0)


def at_the_optimum(task, scale=1.0):
    """A run of one preconditioned layer that stands at the closed-form optimum, or at a multiple of it."""
    run = TrainingRun.begun(ahn(1, looped=True, task=task))
    preconditioner = best_step(law_of(task))[1].entry
    run.state = run.state._replace(matrices={"preconditioners": scale * preconditioner})
    return run


def test_network_at_the_optimum_has_no_excess_and_cosine_one():
    found = outcome(at_the_optimum(VON_OSWALD), 100)
    least = float(optimal_loss(10, 10, Convention.uniform(Fraction(1, 2), Fraction(1, 2))))
    assert found.reference == "one gradient step"
    assert found.exact_losses == pytest.approx((least, least), rel=1e-13)
    assert (found.excess.mean, found.excess.standard_error) == (0, 0)
    assert found.alignment.cosine.mean == 1


def test_half_the_best_step_is_above_it_by_what_the_parabola_says():
    # The loss is a parabola in the size of the step, T at 0 and least at 1: T - (T - least) (1 - 1/4) at one half.
    found = outcome(at_the_optimum(VON_OSWALD, 0.5), 4000)
    zero, least = 10 / 24, found.exact_losses[1]
    assert found.exact_excess == pytest.approx((zero - least) / 4 / least, rel=1e-12)
    assert abs(found.excess.mean - found.exact_excess) <= 5 * found.excess.standard_error
    # The direction is the same in every task.
    assert found.alignment.cosine.mean == pytest.approx(1, abs=1e-12)


def test_skewed_inputs_are_compared_with_a_preconditioned_step():
    task = LinearTask(n=4, d=2, covariance=[[2, 1], [1, 3]], noise=0.5)
    found = outcome(at_the_optimum(task), 10)
    assert found.reference == "one preconditioned gradient step"
    assert np.array_equal(found.network.preconditioners[0], best_network(law_of(task)).preconditioners[0])


def is_within(percent, excess):
    """Whether the excess is below it by two standard errors."""
    return excess.mean + 2 * excess.standard_error < percent / 100


def test_two_looped_layers_reach_gdpp_within_three_percent():
    # The GD++ form of Ahn et al., on tasks drawn once: seconds where the full network takes minutes.
    task = LinearTask(n=4, d=4, inputs="uniform", half_width=0.5)
    settings = ahn(2, True, looped=True, task=task, steps=100, optimiser="l-bfgs", batch=4096)
    found = outcome(train(TrainingRun.begun(settings)))
    assert found.reference == "2 equal steps of tuned GD++"
    assert found.exact_losses is None
    assert is_within(3, found.excess)


def test_recorded_run_of_two_looped_layers_reaches_gdpp_within_three_percent():
    # What ``icl train lsa --layers 2`` left: the authors' setting, 5000 steps.
    run = TrainingRun.load(Path(__file__).parent / "trained" / "lsa_2_looped_seed_0")
    assert run.settings == von_oswald(2)
    assert (run.stopped, run.step) == ("finished", 5000)
    found = outcome(run)
    assert found.reference == "2 equal steps of tuned GD++"
    assert is_within(3, found.excess)


def test_recorded_run_begins_as_the_same_settings_do_now():
    recorded = TrainingRun.load(Path(__file__).parent / "trained" / "lsa_2_looped_seed_0")
    again = train(TrainingRun.begun(replace(recorded.settings, steps=3)))
    # Other versions of the libraries may round otherwise: each of 2048 summed squares by some tens of units.
    bound = 2048 * 100 * np.finfo(float).eps
    assert np.abs(np.array(again.losses) / recorded.losses[:3] - 1).max() <= bound


def test_untied_layers_are_compared_with_untied_gdpp():
    run = train(TrainingRun.begun(von_oswald(2, looped=False, task=SMALL, batch=8, steps=1)))
    assert outcome(run, 50).reference == "2 steps of tuned GD++"


def test_outcome_is_the_same_whenever_it_is_asked():
    run = at_the_optimum(SMALL, 0.9)
    first, again = outcome(run, 50), outcome(run, 50)
    assert (first.excess, first.alignment) == (again.excess, again.alignment)


@pytest.mark.parametrize(
    ("layers", "task", "message"),
    [
        (1, LinearTask(n=3, d=2, m=2), "one target, but the task has m = 2"),
        (2, LinearTask(n=3, d=2, noise=0.1), "spectra suffice for noiseless tasks"),
    ],
)
def test_tasks_without_a_known_algorithm_are_refused(layers, task, message):
    run = TrainingRun.begun(von_oswald(layers, task=task, batch=4, steps=1))
    with pytest.raises(ValueError, match=message):
        outcome(run, 10)

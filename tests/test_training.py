"""Training: what it reaches, that it is reproducible and resumed bit by bit, and how it stops."""

from dataclasses import replace

import numpy as np
import pytest

from constructions.construction import forward
from constructions.prompt import Prompt
from numerics.adam import Adam
from numerics.check import check
from numerics.device import on_device
from numerics.one_layer_population import best_step, law_of, population_loss
from numerics.rationals import RationalBlock, as_fraction
from numerics.tasks import LinearTask, Sampled
from numerics.training import loss_of_zero, tasks_of_step, train
from numerics.training_loss import PIECE, sampled_loss, whole_loss
from numerics.training_run import TrainingRun
from numerics.training_settings import TrainingSettings, ahn, von_oswald
from numerics.weight_sets import matrices_of, with_matrices

SMALL = LinearTask(n=3, d=2, inputs="uniform", half_width=1.0)


def small(**changes):
    return von_oswald(**{"task": SMALL, "batch": 16, "steps": 4, **changes})


def same(first, second):
    """Whether two runs have the same matrices and losses, to the last bit."""
    ours, theirs = first.matrices, second.matrices
    return first.losses == second.losses and all(np.array_equal(ours[name], theirs[name]) for name in ours | theirs)


def excess(run):
    """By how much the exact loss of one layer exceeds the least one, relatively."""
    law = law_of(run.settings.task)
    return population_loss(run.network, law).entry[0, 0] / best_step(law)[0].entry[0, 0] - 1


def test_one_layer_reaches_the_closed_form_optimum_on_the_population_loss():
    run = train(TrainingRun.begun(von_oswald(steps=300, optimiser="l-bfgs", objective="population")))
    assert run.stopped.startswith("finished")
    assert 0 <= excess(run) < 1e-9
    assert len(run.losses) == run.step < 300


def test_one_layer_reaches_the_optimum_by_the_papers_adam_on_the_population_loss():
    run = train(TrainingRun.begun(von_oswald(steps=600, objective="population")))
    assert 0 <= excess(run) < 1e-5


def test_one_layer_reaches_the_optimum_within_a_percent_on_fresh_tasks():
    # The authors' setting but for fewer and smaller batches.
    run = train(TrainingRun.begun(von_oswald(steps=600, batch=512, seed=1)))
    assert 0 < excess(run) < 0.01


def test_training_can_end_in_a_spurious_minimum():
    # The landscape of one layer is not benign, see one_layer_landscape_has_spurious_local_minima: seed 0 reaches the
    # optimum from as small initial weights.
    runs = [
        train(TrainingRun.begun(small(objective="population", optimiser="l-bfgs", steps=500, seed=seed)))
        for seed in (0, 1)
    ]
    assert all(run.stopped.startswith("finished: CONVERGENCE") for run in runs)
    assert excess(runs[0]) < 1e-9
    assert excess(runs[1]) > 0.5


def test_trained_weights_pass_the_check_and_predict():
    run = train(TrainingRun.begun(small(layers=2, looped=False)))
    tasks = SMALL.sample(0, 3)
    assert run.predict(tasks.X, tasks.Y, tasks.x_query).shape == (3, 1, 1)
    assert check(run.network, Prompt(tasks.X[0], tasks.Y[0], tasks.x_query[0])).holds


@pytest.mark.parametrize("architecture", ["lsa", "preconditioned", "gdpp"])
@pytest.mark.parametrize("looped", [True, False])
def test_every_architecture_learns(architecture, looped):
    adam = Adam(0.02)
    settings = small(architecture=architecture, layers=2, looped=looped, steps=80, adam=adam, initial_scale=0.2)
    run = train(TrainingRun.begun(settings))
    assert np.median(run.losses[-20:]) < np.median(run.losses[:20])


def test_sampled_loss_and_gradient_are_those_of_exact_runs():
    # Small whole numbers and a batch that is a power of two, so that every product, sum and mean is exact.
    rng = np.random.default_rng(0)
    network = TrainingRun.begun(small(layers=2, architecture="preconditioned", looped=False)).network
    A = {name: rng.integers(-2, 3, matrix.shape).astype(float) for name, matrix in matrices_of(network).items()}
    network = with_matrices(network, A)
    X, Y, x_query, y_query = (rng.integers(-2, 3, (4, *s)).astype(float) for s in ((2, 4), (1, 4), (2, 1), (1, 1)))
    loss, gradients = sampled_loss(network, Sampled(X, Y, x_query, y_query, X), 0.5)

    def exact_loss(matrices):
        total = 0
        for i in range(4):
            held = with_matrices(network, {name: RationalBlock.lift(matrix) for name, matrix in matrices.items()})
            prompt = Prompt(*(RationalBlock.lift(entry[i]) for entry in (X, Y, x_query)))
            error = as_fraction(forward(held, prompt).matrix[0, 0]) - int(y_query[i, 0, 0])
            total += error**2
        return total / 8

    assert loss == exact_loss(A)
    # The loss is quadratic in each entry of the last preconditioner, so that its central difference is its derivative.
    for i in range(2):
        for j in range(2):
            step = np.zeros((2, 2))
            step[i, j] = 1
            ahead, behind = ({**A, "preconditioners[1]": A["preconditioners[1]"] + sign * step} for sign in (1, -1))
            assert gradients["preconditioners[1]"][i, j] == (exact_loss(ahead) - exact_loss(behind)) / 2


def test_pieces_of_a_batch_add_up_to_the_batch():
    network = TrainingRun.begun(small()).network
    tasks = SMALL.sample(1, PIECE + 3)
    parts = [
        sampled_loss(network, Sampled(*(getattr(tasks, name)[cut] for name in vars(tasks))))
        for cut in (slice(PIECE), slice(PIECE, None))
    ]
    loss, gradients = sampled_loss(network, tasks)
    weights = PIECE / (PIECE + 3), 3 / (PIECE + 3)
    terms = sum(weight * part for weight, (part, _) in zip(weights, parts, strict=True))
    assert abs(loss - terms) <= 8 * np.finfo(float).eps * loss
    for name, gradient in gradients.items():
        both = [weight * part[name] for weight, (_, part) in zip(weights, parts, strict=True)]
        scale = sum(np.abs(each).max() for each in both)
        assert np.abs(gradient - sum(both)).max() <= 8 * np.finfo(float).eps * scale


def test_population_loss_in_training_is_the_population_loss():
    run = TrainingRun.begun(small())
    law = law_of(SMALL)
    assert whole_loss(run.network, law, 0.5)[0] == 0.5 * population_loss(run.network, law).entry[0, 0]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (SMALL, 2 / 3),
        (LinearTask(n=2, d=2, m=3), 6),
        (LinearTask(n=2, d=2, covariance=[[2, 1], [1, 3]], prior=[[1, -1], [-1, 2]]), 6),
    ],
)
def test_loss_of_zero_is_the_mean_square_of_the_target(task, expected):
    assert loss_of_zero(task) == pytest.approx(expected, rel=4 * np.finfo(float).eps)


def test_same_seed_gives_the_same_run_and_another_seed_another():
    first, again, other = (train(TrainingRun.begun(small(seed=seed))) for seed in (3, 3, 4))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("changes", [{}, {"refresh": 3}, {"objective": "population"}], ids=str)
def test_interrupted_run_goes_on_as_if_it_had_not_been(changes, tmp_path):
    settings = small(steps=7, **changes)
    whole = train(TrainingRun.begun(settings))

    def interrupt(run):
        if run.step == 4:
            raise KeyboardInterrupt

    stopped = train(TrainingRun.begun(settings), interrupt)
    assert (stopped.stopped, stopped.step, len(stopped.losses)) == ("interrupted", 4, 4)
    stopped.save(tmp_path / "run")
    resumed = train(TrainingRun.load(tmp_path / "run"))
    assert (resumed.stopped, resumed.step) == ("finished", 7)
    assert same(resumed, whole)


def test_interruption_within_a_step_keeps_the_last_whole_one(monkeypatch):
    from numerics import training

    steps = []

    def interrupted(*arguments):
        steps.append(arguments)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return sampled_loss(*arguments)

    monkeypatch.setattr(training, "sampled_loss", interrupted)
    run = train(TrainingRun.begun(small()))
    assert (run.stopped, run.step, len(run.losses)) == ("interrupted", 2, 2)


def test_finished_run_takes_more_steps_if_they_are_asked_for():
    run = train(TrainingRun.begun(small(steps=3)))
    run.settings = replace(run.settings, steps=5)
    assert same(train(run), train(TrainingRun.begun(small(steps=5))))


def test_lbfgs_goes_on_from_where_it_was_interrupted():
    def interrupt(run):
        if run.step == 5:
            raise KeyboardInterrupt

    settings = small(steps=40, optimiser="l-bfgs", objective="population")
    run = train(TrainingRun.begun(settings), interrupt)
    assert (run.stopped, run.step, len(run.losses)) == ("interrupted", 5, 5)
    before = excess(run)
    assert excess(train(run)) < before
    assert run.losses == sorted(run.losses, reverse=True)


def test_lbfgs_without_steps_left_takes_none():
    run = train(TrainingRun.begun(small(steps=2, optimiser="l-bfgs")))
    assert (run.stopped, run.step) == ("finished", 2)
    assert train(run).step == 2


def test_diverging_run_stops_with_its_step_and_keeps_its_state():
    seen = {}
    run = train(TrainingRun.begun(small(steps=50, adam=Adam(10.0))), lambda run: seen.update({run.step: run.matrices}))
    assert run.has_diverged
    assert run.stopped.startswith(f"diverged at step {run.step + 1}: the loss is ")
    assert "over 1e+06 times the 0.333333 of predicting 0" in run.stopped
    assert 0 < run.step < 50
    assert all(np.array_equal(run.matrices[name], matrix) for name, matrix in seen[run.step].items())


def test_loss_that_overflows_is_divergence():
    run = train(TrainingRun.begun(small(steps=50, layers=3, adam=Adam(1e60), give_up_at=1e300)))
    assert run.stopped == "diverged at step 2: the loss is inf" or run.stopped == "diverged at step 2: the loss is nan"


def test_line_search_that_overflows_is_divergence():
    run = TrainingRun.begun(small(optimiser="l-bfgs", layers=3))
    run.state = run.state._replace(matrices={name: A * 1e80 for name, A in run.matrices.items()})
    assert train(run).stopped.startswith("diverged at step 1: the line search met a loss of ")


def test_gradient_that_overflows_is_divergence():
    # Inputs of size 1e10 make the gradient 1e30 times as large as the loss is against the matrices.
    task = replace(SMALL, half_width=1e10)
    run = TrainingRun.begun(small(architecture="preconditioned", task=task, give_up_at=1e280))
    run.state = run.state._replace(matrices={"preconditioners": np.eye(2) * 1e100})
    assert train(run).stopped.startswith("diverged at step 1: the gradient has the norm inf, the loss is ")


def test_fresh_tasks_are_drawn_as_often_as_asked():
    settings = small(refresh=2)
    first, second, third = (tasks_of_step(settings, step).X for step in (0, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_singular_covariance_is_refused_before_training():
    task = LinearTask(n=3, d=2, covariance=[[1, 0], [0, 0]])
    with pytest.raises(ValueError, match="the covariance must be positive definite"):
        train(TrainingRun.begun(small(task=task, objective="population")))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layers": 0}, ValueError, "layers = 0: it must be at least 1"),
        ({"batch": 2.0}, TypeError, r"batch must be an int, but 2\.0 came"),
        ({"architecture": "mamba"}, ValueError, "architecture = 'mamba': it must be one of lsa, preconditioned, gdpp"),
        ({"optimiser": "sgd"}, ValueError, "optimiser = 'sgd': it must be one of adam, l-bfgs"),
        ({"initial_scale": 0}, ValueError, "initial_scale = 0: it must be finite and above 0"),
        ({"give_up_at": 1}, ValueError, "give_up_at = 1: it must be finite and above 1"),
        ({"objective": "population", "layers": 2}, ValueError, "one layer and one target, but layers = 2 and m = 1"),
        ({"seed": -1}, ValueError, "rng = -1: a seed must be at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        TrainingSettings(**changes)


def test_settings_of_the_papers_are_those_printed():
    one, five = von_oswald(), von_oswald(5, looped=False)
    assert (one.batch, one.steps, one.adam) == (2048, 5000, Adam(1e-3, (0.9, 0.98), clip=1e-3))
    assert (five.steps, five.adam) == (50000, Adam(5e-4, (0.9, 0.98), clip=10.0))
    three = ahn()
    assert (three.batch, three.refresh, three.steps, three.adam.halve_every) == (20000, 100, 30000, 2000)


def test_initial_weights_have_the_variance_of_the_paper():
    # sd 0.002^(1/2) / 11^(1/2) after the cut at two standard deviations, so no entry is above 2 * 0.0153.
    matrices = TrainingRun.begun(von_oswald()).matrices.values()
    entries = np.concatenate([matrix.ravel() for matrix in matrices])
    assert np.abs(entries).max() <= 2 * 0.01533
    variance = 0.002 / 11
    assert abs(np.mean(entries**2) / variance - 1) <= 5 * np.sqrt(2 / len(entries))


@pytest.mark.cuda
@pytest.mark.parametrize("optimiser", ["adam", "l-bfgs"])
def test_training_on_the_device_follows_training_on_the_host(optimiser):
    host = train(TrainingRun.begun(small(optimiser=optimiser, steps=2)))
    device = train(TrainingRun.begun(small(optimiser=optimiser, steps=2, device="cuda")))
    assert device.state.matrices.keys() == host.state.matrices.keys()
    assert all(isinstance(A, type(on_device(np.ones((1, 1))))) for A in device.state.matrices.values())
    # Both round the same 16 prompts' sums, in another order; Adam's first steps have the size of the step size.
    for name, matrix in host.matrices.items():
        assert np.abs(device.matrices[name] - matrix).max() <= 1e4 * np.finfo(float).eps

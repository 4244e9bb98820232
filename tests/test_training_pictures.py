"""Pictures of training: what their artists hold, against the run and the expected algorithm."""

from dataclasses import replace

import numpy as np
import pytest

from numerics.alignment import alignment, mean_loss
from numerics.linear_layers import linear_layers
from numerics.training_outcome import outcome
from numerics.training_run import TrainingRun
from numerics.training_settings import von_oswald
from proofs.command_line import main
from proofs.picture import Drawing
from proofs.training_pictures import least_loss, run_of, settings_of, validation

pytestmark = [pytest.mark.plots, pytest.mark.xdist_group("pictures")]


@pytest.fixture(scope="module")
def run(short_run):
    return TrainingRun.load(short_run)


@pytest.fixture(scope="module")
def tasks(run):
    return validation(run.settings, Drawing(tasks=40))


def lines(axis):
    """The data of every line of the axes by its label."""
    return {line.get_label(): np.array(line.get_xydata()) for line in axis.get_lines()}


def points(axis):
    """The points of every series with error bars by its label."""
    return {bars.get_label(): np.array(bars.lines[0].get_xydata()) for bars in axis.containers}


def test_training_picture_draws_the_losses_of_the_run(drawn, run):
    losses, _ = drawn("training").axes
    steps, value = lines(losses)["training loss"].T
    assert steps.tolist() == list(range(1, 61))
    np.testing.assert_array_equal(value, run.losses)


def test_training_picture_draws_the_exact_optimum(drawn):
    losses, _ = drawn("training").axes
    assert lines(losses)["one gradient step, exact: 0.2062"][0, 1] == pytest.approx(10 / 24 * (1 - 1 / 1.98), rel=1e-12)


def test_training_picture_ends_with_the_alignment_of_the_trained_network(drawn, run, tasks):
    losses, distances = drawn("training").axes
    found = alignment(run.predict, outcome(run, 40).network, tasks)
    last = {label: data[-1].tolist() for label, data in lines(distances).items()}
    assert last["1 - cosine of the sensitivities"] == [60, pytest.approx(1 - found.cosine.mean)]
    assert last["model difference |G - G'|"] == [60, pytest.approx(found.model_difference.mean)]
    assert last["prediction difference"] == [60, pytest.approx(found.prediction_difference.mean)]
    assert points(losses)["other tasks"][-1].tolist() == [60, pytest.approx(found.loss.mean)]


def test_weights_picture_shows_the_trained_matrices_beside_those_of_theory(drawn, run):
    axes = [axis for axis in drawn("weights").axes if axis.get_images()]
    shown = {axis.get_title(): np.array(axis.get_images()[0].get_array()) for axis in axes if axis.get_title()}
    matrices = run.matrices
    whole = {
        name: np.block([[matrices[f"{name}_{out}{into}"] for into in "xy"] for out in "xy"])
        for name in ("W_K", "W_Q", "W_V", "P")
    }
    M, B = whole["W_K"].T @ whole["W_Q"], whole["P"] @ whole["W_V"]
    b = np.trace(M[:10, :10]) / np.trace(shown["M, theory"][:10, :10])
    np.testing.assert_allclose(shown["M, trained"], M / b, rtol=1e-9, atol=1e-12 * np.abs(M / b).max())
    np.testing.assert_allclose(shown["B, trained"], B * b, rtol=1e-9, atol=1e-12 * np.abs(B * b).max())
    product = shown["M, theory"][0, 0] * shown["B, theory"][10, 10]
    assert product == pytest.approx(-200 / 33 / 10)
    assert np.count_nonzero(shown["M, theory"]) == 10
    assert np.count_nonzero(shown["B, theory"]) == 1


def test_interpolation_picture_starts_at_the_trained_loss_and_ends_at_that_of_theory(drawn, run, tasks):
    between, _ = drawn("interpolation").axes
    ends = mean_loss(run.predict, tasks).mean, mean_loss(outcome(run, 40).network, tasks).mean
    for label in ("rescaled", "as trained"):
        np.testing.assert_allclose(points(between)[label][[0, -1], 1], ends, rtol=1e-9)


def test_interpolation_picture_measures_between_the_weights(drawn, run, tasks):
    between, _ = drawn("interpolation").axes
    ours, theirs = (linear_layers(each, 10, 10) for each in (run.network, outcome(run, 40).network))
    half = replace(ours, M=(ours.M + theirs.M) / 2, B=(ours.B + theirs.B) / 2)
    np.testing.assert_allclose(points(between)["as trained"][5, 1], mean_loss(half, tasks).mean, rtol=1e-12)


def test_interpolation_picture_draws_both_networks_out_of_distribution(drawn, run, tasks):
    _, shifted = drawn("interpolation").axes
    held = points(shifted)
    assert held["trained"][4].tolist() == [1, pytest.approx(mean_loss(run.predict, tasks).mean)]
    expected = mean_loss(outcome(run, 40).network, tasks).mean
    assert held["one gradient step"][4].tolist() == [1, pytest.approx(expected)]


def test_without_a_run_the_authors_setting_is_trained():
    assert settings_of(Drawing(seed=4)) == von_oswald(steps=1500, seed=4)


def test_saved_run_is_taken_as_it_is(short_run, run):
    drawing = Drawing(run=short_run)
    assert run_of(drawing).losses == run.losses
    assert settings_of(drawing) == run.settings


def test_least_loss_of_several_layers_is_measured():
    begun = TrainingRun.begun(von_oswald(2, steps=1, batch=8))
    expected = outcome(begun, 30)
    assert least_loss(expected) == expected.alignment.reference_loss.mean


def test_command_draws_a_saved_run(short_run, tmp_path, capsys):
    path = tmp_path / "weights.png"
    assert main(["plot", "weights", "--run", str(short_run), "--tasks", "20", "--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "match"), [("weights", "No such file"), ("newton", "newton shows no trained network: leave out --run")]
)
def test_command_refuses_a_run_that_it_cannot_draw(name, match, tmp_path, capsys):
    arguments = ["plot", name, "--run", str(tmp_path / "missing"), "--output", str(tmp_path / "a.svg")]
    assert main(arguments) == 2
    assert match in capsys.readouterr().err


def test_run_without_a_step_is_refused(tmp_path):
    TrainingRun.begun(von_oswald(steps=5, batch=8)).save(tmp_path / "begun")
    with pytest.raises(ValueError, match="has taken no step: train it first"):
        settings_of(Drawing(run=tmp_path / "begun"))

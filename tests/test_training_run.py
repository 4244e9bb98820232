"""The record of a run: it comes back as it was saved, and what is no record is refused."""

import json

import numpy as np
import pytest

from numerics.tasks import AHN_ANISOTROPIC, LinearTask
from numerics.trainable_networks import initial_network, normal
from numerics.training import train
from numerics.training_run import TrainingRun, files_of
from numerics.training_settings import TrainingSettings, ahn, von_oswald
from numerics.weight_sets import matrices_of, with_matrices

SMALL = LinearTask(n=3, d=2, inputs="uniform", half_width=1.0)


@pytest.fixture
def saved(tmp_path):
    """A run that was trained and saved, and where."""
    run = train(TrainingRun.begun(von_oswald(2, task=SMALL, batch=8, steps=3)))
    run.save(tmp_path / "run")
    return run, tmp_path / "run"


@pytest.mark.parametrize("ending", ["", ".json", ".npz"])
def test_run_comes_back_as_it_was_saved(saved, ending):
    run, path = saved
    loaded = TrainingRun.load(f"{path}{ending}")
    assert (loaded.settings, loaded.losses, loaded.stopped, loaded.step) == (run.settings, run.losses, "finished", 3)
    assert loaded.versions == run.versions
    for kind in (1, 2, 3):
        ours, theirs = run.state[kind], loaded.state[kind]
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_record_names_settings_seed_versions_and_losses(saved):
    run, path = saved
    record = json.loads((path.parent / "run.json").read_text())
    assert record["settings"]["seed"] == 0
    assert record["settings"]["adam"]["clip"] == 1e-3
    assert record["settings"]["task"] == {
        "n": 3, "d": 2, "m": 1, "inputs": "uniform", "covariance": None, "half_width": 1.0, "prior": None, "noise": 0.0,
        "dtype": "float64",
    }  # fmt: skip
    assert record["versions"]["numpy"] == np.__version__
    assert (record["losses"], record["step"]) == (run.losses, 3)


def test_loaded_network_predicts_what_the_trained_one_does(saved):
    run, path = saved
    tasks = SMALL.sample(1, 4)
    prompt = tasks.X, tasks.Y, tasks.x_query
    assert np.array_equal(TrainingRun.load(path).predict(*prompt), run.predict(*prompt))


def test_name_with_a_dot_keeps_it(tmp_path):
    assert [file.name for file in files_of(tmp_path / "eta_0.5")] == ["eta_0.5.npz", "eta_0.5.json"]


@pytest.mark.parametrize(
    "settings", [von_oswald(3, looped=False), ahn(), ahn(2, moves_inputs=True), TrainingSettings(task=AHN_ANISOTROPIC)]
)
def test_settings_come_back_from_json(settings):
    assert TrainingSettings.of_json(json.loads(json.dumps(settings.as_json()))) == settings


def test_failed_save_leaves_the_last_one(saved, monkeypatch):
    run, path = saved

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        run.save(path)
    assert TrainingRun.load(path).step == 3
    assert sorted(file.name for file in path.parent.iterdir()) == ["run.json", "run.npz"]


def test_missing_run_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run\.json"):
        TrainingRun.load(tmp_path / "run")


def test_missing_arrays_are_said(saved):
    (saved[1].parent / "run.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"run\.npz"):
        TrainingRun.load(saved[1])


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"settings": {"layers": 2}, "stopped": "finished", "versions": {}}']
)
def test_what_is_no_record_is_refused(saved, text):
    (saved[1].parent / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json is no record of a training run"):
        TrainingRun.load(saved[1])


def test_unknown_setting_is_named():
    held = von_oswald().as_json()
    del held["seed"]
    with pytest.raises(ValueError, match="missing or unknown: seed, weight_decay"):
        TrainingSettings.of_json({**held, "weight_decay": 0})


def test_arrays_that_are_cut_off_are_refused(saved):
    arrays = saved[1].parent / "run.npz"
    arrays.write_bytes(arrays.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"run\.npz does not hold the arrays of .*run\.json"):
        TrainingRun.load(saved[1])


def test_arrays_of_another_network_are_refused(saved, tmp_path):
    TrainingRun.begun(von_oswald(2, task=LinearTask(n=3, d=4), batch=8, steps=3)).save(tmp_path / "other")
    (tmp_path / "other.npz").replace(saved[1].parent / "run.npz")
    with pytest.raises(ValueError, match=r"does not hold the arrays of .*: W_K_xx is not \(2, 2\)"):
        TrainingRun.load(saved[1])


def test_matrices_of_other_names_are_refused():
    network = TrainingRun.begun(ahn(2)).network
    assert list(matrices_of(network)) == ["preconditioners[0]", "preconditioners[1]"]
    with pytest.raises(ValueError, match=r"the matrices of this PreconditionedDescent are \['preconditioners\[0\]'"):
        with_matrices(network, {"preconditioners[0]": np.eye(5)})


@pytest.mark.parametrize(
    ("architecture", "layers", "message"),
    [("rnn", 1, "no architecture 'rnn': it must be one of lsa"), ("lsa", 0, "layers = 0: at least one layer")],
)
def test_networks_that_do_not_exist_are_refused(architecture, layers, message):
    with pytest.raises(ValueError, match=message):
        initial_network(architecture, layers, True, (2, 1), normal(1.0), np.random.default_rng(0))

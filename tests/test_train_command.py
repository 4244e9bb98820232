"""``icl train``: what it prints and keeps, how it goes on, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numerics import training
from numerics.training_run import TrainingRun
from proofs import train_command
from proofs.command_line import main

SHORT = ("--steps", "3", "--batch", "8")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_prints_both_figures_and_keeps_the_run(capsys):
    assert main(["train", "lsa", "--steps", "120", "--objective", "population", "--optimiser", "l-bfgs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lsa of 1 layer, n = 10, d = 10, uniform inputs, seed 0"
    assert lines[1].startswith("finished: 120 steps of l-bfgs, 120 of them now in ")
    assert lines[2] == "exact loss 0.206229, the closed-form optimum is 0.206229: 0.000% above it"
    assert "10000 fresh tasks, one gradient step has 0.20" in lines[3]
    assert lines[4].startswith("sensitivity cosine ")
    assert float(lines[4].split()[2]) > 0.999
    assert lines[4].endswith(" to one gradient step")
    assert lines[5] == "kept in lsa_1_looped_seed_0.json and lsa_1_looped_seed_0.npz"
    assert TrainingRun.load("lsa_1_looped_seed_0").step == 120


def test_loss_far_above_the_optimum_is_called_out(capsys):
    assert main(["train", "lsa", *SHORT]) == 0
    assert "that is no optimum: the landscape has spurious minima" in capsys.readouterr().out


def test_options_make_the_settings():
    options = (
        "--layers 2 --untied --tokens 3 --features 2 --inputs gaussian --covariance 2,1;1,3 --prior 1,4 --noise 0.5"
    )
    assert main(["train", "gdpp", *SHORT, *options.split(), "--learning-rate", "0.25", "--out", "there"]) == 0
    settings = TrainingRun.load("there").settings
    assert (settings.architecture, settings.layers, settings.looped) == ("gdpp", 2, False)
    assert (settings.task.n, settings.task.d, settings.task.noise) == (3, 2, 0.5)
    assert settings.task.covariance == ((2, 1), (1, 3))
    assert settings.task.prior == ((1, 0), (0, 4))
    assert (settings.adam.learning_rate, settings.steps, settings.batch) == (0.25, 3, 8)


def test_task_without_a_known_algorithm_is_not_compared(capsys):
    assert main(["train", "gdpp", *SHORT, "--layers", "2"]) == 0
    assert "not compared with an algorithm: spectra suffice for noiseless tasks" in capsys.readouterr().out


def test_interrupted_run_is_kept_and_goes_on(capsys, monkeypatch):
    def interrupted(run, watch):
        def stop(run):
            watch(run)
            if run.step == 2:
                raise KeyboardInterrupt

        return training.train(run, stop)

    with monkeypatch.context() as patched:
        patched.setattr(train_command, "train", interrupted)
        assert main(["train", "lsa", *SHORT]) == 130
    assert "icl train --resume lsa_1_looped_seed_0 goes on" in capsys.readouterr().out
    assert TrainingRun.load("lsa_1_looped_seed_0").step == 2
    assert main(["train", "--resume", "lsa_1_looped_seed_0"]) == 0
    assert main(["train", "lsa", *SHORT, "--out", "whole"]) == 0
    resumed, whole = TrainingRun.load("lsa_1_looped_seed_0"), TrainingRun.load("whole")
    assert resumed.losses == whole.losses
    assert all(np.array_equal(resumed.matrices[name], whole.matrices[name]) for name in whole.matrices)


def test_resumed_run_can_be_given_more_steps():
    assert main(["train", "lsa", *SHORT]) == 0
    assert main(["train", "--resume", "lsa_1_looped_seed_0.json", "--steps", "5"]) == 0
    assert TrainingRun.load("lsa_1_looped_seed_0").step == 5


def test_diverging_run_exits_with_1_and_is_kept(capsys):
    options = ("--steps", "50", "--batch", "8", "--learning-rate", "100")
    assert main(["train", "lsa", "--layers", "2", *options]) == 1
    run = TrainingRun.load("lsa_2_looped_seed_0")
    assert f"diverged at step {run.step + 1}: the loss is " in capsys.readouterr().out
    assert np.isfinite(json.loads(Path("lsa_2_looped_seed_0.json").read_text())["losses"]).all()


def test_run_in_progress_is_saved_now_and_then(monkeypatch):
    saved = []
    monkeypatch.setattr(train_command, "SAVED_EVERY", 0.0)
    monkeypatch.setattr(TrainingRun, "save", lambda run, path: saved.append(run.step))
    assert main(["train", "lsa", *SHORT]) == 0
    assert saved == [1, 2, 3, 3]


def test_command_runs_as_a_program(in_a_folder_of_its_own):
    command = [sys.executable, "-m", "proofs.command_line", "train", "lsa", "--layers", "0"]
    environment = {"PYTHONPATH": str(Path(train_command.__file__).parents[1])}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", "icl: layers = 0: it must be at least 1\n")


BAD = {
    "": r"name a model: lsa, preconditioned, gdpp; or go on with a run by --resume PATH",
    "rnn": "there is no model 'rnn': it must be one of lsa, preconditioned, gdpp",
    "lsa --layers 0": "layers = 0: it must be at least 1",
    "lsa --tokens 0": "n = 0: it must be at least 1",
    "lsa --features 0": "d = 0: it must be at least 1",
    "lsa --noise -1": "noise = -1.0: a standard deviation must be finite and at least 0",
    "lsa --learning-rate -0.1": "learning_rate = -0.1: it must be finite and above 0",
    "lsa --steps 0": "steps = 0: it must be at least 1",
    "lsa --batch 0": "batch = 0: it must be at least 1",
    "lsa --seed -1": "rng = -1: a seed must be at least 0",
    "lsa --features 2 --inputs gaussian --covariance 1,0": "the covariance must be positive definite, but its smallest",
    "lsa --features 2 --inputs gaussian --covariance 1,2;2,1": "covariance must be positive semidefinite",
    "lsa --features 2 --prior 1,0": "the prior must be positive definite",
    "lsa --covariance 1,1": "covariance is for inputs = 'gaussian', but 'uniform' came",
    "lsa --features 2 --inputs gaussian --covariance 1,a": "--covariance 1,a: a matrix is rows of numbers",
    "lsa --layers 2 --objective population": "the population loss is that of one layer and one target",
    "lsa --out missing/run": "cannot write missing/run.npz",
    "--resume missing": "No such file or directory: 'missing.json'",
    "lsa --resume missing": "--resume goes on with the model of that run: leave out lsa",
}


@pytest.mark.parametrize(("options", "message"), BAD.items())
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, options, message):
    assert main(["train", *options.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("icl: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_run_that_is_there_is_not_written_over(capsys):
    assert main(["train", "lsa", *SHORT]) == 0
    assert main(["train", "lsa", *SHORT]) == 2
    assert "lsa_1_looped_seed_0.npz is there already: go on with --resume" in capsys.readouterr().err


def test_damaged_record_is_refused(capsys, tmp_path):
    assert main(["train", "lsa", *SHORT]) == 0
    (tmp_path / "lsa_1_looped_seed_0.json").write_text("{")
    assert main(["train", "--resume", "lsa_1_looped_seed_0"]) == 2
    assert "lsa_1_looped_seed_0.json is no record of a training run" in capsys.readouterr().err


def test_resuming_for_fewer_steps_than_none_is_refused(capsys):
    assert main(["train", "lsa", *SHORT]) == 0
    assert main(["train", "--resume", "lsa_1_looped_seed_0", "--steps", "-1"]) == 2
    assert "steps = -1: it must be at least 1" in capsys.readouterr().err

"""Several processes gather the evidence that one would."""

import os
from dataclasses import replace

import pytest

from proofs.catalogue import catalogue
from proofs.command_line import main
from proofs.evidence import Settings
from proofs.processes import FEW, default_jobs, gathered_in_processes
from proofs.theorem import gathered

NAMES = ["k_linear_layers_take_k_gradient_steps", "two_softmax_heads_take_the_centred_gradient_step"]


def timeless(evidence):
    return [replace(piece, seconds=None) for piece in evidence]


def test_processes_gather_what_this_one_gathers():
    settings = Settings(seed=3, instances=2)
    many = list(gathered_in_processes(NAMES, settings, jobs=2))
    assert [timeless(evidence) for evidence in many] == [
        timeless(gathered(catalogue()[name], settings)) for name in NAMES
    ]


def test_a_failure_in_a_process_is_not_swallowed():
    with pytest.raises(KeyError, match="no_such_theorem"):
        list(gathered_in_processes(["no_such_theorem"], Settings(instances=1), jobs=1))


def test_few_theorems_take_one_process_and_many_one_per_core():
    assert default_jobs(FEW) == 1
    assert default_jobs(1000) == len(os.sched_getaffinity(0))


def test_the_command_prints_the_theorems_in_their_order(capsys):
    assert main(["verify", *reversed(NAMES), "--jobs", "2", "--instances", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:2]] == NAMES


def test_no_process_is_bad_input(capsys):
    assert main(["verify", NAMES[0], "--jobs", "0"]) == 2
    assert "jobs = 0: at least one process is required" in capsys.readouterr().err

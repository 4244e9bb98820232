"""The command ``icl export``: what it writes runs, and bad input is one sentence with exit code 2."""

import json
import sys
from fractions import Fraction

import numpy as np
import pytest

from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated, generic
from numerics.network_files import load
from proofs.arguments import BadInput
from proofs.command_line import main
from proofs.export_command import SUFFIXES
from proofs.given_values import with_values
from tests.dense_instances import dyadic_sources, prediction

HEAVY = GradientDescent(step_sizes=[Fraction(1, 2), Fraction(1, 4)], W_0=[[1, 2]])
SIZES = {"n": 4, "d": 2, "m": 1}

NEWTON = ["newton", "--format", "npz", "--n", "2", "--d", "2"]

STEP = "linear_attention_head_takes_one_gradient_step"

OWN = """
from constructions import GradientDescent

two_steps = GradientDescent(step_sizes=[1, 2])
"""


RAISING = """
from constructions import GradientDescent


class Thing(GradientDescent):
    def layer(self, l, prompt):
        raise {error}
"""


def exported(*arguments):
    return main(["export", *map(str, arguments)])


def test_weights_of_the_catalogue_run_as_the_construction(tmp_path, capsys):
    file = tmp_path / "descent.npz"
    given = ("--n", 4, "--d", 2, "--parameter", "eta=1/2,1/4", "--parameter", "W_0=[[1, 2]]")
    assert exported("gradient_descent", "--format", "npz", "--output", file, *given) == 0
    assert "matrices of GradientDescent, n = 4, d = 2, m = 1; layers: 2" in " ".join(capsys.readouterr().out.split())
    network = load(file)
    sources = dyadic_sources(network)
    ours = prediction(HEAVY, sources)
    assert np.array_equal(network(**sources), [[float(Fraction(int(e.p), int(e.q))) for e in row] for row in ours])


def test_a_file_records_exact_parameters_and_versions(tmp_path):
    file = tmp_path / "descent.npz"
    exported("gradient-descent", "--format", "npz", "--output", file, "--n", 2, "--d", 1, "--parameter", "eta=1/3")
    with np.load(file) as archive:
        about = json.loads(bytes(archive["metadata"]))["about"]
    assert about["parameters"] == {"step_sizes": ["1/3"], "W_0": None}
    assert about["construction"] == "constructions.gradient_descent.GradientDescent"
    assert {"icl-theory", "numpy"} <= set(about)


def test_safetensors_is_written(tmp_path):
    pytest.importorskip("safetensors")
    file = tmp_path / "newton.safetensors"
    given = ("--n", 4, "--d", 2, "--parameter", "alpha=0.125", "--layers", 3)
    assert exported("newton", "--format", "safetensors", "--output", file, *given) == 0
    assert len(load(file).run) == 4


@pytest.mark.torch
def test_a_module_is_written(tmp_path):
    from numerics.torch_module import load_torch

    file = tmp_path / "descent.pt"
    exported("preconditioned", "--format", "torch", "--output", file, "--n", 2, "--d", 2, "--parameter", "A=1/2")
    assert load_torch(file).network.about["parameters"]["preconditioners"] == [[["1/2", "0"], ["0", "1/2"]]]


def test_a_construction_of_a_users_file_is_written(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    where, file = f"{tmp_path / 'own.py'}:two_steps", tmp_path / "own.npz"
    assert exported(where, "--format", "npz", "--output", file, "--n", 3, "--d", 2) == 0
    assert len(load(file).run) == 2
    assert exported(where, "--format", "latex", "--output", tmp_path / "own.tex") == 0
    assert "Read-out: the read-out of the last state" in (tmp_path / "own.tex").read_text()


def test_latex_is_a_snippet_or_a_document(tmp_path):
    file = tmp_path / "theorem.tex"
    for name in ("gdpp", "momentum_sum_is_a_recursion"):
        assert exported(name, "--format", "latex", "--output", file) == 0
        assert r"\documentclass" not in file.read_text()
        assert exported(name, "--format", "latex", "--output", file, "--document") == 0
        assert file.read_text().startswith(r"\documentclass")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["newton", "--format", "onnx"], "invalid choice: 'onnx'"),
        (["newtn", "--format", "latex"], "there is no theorem or construction 'newtn'; did you mean"),
        (["newton", "--format", "npz", "--d", "2"], "--n is required: weights have a fixed size"),
        (
            NEWTON,
            "the parameter alpha has no value: pass --parameter alph",
        ),
        (
            [*NEWTON, "--document"],
            "--document is an option of --format latex",
        ),
        (["newton", "--format", "latex", "--n", "2"], "--n is an option of weights"),
        (["momentum_sum_is_a_recursion", "--format", "npz", "--n", "1", "--d", "1"], "is about no network"),
        (
            ["chain_of_thought", "--format", "npz", "--n", "2", "--d", "2", "--parameter", "eta=1"],
            "ChainOfThought generates tokens",
        ),
        (
            ["rbf_attention_takes_functional_gradient_steps", *NEWTON[1:], "--parameter", "r=1"],
            "has the kernel rbf as its score",
        ),
        ([*NEWTON, "--m", "0", "--parameter", "alpha=1"], "--m 0: it must be at least 1"),
        (["newton", "--format", "npz", "--n", "0", "--d", "2"], "--n 0: it must be at least 1"),
        (["gdpp", "--format", "npz", "--n", "2", "--d", "2", "--parameter", "eta"], "--parameter eta: NAME=VALUE"),
        (["gdpp", "--format", "npz", "--n", "2", "--d", "2", "--size", "t=x"], "--size t=x: an integer is required"),
        (["gdpp", "--format", "npz", "--n", "2", "--d", "2", "--parameter", "etta=1"], "no parameter 'etta'; did you"),
        (["nothere.py:x", "--format", "latex"], "nothere.py cannot be opened"),
    ],
    ids=lambda each: "-".join(each[:4]) if isinstance(each, list) else "",
)
def test_bad_input_is_one_sentence_and_code_2(arguments, message, tmp_path, capsys):
    ending = SUFFIXES.get(arguments[2], ("",))[0]
    assert exported(*arguments, "--output", tmp_path / f"out{ending}") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gdpp", "weights and invariant"),
        ("momentum_sum_is_a_recursion", "statement and proof"),
        ("relu_attention_has_its_minimum_at_a_smaller_step", "statement and proof"),
        (STEP, "statement, weights and proof"),
    ],
)
def test_what_is_written_is_said(name, said, tmp_path, capsys):
    assert exported(name, "--format", "latex", "--output", tmp_path / "a.tex") == 0
    assert f"a.tex: {said}, LaTeX" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("output", ["own.py", "link.tex"])
def test_the_file_that_is_exported_is_not_overwritten(output, tmp_path, capsys):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    (tmp_path / "link.tex").symlink_to(own)
    assert exported(f"{own}:two_steps", "--format", "latex", "--output", tmp_path / output) == 2
    assert "is the file that is exported: it would be lost" in capsys.readouterr().err
    assert own.read_text() == OWN


@pytest.mark.parametrize(
    ("format", "output", "ending"),
    [("npz", "a.txt", ".npz"), ("latex", "other.py", ".tex or .ltx"), ("torch", "a", ".pt or .pth")],
)
def test_the_name_of_a_file_says_its_format(format, output, ending, tmp_path, capsys):
    (tmp_path / output).write_text("kept")
    assert exported("newton", "--format", format, "--output", tmp_path / output, "--n", 2, "--d", 2) == 2
    assert f"the name of a file of --format {format} must end in {ending}" in capsys.readouterr().err
    assert (tmp_path / output).read_text() == "kept"


@pytest.mark.parametrize(
    ("error", "said"),
    [("ValueError('boom')", "boom"), ("KeyError('boom')", "KeyError: 'boom'"), ("TypeError('boom')", "boom")],
)
@pytest.mark.parametrize(("format", "file"), [("latex", "a.tex"), ("npz", "a.npz")])
def test_what_a_users_layer_raises_is_one_sentence_with_its_line(error, said, format, file, tmp_path, capsys):
    own = tmp_path / "bad.py"
    own.write_text(RAISING.format(error=error))
    sizes = ("--n", 4, "--d", 2, "--parameter", "eta=1") if format == "npz" else ()
    assert exported(f"{own}:Thing", "--format", format, "--output", tmp_path / file, *sizes) == 2
    written = capsys.readouterr().err
    assert f"{own}:Thing cannot be exported: line 7, in layer: " in written
    assert said in written
    assert written.count("\n") == 1


def test_a_file_that_cannot_be_written_is_said(tmp_path, capsys):
    assert exported("newton", "--format", "latex", "--output", tmp_path / "no" / "out.tex") == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    arguments = ("--n", 2, "--d", 2, "--parameter", "eta=1", "--output", tmp_path / "out.pt")
    assert exported("gradient_descent", "--format", "torch", *arguments) == 2
    assert "install icl-theory[torch]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "layers", "message"),
    [
        ({"eta": "one"}, None, "'one' is no number; pass a decimal or a fraction"),
        ({"eta": "1/0"}, None, "'1/0' is no number"),
        ({"eta": "1,2"}, 3, "one value, or 3, one per layer, is required"),
        ({"eta": "1", "W_0": "1"}, None, "it is a matrix, m by d; only a square one"),
        ({"eta": "1", "W_0": "[[1,2],[3]]"}, None, "the rows of a matrix must be equally long"),
        ({"eta": "1", "W_0": "[[1,2]],[[3,4]]"}, None, "one value is required, but 2 came"),
        ({"eta": "1"}, -1, "--layers -1: it must be at least 0"),
    ],
)
def test_values_that_do_not_fit_are_refused(given, layers, message):
    with pytest.raises(BadInput, match=message.replace("[", r"\[")):
        with_values(generic(HEAVY), given, SIZES, layers)


def test_a_looped_parameter_has_one_value():
    looped = generic(GradientDescent(step_sizes=Repeated(1, 2)))
    assert with_values(looped, {"eta": "1/3"}, SIZES, 5).step_sizes.depth == 5
    with pytest.raises(BadInput, match="it is looped, so one value for all layers is required"):
        with_values(looped, {"eta": "1/3,1"}, SIZES, 2)

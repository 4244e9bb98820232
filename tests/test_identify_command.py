"""The command ``icl identify``: what it prints, where, and with which exit code."""

import pytest

from proofs.command_line import main

FILE = """
from fractions import Fraction

import numpy as np

from constructions import GradientDescent

two_steps = GradientDescent(step_sizes=[Fraction(1, 2)] * 2)


def predict(X, Y, x_query, layers=1):
    return np.tanh(layers * Y @ X.T @ x_query)


def raising(X, Y, x_query):
    raise ArithmeticError("no prediction today")


def whole(X, Y, x_query):
    return Y


def undefined(X, Y, x_query):
    return np.full((Y.shape[0], 1), np.nan)


number = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_the_first_line_names_the_algorithm_and_its_steps(file, capsys):
    assert main(["identify", f"{file}:two_steps", "--steps", "3"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("gradient descent, 2 steps")
    assert "exactly, in rationals" in printed
    assert "similarity of errors, layer by layer" in " ".join(printed.split())


def test_where_nothing_agrees_it_says_so(file, capsys):
    assert main(["identify", f"{file}:predict", "--steps", "2", "--layers", "2", "--tokens", "5"]) == 0
    assert capsys.readouterr().out.startswith("none of these; nearest: ")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("raising", [], "ArithmeticError: no prediction today"),
        ("whole", [], "one row per target and one column"),
        ("undefined", [], "NaN or infinity"),
        ("number", [], "a construction or a function"),
        ("preduct", [], "did you mean predict"),
        ("predict", ["--steps", "0"], "at least one step"),
        ("predict", ["--tokens", "0"], "each at least 1"),
        ("predict", ["--features", "0"], "each at least 1"),
        ("predict", ["--plot", "/no/such/folder/map.png"], "cannot write"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(file, capsys, name, options, message):
    assert main(["identify", f"{file}:{name}", *options]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_the_heat_map_is_drawn_into_a_picture(file, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs Matplotlib: pip install 'icl-theory[plots]'")
    picture = tmp_path / "map.png"
    assert main(["identify", f"{file}:two_steps", "--steps", "2", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")

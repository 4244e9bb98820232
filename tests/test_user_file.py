"""Constructions in a user's own file, by FILE.py:NAME, and what is said of a file or a name that will not do."""

import sys

import pytest

from constructions import GradientDescent
from constructions.parameters import Unspecified
from proofs import prove
from proofs.arguments import BadInput
from proofs.user_file import construction_in, module_at, object_in

TWO = """
from constructions import Construction, GradientDescent

class Slower(GradientDescent):
    pass

class Unfinished(Construction):
    pass

class Needy(GradientDescent):
    def __init__(self, momentum):
        pass

two_steps = GradientDescent(step_sizes=[1, 2])
number = 3

def predict(X, Y, x_query):
    return Y
"""


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes a file, and gives its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def put(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_an_instance_is_found_by_its_name(put):
    found = construction_in(f"{put(TWO)}:two_steps")
    assert type(found) is GradientDescent
    assert found.step_sizes == [1, 2]


def test_a_class_stands_for_its_parameters_left_free(put):
    found = construction_in(f"{put(TWO)}:Slower")
    assert isinstance(found.step_sizes, Unspecified)
    assert found.W_0 is None
    assert prove(found).holds


def test_the_name_may_be_left_out_if_there_is_only_one_construction(put):
    path = put("from constructions import GradientDescent as GD\nclass Mine(GD):\n    pass\n")
    assert type(construction_in(str(path))).__name__ == "Mine"


def test_any_object_is_found_by_its_name(put):
    assert object_in(f"{put(TWO)}:predict")(1, 2, 3) == 2


def test_a_module_beside_the_file_can_be_imported_by_it(put):
    put("value = 7\n", "beside_this_file.py")
    assert module_at(put("from beside_this_file import value\n")).value == 7


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two_step", "no name 'two_step'; did you mean two_steps"),
        ("????", "no name '????'; it defines Slower".replace("?", "[?]")),
        ("zzz", "no name 'zzz'; it defines Slower, Unfinished, Needy, two_steps, number, predict"),
        ("number", "number is a int, not a Construction"),
        ("predict", "predict is a function, not a Construction"),
        ("Unfinished", "it lacks embed, initial, layer, predict, read_out, step"),
        ("Needy", "Needy cannot be built without arguments"),
        ("", "which construction is meant. it defines Slower, Needy, two_steps; pass"),
    ],
)
def test_a_name_that_will_not_do_is_refused(put, name, said):
    with pytest.raises(BadInput, match=said):
        construction_in(f"{put(TWO)}:{name}")


def test_an_object_needs_a_name(put):
    with pytest.raises(BadInput, match="a name is required"):
        object_in(str(put(TWO)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_that_name", "line 1, ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("x = 1\nx = = 2\n", r"SyntaxError: invalid syntax \(mine.py, line 2\)"),
        ("\n\n1 / 0\n", "line 3, ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "line 1, SystemExit: 3"),
    ],
)
def test_a_file_that_does_not_import_is_refused_with_its_line(put, text, said):
    with pytest.raises(BadInput, match=f"mine.py cannot be imported: {said}"):
        construction_in(f"{put(text)}:x")


def test_a_file_that_is_not_there_is_refused_with_those_that_are(put):
    path = put(TWO)
    with pytest.raises(BadInput, match=r"no file 'mime\.py'; did you mean mine\.py"):
        construction_in(f"{path.parent / 'mime.py'}:x")


def test_a_file_that_is_no_python_is_refused(put):
    with pytest.raises(BadInput, match=r"must end in \.py"):
        construction_in(f"{put('x = 1', 'mine.txt')}:x")


def test_files_that_share_only_their_ending_are_no_suggestions(tmp_path):
    for name in ("conftest.py", "own.py", "no_files.py"):
        (tmp_path / name).touch()
    with pytest.raises(BadInput, match=r"did you mean no_files\.py\?"):
        construction_in(f"{tmp_path / 'nofile.py'}:x")
    with pytest.raises(BadInput, match="check the path"):
        construction_in(f"{tmp_path / 'zzz.py'}:x")

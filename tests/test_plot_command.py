"""The command icl plot: its list, its files, and what it says of bad input."""

import re
import sys

import numpy as np
import pytest

from proofs.command_line import main
from proofs.picture import FORMATS, NoMatplotlib, Picture, new_figure, require_matplotlib, saved
from proofs.pictures import pictures

SIGNATURES = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def said(capsys, *arguments):
    """The exit code, and what was printed on both streams."""
    code = main(["plot", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_without_a_name_the_pictures_are_listed(capsys):
    code, out, _ = said(capsys)
    assert code == 0
    assert [line for line in out.splitlines() if re.fullmatch(r"[a-z_]+", line)] == list(pictures())
    assert all(picture.about in out for picture in pictures().values())


def scatter(drawing):
    """A small figure from random numbers."""
    figure, (axis,) = new_figure(1, "title", f"seed {drawing.seed}")
    axis.plot(np.random.default_rng(drawing.seed).standard_normal(drawing.tasks))
    return figure


@pytest.fixture
def small(monkeypatch):
    """One small picture in place of all."""
    monkeypatch.setattr("proofs.plot_command.pictures", lambda: {"a_scatter": Picture("a_scatter", "dots", scatter)})


@pytest.mark.plots
@pytest.mark.parametrize("ending", FORMATS)
def test_the_ending_is_the_format(small, capsys, tmp_path, ending):
    path = tmp_path / f"figure.{ending}"
    code, out, _ = said(capsys, "a_scatter", "--output", path)
    assert (code, out) == (0, f"wrote {path}\n")
    assert path.read_bytes().startswith(SIGNATURES[ending])


@pytest.mark.plots
def test_the_default_file_is_named_like_the_picture(small, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "a-scatter")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a_scatter.svg"]


@pytest.mark.plots
@pytest.mark.parametrize("ending", FORMATS)
def test_same_seed_gives_the_same_file_and_another_seed_another(small, capsys, tmp_path, ending):
    paths = [tmp_path / f"{i}.{ending}" for i in range(3)]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        assert said(capsys, "a_scatter", "--seed", seed, "--tasks", 20, "--output", path)[0] == 0
    first, second, third = (path.read_bytes() for path in paths)
    assert first == second != third


def test_unknown_picture_is_refused_with_its_neighbours(capsys):
    code, _, err = said(capsys, "newtn")
    assert code == 2
    assert "there is no picture 'newtn'; did you mean newton" in err


def test_unknown_ending_is_refused(capsys, tmp_path):
    code, _, err = said(capsys, "newton", "--output", tmp_path / "newton.gif")
    assert code == 2
    assert "must end in .svg, .png, .pdf: the ending is the format" in err


@pytest.mark.plots
def test_file_that_cannot_be_written_is_refused_before_drawing(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "proofs.plot_command.pictures", lambda: {"newton": Picture("newton", "", lambda drawing: 1 / 0)}
    )
    code, _, err = said(capsys, "newton", "--output", tmp_path / "missing" / "newton.svg")
    assert code == 2
    assert "cannot write" in err


@pytest.mark.parametrize(
    ("option", "value", "match"),
    [("--seed", -1, "seed = -1: it must be at least 0"), ("--tasks", 1, "tasks = 1: a mean and its standard error")],
)
def test_numbers_out_of_range_are_refused(capsys, option, value, match):
    code, _, err = said(capsys, "newton", f"{option}={value}")
    assert code == 2
    assert match in err


def test_without_matplotlib_the_extra_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NoMatplotlib, match=r"install icl-theory\[plots\]"):
        require_matplotlib()
    code, _, err = said(capsys, "newton", "--output", tmp_path / "newton.svg")
    assert code == 2
    assert "install icl-theory[plots]" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.plots
def test_figure_that_is_saved_needs_a_format(tmp_path):
    figure, (axis,) = new_figure(1, "title", "caption")
    axis.plot(np.arange(3))
    with pytest.raises(ValueError, match="must end in"):
        saved(figure, tmp_path / "figure.txt")

"""What theorems and constructions print of themselves, typeset."""

import re

import pytest

from constructions.display import described_parts
from constructions.gradient_descent import GradientDescent
from constructions.layout import Grid, Heading, Matrices, Sentence, Table
from constructions.parameters import generic
from proofs.typeset_parts import Drawings, Equations, Title, Verbatim, Words, typeset_lines, typeset_parts


def text(html):
    return re.sub("<[^>]+>", "", str(html))


def test_the_weights_of_gradient_descent_are_drawn_as_labelled_block_matrices():
    pieces = list(typeset_parts(described_parts(generic(GradientDescent(step_sizes=[1])), "text")))
    drawings = [each for piece in pieces if isinstance(piece, Drawings) for each in piece.drawings]
    value = next(each for each in drawings if each.label == "W_V")
    assert value.columns == ("x", "y")
    assert [(row, [(text(entry), is_zero) for entry, is_zero in entries]) for row, entries in value.rows] == [
        ("x", [("0", True), ("0", True)]),
        ("y", [("0", True), ("−I", False)]),
    ]


def test_equal_matrices_are_drawn_once_with_both_names():
    grid = Grid(("x",), ("x",), (("I",),))
    (piece,) = typeset_parts([Matrices((("W_K", grid), ("W_Q", grid), ("P", "I")), ("x",))])
    assert [each.label for each in piece.drawings] == ["W_K = W_Q", "P"]


def test_a_grid_that_no_page_holds_is_listed():
    narrow, wide = (Table(Grid(("x",), ("a", "b"), (("X " * count, "0"),))) for count in (10, 60))
    listed = [piece.drawings[0].listed for piece in typeset_parts([narrow, wide])]
    assert listed == [False, True]


def test_headings_and_sentences_keep_their_levels_and_formulas():
    title, words = typeset_parts([Heading("Stage 1", 1), Sentence("W_0 (m x d):", "W_0, any")])
    assert (title.level, text(title.html)) == (1, "Stage 1")
    assert (text(words.html), text(words.formula)) == ("W0(m×d):", "W0,any")


def test_a_step_has_its_number_its_status_and_its_sides():
    lines = ["  3. (checked) the gradient is S", "    left   X X'", "    right  S", ""]
    (step,) = typeset_lines(lines)
    assert isinstance(step, Equations)
    assert (step.number, step.status, text(step.html)) == ("3", "checked", "the gradient is S")
    assert [(label, text(formula)) for label, formula in step.sides] == [("left", "XX⊤"), ("right", "S")]


def test_a_case_that_is_named_left_or_right_of_something_is_no_side():
    lines = ["Lemma, H is a sum", "    right of the diagonal, t = i: eta = h", "    left of it: 0 = 0"]
    title, right, left = typeset_lines(lines)
    assert isinstance(title, Title)
    assert (text(right.html), text(left.html)) == ("right of the diagonal, t=i: η=h", "left of it: 0=0")


def test_sides_that_are_the_same_text_are_written_once():
    (step,) = typeset_lines(["  the prediction", "    left    y", "    right   y", "    both =  y"])
    assert [(label, text(formula)) for label, formula in step.sides] == [("both", "y")]


def test_an_undecided_difference_is_shown_with_both_sides():
    lines = ["  x", "    left =  a", "    right = b", "    left - right = a - b   (undecided)"]
    (step,) = typeset_lines(lines)
    assert [(label, text(formula)) for label, formula in step.sides] == [
        ("left =", "a"), ("right =", "b"), ("left - right =", "a−b")
    ]  # fmt: skip


def test_a_line_without_an_end_is_a_title_and_one_with_an_end_a_sentence():
    title, words = typeset_lines(["Base: the embedding is the state", "", "Proved: 9 identities."])
    assert isinstance(title, Title)
    assert isinstance(words, Words)


def test_a_table_of_numbers_keeps_its_columns():
    rows = ["float32:  k   printed   grew by", "          2   1.6e-07   1.268"]
    assert list(typeset_lines(rows)) == [Verbatim("\n".join(rows))]


WIDE = "word " * 20 + "and"


@pytest.mark.parametrize("indent", ["", "   "])
def test_a_sentence_broken_at_the_width_of_a_text_is_one(indent):
    shown = [text(piece.html) for piece in typeset_lines([WIDE, f"{indent}so on.", "Next one."])]
    assert shown == [f"{WIDE} so on.", "Next one."]


@pytest.mark.parametrize("lines", [[f"    {WIDE}", "  so on."], [WIDE, "    so on."], [WIDE * 2, "so on."]])
def test_lines_that_are_statements_of_their_own_stay_apart(lines):
    assert [text(piece.html) for piece in typeset_lines(lines)] == [line.strip() for line in lines]


def test_names_of_theorems_are_links():
    (piece,) = typeset_lines(["Corrected: a_theorem"], ["a_theorem"])
    assert 'href="#a_theorem"' in piece.html

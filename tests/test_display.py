import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from constructions.attention import Head, Mask, causal
from constructions.block import Kernel
from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.layout import WIDTH
from constructions.parameters import Repeated, matrix, parameters
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.stages import ANYTHING, Single
from constructions.unmasked import OneUnmaskedLayer
from constructions.weights import Weight
from proofs.catalogue import catalogue

ONE = [[1]]
DESCENT = GradientDescent(step_sizes=[Fraction(1, 10), 0.5], W_0=ONE)
GAUGED = GaugedAttention(scales=[1], **{name: [ONE] for name in ("W_K", "W_Q", "W_V", "P", "A", "C")})
CONSTRUCTIONS = {name: t.construction for name, t in catalogue().items() if t.construction is not None}
EVERY = pytest.mark.parametrize("construction", CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)


@dataclass(frozen=True, kw_only=True, repr=False)
class Stack(GradientDescent):
    """A prologue with MLP_1, a loop, and a map of streams."""

    mask: Any = Mask()

    def embed(self, prompt):
        stream = super().embed(prompt)
        return replace(stream, slots={**stream.slots, "mark": 1}, order=(("context", "query"),))

    def state(self, l, W, prompt):
        return {**super().state(l, W, prompt), ("mark", "query"): ANYTHING}

    def stages(self, prompt):
        one = prompt.X.ones(1, 1)
        mlp = MLP(Weight({("h", "mark"): 1}), Weight({("mark", "h"): 2}), "square", {"h": one}, {"mark": -one})
        key = Weight({("a", "x"): 1, ("b", "y"): 1})
        kernel = Head(key, Weight({("b", "y"): -1, ("a", "x"): 1}), Weight({("x", "x"): 1}), score=Kernel("kappa"))
        softmax = replace(kernel, score="softmax", factor=-1, mask=self.mask)
        prologue = Layer(mlp, TokenMap(Weight({("x", "x"): 3}), skip=False), Attention(kernel, softmax))
        return (
            Single(prologue, lambda W: self.state(0, W, prompt), name="prologue"),
            *super().stages(prompt),
            Single(noted, lambda W: self.state(0, W, prompt)),
        )


def noted(stream):
    """Takes a note."""
    return stream


STACK = Stack(step_sizes=[1], W_0=ONE, mask=Mask({"query": ("context", "query"), "context": ()}, causal))


def lines(text):
    """The lines of the text without what surrounds them."""
    return [line.strip() for line in text.splitlines()]


def below(construction, heading, count):
    """So many lines below a heading, as they are printed, without the common indentation."""
    printed = str(construction).splitlines()
    place = next(number for number, line in enumerate(printed) if line.strip().startswith(heading))
    return [line[4:] for line in printed[place + 1 : place + 1 + count]]


# Text.


@EVERY
def test_every_construction_fits_a_terminal(construction):
    assert max(map(len, str(construction).splitlines())) <= WIDTH == 110


@EVERY
def test_every_construction_has_its_parts(construction):
    titles = [line for line in str(construction).splitlines() if line and not line.startswith(" ")]
    assert titles[0].startswith(type(construction).__name__)
    declared = ["Parameters"] if parameters(construction) else []
    expected = [*declared, "Tokens", "Algorithm"]
    assert [title.partition(",")[0] for title in (*titles[1 : len(expected)], titles[-1])] == expected
    layers = titles[len(expected) : -1]
    assert layers
    assert all(title.startswith(("Layer", "Stage", "Token")) for title in layers)


def test_gradient_descent_is_printed_with_the_papers_weights():
    assert below(DESCENT, "attention head", 6) == [
        "                x  y                 x   y                    x            y",
        "W_K = W_Q = x ⎡ I  0 ⎤    W_V = x ⎡  0   0  ⎤    P = x ⎡ (eta_l/n) I       0      ⎤",
        "            y ⎣ 0  0 ⎦          y ⎣ W_0  -I ⎦        y ⎣      0       (eta_l/n) I ⎦",
        "                   x  y                            x             y",
        "M = W_K' W_Q = x ⎡ I  0 ⎤    B = P W_V = x ⎡       0             0       ⎤",
        "               y ⎣ 0  0 ⎦                y ⎣ (eta_l/n) W_0  -(eta_l/n) I ⎦",
    ]


def test_keys_score_and_skip_connection_are_printed():
    assert "attention head, added to the tokens; keys: context; score: linear" in lines(str(DESCENT))


def test_tokens_are_printed_with_their_sizes():
    assert {"slots: x (d rows), y (m rows)", "groups: context (n tokens), query (1 token)"} <= set(lines(str(DESCENT)))


def test_embedding_is_a_table_of_slots_and_groups():
    assert below(DESCENT, "embedding", 4) == [
        "  │ context   query",
        "──┼───────────────────────",
        "x │ X         x_query",
        "y │ Y         -W_0 x_query",
    ]


def test_invariant_is_a_table_of_slots_and_groups():
    assert below(DESCENT, "state before layer l", 4)[2:] == [
        "x │ X                 x_query",
        "y │ Y - (W - W_0) X   -W x_query",
    ]


def test_step_is_printed():
    assert below(DESCENT, "step of the algorithm", 1) == ["W <- W - (eta_l/n) (W X - Y) X'"]


def test_start_is_printed():
    assert below(RelaxedPreconditionedDescent(preconditioners=[ONE], input_maps=[ONE]), "start", 2) == [
        "W = 0",
        "F = I",
    ]


def test_read_out_is_printed_beside_the_prediction():
    assert below(DESCENT, "prediction", 1) == ["W x_query = -y[query]"]


def test_products_are_multiplied_out():
    text = str(GAUGED)
    assert "M = W_K' W_Q = token [ (1/s_l) W_K_l' W_Q_l ]" in text
    assert "B = P W_V = token [ s_l P_l W_V_l ]" in text


def test_products_of_preconditioned_descent_are_the_papers_q_and_p():
    text = str(RelaxedPreconditionedDescent(preconditioners=[ONE], input_maps=[ONE]))
    assert "M = W_K' W_Q = x ⎡ A_l  0 ⎤    B = P W_V = x ⎡ B_l  0 ⎤" in text
    assert "scores times  (1/n)" in text


def test_a_loop_of_one_weight_set_is_named_so():
    looped = GDPlusPlus(step_sizes=Repeated(1, 3), curvature_steps=Repeated(1, 3))
    assert "Layer l = 0, ..., k - 1, one set of weights" in lines(str(looped))


def test_a_loop_of_several_weight_sets_is_named_so():
    assert "Layer l = 0, ..., k - 1" in lines(str(DESCENT))


def test_hypotheses_and_relations_are_printed():
    text = lines(str(GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1])))
    assert "assumed, noiseless targets:  Y = W_star X" in text
    assert "throughout, F is symmetric:  F' = F" in text


def test_a_single_layer_is_printed_with_the_state_after_it():
    printed = below(OneUnmaskedLayer(step_sizes=[1]), "state after it", 4)
    assert printed[3] == "y │ Y - (-(eta_0/n) (-Y) X') X   -(-(eta_0/n) (-Y) X') x_query"


LONG = "start_" + 72 * "x"


@dataclass(frozen=True, kw_only=True, repr=False)
class Wordy(GradientDescent):
    """Gradient descent with a long name for its start."""

    W_0: Any = matrix(LONG, "m", "d")


def test_a_table_that_is_wider_than_a_terminal_is_written_place_by_place():
    assert below(Wordy(step_sizes=[1], W_0=ONE), "state before layer l", 4) == [
        "x of context:  X",
        "x of query:  x_query",
        f"y of context:  Y - (W - {LONG}) X",
        "y of query:  -W x_query",
    ]


def test_a_matrix_that_is_wider_than_a_terminal_is_written_block_by_block():
    assert below(Wordy(step_sizes=[1], W_0=ONE), "B = P W_V, zero but for", 2) == [
        f"  y <- x:  (eta_l/n) {LONG}",
        "  y <- y:  -(eta_l/n) I",
    ]


class Roomy(GradientDescent):
    """Gradient descent with three idle slots."""

    def embed(self, prompt):
        stream = super().embed(prompt)
        return replace(stream, slots={"idle": 1, **stream.slots, "vacant": 1, "spare": 1})


def test_zero_rows_and_columns_of_weights_of_wide_tokens_are_left_out():
    printed = str(Roomy(step_sizes=[1]))
    assert "zero rows and columns of weights are left out" in lines(printed)
    assert "W_K = W_Q = x [ I ]    W_V = y [ -I ]    P = x ⎡ (eta_l/n) I       0      ⎤" in lines(printed)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"step_sizes": [Fraction(1, 10), 0.5]}, "step_sizes:  eta_l = 1/10, 0.5"),
        ({"step_sizes": [1] * 9}, "step_sizes:  eta_l = 1, 1, 1, 1, 1, 1, ... (9 layers)"),
        ({"step_sizes": Repeated(2, 9)}, "step_sizes:  eta = 2, the same in every layer"),
        ({"step_sizes": [sympy.Symbol("a") / 2]}, "step_sizes:  eta_l = a/2"),
        ({"W_0": None}, "W_0 (m x d):  W_0 = 0"),
        ({"W_0": [[1, Fraction(1, 2)]]}, "W_0 (m x d):  W_0 = [[1, 1/2]]"),
        ({"W_0": [[1] * 7]}, "W_0 (m x d):  W_0 = lists of shape (1, 7)"),
        ({"W_0": np.ones((2, 5))}, "W_0 (m x d):  W_0 = ndarray of shape (2, 5)"),
    ],
)
def test_given_values_are_printed_short(options, expected):
    assert expected in lines(str(GradientDescent(**{"step_sizes": [1], **options})))


@pytest.mark.parametrize(
    "line",
    [
        "order: context and query in turn",
        "Stage 1, prologue",
        "MLP of every token, added to the tokens; activation: square",
        "linear map of every token, in place of the tokens",
        "attention head 1, added to the tokens; keys: every token; score: the kernel kappa",
        "attention head 2, added to the tokens; keys: context and query for query, none for context (causal); score:",
        "scores times  -1",
        "b ⎣ 0  I   0   ⎦          b ⎣ 0  -I   0   ⎦    W_V = y    ⎢ 0  0   0   ⎥",
        "W_1 = h [ 0  0   I   ]    b_1 = h [ ones ]          x    ⎡  0  ⎤          x    ⎡   0   ⎤",
        "mark │ 0                   anything",
        "Stage 2, layer l = 0, ..., k - 1",
        "a map of streams without weights. Takes a note.",
    ],
)
def test_parts_of_other_networks_are_printed(line):
    assert line in lines(str(STACK))


def test_weights_given_entry_by_entry_are_said_to_have_no_symbolic_form():
    class Positions(GradientDescent):
        """Gradient descent with positions."""

        def embed(self, prompt):
            prompt.X.fill(2, 2, lambda i, j: i)

    assert lines(str(Positions(step_sizes=[1])))[0] == "Positions: Gradient descent with positions."
    assert "It has no form for symbols of unspecified size: a matrix given entry by entry" in str(
        Positions(step_sizes=[1])
    )


# LaTeX.


@EVERY
def test_latex_is_one_display_formula(construction):
    latex = construction._repr_latex_()
    assert latex.startswith("$$\\begin{array}{l}")
    assert latex.endswith("\\end{array}$$")
    assert "$" not in latex[2:-2]


@EVERY
def test_latex_closes_what_it_opens(construction):
    opened = []
    for command, name in re.findall(r"\\(begin|end)\{(\w+)\}", construction._repr_latex_()):
        if command == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []


@EVERY
def test_latex_rows_are_as_wide_as_their_array(construction):
    inner = re.findall(
        r"\\begin\{(array|bmatrix)\}(?:\{r\|(c+)\})? ((?:(?!\\begin).)*?) \\end", construction._repr_latex_()
    )
    assert inner
    for name, columns, body in inner:
        widths = {row.count("&") for row in body.replace(r"\hline", "").split(r"\\")}
        assert len(widths) == 1
        assert name == "bmatrix" or widths == {len(columns)}


def test_latex_has_the_papers_block_matrices():
    latex = DESCENT._repr_latex_()
    assert r"W_K = W_Q = \begin{bmatrix} I & 0 \\ 0 & 0 \end{bmatrix}" in latex
    assert r"W_V = \begin{bmatrix} 0 & 0 \\ W_{0} & -I \end{bmatrix}" in latex


def test_latex_names_the_rows_of_a_key_space_of_its_own():
    expected = (
        r"W_Q = \begin{array}{r|ccc}  & x & y & \mathrm{mark} \\ \hline a & I & 0 & 0 \\ b & 0 & -I & 0 \end{array}"
    )
    assert expected in STACK._repr_latex_()


def test_latex_keeps_special_characters_out_of_words():
    assert r"\textbf{Stack: A prologue with MLP}\_\textbf{1, a loop, and a map of streams.}" in STACK._repr_latex_()


@pytest.mark.latex
def test_latex_compiles(tmp_path):
    body = "\n\n".join(construction._repr_latex_() for construction in [*CONSTRUCTIONS.values(), STACK])
    page = f"\\documentclass{{article}}\\usepackage{{amsmath}}\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    program = [shutil.which("pdflatex") or "lualatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]

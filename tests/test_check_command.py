"""The command icl check: what it prints, its exit codes, and what it says of input that will not do."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from constructions import Attention, GradientDescent, Layer, Mask, PreconditionedDescent, TokenMap, Weight, ratio
from proofs import check
from proofs.command_line import main
from proofs.evidence import Settings

IMPORTS = """
from dataclasses import dataclass, replace
import numpy as np
from constructions import *
from numerics import load_weights, state_dict_heads
"""

SYMMETRIC = """
@dataclass(frozen=True)
class Symmetric(Construction):
    k: int = layer_count("k")

    def initial(self, prompt):
        return prompt.X @ prompt.X.T

    def step(self, l, M, prompt):
        return M.T.scale(2)

    def predict(self, M, prompt):
        return M @ prompt.x_query

    def embed(self, prompt):
        return self.tokens(prompt.X @ prompt.X.T, prompt)

    def tokens(self, M, prompt):
        return Stream({"x": prompt.d}, {"query": 1}, {("x", "query"): M @ prompt.x_query})

    def layer(self, l, prompt):
        return Layer(TokenMap(Weight({("x", "x"): 1})))

    def state(self, l, M, prompt):
        return self.tokens(M, prompt).blocks

    def read_out(self, stream):
        return stream["x", "query"]

class Declared(Symmetric):
    def relations(self, M, prompt):
        return (Relation("M is symmetric", M.T, M),)
"""


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes a file that imports the public names, and gives its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def put(text):
        (tmp_path / "mine.py").write_text(IMPORTS + text, encoding="utf-8")
        return "mine.py"

    return put


def said(capsys, code, *arguments):
    """What the command prints on its two outputs."""
    assert main(["check", *arguments]) == code
    return capsys.readouterr()


def test_a_proved_construction_has_code_0(put, capsys):
    out, err = said(capsys, 0, put("class Mine(GradientDescent):\n    pass\n"), "--instances", "2", "--seed", "1")
    assert out.startswith("Mine: proved\n")
    assert err == ""


def test_a_refuted_construction_has_code_1_and_its_report(put, capsys):
    text = "class Mine(GradientDescent):\n    def predict(self, W, prompt):\n        return -W @ prompt.x_query\n"
    out, _ = said(capsys, 1, put(text))
    lines = out.splitlines()
    assert lines[:8] + lines[-2:] == [
        "Mine: refuted",
        "",
        "  counterexample: 1 layer, n = 1, d = 1, m = 1: X = 1, Y = 1, x_query = 1, eta = 1",
        "  the transformer predicts 1, the algorithm -1",
        "  first wrong: the read-out",
        "      is there    is claimed",
        "        [1]          [-1]",
        "  hint: read-out: change its sign; then the check passes, and is proved for all sizes",
        "",
        "  ✗ proof       all n, d, m and every number of layers",
    ]


def test_a_wrong_invariant_of_right_weights_is_told_as_such():
    class Mistold(GradientDescent):
        def state(self, l, W, prompt):
            return {**super().state(l, W, prompt), ("y", "query"): W @ prompt.x_query}

    refutation = check(Mistold(step_sizes=[1])).refutation
    assert "on every prompt tried: it is the invariant that is wrong" in str(refutation)
    assert refutation.where == "layer 1: slot 'y' of the group 'query'"
    assert "the state of y of query: change its sign; then the check passes, and is proved" in refutation.hints[0]


def test_an_idle_block_is_named():
    found = check(GradientDescent(step_sizes=[1]))
    assert found.idle == ("stage 1, sublayer 1, head 1, projection, block x <- x",)


def test_a_relation_that_is_not_declared_leaves_it_undecided_and_is_asked_for(put, capsys):
    out, _ = said(capsys, 2, f"{put(SYMMETRIC)}:Symmetric")
    assert out.startswith("Symmetric: undecided\n")
    assert re.search(
        r"  undecided: x of query, after layer l \+ 1 .*\n +transformer: 2 W x_query\n +claimed: 2 W' x_query", out
    )
    assert "from an arbitrary iterate they fail" in out
    assert "declare it in relations()" in out


def test_a_relation_that_is_declared_decides_it(put, capsys):
    assert said(capsys, 0, f"{put(SYMMETRIC)}:Declared").out.startswith("Declared: proved")


def test_a_counterexample_with_more_layers_is_found_and_made_small():
    class FailsFromTheThirdLayer(GradientDescent):
        def layer(self, l, prompt):
            layer = super().layer(l, prompt)
            return type(layer)(*layer.sublayers, *layer.sublayers) if l == 2 else layer

    refutation = check(FailsFromTheThirdLayer(step_sizes=[1])).refutation
    assert refutation.layer == 3
    assert refutation.example.size == "3 layers, n = 1, d = 1, m = 1"


def test_a_counterexample_with_many_examples_is_shrunk_to_small_numbers():
    class FailsFromTheThirdExample(GradientDescent):
        def read_out(self, stream):
            return -stream["y", "query"].scale(1 if stream.groups["context"] < 3 else 2)

    refutation = check(FailsFromTheThirdExample(step_sizes=[1])).refutation
    assert refutation.example is None
    assert refutation.where == "the read-out"
    assert (len(refutation.prompt.X), len(refutation.prompt.X[0])) == (1, 3)
    assert "counterexample: 1 layer, n = 3, d = 1, m = 1: X = [" in str(refutation)


def test_an_error_that_shows_with_more_layers_is_not_laid_on_the_invariant():
    class SpoilsTheContext(GradientDescent):
        def layer(self, l, prompt):
            layer = super().layer(l, prompt)
            (attention,) = layer.sublayers
            mask = Mask({"query": ("context",), "context": ("context",) if l == 0 else ("query",)})
            return Layer(Attention(replace(attention.heads[0], mask=mask)))

    refutation = check(SpoilsTheContext(step_sizes=[1])).refutation
    assert refutation.where == "layer 2: slot 'y' of the group 'context'"
    assert refutation.predicts_rightly
    assert "the prediction is right there, but wrong on other prompts, as with more layers" in str(refutation)


def test_weights_that_read_the_data_are_no_theorem():
    class Cheat(GradientDescent):
        def layer(self, l, prompt):
            gradient = (prompt.Y @ prompt.X.T).scale(ratio(self.step_sizes[l], prompt.n))
            return Layer(TokenMap(Weight({("y", "x"): -gradient})))

        def step(self, l, W, prompt):
            return W + (prompt.Y @ prompt.X.T).scale(ratio(self.step_sizes[l], prompt.n))

    found = check(Cheat, settings=Settings(instances=2))
    assert found.verdict == "undecided"
    assert "the weights depend on the data: sublayer 1, weight, block y <- x contains Y" in str(found)


def test_options_without_a_prompt_are_refused():
    with pytest.raises(TypeError, match=r"without a prompt there is no option end_to_end"):
        check(GradientDescent(step_sizes=[1]), end_to_end=False)


def test_on_a_prompt_it_is_the_check_of_that_prompt():
    from constructions import Prompt

    assert check(GradientDescent(step_sizes=[1]), Prompt([[1]], [[1]], [[1]]), end_to_end=False).claims > 0


def test_hypotheses_that_no_draw_satisfies_are_told(put, capsys):
    text = (
        "class Mine(GradientDescent):\n    def hypotheses(self, prompt):\n"
        "        return (Relation('Y is 1/7', prompt.Y, prompt.Y.ones(prompt.m, prompt.n).scale(ratio(1, 7))),)\n"
    )
    _, err = said(capsys, 2, put(text))
    assert "none of 200 prompts drawn at random satisfies the hypotheses of Mine" in err


CHANGED_HEAD = """
class Mine(GradientDescent):
    def layer(self, l, prompt):
        (attention,) = super().layer(l, prompt).sublayers
        (head,) = attention.heads
        return Layer(Attention(head, replace(head, {change})))
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere_to_be_found\n", r"cannot be imported: line 6, ModuleNotFoundError"),
        ("class Mine:\n    pass\n", "it defines none"),
        (
            CHANGED_HEAD.format(change='value=Weight({("y", "x"): prompt.Y.ones(2, 2)})'),
            r"layer 1, sublayer 1, head 2: the weight's block from slot 'x' to slot 'y' does not fit: cannot multiply",
        ),
        (
            CHANGED_HEAD.format(change='key=Weight({("x", "y"): 1})'),
            "layer 1, sublayer 1, head 2: slot 'x' of the key space has 2 rows in the keys, but 3 in the queries",
        ),
        (
            CHANGED_HEAD.format(change='value=Weight({("y", "x"): 1})'),
            "layer 1, sublayer 1, head 2: what is added to slot 'y' of group 'context' does not fit: cannot add",
        ),
        (CHANGED_HEAD.format(change="mask=Mask(('contxt',))"), "layer 1, sublayer 1, head 2: the mask names the group"),
        (
            CHANGED_HEAD.format(change='value=Weight({("y", "x"): float("nan")})'),
            r"line 11, in layer: the weight's block \('y', 'x'\): a scalar must be finite, but nan came",
        ),
        (
            CHANGED_HEAD.format(change='value=Weight({("y", "x"): np.ones((1, 2))})'),
            r"a ndarray, but a scalar or a block is required: pass constant\(matrix, prompt.X\)",
        ),
        (
            "mine = GradientDescent(step_sizes=[float('nan')])\n",
            r"the parameter step_sizes \(eta\) has an entry that is NaN",
        ),
        (
            "mine = GradientDescent(step_sizes=[1], W_0=np.array([[1.0, np.inf]]))\n",
            r"the parameter W_0 \(W_0\) has an entry that is NaN or infinite",
        ),
        (
            "class Mine(GradientDescent):\n    def step(self, l, W, prompt):\n        return W.nothing\n",
            "line 8, in step: Attr",
        ),
        ("load_weights('objects.npz')\n", r"line 6, ValueError: objects\.npz cannot be read .* a pickle is never read"),
        (
            "state_dict_heads({'q': np.eye(2), 'b': np.eye(2)}, {'W_Q': 'q', 'W_K': 'q', 'W_V': 'q'})\n",
            "does not say what these are: b",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(put, capsys, text, message):
    np.savez("objects.npz", a=np.array([None], dtype=object))
    out, err = said(capsys, 2, put(text))
    assert out == ""
    assert err.startswith("icl: mine.py")
    assert err.count("\n") == 1
    assert re.search(message, err), err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "seed = -1: it must be at least 0"),
        (["--instances", "0"], "instances = 0: at least one"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--device", "cuda"], "CuPy cannot be imported"),
    ],
)
def test_bad_usage_is_one_sentence_and_code_2(put, capsys, monkeypatch, options, message):
    monkeypatch.setitem(sys.modules, "cupy", None)
    _, err = said(capsys, 2, put("class Mine(GradientDescent):\n    pass\n"), *options)
    assert re.fullmatch(f"icl: .*{message}.*\n", err)


def test_the_traceback_is_shown_on_demand(put, capsys):
    _, err = said(capsys, 2, put("1 / 0\n"), "--traceback")
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("icl: mine.py cannot be imported: line 6, ZeroDivisionError")


def test_a_network_with_softmax_is_checked_in_balls():
    from constructions.softmax_heads import SoftmaxDescent

    found = check(SoftmaxDescent(eta=1, eps=1), settings=Settings(instances=4))
    assert found.verdict == "proved"
    assert [each.kind for each in found.evidence][:2] == ["proof", "ball"]


def test_a_wrong_network_with_softmax_is_refuted_in_balls():
    from constructions.softmax_heads import SoftmaxDescent

    class WrongSign(SoftmaxDescent):
        def read_out(self, stream):
            return -super().read_out(stream)

    refutation = check(WrongSign(eta=1, eps=1), settings=Settings(instances=2)).refutation
    assert refutation.where == "the read-out"
    assert "read-out: change its sign" in refutation.hints[0]


def test_a_looped_weight_stays_looped():
    from constructions import Repeated

    assert check(PreconditionedDescent(preconditioners=Repeated([[1]], 2))).verdict == "proved"

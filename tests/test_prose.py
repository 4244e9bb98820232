"""Sentences with formulas in them."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.prose import typeset


def formulas(sentence, names=()):
    """The texts of the formulas, and the sentence with an ellipsis for each."""
    html = str(typeset(sentence, names)).replace("</math><wbr><math>", "")
    found = [re.sub("<[^>]+>", "", part) for part in re.findall("<math>(.*?)</math>", html)]
    return [unescape(part) for part in found], unescape(re.sub("<math>.*?</math>", "…", html))


@pytest.mark.parametrize(
    ("sentence", "drawn", "rest"),
    [
        ("from any W_0, step by step", ["W0"], "from any …, step by step"),
        ("A layer adds dW x_j to a row", ["dWxj"], "A layer adds … to a row"),
        ("P = (eta/n) I maps y_j to zero", ["P=ηnI", "yj"], "… maps … to zero"),
        ("the query (x, -W_0 x) is masked", ["(x,−W0x)"], "the query … is masked"),
        ("for n tokens (d of them)", ["n", "d"], "for … tokens (… of them)"),
        ("with <v, W k> and a < b.", ["⟨v,Wk⟩", "<b"], "with … and a …."),
        ("n 1..5, layers 1..4; 12 instances", ["n"], "… 1..5, layers 1..4; 12 instances"),
        ("ReLU(z) - ReLU(-z) = z: two heads", ["ReLU(z)−ReLU(−z)=z"], "…: two heads"),
        ("equations (27-32), and/or GD++", [], "equations (27-32), and/or GD++"),
        ("E |error|^2 is s2 d", ["E|error|2", "s2d"], "… is …"),
        ("E (prediction - w^T x)^2 of it", ["E(prediction−w⊤x)2"], "… of it"),
        ("t = a u, and a map f_j(Y + A)", ["t=au", "fj(Y+A)"], "…, and a map …"),
        ("-N*^-1 for every x_query[2,1]", ["−N⋆−1", "xquery,2,1"], "… for every …"),
        ("the k-th of W (m, d)", ["W(m,d)"], "the k-th of …"),
    ],
)
def test_formulas_of_a_sentence_are_found(sentence, drawn, rest):
    assert formulas(sentence) == (drawn, rest)


def test_the_name_of_a_theorem_is_a_link_and_breaks_after_its_words():
    html = typeset("as (a_theorem), of W_0", ["a_theorem"])
    assert html.startswith('as (<a href="#a_theorem">a_<wbr>theorem</a>), of <math>')


def test_another_name_is_no_link():
    assert "<a" not in typeset("as a_theorem says", ["an_other"])


@given(st.text(alphabet="aWx_0 ()[]<>&\"'^-+=/|,.;: \n", max_size=60))
def test_every_sentence_is_typeset_and_escaped(text):
    html = str(typeset(text))
    assert re.fullmatch(r"(?:[^<>&]|&(?:lt|gt|amp|#34|#39);|</?(?:math|m\w+|span|wbr)\b[^<>]*>)*", html)


@given(st.text(alphabet="aWx0 ,.;:", max_size=60))
def test_no_letter_is_left_out(text):
    shown = unescape(re.sub("<[^>]+>", "", str(typeset(text))))
    assert "".join(shown.split()) == "".join(text.split())

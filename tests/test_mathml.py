"""Formulas as MathML: what is drawn is what was written."""

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.newton_paper import PaperNewton
from proofs import prove
from proofs.formula_reader import GREEK
from proofs.mathml import LONGEST, mathml

NAMES = st.sampled_from(["X", "W_0", "x_query", "eta_l", "A_(l + 1)", "1_n", "sigma2", "relu(X)", "S^-1", "Y'", "2"])


def composed(parts):
    sums = st.tuples(parts, st.sampled_from([" + ", " - ", " "]), parts).map("".join)
    return sums | parts.map(lambda part: f"({part})") | parts.map(lambda part: f"diag({part})'")


FORMULAS = st.recursive(NAMES, composed, max_leaves=25)


def read(html):
    """The pieces as XML."""
    return ElementTree.fromstring(f"<all>{html.replace('<wbr>', '')}</all>")


def symbols(html):
    """What is drawn, from left to right; the brackets and marks that MathML puts in place of others left out."""
    return "".join(unescape("".join(read(html).itertext())).split())


def written(text):
    """The same of the text: its letters and digits, Greek letters drawn."""
    text = re.sub(r"[^\W\d_]+", lambda word: GREEK.get(word[0], word[0]), text)
    return re.sub(r"[\s_^()\[\]/]|\*+", "", text.replace("'", "⊤").replace("-", "−"))


@given(FORMULAS)
def test_every_symbol_is_drawn_once_and_in_order(formula):
    assert re.sub(r"[()]", "", symbols(mathml(formula))) == written(formula)


@given(FORMULAS)
def test_every_bracket_is_closed_in_the_order_in_which_it_was_opened(formula):
    depth = 0
    for sign in symbols(mathml(formula)):
        depth += (sign == "(") - (sign == ")")
        assert depth >= 0
    assert depth == 0


def test_every_formula_of_a_long_proof_is_read():
    proof = prove(PaperNewton(alpha=1, steps=1))
    sides = re.findall(r"^    (?:left|right|both =) +(.*)", str(proof), re.MULTILINE)
    assert len(sides) > 300
    assert [side for side in sides if re.sub(r"[()\[\]/]", "", symbols(mathml(side))) != written(side)] == []


@pytest.mark.parametrize(
    ("formula", "drawn"),
    [
        ("X'", "<msup><mi>X</mi><mo>⊤</mo></msup>"),
        ("W_star", "<msup><mi>W</mi><mo>⋆</mo></msup>"),
        ("N* S", "<msup><mi>N</mi><mo>⋆</mo></msup><mi>S</mi>"),
        ("w*z", "<mi>w</mi><mi>z</mi>"),
        ("x**2", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("sigma2", "<msup><mi>σ</mi><mn>2</mn></msup>"),
        ("s2 d", "<msup><mi>s</mi><mn>2</mn></msup><mi>d</mi>"),
        ("x2", "<msub><mi>x</mi><mn>2</mn></msub>"),
        ("(eta/n) X", "<mfrac><mi>η</mi><mi>n</mi></mfrac><mi>X</mi>"),
        ("a/(b + c)", "<mfrac><mi>a</mi><mrow><mi>b</mi><mo>+</mo><mi>c</mi></mrow></mfrac>"),
        ("lam[j]", "<msub><mi>λ</mi><mi>j</mi></msub>"),
        ("W <- -W", '<mi>W</mi><mo>←</mo><mo form="prefix">−</mo><mi>W</mi>'),
    ],
)
def test_notation_is_drawn_as(formula, drawn):
    assert mathml(formula) == f"<math>{drawn}</math>"


def test_a_power_of_a_variance_keeps_its_brackets():
    assert symbols(mathml("s2^2")) == "(s2)2"
    assert symbols(mathml("s2**2 sigma2^2")) == "(s2)2(σ2)2"


def test_a_power_of_a_fraction_keeps_its_brackets_and_a_factor_needs_none():
    assert symbols(mathml("(a/b)^2 X")) == "(ab)2X"
    assert symbols(mathml("(a/b) X^2")) == "abX2"


@pytest.mark.parametrize("formula", ["a / b / c", "1/n X", "|x|/2"])
def test_a_slash_that_could_be_read_in_two_ways_stays_a_slash(formula):
    assert "mfrac" not in mathml(formula)
    assert "/" in symbols(mathml(formula))


def test_a_prime_is_a_prime_where_it_does_not_transpose():
    assert symbols(mathml("s'", "′")) == "s′"


@pytest.mark.parametrize("text", ["(X", "X)", "^2", "", "X_", "x^", "€", "<b>&"])
def test_what_is_no_formula_stays_the_text_that_it_is(text):
    html = mathml(text)
    assert "<math>" not in html
    assert unescape(html.removeprefix('<span class="text">').removesuffix("</span>")) == text


def test_a_long_formula_is_in_pieces_and_a_short_one_in_one():
    terms = ["alpha X X'", "beta Y"] * LONGEST
    assert mathml(terms[0]).count("<math>") == 1
    assert mathml(" + ".join(terms)).count("<math>") >= LONGEST


def test_a_minus_between_pieces_is_an_infix_and_one_after_a_bracket_a_prefix():
    html = mathml(" - ".join(["alpha X X' X X'"] * 4) + " + (-X X' X X' X X' X X' Y)")
    assert html.count('<mo form="infix">−</mo>') == 3
    assert html.count('<mo form="prefix">−</mo>') == 1

"""Formulas in print: they read as in a paper, and what is printed, read back, has the value of the expression."""

import re
from fractions import Fraction

import pytest
import sympy
from expression_trees import (
    DEPTH,
    ETA,
    KERNELS,
    MU,
    SHAPES,
    D,
    Instance,
    M,
    N,
    Symbols,
    block_of,
    mapped,
    trees,
    value_of,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.block import Block, FeatureMap, Kernel, Zero, materialised
from numerics.rationals import as_fraction
from proofs.formula import name_of, scalar_of, sum_written
from proofs.symbols import SymbolBlock

letter = SymbolBlock.letter
A, B, C, I = letter("A", N, N), letter("B", N, N), letter("C", N, N), letter("A", N, N).identity(N)
X, W = letter("X", D, N), letter("W_star", M, D)
u, v, s = letter("u", N, 1), letter("v_0", N, 1), letter("s", 1, 1)
A_l, A_next = letter("A", N, N, DEPTH), letter("A", N, N, DEPTH + 1)
ONE, LAM = A.identity(1), sympy.Symbol("lam", real=True)

AS_WRITTEN = [
    (A @ B + C, "A B + C", "A B + C"),
    ((A + B) @ C, "(A + B) C", "(A + B) C"),
    (A - B, "A - B", "A - B"),
    (-(A + B), "-(A + B)", "-(A + B)"),
    (A - (B - C), "A - (B - C)", "A - (B - C)"),
    ((-A) @ B, "(-A) B", "(-A) B"),
    (A @ (-B), "A (-B)", "A (-B)"),
    (A.scale(2) @ B, "2 A B", "2 A B"),
    (A @ B.scale(2), "A (2 B)", "A (2 B)"),
    (A + B.scale(Fraction(-1, 2)), "A - (1/2) B", r"A - \frac{1}{2} B"),
    (A.scale(ETA / N), "(eta/n) A", r"\frac{\eta}{n} A"),
    (A.scale(1 - ETA) @ B, "(1 - eta) A B", r"(1 - \eta) A B"),
    (A.scale(-(ETA + 1) / N), "-(1/n) (eta + 1) A", r"-\frac{\eta + 1}{n} A"),
    (A.scale(LAM * 2**DEPTH), "2^l lam A", r"2^{l} \lambda A"),
    (A.T, "A'", r"A^\top"),
    (A.T.T, "A", "A"),
    ((A @ B).T, "(A B)'", r"(A B)^\top"),
    (((A + B) @ C).T, "[(A + B) C]'", r"[(A + B) C]^\top"),
    (W.T, "W_star'", r"{W^\star}^\top"),
    (A.T.inverse(), "(A')^-1", r"(A^\top)^{-1}"),
    ((A + B).inverse(), "(A + B)^-1", r"(A + B)^{-1}"),
    (A_l.T, "A_l'", r"A_{l}^\top"),
    (A_next @ u, "A_(l + 1) u", "A_{l + 1} u"),
    ((A @ v).relu().T, "relu(A v_0)'", r"\operatorname{relu}(A v_{0})^\top"),
    (A.hadamard(B), "hadamard(A, B)", r"\operatorname{hadamard}(A, B)"),
    (A.features(FeatureMap("phi")) @ B, "phi(A) B", r"\phi(A) B"),
    (A.kernel(B, Kernel("my_kernel")), "my_kernel(A, B)", r"\operatorname{my\_kernel}(A, B)"),
]


@pytest.mark.parametrize(("block", "text", "latex"), AS_WRITTEN)
def test_formula_is_printed_as_it_was_written(block, text, latex):
    assert (block.formula.written(), block.formula.written("latex")) == (text, latex)


AS_NORMAL_FORM = [
    (A - A, "0", "0"),
    (A.ones(1, N).beside(A.ones(1, 1)), "1_(n + 1)'", r"\mathbf{1}_{n + 1}^\top"),
    (ONE, "1", "1"),
    (-ONE + s, "-1 + s", "-1 + s"),
    (ONE.scale(Fraction(1, 2)), "1/2", r"\frac{1}{2}"),
    (s - ONE.scale(Fraction(1, 2)), "-1/2 + s", r"-\frac{1}{2} + s"),
    (ONE.scale(Fraction(-1, 2)).exp(), "exp(-1/2)", r"\operatorname{exp}(-\frac{1}{2})"),
    (ONE.scale(1 / (2 * N)).exp(), "exp(1/(2 n))", r"\operatorname{exp}(\frac{1}{2 n})"),
    (I.scale(3) - A, "3 I - A", "3 I - A"),
    ((A + B) @ C, "A C + B C", "A C + B C"),
    ((A @ B).T, "B' A'", r"B^\top A^\top"),
    (A.inverse().T, "A^-1'", r"A^{-\top}"),
    ((A + B).inverse().T, "(A + B)^-1'", r"{(A + B)^{-1}}^\top"),
    (W @ X, "W_star X", r"W^\star X"),
    ((W @ X).T, "X' W_star'", r"X^\top {W^\star}^\top"),
    (u @ (u.T @ A @ v), "(u' A v_0) u", r"(u^\top A v_{0}) u"),
    (u.T @ A @ v, "u' A v_0", r"u^\top A v_{0}"),
    ((u.T @ v) @ (u.T @ u), "(u' u) (u' v_0)", r"(u^\top u) (u^\top v_{0})"),
    ((u.T @ v).exp(), "exp(u' v_0)", r"\operatorname{exp}(u^\top v_{0})"),
    (u @ s - u, "-u + s u", "-u + s u"),
    (A.ones(N, D), "1_n 1_d'", r"\mathbf{1}_{n} \mathbf{1}_{d}^\top"),
    (A.scale((ETA + 1) / N), "(1/n) (eta + 1) A", r"\frac{\eta + 1}{n} A"),
    (A.scale(1 / (ETA + 1)), "(1/(eta + 1)) A", r"\frac{1}{\eta + 1} A"),
    ((-A @ u).relu().scale(-1), "-relu(A u) + A u", r"-\operatorname{relu}(A u) + A u"),
    (u.diagonal() @ A - A, "-A + diag(u) A", r"-A + \operatorname{diag}(u) A"),
]


@pytest.mark.parametrize(("block", "text", "latex"), AS_NORMAL_FORM)
def test_normal_form_is_printed(block, text, latex):
    assert (sum_written(block.normal_form), sum_written(block.normal_form, "latex")) == (text, latex)


@pytest.mark.parametrize(
    ("value", "text", "latex"),
    [
        (1, "", ""),
        (-1, "-", "-"),
        (Fraction(-2, 3), "-(2/3)", r"-\frac{2}{3}"),
        (ETA - 1, "(eta - 1)", r"(\eta - 1)"),
        (-ETA - 1, "-(eta + 1)", r"-(\eta + 1)"),
        (-ETA / N, "-(eta/n)", r"-\frac{\eta}{n}"),
        (ETA**2, "eta^2", r"\eta^{2}"),
        (sympy.IndexedBase("eta", real=True)[DEPTH], "eta_l", r"{\eta}_{l}"),
    ],
)
def test_scalar_is_printed_as_a_factor(value, text, latex):
    assert (scalar_of(value, "text"), scalar_of(value, "latex")) == (text, latex)


@pytest.mark.parametrize(
    ("label", "text", "latex"),
    [
        (("x_query", None), "x_query", r"x_{\mathrm{query}}"),
        (("W_star", None), "W_star", r"W^\star"),
        (("W_0", None), "W_0", "W_{0}"),
        (("theta", DEPTH), "theta_l", r"\theta_{l}"),
        (("lam", DEPTH + 1), "lam_(l + 1)", r"\lambda_{l + 1}"),
    ],
)
def test_name_is_printed_with_its_subscript(label, text, latex):
    assert (name_of(label, "text"), name_of(label, "latex")) == (text, latex)


# What is printed is read back.

TOKENS = re.compile(r"\s*(1_\w+|1_\([^()]*\)|\d+|[A-Za-z]\w*|\^-1(?![\d])|[-+'()\[\],/^])")


class Reader:
    """Reads a formula on an instance. A number stands for that multiple of the identity."""

    def __init__(self, text, instance):
        self.tokens, self.instance = [*TOKENS.findall(text), "end"], instance
        assert "".join(self.tokens[:-1]).replace(" ", "") == text.replace(" ", "")

    def take(self, *expected):
        token = self.tokens.pop(0)
        assert not expected or token in expected
        return token

    def sum(self):
        value = self.product() if self.tokens[0] != "-" else self.take() and times(-1, self.product())
        while self.tokens[0] in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            value = plus(value, times(sign, self.product()))
        return value

    def product(self):
        value = self.factor()
        while self.tokens[0] not in ("+", "-", ")", "]", ",", "end"):
            if self.tokens[0] == "/":
                self.take()
                value = times(value, 1 / Fraction(self.factor()))
            else:
                value = times(value, self.factor())
        return value

    def factor(self):
        value = self.atom()
        while self.tokens[0] in ("'", "^-1", "^"):
            mark = self.take()
            if mark == "'":
                value = value.T
            elif mark == "^-1":
                value = value.inverse() if isinstance(value, Block) else 1 / value
            else:
                value = value ** self.atom()
        return value

    def atom(self):
        token = self.take()
        if token in ("(", "["):
            value = self.sum()
            self.take(")", "]")
            return value
        if token.startswith("1_"):
            return self.instance.like.ones(self.size(token[2:]), 1)
        if token.isdigit():
            return Fraction(token)
        if self.tokens[0] == "(" and token not in NUMBERS and "_" not in token:
            return self.applied(token)
        return self.named(token)

    def named(self, name):
        if name in NUMBERS:
            return self.instance.scalar(NUMBERS[name])
        if name == "I":
            return EYE
        _, shape = name.split("_")
        return self.instance.letter(name, *(1 if size == "1" else SIZES[size] for size in shape))

    def size(self, name):
        """The size of that name, or of an expression such as (2 n)."""
        return self.instance.size(sympy.sympify(re.sub(r"(?<=\w) (?=\w)", "*", name), locals=SIZES))

    def applied(self, function):
        self.take("(")
        arguments = [self.block(self.sum())]
        while self.take(",", ")") == ",":
            arguments.append(self.block(self.sum()))
        first, *others = arguments
        if function in KERNELS:
            return self.instance.kernel(function, first, *others)
        if function.startswith("phi"):
            return self.instance.features(first, SIZES.get(function[3:], 1))
        if function == "hadamard":
            for other in others:
                first = first.hadamard(other)
            return first
        return {
            "relu": lambda: first.relu(),
            "exp": lambda: self.instance.exp(first),
            "reciprocal": lambda: mapped(lambda value: 1 / value, first),
            "diag": lambda: first.diagonal(),
            "beside": lambda: first.beside(*others),
        }[function]()

    def block(self, value):
        if not isinstance(value, Block):
            raise Unreadable("a multiple of the identity of which the size is not printed")
        return value


class Unreadable(Exception):
    """What is printed leaves a size open."""


NUMBERS = {"eta": ETA, "mu": MU, "l": DEPTH, "n": N, "d": D, "m": M}
SIZES = {"n": N, "d": D, "m": M}


EYE = Fraction(1)
"""The identity, of which the size is not printed; told from the number 1 by which object it is."""


def times(left, right):
    for one, other in ((left, right), (right, left)):
        if other is EYE and isinstance(one, Block) and one.shape == (1, 1):
            return as_fraction(one.matrix[0, 0])
    if isinstance(left, Block) and isinstance(right, Block):
        for one, other in ((left, right), (right, left)):
            if one.shape == (1, 1) and left.columns != right.rows:
                return times(as_fraction(one.matrix[0, 0]), other)
        return left @ right
    number, other = (right, left) if isinstance(left, Block) else (left, right)
    return materialised(other.scale(number), Instance.like) if isinstance(other, Block) else number * other


def plus(left, right):
    like = left if isinstance(left, Block) else right
    if not isinstance(like, Block):
        return left + right
    left, right = (x if isinstance(x, Block) else like.identity(like.rows).scale(x) for x in (left, right))
    return left + right


def read(text, instance, shape):
    """The value of a printed formula of that shape."""
    value = Reader(text, instance).sum()
    if not isinstance(value, Block):
        value = Zero(*shape) if value == 0 else instance.like.identity(shape[0]).scale(value)
    return materialised(value, instance.like)


@settings(max_examples=100)
@given(data=st.data(), shape=SHAPES, seed=st.integers(0, 2**32))
def test_printed_normal_form_read_back_has_its_value(data, shape, seed):
    tree, instance = data.draw(trees(*shape, depth=3)), Instance(seed)
    try:
        normal_form = block_of(tree, Symbols()).normal_form
        expected = value_of(normal_form, instance)
        value = read(sum_written(normal_form), instance, expected.shape)
    except (ZeroDivisionError, Unreadable):
        assume(False)
    assert value.matrix == expected.matrix


@settings(max_examples=100)
@given(data=st.data(), shape=SHAPES, seed=st.integers(0, 2**32))
def test_printed_formula_read_back_has_the_value_of_the_expression(data, shape, seed):
    tree, instance = data.draw(trees(*shape, depth=3, leaves=("letter", "transposed letter"))), Instance(seed)
    try:
        text = block_of(tree, Symbols()).formula.written()
        assume("ones" not in text)
        expected = block_of(tree, instance)
        value = read(text, instance, expected.shape)
    except (ZeroDivisionError, Unreadable):
        assume(False)
    assert value.matrix == expected.matrix


@settings(max_examples=100)
@given(data=st.data(), shape=SHAPES)
def test_what_is_printed_is_neat(data, shape):
    try:
        block = block_of(data.draw(trees(*shape, depth=3)), Symbols())
    except ZeroDivisionError:
        assume(False)
    for text in (sum_written(block.normal_form), block.formula.written()):
        assert faults(text) == []
    for text in (sum_written(block.normal_form, "latex"), block.formula.written("latex")):
        assert faults(text) == []
        assert is_tex(text)


def faults(text):
    """What no printed formula has: signs or blanks in a row, redundant brackets, brackets that do not match."""
    found = [pattern for pattern in ("+ -", "- -", "--", "  ", "( ", " )") if pattern in text]
    opened, pairs = [], set()
    for place, character in enumerate(text):
        if character in "([{":
            opened.append(place)
        elif character in ")]}":
            if not opened or text[opened[-1]] + character not in ("()", "[]", "{}"):
                return [*found, "brackets do not match"]
            pairs.add((opened.pop(), place))
    redundant = [pair for pair in pairs if (pair[0] - 1, pair[1] + 1) in pairs]
    return found + ["double brackets"] * bool(redundant) + ["brackets do not match"] * bool(opened)


def is_tex(text):
    """Whether no superscript follows a superscript, which TeX refuses."""
    return re.search(r"\^(\{[^{}]*\}|\\[a-z]+|\w)\^", text) is None


@pytest.mark.parametrize("text", ["A + -B", "((A))", "(A", "A)", "(A]", "A  B", "f([A])"])
def test_a_fault_is_found(text):
    assert faults(text) != []


@pytest.mark.parametrize("text", [r"W^\star^\top", r"A^{-1}^\top", "A^2^3"])
def test_a_double_superscript_is_found(text):
    assert not is_tex(text)

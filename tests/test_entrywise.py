"""Entrywise proofs: against the entries themselves at small sizes, and on claims that are false."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
from hypothesis import example, given
from hypothesis import strategies as st

from constructions import positions
from constructions.newton_interleaved import NewtonInterleaved
from constructions.newton_paper import PaperNewton
from constructions.parameters import generic_prompt
from constructions.prompt import Prompt
from constructions.scalars import one_if_at_most, one_if_equal
from constructions.stages import Relation
from constructions.weights import Weight
from numerics.check import check
from numerics.rationals import RationalBlock, as_fraction
from proofs.entrywise import CITED, NoEntries, entry
from proofs.induction import normal_form, prove
from proofs.letters import COLUMN, ROW
from proofs.symbols import SymbolBlock
from proofs.unknown import ONE_IF_NONNEGATIVE, ONE_IF_ZERO

INTERLEAVED = pytest.mark.parametrize("network", [PaperNewton, NewtonInterleaved], ids=lambda cls: cls.__name__)
LIKE = SymbolBlock.letter("X", 1, 1)
N = generic_prompt(PaperNewton).lifted(SymbolBlock).n
ONE = RationalBlock.lift([[1]])


def symbolic_entry(block):
    return entry(normal_form(block))


def values(found, n, rows, columns):
    """The entries for one n as a table, conditions decided one by one."""

    def value(i, j):
        at = found.expression.subs({ROW: i, COLUMN: j, N.symbol: n}, simultaneous=True)
        at = at.replace(ONE_IF_NONNEGATIVE, lambda z: sympy.Integer(z >= 0))
        return at.replace(ONE_IF_ZERO, lambda z: sympy.Integer(z == 0))

    return [[value(i, j) for j in range(columns)] for i in range(rows)]


small = st.integers(-3, 3)
scales = st.sampled_from([1, 4, Fraction(1, 3), -1, Fraction(-9, 2)])


@given(small, small, small, small, scales)
@example(2, -2, 0, -1, 1)
@example(0, 1, -1, 0, 1)
@example(1, 0, -1, 1, -1)
def test_relu_of_one_minus_a_square_is_what_it_is_at_every_size(a, b, c, e, scale):
    def score(n):
        return lambda i, j: scale * (1 - (a * i + b * j + c * n + e) ** 2)

    found = symbolic_entry(LIKE.given("score", N, N, score(N)).relu())
    for n in (1, 2, 3, 5):
        numbers = ONE.fill(n, n, score(n)).relu().entry
        assert values(found, n, n, n) == [[as_fraction(value) for value in row] for row in numbers]


@given(small, small, st.sampled_from([-1, 1]))
def test_product_of_given_matrices_is_what_it_is_at_every_size(b, e, sign):
    def product(like, n):
        row = like.given("row", 1, n, lambda _, j: j**2 + e)
        shifted = like.given("shifted", n, n, lambda i, j: one_if_equal(i, j) * (sign * j + b))
        return row @ shifted + like.ones(1, n) @ shifted

    found = symbolic_entry(product(LIKE, N))
    for n in (1, 2, 4):
        numbers = product(ONE, n).entry
        assert values(found, n, 1, n) == [[as_fraction(value) for value in row] for row in numbers]


@given(st.integers(-1, 1), st.integers(-1, 1), st.booleans(), st.booleans())
@example(1, 1, False, True)
def test_product_of_shifts_is_what_it_is_at_every_size(a, b, first, second):
    """A shift by one is out of range at one end; its product with itself is the identity but for that end."""

    def product(like, n):
        left = like.given("left", n, n, lambda i, j: one_if_equal(i, j + a))
        right = like.given("right", n, n, lambda i, j: one_if_equal(j, i + b) * (j + 1))
        return (left.T if first else left) @ (right.T if second else right)

    found = symbolic_entry(product(LIKE, N))
    for n in (1, 2, 3, 5):
        numbers = product(ONE, n).entry
        assert values(found, n, n, n) == [[as_fraction(value) for value in row] for row in numbers]


@pytest.mark.parametrize(("a", "first", "flipped"), list(itertools.product((-1, 0), (False, True), (False, True))))
def test_sums_of_a_causal_mask_are_what_they_are_at_every_size(a, first, flipped):
    """Sums over the keys of each query, and over the queries of each key, weighed by their indices."""

    def total(like, n):
        mask = like.given("mask", n, n, lambda i, j: one_if_at_most(j, i + a) if flipped else one_if_at_most(i, j + a))
        weights = like.given("weights", n, 1, lambda i, _: i + 2)
        return (mask.T if first else mask) @ weights

    found = symbolic_entry(total(LIKE, N))
    for n in (1, 2, 3, 5):
        numbers = total(ONE, n).entry
        assert values(found, n, n, 1) == [[as_fraction(value) for value in row] for row in numbers]


def test_causal_mask_is_certain_where_the_order_of_the_tokens_is():
    def mask(offset):
        return lambda like, n: like.given("mask", n, n, lambda i, j: one_if_at_most(i, j + offset(n)))

    assert lemma_is_proved(mask(lambda n: n - 1), lambda like, n: like.ones(n, n))
    assert lemma_is_proved(mask(lambda n: -n), lambda like, n: like.ones(n, n).scale(0))
    assert not lemma_is_proved(mask(lambda n: n - 2), lambda like, n: like.ones(n, n))
    assert not lemma_is_proved(mask(lambda n: 1 - n), lambda like, n: like.ones(n, n).scale(0))


def test_relu_of_a_certain_sign_leaves():
    below = LIKE.given("A", N, N, lambda i, j: -i - j).relu()
    above = LIKE.given("A", N, N, lambda i, j: i + j).relu()
    assert (symbolic_entry(below).expression, symbolic_entry(above).expression) == (0, ROW + COLUMN)


def test_opaque_matrices_are_told_apart_by_what_they_are_said_to_be():
    def opaque(rule):
        return LIKE.given("A", N, N, lambda i, j: int(i < j), opaque=rule)

    one, other = object(), object()
    assert normal_form(opaque((one, "eta")) - opaque((one, "eta"))).is_zero
    assert not normal_form(opaque((one, "eta")) - opaque((other, "eta"))).is_zero
    assert not normal_form(opaque((one, "eta")) - opaque((one, "mu"))).is_zero
    with pytest.raises(NoEntries, match="A, whose entries are not given"):
        symbolic_entry(opaque((one,)))


def test_shift_times_its_transpose_is_the_identity_but_for_the_last_row():
    def shift(like, n):
        return like.given("U", n, n, lambda i, j: one_if_equal(j, i + 1))

    def last(like, n):
        return like.given("last", n, n, lambda i, j: one_if_equal(i, j) * one_if_equal(j, n - 1))

    assert lemma_is_proved(
        lambda like, n: shift(like, n) @ shift(like, n).T, lambda like, n: like.identity(n) - last(like, n)
    )
    assert not lemma_is_proved(lambda like, n: shift(like, n) @ shift(like, n).T, lambda like, n: like.identity(n))


@INTERLEAVED
def test_scores_of_the_previous_token_are_proved_for_every_number_of_tokens(network):
    proof = prove(network(alpha=1, steps=1))
    lemmas = [identity for identity in proof.identities if identity.claim.kind == "lemma"]
    assert len(lemmas) == 10
    assert all(identity.is_proved for identity in lemmas)
    assert not [assumption.name for assumption in proof.assumptions if "token" in assumption.name]
    assert proof.holds


WRONG_SIGN = {("one", "p"): 2, ("one", "pp"): -1, ("p", "p"): 2, ("p", "one"): 2, ("pp", "one"): -1}
NEXT_TOKEN = {("one", "p"): -2, ("one", "pp"): -1, ("p", "p"): 2, ("p", "one"): 2, ("pp", "one"): -1}
HALF_STEP = {("one", "p"): 2, ("one", "pp"): -1, ("p", "p"): 2, ("p", "one"): -2, ("pp", "one"): Fraction(-1, 2)}


@INTERLEAVED
@pytest.mark.parametrize("query", [WRONG_SIGN, NEXT_TOKEN, HALF_STEP])
def test_other_weights_of_the_position_head_are_neither_proved_nor_exact(network, query, monkeypatch):
    right = positions.previous_token({})
    broken = replace(right, query=Weight(query))
    monkeypatch.setattr(positions, "previous_token", lambda values: broken)
    transformer = network(alpha=1, steps=1)
    proof = prove(transformer)
    assert "lemma" in {identity.claim.kind for identity in proof.undecided}
    report = check(transformer, Prompt([[1, 2, 3]], [[1, 1, 2]], [[1]]))
    assert report.failure.claim.kind == "lemma"


def lemma_is_proved(left, right):
    class Claims(PaperNewton):
        def lemmas(self, prompt):
            like, n = prompt.X, prompt.n
            return (*super().lemmas(prompt), Relation("a claim", left(like, n), right(like, n)))

    return prove(Claims(alpha=1, steps=1)).holds


def row(function, name="row"):
    return lambda like, n: like.given(name, 1, n, lambda _, j: function(j, n))


def test_true_lemma_is_proved():
    assert lemma_is_proved(row(lambda j, n: j * (j + n)), row(lambda j, n: j**2 + j * n, name="other"))
    assert lemma_is_proved(row(lambda j, n: one_if_equal(2 * j, 2 * n - 2)), row(lambda j, n: one_if_equal(n, j + 1)))
    assert lemma_is_proved(row(lambda j, n: one_if_equal(j, n)), row(lambda j, n: 0, name="none"))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (lambda j, n: j, lambda j, n: n - 1),
        (lambda j, n: one_if_equal(j, n - 1), lambda j, n: 0),
        (lambda j, n: one_if_equal(j, 0), lambda j, n: 0),
        (lambda j, n: one_if_equal(j, n - 2), lambda j, n: 0),
        (lambda j, n: one_if_equal(2 * j, n), lambda j, n: 0),
        (lambda j, n: one_if_equal(j, n - 1), lambda j, n: one_if_equal(j, 0)),
        (lambda j, n: one_if_equal(2 * j, n), lambda j, n: one_if_equal(j, n)),
    ],
)
def test_false_lemma_is_not_proved(left, right):
    assert not lemma_is_proved(row(left, name="left"), row(right, name="right"))


def test_matrices_of_one_name_and_other_entries_are_not_taken_for_equal():
    assert not lemma_is_proved(row(lambda j, n: j), row(lambda j, n: j + 1))


def test_lemma_about_the_data_does_not_rest_on_itself():
    assert not lemma_is_proved(lambda like, n: like, lambda like, n: like.scale(0))


@pytest.mark.parametrize("function", [lambda i, j: int(i == j), lambda i, j: i if i < j else 0, lambda i, j: i % 2])
def test_entries_without_one_form_are_refused(function):
    with pytest.raises(TypeError, match="the entries of 'A' must have one form for all indices: write one_if_equal"):
        LIKE.given("A", N, N, function)


@pytest.mark.parametrize(
    "block",
    [
        LIKE,
        LIKE.inverse(),
        LIKE.given("A", N, N, lambda i, j: i - j).relu(),
        LIKE.given("A", N, N, lambda i, j: 1 - i * j).relu(),
        LIKE.given("A", N, N, lambda i, j: i - j).exp(),
        LIKE.ones(1, N) @ LIKE.given("A", N, N, lambda i, j: one_if_equal(i + 2, j)),
        LIKE.given("A", N, N, lambda i, j: 1 - 4**i).relu(),
        LIKE.given("A", N, N, lambda i, j: one_if_equal(2**i, 2**j)).relu(),
        LIKE.given("A", N, N, lambda i, j: 1 - 2 * (i - j) ** 2).relu(),
        LIKE.given("A", N, N, lambda i, j: one_if_equal(i, 2**j)) @ LIKE.ones(N, 1),
        LIKE.ones(1, N) @ LIKE.given("A", N, N, lambda i, j: 2**i),
        LIKE.given("A", N, N, lambda i, j: 1 - (i - j) ** 2 / 4).relu(),
    ],
)
def test_what_is_beyond_the_rules_is_left_open(block):
    """The last: relu(1 - z^2) for z a half is 3/4."""
    with pytest.raises(NoEntries, match="has no entry by entry normal form"):
        symbolic_entry(block)


def test_printed_proof_cites_the_scalar_lemma_and_shows_the_entries():
    printed = str(prove(NewtonInterleaved(alpha=1, steps=1)))
    assert CITED in printed
    assert "p_targets, 2 j + 1 in row i and column j" in printed
    assert "both =  [i - j + 1 = 0]" in printed

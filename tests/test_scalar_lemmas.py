"""Scalar lemmas: the cases cover every number, broken lemmas fail in every kind, and proofs cite them by name."""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from constructions.newton import NewtonFromIdentity
from proofs.catalogue import catalogue
from proofs.entrywise import CITED
from proofs.evidence import FAILS, HOLDS, Settings
from proofs.induction import prove
from proofs.scalar_lemmas import CASES, ScalarLemma
from proofs.word_operations import RELU_PAIR

LEMMAS = {name: theorem for name, theorem in catalogue().items() if isinstance(theorem, ScalarLemma)}
EVERY = pytest.mark.parametrize("lemma", LEMMAS.values(), ids=LEMMAS)


@given(st.integers(), st.fractions())
def test_cases_cover_every_number_once(whole, number):
    for domain, value in (("integer", whole), ("real", number)):
        w = sympy.Symbol("w", nonnegative=True)
        solutions = [sympy.solve(case - sympy.Rational(value), w) for case in CASES[domain](w) if case.has(w)]
        hits = [found for found in solutions if found] + [0 for case in CASES[domain](w) if case == value]
        assert len(hits) == 1 or (domain == "real" and value == 0)


@EVERY
def test_slips_fail_as_proofs_and_on_numbers(lemma):
    for _, left in lemma.wrong:
        broken = replace(lemma, left=left)
        for kind in ("proof", "exact", "float"):
            assert broken.evidence(kind, Settings()).outcome == FAILS, kind


@EVERY
def test_truth_counted_as_a_slip_is_reported(lemma):
    evidence = replace(lemma, wrong=(("none", lemma.left),)).evidence("refutation", Settings())
    assert (evidence.outcome, evidence.reason) == (FAILS, "not refuted: none")


def test_indicator_of_zero_does_not_hold_of_every_real_number():
    lemma = replace(LEMMAS[CITED], domain="real")
    assert lemma.evidence("proof", Settings()).outcome == FAILS
    assert lemma.evidence("exact", Settings()).outcome == FAILS


def test_right_side_of_the_position_score_is_the_indicator_of_zero():
    (integers,) = LEMMAS[CITED].grid
    values = LEMMAS[CITED].right(integers).entry.flat
    assert [int(value) for value in values] == [0] * 12 + [1] + [0] * 12


def test_grid_of_two_variables_has_every_pair():
    pairs = set(zip(*(block.entry.flat for block in LEMMAS["product_is_a_difference_of_squares"].grid), strict=True))
    assert len(pairs) == 25**2
    assert (Fraction(-3), Fraction(3, 4)) in {(Fraction(str(p)), Fraction(str(q))) for p, q in pairs}


def test_proofs_cite_the_relu_pair_where_they_use_it():
    assert f"Cited ({RELU_PAIR}): relu(z) - relu(-z) = z" in str(prove(NewtonFromIdentity(alpha=1, steps=1, relu=True)))
    assert "Cited" not in str(prove(NewtonFromIdentity(alpha=1, steps=1)))


def test_cited_theorems_are_in_the_catalogue_and_hold():
    for name in (CITED, RELU_PAIR):
        assert catalogue()[name].evidence("proof", Settings()).outcome == HOLDS


@EVERY
def test_lemma_shows_its_cases(lemma):
    assert lemma.shown().count("both =") == len(list(lemma.cases()))

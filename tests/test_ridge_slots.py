"""Why weight decay needs a slot: the argument by another route, its limits, and what happens when it is broken."""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from constructions.comparison import Verdict
from numerics.rationals import RationalBlock
from proofs import ridge_slots
from proofs.evidence import FAILS, Settings
from proofs.ridge_slots import (
    ContextStep,
    confusion,
    controls,
    descent,
    eta,
    is_certified,
    is_of_the_class,
    lam,
    query_equations,
    solves,
)

FIRST, SECOND = ContextStep(0), ContextStep(1)
THEOREM = ridge_slots.theorem()


def has_no_solution(equations, nonzero):
    """By Hilbert's Nullstellensatz: 1 is in the ideal of the equations and 1 - tau nonzero."""
    held = [*equations, 1 - sympy.Symbol("tau") * nonzero]
    variables = sorted(set().union(*(each.free_symbols for each in held)), key=str)
    return sympy.groebner(held, *variables, order="grevlex").exprs == [1]


@pytest.mark.parametrize("number", [0, 1])
def test_groebner_basis_finds_no_solution_either(number):
    """With the product's factors once each: it is 0 exactly where one of them is."""
    _, equations, (product, _) = THEOREM.systems[number]
    assert has_no_solution(equations, sympy.Mul(*(factor for factor, _ in sympy.factor_list(product)[1])))


def test_certificate_with_a_wrong_cofactor_is_refused():
    _, _, (product, combined) = THEOREM.systems[1]
    (equation, cofactor), *others = combined
    assert is_certified((product, combined))
    assert not is_certified((product, ((equation, -cofactor), *others)))
    assert not is_certified((product * 2, combined))


def test_certificate_of_equations_that_are_not_needed_is_no_proof(monkeypatch):
    monkeypatch.setattr(ridge_slots, "query_equations", lambda features: query_equations(1))
    monkeypatch.setattr(ridge_slots, "query_certificate", lambda: (eta, ((eta, sympy.Integer(1)),)))
    evidence = THEOREM.evidence("proof", Settings())
    assert evidence.outcome == FAILS
    assert evidence.undecided


@pytest.mark.parametrize("features", [1, 2])
def test_layers_with_free_weights_are_of_the_class(features):
    assert is_of_the_class(features)


def test_decay_by_hand_at_one_example():
    """eta = x = 1, y = 1, lam = 1/2: W_1 = 1 leaves no residual, W_2 = 1/2 must leave eta lam y = 1/2."""
    context, first, residuals = confusion(Fraction(1), Fraction(1), Fraction(1, 2), RationalBlock)
    assert context.verdict is Verdict.EQUAL
    assert first.verdict is Verdict.EQUAL
    assert residuals.verdict is Verdict.DIFFERENT
    assert (residuals.left, residuals.right) == (Fraction(1, 2), Fraction(-1, 2))


def test_without_decay_the_two_prompts_need_no_telling_apart():
    *_, residuals = confusion(Fraction(1), Fraction(1), Fraction(0), RationalBlock)
    assert residuals.verdict is Verdict.EQUAL


def test_every_control_holds():
    assert all(holds for _, holds in controls())


def test_gradient_descent_solves_the_equations_without_decay_only():
    numbers = {**descent(FIRST, 0), **descent(SECOND, 0)}
    both = (*FIRST.equations, *SECOND.equations)
    assert solves(numbers | {lam: 0}, both)
    assert not solves(numbers | {lam: 1}, both)


def test_a_pair_of_prompts_that_does_not_refute_fails(monkeypatch):
    honest = ridge_slots.confusion
    monkeypatch.setattr(ridge_slots, "confusion", lambda x, y, decay, kind: honest(x, y, Fraction(0), kind))
    for kind in ("exact", "float"):
        assert THEOREM.evidence(kind, Settings(instances=2)).outcome == FAILS


def test_a_control_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(ridge_slots, "controls", lambda: (("nothing holds", False),))
    assert THEOREM.evidence("refutation", Settings()).reason == "fails: nothing holds"


def test_printed_argument_has_the_equations_and_the_certificate():
    shown = THEOREM.shown()
    assert "b_1^2 b_2 eta^3 lam is the sum of" in shown
    assert "a_0 alpha_0 - a_1 = 0" in shown
    assert replace(THEOREM).shown() == shown

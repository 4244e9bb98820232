"""Argued theorems: each kind of evidence can fail, and says why; the law of the depths is sharp."""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from constructions.as_printed import PositiveQueryStart
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.catalogue import catalogue, theorem_named
from proofs.depth_separation import law_holds
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Settings
from proofs.spectral_contexts import context_of

THEOREM = theorem_named("newton_depth_is_the_logarithm_of_gradient_descent_depth")
ARGUED = [theorem for theorem in catalogue().values() if isinstance(theorem, ArguedTheorem)]
x = sympy.Symbol("x", positive=True)


def test_an_equation_that_does_not_hold_leaves_the_proof_undecided():
    wrong = Equation("a square is its root", x**2, x)
    evidence = replace(THEOREM, argument=lambda: (wrong,)).evidence("proof", Settings())
    assert (evidence.outcome, evidence.undecided) == (FAILS, True)
    assert evidence.reason == "undecided: a square is its root"


def test_an_induction_that_does_not_hold_leaves_the_proof_undecided():
    wrong = Induction("as printed", PositiveQueryStart(step_sizes=[1], W_0=[[1]]))
    evidence = replace(THEOREM, argument=lambda: (wrong,)).evidence("proof", Settings())
    assert (evidence.outcome, evidence.reason) == (FAILS, "undecided: as printed")


@pytest.mark.parametrize("theorem", ARGUED, ids=lambda theorem: theorem.name)
def test_no_step_of_an_argument_is_about_nothing(theorem):
    """An equation whose sides were the same expression would be checked by nothing."""
    for step in theorem.steps:
        assert step.text
        if isinstance(step, Equation) and isinstance(step.left, sympy.Basic) and step.right.free_symbols:
            slipped = Equation(step.text, step.left, 2 * step.right + 1)
            assert step.holds
            assert not slipped.holds


def test_the_print_says_which_steps_are_checked_and_which_are_in_words():
    shown = replace(
        THEOREM,
        argument=lambda: (Equation("one", x, x), Inference("two"), Equation("three", x, x + 1)),
    ).shown()
    assert "1. (checked) one\n    left   x\n    right  x" in shown
    assert "2. (in words) two" in shown
    assert "3. (UNDECIDED) three" in shown


@pytest.mark.parametrize(
    ("runs", "outcome", "reason"),
    [
        ([Run("a", True), Run("b", False, is_control=True)], HOLDS, None),
        ([Run("a", True), Run("b", False)], FAILS, "does not hold: b"),
        ([Run("a", None)], NOT_RUN, "uninformative: undecided or not rejected: a"),
        ([Run("a", True), Run("b", True, is_control=True)], NOT_RUN, "uninformative: undecided or not rejected: b"),
        ([Run("a", True), Run("b", None, is_control=True)], NOT_RUN, "uninformative: undecided or not rejected: b"),
    ],
)
@pytest.mark.parametrize("kind", ["exact", "float"])
def test_runs_decide_the_outcome(kind, runs, outcome, reason):
    theorem = replace(THEOREM, exact_runs=lambda rng, count: iter(runs), float_runs=lambda rng, count: iter(runs))
    evidence = theorem.evidence(kind, Settings())
    assert (evidence.outcome, evidence.reason) == (outcome, reason)


def test_a_slip_that_no_run_refutes_fails_the_refutation():
    evidence = replace(THEOREM, slips={"harmless": lambda: False}).evidence("refutation", Settings())
    assert (evidence.outcome, evidence.reason) == (FAILS, "not refuted: harmless")


one = Fraction(1)


@pytest.mark.parametrize(
    ("spectrum", "alpha"),
    [
        ([(one, one), (3 * one, one)], Fraction(1, 4)),
        ([(one, one), (3 * one, one)], Fraction(2, 3)),
        ([(5 * one, one), (21 * one, Fraction(1, 25))], Fraction(2, 21)),
        ([(one, one), (0 * one, one)], Fraction(1, 2)),
    ],
)
def test_depths_follow_the_logarithm_up_to_the_largest_alpha(spectrum, alpha):
    """alpha = 2 / lambda_max included; the same spectrum above it breaks the law, which is a slip of the theorem."""
    assert law_holds(context_of(spectrum)[0], alpha)
    assert not law_holds(context_of([(5 * one, one), (21 * one, Fraction(1, 25))])[0], Fraction(1, 10))

"""The check locates what is wrong: layer, slot and group, by how much, and on which prompt."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given

from constructions.as_printed import UnmaskedFromZero
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.gradient_descent import GradientDescent
from constructions.layer import Layer, TokenMap
from constructions.prompt import Prompt
from constructions.weights import Weight
from numerics.balls import precision
from numerics.check import NotAnInstance, check, restarted
from numerics.strategies import float_prompts, instances

PROMPT = Prompt([[1, 2, 3], [0, 1, 1]], [[1, 0, 2]], [[1], [2]])
STEPS = [1, Fraction(1, 2), Fraction(1, 3)]


@dataclass(frozen=True, kw_only=True, repr=False)
class DoublesTheQuery(GradientDescent):
    """Gradient descent whose layer of index 1 doubles the x slot of every token afterwards."""

    def layer(self, l, prompt):
        layer = super().layer(l, prompt)
        return Layer(*layer.sublayers, TokenMap(Weight({("x", "x"): 1}))) if l == 1 else layer


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadsOutPositively(GradientDescent):
    """Gradient descent without the final minus."""

    def read_out(self, stream):
        return stream["y", "query"]


def as_floats(prompt):
    return prompt.map(lambda entry: np.array(entry, dtype=float))


def as_balls(prompt):
    return prompt.map(lambda entry: np.array([[arb(value) for value in row] for row in entry], dtype=object))


@pytest.mark.parametrize("prompt", [PROMPT, as_floats(PROMPT), as_balls(PROMPT)], ids=["rationals", "floats", "balls"])
def test_correct_construction_holds_in_every_deciding_kind(prompt):
    report = check(GradientDescent(step_sizes=STEPS), prompt)
    assert report.holds
    assert report.claims > 10


@pytest.mark.parametrize("prompt", [PROMPT, as_floats(PROMPT), as_balls(PROMPT)], ids=["rationals", "floats", "balls"])
def test_first_wrong_layer_slot_and_group_are_named(prompt):
    failure = check(DoublesTheQuery(step_sizes=STEPS), prompt).failure
    assert (failure.claim.layer, failure.claim.slot, failure.claim.group) == (2, "x", "context")
    assert failure.place == "layer 2, slot 'x' of group 'context', step"


def test_failure_says_by_how_much_and_on_which_prompt():
    failure = check(DoublesTheQuery(step_sizes=STEPS), PROMPT).failure
    assert failure.comparison.gap == 3
    assert str(failure) == (
        "x of context, after layer 2 is not what the invariant claims (layer 2, slot 'x' of group 'context', step): "
        "6 instead of 3, by 3, on the prompt X = [[1, 2, 3], [0, 1, 1]], Y = [[1, 0, 2]], x_query = [[1], [2]]"
    )
    assert failure.prompt.X.entry.tolist() == PROMPT.X


def test_wrong_read_out_is_named_as_such():
    assert check(ReadsOutPositively(step_sizes=STEPS), PROMPT).failure.place == "layer 3, read-out"


def test_float_check_reports_the_largest_difference_and_its_bound():
    report = check(GradientDescent(step_sizes=STEPS), as_floats(PROMPT))
    assert 0 <= report.worst <= report.bound < 1e-12


def test_float_check_refutes_an_error_far_below_its_size():
    """A step size wrong in the 40th bit is refuted: the bound is that tight."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class SlightlyOff(GradientDescent):
        def step(self, l, W, prompt):
            good = super().step(l, W, prompt)
            return good + (good - W).scale(Fraction(1, 2**40))

    report = check(SlightlyOff(step_sizes=[1]), as_floats(PROMPT))
    assert report.failure is not None
    assert report.failure.comparison.gap < 1e-10


@given(instances(GradientDescent(step_sizes=[1], W_0=[[1]])))
def test_exact_check_holds_on_every_instance(instance):
    assert check(instance.construction, instance.prompt).holds


@given(float_prompts())
def test_float_check_never_refutes_a_true_construction(prompt):
    report = check(GradientDescent(step_sizes=[0.5, 0.25, 2.0]), prompt)
    assert report.failure is None


def test_two_unmasked_layers_are_refuted_at_the_second():
    failure = check(UnmaskedFromZero(step_sizes=[1, 1]), Prompt([[1]], [[1]], [[1]])).failure
    assert failure.claim.layer == 2


def test_prompt_that_violates_a_hypothesis_is_no_instance():
    extras = (("W_star", [[1]]), ("v", [[1]]), ("lam", [[2]]))
    with pytest.raises(NotAnInstance, match=r"violates the hypothesis 'v is an eigenvector of X X\^T'"):
        check(GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1]), Prompt([[1]], [[1]], [[1]], extras))


def test_balls_of_low_precision_still_hold():
    with precision(20):
        assert check(GradientDescent(step_sizes=STEPS), as_balls(PROMPT)).holds


def test_overflow_is_undecided_and_never_holds():
    prompt = Prompt(np.array([[1e200]]), np.array([[1e200]]), np.array([[1e200]]))
    with np.errstate(all="ignore"):
        report = check(GradientDescent(step_sizes=[1.0, 1.0]), prompt)
    assert not report.holds
    assert report.failure is None


def test_rounded_iterates_are_not_taken_for_ones_that_satisfy_the_relations():
    """W v = W* v - (W* - W_0) v rho holds of rounded W and rho up to rounding, which the next steps enlarge."""
    extras = (("W_star", np.array([[3.0], [-2.0]])), ("v", np.array([[1.0]])), ("lam", np.array([[4.0]])))
    prompt = Prompt(np.array([[2.0, 0]]), np.array([[6.0, 0], [-4, 0]]), np.array([[-1.0]]), extras)
    construction = GDPlusPlusSpectrum(
        step_sizes=[0.5625, -0.5375, 0.0875, -0.55],
        curvature_steps=[1.140625, 1.765625, 1.90625, 0.375],
        W_0=np.array([[-1.25662885324095], [-1.628873139642979]]),
    )
    report = check(construction, prompt)
    assert report.holds, report.failure
    assert not check(construction, prompt, arbitrary=restarted).holds

"""Evidence in balls: for networks with an exponential, which do not run in rationals."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from flint import arb

from constructions.as_printed import PositiveQueryStart
from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.comparison import Verdict
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.scalars import ratio
from constructions.stages import Relation
from constructions.weights import Weight
from numerics.balls import BallBlock, precision
from numerics.check import check, restarted
from numerics.instances import rational_prompt
from numerics.rounding import Rounded, RoundedBlock, contains
from proofs.construction_theorem import ConstructionTheorem
from proofs.enclosures import held_against_exact
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Settings, float_above


@dataclass(frozen=True, kw_only=True, repr=False)
class ExponentialMean(GradientDescent):
    """Layers of one exponential head that add (eta / n) sum_i exp(x_i . x) y_i to every y slot."""

    def step(self, l, W, prompt):
        return W + self.received(prompt.X, prompt).scale(ratio(self.step_sizes[l], prompt.n))

    def received(self, keys, prompt):
        return prompt.Y @ (keys.T @ prompt.x_query).exp()

    def initial(self, prompt):
        return prompt.Y.zeros(prompt.m, 1)

    def predict(self, W, prompt):
        return W

    def layer(self, l, prompt):
        one, mask = Weight({("x", "x"): 1}), Mask(keys={"query": ("context",)})
        value = Weight({("y", "y"): ratio(self.step_sizes[l], prompt.n)})
        return Layer(Attention(Head(one, one, value, score="exp", mask=mask)))

    def state(self, l, W, prompt):
        return {**self.embed(prompt).blocks, ("y", "query"): W}

    def read_out(self, stream):
        return stream["y", "query"]


class SignFlipped(ExponentialMean):
    """The same layers, said to add exp(-x_i . x)."""

    def received(self, keys, prompt):
        return prompt.Y @ (-keys.T @ prompt.x_query).exp()


class Thirds(NamedTuple):
    """W and what is claimed to be W / 3."""

    W: Block
    third: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class UnstableThirds(GradientDescent):
    """Gradient descent that carries W / 3, and multiplies whatever it is off by a million in every step."""

    def initial(self, prompt):
        return Thirds(super().initial(prompt), super().initial(prompt))

    def step(self, l, iterate, prompt):
        W = super().step(l, iterate.W, prompt)
        error = iterate.third.scale(3) - iterate.W
        return Thirds(W, W.scale(Fraction(1, 3)) + error.scale(10**6))

    def predict(self, iterate, prompt):
        return super().predict(iterate.W, prompt)

    def state(self, l, iterate, prompt):
        return super().state(l, iterate.W, prompt)

    def relations(self, iterate, prompt):
        return (Relation("a third", iterate.third, iterate.W.scale(Fraction(1, 3))),)


def theorem(construction, bits=256):
    return ConstructionTheorem(
        name="a", system="this project", reference="a test", statement="A.", prototype=construction, bits=bits
    )


EXPONENTIAL = theorem(ExponentialMean(step_sizes=[1]))


def test_theorem_with_a_precision_has_balls_in_place_of_rationals():
    assert EXPONENTIAL.kinds == ("proof", "ball", "float", "cuda", "refutation")
    assert "ball" not in replace(EXPONENTIAL, bits=None).kinds


@pytest.mark.parametrize("kind", ["proof", "ball", "float", "refutation"])
def test_network_with_an_exponential_has_every_kind_of_evidence(kind):
    assert EXPONENTIAL.evidence(kind, Settings()).outcome == HOLDS


def test_ball_evidence_names_its_precision_and_how_wide_the_balls_became():
    evidence = EXPONENTIAL.evidence("ball", Settings())
    assert evidence.over.endswith("256 bits")
    assert 0 <= evidence.worst <= evidence.bound < 1e-50


def test_disjoint_balls_refute():
    evidence = theorem(SignFlipped(step_sizes=[1])).evidence("ball", Settings())
    assert (evidence.outcome, evidence.undecided) == (FAILS, False)
    assert evidence.worst > 0


def test_balls_locate_a_wrong_embedding():
    evidence = theorem(PositiveQueryStart(step_sizes=[1], W_0=[[1]])).evidence("ball", Settings())
    assert evidence.reason.startswith("y of query, embedding is not what the invariant claims")


def test_balls_too_wide_to_reject_a_sign_flip_count_as_not_run():
    evidence = theorem(GDPlusPlus(step_sizes=[1], curvature_steps=[1]), bits=2).evidence("ball", Settings(instances=3))
    assert evidence.outcome == NOT_RUN
    assert evidence.reason.startswith("uninformative: the bound does not reject the mutant stage 1")


def test_every_mutant_is_refuted_in_balls_or_proved_equivalent():
    outcomes = EXPONENTIAL.mutation_outcomes(Settings())
    assert {o.is_equivalent for o in outcomes} == {False}
    assert {o.refuted_at for o in outcomes} == {
        "layer 1, slot 'y' of group 'query', step",
        "layer 1, slot 'y' of group 'context', step",
    }


@pytest.mark.parametrize("in_kind", [lambda entry: BallBlock.lift(entry).entry, lambda entry: np.array(entry, float)])
def test_iterate_that_satisfies_a_relation_is_restarted_with_its_radius(in_kind):
    """Its midpoint is no iterate: here the step would make a difference of a rounding a million times as large."""
    construction = UnstableThirds(step_sizes=[Fraction(1, 7)] * 3)
    with precision(64):
        prompt = rational_prompt(3, 3, 2).map(in_kind)
        assert check(construction, prompt).holds
        assert check(construction, prompt, arbitrary=restarted).failure.claim.kind == "relation"


def test_float_run_is_held_against_balls():
    construction, prompt = next(EXPONENTIAL.instances(Settings(), np.float64))
    assert held_against_exact((construction, prompt), (construction, prompt), 256) is None
    other = replace(construction, step_sizes=[2 * eta + 1 for eta in construction.step_sizes])
    found = held_against_exact((construction, prompt), (other, prompt), 256)
    assert found.startswith("after layer 1, slot 'y' of group 'query': off by")


@pytest.mark.parametrize(
    ("ball", "verdict"),
    [(arb(1, 2.0**-60), Verdict.EQUAL), (arb(1.5, 0.25), Verdict.EQUAL), (arb(2), Verdict.DIFFERENT)],
    ids=["inside", "overlapping", "outside"],
)
def test_value_with_a_radius_contains_a_ball_that_it_overlaps(ball, verdict):
    held = RoundedBlock.lift(Rounded(np.array([[1.0]]), np.array([[0.25]])))
    assert contains(held, BallBlock.lift([[ball]])).verdict is verdict


def test_a_float_above_is_the_least_one():
    third = Fraction(1, 3)
    assert float_above(third) >= third > Fraction(np.nextafter(float_above(third), 0.0))
    assert float_above(Fraction(1, 4)) == 0.25
    assert float_above(None) is None

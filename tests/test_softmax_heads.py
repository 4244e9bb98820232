"""Softmax heads: their limits, the sink, and the bounds on what is left."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.softmax_copying import SoftmaxMerging
from constructions.softmax_heads import SoftmaxDescent, SoftmaxDescentWithSink, times
from numerics.balls import BallBlock, precision
from numerics.check import check
from numerics.instances import float_prompt, rational_prompt
from numerics.rationals import RationalBlock
from proofs import prove
from proofs.evidence import FAILS, HOLDS, Settings
from proofs.limits import BITS
from proofs.softmax_heads import softmax_derivatives, theorems

THEOREMS = {theorem.name: theorem for theorem in theorems()}
CENTRED = THEOREMS["two_softmax_heads_take_the_centred_gradient_step"]
SINK = THEOREMS["a_sink_turns_two_softmax_heads_into_a_gradient_step"]
MERGING = THEOREMS["softmax_heads_with_a_sink_merge_alternating_prompt"]
FEW = Settings(instances=4)


@pytest.mark.parametrize("theorem", THEOREMS.values(), ids=THEOREMS)
@pytest.mark.parametrize("kind", ["proof", "ball", "float", "refutation"])
def test_each_theorem_has_its_evidence(theorem, kind):
    assert theorem.evidence(kind, FEW).outcome == HOLDS


@pytest.mark.parametrize(
    "construction",
    [SoftmaxDescent(eta=1, eps=1), SoftmaxDescentWithSink(eta=1, eps=1, b=1), SoftmaxMerging(beta=1)],
    ids=["two heads", "two heads and a sink", "merging"],
)
def test_the_networks_are_what_they_claim_for_all_sizes(construction):
    assert prove(construction).holds


def test_two_heads_tend_to_the_centred_step_in_floats_too():
    """By NumPy alone: (eta / n) Y (z - mean z), up to the proved bound."""
    prompt, eta, eps = float_prompt(5, 6, 3, 1), 0.5, 2.0**-12
    z = (prompt.X.T @ prompt.x_query)[:, 0]
    R = z.max() - z.min()
    bound = eta / 6 * np.abs(prompt.Y).sum() * eps**2 * R**3 * np.exp(eps * R) / 3
    rounding = 1e3 * np.finfo(float).eps / eps
    predicted = SoftmaxDescent(eta=eta, eps=eps)(prompt.X, prompt.Y, prompt.x_query)[0, 0]
    assert abs(predicted - eta / 6 * prompt.Y[0] @ (z - z.mean())) <= bound + rounding
    assert abs(predicted - eta / 6 * prompt.Y[0] @ z) > bound + rounding


def test_with_a_sink_they_tend_to_what_gradient_descent_predicts():
    prompt = float_prompt(7, 5, 2, 2)
    plain = GradientDescent(step_sizes=[0.5])(prompt.X, prompt.Y, prompt.x_query)
    errors = [
        np.abs(SoftmaxDescentWithSink(eta=0.5, eps=2.0**-k, b=b)(prompt.X, prompt.Y, prompt.x_query) - plain).max()
        for k, b in ((2, 2), (6, 6), (12, 12))
    ]
    assert errors[2] < errors[1] / 10 < errors[0] / 100


@pytest.mark.parametrize(("beta", "merged"), [(1, False), (40, True)])
def test_the_merged_tokens_are_exact_to_float64_from_beta_40_on(beta, merged):
    prompt = float_prompt(3, 4, 2, 1)
    held = SoftmaxMerging(beta=beta)(prompt.X, prompt.Y, prompt.x_query)
    y2 = held[2 + 1 + 2]
    assert (np.abs(y2[:4] - prompt.Y[0]).max() < 1e-12) == merged


def test_scores_that_would_overflow_do_no_harm():
    """exp(2000) is beyond float64; the softmax is shifted, and the copy is then exact."""
    prompt = float_prompt(3, 4, 2, 1)
    held = SoftmaxMerging(beta=2000.0)(prompt.X, prompt.Y, prompt.x_query)
    np.testing.assert_array_equal(held[5, :4], prompt.Y[0])


def test_a_bound_that_is_too_small_fails():
    tight = replace(CENTRED, bound=lambda network, prompt: CENTRED.bound(network, prompt).scale(Fraction(1, 9)))
    assert tight.evidence("ball", Settings()).outcome == FAILS


def test_a_limit_that_is_wrong_fails():
    wrong = replace(CENTRED, limit=SINK.limit)
    assert "the distance from the limit is" in wrong.evidence("ball", FEW).reason


def test_a_right_limit_called_wrong_is_not_refuted():
    empty = replace(CENTRED, wrong={"the right one": (CENTRED.limit, CENTRED.bound)})
    assert "not refuted: the right one" in empty.evidence("refutation", FEW).reason


def test_a_wrong_step_of_the_proof_is_undecided():
    text, left, right = softmax_derivatives()[3]
    wrong = replace(CENTRED, steps=lambda: ((text, left, -right),))
    evidence = wrong.evidence("proof", FEW)
    assert (evidence.outcome, evidence.undecided) == (FAILS, True)


def test_a_network_that_is_not_what_it_claims_fails():
    class Unscaled(SoftmaxDescent):
        def step(self, l, prediction, prompt):
            return super().step(l, prediction, prompt).scale(2)

    wrong = replace(CENTRED, networks=[Unscaled(eta=1, eps=Fraction(1, 4))])
    assert wrong.evidence("proof", FEW).outcome == FAILS
    assert wrong.evidence("ball", FEW).outcome == FAILS
    assert wrong.evidence("float", FEW).outcome == FAILS


def test_the_numbers_of_a_sink_are_enclosed():
    with precision(BITS):
        report = check(SoftmaxDescentWithSink(eta=1, eps=1, b=5), rational_prompt(0, 3, 2), kind=BallBlock)
    assert report.holds
    assert report.bound < Fraction(1, 2**128)


def test_a_block_times_a_number_that_is_a_block():
    block, number = RationalBlock.lift([[1, 2], [3, 4]]), RationalBlock.lift([[5]])
    assert times(block, number).entry.tolist() == [[5, 10], [15, 20]]


def test_a_sink_of_score_zero_is_one_more_key():
    """e^0 = 1: the sum of exponentials is n + 1 at eps -> 0, so each key counts 1 / (n + 1)."""
    held = rational_prompt(2, 3, 2).lifted(BallBlock)
    with precision(BITS):
        network = SoftmaxDescentWithSink(eta=1, eps=Fraction(1, 2**60), b=0)
        predicted = forward(network, held).entry[0, 0]
        z = held.X.T @ held.x_query
        mean = (z.ones(1, 3) @ z).entry[0, 0] / 4
        expected = sum(
            (y * (score - mean) for y, score in zip(held.Y.entry[0], z.entry[:, 0], strict=True)), start=arb(0)
        )
        assert abs(predicted - expected / 12) < arb(2) ** -100


def test_a_theorem_prints_its_proof():
    assert "A_k' = A_(k+1)" in CENTRED.shown()

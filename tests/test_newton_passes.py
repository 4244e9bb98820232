"""The Newton transformer in balls: what it encloses, when it stops, and what it makes of the precision."""

from fractions import Fraction
from itertools import islice
from math import inf

import pytest
from flint import arb, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st
from plain_regression import dot, least_squares, newton_weights

from constructions.construction import forward
from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from numerics.balls import as_arb, precision
from numerics.rationals import RationalBlock, as_fmpq
from proofs import newton_passes
from proofs.newton_passes import Question, goals_of, proven_answers, read_out, streams_of_queries
from proofs.proven_digits import midpoint

X = [[1, 1, 1, 1], [2, -1, 3, 0], [Fraction(1, 2), 4, 0, -1]]
Y = [[3, 1, 4, Fraction(1, 3)]]
QUERIES = [[1, 0], [0, 5], [2, Fraction(-1, 7)]]
CONTEXT = [([row[i] for row in X], Y[0][i]) for i in range(4)]
TRACE = sum(value**2 for row in X for value in row)


def column(queries, j):
    return [Fraction(row[j]) for row in queries]


def question(X=X, Y=Y, queries=QUERIES, alpha=None, steps=None, digits=15, W=None):
    """The question with goals from another route: W by elimination where it is not given."""
    prompt = Prompt(X, Y, [[row[0]] for row in queries]).lifted(RationalBlock)
    weights = W or least_squares([([row[i] for row in X], Y[0][i]) for i in range(len(Y[0]))])
    queried = RationalBlock.lift(queries).matrix
    best = fmpq_mat(1, len(weights), [as_fmpq(weight) for weight in weights])
    alpha = alpha or Fraction(1, sum(Fraction(value) ** 2 for row in X for value in row))
    return Question(prompt, queried, goals_of(prompt, queried, best), alpha, steps, digits)


def holds(ball, value):
    with precision(2000):
        return not (as_arb(value) < ball) and not (as_arb(value) > ball)


@given(st.integers(0, 4))
def test_one_pass_predicts_every_query_as_a_pass_of_its_own_does(steps):
    network = NewtonFromIdentity(alpha=Fraction(1, 50), steps=steps)
    prompts = [Prompt(X, Y, [[value] for value in column(QUERIES, j)]).lifted() for j in range(2)]
    streams = streams_of_queries(network, prompts[0], RationalBlock.lift(QUERIES))
    row = read_out(network, next(islice(streams, steps, None)), prompts[0])
    assert row.matrix.entries() == [forward(network, prompt).matrix[0, 0] for prompt in prompts]


@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("bits", [100, 1000])
def test_balls_enclose_the_iterate_and_its_distance_to_least_squares(steps, bits):
    found = proven_answers(question(steps=steps, digits=10), bits, 2000)
    best, w = least_squares(CONTEXT), newton_weights(CONTEXT, Fraction(1, TRACE), steps)
    assert found.steps == steps
    for j, answer in enumerate(found.answers):
        query = column(QUERIES, j)
        assert holds(answer.iterate, dot(w, query))
        assert holds(answer.difference, dot(w, query) - dot(best, query))


@pytest.mark.parametrize("digits", [1, 3, 6])
def test_search_takes_the_fewest_steps_that_give_the_digits(digits):
    found = proven_answers(question(digits=digits), 64, 2000)
    best = least_squares(CONTEXT)

    def errors(steps):
        w = newton_weights(CONTEXT, Fraction(1, TRACE), steps)
        predicted = [(dot(w, column(QUERIES, j)), dot(best, column(QUERIES, j))) for j in range(2)]
        return [abs(value - right) / Fraction(10) ** (len(str(int(abs(right)))) - 1) for value, right in predicted]

    assert all(abs(dot(best, column(QUERIES, j))) >= 1 for j in range(2))
    limit = Fraction(10) ** (1 - digits) / 2
    assert all(error <= limit for error in errors(found.steps))
    assert not all(error <= limit for error in errors(found.steps - 1))
    assert all(answer.digits >= digits for answer in found.answers)


def test_precision_is_doubled_until_it_suffices():
    seen = []
    found = proven_answers(question(digits=100), 20, 10**4, lambda bits, steps: seen.append(bits))
    assert sorted(set(seen)) == [20 * 2**i for i in range(len(set(seen)))]
    assert found.bits == seen[-1] > 300


def test_the_limit_of_the_precision_is_tried_exactly():
    seen = []
    assert proven_answers(question(digits=100), 64, 300, lambda bits, steps: seen.append(bits)) is None
    assert sorted(set(seen)) == [64, 128, 256, 300]


def test_a_guess_above_the_limit_is_cut():
    assert proven_answers(question(digits=5), 4096, 150).bits == 150


def test_steps_are_given_up_once_the_radii_have_swamped_the_values():
    seen = []
    assert proven_answers(question(steps=5000), 64, 64, lambda bits, steps: seen.append(steps)) is None
    assert max(seen) < 200


def test_a_prediction_of_zero_by_symmetry_is_proven_in_the_units_of_the_data():
    """x = +-1 in turn and equal targets: the slope is 0, and no iterate has it exactly."""
    X, Y = [[1, 1, 1], [1, -1, 1]], [[1, 1, 1]]
    found = proven_answers(question(X, Y, [[0], [1]], digits=12), 64, 1000)
    (answer,) = found.answers
    w = newton_weights([([1, 1], 1), ([1, -1], 1), ([1, 1], 1)], Fraction(1, 6), found.steps)
    assert w[1] != 0
    assert abs(w[1]) <= Fraction(1, 2 * 10**12)
    assert holds(answer.iterate, w[1])
    assert answer.digits >= 12


@pytest.mark.parametrize("steps", [40, 200])
def test_a_zero_that_no_precision_tells_from_its_approximation_counts_as_zero(steps):
    """After so many steps the slope is below 10^-(10^9)."""
    X, Y = [[1, 1, 1], [1, -1, 1]], [[1, 1, 1]]
    found = proven_answers(question(X, Y, [[0], [1]], steps=steps), 64, 1000)
    (answer,) = found.answers
    assert answer.written is None
    assert abs(answer.iterate) < arb(1e-15)


def test_an_iterate_that_stalls_at_zero_is_bounded_at_the_limit_of_the_precision():
    """alpha = 2 / lambda on a rounded third: M_1 = 0, but least squares is 1."""
    found = proven_answers(question([[1, 1, 1]], [[1, 1, 1]], [[1]], Fraction(2, 3), steps=2), 64, 256)
    (answer,) = found.answers
    assert (answer.written, found.bits, answer.digits) == (None, 256, 0)
    assert abs(answer.iterate) < arb(1e-15)


def test_exact_equality_has_all_digits():
    (answer,) = proven_answers(question([[2]], [[3]], [[2]], Fraction(1, 4)), 64, 64).answers
    assert (answer.written, answer.digits) == ("3.00000000000000", inf)


def test_a_difference_at_the_limit_itself_takes_another_step():
    """Least squares is 1 and the error 1/20 before the first step: half a unit of the second digit, undecidable."""
    found = proven_answers(question([[1]], [[1]], [[1]], Fraction(19, 20), digits=2), 64, 640)
    assert (found.steps, found.bits) == (1, 128)


def test_a_difference_close_to_the_limit_is_decided_with_more_bits():
    """Below half a unit of the second digit by one part in 10^9: no step is needed, which 20 bits do not show."""
    alpha = 1 - Fraction(1, 20) * (1 - Fraction(1, 10**9))
    found = proven_answers(question([[1]], [[1]], [[1]], alpha, digits=2), 20, 640)
    assert found.steps == 0
    assert found.bits > 20


def test_a_rank_deficient_context_converges_to_minimum_norm():
    """With two equal features the smallest weights are equal; the query has a part that no token sees."""
    X, Y = [[1, 2], [1, 2]], [[2, 3]]
    found = proven_answers(question(X, Y, [[1, 5], [0, 0]], digits=20, W=[Fraction(4, 5)] * 2), 64, 2000)
    assert [answer.written for answer in found.answers] == ["0.80000000000000000000", "4.0000000000000000000"]


def test_a_diverging_iterate_is_enclosed():
    """In one dimension 1 - alpha lambda = -2: the error is 2^(2^k)."""
    (answer,) = proven_answers(question([[1]], [[1]], [[1]], Fraction(3), steps=10), 64, 4000).answers
    with precision(2000):
        assert holds(answer.iterate, 1 - Fraction(2) ** 1024)
        assert midpoint(answer.iterate) < 0
    assert answer.digits == 0


def test_goal_of_a_zero_counts_from_the_units_of_the_data():
    prompt = Prompt([[1, -4], [0, 2]], [[3, 5]], [[1], [1]]).lifted(RationalBlock)
    (goal,) = goals_of(prompt, RationalBlock.lift([[1], [1]]).matrix, fmpq_mat(1, 2, [1, -1]))
    assert goal.scale == 5 * (Fraction(1, 4) + Fraction(1, 2))
    assert goal.unit == goal.scale / 10


def test_features_that_are_zero_do_not_count_for_the_units():
    prompt = Prompt([[1], [0]], [[3]], [[1], [1]]).lifted(RationalBlock)
    (goal,) = goals_of(prompt, RationalBlock.lift([[1], [1]]).matrix, fmpq_mat(1, 2, [200, 7]))
    assert (goal.scale, goal.unit) == (3, 100)


def test_a_difference_that_is_undecided_for_its_radius_asks_for_more_bits():
    half = arb(1)
    assert newton_passes._is_too_wide([arb(1, 0.1)], [half])
    assert not newton_passes._is_too_wide([arb(1, 1e-20)], [half])
    assert not newton_passes._is_too_wide([arb(1, 0.1), arb(3)], [half, half])
    assert not newton_passes._is_too_wide([arb(0.5, 0.1)], [half])

"""Momentum, weight decay and online steps: the networks against the methods written in plain NumPy over Fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import forward, iterates, streams
from constructions.gradient_descent import GradientDescent
from constructions.heavy_ball import HeavyBall, NesterovDescent, TwoMemories
from constructions.online import OnlineDescent
from constructions.parameters import Repeated, lifted
from constructions.prompt import Prompt
from constructions.ridge import RidgeDescent, RidgeWithTheSignOfTheDemo
from numerics.rationals import RationalBlock, as_fraction
from numerics.strategies import instances, rational_prompts

ONE = [[1]]


def predicted(construction, prompt):
    return np.array(
        [[as_fraction(value) for value in row] for row in forward(construction, prompt).entry], dtype=object
    )


def held(instance):
    """(construction, X, Y, x_query, W_0), the last four as arrays of Fractions."""
    construction, prompt = instance.construction, instance.prompt
    entries = (prompt.X, prompt.Y, prompt.x_query, construction.W_0)
    return construction, *(np.array(entry, dtype=object) for entry in entries)


def gradient(W, X, Y):
    return (W @ X - Y) @ X.T / Fraction(X.shape[1])


@given(instances(HeavyBall(step_sizes=[1], momenta=[1], W_0=ONE)))
def test_velocity_slot_runs_heavy_ball(instance):
    c, X, Y, x, W = held(instance)
    previous = W
    for eta, beta in zip(c.step_sizes, c.momenta, strict=True):
        W, previous = W - eta * gradient(W, X, Y) + beta * (W - previous), W
    assert (predicted(c, instance.prompt) == W @ x).all()


@given(instances(NesterovDescent(step_sizes=[1], momenta=[1], W_0=ONE)))
def test_velocity_slot_runs_nesterov(instance):
    c, X, Y, x, W = held(instance)
    previous = W
    for eta, beta in zip(c.step_sizes, c.momenta, strict=True):
        ahead = W + beta * (W - previous)
        W, previous = ahead - eta * gradient(ahead, X, Y), W
    assert (predicted(c, instance.prompt) == W @ x).all()


@given(instances(TwoMemories(step_sizes=[1], momenta=[1], older_momenta=[1], W_0=ONE), depth=st.integers(1, 4)))
def test_two_velocity_slots_run_two_step_momentum(instance):
    c, X, Y, x, W = held(instance)
    previous = older = W
    for eta, beta, kappa in zip(c.step_sizes, c.momenta, c.older_momenta, strict=True):
        moved = W - eta * gradient(W, X, Y) + beta * (W - previous) + kappa * (previous - older)
        W, previous, older = moved, W, previous
    assert (predicted(c, instance.prompt) == W @ x).all()


def test_looped_heavy_ball_has_the_reference_values_of_the_momentum_sum():
    """f(W) = W^2 / 2, gamma = 1, eta = 1/2 from W = 1: 1, 1/2, 0, -1/4, as rate gamma eta and momentum eta."""
    values = [
        predicted(
            HeavyBall(step_sizes=Repeated(Fraction(1, 2), k), momenta=Repeated(Fraction(1, 2), k), W_0=ONE),
            Prompt([[1]], [[0]], [[1]]),
        ).item()
        for k in range(4)
    ]
    assert values == [1, Fraction(1, 2), 0, Fraction(-1, 4)]


def test_the_momentum_sum_written_out_has_the_same_reference_values():
    theta, gradients, eta = [Fraction(1)], [], Fraction(1, 2)
    for t in range(1, 5):
        theta.append(theta[-1] - sum(eta ** (t - i) * gradients[i - 1] for i in range(1, t)))
        gradients.append(theta[-1])
    assert theta[1:] == [1, Fraction(1, 2), 0, Fraction(-1, 4)]


@given(instances(HeavyBall(step_sizes=[1], momenta=[1], W_0=ONE), depth=2))
def test_without_momentum_heavy_ball_is_gradient_descent(instance):
    c = instance.construction
    still = HeavyBall(step_sizes=c.step_sizes, momenta=[0, 0], W_0=c.W_0)
    descent = GradientDescent(step_sizes=c.step_sizes, W_0=c.W_0)
    assert (predicted(still, instance.prompt) == predicted(descent, instance.prompt)).all()


@given(instances(RidgeDescent(step_sizes=[1], decays=[1], W_0=ONE)))
def test_prediction_slot_runs_ridge_descent(instance):
    c, X, Y, x, W = held(instance)
    for eta, lam in zip(c.step_sizes, c.decays, strict=True):
        W = W - eta * (gradient(W, X, Y) + lam * W)
    assert (predicted(c, instance.prompt) == W @ x).all()


def test_ridge_descent_rests_at_the_ridge_solution():
    """n = d = m = 1: (X^2 + lam) W = X Y, so that X = 1, Y = 3, lam = 2 have W = 1."""
    network = RidgeDescent(step_sizes=[Fraction(1, 5)] * 3, decays=[2] * 3, W_0=ONE)
    assert predicted(network, Prompt([[1]], [[3]], [[7]])) == 7


def test_ridge_descent_keeps_the_targets():
    prompt = Prompt([[1, 2]], [[3, 5]], [[1]])
    *_, last = streams(RidgeDescent(step_sizes=[1, 1], decays=[1, 1]), prompt)
    assert [as_fraction(value) for value in last["y", "context"].entry[0]] == [3, 5]


def test_with_the_sign_of_the_demo_the_weights_grow():
    """No data, W_0 = 1, eta = lam = 1: decay gives 0, the demo's sign 2."""
    prompt = Prompt([[0]], [[0]], [[1]])
    right, wrong = (c(step_sizes=[1], decays=[1], W_0=ONE) for c in (RidgeDescent, RidgeWithTheSignOfTheDemo))
    assert (predicted(right, prompt), predicted(wrong, prompt)) == (0, 2)


@given(instances(OnlineDescent(step_sizes=[1], W_0=ONE), depth=st.integers(1, 6)))
def test_position_codes_run_online_gradient_descent(instance):
    """Also for more layers than examples, which start again at the first."""
    c, X, Y, x, W = held(instance)
    for l, eta in enumerate(c.step_sizes):
        i = l % X.shape[1]
        W = W - eta * np.outer(W @ X[:, i] - Y[:, i], X[:, i])
    assert (predicted(c, instance.prompt) == W @ x).all()


@given(rational_prompts())
def test_online_weights_depend_on_the_layer_and_not_on_the_data(prompt):
    other = prompt.map(lambda entry: [[value + 1 for value in row] for row in entry])
    keys = []
    for each in (prompt.lifted(), other.lifted()):
        layer = lifted(OnlineDescent(step_sizes=[1, 1]), RationalBlock, each).layer(1, each)
        keys.append(layer.sublayers[0].heads[0].key["key", "code"].entry.tolist())
    assert keys[0] == keys[1]
    assert keys[0][0][1 % len(keys[0][0])] == 1


@pytest.mark.parametrize(
    ("construction", "iterate"),
    [
        (HeavyBall(step_sizes=[1], momenta=[1], W_0=ONE), "V"),
        (NesterovDescent(step_sizes=[1], momenta=[1], W_0=ONE), "V"),
    ],
)
def test_velocity_is_the_last_move(construction, iterate):
    first, second = iterates(construction, Prompt([[2]], [[1]], [[1]]))
    assert as_fraction(getattr(second, iterate).entry.item()) == as_fraction((second.W - first.W).entry.item())

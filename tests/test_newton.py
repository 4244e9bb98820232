"""Newton's iteration: the networks against the iteration written in plain Python, and their sizes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from constructions.construction import forward, iterates, streams
from constructions.layer import Attention, Layer
from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked, NewtonFromGramOwnRows, NewtonFromGramUnmasked
from constructions.newton_interleaved import NewtonInterleaved
from constructions.newton_paper import PaperNewton
from constructions.prompt import Prompt
from constructions.relu_pairs import relu_pair
from numerics.baselines import least_squares
from numerics.check import check
from numerics.instances import Sizes
from numerics.rationals import as_fraction
from numerics.strategies import rational_prompts, sizes

GRAM = [NewtonFromGramMasked, NewtonFromGramUnmasked, NewtonFromGramOwnRows]
MERGED = [NewtonFromIdentity, *GRAM]
merged = pytest.mark.parametrize("network", MERGED, ids=lambda cls: cls.__name__)


def newton_prediction(prompt, alpha, steps, from_gram):
    """Y X^T M_k x_query by object arrays of Fractions: another route than the blocks."""
    X, Y, x = (np.array(entry, dtype=object) for entry in (prompt.X, prompt.Y, prompt.x_query))
    S = X @ X.T
    M = alpha * (S if from_gram else np.array([[Fraction(int(i == j)) for j in range(len(S))] for i in range(len(S))]))
    for _ in range(steps):
        M = 2 * M - M @ S @ M
    return Y @ X.T @ M @ x


def predicted(network, prompt):
    column = forward(network, prompt).entry
    return np.array([[as_fraction(value) for value in row] for row in column], dtype=object)


@merged
@given(rational_prompts(), st.integers(0, 3), st.booleans(), st.booleans())
def test_network_runs_newton(network, prompt, steps, looped, relu):
    alpha = Fraction(1, 7)
    transformer = network(alpha=alpha, steps=steps, looped=looped, relu=relu)
    claimed = newton_prediction(prompt, alpha, steps, from_gram=network is not NewtonFromIdentity)
    assert (predicted(transformer, prompt) == claimed).all()


@given(rational_prompts(sizes(max_n=3, max_d=2, max_m=1)), st.integers(0, 2), st.booleans())
def test_paper_network_runs_newton(prompt, steps, printed):
    transformer = PaperNewton(alpha=Fraction(1, 7), steps=steps, printed=printed)
    assert (predicted(transformer, prompt) == newton_prediction(prompt, Fraction(1, 7), steps, True)).all()


@given(rational_prompts(sizes(max_n=3, max_d=2, max_m=2)), st.integers(0, 2), st.booleans(), st.booleans())
def test_interleaved_network_runs_newton(prompt, steps, looped, relu):
    transformer = NewtonInterleaved(alpha=Fraction(1, 7), steps=steps, looped=looped, relu=relu)
    assert (predicted(transformer, prompt) == newton_prediction(prompt, Fraction(1, 7), steps, False)).all()


@pytest.mark.parametrize("network", [NewtonFromGramMasked, NewtonFromGramOwnRows], ids=lambda cls: cls.__name__)
@given(rational_prompts(sizes(max_n=4, max_d=3, max_m=2)), st.integers(0, 3), st.booleans(), st.booleans())
def test_network_with_the_printed_heads_runs_newton(network, prompt, steps, looped, relu):
    transformer = network(alpha=Fraction(1, 7), steps=steps, looped=looped, relu=relu, printed=True)
    assert (predicted(transformer, prompt) == newton_prediction(prompt, Fraction(1, 7), steps, True)).all()


@pytest.mark.parametrize("network", [NewtonFromGramMasked, NewtonFromGramOwnRows, PaperNewton])
def test_printed_heads_read_the_query_from_x_and_the_key_from_u(network):
    """The stable heads the other way round."""
    prompt = Prompt([[1]], [[1]], [[1]]).lifted()
    for printed, slots in ((True, ("x", "u")), (False, ("u", "x"))):
        layer = network(alpha=1, steps=1, printed=printed).layer(0, prompt)
        head = layer.sublayers[0].heads[0]
        assert tuple(slot.lower() for weight in (head.query, head.key) for _, slot in weight) == slots


PROMPT = [[1, 2, -1], [0, 1, 1]], [[1, 0, 2]], [[1], [2]]


@pytest.mark.parametrize("steps", range(13))
def test_interleaved_network_has_k_plus_8_layers(steps):
    transformer = PaperNewton(alpha=Fraction(1, 100), steps=steps)
    floats = [np.array(entry, dtype=float) for entry in PROMPT]
    assert len(list(streams(transformer, Prompt(*floats)))) - 1 == steps + 8


@pytest.mark.parametrize("d", [1, 2, 5])
def test_interleaved_network_has_width_5_d_plus_5(d):
    prompt = Prompt([[1, 2]] * d, [[1, 1]], [[1]] * d).lifted()
    stream = PaperNewton(alpha=1, steps=1).embed(prompt)
    assert sum(stream.slots.values()) == 5 * d + 5
    assert sum(stream.groups.values()) == 2 * 2 + 1
    assert stream.positions() == {"inputs": (0, 2), "targets": (1, 2), "query": (4, 1)}


@pytest.mark.parametrize(
    ("network", "width", "extra_layers"),
    [
        (NewtonFromIdentity, 7, 1),
        (NewtonFromGramMasked, 7, 2),
        (NewtonFromGramUnmasked, 8, 2),
        (NewtonFromGramOwnRows, 10, 2),
        (NewtonInterleaved, 13, 2),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_shallow_networks_have_the_stated_width_and_depth(network, width, extra_layers):
    """d = 3, m = 1: width 2 d + 1, 2 d + 1, 2 d + 2, 3 d + 1, 3 d + 4."""
    prompt = Prompt([[1, 2]] * 3, [[1, 1]], [[1]] * 3)
    transformer = network(alpha=Fraction(1, 9), steps=4)
    first, *rest = streams(transformer, prompt)
    assert sum(first.slots.values()) == width
    assert len(rest) == 4 + extra_layers


def test_two_targets_are_refused_by_the_interleaved_network():
    with pytest.raises(ValueError, match="PaperNewton is meant for 1 target, but Y has 2 rows"):
        PaperNewton(alpha=1, steps=1)([[1]], [[1], [2]], [[1]])


@merged
def test_steps_must_be_a_number_of_layers(network):
    with pytest.raises(ValueError, match="steps = -1: the number of layers must be at least 0"):
        network(alpha=1, steps=-1)(*PROMPT)
    with pytest.raises(TypeError, match="steps must be an int"):
        network(alpha=1, steps=1.5)(*PROMPT)


@merged
def test_newton_converges_to_least_squares(network):
    prompt = Prompt(*PROMPT)
    trace = sum(value**2 for row in prompt.X for value in row)
    alpha = Fraction(1, trace) if network is NewtonFromIdentity else Fraction(1, trace**2)
    *_, last = iterates(network(alpha=alpha, steps=9), prompt)
    held = prompt.lifted()
    claimed = (least_squares(prompt) @ held.x_query).entry[0, 0]
    error = as_fraction(predicted_by_iterate(network, alpha, last, held)) - as_fraction(claimed)
    assert abs(error) < Fraction(1, 10**10)


def predicted_by_iterate(network, alpha, iterate, prompt):
    return network(alpha=alpha, steps=9).predict(iterate, prompt).entry[0, 0]


@merged
def test_float_run_agrees_within_its_bound_for_a_large_prompt(network):
    rng = np.random.default_rng(0)
    X, Y, x = rng.standard_normal((20, 40)), rng.standard_normal((1, 40)), rng.standard_normal((20, 1))
    norm = np.linalg.norm(X @ X.T)
    alpha = 1 / norm if network is NewtonFromIdentity else 1 / norm**2
    report = check(network(alpha=float(alpha), steps=12), Prompt(X, Y, x))
    assert report.holds, report.failure


def test_relu_pair_of_a_relu_head_is_refused():
    layer = NewtonFromIdentity(alpha=1, steps=1).layer(0, Prompt([[1]], [[1]], [[1]]).lifted())
    (head,) = layer.sublayers[0].heads
    with pytest.raises(ValueError, match="only a linear head is a pair of ReLU heads"):
        relu_pair(replace(head, score="relu"))


def test_printed_pair_of_relu_heads_gives_the_absolute_value():
    """V_2 = +V_1, as printed: |z| in place of z, refuted by one token."""
    transformer = NewtonFromIdentity(alpha=Fraction(1, 2), steps=1)
    prompt = Prompt([[1]], [[1]], [[-1]]).lifted()
    stream = transformer.embed(prompt)
    layer = transformer.layer(0, prompt)
    (head,) = layer.sublayers[0].heads
    first, second = relu_pair(head)
    correct = Layer(Attention(first, second))(stream)["u", "query"]
    printed = Layer(Attention(first, replace(second, value=first.value)))(stream)["u", "query"]
    values = [as_fraction(block.entry[0, 0]) for block in (correct, layer(stream)["u", "query"], printed)]
    assert values == [Fraction(-3, 8), Fraction(-3, 8), Fraction(-5, 8)]


def test_sizes_of_the_strategies_reach_fewer_tokens_than_features():
    assert find(sizes(), lambda s: s.n < s.d) == Sizes(1, 2, 1)

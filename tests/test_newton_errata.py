"""Errata of the paper on Newton's iteration: each by another route than its proof."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import forward, streams
from constructions.newton_as_printed import (
    PaperNewtonEqualValues,
    PaperNewtonEqualValuesWithQuery,
    PaperNewtonWithQueryClaimedOnGram,
)
from constructions.newton_causal import (
    CausalNewton,
    CausalNewtonReadThroughQuery,
    StableCausalNewton,
    StableCausalNewtonReadThroughQuery,
    prefix_mean,
)
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_paper import PaperNewton
from constructions.newton_with_query import NewtonFromGramWithQuery, PaperNewtonWithQuery
from constructions.prompt import Prompt
from numerics.instances import Sizes
from numerics.rationals import as_fraction
from numerics.strategies import rational_prompts, sizes
from proofs import prove
from proofs.counterexamples import smallest_counterexample

ALPHA = Fraction(1, 7)


def predicted(network, prompt):
    return [[as_fraction(value) for value in row] for row in forward(network, prompt).entry]


def with_query_as_example(prompt):
    """The prompt with one more example: the query, with the target 0."""
    X = [[*row, x] for row, (x,) in zip(prompt.X, prompt.x_query, strict=True)]
    return replace(prompt, X=X, Y=[[*row, Fraction(0)] for row in prompt.Y])


@given(rational_prompts(sizes(max_n=3, max_d=2, max_m=1)), st.integers(0, 2))
def test_query_among_the_keys_is_an_example_with_the_target_0(prompt, steps):
    """The network without its mask, held against the true one on a longer prompt."""
    printed = PaperNewtonWithQuery(alpha=ALPHA, steps=steps)
    assert predicted(printed, prompt) == predicted(PaperNewton(alpha=ALPHA, steps=steps), with_query_as_example(prompt))


@given(rational_prompts(), st.integers(0, 3), st.booleans(), st.booleans())
def test_both_networks_with_the_query_among_the_keys_agree(prompt, steps, looped, relu):
    shallow = NewtonFromGramWithQuery(alpha=ALPHA, steps=steps, looped=looped, relu=relu)
    for row in range(len(prompt.Y)):
        one = replace(prompt, Y=[prompt.Y[row]])
        deep = PaperNewtonWithQuery(alpha=ALPHA, steps=steps)
        assert predicted(deep, one) == [predicted(shallow, prompt)[row]]


def check_instance():
    """n = 12, d = 5: the prompt of the reference values, and alpha = 1 / |S S^T|_F."""
    rng = np.random.default_rng(0)
    X, w, noise, x = (rng.standard_normal(shape) for shape in ((12, 5), 5, 12, 5))
    S = X.T @ X
    return Prompt(X.T, (X @ w + 0.3 * noise)[None], x[:, None]), float(1 / np.linalg.norm(S @ S.T))


@pytest.mark.parametrize(
    ("network", "value", "digits"),
    [
        (PaperNewton, 2.07457, 5),
        (PaperNewtonEqualValues, 1.158, 3),
        (PaperNewtonWithQuery, 1.76331, 5),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_prediction_after_3_steps_is_the_reference_value(network, value, digits):
    """Values of another implementation of these networks, to the digits that it gives."""
    prompt, alpha = check_instance()
    prediction = network(alpha=alpha, steps=3)(prompt.X, prompt.Y, prompt.x_query)
    assert round(float(prediction[0, 0]), digits) == value


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_network_with_the_query_in_its_columns_is_narrower_by_d_rows(steps):
    prompt = Prompt([[1, 2], [0, 1], [1, 1]], [[1, 1]], [[1], [2], [3]])
    first, *rest = streams(PaperNewtonWithQuery(alpha=1, steps=steps), prompt)
    assert sum(first.slots.values()) == 4 * 3 + 5
    assert len(rest) == steps + 8


def test_mutual_scores_of_one_sign_hide_the_equal_values():
    """By hand, k = 0: |x_i x_j| differs from x_i x_j first for two inputs of opposite signs."""
    example = smallest_counterexample(PaperNewtonEqualValues(alpha=1, steps=1))
    assert (example.layers, example.sizes) == (0, Sizes(2, 1, 1))
    (X,), (Y,), ((x,),) = (example.entries[name] for name in ("X", "Y", "x_query"))
    alpha = example.entries["alpha"]
    scores = [sum(alpha * abs(X[i] * X[j]) * X[i] for i in range(2)) for j in range(2)]
    assert example.predicted == [[sum(y * u for y, u in zip(Y, scores, strict=True)) * x]]
    assert example.claimed == [[sum(y * z for y, z in zip(Y, X, strict=True)) * alpha * (X[0] ** 2 + X[1] ** 2) * x]]


@pytest.mark.parametrize(
    "network", [PaperNewtonEqualValues, PaperNewtonEqualValuesWithQuery, PaperNewtonWithQueryClaimedOnGram]
)
def test_printed_network_has_no_proof(network):
    assert not prove(network(alpha=1, steps=1)).holds


CAUSAL = {
    CausalNewton: ("printed", "keys"),
    CausalNewtonReadThroughQuery: ("printed", "query"),
    StableCausalNewton: ("stable", "keys"),
    StableCausalNewtonReadThroughQuery: ("stable", "query"),
}
causal = pytest.mark.parametrize("network", CAUSAL, ids=lambda cls: cls.__name__)


def causal_prediction(prompt, alpha, steps, update, read_out):
    """Token by token, in loops over plain numbers: a token sees the examples up to itself, the query all of them."""
    xs = [*zip(*prompt.X, strict=True), tuple(x for (x,) in prompt.x_query)]
    n = len(xs) - 1
    prefixes = [xs[: min(t + 1, n)] for t in range(n + 1)]

    def dot(a, b):
        return sum(p * q for p, q in zip(a, b, strict=True))

    def mean(weights, vectors):
        return [sum(w * v[i] for w, v in zip(weights, vectors, strict=True)) / len(vectors) for i in range(len(xs[0]))]

    us = [mean([alpha * dot(z, x) for z in prefix], prefix) for prefix, x in zip(prefixes, xs, strict=True)]
    for _ in range(steps):
        moved = []
        for t, prefix in enumerate(prefixes):
            keys = us[: len(prefix)]
            scores = [
                dot(u, xs[t]) if update == "printed" else dot(z, us[t]) for u, z in zip(keys, prefix, strict=True)
            ]
            moved.append([2 * u - s for u, s in zip(us[t], mean(scores, keys), strict=True)])
        us = moved
    scores = [dot(us[j], xs[n]) if read_out == "keys" else dot(xs[j], us[n]) for j in range(n)]
    return [[sum(y * s for y, s in zip(row, scores, strict=True)) / n] for row in prompt.Y]


@causal
@given(prompt=rational_prompts(sizes(max_n=4, max_d=2, max_m=2)), steps=st.integers(0, 2))
def test_causal_network_is_its_loop_over_tokens(network, prompt, steps):
    claimed = causal_prediction(prompt, ALPHA, steps, *CAUSAL[network])
    assert predicted(network(alpha=ALPHA, steps=steps), prompt) == claimed


@causal
@given(prompt=rational_prompts(sizes(max_n=1, max_d=3, max_m=2)), steps=st.integers(0, 3))
def test_causal_network_runs_newton_on_one_example(network, prompt, steps):
    masked = NewtonFromGramMasked(alpha=ALPHA, steps=steps)
    assert predicted(network(alpha=ALPHA, steps=steps), prompt) == predicted(masked, prompt)


@pytest.mark.parametrize(("network", "steps"), list(zip(CAUSAL, (0, 1, 0, 1), strict=True)))
def test_causal_network_fails_first_on_two_examples(network, steps):
    """Through the keys at once, since u_1 = alpha S_1 x_1; through the query after a step, which reads the keys."""
    example = smallest_counterexample(network(alpha=1, steps=1))
    assert (example.layers, example.sizes) == (steps, Sizes(2, 1, 1))
    assert example.sizes_searched == ()
    assert set(example.sizes_without) == {
        (k, Sizes(n, d, m))
        for k in range(steps + 1)
        for n in (1, 2)
        for d in (1, 2)
        for m in (1, 2)
        if k < steps or n < 2
    }


@causal
def test_causal_network_does_not_reach_least_squares(network):
    """x = 1, 2 and y = 1, 0, so that w = 1 / 5; alpha = 2 / 25 is below 2 / Sigma^2 for both prefixes, 1 and 5 / 2."""
    prompt = Prompt([[Fraction(1), Fraction(2)]], [[Fraction(1), Fraction(0)]], [[Fraction(1)]])
    alpha, sigma = Fraction(2, 25), Fraction(5, 2)
    M = alpha * sigma
    for _ in range(6):
        M = 2 * M - M * sigma * M
    ((reached,),) = predicted(network(alpha=alpha, steps=6), prompt)
    assert abs(M / 2 - Fraction(1, 5)) < Fraction(1, 10**6)
    assert abs(reached - Fraction(1, 5)) > Fraction(1, 20)


def test_mean_over_a_prefix_has_weights_that_add_up_to_one():
    """Three examples and a query, which is no key."""
    weight = prefix_mean(3)
    assert [sum(weight(j, t) for j in range(3)) for t in range(4)] == [1] * 4
    assert [weight(j, 1) for j in range(3)] == [Fraction(1, 2), Fraction(1, 2), 0]

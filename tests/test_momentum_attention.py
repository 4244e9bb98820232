"""Momentum attention, momentum on outer products, and the causal mask as a letter."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.attention import Mask, causal
from constructions.block import compare
from constructions.comparison import Verdict
from constructions.construction import forward, streams
from constructions.momentum_attention import MomentumAttention, ValuesAsOuterProducts
from constructions.outer_products import OuterProductMomentum
from constructions.prompt import Prompt
from constructions.stream import Stream
from numerics.check import check
from numerics.rationals import as_fraction
from numerics.strategies import instances
from proofs.catalogue import catalogue
from proofs.induction import prove
from proofs.symbols import SymbolBlock, size_of

ONE = [[1]]
HALF = Fraction(1, 2)
EYE = [[Fraction(int(i == j)) for j in range(3)] for i in range(3)]
ZERO = [[0] * 3] * 3


def predicted(construction, prompt):
    return np.array(
        [[as_fraction(value) for value in row] for row in forward(construction, prompt).entry], dtype=object
    )


def test_fourth_token_gets_the_reference_weights():
    """eta = 1/2, t = 4, values e_1, e_2, e_3 and queries 0: weights (1/8, 1/4, 1/2), which sum to 7/8, not 1."""
    network = MomentumAttention(eta=HALF, W_K=EYE, W_Q=ZERO, W_V=EYE, score="linear")
    weights = predicted(network, Prompt(EYE, EYE, [[0], [0], [0]]))[:, 0]
    assert weights.tolist() == [Fraction(1, 8), Fraction(1, 4), HALF]
    assert sum(weights) == HALF * (1 - HALF**3) / (1 - HALF) == Fraction(7, 8)


def test_outputs_are_those_of_the_definition_with_a_softmax():
    """A float run against token by token NumPy: softmax over the keys so far, and the weighted sum of the values."""
    rng = np.random.default_rng(0)
    n, d, m, eta = 5, 3, 2, 0.25
    X, x, W_K, W_Q, W_V = (rng.standard_normal(s) for s in ((d, n), (d, 1), (d, d), (d, d), (m, d)))
    network = MomentumAttention(eta=eta, W_K=W_K, W_Q=W_Q, W_V=W_V)
    *_, last = streams(network, Prompt(X, np.ones((m, n)), x))
    tokens = np.concatenate([X, x], axis=1)
    K, Q, V = W_K @ tokens, W_Q @ tokens, W_V @ tokens
    for t in range(n + 1):
        scores = np.exp(K[:, : t + 1].T @ Q[:, t])
        claimed = V[:, : t + 1] @ scores / scores.sum() + sum(eta ** (t - i) * V[:, i] for i in range(t))
        held = last["out", "context"].entry[:, t] if t < n else last["out", "query"].entry[:, 0]
        assert np.abs(held - claimed).max() < 1e-12 * np.abs(V).max() * n


@given(instances(MomentumAttention(eta=1, W_K=ONE, W_Q=ONE, W_V=ONE, score="linear"), depth=1))
def test_outputs_are_those_of_the_definition_without_a_softmax(instance):
    c, prompt = instance.construction, instance.prompt
    X, x, W_K, W_Q, W_V = (np.array(e, dtype=object) for e in (prompt.X, prompt.x_query, c.W_K, c.W_Q, c.W_V))
    tokens = [*X.T, x[:, 0]]
    t = len(tokens) - 1
    attended = sum(W_V @ u * ((W_K @ u) @ (W_Q @ tokens[t])) for u in tokens)
    claimed = attended + sum(c.eta ** (t - i) * (W_V @ tokens[i]) for i in range(t))
    assert (predicted(c, prompt)[:, 0] == claimed).all()


@given(instances(OuterProductMomentum(momentum=1, rates=[1], W_0=ONE), depth=st.integers(1, 5)))
def test_momentum_on_outer_products_is_run_by_a_velocity_slot(instance):
    c, prompt = instance.construction, instance.prompt
    X, Y, x, W = (np.array(e, dtype=object) for e in (prompt.X, prompt.Y, prompt.x_query, c.W_0))
    D = 0 * W
    for l, gamma in enumerate(c.rates):
        i = l % X.shape[1]
        D = c.momentum * D + gamma * np.outer(Y[:, i], X[:, i])
        W = W + D
    assert (predicted(c, prompt) == W @ x).all()


def test_one_pass_weighs_every_inner_product():
    """mu = 1/2, n = 3: weights 1 + 1/2 + 1/4, 1 + 1/2 and 1."""
    network = OuterProductMomentum(momentum=HALF, rates=[1, 1, 1])
    weights = predicted(network, Prompt(EYE, [[1, 1, 1]], [[1], [10], [100]]))
    assert weights == Fraction(7, 4) + 10 * Fraction(3, 2) + 100


def test_at_a_zero_query_only_momentum_attention_adds_something():
    head = ValuesAsOuterProducts(W_K=EYE, W_Q=EYE, W_V=EYE)
    report = check(head, Prompt(EYE, EYE, [[0], [0], [0]]))
    assert not report.holds
    assert predicted(head, Prompt(EYE, EYE, [[0], [0], [0]])).any()
    network = OuterProductMomentum(momentum=HALF, rates=[1, 1, 1])
    assert not predicted(network, Prompt(EYE, EYE, [[0], [0], [0]])).any()


def test_the_counterexample_to_momentum_attention_as_momentum_is_within_the_range_of_eta():
    theorem = catalogue()["momentum_attention_is_momentum_on_outer_products_is_false"]
    (example,) = theorem.counterexamples
    assert 0 < example.construction.eta < 1
    assert (example.layers, tuple(example.sizes)) == (1, (1, 1, 1))


# The causal mask in a proof.


def symbolic_stream(**groups):
    sizes = {name: SymbolBlock.letter("X", 1, size_of(size)).known_size(size_of(size)) for name, size in groups.items()}
    blocks = {("x", name): SymbolBlock.letter(name, size_of("d"), size_of(size)) for name, size in groups.items()}
    return Stream({"x": size_of("d")}, sizes, blocks)


def are_equal(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


def always(key_position, query_position):
    return True


def test_mask_of_unspecified_size_is_a_letter_of_its_positions():
    stream = symbolic_stream(context="n", other="n")
    mask = Mask(pattern=causal)
    earlier, later = mask.block(stream, "context", "context"), mask.block(stream, "context", "other")
    assert str(earlier) == "causal[i, j]"
    assert str(later) == "causal[i, n + j]"
    assert not are_equal(earlier, later)
    assert are_equal(earlier, mask.block(symbolic_stream(context="n"), "context", "context"))


def test_masks_of_different_patterns_are_different_letters():
    stream = symbolic_stream(context="n")
    blocks = [Mask(pattern=pattern).block(stream, "context", "context") for pattern in (causal, always)]
    assert not are_equal(*blocks)


@pytest.mark.parametrize(
    "pattern",
    [lambda i, j: i <= j, partial(causal), (lambda: lambda i, j: True)()],
    ids=["lambda", "partial", "closure"],
)
def test_pattern_without_a_name_of_its_own_has_no_letter(pattern):
    with pytest.raises(TypeError, match="concrete sizes"):
        Mask(pattern=pattern).block(symbolic_stream(context="n"), "context", "context")


def test_softmax_with_a_causal_mask_is_not_proved_without_its_lemmas(monkeypatch):
    network = MomentumAttention(eta=1, W_K=ONE, W_Q=ONE, W_V=ONE)
    assert prove(network).holds
    monkeypatch.setattr(MomentumAttention, "lemmas", lambda self, prompt: ())
    assert not prove(network).holds


@pytest.mark.parametrize("number", [0, 1, 2])
def test_wrong_lemma_about_the_mask_is_found_on_an_instance(number, monkeypatch):
    right = MomentumAttention.lemmas

    def wrong(self, prompt):
        held = list(right(self, prompt))
        held[number] = type(held[number])(held[number].name, held[number].left, prompt.X.ones(*held[number].left.shape))
        if number < 2:
            held[number] = type(held[number])(held[number].name, held[number].left, held[number].right.scale(2))
        return tuple(held)

    monkeypatch.setattr(MomentumAttention, "lemmas", wrong)
    report = check(MomentumAttention(eta=HALF, W_K=EYE, W_Q=EYE, W_V=EYE, score="linear"), Prompt(EYE, EYE, [[1]] * 3))
    assert report.failure.claim.kind == "lemma"

"""Small networks of the core's own, each against loops over plain Python numbers.

A token is a list of numbers, all of its slots one below the other; matrices are lists of rows. The reference knows
neither slots nor blocks: it moves token by token, in the order of the prompt.
"""

from dataclasses import replace
from fractions import Fraction

import pytest
from flint import arb, fmpq

from constructions.attention import Head, Mask, causal
from constructions.block import Block, Kernel, Verdict, compare
from constructions.construction import Construction, Single, forward, streams
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.balls import BallBlock, precision
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.symbols import SymbolBlock, size_of

TOKENS = [[1, 2, -1], [-2, 1, 3], [0, -1, 1], [2, 2, -3], [1, -1, 2]]
"""Five tokens of width 3: the slot x has two rows, the slot y has one."""

SLOTS = {"x": 2, "y": 1}
INTERLEAVED = (("inputs", "targets"), "query")
PLACES = {"inputs": [0, 2], "targets": [1, 3], "query": [4]}
BESIDE = (("context", [0, 1, 2, 3]), ("query", [4]))


# The reference.


def applied(A, vector):
    return [sum((a * v for a, v in zip(row, vector, strict=True)), start=0 * vector[0]) for row in A]


def dot(u, v):
    return sum((a * b for a, b in zip(u, v, strict=True)), start=0 * u[0])


def plus(u, v):
    return [a + b for a, b in zip(u, v, strict=True)]


def attended(tokens, W_K, W_Q, W_V, is_key, weigh):
    """What every token receives: the values of its keys, weighted by what ``weigh`` makes of keys and query."""
    received = []
    for j, token in enumerate(tokens):
        keys = [i for i in range(len(tokens)) if is_key(i, j)]
        weights = weigh([applied(W_K, tokens[i]) for i in keys], applied(W_Q, token)) if keys else []
        total = [0 * value for value in applied(W_V, token)]
        for i, weight in zip(keys, weights, strict=True):
            total = plus(total, [weight * value for value in applied(W_V, tokens[i])])
        received.append(total)
    return received


def entrywise(function):
    return lambda keys, query: [function(dot(key, query)) for key in keys]


def normalised(keys, query):
    raised = [arb(dot(key, query)).exp() for key in keys]
    return [value / sum(raised, start=arb(0)) for value in raised]


def everywhere(i, j):
    return True


# The network under test.


def stream_of(tokens, kind=RationalBlock, order=(), places=None):
    """The tokens as a stream: those of a group where ``places`` says, by default a context and a query."""
    places = places or (PLACES if order else dict(BESIDE))
    rows = {"x": slice(0, 2), "y": slice(2, 3)}
    blocks = {
        (slot, group): kind.lift([list(row) for row in zip(*(tokens[i][part] for i in held), strict=True)])
        for slot, part in rows.items()
        for group, held in places.items()
    }
    return Stream(SLOTS, {group: len(held) for group, held in places.items()}, blocks, order)


def balls(tokens):
    return [[arb(value) for value in token] for token in tokens]


def holds(stream, tokens):
    """Whether the stream holds these tokens: exactly in rationals, as enclosures that overlap otherwise."""
    dense = stream.dense()
    expected = type(dense).lift([list(row) for row in zip(*tokens, strict=True)])
    return compare(dense, expected).verdict is Verdict.EQUAL


def moved(tokens, received):
    return [plus(token, update) for token, update in zip(tokens, received, strict=True)]


W_K, W_Q, W_V = [[1, 0, 2], [0, 1, -1]], [[2, 1, 0], [1, 0, 1]], [[1, 0, 1], [0, 0, -1], [1, -2, 0]]


def matrix(rows):
    return RationalBlock.lift(rows)


def head(kind=RationalBlock, **options):
    """The head of W_K, W_Q and W_V, cut into blocks over the slots; its key space has two slots of one row."""

    def block(rows):
        return kind.lift([[Fraction(value) for value in row] for row in rows])

    key = {("a", "x"): block([[1, 0]]), ("a", "y"): 2, ("b", "x"): block([[0, 1]]), ("b", "y"): -1}
    query = {("b", "x"): block([[1, 0]]), ("b", "y"): 1, ("a", "x"): block([[2, 1]])}
    value = {
        ("x", "x"): block([[1, 0], [0, 0]]),
        ("x", "y"): block([[1], [-1]]),
        ("y", "x"): block([[1, -2]]),
    }
    return Head(Weight(key), Weight(query), Weight(value), **options)


@pytest.mark.parametrize("order", [(), INTERLEAVED], ids=["groups", "interleaved"])
@pytest.mark.parametrize(
    ("pattern", "is_key"), [(None, everywhere), (causal, lambda i, j: i <= j)], ids=["all", "causal"]
)
@pytest.mark.parametrize(
    ("score", "function"),
    [
        ("linear", lambda s: s),
        ("relu", lambda s: max(s, 0)),
        (Kernel("quadratic", lambda K, Q: ((K.T @ Q) + K.ones(K.columns, Q.columns)).square()), lambda s: (s + 1) ** 2),
    ],
    ids=["linear", "relu", "kernel"],
)
def test_a_head_attends_token_by_token(score, function, pattern, is_key, order):
    stream = stream_of(TOKENS, order=order)
    result = Attention(head(score=score, mask=Mask(pattern=pattern)))(stream)
    received = attended(TOKENS, W_K, W_Q, W_V, is_key, entrywise(function))
    assert holds(result, moved(TOKENS, received))


@pytest.mark.parametrize("order", [(), INTERLEAVED], ids=["groups", "interleaved"])
@pytest.mark.parametrize("pattern", [None, causal])
@pytest.mark.parametrize(
    ("score", "weigh"), [("softmax", normalised), ("exp", entrywise(lambda s: s.exp()))], ids=["softmax", "exp"]
)
def test_a_head_attends_token_by_token_in_balls(score, weigh, pattern, order):
    tokens = balls(TOKENS)
    result = Attention(head(BallBlock, score=score, mask=Mask(pattern=pattern)))(stream_of(tokens, BallBlock, order))
    received = attended(tokens, W_K, W_Q, W_V, pattern or everywhere, weigh)
    assert holds(result, moved(tokens, received))


def test_balls_refute_a_softmax_over_each_key_group_by_itself():
    tokens = balls(TOKENS)
    result = Attention(head(BallBlock, score="softmax"))(stream_of(tokens, BallBlock))
    context = attended(tokens, W_K, W_Q, W_V, lambda i, j: i < 4, normalised)
    query = attended(tokens, W_K, W_Q, W_V, lambda i, j: i == 4, normalised)
    assert not holds(result, moved(moved(tokens, context), query))


@pytest.mark.parametrize("score", ["softmax", "exp"])
def test_the_float_run_is_within_its_rounding_bound(score, xp):
    tokens = [[value / 8 for value in token] for token in TOKENS]
    like = FloatBlock(xp.asarray([[1.0]], dtype=xp.float64))

    def lifted(rows):
        return RoundedBlock.lift(like.fill(len(rows), len(rows[0]), lambda i, j: Fraction(rows[i][j])).entry)

    class Kind(RoundedBlock if False else object):
        lift = staticmethod(lifted)

    stream = stream_of(tokens, Kind)
    result = Attention(head(Kind, score=score))(stream).dense()
    weigh = normalised if score == "softmax" else entrywise(lambda s: s.exp())
    with precision(128):
        received = moved(balls(tokens), attended(balls(tokens), W_K, W_Q, W_V, everywhere, weigh))
    for j, token in enumerate(received):
        for i, expected in enumerate(token):
            value, radius = float(result.value[i, j]), float(result.radius[i, j])
            assert arb(value, radius).overlaps(expected)
            assert radius < 1e-12

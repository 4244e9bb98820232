"""Small networks of the core's own, each against loops over plain Python numbers.

A token is a list of numbers, its slots one below the other; matrices are lists of rows. The reference knows neither
slots nor blocks: it moves token by token, in the order of the prompt.
"""

from dataclasses import replace
from fractions import Fraction

import pytest
from flint import arb

from constructions.attention import Head, Mask, causal
from constructions.block import Kernel, Verdict, compare
from constructions.construction import forward
from constructions.dense import dense_layer
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.prompt import Prompt
from constructions.stages import Single
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.balls import BallBlock, precision
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock

TOKENS = [[1, 2, -1], [-2, 1, 3], [0, -1, 1], [2, 2, -3], [1, -1, 2]]
"""Five tokens of width 3: the slot x has two rows, the slot y has one."""

BESIDE = {"context": [0, 1, 2, 3], "query": [4]}
INTERLEAVED = {"inputs": [0, 2], "targets": [1, 3], "query": [4]}
"""Which tokens of the prompt are of which group."""

ORDERS = pytest.mark.parametrize("places", [BESIDE, INTERLEAVED], ids=["beside", "interleaved"])


# The reference.


def applied(A, vector):
    return [dot(row, vector) for row in A]


def dot(u, v):
    return sum((a * b for a, b in zip(u, v, strict=True)), start=0 * v[0])


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


def scored(function):
    return lambda keys, query: [function(dot(key, query)) for key in keys]


def softmax(keys, query):
    raised = scored(lambda score: arb(score).exp())(keys, query)
    return [value / sum(raised, start=arb(0)) for value in raised]


def gaussian(keys, query):
    return [(-sum(((a - b) ** 2 for a, b in zip(key, query, strict=True)), start=arb(0)) / 2).exp() for key in keys]


def every_token(i, j):
    return True


def moved(tokens, received):
    return [plus(token, update) for token, update in zip(tokens, received, strict=True)]


# The network under test.

W_K, W_Q, W_V = [[1, 0, 2], [0, 1, -1]], [[2, 1, 0], [1, 0, 1]], [[1, 0, 1], [0, 0, -1], [1, -2, 0]]


def head(lift=RationalBlock.lift, **options):
    """The head of W_K, W_Q and W_V, cut into blocks; key and query mention the key space's slots in different order."""
    key = {("a", "x"): lift([[1, 0]]), ("a", "y"): 2, ("b", "x"): lift([[0, 1]]), ("b", "y"): -1}
    query = {("b", "x"): lift([[1, 0]]), ("b", "y"): 1, ("a", "x"): lift([[2, 1]])}
    value = {("x", "x"): lift([[1, 0], [0, 0]]), ("x", "y"): lift([[1], [-1]]), ("y", "x"): lift([[1, -2]])}
    return Head(Weight(key), Weight(query), Weight(value), **options)


def stream_of(tokens, places=BESIDE, lift=RationalBlock.lift):
    """The tokens as a stream."""
    blocks = {
        (slot, group): lift(columns([tokens[i][rows] for i in held]))
        for slot, rows in (("x", slice(0, 2)), ("y", slice(2, 3)))
        for group, held in places.items()
    }
    order = (("inputs", "targets"), "query") if "targets" in places else ()
    return Stream({"x": 2, "y": 1}, {group: len(held) for group, held in places.items()}, blocks, order)


def columns(tokens):
    return [list(row) for row in zip(*tokens, strict=True)]


def balls(tokens):
    return [[arb(value) for value in token] for token in tokens]


def holds(stream, tokens):
    """Whether the stream holds these tokens: exactly in rationals, up to the enclosures in balls."""
    dense = stream.dense()
    return compare(dense, type(dense).lift(columns(tokens))).verdict is Verdict.EQUAL


QUADRATIC = Kernel("quadratic", lambda K, Q: (K.T @ Q + K.ones(K.columns, Q.columns)).square())


def gaussian_of_blocks(K, Q):
    """exp(-|k - q|^2 / 2) for every pair of columns."""
    row = K.ones(1, K.rows)
    keys, queries = (row @ K.square()).T @ K.ones(1, Q.columns), K.ones(K.columns, 1) @ (row @ Q.square())
    return (K.T @ Q - (keys + queries).scale(Fraction(1, 2))).exp()


@ORDERS
@pytest.mark.parametrize("pattern", [None, causal])
@pytest.mark.parametrize(
    ("score", "weigh"),
    [
        ("linear", scored(lambda score: score)),
        ("relu", scored(lambda score: max(score, 0))),
        (QUADRATIC, scored(lambda score: (score + 1) ** 2)),
    ],
    ids=["linear", "relu", "kernel"],
)
def test_a_head_attends_token_by_token_in_rationals(score, weigh, pattern, places):
    result = Attention(head(score=score, mask=Mask(pattern=pattern)))(stream_of(TOKENS, places))
    received = attended(TOKENS, W_K, W_Q, W_V, pattern or every_token, weigh)
    assert holds(result, moved(TOKENS, received))


@ORDERS
@pytest.mark.parametrize("pattern", [None, causal, lambda i, j: int(i <= j)])
@pytest.mark.parametrize(
    ("score", "weigh"),
    [
        ("softmax", softmax),
        ("exp", scored(lambda score: score.exp())),
        (Kernel("gaussian", gaussian_of_blocks), gaussian),
    ],
    ids=["softmax", "exp", "kernel"],
)
def test_a_head_attends_token_by_token_in_balls(score, weigh, pattern, places):
    tokens = balls(TOKENS)
    options = {"score": score, "mask": Mask(pattern=pattern)}
    result = Attention(head(BallBlock.lift, **options))(stream_of(tokens, places, BallBlock.lift))
    received = attended(tokens, W_K, W_Q, W_V, pattern or every_token, weigh)
    assert holds(result, moved(tokens, received))


def test_balls_refute_a_softmax_over_each_key_group_by_itself():
    tokens = balls(TOKENS)
    result = Attention(head(BallBlock.lift, score="softmax"))(stream_of(tokens, lift=BallBlock.lift))
    of_context, of_query = (
        attended(tokens, W_K, W_Q, W_V, lambda i, j, held=held: i in held, softmax) for held in BESIDE.values()
    )
    assert not holds(result, moved(moved(tokens, of_context), of_query))


def enclosed(block, tokens):
    """Whether every value with its radius contains the exact number."""
    return all(
        arb(float(block.value[i, j]), float(block.radius[i, j])).contains(number)
        for i, row in enumerate(columns(tokens))
        for j, number in enumerate(row)
    )


@pytest.mark.parametrize(
    ("score", "weigh"), [("softmax", softmax), ("exp", scored(lambda score: score.exp()))], ids=["softmax", "exp"]
)
def test_a_head_in_floats_keeps_within_a_bound_that_tells_whether_the_query_is_a_key(score, weigh, xp):
    def lift(rows):
        return RoundedBlock.lift(xp.asarray([[float(value) for value in row] for row in rows], dtype=xp.float64))

    tokens = [[value / 8 for value in token] for token in TOKENS]
    result = Attention(head(lift, score=score))(stream_of(tokens, lift=lift)).dense()
    with precision(128):
        exact = balls(tokens)
        whole = moved(exact, attended(exact, W_K, W_Q, W_V, every_token, weigh))
        masked = moved(exact, attended(exact, W_K, W_Q, W_V, lambda i, j: i < 4, weigh))
        assert enclosed(result, whole)
        assert not enclosed(result, masked)


# What the scores are taken of.


def test_a_key_without_any_block_still_counts_in_a_softmax():
    stream = stream_of(balls(TOKENS), lift=BallBlock.lift)
    silent = Head(Weight({("a", "y"): 1}), Weight({("a", "y"): 0}), Weight({("x", "x"): 1}), score="softmax")
    mean = [sum((arb(token[i]) for token in TOKENS), start=arb(0)) / 5 for i in range(2)]
    assert holds(Attention(silent)(stream), [plus(token, [*mean, 0]) for token in balls(TOKENS)])


def test_a_kernel_sees_zeros_where_the_query_has_no_slot():
    full = head(score=QUADRATIC)
    blind = replace(full, query=Weight({("a", "x"): RationalBlock.lift([[2, 1]])}))
    received = attended(TOKENS, W_K, [[2, 1, 0], [0, 0, 0]], W_V, every_token, scored(lambda score: (score + 1) ** 2))
    assert holds(Attention(blind)(stream_of(TOKENS)), moved(TOKENS, received))


def test_a_kernel_sees_zeros_where_the_key_has_no_slot():
    received = attended(TOKENS, [[0, 0, 0]] * 2, W_Q, W_V, every_token, scored(lambda score: (score + 1) ** 2))
    keyless = replace(head(score=QUADRATIC), key=Weight({}))
    assert holds(Attention(keyless)(stream_of(TOKENS)), moved(TOKENS, received))


@pytest.mark.parametrize("score", ["linear", "relu"])
def test_factor_and_projection_act_on_what_was_gathered(score):
    project = Weight({("x", "x"): RationalBlock.lift([[0, 1], [2, 0]]), ("y", "y"): 3})
    scaled = head(score=score, factor=Fraction(1, 7), projection=project)
    weigh = scored(lambda s: s if score == "linear" else max(s, 0))
    gathered = attended(TOKENS, W_K, W_Q, W_V, every_token, weigh)
    projected = [applied([[0, 1, 0], [2, 0, 0], [0, 0, 3]], total) for total in gathered]
    received = [[Fraction(value, 7) for value in total] for total in projected]
    assert holds(Attention(scaled)(stream_of(TOKENS)), moved(TOKENS, received))


# Masks.


@pytest.mark.parametrize("score", ["linear", "relu"])
def test_a_mask_names_the_keys_of_each_query_group(score):
    mask = Mask(keys={"inputs": ("targets",), "query": ("inputs", "query")})
    result = Attention(head(score=score, mask=mask))(stream_of(TOKENS, INTERLEAVED))
    keys = {0: [1, 3], 2: [1, 3], 4: [0, 2, 4]}
    weigh = scored(lambda s: s if score == "linear" else max(s, 0))
    received = attended(TOKENS, W_K, W_Q, W_V, lambda i, j: i in keys.get(j, ()), weigh)
    assert holds(result, moved(TOKENS, received))


def test_a_previous_token_head_pairs_an_interleaved_prompt():
    previous = Head(
        Weight({("one", "one"): 1}),
        Weight({("one", "one"): 1}),
        Weight({("y", "y"): 1}),
        mask=Mask(keys={"inputs": ("targets",)}, pattern=lambda i, j: i == j + 1),
    )
    inputs, targets = RationalBlock.lift([[2, 3]]), RationalBlock.lift([[5, 7]])
    one = RationalBlock.lift([[1, 1]])
    blocks = {("x", "inputs"): inputs, ("y", "targets"): targets, ("one", "inputs"): one, ("one", "targets"): one}
    stream = Stream({"x": 1, "y": 1, "one": 1}, {"inputs": 2, "targets": 2}, blocks, (("inputs", "targets"),))
    assert compare(Attention(previous)(stream)["y", "inputs"], targets).verdict is Verdict.EQUAL


@pytest.mark.parametrize("score", ["linear", "softmax"])
def test_a_token_whose_pattern_leaves_no_key_receives_nothing(score):
    tokens = balls(TOKENS)
    options = {"score": score, "mask": Mask(pattern=lambda i, j: i < j)}
    result = Attention(head(BallBlock.lift, **options))(stream_of(tokens, INTERLEAVED, BallBlock.lift))
    weigh = softmax if score == "softmax" else scored(lambda s: s)
    assert holds(result, moved(tokens, attended(tokens, W_K, W_Q, W_V, lambda i, j: i < j, weigh)))


def causal_mean(i, j):
    """The mean over the tokens up to the query: each is a key with the weight 1 / (number of keys)."""
    return Fraction(1, j + 1) if i <= j else 0


@ORDERS
@pytest.mark.parametrize("score", ["linear", "relu"])
def test_pattern_may_weigh_the_keys_of_each_query(score, places):
    result = Attention(head(score=score, mask=Mask(pattern=causal_mean)))(stream_of(TOKENS, places))
    weigh = scored(lambda s: s if score == "linear" else max(s, 0))
    received = attended(TOKENS, W_K, W_Q, W_V, causal, weigh)
    means = [[Fraction(value, j + 1) for value in total] for j, total in enumerate(received)]
    assert holds(result, moved(TOKENS, means))


@pytest.mark.parametrize("dense", [False, True])
def test_softmax_refuses_weights_of_the_pattern(dense):
    layer = Layer(Attention(head(BallBlock.lift, score="softmax", mask=Mask(pattern=causal_mean))))
    stream = stream_of(balls(TOKENS), lift=BallBlock.lift)
    with pytest.raises(ValueError, match="gives the weight 1/2 for the key at 0 and the query at 1, but a softmax has"):
        dense_layer(layer, stream) if dense else layer(stream)


@pytest.mark.parametrize("weight", [0.5, None, "1"])
def test_pattern_that_gives_no_exact_weight_is_refused(weight):
    layer = Attention(head(mask=Mask(pattern=lambda i, j: weight)))
    with pytest.raises(TypeError, match="it must be a bool, an int or a Fraction"):
        layer(stream_of(TOKENS))


def test_an_opaque_kernel_has_no_numbers():
    with pytest.raises(TypeError, match="the kernel 'kappa' is arbitrary: give it a function of blocks"):
        Attention(head(score=Kernel("kappa")))(stream_of(TOKENS))


# Layers.


def test_heads_of_one_layer_read_the_same_tokens():
    second = head(score="relu", factor=-2)
    linear = attended(TOKENS, W_K, W_Q, W_V, every_token, scored(lambda score: score))
    relu = attended(TOKENS, W_K, W_Q, W_V, every_token, scored(lambda score: -2 * max(score, 0)))
    assert holds(Attention(head(), second)(stream_of(TOKENS)), moved(moved(TOKENS, linear), relu))


def test_sublayers_read_what_the_one_before_has_left():
    once = moved(TOKENS, attended(TOKENS, W_K, W_Q, W_V, every_token, scored(lambda score: score)))
    twice = moved(once, attended(once, W_K, W_Q, W_V, every_token, scored(lambda score: score)))
    assert holds(Layer(Attention(head()), Attention(head()))(stream_of(TOKENS)), twice)


def test_attention_without_a_skip_connection_replaces_the_tokens():
    received = attended(TOKENS, W_K, W_Q, W_V, every_token, scored(lambda score: score))
    assert holds(Attention(head(), skip=False)(stream_of(TOKENS)), received)


@pytest.mark.parametrize("skip", [True, False])
def test_a_token_map_multiplies_every_token(skip):
    weight = Weight({("x", "x"): RationalBlock.lift([[1, 2], [3, 4]]), ("y", "x"): RationalBlock.lift([[5, 6]])})
    received = [applied([[1, 2, 0], [3, 4, 0], [5, 6, 0]], token) for token in TOKENS]
    result = TokenMap(weight, skip=skip)(stream_of(TOKENS, INTERLEAVED))
    assert holds(result, moved(TOKENS, received) if skip else received)


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize(
    ("activation", "function"), [("relu", lambda h: max(h, 0)), ("square", lambda h: h * h)], ids=["relu", "square"]
)
def test_an_mlp_acts_on_every_token(activation, function, skip):
    lift = RationalBlock.lift
    mlp = MLP(
        inner=Weight({("h", "x"): lift([[1, -1], [2, 0]]), ("g", "y"): -1}),
        outer=Weight({("x", "h"): 1, ("y", "g"): 2, ("y", "b"): lift([[1, 1]])}),
        activation=activation,
        inner_bias={"h": lift([[1], [-2]]), "b": lift([[3], [1]])},
        outer_bias={"y": lift([[-5]])},
        skip=skip,
    )
    W_1, b_1 = [[1, -1, 0], [2, 0, 0], [0, 0, -1], [0, 0, 0], [0, 0, 0]], [1, -2, 0, 3, 1]
    W_2, b_2 = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 2, 1, 1]], [0, 0, -5]
    hidden = [[function(value) for value in plus(applied(W_1, token), b_1)] for token in TOKENS]
    received = [plus(applied(W_2, each), b_2) for each in hidden]
    assert holds(mlp(stream_of(TOKENS)), moved(TOKENS, received) if skip else received)


# Tokens that the network appends.


def test_attention_reads_appended_tokens():
    thought, further = [4, -1, 2], [-1, 3, 1]
    stream = stream_of(TOKENS, INTERLEAVED)
    for token in (thought, further):
        x, y = RationalBlock.lift([[value] for value in token[:2]]), RationalBlock.lift([token[2:]])
        stream = stream.append("thought", {"x": x, "y": y})
    tokens = [*TOKENS, thought, further]
    received = attended(tokens, W_K, W_Q, W_V, causal, scored(lambda score: score))
    assert holds(Attention(head(mask=Mask(pattern=causal)))(stream), moved(tokens, received))


def test_an_appended_slot_that_is_left_out_is_zero():
    stream = stream_of(TOKENS).append("context", {"y": RationalBlock.lift([[9, 8]])}, size=2)
    assert holds(stream, [*TOKENS[:4], [0, 0, 9], [0, 0, 8], TOKENS[4]])


class Thinking(GradientDescent):
    """Gradient descent that notes its prediction as a further example before each layer."""

    def stages(self, prompt):
        def thought(stream):
            token = {"x": stream["x", "query"], "y": -stream["y", "query"]}
            return self.layer(0, prompt)(stream.append("context", token))

        return tuple(Single(thought, lambda W: {}) for _ in self.step_sizes)


def test_a_network_may_append_a_token_in_every_layer():
    rate, x, y, x_query, y_query = Fraction(1, 5), [2, 1], [3, -1], 2, 0
    for _ in range(3):
        x, y = [*x, x_query], [*y, -y_query]
        slope = rate / 2 * dot(x, y)
        y, y_query = [target - slope * value for value, target in zip(x, y, strict=True)], y_query - slope * x_query
    prompt = Prompt([[2, 1]], [[3, -1]], [[2]]).lifted()
    prediction = forward(Thinking(step_sizes=[rate] * 3), prompt)
    assert compare(prediction, RationalBlock.lift([[-y_query]])).verdict is Verdict.EQUAL

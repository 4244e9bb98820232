"""The dense forward pass, held against the one over blocks: on every construction, and on layers at random."""

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.attention import Head, Mask, causal
from constructions.block import FeatureMap, Kernel, compare
from constructions.comparison import Verdict
from constructions.construction import streams
from constructions.dense import dense_forward, dense_layer
from constructions.kernels import polynomial
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.parameters import lifted
from constructions.stages import layers_of
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.balls import BallBlock
from numerics.instances import (
    Sizes,
    exact_parameters,
    extra_shapes,
    float_parameters,
    float_prompt,
    rational_prompt,
)
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.catalogue import catalogue
from proofs.construction_theorem import ConstructionTheorem
from proofs.kernel_instances import MONOMIALS
from proofs.limits import LimitTheorem


def is_made_of_layers(construction):
    """Whether every layer has weights; a map of streams, such as a training step outside of the network, has none."""
    prompt = rational_prompt(0, 1, 1, 1, extra_shapes(construction, Sizes(1, 1), 0)).lifted(BallBlock)
    live = lifted(exact_parameters(construction, Sizes(1, 1), 0, 1), BallBlock, prompt)
    stages = live.stages(prompt)
    return all(isinstance(layer, Layer) for stage in stages for layer in layers_of(stage))


def with_functions(construction):
    """The construction with a kernel and a feature map of its own in place of arbitrary ones."""
    stand_ins = {Kernel: polynomial(2), FeatureMap: MONOMIALS}
    held = {field.name: getattr(construction, field.name) for field in fields(construction)}
    arbitrary = {name: value for name, value in held.items() if getattr(value, "is_arbitrary", False)}
    return replace(construction, **{name: stand_ins[type(value)] for name, value in arbitrary.items()})


KINDS = {"exact": RationalBlock, "ball": BallBlock}
CONSTRUCTIONS = {
    name: (with_functions(theorem.construction), KINDS[kind])
    for name, theorem in catalogue().items()
    for kind in KINDS.keys() & set(theorem.kinds)
    if isinstance(theorem, (ConstructionTheorem, LimitTheorem)) and is_made_of_layers(theorem.construction)
}
EVERY = pytest.mark.parametrize(("prototype", "kind"), CONSTRUCTIONS.values(), ids=CONSTRUCTIONS)


def matrix(rows):
    return RationalBlock.lift(rows)


def equal(left, right):
    """Whether two blocks are equal, or their enclosures overlap."""
    return compare(left, right).verdict is Verdict.EQUAL


def sizes_for(construction, sizes):
    """The sizes, with the number of targets that the construction is meant for."""
    return sizes if construction.targets == "m" else sizes._replace(m=construction.targets)


def differences(construction, prompt):
    """The layers after which the two runs differ."""
    runs = zip(streams(construction, prompt), dense_forward(construction, prompt), strict=True)
    return [number for number, (stream, H) in enumerate(runs) if not equal(stream.dense(), H)]


# The two runs, on every construction of the catalogue.


@EVERY
@pytest.mark.parametrize("sizes", [Sizes(1, 1), Sizes(2, 3), Sizes(4, 2, 3)], ids=str)
def test_dense_run_equals_the_run_over_blocks_exactly(prototype, kind, sizes):
    rng, sizes = np.random.default_rng(5), sizes_for(prototype, sizes)
    construction = exact_parameters(prototype, sizes, rng, 2)
    drawn = rational_prompt(rng, *sizes, extra_shapes(prototype, sizes, rng))
    prompt = drawn.map(lambda entry: kind.lift(entry).entry)
    assert differences(construction, prompt) == []


@EVERY
def test_dense_run_equals_the_run_over_blocks_within_the_rounding(prototype, kind):
    rng, sizes = np.random.default_rng(6), sizes_for(prototype, Sizes(4, 3, 2))
    construction = float_parameters(prototype, sizes, rng, 2)
    prompt = float_prompt(rng, *sizes, extras=extra_shapes(prototype, sizes, rng))
    assert differences(construction, prompt.map(RoundedBlock.lift)) == []


# The two runs, on layers at random.

SLOTS = {"x": 2, "y": 1, "z": 1}
QUADRATIC = Kernel("quadratic", lambda K, Q: (K.T @ Q + K.ones(K.columns, Q.columns)).square())
GROUPS = st.sampled_from(
    [
        ({"context": 3, "query": 1}, ()),
        ({"query": 1, "context": 2}, ("context", "query")),
        ({"inputs": 2, "targets": 2, "query": 1}, (("inputs", "targets"), "query")),
        ({"query": 1, "inputs": 3, "targets": 2}, (("inputs", "targets"), "query")),
        ({"context": 2, "query": 1, "thought": 2}, ()),
    ]
)
ENTRIES = st.integers(-2, 2)


def gaussian(K, Q):
    """exp(-|k - q|^2 / 2) for every pair of columns."""
    row = K.ones(1, K.rows)
    keys, queries = (row @ K.square()).T @ K.ones(1, Q.columns), K.ones(K.columns, 1) @ (row @ Q.square())
    return (K.T @ Q - (keys + queries).scale(Fraction(1, 2))).exp()


GAUSSIAN = Kernel("gaussian", gaussian)


def matrices(rows, columns):
    return st.lists(st.lists(ENTRIES, min_size=columns, max_size=columns), min_size=rows, max_size=rows)


@st.composite
def weights(draw, out=SLOTS, into=SLOTS, lift=RationalBlock.lift):
    """Weights with some of the blocks: matrices, and multiples of the identity where they fit."""
    blocks = {}
    for slot_out, rows in draw(st.permutations(list(out.items()))):
        for slot_in, columns in into.items():
            kind = draw(st.sampled_from(["none", "matrix", "identity"]))
            if kind == "matrix" or (kind == "identity" and rows != columns):
                blocks[slot_out, slot_in] = lift(draw(matrices(rows, columns)))
            elif kind == "identity":
                blocks[slot_out, slot_in] = draw(ENTRIES)
    return Weight(blocks)


@st.composite
def masks(draw, groups):
    some = st.lists(st.sampled_from(sorted(groups)), unique=True).map(tuple)
    keys = draw(st.none() | some | st.dictionaries(st.sampled_from(sorted(groups)), some))
    return Mask(keys, draw(st.sampled_from([None, causal, lambda i, j: i == j - 1])))


@st.composite
def heads(draw, groups, scores, lift):
    keys = draw(st.sampled_from([SLOTS, {"a": 2, "b": 1}]))
    values = draw(st.sampled_from([SLOTS, {"v": 2, "w": 3}]))
    key, query = draw(weights(keys, lift=lift)), draw(weights(keys, lift=lift))
    projected = values is not SLOTS or draw(st.booleans())
    return Head(
        key=key,
        query=query,
        value=draw(weights(values, lift=lift)),
        projection=draw(weights(SLOTS, values, lift=lift)) if projected else None,
        score=draw(st.sampled_from([score for score in scores if key or query or not isinstance(score, Kernel)])),
        factor=draw(st.sampled_from([1, -1, Fraction(1, 3)])),
        mask=draw(masks(groups)),
    )


@st.composite
def mlps(draw, lift):
    hidden = {"h": 2, "g": 3}
    columns = [
        st.none()
        | st.fixed_dictionaries({}, optional={slot: matrices(rows, 1).map(lift) for slot, rows in each.items()})
        for each in (hidden, SLOTS)
    ]
    return MLP(
        inner=draw(weights(hidden, lift=lift)),
        outer=draw(weights(SLOTS, hidden, lift=lift)),
        activation=draw(st.sampled_from(["relu", "square"])),
        inner_bias=draw(columns[0]),
        outer_bias=draw(columns[1]),
        skip=draw(st.booleans()),
    )


@st.composite
def tokens(draw, groups, order, lift):
    """A stream with random blocks; the slot x of every group holds something, perhaps explicit zeros."""
    places = [(slot, group) for slot in SLOTS for group in groups if slot == "x" or draw(st.booleans())]
    blocks = {(slot, group): lift(draw(matrices(SLOTS[slot], groups[group]))) for slot, group in places}
    return Stream(SLOTS, groups, blocks, order)


@st.composite
def networks(draw, most=3, scores=("linear", "relu", QUADRATIC), lift=RationalBlock.lift):
    """(layer, stream), the layer of one to so many sublayers."""
    groups, order = draw(GROUPS)
    attention = st.lists(heads(groups, scores, lift), min_size=1, max_size=2).map(lambda held: Attention(*held))
    attention = attention | heads(groups, scores, lift).map(lambda held: Attention(held, skip=False))
    maps = st.builds(TokenMap, weights(lift=lift), st.booleans())
    parts = attention if most == 1 else attention | maps | mlps(lift)
    layer = Layer(*draw(st.lists(parts, min_size=1, max_size=most)))
    return layer, draw(tokens(groups, order, lift))


def agree(layer, stream):
    """Whether both runs leave the same tokens after every sublayer, up to where no block of the stream is left."""
    H, frame = stream.dense(), stream
    for part in layer.sublayers:
        H, stream = dense_layer(Layer(part), frame, H), part(stream)
        result = stream.dense() if stream.blocks else H.zeros(*H.shape)
        if not stream.blocks or not equal(result, H):
            return equal(result, H)
    return True


@given(networks())
def test_dense_layer_equals_the_layer_over_blocks_exactly(network):
    assert agree(*network)


@given(networks(1, ("softmax", "exp", GAUSSIAN), BallBlock.lift))
def test_dense_layer_equals_the_layer_over_blocks_in_balls(network):
    assert agree(*network)


def rounded(rows):
    return RoundedBlock.lift(np.asarray(rows, dtype=float) / 4)


@given(networks(1, ("softmax", "exp", GAUSSIAN), rounded))
def test_dense_layer_equals_the_layer_over_blocks_within_the_rounding(network):
    assert agree(*network)


def test_dense_layer_of_appended_tokens_equals_the_layer_over_blocks():
    stream = Stream(
        SLOTS, {"inputs": 2, "targets": 2}, {("x", "inputs"): matrix([[1, 2], [3, -1]])}, (("inputs", "targets"),)
    )
    stream = stream.append("thought", {"y": matrix([[5]])}).append("thought", {"x": matrix([[1], [4]])})
    whole = Weight({("x", "x"): 1, ("y", "y"): 2, ("z", "z"): 1})
    layer = Layer(
        Attention(Head(whole, Weight({("y", "x"): matrix([[1, 1]]), ("x", "x"): 1}), whole, mask=Mask(pattern=causal)))
    )
    assert equal(layer(stream).dense(), dense_layer(layer, stream))

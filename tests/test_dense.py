import importlib
import inspect
import pkgutil
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import constructions
from constructions.as_printed import (
    GDPlusPlusWithStartInValue,
    PositiveQueryStart,
    PositiveQueryStartReadPositively,
    UnmaskedFromZero,
    UntransposedPreconditioner,
)
from constructions.attention import Head, Mask, causal
from constructions.block import Kernel, Verdict, compare
from constructions.construction import Construction, streams
from constructions.dense import dense_forward, dense_layer
from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Attention, Layer, TokenMap
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.unmasked import OneUnmaskedLayer, UnmaskedGradientDescent
from constructions.weights import Weight
from numerics.balls import BallBlock
from numerics.instances import Sizes, exact_parameters, float_parameters, float_prompt, rational_prompt
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock

ONE = [[1]]
GAUGE = dict.fromkeys(("W_K", "W_Q", "W_V", "P", "A", "C"), [ONE])
PROTOTYPES = [
    GradientDescent(step_sizes=[1], W_0=ONE),
    GradientDescent(step_sizes=[1]),
    PositiveQueryStart(step_sizes=[1], W_0=ONE),
    PositiveQueryStartReadPositively(step_sizes=[1], W_0=ONE),
    UnmaskedGradientDescent(step_sizes=[1], W_0=ONE),
    UnmaskedFromZero(step_sizes=[1]),
    OneUnmaskedLayer(step_sizes=[1]),
    GDPlusPlus(step_sizes=[1], curvature_steps=[1], W_0=ONE),
    GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1], W_0=ONE),
    GDPlusPlusWithStartInValue(step_sizes=[1], curvature_steps=[1], W_0=ONE),
    PreconditionedDescent(preconditioners=[ONE], W_0=ONE),
    UntransposedPreconditioner(preconditioners=[ONE], W_0=ONE),
    RelaxedPreconditionedDescent(preconditioners=[ONE], input_maps=[ONE], W_0=ONE),
    GaugedAttention(**GAUGE, scales=[1]),
]


def name_of(construction):
    start = "" if getattr(construction, "W_0", True) else "-from-zero"
    return type(construction).__name__ + start


EVERY = pytest.mark.parametrize("prototype", PROTOTYPES, ids=name_of)


def equal(left, right):
    """Whether two blocks are equal, or their enclosures overlap."""
    return compare(left, right).verdict is Verdict.EQUAL


def differences(construction, prompt):
    """The layers after which the two runs differ."""
    runs = zip(streams(construction, prompt), dense_forward(construction, prompt), strict=True)
    return [number for number, (stream, H) in enumerate(runs) if not equal(stream.dense(), H)]


# The two runs, on the constructions of the package.


def test_every_construction_of_the_package_is_run_here():
    modules = [
        importlib.import_module(f"constructions.{each.name}") for each in pkgutil.iter_modules(constructions.__path__)
    ]
    classes = {
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, Construction) and not inspect.isabstract(each)
    }
    assert classes == {type(prototype) for prototype in PROTOTYPES}


@EVERY
@pytest.mark.parametrize("sizes", [Sizes(1, 1, 1), Sizes(2, 3, 1), Sizes(4, 2, 3)])
def test_dense_run_equals_the_run_over_blocks_exactly(prototype, sizes):
    rng = np.random.default_rng(5)
    construction = exact_parameters(prototype, sizes, rng, 2)
    assert differences(construction, rational_prompt(rng, *sizes, prototype.extras)) == []


@EVERY
def test_dense_run_equals_the_run_over_blocks_within_the_rounding(prototype):
    rng = np.random.default_rng(6)
    sizes = Sizes(4, 3, 2)
    construction = float_parameters(prototype, sizes, rng, 2)
    X, Y, x_query = (RoundedBlock.lift(entry) for entry in vars(float_prompt(rng, *sizes)).values() if len(entry))
    extras = tuple(
        (name, RoundedBlock.lift(rng.uniform(-1, 1, _shape(shape, sizes)))) for name, shape in prototype.extras.items()
    )
    assert differences(construction, Prompt(X, Y, x_query, extras)) == []


def _shape(names, sizes):
    return tuple(name if isinstance(name, int) else getattr(sizes, name) for name in names)


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
    projected = values is not SLOTS or draw(st.booleans())
    return Head(
        key=draw(weights(keys, lift=lift)),
        query=draw(weights(keys, lift=lift)),
        value=draw(weights(values, lift=lift)),
        projection=draw(weights(SLOTS, values, lift=lift)) if projected else None,
        score=draw(st.sampled_from(scores)),
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
def networks(draw, scores, lift=RationalBlock.lift):
    """(layer, stream): one to three sublayers, the last of them with a skip connection so that something is left."""
    groups, order = draw(GROUPS)
    blocks = {
        (slot, group): lift(draw(matrices(rows, many)))
        for slot, rows in SLOTS.items()
        for group, many in groups.items()
        if slot == "x" or draw(st.booleans())
    }
    attention = st.lists(heads(groups, scores, lift), min_size=1, max_size=2).map(lambda held: Attention(*held))
    maps = st.builds(TokenMap, weights(lift=lift))
    parts = draw(st.lists(attention | maps | mlps(lift), min_size=1, max_size=3))
    return Layer(*parts), Stream(SLOTS, groups, blocks, order)


def run_both(layer, stream):
    """(tokens of the run over blocks, of the dense run), or None if nothing but zeros is left of the tokens."""
    try:
        return layer(stream).dense(), dense_layer(layer, stream)
    except ValueError as error:
        assert "every block of the stream is zero" in str(error)
        return None


@given(networks(["linear", "relu", QUADRATIC]))
def test_dense_layer_equals_the_layer_over_blocks_exactly(network):
    both = run_both(*network)
    assert both is None or equal(*both)


@given(networks(["softmax", "exp"], BallBlock.lift))
def test_dense_layer_equals_the_layer_over_blocks_in_balls(network):
    both = run_both(*network)
    assert both is None or equal(*both)

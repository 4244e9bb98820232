"""What the core refuses, in one clear sentence each: shapes that do not fit, kinds that mix, names that are unknown."""

import numpy as np
import pytest

from constructions.attention import Head, Mask
from constructions.block import Kernel, Zero, compare, softmax
from constructions.layer import MLP, Attention
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock

A, B = RationalBlock.lift([[1, 2, 3], [4, 5, 6]]), RationalBlock.lift([[1, 2], [3, 4]])
FLOATS = FloatBlock.lift(np.ones((2, 3)))
SLOTS, GROUPS = {"x": 2, "y": 1}, {"context": 3, "query": 1}
STREAM = Stream(SLOTS, GROUPS, {("x", "context"): A})
WHOLE = Weight({("x", "x"): 1, ("y", "y"): 1})


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda: A @ B, r"cannot multiply shapes \(2, 3\) and \(2, 2\): 3 != 2"),
        (lambda: A @ Zero(2, 2), r"cannot multiply shapes \(2, 3\) and \(2, 2\): 3 != 2"),
        (lambda: A + B, r"cannot add shapes \(2, 3\) and \(2, 2\): they must be equal"),
        (lambda: A + Zero(3, 2), r"cannot add shapes \(2, 3\) and \(3, 2\)"),
        (lambda: A - B, r"cannot add shapes"),
        (lambda: A.hadamard(B), r"cannot multiply entrywise shapes \(2, 3\) and \(2, 2\)"),
        (lambda: A.beside(A.T), r"cannot put shapes \(2, 3\) and \(3, 2\) side by side: rows differ"),
        (lambda: A.above(B), r"cannot put shapes \(3, 2\) and \(2, 2\) side by side: rows differ"),
        (lambda: compare(A, B), r"cannot compare shapes \(2, 3\) and \(2, 2\)"),
        (lambda: compare(Zero(1, 1), B), r"cannot compare shapes \(1, 1\) and \(2, 2\)"),
    ],
)
def test_blocks_whose_shapes_do_not_fit_are_refused(operation, message):
    with pytest.raises(ValueError, match=message):
        operation()


@pytest.mark.parametrize(
    "operation",
    [
        lambda: A @ FLOATS.T,
        lambda: A + FLOATS,
        lambda: FLOATS - A,
        lambda: A.hadamard(FLOATS),
        lambda: A.beside(FLOATS),
        lambda: FLOATS.above(A),
        lambda: compare(FLOATS, A),
        lambda: softmax([FLOATS, A]),
    ],
)
def test_blocks_of_two_kinds_are_refused(operation):
    with pytest.raises(
        TypeError, match=r"kinds of number do not mix: \w+ with \w+; lift every input into the same kind"
    ):
        operation()


@pytest.mark.parametrize(
    "operation",
    [
        lambda: A @ [[1], [2], [3]],
        lambda: A + 1,
        lambda: A - 1,
        lambda: A @ np.ones((3, 1)),
        lambda: np.ones((1, 2)) @ A,
        lambda: FLOATS + np.ones((2, 3)),
        lambda: np.ones((2, 3)) - FLOATS,
    ],
)
def test_a_block_and_what_is_none_do_not_mix(operation):
    with pytest.raises(TypeError, match=r"unsupported operand|does not support ufuncs"):
        operation()


def test_a_stream_refuses_a_block_of_another_shape():
    with pytest.raises(ValueError, match=r"block \('x', 'query'\) must have shape \(2, 1\), but \(2, 3\) came"):
        Stream(SLOTS, GROUPS, {("x", "query"): A})


def test_a_stream_refuses_an_unknown_place():
    with pytest.raises(ValueError, match=r"no block \('z', 'context'\): its slots are \['x', 'y'\]"):
        Stream(SLOTS, GROUPS, {("z", "context"): A})


def test_a_stream_refuses_an_order_that_leaves_a_group_out():
    with pytest.raises(ValueError, match=r"must name each of the groups \['context', 'query'\] once"):
        Stream(SLOTS, GROUPS, {}, ("context",))


@pytest.mark.parametrize("sizes", [(1, 2), (3, 1), (3, 2, 3)])
def test_groups_that_cannot_alternate_are_refused(sizes):
    groups = dict(zip("abc", sizes, strict=False))
    with pytest.raises(ValueError, match="cannot alternate"):
        Stream({"x": 1}, groups, {}, (tuple(groups),)).positions()


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (3, 3, 2), (3, 2, 2)])
def test_alternating_groups_fill_the_prompt_without_a_gap(sizes):
    groups = dict(zip("abc", sizes, strict=False))
    positions = Stream({"x": 1}, groups, {}, (tuple(groups),)).positions()
    taken = [first + stride * i for group, (first, stride) in positions.items() for i in range(groups[group])]
    assert sorted(taken) == list(range(sum(sizes)))


def test_a_place_that_the_stream_does_not_have_cannot_be_read():
    with pytest.raises(KeyError, match=r"no block \('x', 'answer'\)"):
        STREAM["x", "answer"]


def test_a_stream_of_zeros_has_no_kind():
    with pytest.raises(ValueError, match="every block of the stream is zero"):
        Stream(SLOTS, GROUPS, {}).like()


def test_an_appended_slot_that_the_stream_lacks_is_refused():
    with pytest.raises(ValueError, match=r"has a slot 'z', but the stream has \['x', 'y'\]"):
        STREAM.append("context", {"z": RationalBlock.lift([[1]])})


@pytest.mark.parametrize("mask", [Mask(keys=("contxt",)), Mask(keys={"qury": ("context",)})])
def test_a_mask_that_names_an_unknown_group_is_refused(mask):
    with pytest.raises(ValueError, match=r"the mask names the group .* but the stream has \['context', 'query'\]"):
        Attention(Head(WHOLE, WHOLE, WHOLE, mask=mask))(STREAM)


def test_a_weight_refuses_a_token_of_another_size():
    with pytest.raises(ValueError, match="block from slot 'x' to slot 'y' does not fit: cannot multiply shapes"):
        Weight({("y", "x"): A})(STREAM.tokens("context"))


def test_a_dense_weight_refuses_an_identity_between_slots_of_two_sizes():
    with pytest.raises(ValueError, match=r"connects slot 'x' \(2 rows\) with slot 'y' \(1\)"):
        Weight({("y", "x"): 1}).dense(SLOTS, SLOTS, A)


def test_a_dense_weight_refuses_a_block_of_another_shape():
    with pytest.raises(ValueError, match=r"the block \('x', 'y'\) has shape \(2, 2\), not \(2, 1\)"):
        Weight({("x", "y"): B}).dense(SLOTS, SLOTS, A)


def test_an_unknown_score_is_refused():
    with pytest.raises(
        ValueError, match="score = 'sigmoid': it must be 'linear', 'relu', 'exp', 'softmax' or a Kernel"
    ):
        Head(WHOLE, WHOLE, WHOLE, score="sigmoid")


def test_a_kernel_of_nothing_is_refused():
    with pytest.raises(ValueError, match="the kernel 'quadratic' needs a key or a query, but both weights are zero"):
        Head(Weight({}), Weight({("x", "x"): 0}), WHOLE, score=Kernel("quadratic"))


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation = 'gelu': it must be 'relu' or 'square'"):
        MLP(WHOLE, WHOLE, activation="gelu")


@pytest.mark.parametrize("score", ["exp", "softmax"])
def test_an_exponential_of_rationals_is_refused(score):
    with pytest.raises(TypeError, match=r"not rational: run this network in balls \(flint.arb entries\) or floats"):
        Attention(Head(WHOLE, WHOLE, WHOLE, score=score))(STREAM)


def test_a_kernel_whose_gram_block_has_another_shape_is_refused():
    narrow = Kernel("narrow", lambda K, Q: (K.T @ Q).T)
    with pytest.raises(ValueError, match=r"cannot multiply shapes \(2, 3\) and \(1, 3\): 3 != 1"):
        Attention(Head(WHOLE, WHOLE, WHOLE, score=narrow, mask=Mask(keys={"query": ("context",)})))(STREAM)

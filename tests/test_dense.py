"""The full matrices of a head, and their export. The forward pass with them has a file of its own."""

from fractions import Fraction

import numpy as np
import pytest

from constructions.attention import Head, Mask, causal
from constructions.block import Kernel, Verdict, compare
from constructions.construction import Single
from constructions.dense import dense_forward, dense_head, dense_mask, export, products
from constructions.gauge import GaugedAttention
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Layer, TokenMap
from constructions.parameters import lifted
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.instances import Sizes, exact_parameters, float_prompt
from numerics.rationals import RationalBlock


def matrix(rows):
    return RationalBlock.lift(rows)


def equal(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


def first_layer(construction, prompt):
    """(head, stream) of the first layer."""
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    (part,) = construction.layer(0, prompt).sublayers
    return part.heads[0], construction.embed(prompt)


PROMPT = Prompt([[1, 2], [0, 1]], [[3, -1]], [[2], [5]])


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("W_K", [[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("W_Q", [[1, 0, 0], [0, 1, 0], [0, 0, 0]]),
        ("W_V", [[0, 0, 0], [0, 0, 0], [7, 8, -1]]),
        ("P", [[3, 0, 0], [0, 3, 0], [0, 0, 3]]),
    ],
)
def test_dense_head_of_gradient_descent_is_the_printed_one(name, printed):
    head, stream = first_layer(GradientDescent(step_sizes=[6], W_0=[[7, 8]]), PROMPT)
    assert equal(getattr(dense_head(head, stream), name), matrix(printed))


def test_products_of_gradient_descent_are_m_and_b():
    head, stream = first_layer(GradientDescent(step_sizes=[6], W_0=[[7, 8]]), PROMPT)
    M, B = products(head, stream)
    assert equal(M, matrix([[1, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert equal(B, matrix([[0, 0, 0], [0, 0, 0], [21, 24, -3]]))


def test_products_of_preconditioned_descent_are_the_papers_q_and_p():
    head, stream = first_layer(
        RelaxedPreconditionedDescent(preconditioners=[[[1, 2], [3, 4]]], input_maps=[[[5, 6], [7, 8]]]), PROMPT
    )
    Q, P = products(head, stream)
    assert equal(Q, matrix([[1, 2, 0], [3, 4, 0], [0, 0, 0]]))
    assert equal(P, matrix([[5, 6, 0], [7, 8, 0], [0, 0, 1]]))


GAUGED = GaugedAttention(scales=[1], **{name: [[[1]]] for name in ("W_K", "W_Q", "W_V", "P", "A", "C")})


def test_products_depend_on_the_gauge_by_its_scale_only():
    drawn = exact_parameters(GAUGED, Sizes(2, 2, 1), 3, 1)
    head, stream = first_layer(drawn, PROMPT)
    K, Q, V, P = (matrix(getattr(drawn, name)[0]) for name in ("W_K", "W_Q", "W_V", "P"))
    M, B = products(head, stream)
    assert equal(M.scale(drawn.scales[0]), K.T @ Q)
    assert equal(B, (P @ V).scale(drawn.scales[0]))


STREAM = Stream({"x": 1, "y": 1}, {"context": 2}, {("x", "context"): matrix([[1, 2]])})
COPY = Weight({("x", "x"): 1, ("y", "y"): 1})


def test_a_key_space_of_its_own_keeps_the_order_of_the_key_then_the_query():
    head = Head(Weight({("b", "x"): 2, ("a", "y"): 3}), Weight({("c", "y"): 5, ("a", "x"): 4}), COPY)
    dense = dense_head(head, STREAM)
    assert equal(dense.W_K, matrix([[2, 0], [0, 3], [0, 0]]))
    assert equal(dense.W_Q, matrix([[0, 0], [4, 0], [0, 5]]))


def test_a_kernel_sees_no_more_than_its_own_slots():
    head = Head(
        Weight({("y", "x"): 2}),
        Weight({("y", "y"): 3}),
        COPY,
        score=Kernel("quadratic", lambda K, Q: (K.T @ Q).square()),
    )
    assert equal(dense_head(head, STREAM).W_K, matrix([[2, 0]]))


def test_a_head_without_a_projection_must_have_a_value_in_the_tokens_slots():
    with pytest.raises(ValueError, match=r"must have the token's slots \['x', 'y'\] as value, but it has \['v'\]"):
        dense_head(Head(COPY, COPY, Weight({("v", "x"): 1})), STREAM)


def test_dense_mask_is_in_the_order_of_the_prompt():
    stream = Stream(
        {"x": 1}, {"targets": 1, "inputs": 2}, {("x", "inputs"): matrix([[1, 1]])}, (("inputs", "targets"),)
    )
    mask = Mask(keys={"inputs": ("inputs",), "targets": ("inputs", "targets")}, pattern=causal)
    assert equal(dense_mask(mask, stream), matrix([[1, 1, 1], [0, 1, 0], [0, 0, 1]]))


def test_dense_mask_holds_the_weights_of_the_pattern():
    stream = Stream({"x": 1}, {"context": 2, "query": 1}, {("x", "context"): matrix([[1, 1]])})
    mask = Mask(keys=("context",), pattern=lambda i, j: Fraction(1, j + 1) if i <= j else 0)
    third = Fraction(1, 3)
    half = Fraction(1, 2)
    assert equal(dense_mask(mask, stream), matrix([[1, half, third], [0, half, third], [0, 0, 0]]))


# Export.


def test_exported_weights_predict_in_plain_numpy():
    rng = np.random.default_rng(7)
    prompt = Prompt(*(rng.integers(-8, 9, shape) / 8 for shape in ((2, 4), (1, 4), (2, 1))))
    construction = GradientDescent(step_sizes=[0.5, 0.25], W_0=rng.integers(-8, 9, (1, 2)) / 8)
    held = export(construction, prompt)
    tokens = np.block([[prompt.X, prompt.x_query], [prompt.Y, -construction.W_0 @ prompt.x_query]])
    for l in range(2):
        K, Q, V, P, mask, factor = (
            held[f"layer_{l}.attention_0.head_0.{name}"] for name in ("W_K", "W_Q", "W_V", "P", "mask", "factor")
        )
        tokens = tokens + factor * (P @ (V @ tokens) @ (mask * ((K @ tokens).T @ (Q @ tokens))))
    # Every number is a multiple of a power of two with few bits, so that NumPy makes no rounding error.
    assert construction(prompt.X, prompt.Y, prompt.x_query) == -tokens[-1, -1]


def test_exported_arrays_can_be_saved_and_loaded(tmp_path):
    held = export(GradientDescent(step_sizes=[0.5, 0.25]), float_prompt(0, 3, 2))
    np.savez(tmp_path / "weights.npz", **held)
    with np.load(tmp_path / "weights.npz") as loaded:
        assert {name: array.tolist() for name, array in loaded.items()} == {
            name: array.tolist() for name, array in held.items()
        }


def test_exported_rationals_are_exact():
    held = export(GradientDescent(step_sizes=[Fraction(1, 3)]), PROMPT)
    assert held["layer_0.attention_0.head_0.P"][0, 0] * 6 == 1


def test_one_layer_may_be_exported():
    names = export(GradientDescent(step_sizes=[1, 2, 3]), PROMPT, l=1)
    assert {name.partition(".")[0] for name in names} == {"layer_1"}


def test_a_layer_that_the_network_lacks_cannot_be_exported():
    with pytest.raises(IndexError, match=r"l = 2: the network has 2 layers; pass l = 0 .. 1, or None for all"):
        export(GradientDescent(step_sizes=[1, 2]), PROMPT, l=2)


class Perceptron(GradientDescent):
    """An MLP and a linear map of every token."""

    def layer(self, l, prompt):
        one = prompt.X.ones(1, 1)
        mlp = MLP(Weight({("h", "y"): 2}), Weight({("y", "h"): 3}), "relu", {"h": one}, {"y": -one})
        return Layer(mlp, TokenMap(Weight({("x", "x"): 5})))


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("mlp_0.W_1", [[0, 0, 2]]),
        ("mlp_0.b_1", [[1]]),
        ("mlp_0.W_2", [[0], [0], [3]]),
        ("mlp_0.b_2", [[0], [0], [-1]]),
        ("token_map_1.A", [[5, 0, 0], [0, 5, 0], [0, 0, 0]]),
    ],
)
def test_perceptrons_and_maps_are_exported(name, printed):
    assert export(Perceptron(step_sizes=[1]), PROMPT)[f"layer_0.{name}"].tolist() == printed


class Appending(GradientDescent):
    """A network that appends a token."""

    def stages(self, prompt):
        return (Single(lambda stream: stream.append("context", {}), lambda W: {}, name="thought"),)


@pytest.mark.parametrize("run", [lambda *given: list(dense_forward(*given)), export], ids=["dense_forward", "export"])
def test_a_network_that_appends_tokens_by_itself_has_no_dense_weights(run):
    with pytest.raises(TypeError, match=r"the thought .* is neither a Layer nor Decoding, so it has no dense weights"):
        run(Appending(step_sizes=[1]), PROMPT)

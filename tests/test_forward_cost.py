"""What a forward pass costs: which blocks it multiplies, and how much it holds at once."""

from fractions import Fraction

import numpy as np
import pytest

from benchmarks.growth import peak_bytes
from constructions.attention import Head
from constructions.construction import forward, streams
from constructions.layer import Attention, Layer
from constructions.newton import NewtonFromIdentity
from constructions.prompt import Prompt
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock


def drawn(*, n=40, d=5, m=1, batch=()):
    rng = np.random.default_rng(0)
    return Prompt(*(rng.standard_normal((*batch, *shape)) for shape in ((d, n), (m, n), (d, 1))))


def newton(steps):
    return NewtonFromIdentity(alpha=Fraction(1, 1000), steps=steps)


def test_forward_pass_holds_no_more_for_more_layers():
    prompt = drawn(n=1000, d=20)
    few, many = (peak_bytes(lambda k=k: forward(newton(k), prompt)) for k in (2, 12))
    assert many - few < prompt.X.nbytes


def test_a_scalar_of_linear_attention_meets_no_context_token(monkeypatch):
    prompt = drawn().lifted(FloatBlock)
    scaled, multiplied = [], FloatBlock._scale

    def recorded(self, scalar):
        scaled.append(self.shape)
        return multiplied(self, scalar)

    monkeypatch.setattr(FloatBlock, "_scale", recorded)
    layers = streams(newton(3), prompt)
    next(layers)
    scaled.clear()
    assert len(list(layers)) == len(scaled)
    assert all(columns == prompt.d for _, columns in scaled)


def block(*rows):
    return RationalBlock.lift([list(row) for row in rows])


def test_a_multiple_of_the_identity_is_left_apart():
    token = {"x": block([1, 2]), "y": block([3, 4])}
    assert Weight({("u", "x"): Fraction(1, 2)}).factored(token) == {"u": (Fraction(1, 2), token["x"])}


@pytest.mark.parametrize("matrix", [Fraction(-3), block([-3])], ids=["multiple", "matrix"])
def test_blocks_that_feed_one_slot_are_added_and_nothing_is_left_apart(matrix):
    token = {"x": block([1, 2]), "y": block([3, 4])}
    ((scalar, total),) = Weight({("u", "x"): Fraction(1, 2), ("u", "y"): matrix}).factored(token).values()
    assert scalar == 1
    assert [Fraction(int(v.p), int(v.q)) for v in total.entry.flat] == [Fraction(1, 2) - 9, 1 - 12]


@pytest.mark.parametrize("batch", [(), (2,)], ids=["alike", "spread over a batch"])
def test_sum_with_a_product_leaves_its_operands_as_they_are(batch):
    rng = np.random.default_rng(0)
    held = [rng.standard_normal((*b, 3, 3)) for b in (batch, (), ())]
    kept = [array.copy() for array in held]
    total, left, right = (FloatBlock.lift(array) for array in held)
    result = total.plus_product(left, right).entry
    assert all(np.array_equal(array, copy) for array, copy in zip(held, kept, strict=True))
    assert np.array_equal(result, kept[0] + kept[1] @ kept[2])


def test_sum_with_a_product_takes_the_memory_of_the_product_alone():
    A, B, total = (FloatBlock.lift(np.ones((300, 300))) for _ in range(3))
    assert peak_bytes(lambda: total.plus_product(A, B).entry) < 1.5 * 8 * 300**2


def test_sum_with_a_product_that_nobody_reads_is_not_computed():
    A, B, total = (FloatBlock.lift(np.ones((300, 300))) for _ in range(3))
    assert peak_bytes(lambda: total.plus_product(A, B)) < 1000


def test_products_do_not_pile_up_over_layers_that_nobody_reads():
    A, B, total = (FloatBlock.lift(np.ones((300, 300))) for _ in range(3))

    def accumulated(times):
        block = total
        for _ in range(times):
            block = block.plus_product(A, B)
        return block.entry

    assert peak_bytes(lambda: accumulated(20)) < 1.1 * peak_bytes(lambda: accumulated(2))


@pytest.mark.parametrize("shapes", [((2, 3), (3, 3), (2, 2)), ((2, 3), (2, 2), (3, 3))])
def test_sum_with_a_product_that_does_not_fit_is_refused_at_once(shapes):
    total, left, right = (FloatBlock.lift(np.ones(shape)) for shape in shapes)
    with pytest.raises(ValueError, match="cannot"):
        total.plus_product(left, right)


def test_two_heads_of_a_layer_read_the_stream_before_either_has_added_to_it():
    X = RationalBlock.lift([[1, 2]])
    double = Head(key=Weight({("k", "x"): 1}), query=Weight({("k", "x"): 1}), value=Weight({("x", "x"): 1}))
    stream = Stream({"x": 1}, {"context": 2}, {("x", "context"): X})
    # One head adds (x x^T) x = 5 x.
    after = Layer(Attention(double, double))(stream)["x", "context"]
    assert [Fraction(int(v.p), int(v.q)) for v in after.entry.flat] == [11, 22]

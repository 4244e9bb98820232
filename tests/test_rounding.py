"""Floats with a radius: the exact result lies within the radius, and the value is the float run."""

from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from rounded_operands import (
    OPERATIONS,
    SCALARS,
    SHAPES,
    bits,
    certainly_outside,
    exactly,
    faults,
    floats,
    fractions,
    has_same_bits,
    on_host,
    operands,
    outside,
    plain,
    rounded,
    with_fixture,
)

from constructions.block import compare, softmax
from constructions.comparison import Verdict
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.balls import BallBlock, precision
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock, contains

# The exact result lies within the radius.


@bits
@with_fixture
@given(data=st.data())
def test_exact_result_of_every_operation_lies_within_the_radius(xp, bits, data):
    drawn, scalar = [data.draw(operands(bits, *shape)) for shape in SHAPES], data.draw(SCALARS)
    assert faults([rounded(xp, each) for each in drawn], drawn, scalar) == {}


@given(data=st.data())
def test_exact_result_of_every_operation_in_half_precision_lies_within_the_radius(data):
    drawn, scalar = [data.draw(operands(16, *shape)) for shape in SHAPES], data.draw(SCALARS)
    assert faults([rounded(np, each) for each in drawn], drawn, scalar) == {}


@with_fixture
@given(data=st.data())
def test_result_of_mixed_precisions_lies_within_the_radius(xp, data):
    a, b = data.draw(operands(32, 2, 3)), data.draw(operands(64, 3, 2))
    product = rounded(xp, a) @ rounded(xp, b)
    assert outside(product, fractions(exactly(a) @ exactly(b))) == []


@given(data=st.data())
def test_every_matrix_of_a_batch_is_bounded(data):
    first, second, b = (data.draw(operands(64, *shape)) for shape in ((2, 3), (2, 3), (3, 2)))
    value, radius = np.stack([first.value, second.value]), np.stack([first.radius, second.radius])
    result = RoundedBlock.lift(Rounded(value, radius)) @ rounded(np, b)
    for place, a in enumerate((first, second)):
        single = RoundedBlock(FloatBlock(result.value[place]), result.radius[place])
        assert outside(single, fractions(exactly(a) @ exactly(b))) == []


@bits
@with_fixture
@given(data=st.data())
def test_exact_inverse_lies_within_the_radius(xp, bits, data):
    size = data.draw(st.integers(1, 3))
    dyadic = st.integers(-64, 64).map(lambda k: k / 8)
    a = data.draw(operands(bits, size, size, dyadic | floats(bits), st.floats(0, 1e-3) | st.floats(0, 1)))
    try:
        result = rounded(xp, a).inverse()
    except ZeroDivisionError:
        assume(False)
    bounded = bool(np.all(np.isfinite(on_host(result.radius))))
    # A finite radius claims that the exact matrix has an inverse, so that this must not raise.
    assert not bounded or outside(result, fractions(exactly(a).inverse())) == []


@bits
@with_fixture
@given(data=st.data())
def test_exponential_lies_within_the_radius(xp, bits, data):
    scores = st.floats(-800, 800, width=bits) | floats(bits).filter(lambda score: abs(score) < 10**5)
    a = data.draw(operands(bits, 2, 2, scores, st.floats(0, 3)))
    with precision(400):
        assert certainly_outside(rounded(xp, a).exp(), BallBlock.lift(a.exact).exp()) == []


@bits
@with_fixture
@given(data=st.data())
def test_softmax_lies_within_the_radius(xp, bits, data):
    scores = st.floats(-8, 8, width=bits) | st.floats(-1000, 1000, width=bits)
    a, b = (data.draw(operands(bits, rows, 2, scores, st.floats(0, 3))) for rows in (3, 2))
    allowed = data.draw(st.lists(st.booleans(), min_size=6, max_size=6))
    pattern = lambda i, j: int(allowed[2 * i + j])  # noqa: E731
    left, right = rounded(xp, a), rounded(xp, b)
    results = softmax([left, right], [left.fill(3, 2, pattern), None])
    with precision(4000):
        above, below = BallBlock.lift(a.exact), BallBlock.lift(b.exact)
        exact = softmax([above, below], [above.fill(3, 2, pattern), None])
        assert [certainly_outside(r, x) for r, x in zip(results, exact, strict=True)] == [[], []]


# The value is the float run.


@bits
@with_fixture
@given(data=st.data())
def test_value_of_every_operation_is_the_float_run_bit_for_bit(xp, bits, data):
    drawn, scalar = [data.draw(operands(bits, *shape)) for shape in SHAPES], data.draw(SCALARS)
    for name, operation in OPERATIONS.items():
        result = operation(*(rounded(xp, each) for each in drawn), scalar)
        with np.errstate(all="ignore"):
            run = operation(*(plain(xp, each) for each in drawn), scalar)
        assert has_same_bits(result.value, run.entry), name


@bits
@with_fixture
@given(data=st.data())
def test_value_of_exp_softmax_and_inverse_is_the_float_run_bit_for_bit(xp, bits, data):
    a = data.draw(operands(bits, 2, 2))
    causal = lambda i, j: int(i <= j)  # noqa: E731
    for operation in (
        lambda block: block.exp(),
        lambda block: softmax([block, block.T], [block.fill(2, 2, causal), None])[0],
        lambda block: (block + block.identity(2).scale(5)).inverse(),
    ):
        with np.errstate(all="ignore"):
            try:
                run = operation(plain(xp, a)).entry
            except ZeroDivisionError:
                continue
        assert has_same_bits(operation(rounded(xp, a)).value, run)


# A forward pass.


def drawn_prompt(xp, bits, seed=0):
    """Dyadic data for d = 3, n = 5, m = 2, and W_0."""
    random = np.random.default_rng(seed)
    draw = lambda *shape: xp.asarray((random.integers(-64, 65, shape) / 64).astype(f"float{bits}"))  # noqa: E731
    return Prompt(draw(3, 5), draw(2, 5), draw(3, 1)), draw(2, 3)


def prediction(kind, prompt, W_0):
    rates = [Fraction(k, 30) for k in range(1, 6)]
    return forward(GradientDescent(step_sizes=rates, W_0=kind.lift(W_0)), prompt.lifted(kind))


@bits
@with_fixture
@given(seed=st.integers(0, 2**32))
def test_forward_pass_of_five_layers_encloses_the_exact_prediction(xp, bits, seed):
    prompt, W_0 = drawn_prompt(xp, bits, seed)
    exact = prediction(RationalBlock, prompt.map(on_host), on_host(W_0))
    result = prediction(RoundedBlock, prompt, W_0)
    assert contains(result, exact).verdict is Verdict.EQUAL
    assert outside(result, fractions(exact)) == []


@bits
def test_forward_pass_has_the_value_of_the_float_run(xp, bits):
    prompt, W_0 = drawn_prompt(xp, bits)
    assert has_same_bits(prediction(RoundedBlock, prompt, W_0).value, prediction(FloatBlock, prompt, W_0).entry)


@bits
def test_forward_pass_from_sign_flipped_weights_is_rejected(xp, bits):
    prompt, W_0 = drawn_prompt(xp, bits)
    comparison = compare(prediction(RoundedBlock, prompt, W_0), prediction(RoundedBlock, prompt, -W_0))
    assert comparison.verdict is Verdict.DIFFERENT
    assert comparison.gap > comparison.bound


def test_construction_called_with_rounded_pairs_returns_a_rounded_pair(xp):
    prompt, W_0 = drawn_prompt(xp, 64)
    pair = lambda array: Rounded(array, xp.zeros_like(array))  # noqa: E731
    result = GradientDescent(step_sizes=[1], W_0=pair(W_0))(*map(pair, (prompt.X, prompt.Y, prompt.x_query)))
    assert isinstance(result, Rounded)
    assert result.value.shape == result.radius.shape == (2, 1)

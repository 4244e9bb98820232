"""Floats with a radius: the exact result is within it, the value is the float run, the bound can reject."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from constructions.block import compare, kind_of, softmax
from constructions.comparison import Verdict
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.balls import BallBlock, as_arb, precision
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock, contains

# The namespace that the fixture returns holds no state, so it may serve every example.
with_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
bits = pytest.mark.parametrize("bits", [32, 64])

ROUNDOFF = {16: Fraction(1, 2**11), 32: Fraction(1, 2**24), 64: Fraction(1, 2**53)}
SMALLEST_NORMAL = {16: Fraction(1, 2**14), 32: Fraction(1, 2**126), 64: Fraction(1, 2**1022)}

OPERATIONS = {
    "matmul": lambda a, b, c, s: a @ b,
    "product of three": lambda a, b, c, s: a @ b @ c,
    "sum": lambda a, b, c, s: a + c,
    "difference": lambda a, b, c, s: a - c,
    "entrywise product": lambda a, b, c, s: a.hadamard(c),
    "square": lambda a, b, c, s: a.square(),
    "multiple": lambda a, b, c, s: a.scale(s),
    "negative": lambda a, b, c, s: -a,
    "multiple by -1": lambda a, b, c, s: a.scale(-1),
    "relu": lambda a, b, c, s: a.relu(),
    "transpose": lambda a, b, c, s: a.T,
    "beside": lambda a, b, c, s: a.beside(c),
    "above": lambda a, b, c, s: a.above(c),
    "diagonal of a row": lambda a, b, c, s: (a.ones(1, 2) @ a).diagonal(),
    "diagonal of a column": lambda a, b, c, s: (a @ a.ones(3, 1)).diagonal(),
    "fill": lambda a, b, c, s: a.fill(2, 3, lambda i, j: s * (i - j)),
    "zeros": lambda a, b, c, s: a.zeros(2, 3),
    "gradient step": lambda a, b, c, s: a - ((a @ b - a.identity(2)) @ b.T).scale(s),
}
"""Every operation with an exact result: of a (2, 3), b (3, 2), c (2, 3) and a scalar."""

SHAPES = ((2, 3), (3, 2), (2, 3))


@dataclass(frozen=True)
class Operand:
    """A float matrix, its radius, and exact entries within it."""

    value: Any
    radius: Any
    exact: list


def floats(bits):
    """Any finite float, subnormal and huge ones included, but often a moderate one."""
    if bits == 16:
        patterns = st.integers(0, 2**16 - 1).map(lambda k: float(np.uint16(k).view(np.float16)))
        return st.integers(-2048, 2048).map(lambda k: k / 1024) | patterns.filter(math.isfinite)
    smallest, largest = (-1074, 1023) if bits == 64 else (-149, 127)
    cast = np.dtype(f"float{bits}").type
    scaled = st.builds(
        lambda mantissa, exponent: float(cast(math.ldexp(mantissa, exponent))),
        st.floats(-1, 1, width=bits),
        st.integers(smallest, largest),
    )
    return st.floats(-4, 4, width=bits) | scaled | st.floats(width=bits, allow_nan=False, allow_infinity=False)


# No zero: it would give Zero, which is no kind of number.
SCALARS = st.builds(
    lambda numerator, denominator, exponent: Fraction(numerator, denominator) * Fraction(2) ** exponent,
    st.integers(-99, 99).filter(bool),
    st.integers(1, 99),
    st.just(0) | st.integers(-160, 120),
)


RADII = st.floats(0, 1) | st.floats(0, 1e300)


@st.composite
def operands(draw, bits, rows, columns, entries=None, radii=RADII):
    """A matrix of drawn floats with drawn radii, and exact rationals drawn within them."""
    size = rows * columns
    values = draw(st.lists(floats(bits) if entries is None else entries, min_size=size, max_size=size))
    radii = draw(st.just([0.0] * size) | st.lists(radii, min_size=size, max_size=size))
    places = draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size))
    exact = [Fraction(v) + Fraction(r) * Fraction(p, 9) for v, r, p in zip(values, radii, places, strict=True)]
    return Operand(
        np.array(values, dtype=f"float{bits}").reshape(rows, columns),
        np.array(radii).reshape(rows, columns),
        [exact[i * columns : (i + 1) * columns] for i in range(rows)],
    )


def rounded(xp, operand):
    return RoundedBlock.lift(Rounded(xp.asarray(operand.value), xp.asarray(operand.radius)))


def plain(xp, operand):
    return FloatBlock.lift(xp.asarray(operand.value))


def exactly(operand):
    return RationalBlock.lift(operand.exact)


def on_host(array):
    return np.asarray(array.get() if hasattr(array, "get") else array)


def entries(block):
    """Triples (value, radius, place) of an unbatched block."""
    value, radius = on_host(block.value).astype(np.float64), on_host(block.radius)
    return [(float(value[place]), float(radius[place]), place) for place in np.ndindex(value.shape)]


def outside(block, exact):
    """The entries whose exact value is not within the radius, by Fractions."""
    return [
        (value, radius, exact[i][j])
        for value, radius, (i, j) in entries(block)
        if math.isfinite(radius) and abs(Fraction(value) - exact[i][j]) > Fraction(radius)
    ]


def fractions(block):
    """The entries of a rational block, as nested lists of Fractions."""
    return [[Fraction(int(q.p), int(q.q)) for q in row] for row in block.entry.tolist()]


def faults(blocks, drawn, scalar):
    """By operation, the entries whose exact value is not within the radius."""
    exact = [exactly(operand) for operand in drawn]
    found = {
        name: outside(operation(*blocks, scalar), fractions(operation(*exact, scalar)))
        for name, operation in OPERATIONS.items()
    }
    return {name: entries for name, entries in found.items() if entries}


def certainly_outside(block, balls):
    """The entries that lie further than their radius from the whole ball."""
    return [
        (value, radius, balls.entry[place])
        for value, radius, place in entries(block)
        if math.isfinite(radius) and abs(as_arb(value) - balls.entry[place]) > as_arb(radius)
    ]


def one(xp, number, bits=64):
    """A block with a single exact entry."""
    return RoundedBlock.lift(xp.asarray(np.array([[number]], dtype=f"float{bits}")))


def radius_of(block):
    return Fraction(float(on_host(block.radius)[0, 0]))


def has_same_bits(left, right):
    """Equal floats, signs of zeros included; a NaN equals a NaN."""
    left, right = on_host(left), on_host(right)
    numbers = ~np.isnan(left)
    return (
        left.dtype == right.dtype
        and np.array_equal(left, right, equal_nan=True)
        and np.array_equal(np.signbit(left[numbers]), np.signbit(right[numbers]))
    )


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


# The bound holds for machines and orders of summation other than this one's.


@bits
def test_radius_covers_the_worst_order_of_summation(xp, bits):
    cast = np.dtype(f"float{bits}").type
    n, u = 64, ROUNDOFF[bits]
    row = np.array([[1] + [float(u)] * (n - 1)], dtype=cast)
    block = RoundedBlock.lift(xp.asarray(row)) @ RoundedBlock.lift(xp.asarray(np.ones((n, 1), dtype=cast)))
    total = cast(0)
    for number in row[0]:
        total += number
    # Term by term, every addition rounds back to 1, and the error is all but n u.
    assert total == 1
    assert radius_of(block) >= abs(Fraction(float(total)) - (1 + (n - 1) * u))


@bits
def test_radius_covers_a_product_that_rounds_as_badly_as_possible(xp, bits):
    # 1 + 2^-i + 2^-j + u is a tie, which goes to the even number below.
    u, (i, j) = ROUNDOFF[bits], {32: (11, 13), 64: (26, 27)}[bits]
    a, b = 1 + Fraction(1, 2**i), 1 + Fraction(1, 2**j)
    left, right = one(xp, float(a), bits), one(xp, float(b), bits)
    assert abs(Fraction(float(on_host((left @ right).value)[0, 0])) - a * b) == u
    assert radius_of(left @ right) >= u
    assert radius_of(left.hadamard(right)) >= u
    assert radius_of(left.scale(b)) >= u


@bits
def test_radius_covers_a_sum_that_rounds_as_badly_as_possible(xp, bits):
    u = ROUNDOFF[bits]
    assert radius_of(one(xp, 1.0, bits) + one(xp, float(u), bits)) >= u


@bits
def test_radius_covers_a_result_flushed_to_zero(xp, bits):
    t = SMALLEST_NORMAL[bits]
    root, half = float(2 * t) ** 0.5, one(xp, 0.5, bits)
    results = [
        half @ one(xp, float(t), bits),
        half.hadamard(one(xp, float(t), bits)),
        one(xp, float(t), bits).scale(Fraction(1, 2)),
        one(xp, root, bits) @ one(xp, root * 0.49, bits),
        one(xp, float(3 * t / 2), bits) - one(xp, float(t), bits),
    ]
    for result in results:
        value = Fraction(float(on_host(result.value)[0, 0]))
        assert 0 < value < t
        assert radius_of(result) >= value


@bits
def test_radius_covers_an_operand_flushed_to_zero(xp, bits):
    subnormal, large = SMALLEST_NORMAL[bits] / 2, Fraction(2) ** (bits // 2)
    small, factor = one(xp, float(subnormal), bits), one(xp, float(large), bits)
    assert radius_of(small @ factor) >= subnormal * large
    assert radius_of(factor @ small) >= subnormal * large
    assert radius_of(small.hadamard(factor)) >= subnormal * large
    assert radius_of(small.scale(large)) >= subnormal * large
    assert radius_of(factor.scale(subnormal)) >= subnormal * large
    assert radius_of(small + one(xp, float(SMALLEST_NORMAL[bits]), bits)) >= subnormal
    assert radius_of(small.relu()) >= subnormal
    assert radius_of(small.diagonal()) >= subnormal


@bits
def test_radius_covers_a_product_that_underflows(xp, bits):
    tiny = float(SMALLEST_NORMAL[bits]) ** 0.75
    product = one(xp, tiny, bits) @ one(xp, tiny, bits)
    exact = Fraction(float(on_host(one(xp, tiny, bits).value)[0, 0])) ** 2
    assert float(on_host(product.value)[0, 0]) == 0
    assert radius_of(product) >= exact


def test_radius_is_infinite_where_n_u_reaches_one():
    row = RoundedBlock.lift(np.full((1, 2048), 2.0**-12, dtype=np.float16))
    assert np.isinf((row @ row.T).radius).all()


def test_radius_is_finite_where_n_u_is_below_one():
    row = RoundedBlock.lift(np.full((1, 2047), 2.0**-6, dtype=np.float16))
    assert np.isfinite((row @ row.T).radius).all()


# The bound is narrow enough to reject.


def test_radius_of_a_well_scaled_product_is_below_a_trillionth(xp):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(20, 40)), random.normal(size=(40, 20))
    product = RoundedBlock.lift(xp.asarray(a)) @ RoundedBlock.lift(xp.asarray(b))
    assert np.max(on_host(product.radius)) < 1e-12 * np.max(np.abs(on_host(product.value)))


def test_radius_of_a_well_scaled_inverse_is_below_a_trillionth(xp):
    a = np.random.default_rng(0).normal(size=(10, 10)) + 8 * np.eye(10)
    inverse = RoundedBlock.lift(xp.asarray(a)).inverse()
    assert np.max(on_host(inverse.radius)) < 1e-12 * np.max(np.abs(on_host(inverse.value)))


@bits
def test_radius_of_an_exponential_is_a_few_roundings(xp, bits):
    scores = np.linspace(-5, 5, 20, dtype=f"float{bits}").reshape(4, 5)
    result = RoundedBlock.lift(xp.asarray(scores)).exp()
    relative = on_host(result.radius) / on_host(result.value).astype(np.float64)
    assert np.max(relative) < 8 * float(ROUNDOFF[bits])


@bits
def test_radius_of_a_softmax_is_a_few_roundings(xp, bits):
    scores = np.linspace(-5, 5, 20, dtype=f"float{bits}").reshape(4, 5)
    (result,) = softmax([RoundedBlock.lift(xp.asarray(scores))])
    assert np.max(on_host(result.radius)) < 32 * float(ROUNDOFF[bits])


@bits
def test_sign_flipped_product_is_rejected(xp, bits):
    random = np.random.default_rng(1)
    a, b = (RoundedBlock.lift(xp.asarray(random.normal(size=s).astype(f"float{bits}"))) for s in ((20, 40), (40, 20)))
    assert compare(a @ b, -a @ b).verdict is Verdict.DIFFERENT


def test_copies_and_exact_constants_have_radius_zero(xp):
    block = RoundedBlock.lift(xp.asarray(np.array([[0.5, -3.0]])))
    exact = lambda i, j: Fraction(1, 2 + 2 * j)  # noqa: E731
    for copy in (
        block,
        -block,
        block.T,
        block.beside(block),
        block.ones(2, 2),
        block.identity(2),
        block.zeros(1, 2),
    ):
        assert not np.any(on_host(copy.radius))
    assert on_host(block.fill(1, 3, exact).radius)[0].astype(bool).tolist() == [False, False, True]


def test_restarted_block_is_exact_data(xp):
    block = one(xp, 0.1) @ one(xp, 0.1)
    assert radius_of(block) > 0
    assert radius_of(block.restarted()) == 0
    assert has_same_bits(block.restarted().value, block.value)


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


# What is not known is not decided.


@bits
def test_overflow_is_undecided(xp, bits):
    huge = one(xp, float(np.finfo(f"float{bits}").max), bits)
    for block in (
        huge @ huge,
        huge + huge,
        huge.hadamard(huge),
        huge.scale(3),
        huge.exp(),
        (huge + huge).relu(),
    ):
        assert has_infinite_radii(block)
        assert compare(block, block).verdict is Verdict.UNDECIDED


@bits
def test_nan_is_undecided(xp, bits):
    huge = one(xp, float(np.finfo(f"float{bits}").max), bits)
    infinite = huge + huge
    nan = infinite - infinite
    masked = softmax([one(xp, 1.0, bits)], [one(xp, 0.0, bits)])[0]
    results = (nan, -nan, nan.relu(), nan.T, nan.exp(), nan.inverse(), nan @ nan, nan.diagonal())
    for block in (*results, nan.restarted(), masked, softmax([nan])[0], softmax([infinite])[0]):
        assert has_infinite_radii(block)
        assert compare(block, one(xp, 1.0, bits)).verdict is Verdict.UNDECIDED


def has_infinite_radii(block):
    return bool(np.all(np.isinf(on_host(block.radius))))


def test_scalar_beyond_the_largest_float_is_undecided(xp):
    assert has_infinite_radii(one(xp, 1.0, 32).scale(10**50))
    assert has_infinite_radii(one(xp, 1.0, 32).fill(1, 1, lambda i, j: 10**50))


def test_inverse_of_a_matrix_that_may_be_singular_is_undecided(xp):
    value = xp.asarray(np.eye(2))
    assert has_infinite_radii(RoundedBlock.lift(Rounded(value, xp.full_like(value, 0.6))).inverse())


def test_inverse_after_a_zero_pivot_is_refused(xp):
    with pytest.raises(ZeroDivisionError, match="zero pivot"):
        RoundedBlock.lift(xp.asarray(np.ones((2, 2)))).inverse()


def test_inverse_of_a_rectangle_is_refused(xp):
    with pytest.raises(ValueError, match=r"only a square block .* \(2, 3\)"):
        RoundedBlock.lift(xp.asarray(np.ones((2, 3)))).inverse()


# Comparisons.


def block_of(xp, value, radius):
    return RoundedBlock.lift(Rounded(xp.asarray(np.array(value)), xp.asarray(np.array(radius))))


def test_enclosures_that_touch_are_equal(xp):
    left, right = block_of(xp, [[1.0, 5.0]], [[0.5, 0.0]]), block_of(xp, [[2.0, 5.25]], [[0.5, 0.5]])
    comparison = compare(left, right)
    assert comparison.verdict is Verdict.EQUAL
    assert (comparison.gap, comparison.left, comparison.right) == (1.0, 1.0, 2.0)
    assert comparison.bound == pytest.approx(1.0, rel=1e-15)
    assert isinstance(comparison.bound, float)


@given(data=st.data())
def test_blocks_are_never_called_different_if_their_enclosures_meet(data):
    bits = data.draw(st.sampled_from([32, 64]))
    a, b = data.draw(operands(bits, 1, 2)), data.draw(operands(bits, 1, 2))
    pairs = zip(entries(rounded(np, a)), entries(rounded(np, b)), strict=True)
    meet = all(abs(Fraction(v) - Fraction(w)) <= Fraction(r) + Fraction(s) for (v, r, _), (w, s, _) in pairs)
    verdict = compare(rounded(np, a), rounded(np, b)).verdict
    assert not (meet and verdict is Verdict.DIFFERENT)


def test_entry_with_the_largest_excess_is_reported(xp):
    left = block_of(xp, [[0.0, 0.0, 0.0]], [[10.0, 0.0, 0.0]])
    comparison = compare(left, block_of(xp, [[9.0, 2.0, 3.0]], [[0.0, 0.0, 2.0]]))
    assert comparison.verdict is Verdict.DIFFERENT
    assert (comparison.gap, comparison.left, comparison.right) == (2.0, 0.0, 2.0)
    assert 0 < comparison.bound < 1e-300


def test_gap_just_above_the_radii_is_different(xp):
    far = block_of(xp, [[1 + 2.0**-48]], [[0.0]])
    assert compare(block_of(xp, [[0.0]], [[1.0]]), far).verdict is Verdict.DIFFERENT


def test_infinite_radius_does_not_hide_a_difference_elsewhere(xp):
    left = block_of(xp, [[0.0, 1.0]], [[np.inf, 0.0]])
    assert compare(left, block_of(xp, [[0.0, 2.0]], [[0.0, 0.0]])).verdict is Verdict.DIFFERENT
    assert compare(left, block_of(xp, [[0.0, 1.0]], [[0.0, 0.0]])).verdict is Verdict.UNDECIDED


def test_difference_in_one_matrix_of_a_batch_is_found(xp):
    batch = np.zeros((3, 1, 2))
    batch[1, 0, 1] = 1
    left, right = RoundedBlock.lift(xp.asarray(batch)), RoundedBlock.lift(xp.asarray(np.zeros((1, 2))))
    comparison = compare(left, right)
    assert comparison.verdict is Verdict.DIFFERENT
    assert (comparison.left, comparison.right) == (1.0, 0.0)


# Held against exact results.


def test_contained_results_are_told_with_their_largest_error(xp):
    third = Fraction(1, 3)
    comparison = contains(block_of(xp, [[0.5, 0.25]], [[0.25, 0.125]]), RationalBlock.lift([[third, third]]))
    assert comparison.verdict is Verdict.EQUAL
    assert (comparison.gap, comparison.bound) == (third / 2, 0.25)


def test_exact_result_outside_by_any_amount_is_different(xp):
    beyond = Fraction(1, 2) + Fraction(1, 10**100)
    comparison = contains(block_of(xp, [[0.0, 9.0]], [[0.5, 9.0]]), RationalBlock.lift([[beyond, 0]]))
    assert comparison.verdict is Verdict.DIFFERENT
    assert (comparison.gap, comparison.bound, comparison.left, comparison.right) == (beyond, 0.5, 0.0, beyond)


def test_infinite_radius_contains_nothing_for_certain(xp):
    block, exact = block_of(xp, [[0.0, 0.0]], [[np.inf, 1.0]]), RationalBlock.lift([[0, 0]])
    assert contains(block, exact).verdict is Verdict.UNDECIDED
    assert contains(block, RationalBlock.lift([[0, 2]])).verdict is Verdict.DIFFERENT


def test_batch_is_not_held_against_one_exact_result(xp):
    block = RoundedBlock.lift(xp.asarray(np.zeros((2, 1, 1))))
    with pytest.raises(ValueError, match=r"one matrix of shape \(1, 1\) .* \(2, 1, 1\)"):
        contains(block, RationalBlock.lift([[0]]))


# Lifting.


def test_rounded_pair_is_lifted_into_this_kind_and_returned_by_entry(xp):
    value, radius = xp.asarray(np.ones((1, 2))), xp.asarray(np.full((1, 2), 0.5))
    assert kind_of(Rounded(value, radius)) is RoundedBlock
    entry = RoundedBlock.lift(Rounded(value, radius)).entry
    assert has_same_bits(entry.value, value)
    assert has_same_bits(entry.radius, radius)


def test_rational_of_sympy_is_lifted_with_its_error(xp):
    tenth = one(xp, 1.0).scale(sympy.Rational(1, 10))
    assert radius_of(tenth) >= abs(Fraction(0.1) - Fraction(1, 10)) > 0


def test_irrational_scalar_is_refused(xp):
    with pytest.raises(TypeError, match="an exact entry must be"):
        one(xp, 1.0).scale(sympy.sqrt(2))


def test_long_double_is_refused():
    with pytest.raises(TypeError, match=r"dtype .* has no rounding bound"):
        RoundedBlock.lift(np.ones((1, 1), dtype=np.longdouble))


def test_nan_value_is_refused(xp):
    with pytest.raises(ValueError, match="every entry must be finite"):
        RoundedBlock.lift(xp.asarray(np.array([[np.nan]])))


@pytest.mark.parametrize("radius", [-1.0, np.nan])
def test_radius_that_is_no_bound_is_refused(xp, radius):
    with pytest.raises(ValueError, match="every radius must be >= 0"):
        block_of(xp, [[1.0]], [[radius]])


def test_radius_of_another_shape_is_refused(xp):
    with pytest.raises(ValueError, match=r"the value's shape \(1, 2\), but \(1, 1\)"):
        block_of(xp, [[1.0, 2.0]], [[0.0]])


def test_radius_that_is_not_float64_is_refused(xp):
    value = xp.asarray(np.ones((1, 1), dtype=np.float32))
    with pytest.raises(TypeError, match=r"the radius must be a float64 array .*float32"):
        RoundedBlock.lift(Rounded(value, value))


def test_pattern_that_is_not_exact_is_refused(xp):
    score = one(xp, 1.0)
    with pytest.raises(ValueError, match="a pattern must be exact"):
        softmax([score], [block_of(xp, [[1.0]], [[0.5]])])


def test_kinds_of_pattern_do_not_mix(xp):
    with pytest.raises(TypeError, match="kinds of number do not mix"):
        softmax([one(xp, 1.0)], [FloatBlock.lift(xp.asarray(np.ones((1, 1))))])

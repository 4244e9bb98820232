"""Floats with a radius: the bound covers every machine that is allowed for, and is narrow enough to reject."""

from fractions import Fraction

import numpy as np
from rounded_operands import ROUNDOFF, SMALLEST_NORMAL, bits, has_same_bits, on_host, one, radius_of

from constructions.block import compare, softmax
from constructions.comparison import Verdict
from numerics.rounding import RoundedBlock

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


def test_radius_of_a_softmax_of_huge_scores_is_a_few_roundings(xp):
    (result,) = softmax([RoundedBlock.lift(xp.asarray(np.array([[1e300], [1e300], [-1e300]])))])
    assert np.max(on_host(result.radius)) < 4 * float(ROUNDOFF[64])


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

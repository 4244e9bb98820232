"""Floats with a radius: what is decided, what is left undecided, and what is refused."""

from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from rounded_operands import bits, entries, has_same_bits, on_host, one, operands, radius_of, rounded

from constructions.block import compare, kind_of, softmax
from constructions.comparison import Verdict
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock, contains

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


def test_inverse_after_a_zero_pivot_is_refused():
    with pytest.raises(ZeroDivisionError, match="zero pivot"):
        RoundedBlock.lift(np.ones((2, 2))).inverse()


def test_singular_matrix_gets_no_finite_radius(xp):
    # A library may refuse the zero pivot, leave infinities, or round past it to a finite, meaningless inverse.
    for singular in (np.ones((2, 2)), np.array([[-38.0, -54, -18], [-24, -12, -32], [-22, 9, -48]])):
        with suppress(ZeroDivisionError):
            assert has_infinite_radii(RoundedBlock.lift(xp.asarray(singular)).inverse())


def test_radius_that_is_nan_counts_as_infinite(xp):
    floats = FloatBlock.lift(xp.asarray(np.ones((1, 1))))
    assert has_infinite_radii(RoundedBlock(floats, xp.asarray(np.full((1, 1), np.nan))))


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

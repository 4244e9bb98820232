"""The best step sizes: reference values, other routes to them, and what is refused."""

from fractions import Fraction
from functools import partial
from itertools import pairwise, permutations
from math import log, prod

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq_poly
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from numerics.balls import precision
from numerics.optimal_steps import (
    NoRealSteps,
    largest_noise_of_two_real_steps,
    optimal_loss,
    optimal_polynomial,
    optimal_step_sizes,
    steps_loss,
)
from numerics.rationals import as_fmpq
from numerics.wishart import wishart_trace_moments

REFERENCE = [
    (20, 5, "15/13", "1.153846153846", [".769230769231"]),
    (20, 5, "1795/4969", ".361239686054", ["1.249571961559", ".515370682836"]),
    (20, 5, "12138645/90852389", ".133608429383", ["1.714217379531", ".689126087405", ".422408533929"]),
    (10, 5, "15/8", "1.875", [".625"]),
    (10, 5, "970/999", ".970970970971", ["1.099592921511", ".386893564976"]),
    (10, 2, "253/1569", ".161249203314", ["1.16612661955", ".478232845078"]),
]
sizes = st.integers(1, 30)
depths = st.integers(1, 6)
noises = st.fractions(0, 20, max_denominator=8)


@pytest.mark.parametrize(("n", "d", "exact", "decimal", "steps"), REFERENCE)
def test_reference_values(n, d, exact, decimal, steps):
    best = optimal_loss(n, d, len(steps))
    assert best == Fraction(exact)
    assert abs(best - Fraction(decimal)) <= Fraction(1, 2 * 10**12)
    for found, printed in zip(optimal_step_sizes(n, d, len(steps)), steps, strict=True):
        assert abs(found - arb(printed)) <= arb(0.5) * arb(10) ** -len(printed.partition(".")[2])


@pytest.mark.parametrize(("logged", "d", "depth"), [(".143", 5, 1), ("-1.018", 5, 2), ("-2.013", 5, 3)])
def test_reference_values_in_logarithms(logged, d, depth):
    assert f"{log(optimal_loss(20, d, depth)):.3f}".replace("0.", ".") == logged


EQUAL = {
    20: [(".769", ".143"), (".7425", "-.695"), (".7156", "-1.315"), (".6890", "-1.812")],
    19: [(".760", ".182"), (".7325", "-.624"), (".7049", "-1.216"), (".6777", "-1.687")],
}


@pytest.mark.parametrize("n", [20, 19])
def test_reference_values_of_equal_steps(n):
    for depth, (step, logged) in enumerate(EQUAL[n], start=1):
        loss = steps_loss([Fraction(step)] * depth, n, 5)
        assert f"{log(loss):.3f}".replace("0.", ".") == logged
        assert optimal_loss(n, 5, depth) <= loss


@given(sizes, sizes, depths, noises)
@settings(max_examples=25, deadline=None)
def test_loss_is_the_ratio_of_two_determinants(n, d, depth, noise):
    p = wishart_trace_moments(n, d, 2 * depth)
    inner = [[p[i + j] + noise * p[i + j - 1] for j in range(1, depth + 1)] for i in range(1, depth + 1)]
    outer = [[Fraction(v) for v in p[: depth + 1]], *([Fraction(p[i + 1]), *row] for i, row in enumerate(inner))]
    assert optimal_loss(n, d, depth, noise) == determinant(outer) / determinant(inner)


def determinant(rows):
    """By cofactors of elimination, in Fractions; the pivots of a Gram matrix are positive."""
    rows, value = [list(map(Fraction, row)) for row in rows], Fraction(1)
    for k in range(len(rows)):
        value *= rows[k][k]
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
    return value


@given(sizes, sizes, depths)
@settings(max_examples=25, deadline=None)
def test_polynomial_and_loss_follow_from_the_three_term_recursion(n, d, depth):
    """Stieltjes: monic p_k for lam mu give phi = p_L / p_L(0), those for mu give loss = 1 / sum p_k(0)^2 / |p_k|^2."""
    p = wishart_trace_moments(n, d, 2 * depth + 1)
    *_, (last, _) = monic_orthogonal(p[1:], depth)
    scaled = last / last[0]
    assert optimal_polynomial(n, d, depth).coefficients == tuple(
        Fraction(int((value * n**k).p), int((value * n**k).q)) for k, value in enumerate(scaled)
    )
    kernel = sum((q[0] ** 2 / norm for q, norm in monic_orthogonal(p, depth)), start=as_fmpq(0))
    assert as_fmpq(optimal_loss(n, d, depth)) == 1 / kernel


def monic_orthogonal(moments, degree):
    """(p_k, its squared norm) for k = 0..degree, for the measure of those moments."""

    def inner(f, g):
        return sum((c * moments[k] for k, c in enumerate(f * g)), start=as_fmpq(0))

    x = fmpq_poly([0, 1])
    polynomials = [(fmpq_poly([1]), as_fmpq(moments[0]))]
    for k in range(degree):
        q, norm = polynomials[-1]
        following = (x - inner(x * q, q) / norm if k < degree else x) * q
        if k:
            before, norm_before = polynomials[-2]
            following -= norm / norm_before * before
        polynomials.append((following, inner(following, following) if 2 * k + 2 < len(moments) else None))
    return polynomials


@pytest.mark.parametrize(("n", "d", "depth"), [(20, 5, 3), (3, 6, 4), (9, 9, 8)])
def test_inverse_steps_are_the_nodes_of_gauss_quadrature(n, d, depth):
    """With positive weights they integrate lam mu up to degree 2 L - 1; the weights solve the first L equations."""
    p = wishart_trace_moments(n, d, 2 * depth)
    with precision(600):
        nodes = [n / a for a in optimal_step_sizes(n, d, depth, bits=500)]
        powers = arb_mat([[node**k for node in nodes] for k in range(depth)])
        weights = powers.solve(arb_mat([[p[k + 1]] for k in range(depth)]))
        assert all(weights[k, 0] > 0 for k in range(depth))
        for power in range(2 * depth):
            total = sum((weights[k, 0] * node**power for k, node in enumerate(nodes)), start=arb(0))
            assert total.contains(p[power + 1])
            assert total.rel_accuracy_bits() > 200


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 40])
def test_steps_of_one_feature_are_laguerre_roots(depth):
    """The law of W is a chi-square: L_L^(n/2)(lam / 2) vanishes at lam = n / a, and the loss is a product."""
    n = 6
    with precision(400):
        for a in optimal_step_sizes(n, 1, depth, bits=300):
            assert (n / (2 * a)).laguerre_l(arb(depth), arb(n) / 2).contains(0)
    assert optimal_loss(n, 1, depth) == prod(Fraction(2 * j, n + 2 * j) for j in range(1, depth + 1))


@pytest.mark.parametrize(("n", "d", "depth", "noise"), [(20, 5, 2, 0), (10, 5, 3, 0), (4, 6, 2, 0), (10, 3, 2, 1)])
def test_direct_minimisation_ends_at_these_steps(n, d, depth, noise):
    best, steps = float(optimal_loss(n, d, depth, noise)), optimal_step_sizes(n, d, depth, noise)

    def loss(a):
        return float(steps_loss([float(value) for value in a], n, d, noise))

    rng = np.random.default_rng(0)
    for _ in range(3):
        end = minimize(loss, rng.uniform(0, 1, depth), method="BFGS", options={"gtol": 1e-9})
        assert best <= end.fun * (1 + 1e-12)
        assert end.fun <= best * (1 + 1e-9)
        np.testing.assert_allclose(np.sort(end.x)[::-1], [float(a) for a in steps], rtol=1e-4)


def test_sampled_loss_at_the_best_steps_agrees_within_its_standard_error():
    n, d = 8, 3
    X = np.random.default_rng(0).standard_normal((100_000, d, n))
    s = np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2) / n)
    losses = prod(1 - float(a) * s for a in optimal_step_sizes(n, d, 2)) ** 2
    losses = losses.sum(axis=1)
    assert abs(losses.mean() - float(optimal_loss(n, d, 2))) < 4 * losses.std() / np.sqrt(len(losses))


@given(sizes, sizes, depths, st.lists(st.fractions(-2, 4, max_denominator=9), min_size=6, max_size=6), noises)
@settings(max_examples=25, deadline=None)
def test_no_steps_are_better(n, d, depth, steps, noise):
    assert steps_loss(steps[:depth], n, d, noise) >= optimal_loss(n, d, depth, noise)


@given(sizes, sizes, depths, noises)
@settings(max_examples=25, deadline=None)
def test_loss_falls_with_layers_and_grows_with_noise(n, d, depth, noise):
    assert optimal_loss(n, d, depth + 1, noise) < optimal_loss(n, d, depth, noise)
    assert optimal_loss(n, d, depth, noise + 1) > optimal_loss(n, d, depth, noise)


@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_loss_of_few_tokens_stays_above_the_missing_dimensions(n, more, depth):
    assert optimal_loss(n, n + more, depth) > more


def test_order_of_the_steps_does_not_matter():
    steps = [Fraction(1, 2), Fraction(5, 3), Fraction(-1, 7)]
    assert len({steps_loss(order, 7, 3, Fraction(1, 2)) for order in permutations(steps)}) == 1


def test_many_layers_whose_moments_overflow_floats_are_exact():
    assert wishart_trace_moments(20, 5, 160)[-1] > 10**308
    losses = [optimal_loss(20, 5, depth) for depth in (60, 70, 80)]
    assert all(0 < after < before for before, after in pairwise(losses))
    steps = optimal_step_sizes(20, 5, 80)
    assert len(steps) == 80
    assert all(larger > smaller > 0 for larger, smaller in pairwise(steps))


@pytest.mark.parametrize("bits", [2, 10, 64, 500])
def test_balls_are_as_narrow_as_asked(bits):
    assert all(a.rel_accuracy_bits() >= bits for a in optimal_step_sizes(20, 5, 12, bits=bits))


def test_two_steps_turn_complex_at_the_printed_noise():
    threshold = largest_noise_of_two_real_steps(20, 5)
    assert abs(threshold - arb("4.248641")) < arb("5e-7")
    below, above = (Fraction(round(float(threshold) * 10**9) + shift, 10**9) for shift in (-1, 1))
    assert len(optimal_step_sizes(20, 5, 2, below)) == 2
    with pytest.raises(NoRealSteps, match="2 roots 2 are complex; pass less noise or fewer layers"):
        optimal_step_sizes(20, 5, 2, above)


def test_two_equal_steps_are_best_where_the_noise_level_is_rational():
    """For n = 33, d = 6 the level is 16 / 3, and 1 - 3 s / 4 the double factor."""
    assert largest_noise_of_two_real_steps(33, 6).overlaps(arb(16) / 3)
    assert [float(a) for a in optimal_step_sizes(33, 6, 2, Fraction(16, 3))] == [0.75, 0.75]
    assert steps_loss([Fraction(3, 4)] * 2, 33, 6, Fraction(16, 3)) == optimal_loss(33, 6, 2, Fraction(16, 3))


def test_one_step_is_real_whatever_the_noise():
    (step,) = optimal_step_sizes(20, 5, 1, 10**6)
    with precision(200):
        assert step.contains(as_fmpq(Fraction(20, 26 + 10**6)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1), "n = 0: at least 1 is required"),
        ((1, 0, 1), "d = 0: at least 1 is required"),
        ((1, 1, 0), "L = 0: at least 1 is required"),
        ((1, 1, 1, -1), "noise = -1: a variance must be >= 0"),
        ((1, 1, 1, float("nan")), "noise = nan: the variance of the noise must be a finite number"),
    ],
)
@pytest.mark.parametrize("function", [optimal_polynomial, optimal_loss, optimal_step_sizes])
def test_values_out_of_range_are_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1.5, 1, 1), "n = 1.5: an int is required"), ((1, 1, 1, "much"), "noise = 'much': the variance of the noise")],
)
def test_values_of_another_kind_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        optimal_loss(*arguments)


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [(["a"], TypeError, "an exact entry"), ([float("inf")], ValueError, "must be finite")],
)
def test_step_sizes_that_are_no_numbers_are_refused(steps, error, message):
    with pytest.raises(error, match=message):
        steps_loss(steps, 2, 2)


@pytest.mark.parametrize(
    "function", [partial(optimal_step_sizes, 2, 2, 1), partial(largest_noise_of_two_real_steps, 2, 2)]
)
def test_too_few_bits_are_refused(function):
    with pytest.raises(ValueError, match="bits = 1: balls need at least 2 bits"):
        function(bits=1)

"""Pairings over symbolic indices, against integration coordinate by coordinate at small sizes."""

import pytest
import sympy

from numerics.pairings import pairings
from proofs.gaussian_moments import INPUTS, NOISE, TEACHER, Gaussian, Omega, X, eps, expectation, sigma2, w
from proofs.index_sums import Free, Tensor, d, lam, n, power_sum, summed
from proofs.regression_law import integrated
from proofs.wishart_moments import mixed_moment, moment_by_pairings, normalised_moment, partitions, trace_moment

T, T2 = power_sum(1), power_sum(2)
B = Tensor("B", "dd")
DOUBLE_FACTORIALS = [1, 1, 3, 15, 105, 945]


def test_pairings_are_counted_by_double_factorials():
    assert [len(set(pairings(range(2 * k)))) for k in range(6)] == DOUBLE_FACTORIALS
    assert list(pairings(range(3))) == []


def test_odd_products_have_no_expectation():
    assert not expectation(summed([(1, [X("a", "i"), w("a"), w("b"), w("b")])]), [INPUTS, TEACHER]).terms


def test_fourth_order_identities_for_any_covariance():
    """E (tr S)^2 + 2 tr S^2 = (1 + 2/n) (T^2 + 2 T2), and its parts; S = X X^T / n."""
    trace_squared = summed([(1 / n**2, [X("a", "i"), X("a", "i"), X("b", "j"), X("b", "j")])])
    trace_of_square = summed([(1 / n**2, [X("a", "i"), X("b", "i"), X("b", "j"), X("a", "j")])])
    first, second = (expectation(each, [INPUTS]).scalar for each in (trace_squared, trace_of_square))
    assert sympy.expand(first - T**2 - 2 * T2 / n) == 0
    assert sympy.expand(second - (1 + 1 / n) * T2 - T**2 / n) == 0


def test_second_moment_around_a_matrix():
    """E S B S = Sigma B Sigma + (Sigma B^T Sigma + tr(B Sigma) Sigma) / n, entry (j, k)."""
    j, k = Free("j"), Free("k")
    value = expectation(summed([(1 / n**2, [X(j, "i"), X("a", "i"), B("a", "b"), X("b", "m"), X(k, "m")])]), [INPUTS])
    expected = [
        (1, [lam(j), B(j, k), lam(k)]),
        (1 / n, [lam(j), B(k, j), lam(k)]),
        (1 / n, [B("a", "a"), lam("a"), lam(j), Tensor("delta", "dd", is_symmetric=True)(j, k)]),
    ]
    assert value == summed(expected)


def test_noise_of_variance_sigma2_has_fourth_moment_three_sigma2_squared():
    """E (sum_i eps_i^2)^2 = sigma2^2 n (n + 2)."""
    power = expectation(summed([(1, [eps("i"), eps("i"), eps("j"), eps("j")])]), [NOISE]).scalar
    assert sympy.expand(power - n * (n + 2) * sigma2**2) == 0


def test_a_covariance_that_is_no_symmetric_matrix_is_refused():
    with pytest.raises(ValueError, match="lam or a symmetric tensor over 'dd'"):
        Gaussian(w, B)


@pytest.mark.parametrize(("tokens", "features"), [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3)])
def test_pairings_equal_integration_coordinate_by_coordinate(tokens, features):
    """E of w^T X X^T B X eps^T eps_1-like words, with Omega = V V^T and Sigma = diag, entry by entry."""
    spectrum = [sympy.Rational(k + 2, k + 1) ** 2 for k in range(features)]
    V = sympy.Matrix(features, features, lambda i, j: (i + 2 * j + 1) if j <= i else 0)
    entries = sympy.Matrix(features, features, lambda i, j: 3 * i - j + 1)
    word = summed(
        [(1, [w("a"), X("a", "i"), X("b", "i"), B("b", "c"), X("c", "j"), X("e", "j"), w("e"), eps("j"), eps("j")])]
    )
    claimed = expectation(word, [INPUTS, TEACHER, NOISE]).evaluated(
        {"n": tokens, "d": features},
        {"lam": spectrum, "B": entries.tolist(), "Omega": (V * V.T).tolist()},
        {sigma2: sympy.Rational(9, 4)},
    )
    z = sympy.Matrix(features, tokens, lambda a, i: sympy.Symbol(f"z{a}{i}"))
    u = sympy.Matrix(features, 1, lambda a, _: sympy.Symbol(f"u{a}"))
    e = [sympy.Symbol(f"e{i}") for i in range(tokens)]
    inputs = sympy.diag(*(sympy.sqrt(value) for value in spectrum)) * z
    teacher = V * u
    noise = sympy.diag(*(sympy.Rational(9, 4) * symbol**2 for symbol in e))
    value = (teacher.T * inputs * inputs.T * entries * inputs * noise * inputs.T * teacher)[0, 0]
    assert integrated(sympy.Poly(value, *z, *u, *e)) == claimed


REFERENCE = {
    1: n * d,
    2: n * d * (n + d + 1),
    3: n * d * (n**2 + d**2 + 3 * n * d + 3 * n + 3 * d + 4),
    4: n * d * (n**3 + d**3 + 6 * n**2 * d + 6 * n * d**2 + 6 * n**2 + 6 * d**2 + 17 * n * d + 21 * n + 21 * d + 20),
}


@pytest.mark.parametrize("power", REFERENCE)
def test_wishart_moments_are_the_polynomials_of_the_literature(power):
    assert sympy.expand(trace_moment(power) - REFERENCE[power]) == 0


@pytest.mark.parametrize("power", range(7))
def test_closed_form_of_a_wishart_moment_counts_the_pairings(power):
    assert sympy.expand(trace_moment(power) - moment_by_pairings(power)) == 0


@pytest.mark.parametrize("power", range(9))
def test_closed_form_of_a_wishart_moment_satisfies_the_recursion(power):
    assert sympy.expand(trace_moment(power) - mixed_moment(power)) == 0


@pytest.mark.parametrize("powers", [(1, 1), (2, 1), (1, 1, 1), (2, 2), (3, 0)])
def test_mixed_wishart_moments_count_pairings_over_indices(powers):
    factors = []
    for number, power in enumerate(powers):
        for t in range(power):
            factors += [X(f"a{number}.{t}", f"i{number}.{t}"), X(f"a{number}.{(t + 1) % power}", f"i{number}.{t}")]
    value = expectation(summed([(d ** powers.count(0), factors)]), [Gaussian(X)]).scalar
    assert sympy.expand(value - mixed_moment(*powers)) == 0


def test_moments_of_the_chi_squared_law_at_one_feature():
    """At d = 1, E W^k = n (n + 2) ... (n + 2k - 2)."""
    for power in range(1, 7):
        chi = sympy.prod([n + 2 * t for t in range(power)])
        assert sympy.expand(trace_moment(power).subs(d, 1) - chi) == 0


def test_sample_and_feature_numbers_exchange():
    for power in range(1, 6):
        exchanged = trace_moment(power).subs({n: d, d: n}, simultaneous=True)
        assert sympy.expand(exchanged - trace_moment(power)) == 0


def test_reference_values_at_twenty_tokens_and_five_features():
    assert [trace_moment(k).subs({n: 20, d: 5}) for k in range(1, 5)] == [100, 2600, 80400, 2792000]
    assert normalised_moment(0, 20, 5) == 5
    assert normalised_moment(3, 20, 5) == sympy.Rational(80400, 8000)


def test_partitions_of_a_number_are_counted():
    assert [sum(1 for _ in partitions(total)) for total in range(8)] == [1, 1, 2, 3, 5, 7, 11, 15]


@pytest.mark.parametrize("moment", [trace_moment, moment_by_pairings, mixed_moment])
@pytest.mark.parametrize("power", [-1, 0.5])
def test_powers_that_are_no_natural_numbers_are_refused(moment, power):
    with pytest.raises(ValueError, match="integer power >= 0"):
        moment(power)


@pytest.mark.parametrize(("tokens", "features", "message"), [(0, 1, "n = 0"), (1, 0, "d = 0")])
def test_moments_of_empty_matrices_are_refused(tokens, features, message):
    with pytest.raises(ValueError, match=message):
        normalised_moment(2, tokens, features)


def test_covariance_of_the_teacher_is_a_matrix():
    outer = expectation(summed([(1, [w(Free("j")), w(Free("k"))])]), [TEACHER])
    assert outer == summed([(1, [Omega(Free("k"), Free("j"))])])

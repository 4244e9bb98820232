"""Wishart moments at given sizes, against symbolic pairings, one-dimensional laws and sampling."""

from math import factorial, prod

import numpy as np
import pytest
import sympy

from numerics.wishart import wishart_trace_moments
from proofs.index_sums import d, n
from proofs.wishart_moments import mixed_moment, moment_by_pairings


@pytest.mark.parametrize(("tokens", "features"), [(1, 1), (1, 4), (2, 3), (7, 2), (20, 5)])
def test_moments_are_counted_pairings_and_integrations_by_parts(tokens, features):
    symbolic = [moment_by_pairings(k) for k in range(6)] + [mixed_moment(k) for k in (6, 7, 8)]
    assert wishart_trace_moments(tokens, features, 8) == tuple(m.subs({n: tokens, d: features}) for m in symbolic)


def test_moments_of_one_feature_are_those_of_a_chi_square_for_every_power():
    chi_square = tuple(prod(7 + 2 * j for j in range(k)) for k in range(41))
    assert wishart_trace_moments(7, 1, 40) == chi_square
    assert wishart_trace_moments(1, 7, 40)[1:] == chi_square[1:]


def test_moments_do_not_change_when_samples_and_features_are_swapped():
    assert wishart_trace_moments(9, 4, 30)[1:] == wishart_trace_moments(4, 9, 30)[1:]


def test_moments_of_two_features_are_integrals_over_the_density_of_the_eigenvalues():
    """For d = 2 and n = 3 the eigenvalues v and u + v have a density prop. to u exp(-u / 2 - v), u, v > 0."""
    u, v = sympy.symbols("u v")

    def integral(polynomial):
        return sum(c * factorial(i) * 2 ** (i + 1) * factorial(j) for (i, j), c in sympy.Poly(polynomial, u, v).terms())

    expected = [integral(((u + v) ** k + v**k) * u) / integral(u) for k in range(25)]
    assert wishart_trace_moments(3, 2, 24) == tuple(expected)


def test_sampled_moments_agree_within_their_standard_errors():
    X = np.random.default_rng(0).standard_normal((100_000, 2, 5))
    eigenvalues = np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2))
    for k, claimed in enumerate(wishart_trace_moments(5, 2, 4)):
        powers = (eigenvalues**k).sum(axis=1)
        assert abs(powers.mean() - claimed) <= 4 * powers.std() / np.sqrt(len(powers))


@pytest.mark.parametrize(("sizes", "message"), [((0, 1, 2), "n = 0"), ((1, -2, 2), "d = -2")])
def test_empty_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=f"{message}: at least 1 is required"):
        wishart_trace_moments(*sizes)


def test_a_negative_power_is_refused():
    with pytest.raises(ValueError, match="largest = -1: a moment has a power >= 0"):
        wishart_trace_moments(1, 1, -1)


@pytest.mark.parametrize("arguments", [(2.0, 1, 1), (1, True, 1), (1, 1, 1.0)])
def test_sizes_that_are_no_ints_are_refused(arguments):
    with pytest.raises(TypeError, match="an int is required"):
        wishart_trace_moments(*arguments)

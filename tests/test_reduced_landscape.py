"""The landscape of two numbers: its coefficients by quadrature, descent, and what is refused."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize
from scipy.special import roots_genlaguerre

from proofs.reduced_landscape import critical_points, landscape_coefficients, reduced_loss


@pytest.mark.parametrize("tokens", [2, 3])
def test_coefficients_of_one_feature_agree_with_quadrature(tokens):
    """For d = 1 n S is chi-squared: Gauss-Laguerre nodes integrate polynomials in it."""
    nodes, weights = roots_genlaguerre(10, 5 / 2 - 1)
    s, weights = 2 * nodes / 5, weights / weights.sum()
    D = [1 - (1 - s / 2) ** i for i in range(tokens)]
    made = [sum(weights @ (s**2 * each**power) for each in D) for power in (0, 1, 2)]
    claimed = [float(Q) for Q in landscape_coefficients(tokens, sympy.Rational(1, 2), 5, 1)]
    np.testing.assert_allclose(made, claimed, rtol=1e-12)


def test_descent_from_many_starts_reaches_the_one_minimum():
    eta = sympy.Rational(1, 2)
    v, c = sympy.symbols("v c")
    function = sympy.lambdify([(v, c)], reduced_loss(landscape_coefficients(3, eta, 6, 2), eta, v, c))
    starts = np.random.default_rng(0).uniform(-2, 2, (10, 2))
    ends = np.array([minimize(function, start, method="BFGS", tol=1e-10).x for start in starts])
    np.testing.assert_allclose(ends, np.tile([0.5, 1], (10, 1)), atol=1e-5)


def test_sign_of_the_saddle_is_not_fixed():
    """For larger steps D_i leaves [0, 1] more often."""
    small, large = (
        critical_points(landscape_coefficients(2, eta, 1, 1), eta)["strict saddle"][1]
        for eta in (sympy.Rational(1, 10), sympy.Rational(3, 10))
    )
    assert small > 0 > large


def test_no_saddle_where_two_coefficients_agree():
    assert critical_points((3, 1, 1), 1) == {"minimum": (1, 1)}


def test_one_token_is_refused():
    with pytest.raises(ValueError, match="for one token c is free"):
        critical_points(landscape_coefficients(1, 1, 2, 1), 1)


def test_no_token_is_refused():
    with pytest.raises(ValueError, match="tokens = 0: without a token"):
        landscape_coefficients(0, 1, 2, 1)


def test_a_step_size_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="eta = 0: the teacher's step size must be > 0"):
        critical_points((6, 15, 105), 0)


@pytest.mark.parametrize(("samples", "features"), [(0, 1), (1, 0)])
def test_empty_sizes_are_refused(samples, features):
    with pytest.raises(ValueError, match="at least 1 is required"):
        landscape_coefficients(2, 1, samples, features)

"""The best multiple of the identity for L loops: reference values, one feature by quadrature, bad input."""

import itertools

import pytest
import sympy
from scipy.optimize import minimize_scalar
from scipy.special import roots_genlaguerre

from proofs.looped_scalar_loss import scalar_loss
from proofs.looped_scalar_optimum import critical_polynomial, optimal_scalar_loss, scalar_optimum


@pytest.mark.parametrize(("tokens", "step", "loss"), [(20, "0.628077", "2.10528"), (100, "0.894458", "0.194513")])
def test_reference_values_of_two_loops(tokens, step, loss):
    for end in scalar_optimum(2, tokens, 10):
        assert f"{float(end):.6f}" == step
    for end in optimal_scalar_loss(2, tokens, 10):
        assert f"{float(end):.6g}" == loss


def test_one_loop_is_exact():
    assert scalar_optimum(1, 20, 10) == (sympy.Rational(20, 31), sympy.Rational(20, 31))
    assert optimal_scalar_loss(1, 20, 10) == (sympy.Rational(110, 31), sympy.Rational(110, 31))


@pytest.mark.parametrize("loops", [1, 2, 3, 4])
@pytest.mark.parametrize("tokens", [1, 7])
def test_one_feature_agrees_with_quadrature(tokens, loops):
    """For d = 1 n S is chi-squared: Gauss-Laguerre nodes integrate the loss, no Wishart moment is used."""
    nodes, weights = roots_genlaguerre(8, tokens / 2 - 1)

    def loss(a):
        return weights @ (1 - a * 2 * nodes / tokens) ** (2 * loops) / weights.sum()

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-9})
    low, _high = scalar_optimum(loops, tokens, 1)
    assert best.x == pytest.approx(float(low), abs=1e-5)
    assert best.fun == pytest.approx(float(optimal_scalar_loss(loops, tokens, 1)[0]), rel=1e-6)


@pytest.mark.parametrize(("loops", "tokens", "features"), [(2, 3, 4), (3, 5, 5)])
def test_enclosures_contain_the_optimum(loops, tokens, features):
    low, high = scalar_optimum(loops, tokens, features)
    assert critical_polynomial(loops, low, tokens, features) > 0 > critical_polynomial(loops, high, tokens, features)
    below, above = optimal_scalar_loss(loops, tokens, features)
    assert below <= scalar_loss(loops, (low + high) / 2, tokens, features) <= above
    assert above - below < sympy.Rational(1, 10**9)


def test_more_loops_with_their_best_step_have_a_smaller_loss():
    losses = [optimal_scalar_loss(loops, 20, 10) for loops in (1, 2, 3)]
    assert all(later[1] < earlier[0] for earlier, later in itertools.pairwise(losses))


@pytest.mark.parametrize("loops", [0, -1, 1.5])
def test_no_loop_has_no_best_step(loops):
    with pytest.raises(ValueError, match="without a loop the loss has no step size"):
        scalar_optimum(loops, 3, 2)


@pytest.mark.parametrize(("tokens", "features"), [(0, 1), (1, 0)])
def test_empty_sizes_are_refused(tokens, features):
    with pytest.raises(ValueError, match="at least 1 is required"):
        scalar_optimum(2, tokens, features)


def test_sizes_must_be_numbers():
    with pytest.raises(ValueError, match="for int sizes only"):
        scalar_optimum(2, sympy.Symbol("n"), 1)


def test_a_width_of_zero_is_refused():
    with pytest.raises(ValueError, match="width = 0: an enclosure has a width > 0"):
        scalar_optimum(2, 3, 2, 0)

"""One forward pass without chain of thought: the bound, an optimiser over V and W, and what is refused."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from constructions.without_chain_of_thought import OneForwardPass
from proofs.one_forward_pass import SHAPES, one_pass_bound, one_pass_error, one_step
from proofs.regression_law import RegressionLaw, float_weight_loss_bounds, integrated_weight_loss


def test_reference_value():
    """d = 10, n = 20."""
    assert one_pass_bound(RegressionLaw.isotropic(20, 10)) == sympy.Rational(55, 31)
    assert one_pass_error(one_step(RegressionLaw.isotropic(20, 10)), RegressionLaw.isotropic(20, 10)) == sympy.Rational(
        55, 31
    )


def test_no_weights_that_an_optimiser_finds_are_below_the_bound():
    """All 32 blocks of one feature free, the loss integrated from the forward pass; some starts reach the bound."""
    law = RegressionLaw.isotropic(2, 1)
    symbols = sympy.symbols([f"s_{name}" for name in SHAPES])
    network = OneForwardPass(**{name: [[symbol]] for name, symbol in zip(SHAPES, symbols, strict=True)})
    loss = integrated_weight_loss(network, law) / 2
    used = sorted(loss.free_symbols, key=str)
    assert {str(symbol) for symbol in used} == {"s_V_31", "s_V_32", "s_V_34", "s_W_14", "s_W_24", "s_W_44"}
    function = sympy.lambdify([used], loss)
    starts = np.random.default_rng(0).standard_normal((8, len(used)))
    ends = [minimize(function, start, method="BFGS", tol=1e-9).fun for start in starts]
    bound = float(one_pass_bound(law))
    assert min(ends) == pytest.approx(bound, rel=1e-9)
    assert all(end > bound * (1 - 1e-9) for end in ends)


def test_even_terms_only_add():
    """E |S b|^2 = ((n + d + 1) / n) |b|^2, times eta^2 = (1/2)^2."""
    law = RegressionLaw.isotropic(3, 2)
    blocks = {**one_step(law), "W_14": sympy.Matrix([[1], [0]])}
    even = sympy.Rational(3 + 2 + 1, 3) * sympy.Rational(1, 2) ** 2
    assert one_pass_error(blocks, law) == one_pass_bound(law) + even / 2


def test_noise_raises_the_bound():
    assert one_pass_bound(RegressionLaw.isotropic(3, 2, 1)) == sympy.Rational(2, 2) * sympy.Rational(4, 7)


def test_float_bounds_enclose_the_integral():
    law = RegressionLaw.isotropic(1, 2)
    network = OneForwardPass(V_31=np.array([[0.5, 1], [0, 0.25]]), W_24=np.array([[2.0]]))
    exact = integrated_weight_loss(
        OneForwardPass(V_31=[[sympy.Rational(1, 2), 1], [0, sympy.Rational(1, 4)]], W_24=[[2]]), law
    )
    low, high = float_weight_loss_bounds(network, law)
    assert low <= exact <= high
    assert high - low < 1e-12


@pytest.mark.parametrize("ask", [one_pass_bound, lambda law: one_pass_error(one_step(law), law)])
def test_a_covariance_is_refused(ask):
    with pytest.raises(ValueError, match="Sigma = Omega = I is required"):
        ask(RegressionLaw(2, [[2]], [[1]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, [[1]], [[1]]), "at least one context token"),
        ((2, [], []), "must be"),
        ((2, [[1, 2], [2, 1]], [[1, 0], [0, 1]]), "positive definite"),
        ((2, [[1]], [[1]], -1), "a variance must be >= 0"),
    ],
)
def test_laws_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        one_pass_bound(RegressionLaw(*arguments))

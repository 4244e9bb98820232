"""The landscape of the one-layer loss: reference values, exact Hessians, and optimisers that miss the minimum."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from proofs.critical_points import hessian_signs
from proofs.one_layer_landscape import criterion, gap, spurious_point
from proofs.one_layer_loss import Weights, least_loss, loss, optimal_weights
from proofs.regression_law import RegressionLaw

LAW = RegressionLaw(3, sympy.diag("2/5", "3/2"), sympy.eye(2))


def test_reference_values_of_the_spurious_minimum():
    assert float(least_loss(LAW)) == pytest.approx(0.908427, abs=5e-7)
    assert gap(LAW, 1) == sympy.Rational(16, 100) / sympy.Rational(7, 6)
    assert float(criterion(LAW, 1)) == pytest.approx(2.4415, abs=5e-5)
    assert loss(spurious_point(LAW, 1), LAW) - least_loss(LAW) == gap(LAW, 1)


def test_hessians_classify_the_points():
    assert hessian_signs(spurious_point(LAW, 1, 3), LAW) == (0, 1, 8)
    assert hessian_signs(optimal_weights(LAW), LAW) == (0, 1, 8)
    assert hessian_signs(spurious_point(LAW, 0), LAW)[0] > 0
    assert hessian_signs(Weights([[0, 0]], 0, [[0, 0], [0, 0]], [[0, 0]]), LAW)[0] > 0


def test_many_tokens_turn_the_spurious_minimum_into_a_saddle():
    longer = RegressionLaw(50, LAW.Sigma, LAW.Omega)
    assert criterion(longer, 1) < 0
    assert hessian_signs(spurious_point(longer, 1), longer)[0] > 0


def test_random_restarts_of_an_optimiser_end_at_both_values():
    """BFGS on the exact loss from N(0, 1/4) starts: some runs reach f*, others stop at f* + gap."""
    symbols = sympy.symbols("s0:9")
    free = Weights([symbols[:2]], symbols[2], [symbols[3:5], symbols[5:7]], [symbols[7:9]])
    value = loss(free, LAW)
    function = sympy.lambdify([symbols], value)
    gradient = sympy.lambdify([symbols], [sympy.diff(value, symbol) for symbol in symbols])
    rng = np.random.default_rng(0)
    ends = [minimize(function, rng.normal(0, 0.5, 9), jac=gradient, method="BFGS").fun for _ in range(20)]
    best, trapped = float(least_loss(LAW)), float(least_loss(LAW) + gap(LAW, 1))
    assert min(ends) > best - 1e-9
    assert any(abs(end - best) < 1e-8 for end in ends)
    assert any(abs(end - trapped) < 1e-8 for end in ends)


def test_a_point_with_a_gradient_is_not_classified():
    with pytest.raises(ValueError, match="the gradient is not zero"):
        hessian_signs(Weights([[1, 0]], 1, [[1, 0], [0, 1]], [[0, 0]]), LAW)


@pytest.mark.parametrize(
    "law",
    [
        RegressionLaw(1, [[2, 1], [1, 2]], [[1, 0], [0, 1]]),
        RegressionLaw(1, [[2, 0], [0, 2]], [[1, 0], [0, 3]]),
    ],
)
def test_points_are_named_in_the_eigenbasis_only(law):
    with pytest.raises(ValueError, match="rotate to the eigenbasis of Sigma"):
        criterion(law, 0)

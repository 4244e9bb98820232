"""The error of kernel attention beside the Bayes error: limits, mismatched kernels, bad input."""

import pytest
import sympy

from proofs.bayes_error import bayes_error, layer_weights, prediction_error

COVARIANCE = sympy.Matrix([[2, 1, 1], [1, 2, 0], [1, 0, 3]])
K, k = COVARIANCE[:2, :2], COVARIANCE[:2, 2:]


def test_many_matched_layers_are_within_the_stated_rate_of_bayes():
    """K has the eigenvalues 1 and 3: r = 1/2 has rho = 1/2."""
    for depth in (0, 1, 5, 20):
        error = prediction_error(layer_weights([sympy.Rational(1, 2)] * depth, K, k), COVARIANCE)
        assert 0 < error - bayes_error(COVARIANCE) <= sympy.Rational(1, 4) ** depth * 3


def test_two_layers_whose_steps_invert_the_eigenvalues_are_bayes_exactly():
    assert prediction_error(layer_weights([1, sympy.Rational(1, 3)], K, k), COVARIANCE) == bayes_error(COVARIANCE)


def test_limit_of_another_kernel_is_not_bayes():
    other = sympy.Matrix([[2, 0], [0, 2]])
    error = prediction_error(other.inv() * k, COVARIANCE)
    assert error > bayes_error(COVARIANCE)


def test_bayes_error_is_a_ratio_of_determinants():
    assert bayes_error(COVARIANCE) == COVARIANCE.det() / K.det()


def test_error_of_no_prediction_is_the_variance():
    assert prediction_error([[0], [0]], COVARIANCE) == 3


@pytest.mark.parametrize("covariance", [[[1, 2], [0, 1]], [[1]]])
def test_what_is_no_covariance_is_refused(covariance):
    with pytest.raises(ValueError, match=r"must be symmetric and at least \(2, 2\)"):
        bayes_error(covariance)


@pytest.mark.parametrize("covariance", [[[0, 0], [0, 1]], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], [[-1, 0], [0, 1]]])
def test_labels_without_a_density_are_refused(covariance):
    with pytest.raises(ValueError, match="must be positive definite, but its leading minors"):
        bayes_error(covariance)

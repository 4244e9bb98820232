"""The best layer of ReLU attention: values, a second law, sampling, and an optimiser."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from constructions.one_layer_attention import OneLayerReluAttention
from proofs.one_layer_loss import Weights, least_loss, loss
from proofs.regression_law import RegressionLaw
from proofs.relu_optimum import (
    finite_loss,
    least_relu_loss,
    odd_relu_loss,
    optimal_relu_weights,
    relu_curvature,
)


def test_the_papers_form_of_the_step():
    """1 / ((n - 1) / (2 n) + (d + 2) / n) = 2 n / (n + 2 d + 3)."""
    law = RegressionLaw.isotropic(20, 5)
    step = 1 / (sympy.Rational(19, 40) + sympy.Rational(7, 20))
    assert optimal_relu_weights(law).Q1 == -step * sympy.eye(5)
    assert least_relu_loss(20, 5, 0) == sympy.Rational(5 * 13, 33)


def test_relu_attention_is_worse_than_linear_attention():
    for n, d, s in ((1, 1, 0), (20, 5, 0), (7, 3, 2)):
        law = RegressionLaw.isotropic(n, d, s)
        assert least_relu_loss(n, d, law.sigma2) > least_loss(law)


def test_curvature_at_one_token_and_feature_by_hand():
    """n = d = 1: E (w x relu(x u))^2 = E w^2 E x^4 / 2 u^2 = 3/2 u^2."""
    assert relu_curvature(RegressionLaw.isotropic(1, 1)) == sympy.Rational(3, 2)


def test_layer_over_the_finite_law_has_the_closed_form():
    law = RegressionLaw.isotropic(2, 1, 1)
    for sign in (1, -1):
        weights = Weights([[0]], sign, [[sympy.Rational(3, 4)]], [[0]])
        assert finite_loss(weights, law) == odd_relu_loss(weights, law)
        assert finite_loss(optimal_relu_weights(law, sign), law) == least_relu_loss(2, 1, 1)


def test_sampled_loss_agrees_within_its_standard_error():
    rng = np.random.default_rng(0)
    n, d, samples = 4, 3, 200_000
    law = RegressionLaw.isotropic(n, d)
    X, x = rng.standard_normal((samples, d, n)), rng.standard_normal((samples, d, 1))
    w = rng.standard_normal((samples, 1, d))
    best = np.array(optimal_relu_weights(law).Q1, dtype=float)
    layer = OneLayerReluAttention(P_yy=np.array([[1.0]]), Q_xx=best)
    squares = (layer(X, w @ X, x) - w @ x)[:, 0, 0] ** 2
    assert abs(squares.mean() - float(least_relu_loss(n, d, 0))) < 4 * squares.std() / np.sqrt(samples)


def test_drawn_weights_are_above_the_minimum():
    law = RegressionLaw.isotropic(1, 2)
    weights = Weights([[Fraction(1, 2), 1]], 1, [[-1, Fraction(1, 3)], [0, -1]], [[0, 0]])
    assert finite_loss(weights, law) > least_relu_loss(1, 2, 0)


def test_only_isotropic_laws_have_the_closed_form():
    law = RegressionLaw(1, [[2]], [[1]])
    with pytest.raises(ValueError, match="Sigma = Omega = I is required"):
        odd_relu_loss(Weights([[0]], 1, [[1]], [[0]]), law)


def test_linear_attention_at_the_relu_step_is_no_better():
    law = RegressionLaw.isotropic(5, 2)
    assert loss(optimal_relu_weights(law), law) > least_loss(law)

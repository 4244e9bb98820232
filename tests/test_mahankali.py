"""The best one-layer learner under noise, skewed covariance and nonlinear targets."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from constructions.one_layer_attention import SummedAttention
from proofs.gaussian_moments import sigma2
from proofs.index_sums import d, n
from proofs.mahankali import step_size
from proofs.nonlinear_targets import least_loss, optimal_step_size
from proofs.one_layer_loss import Weights, loss, optimal_matrix
from proofs.regression_law import RegressionLaw
from proofs.target_moments import component_norm, label_moment, target_moment, target_power, weighted_power

a, b = sympy.symbols("a b")


def test_linear_targets_have_the_step_size_of_the_first_theorem():
    assert sympy.expand(1 / optimal_step_size((1,)) - (n + d + 1 + sigma2)) == 0
    law = RegressionLaw.isotropic(4, 3, 2)
    assert step_size(law) == sympy.Rational(1, 12)
    assert step_size(RegressionLaw.isotropic(4, 3)) == sympy.Rational(1, 8)


def test_reference_step_size_of_quadratic_targets():
    """t = u + beta u^2 at d = n = 2: 1 / (72 beta^2 + sigma2 + 5)."""
    value = optimal_step_size((1, b)).subs({n: 2, d: 2})
    assert sympy.simplify(1 / value - (72 * b**2 + sigma2 + 5)) == 0


def test_even_targets_are_not_learnt():
    assert optimal_step_size((0, b)) == 0
    assert sympy.expand(least_loss((0, 1)) - 3 * d * (d + 2)) == 0


def test_moments_of_a_cubic_at_one_feature_are_those_of_the_normal_law():
    """d = 1, t = u^3 with u = w x: E t^2 = 15^2, E t^2 x^2 = 15 * 105, cvec = 3 w^3."""
    link = (0, 0, 1)
    assert target_power(link).subs(d, 1) == 225
    assert weighted_power(link).subs(d, 1) == 15 * 105
    assert component_norm(link).subs(d, 1) == 9 * 15
    assert target_moment(link).subs({n: 1, d: 1}) == 9 * 15
    assert label_moment(link).subs({n: 1, d: 1, sigma2: 0}) == 15 * 105


@pytest.mark.parametrize("link", [(1,), (1, 2), (2, 1, 1)])
def test_sampled_moments_agree_within_their_standard_error(link):
    rng = np.random.default_rng(0)
    tokens, features, samples = 3, 2, 400_000
    X, w = rng.standard_normal((samples, features, tokens)), rng.standard_normal((samples, 1, features))
    labels = sum(c * (w @ X) ** k for k, c in enumerate(link, start=1)) + rng.standard_normal((samples, 1, tokens))
    squares = ((X @ np.swapaxes(labels, 1, 2)) ** 2).sum(axis=(1, 2))
    expected = float(label_moment(link).subs({n: tokens, d: features, sigma2: 1}))
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(samples)


def test_an_optimiser_finds_no_smaller_loss():
    """BFGS on the exact loss of the layer, from several starts; the best is the closed form."""
    law = RegressionLaw.of_roots(2, [[1, 0], [1, 2]], sympy.Matrix([[1, 0], [1, 2]]).inv().T, 1)
    symbols = sympy.symbols("s0:9")
    value = loss(Weights([symbols[:2]], symbols[2], [symbols[3:5], symbols[5:7]], [symbols[7:9]]), law)
    function = sympy.lambdify([symbols], value)
    gradient = sympy.lambdify([symbols], [sympy.diff(value, symbol) for symbol in symbols])
    rng = np.random.default_rng(1)
    runs = [minimize(function, rng.normal(0, 0.5, 9), jac=gradient, method="BFGS", tol=1e-10) for _ in range(8)]
    best = min(runs, key=lambda run: run.fun)
    claimed = law.d * (law.d + 1 + law.sigma2) * step_size(law)
    assert min(run.fun for run in runs) >= float(claimed) - 1e-9
    assert best.fun == pytest.approx(float(claimed), abs=1e-9)
    product = best.x[2] * best.x[3:7].reshape(2, 2)
    assert np.allclose(product, -law.n * float(step_size(law)) * np.array(law.Sigma.inv(), dtype=float), atol=1e-4)
    assert optimal_matrix(law) == -law.n * step_size(law) * law.Sigma.inv()


def test_summed_attention_predicts_minus_n_times_the_average():
    from constructions.one_layer_attention import OneLayerAttention

    rows = {"P_yx": [[1, 2]], "P_yy": [[3]], "Q_xx": [[1, 0], [4, 1]], "Q_yx": [[2, 5]]}
    prompt = ([[1, 2, 3], [0, 1, -1]], [[2, 1, 5]], [[1], [2]])
    summed, averaged = (kind(**rows)(*prompt) for kind in (SummedAttention, OneLayerAttention))
    assert (summed == -3 * averaged).all()

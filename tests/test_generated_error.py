"""The error of generated tokens: reference values, samples, divergence, bad input."""

import numpy as np
import pytest
import sympy

from proofs.generated_error import gain, generated_error
from proofs.one_forward_pass import one_pass_bound
from proofs.regression_law import RegressionLaw


def test_reference_values():
    """d = 10: n = 20 and n = 647."""
    eta = sympy.Rational(20, 31)
    assert generated_error(1, eta, 20, 10) == sympy.Rational(55, 31)
    assert generated_error(2, eta, 20, 10) == sympy.Rational(975205, 923521)
    eta = sympy.Rational(647, 658)
    assert f"{float(generated_error(3, eta, 647, 10)):.4e}" == "1.3292e-04"
    assert generated_error(1, eta, 647, 10) == sympy.Rational(55, 658)
    assert f"{55 / 658:.4e}" == "8.3587e-02"


def test_sampled_error_agrees_within_its_standard_error():
    rng = np.random.default_rng(0)
    X, w_star = rng.standard_normal((50_000, 2, 6)), rng.standard_normal((50_000, 2, 1))
    w = np.zeros_like(w_star)
    for _ in range(2):
        w = w - 0.5 / 6 * X @ (np.swapaxes(X, 1, 2) @ (w - w_star))
    errors = ((w - w_star) ** 2).sum(axis=(1, 2)) / 2
    claimed = float(generated_error(2, sympy.Rational(1, 2), 6, 2))
    assert abs(errors.mean() - claimed) < 4 * errors.std() / np.sqrt(len(errors))


def test_error_falls_and_then_grows_with_the_number_of_tokens():
    errors = [generated_error(tokens, sympy.Rational(1, 2), 1, 1) for tokens in (0, 1, 2, 3)]
    assert errors[0] > errors[1] < errors[2] < errors[3]


@pytest.mark.parametrize(("samples", "features"), [(1, 1), (1, 30), (200, 3)])
def test_two_tokens_are_below_the_bound_by_the_gain(samples, features):
    eta = sympy.Rational(samples, samples + features + 3)
    below = one_pass_bound(RegressionLaw.isotropic(samples, features)) - generated_error(2, eta, samples, features)
    assert below == gain(sympy.Integer(samples), sympy.Integer(features)) > 0


def test_a_negative_number_of_tokens_is_refused():
    with pytest.raises(ValueError, match="tokens = -1: at least 0 are generated"):
        generated_error(-1)


@pytest.mark.parametrize(("samples", "features"), [(0, 1), (1, 0)])
def test_empty_sizes_are_refused(samples, features):
    with pytest.raises(ValueError, match="at least 1 is required"):
        generated_error(1, 1, samples, features)

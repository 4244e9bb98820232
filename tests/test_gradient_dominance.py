"""Gradient dominance at S = I: an optimiser reaches the constant, and nothing below it."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from proofs.gradient_dominance import dominance_margin, network_gradient, network_loss


@pytest.mark.parametrize(("features", "loops"), [(2, 2), (2, 3), (3, 2)])
def test_the_least_ratio_that_an_optimiser_finds_is_the_constant(features, loops):
    """Of three random symmetric A the best falls to 4 L^2 d^(-(L-1)/L), by floats and eigenvalues."""
    constant = 4 * loops**2 * features ** (-(loops - 1) / loops)

    def ratio(entries):
        M = np.zeros((features, features))
        M[np.triu_indices(features)] = entries
        lam = np.linalg.eigvalsh(M + M.T)
        return 4 * loops**2 * (lam ** (4 * loops - 2)).sum() / (lam ** (2 * loops)).sum() ** ((2 * loops - 1) / loops)

    starts = np.random.default_rng(0).standard_normal((3, features * (features + 1) // 2))
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000}
    ends = [minimize(ratio, start, method="Nelder-Mead", options=options).fun for start in starts]
    assert min(ends) == pytest.approx(constant, rel=1e-6)


def test_gradient_of_the_network_is_a_matrix_power():
    A = sympy.Matrix([[1, 2], [2, -1]]) / 4
    M = sympy.eye(2) - A
    assert network_loss(A, 3) == (M**6).trace()
    assert network_gradient(A, 3) == -6 * M**5


def test_gradient_of_a_nonsymmetric_matrix_is_no_power():
    A = sympy.Matrix([[1, 2], [0, -1]]) / 4
    assert network_gradient(A, 2) != -4 * (sympy.eye(2) - A) ** 3


def test_equality_at_reflections_and_nowhere_else():
    assert dominance_margin([[3, 0], [0, -1]], 2) == 0
    assert dominance_margin([[3, 0], [0, 0]], 2) > 0


def test_reported_constant_fails_in_many_dimensions_only():
    """1/16 (unconfirmed) to the power L: d = 65536 is the last for L = 2."""
    sixteenth = sympy.Rational(1, 16) ** 2
    sharp = [sympy.Rational(16**2, size) for size in (65536, 65537)]
    assert sharp[0] == sixteenth > sharp[1]
    assert dominance_margin(sympy.diag(1, 0, 2), 2, sixteenth) > 0


def test_a_matrix_that_is_not_symmetric_is_refused():
    with pytest.raises(ValueError, match="is not symmetric"):
        dominance_margin([[1, 1], [0, 1]], 2)


def test_no_loop_is_refused():
    with pytest.raises(ValueError, match="loops = 0: without a loop"):
        dominance_margin([[1]], 0)

"""The looped transformer under any covariance: symmetric roots, shifts, and what is refused."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from constructions.looped import LoopedTransformer
from proofs import label_shift
from proofs.looped_saddle import loss_at
from proofs.looped_whitening import one_loop_loss, whitened
from proofs.regression_law import RegressionLaw, integrated_loss


def test_symmetric_root_gives_the_loss_of_the_identity():
    """Sigma^(1/2) = [[2, 1], [1, 2]], the root of the paper's statement."""
    root = sympy.Matrix([[2, 1], [1, 2]])
    law = RegressionLaw.of_roots(1, root, root.inv())
    A = sympy.Matrix([[1, 2], [0, 1]]) / 16
    network = LoopedTransformer(preconditioner=A.tolist(), loops=2)
    assert integrated_loss(network, law) == loss_at(root * A * root, 1)


def test_another_prior_is_not_whitened_to_the_identity():
    root = sympy.Matrix([[2, 1], [1, 2]])
    law = RegressionLaw.of_roots(1, root, sympy.eye(2))
    A = sympy.Matrix([[1, 2], [0, 1]]) / 16
    network = LoopedTransformer(preconditioner=A.tolist(), loops=2)
    assert integrated_loss(network, law) != loss_at(root * A * root, 1)


def test_an_optimiser_over_all_matrices_finds_the_inverse_covariance_for_one_loop():
    root = sympy.Matrix([[2, 1], [0, 1]])
    law = RegressionLaw.of_roots(3, root, root.inv().T)
    a, b, c, e = sympy.symbols("a b c e")
    network = LoopedTransformer(preconditioner=[[a, b], [c, e]], loops=1)
    function = sympy.lambdify([(a, b, c, e)], integrated_loss(network, law))
    end = minimize(function, np.zeros(4), method="BFGS", tol=1e-10)
    best = sympy.Rational(3, 6) * law.Sigma.inv()
    np.testing.assert_allclose(end.x, [float(value) for value in best], atol=1e-6)
    assert end.fun == pytest.approx(1, abs=1e-9)


def test_one_loop_loss_of_no_step_is_the_number_of_features():
    assert one_loop_loss(sympy.zeros(3, 3), 5) == 3


def test_a_singular_root_is_refused():
    with pytest.raises(ValueError, match="is singular, but Sigma"):
        whitened(sympy.eye(2), [[1, 1], [1, 1]])


def test_an_optimiser_finds_no_use_for_the_shift():
    law = RegressionLaw.of_roots(1, [[1, 0], [1, 2]], [[1, 0], [-1, 1]])
    u, v = sympy.symbols("u v")
    A = sympy.Matrix([[1, 1], [0, 1]]) / 8
    value = integrated_loss(LoopedTransformer(preconditioner=A.tolist(), loops=2, shift=[[u, v]]), law)
    hessian = sympy.hessian(value, (u, v))
    assert sympy.Matrix([value]).jacobian((u, v)).subs({u: 0, v: 0}) == sympy.zeros(1, 2)
    assert hessian[0, 0] > 0
    assert hessian.det() > 0


def test_the_excess_of_a_shift_at_one_loop_is_the_second_moment_by_hand():
    """E S C S = (1 + 1/n) Sigma C Sigma + (1/n) tr(C Sigma) Sigma, C = A Sigma A^T."""
    law = RegressionLaw.of_roots(2, [[1, 0], [1, 2]], sympy.eye(2))
    A, u = sympy.Matrix([[1, 2], [-1, 3]]), sympy.Matrix([[1, -2]])
    C = A * law.Sigma * A.T
    moment = law.Sigma * C * law.Sigma * sympy.Rational(3, 2) + (C * law.Sigma).trace() / 2 * law.Sigma
    assert label_shift.excess(A, 1, u, law) == (u * moment * u.T)[0, 0]

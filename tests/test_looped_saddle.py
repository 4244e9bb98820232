"""Two loops at a multiple of the identity: curvature, and an optimiser that leaves it."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from proofs import looped_saddle
from proofs.index_sums import d, n
from proofs.looped_saddle import antisymmetric_curvature, loss_at, sign_at_optimum
from proofs.looped_scalar_loss import scalar_loss

a = sympy.Symbol("a", real=True)


def test_loss_of_every_matrix_is_that_of_the_scalar_family_on_it():
    for tokens in (1, 4):
        claimed = scalar_loss(2, sympy.Rational(2, 3), tokens, 3)
        assert loss_at(sympy.Rational(2, 3) * sympy.eye(3), tokens) == claimed


def test_loss_does_not_change_under_rotations_but_under_shears():
    R = sympy.Matrix([[3, 4], [-4, 3]]) / 5
    A = sympy.Matrix([[1, 2], [0, -1]])
    assert loss_at(R * A * R.T, 3) == loss_at(A, 3)
    assert loss_at(sympy.Matrix([[1, 1], [0, 1]]) * A, 3) != loss_at(A, 3)


def test_curvature_without_a_step_is_the_moments_by_hand():
    """c(0) = 8 m_2 - 4 b_11 per coordinate, m_2 = (n + d + 1) / n, b_11 = (n - 1) / n."""
    by_hand = 8 * (n + d + 1) / n - 4 * (n - 1) / n
    assert sympy.simplify(antisymmetric_curvature(0) - by_hand) == 0


@pytest.mark.parametrize(("tokens", "features", "sign"), [(10, 3, 1), (20, 5, 1), (100, 2, -1)])
def test_sign_of_the_curvature_at_the_best_step_agrees_with_floats(tokens, features, sign):
    roots = sympy.Poly(sympy.diff(scalar_loss(2, a, tokens, features), a), a).nroots()
    best = next(root for root in roots if root.is_real)
    assert sympy.sign(antisymmetric_curvature(best, tokens, features)) == sign
    assert sign_at_optimum(tokens, features) == sign


def test_an_optimiser_leaves_the_best_multiple_of_the_identity():
    """From a* I plus a small antisymmetric matrix the loss of 100 tokens falls below the best multiple's."""
    symbols = sympy.symbols("s0:4")
    function = sympy.lambdify([symbols], loss_at([symbols[:2], symbols[2:]], 100))
    scalar = sympy.lambdify(a, scalar_loss(2, a, 100, 2))
    best = min(np.linspace(0.9, 1, 10001), key=scalar)
    end = minimize(function, [best, 0.01, -0.01, best], method="BFGS", tol=1e-12)
    assert end.fun < scalar(best) * 0.98
    assert abs(end.x[1] + end.x[2]) < 1e-4
    assert abs(end.x[1]) > 0.02


def test_a_curvature_without_a_certain_sign_is_refused(monkeypatch):
    at_zero = sympy.Poly(sympy.diff(scalar_loss(2, a, 1, 1), a), a).nroots()[0]
    near = sympy.nsimplify(sympy.Float(at_zero, 15), rational=True)
    monkeypatch.setattr(looped_saddle, "antisymmetric_curvature", lambda value, *_: (value - near) ** 2)
    with pytest.raises(ArithmeticError, match="no certain sign"):
        sign_at_optimum(1, 1)


def test_an_expression_that_grows_has_no_limit():
    with pytest.raises(ValueError, match="has no finite limit"):
        looped_saddle._leading(n**2 / (n + 1))

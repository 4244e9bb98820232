"""The Hessian of two loops at multiples of the identity."""

import pytest
import sympy

from proofs.index_sums import d, n
from proofs.looped_saddle import antisymmetric_curvature, loss_at
from proofs.looped_scalar_loss import scalar_loss
from proofs.looped_strict_saddle import descent_directions, symmetric_curvature

a = sympy.Symbol("a", real=True)


def test_second_derivatives_of_three_features():
    """Along I, a symmetric matrix of trace 0 and an antisymmetric one, from the loss on the line."""
    at, t = sympy.Rational(3, 4), sympy.Symbol("t")
    along = (
        (symmetric_curvature(at, 4, 3) * 6, sympy.diag(1, 1, -2)),
        (antisymmetric_curvature(at, 4, 3) * 2, sympy.Matrix([[0, 0, 1], [0, 0, 0], [-1, 0, 0]])),
        (sympy.diff(scalar_loss(2, a, 4, 3), a, 2).subs(a, at), sympy.eye(3)),
    )
    for claimed, J in along:
        assert sympy.diff(loss_at(at * sympy.eye(3) + t * J, 4), t, 2).subs(t, 0) == claimed


def test_symmetric_curvature_without_a_step_is_the_moments_by_hand():
    """h(0) = 8 m_2 + 4 E tr (S H)^2 / |H|^2, the latter (n + 1) / n for trace 0."""
    by_hand = 8 * (n + d + 1) / n + 4 * (n + 1) / n
    assert sympy.simplify(symmetric_curvature(0) - by_hand) == 0


@pytest.mark.parametrize(("features", "first"), [(3, 20), (4, 25)])
def test_where_the_saddle_begins(features, first):
    assert [descent_directions(tokens, features) for tokens in (first - 1, first)] == [
        0,
        features * (features - 1) // 2,
    ]

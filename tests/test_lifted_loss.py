"""The lifted problem: its sum, its minima, and what it leaves free."""

import pytest
import sympy

from proofs.lifted_loss import lifted_loss, lifted_minimiser, lifted_products
from proofs.one_layer_loss import Weights, least_loss, loss, optimal_weights
from proofs.regression_law import RegressionLaw

LAW = RegressionLaw.of_roots(2, sympy.diag(1, 2), sympy.eye(2), sympy.Rational(1, 2))
GENERIC = Weights([[1, -1]], sympy.Rational(1, 2), [[1, 2], [0, 1]], [[-1, 3]])


def test_loss_is_the_weighted_sum_of_lifted_losses():
    total = sum(LAW.Sigma[j, j] * lifted_loss(j, Y, LAW) for j, Y in enumerate(lifted_products(GENERIC)))
    assert total == loss(GENERIC, LAW)


def test_minimiser_of_the_loss_lifts_to_the_lifted_minimisers():
    for j, Y in enumerate(lifted_products(optimal_weights(LAW))):
        assert lifted_minimiser(j, LAW) == Y


def test_sum_of_the_lifted_minima_is_the_least_loss():
    total = sum(LAW.Sigma[j, j] * lifted_loss(j, lifted_minimiser(j, LAW), LAW) for j in range(2))
    assert total == least_loss(LAW)


@pytest.mark.parametrize("j", [0, 1])
def test_derivative_vanishes_at_the_lifted_minimiser_in_every_direction(j):
    best = lifted_minimiser(j, LAW)
    for number in range(9):
        direction = sympy.zeros(3, 3)
        direction[number // 3, number % 3] = 1
        values = [lifted_loss(j, best + t * direction, LAW) for t in (-1, 0, 1)]
        assert values[0] == values[2]
        assert values[0] >= values[1]


def test_only_antisymmetric_changes_keep_the_minimum():
    best = lifted_minimiser(0, LAW)
    least = lifted_loss(0, best, LAW)
    antisymmetric = sympy.Matrix([[0, 1, -2], [-1, 0, 3], [2, -3, 0]])
    assert lifted_loss(0, best + antisymmetric, LAW) == least
    assert lifted_loss(0, best + antisymmetric + sympy.diag(1, 0, 0), LAW) > least

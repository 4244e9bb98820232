"""The family A_l = a_l Sigma^-1: reference values of its minimum, and the gradient over all matrices there."""

from fractions import Fraction

import pytest
import sympy

from numerics.gdpp_loss import gdpp_loss
from numerics.multilayer_loss import multilayer_gradient, multilayer_loss
from numerics.optimal_steps import optimal_loss, optimal_polynomial
from proofs import family_minimum as module
from proofs.index_sums import d, n
from proofs.stationary_families import family_loss

SIGMA = [[4, 2], [2, 2]]
INVERSE = [[Fraction(1, 2), Fraction(-1, 2)], [Fraction(-1, 2), Fraction(1)]]


@pytest.mark.parametrize(
    ("tokens", "features", "layers", "loss"),
    [
        (20, 5, 1, Fraction(15, 13)),
        (20, 5, 2, Fraction(1795, 4969)),
        (20, 5, 3, Fraction(12138645, 90852389)),
        (10, 5, 1, Fraction(15, 8)),
        (10, 5, 2, Fraction(970, 999)),
        (10, 2, 2, Fraction(253, 1569)),
    ],
)
def test_reference_values_of_the_minimum(tokens, features, layers, loss):
    assert optimal_loss(tokens, features, layers) == loss


def test_roots_are_the_reference_steps():
    s = sympy.Symbol("s")
    phi = optimal_polynomial(20, 5, 2).coefficients
    roots = sympy.Poly([sympy.Rational(c.numerator, c.denominator) for c in reversed(phi)], s).nroots()
    assert sorted(float(1 / root) for root in roots) == pytest.approx([0.515370682836, 1.249571961559], rel=1e-11)


def test_gradient_over_all_matrices_vanishes_at_the_minimum():
    """n = 3, d = 2, a covariance that is not diagonal: nothing is left but the rounding of the steps, 1e-36."""
    s = sympy.Symbol("s")
    phi = optimal_polynomial(3, 2, 2).coefficients
    steps = [1 / root for root in sympy.Poly([sympy.Rational(str(c)) for c in reversed(phi)], s).nroots(n=40)]
    rounded = [Fraction(str(step.round(36))) for step in steps]
    matrices = [[[a * value for value in row] for row in INVERSE] for a in rounded]
    gradient = multilayer_gradient(matrices, 3, SIGMA, INVERSE)
    assert max(abs(value) for matrix in gradient for row in matrix for value in row) < Fraction(1, 10**33)
    moved = [[[value + (l == 0) / Fraction(100) for value in row] for row in A] for l, A in enumerate(matrices)]
    assert multilayer_loss(moved, 3, SIGMA, INVERSE) > multilayer_loss(matrices, 3, SIGMA, INVERSE)


def test_gradient_is_a_multiple_of_the_covariance_on_the_family_and_not_off_it():
    matrices = [[[a * value for value in row] for row in INVERSE] for a in (Fraction(1, 2), Fraction(1, 3))]
    for (first, second), (third, fourth) in multilayer_gradient(matrices, 3, SIGMA, INVERSE):
        assert (second, third, fourth) == (first / 2, first / 2, first / 2)
    off = [[[1, 1], [0, 2]], matrices[1]]
    (first, second), (third, fourth) = multilayer_gradient(off, 3, SIGMA, INVERSE)[0]
    assert (second, third, fourth) != (first / 2, first / 2, first / 2)


def test_loss_on_the_family_does_not_depend_on_the_order_of_its_steps_but_that_of_gdpp_does():
    steps = [Fraction(1, 2), Fraction(1, 3), Fraction(2)]
    identity = [[1, 0], [0, 1]]
    losses = {
        multilayer_loss([[[a * v for v in row] for row in identity] for a in order], 2, identity, identity)
        for order in (steps, steps[::-1], [steps[1], steps[0], steps[2]])
    }
    assert len(losses) == 1
    assert gdpp_loss([-1, -2], [1], 2, 2) != gdpp_loss([-2, -1], [1], 2, 2)


def test_family_loss_of_symbols_is_that_of_sizes():
    a, b = sympy.symbols("a b")
    symbolic = family_loss([a, b]).subs({n: 7, d: 3, a: sympy.Rational(1, 2), b: 1})
    assert symbolic == family_loss([sympy.Rational(1, 2), 1], 7, 3)


def test_a_polynomial_with_a_negative_coefficient_is_counted():
    assert module._negatives(n * d - d + 3) == 1
    assert module._negatives(n * d + d + 3) == 0

"""Two layers: squares that count the off-diagonal entries, and optimisers that end at a scalar pair."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from numerics.multilayer_loss import multilayer_loss
from proofs import two_layer_minimum as module
from proofs.gaussian_moments import sigma2
from proofs.index_sums import delta
from proofs.multilayer_closed_form import A_LAYERS, stack_loss
from proofs.stationary_families import family_loss, isotropic
from proofs.two_layer_minimum import excess_of_the_off_diagonal, integrated_square

ONE = [[1, 0], [0, 1]]


def test_a_matrix_transposed_in_the_square_is_noticed_for_all_sizes():
    first, second = A_LAYERS
    square = module._square(lambda S, A, H, one: (one - A @ S) @ H @ S)
    assert module._with(first, second) != module._without(first, second) + square


def test_off_diagonal_entries_of_a_matrix_beside_a_diagonal_one_are_paid_for():
    """d = 2, n = 1, A_1 = 0, A_0 = e_1 e_2^T: E |H^T S|^2 = E (x_1^2 + x_2^2) x_1^2 = 4."""
    assert excess_of_the_off_diagonal(([[0, 1], [0, 0]], [[0, 0], [0, 0]]), 1) == 4
    assert integrated_square(sympy.Matrix([[0, 1], [0, 0]]), sympy.zeros(2, 2), 1) == 4


def entrywise_loss(tokens):
    """The loss of d = 2 as a function of the eight entries, with its gradient, from the loss on letters."""
    symbols = sympy.symbols("s0:8")
    tensors = {"lam": [1, 1], "Omega": ONE, "A_0": [symbols[:2], symbols[2:4]], "A_1": [symbols[4:6], symbols[6:]]}
    value = stack_loss(2).evaluated({"n": tokens, "d": 2}, tensors, {sigma2: 0})
    return sympy.lambdify([symbols], [value, *(sympy.diff(value, s) for s in symbols)], cse=True)


def test_optimisers_over_all_pairs_end_no_lower_than_the_scalar_pair():
    """d = 2, n = 10: 253/1569. That no pair at all is lower is a conjecture; these starts do not refute it."""
    function = entrywise_loss(10)
    rng = np.random.default_rng(0)
    ends = []
    for _ in range(12):
        end = minimize(
            lambda s: (function(s)[0], np.array(function(s)[1:])), rng.standard_normal(8) / 2, jac=True, method="BFGS"
        )
        ends.append(end.fun)
    assert min(ends) == pytest.approx(253 / 1569, rel=1e-9)
    assert min(ends) > 253 / 1569 * (1 - 1e-12)


def test_loss_on_letters_is_that_of_numbers():
    entries = [[[Fraction(1, 2), -1], [1, Fraction(1, 4)]], [[1, Fraction(1, 3)], [0, -1]]]
    flat = [float(value) for matrix in entries for row in matrix for value in row]
    assert entrywise_loss(3)(flat)[0] == pytest.approx(float(multilayer_loss(entries, 3, ONE, ONE)), rel=1e-13)


def test_isotropic_loss_of_scalar_pairs_is_the_family_loss():
    a, b = sympy.symbols("a b")
    scaled = {A_LAYERS[0]: lambda i, j: [(a, [delta(i, j)])], A_LAYERS[1]: lambda i, j: [(b, [delta(i, j)])]}
    assert sympy.simplify(isotropic(stack_loss(2)).substituted(scaled).scalar - family_loss([a, b])) == 0

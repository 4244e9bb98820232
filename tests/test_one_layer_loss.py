"""The population loss of one layer: the forward pass on letters, on rationals and in floats, and the closed form."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from constructions.one_layer_attention import OneLayerAttention, OneLayerReluAttention, SummedAttention
from constructions.parameters import Unspecified, map_parameters
from proofs import prove
from proofs.expected_words import indexed, population_loss
from proofs.gaussian_moments import sigma2
from proofs.index_sums import n
from proofs.induction import normal_form
from proofs.one_layer_loss import (
    BLOCKS,
    Weights,
    attention,
    closed_form,
    least_loss,
    loss,
    optimal_matrix,
    optimal_weights,
    with_letters,
)
from proofs.regression_law import (
    FIVE_POINTS,
    NINE_POINTS,
    SEVEN_POINTS,
    TWO_POINTS,
    RegressionLaw,
    float_loss_bounds,
    integrated_loss,
    weight_sum,
)
from proofs.symbols import SymbolBlock

HALF = Fraction(1, 2)
SKEWED = RegressionLaw.of_roots(2, [[1, 0], [HALF, 2]], [[HALF, 0], [-1, 1]], HALF)
GENERIC = Weights([[HALF, -1]], Fraction(3, 4), [[1, HALF], [-HALF, 2]], [[HALF, 1]])


@pytest.mark.parametrize("kind", [OneLayerAttention, SummedAttention, OneLayerReluAttention])
def test_one_layer_splits_by_parity_for_all_sizes(kind):
    blocks = BLOCKS if kind is not OneLayerReluAttention else BLOCKS[:6]
    assert prove(kind(**{name: [[1]] for name in blocks})).holds


def test_population_loss_of_the_forward_pass_is_the_closed_form():
    assert population_loss(with_letters(OneLayerAttention)) == closed_form()


def test_rows_that_play_no_part_are_absent_from_the_loss():
    four = ("P_yx", "P_yy", "Q_xx", "Q_yx")
    assert population_loss(with_letters(OneLayerAttention, four)) == closed_form()


def test_closed_form_in_indices_is_the_closed_form_in_matrices():
    law = RegressionLaw.of_roots(3, [[2, 0], [0, 1]], [[HALF, 0], [-1, 1]], HALF)
    entries = {
        "lam": [4, 1],
        "Omega": law.Omega.tolist(),
        "P_yx": list(GENERIC.p0),
        "Q_xx": GENERIC.Q1.tolist(),
        "Q_yx": list(GENERIC.q2),
    }
    scalars = {sympy.Symbol("P_yy", real=True): GENERIC.p1, sigma2: law.sigma2}
    assert closed_form().evaluated({"n": 3, "d": 2}, entries, scalars) == loss(GENERIC, law)


def test_integration_entry_by_entry_gives_the_closed_form_off_the_eigenbasis():
    assert integrated_loss(attention(GENERIC), SKEWED) == loss(GENERIC, SKEWED)


def test_float_run_over_the_finite_law_encloses_the_closed_form():
    law = RegressionLaw.of_roots(1, [[1, 0], [HALF, 2]], [[HALF, 0], [-1, 1]], HALF)
    floats = map_parameters(attention(GENERIC), lambda value, _: np.array(value, dtype=float))
    low, high = float_loss_bounds(floats, law)
    assert low <= Fraction(str(loss(GENERIC, law))) <= high
    assert high - low < Fraction(1, 10**9)


@pytest.mark.parametrize(("points", "degree"), [(NINE_POINTS, 9), (SEVEN_POINTS, 7), (FIVE_POINTS, 5), (TWO_POINTS, 3)])
def test_finite_laws_have_the_moments_of_the_gaussian(points, degree):
    for power in range(degree + 1):
        moment = Fraction(sum(weight * value**power for value, weight in points), weight_sum(points))
        assert moment == (0 if power % 2 else sympy.factorial2(power - 1))


def test_least_loss_and_minimiser_of_the_references():
    law = RegressionLaw.isotropic(20, 5)
    assert least_loss(law) == sympy.Rational(15, 13)
    assert optimal_matrix(law) == -sympy.Rational(10, 13) * sympy.eye(5)
    noisy = RegressionLaw.isotropic(7, 3, 2)
    assert least_loss(noisy) == sympy.Rational(3 * (3 + 1 + 4), 7 + 3 + 1 + 4)


def test_loss_at_the_minimiser_is_the_least_loss_at_every_scale():
    for scale in (1, -2, HALF):
        assert loss(optimal_weights(SKEWED, scale), SKEWED) == least_loss(SKEWED)


def test_gradient_vanishes_at_the_minimiser_for_a_general_prior():
    symbols = sympy.symbols("a0:9")
    free = Weights([symbols[:2]], symbols[2], [symbols[3:5], symbols[5:7]], [symbols[7:9]])
    best = optimal_weights(SKEWED)
    at = dict(zip(symbols, [*best.p0, best.p1, *best.Q1, *best.q2], strict=True))
    value = loss(free, SKEWED)
    assert [sympy.diff(value, symbol).subs(at) for symbol in symbols] == [0] * 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, [[1]], [[1]]), "n = 0: at least one context token"),
        ((2, [[1, 2], [2, 1]], [[1, 0], [0, 1]]), "Sigma must be symmetric and positive definite"),
        ((2, [[1, 0], [1, 1]], [[1, 0], [0, 1]]), "Sigma must be symmetric and positive definite"),
        ((2, [[1]], [[0]]), "Omega must be symmetric and positive definite"),
        ((2, [[1]], [[1, 0], [0, 1]]), "both must be .d, d. with the same d"),
        ((2, [], []), "Sigma must be .d, d. with d >= 1"),
        ((2, [["one"]], [[1]]), "Sigma must be a .d, d. matrix of exact numbers"),
        ((2, [[1]], [[1]], -1), "sigma2 = -1: a variance must be >= 0"),
    ],
)
def test_laws_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RegressionLaw(*arguments)


def test_a_law_without_features_is_refused():
    with pytest.raises(ValueError, match="d = 0: at least one feature"):
        RegressionLaw.isotropic(3, 0)


def test_a_law_without_roots_cannot_be_integrated():
    with pytest.raises(ValueError, match="no rational root R"):
        integrated_loss(attention(GENERIC), RegressionLaw(1, [[2, 0], [0, 1]], [[1, 0], [0, 1]]))


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="p0, Q1, q2 must be"):
        Weights([[1]], 1, [[1, 0], [0, 1]], [[1, 2]])
    with pytest.raises(ValueError, match="the weights are for d = 2, but the law has d = 1"):
        loss(GENERIC, RegressionLaw.isotropic(1, 1))
    with pytest.raises(ValueError, match="scale = 0"):
        optimal_weights(SKEWED, 0)


def test_only_scalars_made_of_plain_matrices_are_polynomials():
    X, Y = (SymbolBlock.lift(Unspecified(*letter)) for letter in (("X", "d", "n"), ("Y", "d", "d")))
    column = SymbolBlock.lift(Unspecified("u", "d", 1))
    with pytest.raises(ValueError, match="only a 1 x 1 normal form"):
        indexed(normal_form(X))
    with pytest.raises(TypeError, match="is no polynomial"):
        indexed(normal_form(column.T @ Y.inverse() @ column))
    long = SymbolBlock.lift(Unspecified("v", "k", 1))
    with pytest.raises(ValueError, match="the size k is none of n, d and 1"):
        indexed(normal_form(long.T @ long))


@pytest.mark.parametrize(
    "slip",
    [
        lambda c: c.subs(n + 1, n),
        lambda c: c.subs(n, n + 1),
        lambda c: c.subs(sigma2, 2 * sigma2),
        lambda c: c.subs(n + 2, n + 1),
    ],
)
def test_a_slip_in_a_coefficient_of_the_closed_form_is_found(slip):
    assert population_loss(with_letters(OneLayerAttention)) != closed_form().map(slip)

"""One forward function, unmodified, for every kind of number."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb

from constructions.construction import forward
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.rationals import as_fraction

X, Y, x = [[1, 2, 3], [0, 1, 1]], [[1, 0, 2]], [[1], [2]]
CONSTRUCTIONS = [
    GradientDescent(step_sizes=[1, Fraction(1, 2)]),
    GDPlusPlus(step_sizes=[1, Fraction(1, 2)], curvature_steps=[Fraction(1, 4), Fraction(1, 8)]),
]
kinds = pytest.mark.parametrize("construction", CONSTRUCTIONS, ids=lambda c: type(c).__name__)


def exact(construction):
    return as_fraction(construction(X, Y, x)[0, 0])


@kinds
def test_rationals_give_the_exact_prediction(construction):
    assert exact(construction) == as_fraction(forward(construction, Prompt(X, Y, x)).entry[0, 0])


@kinds
def test_balls_enclose_the_exact_prediction(construction):
    balls = [np.array([[arb(value) for value in row] for row in entry], dtype=object) for entry in (X, Y, x)]
    (prediction,) = construction(*balls).flat
    assert prediction.contains(arb(exact(construction).numerator) / arb(exact(construction).denominator))
    assert prediction.rad() < 1e-10


@kinds
def test_arrays_of_any_library_give_the_prediction(construction, xp):
    arrays = [xp.asarray(entry, dtype=xp.float64) for entry in (X, Y, x)]
    prediction = construction(*arrays)
    assert prediction.shape == (1, 1)
    assert float(prediction[0, 0]) == pytest.approx(float(exact(construction)), rel=1e-13)


@kinds
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_dtype_comes_from_the_input(construction, xp, name):
    arrays = [xp.asarray(entry, dtype=getattr(xp, name)) for entry in (X, Y, x)]
    assert construction(*arrays).dtype == getattr(xp, name)


@kinds
def test_float16_runs_where_the_library_has_it(construction):
    arrays = [np.array(entry, dtype=np.float16) for entry in (X, Y, x)]
    assert construction(*arrays).dtype == np.float16


@kinds
def test_sympy_matrices_give_the_prediction_as_a_polynomial(construction):
    t = sympy.Symbol("t")
    (prediction,) = construction(sympy.Matrix(X), sympy.Matrix(Y) * t, sympy.Matrix(x))
    value = exact(construction)
    assert sympy.expand(prediction - t * sympy.Rational(value.numerator, value.denominator)) == 0


def test_matrix_symbols_give_the_prediction_for_all_sizes():
    n, d, m = sympy.symbols("n d m", integer=True, positive=True)
    entries = sympy.MatrixSymbol("X", d, n), sympy.MatrixSymbol("Y", m, n), sympy.MatrixSymbol("x", d, 1)
    assert str(GradientDescent(step_sizes=[Fraction(1, 2)])(*entries)) == "(1/(2 n)) Y X' x"


@kinds
def test_batches_of_any_shape_are_predicted_one_by_one(construction, xp):
    rng = np.random.default_rng(0)
    held = [rng.standard_normal((2, 3, *shape)) for shape in ((2, 4), (2, 4), (2, 1))]
    together = construction(*(xp.asarray(entry) for entry in held))
    assert together.shape == (2, 3, 2, 1)
    for i, j in np.ndindex(2, 3):
        alone = construction(*(xp.asarray(entry[i, j]) for entry in held))
        assert np.allclose(np.asarray(together[i, j, ...]), np.asarray(alone), rtol=1e-12)


def test_large_batch_is_cut_into_pieces_that_give_the_same_predictions():
    rng = np.random.default_rng(0)
    held = [rng.standard_normal((3000, *shape)) for shape in ((10, 20), (2, 20), (10, 1))]
    construction = GradientDescent(step_sizes=[0.5] * 3)
    whole = forward(construction, Prompt(*held)).entry
    assert np.array_equal(construction(*held), whole)


BAD = [
    (np.ones((2, 3), dtype=int), np.ones((1, 3)), np.ones((2, 1)), TypeError, "X: an array of dtype int64 is refused"),
    (np.ones((2, 3)), np.ones((1, 4)), np.ones((2, 1)), ValueError, "X has 3 columns and Y has 4"),
    (np.ones((2, 3)), np.ones((1, 3)), np.ones((3, 1)), ValueError, r"x_query must have shape \(2, 1\)"),
    (np.ones((2, 3)), np.ones((1, 3)), np.ones(2), ValueError, r"x_query: .* add one with \[:, None\]"),
    (np.ones((2, 0)), np.ones((1, 0)), np.ones((2, 1)), ValueError, "the context is empty"),
    (np.full((2, 3), np.nan), np.ones((1, 3)), np.ones((2, 1)), ValueError, "X: every entry must be finite"),
    (np.ones((2, 3)), np.full((1, 3), np.inf), np.ones((2, 1)), ValueError, "Y: every entry must be finite"),
    (np.ones((2, 3)), [[1, 2, 3]], np.ones((2, 1)), TypeError, "Y: an array of floats is required"),
    ([[1, 2]], [[1, 2]], [["a"]], TypeError, "x_query: "),
    ("data.csv", [[1]], [[1]], TypeError, "no kind of number holds a builtins.str"),
    ([[1, 2], [3]], [[1, 2]], [[1], [1]], ValueError, "X: the rows of a matrix must be equally long"),
]


@pytest.mark.parametrize(("X", "Y", "x", "error", "message"), BAD)
def test_bad_prompt_is_refused_in_one_clear_sentence(X, Y, x, error, message):
    with pytest.raises(error, match=message):
        GradientDescent(step_sizes=[1])(X, Y, x)


def test_arrays_of_two_libraries_are_refused():
    import array_api_strict

    with pytest.raises(TypeError, match=r"Y is array_api_strict float64 .* one library, dtype and device"):
        GradientDescent(step_sizes=[1])(np.ones((2, 3)), array_api_strict.ones((1, 3)), np.ones((2, 1)))


def test_arrays_of_two_dtypes_are_refused():
    with pytest.raises(TypeError, match="Y is numpy float32"):
        GradientDescent(step_sizes=[1])(np.ones((2, 3)), np.ones((1, 3), dtype=np.float32), np.ones((2, 1)))


def test_parameter_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="W_0"):
        GradientDescent(step_sizes=[1], W_0=[[1, 2]])(np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 1)))


def test_parameter_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"W_0 must have shape \(1, 2\) for this prompt"):
        GradientDescent(step_sizes=[1], W_0=np.ones((2, 2)))(np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 1)))


def test_parameters_with_different_numbers_of_layers_are_refused():
    construction = GDPlusPlus(step_sizes=[1, 1], curvature_steps=[1])
    with pytest.raises(ValueError, match="different numbers of layers"):
        construction(np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 1)))


@pytest.mark.parametrize("eta", [float("nan"), float("inf")])
def test_step_size_that_is_no_number_is_refused(eta):
    with pytest.raises(ValueError, match="must be finite"):
        GradientDescent(step_sizes=[eta])(np.ones((2, 3)), np.ones((1, 3)), np.ones((2, 1)))

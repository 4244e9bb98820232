"""Which kind of number holds what a user passes, and what no kind holds."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb, arb_mat, fmpq, fmpq_mat, fmpz

from constructions.block import kind_of
from constructions.parameters import Unspecified
from numerics.balls import BallBlock
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock
from proofs.explicit import ExplicitBlock
from proofs.symbols import SymbolBlock

n, d = sympy.symbols("n d", integer=True, positive=True)
t = sympy.Symbol("t")
X, S, x = sympy.MatrixSymbol("X", d, n), sympy.MatrixSymbol("S", d, d), sympy.MatrixSymbol("x", d, 1)


def lifted(entry):
    return kind_of(entry).lift(entry)


def objects(table):
    array = np.empty((len(table), len(table[0])), dtype=object)
    for i, row in enumerate(table):
        for j, value in enumerate(row):
            array[i, j] = value
    return array


HELD = {
    "lists of int": ([[1, 2]], RationalBlock),
    "tuples": (((1, 2), (3, 4)), RationalBlock),
    "lists of Fraction": ([[Fraction(1, 2)]], RationalBlock),
    "lists that mix int and Fraction": ([[1, Fraction(1, 2)]], RationalBlock),
    "lists of fmpz": ([[fmpz(3)]], RationalBlock),
    "objects of fmpq": (objects([[fmpq(1, 2), 3]]), RationalBlock),
    "a flint matrix of rationals": (fmpq_mat(1, 2, [1, 2]), RationalBlock),
    "objects of arb": (objects([[arb(1), 2]]), BallBlock),
    "lists of arb": ([[arb(1, 2)]], BallBlock),
    "a flint matrix of balls": (arb_mat(1, 2, [1, 2]), BallBlock),
    "a SymPy matrix": (sympy.Matrix([[t, 1]]), ExplicitBlock),
    "a sparse SymPy matrix": (sympy.SparseMatrix([[t, 1]]), ExplicitBlock),
    "lists of SymPy expressions": ([[t, 1], [sympy.Rational(1, 2), Fraction(1, 2)]], ExplicitBlock),
    "an array with a radius": (Rounded(np.ones((2, 1)), np.zeros((2, 1))), RoundedBlock),
    "a matrix symbol": (X, SymbolBlock),
    "a matrix symbol of known size": (sympy.MatrixSymbol("A", 2, 3), SymbolBlock),
    "a transpose": (X.T, SymbolBlock),
    "a product": (X * X.T, SymbolBlock),
    "a sum": (X - 2 * t * X, SymbolBlock),
    "an inverse": (S.inverse(), SymbolBlock),
    "a matrix of which only the name is known": (Unspecified("X", "d", "n"), SymbolBlock),
    "a block": (RationalBlock.lift([[1]]), RationalBlock),
}


@pytest.mark.parametrize("name", HELD)
def test_kind_is_chosen_by_the_entry(name):
    entry, kind = HELD[name]
    assert kind_of(entry) is kind


@pytest.mark.parametrize("name", [name for name in HELD if name != "a block"])
def test_entry_is_lifted_into_its_kind(name):
    entry, kind = HELD[name]
    assert isinstance(lifted(entry), kind)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3)])
def test_arrays_of_any_library_are_floats(xp, dtype, shape):
    block = lifted(xp.ones(shape, dtype=getattr(xp, dtype)))
    assert isinstance(block, FloatBlock)
    assert (block.batch, block.shape, block.entry.dtype) == (shape[:-2], (2, 3), getattr(xp, dtype))


@pytest.mark.parametrize("entry", [sympy.ImmutableMatrix([[t]]), ExplicitBlock.lift([[t]]).entry])
def test_an_immutable_matrix_is_of_known_size(entry):
    assert kind_of(entry) is ExplicitBlock


# What is lifted is what was passed.


@pytest.mark.parametrize("kind", [RationalBlock, BallBlock])
def test_an_array_of_floats_is_the_dyadics_that_they_are(xp, kind):
    block = kind.lift(xp.asarray([[0.1, 0.5]]))
    assert [
        value == arb(fmpq(3602879701896397, 2**55)) or value == fmpq(3602879701896397, 2**55)
        for value in block.entry.flat
    ] == [True, False]
    assert block.entry[0, 1] == fmpq(1, 2)


def test_a_long_double_loses_nothing():
    entry = np.array([[1]], dtype=np.longdouble) + np.finfo(np.longdouble).eps
    expected = 1 + Fraction(*np.finfo(np.longdouble).eps.as_integer_ratio())
    (value,) = RationalBlock.lift(entry).entry.flat
    assert Fraction(int(value.p), int(value.q)) == expected


def test_a_sympy_float_is_the_dyadic_that_it_is():
    half_and_tenth = sympy.Matrix([[0.5, sympy.Float(0.1) * t]])
    expected = sympy.Matrix([[sympy.Rational(1, 2), sympy.Rational(3602879701896397, 2**55) * t]])
    assert ExplicitBlock.lift(half_and_tenth).entry == expected


def test_a_numpy_matrix_is_refused():
    with pytest.warns(PendingDeprecationWarning):
        entry = np.matrix([[1.0, 2.0], [3.0, 4.0]])  # its * is the product of matrices
    with pytest.raises(TypeError, match="an array of floats is required, but matrix came"):
        lifted(entry)


EXPRESSIONS = {
    "transpose": (X.T, "X'"),
    "product": (X * X.T * x, "X X' x"),
    "multiple": (-2 * t * X, "-2 t X"),
    "sum": (X + 3 * S * X, "X + 3 S X"),
    "difference": (X - X, "0"),
    "inverse of a product": ((S * S.T).inverse(), "S^-1' S^-1"),
    "power": (S**3, "S S S"),
    "power of a product": ((S * S.T) ** 2, "S S' S S'"),
    "negative power": (S**-2, "S^-1 S^-1"),
    "identity": (sympy.Identity(d), "I"),
    "identity in a sum": (S - 2 * sympy.Identity(d), "-2 I + S"),
    "zeros": (sympy.ZeroMatrix(d, n), "0"),
    "ones": (sympy.OneMatrix(d, n), "1_d 1_n'"),
    "entrywise product": (sympy.HadamardProduct(X, X), "hadamard(X, X)"),
    "transposed sum": ((X + S * X).T, "X' + X' S'"),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_matrix_expression_is_lifted_with_its_meaning(name):
    entry, expected = EXPRESSIONS[name]
    assert str(lifted(entry)) == expected


# What is refused.

NO_KIND = "no kind of number holds a "
TWO_AXES = "a matrix must have two axes"
REFUSED = {
    "integers": (np.ones((2, 2), dtype=int), TypeError, "an array of dtype int64 is refused: pass real floats"),
    "truth values": (np.ones((2, 2), dtype=bool), TypeError, "an array of dtype bool is refused"),
    "complex numbers": (np.ones((2, 2), dtype=complex), TypeError, "an array of dtype complex128 is refused"),
    "a masked array": (np.ma.masked_array([[1.0, 2.0]], mask=[[0, 1]]), TypeError, "a masked array is refused"),
    "NaN": (np.array([[np.nan]]), ValueError, "every entry must be finite, but NaN or infinity came"),
    "infinity": (np.array([[-np.inf]]), ValueError, "every entry must be finite, but NaN or infinity came"),
    "one axis": (np.ones(2), ValueError, r"two axes .* but shape \(2,\) came; add one with \[:, None\]"),
    "no axis": (np.float64(1), ValueError, r"two axes \(rows, columns\), but shape \(\) came"),
    "objects that are strings": (objects([["a"]]), TypeError, NO_KIND + "builtins.str"),
    "objects that are None": (objects([[None]]), TypeError, NO_KIND + "builtins.NoneType"),
    "objects that are truth values": (objects([[True]]), TypeError, NO_KIND + "builtins.bool"),
    "objects that are floats": (objects([[0.5]]), TypeError, NO_KIND + "builtins.float: pass a NumPy or CuPy array"),
    "objects of which one is a string": (objects([[1, "a"]]), TypeError, "an exact entry must be .* but str came"),
    "objects of which one is a float": (objects([[1, 0.5]]), TypeError, "0.5 is a float among exact entries"),
    "objects of which one is NaN": (objects([[1, np.nan]]), TypeError, "nan is a float among exact entries"),
    "objects of which one is complex": (objects([[1, 1j]]), TypeError, "an exact entry must be .* but complex came"),
    "objects of one axis": (objects([[1, 2]])[0], ValueError, TWO_AXES),
    "objects of three axes": (objects([[1, 2]])[None], ValueError, "exact kinds have no batch dimensions"),
    "balls of which one is NaN": (objects([[arb(1), arb.nan()]]), ValueError, "every entry must be finite, but nan"),
    "a flint matrix with infinity": (arb_mat(1, 1, [arb("inf")]), ValueError, "every entry must be finite"),
    "rows of several lengths": ([[1, 2], [3]], ValueError, r"must be equally long, but they have lengths \[1, 2\]"),
    "symbolic rows of several lengths": ([[t], [t, t]], ValueError, r"equally long, but they have lengths \[1, 2\]"),
    "one list": ([1, 2], ValueError, TWO_AXES),
    "one list of symbols": ([t, t], ValueError, TWO_AXES),
    "lists three deep": ([[[1]]], ValueError, "exact kinds have no batch dimensions; run one prompt at a time"),
    "lists of symbols three deep": ([[[t]]], ValueError, "exact kinds have no batch dimensions"),
    "a number": (5, ValueError, TWO_AXES),
    "an empty list": ([], TypeError, NO_KIND + "builtins.list"),
    "an empty row": ([[]], TypeError, NO_KIND + "builtins.list"),
    "an empty SymPy matrix": (sympy.Matrix(0, 0, []), ValueError, r"rows and columns, but shape \(0, 0\) came"),
    "lists of truth values": ([[True, False]], TypeError, NO_KIND + "builtins.bool"),
    "lists with a truth value": ([[1, True]], TypeError, "an entry must be a number, but True came"),
    "symbols with a truth value": ([[t, True]], TypeError, "a symbolic number must be .* but bool came"),
    "lists of floats": ([[0.5, 1.5]], TypeError, NO_KIND + "builtins.float: pass a NumPy or CuPy array of floats"),
    "lists with a float": ([[1, 0.5]], TypeError, r"0.5 is a float among exact entries: .* or Fraction\('0.5'\) for"),
    "symbols with a float": ([[t, 0.5]], TypeError, "0.5 is a float among exact entries"),
    "balls with a float": ([[arb(1), 0.5]], TypeError, "0.5 is a float among exact entries"),
    "lists of complex": ([[1j]], TypeError, NO_KIND + "builtins.complex"),
    "lists of strings": ([["1"]], TypeError, NO_KIND + "builtins.str"),
    "symbols with a string": ([[t, "1"]], TypeError, "a symbolic number must be .* but str came"),
    "symbols with None": ([[t, None]], TypeError, "a symbolic number must be .* but NoneType came"),
    "rationals with a symbol": ([[1, t]], TypeError, "an exact entry must be .* but Symbol came"),
    "a string": ("data.csv", TypeError, NO_KIND + "builtins.str"),
    "None": (None, TypeError, NO_KIND + "builtins.NoneType"),
    "a SymPy matrix with NaN": (sympy.Matrix([[sympy.nan]]), ValueError, "must be real and finite, but nan came"),
    "a SymPy matrix with infinity": (sympy.Matrix([[sympy.oo]]), ValueError, "must be real and finite, but oo came"),
    "a SymPy matrix with i": (sympy.Matrix([[sympy.I]]), ValueError, "must be real and finite, but I came"),
    "a symbolic power": (S**n, TypeError, "a MatPow has no normal form here; pass sums, products, integer powers"),
    "an explicit matrix in a product": (
        sympy.MatrixSymbol("A", 2, 2) * sympy.Matrix([[1, 2], [3, 4]]),
        TypeError,
        "a ImmutableDenseMatrix has no normal form here",
    ),
    "a complex multiple": (sympy.I * X, ValueError, "a symbolic number must be real and finite, but I came"),
    "a scalar of which only the name is known": (Unspecified("eta"), TypeError, "eta is a scalar where a matrix is"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_kind_holds_is_refused(name):
    entry, error, said = REFUSED[name]
    with pytest.raises(error, match=said):
        lifted(entry)


DIRECTLY = {
    "rationals of nothing": (RationalBlock, [], ValueError, r"must have rows and columns, but shape \(0, 0\) came"),
    "rationals of empty rows": (RationalBlock, [[], []], ValueError, r"rows and columns, but shape \(2, 0\) came"),
    "balls of nothing": (BallBlock, [], ValueError, "must have rows and columns"),
    "explicit symbols of nothing": (ExplicitBlock, [], ValueError, "must have rows and columns"),
    "rationals of complex": (RationalBlock, np.ones((1, 1), complex), TypeError, "dtype complex128 is refused"),
    "balls of complex": (BallBlock, np.ones((1, 1), complex), TypeError, "dtype complex128 is refused"),
    "rationals of integers": (RationalBlock, np.ones((1, 1), int), TypeError, "dtype int64 is refused"),
    "rationals of NaN": (RationalBlock, np.array([[np.nan]]), ValueError, "must be finite, but nan came"),
    "rationals of a batch": (RationalBlock, np.ones((1, 1, 1)), ValueError, "exact kinds have no batch dimensions"),
    "rationals of a masked array": (RationalBlock, np.ma.masked_array([[1.0]]), TypeError, "a masked array is refused"),
    "rationals of floats": (RationalBlock, [[0.1]], TypeError, r"0.1 is a float .* or Fraction\('0.1'\) for an exact"),
    "floats of lists": (FloatBlock, [[0.1]], TypeError, "an array of floats is required, but list came"),
    "explicit symbols of an array": (ExplicitBlock, np.ones((1, 1)), TypeError, "a SymPy matrix of known size is"),
    "symbols of lists": (SymbolBlock, [[1]], TypeError, "a matrix of unspecified size is a sympy.MatrixSymbol"),
}


@pytest.mark.parametrize("name", DIRECTLY)
def test_what_a_kind_cannot_hold_is_refused(name):
    kind, entry, error, said = DIRECTLY[name]
    with pytest.raises(error, match=said):
        kind.lift(entry)

"""Bounds on the largest eigenvalue, judged exactly: by Sylvester's criterion, in rationals."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

from numerics import eigenvalue_bounds
from numerics.eigenvalue_bounds import largest_eigenvalue_bounds
from numerics.rationals import as_fmpq


@st.composite
def grams(draw):
    """S = X X^T with entries of X over several orders of magnitude, rank deficient at times."""
    d, n = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    units = [Fraction(10) ** draw(st.integers(-40, 40)) for _ in range(d)]
    entries = [as_fmpq(unit * draw(st.integers(-9, 9))) for unit in units for _ in range(n)]
    X = fmpq_mat(d, n, entries)
    return X * X.transpose()


def diagonal(weights):
    d = len(weights)
    return fmpq_mat(d, d, [as_fmpq(weights[i]) if i == j else fmpq(0) for i in range(d) for j in range(d)])


def is_positive_definite(S):
    """Sylvester's criterion: every leading principal minor is above 0."""
    minors = (fmpq_mat(k, k, [S[i, j] for i in range(k) for j in range(k)]).det() for k in range(1, S.nrows() + 1))
    return all(minor > 0 for minor in minors)


def assert_bounds(S, weights, lower, upper):
    D = diagonal(weights)
    assert is_positive_definite(D * as_fmpq(upper * (1 + Fraction(1, 10**30))) - S)
    assert not is_positive_definite(D * as_fmpq(lower) - S)
    assert upper <= lower * (1 + Fraction(1, 10**12))


@given(S=grams())
def test_bounds_hold_the_largest_eigenvalue(S):
    lower, upper = largest_eigenvalue_bounds(S)
    if all(value == 0 for value in S.entries()):
        assert lower == upper == 0
    else:
        assert_bounds(S, [Fraction(1)] * S.nrows(), lower, upper)


@given(S=grams(), data=st.data())
def test_bounds_hold_for_weights_of_any_size(S, data):
    weights = [
        Fraction(data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)))
        * Fraction(10) ** data.draw(st.integers(-60, 60))
        for _ in range(S.nrows())
    ]
    lower, upper = largest_eigenvalue_bounds(S, weights)
    if all(value == 0 for value in S.entries()):
        assert lower == upper == 0
    else:
        assert_bounds(S, weights, lower, upper)


def test_a_single_eigenvalue_is_known_exactly():
    assert largest_eigenvalue_bounds(fmpq_mat(1, 1, [fmpq(7, 3)])) == (Fraction(7, 3), Fraction(7, 3))


def test_a_diagonal_matrix_is_known_exactly():
    assert largest_eigenvalue_bounds(diagonal([Fraction(1), Fraction(5), Fraction(2)])) == (5, 5)


def test_units_beyond_the_range_of_floats_do_no_harm():
    huge = Fraction(10) ** 700
    lower, upper = largest_eigenvalue_bounds(diagonal([huge, 1 / huge]), [huge, 1 / huge])
    assert (lower, upper) == (1, 1)


@pytest.mark.parametrize("weight", [0, -1])
def test_weights_must_be_positive(weight):
    with pytest.raises(ValueError, match=f"every weight must be above 0, but {weight} came"):
        largest_eigenvalue_bounds(fmpq_mat(2, 2, [1, 0, 0, 1]), [Fraction(1), Fraction(weight)])


def test_useless_eigenvectors_are_noticed(monkeypatch):
    monkeypatch.setattr(np.linalg, "eigh", lambda S: (np.zeros(2), np.ones((2, 2))))
    with pytest.raises(ArithmeticError, match="far from orthogonal"):
        eigenvalue_bounds.largest_eigenvalue_bounds(fmpq_mat(2, 2, [2, 1, 1, 2]))

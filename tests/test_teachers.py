"""Teachers: what is drawn satisfies, in integers, what the theorems assume of it."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpz_mat
from hypothesis import given
from hypothesis import strategies as st

from numerics.teachers import as_prompt, inputs_with_eigenvector, labels, null_space

SEEDS = st.integers(0, 2**32)
SIZE = st.integers(1, 5)


@given(SEEDS, SIZE, SIZE)
def test_the_null_space_is_all_of_it(seed, n, d):
    X = np.random.default_rng(seed).integers(-2, 3, (d, n))
    basis = null_space(X)
    assert not (X @ basis).any()
    rank = fmpz_mat(X.tolist()).rank()
    assert basis.shape == (n, n - rank)
    assert rank == n or fmpz_mat(basis.tolist()).rank() == n - rank


@given(SEEDS, SIZE, SIZE, SIZE)
def test_the_teacher_solves_least_squares_on_noisy_labels(seed, n, d, m):
    rng = np.random.default_rng(seed)
    X, W_star = rng.integers(-3, 4, (d, n)), rng.integers(-3, 4, (m, d))
    Y = labels(rng, X, W_star)
    assert (Y @ X.T == W_star @ X @ X.T).all()
    assert (Y != W_star @ X).any() == (fmpz_mat(X.tolist()).rank() < n)


@given(SEEDS, SIZE, SIZE)
def test_the_eigenvector_is_one(seed, n, d):
    X, v, lam = inputs_with_eigenvector(seed, n, d)
    assert v.any()
    assert lam.shape == (1, 1)
    assert (X @ X.T @ v == v * lam).all()


@pytest.mark.parametrize("dtype", [None, np.float64, np.float32])
def test_a_prompt_holds_the_integers_as_they_are(dtype):
    X, v = np.array([[1, 2]]), np.array([[3]])
    prompt = as_prompt((X, 2 * X, v), {"lam": v}, dtype)
    assert [[Fraction(int(value)) for value in row] for row in prompt.Y] == [[2, 4]]
    assert prompt.extra("lam")[0][0] == 3
    assert isinstance(prompt.X[0][0], Fraction) if dtype is None else prompt.X.dtype == dtype

"""Gradients on the symmetric set: exponential scores by complex steps, the group's commutant, bad input."""

import numpy as np
import pytest
import sympy

from proofs.restricted_stationarity import InvariantLaw, signed_permutations

Q = np.array([[2.0, 1.0], [1.0, 2.0]]) / 3
XI = np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]])


def exponential_loss(A, B, C, r):
    """J of two layers with scores exp, labels of covariance exp(<xi, xi'>), written out in NumPy; complex arguments."""
    covariance = np.exp(XI.T @ XI)
    total = 0
    for R in signed_permutations(2):
        X = Q @ np.array(R, dtype=float) @ XI + 0j
        Y = np.hstack([np.eye(2), np.zeros((2, 1))]) + 0j
        for l in range(2):
            h = np.exp((B[l] @ X).T @ (C[l] @ X))
            h[-1] = 0
            X, Y = X + A[l] @ X @ h, Y + r[l] * Y @ h
        a = np.append(Y[:, -1], 1)
        total = total + a @ covariance @ a / 8
    return total


def complex_step_gradient(weights, r, name, layer):
    """Of one matrix, to machine precision."""
    made = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            moved = {key: [matrix.astype(complex) for matrix in held] for key, held in weights.items()}
            moved[name][layer][i, j] += 1e-30j
            made[i, j] = exponential_loss(**moved, r=r).imag / 1e-30
    return made


WEIGHTS = {
    "A": [0.25 * np.eye(2), -0.5 * np.eye(2)],
    "B": [0.5 * np.linalg.inv(Q), 0.75 * np.linalg.inv(Q)],
    "C": [1.0 * np.linalg.inv(Q), 0.25 * np.linalg.inv(Q)],
}
STEPS = (-0.25, -0.125)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_gradients_of_exponential_scores_have_one_direction(name, layer):
    made = complex_step_gradient(WEIGHTS, STEPS, name, layer)
    direction = np.eye(2) if name == "A" else Q
    np.testing.assert_allclose(made, made[0, 0] / direction[0, 0] * direction, atol=1e-12 * np.abs(made).max())


@pytest.mark.parametrize("name", ["B", "C"])
def test_gradients_off_the_set_have_another_direction(name):
    moved = {**WEIGHTS, name: [np.array([[1.0, 0.5], [0.0, 1.0]]), WEIGHTS[name][1]]}
    made = complex_step_gradient(moved, STEPS, name, 0)
    assert np.abs(made - made[0, 0] / Q[0, 0] * Q).max() > 1e-3 * np.abs(made).max()


def test_only_multiples_of_the_identity_commute_with_signed_permutations():
    entries = sympy.symbols("g0:9")
    G = sympy.Matrix(3, 3, entries)
    equations = [value for R in signed_permutations(3) for value in R * G - G * R]
    assert sympy.linsolve(equations, entries) == {(entries[8], 0, 0, 0, entries[8], 0, 0, 0, entries[8])}


def test_no_feature_is_refused():
    with pytest.raises(ValueError, match="d = 0: at least one feature"):
        signed_permutations(0)


@pytest.mark.parametrize("root", [[[1, 2], [2, 1]], [[1, 1], [0, 1]], [[1, 0]]])
def test_a_root_that_is_not_positive_definite_is_refused(root):
    with pytest.raises(ValueError, match="must be symmetric and positive definite, the root of Sigma"):
        InvariantLaw(root, [[1, 1], [0, 1]])


@pytest.mark.parametrize("points", [[[1, 2]], [[1], [2]]])
def test_points_that_do_not_fit_are_refused(points):
    with pytest.raises(ValueError, match=r"it must be \(2, n \+ 1\) with n >= 1"):
        InvariantLaw([[1, 0], [0, 1]], points)

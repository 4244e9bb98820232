"""Least squares solves the normal equations with weights in the span of the inputs: those of minimum norm.

Floats are held against the exact solution for the same dyadic data, within the perturbation bound of the problem.
"""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq_mat
from hypothesis import given

from constructions.prompt import Prompt
from numerics.balls import BallBlock
from numerics.baselines import least_squares
from numerics.floats import FloatBlock
from numerics.instances import float_prompt, rational_prompt
from numerics.rationals import RationalBlock
from numerics.strategies import rational_prompts, sizes

PROMPTS = {
    "n < d": rational_prompt(0, n=2, d=4, m=2),
    "n = d": rational_prompt(0, n=3, d=3, m=2),
    "n > d": rational_prompt(0, n=6, d=3, m=2),
    "duplicate examples": Prompt([[1, 1, 2], [3, 3, 6], [0, 0, 0]], [[1, 2, 5]], [[1], [1], [1]]),
    "duplicate features": Prompt([[1, 2, 5], [1, 2, 5]], [[1, 0, 3]], [[1], [1]]),
    "first feature zero": Prompt([[0, 0, 0], [1, 2, 5]], [[1, 0, 3]], [[1], [1]]),
    "zero inputs": Prompt([[0, 0], [0, 0], [0, 0]], [[1, 2]], [[1], [1], [1]]),
}
EVERY_PROMPT = pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())


def solves_the_normal_equations(W, prompt):
    X, Y = prompt.X.matrix, prompt.Y.matrix
    return W.matrix * X * X.transpose() == Y * X.transpose()


def lies_in_the_span_of_the_inputs(W, X):
    """Whether the rows of W are combinations of the columns of X: putting them beside X leaves its rank as it is."""
    return X.beside(W.T).matrix.rank() == X.matrix.rank()


def as_floats(prompt, xp=np, dtype="float64"):
    """The prompt in floats, which hold these small numbers exactly."""

    def array(entry):
        return xp.asarray([[float(value) for value in row] for row in entry], dtype=getattr(xp, dtype))

    return Prompt(array(prompt.X), array(prompt.Y), array(prompt.x_query))


def perturbation_bound(X, Y, W):
    """What the least-squares weights may move, to first order, if X and Y move by max(d, n) eps of their norms.

    Wedin's bound: with s the smallest singular value other than 0, kappa = |X| / s and the residual R = W X - Y,
    it is the relative move times  kappa (2 |W| + kappa |R| / |X| + |Y| / |X|).
    """
    s = np.linalg.svd(X, compute_uv=False)
    s = s[s > max(X.shape) * np.finfo(X.dtype).eps * s[0]]
    if not len(s):
        return 0.0
    kappa, residual = s[0] / s[-1], np.linalg.norm(W @ X - Y)
    moved = max(X.shape) * np.finfo(X.dtype).eps * kappa
    return moved * (2 * np.linalg.norm(W) + kappa * residual / s[0] + np.linalg.norm(Y) / s[0])


def is_within_the_bound(W, X, Y):
    """Whether float weights differ from the exact ones, for the same data, by what the bound allows."""
    exact = least_squares(Prompt(X, Y, X[:, :1]).lifted(RationalBlock))
    difference = RationalBlock.lift(W) - exact
    held = np.array([[float(Fraction(int(v.p), int(v.q))) for v in row] for row in exact.entry])
    errors = [float(Fraction(int(v.p), int(v.q))) for v in difference.entry.ravel()]
    return bool(np.linalg.norm(errors) <= perturbation_bound(X, Y, held))


# Exact.


@EVERY_PROMPT
def test_weights_solve_the_normal_equations(prompt):
    assert solves_the_normal_equations(least_squares(prompt), prompt.lifted())


@EVERY_PROMPT
def test_rows_of_the_weights_lie_in_the_span_of_the_inputs(prompt):
    assert lies_in_the_span_of_the_inputs(least_squares(prompt), prompt.lifted().X)


@given(rational_prompts(sizes(max_n=5, max_d=4)))
def test_weights_solve_the_normal_equations_of_every_prompt(prompt):
    assert solves_the_normal_equations(least_squares(prompt), prompt.lifted())


@given(rational_prompts(sizes(max_n=5, max_d=4)))
def test_rows_of_the_weights_lie_in_the_span_of_the_inputs_of_every_prompt(prompt):
    assert lies_in_the_span_of_the_inputs(least_squares(prompt), prompt.lifted().X)


def test_a_square_invertible_context_is_interpolated():
    prompt = PROMPTS["n = d"].lifted()
    assert prompt.X.matrix.rank() == 3
    assert least_squares(prompt).matrix == prompt.Y.matrix * prompt.X.matrix.inv()


def test_a_teacher_without_noise_is_recovered():
    X, teacher = RationalBlock.lift(PROMPTS["n > d"].X), RationalBlock.lift([[1, -2, Fraction(1, 3)]])
    assert least_squares(Prompt(X, teacher @ X, X.ones(3, 1))).matrix == teacher.matrix


def test_zero_inputs_have_zero_weights():
    assert least_squares(PROMPTS["zero inputs"]).matrix == fmpq_mat(1, 3)


def test_a_lifted_prompt_has_the_weights_of_the_raw_one():
    prompt = PROMPTS["n < d"]
    assert least_squares(prompt.lifted()).matrix == least_squares(prompt).matrix


# Floats.


@EVERY_PROMPT
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_weights_are_the_exact_ones_within_the_perturbation_bound(prompt, dtype):
    held = as_floats(prompt, dtype=np.dtype(dtype).name)
    assert is_within_the_bound(least_squares(held).entry, held.X, held.Y)


@EVERY_PROMPT
def test_weights_stay_in_the_library_of_the_prompt(prompt, xp):
    W = least_squares(as_floats(prompt, xp, "float32"))
    assert (type(W.entry), W.entry.dtype) == (type(xp.zeros(1)), xp.float32)


@pytest.mark.parametrize(("n", "d"), [(2, 4), (6, 3)])
def test_a_batch_is_solved_prompt_by_prompt(n, d):
    prompt = float_prompt(0, n, d, m=2, batch=(3, 2))
    W = least_squares(prompt).entry
    assert W.shape == (3, 2, 2, d)
    assert all(is_within_the_bound(W[i], prompt.X[i], prompt.Y[i]) for i in np.ndindex(3, 2))


def test_a_batch_may_hold_contexts_of_different_rank():
    X = np.stack([np.eye(2), np.zeros((2, 2))])
    W = least_squares(Prompt(X, np.ones((2, 1, 2)), np.ones((2, 2, 1)))).entry
    assert W.tolist() == [[[1, 1]], [[0, 0]]]


def test_a_float_prompt_has_float_weights():
    assert type(least_squares(float_prompt(0, 3, 2))) is FloatBlock


def test_a_kind_that_cannot_decide_ranks_is_refused():
    with pytest.raises(TypeError, match=r"must decide the rank of X, which a BallBlock cannot: pass a prompt of"):
        least_squares(PROMPTS["n > d"].lifted(BallBlock))

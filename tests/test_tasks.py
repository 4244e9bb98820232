"""Sampled tasks have the law that was asked for, and the same seed gives the same task.

Moments of random draws are held within five standard errors of theory, with the seed fixed.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from numerics.tasks import (
    AHN,
    AHN_ANISOTROPIC,
    FU,
    FU_ILL_CONDITIONED,
    VON_OSWALD,
    VON_OSWALD_WIDE,
    LinearTask,
    generator,
)

SEED = 20240607
COVARIANCE = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.25], [0.0, -0.25, 0.5]])


def standard_errors(samples, expected):
    """How far the mean of the samples (along the first axis) is from what is expected, in standard errors."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return np.max(np.abs(samples.mean(axis=0) - expected) / error)


def outer_products(columns):
    """The outer product of every column, one per row of the result."""
    tokens = np.moveaxis(columns, -1, -2).reshape(-1, columns.shape[-2])
    return tokens[:, :, None] * tokens[:, None, :]


def half_squared_errors(task, batch, weights):
    """(1/2) |prediction - target|^2 for every task, of the predictor with these weights."""
    drawn = task.sample(SEED, batch)
    return np.sum((weights(drawn) @ drawn.x_query - drawn.y_query) ** 2, axis=(-2, -1)) / 2


def arrays_of(drawn):
    return (drawn.X, drawn.Y, drawn.x_query, drawn.y_query, drawn.W_star)


# The law.


def test_shapes_are_those_of_the_prompt():
    drawn = LinearTask(n=4, d=3, m=2).sample(0, batch=(5, 6))
    assert [array.shape[2:] for array in arrays_of(drawn)] == [(3, 4), (2, 4), (3, 1), (2, 1), (2, 3)]


def test_batch_stands_in_front():
    drawn = LinearTask(n=4, d=3, m=2).sample(0, batch=(5, 6))
    assert {array.shape[:2] for array in arrays_of(drawn)} == {(5, 6)}


def test_an_int_is_a_batch_of_one_dimension():
    assert LinearTask(n=4, d=3).sample(0, batch=5).X.shape == (5, 3, 4)


def test_prompt_holds_what_a_transformer_sees():
    drawn = LinearTask(n=4, d=3).sample(0)
    prompt = drawn.prompt
    assert (prompt.X is drawn.X, prompt.Y is drawn.Y, prompt.x_query is drawn.x_query) == (True, True, True)


def test_prompt_can_be_run():
    prompt = LinearTask(n=4, d=3, m=2).sample(0, batch=5).prompt
    assert forward(GradientDescent(step_sizes=[1]), prompt).entry.shape == (5, 2, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_the_one_asked_for(dtype):
    task = LinearTask(n=4, d=2, dtype=dtype, covariance=np.eye(2), prior=np.eye(2), noise=0.5)
    assert {array.dtype for array in arrays_of(task.sample(0))} == {np.dtype(dtype)}


def test_lower_precision_rounds_the_same_draws():
    task = LinearTask(n=4, d=3)
    narrow = replace(task, dtype=np.float32).sample(SEED)
    assert np.array_equal(narrow.X, task.sample(SEED).X.astype(np.float32))


def test_labels_are_what_the_teacher_says_but_for_rounding():
    drawn = LinearTask(n=4, d=3, m=2).sample(SEED)
    roundoff = Fraction(1, 2**53)
    for i in range(2):
        for j in range(4):
            terms = [Fraction(drawn.W_star[i, k]) * Fraction(drawn.X[k, j]) for k in range(3)]
            bound = sum(map(abs, terms)) * 3 * roundoff / (1 - 3 * roundoff)
            assert abs(Fraction(drawn.Y[i, j]) - sum(terms)) <= bound


def test_gaussian_inputs_have_the_identity_as_covariance_by_default():
    products = outer_products(LinearTask(n=5, d=3).sample(SEED, 20000).X)
    assert standard_errors(products, np.eye(3)) < 5


def test_gaussian_inputs_have_the_given_covariance():
    products = outer_products(LinearTask(n=5, d=3, covariance=COVARIANCE).sample(SEED, 20000).X)
    assert standard_errors(products, COVARIANCE) < 5


def test_query_has_the_covariance_of_the_inputs():
    products = outer_products(LinearTask(n=1, d=3, covariance=COVARIANCE).sample(SEED, 50000).x_query)
    assert standard_errors(products, COVARIANCE) < 5


def test_inputs_have_mean_zero():
    X = LinearTask(n=5, d=3, covariance=COVARIANCE).sample(SEED, 20000).X
    assert standard_errors(np.moveaxis(X, -1, -2).reshape(-1, 3), 0) < 5


def test_uniform_inputs_have_a_third_of_the_squared_half_width_as_variance():
    products = outer_products(LinearTask(n=5, d=3, inputs="uniform", half_width=1.5).sample(SEED, 20000).X)
    assert standard_errors(products, 1.5**2 / 3 * np.eye(3)) < 5


def test_uniform_inputs_have_kurtosis_nine_fifths():
    X = LinearTask(n=5, d=3, inputs="uniform", half_width=1.0).sample(SEED, 20000).X
    assert standard_errors(X.reshape(-1) ** 4, 9 / 5 / 3**2) < 5


def test_uniform_inputs_stay_within_the_half_width():
    drawn = LinearTask(n=5, d=3, inputs="uniform", half_width=0.25).sample(SEED, 1000)
    assert max(np.abs(drawn.X).max(), np.abs(drawn.x_query).max()) <= 0.25


def test_half_width_is_a_half_by_default():
    assert LinearTask(n=2, d=2, inputs="uniform").half_width == 0.5


def test_rows_of_the_teacher_have_the_identity_as_covariance_by_default():
    rows = LinearTask(n=1, d=3, m=2).sample(SEED, 50000).W_star.reshape(-1, 3)
    assert standard_errors(rows[:, :, None] * rows[:, None, :], np.eye(3)) < 5


def test_rows_of_the_teacher_have_the_given_prior():
    rows = LinearTask(n=1, d=3, m=2, prior=COVARIANCE).sample(SEED, 50000).W_star.reshape(-1, 3)
    assert standard_errors(rows[:, :, None] * rows[:, None, :], COVARIANCE) < 5


def test_rows_of_the_teacher_are_independent():
    W_star = LinearTask(n=1, d=3, m=2, prior=COVARIANCE).sample(SEED, 50000).W_star
    assert standard_errors(W_star[:, 0, :, None] * W_star[:, 1, None, :], 0) < 5


def test_noise_on_labels_has_the_given_standard_deviation():
    task = LinearTask(n=5, d=3, m=2, noise=0.75)
    noise = (task.sample(SEED, 20000).Y - replace(task, noise=0.0).sample(SEED, 20000).Y).reshape(-1)
    assert standard_errors(noise**2, 0.75**2) < 5


def test_target_of_the_query_has_no_noise():
    noisy, clean = (LinearTask(n=5, d=3, noise=noise).sample(SEED) for noise in (0.75, 0.0))
    assert np.array_equal(noisy.y_query, clean.y_query)


def test_context_shorter_than_the_features_has_the_rank_of_its_length():
    assert np.linalg.matrix_rank(LinearTask(n=2, d=5).sample(SEED).X) == 2


def test_inputs_lie_in_the_range_of_a_singular_covariance():
    X = LinearTask(n=50, d=2, covariance=[[1, 0], [0, 0]]).sample(SEED).X
    assert np.array_equal(X[1], np.zeros(50))


def test_covariance_that_rounding_made_indefinite_is_accepted():
    A = np.random.default_rng(SEED).standard_normal((6, 2))
    covariance = A @ A.T
    assert np.linalg.eigvalsh(covariance)[0] < 0
    LinearTask(n=2, d=6, covariance=(covariance + covariance.T) / 2).sample(SEED)


# Randomness.


def test_same_seed_gives_the_same_tasks():
    task = LinearTask(n=4, d=3, m=2, covariance=COVARIANCE, prior=COVARIANCE, noise=0.5)
    pairs = zip(arrays_of(task.sample(7, 3)), arrays_of(task.sample(7, 3)), strict=True)
    assert all(np.array_equal(first, second) for first, second in pairs)


def test_a_seed_is_a_fresh_generator():
    task = LinearTask(n=4, d=3)
    assert np.array_equal(task.sample(7).X, task.sample(np.random.default_rng(7)).X)


def test_a_generator_is_advanced():
    task, rng = LinearTask(n=4, d=3), np.random.default_rng(7)
    assert not np.array_equal(task.sample(rng).X, task.sample(rng).X)


def test_different_seeds_give_different_tasks():
    task = LinearTask(n=4, d=3)
    assert not np.array_equal(task.sample(7).X, task.sample(8).X)


def test_integers_of_numpy_are_seeds():
    assert generator(np.int64(7)).random() == generator(7).random()


@pytest.mark.parametrize("rng", [None, "7", 7.0, True])
def test_what_is_neither_generator_nor_seed_is_refused(rng):
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator or an int"):
        generator(rng)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"rng = -1: a seed must be at least 0"):
        generator(-1)


# The presets, against the closed forms of their papers.


def one_step_optimum(task, variance, kurtosis):
    """The best step size and its loss for independent symmetric coordinates: von Oswald et al. (2023)."""
    n, d = task.n, task.d
    eta = n / (variance * (n + d - 2 + kurtosis))
    return eta, variance * d * (d - 2 + kurtosis) / (2 * (n + d - 2 + kurtosis))


@pytest.mark.parametrize(
    ("task", "half_width", "printed"),
    [(VON_OSWALD, Fraction(1, 2), 0.2062), (VON_OSWALD_WIDE, Fraction(1), 0.8249)],
    ids=["narrow", "wide"],
)
def test_one_step_loss_of_von_oswald_is_the_closed_form(task, half_width, printed):
    eta, loss = one_step_optimum(task, half_width**2 / 3, Fraction(9, 5))
    assert round(float(loss), 4) == printed
    errors = half_squared_errors(task, 50000, lambda drawn: float(eta) / task.n * drawn.Y @ drawn.X.mT)
    assert standard_errors(errors, float(loss)) < 5


@pytest.mark.parametrize("task", [AHN, AHN_ANISOTROPIC], ids=["isotropic", "anisotropic"])
def test_one_step_loss_of_ahn_is_the_closed_form(task):
    eta, loss = one_step_optimum(task, Fraction(1), 3)
    assert (eta, 2 * loss) == (Fraction(10, 13), Fraction(15, 13))
    precision = np.eye(5) if task.covariance is None else np.linalg.inv(task.covariance)
    errors = half_squared_errors(task, 50000, lambda drawn: float(eta) / task.n * drawn.Y @ drawn.X.mT @ precision)
    assert standard_errors(errors, float(loss)) < 5


def test_prior_of_anisotropic_ahn_is_the_inverse_covariance():
    assert np.array_equal(np.array(AHN_ANISOTROPIC.covariance) @ np.array(AHN_ANISOTROPIC.prior), np.eye(5))


def test_fu_has_forty_examples_of_twenty_features():
    assert (FU.n, FU.d, FU.covariance) == (40, 20, None)


def test_ill_conditioned_fu_has_the_eigenvalues_of_the_authors_code():
    eigenvalues = np.diag(FU_ILL_CONDITIONED.covariance)
    assert [f"{value:.7g}" for value in sorted(set(eigenvalues))] == ["0.01980198", "1.980198"]


def test_tasks_with_equal_covariances_are_equal():
    as_array, as_list = (LinearTask(n=2, d=3, covariance=held) for held in (COVARIANCE, COVARIANCE.tolist()))
    assert {as_array} == {as_list}


# Refusals.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, r"n = 0: it must be at least 1"),
        ({"d": 0}, r"d = 0: it must be at least 1"),
        ({"m": -1}, r"m = -1: it must be at least 1"),
        ({"inputs": "normal"}, r"inputs = 'normal': it must be 'gaussian' or 'uniform'"),
        ({"inputs": "uniform", "covariance": np.eye(2)}, r"covariance is for inputs = 'gaussian'"),
        ({"half_width": 1.0}, r"half_width is for inputs = 'uniform'"),
        ({"inputs": "uniform", "half_width": 0.0}, r"half_width = 0.0: it must be finite and above 0"),
        ({"inputs": "uniform", "half_width": np.inf}, r"half_width = inf: it must be finite and above 0"),
        ({"noise": -0.5}, r"noise = -0.5: a standard deviation must be finite and at least 0"),
        ({"noise": np.nan}, r"noise = nan: a standard deviation must be finite and at least 0"),
        ({"covariance": np.eye(3)}, r"covariance must have shape \(2, 2\) for d = 2, but \(3, 3\) came"),
        ({"prior": np.eye(3)}, r"prior must have shape \(2, 2\) for d = 2, but \(3, 3\) came"),
        ({"covariance": [[1, 0], [0]]}, r"covariance must be a \(2, 2\) matrix of numbers"),
        ({"prior": "identity"}, r"prior must be a \(2, 2\) matrix of numbers"),
        ({"covariance": [[1, 0], [0, np.nan]]}, r"covariance must be finite"),
        ({"covariance": [[1, 0.5], [0, 1]]}, r"covariance must be symmetric"),
        ({"covariance": [[1, 2], [2, 1]]}, r"positive semidefinite, but its smallest eigenvalue is -1"),
        ({"prior": [[-1, 0], [0, 1]]}, r"prior must be positive semidefinite"),
    ],
)
def test_a_value_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearTask(**{"n": 2, "d": 2, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 2.0}, r"n must be an int, but 2.0 came"),
        ({"m": True}, r"m must be an int, but True came"),
        ({"dtype": np.int64}, r"dtype int64 is refused"),
        ({"dtype": complex}, r"dtype complex128 is refused"),
    ],
)
def test_a_value_of_another_type_is_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        LinearTask(**{"n": 2, "d": 2, **arguments})


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"batch = \(3, 0\): each dimension must be at least 1"):
        VON_OSWALD.sample(0, batch=(3, 0))

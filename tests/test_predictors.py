"""The contract of a predictor: what it is given, what it may return, and what is said when it breaks it."""

import numpy as np
import pytest

from constructions.gradient_descent import GradientDescent
from constructions.looped import LoopedTransformer
from numerics.predictors import PredictorFailed, algorithm, one_by_one, predictions
from numerics.tasks import LinearTask

TASKS = LinearTask(n=4, d=3, m=2).sample(0, 5)
PROMPTS = (TASKS.X, TASKS.Y, TASKS.x_query)
DESCENT = GradientDescent(step_sizes=[0.5, 0.25])


def raises(X, Y, x_query):
    raise KeyError("weights")


def test_predictor_of_single_prompts_runs_on_every_task():
    single = [DESCENT(TASKS.X[i], TASKS.Y[i], TASKS.x_query[i]) for i in range(5)]
    np.testing.assert_array_equal(predictions(one_by_one(DESCENT), *PROMPTS), np.stack(single))


def test_algorithm_of_a_construction_takes_its_steps():
    W = np.zeros((5, 2, 3))
    for eta in (0.5, 0.25):
        W = W - (W @ TASKS.X - TASKS.Y) @ np.swapaxes(TASKS.X, 1, 2) * (eta / 4)
    np.testing.assert_array_equal(predictions(algorithm(DESCENT), *PROMPTS), W @ TASKS.x_query)


def test_algorithm_without_steps_predicts_its_start_for_every_task():
    looped = LoopedTransformer(preconditioner=np.eye(3), loops=0)
    np.testing.assert_array_equal(predictions(algorithm(looped), *PROMPTS), np.zeros((5, 2, 1)))


def test_predictor_cannot_change_the_tasks():
    def clears(X, Y, x_query):
        X[:] = Y[:] = x_query[:] = 0
        return Y[..., :1]

    before = [array.copy() for array in PROMPTS]
    predictions(clears, *PROMPTS)
    for array, copy in zip(PROMPTS, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("result", "advice"),
    [
        (np.zeros((5, 2)), "add the missing axes"),
        (np.zeros((2, 1)), "seems to take a single prompt: wrap it in one_by_one"),
        (np.zeros((5, 2, 4)), "the prediction for the query alone"),
        (np.zeros((5, 1, 2)), "the prediction for the query alone"),
        (np.zeros((4, 2, 1)), "for each task of the batch"),
    ],
)
def test_wrong_shape_is_refused_with_the_right_one(result, advice):
    with pytest.raises(
        ValueError, match=rf"returned shape .* \(tasks, targets, 1\) = \(5, 2, 1\) is required: .*{advice}"
    ):
        predictions(lambda X, Y, x: result, *PROMPTS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused_with_the_task(value):
    result = np.zeros((5, 2, 1))
    result[3, 1] = value
    with pytest.raises(ValueError, match="NaN or infinity for 1 of 5 tasks, the first of them task 3"):
        predictions(lambda X, Y, x: result, *PROMPTS)


@pytest.mark.parametrize("result", [None, 1.0, [[[0.0]]], "yes"])
def test_what_is_no_array_is_refused(result):
    with pytest.raises(TypeError, match="an array of numpy, the library of X, is required: convert it"):
        predictions(lambda X, Y, x: result, *PROMPTS)


@pytest.mark.parametrize("dtype", [int, complex, bool])
def test_what_holds_no_floats_is_refused(dtype):
    with pytest.raises(TypeError, match=f"returned dtype {np.dtype(dtype)}, but real floats are required"):
        predictions(lambda X, Y, x: np.zeros((5, 2, 1), dtype), *PROMPTS)


def test_exception_of_the_predictor_is_told_with_what_it_was_given():
    with pytest.raises(PredictorFailed, match=r"mine raised KeyError: 'weights'; .*X \(5, 3, 4\).*float64") as caught:
        predictions(raises, *PROMPTS, name="mine")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_predictor_may_return_the_same_buffer_from_call_to_call():
    buffer, step = np.empty((5, 1, 1)), GradientDescent(step_sizes=[6])

    def predict(X, Y, x_query):
        buffer[...] = step(X, Y, x_query)
        return buffer

    tasks = LinearTask(n=4, d=2).sample(0, 5)
    first = predictions(predict, tasks.X, tasks.Y, tasks.x_query)
    predictions(predict, tasks.X, 2 * tasks.Y, tasks.x_query)
    assert np.array_equal(first, step(tasks.X, tasks.Y, tasks.x_query))


@pytest.mark.torch
def test_model_of_pytorch_is_a_predictor():
    import torch

    def model(X, Y, x_query):
        X, Y, x_query = map(torch.from_numpy, (X, Y, x_query))
        return (Y @ X.mT @ x_query / X.shape[-1]).numpy()

    ours = predictions(GradientDescent(step_sizes=[1]), *PROMPTS)
    np.testing.assert_allclose(predictions(model, *PROMPTS), ours, rtol=1e-13)


@pytest.mark.torch
def test_tensor_is_refused_with_how_to_convert_it():
    import torch

    with pytest.raises(TypeError, match=r"returned a torch.Tensor, .* with .detach\(\).cpu\(\).numpy\(\) from PyTorch"):
        predictions(lambda X, Y, x: torch.zeros(5, 2, 1), *PROMPTS)


def test_predictors_stay_in_the_library_of_the_tasks(xp):
    moved = [xp.asarray(array) for array in PROMPTS]
    for predict in (DESCENT, algorithm(DESCENT), one_by_one(DESCENT)):
        found = predictions(predict, *moved)
        assert type(found) is type(moved[0])
        assert bool(xp.all(xp.abs(found - xp.asarray(DESCENT(*PROMPTS))) < 1e-12))


def test_value_that_is_not_finite_is_found_in_every_array_library(xp):
    moved = [xp.asarray(array) for array in PROMPTS]
    with pytest.raises(ValueError, match="NaN or infinity for 5 of 5 tasks"):
        predictions(lambda X, Y, x: Y[..., :1] * xp.nan, *moved)

"""Runs that leave the range of floats: an error, never infinity or NaN."""

import numpy as np
import pytest

from constructions.functional_descent import FunctionalDescent
from constructions.gradient_descent import GradientDescent
from constructions.kernels import SOFTMAX, exponential, rbf

LARGE = np.array([[1e3, -2e3]]), np.ones((1, 2)), np.array([[1e3]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("kernel", "size"), [(exponential(), 1), (rbf(), 1e200)], ids=["exponential", "rbf"])
def test_a_kernel_that_overflows_is_an_error(kernel, size):
    X, Y, x_query = LARGE
    with pytest.raises(OverflowError, match="the run leaves the range of float64: scale the inputs"):
        FunctionalDescent(step_sizes=[0.5], kernel=kernel)(X * size, Y, x_query * size)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_descent_that_diverges_out_of_range_is_an_error():
    with pytest.raises(OverflowError, match="the run leaves the range of float64"):
        GradientDescent(step_sizes=[1e9] * 40)(*LARGE)


def test_large_scores_of_a_softmax_do_no_harm():
    np.testing.assert_array_equal(FunctionalDescent(step_sizes=[0.5], kernel=SOFTMAX)(*LARGE), [[0.5]])

"""Moments of Gram matrices of uniform coordinates, against closed forms and enumeration."""

from fractions import Fraction
from itertools import product
from math import perm

import numpy as np
import pytest

from numerics.gram_moments import LARGEST_WALK, even_walks, input_variance, spectral_moments, uniform_trace_moments
from numerics.tasks import LinearTask
from numerics.wishart import wishart_trace_moments
from proofs.coordinate_moments import d, expected_gram_trace, kap, n, s2


def test_uniform_moments_up_to_the_second_are_the_closed_forms():
    closed = [
        expected_gram_trace(k).subs({n: 7, d: 3, s2: Fraction(4, 3), kap: Fraction(9, 5)}, simultaneous=True)
        for k in (1, 2)
    ]
    assert list(uniform_trace_moments(7, 3, 2, 2)[1:]) == closed


def test_walks_with_the_multiplicities_of_a_gaussian_are_wishart_moments():
    """E x^m = (m - 1)!! instead of 1 / (m + 1)."""

    def gaussian(multiplicities):
        return np.prod([np.prod(range(1, m, 2)) for m in multiplicities])

    for power in range(1, 6):
        walks = even_walks(power).items()
        total = sum(c * perm(3, f) * perm(4, s) * int(gaussian(m)) for (f, s, m), c in walks)
        assert total == wishart_trace_moments(4, 3, 5)[power]


def test_moments_of_one_sample_are_those_of_a_sum_of_squares():
    """n = 1: X X^T has the one eigenvalue x_1^2 + x_2^2, with E x^(2 k) = 1 / (2 k + 1)."""
    for k, moment in enumerate(uniform_trace_moments(1, 2, LARGEST_WALK, 1)[1:], start=1):
        squares = [Fraction(1, 2 * j + 1) for j in range(k + 1)]
        binomial = [1]
        for j in range(k):
            binomial.append(binomial[-1] * (k - j) // (j + 1))
        assert moment == sum(binomial[j] * squares[j] * squares[k - j] for j in range(k + 1))


def test_moments_of_signs_by_enumeration_have_the_walks_that_they_should():
    """With entries +-1 every even walk weighs 1: both sides count it."""
    matrices = [np.array(signs).reshape(2, 3) for signs in product((1, -1), repeat=6)]
    enumerated = Fraction(sum(int(np.trace(np.linalg.matrix_power(X @ X.T, 4))) for X in matrices), len(matrices))
    assert enumerated == sum(count * perm(2, f) * perm(3, s) for (f, s, _), count in even_walks(4).items())


def test_moments_of_a_task_are_divided_by_powers_of_n():
    assert spectral_moments(LinearTask(n=20, d=5), 2) == (5, 5, Fraction(13, 2))
    uniform = LinearTask(n=10, d=10, inputs="uniform")
    assert spectral_moments(uniform, 2) == (10, Fraction(5, 6), Fraction(55, 400))
    assert (input_variance(uniform), input_variance(LinearTask(n=1, d=1))) == (Fraction(1, 12), 1)


def test_inputs_with_a_covariance_are_refused():
    with pytest.raises(ValueError, match="the inputs have a covariance"):
        spectral_moments(LinearTask(n=2, d=1, covariance=[[2]]), 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1, 1), "n = 0: at least 1"),
        ((1, 0, 1, 1), "d = 0: at least 1"),
        ((1, 1, 9, 1), r"largest = 9: powers 0\.\.8"),
        ((1, 1, -1, 1), "largest = -1"),
        ((1, 1, 1, 0), "half_width = 0: it must be above 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        uniform_trace_moments(*arguments)

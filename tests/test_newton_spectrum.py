"""The spectrum of Newton's iteration and its stalling, in plain numbers, by another route than the proofs."""

from fractions import Fraction
from itertools import product
from math import isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import forward
from constructions.newton_as_printed import ConvergesAtTwiceTheInverseFrobeniusNorm, ConvergesAtTwiceTheInverseNorm
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_spectrum import NewtonSpectrum, StalledNewton
from constructions.prompt import Prompt
from numerics.check import NotAnInstance, check
from numerics.rationals import as_fraction
from proofs import prove
from proofs.counterexamples import smallest_counterexample


def prediction(network, prompt):
    return [as_fraction(value) for value in forward(network, prompt).entry[:, 0]]


def as_lists(array):
    return [[Fraction(int(value)) for value in row] for row in array]


columns = st.integers(1, 4).flatmap(lambda size: st.lists(st.integers(-3, 3), min_size=size, max_size=size))


@given(columns.filter(any), columns.filter(any), st.integers(1, 4), st.data())
def test_rank_one_in_the_frobenius_norm_predicts_zero(v, w, steps, data):
    """X = v w^T with any v and w, alpha = 2 / |S S^T|_F written out entry by entry."""
    X = np.outer(v, w)
    S = X @ X.T
    norm = isqrt(int(((S @ S.T) ** 2).sum()))
    assert norm**2 == ((S @ S.T) ** 2).sum()
    Y = data.draw(st.lists(st.integers(-3, 3), min_size=len(w), max_size=len(w)))
    x = data.draw(st.lists(st.integers(-3, 3), min_size=len(v), max_size=len(v)))
    prompt = Prompt(as_lists(X), as_lists([Y]), [[Fraction(value)] for value in x])
    assert prediction(NewtonFromGramMasked(alpha=Fraction(2, norm), steps=steps), prompt) == [0]


def top_eigenvector_prompt():
    """By hand: X = [[1, 2], [1, -2]], S = [[5, -3], [-3, 5]], S (1, -1) = 8 (1, -1), W* = (1, 4), Y = W* X."""
    X, Y, v = [[1, 2], [1, -2]], [[5, -6]], [[1], [-1]]
    return Prompt(as_lists(X), as_lists(Y), as_lists(v)), 8, 1 - 4


@pytest.mark.parametrize("steps", range(6))
def test_prediction_stalls_on_a_top_eigenvector(steps):
    """alpha lam Y X^T v = 2 W* v at first, and 0 from the first step on."""
    prompt, lam, least_squares = top_eigenvector_prompt()
    assert least_squares != 0
    stalled = prediction(NewtonFromGramMasked(alpha=Fraction(2, lam**2), steps=steps), prompt)
    assert stalled == [0 if steps else 2 * least_squares]


@pytest.mark.parametrize("share", [Fraction(1, 100), Fraction(3, 4), Fraction(199, 100), Fraction(201, 100)])
def test_error_along_an_eigenvector_is_the_square_of_the_one_before(share):
    """By hand: the error after k steps is (1 - alpha lam^2)^(2^k) W* v, which vanishes for shares below 2 alone."""
    prompt, lam, least_squares = top_eigenvector_prompt()
    errors = [
        least_squares - prediction(NewtonFromGramMasked(alpha=share / lam**2, steps=k), prompt)[0] for k in range(6)
    ]
    assert errors == [least_squares * (1 - share) ** 2**k for k in range(6)]


def test_query_that_is_no_eigenvector_is_no_instance():
    prompt, lam, _ = top_eigenvector_prompt()
    other = Prompt(prompt.X, prompt.Y, [[Fraction(1)], [Fraction(2)]])
    with pytest.raises(NotAnInstance, match=r"\(X X\^T\)\^2 x_query = \(2 / alpha\) x_query"):
        check(StalledNewton(alpha=Fraction(2, lam**2), steps=1), other)


def test_stalled_network_runs_one_more_step_than_it_counts():
    prompt, lam, _ = top_eigenvector_prompt()
    network = StalledNewton(alpha=Fraction(1, lam**2), steps=2)
    assert prediction(network, prompt) == prediction(NewtonFromGramMasked(alpha=Fraction(1, lam**2), steps=3), prompt)


@pytest.mark.parametrize("network", [ConvergesAtTwiceTheInverseNorm, ConvergesAtTwiceTheInverseFrobeniusNorm])
def test_limit_as_printed_is_refuted_by_one_example(network):
    """X = 1: S = 1, alpha = 2 / 1, M_1 = 2 * 2 - 2 * 1 * 2 = 0, and least squares is y x = 1."""
    example = smallest_counterexample(network(alpha=1, steps=1))
    assert [example.entries[name] for name in ("X", "Y", "x_query", "alpha")] == [[[1]], [[1]], [[1]], 2]
    assert (example.predicted, example.claimed) == ([[0]], [[1]])
    assert not prove(network(alpha=1, steps=1)).holds


def test_no_smaller_data_refute_the_limit_as_printed():
    """Every X, y, x, W*, alpha of a smaller sum that satisfy the hypotheses: the prediction is least squares."""
    for X, y, x, w in product(range(-3, 4), repeat=4):
        for alpha in range(1, 6):
            is_instance = X**4 * x * alpha == 2 * x and y * X == w * X**2
            if is_instance and abs(X) + abs(y) + abs(x) + abs(w) + alpha < 6:
                M = alpha * X**2
                M = 2 * M - M * X**2 * M
                assert y * X * M * x == w * x


def test_proof_of_the_spectrum_needs_the_eigenvector():
    """Without that hypothesis M x_query = mu x_query is not provable: the rules are used."""

    class WithoutTheEigenvector(NewtonSpectrum):
        def hypotheses(self, prompt):
            return super().hypotheses(prompt)[:1]

    assert not prove(WithoutTheEigenvector(alpha=1, steps=1)).holds

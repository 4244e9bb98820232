"""The closed form of the best single step, against reference values, enumeration and sampling."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy

from constructions.gradient_descent import GradientDescent
from numerics.tasks import LinearTask
from proofs.coordinate_moments import d, expected_gram_trace, expected_sum, kap, moment, n, partitions, s2
from proofs.enumerated_loss import FiniteInputs, enumerated_loss
from proofs.one_step_optimum import (
    AUTHORS_CODE,
    CONVENTIONS,
    GAUSSIAN,
    PAPER_TEXT,
    expected_loss,
    optimal_loss,
    optimal_step_size,
)


@pytest.mark.parametrize(
    ("name", "step", "loss"),
    [
        ("authors' code", 6.0606, 0.20623),
        ("paper's inputs, code's loss", 1.5152, 0.82492),
        ("paper's text", 1.5152, 1.64983),
    ],
)
def test_presets_give_the_reference_values(name, step, loss):
    assert float(optimal_step_size(10, 10, CONVENTIONS[name])) == pytest.approx(step, abs=5e-5)
    assert float(optimal_loss(10, 10, CONVENTIONS[name])) == pytest.approx(loss, abs=5e-6)


@pytest.mark.parametrize(("size", "loss"), [(2, 0.0395), (5, 0.1020), (10, 0.2062), (20, 0.4146)])
def test_losses_of_the_figure_with_as_many_tokens_as_features(size, loss):
    assert float(optimal_loss(size, size, AUTHORS_CODE)) == pytest.approx(loss, abs=5e-5)


def test_gaussian_inputs_give_the_one_layer_optimum_of_ahn():
    """f* = d (d + 1) / (n + d + 1) at step n / (n + d + 1)."""
    assert optimal_step_size(20, 5, GAUSSIAN) == sympy.Rational(20, 26)
    assert optimal_loss(20, 5, GAUSSIAN) == sympy.Rational(15, 13)


def test_the_papers_inputs_are_not_the_codes():
    assert optimal_loss(10, 10, PAPER_TEXT) != optimal_loss(10, 10, AUTHORS_CODE)


def brute_force_trace(power, tokens, features, law):
    total = Fraction(0)
    for values in product(law, repeat=tokens * features):
        X = np.array([value for value, _ in values], dtype=object).reshape(features, tokens)
        probability = Fraction(1)
        for _, weight in values:
            probability *= weight
        gram = X @ X.T
        total += probability * np.trace(gram if power == 1 else gram @ gram)
    return total


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("tokens", "features"), [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)])
def test_gram_moments_equal_exact_enumeration(power, tokens, features):
    law = [(Fraction(2), Fraction(1, 6)), (Fraction(-2), Fraction(1, 6)), (Fraction(0), Fraction(2, 3))]
    values = {n: tokens, d: features, s2: sympy.Rational(4, 3), kap: 3}
    claimed = expected_gram_trace(power).subs(values)
    assert Fraction(int(claimed.p), int(claimed.q)) == brute_force_trace(power, tokens, features, law)


def test_gram_moments_in_closed_form():
    assert sympy.expand(expected_gram_trace(1) - n * d * s2) == 0
    assert sympy.expand(expected_gram_trace(2) - n * d * s2**2 * (n + d - 2 + kap)) == 0


def test_odd_products_have_no_expectation():
    assert expected_sum([("i", "a"), ("j", "b"), ("j", "a")]) == 0


def test_sixth_moments_are_refused():
    with pytest.raises(ValueError, match="not determined by the variance and the kurtosis"):
        moment(6)


def test_partitions_are_counted_by_the_bell_numbers():
    assert [sum(1 for _ in partitions("abcd"[:size])) for size in range(5)] == [1, 1, 2, 5, 15]


def test_enumerated_loss_is_the_quadratic_of_the_closed_form():
    inputs = FiniteInputs(Fraction(3), Fraction(2, 3))
    for step in (Fraction(1, 7), Fraction(2)):
        s, k = sympy.Rational(6), sympy.Rational(3, 2)
        claimed = expected_loss(step, 2, 1).subs({s2: s, kap: k})
        assert enumerated_loss(inputs, 2, 1, step) == Fraction(int(claimed.p), int(claimed.q))


def test_sampled_loss_agrees_within_its_standard_error():
    step = float(optimal_step_size(10, 10, AUTHORS_CODE))
    sampled = LinearTask(n=10, d=10, inputs="uniform", half_width=0.5).sample(0, batch=40000)
    errors = GradientDescent(step_sizes=[step])(sampled.X, sampled.Y, sampled.x_query) - sampled.y_query
    losses = errors[:, 0, 0] ** 2 / 2
    standard_error = losses.std() / np.sqrt(len(losses))
    assert abs(losses.mean() - float(optimal_loss(10, 10, AUTHORS_CODE))) < 4 * standard_error
    assert standard_error < 0.003

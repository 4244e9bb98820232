"""The theorems about the best step sizes: mutants of their formulas fail, limits, and what much noise does."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy
from flint import arb
from scipy.optimize import minimize

from numerics import optimal_steps as numeric
from numerics.optimal_steps import (
    largest_noise_of_two_real_steps,
    optimal_loss,
    optimal_polynomial,
    optimal_step_sizes,
    steps_loss,
)
from numerics.proportional_steps import first_order_loss, limiting_loss, limiting_step_sizes
from numerics.wishart import wishart_trace_moments
from proofs import laguerre_steps, noisy_steps, optimal_steps, proportional_steps
from proofs.evidence import Settings
from proofs.index_sums import d, n
from proofs.regression_law import RegressionLaw, integrated_loss
from proofs.step_runs import network
from proofs.wishart_hankel import determinant, optimum

ORTHOGONAL = optimal_steps.theorems()[1]
RIDGE, LEVEL = noisy_steps.theorems()
(LIMIT,) = proportional_steps.theorems()
(LAGUERRE,) = laguerre_steps.theorems()


def without(term):
    """Wishart moments whose second one lacks a term."""

    def moments(tokens, features, largest):
        held = list(wishart_trace_moments(tokens, features, largest))
        if largest >= 2:
            held[2] -= term(tokens, features)
        return tuple(held)

    return moments


MUTANTS = {
    "n + d for n + d + 1": without(lambda tokens, features: tokens * features),
    "without the trace": without(lambda tokens, features: tokens * features**2),
    "a token more": lambda tokens, features, largest: wishart_trace_moments(tokens + 1, features, largest),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_of_the_moments_misses_the_integrated_loss(monkeypatch, mutant):
    steps, law = [Fraction(1, 2), Fraction(1, 3)], RegressionLaw.isotropic(2, 2)
    integrated = integrated_loss(network(steps, law), law)
    assert steps_loss(steps, 2, 2) == integrated
    monkeypatch.setattr(numeric, "wishart_trace_moments", MUTANTS[mutant])
    assert steps_loss(steps, 2, 2) != integrated


@pytest.mark.parametrize("theorem", [RIDGE, LAGUERRE], ids=lambda theorem: theorem.name)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_of_the_moments_fails_the_exact_evidence(monkeypatch, theorem, mutant):
    monkeypatch.setattr(numeric, "wishart_trace_moments", MUTANTS[mutant])
    assert theorem.evidence("exact", Settings(instances=4)).outcome == "fails"


@pytest.mark.parametrize("kind", ["exact", "float"])
def test_moments_of_a_token_more_fail_the_evidence(monkeypatch, kind):
    monkeypatch.setattr(numeric, "wishart_trace_moments", MUTANTS["a token more"])
    assert ORTHOGONAL.evidence(kind, Settings(instances=4)).outcome == "fails"


def test_a_mutant_of_the_noise_fails_the_exact_evidence(monkeypatch):
    monkeypatch.setattr(numeric, "_variance", lambda noise: 2 * numeric.as_fmpq(noise))
    assert RIDGE.evidence("exact", Settings(instances=2)).outcome == "fails"
    assert LEVEL.evidence("exact", Settings(instances=2)).outcome == "fails"


def test_a_mutant_of_the_limit_fails_the_exact_evidence(monkeypatch):
    monkeypatch.setattr(proportional_steps, "first_order_loss", lambda gamma, L: first_order_loss(gamma, L) * 2)
    assert LIMIT.evidence("exact", Settings(instances=2)).outcome == "fails"


@pytest.mark.parametrize(("tokens", "features", "depth"), [(1, 1, 1), (2, 5, 2), (20, 5, 3), (7, 7, 4)])
def test_symbolic_optimum_is_the_numeric_one(tokens, features, depth):
    best, at = optimum(depth), {n: tokens, d: features}
    inner = best.inner.subs(at)
    values = [value.subs(at) / inner for value in (best.bordered, *best.numerators)]
    expected = optimal_polynomial(tokens, features, depth)
    assert [Fraction(int(v.p), int(v.q)) for v in values] == [expected.loss, *expected.coefficients[1:]]


def test_determinant_has_the_sign_of_the_order_of_its_rows():
    rows = [[n, 1, 2], [0, d, 1], [3, 0, n]]
    assert sympy.expand(determinant(rows, (n, d)) - sympy.Matrix(rows).det()) == 0
    assert determinant(rows[::-1], (n, d)) == -determinant(rows, (n, d))


def test_ridge_regression_is_the_limit_of_many_layers():
    """The Bayes risk for d = 1, n = 2: sigma2 E 1 / (lam + sigma2), lam exponential of mean 2, is -x e^x Ei(-x) / 1."""
    half = sympy.Rational(1, 2)
    risk = Fraction(str(sympy.N(-half * sympy.exp(half) * sympy.Ei(-half), 30)))
    losses = [optimal_loss(2, 1, depth, 1) for depth in (1, 4, 16, 64)]
    assert all(risk < after < before for before, after in pairwise(losses))
    assert losses[-1] - risk < Fraction(1, 10**4)


def test_best_two_real_steps_beyond_the_noise_level_are_equal():
    noise = 2 * round(float(largest_noise_of_two_real_steps(20, 5)))

    def loss(a):
        return float(steps_loss([float(value) for value in a], 20, 5, noise))

    ends = [minimize(loss, start, method="Nelder-Mead", tol=1e-14) for start in ([0.1, 0.9], [0.7, 0.2], [0.0, 0.4])]
    equal = minimize(lambda a: loss([a[0], a[0]]), [0.4], method="Nelder-Mead", tol=1e-14)
    for end in ends:
        np.testing.assert_allclose(end.x, equal.x[0], rtol=1e-3)
        assert end.fun == pytest.approx(equal.fun, rel=1e-9)
    assert equal.fun > optimal_loss(20, 5, 2, noise)


def test_reference_values_of_the_limit():
    nodes = [1 / a for a in limiting_step_sizes(Fraction(1, 4), 3)]
    for node, expected in zip(nodes, (1.25 - arb(2).sqrt() / 2, arb(1.25), 1.25 + arb(2).sqrt() / 2), strict=True):
        assert node.overlaps(expected)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_limiting_loss_of_as_many_features_as_tokens(depth):
    assert limiting_loss(1, depth) == Fraction(1, depth + 1)


def test_steps_approach_their_limit_like_one_over_n():
    limits = limiting_step_sizes(Fraction(1, 4), 3)
    gaps = [
        [abs(float(a - limit)) for a, limit in zip(optimal_step_sizes(4 * k, k, 3), limits, strict=True)]
        for k in (1000, 10_000, 100_000)
    ]
    for closer, nearest in pairwise(gaps):
        assert all(9 < far / near < 11 for far, near in zip(closer, nearest, strict=True))


def test_a_false_inequality_has_coefficients_of_both_signs():
    best = optimum(2)
    error = best.bordered / best.inner - d**3 / (n**2 + n * d + d**2)
    assert proportional_steps._not_positive(error) == 0
    assert proportional_steps._not_positive(error - 3 * n**2 * d**2 / (n**2 + n * d + d**2) ** 2) > 0


@pytest.mark.parametrize("function", [limiting_step_sizes, limiting_loss, first_order_loss])
def test_ratios_and_depths_out_of_range_are_refused(function):
    for gamma in (0, -1):
        with pytest.raises(ValueError, match=f"gamma = {gamma}: the ratio d / n of features to tokens must be above 0"):
            function(gamma, 1)
    with pytest.raises(ValueError, match="L = 0: at least 1 is required"):
        function(1, 0)

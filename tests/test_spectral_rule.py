"""Quadrature rules from exact moments: degrees of exactness, and measures with known recurrences."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from numerics.gram_moments import spectral_moments
from numerics.spectral_rule import recurrence, spectral_rule
from numerics.tasks import LinearTask


def test_recurrence_of_the_exponential_law_is_laguerres():
    alpha, beta = recurrence([Fraction(factorial(k)) for k in range(12)])
    assert alpha == [2 * k + 1 for k in range(6)]
    assert beta == [1, *(k**2 for k in range(1, 6))]


@pytest.mark.parametrize(("n", "d", "nodes"), [(20, 5, 1), (20, 5, 13), (2, 3, 4), (20, 5, 40)])
def test_rule_integrates_every_power_that_it_should(n, d, nodes):
    moments = spectral_moments(LinearTask(n=n, d=d), 2 * nodes)
    rule = spectral_rule(moments)
    for power, moment in enumerate(moments):
        assert rule.mean(rule.nodes**power) == pytest.approx(float(moment), rel=1e-13)


def test_rule_does_not_integrate_the_next_power():
    moments = spectral_moments(LinearTask(n=20, d=5), 7)
    rule = spectral_rule(moments[:-1])
    assert rule.mean(rule.nodes**7) < float(moments[7]) * (1 - 1e-4)


def test_nodes_and_the_weight_at_0_are_the_optimal_steps_and_their_loss():
    """n = 20, d = 5, L = 3: the reference values of the best steps of gradient descent."""
    rule = spectral_rule(spectral_moments(LinearTask(n=20, d=5), 6))
    np.testing.assert_allclose(1 / rule.nodes[1:], [1.714217379531, 0.689126087405, 0.422408533929], rtol=2e-12)
    assert rule.weights[0] == pytest.approx(12138645 / 90852389, rel=1e-12)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_an_even_number_of_moments_is_refused(count):
    with pytest.raises(ValueError, match=f"an odd number of moments, but {count} came"):
        spectral_rule([Fraction(1)] * count)


def test_moments_of_too_few_points_are_refused():
    with pytest.raises(ValueError, match="belong to no measure with 2 points or more: beta_1"):
        spectral_rule([Fraction(1)] * 5)

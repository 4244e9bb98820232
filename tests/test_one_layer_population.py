"""The population loss as a number: against the theorem's closed form, enumerated laws, and the best step."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import fmpq

from constructions.block import compare
from constructions.comparison import Verdict
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.one_layer_attention import OneLayerAttention, OneLayerReluAttention
from constructions.parameters import Repeated, parameters
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.self_attention import LinearSelfAttention
from numerics.one_layer_population import ContextLaw, best_network, best_step, law_of, population_loss
from numerics.rationals import RationalBlock, as_fraction
from numerics.reverse import TapeBlock, pulled_back, variable
from numerics.tasks import VON_OSWALD, LinearTask
from proofs.one_layer_loss import Weights, attention, least_loss, loss, optimal_matrix
from proofs.one_step_optimum import Convention, optimal_loss, optimal_step_size
from proofs.regression_law import FIVE_POINTS, TWO_POINTS, RegressionLaw

HALF = Fraction(1, 2)
SKEWED = RegressionLaw.of_roots(2, [[1, 0], [HALF, 2]], [[HALF, 0], [-1, 1]], HALF)
GENERIC = Weights([[HALF, -1]], Fraction(3, 4), [[1, HALF], [-HALF, 2]], [[HALF, 1]])
MATRICES = {"P_yx": [[HALF, -1]], "P_yy": [[Fraction(3, 4)]], "Q_xx": [[1, HALF], [-HALF, 2]], "Q_yx": [[HALF, 1]]}


def rationals(table):
    return RationalBlock.lift([[Fraction(str(value)) for value in row] for row in table])


def as_context_law(law):
    return ContextLaw(law.n, rationals(law.Sigma.tolist()), rationals(law.Omega.tolist()), Fraction(str(law.sigma2)))


def number(block):
    return as_fraction(block.matrix[0, 0])


def self_attention(seed, m=1, d=2, layers=1):
    """Linear self-attention with small rational weights."""
    rng, sizes = np.random.default_rng(seed), {"d": d, "m": m}

    def drawn(declared):
        shape = sizes[declared.rows], sizes[declared.columns]
        return [[Fraction(int(value), 2) for value in row] for row in rng.integers(-3, 4, shape)]

    names = parameters(LinearSelfAttention).items()
    return LinearSelfAttention(**{name: [drawn(p) for _ in range(layers)] for name, p in names})


@pytest.mark.parametrize("law", [SKEWED, RegressionLaw.of_roots(5, [[2, 0], [0, 1]], [[1, 0], [1, 1]])], ids=str)
def test_population_loss_is_the_closed_form_of_the_theorem(law):
    value = number(population_loss(OneLayerAttention(**MATRICES), as_context_law(law)))
    assert value == Fraction(str(loss(GENERIC, law)))
    assert number(population_loss(attention(GENERIC), as_context_law(law))) == value


def test_least_population_loss_is_that_of_the_theorem():
    value, preconditioner = best_step(as_context_law(SKEWED))
    assert number(value) == Fraction(str(least_loss(SKEWED)))
    expected = RationalBlock.lift([[Fraction(str(-entry)) for entry in row] for row in optimal_matrix(SKEWED).tolist()])
    assert compare(preconditioner, expected).verdict is Verdict.EQUAL


def enumerated_loss(network, n, d, inputs, noise, scale=1):
    """E (prediction - w^T x_query)^2 over laws of finitely many points, prompt by prompt through the forward pass."""
    coordinates = (*[inputs] * (d * n), *[FIVE_POINTS] * d, *[noise] * n, *[TWO_POINTS] * d)
    total, weights = Fraction(0), 0
    for point in product(*coordinates):
        values, weight = [value for value, _ in point], int(np.prod([w for _, w in point]))
        X = [values[a * n : (a + 1) * n] for a in range(d)]
        w, eps, x_query = values[d * n :][:d], values[d * n + d :][:n], values[d * n + d + n :]
        y = [[sum(w[a] * X[a][i] for a in range(d)) + scale * eps[i] for i in range(n)]]
        predicted = forward(network, Prompt(X, y, [[x] for x in x_query])).matrix[0, 0]
        total += weight * as_fraction(predicted - fmpq(sum(w[a] * x_query[a] for a in range(d)))) ** 2
        weights += weight
    return total / weights


SIGNS = ((1, 1), (-1, 1))
NO_NOISE = ((0, 1),)


@pytest.mark.parametrize(
    ("n", "d", "inputs", "noise", "excess"),
    [(2, 2, SIGNS, NO_NOISE, -2), (2, 1, SIGNS, FIVE_POINTS, -2), (1, 1, FIVE_POINTS, FIVE_POINTS, 0)],
    ids=["signs", "signs and noise", "gaussian"],
)
def test_population_loss_is_the_enumerated_loss_of_the_forward_pass(n, d, inputs, noise, excess):
    network, one = self_attention(1, d=d), RationalBlock.lift([[1]])
    law = ContextLaw(n, one.identity(d), one.identity(d), 0 if noise is NO_NOISE else Fraction(1, 4), excess)
    assert number(population_loss(network, law)) == enumerated_loss(network, n, d, inputs, noise, HALF)


def test_dropped_cumulant_is_refuted_by_the_enumerated_loss():
    network, one = self_attention(1), RationalBlock.lift([[1]])
    law = ContextLaw(2, one.identity(2), one.identity(2))
    assert number(population_loss(network, law)) != enumerated_loss(network, 2, 2, SIGNS, NO_NOISE)


def isotropic(n, d, variance=1, sigma2=0, excess=0):
    identity = RationalBlock.lift([[1]]).identity(d)
    return ContextLaw(n, identity.scale(variance), identity, sigma2, excess)


@pytest.mark.parametrize("half_width", [HALF, Fraction(1)])
def test_best_step_on_uniform_inputs_is_the_closed_form_of_the_theorem(half_width):
    law = isotropic(10, 10, half_width**2 / 3, excess=Fraction(-2, 15) * half_width**4)
    value, preconditioner = best_step(law)
    convention = Convention.uniform(half_width, Fraction(1))
    assert number(value) == Fraction(str(optimal_loss(10, 10, convention)))
    expected = law.Omega.scale(Fraction(str(optimal_step_size(10, 10, convention))))
    assert compare(preconditioner, expected).verdict is Verdict.EQUAL


@pytest.mark.parametrize(
    "law",
    [isotropic(4, 2, sigma2=HALF), isotropic(3, 2, excess=-2), as_context_law(SKEWED)],
    ids=["noise", "signs", "skewed"],
)
def test_best_network_attains_the_least_loss(law):
    assert number(population_loss(best_network(law), law)) == number(best_step(law)[0])


def test_least_loss_of_the_isotropic_case_of_ahn_is_15_over_13():
    assert number(best_step(isotropic(20, 5))[0]) == Fraction(15, 13)


def test_gradient_of_the_population_loss_vanishes_at_the_best_step():
    law = as_context_law(SKEWED)
    A = variable(best_step(law)[1])
    taped = replace(law, Sigma=TapeBlock.lift(law.Sigma), Omega=TapeBlock.lift(law.Omega))
    [gradient] = pulled_back(population_loss(PreconditionedDescent(preconditioners=[A]), taped), [A])
    assert compare(gradient, gradient.zeros(2, 2)).verdict is Verdict.EQUAL


def test_input_maps_play_no_part_in_the_loss_of_one_layer():
    law = as_context_law(SKEWED)
    A, B = [[1, 2], [0, 1]], [[5, 0], [1, 1]]
    relaxed = RelaxedPreconditionedDescent(preconditioners=[[[-a for a in row] for row in A]], input_maps=[B])
    plain = PreconditionedDescent(preconditioners=[A])
    assert number(population_loss(relaxed, law)) == number(population_loss(plain, law))


@pytest.mark.parametrize(
    "network",
    [
        OneLayerReluAttention(Q_xx=[[1, 0], [0, 1]], P_yy=[[1]]),
        GradientDescent(step_sizes=[1], W_0=[[1, 1]]),
    ],
    ids=["relu", "W_0"],
)
def test_network_that_is_no_linear_head_on_x_y_tokens_is_refused(network):
    with pytest.raises(ValueError, match=r"that of one linear head on tokens \(x; y\)"):
        population_loss(network, as_context_law(SKEWED))


def test_several_layers_are_refused():
    looped = PreconditionedDescent(preconditioners=Repeated([[1, 0], [0, 1]], 2))
    with pytest.raises(ValueError, match="that of one layer, but the network has 2"):
        population_loss(looped, as_context_law(SKEWED))


def test_several_targets_are_refused():
    with pytest.raises(ValueError, match="one target, but the task has m = 2"):
        law_of(LinearTask(n=3, d=2, m=2))


@pytest.mark.parametrize("name", ["covariance", "prior"])
def test_singular_covariance_is_refused(name):
    with pytest.raises(ValueError, match=f"the {name} must be positive definite, but its smallest eigenvalue is 0"):
        law_of(LinearTask(n=3, d=2, **{name: [[1, 0], [0, 0]]}))


@pytest.mark.parametrize(
    "task", [{"noise": 1e200}, *({"inputs": "uniform", "half_width": width} for width in (1e80, 1e-200))]
)
def test_moments_that_leave_the_range_of_floats_are_refused(task):
    with pytest.raises(ValueError, match="the moments of the tasks leave the range of float64"):
        law_of(LinearTask(n=3, d=2, **task))


def test_law_of_a_task_has_its_moments():
    law = law_of(LinearTask(n=4, d=2, covariance=[[2, 1], [1, 3]], prior=[[1, 0.5], [0.5, 2]], noise=0.5))
    assert (law.n, law.sigma2, law.excess) == (4, 0.25, 0)
    assert np.array_equal(law.Sigma.entry, [[2, 1], [1, 3]])
    assert np.array_equal(law.Omega.entry, [[1, 0.5], [0.5, 2]])


def test_law_of_uniform_inputs_has_their_variance_and_fourth_cumulant():
    law = law_of(VON_OSWALD)
    assert np.array_equal(law.Sigma.entry, np.eye(10) * float(Fraction(1, 12)))
    assert law.excess == float(Fraction(-1, 120))
    assert np.array_equal(law.Omega.entry, np.eye(10))

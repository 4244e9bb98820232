"""An MLP and then linear attention: gradient descent on features, written once more over Fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from constructions.block import FeatureMap
from constructions.dense import export
from constructions.kernel_as_printed import KernelSumWithoutStepSize, MLPOnWholeTokens
from constructions.kernel_descent import FeatureDescent, FeatureDescentLimit, MLPDescent
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.check import NotAnInstance, check
from numerics.kernel_steps import is_convergent_step, require_convergent_step
from numerics.rationals import RationalBlock, as_fraction
from numerics.strategies import instances
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.kernel_instances import MONOMIALS, RELU_FEATURES

ONE = [[1]]
MLP_OF_A_FULL_LAYER = MLPDescent(step_sizes=[1], A_1=ONE, A_2=ONE, b_1=ONE, b_2=ONE)


def times(A, B):
    return [[sum((a * b for a, b in zip(row, c, strict=True)), Fraction(0)) for c in zip(*B, strict=True)] for row in A]


def plus(A, B, factor=1):
    return [[a + factor * b for a, b in zip(r, s, strict=True)] for r, s in zip(A, B, strict=True)]


def transposed(A):
    return [list(column) for column in zip(*A, strict=True)]


def by_columns(function, X):
    return transposed([function(column) for column in transposed(X)])


def weights_after(Phi, Y, steps):
    """W after gradient steps on |W Phi - Y|^2 / 2n from W = 0."""
    W = [[Fraction(0)] * len(Phi) for _ in Y]
    for eta in steps:
        W = plus(W, times(plus(times(W, Phi), Y, -1), transposed(Phi)), -eta / len(Phi[0]))
    return W


def predicted(construction, prompt):
    return [[as_fraction(v) for v in row] for row in construction(prompt.X, prompt.Y, prompt.x_query)]


FEATURES = {
    "relu": (RELU_FEATURES, lambda x: [*(max(v, 0) for v in x), *(max(-v, 0) for v in x)]),
    "monomials": (MONOMIALS, lambda x: [Fraction(1), *x, *(v * v for v in x)]),
}


@pytest.mark.parametrize("name", FEATURES)
@given(instances(FeatureDescent(step_sizes=[1])))
def test_layers_take_gradient_steps_on_features(name, instance):
    features, phi = FEATURES[name]
    construction, prompt = replace(instance.construction, features=features), instance.prompt
    W = weights_after(by_columns(phi, prompt.X), prompt.Y, construction.step_sizes)
    assert predicted(construction, prompt) == times(W, by_columns(phi, prompt.x_query))


@pytest.mark.parametrize("activation", ["relu", "square"])
@given(instances(MLP_OF_A_FULL_LAYER))
def test_layers_take_gradient_steps_on_what_an_mlp_computes(activation, instance):
    construction, prompt = replace(instance.construction, activation=activation), instance.prompt

    def phi(x):
        column = [[v] for v in x]
        hidden = plus(times(construction.A_1, column), construction.b_1)
        active = [[max(v, 0) if activation == "relu" else v * v for v in row] for row in hidden]
        return [v for (v,) in plus(plus(column, times(construction.A_2, active)), construction.b_2)]

    W = weights_after(by_columns(phi, prompt.X), prompt.Y, construction.step_sizes)
    assert predicted(construction, prompt) == times(W, by_columns(phi, prompt.x_query))


def test_an_mlp_of_no_effect_leaves_gradient_descent():
    prompt = Prompt([[1, 2], [0, 1]], [[1, 3]], [[1], [1]])
    mlp = MLPDescent(step_sizes=[Fraction(1, 2), 1], A_1=[[1, 1]], A_2=[[0], [0]])
    W = weights_after(prompt.X, prompt.Y, mlp.step_sizes)
    assert predicted(mlp, prompt) == times(W, prompt.x_query)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation = 'gelu': it must be 'relu' or 'square'"):
        replace(MLP_OF_A_FULL_LAYER, activation="gelu")


def test_an_mlp_is_exported_with_its_hidden_width():
    mlp = MLPDescent(step_sizes=[1], A_1=[[1], [2], [3]], A_2=[[1, 2, 3]], b_1=[[1], [1], [1]])
    exported = export(mlp, Prompt([[1, 2]], [[1, 3]], [[1]]))
    assert exported["layer_0.mlp_0.W_1"].tolist() == [[1, 0], [2, 0], [3, 0]]
    assert exported["layer_0.mlp_0.W_2"].tolist() == [[1, 2, 3], [0, 0, 0]]
    assert exported["layer_0.mlp_0.b_1"].tolist() == [[1], [1], [1]]


# The limit.

PROMPT = Prompt([[1, 1], [1, -1]], [[3, -1]], [[2], [1]])
"""Its ReLU features (max(x, 0), max(-x, 0)) have K = [[2, 1], [1, 2]], k = (3, 2): eigenvalues 3 and 1."""


def limit_run(eta, layers):
    return predicted(FeatureDescent(step_sizes=Repeated(eta, layers), features=RELU_FEATURES), PROMPT)[0][0]


def test_steps_in_range_converge_to_the_interpolant():
    """Y K^-1 k = (3, -1) (1/3) [[2, -1], [-1, 2]] (3, 2) = 11/3; 0 < eta < 2 n / 3 = 4/3."""
    K = RationalBlock.lift([[2, 1], [1, 2]])
    for layers in (2, 10, 40):  # eta / n = 1/2 multiplies the two modes by 1/2 and -1/2
        assert Fraction(11, 3) - limit_run(Fraction(1), layers) == Fraction(11, 3) / 2**layers
    require_convergent_step(K, Fraction(1) / 2)


@pytest.mark.parametrize(("eta", "converges"), [(Fraction(132, 100), True), (Fraction(134, 100), False)])
def test_the_range_of_steps_ends_at_two_n_over_the_largest_eigenvalue(eta, converges):
    K = RationalBlock.lift([[2, 1], [1, 2]])
    assert is_convergent_step(K, eta / 2) == converges
    errors = [abs(limit_run(eta, layers) - Fraction(11, 3)) for layers in (100, 200)]
    assert (errors[1] < errors[0]) == converges


def test_features_of_which_the_gram_matrix_is_singular_are_no_instance():
    linear = FeatureDescentLimit(step_sizes=[1], features=FeatureMap("identity", lambda X: X))
    prompt = Prompt([[1, 2]], [[1, 1]], [[1]], (("v", [[1], [2]]), ("lam", [[5]])))
    with pytest.raises(ZeroDivisionError):
        check(linear, prompt)


def test_a_vector_that_is_no_eigenvector_is_no_instance():
    held = FeatureDescentLimit(step_sizes=[1], features=RELU_FEATURES)
    extras = (("v", [[1], [0]]), ("lam", [[2]]))
    with pytest.raises(NotAnInstance, match="violates the hypothesis 'v is an eigenvector of K'"):
        check(held, replace(PROMPT, extras=extras))


# The printed slips.


def test_the_printed_sum_lacks_its_step_size():
    """n = 1: one step of eta = 2 predicts eta y x x_query = 2, where sum_i y_i x_i x is printed: 1."""
    (example,) = catalogue()["kernel_sum_without_step_size_as_printed_is_false"].counterexamples
    assert (example.predicted, example.claimed) == ([[2]], [[1]])
    assert (example.layers, example.sizes) == (1, (1, 1, 1))
    assert isinstance(example.construction, KernelSumWithoutStepSize)


def test_an_mlp_that_reads_the_targets_computes_other_features():
    writes, reads = catalogue()["mlp_on_whole_tokens_as_printed_is_false"].counterexamples
    assert isinstance(reads.construction, MLPOnWholeTokens)
    assert reads.construction.B_2 is None
    assert "B_2" in writes.entries
    assert reads.predicted != reads.claimed


@pytest.mark.parametrize("name", ["mlp_then_attention_is_kernel_gradient_descent"])
def test_the_proof_for_every_map_says_so(name):
    proof = catalogue()[name].proof
    assert "any map phi of a token to p features" in proof.free
    assert {assumption.name for assumption in proof.assumptions} == {"W = alpha Phi^T", "Res = Y - alpha K"}


def test_instances_of_the_limit_are_nonsingular_and_not_only_of_one_kind():
    theorem = catalogue()["kernel_gradient_descent_misses_the_interpolant_by_its_residual"]
    held = list(theorem.instances(Settings(instances=20)))
    assert {construction.features.name for construction, _ in held} == {"relu features", "monomials"}
    assert max(np.shape(prompt.X)[1] for _, prompt in held) >= 4

"""Newton's exact error and its equality with 2^k gradient steps, against plain matrix powers and plain loops."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.block import materialised
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.newton_doubling import DoublingIterate, NewtonFromGramDoubling, NewtonFromIdentityDoubling
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_residual import NewtonFromGramResidual, NewtonFromIdentityResidual, ResidualIterate
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.check import NotAnInstance, check
from numerics.instances import Sizes
from numerics.rationals import as_fraction
from numerics.strategies import rational_prompts
from proofs.catalogue import theorem_named
from proofs.evidence import FAILS, Settings
from proofs.induction import prove
from proofs.newton_convergence import least_squares_instance, richardson_layers

RESIDUALS = pytest.mark.parametrize(
    "network", [NewtonFromIdentityResidual, NewtonFromGramResidual], ids=lambda cls: cls.__name__
)


def fractions(entry):
    return np.array([[Fraction(value) for value in row] for row in entry])


def predicted(network, prompt):
    held = prompt.lifted()
    column = materialised(forward(network, held), held.X).entry
    return np.array([[as_fraction(value) for value in row] for row in column])


def instance(network, seed, sizes=None, steps=None):
    rng = np.random.default_rng(seed)
    sizes = sizes or Sizes(*(int(rng.integers(1, top + 1)) for top in (4, 4, 2)))
    steps = int(rng.integers(0, 4)) if steps is None else steps
    return least_squares_instance(network(alpha=1, steps=1))(rng, sizes, steps, None)


@RESIDUALS
@given(st.integers(0, 10**6))
def test_network_errs_by_the_residual_to_the_power_2_to_the_k(network, seed):
    construction, prompt = instance(network, seed)
    X, x, W_star, P = (fractions(entry) for entry in (prompt.X, prompt.x_query, *dict(prompt.extras).values()))
    S, alpha = X @ X.T, construction.alpha
    R = P - alpha * (S if network is NewtonFromIdentityResidual else S @ S)
    for _ in range(2**construction.steps - 1):
        W_star = W_star @ R
    error = predicted(construction, prompt) - fractions(dict(prompt.extras)["W_star"]) @ x
    assert (error == -W_star @ R @ x).all()


def test_drawn_contexts_have_every_rank_and_both_projectors():
    seen = set()
    for seed in range(60):
        _, prompt = instance(NewtonFromIdentityResidual, seed, Sizes(3, 3, 2), steps=0)
        X, P = prompt.lifted().X.matrix, prompt.lifted().extra("P").matrix
        seen.add((X.rank(), P.rank()))
    assert seen == {(1, 1), (1, 3), (2, 2), (2, 3), (3, 3)}


def test_the_smaller_projector_comes_with_the_minimum_norm_solution():
    for seed in range(40):
        _, prompt = instance(NewtonFromIdentityResidual, seed, Sizes(3, 4, 2), steps=0)
        held = prompt.lifted()
        if held.extra("P").matrix.rank() == held.X.matrix.rank():
            assert held.extra("W_star").matrix == least_squares(prompt).matrix


def test_drawn_targets_are_not_all_realisable():
    _, prompt = instance(NewtonFromIdentityResidual, 3, Sizes(4, 2, 2), steps=0)
    held = prompt.lifted()
    assert held.extra("W_star").matrix * held.X.matrix != held.Y.matrix


@RESIDUALS
def test_weights_that_do_not_solve_least_squares_are_no_instance(network):
    construction, prompt = instance(network, 1, Sizes(2, 2, 1), steps=1)
    wrong = (("W_star", [[Fraction(17), Fraction(23)]]), ("P", [[1, 0], [0, 1]]))
    with pytest.raises(NotAnInstance, match="W_star is a least-squares solution"):
        check(construction, replace(prompt, extras=wrong))


@RESIDUALS
def test_projector_that_loses_an_input_is_no_instance(network):
    construction, prompt = instance(network, 1, Sizes(2, 2, 1), steps=1)
    with pytest.raises(NotAnInstance, match="P fixes the inputs"):
        check(construction, replace(prompt, extras=(("W_star", [[0, 0]]), ("P", [[0, 0], [0, 0]]))))


@RESIDUALS
def test_residual_that_is_cubed_is_not_proved(network):
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Cubed(network):
        def step(self, l, iterate, prompt):
            M, R = super().step(l, iterate, prompt)
            return ResidualIterate(M, R @ iterate.R)

    assert prove(network(alpha=1, steps=1)).holds
    assert not prove(Cubed(alpha=1, steps=1)).holds


@given(rational_prompts(), st.integers(0, 5), st.fractions(-1, 1, max_denominator=5))
def test_k_plus_1_newton_layers_predict_what_2_to_the_k_gradient_layers_predict(prompt, k, alpha):
    shallow = NewtonFromIdentity(alpha=alpha, steps=k)
    deep = GradientDescent(step_sizes=Repeated(alpha * prompt.lifted().n, 2**k))
    assert (predicted(shallow, prompt) == predicted(deep, prompt)).all()


@given(rational_prompts(), st.integers(0, 4), st.fractions(-1, 1, max_denominator=5))
def test_newton_from_gram_predicts_what_2_to_the_k_richardson_steps_predict(prompt, k, alpha):
    X, Y, x = (fractions(entry) for entry in (prompt.X, prompt.Y, prompt.x_query))
    W = 0 * Y @ X.T
    for _ in range(2**k):
        W = W - alpha * (W @ X @ X.T - Y @ X.T) @ X @ X.T
    network = NewtonFromGramMasked(alpha=alpha, steps=k)
    assert (predicted(network, prompt) == W @ x).all()
    assert (predicted(*richardson_layers(network, prompt)) == W @ x).all()


@pytest.mark.parametrize("network", [NewtonFromIdentityDoubling, NewtonFromGramDoubling])
def test_map_that_is_not_composed_with_itself_is_not_proved(network):
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Added(network):
        def step(self, l, iterate, prompt):
            M, A, C = super().step(l, iterate, prompt)
            return DoublingIterate(M, A, C + iterate.C)

    assert not prove(Added(alpha=1, steps=1)).holds


def test_a_rival_network_of_another_function_fails_the_exact_evidence():
    theorem = theorem_named("k_newton_steps_from_identity_are_2_to_the_k_gradient_steps")

    def one_layer_less(newton, prompt):
        return GradientDescent(step_sizes=Repeated(newton.alpha * prompt.lifted().n, 2**newton.steps - 1)), prompt

    evidence = replace(theorem, rival=one_layer_less).evidence("exact", Settings())
    assert evidence.outcome == FAILS
    assert "with 0 layers in its loop it predicts" in evidence.reason
    assert "the network of 0 layers" in evidence.reason


def test_float_iterates_that_satisfy_relations_are_not_restarted_off_them():
    """A = I - X X^T M holds of rounded iterates up to rounding, which the next step doubles."""
    rng = np.random.default_rng(0)
    prompt = Prompt(rng.uniform(-3, 3, (1, 5)), rng.uniform(-3, 3, (3, 5)), rng.uniform(-3, 3, (1, 1)))
    report = check(NewtonFromIdentityDoubling(alpha=1.5, steps=5), prompt)
    assert report.holds, report.failure

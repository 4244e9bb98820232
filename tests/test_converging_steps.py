"""Step sizes that converge: exactly monotone errors on any context, and limits that are where they are said to be."""

import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import iterates
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.rationals import RationalBlock
from proofs import converging_steps
from proofs.converging_steps import PLANS

DIAGONAL = [[3, 0], [0, 1]]
"""X with X X^T = diag(9, 1), trace 10, n = 2."""

LIMITS = {"gradient_descent": Fraction(4, 9), "gdpp": Fraction(4, 10), "preconditioned_descent": Fraction(2)}
"""Below these step sizes each converges on ``DIAGONAL``: 2 n / 9, 2 n / 10, and 2 / 1 (X X^T is its own diagonal)."""


def lifted(X, Y=None):
    X = [[Fraction(value) for value in row] for row in X]
    Y = [[Fraction(1)] * len(X[0])] if Y is None else Y
    return Prompt(X, Y, [[Fraction(1)]] * len(X)).lifted(RationalBlock)


@st.composite
def contexts(draw):
    d, n = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    rows = st.lists(st.integers(-5, 5), min_size=n, max_size=n)
    X = draw(st.lists(rows, min_size=d, max_size=d).filter(lambda X: any(map(any, X))))
    return lifted(X, [[Fraction(value) for value in draw(rows)]])


def residual(W, prompt):
    """|W X - Y|^2, exactly."""
    R = (W @ prompt.X - prompt.Y).matrix
    return (R * R.transpose())[0, 0]


@pytest.mark.parametrize("name", PLANS)
@given(prompt=contexts())
def test_error_shrinks_in_every_layer_unless_it_is_zero(name, prompt):
    best = residual(least_squares(prompt), prompt)
    plan = PLANS[name](prompt, 4, None)
    errors = []
    for iterate in iterates(plan.construction, prompt):
        W = getattr(iterate, "W", iterate)
        errors.append(residual(W, prompt) - best)
    assert all(error >= 0 for error in errors)
    assert all(after < before or after == before == 0 for before, after in pairwise(errors))


@pytest.mark.parametrize("name", PLANS)
def test_default_number_of_layers(name):
    expected = converging_steps.GDPP_LAYERS if name == "gdpp" else converging_steps.LAYERS
    assert PLANS[name](lifted(DIAGONAL), None, None).construction.depth == expected


@pytest.mark.parametrize("name", PLANS)
def test_verdict_changes_at_the_limit(name):
    prompt, limit = lifted(DIAGONAL), LIMITS[name]
    just = Fraction(1, 10**9)
    for eta, said in (
        (limit * (1 - just), "converges: "),
        (limit, "WARNING: eta does not converge: it must be below "),
    ):
        assert PLANS[name](prompt, 1, eta).notes[-1].startswith(said)
    assert PLANS[name](prompt, 1, limit * (1 + just)).notes[-1].startswith("WARNING: eta diverges: it must be below ")


@pytest.mark.parametrize("name", PLANS)
def test_limit_that_is_printed_converges(name):
    prompt = lifted([[1, 2, 3], [2, 1, 2]])
    printed = re.search(r"= ([\d.]+?)(\.\.\.)?( for this context)?$", PLANS[name](prompt, 1, Fraction(9)).notes[-1])[1]
    assert PLANS[name](prompt, 1, Fraction(printed)).notes[-1].startswith("converges: ")


@pytest.mark.parametrize("name", PLANS)
def test_error_grows_above_the_limit(name):
    prompt = lifted(DIAGONAL)
    plan = PLANS[name](prompt, 5, 3 * LIMITS[name])
    errors = [residual(getattr(iterate, "W", iterate), prompt) for iterate in iterates(plan.construction, prompt)]
    assert errors[0] < errors[-1]


def test_an_eta_too_close_to_the_limit_is_called_so(monkeypatch):
    monkeypatch.setattr(converging_steps, "largest_eigenvalue_bounds", lambda S: (Fraction(9), Fraction(10)))
    said = PLANS["gradient_descent"](lifted(DIAGONAL), 1, Fraction(42, 100)).notes[-1]
    assert said == "WARNING: eta is within rounding of 2 n / lambda_max(X X^T) = 0.4..., below which it converges"


def test_features_that_are_zero_keep_the_weight_zero():
    prompt = lifted([[1, 2], [0, 0], [1, 1]])
    plan = PLANS["preconditioned_descent"](prompt, 3, None)
    assert "features that are zero in the whole context (1) keep the weight 0" in plan.notes[0]
    assert "eta = 1 / (d - 1) = 1/2" in plan.notes[1]
    *_, last = iterates(plan.construction, prompt)
    assert last.matrix[0, 1] == 0 != last.matrix[0, 0]


def test_gdpp_shrinks_the_bound_on_its_inputs_to_four_ninths():
    prompt = lifted([[2]])
    plan = PLANS["gdpp"](prompt, 3, None)
    # With d = 1 the bound, the trace, is the eigenvalue itself: its square root shrinks to 2/3 in each layer.
    factors = [iterate.F.matrix for iterate in iterates(plan.construction, prompt)]
    assert [Fraction(int(F[0, 0].p), int(F[0, 0].q)) for F in factors] == [Fraction(2, 3) ** l for l in range(4)]


@pytest.mark.parametrize("layers", [14, 10**6])
def test_gdpp_of_too_many_layers_is_refused(layers):
    with pytest.raises(ValueError, match=rf"layers = {layers}: .*; ask for at most 13 layers"):
        PLANS["gdpp"](lifted([[100]]), layers, None)


@pytest.mark.parametrize("name", PLANS)
def test_a_context_of_zeros_is_refused(name):
    with pytest.raises(ValueError, match="every feature is zero in the whole context"):
        PLANS[name](lifted([[0, 0]]), None, None)

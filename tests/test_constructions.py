"""The constructions against the algorithms of the papers, written once more in plain Python over Fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from constructions.gauge import GaugedAttention
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.unmasked import OneUnmaskedLayer, UnmaskedGradientDescent
from numerics.check import check
from numerics.strategies import instances

ONE = [[1]]


# Matrices as nested lists of Fractions: another route than the blocks.


def times(A, B):
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in zip(*B, strict=True)]
        for row in A
    ]


def plus(A, B, factor=1):
    return [[a + factor * b for a, b in zip(r, s, strict=True)] for r, s in zip(A, B, strict=True)]


def transposed(A):
    return [list(column) for column in zip(*A, strict=True)]


def scaled(c, A):
    return [[c * a for a in row] for row in A]


def identity(size):
    return [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]


def inverse(A):
    rows = [[Fraction(a) for a in row] + unit for row, unit in zip(A, identity(len(A)), strict=True)]
    for i in range(len(A)):
        pivot = next(r for r in range(i, len(A)) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [a / rows[i][i] for a in rows[i]]
        for r in range(len(A)):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[len(A) :] for row in rows]


def predicted(construction, prompt):
    column = construction(prompt.X, prompt.Y, prompt.x_query)
    return [[Fraction(int(value.p), int(value.q)) for value in row] for row in column]


def gradient(W, X, Y):
    return times(plus(times(W, X), Y, -1), transposed(X))


@given(instances(GradientDescent(step_sizes=[1], W_0=ONE)))
def test_layers_take_gradient_steps_from_any_start(instance):
    construction, (X, Y, x) = instance.construction, (instance.prompt.X, instance.prompt.Y, instance.prompt.x_query)
    W = construction.W_0
    for eta in construction.step_sizes:
        W = plus(W, gradient(W, X, Y), -eta / len(X[0]))
    assert predicted(construction, instance.prompt) == times(W, x)


@given(instances(UnmaskedGradientDescent(step_sizes=[1], W_0=ONE), depth=1))
def test_dropping_the_mask_adds_the_error_of_the_catalogue(instance):
    construction, (X, Y, x) = instance.construction, (instance.prompt.X, instance.prompt.Y, instance.prompt.x_query)
    (eta,), W = construction.step_sizes, construction.W_0
    step = plus(W, gradient(W, X, Y), -eta / len(X[0]))
    length = sum(value * value for (value,) in x)
    error = scaled(-2 * eta / len(X[0]) * length, times(W, x))
    assert predicted(construction, instance.prompt) == plus(times(step, x), error)


@given(instances(OneUnmaskedLayer(step_sizes=[1]), depth=1))
def test_one_unmasked_layer_from_zero_takes_a_gradient_step(instance):
    X, Y, x = instance.prompt.X, instance.prompt.Y, instance.prompt.x_query
    (eta,) = instance.construction.step_sizes
    claimed = scaled(eta / len(X[0]), times(times(Y, transposed(X)), x))
    assert predicted(instance.construction, instance.prompt) == claimed


def gdpp(X, Y, x, W, etas, gammas):
    """GD++ as the paper runs it: on moving inputs and moving targets."""
    n = len(X[0])
    targets, query = plus(Y, times(W, X), -1), scaled(-1, times(W, x))
    for eta, gamma in zip(etas, gammas, strict=True):
        S = times(X, transposed(X))
        outer = times(targets, transposed(X))
        targets, query = plus(targets, times(outer, X), -eta / n), plus(query, times(outer, x), -eta / n)
        shrink = plus(identity(len(X)), S, -gamma)
        X, x = times(shrink, X), times(shrink, x)
    return scaled(-1, query)


@given(instances(GDPlusPlus(step_sizes=[1], curvature_steps=[1], W_0=ONE)))
def test_gdpp_layers_run_gdpp(instance):
    c, p = instance.construction, instance.prompt
    assert predicted(c, p) == gdpp(p.X, p.Y, p.x_query, c.W_0, c.step_sizes, c.curvature_steps)


@given(instances(GDPlusPlus(step_sizes=Repeated(1, 1), curvature_steps=Repeated(1, 1))))
def test_looped_gdpp_layer_runs_gdpp(instance):
    c, p = instance.construction, instance.prompt
    etas, gammas = [c.step_sizes.value] * c.depth, [c.curvature_steps.value] * c.depth
    zero = [[Fraction(0)] * len(p.X) for _ in p.Y]
    assert predicted(c, p) == gdpp(p.X, p.Y, p.x_query, zero, etas, gammas)


def test_looped_construction_has_one_weight_set():
    construction = GDPlusPlus(step_sizes=Repeated(1, 5), curvature_steps=Repeated(Fraction(1, 3), 5))
    prompt = Prompt([[1, 2]], [[1, 1]], [[1]]).lifted()
    heads = [construction.layer(l, prompt).sublayers[0].heads[0] for l in range(5)]
    assert all(head.projection == heads[0].projection and head.value == heads[0].value for head in heads)


@given(instances(PreconditionedDescent(preconditioners=[ONE], W_0=ONE)))
def test_stack_takes_steps_preconditioned_by_the_transpose(instance):
    c, (X, Y, x) = instance.construction, (instance.prompt.X, instance.prompt.Y, instance.prompt.x_query)
    w = transposed(c.W_0)
    for A in c.preconditioners:
        risk_gradient = scaled(Fraction(1, len(X[0])), transposed(gradient(transposed(w), X, Y)))
        w = plus(w, times(transposed(A), risk_gradient), -1)
    assert predicted(c, instance.prompt) == times(transposed(w), x)


@given(instances(RelaxedPreconditionedDescent(preconditioners=[ONE], input_maps=[ONE], W_0=ONE)))
def test_relaxed_stack_moves_the_inputs(instance):
    """Z <- Z + (1/n) P Z M Z^T Q Z on whole token matrices, as equation (11) has it."""
    c, (X, Y, x) = instance.construction, (instance.prompt.X, instance.prompt.Y, instance.prompt.x_query)
    d, m, n = len(X), len(Y), len(X[0])
    labels, start = plus(Y, times(c.W_0, X), -1), scaled(-1, times(c.W_0, x))
    Z = [a + b for a, b in zip([*X, *labels], [*x, *start], strict=True)]
    mask = [[Fraction(int(i == j < n)) for j in range(n + 1)] for i in range(n + 1)]
    zeros = [Fraction(0)]
    for A, B in zip(c.preconditioners, c.input_maps, strict=True):
        P = [row + zeros * m for row in B] + [zeros * d + row for row in identity(m)]
        Q = [row + zeros * m for row in A] + [zeros * (d + m) for _ in range(m)]
        moved = times(times(times(times(P, Z), mask), transposed(Z)), times(Q, Z))
        Z = plus(Z, moved, Fraction(1, n))
    assert predicted(c, instance.prompt) == [[-row[n]] for row in Z[d:]]


@given(instances(GaugedAttention(W_K=[ONE], W_Q=[ONE], W_V=[ONE], P=[ONE], A=[ONE], C=[ONE], scales=[1]), depth=2))
def test_gauge_transformed_weights_give_the_layer_with_the_original_ones(instance):
    c, E, e = instance.construction, instance.prompt.X, instance.prompt.x_query
    for W_K, W_Q, W_V, P in zip(c.W_K, c.W_Q, c.W_V, c.P, strict=True):
        moved = times(times(P, times(W_V, E)), times(transposed(times(W_K, E)), W_Q))
        E, e = plus(E, times(moved, E)), plus(e, times(moved, e))
    assert predicted(c, instance.prompt) == e


def test_gauge_transformed_weights_differ_from_the_original_ones():
    rng = np.random.default_rng(0)
    names = ("W_K", "W_Q", "W_V", "P", "A", "C")
    c = GaugedAttention(**{name: [rng.standard_normal((2, 2))] for name in names}, scales=[2])
    prompt = Prompt(rng.standard_normal((2, 3)), rng.standard_normal((1, 3)), rng.standard_normal((2, 1))).lifted()
    from constructions.parameters import lifted

    (attention,) = lifted(c, type(prompt.X), prompt).layer(0, prompt).sublayers
    transformed = attention.heads[0].key["token", "token"].entry
    assert np.allclose(transformed, np.linalg.inv(c.A[0]).T @ c.W_K[0])
    assert not np.allclose(transformed, c.W_K[0])


def test_a_hundred_layers_run_the_authors_equality_test():
    """N = 45, N_x = 12, N_y = 8, eta = 1, W_0 ~ N(0, 1), x ~ U(-1, 1): the authors' stand-alone test."""
    rng = np.random.default_rng(0)
    X, x = rng.uniform(-1, 1, (12, 45)), rng.uniform(-1, 1, (12, 1))
    W, teacher = rng.standard_normal((8, 12)), rng.standard_normal((8, 12))
    c, Y = GradientDescent(step_sizes=[1] * 100, W_0=W), teacher @ X
    report = check(c, Prompt(X, Y, x), end_to_end=False)
    assert report.holds, report.failure
    for _ in range(100):
        W = W - (W @ X - Y) @ X.T / 45
    assert np.abs(c(X, Y, x) - W @ x).max() < 1e-12 * np.abs(W @ x).max()


def test_one_layer_is_refused_with_a_start():
    with pytest.raises(ValueError, match="from W_0 = 0 only"):
        OneUnmaskedLayer(step_sizes=[1], W_0=[[1]])


def test_no_layers_predict_by_the_start():
    c = GradientDescent(step_sizes=[], W_0=[[Fraction(3), Fraction(1)]])
    assert predicted(c, Prompt([[1], [2]], [[5]], [[2], [7]])) == [[Fraction(13)]]

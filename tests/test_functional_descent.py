"""Functional descent against the method written once more, in plain Python over Fractions and balls."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given

from constructions.attention import Head
from constructions.functional_descent import FunctionalDescent, LinearKernelDescent
from constructions.functional_limits import (
    AlternatingDescent,
    FunctionalDescentBound,
    FunctionalDescentClosedForm,
    FunctionalDescentError,
)
from constructions.gradient_descent import GradientDescent
from constructions.kernel_heads import ReciprocalMaps, TwoKernelDescent
from constructions.kernels import LINEAR, RELU, SOFTMAX, exponential, polynomial, rbf
from constructions.layer import Attention, Layer
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from constructions.softmax_descent import PromptKernelDescent, SoftmaxDescentError, SoftmaxDescentTopMode
from constructions.weights import Weight
from numerics.balls import BallBlock, precision
from numerics.check import NotAnInstance, check
from numerics.rationals import as_fraction
from numerics.strategies import instances
from proofs.catalogue import catalogue
from proofs.evidence import Settings
from proofs.kernel_instances import RELU_POINTS

ONE = [[1]]
X, Y, X_QUERY = [[1, 0, -1], [2, 1, Fraction(1, 2)]], [[1, -1, 2], [0, 3, 1]], [[Fraction(1, 2)], [-1]]
STEPS = [Fraction(1, 4), Fraction(-1, 3), Fraction(1, 2)]
KERNELS = {
    "linear": (LINEAR, lambda a, b: inner(a, b)),
    "relu": (RELU, lambda a, b: max(inner(a, b), 0)),
    "quadratic": (polynomial(2), lambda a, b: (1 + inner(a, b)) ** 2),
}


def inner(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), start=0 * a[0])


def columns(table):
    return [list(column) for column in zip(*table, strict=True)]


def descended(X, Y, steps, kappa, normaliser=None):
    """f after functional steps f <- f + r sum_i (y_i - f(x_i)) kappa(x_i, .) / normaliser(.), as a function of x."""
    points, targets = columns(X), columns(Y)
    coefficients = [[0 * y for y in target] for target in targets]

    def f(x):
        weights = [kappa(point, x) for point in points]
        weights = weights if normaliser is None else [weight / normaliser(x) for weight in weights]
        return [sum(c[j] * w for c, w in zip(coefficients, weights, strict=True)) for j in range(len(Y))]

    for r in steps:
        residuals = [[y - v for y, v in zip(t, f(x), strict=True)] for x, t in zip(points, targets, strict=True)]
        for c, residual in zip(coefficients, residuals, strict=True):
            c[:] = [value + r * e for value, e in zip(c, residual, strict=True)]
    return f


def predicted(construction, *prompt):
    return [as_fraction(row[0]) for row in construction(*prompt)]


@pytest.mark.parametrize("name", KERNELS)
@given(instances(FunctionalDescent(step_sizes=[1])))
def test_layers_take_functional_steps(name, instance):
    kernel, kappa = KERNELS[name]
    construction, prompt = replace(instance.construction, kernel=kernel), instance.prompt
    f = descended(prompt.X, prompt.Y, construction.step_sizes, kappa)
    (query,) = columns(prompt.x_query)
    assert predicted(construction, prompt.X, prompt.Y, prompt.x_query) == f(query)


@pytest.mark.parametrize("cls", [FunctionalDescentClosedForm, FunctionalDescentError])
def test_closed_forms_predict_what_the_recursion_does(cls):
    """Their networks are the same; what each says of them is checked on the way."""
    construction = cls(step_sizes=STEPS, kernel=polynomial(2))
    (query,) = columns(X_QUERY)
    f = descended(X, Y, STEPS, lambda a, b: (1 + inner(a, b)) ** 2)
    assert predicted(construction, X, Y, X_QUERY) == f(query)
    assert check(construction, Prompt(X, Y, X_QUERY)).holds


def test_alternating_layers_take_steps_of_both_signs():
    (query,) = columns(X_QUERY)
    pairs = [sign * r for r in STEPS for sign in (1, -1)]
    f = descended(X, Y, pairs, lambda a, b: max(inner(a, b), 0))
    assert predicted(AlternatingDescent(step_sizes=STEPS, kernel=RELU), X, Y, X_QUERY) == f(query)


@given(instances(GradientDescent(step_sizes=[1])))
def test_the_linear_kernel_runs_gradient_descent(instance):
    steps, prompt = instance.construction.step_sizes, instance.prompt
    entries = prompt.X, prompt.Y, prompt.x_query
    n = len(prompt.X[0])
    expected = predicted(GradientDescent(step_sizes=steps), *entries)
    assert predicted(LinearKernelDescent(step_sizes=steps), *entries) == expected
    assert predicted(FunctionalDescent(step_sizes=[r / n for r in steps], kernel=LINEAR), *entries) == expected


def test_the_linear_kernel_starts_from_zero_only():
    with pytest.raises(ValueError, match="functional descent starts from f = 0; leave W_0 out, or use GradientDescent"):
        LinearKernelDescent(step_sizes=[1], W_0=ONE)


def test_two_heads_descend_in_the_sum_of_their_kernels():
    G_1, G_2 = [[1, 2], [0, 1]], [[1, 0], [Fraction(1, 2), -1]]

    def kappa(a, b):
        images = [[[inner(row, x) for row in G] for x in (a, b)] for G in (G_1, G_2)]
        return inner(*images[0]) + max(inner(*images[1]), 0)

    construction = TwoKernelDescent(step_sizes=STEPS, kernel=LINEAR, second=RELU, G_1=G_1, G_2=G_2)
    (query,) = columns(X_QUERY)
    assert predicted(construction, X, Y, X_QUERY) == descended(X, Y, STEPS, kappa)(query)


# In balls.


def balls(table):
    return [[arb(Fraction(v).numerator) / Fraction(v).denominator for v in row] for row in table]


def ball_run(construction):
    return [row[0] for row in construction(*(BallBlock.lift(table).entry for table in (X, Y, X_QUERY)))]


def exponential_of(a, b):
    return inner(a, b).exp()


def gaussian_of(a, b):
    return (-inner(*[[x - y for x, y in zip(a, b, strict=True)]] * 2) / 2).exp()


def overlap(left, right):
    return all(a.overlaps(b) for a, b in zip(left, right, strict=True)) and all(a.rad() < 1e-20 for a in left)


@pytest.mark.parametrize(
    ("kernel", "score", "kappa"),
    [(exponential(), "exp", exponential_of), (exponential(), None, exponential_of), (rbf(), None, gaussian_of)],
)
def test_layers_take_functional_steps_in_balls(kernel, score, kappa):
    with precision(256):
        (query,) = columns(balls(X_QUERY))
        f = descended(balls(X), balls(Y), [arb(r.numerator) / r.denominator for r in STEPS], kappa)
        assert overlap(ball_run(FunctionalDescent(step_sizes=STEPS, kernel=kernel, score=score)), f(query))


@pytest.mark.parametrize(
    "construction",
    [
        FunctionalDescent(step_sizes=STEPS, kernel=SOFTMAX, score="softmax"),
        FunctionalDescent(step_sizes=STEPS, kernel=SOFTMAX),
        PromptKernelDescent(step_sizes=STEPS),
        SoftmaxDescentError(step_sizes=STEPS),
        SoftmaxDescentTopMode(step_sizes=STEPS),
    ],
)
def test_softmax_layers_divide_each_query_by_its_own_sum(construction):
    with precision(256):
        points, (query,) = columns(balls(X)), columns(balls(X_QUERY))

        def normaliser(x):
            return sum(exponential_of(point, x) for point in points)

        steps = [arb(r.numerator) / r.denominator for r in STEPS]
        f = descended(balls(X), balls(Y), steps, exponential_of, normaliser)
        assert overlap(ball_run(construction), f(query))


def test_softmax_layers_converge_to_a_weighted_interpolant_that_is_not_the_posterior_mean():
    """Y D K^-1 k / D(x), the parts written out in NumPy: 400 steps of r = 1 leave 1e-6 of the slowest mode."""
    points, query = np.array(X, dtype=float), np.array(X_QUERY, dtype=float)
    targets = np.array(Y, dtype=float)
    K, k = np.exp(points.T @ points), np.exp(points.T @ query)
    limit = targets @ np.diag(K.sum(axis=0)) @ np.linalg.solve(K, k) / k.sum()
    run = FunctionalDescent(step_sizes=Repeated(1.0, 400), kernel=SOFTMAX, score="softmax")(points, targets, query)
    assert np.allclose(run, limit, rtol=1e-6)
    assert not np.allclose(run, targets @ np.linalg.solve(K, k), rtol=0.1)


@pytest.mark.parametrize(("r", "converges"), [(1.99, True), (2.01, False)])
def test_softmax_steps_converge_up_to_two(r, converges):
    points, targets = np.array(X, dtype=float), np.array(Y, dtype=float)
    run = [
        FunctionalDescent(step_sizes=Repeated(r, layers), kernel=SOFTMAX, score="softmax")(
            points, targets, np.array(X_QUERY, dtype=float)
        )
        for layers in (2000, 2001, 4000, 4001)
    ]
    swings = [np.abs(run[1] - run[0]).max(), np.abs(run[3] - run[2]).max()]
    assert (swings[1] < swings[0]) == converges


# What is refused, and what must fail.


def test_one_step_for_all_layers_is_required_where_the_bound_is_of_one():
    with pytest.raises(TypeError, match=r"step_sizes must be Repeated\(r, k\), one step for all layers, but \[1, 2\]"):
        FunctionalDescentBound(step_sizes=[1, 2])


def test_a_certificate_that_is_none_is_no_instance():
    (construction, prompt), *_ = catalogue()["functional_descent_residual_is_bounded_by_a_power"].instances(Settings())
    rho = [[value + 1 for value in row] for row in dict(prompt.extras)["rho"]]
    changed = replace(prompt, extras=tuple((name, rho if name == "rho" else held) for name, held in prompt.extras))
    with pytest.raises(NotAnInstance, match=r"violates the hypothesis 'rho\^2 I - \(I - r K\)\^2 = C\^T D C'"):
        check(construction, changed)


def test_certified_bounds_hold_and_contract_for_convergent_steps():
    """The slack of the theorem is a number >= 0 because D >= 0, and rho < 1 where K is positive definite."""
    theorem = catalogue()["functional_descent_residual_is_bounded_by_a_power"]
    contracting = 0
    for construction, prompt in theorem.instances(Settings(instances=30)):
        extras = dict(prompt.extras)
        (rho,), n = extras["rho"][0], len(prompt.X[0])
        assert all(extras["D"][i][j] == 0 if i != j else extras["D"][i][i] >= 0 for i in range(n) for j in range(n))
        f = descended(
            prompt.X,
            prompt.Y,
            [construction.step_sizes.value] * len(construction.step_sizes),
            lambda a, b, kernel=construction.kernel.name: {"linear": inner(a, b), "relu": max(inner(a, b), 0)}[kernel],
        )
        residual = [y - f(x)[0] for x, y in zip(columns(prompt.X), prompt.Y[0], strict=True)]
        whole = sum(y * y for y in prompt.Y[0])
        assert sum(e * e for e in residual) <= rho ** (2 * len(construction.step_sizes)) * whole
        contracting += rho < 1
    assert contracting > 3


def test_relu_points_have_the_eigenvalue_that_is_said():
    points = columns(RELU_POINTS)
    v = [(-1) ** i for i in range(8)]
    for i, a in enumerate(points):
        assert sum(max(inner(a, b), 0) * sign for b, sign in zip(points, v, strict=True)) == Fraction(-2, 5) * v[i]


def test_eight_equal_angles_give_the_relu_gram_matrix_a_negative_eigenvalue():
    """Circulant with eigenvalues 1 + sqrt(2) cos(pi m / 4); the least is 1 - sqrt(2)."""
    angles = 2 * np.pi * np.arange(8) / 8
    K = np.maximum(np.cos(angles[:, None] - angles), 0)
    expected = sorted(1 + np.sqrt(2) * np.cos(np.pi * np.arange(8) / 4))
    assert np.allclose(np.linalg.eigvalsh(K), expected)
    assert expected[0] == pytest.approx(1 - np.sqrt(2))


@dataclass(frozen=True, kw_only=True, repr=False)
class ReciprocalRBF(ReciprocalMaps):
    """The RBF head with keys S^T B x and queries S^-1 C x, said to be that with B and C."""

    def step(self, l, labels, prompt):
        def moved(queries):
            scores = (self.B[l] @ prompt.X).kernel(self.C[l] @ queries, rbf())
            return (labels.Y @ scores).scale(-self.step_sizes[l])

        return type(labels)(labels.Y + moved(prompt.X), labels.y + moved(prompt.x_query))

    def layer(self, l, prompt):
        held = super().layer(l, prompt).sublayers[0].heads[0]
        return Layer(Attention(replace(held, score=rbf())))


@pytest.mark.parametrize(("S", "holds"), [([[1, 0], [0, 1]], True), ([[2, 0], [0, 2]], False)])
def test_the_rbf_kernel_sees_reciprocal_maps(S, holds):
    eye = [[1, 0], [0, 1]]
    construction = ReciprocalRBF(step_sizes=[1], B=[eye], C=[eye], S=[S])
    with precision(128):
        prompt = Prompt(*(BallBlock.lift(table).entry for table in (X, Y, X_QUERY)))
        assert check(construction, prompt).holds == holds


def test_a_kernel_of_a_head_may_be_written_by_hand():
    """The theorem's weights are those of the paper: B = C = I and V = [[0, 0], [0, -r I]]."""
    (layer,) = FunctionalDescent(step_sizes=[Fraction(1, 2)], kernel=RELU).layer(0, None).sublayers
    (head,) = layer.heads
    assert isinstance(head, Head)
    weights = {name: dict(getattr(head, name)) for name in ("key", "query", "value")}
    assert weights == {"key": {("x", "x"): 1}, "query": {("x", "x"): 1}, "value": {("y", "y"): Fraction(-1, 2)}}
    assert isinstance(head.value, Weight)
    assert head.mask.keys == ("context",)

"""Smallest counterexamples: found, smallest, and absent where the claim holds."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import ClassVar

import numpy as np
import pytest

from constructions.as_printed import (
    GDPlusPlusWithStartInValue,
    PositiveQueryStart,
    PositiveQueryStartReadPositively,
    UnmaskedFromZero,
    UntransposedPreconditioner,
)
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.newton_paper import PaperNewton
from constructions.parameters import Repeated, scalar
from constructions.scalars import ratio
from constructions.stages import Relation
from numerics.instances import Sizes
from proofs.counterexamples import MOST_RUNS, smallest_counterexample
from proofs.integer_points import count_of_integer_points, integer_points

ONE = [[1]]


def test_query_started_at_plus_w0_x_fails_at_the_smallest_size():
    example = smallest_counterexample(PositiveQueryStart(step_sizes=[1], W_0=ONE))
    assert (example.layers, example.sizes) == (1, Sizes(1, 1, 1))
    assert str(example) == (
        "1 layer, n = 1, d = 1, m = 1: X = 0, Y = 0, x_query = 1, eta = 1, W_0 = 1: "
        "the transformer predicts -1, claimed is 1"
    )


def test_query_started_at_plus_w0_x_fails_without_the_minus_too():
    example = smallest_counterexample(PositiveQueryStartReadPositively(step_sizes=[1], W_0=ONE))
    assert (example.layers, example.sizes) == (1, Sizes(1, 1, 1))
    assert example.predicted != example.claimed


def test_unmasked_layers_fail_first_at_two_layers():
    """By hand, all entries 1: layer 1 gives the query -1, which layer 2 reads as a target; the layers predict 0."""
    example = smallest_counterexample(UnmaskedFromZero(step_sizes=[1]))
    assert (example.layers, example.sizes) == (2, Sizes(1, 1, 1))
    assert example.predicted == [[Fraction(0)]]
    assert example.claimed == [[Fraction(1)]]
    assert {layers for layers, _ in example.sizes_without} == {1}
    assert len(example.sizes_without) == 8


def test_missing_transpose_fails_first_at_two_features():
    example = smallest_counterexample(UntransposedPreconditioner(preconditioners=[ONE]))
    assert (example.layers, example.sizes) == (1, Sizes(1, 2, 1))
    assert example.sizes_without == ((1, Sizes(1, 1, 1)), (1, Sizes(1, 1, 2)))
    (A,) = example.construction.preconditioners
    assert A != [list(row) for row in zip(*A, strict=True)]


def test_gdpp_with_w0_in_the_value_weights_fails_first_at_two_layers():
    example = smallest_counterexample(GDPlusPlusWithStartInValue(step_sizes=[1], curvature_steps=[1], W_0=ONE))
    assert (example.layers, example.sizes) == (2, Sizes(1, 1, 1))
    assert example.entries["W_0"] != [[0]]


def test_true_construction_has_no_counterexample():
    assert (
        smallest_counterexample(GradientDescent(step_sizes=[1], W_0=ONE), largest=Sizes(2, 2, 1), most_layers=2) is None
    )


def test_smallest_counterexample_is_smaller_than_any_found_by_brute_force():
    """Every integer X, y, x, eta_1, eta_2 with a smaller sum: two unmasked layers from zero do take two steps."""
    example = smallest_counterexample(UnmaskedFromZero(step_sizes=[1]))
    (((X,),), ((y,),), ((x,),)) = (example.entries[name] for name in ("X", "Y", "x_query"))
    total = sum(abs(value) for value in (X, y, x, *example.entries["eta"]))
    assert total == 5
    for X, y, x in product(range(-4, 5), repeat=3):
        for first, second in product(range(1, 5), repeat=2):
            if abs(X) + abs(y) + abs(x) + first + second < total:
                assert unmasked_twice(X, y, x, first, second) == descended_twice(X, y, x, first, second)


def unmasked_twice(X, y, x, first, second):
    target, query = y, 0
    for eta in (first, second):
        moved = -eta * (target * X + query * x)
        target, query = target + moved * X, query + moved * x
    return -query


def descended_twice(X, y, x, first, second):
    w = 0
    for eta in (first, second):
        w -= eta * (w * X - y) * X
    return w * x


@dataclass(frozen=True, kw_only=True, repr=False)
class AbsoluteScores(NewtonFromIdentity):
    """Newton's iteration by pairs of ReLU heads of equal values: |z| in place of z."""

    def head(self, *args):
        layer = super().head(*args)
        (part,) = layer.sublayers
        first, second = part.heads
        return replace_heads(layer, first, replace(second, value=first.value))


def replace_heads(layer, *heads):
    (part,) = layer.sublayers
    return type(layer)(type(part)(*heads))


def absolute_prediction(X, y, x, alpha):
    """One example, no Newton step: the read-out alone, y |alpha X x| instead of y alpha X x."""
    return y * abs(alpha * X * x)


def test_network_with_relu_is_searched_by_running_its_integer_points():
    """By hand: |X alpha x| differs from X alpha x where X x < 0, and Y must not be 0: sum 4, k = 0."""
    example = smallest_counterexample(AbsoluteScores(alpha=1, steps=1, relu=True))
    assert (example.layers, example.sizes, example.difference) == (0, Sizes(1, 1, 1), None)
    assert str(example) == (
        "k = 0, n = 1, d = 1, m = 1: X = 1, Y = 1, x_query = -1, alpha = 1: the transformer predicts 1, claimed is -1"
    )


def test_counterexample_of_a_network_with_relu_is_smaller_than_any_found_by_brute_force():
    example = smallest_counterexample(AbsoluteScores(alpha=1, steps=1, relu=True))
    total = sum(abs(example.entries[name][0][0]) for name in ("X", "Y", "x_query")) + example.entries["alpha"]
    assert total == 4
    for X, y, x in product(range(-3, 4), repeat=3):
        for alpha in range(1, 4):
            if abs(X) + abs(y) + abs(x) + alpha < total:
                assert absolute_prediction(X, y, x, alpha) == y * X * alpha * x


def test_sizes_of_a_network_with_relu_are_said_to_be_searched_and_no_more():
    """The true network has no counterexample; that its points have none is no identity."""
    assert smallest_counterexample(PaperNewton(alpha=1, steps=1), Sizes(1, 1, 1), most_layers=0) is None

    @dataclass(frozen=True, kw_only=True, repr=False)
    class FailsFromTheSecondExample(PaperNewton):
        def initial(self, prompt):
            return super().initial(prompt).scale(1 if prompt.n == 1 else 2)

    example = smallest_counterexample(FailsFromTheSecondExample(alpha=1, steps=1), Sizes(2, 1, 1))
    assert (example.layers, example.sizes) == (0, Sizes(2, 1, 1))
    assert example.sizes_without == ()
    ((layers, sizes, largest),) = example.sizes_searched
    assert (layers, sizes) == (0, Sizes(1, 1, 1))
    points = [integer_points(4, total) for total in range(largest + 2)]
    counts = [int(np.sum(each[:, 0] > 0)) for each in points]  # one of the four entries, alpha, is positive
    assert sum(counts[:-1]) <= MOST_RUNS < sum(counts)


def test_layers_are_counted_from_zero_where_they_are_counted():
    """From alpha I, the read-out is right at k = 0; a prediction claimed twice as large fails there."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Doubled(NewtonFromIdentity):
        def predict(self, M, prompt):
            return super().predict(M, prompt).scale(2)

    example = smallest_counterexample(Doubled(alpha=1, steps=1))
    assert (example.layers, example.sizes) == (0, Sizes(1, 1, 1))
    assert example.size == "k = 0, n = 1, d = 1, m = 1"


def test_network_of_a_fixed_depth_is_searched_at_that_depth_only():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class ThreeStepsClaimedAsNone(NewtonFromIdentity):
        steps: int = 3

        def predict(self, M, prompt):
            return super().predict(self.initial(prompt), prompt)

    example = smallest_counterexample(ThreeStepsClaimedAsNone(alpha=1))
    assert example.layers == 3
    assert example.size == "n = 1, d = 1, m = 1"


def test_looped_step_size_is_one_entry():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Doubled(GradientDescent):
        def predict(self, W, prompt):
            return super().predict(W, prompt).scale(2)

    example = smallest_counterexample(Doubled(step_sizes=Repeated(1, 1)))
    assert (example.entries["eta"], example.predicted, example.claimed) == (1, [[1]], [[2]])


@dataclass(frozen=True, kw_only=True, repr=False)
class DoubledOnData(GradientDescent):
    """A false prediction, on data of which something is assumed."""

    extras: ClassVar = {"c": (1, 1)}

    def hypotheses(self, prompt):
        c = prompt.extra("c")
        return (
            Relation("X is c", prompt.X @ prompt.X.ones(prompt.n, 1), prompt.X.ones(prompt.d, 1) @ c),
            Relation("c^2 = 9", c @ c, c.identity(1).scale(9)),
        )

    def predict(self, W, prompt):
        return super().predict(W, prompt).scale(2)


def test_only_entries_that_satisfy_the_hypotheses_count():
    example = smallest_counterexample(DoubledOnData(step_sizes=[1]))
    assert str(example) == (
        "1 layer, n = 1, d = 1, m = 1: X = 3, Y = 1, x_query = 1, c = 3, eta = 1: "
        "the transformer predicts 3, claimed is 6"
    )


def test_size_at_which_no_point_satisfies_the_hypotheses_is_said_to_be_searched():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class FromTwoExamples(DoubledOnData):
        def hypotheses(self, prompt):
            c = prompt.extra("c")
            return (Relation("c = n - 1, c is not 0", c @ c.scale(prompt.n - 1), c.identity(1)),)

    example = smallest_counterexample(FromTwoExamples(step_sizes=[1]), Sizes(2, 1, 1), most_layers=1)
    assert example.sizes == Sizes(2, 1, 1)
    ((layers, sizes, largest),) = example.sizes_searched
    assert (layers, sizes) == (1, Sizes(1, 1, 1))
    assert largest > 6


def test_parameter_that_may_not_be_0_is_not():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Scaled(GradientDescent):
        c: int = scalar("c", nonzero=True)

        def predict(self, W, prompt):
            return super().predict(W, prompt).scale(ratio(2, self.c)) + (prompt.X @ prompt.X.T).scale(self.c)

    example = smallest_counterexample(Scaled(step_sizes=[1], c=1), Sizes(1, 1, 1), most_layers=1)
    assert example.entries["c"] == 1


def test_values_beyond_64_bits_are_exact():
    """2^64 X - 2^64 wraps around to 0 in 64 bits at every X; the least X with a difference is 0."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Huge(GradientDescent):
        def predict(self, W, prompt):
            huge = super().predict(W, prompt) + (prompt.X @ prompt.X.ones(prompt.n, 1)).scale(2**64)
            return huge - huge.ones(1, 1).scale(2**64)

    example = smallest_counterexample(Huge(step_sizes=[1]), Sizes(1, 1, 1), most_layers=1)
    assert example.entries["X"] == [[0]]


def test_polynomial_that_vanishes_on_every_point_searched_is_no_identity():
    @dataclass(frozen=True, kw_only=True, repr=False)
    class Vanishing(GradientDescent):
        def predict(self, W, prompt):
            X = prompt.X @ prompt.X.ones(prompt.n, 1)
            product = X
            for j in range(1, 13):
                product = product @ (X @ X - X.ones(1, 1).scale(j**2))
            return super().predict(W, prompt) + product

    with pytest.raises(LookupError, match="are not zero, but no integer point up to sum 12 shows it"):
        smallest_counterexample(Vanishing(step_sizes=[1]), Sizes(1, 1, 1), most_layers=1)


def test_kinds_that_disagree_on_a_counterexample_are_noticed(monkeypatch):
    from numerics.rationals import RationalBlock
    from proofs import counterexamples

    def wrong_in_rationals(construction, prompt, kind, predictions=counterexamples.predictions):
        predicted, claimed = predictions(construction, prompt, kind)
        return (claimed, claimed) if kind is RationalBlock else (predicted, claimed)

    monkeypatch.setattr(counterexamples, "predictions", wrong_in_rationals)
    with pytest.raises(AssertionError, match="one of the kinds is wrong"):
        smallest_counterexample(UnmaskedFromZero(step_sizes=[1]))


@pytest.mark.parametrize(("dimension", "total"), [(1, 0), (1, 3), (2, 2), (3, 4), (5, 3)])
def test_integer_points_are_all_of_them_once(dimension, total):
    points = [tuple(point) for point in integer_points(dimension, total).tolist()]
    every = [p for p in product(range(-total, total + 1), repeat=dimension) if sum(map(abs, p)) == total]
    assert sorted(points) == sorted(every)
    assert len(points) == count_of_integer_points(dimension, total)
    assert np.issubdtype(integer_points(dimension, total).dtype, np.integer)

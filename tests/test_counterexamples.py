"""Smallest counterexamples: found, smallest, and absent where the claim holds."""

from fractions import Fraction
from itertools import product

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
from numerics.instances import Sizes
from proofs.counterexamples import count_of_integer_points, integer_points, smallest_counterexample

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


@pytest.mark.parametrize(("dimension", "total"), [(1, 0), (1, 3), (2, 2), (3, 4), (5, 3)])
def test_integer_points_are_all_of_them_once(dimension, total):
    points = [tuple(point) for point in integer_points(dimension, total).tolist()]
    every = [p for p in product(range(-total, total + 1), repeat=dimension) if sum(map(abs, p)) == total]
    assert sorted(points) == sorted(every)
    assert len(points) == count_of_integer_points(dimension, total)
    assert np.issubdtype(integer_points(dimension, total).dtype, np.integer)

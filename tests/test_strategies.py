"""Strategies draw what they promise, and what they draw shrinks to the smallest case."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated, matrix, scalar
from numerics.instances import Sizes
from numerics.rationals import RationalBlock
from numerics.strategies import (
    SMALLEST_FLOAT,
    constructions,
    float_prompts,
    floats,
    instances,
    rational_prompts,
    rationals,
    sizes,
)

DTYPES = [np.float16, np.float32, np.float64]
DESCENT = GradientDescent(step_sizes=[1], W_0=[[0]])


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """A record with parameters that must not be zero or singular."""

    damping: Any = scalar("s", nonzero=True, default=None)
    metrics: Sequence[Any] | None = matrix("A", "d", "d", per_layer=True, invertible=True, default=None)
    frame: Any = matrix("F", "d", "n", invertible=True, default=None)


INVERTIBLE = Prototype(damping=1, metrics=[0])


def smallest(strategy, condition=lambda drawn: True):
    """What the strategy shrinks to, among what meets the condition."""
    phases = (Phase.generate, Phase.shrink)
    held = settings(database=None, derandomize=True, max_examples=300, phases=phases)
    return find(strategy, condition, settings=held)


def prediction(construction, prompt):
    return construction(prompt.X, prompt.Y, prompt.x_query)


def magnitudes(prompt):
    """The absolute entries of a float prompt."""
    return np.abs(np.concatenate([array.ravel() for array in (prompt.X, prompt.Y, prompt.x_query)]))


# Sizes and numbers.


@given(sizes(max_n=5, max_d=4, max_m=3))
def test_sizes_are_from_one_to_the_largest(drawn):
    assert all(1 <= size <= largest for size, largest in zip(drawn, (5, 4, 3), strict=True))


def test_sizes_shrink_to_one():
    assert smallest(sizes()) == Sizes(1, 1, 1)


def test_contexts_shorter_than_the_features_are_drawn():
    assert smallest(sizes(), lambda drawn: drawn.n < drawn.d) == Sizes(1, 2, 1)


@given(rationals(largest=4, max_denominator=3))
def test_rationals_are_small(drawn):
    assert (abs(drawn) <= 4, drawn.denominator <= 3) == (True, True)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda p: True, 0),
        (lambda p: p != 0, 1),
        (lambda p: p < 0, -1),
        (lambda p: p.denominator > 1, Fraction(1, 2)),
    ],
    ids=["any", "nonzero", "negative", "fractional"],
)
def test_rationals_shrink_to_the_simplest(condition, expected):
    assert smallest(rationals(), condition) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("condition", "expected"),
    [(lambda x: True, 0.0), (lambda x: x != 0, 1.0), (lambda x: x < 0, -1.0)],
    ids=["any", "nonzero", "negative"],
)
def test_floats_shrink_to_the_simplest(dtype, condition, expected):
    assert smallest(floats(dtype), condition) == expected


def test_floats_below_one_are_drawn():
    assert 0 < smallest(floats(), lambda x: 0 < x < 1) < 1


def test_floats_of_another_dtype_are_refused():
    with pytest.raises(TypeError, match=r"dtype int64 is refused: pass numpy.float16"):
        floats(np.int64)


# Prompts.


@given(rational_prompts())
def test_rational_prompts_can_be_lifted(prompt):
    assert type(prompt.lifted().X) is RationalBlock


@given(rational_prompts(Sizes(n=2, d=3, m=4)))
def test_rational_prompts_have_the_sizes_asked_for(prompt):
    assert Sizes.of(prompt) == Sizes(n=2, d=3, m=4)


@given(rational_prompts(sizes(max_n=1, max_d=5)))
def test_rational_prompts_have_sizes_from_the_strategy_asked_for(prompt):
    assert Sizes.of(prompt).n == 1


def test_rational_prompts_shrink_to_one_example_of_zeros():
    prompt = smallest(rational_prompts())
    assert (prompt.X, prompt.Y, prompt.x_query) == ([[0]], [[0]], [[0]])


def test_rational_prompts_shrink_to_entries_of_one():
    prompt = smallest(rational_prompts(), lambda drawn: drawn.X[0][0] * drawn.Y[0][0] * drawn.x_query[0][0] != 0)
    assert (prompt.X, prompt.Y, prompt.x_query) == ([[1]], [[1]], [[1]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_float_prompts_have_the_dtype_asked_for(dtype):
    prompt = smallest(float_prompts(dtype))
    assert {prompt.X.dtype, prompt.Y.dtype, prompt.x_query.dtype} == {np.dtype(dtype)}


@given(float_prompts(np.float32, Sizes(n=2, d=3, m=4)))
def test_float_prompts_have_the_sizes_asked_for(prompt):
    assert Sizes.of(prompt) == Sizes(n=2, d=3, m=4)


@given(float_prompts(np.float32))
def test_entries_of_float_prompts_do_not_underflow(prompt):
    assert all(entry == 0 or SMALLEST_FLOAT <= entry <= 4 for entry in magnitudes(prompt))


def test_float_prompts_shrink_to_one_example_of_zeros():
    prompt = smallest(float_prompts())
    assert (prompt.X.tolist(), prompt.Y.tolist(), prompt.x_query.tolist()) == ([[0]], [[0]], [[0]])


# Constructions.


@given(constructions(DESCENT, Sizes(n=2, d=3, m=4), depth=2))
def test_constructions_have_parameters_of_the_declared_shapes(construction):
    assert (len(construction.step_sizes), np.shape(construction.W_0)) == (2, (4, 3))


@given(constructions(INVERTIBLE, Sizes(n=1, d=2)))
def test_constructions_have_invertible_matrices_where_declared(construction):
    assert all(RationalBlock.lift(metric).matrix.rank() == 2 for metric in construction.metrics)


@given(constructions(INVERTIBLE, Sizes(n=1, d=1)))
def test_constructions_have_scalars_other_than_zero_where_declared(construction):
    assert construction.damping != 0


def test_an_invertible_matrix_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"F is declared invertible"):
        smallest(constructions(Prototype(frame=0), Sizes(n=1, d=2)))


@given(constructions(GradientDescent(step_sizes=Repeated(1, 9)), Sizes(n=1, d=2), depth=4))
def test_looped_constructions_stay_looped(construction):
    assert (type(construction.step_sizes), construction.depth) == (Repeated, 4)


@given(constructions(GradientDescent(step_sizes=[1]), Sizes(n=1, d=2)))
def test_constructions_keep_what_is_none(construction):
    assert construction.W_0 is None


def test_constructions_shrink_to_zeros():
    construction = smallest(constructions(DESCENT, Sizes(n=1, d=2)))
    assert (construction.step_sizes, construction.W_0) == ((0,), [[0, 0]])


def test_constructions_shrink_to_the_simplest_invertible_parameters():
    construction = smallest(constructions(INVERTIBLE, Sizes(n=1, d=1)))
    assert (construction.damping, construction.metrics) == (1, ([[1]],))


def test_constructions_without_layers_are_refused():
    with pytest.raises(ValueError, match=r"depth = -1: the number of layers must be at least 0"):
        smallest(constructions(DESCENT, Sizes(n=1, d=1), depth=-1))


# Instances.


@given(instances(DESCENT))
def test_a_construction_runs_on_the_prompt_drawn_with_it(instance):
    construction, prompt = instance
    assert forward(construction, prompt).shape == (len(prompt.Y), 1)


@given(instances(DESCENT, Sizes(n=2, d=3, m=1), depth=2))
def test_instances_have_sizes_and_depth_asked_for(instance):
    assert (Sizes.of(instance.prompt), instance.construction.depth) == (Sizes(n=2, d=3, m=1), 2)


def test_instances_shrink_to_the_smallest_counterexample():
    """One step from W_0 = 0 predicts 0 unless the step size, and the data, are other than zero."""
    construction, prompt = smallest(
        instances(GradientDescent(step_sizes=[1])), lambda drawn: prediction(*drawn)[0, 0] != 0
    )
    assert construction.step_sizes == (1,)
    assert (prompt.X, prompt.Y, prompt.x_query) == ([[1]], [[1]], [[1]])

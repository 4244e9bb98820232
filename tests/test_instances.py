"""Instances have the sizes, kinds and ranges that were asked for; the same seed gives the same instance."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from flint import fmpq

from constructions.block import Block, Zero
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated, generic, lifted, matrix, scalar
from numerics.balls import BallBlock
from numerics.floats import FloatBlock
from numerics.instances import (
    Sizes,
    arbitrary_like,
    exact_parameters,
    extra_shapes,
    float_parameters,
    float_prompt,
    is_invertible,
    rational_prompt,
)
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock

SEEDS = range(50)
SIZES = Sizes(n=2, d=3, m=4)
PARAMETERS = pytest.mark.parametrize("drawn_parameters", [exact_parameters, float_parameters])


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """A record with a parameter of every sort."""

    rate: Any = scalar("r", default=None)
    damping: Any = scalar("s", nonzero=True, default=None)
    steps: Sequence[Any] | None = scalar("eta", per_layer=True, default=None)
    weights: Any = matrix("W", "m", "d", default=None)
    metric: Any = matrix("A", "d", "d", invertible=True, default=None)
    metrics: Sequence[Any] | None = matrix("B", "d", "d", per_layer=True, invertible=True, default=None)
    frame: Any = matrix("F", "d", "n", invertible=True, default=None)
    clip: float = 10.0


def entries(parameter):
    """The numbers in nested lists, or in an array."""
    if isinstance(parameter, np.ndarray):
        return parameter.ravel().tolist()
    if isinstance(parameter, (list, tuple)):
        return [value for part in parameter for value in entries(part)]
    return [parameter]


def shape_of(parameter):
    return np.shape(np.array(parameter, dtype=object))


# Prompts.


@pytest.mark.parametrize("prompt", [rational_prompt(0, *SIZES), rational_prompt(0, *SIZES).lifted()])
def test_sizes_of_a_prompt_are_read_from_entries_and_from_blocks(prompt):
    assert Sizes.of(prompt) == SIZES


def test_one_target_is_drawn_by_default():
    assert Sizes.of(rational_prompt(0, n=2, d=3)) == Sizes(2, 3, 1)


def test_entries_of_a_rational_prompt_are_small():
    prompts = [rational_prompt(seed, *SIZES) for seed in SEEDS]
    drawn = {value for prompt in prompts for value in entries([prompt.X, prompt.Y, prompt.x_query])}
    assert drawn == {Fraction(p, q) for p in range(-3, 4) for q in (1, 2)}


def test_no_matrix_of_a_rational_prompt_is_zero():
    prompts = [rational_prompt(seed, 1, 1) for seed in SEEDS]
    assert not any(matrix == [[0]] for prompt in prompts for matrix in (prompt.X, prompt.Y, prompt.x_query))


def test_extras_are_drawn_in_the_named_sizes():
    prompt = rational_prompt(0, *SIZES, extras={"teacher": ("m", "d"), "offset": ("m", 1)})
    assert [(name, shape_of(entry)) for name, entry in prompt.extras] == [
        ("teacher", (4, 3)),
        ("offset", (4, 1)),
    ]


def test_extras_of_a_float_prompt_are_drawn_in_the_named_sizes():
    prompt = float_prompt(0, *SIZES, np.float32, (5,), {"w": ("d", 1), "S": ("n", "m")})
    assert prompt.extra("w").shape == (5, 3, 1)
    assert prompt.extra("S").shape == (5, 2, 4)
    assert {extra.dtype for _, extra in prompt.extras} == {np.dtype(np.float32)}


def test_a_size_that_is_no_size_of_the_prompt_is_drawn_once():
    class Extended:
        extras: ClassVar = {"Z": ("d", "t"), "w": ("t", 1), "v": ("m", "s")}

    drawn = [extra_shapes(Extended, SIZES, seed) for seed in range(30)]
    assert all(shapes["Z"][0] == 3 and shapes["v"][0] == 4 and shapes["w"][1] == 1 for shapes in drawn)
    assert all(shapes["Z"][1] == shapes["w"][0] for shapes in drawn)
    assert {shapes["Z"][1] for shapes in drawn} == {1, 2, 3, 4}
    assert any(shapes["Z"][1] != shapes["v"][1] for shapes in drawn)


def test_an_extra_of_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match=r"'k' is no size of a prompt: pass an int or one of n, d, m"):
        rational_prompt(0, *SIZES, extras={"teacher": ("k", 1)})


def test_same_seed_gives_the_same_rational_prompt():
    assert rational_prompt(7, *SIZES) == rational_prompt(np.random.default_rng(7), *SIZES)


def test_same_seed_gives_the_same_float_prompt():
    assert np.array_equal(float_prompt(7, *SIZES).x_query, float_prompt(7, *SIZES).x_query)


def test_a_float_prompt_has_its_batch_in_front():
    prompt = float_prompt(0, *SIZES, batch=(5,))
    assert [entry.shape for entry in (prompt.X, prompt.Y, prompt.x_query)] == [
        (5, 3, 2),
        (5, 4, 2),
        (5, 3, 1),
    ]


def test_a_float_prompt_has_the_dtype_asked_for():
    prompt = float_prompt(0, *SIZES, dtype=np.float32)
    assert {prompt.X.dtype, prompt.Y.dtype, prompt.x_query.dtype} == {np.dtype(np.float32)}


# Parameters.


@PARAMETERS
def test_parameters_have_the_declared_shapes(drawn_parameters):
    drawn = drawn_parameters(Prototype(weights=[[0]], metrics=[0]), SIZES, 0, depth=2)
    assert (shape_of(drawn.weights), shape_of(drawn.metrics)) == ((4, 3), (2, 3, 3))


@PARAMETERS
@pytest.mark.parametrize("held", [[1], [1, 1, 1, 1], generic(Prototype(steps=[1])).steps])
def test_per_layer_parameters_become_tuples_of_the_depth(drawn_parameters, held):
    steps = drawn_parameters(Prototype(steps=held), SIZES, 0, depth=3).steps
    assert (type(steps), len(steps)) == (tuple, 3)


@PARAMETERS
def test_a_looped_parameter_stays_looped(drawn_parameters):
    steps = drawn_parameters(Prototype(steps=Repeated(100, 5)), SIZES, 0, depth=3).steps
    assert (type(steps), steps.depth, steps.value == 100) == (Repeated, 3, False)


@PARAMETERS
def test_a_parameter_that_is_none_stays_none(drawn_parameters):
    assert drawn_parameters(Prototype(), SIZES, 0, depth=3) == Prototype()


@PARAMETERS
def test_a_layer_that_is_none_stays_none(drawn_parameters):
    metrics = drawn_parameters(Prototype(metrics=[None, [[1]]]), SIZES, 0, depth=3).metrics
    assert [metric is None for metric in metrics] == [True, False, False]


@PARAMETERS
def test_a_looped_none_stays_none(drawn_parameters):
    metrics = drawn_parameters(Prototype(metrics=Repeated(None, 5)), SIZES, 0, depth=3).metrics
    assert (metrics.value, metrics.depth) == (None, 3)


@PARAMETERS
def test_a_field_that_is_no_parameter_is_kept(drawn_parameters):
    assert drawn_parameters(Prototype(rate=1, clip=3.0), SIZES, 0, depth=1).clip == 3.0


@PARAMETERS
def test_a_scalar_that_is_declared_nonzero_is_not_zero(drawn_parameters):
    assert all(drawn_parameters(Prototype(damping=1), SIZES, seed, 1).damping != 0 for seed in range(500))


@PARAMETERS
@pytest.mark.parametrize("d", [1, 2])
def test_a_matrix_that_is_declared_invertible_has_full_rank(drawn_parameters, d):
    drawn = drawn_parameters(Prototype(metrics=[0]), Sizes(1, d), 0, depth=500)
    assert all(RationalBlock.lift(metric).matrix.rank() == d for metric in drawn.metrics)


@PARAMETERS
def test_entries_of_parameters_are_at_most_two(drawn_parameters):
    drawn = drawn_parameters(Prototype(rate=1, steps=[1], metrics=[0]), SIZES, 0, depth=50)
    assert max(abs(value) for value in entries([drawn.rate, drawn.steps, drawn.metrics])) <= 2


def test_exact_parameters_are_fractions_over_one_two_or_three():
    drawn = exact_parameters(Prototype(steps=[1], metrics=[0]), SIZES, 0, depth=50)
    held = set(entries([drawn.steps, drawn.metrics]))
    assert held == {Fraction(p, q) for q in (1, 2, 3) for p in range(-2 * q, 2 * q + 1)}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_matrices_have_the_dtype_asked_for(dtype):
    assert float_parameters(Prototype(weights=0), SIZES, 0, depth=1, dtype=dtype).weights.dtype == dtype


def test_float_scalars_are_held_by_every_float_dtype():
    steps = float_parameters(Prototype(steps=[1]), SIZES, 0, depth=100).steps
    assert all(float(np.float16(step)) == step for step in steps)


@PARAMETERS
def test_same_seed_gives_the_same_parameters(drawn_parameters):
    first, second = (drawn_parameters(Prototype(rate=1, steps=[1]), SIZES, 7, 3) for _ in range(2))
    assert first == second


@PARAMETERS
def test_an_invertible_parameter_that_is_not_square_is_refused(drawn_parameters):
    with pytest.raises(ValueError, match=r"F is declared invertible, .* \(3, 2\): pass equal d and n"):
        drawn_parameters(Prototype(frame=0), SIZES, 0, depth=1)


@PARAMETERS
def test_no_layers_are_refused(drawn_parameters):
    with pytest.raises(ValueError, match=r"depth = -1: the number of layers must be at least 0"):
        drawn_parameters(Prototype(steps=[1]), SIZES, 0, depth=-1)


@pytest.mark.parametrize(
    ("drawn_parameters", "drawn_prompt"),
    [(exact_parameters, rational_prompt), (float_parameters, float_prompt)],
    ids=["exact", "float"],
)
def test_a_construction_runs_with_what_is_drawn(drawn_parameters, drawn_prompt):
    construction = drawn_parameters(GradientDescent(step_sizes=[1], W_0=[[0]]), SIZES, 0, depth=3)
    assert forward(construction, drawn_prompt(0, *SIZES)).shape == (4, 1)


def test_drawn_parameters_can_be_lifted():
    prompt = rational_prompt(0, n=3, d=3).lifted()
    drawn = exact_parameters(Prototype(steps=[1], metrics=[0], frame=0), Sizes.of(prompt), 0, depth=2)
    assert lifted(drawn, RationalBlock, prompt).frame.entry.tolist() == RationalBlock.lift(drawn.frame).entry.tolist()


@pytest.mark.parametrize(("value", "verdict"), [(0, False), (0.5, True), ([[1, 2], [2, 4]], False), ([[1]], True)])
def test_invertible_says_so_of_scalars_and_matrices(value, verdict):
    assert is_invertible(value) is verdict


def test_a_float_matrix_is_singular_only_if_it_is_so_exactly():
    matrix = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]])
    assert is_invertible(matrix)


# Iterates.


class Inner(NamedTuple):
    a: Block
    b: Block


class Outer(NamedTuple):
    inner: Inner
    scale: Block


RATIONAL = RationalBlock.lift([[7, 7, 7], [7, 7, 7]])
FLOAT = FloatBlock.lift(np.full((2, 3), 7.0, dtype=np.float32))
BLOCKS = pytest.mark.parametrize(
    "block",
    [RATIONAL, FLOAT, RoundedBlock.lift(FLOAT.entry), BallBlock.lift([[7, 7, 7], [7, 7, 7]])],
    ids=lambda block: type(block).__name__,
)


@BLOCKS
def test_an_arbitrary_block_has_shape_and_kind_of_the_one_it_replaces(block):
    fresh = arbitrary_like(block, 0)
    assert (fresh.shape, type(fresh)) == (block.shape, type(block))


def test_an_arbitrary_rational_block_is_made_of_halves():
    drawn = set(arbitrary_like(RATIONAL.zeros(20, 20), 0).entry.ravel())
    assert drawn == {fmpq(p, 2) for p in range(-4, 5)}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_arbitrary_float_block_has_the_same_entries_in_every_dtype(dtype):
    fresh, wide = (arbitrary_like(FloatBlock.lift(np.zeros((20, 20), held)), 0) for held in (dtype, np.float64))
    assert np.array_equal(fresh.entry, wide.entry)


def test_a_rounded_block_starts_without_a_radius():
    fresh = arbitrary_like(RoundedBlock.lift(Rounded(FLOAT.entry, np.ones((2, 3)))), 0)
    assert np.array_equal(fresh.radius, np.zeros((2, 3)))


@pytest.mark.parametrize("kind", [FloatBlock, RoundedBlock])
def test_a_batch_is_drawn_matrix_by_matrix(kind):
    fresh = arbitrary_like(kind.lift(np.zeros((4, 2, 3), dtype=np.float32)), 0)
    value = fresh.entry.value if kind is RoundedBlock else fresh.entry
    assert len({matrix.tobytes() for matrix in value}) == 4


@pytest.mark.parametrize("batch", [(), (4,)])
def test_library_and_dtype_are_those_of_the_block(xp, batch):
    fresh = arbitrary_like(FloatBlock.lift(xp.zeros((*batch, 2, 3), dtype=xp.float32)), 0)
    assert (type(fresh.entry), fresh.entry.dtype) == (type(xp.zeros(1)), xp.float32)


@BLOCKS
def test_entries_of_an_arbitrary_block_are_at_most_two(block):
    fresh = arbitrary_like(block.zeros(20, 20), 0).entry
    assert all(abs(entry) <= 2 for entry in getattr(fresh, "value", fresh).ravel())


def test_a_scalar_of_an_iterate_is_a_block_of_one_row_and_column():
    assert arbitrary_like(RationalBlock.lift([[7]]), 0).shape == (1, 1)


def test_a_named_tuple_keeps_its_form():
    iterate = Outer(Inner(RATIONAL, RATIONAL.T), RationalBlock.lift([[7]]))
    fresh = arbitrary_like(iterate, 0)
    assert (type(fresh), type(fresh.inner)) == (Outer, Inner)
    assert [fresh.inner.a.shape, fresh.inner.b.shape, fresh.scale.shape] == [(2, 3), (3, 2), (1, 1)]


def test_a_zero_block_takes_the_kind_of_another_block():
    assert type(arbitrary_like(Inner(Zero(2, 3), RATIONAL), 0).a) is RationalBlock


def test_a_zero_block_takes_the_kind_asked_for():
    fresh = arbitrary_like(Zero(2, 3), 0, like=FLOAT)
    assert (fresh.shape, fresh.entry.dtype) == ((2, 3), np.float32)


def test_a_zero_block_of_unknown_kind_is_refused():
    with pytest.raises(TypeError, match=r"every block of the iterate is Zero, .* pass like="):
        arbitrary_like(Inner(Zero(2, 3), Zero(1, 1)), 0)


@pytest.mark.parametrize("iterate", [3, [RATIONAL], (RATIONAL, RATIONAL), Inner(RATIONAL, 3)])
@pytest.mark.parametrize("like", [None, RATIONAL], ids=["alone", "like"])
def test_an_iterate_of_another_form_is_refused(iterate, like):
    with pytest.raises(TypeError, match=r"an iterate must be a block or a named tuple of blocks"):
        arbitrary_like(iterate, 0, like)


def test_same_seed_gives_the_same_iterate():
    first, second = (arbitrary_like(Inner(RATIONAL, RATIONAL), 7) for _ in range(2))
    assert (first.a.matrix, first.b.matrix) == (second.a.matrix, second.b.matrix)

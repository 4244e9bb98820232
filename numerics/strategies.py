"""Strategies: what Hypothesis draws for property tests. Failures shrink to n = d = m = 1, one layer, entries 0, then 1.

Symbols: n context tokens, d features, m targets.

    @given(instances(GradientDescent(step_sizes=[1])))
    def test_prediction_is_a_column(instance):
        construction, prompt = instance
        assert forward(construction, prompt).shape == (len(prompt.Y), 1)
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from hypothesis.strategies import SearchStrategy

from constructions.parameters import Parameter
from constructions.prompt import Prompt
from numerics.instances import LARGEST, Matrix, Sizes, is_invertible, shape, with_parameters
from numerics.tasks import Array

Construction = TypeVar("Construction")

SMALLEST_FLOAT = 2.0**-10
"""The smallest magnitude of a float entry other than 0, so that products of a few of them do not underflow."""


def sizes(max_n: int = 4, max_d: int = 3, max_m: int = 2) -> SearchStrategy[Sizes]:
    """Sizes of a prompt, each from 1; n < d included."""
    return st.builds(Sizes, st.integers(1, max_n), st.integers(1, max_d), st.integers(1, max_m))


def rationals(largest: int = 3, max_denominator: int = 2) -> SearchStrategy[Fraction]:
    """Fractions p / q with |p| <= largest and 1 <= q <= max_denominator; shrinks to 0, then 1."""
    return st.builds(Fraction, st.integers(-largest, largest), st.integers(1, max_denominator))


def rational_matrices(
    rows: int, columns: int, entries: SearchStrategy[Fraction] | None = None
) -> SearchStrategy[Matrix]:
    """Nested lists of Fractions, one list per row."""
    entries = rationals() if entries is None else entries
    row = st.lists(entries, min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


def floats(dtype: Any = np.float64) -> SearchStrategy[float]:
    """Floats that the dtype holds: 0, or of magnitude from 2^-10 to 4; shrinks to 0, then 1."""
    width = _width(dtype)
    positive = st.floats(1.0, 4.0, width=width) | st.floats(SMALLEST_FLOAT, 1.0, width=width)
    return st.just(0.0) | positive | positive.map(lambda value: -value)


def float_matrices(rows: int, columns: int, dtype: Any = np.float64) -> SearchStrategy[Array]:
    """NumPy arrays of the dtype, (rows, columns)."""
    return st_numpy.arrays(np.dtype(dtype), (rows, columns), elements=floats(dtype))


@st.composite
def rational_prompts(draw: st.DrawFn, sizes: Sizes | SearchStrategy[Sizes] | None = None) -> Prompt:
    """Prompts of nested lists of Fractions.

    Args:
        sizes: the sizes, or a strategy for them; by default ``sizes()``.
    """
    n, d, m = draw(_sizes(sizes))
    return Prompt(draw(rational_matrices(d, n)), draw(rational_matrices(m, n)), draw(rational_matrices(d, 1)))


@st.composite
def float_prompts(
    draw: st.DrawFn, dtype: Any = np.float64, sizes: Sizes | SearchStrategy[Sizes] | None = None
) -> Prompt:
    """Prompts of NumPy arrays.

    Args:
        dtype: numpy.float16, numpy.float32 or numpy.float64.
        sizes: the sizes, or a strategy for them; by default ``sizes()``.
    """
    n, d, m = draw(_sizes(sizes))
    return Prompt(
        draw(float_matrices(d, n, dtype)),
        draw(float_matrices(m, n, dtype)),
        draw(float_matrices(d, 1, dtype)),
    )


@st.composite
def constructions(
    draw: st.DrawFn, prototype: Construction, sizes: Sizes, depth: int | SearchStrategy[int] = 1
) -> Construction:
    """Copies of a construction with every declared parameter drawn exactly: Fractions of magnitude at most 2.

    Args:
        prototype: a looped parameter stays looped, one that is None (zero) stays None.
        sizes: the sizes of the prompt.
        depth: the length of per-layer parameters, or a strategy for it.
    """
    layers = depth if isinstance(depth, int) else draw(depth)
    entries = rationals(LARGEST, 3)

    def value(declared: Parameter) -> Any:
        if not declared.is_matrix:
            return draw(entries.filter(bool) if declared.invertible else entries)
        matrices = rational_matrices(*shape(declared, sizes), entries)
        return draw(matrices.filter(is_invertible) if declared.invertible else matrices)

    return with_parameters(prototype, layers, value)


class Instance(NamedTuple):
    """A construction, and a prompt that it fits."""

    construction: Any
    prompt: Prompt


@st.composite
def instances(
    draw: st.DrawFn,
    prototype: Any,
    sizes: Sizes | SearchStrategy[Sizes] | None = None,
    depth: int | SearchStrategy[int] | None = None,
) -> Instance:
    """Exact instances of a construction: parameters and a prompt of Fractions.

    Args:
        prototype: see ``constructions``.
        sizes: the sizes, or a strategy for them; by default ``sizes()``.
        depth: the length of per-layer parameters, or a strategy for it; by default 1 to 3.
    """
    drawn = draw(_sizes(sizes))
    construction = draw(constructions(prototype, drawn, st.integers(1, 3) if depth is None else depth))
    return Instance(construction, draw(rational_prompts(drawn)))


def _sizes(given: Sizes | SearchStrategy[Sizes] | None) -> SearchStrategy[Sizes]:
    if given is None:
        return sizes()
    return st.just(given) if isinstance(given, Sizes) else given


def _width(dtype: Any) -> Any:
    held = np.dtype(dtype)
    if held not in (np.float16, np.float32, np.float64):
        raise TypeError(f"dtype {held} is refused: pass numpy.float16, numpy.float32 or numpy.float64")
    return 8 * held.itemsize

"""Strategies: what Hypothesis draws for property tests.

Failures shrink to n = d = m = 1 and one layer, entries to 0, then to 1.

    @given(instances(GradientDescent(step_sizes=[1])))
    def test_prediction_is_a_column(instance):
        construction, prompt = instance
        assert forward(construction, prompt).shape == (len(prompt.Y), 1)

Symbols: n context tokens, d features, m targets.
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
from numerics.instances import LARGEST, LARGEST_WIDTH, Matrix, Sizes, is_invertible, shape, with_parameters, with_widths
from numerics.tasks import Array

Construction = TypeVar("Construction")

SMALLEST_FLOAT = 2.0**-10
"""The smallest magnitude of a float entry other than 0: float32 holds products of several of them."""


def sizes(max_n: int = 4, max_d: int = 3, max_m: int = 2) -> SearchStrategy[Sizes]:
    """Sizes of a prompt, each from 1; n < d included."""
    return st.builds(Sizes, st.integers(1, max_n), st.integers(1, max_d), st.integers(1, max_m))


def rationals(largest: int = 3, max_denominator: int = 2) -> SearchStrategy[Fraction]:
    """Fractions p / q with |p| <= largest and 1 <= q <= max_denominator."""
    return st.builds(Fraction, st.integers(-largest, largest), st.integers(1, max_denominator))


SIZES = sizes()
ENTRIES = rationals()
PARAMETERS = rationals(LARGEST, 3)
DEPTHS = st.integers(1, 3)
WIDTHS = st.integers(1, LARGEST_WIDTH)


def rational_matrices(rows: int, columns: int, entries: SearchStrategy[Fraction] = ENTRIES) -> SearchStrategy[Matrix]:
    """Nested lists of Fractions, one list per row."""
    row = st.lists(entries, min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


def floats(dtype: Any = np.float64) -> SearchStrategy[float]:
    """Floats that the dtype (float16, float32 or float64) holds: 0, or of magnitude from 2^-10 to 4."""
    width = _width(dtype)
    positive = st.floats(1.0, 4.0, width=width) | st.floats(SMALLEST_FLOAT, 1.0, width=width)
    return st.just(0.0) | positive | positive.map(lambda value: -value)


def float_matrices(rows: int, columns: int, dtype: Any = np.float64) -> SearchStrategy[Array]:
    """NumPy arrays of the dtype, (rows, columns)."""
    return st_numpy.arrays(np.dtype(dtype), (rows, columns), elements=floats(dtype))


@st.composite
def rational_prompts(draw: st.DrawFn, sizes: Sizes | SearchStrategy[Sizes] = SIZES) -> Prompt:
    """Prompts of nested lists of Fractions, of given sizes or of sizes that are drawn."""
    n, d, m = _drawn(draw, sizes)
    return Prompt(draw(rational_matrices(d, n)), draw(rational_matrices(m, n)), draw(rational_matrices(d, 1)))


@st.composite
def float_prompts(draw: st.DrawFn, dtype: Any = np.float64, sizes: Sizes | SearchStrategy[Sizes] = SIZES) -> Prompt:
    """Prompts of NumPy arrays of the dtype, of given sizes or of sizes that are drawn."""
    n, d, m = _drawn(draw, sizes)
    X, Y = draw(float_matrices(d, n, dtype)), draw(float_matrices(m, n, dtype))
    return Prompt(X, Y, draw(float_matrices(d, 1, dtype)))


@st.composite
def constructions(
    draw: st.DrawFn, prototype: Construction, sizes: Sizes, depth: int | SearchStrategy[int] = DEPTHS
) -> Construction:
    """Copies of a construction with every declared parameter drawn from ``rationals(2, 3)``.

    Args:
        prototype: what is looped (``Repeated``) stays looped, what is None (zero) stays None.
        sizes: the sizes of the prompt.
        depth: the length of per-layer parameters, or a strategy for it.
    """

    held = with_widths(prototype, sizes, lambda: draw(WIDTHS))

    def value(declared: Parameter) -> Any:
        drawn: SearchStrategy[Any] = PARAMETERS
        if declared.is_matrix:
            drawn = rational_matrices(*shape(declared, held), PARAMETERS)
        return draw(drawn.filter(is_invertible) if declared.has_inverse else drawn)

    return with_parameters(prototype, _drawn(draw, depth), value)


class Instance(NamedTuple):
    """A construction, and a prompt that it fits."""

    construction: Any
    prompt: Prompt


@st.composite
def instances(
    draw: st.DrawFn,
    prototype: Any,
    sizes: Sizes | SearchStrategy[Sizes] = SIZES,
    depth: int | SearchStrategy[int] = DEPTHS,
) -> Instance:
    """Exact instances: a construction with parameters as in ``constructions``, and a prompt of Fractions."""
    held = _drawn(draw, sizes)
    return Instance(draw(constructions(prototype, held, depth)), draw(rational_prompts(held)))


def _drawn(draw: st.DrawFn, given: Any) -> Any:
    return draw(given) if isinstance(given, SearchStrategy) else given


def _width(dtype: Any) -> Any:
    held = np.dtype(dtype)
    if held not in (np.float16, np.float32, np.float64):
        raise TypeError(f"dtype {held} is refused: pass numpy.float16, numpy.float32 or numpy.float64")
    return 8 * held.itemsize

"""Operands for the tests of floats with a radius: drawn floats with radii, and exact rationals within them."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from numerics.balls import as_arb
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded, RoundedBlock

# The namespace that the fixture returns holds no state, so it may serve every example.
with_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
bits = pytest.mark.parametrize("bits", [32, 64])

ROUNDOFF = {16: Fraction(1, 2**11), 32: Fraction(1, 2**24), 64: Fraction(1, 2**53)}
SMALLEST_NORMAL = {16: Fraction(1, 2**14), 32: Fraction(1, 2**126), 64: Fraction(1, 2**1022)}

OPERATIONS = {
    "matmul": lambda a, b, c, s: a @ b,
    "product of three": lambda a, b, c, s: a @ b @ c,
    "sum": lambda a, b, c, s: a + c,
    "difference": lambda a, b, c, s: a - c,
    "entrywise product": lambda a, b, c, s: a.hadamard(c),
    "square": lambda a, b, c, s: a.square(),
    "multiple": lambda a, b, c, s: a.scale(s),
    "negative": lambda a, b, c, s: -a,
    "multiple by -1": lambda a, b, c, s: a.scale(-1),
    "relu": lambda a, b, c, s: a.relu(),
    "transpose": lambda a, b, c, s: a.T,
    "beside": lambda a, b, c, s: a.beside(c),
    "above": lambda a, b, c, s: a.above(c),
    "diagonal of a row": lambda a, b, c, s: (a.ones(1, 2) @ a).diagonal(),
    "diagonal of a column": lambda a, b, c, s: (a @ a.ones(3, 1)).diagonal(),
    "fill": lambda a, b, c, s: a.fill(2, 3, lambda i, j: s * (i - j)),
    "zeros": lambda a, b, c, s: a.zeros(2, 3),
    "gradient step": lambda a, b, c, s: a - ((a @ b - a.identity(2)) @ b.T).scale(s),
}
"""Every operation with an exact result: of a (2, 3), b (3, 2), c (2, 3) and a scalar."""

SHAPES = ((2, 3), (3, 2), (2, 3))


@dataclass(frozen=True)
class Operand:
    """A float matrix, its radius, and exact entries within it."""

    value: Any
    radius: Any
    exact: list


def floats(bits):
    """Any finite float, subnormal and huge ones included, but often a moderate one."""
    if bits == 16:
        patterns = st.integers(0, 2**16 - 1).map(lambda k: float(np.uint16(k).view(np.float16)))
        return st.integers(-2048, 2048).map(lambda k: k / 1024) | patterns.filter(math.isfinite)
    smallest, largest = (-1074, 1023) if bits == 64 else (-149, 127)
    cast = np.dtype(f"float{bits}").type
    scaled = st.builds(
        lambda mantissa, exponent: float(cast(math.ldexp(mantissa, exponent))),
        st.floats(-1, 1, width=bits),
        st.integers(smallest, largest),
    )
    return st.floats(-4, 4, width=bits) | scaled | st.floats(width=bits, allow_nan=False, allow_infinity=False)


# No zero: it would give Zero, which is no kind of number.
SCALARS = st.builds(
    lambda numerator, denominator, exponent: Fraction(numerator, denominator) * Fraction(2) ** exponent,
    st.integers(-99, 99).filter(bool),
    st.integers(1, 99),
    st.just(0) | st.integers(-160, 120),
)


RADII = st.floats(0, 1) | st.floats(0, 1e300)


@st.composite
def operands(draw, bits, rows, columns, entries=None, radii=RADII):
    """A matrix of drawn floats with drawn radii, and exact rationals drawn within them."""
    size = rows * columns
    values = draw(st.lists(floats(bits) if entries is None else entries, min_size=size, max_size=size))
    radii = draw(st.just([0.0] * size) | st.lists(radii, min_size=size, max_size=size))
    places = draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size))
    exact = [Fraction(v) + Fraction(r) * Fraction(p, 9) for v, r, p in zip(values, radii, places, strict=True)]
    return Operand(
        np.array(values, dtype=f"float{bits}").reshape(rows, columns),
        np.array(radii).reshape(rows, columns),
        [exact[i * columns : (i + 1) * columns] for i in range(rows)],
    )


def rounded(xp, operand):
    return RoundedBlock.lift(Rounded(xp.asarray(operand.value), xp.asarray(operand.radius)))


def plain(xp, operand):
    return FloatBlock.lift(xp.asarray(operand.value))


def exactly(operand):
    return RationalBlock.lift(operand.exact)


def on_host(array):
    return np.asarray(array.get() if hasattr(array, "get") else array)


def entries(block):
    """Triples (value, radius, place) of an unbatched block."""
    value, radius = on_host(block.value).astype(np.float64), on_host(block.radius)
    return [(float(value[place]), float(radius[place]), place) for place in np.ndindex(value.shape)]


def outside(block, exact):
    """The entries whose exact value is not within the radius, by Fractions."""
    return [
        (value, radius, exact[i][j])
        for value, radius, (i, j) in entries(block)
        if math.isfinite(radius) and abs(Fraction(value) - exact[i][j]) > Fraction(radius)
    ]


def fractions(block):
    """The entries of a rational block, as nested lists of Fractions."""
    return [[Fraction(int(q.p), int(q.q)) for q in row] for row in block.entry.tolist()]


def faults(blocks, drawn, scalar):
    """By operation, the entries whose exact value is not within the radius."""
    exact = [exactly(operand) for operand in drawn]
    found = {
        name: outside(operation(*blocks, scalar), fractions(operation(*exact, scalar)))
        for name, operation in OPERATIONS.items()
    }
    return {name: entries for name, entries in found.items() if entries}


def certainly_outside(block, balls):
    """The entries that lie further than their radius from the whole ball."""
    return [
        (value, radius, balls.entry[place])
        for value, radius, place in entries(block)
        if math.isfinite(radius) and abs(as_arb(value) - balls.entry[place]) > as_arb(radius)
    ]


def one(xp, number, bits=64):
    """A block with a single exact entry."""
    return RoundedBlock.lift(xp.asarray(np.array([[number]], dtype=f"float{bits}")))


def radius_of(block):
    return Fraction(float(on_host(block.radius)[0, 0]))


def has_same_bits(left, right):
    """Equal floats, signs of zeros included; a NaN equals a NaN."""
    left, right = on_host(left), on_host(right)
    numbers = ~np.isnan(left)
    return (
        left.dtype == right.dtype
        and np.array_equal(left, right, equal_nan=True)
        and np.array_equal(np.signbit(left[numbers]), np.signbit(right[numbers]))
    )

"""Floats with a radius: the float run itself, and a rigorous bound on its rounding error.

The value of a block is what ``FloatBlock`` computes, by the same calls. The radius, always float64, satisfies
|value - exact| <= radius in every entry, where exact is the real result from the exact (dyadic) inputs.

Assumed of the machine: for a dtype with unit roundoff u (2^-53 for float64) and smallest normal number t,
each of +, -, x returns (a' o b')(1 + delta) + e with |delta| <= u and |e| <= t, where a' is a or, if |a| < t,
perhaps 0. That is rounding to nearest, with subnormal numbers or with flushes of results or operands to zero.
Sums and matrix products may be taken in any order, with or without fused multiply-add, and accumulate in more
precision. Excluded are matrix products by Strassen's or other fast recursions, and products in a narrower or
emulated precision, such as float32 in TF32 or bfloat16 (on CUDA, leave ``CUPY_TF32`` unset). Nothing is
assumed of exp, softmax and the inverse: their errors are measured afterwards, those of the first two on the
host, in balls; hence no thread pool.

A NaN or an overflow makes the radius infinite, and an infinite radius decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj
from flint import arb

from constructions.block import Block, Entry
from constructions.comparison import Comparison, Verdict
from constructions.scalars import Scalar, exact
from numerics.balls import BallBlock, precision
from numerics.floats import FloatBlock, array_format, float_array, joined
from numerics.rationals import RationalBlock, as_fmpq, as_fraction

ROUNDOFF = 2.0**-53
"""u of float64, in which radii are computed."""

LEAST = 2.0**-1022
"""t of float64. Computed radii are 0 or at least this, so that no flush to zero removes one."""

BITS = 128
"""The precision of the balls that measure a float: their own width is far below a rounding of float64."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """A float array, and how far each entry may be from the exact result.

    Args:
        value: floats of 16, 32 or 64 bits, (..., rows, columns).
        radius: float64, of the same shape and library, >= 0; infinity says that nothing is known.
    """

    value: Any
    radius: Any


@final
class RoundedBlock(Block):
    """A float matrix, or a batch of them, with a bound on the error of every entry."""

    __slots__ = ("_floats", "_radius")

    def __init__(self, floats: FloatBlock, radius: Any) -> None:
        xp = floats.xp
        known = xp.logical_and(xp.isfinite(floats.entry), xp.isfinite(radius))
        self._floats = floats
        self._radius = xp.where(known, radius, xp.full_like(radius, xp.inf))

    @classmethod
    def lift(cls, entry: Entry) -> Self:
        """The entry with its radius: a ``Rounded`` pair, or an array of floats, which is exact (radius 0).

        Raises:
            TypeError: if the floats do not have 16, 32 or 64 bits, or the radius is not float64.
            ValueError: for NaN and infinite values, and for radii that are negative, NaN or of another shape.
        """
        value = float_array(entry.value if isinstance(entry, Rounded) else entry)
        xp = array_namespace(value)
        if str(value.dtype).rpartition(".")[2] not in ("float16", "float32", "float64"):
            raise TypeError(f"dtype {value.dtype} has no rounding bound: pass float16, float32 or float64")
        radius = entry.radius if isinstance(entry, Rounded) else xp.zeros_like(value, dtype=xp.float64)
        if not is_array_api_obj(radius) or array_namespace(radius) != xp or radius.dtype != xp.float64:
            came = f"{type(radius).__name__} of dtype {getattr(radius, 'dtype', None)}"
            raise TypeError(f"the radius must be a float64 array of the value's library, but {came} came")
        if radius.shape != value.shape:
            raise ValueError(f"the radius must have the value's shape {value.shape}, but {radius.shape} came")
        if not bool(xp.all(radius >= 0)):
            raise ValueError("every radius must be >= 0, but a negative one or NaN came")
        return cls(FloatBlock(value), radius)

    @property
    def xp(self) -> Any:
        """The array's namespace."""
        return self._floats.xp

    @property
    def value(self) -> Any:
        """What the float run computed."""
        return self._floats.entry

    @property
    def radius(self) -> Any:
        """How far the exact result may be, entry by entry; float64."""
        return self._radius

    @property
    def entry(self) -> Entry:
        return Rounded(self.value, self._radius)

    @property
    def shape(self) -> tuple[int, int]:
        return self._floats.shape

    @property
    def batch(self) -> tuple[int, ...]:
        return self._floats.batch

    @property
    def number_format(self) -> str:
        return f"{array_format(self.value)} with a radius"

    @property
    def T(self) -> Self:
        return type(self)(self._floats.T, self.xp.matrix_transpose(self._radius))

    def restarted(self) -> Self:
        return self._exactly(self._floats)

    def ones(self, rows: int, columns: int) -> Self:
        return self._exactly(self._floats.ones(rows, columns))

    def identity(self, size: int) -> Self:
        return self._exactly(self._floats.identity(size))

    @np.errstate(all="ignore")
    def fill(self, rows: int, columns: int, function: Callable[[int, int], Scalar]) -> Self:
        table = [[exact(function(i, j)) for j in range(columns)] for i in range(rows)]
        errors = [self._cast(scalar)[1] for row in table for scalar in row]
        return self._measured(self._floats.fill(rows, columns, lambda i, j: table[i][j]), errors)

    def relu(self) -> Self:
        return type(self)(self._floats.relu(), self._selected())  # relu is 1-Lipschitz

    @np.errstate(all="ignore")
    def diagonal(self) -> Self:
        floats, row = self._floats.diagonal(), self if self.rows == 1 else self.T
        eye = self.xp.eye(row.columns, dtype=self.xp.float64, device=device(self.value))
        # Off the diagonal the floats are 0 * entry, which is 0 or NaN.
        return type(self)(floats, self.xp.where(eye > 0, row._selected(), self.xp.zeros_like(eye)))

    @np.errstate(all="ignore")
    def exp(self) -> Self:
        floats = self._floats.exp()
        inputs = zip(_on_host(self.value).flat, _on_host(self._radius).flat, strict=True)
        with precision(BITS):
            return self._measured(
                floats, _distances(_on_host(floats.entry).flat, (_ball(v, r).exp() for v, r in inputs))
            )

    @np.errstate(all="ignore")
    def inverse(self) -> Self:
        # For R the floats and any A within the radius, let E = I - R A, e_i be the row sums of |E|, and
        # eps = max e_i < 1. Then R A = I - E is invertible, so A is, and A^-1 - R = sum_{k >= 1} E^k R. With
        # c_j = max_i |R_ij|, (|E|^k |R|)_ij <= e_i eps^(k-1) c_j, hence |A^-1 - R|_ij <= e_i c_j / (1 - eps).
        xp, floats, t = self.xp, self._floats.inverse(), self._least
        R = self._exactly(FloatBlock(xp.astype(floats.entry, xp.float64)))
        A = type(self)(FloatBlock(xp.astype(self.value, xp.float64)), _enlarged(self._radius + 2 * t, 1))
        E = R.identity(self.rows)._add(-R._matmul(A))
        e = _enlarged(xp.sum(E._size() + E._radius, axis=-1, keepdims=True), self.rows + 1)
        eps, c = xp.max(e, axis=-2, keepdims=True), xp.max(R._size(), axis=-2, keepdims=True)
        # e and c are normal, so that only their product can be flushed; 4 t covers that, and the cast to R.
        radius = _enlarged(e / (1 - eps) * c + 4 * t, 5)
        return type(self)(floats, xp.where(eps < 1, radius, xp.full_like(radius, xp.inf)))

    def __neg__(self) -> Self:
        return type(self)(FloatBlock((-self._floats).entry), self._radius)

    @np.errstate(all="ignore")
    def _matmul(self, other: Self) -> Self:
        floats = self._floats._matmul(other._floats)
        return self._multiplied(floats, self.xp.matmul, self.columns, other._size(), other._radius, other._least)

    @np.errstate(all="ignore")
    def _hadamard(self, other: Self) -> Self:
        floats = self._floats._hadamard(other._floats)
        return self._multiplied(floats, self.xp.multiply, 1, other._size(), other._radius, other._least)

    @np.errstate(all="ignore")
    def _scale(self, scalar: Scalar) -> Self:
        floats = self._floats._scale(scalar)
        if scalar in (0, -1):
            return self._exactly(floats) if scalar == 0 else -self
        cast, error = self._cast(scalar)
        return self._multiplied(floats, self.xp.multiply, 1, abs(cast) + self._least, error, self._least)

    def _multiplied(self, floats: FloatBlock, product: Any, n: int, size: Any, radius: Any, least: float) -> Self:
        """The floats, sums of n products of this block's entries with entries of that size and radius.

        For exact A = a + alpha, B = b + beta, and g = n u / (1 - n u): the rounded sum of products is within
        g |a'||b'| of a' b' in any order, |a' - a| and |b' - b| are at most t, and at most 4 n further flushes
        (one per product, three per sum) are each enlarged by no more than 1 + g = 1 / (1 - n u). Together,

            |floats - A B| <= |a| (g |b| + rb + t) + (ra + t) (|b| + rb) + 4 n t / (1 - n u).
        """
        u, t = self._roundoff(floats), max(self._least, least)
        if n * u >= 1:
            return type(self)(floats, self.xp.full_like(floats.entry, math.inf, dtype=self.xp.float64))
        # Flushes in float64 take less than 4 LEAST from a factor. All factors are then normal, and what is
        # flushed from the products is less than 16 n LEAST.
        pad, g = t + 4 * LEAST, n * u / (1 - n * u)
        bound = product(self._size(), g * size + radius + pad)
        bound = bound + product(self._radius + pad, size + radius + pad)
        # Roundings on a path: 6 in the factors, n in a product, 2 in the sums.
        return type(self)(floats, _enlarged(bound + (5 * n * t + 20 * n * LEAST) / (1 - n * u), n + 8))

    @np.errstate(all="ignore")
    def _add(self, other: Self) -> Self:
        # For operands a', b' and their rounded sum v, |v - a' - b'| <= u (|v| + t) / (1 - u) + t; flushes of
        # operands add 2 t. Flushes in float64 take less than 12 LEAST from the bound.
        floats = self._floats._add(other._floats)
        u, t = self._roundoff(floats), max(self._least, other._least)
        rounding = u / (1 - u) * self.xp.abs(self.xp.astype(floats.entry, self.xp.float64))
        flushes = 4 * t + 12 * LEAST
        return type(self)(floats, _enlarged(self._radius + other._radius + rounding + flushes, 4))

    def _beside(self, others: Sequence[Self]) -> Self:
        floats = self._floats._beside([block._floats for block in others])
        return type(self)(floats, joined(self.xp, [self._radius, *(block._radius for block in others)]))

    @np.errstate(all="ignore")
    def _softmax(self, others: Sequence[Self], patterns: Sequence[Block | None]) -> tuple[Block, ...]:
        blocks: list[Self] = [self, *others]
        xp = self.xp
        held = [None if pattern is None else self._same_kind(pattern) for pattern in patterns]
        if any(pattern is not None and bool(xp.any(pattern.radius > 0)) for pattern in held):
            raise ValueError("a pattern must be exact (radius 0), so that it is certain which keys count")
        bare = [None if pattern is None else pattern._floats for pattern in held]
        results = self._floats._softmax([block._floats for block in others], bare)
        # Below, a row holds the scores of one query, over the keys of all blocks.
        scores = self.T._beside([block.T for block in others])
        allowed = [xp.ones_like(b.value) if p is None else p.value for b, p in zip(blocks, held, strict=True)]
        outcome = joined(xp, [result.T.entry for result in results])
        arrays = (scores.value, scores._radius, joined(xp, [xp.matrix_transpose(array) for array in allowed]))
        tables = [np.broadcast_to(_on_host(array), outcome.shape) for array in (*arrays, outcome)]
        rows = zip(*(table.reshape(-1, outcome.shape[-1]).tolist() for table in tables), strict=True)
        with precision(BITS):
            errors = [_distances(y, _softmax_balls(v, r, a)) for v, r, a, y in rows]
        radius = xp.matrix_transpose(self._measured(FloatBlock(outcome), errors)._radius)
        ends = np.cumsum([0, *(block.rows for block in blocks)]).tolist()
        return tuple(
            type(self)(FloatBlock(result.entry), radius[..., start:end, :])
            for result, start, end in zip(results, ends[:-1], ends[1:], strict=True)
        )

    @np.errstate(all="ignore")
    def _compare(self, other: Self) -> Comparison:
        """DIFFERENT if two enclosures are surely disjoint, else UNDECIDED if one is infinite, else EQUAL."""
        xp, t = self.xp, max(self._least, other._least)
        a, b = xp.astype(self.value, xp.float64), xp.astype(other.value, xp.float64)
        # Flushes take at most 2 t (casts) and less than 16 LEAST; the gap's two roundings are within 4 u.
        flushes = 2 * t + 16 * LEAST
        gap, bound = xp.abs(a - b), _enlarged(self._radius + other._radius + flushes, 3)
        known = xp.logical_and(xp.isfinite(a - a + b), xp.isfinite(bound))
        excess = xp.where(known, gap * (1 - 4 * ROUNDOFF) - bound, xp.full_like(gap, -xp.inf))
        if bool(xp.any(excess > 0)):
            verdict, score = Verdict.DIFFERENT, excess
        elif not bool(xp.all(known)):
            verdict, score = Verdict.UNDECIDED, xp.where(known, xp.zeros_like(gap), xp.ones_like(gap))
        else:
            verdict, score, bound = Verdict.EQUAL, gap, xp.max(bound)
        place = int(xp.argmax(xp.reshape(score, (-1,))))
        return Comparison(
            verdict,
            *(float(xp.reshape(xp.broadcast_to(x, gap.shape), (-1,))[place]) for x in (gap, bound, a, b)),
        )

    def __repr__(self) -> str:
        return f"RoundedBlock({self.value!r}, radius={self._radius!r})"

    @property
    def _least(self) -> float:
        """t of the value's dtype."""
        return float(self.xp.finfo(self.value.dtype).smallest_normal)

    def _roundoff(self, floats: FloatBlock) -> float:
        """u of the floats' dtype."""
        return float(self.xp.finfo(floats.entry.dtype).eps) / 2

    def _size(self) -> Any:
        """|value| + t, in float64: no less than |value| even if the cast flushes, and normal."""
        return self.xp.abs(self.xp.astype(self.value, self.xp.float64)) + self._least

    def _selected(self) -> Any:
        """The radius once values were selected, not computed: one below t may have been taken for 0."""
        size, t = self._size(), self._least
        return self.xp.where(size < 2 * t, _enlarged(self._radius + (t + 2 * LEAST), 2), self._radius)

    def _exactly(self, floats: FloatBlock) -> Self:
        return type(self)(floats, self.xp.zeros_like(floats.entry, dtype=self.xp.float64))

    def _measured(self, floats: FloatBlock, errors: Any) -> Self:
        """The floats with radii that were computed on the host, in any nesting."""
        radius = np.asarray(errors, dtype=np.float64).reshape((*floats.batch, *floats.shape))
        return type(self)(floats, self.xp.asarray(radius, device=device(self.value)))

    def _cast(self, scalar: Scalar) -> tuple[float, float]:
        """The float of the value's dtype that stands for the scalar, and its exact error, rounded up."""
        cast = float(np.dtype(f"float{self.xp.finfo(self.value.dtype).bits}").type(float(scalar)))
        error = math.inf if not math.isfinite(cast) else _above(arb(abs(as_fmpq(scalar) - as_fmpq(cast))))
        return cast, error


def contains(block: RoundedBlock, exact: RationalBlock | BallBlock) -> Comparison:
    """Whether every exact entry lies within its value +- radius, decided exactly; of a ball, some part of it.

    EQUAL if all do, DIFFERENT if one does not, else UNDECIDED if a radius is infinite. ``gap`` is the largest error, a
    Fraction or a ball (of those that exceed their radius, if any), and ``bound`` the radius there.

    Raises:
        ValueError: for a batch, or shapes that differ.
    """
    shape = (*block.batch, *block.shape)
    if shape != exact.shape:
        raise ValueError(f"one matrix of shape {exact.shape} is required, but shape {shape} came")
    values, radii = _on_host(block.value), _on_host(block.radius)
    entries: list[Any] = exact.matrix.entries()
    triples = zip(values.flat, radii.flat, entries, strict=True)
    known = [(abs(as_fmpq(v) - x), float(r), float(v), x) for v, r, x in triples if math.isfinite(r)]
    outside = [each for each in known if each[0] > as_fmpq(each[1])]
    if not outside and len(known) < len(entries):
        return Comparison(Verdict.UNDECIDED)
    error, radius, value, entry = max(outside or known, key=lambda each: each[0])
    verdict = Verdict.DIFFERENT if outside else Verdict.EQUAL
    if isinstance(exact, RationalBlock):
        error, entry = as_fraction(error), as_fraction(entry)
    return Comparison(verdict, error, radius, value, entry)


def _enlarged(bound: Any, roundings: int) -> Any:
    """No less than the exact value of a bound computed in float64, with so many roundings on any path to it.

    Sums and products of nonnegative numbers lose at most a factor (1 - u)^q, q counting this last product's
    rounding too, and (1 - u)^-q <= 1 + 2 q u if q u <= 1/2. What is flushed is the caller's to add.
    """
    return bound * (1 + 2 * (roundings + 1) * ROUNDOFF)


def _on_host(array: Any) -> Any:
    """The array in NumPy, as float64, which holds every narrower float exactly."""
    return np.asarray(array.get() if hasattr(array, "get") else array).astype(np.float64)


def _ball(value: float, radius: float = 0.0) -> arb:
    return arb(float(value), float(radius)) if math.isfinite(value + radius) else arb.nan()


def _above(ball: arb) -> float:
    """The largest magnitude in the ball, rounded up to a normal float64; 0 only for an exact 0."""
    if not ball.is_finite():
        return math.inf
    upper = ball.abs_upper()
    nearest = float(upper)
    above = nearest if arb(nearest) >= upper else math.nextafter(nearest, math.inf)
    return max(above, LEAST) if upper > 0 else 0.0


def _distances(floats: Iterable[float], balls: Iterable[arb]) -> list[float]:
    return [_above(_ball(value) - ball) for value, ball in zip(floats, balls, strict=True)]


def _softmax_balls(values: Sequence[float], radii: Sequence[float], allowed: Sequence[float]) -> list[arb]:
    """exp(v_i) / sum_k exp(v_k) over the allowed keys, 0 for the others; shifted, so that no exp is huge."""
    top = _ball(max((v for v, a in zip(values, allowed, strict=True) if a > 0), default=0.0))
    raised = [(_ball(v, r) - top).exp() if a > 0 else arb(0) for v, r, a in zip(values, radii, allowed, strict=True)]
    total = sum(raised, start=arb(0))
    return [ball / total for ball in raised]

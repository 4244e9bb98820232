"""Instances: prompts, parameters and iterates drawn at random, exact (rationals) or float.

Symbols: n context tokens, d features, m targets. Entries are small, with small denominators, so that what a
deep network makes of them stays readable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import array_api_compat
import numpy as np

from constructions.block import Block, Zero
from constructions.parameters import Parameter, PerLayer, Repeated, Unspecified, parameters, widths
from constructions.prompt import Prompt
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded
from numerics.tasks import Randomness, generator

Construction = TypeVar("Construction")
Drawn = TypeVar("Drawn")
Matrix = list[list[Fraction]]

LARGEST = 2
"""The largest magnitude of an entry of a parameter or of an iterate."""

LARGEST_WIDTH = 3
"""The largest width, of those that parameters decide themselves."""

DYADIC = 64
"""The denominator of exact entries in kinds that round: every float dtype holds k / 64 up to magnitude 2."""


class Sizes(NamedTuple):
    """The sizes of a prompt: n context tokens, d features, m targets."""

    n: int
    d: int
    m: int = 1

    def meant_for(self, construction: Any) -> Sizes:
        """These sizes, but for those for which alone the construction is meant."""
        d, m = construction.dimension, construction.targets
        return Sizes(self.n, d if isinstance(d, int) else self.d, m if isinstance(m, int) else self.m)

    @classmethod
    def of(cls, prompt: Prompt) -> Sizes:
        """The sizes of a prompt, of raw entries or of blocks."""
        held = prompt.lifted()
        return cls(held.n, held.d, held.m)


def rational_prompt(
    rng: Randomness,
    n: int,
    d: int,
    m: int = 1,
    extras: Mapping[str, tuple[int | str, int | str]] | None = None,
) -> Prompt:
    """A prompt of nested lists of Fractions: integers in [-3, 3] over 1 or 2, no matrix all zero.

    Args:
        rng: a generator, or a seed.
        n, d, m: the sizes; those of a ``Sizes`` with ``rational_prompt(rng, *sizes)``.
        extras: further data to draw, name -> (rows, columns), each an int or a size's name: {"w": ("d", 1)}.
    """
    rng, sizes = generator(rng), Sizes(n, d, m)

    def matrix(rows: int, columns: int) -> Matrix:
        def entry() -> Fraction:
            return Fraction(int(rng.integers(-3, 4)), int(rng.integers(1, 3)))

        return until(lambda: [[entry() for _ in range(columns)] for _ in range(rows)], _is_nonzero)

    shapes = {name: [_size(size, sizes) for size in shape] for name, shape in (extras or {}).items()}
    X, Y, x_query = matrix(d, n), matrix(m, n), matrix(d, 1)
    return Prompt(X, Y, x_query, tuple((name, matrix(*shape)) for name, shape in shapes.items()))


def float_prompt(
    rng: Randomness,
    n: int,
    d: int,
    m: int = 1,
    dtype: Any = np.float64,
    batch: tuple[int, ...] = (),
    extras: Mapping[str, tuple[int | str, int | str]] | None = None,
) -> Prompt:
    """A prompt of NumPy arrays of the dtype, entries drawn from U(-3, 3); X is (*batch, d, n) and so on.

    The extras are those of ``rational_prompt``.
    """
    rng, sizes = generator(rng), Sizes(n, d, m)
    further = [tuple(_size(size, sizes) for size in shape) for shape in (extras or {}).values()]
    shapes = [(d, n), (m, n), (d, 1), *further]
    X, Y, x_query, *others = (rng.uniform(-3, 3, (*batch, *shape)).astype(dtype) for shape in shapes)
    return Prompt(X, Y, x_query, tuple(zip(extras or {}, others, strict=True)))


def extra_shapes(construction: Any, sizes: Sizes, rng: Randomness) -> dict[str, tuple[int, int]]:
    """The shapes of the further data of a construction; a size that is none of the prompt's is drawn from 1 to 4."""
    rng, drawn = generator(rng), dict[str, int]()

    def size(name: int | str) -> int:
        if isinstance(name, int) or name in Sizes._fields:
            return _size(name, sizes)
        return drawn.setdefault(name, int(rng.integers(1, 5)))

    return {name: (size(rows), size(columns)) for name, (rows, columns) in construction.extras.items()}


def exact_parameters(construction: Construction, sizes: Sizes, rng: Randomness, depth: int) -> Construction:
    """The construction with every declared parameter redrawn: Fractions from [-2, 2] over 1, 2 or 3.

    Args:
        construction: a prototype; what is looped (``Repeated``) stays looped, what is None (zero) stays None.
        sizes: the sizes of the prompt.
        rng: a generator, or a seed.
        depth: the length of per-layer parameters, >= 0; a second number of layers is one more, and so on.

    Returns:
        A copy: scalars are Fractions, matrices nested lists of Fractions, per-layer parameters tuples of
        them. What is declared invertible (or nonzero) is so, exactly.
    """
    rng = generator(rng)
    held = with_widths(construction, sizes, lambda: int(rng.integers(1, LARGEST_WIDTH + 1)))

    def entry() -> Fraction:
        return _over(int(rng.integers(1, 4)), rng)

    def value(declared: Parameter) -> Any:
        accepted = is_invertible if declared.has_inverse else _is_anything
        if not declared.is_matrix:
            return until(entry, accepted)
        rows, columns = shape(declared, held)
        return until(lambda: [[entry() for _ in range(columns)] for _ in range(rows)], accepted)

    return with_parameters(construction, depth, value)


def float_parameters(
    construction: Construction, sizes: Sizes, rng: Randomness, depth: int, dtype: Any = np.float64
) -> Construction:
    """The construction with every declared parameter redrawn as floats; otherwise like ``exact_parameters``.

    Matrices are NumPy arrays of the dtype, entries from U(-2, 2). Scalars are Python floats k / 64, which
    every float dtype holds exactly.
    """
    rng = generator(rng)
    held = with_widths(construction, sizes, lambda: int(rng.integers(1, LARGEST_WIDTH + 1)))

    def value(declared: Parameter) -> Any:
        accepted = is_invertible if declared.has_inverse else _is_anything
        if not declared.is_matrix:
            return until(lambda: float(_over(DYADIC, rng)), accepted)
        rows_columns = shape(declared, held)
        return until(lambda: rng.uniform(-LARGEST, LARGEST, rows_columns).astype(dtype), accepted)

    return with_parameters(construction, depth, value)


def with_parameters(construction: Construction, depth: int, value: Callable[[Parameter], Any]) -> Construction:
    """The construction with every declared parameter that is not None replaced.

    Args:
        construction: a prototype; what is looped stays looped, what is None stays None, layer by layer too.
        depth: the length of per-layer parameters, >= 0; of those with another depth symbol one more, and so on.
        value: from a declaration to a value; asked once per layer, or once for what is looped.
    """
    if depth < 0:
        raise ValueError(f"depth = {depth}: the number of layers must be at least 0")
    values: dict[str, Any] = {}
    counts = 0
    depths: dict[str, int] = {}
    for name, declared in parameters(construction).items():
        held = getattr(construction, name)
        if held is None:
            continue
        if declared.counts_layers:
            values[name], counts = depth + counts, counts + 1
        elif not declared.per_layer:
            values[name] = value(declared)
        else:
            layers = depths.setdefault(declared.depth_symbol, depth + len(depths))
            values[name] = (
                Repeated(None if held.value is None else value(declared), layers)
                if isinstance(held, Repeated)
                else tuple(None if _is_none(held, l) else value(declared) for l in range(layers))
            )
    return replace(construction, **values)  # type: ignore[type-var]  # a construction is a dataclass


def with_widths(construction: Any, sizes: Sizes, draw: Callable[[], int]) -> Any:
    """The sizes, by name, together with a width drawn for each that the construction's parameters decide themselves."""
    return SimpleNamespace(**sizes._asdict(), **{name: draw() for name in widths(construction)})


def shape(declared: Parameter, sizes: Any) -> tuple[int, int]:
    """The shape of a matrix parameter; ValueError if it is declared invertible but not square."""
    rows, columns = declared.shape(sizes)
    if declared.has_inverse and rows != columns:
        raise ValueError(
            f"{declared.symbol} is declared invertible, but {sizes} give it the shape ({rows}, {columns}): "
            f"pass equal {declared.rows} and {declared.columns}"
        )
    return rows, columns


def is_invertible(value: Any) -> bool:
    """Whether a scalar is not zero, or a square matrix of rationals or floats invertible, decided exactly."""
    if isinstance(value, (int, float, Fraction)):
        return value != 0
    return bool(RationalBlock.lift(value).matrix.det() != 0)


def until(draw: Callable[[], Drawn], accepted: Callable[[Drawn], bool]) -> Drawn:
    """What is drawn, redrawn until it is accepted."""
    while not accepted(drawn := draw()):
        pass
    return drawn


def arbitrary_like(iterate: Any, rng: Randomness, like: Block | None = None) -> Any:
    """A fresh iterate of the same form: every block redrawn in its shape, batch and kind, entries in [-2, 2].

    Entries are k / 2 in rationals, and k / 64, which is exact, in kinds that round. What the iterates of an
    algorithm satisfy (being symmetric, say) is not kept.

    Args:
        iterate: a block, or a named tuple of blocks, nested ones too.
        rng: a generator, or a seed.
        like: a block of the kind that ``Zero`` is replaced by; by default another block of the iterate.
    """
    rng, held = generator(rng), _blocks(iterate)
    if like is None or isinstance(like, Zero):
        like = next((block for block in held if not isinstance(block, Zero)), None)
    return _redrawn(iterate, rng, like)


def _redrawn(iterate: Any, rng: np.random.Generator, like: Block | None) -> Any:
    if isinstance(iterate, tuple):
        return type(iterate)(*(_redrawn(part, rng, like) for part in iterate))
    kind = like if isinstance(iterate, Zero) else iterate
    if kind is None:
        raise TypeError("every block of the iterate is Zero, so its kind of number is unknown: pass like=")
    if iterate.batch:
        return _batch(iterate, rng)
    rows, columns = iterate.shape
    denominator = 2 if isinstance(kind, RationalBlock) else DYADIC
    return kind.fill(rows, columns, lambda i, j: _over(denominator, rng))


def _batch(block: Block, rng: np.random.Generator) -> Block:
    """A fresh batch of matrices, of the library, dtype and device of the block's array."""
    held = block.entry.value if isinstance(block.entry, Rounded) else block.entry
    xp = array_api_compat.array_namespace(held)
    drawn = rng.integers(-DYADIC * LARGEST, DYADIC * LARGEST + 1, held.shape) / DYADIC
    return type(block).lift(xp.asarray(drawn, dtype=held.dtype, device=array_api_compat.device(held)))


def _blocks(iterate: Any) -> list[Block]:
    if isinstance(iterate, Block):
        return [iterate]
    if isinstance(iterate, tuple) and hasattr(iterate, "_fields"):
        return [block for part in iterate for block in _blocks(part)]
    raise TypeError(f"an iterate must be a block or a named tuple of blocks, but {iterate!r} came")


def _over(denominator: int, rng: np.random.Generator) -> Fraction:
    """A Fraction from [-2, 2] with that denominator, before it is cancelled."""
    return Fraction(int(rng.integers(-LARGEST * denominator, LARGEST * denominator + 1)), denominator)


def _size(size: int | str, sizes: Sizes) -> int:
    if isinstance(size, int):
        return size
    if size not in Sizes._fields:
        raise ValueError(f"{size!r} is no size of a prompt: pass an int or one of {', '.join(Sizes._fields)}")
    return int(getattr(sizes, size))


def _is_none(held: Any, l: int) -> bool:
    return not isinstance(held, (PerLayer, Unspecified)) and l < len(held) and held[l] is None


def _is_nonzero(matrix: Matrix) -> bool:
    return any(value != 0 for row in matrix for value in row)


def _is_anything(_: Any) -> bool:
    return True

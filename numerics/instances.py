"""Instances: prompts, parameters and iterates drawn at random, exact (rationals) or float.

Symbols: n context tokens, d features, m targets. Prompts have entries of magnitude at most 3, parameters and iterates at
most 2, with small denominators, so that what a deep network makes of them stays readable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import array_api_compat
import numpy as np

from constructions.block import Block, Zero
from constructions.parameters import Parameter, PerLayer, Repeated, Unspecified, parameters
from constructions.prompt import Prompt
from numerics.rationals import RationalBlock
from numerics.tasks import Array, Randomness, generator

Instance = TypeVar("Instance")
Matrix = list[list[Fraction]]

LARGEST = 2
"""The largest magnitude of an entry of a parameter or of an iterate."""


class Sizes(NamedTuple):
    """The sizes of a prompt: n context tokens, d features, m targets."""

    n: int
    d: int
    m: int = 1

    @classmethod
    def of(cls, prompt: Prompt) -> Sizes:
        """The sizes of a prompt, of raw entries or of blocks."""
        held = prompt.lifted()
        return cls(held.n, held.d, held.m)


# Prompts.


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
        n, d, m: the sizes; all of a ``Sizes`` at once with ``rational_prompt(rng, *sizes)``.
        extras: further data to draw, name -> (rows, columns), each an int or the name of a size: {"w": ("d", 1)}.
    """
    rng, sizes = generator(rng), Sizes(n, d, m)
    shapes = {
        name: (_size(rows, sizes), _size(columns, sizes)) for name, (rows, columns) in (extras or {}).items()
    }
    return Prompt(
        _nonzero_matrix(rng, d, n),
        _nonzero_matrix(rng, m, n),
        _nonzero_matrix(rng, d, 1),
        tuple((name, _nonzero_matrix(rng, rows, columns)) for name, (rows, columns) in shapes.items()),
    )


def float_prompt(
    rng: Randomness, n: int, d: int, m: int = 1, dtype: Any = np.float64, batch: tuple[int, ...] = ()
) -> Prompt:
    """A prompt of NumPy arrays of the dtype, entries drawn from U(-3, 3): X (*batch, d, n) and so on."""
    rng = generator(rng)
    shapes = [(*batch, d, n), (*batch, m, n), (*batch, d, 1)]
    return Prompt(*(rng.uniform(-3, 3, shape).astype(dtype) for shape in shapes))


def _size(size: int | str, sizes: Sizes) -> int:
    if isinstance(size, int):
        return size
    if size not in Sizes._fields:
        raise ValueError(
            f"{size!r} is no size of a prompt: a size is an int or one of {', '.join(Sizes._fields)}"
        )
    return int(getattr(sizes, size))


def _nonzero_matrix(rng: np.random.Generator, rows: int, columns: int) -> Matrix:
    while True:
        matrix = [
            [Fraction(int(rng.integers(-3, 4)), int(rng.integers(1, 3))) for _ in range(columns)]
            for _ in range(rows)
        ]
        if any(value for row in matrix for value in row):
            return matrix


# Parameters.


def exact_parameters(construction: Instance, sizes: Sizes, rng: Randomness, depth: int) -> Instance:
    """The construction with every declared parameter redrawn: Fractions of magnitude at most 2 over 1, 2 or 3.

    Args:
        construction: a prototype: a looped parameter (``Repeated``) stays looped, one that is None (zero) stays None.
        sizes: the sizes of the prompt.
        rng: a generator, or a seed.
        depth: the length of per-layer parameters, >= 1.

    Returns:
        A copy: scalars are Fractions, matrices nested lists of Fractions, per-layer parameters tuples of them. What is
        declared invertible is invertible, exactly.
    """
    rng = generator(rng)

    def fraction() -> Fraction:
        q = int(rng.integers(1, 4))
        return Fraction(int(rng.integers(-LARGEST * q, LARGEST * q + 1)), q)

    def value(declared: Parameter) -> Any:
        if not declared.is_matrix:
            return until(fraction, bool if declared.invertible else _is_anything)
        rows, columns = shape(declared, sizes)
        return until(
            lambda: [[fraction() for _ in range(columns)] for _ in range(rows)],
            is_invertible if declared.invertible else _is_anything,
        )

    return with_parameters(construction, depth, value)


def float_parameters(
    construction: Instance, sizes: Sizes, rng: Randomness, depth: int, dtype: Any = np.float64
) -> Instance:
    """The construction with every declared parameter redrawn as floats; otherwise like ``exact_parameters``.

    Matrices are NumPy arrays of the dtype, entries from U(-2, 2); scalars are Python floats k / 64, which every float
    dtype holds exactly.
    """
    rng = generator(rng)

    def value(declared: Parameter) -> Any:
        if not declared.is_matrix:
            return until(lambda: float(_dyadic(rng)), bool if declared.invertible else _is_anything)
        held = shape(declared, sizes)
        return until(
            lambda: rng.uniform(-LARGEST, LARGEST, held).astype(dtype),
            is_invertible if declared.invertible else _is_anything,
        )

    return with_parameters(construction, depth, value)


def with_parameters(construction: Instance, depth: int, value: Callable[[Parameter], Any]) -> Instance:
    """The construction with every declared parameter that is not None replaced by what ``value`` makes of its declaration.

    Args:
        construction: a prototype: a looped parameter stays looped, one that is None stays None, layer by layer too.
        depth: the length of per-layer parameters, >= 1.
        value: from the declaration to a value; called once for each layer of a per-layer parameter.
    """
    if depth < 1:
        raise ValueError(f"depth = {depth}: at least one layer is required")
    values: dict[str, Any] = {}
    for name, declared in parameters(construction).items():
        held = getattr(construction, name)
        if held is None:
            continue
        if not declared.per_layer:
            values[name] = value(declared)
        elif isinstance(held, Repeated):
            values[name] = Repeated(None if held.value is None else value(declared), depth)
        else:
            values[name] = tuple(None if _is_none(held, l) else value(declared) for l in range(depth))
    return replace(construction, **values)  # type: ignore[type-var]  # a construction is a dataclass


def shape(declared: Parameter, sizes: Sizes) -> tuple[int, int]:
    """The shape of a matrix parameter, square if it is declared invertible."""
    rows, columns = declared.shape(sizes)  # type: ignore[arg-type]  # the sizes are all that it reads of a prompt
    if declared.invertible and rows != columns:
        raise ValueError(
            f"{declared.symbol} is declared invertible, but with {sizes} it has shape ({rows}, {columns}): draw sizes "
            "that make it square"
        )
    return rows, columns


def is_invertible(matrix: Sequence[Sequence[Any]] | Array) -> bool:
    """Whether a square matrix of rationals or floats is invertible, decided exactly."""
    return bool(RationalBlock.lift(matrix).matrix.det() != 0)


def until(draw: Callable[[], Any], accepted: Callable[[Any], bool]) -> Any:
    """What is drawn, redrawn until it is accepted."""
    while not accepted(drawn := draw()):
        pass
    return drawn


def _is_anything(_: Any) -> bool:
    return True


def _is_none(held: Any, l: int) -> bool:
    return not isinstance(held, (PerLayer, Unspecified)) and l < len(held) and held[l] is None


def _dyadic(rng: np.random.Generator) -> Fraction:
    return Fraction(int(rng.integers(-64 * LARGEST, 64 * LARGEST + 1)), 64)


# Iterates.


def arbitrary_like(iterate: Any, rng: Randomness, like: Block | None = None) -> Any:
    """A fresh iterate of the same form: every block redrawn in its shape and kind, entries of magnitude at most 2.

    Entries are k / 2 in rationals, and k / 64 in the kinds that round, which hold them exactly. A relation that the
    iterates of an algorithm satisfy (symmetric, say) is not kept.

    Args:
        iterate: a block, or a named tuple of blocks (nested ones too).
        rng: a generator, or a seed.
        like: a block of the kind that ``Zero`` is replaced by; by default any other block of the iterate.
    """
    rng = generator(rng)
    if like is None or isinstance(like, Zero):
        like = next((block for block in _blocks(iterate) if not isinstance(block, Zero)), None)
    return _redrawn(iterate, rng, like)


def _redrawn(iterate: Any, rng: np.random.Generator, like: Block | None) -> Any:
    if isinstance(iterate, tuple) and hasattr(iterate, "_fields"):
        return type(iterate)(*(_redrawn(part, rng, like) for part in iterate))
    kind = like if isinstance(iterate, Zero) else iterate
    if kind is None:
        raise TypeError("every block of the iterate is Zero, so its kind of number is unknown: pass like=")
    rows, columns = iterate.shape
    if isinstance(kind, RationalBlock):
        return kind.fill(
            rows, columns, lambda i, j: Fraction(int(rng.integers(-2 * LARGEST, 2 * LARGEST + 1)), 2)
        )
    if not iterate.batch:
        return kind.fill(rows, columns, lambda i, j: _dyadic(rng))
    return _batch(iterate, rng)


def _batch(block: Block, rng: np.random.Generator) -> Block:
    """A fresh batch of matrices, of the library, dtype and device of the block's values."""
    held = block.restarted().entry
    held = getattr(held, "value", held)
    xp = array_api_compat.array_namespace(held)
    values = rng.integers(-64 * LARGEST, 64 * LARGEST + 1, held.shape) / 64
    return type(block).lift(xp.asarray(values, dtype=held.dtype, device=array_api_compat.device(held)))


def _blocks(iterate: Any) -> list[Block]:
    if isinstance(iterate, Block):
        return [iterate]
    if isinstance(iterate, tuple) and hasattr(iterate, "_fields"):
        return [block for part in iterate for block in _blocks(part)]
    raise TypeError(
        f"an iterate must be a block or a named tuple of blocks, but {type(iterate).__name__} came"
    )

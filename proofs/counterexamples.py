"""Smallest counterexamples: the least prompt on which a construction does not predict what it claims.

"Smallest" is lexicographic in (layers, n, d, m, sum of the absolute values of all entries), entries being integers and
step sizes positive ones. At
each size the transformer's prediction minus the algorithm's is a polynomial in the entries: if it is zero, no
counterexample of that size exists; if not, its integer points are searched in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import sympy

from constructions.block import Block, materialised
from constructions.construction import Construction, forward, iterates
from constructions.parameters import Parameter, lifted
from constructions.prompt import Prompt
from numerics.instances import Sizes, shape, with_parameters, with_widths
from numerics.rationals import RationalBlock
from proofs.explicit import ExplicitBlock

LARGEST = Sizes(2, 2, 2)
"""The largest sizes that are searched."""

MOST_LAYERS = 2
"""The most layers that are searched."""

LARGEST_SUM = 12
"""The largest sum of absolute values that is searched at a size where the polynomial is not zero."""


@dataclass(frozen=True)
class Counterexample:
    """A prompt, with parameters, on which a construction does not predict what it claims.

    ``difference`` is the transformer's prediction minus the algorithm's at this size, as a polynomial in the entries;
    ``sizes_without`` are the smaller sizes, (layers, n, d, m), at which that polynomial is zero.
    """

    construction: Construction
    prompt: Prompt
    layers: int
    sizes: Sizes
    entries: dict[str, Any]
    predicted: list[list[Fraction]]
    claimed: list[list[Fraction]]
    difference: tuple[Any, ...]
    sizes_without: tuple[tuple[int, Sizes], ...]

    def __str__(self) -> str:
        entries = ", ".join(f"{name} = {_short(value)}" for name, value in self.entries.items())
        outcome = f"the transformer predicts {_short(self.predicted)}, claimed is {_short(self.claimed)}"
        return f"{size_written(self.layers, self.sizes)}: {entries}: {outcome}"


def size_written(layers: int, sizes: Sizes) -> str:
    """A size in words."""
    return f"{layers} layer{'s' if layers > 1 else ''}, n = {sizes.n}, d = {sizes.d}, m = {sizes.m}"


def difference_at(prototype: Construction, layers: int, sizes: Sizes) -> tuple[list[Any], Construction, Prompt]:
    """(transformer's prediction minus the algorithm's, as polynomials; the construction; the prompt), of symbols."""
    count = dict[str, int]()

    def symbols(name: str, rows: int, columns: int) -> Any:
        return [[sympy.Symbol(f"{name}[{i + 1},{j + 1}]") for j in range(columns)] for i in range(rows)]

    def value(declared: Parameter) -> Any:
        name = declared.symbol
        if declared.per_layer:
            count[name] = count.get(name, 0) + 1
            name = f"{name}_{count[name]}"
        if declared.is_matrix:
            return symbols(name, *shape(declared, held))
        return sympy.Symbol(name, positive=True) if declared.positive else sympy.Symbol(name)

    n, d, m = sizes
    held = with_widths(prototype, sizes, lambda: 1)
    construction = with_parameters(prototype, layers, value)
    prompt = Prompt(symbols("X", d, n), symbols("Y", m, n), symbols("x_query", d, 1))
    predicted, claimed = predictions(construction, prompt, ExplicitBlock)
    return [sympy.expand(value) for value in (predicted - claimed).entry], construction, prompt


def predictions(construction: Construction, prompt: Prompt, kind: type[Block]) -> tuple[Block, Block]:
    """(the transformer's prediction, the algorithm's) in one kind of number."""
    held = prompt.lifted(kind)
    live = lifted(construction, kind, held)
    *_, last = iterates(live, held)
    return materialised(forward(live, held), held.X), materialised(live.predict(last, held), held.X)


def smallest_counterexample(
    prototype: Construction, largest: Sizes = LARGEST, most_layers: int = MOST_LAYERS
) -> Counterexample | None:
    """The smallest counterexample up to the given sizes, or None if at all of them the claim is an identity.

    Raises:
        LookupError: if a polynomial is not zero but no integer point up to ``LARGEST_SUM`` shows it.
    """
    without = []
    for layers, n, d, m in product(range(1, most_layers + 1), *(range(1, size + 1) for size in largest)):
        sizes = Sizes(n, d, m)
        if prototype.targets not in ("m", m):
            continue
        difference, construction, prompt = difference_at(prototype, layers, sizes)
        polynomials = [value for value in difference if value != 0]
        if not polynomials:
            without.append((layers, sizes))
            continue
        point = _smallest_point(polynomials)
        return _counterexample(
            prototype, layers, sizes, construction, prompt, point, tuple(polynomials), tuple(without)
        )
    return None


def _smallest_point(polynomials: list[Any]) -> dict[Any, int]:
    """The integer point of least sum of absolute values at which some polynomial is not zero."""
    variables = sorted(set().union(*(p.free_symbols for p in polynomials)), key=str)
    if not variables:
        return {}
    cleared = [sympy.Poly(p, *variables).clear_denoms()[1].as_expr() for p in polynomials]
    evaluate = sympy.lambdify(variables, cleared, "numpy")
    positive = [position for position, variable in enumerate(variables) if variable.is_positive]
    for total in range(len(positive), LARGEST_SUM + 1):
        points = integer_points(len(variables), total)
        points = points[np.all(points[:, positive] > 0, axis=1)]
        values = np.array([np.broadcast_to(value, len(points)) for value in evaluate(*points.T)])
        hits = np.flatnonzero(np.any(values != 0, axis=0))
        if len(hits):
            return dict(zip(variables, (int(value) for value in points[hits[0]]), strict=True))
    raise LookupError(
        f"the polynomials {polynomials} are not zero, but no integer point up to sum {LARGEST_SUM} shows it"
    )


@lru_cache(maxsize=64)
def integer_points(dimension: int, total: int) -> np.ndarray[Any, Any]:
    """Every integer vector whose absolute values sum to ``total``, positive entries first; (count, dimension)."""
    return np.array(list(_integer_points(dimension, total)), dtype=np.int64).reshape(-1, dimension)


def _integer_points(dimension: int, total: int) -> Iterator[tuple[int, ...]]:
    for support in range(min(dimension, total), -1, -1):
        if (support == 0) != (total == 0):
            continue
        for places in combinations(range(dimension), support):
            for cuts in combinations(range(1, total), support - 1) if support else [()]:
                parts = np.diff((0, *cuts, total)) if support else ()
                for signs in product((1, -1), repeat=support):
                    vector = [0] * dimension
                    for place, part, sign in zip(places, parts, signs, strict=True):
                        vector[place] = sign * int(part)
                    yield tuple(vector)


def count_of_integer_points(dimension: int, total: int) -> int:
    """How many integer vectors have absolute values that sum to ``total``."""
    if total == 0:
        return 1
    return sum(comb(dimension, s) * comb(total - 1, s - 1) * 2**s for s in range(1, min(dimension, total) + 1))


def _counterexample(
    prototype: Construction,
    layers: int,
    sizes: Sizes,
    construction: Construction,
    prompt: Prompt,
    point: dict[Any, int],
    difference: tuple[Any, ...],
    without: tuple[tuple[int, Sizes], ...],
) -> Counterexample:
    """The point written into the construction and the prompt, and run again in rationals."""

    def number(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(number(part) for part in value)
        return Fraction(point.get(value, 1 if value.is_positive else 0))

    symbolic = iter(_parameter_values(construction))
    exact = with_parameters(prototype, layers, lambda _: number(next(symbolic)))
    exact_prompt = prompt.map(number)
    predicted, claimed = predictions(exact, exact_prompt, RationalBlock)
    if (predicted - claimed).matrix == (claimed - claimed).matrix:  # type: ignore[attr-defined]
        raise AssertionError(
            "the polynomials and the rational run disagree on a counterexample: one of the kinds is wrong"
        )
    entries = {
        "X": exact_prompt.X,
        "Y": exact_prompt.Y,
        "x_query": exact_prompt.x_query,
        **_named_parameters(exact),
    }
    return Counterexample(
        exact,
        exact_prompt,
        layers,
        sizes,
        entries,
        _fractions(predicted),
        _fractions(claimed),
        difference,
        without,
    )


def _parameter_values(construction: Construction) -> Iterator[Any]:
    for value, declared in _declared(construction):
        yield from value if declared.per_layer else (value,)


def _named_parameters(construction: Construction) -> dict[str, Any]:
    return {declared.symbol: value for value, declared in _declared(construction)}


def _declared(construction: Construction) -> Iterator[tuple[Any, Parameter]]:
    from constructions.parameters import parameters

    for name, declared in parameters(construction).items():
        value = getattr(construction, name)
        if value is not None:
            yield value, declared


def _fractions(block: Block) -> list[list[Fraction]]:
    return [[Fraction(int(value.p), int(value.q)) for value in row] for row in block.entry]


def _short(value: Any) -> str:
    """Numbers and nested lists of numbers in the shortest form: a 1 x 1 matrix as its entry."""
    if isinstance(value, (list, tuple)):
        parts = [_short(part) for part in value]
        return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    return str(value)

"""Smallest counterexamples: the least prompt on which a construction does not predict what it claims.

"Smallest" is lexicographic in (layers, n, d, m, sum of the absolute values of all entries), entries being integers and
step sizes positive ones; where hypotheses are declared, only entries that satisfy them count.

At each size the transformer's prediction minus the algorithm's is a polynomial in the entries, unless a ReLU is in the
way. If the polynomial is zero, no counterexample of that size exists; if not, its integer points are searched in order.
With a ReLU in the network the integer points are run in rationals, the first ``MOST_RUNS`` of each size: where none is
a counterexample, nothing is said of the others. The same goes for points that hypotheses leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import sympy

from constructions.block import Block, compare, materialised
from constructions.claims import claims
from constructions.comparison import Verdict
from constructions.construction import Construction, forward, iterates
from constructions.decoding import layer_in
from constructions.layer import MLP, Attention
from constructions.parameters import Parameter, lifted, map_parameters, parameters
from constructions.prompt import Prompt
from constructions.stages import layers_of
from numerics.instances import Sizes, shape, with_parameters, with_widths
from numerics.rationals import RationalBlock, as_fraction
from proofs.explicit import ExplicitBlock
from proofs.integer_points import count_of_integer_points, integer_points

LARGEST = Sizes(2, 2, 2)
"""The largest sizes that are searched."""

MOST_LAYERS = 2
"""The most layers that are searched."""

LARGEST_SUM = 12
"""The largest sum of absolute values that is searched."""

MOST_POINTS = 250_000
"""The most points of a size at which polynomials are evaluated; a sum of which not all fit is left out."""

MOST_RUNS = 500
"""The most points of a size at which a network with ReLU is run."""


Sides: TypeAlias = Callable[[Construction, Prompt, type[Block]], "list[tuple[Block, Block]]"]
"""What is claimed to be equal, side by side, in one kind of number."""


@dataclass(frozen=True)
class Counterexample:
    """A prompt, with parameters, on which a construction does not predict what it claims.

    ``difference`` is the transformer's prediction minus the algorithm's at this size, or whatever else was compared, as
    polynomials in the entries, or None for a network with ReLU. Of the smaller sizes, (layers, n, d, m),
    ``sizes_without`` are those at which what was compared is equal for all entries, and ``sizes_searched`` those of
    which only this is known: no integer point up to the sum of absolute values that stands beside them is a
    counterexample.
    """

    construction: Construction
    prompt: Prompt
    layers: int
    sizes: Sizes
    entries: dict[str, Any]
    predicted: list[list[Fraction]]
    claimed: list[list[Fraction]]
    difference: tuple[Any, ...] | None
    sizes_without: tuple[tuple[int, Sizes], ...] = ()
    sizes_searched: tuple[tuple[int, Sizes, int], ...] = ()

    def __str__(self) -> str:
        entries = ", ".join(f"{name} = {short(value)}" for name, value in self.entries.items())
        outcome = f"the transformer predicts {short(self.predicted)}, claimed is {short(self.claimed)}"
        return f"{self.size}: {entries}: {outcome}"

    @property
    def size(self) -> str:
        """Its size in words."""
        return self.written(self.layers, self.sizes)

    def written(self, layers: int, sizes: Sizes) -> str:
        """A size in words, the number of layers as the construction counts them."""
        declared = [p for _, p in _declared(self.construction)]
        counted = [f"{p.symbol} = {layers}" for p in declared if p.counts_layers]
        if not counted and any(p.per_layer for p in declared):
            counted = [f"{layers} layer{'s' if layers > 1 else ''}"]
        return ", ".join([*counted, f"n = {sizes.n}, d = {sizes.d}, m = {sizes.m}"])


def smallest_counterexample(
    prototype: Construction,
    largest: Sizes = LARGEST,
    most_layers: int = MOST_LAYERS,
    fewest_layers: int = 0,
    sides: Sides = lambda *instance: [predictions(*instance)],
) -> Counterexample | None:
    """The smallest counterexample up to the given sizes, or None if none is found.

    Args:
        prototype: the construction; of its parameters only those that are None (zero) or looped stay what they are.
        largest, most_layers, fewest_layers: the sizes; one that the construction fixes is searched as it is.
        sides: what is compared: the predictions, or all that is claimed (``claimed_sides``).

    Raises:
        LookupError: if a polynomial is not zero, but no integer point that is searched shows it.
    """
    without: list[tuple[int, Sizes]] = []
    searched: list[tuple[int, Sizes, int]] = []
    fixed = (None, prototype.dimension, prototype.targets)
    ranges = (
        [size] if isinstance(size, int) else range(1, most + 1) for size, most in zip(fixed, largest, strict=True)
    )
    depths = [layers for layers in _numbers_of_layers(prototype, most_layers) if layers >= fewest_layers]
    for layers, n, d, m in product(depths, *ranges):
        sizes = Sizes(n, d, m)
        construction, prompt = symbolic_instance(prototype, layers, sizes)
        difference = None if _has_relu(construction, prompt) else difference_of(construction, prompt, sides)
        if difference is None:
            point, sum_reached = _first_run_that_differs(construction, prompt, sides)
        elif polynomials := [value for value in difference if value != 0]:
            point, sum_reached = _smallest_point(polynomials, _violations(construction, prompt))
        else:
            without.append((layers, sizes))
            continue
        if point is None:
            searched.append((layers, sizes, sum_reached))
            continue
        exact, exact_prompt = _at(point, construction, prompt)
        predicted, claimed = predictions(exact, exact_prompt, RationalBlock)
        if not _differ(sides(exact, exact_prompt, RationalBlock)):
            raise AssertionError(
                "the polynomials and the rational run disagree on a counterexample: one of the kinds is wrong"
            )
        return Counterexample(
            exact,
            exact_prompt,
            layers,
            sizes,
            entries_of(exact, exact_prompt),
            _fractions(predicted),
            _fractions(claimed),
            None if difference is None else tuple(polynomials),
            tuple(without),
            tuple(searched),
        )
    return None


def _numbers_of_layers(prototype: Construction, most: int) -> range:
    """The numbers of layers that are searched: from 0 if they are counted as such, the only one of a fixed network."""
    declared = [p for _, p in _declared(prototype)]
    if any(p.counts_layers for p in declared):
        return range(most + 1)
    if any(p.per_layer for p in declared):
        return range(1, most + 1)
    return range(int(prototype.depth), int(prototype.depth) + 1)


def symbolic_instance(prototype: Construction, layers: int, sizes: Sizes) -> tuple[Construction, Prompt]:
    """The construction and a prompt at one size, every entry a symbol of its own."""
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
        known = {"positive": declared.positive, "nonzero": declared.has_inverse}
        return sympy.Symbol(name, **{assumption: True for assumption, holds in known.items() if holds})

    n, d, m = sizes
    held = with_widths(prototype, sizes, lambda: 1)
    extras = {
        name: [size if isinstance(size, int) else getattr(sizes, size, 1) for size in rows_and_columns]
        for name, rows_and_columns in prototype.extras.items()
    }
    prompt = Prompt(
        symbols("X", d, n),
        symbols("Y", m, n),
        symbols("x_query", d, 1),
        tuple((name, symbols(name, *rows_and_columns)) for name, rows_and_columns in extras.items()),
    )
    return with_parameters(prototype, layers, value), prompt


def difference_of(construction: Construction, prompt: Prompt, sides: Sides) -> list[Any] | None:
    """What is compared, left minus right, as polynomials in the symbols; None if it is none."""
    pairs, like = sides(construction, prompt, ExplicitBlock), prompt.lifted(ExplicitBlock).X
    entries = (value for left, right in pairs for value in materialised(left - right, like).entry)
    difference = [sympy.expand(value) for value in entries]
    return difference if all(value.is_polynomial(*value.free_symbols) for value in difference) else None


def predictions(construction: Construction, prompt: Prompt, kind: type[Block] | None = None) -> tuple[Block, Block]:
    """(the transformer's prediction, the algorithm's) in one kind of number, by default that of the prompt."""
    held = prompt.lifted(kind)
    live = lifted(construction, type(held.X), held)
    *_, last = iterates(live, held)
    return materialised(forward(live, held), held.X), materialised(live.predict(last, held), held.X)


def claimed_sides(construction: Construction, prompt: Prompt, kind: type[Block]) -> list[tuple[Block, Block]]:
    """Both sides of everything that is claimed along a run: base, each layer from the state before it, read-out."""
    held = prompt.lifted(kind)
    made = claims(lifted(construction, kind, held), held, anything=lambda *shape: held.X.ones(*shape))
    return [(claim.left, claim.right) for claim in made if claim.kind != "hypothesis"]


def _differ(sides: list[tuple[Block, Block]]) -> bool:
    return any(compare(left, right).verdict is Verdict.DIFFERENT for left, right in sides)


def _has_relu(construction: Construction, prompt: Prompt) -> bool:
    """Whether a layer has a ReLU; then a symbolic run is dear, and its outcome in general no polynomial."""
    held = prompt.lifted(ExplicitBlock)
    stages = lifted(construction, ExplicitBlock, held).stages(held)
    layers = [layer_in(layer) for stage in stages for layer in layers_of(stage)]
    for part in (part for layer in layers if layer is not None for part in layer.sublayers):
        if isinstance(part, Attention) and any(head.score == "relu" for head in part.heads):
            return True
        if isinstance(part, MLP) and part.activation == "relu":
            return True
    return False


def _violations(construction: Construction, prompt: Prompt) -> list[Any]:
    """The polynomials that are zero on exactly those entries that satisfy the hypotheses: numerators of quotients."""
    held = prompt.lifted(ExplicitBlock)
    relations = lifted(construction, ExplicitBlock, held).hypotheses(held)
    zeros = held.X.zeros
    return [
        sympy.expand(sympy.fraction(sympy.together(value))[0])
        for relation in relations
        for value in (relation.left - relation.right + zeros(*relation.left.shape)).entry
    ]


def _smallest_point(polynomials: Sequence[Any], violations: Sequence[Any]) -> tuple[dict[Any, int] | None, int]:
    """(the least integer point at which some polynomial is not zero and every violation is, the last sum searched).

    Raises:
        LookupError: if there is none, and no violation either.
    """
    variables = sorted(set().union(*(p.free_symbols for p in (*polynomials, *violations))), key=str)
    if not variables:
        return {}, 0
    cleared = [sympy.Poly(p, *variables).clear_denoms()[1] for p in (*polynomials, *violations)]
    evaluate = sympy.lambdify(variables, [p.as_expr() for p in cleared], "numpy")
    reached = 0
    for total, points in _points(variables, MOST_POINTS):
        held = points if all(_largest_value(p, total) < 2**63 for p in cleared) else points.astype(object)
        values = np.array([np.broadcast_to(value, len(points)) for value in evaluate(*held.T)])
        differs, violates = (np.any(part != 0, axis=0) for part in np.split(values, [len(polynomials)]))
        hits = np.flatnonzero(differs & ~violates)
        if len(hits):
            return dict(zip(variables, (int(value) for value in points[hits[0]]), strict=True)), total
        reached = total
    if violations:
        return None, reached
    raise LookupError(f"the polynomials {polynomials} are not zero, but no integer point up to sum {reached} shows it")


def _largest_value(polynomial: Any, total: int) -> int:
    """A bound on the polynomial, term by term, at integer points of that sum: whether 64 bits hold it."""
    return int(sum(abs(c) for c in polynomial.coeffs())) * max(total, 1) ** int(polynomial.total_degree())


def _points(variables: Sequence[Any], most: int) -> Iterator[tuple[int, np.ndarray[Any, Any]]]:
    """(sum, the integer points of that sum), no more than ``most``; what is positive, or not 0, is so everywhere."""
    positive = [position for position, variable in enumerate(variables) if variable.is_positive]
    nonzero = [position for position, variable in enumerate(variables) if variable.is_nonzero]
    count = 0
    for total in range(LARGEST_SUM + 1):
        count += count_of_integer_points(len(variables), total)
        if count > most:
            return
        points = integer_points(len(variables), total)
        yield total, points[np.all(points[:, positive] > 0, axis=1) & np.all(points[:, nonzero] != 0, axis=1)]


def _first_run_that_differs(
    construction: Construction, prompt: Prompt, sides: Sides
) -> tuple[dict[Any, int] | None, int]:
    """(the first of ``MOST_RUNS`` integer points that is a counterexample, the last sum of which all were run)."""
    variables = sorted(_symbols(construction, prompt), key=str)
    runs, complete = 0, 0
    for total, points in _points(variables, MOST_POINTS):
        for values in points[: MOST_RUNS - runs].tolist():
            point = dict(zip(variables, values, strict=True))
            if _is_counterexample(*_at(point, construction, prompt), sides):
                return point, complete
        runs += len(points)
        if runs > MOST_RUNS:
            break
        complete = total
    return None, complete


def _is_counterexample(construction: Construction, prompt: Prompt, sides: Sides) -> bool:
    held = prompt.lifted(RationalBlock)
    live = lifted(construction, RationalBlock, held)
    if any(compare(each.left, each.right).verdict is not Verdict.EQUAL for each in live.hypotheses(held)):
        return False
    return _differ(sides(live, held, RationalBlock))


def _at(point: dict[Any, int], construction: Construction, prompt: Prompt) -> tuple[Construction, Prompt]:
    """The point written into construction and prompt; a symbol without a value is 0, or 1 if that is not allowed."""

    def number(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(number(part) for part in value)
        return Fraction(point.get(value, 1 if value.is_nonzero else 0))

    exact = map_parameters(construction, lambda value, declared: value if declared.counts_layers else number(value))
    return exact, prompt.map(number)


def _symbols(construction: Construction, prompt: Prompt) -> Iterator[Any]:
    """Every symbol of a construction and a prompt of symbols."""

    def flat(value: Any) -> Iterator[Any]:
        if isinstance(value, (list, tuple)):
            for part in value:
                yield from flat(part)
        else:
            yield value

    for value, declared in _declared(construction):
        if not declared.counts_layers:
            yield from flat(getattr(value, "value", value))
    yield from flat([prompt.X, prompt.Y, prompt.x_query, *(entry for _, entry in prompt.extras)])


def entries_of(construction: Construction, prompt: Prompt) -> dict[str, Any]:
    """The entries of a counterexample by name."""
    named = {p.symbol: getattr(value, "value", value) for value, p in _declared(construction) if not p.counts_layers}
    return {"X": prompt.X, "Y": prompt.Y, "x_query": prompt.x_query, **dict(prompt.extras), **named}


def _declared(construction: Construction) -> Iterator[tuple[Any, Parameter]]:
    for name, declared in parameters(construction).items():
        value = getattr(construction, name)
        if value is not None:
            yield value, declared


def _fractions(block: Block) -> list[list[Fraction]]:
    return [[as_fraction(value) for value in row] for row in block.entry]


def short(value: Any) -> str:
    """Numbers and nested lists of numbers in the shortest form: a 1 x 1 matrix as its entry."""
    if isinstance(value, (list, tuple)):
        parts = [short(part) for part in value]
        return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    return str(value)

"""Sums over indices: polynomials in tensors whose indices run over ranges of unspecified size, in normal form.

Symbols: an index runs over 1..n (samples, range "n") or 1..d (coordinates, range "d"). It is summed, or free: then it
stays in the result. ``delta`` is Kronecker's; ``lam`` holds the eigenvalues of Sigma, in whose eigenbasis all
coordinates are taken. T, T2, T3, ... are the power sums tr Sigma^k, lam_k is the eigenvalue of a free index k.

In the normal form no delta touches a summed index, an index on which nothing but powers of lam depends has become n, d
or a power sum, and summed indices are renamed to the least form. So equal normal forms prove equality for all n and d.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import count, permutations, product
from typing import Any, NamedTuple, TypeAlias

import sympy

from proofs.words import exact_coefficient, tidy

n, d = sympy.symbols("n d", integer=True, positive=True)
SIZES = {"n": n, "d": d}
"""The ranges of indices."""


class Index(NamedTuple):
    """An index: what it runs over, its label, and whether it is free."""

    range: str
    label: str
    is_free: bool = False


@dataclass(frozen=True)
class Free:
    """The label of an index that is not summed."""

    label: str


class Factor(NamedTuple):
    """A tensor with its indices."""

    tensor: str
    indices: tuple[Index, ...]


Terms: TypeAlias = Iterable[tuple[Any, Sequence[Factor]]]
"""A polynomial as it is written: (coefficient, factors); every index is summed unless it is free."""


@dataclass(frozen=True)
class Tensor:
    """A tensor by its name and the ranges of its indices; calling it with labels gives a factor.

    >>> Tensor("N", "dd")("a", Free("k")).indices
    (Index(range='d', label='a', is_free=False), Index(range='d', label='k', is_free=True))
    """

    name: str
    ranges: str
    is_symmetric: bool = False

    def __call__(self, *labels: str | Free | Index) -> Factor:
        if len(labels) != len(self.ranges):
            raise ValueError(f"{self.name} has {len(self.ranges)} indices, but {len(labels)} labels came")
        indices = tuple(_index(label, over) for label, over in zip(labels, self.ranges, strict=True))
        if any(index.range != over for index, over in zip(indices, self.ranges, strict=True)):
            raise ValueError(f"{self.name} has indices over {self.ranges}, but {indices} came")
        return Factor(_SYMMETRIC + self.name if self.is_symmetric else self.name, indices)


_SYMMETRIC = "~"
"""Marks the name of a symmetric tensor inside factors."""


def _index(label: str | Free | Index, over: str) -> Index:
    if isinstance(label, Index):
        return label
    return Index(over, label.label, True) if isinstance(label, Free) else Index(over, label)


delta = Tensor("delta", "dd", is_symmetric=True)
same_sample = Tensor("delta", "nn", is_symmetric=True)
lam = Tensor("lam", "d")
_DELTA = _SYMMETRIC + "delta"

Component: TypeAlias = tuple[Factor, ...]
Monomial: TypeAlias = tuple[Component, ...]


def power_sum(power: int) -> Any:
    """tr Sigma^power as a symbol; d for power 0."""
    return d if power == 0 else sympy.Symbol("T" if power == 1 else f"T{power}", positive=True)


def eigenvalue(label: str) -> Any:
    """The eigenvalue lam_k of a free index k, as a symbol."""
    return sympy.Symbol(f"lam_{label}", positive=True)


class IndexSum:
    """A polynomial in tensors, its indices summed, in normal form. Immutable."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, Any]) -> None:
        tidied = {monomial: tidy(_identified(monomial, coefficient)) for monomial, coefficient in terms.items()}
        self.terms = {monomial: coefficient for monomial, coefficient in tidied.items() if coefficient != 0}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexSum) and not (self - other).terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms))

    def __add__(self, other: IndexSum) -> IndexSum:
        total = defaultdict(lambda: sympy.Integer(0), self.terms)
        for monomial, coefficient in other.terms.items():
            total[monomial] += coefficient
        return IndexSum(total)

    def __sub__(self, other: IndexSum) -> IndexSum:
        return self + other.scale(-1)

    def __mul__(self, other: IndexSum) -> IndexSum:
        return summed(
            (a * b, (*apart(left, "l"), *apart(right, "r")))
            for left, a in self.terms.items()
            for right, b in other.terms.items()
        )

    def scale(self, scalar: Any) -> IndexSum:
        """scalar * self; the scalar does not depend on a summed index."""
        scalar = exact_coefficient(scalar)
        return IndexSum({monomial: coefficient * scalar for monomial, coefficient in self.terms.items()})

    def map(self, function: Callable[[Any], Any]) -> IndexSum:
        """The sum with a function applied to every coefficient."""
        return IndexSum({monomial: function(coefficient) for monomial, coefficient in self.terms.items()})

    def substituted(self, rules: Mapping[Tensor, Callable[..., Terms]]) -> IndexSum:
        """The sum with tensors replaced: a rule takes the indices of a factor, and its terms may sum over more."""
        named = {(_SYMMETRIC if tensor.is_symmetric else "") + tensor.name: rule for tensor, rule in rules.items()}
        fresh = count()

        def expanded(factor: Factor) -> list[tuple[Any, Sequence[Factor]]]:
            if factor.tensor not in named:
                return [(1, (factor,))]
            own, number = set(factor.indices), next(fresh)
            return [
                (
                    c,
                    [
                        _renamed(f, lambda i: i if i in own or i.is_free else i._replace(label=f"{i.label}'{number}"))
                        for f in fs
                    ],
                )
                for c, fs in named[factor.tensor](*factor.indices)
            ]

        terms: list[tuple[Any, Sequence[Factor]]] = []
        for monomial, coefficient in self.terms.items():
            for choice in product(*(expanded(factor) for factor in apart(monomial, "s"))):
                scalar = sympy.Mul(coefficient, *(c for c, _ in choice))
                terms.append((scalar, [factor for _, factors in choice for factor in factors]))
        return summed(terms)

    @property
    def scalar(self) -> Any:
        """The value of a sum in which no tensor is left.

        Raises:
            ValueError: if one is.
        """
        if any(monomial for monomial in self.terms):
            raise ValueError(f"tensors are left in {self}: only a sum without them is a scalar")
        return self.terms.get((), sympy.Integer(0))

    def evaluated(self, sizes: Mapping[str, int], tensors: Mapping[str, Any], scalars: Mapping[Any, Any]) -> Any:
        """The value at given sizes.

        Args:
            sizes: {"n": int >= 1, "d": int >= 1}.
            tensors: nested lists by name; "lam" is required, and the power sums follow from it.
            scalars: values of the other symbols in the coefficients; those that are left out stay.
        """
        for over, size in sizes.items():
            if size < 1:
                raise ValueError(f"{over} = {size}: at least 1 is required")
        spectrum = [sympy.nsimplify(value) if isinstance(value, Fraction) else value for value in tensors["lam"]]
        if len(spectrum) != sizes["d"]:
            raise ValueError(f"lam has {len(spectrum)} entries for d = {sizes['d']}: one eigenvalue per coordinate")
        values = {SIZES[over]: size for over, size in sizes.items()} | dict(scalars)
        values |= {power_sum(k): sum(value**k for value in spectrum) for k in range(1, 9)}
        total = sympy.Integer(0)
        for monomial, coefficient in self.terms.items():
            total += coefficient.subs(values) * sympy.Mul(*(_evaluated(c, sizes, tensors) for c in monomial))
        return sympy.expand(total)

    def __str__(self) -> str:
        parts = [_written(monomial, c) for monomial, c in sorted(self.terms.items(), key=lambda item: str(item[0]))]
        return " + ".join(parts).replace("+ -", "- ") or "0"

    def __repr__(self) -> str:
        return f"IndexSum({self})"


def _identified(monomial: Monomial, coefficient: Any) -> Any:
    """The coefficient with one eigenvalue for free indices between which a delta stands."""
    for component in monomial:
        for factor in component:
            if factor.tensor == _DELTA:
                left, right = factor.indices
                coefficient = sympy.sympify(coefficient).subs(eigenvalue(right.label), eigenvalue(left.label))
    return coefficient


def summed(terms: Terms) -> IndexSum:
    """The polynomial in normal form.

    >>> a_trace = summed([(1, [delta("a", "b"), lam("a"), lam("b")])])
    >>> a_trace.scalar
    T2
    """
    total: defaultdict[Monomial, list[Any]] = defaultdict(list)
    for coefficient, factors in terms:
        scalar, monomial = _normal(factors)
        total[monomial].append(exact_coefficient(coefficient) * scalar)
    return IndexSum({monomial: sympy.Add(*parts) for monomial, parts in total.items()})


def apart(monomial: Monomial, mark: str) -> list[Factor]:
    """The factors of a monomial, the summed indices of different components labelled differently."""

    def renamed(number: int, index: Index) -> Index:
        return index if index.is_free else index._replace(label=f"{mark}{number}.{index.label}")

    return [
        _renamed(factor, partial(renamed, number)) for number, component in enumerate(monomial) for factor in component
    ]


def _renamed(factor: Factor, rename: Callable[[Index], Index]) -> Factor:
    return factor._replace(indices=tuple(map(rename, factor.indices)))


def _normal(factors: Sequence[Factor]) -> tuple[Any, Monomial]:
    """(scalar, monomial) of a product, every index that occurs being summed unless it is free."""
    unsummed, kept = _without_deltas(factors)
    scalar, tensors = sympy.Integer(1), list[Factor]()
    powers: Counter[Index] = Counter()
    held: set[Index] = set()
    for factor in kept:
        if factor.tensor == "lam":
            powers[factor.indices[0]] += 1
        else:
            tensors.append(factor)
            held.update(factor.indices)
    alone = {index for factor in (*factors, *kept) for index in factor.indices} - held - unsummed
    for index in alone:
        if not index.is_free:
            scalar *= SIZES[index.range] if index.range == "n" else power_sum(powers[index])
    for index, power in powers.items():
        if index.is_free:
            scalar *= eigenvalue(index.label) ** power
        elif index in held:
            tensors += [Factor("lam", (index,))] * power
    return scalar, tuple(sorted(_canonical(tuple(part)) for part in _components(tensors)))


def _without_deltas(factors: Sequence[Factor]) -> tuple[set[Index], list[Factor]]:
    """(the indices that are gone, the factors with their deltas carried out, those of two free indices kept)."""
    parent: dict[Index, Index] = {}

    def root(index: Index) -> Index:
        while index in parent:
            index = parent[index]
        return index

    free: list[Factor] = []
    for factor in factors:
        if factor.tensor == _DELTA:
            left, right = sorted(map(root, factor.indices), key=lambda index: (not index.is_free, index.label))
            if left != right:
                parent[right] = left
                if right.is_free:
                    free.append(Factor(_DELTA, (left, right)))
    moved = [_renamed(factor, root) for factor in factors if factor.tensor != _DELTA]
    return set(parent), [*moved, *(_renamed_first(factor, root) for factor in free)]


def _renamed_first(factor: Factor, root: Callable[[Index], Index]) -> Factor:
    return factor._replace(indices=(root(factor.indices[0]), factor.indices[1]))


def _components(factors: Sequence[Factor]) -> list[list[Factor]]:
    """The factors, together where they share a summed index."""
    groups: list[tuple[set[Index], list[Factor]]] = []
    for factor in factors:
        indices, members = {index for index in factor.indices if not index.is_free}, [factor]
        apart_from = []
        for group in groups:
            if group[0] & indices:
                indices |= group[0]
                members = group[1] + members
            else:
                apart_from.append(group)
        groups = [*apart_from, (indices, members)]
    return [members for _, members in groups]


@lru_cache(maxsize=1 << 14)
def _canonical(component: Component) -> Component:
    """The component with its summed indices renamed so that its sorted form is the least."""
    seen: defaultdict[Index, list[Any]] = defaultdict(list)
    for factor in component:
        for position, index in enumerate(factor.indices):
            if not index.is_free:
                slot = 0 if factor.tensor.startswith(_SYMMETRIC) else position
                seen[index].append((factor.tensor, slot, sum(other == index for other in factor.indices)))
    classes: defaultdict[Any, list[Index]] = defaultdict(list)
    for index, places in seen.items():
        classes[index.range, tuple(sorted(places))].append(index)
    blocks = [classes[key] for key in sorted(classes)]
    best: Component | None = None
    for choice in product(*(permutations(block) for block in blocks)):
        order = [index for block in choice for index in block]
        names = {index: Index(index.range, f"{number:02d}") for number, index in enumerate(order)}
        named = tuple(sorted(_ordered(_moved(factor, names)) for factor in component))
        best = named if best is None else min(best, named)
    assert best is not None
    return best


def _moved(factor: Factor, names: Mapping[Index, Index]) -> Factor:
    return factor._replace(indices=tuple(names.get(index, index) for index in factor.indices))


def _ordered(factor: Factor) -> Factor:
    return factor._replace(indices=tuple(sorted(factor.indices))) if factor.tensor.startswith(_SYMMETRIC) else factor


def _evaluated(component: Component, sizes: Mapping[str, int], tensors: Mapping[str, Any]) -> Any:
    indices = sorted({index for factor in component for index in factor.indices})
    if any(index.is_free for index in indices):
        raise ValueError(f"only a sum without free indices has a value, but {component} has one")
    total = sympy.Integer(0)
    for values in product(*(range(sizes[index.range]) for index in indices)):
        at = dict(zip(indices, values, strict=True))
        term = sympy.Integer(1)
        for factor in component:
            entry: Any = tensors[factor.tensor.removeprefix(_SYMMETRIC)]
            for index in factor.indices:
                entry = entry[at[index]]
            term *= sympy.sympify(entry)
        total += term
    return total


def _written(monomial: Monomial, coefficient: Any) -> str:
    names = "abcefghijkl"
    factors, used = [], 0
    for component in monomial:
        labels = sorted({index for factor in component for index in factor.indices if not index.is_free})
        name = {index: names[(used + number) % len(names)] for number, index in enumerate(labels)}
        used += len(labels)
        factors += [
            f"{f.tensor.removeprefix(_SYMMETRIC)}[{','.join(name.get(i, i.label) for i in f.indices)}]"
            for f in component
        ]
    text = str(sympy.factor(coefficient)).replace("**", "^").replace("*", " ")
    if not factors:
        return text
    return " ".join(factors) if coefficient == 1 else f"({text}) {' '.join(factors)}"

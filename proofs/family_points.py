"""Points of the families of Ahn et al. (2023), Theorems 3 and 4: drawn in rationals, their slopes exact and in floats.

Symbols: as in ``numerics.signed_permutations``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from constructions.construction import forward
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from numerics.rationals import as_fraction
from numerics.rounding import RoundedBlock
from numerics.signed_permutations import averaged_slope, signed_permutations, slope_at_0
from proofs.regression_law import mean_square_bounds


@dataclass(frozen=True)
class FamilyPoint:
    """A context, a root of Sigma and a point of the family, in rationals."""

    X: fmpq_mat
    R: fmpq_mat
    a: Sequence[fmpq]
    b: Sequence[fmpq]

    @property
    def Sigma(self) -> fmpq_mat:
        return self.R * self.R.transpose()

    @property
    def prior(self) -> fmpq_mat:
        return self.Sigma.inv()

    @property
    def one(self) -> fmpq_mat:
        return self.R * self.R.inv()

    @property
    def matrices(self) -> tuple[list[fmpq_mat], list[fmpq_mat]]:
        """(A_l for all l, B_l for all l)."""
        return [a * self.prior for a in self.a], [b * self.one for b in self.b]

    def slope(self, number: int) -> fmpq:
        """df/da_l, or df/db_l from number L on."""
        along = self.prior if number < len(self.a) else self.one
        value = averaged_slope(*self.matrices, self.X, self.R, number, along)
        return fmpq(value.numerator, value.denominator)

    def __str__(self) -> str:
        return f"X = {self.X.tolist()}, R = {self.R.tolist()}, a = {self.a}, b = {self.b}"


def drawn_point(rng: np.random.Generator, tokens: int, features: int, layers: int, moves_inputs: bool) -> FamilyPoint:
    def dyadic(low: int, high: int) -> fmpq:
        return fmpq(int(rng.integers(low, high)), 2)

    X = fmpq_mat(features, tokens, [dyadic(-3, 4) for _ in range(features * tokens)])
    # Powers of 2 on the diagonal: the inverse, too, is held by floats.
    R = fmpq_mat(
        features,
        features,
        [fmpq(2) ** int(rng.integers(-1, 2)) if i == j else dyadic(-2, 3) * (j < i) for i, j in _pairs(features)],
    )
    scale = -1 if moves_inputs else 1
    return FamilyPoint(
        X,
        R,
        [scale * fmpq(int(rng.integers(1, 8)), 8) for _ in range(layers)],
        [fmpq(int(rng.integers(1, 8)) * moves_inputs, 8) for _ in range(layers)],
    )


def _pairs(size: int) -> Iterator[tuple[int, ...]]:
    return product(range(size), repeat=2)


def enclosed_slope(point: FamilyPoint, moved: int, i: int, j: int) -> tuple[Fraction, Fraction]:
    """Bounds on the derivative by one entry, from float64 runs of the network over the group of contexts."""
    layers = len(point.a)
    ends: dict[str, dict[int, Fraction]] = {"low": {}, "high": {}}
    degree = 2 * 3 ** (layers - 1)
    reach = (degree + 1) // 2
    for t in (*range(-reach, 0), *range(1, reach + 1)):
        held = [*point.matrices[0], *point.matrices[1]]
        held[moved][i, j] += fmpq(t, 8)
        ends["low"][t], ends["high"][t] = _enclosed_loss(point, held[:layers], held[layers:])
    weights = {t: 8 * slope_at_0(partial(_one_at, t), degree) for t in ends["low"]}
    low = sum(w * ends["low" if w > 0 else "high"][t] for t, w in weights.items())
    high = sum(w * ends["high" if w > 0 else "low"][t] for t, w in weights.items())
    return Fraction(low), Fraction(high)


def _one_at(t: int, s: int) -> Fraction:
    return Fraction(int(s == t))


def _enclosed_loss(point: FamilyPoint, A: Sequence[fmpq_mat], B: Sequence[fmpq_mat]) -> tuple[Fraction, Fraction]:
    """Bounds on the mean squared error over all T X, w = R^-T u and x_query = R z, entries of u and z +-1."""
    size = point.R.nrows()
    R, inverse = _floats(point.R), _floats(point.R.inv())
    contexts = np.stack([R @ _floats(O) @ inverse @ _floats(point.X) for O in signed_permutations(size)])
    signs = np.array(list(product((1.0, -1.0), repeat=size)))
    cases = list(product(range(len(contexts)), range(len(signs)), range(len(signs))))
    X = contexts[[c for c, _, _ in cases]]
    w = (signs[[u for _, u, _ in cases]] @ inverse)[:, None, :]
    x = (signs[[z for _, _, z in cases]] @ R.T)[:, :, None]
    network = RelaxedPreconditionedDescent(preconditioners=[_floats(a) for a in A], input_maps=[_floats(b) for b in B])
    predicted: Any = forward(network, Prompt(X, w @ X, x).lifted(RoundedBlock))
    low, high = mean_square_bounds(
        predicted.value[:, 0, 0], predicted.radius[:, 0, 0], (w @ x)[:, 0, 0], np.ones(len(cases))
    )
    return low / len(cases), high / len(cases)


def _floats(matrix: fmpq_mat) -> Any:
    return np.array([[float(as_fraction(value)) for value in row] for row in matrix.tolist()])

"""The expected loss of one gradient step by enumeration: the transformer run on every prompt of a finite law.

Symbols: n context tokens, d features, one target; inputs X (d, n), x_query (d, 1), teacher w in {-1, 1}^d, Y = w^T X.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock


@dataclass(frozen=True)
class FiniteInputs:
    """A finite law of a coordinate, for exact expectations: 0, or +-size with probability weight / 2 each."""

    size: Fraction
    weight: Fraction

    @property
    def variance(self) -> Fraction:
        return self.weight * self.size**2

    @property
    def kurtosis(self) -> Fraction:
        return 1 / self.weight

    def vectors(self, length: int) -> Iterator[tuple[tuple[Fraction, ...], Fraction]]:
        """Every vector of that length with its probability."""
        law = [(self.size, self.weight / 2), (-self.size, self.weight / 2)]
        law += [(Fraction(0), 1 - self.weight)] if self.weight < 1 else []
        for choice in product(law, repeat=length):
            probability = Fraction(1)
            for _, weight in choice:
                probability *= weight
            yield tuple(value for value, _ in choice), probability


@lru_cache(maxsize=8)
def enumerated(inputs: FiniteInputs, tokens: int, features: int) -> tuple[tuple[Prompt, Fraction, Fraction], ...]:
    """(prompt, target, probability) over all inputs and all teachers with entries +-1, entries as Fractions."""
    cases = []
    for values, probability in inputs.vectors(features * (tokens + 1)):
        X = [list(values[a * tokens : (a + 1) * tokens]) for a in range(features)]
        x = values[features * tokens :]
        for signs in product((1, -1), repeat=features):
            Y = [[sum((w * X[a][i] for a, w in enumerate(signs)), Fraction(0)) for i in range(tokens)]]
            target = sum((w * x[a] for a, w in enumerate(signs)), Fraction(0))
            cases.append((Prompt(X, Y, [[value] for value in x]), target, probability / 2**features))
    return tuple(cases)


@lru_cache(maxsize=64)
def enumerated_loss(inputs: FiniteInputs, tokens: int, features: int, step_size: Fraction) -> Fraction:
    """E |yhat - target|^2 of the transformer itself, run on every prompt in rationals."""
    construction = GradientDescent(step_sizes=[step_size])
    total = Fraction(0)
    for prompt, target, probability in enumerated(inputs, tokens, features):
        (value,) = (forward(construction, prompt.lifted(RationalBlock)) + RationalBlock.lift([[0]])).entry.flat
        total += probability * (Fraction(int(value.p), int(value.q)) - target) ** 2
    return total


def float_loss_bounds(
    inputs: FiniteInputs, tokens: int, features: int, step_size: Fraction
) -> tuple[Fraction, Fraction]:
    """An enclosure of the expected loss from one float64 run, the radii of its predictions included."""
    cases = enumerated(inputs, tokens, features)
    arrays = [
        np.array([getattr(prompt, name) for prompt, _, _ in cases], dtype=float) for name in ("X", "Y", "x_query")
    ]
    X, Y, x_query = arrays
    prompt = Prompt(X, Y, x_query).lifted(RoundedBlock)
    predicted: Any = forward(GradientDescent(step_sizes=[step_size]), prompt)
    low = high = Fraction(0)
    for value, radius, (_, target, probability) in zip(predicted.value.flat, predicted.radius.flat, cases, strict=True):
        error, r = abs(Fraction(float(value)) - target), Fraction(float(radius))
        low += probability * max(error - r, Fraction(0)) ** 2
        high += probability * (error + r) ** 2
    return low, high

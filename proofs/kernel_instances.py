"""Instances of the theorems about kernels: kernels in place of arbitrary ones, and inputs that hypotheses ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.block import Block, FeatureMap
from constructions.construction import Construction
from constructions.kernels import LINEAR, RELU
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.definiteness import factors
from numerics.instances import Sizes, exact_parameters, float_parameters
from numerics.kernel_steps import eigenvalue_range
from numerics.mutations import Instance
from numerics.rationals import RationalBlock, as_fraction
from proofs.construction_theorem import Draw, generic_instance

RELU_FEATURES = FeatureMap("relu features", lambda X: X.relu().above((-X).relu()))
"""(max(x, 0), max(-x, 0)): p = 2 d."""

MONOMIALS = FeatureMap("monomials", lambda X: X.ones(1, X.columns).above(X, X.square()))
"""(1, x, x^2): p = 2 d + 1."""

RELU_POINTS = [
    [Fraction(x, 5) for x in (5, 3, 0, -4, -5, -3, 0, 4)],
    [Fraction(y, 5) for y in (0, 4, 5, 3, 0, -4, -5, -3)],
]
"""Eight points of the unit circle, (2, 8), whose ReLU Gram matrix has the eigenvalue -2/5 at (1, -1, 1, -1, ...)."""

_MOST_DRAWS = 1000


def with_functions(**options: Sequence[Any]) -> Callable[[Construction], Draw]:
    """A draw that puts one of the options, chosen at random, in place of each of those fields."""

    def made(prototype: Construction) -> Draw:
        def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
            chosen = {name: held[int(rng.integers(len(held)))] for name, held in options.items()}
            return generic_instance(replace(prototype, **chosen))(rng, sizes, depth, dtype)  # type: ignore[type-var]

        return draw

    return made


def scaled(draw: Draw, factor: Fraction) -> Draw:
    """The draw with the inputs multiplied by the factor, so that exponentials of their products stay small."""

    def times(entry: Any) -> Any:
        if isinstance(entry, np.ndarray):
            return entry * entry.dtype.type(float(factor))
        return [[value * factor for value in row] for row in entry]

    def drawn(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        construction, prompt = draw(rng, sizes, depth, dtype)
        return construction, replace(prompt, X=times(prompt.X), x_query=times(prompt.x_query))

    return drawn


def until_invertible(draw: Draw, gram: Callable[[Construction, Prompt], Block]) -> Draw:
    """The draw repeated until the Gram matrix of its rational instance, or of the dyadic float one, is invertible."""

    def drawn(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        for _ in range(_MOST_DRAWS):
            construction, prompt = draw(rng, sizes, depth, dtype)
            if gram(construction, prompt.lifted(RationalBlock)).matrix.det() != 0:  # type: ignore[attr-defined]
                return construction, prompt
        raise ZeroDivisionError(f"no invertible Gram matrix in {_MOST_DRAWS} draws at {sizes}")

    return drawn


def until_distinct(draw: Draw) -> Draw:
    """The draw repeated until the inputs of the context are distinct, so that a positive definite kernel has K > 0."""

    def drawn(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        for _ in range(_MOST_DRAWS):
            construction, prompt = draw(rng, sizes, depth, dtype)
            columns = [tuple(column) for column in zip(*np.asarray(prompt.X, dtype=object).tolist(), strict=True)]
            if len(set(columns)) == len(columns):
                return construction, prompt
        raise ValueError(f"no distinct inputs in {_MOST_DRAWS} draws at {sizes}")

    return drawn


def _pairs(size: int) -> np.ndarray[Any, Any]:
    """The orthogonal matrix with blocks [[1, 1], [1, -1]] on its diagonal, and a 1 at its end if the size is odd."""
    H = np.eye(size, dtype=int)
    for i in range(0, size - 1, 2):
        H[i : i + 2, i : i + 2] = [[1, 1], [1, -1]]
    return H


def _of_kind(table: Any, dtype: Any) -> Any:
    if dtype is not None:
        return np.array([[float(value) for value in row] for row in table], dtype=dtype)
    return [
        [Fraction(value) if isinstance(value, Fraction) else Fraction(int(value)) for value in row] for row in table
    ]


def _parameters(
    prototype: Construction, sizes: Sizes, rng: np.random.Generator, depth: int, dtype: Any
) -> Construction:
    if dtype is None:
        return exact_parameters(prototype, sizes, rng, depth)
    return float_parameters(prototype, sizes, rng, depth, dtype)


def _along(
    construction: Construction, X: Any, v: Any, Gram: Any, rng: np.random.Generator, m: int, dtype: Any
) -> Instance:
    """The prompt with the eigenvector v of the Gram matrix."""
    d, n = len(X), len(X[0])
    image, place = [sum(a * b[0] for a, b in zip(row, v, strict=True)) for row in Gram], 0
    while v[place][0] == 0:
        place += 1
    lam = Fraction(image[place]) / v[place][0]
    Y, x_query = rng.integers(-3, 4, (m, n)), rng.integers(-3, 4, (d, 1))
    X, Y, x_query, v, held = (_of_kind(table, dtype) for table in (X, Y, x_query, v, [[lam]]))
    return construction, Prompt(X, Y, x_query, (("v", v), ("lam", held)))


def kernel_spectrum_instance(prototype: Construction) -> Draw:
    """Inputs X = D H^T for the linear kernel, H with orthogonal columns: these are eigenvectors of X^T X.

    Now and then, in rationals, the ReLU kernel on ``RELU_POINTS``, where the eigenvalue is negative.
    """

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, d, m = sizes
        is_negative = dtype is None and bool(rng.integers(2))
        if is_negative:
            X: Any = RELU_POINTS
            v = [[(-1) ** i] for i in range(8)]
            sizes = Sizes(8, 2, m)
        else:
            H, D = _pairs(n), np.zeros((d, n), dtype=int)
            for i in range(min(d, n)):
                D[i, i] = rng.integers(1, 4)
            X, column = (D @ H.T).tolist(), int(rng.integers(n))
            v = H[:, [column]].tolist()
        kernel = RELU if is_negative else LINEAR
        construction = _parameters(replace(prototype, kernel=kernel), sizes, rng, depth, dtype)  # type: ignore[type-var]
        held = RationalBlock.lift(X)
        Gram = [[as_fraction(value) for value in row] for row in held.kernel(held, kernel).entry.tolist()]
        return _along(construction, X, v, Gram, rng, m, dtype)

    return draw


def feature_spectrum_instance(prototype: Construction) -> Draw:
    """Inputs X = H C, as many as features, C constant on the blocks of H: (1, -1, 0, ...) is an eigenvector of K."""

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, m = sizes.n, sizes.m
        scales = np.repeat(rng.integers(1, 4, n // 2 + 1), 2)[:n]
        X = (_pairs(n) * scales).tolist()
        features = (RELU_FEATURES, MONOMIALS)[int(rng.integers(2))]
        v = [[1], [-1], *([[0]] * (n - 2))] if n > 1 else [[1]]
        made = replace(prototype, features=features)  # type: ignore[type-var]
        construction = _parameters(made, Sizes(n, n, m), rng, depth, dtype)
        Phi = RationalBlock.lift(X).features(features)
        Gram = [[as_fraction(value) for value in row] for row in (Phi.T @ Phi).entry.tolist()]
        return _along(construction, X, v, Gram, rng, m, dtype)

    return draw


def bounded_instance(prototype: Construction) -> Draw:
    """A contraction factor rho of I - r K, and the factors of rho^2 I - (I - r K)^2 = C^T D C that certify it.

    In floats the inputs are orthogonal, so that the certificate is diagonal and exact.
    """

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, d, m = sizes
        kernel = LINEAR if dtype is not None else (LINEAR, RELU)[int(rng.integers(2))]
        if dtype is None:
            X = [[Fraction(int(rng.integers(-3, 4)), 2) for _ in range(n)] for _ in range(d)]
        else:
            X = [[Fraction(int(rng.integers(1, 4)) if i == j else 0) for j in range(n)] for i in range(d)]
        block = RationalBlock.lift(X)
        K = block.kernel(block, kernel)
        low, high = eigenvalue_range(K)
        r = Fraction(1, 2 ** max(0, math.ceil(high)).bit_length())
        rho = Fraction(math.ceil(8 * max(abs(1 - r * low), abs(1 - r * high))), 8)
        factor = K.identity(n) - K.scale(r)
        C, D = factors(K.identity(n).scale(rho * rho) - factor @ factor)
        Y, x_query = rng.integers(-3, 4, (m, n)), rng.integers(-3, 4, (d, 1))
        certificate = [[[rho]], *([[as_fraction(v) for v in row] for row in M.entry.tolist()] for M in (C, D))]
        named = tuple(zip(("rho", "C", "D"), (_of_kind(table, dtype) for table in certificate), strict=True))
        X, Y, x_query = (_of_kind(table, dtype) for table in (X, Y, x_query))
        construction = replace(prototype, kernel=kernel, step_sizes=Repeated(r, depth))  # type: ignore[type-var]
        return construction, Prompt(X, Y, x_query, named)

    return draw

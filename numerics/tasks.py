"""Tasks: in-context linear regression, sampled as float prompts from a seed.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), y_query (m, 1),
W_star (m, d), the teacher.

    y_i = W_star x_i + noise eps_i        y_query = W_star x_query        eps_i ~ N(0, I)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from constructions.prompt import Prompt

Randomness: TypeAlias = np.random.Generator | int
"""A generator, which is advanced, or a seed: the same seed gives the same draws."""

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def generator(rng: Randomness) -> np.random.Generator:
    """The generator itself, or a fresh one from a seed.

    Raises:
        TypeError: if it is neither.
        ValueError: for a negative seed.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)):
        raise TypeError(f"rng must be a numpy.random.Generator or an int, but {rng!r} came; pass a seed such as 0")
    if rng < 0:
        raise ValueError(f"rng = {rng}: a seed must be at least 0")
    return np.random.default_rng(int(rng))


@dataclass(frozen=True, eq=False)
class Sampled:
    """Tasks that were drawn, with any batch in front.

    Args:
        X: inputs, (*batch, d, n).
        Y: targets with their noise, (*batch, m, n).
        x_query: the query's input, (*batch, d, 1).
        y_query: the query's target without noise, (*batch, m, 1).
        W_star: the teachers, (*batch, m, d).
    """

    X: Array
    Y: Array
    x_query: Array
    y_query: Array
    W_star: Array

    @property
    def prompt(self) -> Prompt:
        """What a transformer sees: neither the teacher nor the query's target."""
        return Prompt(self.X, self.Y, self.x_query)


@dataclass(frozen=True)
class LinearTask:
    """In-context linear regression: the law from which tasks are drawn.

    Args:
        n: context tokens, >= 1; n < d gives contexts of deficient rank.
        d: features, >= 1.
        m: targets, >= 1.
        inputs: "gaussian" for N(0, covariance), "uniform" for iid coordinates U(-half_width, half_width).
        covariance: of a Gaussian input, (d, d), positive semidefinite; None is the identity.
        half_width: of a uniform coordinate, > 0; None is 1/2. What the axes of von Oswald et al. (2023) call
            U(-alpha, alpha) is U(-alpha/2, alpha/2) in their code, so half_width = alpha / 2.
        prior: covariance of each row of the teacher, N(0, prior), (d, d), like covariance.
        noise: standard deviation of the noise on the labels of the context, >= 0.
        dtype: a NumPy float dtype.

    Both covariances are held as nested tuples of floats, so that tasks can be compared and hashed.

    Raises:
        TypeError: for a size that is no int, or a dtype that is no real float.
        ValueError: for any other argument out of its range.
    """

    n: int
    d: int
    m: int = 1
    inputs: str = "gaussian"
    covariance: Any = None
    half_width: float | None = None
    prior: Any = None
    noise: float = 0.0
    dtype: Any = np.float64

    def __post_init__(self) -> None:
        for name, size in (("n", self.n), ("d", self.d), ("m", self.m)):
            if isinstance(size, bool) or not isinstance(size, int):
                raise TypeError(f"{name} must be an int, but {size!r} came")
            if size < 1:
                raise ValueError(f"{name} = {size}: it must be at least 1")
        if self.inputs not in ("gaussian", "uniform"):
            raise ValueError(f"inputs = {self.inputs!r}: it must be 'gaussian' or 'uniform'")
        if self.inputs == "uniform" and self.covariance is not None:
            raise ValueError("covariance is for inputs = 'gaussian', but 'uniform' came: set half_width instead")
        if self.inputs == "gaussian" and self.half_width is not None:
            raise ValueError("half_width is for inputs = 'uniform', but 'gaussian' came: set covariance instead")
        if self.half_width is not None and not 0 < self.half_width < math.inf:
            raise ValueError(f"half_width = {self.half_width}: it must be finite and above 0")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise = {self.noise}: a standard deviation must be finite and at least 0")
        if not np.issubdtype(np.dtype(self.dtype), np.floating):
            raise TypeError(f"dtype {np.dtype(self.dtype)} is refused: pass a float one such as numpy.float64")
        if self.inputs == "uniform" and self.half_width is None:
            object.__setattr__(self, "half_width", 0.5)
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        object.__setattr__(self, "covariance", _covariance("covariance", self.covariance, self.d))
        object.__setattr__(self, "prior", _covariance("prior", self.prior, self.d))

    def sample(self, rng: Randomness, batch: int | tuple[int, ...] = ()) -> Sampled:
        """Tasks drawn at random, in the order X, x_query, W_star, noise.

        Draws are made in float64 and rounded to the dtype; targets are computed in it, from what was rounded.

        Args:
            rng: a generator, or a seed.
            batch: the batch dimensions, each >= 1; one prompt by default.
        """
        rng = generator(rng)
        batch = (batch,) if isinstance(batch, int) else tuple(batch)
        if any(size < 1 for size in batch):
            raise ValueError(f"batch = {batch}: each dimension must be at least 1; pass () for one prompt")
        X = self._inputs(rng, (*batch, self.d, self.n))
        x_query = self._inputs(rng, (*batch, self.d, 1))
        W_star = rng.standard_normal((*batch, self.m, self.d))
        if self.prior is not None:
            W_star = W_star @ _square_root(self.prior)
        W_star = W_star.astype(self.dtype)
        Y = W_star @ X
        if self.noise:
            Y = Y + (self.noise * rng.standard_normal(Y.shape)).astype(self.dtype)
        return Sampled(X, Y, x_query, W_star @ x_query, W_star)

    def _inputs(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if self.half_width is not None:
            return rng.uniform(-self.half_width, self.half_width, shape).astype(self.dtype)
        drawn = rng.standard_normal(shape)
        if self.covariance is not None:
            drawn = _square_root(self.covariance) @ drawn
        return drawn.astype(self.dtype)


def _covariance(name: str, entry: Any, d: int) -> tuple[tuple[float, ...], ...] | None:
    """The matrix as nested tuples, checked: (d, d), finite, symmetric, positive semidefinite.

    Rounding the entries of a positive semidefinite matrix moves its eigenvalues by at most d eps max|entry|;
    one that is negative by no more is taken for zero.
    """
    if entry is None:
        return None
    try:
        matrix = np.asarray(entry, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a ({d}, {d}) matrix of numbers: {error}") from error
    if matrix.shape != (d, d):
        raise ValueError(f"{name} must have shape ({d}, {d}) for d = {d}, but {matrix.shape} came")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite, but NaN or infinity came")
    if not np.array_equal(matrix, matrix.T):
        raise ValueError(f"{name} must be symmetric: pass (A + A.T) / 2 if only rounding parts A from A.T")
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -d * np.finfo(np.float64).eps * np.abs(matrix).max():
        raise ValueError(
            f"{name} must be positive semidefinite, but its smallest eigenvalue is {smallest:.6g}; pass a "
            "matrix such as A @ A.T"
        )
    return tuple(tuple(row) for row in matrix.tolist())


def _square_root(matrix: tuple[tuple[float, ...], ...]) -> Array:
    """The symmetric square root, which does not depend on the signs that LAPACK gives the eigenvectors."""
    eigenvalues, vectors = np.linalg.eigh(np.array(matrix))
    root: Array = (vectors * np.sqrt(np.maximum(eigenvalues, 0))) @ vectors.T
    return root


VON_OSWALD = LinearTask(n=10, d=10, inputs="uniform", half_width=0.5)
"""The main case of von Oswald et al. (2023): its figures fit inputs from U(-1/2, 1/2)."""

VON_OSWALD_WIDE = LinearTask(n=10, d=10, inputs="uniform", half_width=1.0)
"""The same with U(-1, 1), as the paper's text reads; incompatible with its figures."""

AHN = LinearTask(n=20, d=5)
"""The isotropic case of Ahn et al. (2023)."""

AHN_ANISOTROPIC = LinearTask(n=20, d=5, covariance=np.diag([1, 1, 1 / 4, 1 / 16, 1]), prior=np.diag([1, 1, 4, 16, 1]))
"""Ahn et al. (2023), section 4.3, in the eigenbasis of the covariance; the prior is its inverse."""

FU = LinearTask(n=40, d=20)
"""The isotropic case of Fu et al. (2024)."""

FU_ILL_CONDITIONED = LinearTask(n=40, d=20, covariance=np.diag([200 / 101] * 10 + [2 / 101] * 10))
"""Fu et al. (2024), condition number 100, trace d, in the eigenbasis of the covariance (random there)."""

"""Kernels: the attention scores kappa(key, query) of functional gradient descent, as functions of blocks.

Symbols: K (d, n) the keys, Q (d, q) the queries; a Gram block is (n, q).

The linear, exponential and RBF kernels are positive semidefinite. The ReLU kernel is not, and the softmax is not even
symmetric: what they do is stated by theorems of their own.

Reference: Cheng et al. (2024), arXiv 2312.06528.
"""

from fractions import Fraction
from numbers import Real

from constructions.block import Block, Kernel, softmax
from constructions.scalars import Scalar


def _inner(K: Block, Q: Block) -> Block:
    return K.T @ Q


LINEAR = Kernel("linear", _inner)
"""<k, q>: functional descent is least-squares descent."""

RELU = Kernel("relu", lambda K, Q: _inner(K, Q).relu())
"""max(<k, q>, 0): symmetric, but not positive semidefinite."""

SOFTMAX = Kernel("softmax", lambda K, Q: softmax([_inner(K, Q)])[0], symmetric=False, over_keys=True)
"""exp(<k, q>) / sum over the keys t of exp(<t, q>): every column of a Gram block sums to one."""


def polynomial(degree: int) -> Kernel:
    """(1 + <k, q>)^degree, for a degree >= 1; it runs in rationals, and separates many points."""
    if isinstance(degree, bool) or not isinstance(degree, int):
        raise TypeError(f"degree = {degree!r}: it must be an int")
    if degree < 1:
        raise ValueError(f"degree = {degree}: it must be at least 1")

    def gram(K: Block, Q: Block) -> Block:
        once = _inner(K, Q) + K.ones(K.columns, Q.columns)
        power = once
        for _ in range(degree - 1):
            power = power.hadamard(once)
        return power

    return Kernel(f"polynomial({degree})", gram)


def exponential(scale: Scalar = 1) -> Kernel:
    """exp(scale <k, q>), for a scale > 0; in balls, floats and symbols only."""
    _require_positive(scale)
    return Kernel(_named("exponential", scale, 1), lambda K, Q: _inner(K, Q).scale(scale).exp())


def rbf(scale: Scalar = Fraction(1, 2)) -> Kernel:
    """exp(-scale |k - q|^2), for a scale > 0; in balls, floats and symbols only."""
    _require_positive(scale)

    def gram(K: Block, Q: Block) -> Block:
        row = K.ones(1, K.rows)
        keys = (row @ K.square()).T @ K.ones(1, Q.columns)
        queries = K.ones(K.columns, 1) @ (row @ Q.square())
        return (_inner(K, Q).scale(2) - keys - queries).scale(scale).exp()

    return Kernel(_named("rbf", scale, Fraction(1, 2)), gram)


def _named(name: str, scale: Scalar, usual: Scalar) -> str:
    return name if scale == usual else f"{name}({scale})"


def _require_positive(scale: Scalar) -> None:
    if isinstance(scale, Real) and not float(scale) > 0:
        raise ValueError(f"scale = {scale}: it must be above 0, or the kernel is not positive semidefinite")

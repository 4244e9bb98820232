"""The error of the looped transformer: a matrix power, on any context, and its factor along each eigenvector.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), A (d, d), U (m, d); S = X X^T / n;
W_star (m, d), any least-squares solution: Y X^T = W_star X X^T. Y may be noisy; if Y = W_star X, it is the teacher.

    W_star x - TF_L = W_star (I - S A)^L x - U (I - (I - S A)^L) x                     x = x_query

Along a right eigenvector S A v = lam v the error is multiplied by 1 - lam in every loop. Hence, as loops are added, it
vanishes for all W_star and x exactly if |1 - lam| < 1 for every eigenvalue of S A, complex ones included. For A = M M^T
with M invertible these are the eigenvalues of M^T S M, real and >= 0, and must lie in (0, 2); above 2 it diverges, and
where S is singular (n < d) it does not move. No distribution is assumed: A may have been fitted to another one.

Reference: Gatmiry et al. (2024), arXiv 2410.08292, for the model (second-hand); the statements are this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block, Zero
from constructions.looped import LoopedTransformer
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, Relation, State


def least_squares(prompt: Prompt) -> Relation:
    """The normal equations of W_star, the extra of that name."""
    X, Y = prompt.X, prompt.Y
    return Relation("W_star solves the normal equations", Y @ X.T, prompt.extra("W_star") @ X @ X.T)


@dataclass(frozen=True, kw_only=True, repr=False)
class LoopedClosedForm(LoopedTransformer):
    """The looped transformer predicts (W_star + U) (I - (I - S A)^L) x_query, W_star solving least squares.

    The iterate is the matrix power: F = (I - S A)^l.

    Args:
        preconditioner, loops, shift: as for ``LoopedTransformer``.
    """

    iterate_symbol = "F"
    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d")}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return (least_squares(prompt),)

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X.identity(prompt.d)

    def step(self, l: Index, F: Block, prompt: Prompt) -> Block:
        SA = (prompt.X @ prompt.X.T @ self.preconditioner).scale(ratio(1, prompt.n))
        return F @ (prompt.X.identity(prompt.d) - SA)

    def weights(self, F: Block, prompt: Prompt) -> Block:
        """(W_star + U) (I - F), what gradient descent has reached."""
        return (prompt.extra("W_star") + self.shift) @ (prompt.X.identity(prompt.d) - F)

    def predict(self, F: Block, prompt: Prompt) -> Block:
        return self.weights(F, prompt) @ prompt.x_query

    def state(self, l: Index, F: Block, prompt: Prompt) -> State:
        """Before loop l the labels are y_i - (W_star + U) (I - F) x_i, and so for the query, with 0 for its y."""
        return super().state(l, self.weights(F, prompt), prompt)


class SpectralIterate(NamedTuple):
    """The weights, and the factor of their error along one eigenvector."""

    W: Block
    rho: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class LoopedSpectrum(LoopedTransformer):
    """The looped transformer's error (W_star - W) v is (1 - lam / n)^l W_star v, if X X^T A v = lam v.

    Args:
        preconditioner, loops: as for ``LoopedTransformer``.
        shift: None; with one, W_star + U takes the place of W_star.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {
        "W_star": ("m", "d"),
        "v": ("d", 1),
        "lam": (1, 1),
    }

    def __post_init__(self) -> None:
        if not (self.shift is None or isinstance(self.shift, Zero)):
            raise ValueError("the spectrum is stated without a label shift; leave shift out, or take LoopedClosedForm")

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        v, S = prompt.extra("v"), prompt.X @ prompt.X.T
        eigen = Relation("v is an eigenvector of X X^T A", S @ self.preconditioner @ v, v @ prompt.extra("lam"))
        return least_squares(prompt), eigen

    def initial(self, prompt: Prompt) -> SpectralIterate:
        return SpectralIterate(Zero(prompt.m, prompt.d), prompt.X.identity(1))

    def step(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> SpectralIterate:
        factor = prompt.X.identity(1) - prompt.extra("lam").scale(ratio(1, prompt.n))
        return SpectralIterate(super().step(l, iterate.W, prompt), iterate.rho @ factor)

    def predict(self, iterate: SpectralIterate, prompt: Prompt) -> Block:
        return super().predict(iterate.W, prompt)

    def state(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> State:
        return super().state(l, iterate.W, prompt)

    def relations(self, iterate: SpectralIterate, prompt: Prompt) -> tuple[Relation, ...]:
        v, W_star = prompt.extra("v"), prompt.extra("W_star")
        return (Relation("the error along v", iterate.W @ v, W_star @ v - W_star @ v @ iterate.rho),)

"""Newton's k steps are 2^k gradient steps: the map of those steps, doubled at every step of Newton's.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M, A (d, d), C (m, d).

The affine map W -> W A + C, composed with itself, is W -> W A A + (C A + C). From the map of one gradient step,

    A = I - alpha S, C = alpha Y X^T         W <- W - alpha (W X - Y) X^T

A <- A A, C <- C A + C gives the map of 2^k of them, whose value at W = 0 is C; and A = I - S M_k, C = Y X^T M_k for
Newton's iterate M_k from M_0 = alpha I. From M_0 = alpha S it is likewise the map of 2^k Richardson steps on the normal
equations, W <- W - alpha (W S - Y X^T) S, which are gradient steps on the context (X X^T, Y X^T).

Reference: this project.
"""

from dataclasses import dataclass
from typing import NamedTuple

from constructions.block import Block
from constructions.newton import NewtonFromIdentity, NewtonIteration
from constructions.newton_gram import NewtonFromGramMasked, symmetric_and_commuting
from constructions.prompt import Prompt
from constructions.stages import Index, Iterate, Relation, State


class DoublingIterate(NamedTuple):
    """A Newton iterate, and the affine map W -> W A + C of 2^k gradient steps."""

    M: Block
    A: Block
    C: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class StepsDouble(NewtonIteration):
    """What both starts share; a subclass puts it in front of the network that it follows.

    Args:
        alpha, steps, looped, relu: as for ``NewtonIteration``.
    """

    family = None  # the same networks with more said of them

    def single_step(self, prompt: Prompt) -> tuple[Block, Block]:
        """(A, C) of one gradient step W <- W A + C of size alpha."""
        X = prompt.X
        return X.identity(prompt.d) - (X @ X.T).scale(self.alpha), (prompt.Y @ X.T).scale(self.alpha)

    def initial(self, prompt: Prompt) -> Iterate:
        M = super().initial(prompt)  # type: ignore[safe-super]  # that of the network it stands in front of
        return DoublingIterate(M, *self.single_step(prompt))

    def step(self, l: Index, iterate: DoublingIterate, prompt: Prompt) -> DoublingIterate:  # type: ignore[override]
        M, A, C = iterate
        return DoublingIterate(super().step(l, M, prompt), A @ A, C @ A + C)

    def predict(self, iterate: DoublingIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return iterate.C @ prompt.x_query

    def matrix(self, iterate: DoublingIterate) -> Block:
        return iterate.M

    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State:
        return super().state(l, iterate.M, prompt)  # type: ignore[return-value]

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        M, A, C = iterate
        return (
            Relation("A = I - X X^T M", A, prompt.X.identity(prompt.d) - prompt.X @ prompt.X.T @ M),
            Relation("C = Y X^T M", C, prompt.Y @ prompt.X.T @ M),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromIdentityDoubling(StepsDouble, NewtonFromIdentity):
    """Newton's network from M_0 = alpha I, followed by the map of 2^k gradient steps of size alpha.

    Args:
        alpha: the initial scale, and the step size of W <- W - alpha (W X - Y) X^T.
        steps, looped, relu: as for ``NewtonIteration``.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramDoubling(StepsDouble, NewtonFromGramMasked):
    """Newton's network from M_0 = alpha S, followed by the map of 2^k Richardson steps of size alpha.

    Args:
        alpha: the initial scale, and the step size of W <- W - alpha (W S - Y X^T) S.
        steps, looped, relu: as for ``NewtonIteration``.
    """

    def single_step(self, prompt: Prompt) -> tuple[Block, Block]:
        X, Y = prompt.X, prompt.Y
        return X.identity(prompt.d) - (X @ X.T @ X @ X.T).scale(self.alpha), (Y @ X.T @ X @ X.T).scale(self.alpha)

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        return *super().relations(iterate, prompt), *symmetric_and_commuting(iterate.M, prompt)

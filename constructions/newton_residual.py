"""The error of Newton's iteration: its residual squares at every step, so that it is known exactly after k of them.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M, P, R (d, d),
W_star (m, d).

    R_k = P - S M_k        R <- R R        prediction W_star (I - R_k) x_query

P is any orthogonal projector that fixes the inputs: I, or for inputs of any rank the projector S S^+ onto their span.
W_star is a least-squares solution, W_star S = Y X^T, with W_star P = W_star: any solution for P = I, the one of minimum
norm for P = S S^+. Hence R_k = R_0^(2^k), and the transformer's error is exactly -W_star R_k x_query.

Reference: Fu et al. (2024), section 5, for the iteration; the exact error, any rank included, is this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block
from constructions.newton import NewtonFromIdentity, NewtonIteration
from constructions.newton_gram import NewtonFromGramMasked
from constructions.prompt import Prompt
from constructions.stages import Index, Iterate, Relation, State


class ResidualIterate(NamedTuple):
    """A Newton iterate with its residual."""

    M: Block
    R: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class ResidualSquares(NewtonIteration):
    """What both starts share; a subclass puts it in front of the network that it follows.

    Args:
        alpha, steps, looped, relu: as for ``NewtonIteration``.
    """

    family = None  # the same networks with more said of them

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d"), "P": ("d", "d")}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        X, W_star, P = prompt.X, prompt.extra("W_star"), prompt.extra("P")
        return (
            Relation("P is symmetric", P.T, P),
            Relation("P is a projector", P @ P, P),
            Relation("P fixes the inputs", P @ X, X),
            Relation("P fixes the inputs, transposed", X.T @ P, X.T),
            Relation("W_star is a least-squares solution", prompt.Y @ X.T, W_star @ X @ X.T),
            Relation("P fixes the solution", W_star @ P, W_star),
        )

    def initial(self, prompt: Prompt) -> Iterate:
        M = super().initial(prompt)  # type: ignore[safe-super]  # that of the network it stands in front of
        return ResidualIterate(M, prompt.extra("P") - prompt.X @ (prompt.X.T @ M))

    def step(self, l: Index, iterate: ResidualIterate, prompt: Prompt) -> ResidualIterate:  # type: ignore[override]
        return ResidualIterate(super().step(l, iterate.M, prompt), iterate.R @ iterate.R)

    def predict(self, iterate: ResidualIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return prompt.extra("W_star") @ (prompt.x_query - iterate.R @ prompt.x_query)

    def matrix(self, iterate: ResidualIterate) -> Block:
        return iterate.M

    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State:
        return super().state(l, iterate.M, prompt)  # type: ignore[return-value]

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        (M, R), P, S = iterate, prompt.extra("P"), prompt.X @ prompt.X.T
        return (
            Relation("M is symmetric", M.T, M),
            Relation("X X^T M = P - R", S @ M, P - R),
            Relation("M X X^T = P - R", M @ prompt.X @ prompt.X.T, P - R),
            Relation("R commutes with X X^T", R @ prompt.X @ prompt.X.T, S @ R),
            Relation("P R = R", P @ R, R),
            Relation("R P = R", R @ P, R),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromIdentityResidual(ResidualSquares, NewtonFromIdentity):
    """Newton's network from M_0 = alpha I, followed by its residual R_k = (P - alpha S)^(2^k).

    Args:
        alpha: the initial scale; R_k -> 0 on the span of the inputs exactly if 0 < alpha < 2 / lambda_max(X X^T).
        steps, looped, relu: as for ``NewtonIteration``.
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramResidual(ResidualSquares, NewtonFromGramMasked):
    """Newton's network from M_0 = alpha S, followed by its residual R_k = (P - alpha S^2)^(2^k).

    Args:
        alpha: the initial scale; R_k -> 0 on the span of the inputs exactly if 0 < alpha < 2 / lambda_max(X X^T)^2.
        steps, looped, relu: as for ``NewtonIteration``.
    """

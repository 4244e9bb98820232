"""The error of a stack of (P, Q) attention layers on any prompt: a product of matrices, or a recursion of two.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); A_l, B_l, F, J (d, d);
S = X X^T / n; W_star (m, d), any least-squares solution: Y X^T = W_star X X^T (a noiseless teacher is one).

Layers that leave the inputs alone (Q = -[[A_l, 0], [0, 0]]) predict, from W = 0, W_star (I - J) x_query with

    J <- J (I - S A_l)                                   J = I at first: (I - S A_0) ... (I - S A_(L-1)) at last

and those that move them (Q = [[A_l, 0], [0, 0]], P = [[B_l, 0], [0, I]]) the same with

    J <- J + J S F^T A_l F          F <- F + B_l F S F^T A_l F          F = J = I at first

so that the error is W_star J x_query. B = 0 and -A for A make the second the first.

Reference: Ahn et al. (2023), proofs of Lemma 5 and Theorem 4, arXiv 2306.00297; in this form this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block
from constructions.gdpp import PreconditionedIterate
from constructions.looped_error import least_squares
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, Relation, State
from constructions.stream import Stream


class ErrorIterate(NamedTuple):
    """What the error and the inputs have been multiplied by, (d, d) each."""

    J: Block
    F: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class StackError(PreconditionedDescent):
    """The stack that leaves the inputs alone predicts W_star (I - J) x_query, J = (I - S A_0) ... (I - S A_(L-1)).

    Args:
        preconditioners: as for ``PreconditionedDescent``.
        W_0: None, zero.
    """

    iterate_symbol = "J"
    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d")}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return (least_squares(prompt),)

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X.identity(prompt.d)

    def step(self, l: Index, J: Block, prompt: Prompt) -> Block:
        return J - J @ (prompt.X @ prompt.X.T @ self.preconditioners[l]).scale(ratio(1, prompt.n))

    def weights(self, J: Block, prompt: Prompt) -> Block:
        """W_star (I - J), what gradient descent has reached."""
        return prompt.extra("W_star") @ (prompt.X.identity(prompt.d) - J)

    def predict(self, J: Block, prompt: Prompt) -> Block:
        return self.weights(J, prompt) @ prompt.x_query

    def state(self, l: Index, J: Block, prompt: Prompt) -> State:
        """Before layer l the labels are y_i - W_star (I - J) x_i, and the query holds -W_star (I - J) x_query."""
        return super().state(l, self.weights(J, prompt), prompt)


@dataclass(frozen=True, kw_only=True, repr=False)
class RelaxedStackError(RelaxedPreconditionedDescent):
    """The stack that moves the inputs predicts W_star (I - J) x_query, J and F by their recursion.

    Args:
        preconditioners, input_maps: as for ``RelaxedPreconditionedDescent``.
        W_0: None, zero.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d")}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return (least_squares(prompt),)

    def initial(self, prompt: Prompt) -> ErrorIterate:  # type: ignore[override]  # the iterate is another one
        one = prompt.X.identity(prompt.d)
        return ErrorIterate(one, one)

    def step(self, l: Index, iterate: ErrorIterate, prompt: Prompt) -> ErrorIterate:  # type: ignore[override]
        J, F = iterate
        moved = (prompt.X @ prompt.X.T @ F.T @ self.preconditioners[l] @ F).scale(ratio(1, prompt.n))
        return ErrorIterate(J + J @ moved, F + self.input_maps[l] @ F @ moved)

    def predict(self, iterate: ErrorIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return self.weights(iterate, prompt) @ prompt.x_query

    def weights(self, iterate: ErrorIterate, prompt: Prompt) -> Block:
        """W_star (I - J), what gradient descent has reached."""
        return prompt.extra("W_star") @ (prompt.X.identity(prompt.d) - iterate.J)

    def state(self, l: Index, iterate: ErrorIterate, prompt: Prompt) -> State:  # type: ignore[override]
        """Before layer l the inputs are F x, the labels y_i - W_star (I - J) x_i; the query's -W_star (I - J) x."""
        W, F = self.weights(iterate, prompt), iterate.F
        return {
            ("x", "context"): F @ prompt.X,
            ("y", "context"): prompt.Y - W @ prompt.X,
            ("x", "query"): F @ prompt.x_query,
            ("y", "query"): -(W @ prompt.x_query),
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class QueryWithLabel(RelaxedPreconditionedDescent):
    """A label t in the query's slot is added to what the slot ends with, and changes nothing else.

    With t = W_star x_query the slot ends with the error of the prediction.

    Args:
        preconditioners, input_maps, W_0: as for ``RelaxedPreconditionedDescent``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"t": ("m", 1)}

    def predict(self, iterate: PreconditionedIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return super().predict(iterate, prompt) - prompt.extra("t")

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i - W_0 x_i), and the query (x_query, t - W_0 x_query)."""
        stream = super().embed(prompt)
        label = stream["y", "query"] + prompt.extra("t")
        return Stream(stream.slots, stream.groups, {**stream.blocks, ("y", "query"): label})

    def state(self, l: Index, iterate: PreconditionedIterate, prompt: Prompt) -> State:  # type: ignore[override]
        """As without t, which the query holds in addition."""
        label = prompt.extra("t") - iterate.W @ prompt.x_query
        return {**super().state(l, iterate, prompt), ("y", "query"): label}

"""Preconditioned gradient descent: what a stack of (P, Q) attention layers computes, in the papers' parameterisation.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d), A_l, B_l, F (d, d).

A layer is Z <- Z + (1 / n) P Z M (Z^T Q Z), M masking the query. With P_l = [[0, 0], [0, I]], Q_l = -[[A_l, 0], [0, 0]]

    W <- W - (1 / n) (W X - Y) X^T A_l          (columns: w <- w - A_l^T (S w - v))

so the preconditioner is the transpose of A_l. With P_l = [[B_l, 0], [0, I]] and Q_l = [[A_l, 0], [0, 0]] (no minus) the
inputs move as well: F <- F + (1 / n) B_l F X X^T F^T A_l F.

Reference: Ahn et al. (2023), Lemma 1 and equations (8) and (11); Lemma 1 omits the transpose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.example_tokens import residual_state
from constructions.gdpp import PreconditionedIterate
from constructions.layer import Attention, Layer
from constructions.parameters import depth, matrix
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight

_KEY = Weight({("x", "x"): 1, ("y", "y"): 1})
"""The papers' Q is W_K^T W_Q with W_K = I."""


@dataclass(frozen=True, kw_only=True, repr=False)
class PreconditionedDescent(Construction):
    """k layers P = [[0, 0], [0, I]], Q = -[[A_l, 0], [0, 0]] that take k preconditioned gradient steps.

    Args:
        preconditioners: A_1, ..., A_k, each (d, d), symmetric or not; the preconditioner of step l is A_l^T.
        W_0: the weights to start from, (m, d); None is zero, as in the paper. They enter by the embedding alone.
    """

    preconditioners: Sequence[Any] = matrix("A", "d", "d", per_layer=True)
    W_0: Any = matrix("W_0", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return depth(self.preconditioners)

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        return self.W_0

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        gradient = ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(1, prompt.n))
        return W - gradient @ self.preconditioners[l]

    def predict(self, W: Block, prompt: Prompt) -> Block:
        return W @ prompt.x_query

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i - W_0 x_i), and the query (x_query, -W_0 x_query)."""
        return Stream(
            slots={"x": prompt.d, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("y", "context"): prompt.Y - self.W_0 @ prompt.X,
                ("x", "query"): prompt.x_query,
                ("y", "query"): -(self.W_0 @ prompt.x_query),
            },
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(
            Attention(
                Head(
                    key=_KEY,
                    query=Weight({("x", "x"): -self.preconditioners[l]}),
                    value=Weight({("y", "y"): 1}),
                    factor=ratio(1, prompt.n),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, W: Block, prompt: Prompt) -> State:
        """Before layer l the labels are the residuals y_i - W x_i, and the query holds -W x_query."""
        return residual_state(prompt, prompt.Y - W @ prompt.X, W @ prompt.x_query)

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class RelaxedPreconditionedDescent(PreconditionedDescent):
    """k layers P = [[B_l, 0], [0, I]], Q = [[A_l, 0], [0, 0]] that precondition by A_l and move the inputs by B_l.

    Args:
        preconditioners: A_1, ..., A_k, each (d, d); with this form's sign a descent step has negative A_l.
        input_maps: B_1, ..., B_k, each (d, d).
        W_0: the weights to start from, (m, d); None is zero, as in the paper.
    """

    input_maps: Sequence[Any] = matrix("B", "d", "d", per_layer=True)

    def initial(self, prompt: Prompt) -> PreconditionedIterate:  # type: ignore[override]  # the iterate carries F
        return PreconditionedIterate(self.W_0, prompt.X.identity(prompt.d))

    def step(  # type: ignore[override]
        self, l: Index, iterate: PreconditionedIterate, prompt: Prompt
    ) -> PreconditionedIterate:
        W, F = iterate.W, iterate.F
        inputs, rate = F @ prompt.X, ratio(1, prompt.n)
        through = inputs.T @ self.preconditioners[l] @ F
        return PreconditionedIterate(
            W + ((W @ prompt.X - prompt.Y) @ through).scale(rate),
            F + (self.input_maps[l] @ inputs @ through).scale(rate),
        )

    def predict(self, iterate: PreconditionedIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return iterate.W @ prompt.x_query

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(
            Attention(
                Head(
                    key=_KEY,
                    query=Weight({("x", "x"): self.preconditioners[l]}),
                    value=Weight({("x", "x"): self.input_maps[l], ("y", "y"): 1}),
                    factor=ratio(1, prompt.n),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, iterate: PreconditionedIterate, prompt: Prompt) -> State:  # type: ignore[override]
        """Before layer l the inputs are F x, the labels y_i - W x_i, and the query holds -W x_query."""
        return {
            ("x", "context"): iterate.F @ prompt.X,
            ("y", "context"): prompt.Y - iterate.W @ prompt.X,
            ("x", "query"): iterate.F @ prompt.x_query,
            ("y", "query"): -(iterate.W @ prompt.x_query),
        }

"""Gradient descent: k linear attention layers take k steps on the least-squares loss of the context, from any W_0.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d).

    L(W) = (1 / 2n) |W X - Y|^2        W <- W - (eta_l / n) (W X - Y) X^T

Reference: von Oswald et al. (2023), Proposition 1 and section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Attention, Layer
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class GradientDescent(Construction):
    """k linear attention layers that take k gradient steps on the context.

    Args:
        step_sizes: eta_1, ..., eta_k, one per layer; converges if each is below 2 n / lambda_max(X X^T).
        W_0: the weights to start from, (m, d); None is zero.
    """

    step_sizes: Sequence[Scalar] = scalar("eta", per_layer=True, positive=True)
    W_0: Any = matrix("W_0", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        return self.W_0

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return W - ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(self.step_sizes[l], prompt.n))

    def predict(self, W: Block, prompt: Prompt) -> Block:
        return W @ prompt.x_query

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, -W_0 x_query)."""
        return Stream(
            slots={"x": prompt.d, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("y", "context"): prompt.Y,
                ("x", "query"): prompt.x_query,
                ("y", "query"): -(self.W_0 @ prompt.x_query),
            },
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """W_K = W_Q = [[I, 0], [0, 0]], W_V = [[0, 0], [W_0, -I]], P = (eta / n) I; the context is the key."""
        rate = ratio(self.step_sizes[l], prompt.n)
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): 1}),
                    query=Weight({("x", "x"): 1}),
                    value=Weight({("y", "x"): self.W_0, ("y", "y"): -1}),
                    projection=Weight({("x", "x"): rate, ("y", "y"): rate}),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, W: Block, prompt: Prompt) -> State:
        """Before layer l the targets hold y_i - (W - W_0) x_i, and the query holds -W x_query."""
        return {
            ("x", "context"): prompt.X,
            ("y", "context"): prompt.Y - (W - self.W_0) @ prompt.X,
            ("x", "query"): prompt.x_query,
            ("y", "query"): -(W @ prompt.x_query),
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]

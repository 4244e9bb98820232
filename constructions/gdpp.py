"""GD++: linear attention layers that take gradient steps and, with the same head, make the inputs better conditioned.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d), F (d, d).

Layer l sees the inputs F X and replaces them by (I - gamma_l (F X)(F X)^T) F X. For the original inputs it takes a
preconditioned gradient step:

    W <- W - (eta_l / n) (W X - Y) X^T F^T F        F <- F - gamma_l F X X^T F^T F

Reference: von Oswald et al. (2023), section 3 and appendix A.10; the paper has W_0 = 0 and no induction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class PreconditionedIterate(NamedTuple):
    """The iterate of a method that moves the inputs as well."""

    W: Block
    """The weights, for the original inputs, (m, d)."""
    F: Block
    """What the inputs have been multiplied by, (d, d)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class GDPlusPlus(Construction):
    """k linear attention layers that run GD++, gradient descent with the preconditioner F_l^T F_l.

    Args:
        step_sizes: eta_1, ..., eta_k, one per layer.
        curvature_steps: gamma_1, ..., gamma_k, one per layer; gamma multiplies X X^T, not X X^T / n.
        W_0: the weights to start from, (m, d); None is zero. They enter by the embedding alone: targets y_i - W_0 x_i.
    """

    step_sizes: Sequence[Scalar] = scalar("eta", per_layer=True, positive=True)
    curvature_steps: Sequence[Scalar] = scalar("gamma", per_layer=True, positive=True)
    W_0: Any = matrix("W_0", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    # The algorithm.

    def initial(self, prompt: Prompt) -> PreconditionedIterate:
        return PreconditionedIterate(self.W_0, prompt.X.identity(prompt.d))

    def step(self, l: Index, iterate: PreconditionedIterate, prompt: Prompt) -> PreconditionedIterate:
        W, F = iterate.W, iterate.F
        inputs = F @ prompt.X
        gradient = (W @ prompt.X - prompt.Y) @ inputs.T @ F
        return PreconditionedIterate(
            W - gradient.scale(ratio(self.step_sizes[l], prompt.n)),
            F - (inputs @ (inputs.T @ F)).scale(self.curvature_steps[l]),
        )

    def predict(self, iterate: PreconditionedIterate, prompt: Prompt) -> Block:
        return iterate.W @ prompt.x_query

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
        """W_K = W_Q = diag(I, 0), W_V = diag(I, -I), P = diag(-gamma I, (eta / n) I); the context is the key."""
        rate = ratio(self.step_sizes[l], prompt.n)
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): 1}),
                    query=Weight({("x", "x"): 1}),
                    value=Weight({("x", "x"): 1, ("y", "y"): -1}),
                    projection=Weight({("x", "x"): -self.curvature_steps[l], ("y", "y"): rate}),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, iterate: PreconditionedIterate, prompt: Prompt) -> State:
        """Before layer l the inputs are F x, the targets y_i - W x_i, and the query holds -W x_query."""
        return {
            ("x", "context"): iterate.F @ prompt.X,
            ("y", "context"): prompt.Y - iterate.W @ prompt.X,
            ("x", "query"): iterate.F @ prompt.x_query,
            ("y", "query"): -(iterate.W @ prompt.x_query),
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]

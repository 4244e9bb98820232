"""The looped linear transformer: one layer, applied L times, takes L preconditioned gradient steps.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d), A (d, d), U (m, d).

A loop is Z <- Z - (1 / n) P Z M (Z^T Q Z), M masking the query as a key, Q = [[A, 0], [0, 0]], P = [[0, 0], [U, I]]:

    W <- W - (1 / n) (W X - (Y + U X)) X^T A      from W = 0          (columns: w <- w - A^T (1 / n) X (X^T w - y))

so the preconditioner is A^T, and U, the label shift, has the steps fit the labels Y + U X; the tokens carry the
residuals Y - W X. For one target U is the row u^T. The prediction is minus the label of the query.

Reference: Gatmiry et al. (2024), arXiv 2410.08292; the model as others report it (second-hand).
"""

from dataclasses import dataclass
from typing import Any

from constructions.attention import Head, Mask
from constructions.block import Block, Size, Zero
from constructions.construction import Construction
from constructions.example_tokens import example_tokens, residual_state
from constructions.layer import Attention, Layer
from constructions.parameters import layer_count, matrix
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.unmasked import without_mask
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class LoopedTransformer(Construction):
    """One linear attention layer, looped L times, that takes L preconditioned gradient steps from zero.

    Args:
        preconditioner: A, (d, d), symmetric or not; the steps are preconditioned by A^T. They converge on a context if
            the eigenvalues of X X^T A / n lie in (0, 2), where they are real.
        loops: L, the number of loops, >= 0.
        shift: U, the label shift, (m, d); None is zero.
    """

    preconditioner: Any = matrix("A", "d", "d")
    loops: int = layer_count("L")
    shift: Any = matrix("U", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return self.loops

    # The algorithm.

    def initial(self, prompt: Prompt) -> Any:
        return Zero(prompt.m, prompt.d)

    def step(self, l: Index, W: Any, prompt: Prompt) -> Any:
        labels = prompt.Y + self.shift @ prompt.X
        gradient = ((W @ prompt.X - labels) @ prompt.X.T).scale(ratio(1, prompt.n))
        return W - gradient @ self.preconditioner

    def predict(self, W: Any, prompt: Prompt) -> Block:
        return W @ prompt.x_query

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, 0)."""
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): 1, ("y", "y"): 1}),
                    query=Weight({("x", "x"): self.preconditioner}),
                    value=Weight({("y", "x"): self.shift, ("y", "y"): 1}),
                    factor=ratio(-1, prompt.n),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, W: Any, prompt: Prompt) -> State:
        """Before loop l the labels are the residuals y_i - W x_i, and the query holds -W x_query."""
        return residual_state(prompt, prompt.Y - W @ prompt.X, W @ prompt.x_query)

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class UnmaskedLoopedTransformer(LoopedTransformer):
    """The looped layer without its mask: the query becomes one more example, labelled by what it holds itself.

    W <- W - (1 / n) ((W X - (Y + U X)) X^T + (W - U) x_query x_query^T) A: for U = 0 the first loop is not harmed.

    Args:
        preconditioner, loops, shift: as for ``LoopedTransformer``.
    """

    def step(self, l: Index, W: Any, prompt: Prompt) -> Any:
        spurious = ((W - self.shift) @ prompt.x_query @ prompt.x_query.T).scale(ratio(1, prompt.n))
        return super().step(l, W, prompt) - spurious @ self.preconditioner

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return without_mask(super().layer(l, prompt))

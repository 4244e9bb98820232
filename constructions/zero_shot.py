"""Relaxed attention as an update of the zero-shot map, and what finetuning its keys and values does instead.

Symbols: n demonstration tokens, columns of X (d, n); t query-side tokens before the current one, columns of the extra
Z (d, t); the current token x = x_query (d, 1); m the width of a value. W_K, W_Q (d, d) and W_V (m, d); the query is
q = W_Q x. Y plays no part. Relaxed attention has no softmax and no 1 / sqrt(d): an approximation without error bound.

    W_V [X, Z] (W_K [X, Z])^T q = (W_ZSL + dW_ICL) q
    W_ZSL = W_V Z (W_K Z)^T        dW_ICL = W_V X (W_K X)^T = sum_i (W_V x_i) (W_K x_i)^T

Finetuned to W_V + dW_V and W_K + dW_K on the query-side tokens alone (here X), the map is W_ZSL + dW_FT,

    dW_FT = dW_V X X^T W_K^T + W_V X X^T dW_K^T + dW_V X X^T dW_K^T

The query-side tokens are those at this layer of the pass with demonstrations: above the first layer they depend on
them, so that W_ZSL is the map of the pass without demonstrations in the first layer only.

Reference: Dai et al. (2022), arXiv 2212.10559, in-context learning as implicit finetuning; derived here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.parameters import matrix
from constructions.prompt import Prompt
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class RelaxedAttention(OneLayer):
    """One linear attention head over demonstrations and query-side tokens: the zero-shot map and its update.

    Args:
        W_K, W_Q: key and query projections, (d, d); fewer rows are zero rows.
        W_V: the value projection, (m, d).
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"Z": ("d", "t")}

    W_K: Any = matrix("W_K", "d", "d")
    W_Q: Any = matrix("W_Q", "d", "d")
    W_V: Any = matrix("W_V", "m", "d")

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        """W_ZSL."""
        own = prompt.extra("Z")
        return self.W_V @ own @ (self.W_K @ own).T

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        """W_ZSL + dW_ICL."""
        return W + self.W_V @ prompt.X @ (self.W_K @ prompt.X).T

    def predict(self, W: Block, prompt: Prompt) -> Block:
        return W @ self.W_Q @ prompt.x_query

    # The weights.

    def tokens(self, prompt: Prompt) -> dict[str, Block]:
        """The tokens of each group."""
        return {"demonstrations": prompt.X, "own": prompt.extra("Z"), "query": prompt.x_query}

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x'_i, 0), (x_j, 0), and the current token (x, 0)."""
        tokens = self.tokens(prompt)
        return Stream(
            slots={"x": prompt.d, "out": prompt.m},
            groups={group: prompt.X.known_size(block.columns) for group, block in tokens.items()},
            blocks={("x", group): block for group, block in tokens.items()},
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """W_K, W_Q and W_V as given; the keys are the demonstrations and the query-side tokens."""
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): self.W_K}),
                    query=Weight({("x", "x"): self.W_Q}),
                    value=Weight({("out", "x"): self.W_V}),
                    mask=Mask(keys=tuple(group for group in self.tokens(prompt) if group != "query")),
                )
            )
        )

    def state(self, l: Index, W: Block, prompt: Prompt) -> State:
        """After the layer every token holds W q, for its own q."""
        tokens = self.tokens(prompt)
        return {
            **{("x", group): block for group, block in tokens.items()},
            **{("out", group): W @ self.W_Q @ block for group, block in tokens.items()},
        }

    def read_out(self, stream: Stream) -> Block:
        return stream["out", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class FinetunedAttention(RelaxedAttention):
    """One linear attention head with finetuned keys and values: the zero-shot map and three terms.

    Args:
        W_K, W_Q, W_V: the projections before finetuning; the query projection is not trained.
        dW_K, dW_V: what finetuning adds, (d, d) and (m, d).
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {}

    dW_K: Any = matrix("dW_K", "d", "d")
    dW_V: Any = matrix("dW_V", "m", "d")

    def initial(self, prompt: Prompt) -> Block:
        """W_ZSL."""
        return self.W_V @ prompt.X @ (self.W_K @ prompt.X).T

    def first_order(self, prompt: Prompt) -> Block:
        """dW_V X X^T W_K^T + W_V X X^T dW_K^T."""
        S = prompt.X @ prompt.X.T
        return self.dW_V @ S @ self.W_K.T + self.W_V @ S @ self.dW_K.T

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        """W_ZSL + dW_FT."""
        return W + self.first_order(prompt) + self.dW_V @ prompt.X @ prompt.X.T @ self.dW_K.T

    def tokens(self, prompt: Prompt) -> dict[str, Block]:
        return {"own": prompt.X, "query": prompt.x_query}

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """The head with W_K + dW_K and W_V + dW_V, on the query-side tokens alone."""
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): self.W_K + self.dW_K}),
                    query=Weight({("x", "x"): self.W_Q}),
                    value=Weight({("out", "x"): self.W_V + self.dW_V}),
                    mask=Mask(keys=("own",)),
                )
            )
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class FirstOrderFinetuning(FinetunedAttention):
    """One linear attention head with finetuned keys and values, read as the zero-shot map and two first-order terms."""

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return W + self.first_order(prompt)

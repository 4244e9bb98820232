"""Gauge freedom: only the products W_K^T W_Q and P W_V of a linear attention layer matter.

Symbols: the columns of X (d, n) and x_query (d, 1) are whole tokens of width d; E (d, n), e (d, 1) what has become of
them; W_K, W_Q, W_V, P, A, C (d, d), A and C invertible, s a number other than 0. Y plays no part.

    (W_K, W_Q, W_V, P) -> (A^-T W_K, A W_Q / s, C W_V, s P C^-1)

Reference: von Oswald et al. (2023), section 3, mentions matching products and the scale s.
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


class Tokens(NamedTuple):
    """The tokens of the context and of the query."""

    E: Block
    e: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class GaugedAttention(Construction):
    """k linear attention layers in an arbitrary gauge, each equal to the layer with its original weights.

    Args:
        W_K, W_Q, W_V, P: the original weights of each layer, (d, d).
        A, C: the change of basis of the key space and of the value space, (d, d), invertible.
        scales: s, moved between query and projection, not 0.
    """

    W_K: Sequence[Any] = matrix("W_K", "d", "d", per_layer=True)
    W_Q: Sequence[Any] = matrix("W_Q", "d", "d", per_layer=True)
    W_V: Sequence[Any] = matrix("W_V", "d", "d", per_layer=True)
    P: Sequence[Any] = matrix("P", "d", "d", per_layer=True)
    A: Sequence[Any] = matrix("A", "d", "d", per_layer=True, invertible=True)
    C: Sequence[Any] = matrix("C", "d", "d", per_layer=True, invertible=True)
    scales: Sequence[Scalar] = scalar("s", per_layer=True, nonzero=True)

    @property
    def depth(self) -> Size:
        return depth(self.W_K)

    # The algorithm: the layer as it was.

    def initial(self, prompt: Prompt) -> Tokens:
        return Tokens(prompt.X, prompt.x_query)

    def step(self, l: Index, tokens: Tokens, prompt: Prompt) -> Tokens:
        E, e = tokens
        moved = self.P[l] @ self.W_V[l] @ E @ E.T @ self.W_K[l].T @ self.W_Q[l]
        return Tokens(E + moved @ E, e + moved @ e)

    def predict(self, tokens: Tokens, prompt: Prompt) -> Block:
        return tokens.e

    # The weights: the layer in its new gauge.

    def embed(self, prompt: Prompt) -> Stream:
        return Stream(
            slots={"token": prompt.d},
            groups={"context": prompt.n, "query": 1},
            blocks={("token", "context"): prompt.X, ("token", "query"): prompt.x_query},
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        A, C, s = self.A[l], self.C[l], self.scales[l]
        whole = ("token", "token")
        return Layer(
            Attention(
                Head(
                    key=Weight({whole: A.inverse().T @ self.W_K[l]}),
                    query=Weight({whole: (A @ self.W_Q[l]).scale(ratio(1, s))}),
                    value=Weight({whole: C @ self.W_V[l]}),
                    projection=Weight({whole: (self.P[l] @ C.inverse()).scale(s)}),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def state(self, l: Index, tokens: Tokens, prompt: Prompt) -> State:
        return {("token", "context"): tokens.E, ("token", "query"): tokens.e}

    def read_out(self, stream: Stream) -> Block:
        return stream["token", "query"]

"""Linear self-attention on tokens (x; y) with arbitrary weights: what is trained, and what it computes.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); Z = [X; Y] (d + m, n); W_K, W_Q,
W_V, P, T (d + m, d + m) in blocks by the slots x and y.

Layer l adds P W_V Z_l (W_K Z_l)^T W_Q z to every token z, the keys being the context tokens Z_l: no softmax, no 1 / n,
no bias. Whatever the weights, every token is multiplied by one and the same matrix:

    T <- T + P W_V (T Z) (W_K T Z)^T W_Q T        from T = I,    Z_l = T Z,    prediction = -T_yx x_query

So the network is a linear model of the query, with weights -T_yx that depend on the context through Z Z^T alone.

Reference: the layer of von Oswald et al. (2023), section 2; the query starts at (x_query; 0) and the prediction is
minus its label, as in the authors' code. The recursion is this project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, Size, Zero
from constructions.construction import Construction
from constructions.example_tokens import example_tokens
from constructions.layer import Attention, Layer
from constructions.parameters import depth, matrix
from constructions.prompt import Prompt
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight

SLOTS = ("x", "y")


def _block(name: str) -> Any:
    sizes = {"x": "d", "y": "m"}
    return matrix(name, sizes[name[-2]], sizes[name[-1]], per_layer=True)


class TokenMatrix(NamedTuple):
    """What every token has been multiplied by, in blocks (d, d), (d, m), (m, d), (m, m)."""

    xx: Block
    xy: Block
    yx: Block
    yy: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class LinearSelfAttention(Construction):
    """k layers of linear self-attention with one head each and arbitrary weights.

    Args:
        W_K_xx, ..., P_yy: the blocks of the four matrices, one per layer, or ``Repeated`` for one weight set that is
            looped; (d, d), (d, m), (m, d) or (m, m) by their indices, row slot first.
    """

    W_K_xx: Sequence[Any] = _block("W_K_xx")
    W_K_xy: Sequence[Any] = _block("W_K_xy")
    W_K_yx: Sequence[Any] = _block("W_K_yx")
    W_K_yy: Sequence[Any] = _block("W_K_yy")
    W_Q_xx: Sequence[Any] = _block("W_Q_xx")
    W_Q_xy: Sequence[Any] = _block("W_Q_xy")
    W_Q_yx: Sequence[Any] = _block("W_Q_yx")
    W_Q_yy: Sequence[Any] = _block("W_Q_yy")
    W_V_xx: Sequence[Any] = _block("W_V_xx")
    W_V_xy: Sequence[Any] = _block("W_V_xy")
    W_V_yx: Sequence[Any] = _block("W_V_yx")
    W_V_yy: Sequence[Any] = _block("W_V_yy")
    P_xx: Sequence[Any] = _block("P_xx")
    P_xy: Sequence[Any] = _block("P_xy")
    P_yx: Sequence[Any] = _block("P_yx")
    P_yy: Sequence[Any] = _block("P_yy")

    @property
    def depth(self) -> Size:
        return depth(self.P_yy)

    # The algorithm.

    def initial(self, prompt: Prompt) -> TokenMatrix:
        d, m = prompt.d, prompt.m
        return TokenMatrix(prompt.X.identity(d), Zero(d, m), Zero(m, d), prompt.X.identity(m))

    def step(self, l: Index, T: TokenMatrix, prompt: Prompt) -> TokenMatrix:
        Z = {"x": T.xx @ prompt.X + T.xy @ prompt.Y, "y": T.yx @ prompt.X + T.yy @ prompt.Y}
        moved, keys = self._weight("P", l)(self._weight("W_V", l)(Z)), self._weight("W_K", l)(Z)
        columns = {"x": {"x": T.xx, "y": T.yx}, "y": {"x": T.xy, "y": T.yy}}
        added = {}
        for column, held in columns.items():
            asked = self._weight("W_Q", l)(held)
            scores = keys["x"].T @ asked["x"] + keys["y"].T @ asked["y"]
            added.update({(row, column): held[row] + moved[row] @ scores for row in SLOTS})
        return TokenMatrix(*(added[row, column] for row in SLOTS for column in SLOTS))

    def predict(self, T: TokenMatrix, prompt: Prompt) -> Block:
        return -(T.yx @ prompt.x_query)

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, 0)."""
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(
            Attention(
                Head(
                    key=self._weight("W_K", l),
                    query=self._weight("W_Q", l),
                    value=self._weight("W_V", l),
                    projection=self._weight("P", l),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def _weight(self, name: str, l: Index) -> Weight:
        """W_K, W_Q, W_V or P of layer l, from its blocks."""
        return Weight({(out, into): getattr(self, f"{name}_{out}{into}")[l] for out in SLOTS for into in SLOTS})

    def state(self, l: Index, T: TokenMatrix, prompt: Prompt) -> State:
        """Before layer l every token (x; y) of the prompt has become T (x; y), the query's (x_query; 0) too."""
        return {
            ("x", "context"): T.xx @ prompt.X + T.xy @ prompt.Y,
            ("y", "context"): T.yx @ prompt.X + T.yy @ prompt.Y,
            ("x", "query"): T.xx @ prompt.x_query,
            ("y", "query"): T.yx @ prompt.x_query,
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]

"""Momentum on outer products: what momentum does to the updates of the dual form, in layers with a velocity slot.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W, D (m, d); x_l and y_l the
example of layer l, in turn; mu the momentum, gamma_l the rates.

    D <- mu D + gamma_l y_l x_l^T        W <- W + D

After one pass from zero with gamma = 1, W x = sum_i (1 - mu^(n + 1 - i)) / (1 - mu) y_i <x_i, x>: every term has the
query in it. The sum that momentum attention adds has not (``constructions/momentum_attention.py``).

Reference: this project; the dual form of Dai et al. (2022), arXiv 2212.10559, with the momentum taken seriously.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Attention, Layer, TokenMap
from constructions.online import copying_head, example, position_slots, positions
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


class BufferedIterate(NamedTuple):
    """The weights, and the buffer by which they moved last."""

    W: Block
    D: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class OuterProductMomentum(Construction):
    """k layers that run momentum on the outer products y_l x_l^T, one example each, with a velocity slot.

    Args:
        momentum: mu.
        rates: gamma_1, ..., gamma_k.
        W_0: the weights to start from, (m, d); None is zero.
    """

    momentum: Scalar = scalar("mu", positive=True)
    rates: Sequence[Scalar] = scalar("gamma", per_layer=True, positive=True)
    W_0: Any = matrix("W_0", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return depth(self.rates)

    # The algorithm.

    def initial(self, prompt: Prompt) -> BufferedIterate:
        return BufferedIterate(self.W_0, prompt.X.zeros(prompt.m, prompt.d))

    def step(self, l: Index, iterate: BufferedIterate, prompt: Prompt) -> BufferedIterate:
        chosen = example(l, prompt)
        outer = prompt.Y @ chosen @ (prompt.X @ chosen).T
        buffer = iterate.D.scale(self.momentum) + outer.scale(self.rates[l])
        return BufferedIterate(iterate.W + buffer, buffer)

    def predict(self, iterate: BufferedIterate, prompt: Prompt) -> Block:
        return iterate.W @ prompt.x_query

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i, 0, W_0 x_i, 0, 0, code i, 1), and the query likewise, without a target or a code."""
        slots = {"x": prompt.d, "y": prompt.m, "v": prompt.m, "out": prompt.m, "x_l": prompt.d, "y_l": prompt.m}
        return Stream(
            slots={**slots, **position_slots(prompt)},
            groups={"context": prompt.n, "query": 1},
            blocks={
                **self.held(prompt),
                ("out", "context"): self.W_0 @ prompt.X,
                ("out", "query"): self.W_0 @ prompt.x_query,
            },
        )

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What no layer changes."""
        return {
            **positions(prompt),
            ("x", "context"): prompt.X,
            ("y", "context"): prompt.Y,
            ("x", "query"): prompt.x_query,
        }

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Copy x_l and y_l to every token; v <- mu v + gamma y_l <x_l, x>; out <- out + v; clear the copies."""
        add = Head(
            key=Weight({("x", "x_l"): 1}),
            query=Weight({("x", "x"): 1}),
            value=Weight({("v", "y_l"): 1}),
            factor=ratio(self.rates[l], prompt.n),
            mask=Mask(keys=("context",)),
        )
        return Layer(
            TokenMap(Weight({("v", "v"): self.momentum - 1})),
            Attention(copying_head(l, prompt, Weight({("x_l", "x"): 1, ("y_l", "y"): 1}))),
            Attention(add),
            TokenMap(Weight({("out", "v"): 1, ("x_l", "x_l"): -1, ("y_l", "y_l"): -1})),
        )

    def state(self, l: Index, iterate: BufferedIterate, prompt: Prompt) -> State:
        """Before layer l the v slots hold D x and the out slots W x; the copies are cleared."""
        return {
            **self.held(prompt),
            ("v", "context"): iterate.D @ prompt.X,
            ("out", "context"): iterate.W @ prompt.X,
            ("v", "query"): iterate.D @ prompt.x_query,
            ("out", "query"): iterate.W @ prompt.x_query,
        }

    def read_out(self, stream: Stream) -> Block:
        return stream["out", "query"]

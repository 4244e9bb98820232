"""One forward pass without chain of thought, for all weights: it is one gradient step and terms even in the targets.

Symbols: n data tokens, d features, one target; X (d, n), Y (1, n), S = X X^T / n; V_ij, W_ij the blocks of V and W,
their indices 1..4 being the slots x, y, w, one of sizes (d, 1, d, 1). x_query plays no part. w_0 = 0.

The w rows of the last column of f(Z_0) = Z_0 + (1 / n) V Z_0 (Z_0^T W Z_0) are odd + even,

    odd  = M (X Y^T / n)                                               M = V_31 W_24 + V_32 W_14^T
    even = V_31 S W_14 + V_32 W_24 (Y Y^T / n) + V_34 W_44 / n

for all V and W, all 32 blocks. Negating Y negates the first and leaves the second. With Y = w_star^T X the odd part is
M S w_star. So one forward pass takes any one preconditioned gradient step, Gamma = M, and no second one: its odd part
is linear in X at fixed Y, and that of two steps, (2 eta I - eta^2 S) X Y^T / n, is not.

Reference: this project; the model of Huang et al. (2025), arXiv 2502.21212, as others report it (second-hand).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.attention import Head
from constructions.block import Block, Zero
from constructions.chain_of_thought import KEY
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.parameters import matrix
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import ANYTHING, Index, State
from constructions.stream import Stream
from constructions.weights import Weight

_SLOTS = ("x", "y", "w", "one")


class ByParity(NamedTuple):
    """The weight vector that is read out, split by what negating the targets does to it; both (d, 1)."""

    odd: Block
    even: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class OneForwardPass(OneLayer):
    """One linear attention layer with arbitrary V and W, which predicts a weight vector from w_0 = 0.

    Args:
        V_11, ..., V_44, W_11, ..., W_44: the blocks, (d, d), (d, 1), (1, d) or (1, 1) by their indices; None is zero.
    """

    targets = 1

    V_11: Any = matrix("V_11", "d", "d", default=None)
    V_12: Any = matrix("V_12", "d", 1, default=None)
    V_13: Any = matrix("V_13", "d", "d", default=None)
    V_14: Any = matrix("V_14", "d", 1, default=None)
    V_21: Any = matrix("V_21", 1, "d", default=None)
    V_22: Any = matrix("V_22", 1, 1, default=None)
    V_23: Any = matrix("V_23", 1, "d", default=None)
    V_24: Any = matrix("V_24", 1, 1, default=None)
    V_31: Any = matrix("V_31", "d", "d", default=None)
    V_32: Any = matrix("V_32", "d", 1, default=None)
    V_33: Any = matrix("V_33", "d", "d", default=None)
    V_34: Any = matrix("V_34", "d", 1, default=None)
    V_41: Any = matrix("V_41", 1, "d", default=None)
    V_42: Any = matrix("V_42", 1, 1, default=None)
    V_43: Any = matrix("V_43", 1, "d", default=None)
    V_44: Any = matrix("V_44", 1, 1, default=None)
    W_11: Any = matrix("W_11", "d", "d", default=None)
    W_12: Any = matrix("W_12", "d", 1, default=None)
    W_13: Any = matrix("W_13", "d", "d", default=None)
    W_14: Any = matrix("W_14", "d", 1, default=None)
    W_21: Any = matrix("W_21", 1, "d", default=None)
    W_22: Any = matrix("W_22", 1, 1, default=None)
    W_23: Any = matrix("W_23", 1, "d", default=None)
    W_24: Any = matrix("W_24", 1, 1, default=None)
    W_31: Any = matrix("W_31", "d", "d", default=None)
    W_32: Any = matrix("W_32", "d", 1, default=None)
    W_33: Any = matrix("W_33", "d", "d", default=None)
    W_34: Any = matrix("W_34", "d", 1, default=None)
    W_41: Any = matrix("W_41", 1, "d", default=None)
    W_42: Any = matrix("W_42", 1, 1, default=None)
    W_43: Any = matrix("W_43", 1, "d", default=None)
    W_44: Any = matrix("W_44", 1, 1, default=None)

    # The algorithm.

    def initial(self, prompt: Prompt) -> ByParity:
        return ByParity(Zero(prompt.d, 1), Zero(prompt.d, 1))

    def step(self, l: Index, iterate: ByParity, prompt: Prompt) -> ByParity:
        X, Y, rate = prompt.X, prompt.Y, ratio(1, prompt.n)
        moment, S, power = (X @ Y.T).scale(rate), (X @ X.T).scale(rate), (Y @ Y.T).scale(rate)
        return ByParity(
            self.V_31 @ moment @ self.W_24 + self.V_32 @ self.W_14.T @ moment,
            self.V_31 @ S @ self.W_14 + self.V_32 @ self.W_24 @ power + (self.V_34 @ self.W_44).scale(rate),
        )

    def predict(self, iterate: ByParity, prompt: Prompt) -> Block:
        """The weight vector, (d, 1)."""
        return iterate.odd + iterate.even

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Z_0: data tokens (x_j, y_j, 0, 0), and the last token (0, 0, 0, 1)."""
        return Stream(
            slots={"x": prompt.d, "y": 1, "w": prompt.d, "one": 1},
            groups={"data": prompt.n, "last": 1},
            blocks={("x", "data"): prompt.X, ("y", "data"): prompt.Y, ("one", "last"): prompt.X.ones(1, 1)},
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        head = Head(key=KEY, query=self._weight("W"), value=self._weight("V"), factor=ratio(1, prompt.n))
        return Layer(Attention(head))

    def _weight(self, name: str) -> Weight:
        """V or W, from its blocks."""
        numbered = tuple(enumerate(_SLOTS, start=1))
        return Weight({(out, into): getattr(self, f"{name}_{i}{j}") for i, out in numbered for j, into in numbered})

    def state(self, l: Index, iterate: ByParity, prompt: Prompt) -> State:
        """After the layer the last token holds odd + even in its w rows; nothing is claimed of what else it changes."""
        places = {(slot, group): ANYTHING for slot in _SLOTS for group in ("data", "last")}
        return {**places, ("w", "last"): iterate.odd + iterate.even}

    def read_out(self, stream: Stream) -> Block:
        return stream["w", "last"]

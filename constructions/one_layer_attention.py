"""One linear attention layer, for all weights: its prediction is odd + even in the targets.

Symbols: n context tokens, d features, one target; X (d, n), Y (1, n), x_query (d, 1); S = X X^T / n, v = X Y^T / n,
g = Y Y^T / n; P_ab, Q_ab the blocks of P and Q, a and b the slots x, y of sizes d, 1.

The layer is Z <- Z + (1 / n) P Z M (Z^T Q Z), M masking the query, on the tokens (x_i; y_i) and (x_query; 0), and
minus the query's label is the prediction: odd + even,

    odd  = -(P_yy v^T Q_xx + P_yx v Q_yx) x_query
    even = -(P_yx S Q_xx + P_yy g Q_yx) x_query

for all P and Q: the blocks P_xx, P_xy, Q_xy, Q_yy play no part. Negating Y negates the first, and leaves the second.

Reference: the model of Ahn et al. (2023), equations (3) and (4), one layer; of Mahankali et al. (2023).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, Zero
from constructions.example_tokens import example_tokens
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.parameters import matrix
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import ANYTHING, Index, State
from constructions.stream import Stream
from constructions.weights import Weight

_SLOTS = ("x", "y")


class PredictionByParity(NamedTuple):
    """The prediction, split by what negating the targets does to it; both (1, 1)."""

    odd: Block
    even: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class OneLayerAttention(OneLayer):
    """One layer of linear attention with arbitrary P and Q.

    Args:
        P_xx, ..., Q_yy: the blocks, (d, d), (d, 1), (1, d) or (1, 1) by their indices; None is zero.
    """

    targets = 1

    P_xx: Any = matrix("P_xx", "d", "d", default=None)
    P_xy: Any = matrix("P_xy", "d", 1, default=None)
    P_yx: Any = matrix("P_yx", 1, "d", default=None)
    P_yy: Any = matrix("P_yy", 1, 1, default=None)
    Q_xx: Any = matrix("Q_xx", "d", "d", default=None)
    Q_xy: Any = matrix("Q_xy", "d", 1, default=None)
    Q_yx: Any = matrix("Q_yx", 1, "d", default=None)
    Q_yy: Any = matrix("Q_yy", 1, 1, default=None)

    # The algorithm.

    def initial(self, prompt: Prompt) -> PredictionByParity:
        return PredictionByParity(Zero(1, 1), Zero(1, 1))

    def step(self, l: Index, iterate: PredictionByParity, prompt: Prompt) -> PredictionByParity:
        X, Y, x_query, rate = prompt.X, prompt.Y, prompt.x_query, ratio(1, prompt.n)
        v, S, g = (X @ Y.T).scale(rate), (X @ X.T).scale(rate), (Y @ Y.T).scale(rate)
        return PredictionByParity(
            -(self.P_yy @ v.T @ self.Q_xx @ x_query + self.P_yx @ v @ self.Q_yx @ x_query),
            -(self.P_yx @ S @ self.Q_xx @ x_query + self.P_yy @ g @ self.Q_yx @ x_query),
        )

    def predict(self, iterate: PredictionByParity, prompt: Prompt) -> Block:
        return iterate.odd + iterate.even

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i; y_i), and the query (x_query; 0)."""
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(Attention(_head(self._weight("P"), self._weight("Q"), ratio(1, prompt.n))))

    def _weight(self, name: str) -> Weight:
        """P or Q, from its blocks."""
        return Weight({(out, into): getattr(self, f"{name}_{out}{into}") for out in _SLOTS for into in _SLOTS})

    def state(self, l: Index, iterate: PredictionByParity, prompt: Prompt) -> State:
        """After the layer the query's label is minus the prediction; it may have changed everything else."""
        places = {(slot, group): ANYTHING for slot in _SLOTS for group in ("context", "query")}
        return {**places, ("y", "query"): -(iterate.odd + iterate.even)}

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class SummedAttention(OneLayerAttention):
    """One layer without residual, 1 / n and sign: its prediction is minus n times that of ``OneLayerAttention``.

    That is u^T (n G) R x_query with u^T = (P_yx, P_yy), R = (Q_xx; Q_yx) and n G the second moments of the tokens: the
    model of Mahankali et al. (2023), u = W_V^T h and R the first d columns of W_K^T W_Q.
    """

    def step(self, l: Index, iterate: PredictionByParity, prompt: Prompt) -> PredictionByParity:
        X, Y, x_query = prompt.X, prompt.Y, prompt.x_query
        return PredictionByParity(
            self.P_yy @ (Y @ X.T) @ self.Q_xx @ x_query + self.P_yx @ (X @ Y.T) @ self.Q_yx @ x_query,
            self.P_yx @ (X @ X.T) @ self.Q_xx @ x_query + self.P_yy @ (Y @ Y.T) @ self.Q_yx @ x_query,
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(Attention(_head(self._weight("P"), self._weight("Q"), 1), skip=False))

    def state(self, l: Index, iterate: PredictionByParity, prompt: Prompt) -> State:
        """After the layer the query's label is the prediction; it may have changed everything else."""
        return {**super().state(l, iterate, prompt), ("y", "query"): iterate.odd + iterate.even}

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class OneLayerReluAttention(OneLayerAttention):
    """One layer of ReLU attention, Z <- Z + (1 / n) P Z M relu(Z^T Q Z), with arbitrary P and Q up to Q_yx, Q_yy = 0.

    It predicts -(1 / n) (P_yx X + P_yy Y) relu(X^T Q_xx x_query): a part odd and one even in the targets.
    """

    def step(self, l: Index, iterate: PredictionByParity, prompt: Prompt) -> PredictionByParity:
        X, Y, rate = prompt.X, prompt.Y, ratio(1, prompt.n)
        scores = (X.T @ self.Q_xx @ prompt.x_query).relu()
        return PredictionByParity(-(self.P_yy @ (Y @ scores).scale(rate)), -(self.P_yx @ (X @ scores).scale(rate)))

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(Attention(_head(self._weight("P"), self._weight("Q"), ratio(1, prompt.n), "relu")))


def _head(value: Weight, query: Weight, factor: Scalar, score: str = "linear") -> Head:
    """The papers' (P, Q): the key is the token itself, and the query token is masked."""
    key = Weight({(slot, slot): 1 for slot in _SLOTS})
    return Head(key=key, query=query, value=value, score=score, factor=factor, mask=Mask(keys=("context",)))

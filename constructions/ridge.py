"""Ridge regression: gradient descent with weight decay, in linear attention layers on tokens (x, p, y), p = W x.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d).

    L(W) = (1 / 2n) |W X - Y|^2 + (lam / 2) |W|^2        W <- W - eta_l ((1 / n) (W X - Y) X^T + lam_l W)

Weight decay acts on the prediction W x alone and needs the original target in every step. So the tokens keep y and hold
the prediction in a slot p of its own; a slot g takes the gradient step, since the decay must see the p before it.

Reference: this project; von Oswald et al. (2023) leave weight decay open. Why the slots (x, y) do not do:
``proofs/ridge_slots.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenMap
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class RidgeDescent(Construction):
    """k layers that take k gradient steps on the ridge loss of the context.

    Args:
        step_sizes: eta_1, ..., eta_k; converges if each is below 2 / (lambda_max(X X^T) / n + lam).
        decays: lam_1, ..., lam_k, the coefficient of weight decay in each step.
        W_0: the weights to start from, (m, d); None is zero. They enter by the embedding alone.
    """

    step_sizes: Sequence[Scalar] = scalar("eta", per_layer=True, positive=True)
    decays: Sequence[Scalar] = scalar("lam", per_layer=True, positive=True)
    W_0: Any = matrix("W_0", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        return self.W_0

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        gradient = ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(1, prompt.n)) + W.scale(self.decays[l])
        return W - gradient.scale(self.step_sizes[l])

    def predict(self, W: Block, prompt: Prompt) -> Block:
        return W @ prompt.x_query

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, W_0 x_i, 0, y_i), and the query (x_query, W_0 x_query, 0, 0)."""
        return Stream(
            slots={"x": prompt.d, "p": prompt.m, "g": prompt.m, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("p", "context"): self.W_0 @ prompt.X,
                ("y", "context"): prompt.Y,
                ("x", "query"): prompt.x_query,
                ("p", "query"): self.W_0 @ prompt.x_query,
            },
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Attention: g <- (eta / n) sum_i (y_i - p_i) <x_i, x>; token map: p <- (1 - eta lam) p + g, g <- 0."""
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): 1}),
                    query=Weight({("x", "x"): 1}),
                    value=Weight({("g", "p"): -1, ("g", "y"): 1}),
                    factor=ratio(self.step_sizes[l], prompt.n),
                    mask=Mask(keys=("context",)),
                )
            ),
            TokenMap(
                Weight({("p", "p"): -self.step_sizes[l] * self.decays[l], ("p", "g"): 1, ("g", "g"): -1}),
            ),
        )

    def state(self, l: Index, W: Block, prompt: Prompt) -> State:
        """Before layer l the p slots hold the predictions W x; the targets are as they were."""
        return {
            ("x", "context"): prompt.X,
            ("p", "context"): W @ prompt.X,
            ("y", "context"): prompt.Y,
            ("x", "query"): prompt.x_query,
            ("p", "query"): W @ prompt.x_query,
        }

    def read_out(self, stream: Stream) -> Block:
        return stream["p", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class RidgeWithTheSignOfTheDemo(RidgeDescent):
    """Weight decay as gradient minus lam W; correct is gradient plus lam W.

    Reference: von Oswald et al. (2023), released code, the stand-alone demo of gradient descent (there with lam = 0).
    """

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        attention, decay = super().layer(l, prompt).sublayers
        assert isinstance(decay, TokenMap)
        grown = decay.weight.replaced(("p", "p"), self.step_sizes[l] * self.decays[l])
        return Layer(attention, TokenMap(grown))


@dataclass(frozen=True, kw_only=True, repr=False)
class ShrunkAfterTheStep(GradientDescent):
    """Gradient descent on tokens (x, y) with every y slot shrunk by 1 - eta lam after the step, as weight decay.

    It shrinks the targets with the predictions, and the step with the weights.
    """

    decays: Sequence[Scalar] = scalar("lam", per_layer=True, positive=True)

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return super().step(l, W, prompt) - W.scale(self.step_sizes[l] * self.decays[l])

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(*super().layer(l, prompt).sublayers, self.shrink(l))

    def shrink(self, l: Index) -> TokenMap:
        """y <- (1 - eta lam) y."""
        return TokenMap(Weight({("y", "y"): -self.step_sizes[l] * self.decays[l]}))


@dataclass(frozen=True, kw_only=True, repr=False)
class ShrunkBeforeTheStep(ShrunkAfterTheStep):
    """Gradient descent on tokens (x, y) with every y slot shrunk by 1 - eta lam before the step, as weight decay."""

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(self.shrink(l), *GradientDescent.layer(self, l, prompt).sublayers)

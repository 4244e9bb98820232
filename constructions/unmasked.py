"""Without the mask: a query that is also a key acts as one more training example, and breaks gradient descent.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d).

The layers of ``GradientDescent`` with every token as a key run

    W <- W - (eta_l / n) ((W X - Y) X^T + (W_0 + W) x_query x_query^T)

since the query's y rows -W x_query are read as a target. The error of the first layer is (2 eta / n) W_0 x_query
x_query^T: zero for W_0 = 0, and then in the first layer only.

Reference: this project; von Oswald et al. (2023) say that the mask may be dropped when W_0 is near 0.
"""

from dataclasses import dataclass, replace

from constructions.attention import EVERY_TOKEN
from constructions.block import Block, Zero
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, Single, Stage


def without_mask(layer: Layer) -> Layer:
    """The layer with every token as a key for every token."""
    return Layer(
        *(
            Attention(*(replace(head, mask=EVERY_TOKEN) for head in part.heads), skip=part.skip)
            if isinstance(part, Attention)
            else part
            for part in layer.sublayers
        )
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class UnmaskedGradientDescent(GradientDescent):
    """k unmasked linear attention layers: gradient descent with the query as a spurious training example.

    Args:
        step_sizes, W_0: as for ``GradientDescent``.
    """

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        spurious = (self.W_0 + W) @ prompt.x_query @ prompt.x_query.T
        gradient = (W @ prompt.X - prompt.Y) @ prompt.X.T + spurious
        return W - gradient.scale(ratio(self.step_sizes[l], prompt.n))

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return without_mask(super().layer(l, prompt))


@dataclass(frozen=True, kw_only=True, repr=False)
class OneUnmaskedLayer(GradientDescent):
    """One unmasked linear attention layer that takes a gradient step from W_0 = 0.

    Args:
        step_sizes: eta, a single one.
        W_0: None; from any other start the layer takes another step (see ``UnmaskedGradientDescent``).
    """

    def __post_init__(self) -> None:
        if not (self.W_0 is None or isinstance(self.W_0, Zero)):
            raise ValueError(
                "one unmasked layer takes a gradient step from W_0 = 0 only; leave W_0 out or use GradientDescent"
            )

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        return (
            Single(
                layer=without_mask(self.layer(0, prompt)),
                step=lambda W: self.step(0, W, prompt),
                state=lambda W: self.state(1, W, prompt),
            ),
        )

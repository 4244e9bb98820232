"""Momentum: heavy-ball and Nesterov descent, in linear attention layers with a velocity slot in every token.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d); V = W - W_previous
(m, d), the velocity; W_previous = W_0 at the start, so V_0 = 0.

    heavy ball    V <- beta_l V - (eta_l / n) (W X - Y) X^T                 W <- W + V
    Nesterov      V <- beta_l V - (eta_l / n) ((W + beta_l V) X - Y) X^T    W <- W + V
    two memories  V <- beta_l V + kappa_l U - (eta_l / n) (W X - Y) X^T     W <- W + V, U <- the old V

Tokens (x, y, v): the targets hold y_i - (W - W_0) x_i as in gradient descent, and v holds V x. The attention needs the
residual at one place and delivers the step to another, so that the velocity cannot live in the slots (x, y).

Reference: this project; Polyak's and Nesterov's methods in the slots of von Oswald et al. (2023), Proposition 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer, TokenMap
from constructions.parameters import scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


class MovingIterate(NamedTuple):
    """The weights and the velocity with which they arrived, W - W_previous."""

    W: Block
    V: Block


class TwiceMovingIterate(NamedTuple):
    """The weights and their last two velocities."""

    W: Block
    V: Block
    U: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class HeavyBall(GradientDescent):
    """k layers that take k heavy-ball steps W + V, V <- beta V - (eta / n) (W X - Y) X^T, with a velocity slot.

    Args:
        step_sizes: eta_1, ..., eta_k, one per layer.
        momenta: beta_1, ..., beta_k, one per layer.
        W_0: the weights to start from, (m, d); None is zero.
    """

    momenta: Sequence[Scalar] = scalar("beta", per_layer=True)

    # The algorithm.

    def initial(self, prompt: Prompt) -> MovingIterate:  # type: ignore[override]  # the iterate carries the velocity
        return MovingIterate(self.W_0, prompt.X.zeros(prompt.m, prompt.d))

    def step(self, l: Index, iterate: MovingIterate, prompt: Prompt) -> MovingIterate:  # type: ignore[override]
        moved = super().step(l, iterate.W, prompt) + iterate.V.scale(self.momenta[l])
        return MovingIterate(moved, moved - iterate.W)

    def predict(self, iterate: MovingIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return super().predict(iterate.W, prompt)

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i, 0), and the query (x_query, -W_0 x_query, 0)."""
        embedded = super().embed(prompt)
        return Stream({**embedded.slots, "v": prompt.m}, embedded.groups, embedded.blocks)

    def gradient_head(self, l: Index, prompt: Prompt, *slots: str) -> Head:
        """The head of gradient descent: -(eta / n) (W X - Y) X^T x_j, delivered to the given slots with their signs."""
        rate = ratio(self.step_sizes[l], prompt.n)
        return Head(
            key=Weight({("x", "x"): 1}),
            query=Weight({("x", "x"): 1}),
            value=Weight({("step", "x"): -self.W_0, ("step", "y"): 1}),
            projection=Weight({(slot.lstrip("-"), "step"): -rate if slot[0] == "-" else rate for slot in slots}),
            mask=Mask(keys=("context",)),
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """v <- beta v; attention adds the gradient step to v; y <- y - v."""
        return Layer(
            TokenMap(Weight({("v", "v"): self.momenta[l] - 1})),
            Attention(self.gradient_head(l, prompt, "v")),
            TokenMap(Weight({("y", "v"): -1})),
        )

    def state(self, l: Index, iterate: MovingIterate, prompt: Prompt) -> State:  # type: ignore[override]
        """Before layer l, beside what gradient descent holds, the v slots hold V x."""
        return {
            **super().state(l, iterate.W, prompt),
            ("v", "context"): iterate.V @ prompt.X,
            ("v", "query"): iterate.V @ prompt.x_query,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class NesterovDescent(HeavyBall):
    """k layers that take k Nesterov steps: heavy ball, with the gradient taken at W + beta V.

    Args:
        step_sizes, momenta, W_0: as for ``HeavyBall``.
    """

    def step(self, l: Index, iterate: MovingIterate, prompt: Prompt) -> MovingIterate:  # type: ignore[override]
        ahead = iterate.W + iterate.V.scale(self.momenta[l])
        moved = GradientDescent.step(self, l, ahead, prompt)
        return MovingIterate(moved, moved - iterate.W)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """v <- beta v; y <- y - v, which looks ahead; attention adds the step to v and takes it off y."""
        return Layer(
            TokenMap(Weight({("v", "v"): self.momenta[l] - 1})),
            TokenMap(Weight({("y", "v"): -1})),
            Attention(self.gradient_head(l, prompt, "v", "-y")),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class TwoMemories(HeavyBall):
    """k layers that take k steps with the last two velocities: V <- beta V + kappa U - (eta / n) (W X - Y) X^T.

    Args:
        step_sizes, momenta, W_0: as for ``HeavyBall``.
        older_momenta: kappa_1, ..., kappa_k, one per layer, of the velocity before the last.
    """

    older_momenta: Sequence[Scalar] = scalar("kappa", per_layer=True)

    def initial(self, prompt: Prompt) -> TwiceMovingIterate:  # type: ignore[override]  # two velocities
        return TwiceMovingIterate(*super().initial(prompt), prompt.X.zeros(prompt.m, prompt.d))

    def step(  # type: ignore[override]
        self, l: Index, iterate: TwiceMovingIterate, prompt: Prompt
    ) -> TwiceMovingIterate:
        W, V, U = iterate
        moved = GradientDescent.step(self, l, W, prompt) + V.scale(self.momenta[l]) + U.scale(self.older_momenta[l])
        return TwiceMovingIterate(moved, moved - W, V)

    def predict(self, iterate: TwiceMovingIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return GradientDescent.predict(self, iterate.W, prompt)

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i, 0, 0), and the query (x_query, -W_0 x_query, 0, 0)."""
        embedded = super().embed(prompt)
        return Stream({**embedded.slots, "u": prompt.m}, embedded.groups, embedded.blocks)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """(v, u) <- (beta v + kappa u, v), and then as in heavy ball."""
        _, gradient, move = super().layer(l, prompt).sublayers
        remember = Weight(
            {
                ("v", "v"): self.momenta[l] - 1,
                ("v", "u"): self.older_momenta[l],
                ("u", "v"): 1,
                ("u", "u"): -1,
            }
        )
        return Layer(TokenMap(remember), gradient, move)

    def state(self, l: Index, iterate: TwiceMovingIterate, prompt: Prompt) -> State:  # type: ignore[override]
        """Before layer l, beside what heavy ball holds, the u slots hold U x."""
        W, V, U = iterate
        return {
            **super().state(l, MovingIterate(W, V), prompt),
            ("u", "context"): U @ prompt.X,
            ("u", "query"): U @ prompt.x_query,
        }

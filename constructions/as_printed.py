"""Slips of the printed text, each as the construction that it literally states. They are here to be refuted.

Each differs in one method from the construction that is right; the docstring says what is printed and what is correct.
"""

from dataclasses import dataclass

from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index
from constructions.stream import Stream
from constructions.unmasked import without_mask
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class PositiveQueryStart(GradientDescent):
    """Gradient descent with the query started at (x, +W_0 x), and the final minus; correct is -W_0 x.

    Reference: von Oswald et al. (2023), section 2.
    """

    def embed(self, prompt: Prompt) -> Stream:
        embedded = super().embed(prompt)
        return embedded.holding({**embedded.blocks, ("y", "query"): self.W_0 @ prompt.x_query})


@dataclass(frozen=True, kw_only=True, repr=False)
class PositiveQueryStartReadPositively(PositiveQueryStart):
    """Gradient descent with the query started at (x, +W_0 x), and read out without the minus."""

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class UnmaskedFromZero(GradientDescent):
    """Gradient descent from W_0 = 0 with the query among the keys, at any depth; correct at one layer only.

    Reference: von Oswald et al. (2023), section 2.
    """

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return without_mask(super().layer(l, prompt))


@dataclass(frozen=True, kw_only=True, repr=False)
class UntransposedPreconditioner(PreconditionedDescent):
    """Preconditioned descent w <- w - A_l (S w - v) without the transpose; correct is A_l^T.

    Reference: Ahn et al. (2023), Lemma 1.
    """

    def step(self, l: Index, W: Block, prompt: Prompt) -> Block:
        gradient = ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(1, prompt.n))
        return W - gradient @ self.preconditioners[l].T


@dataclass(frozen=True, kw_only=True, repr=False)
class GDPlusPlusWithStartInValue(GDPlusPlus):
    """GD++ from W_0 by W_V = [[I, 0], [W_0, -I]]; correct is to take W_0 x_i off the targets in the embedding.

    Reference: von Oswald et al. (2023), appendix A.10, whose weights keep W in W_V.
    """

    def embed(self, prompt: Prompt) -> Stream:
        return super().embed(prompt).plus({("y", "context"): self.W_0 @ prompt.X})

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        rate = ratio(self.step_sizes[l], prompt.n)
        return Layer(
            Attention(
                Head(
                    key=Weight({("x", "x"): 1}),
                    query=Weight({("x", "x"): 1}),
                    value=Weight({("x", "x"): 1, ("y", "x"): self.W_0, ("y", "y"): -1}),
                    projection=Weight({("x", "x"): -self.curvature_steps[l], ("y", "y"): rate}),
                    mask=Mask(keys=("context",)),
                )
            )
        )

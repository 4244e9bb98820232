"""Slips in the printed copying heads, each as the construction that it literally states. They are here to be refuted.

Each differs in one method from the construction that is right; the docstring says what is printed and what is correct.
"""

from dataclasses import dataclass, replace

from constructions.block import Block
from constructions.copying import CODE, NextTokenCopy, TokenMerging, shift
from constructions.layer import Attention, Layer
from constructions.prompt import Prompt
from constructions.stages import Index
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class LowerDiagonalCopy(NextTokenCopy):
    """The next token is copied with ones below the diagonal of U; correct is above it.

    Reference: von Oswald et al. (2023), appendix A.5, whose text calls the matrix lower diagonal.
    """

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        U = shift(prompt.X, prompt.n)
        (attention,) = super().layer(l, prompt).sublayers
        assert isinstance(attention, Attention)
        (head,) = attention.heads
        return Layer(Attention(replace(head, query=Weight({CODE: U}), value=Weight({("x2", "x"): 1, CODE: -U.T}))))


@dataclass(frozen=True, kw_only=True, repr=False)
class EveryCodeErased(NextTokenCopy):
    """Every token's position code gives way to the next content; correct is every token's but the last one's.

    Reference: von Oswald et al. (2023), Proposition 3, which passes over the last token.
    """

    def predict(self, C: Block, prompt: Prompt) -> Block:
        return C.zeros(prompt.n, prompt.n)

    def read_out(self, stream: Stream) -> Block:
        return stream["p", "tokens"]


@dataclass(frozen=True, kw_only=True, repr=False)
class OneHeadMerging(TokenMerging):
    """One head copies the targets to their inputs and leaves empty tokens; correct is that a second head empties them.

    Reference: von Oswald et al. (2023), Proposition 3, which states one head; appendix A.5 uses two.
    """

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        (attention,) = super().layer(l, prompt).sublayers
        assert isinstance(attention, Attention)
        return Layer(Attention(attention.heads[0]))

    def predict(self, held: Block, prompt: Prompt) -> Block:
        return held.zeros(prompt.m, prompt.n)

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "targets"]

"""Whitening: a looped transformer on a transformed prompt is another one on the prompt itself.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), U (m, d); A, T
(d, d), T invertible.

    (A, U) on (X, Y, x_query)   and   (T^-T A T^-1, U T^-1) on (T X, Y, T x_query)   have the same labels in every loop

With T = Sigma^(-1/2) the inputs become white and A becomes Sigma^(1/2) A Sigma^(1/2).

Reference: the algebra of a reduction to identity covariance in Gatmiry et al. (2024), arXiv 2410.08292 (second-hand).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Layer
from constructions.looped import LoopedTransformer
from constructions.parameters import layer_count, matrix
from constructions.prompt import Prompt
from constructions.stages import Index, State
from constructions.stream import Stream


class Labels(NamedTuple):
    """The label rows of the context and of the query."""

    labels: Block
    label: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class TransformedPrompt(Construction):
    """The looped transformer (T^-T A T^-1, U T^-1) on the inputs T x has the labels of (A, U) on the inputs x.

    The algorithm is the other network: its layer, run on the prompt as it is.

    Args:
        preconditioner: A, (d, d), symmetric or not.
        transform: T, (d, d), invertible.
        loops: L, the number of loops, >= 0.
        shift: U, (m, d); None is zero.
    """

    preconditioner: Any = matrix("A", "d", "d")
    transform: Any = matrix("T", "d", "d", invertible=True)
    loops: int = layer_count("L")
    shift: Any = matrix("U", "m", "d", default=None)

    @property
    def depth(self) -> Size:
        return self.loops

    @property
    def original(self) -> LoopedTransformer:
        """The network (A, U)."""
        return LoopedTransformer(preconditioner=self.preconditioner, loops=self.loops, shift=self.shift)

    @property
    def transformed(self) -> LoopedTransformer:
        """The network (T^-T A T^-1, U T^-1)."""
        inverse = self.transform.inverse()
        return LoopedTransformer(
            preconditioner=inverse.T @ self.preconditioner @ inverse, loops=self.loops, shift=self.shift @ inverse
        )

    def inputs(self, prompt: Prompt) -> Prompt:
        """The prompt with the inputs T x."""
        return Prompt(self.transform @ prompt.X, prompt.Y, self.transform @ prompt.x_query, prompt.extras)

    # The algorithm: the original network.

    def initial(self, prompt: Prompt) -> Labels:
        return _labels(self.original.embed(prompt))

    def step(self, l: Index, iterate: Labels, prompt: Prompt) -> Labels:
        before = _with_labels(self.original.embed(prompt), iterate)
        return _labels(self.original.layer(l, prompt)(before))

    def predict(self, iterate: Labels, prompt: Prompt) -> Block:
        return -iterate.label

    # The transformed network.

    def embed(self, prompt: Prompt) -> Stream:
        return self.transformed.embed(self.inputs(prompt))

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return self.transformed.layer(l, prompt)

    def state(self, l: Index, iterate: Labels, prompt: Prompt) -> State:
        """Before loop l the inputs are T x, and the labels those of the original network."""
        return {
            ("x", "context"): self.transform @ prompt.X,
            ("y", "context"): iterate.labels,
            ("x", "query"): self.transform @ prompt.x_query,
            ("y", "query"): iterate.label,
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


def _labels(stream: Stream) -> Labels:
    return Labels(stream["y", "context"], stream["y", "query"])


def _with_labels(stream: Stream, iterate: Labels) -> Stream:
    inputs = {place: block for place, block in stream.blocks.items() if place[0] == "x"}
    return Stream(
        stream.slots, stream.groups, {**inputs, ("y", "context"): iterate.labels, ("y", "query"): iterate.label}
    )

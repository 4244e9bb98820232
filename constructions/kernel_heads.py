"""Kernels in several heads: a sum of kernels, and what a change of the key and query maps leaves alone.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); G_1, G_2, B, C, S (d, d).

Reference: Cheng et al. (2024), arXiv 2312.06528, for two heads; the invariance is what its proofs use of the scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, Kernel, Size, softmax
from constructions.construction import Construction
from constructions.example_tokens import example_tokens
from constructions.functional_descent import FunctionalDescent
from constructions.layer import Attention, Layer
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight

CONTEXT = Mask(keys=("context",))


@dataclass(frozen=True, kw_only=True, repr=False)
class TwoKernelDescent(FunctionalDescent):
    """k layers of two kernel heads that descend with kappa(G_1 x, G_1 x') + kappa_2(G_2 x, G_2 x').

    Args:
        step_sizes: r_1, ..., r_k, one per layer, of both heads.
        kernel, second: kappa and kappa_2; by default any symmetric ones.
        score: None; both heads score by their kernels.
        G_1, G_2: what the keys and the queries of each head are multiplied by, (d, d).
    """

    second: Kernel = Kernel("kappa_2")
    G_1: Any = matrix("G_1", "d", "d")
    G_2: Any = matrix("G_2", "d", "d")

    def gram(self, prompt: Prompt) -> Block:
        return self._sum(prompt, prompt.X)

    def query_column(self, prompt: Prompt) -> Block:
        return self._sum(prompt, prompt.x_query)

    def _sum(self, prompt: Prompt, queries: Block) -> Block:
        first = (self.G_1 @ prompt.X).kernel(self.G_1 @ queries, self.kernel)
        return first + (self.G_2 @ prompt.X).kernel(self.G_2 @ queries, self.second)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """B^a = C^a = G_a and V^a = [[0, 0], [0, -r_l I]] in head a."""
        value = Weight({("y", "y"): -self.step_sizes[l]})
        maps = ((self.kernel, Weight({("x", "x"): self.G_1})), (self.second, Weight({("x", "x"): self.G_2})))
        return Layer(Attention(*(Head(G, G, value, score=score, mask=CONTEXT) for score, G in maps)))


class Labels(NamedTuple):
    """The labels of the context and of the query."""

    Y: Block
    y: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class ReciprocalMaps(Construction):
    """k layers of a linear, a ReLU, an exponential and a softmax head, keys by S^T B and queries by S^-1 C.

    They are the heads with keys by B and queries by C, since all four scores see (S^T B x)^T (S^-1 C x') only. That
    fails for the RBF kernel, which sees more.

    Args:
        step_sizes: r_1, ..., r_k: every head moves the labels by -r_l times its score.
        B, C: the maps of the keys and of the queries, one of each per layer, (d, d).
        S: one per layer, (d, d), invertible.
    """

    step_sizes: Sequence[Scalar] = scalar("r", per_layer=True)
    B: Sequence[Any] = matrix("B", "d", "d", per_layer=True)
    C: Sequence[Any] = matrix("C", "d", "d", per_layer=True)
    S: Sequence[Any] = matrix("S", "d", "d", per_layer=True, invertible=True)
    scores: ClassVar[tuple[Any, ...]] = ("linear", "relu", "exp", "softmax")

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    # The algorithm: the heads with B and C.

    def initial(self, prompt: Prompt) -> Labels:
        return Labels(prompt.Y, prompt.Y.zeros(prompt.m, 1))

    def step(self, l: Index, labels: Labels, prompt: Prompt) -> Labels:
        def moved(queries: Block) -> Block:
            inner = (self.B[l] @ prompt.X).T @ (self.C[l] @ queries)
            scores = inner + inner.relu() + inner.exp() + softmax([inner])[0]
            return (labels.Y @ scores).scale(-self.step_sizes[l])

        return Labels(labels.Y + moved(prompt.X), labels.y + moved(prompt.x_query))

    def predict(self, labels: Labels, prompt: Prompt) -> Block:
        return -labels.y

    # The weights: the heads with S^T B and S^-1 C.

    def embed(self, prompt: Prompt) -> Stream:
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        S, value = self.S[l], Weight({("y", "y"): -self.step_sizes[l]})
        key, query = Weight({("x", "x"): S.T @ self.B[l]}), Weight({("x", "x"): S.inverse() @ self.C[l]})
        return Layer(Attention(*(Head(key, query, value, score=score, mask=CONTEXT) for score in self.scores)))

    def state(self, l: Index, labels: Labels, prompt: Prompt) -> State:
        return {
            ("x", "context"): prompt.X,
            ("y", "context"): labels.Y,
            ("x", "query"): prompt.x_query,
            ("y", "query"): labels.y,
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]

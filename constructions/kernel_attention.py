"""Kernel attention that moves covariates and labels, and what a map of the inputs does to its weights.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); A_l, B_l, C_l, S, T (d, d), S and
T invertible; r_l numbers; h the attention map, keys U, queries W; the query is no key.

    X <- X + A_l X h(B_l X, C_l X)        Y <- Y + r_l Y h(B_l X, C_l X)        for the query the same, its y from 0

Where h sees U^T W only, the network (A_l, B_l, C_l, r_l) on the inputs T x and the network (T^-1 A_l T, S^T B_l T, S^-1
C_l T, r_l) on the inputs x have the same labels after every layer, for all invertible S and T.

Reference: Cheng et al. (2024), arXiv 2312.06528, for the layer (second-hand); the statement is this project's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.attention import Head, Mask, Score
from constructions.block import Block, Kernel, Size, softmax
from constructions.construction import Construction
from constructions.example_tokens import example_tokens
from constructions.layer import Attention, Layer
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


class Tokens(NamedTuple):
    """The covariates and the labels, of the context and of the query."""

    X: Block
    x: Block
    Y: Block
    y: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class KernelAttention(Construction):
    """k layers of attention with V_l = [[A_l, 0], [0, r_l I]], keys by B_l, queries by C_l.

    Args:
        step_sizes: r_1, ..., r_k, of either sign.
        A: what moves the covariates, one per layer, (d, d).
        B, C: the maps of the keys and of the queries, one of each per layer, (d, d).
        scores: h is their sum: "linear", "relu", "exp", "softmax", or kernels.
    """

    step_sizes: Sequence[Scalar] = scalar("r", per_layer=True)
    A: Sequence[Any] = matrix("A", "d", "d", per_layer=True)
    B: Sequence[Any] = matrix("B", "d", "d", per_layer=True)
    C: Sequence[Any] = matrix("C", "d", "d", per_layer=True)
    scores: tuple[Score, ...] = ("linear", "relu", "exp", "softmax")

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    def inputs(self, prompt: Prompt) -> tuple[Block, Block]:
        """The inputs that the algorithm starts from, of the context and of the query."""
        return prompt.X, prompt.x_query

    # The algorithm.

    def initial(self, prompt: Prompt) -> Tokens:
        return Tokens(*self.inputs(prompt), prompt.Y, prompt.Y.zeros(prompt.m, 1))

    def step(self, l: Index, tokens: Tokens, prompt: Prompt) -> Tokens:
        X, x, Y, y = tokens
        keys, r = self.B[l] @ X, self.step_sizes[l]
        h, h_query = (self.attention(keys, self.C[l] @ queries) for queries in (X, x))
        moved = self.A[l] @ X
        return Tokens(X + moved @ h, x + moved @ h_query, Y + (Y @ h).scale(r), y + (Y @ h_query).scale(r))

    def attention(self, keys: Block, queries: Block) -> Block:
        """h(keys, queries)."""
        inner = keys.T @ queries
        named: dict[str, Callable[[], Block]] = {
            "linear": lambda: inner,
            "relu": inner.relu,
            "exp": inner.exp,
            "softmax": lambda: softmax([inner])[0],
        }
        total, *others = (
            keys.kernel(queries, score) if isinstance(score, Kernel) else named[score]() for score in self.scores
        )
        for other in others:
            total = total + other
        return total

    def predict(self, tokens: Tokens, prompt: Prompt) -> Block:
        """Minus the label of the query."""
        return -tokens.y

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return self._layer(self.A[l], self.B[l], self.C[l], self.step_sizes[l])

    def _layer(self, A: Any, B: Any, C: Any, r: Scalar) -> Layer:
        value = Weight({("x", "x"): A, ("y", "y"): r})
        key, query = Weight({("x", "x"): B}), Weight({("x", "x"): C})
        mask = Mask(keys=("context",))
        return Layer(Attention(*(Head(key, query, value, score=score, mask=mask) for score in self.scores)))

    def state(self, l: Index, tokens: Tokens, prompt: Prompt) -> State:
        return {
            ("x", "context"): tokens.X,
            ("x", "query"): tokens.x,
            ("y", "context"): tokens.Y,
            ("y", "query"): tokens.y,
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class TransformedKernelAttention(KernelAttention):
    """The network (T^-1 A_l T, S^T B_l T, S^-1 C_l T, r_l) on x, which has the labels of (A_l, B_l, C_l, r_l) on T x.

    The algorithm is the other network, on the inputs T x.

    Args:
        step_sizes, A, B, C: as for ``KernelAttention``.
        scores: such that see keys and queries by their inner products only; not the RBF kernel.
        transform: T, (d, d), invertible.
        reciprocal: S, (d, d), invertible.
    """

    transform: Any = matrix("T", "d", "d", invertible=True)
    reciprocal: Any = matrix("S", "d", "d", invertible=True)

    def inputs(self, prompt: Prompt) -> tuple[Block, Block]:
        return self.transform @ prompt.X, self.transform @ prompt.x_query

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        T, S = self.transform, self.reciprocal
        A, B, C = T.inverse() @ self.A[l] @ T, S.T @ self.B[l] @ T, S.inverse() @ self.C[l] @ T
        return self._layer(A, B, C, self.step_sizes[l])

    def state(self, l: Index, tokens: Tokens, prompt: Prompt) -> State:
        """Before layer l the covariates are T^-1 times the other network's, and the labels are its labels."""
        back = self.transform.inverse()
        return super().state(l, tokens._replace(X=back @ tokens.X, x=back @ tokens.x), prompt)

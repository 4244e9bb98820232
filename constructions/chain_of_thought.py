"""Chain of thought: a linear attention layer generates the iterates of gradient descent, one token each.

Symbols: n data tokens, d features, one target; X (d, n), Y (1, n), w (d, 1), Gamma (d, d); x_query plays no part.

Tokens have the slots (x, y, w, one). Data tokens are (x_j, y_j, 0, 0), the last token is (0, 0, w_0, 1). The next token
is the last column of f(Z) = Z + (1 / n) V Z (Z^T W Z), appended unchanged; n stays the number of data tokens. With the
blocks V_31 = -Gamma, W_13 = I, W_24 = -1 alone, token i of those generated is (0, 0, w_i, 1), where

    w <- w - Gamma (1 / n) X (X^T w - Y^T)

for Gamma = eta I and for every other matrix. The data tokens are never rewritten. A generated token is a key as well,
but it scores 0, since W z has no w and no one rows (W_33 = W_34 = W_43 = W_44 = 0).

Reference: Huang et al. (2025), arXiv 2502.21212; the weights as others report them (second-hand), the proof this
project's, for arbitrary Y and w_0.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from constructions.attention import Head
from constructions.block import Block, Size, Zero
from constructions.construction import Construction
from constructions.decoding import Decoding
from constructions.layer import Attention, Layer
from constructions.parameters import layer_count, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, Loop, Stage
from constructions.stream import Stream
from constructions.weights import Weight, WeightBlock

KEY = Weight({("x", "x"): 1, ("y", "y"): 1, ("w", "w"): 1, ("one", "one"): 1})
"""The paper's scores are Z^T W Z: W is W_K^T W_Q with W_K = I."""


class Generated(NamedTuple):
    """What has been generated after l tokens."""

    w: Block
    """The newest iterate, (d, 1)."""
    past: Block
    """Those before it, w_0 first, (d, l)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class GeneratedDescent(Construction):
    """The networks that generate gradient descent's iterates: all but the preconditioner.

    Args:
        tokens: k, the number of tokens to generate, >= 0; without any the answer is w_0.
        w_0: the weights to start from, (d, 1), in the last token of the prompt; None is zero.
    """

    targets = 1

    tokens: int = layer_count()
    w_0: Any = matrix("w_0", "d", 1, default=None)

    @property
    def depth(self) -> Size:
        return self.tokens

    @property
    @abstractmethod
    def V_31(self) -> WeightBlock:
        """Minus the preconditioner."""

    # The algorithm.

    @abstractmethod
    def preconditioned(self, gradient: Block) -> Block:
        """The preconditioner times the gradient, (d, 1)."""

    def initial(self, prompt: Prompt) -> Any:
        return Generated(self.w_0, Zero(prompt.d, 0))

    def step(self, l: Index, iterate: Any, prompt: Prompt) -> Any:
        w, past = iterate
        gradient = (prompt.X @ (prompt.X.T @ w - prompt.Y.T)).scale(ratio(1, prompt.n))
        return Generated(w - self.preconditioned(gradient), past.beside(w))

    def predict(self, iterate: Any, prompt: Prompt) -> Block:
        """The weight vector w_k, (d, 1)."""
        return iterate.w

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Data tokens (x_j, y_j, 0, 0), none generated yet, and the last token (0, 0, w_0, 1)."""
        return Stream(
            slots={"x": prompt.d, "y": 1, "w": prompt.d, "one": 1},
            groups={"data": prompt.n, "past": 0, "last": 1},
            blocks={
                ("x", "data"): prompt.X,
                ("y", "data"): prompt.Y,
                ("w", "last"): self.w_0,
                ("one", "last"): prompt.X.ones(1, 1),
            },
        )

    def layer(self, l: Index, prompt: Prompt) -> Decoding:
        head = Head(
            key=KEY,
            query=Weight({("x", "w"): 1, ("y", "one"): -1}),
            value=Weight({("w", "x"): self.V_31}),
            factor=ratio(1, prompt.n),
        )
        return Decoding(Layer(Attention(head)))

    def state(self, l: Index, iterate: Any, prompt: Prompt) -> Stream:
        """Z_l: the data tokens as they were, (0, 0, w_i, 1) for i < l, and (0, 0, w_l, 1)."""
        first = self.embed(prompt)
        tokens = {
            ("w", "past"): iterate.past,
            ("one", "past"): prompt.X.ones(1, l),
            ("w", "last"): iterate.w,
        }
        return replace(first, groups={**first.groups, "past": l}, blocks={**first.blocks, **tokens})

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        return (
            Loop(
                layer=lambda l: self.layer(l, prompt),
                step=lambda l, iterate: self.step(l, iterate, prompt),
                state=lambda l, iterate: self.state(l, iterate, prompt),
                times=self.tokens,
                name="token",
                grows={"past": 1},
            ),
        )

    def read_out(self, stream: Stream) -> Block:
        return stream["w", "last"]


@dataclass(frozen=True, kw_only=True, repr=False)
class ChainOfThought(GeneratedDescent):
    """A linear attention layer that generates k iterates of gradient descent, V_31 = -eta I.

    Args:
        eta: the step size; converges if 0 < eta < 2 n / lambda_max(X X^T), diverges above (see
            ``ChainOfThoughtSpectrum``).
        tokens, w_0: as for ``GeneratedDescent``.
    """

    eta: Scalar = scalar("eta", positive=True)

    @property
    def V_31(self) -> WeightBlock:
        return -self.eta

    def preconditioned(self, gradient: Block) -> Block:
        return gradient.scale(self.eta)


@dataclass(frozen=True, kw_only=True, repr=False)
class PreconditionedChainOfThought(GeneratedDescent):
    """A linear attention layer that generates k iterates of preconditioned descent, V_31 = -Gamma.

    Args:
        preconditioner: Gamma, (d, d), any matrix.
        tokens, w_0: as for ``GeneratedDescent``.
    """

    preconditioner: Any = matrix("Gamma", "d", "d")

    @property
    def V_31(self) -> WeightBlock:
        return -self.preconditioner

    def preconditioned(self, gradient: Block) -> Block:
        return self.preconditioner @ gradient

"""Chain of thought with the three blocks that training moves left free: V_31, W_13 and W_24.

Symbols: n data tokens, d features, one target; X (d, n), Y (1, n), w (d, 1), Gamma, C (d, d), b a number.

With V_31 = -Gamma, W_13 = C, W_24 = -b and no other block the generated tokens are (0, 0, w_i, 1), where

    w <- w - Gamma (1 / n) X (X^T C w - b Y^T)

which is gradient descent for Gamma = eta I, C = I, b = 1. C and b are identified only up to a factor that Gamma takes.

Reference: Huang et al. (2025), arXiv 2502.21212, whose training is reported (second-hand) to move these blocks alone.
"""

from dataclasses import dataclass
from typing import Any

from constructions.attention import Head
from constructions.block import Block
from constructions.chain_of_thought import KEY, Generated, GeneratedDescent
from constructions.decoding import Decoding
from constructions.layer import Attention, Layer
from constructions.parameters import matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index
from constructions.weights import Weight, WeightBlock


@dataclass(frozen=True, kw_only=True, repr=False)
class SparseChainOfThought(GeneratedDescent):
    """A linear attention layer with V_31 = -Gamma, W_13 = C and W_24 = -b that generates k tokens.

    Args:
        preconditioner: Gamma, (d, d), any matrix.
        of_weights: C, (d, d), any matrix.
        of_labels: b.
        tokens, w_0: as for ``GeneratedDescent``.
    """

    preconditioner: Any = matrix("Gamma", "d", "d")
    of_weights: Any = matrix("C", "d", "d")
    of_labels: Scalar = scalar("b")

    @property
    def V_31(self) -> WeightBlock:
        return -self.preconditioner

    def preconditioned(self, gradient: Block) -> Block:
        return self.preconditioner @ gradient

    def step(self, l: Index, iterate: Any, prompt: Prompt) -> Generated:
        w, past = iterate
        errors = prompt.X.T @ self.of_weights @ w - prompt.Y.T.scale(self.of_labels)
        moved = self.preconditioned((prompt.X @ errors).scale(ratio(1, prompt.n)))
        return Generated(w - moved, past.beside(w))

    def layer(self, l: Index, prompt: Prompt) -> Decoding:
        head = Head(
            key=KEY,
            query=Weight({("x", "w"): self.of_weights, ("y", "one"): -self.of_labels}),
            value=Weight({("w", "x"): self.V_31}),
            factor=ratio(1, prompt.n),
        )
        return Decoding(Layer(Attention(head)))

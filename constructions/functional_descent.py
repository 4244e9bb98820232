"""Functional gradient descent: attention whose score is a kernel takes gradient steps in that kernel's function space.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); K = kappa(X, X) (n, n), k =
kappa(X, x_query) (n, 1); alpha (m, n) the coefficients of f = sum_i alpha_i kappa(x_i, .).

    f <- f + r_l sum_i (y_i - f(x_i)) kappa(x_i, .)        alpha <- alpha + r_l (Y - alpha K)

For a positive semidefinite kernel that is f <- f - rho_l grad sum_i |f(x_i) - y_i|^2 with r_l = 2 rho_l, the gradient
taken in its space. As algebra it holds for every kernel. There is no 1 / n, and the start is f = 0.

Reference: Cheng et al. (2024), arXiv 2312.06528; the paper has one target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from constructions.attention import Head, Mask, Score
from constructions.block import Block, Kernel, Size, Zero
from constructions.construction import Construction
from constructions.example_tokens import example_tokens, residual_state
from constructions.gradient_descent import GradientDescent
from constructions.layer import Attention, Layer
from constructions.parameters import depth, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


def kernel_head(score: Score, step: Scalar) -> Head:
    """B = C = I and V = [[0, 0], [0, -step I]] on tokens (x; y), with that score; the context is the key."""
    return Head(
        key=Weight({("x", "x"): 1}),
        query=Weight({("x", "x"): 1}),
        value=Weight({("y", "y"): -step}),
        score=score,
        mask=Mask(keys=("context",)),
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionalDescent(Construction):
    """k attention layers with kernel scores that take k functional gradient steps from f = 0.

    Args:
        step_sizes: r_1, ..., r_k, one per layer. A constant r converges for every Y if and only if K is positive
            definite and r < 2 / lambda_max(K); see ``numerics.kernel_steps``.
        kernel: kappa; by default any symmetric one.
        score: the attention score, if it is one of the named ones ("relu", "exp", "softmax"); by default the kernel.
    """

    iterate_symbol: ClassVar[str] = "alpha"

    step_sizes: Sequence[Scalar] = scalar("r", per_layer=True, positive=True)
    kernel: Kernel = Kernel("kappa")
    score: str | None = None

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    def gram(self, prompt: Prompt) -> Block:
        """K, (n, n)."""
        return prompt.X.kernel(prompt.X, self.kernel)

    def query_column(self, prompt: Prompt) -> Block:
        """k, (n, 1)."""
        return prompt.X.kernel(prompt.x_query, self.kernel)

    # The algorithm.

    def initial(self, prompt: Prompt) -> Any:
        return Zero(prompt.m, prompt.n)

    def step(self, l: Index, alpha: Any, prompt: Prompt) -> Any:
        return alpha + (prompt.Y - alpha @ self.gram(prompt)).scale(self.step_sizes[l])

    def predict(self, alpha: Any, prompt: Prompt) -> Block:
        return alpha @ self.query_column(prompt)

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, 0)."""
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """B = C = I, A = 0, V = [[0, 0], [0, -r_l I]]."""
        return Layer(Attention(kernel_head(self.score or self.kernel, self.step_sizes[l])))

    def state(self, l: Index, alpha: Any, prompt: Prompt) -> State:
        """Before layer l the labels are the residuals y_i - f(x_i), and the query holds -f(x_query)."""
        return residual_state(prompt, prompt.Y - alpha @ self.gram(prompt), alpha @ self.query_column(prompt))

    def read_out(self, stream: Stream) -> Block:
        """Minus the y rows of the query, which hold minus the prediction."""
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class LinearKernelDescent(GradientDescent):
    """k layers of functional descent with the linear kernel, which run ``GradientDescent`` with r_l = eta_l / n.

    Args:
        step_sizes: eta_1, ..., eta_k as for ``GradientDescent``; the weights hold r_l = eta_l / n.
        W_0: None; the query starts at 0.
    """

    def __post_init__(self) -> None:
        if not (self.W_0 is None or isinstance(self.W_0, Zero)):
            raise ValueError("functional descent starts from f = 0; leave W_0 out, or use GradientDescent")

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(Attention(kernel_head("linear", ratio(self.step_sizes[l], prompt.n))))

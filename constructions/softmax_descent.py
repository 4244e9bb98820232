"""Softmax attention as functional descent: the row-normalised method, in what sense it descends, and its own limit.

Symbols as in ``functional_descent``, with K = exp(X^T X) (n, n), k = exp(X^T x_query) (n, 1), D = diag(1^T K) (n, n),
D_q = 1^T k (1, 1). ``FunctionalDescent(kernel=SOFTMAX, score="softmax")`` runs

    f <- f + r_l sum_i (y_i - f(x_i)) kappa(x_i, .) / D(.)        D(x) = sum_t kappa(x_t, x)

which is not gradient descent on the plain loss in one fixed space. It is descent in the prompt's own kernel
kappa(x, x') / (D(x) D(x')) on the weighted loss sum_i D(x_i) |f(x_i) - y_i|^2, and its limit is Y D K^-1 k / D_q, not
the posterior mean Y K^-1 k. Per query it is one row, where queries are rows; here it is a column.

Reference: this project; Cheng et al. (2024), arXiv 2312.06528, use the softmax as one of their attention maps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from constructions.block import Block, Kernel
from constructions.functional_descent import FunctionalDescent
from constructions.functional_limits import FunctionalDescentError, FunctionalDescentSpectrum
from constructions.kernels import SOFTMAX, exponential
from constructions.prompt import Prompt
from constructions.stages import Index, Relation

EXPONENTIAL = exponential()


def normalisers(prompt: Prompt) -> tuple[Block, Block]:
    """(D, D_q): the sums of kappa(x_t, .) over the context, on the diagonal for the context and for the query."""
    row = prompt.X.ones(1, prompt.n)
    return (row @ gram(prompt)).diagonal(), row @ query_column(prompt)


def gram(prompt: Prompt) -> Block:
    """K = exp(X^T X), (n, n)."""
    return prompt.X.kernel(prompt.X, EXPONENTIAL)


def query_column(prompt: Prompt) -> Block:
    """k = exp(X^T x_query), (n, 1)."""
    return prompt.X.kernel(prompt.x_query, EXPONENTIAL)


@dataclass(frozen=True, kw_only=True, repr=False)
class SoftmaxDescentError(FunctionalDescentError):
    """k softmax layers with invertible K, whose error towards Y D K^-1 k / D_q is exact.

    Args:
        step_sizes: r_1, ..., r_k; a constant r converges for every Y if and only if 0 < r < 2, for positive definite K.
        kernel, score: the softmax.
    """

    kernel: Kernel = SOFTMAX
    score: str | None = "softmax"

    def limit_weights(self, prompt: Prompt) -> Block:
        """D K^-1 k / D_q, (n, 1)."""
        D, D_q = normalisers(prompt)
        return D @ gram(prompt).inverse() @ query_column(prompt) @ D_q.inverse()


@dataclass(frozen=True, kw_only=True, repr=False)
class PromptKernelDescent(FunctionalDescent):
    """k softmax layers that descend in the kernel kappa(x, x') / (D(x) D(x')) on the loss weighted by D(x_i).

    Args:
        step_sizes: r_1, ..., r_k, one per layer.
        kernel, score: the softmax.
    """

    iterate_symbol: ClassVar[str] = "beta"

    kernel: Kernel = SOFTMAX
    score: str | None = "softmax"

    def gram(self, prompt: Prompt) -> Block:
        """D^-1 K D^-1, (n, n)."""
        D, _ = normalisers(prompt)
        return D.inverse() @ gram(prompt) @ D.inverse()

    def query_column(self, prompt: Prompt) -> Block:
        """D^-1 k / D_q, (n, 1)."""
        D, D_q = normalisers(prompt)
        return D.inverse() @ query_column(prompt) @ D_q.inverse()

    def step(self, l: Index, beta: Block, prompt: Prompt) -> Block:
        D, _ = normalisers(prompt)
        return beta + ((prompt.Y - beta @ self.gram(prompt)) @ D).scale(self.step_sizes[l])


@dataclass(frozen=True, kw_only=True, repr=False)
class SoftmaxDescentTopMode(FunctionalDescentSpectrum):
    """k softmax layers, followed along the eigenvector D 1 of K D^-1, whose eigenvalue is 1 on every prompt.

    K D^-1 is similar to D^-1/2 K D^-1/2 and its columns sum to one, so that for positive definite K its eigenvalues are
    in (0, 1], and 1 is one of them: a constant step r converges for every Y if and only if 0 < r < 2.

    Args:
        step_sizes: r_1, ..., r_k, one per layer.
        kernel, score: the softmax.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {}

    kernel: Kernel = SOFTMAX
    score: str | None = "softmax"

    def eigenpair(self, prompt: Prompt) -> tuple[Block, Block]:
        """(the column of D(x_1), ..., D(x_n), 1)."""
        D, _ = normalisers(prompt)
        return D @ prompt.X.ones(prompt.n, 1), prompt.X.identity(1)

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return ()

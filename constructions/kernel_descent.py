"""Gradient descent on features: an MLP and then linear attention descend with the kernel of the MLP's features.

Symbols: n context tokens, d inputs, p features, m targets; X (d, n), Y (m, n), x_query (d, 1); phi the map of a token
to its features, the paper's m; Phi = phi(X) (p, n), K = Phi^T Phi (n, n), k = Phi^T phi(x_query) (n, 1); W (m, p),
alpha, Res (m, n).

    L(W) = (1 / 2n) |W Phi - Y|^2        W <- W - (eta_l / n) (W Phi - Y) Phi^T

is, from W = 0, gradient descent in the function space of the kernel phi(x)^T phi(x'): with W = alpha Phi^T

    F <- F + (eta_l / n) sum_i Res_i phi(x_i)^T phi(.)        Res <- Res (I - (eta_l / n) K)

A constant eta converges, for every Y, to the interpolant Y K^-1 k if and only if K is nonsingular and 0 < eta <
2 n / lambda_max(K): along an eigenvector K v = lam v the residual is multiplied by 1 - eta lam / n.

Reference: von Oswald et al. (2023), Proposition 2, arXiv 2212.07677. Its equation (13) drops eta / n, and its MLP must
ignore and preserve the y rows.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, FeatureMap, Size, Zero
from constructions.construction import Construction
from constructions.example_tokens import example_tokens
from constructions.layer import MLP, Attention, Layer, TokenFunction
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, Relation, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


class KernelIterate(NamedTuple):
    """The iterate of kernel gradient descent."""

    alpha: Block
    """The coefficients of F = sum_i alpha_i phi(x_i)^T phi(.), (m, n)."""
    Res: Block
    """What is left of the targets, (m, n)."""


class FeatureIterate(NamedTuple):
    """The same, beside the weights of gradient descent on features."""

    W: Block
    """The weights, (m, p)."""
    alpha: Block
    Res: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class DescentOnFeatures(Construction):
    """One layer that computes features, then k linear attention layers that take gradient steps on them."""

    feature_slot: ClassVar[str]
    """The slot that holds the features."""

    step_sizes: Sequence[Scalar] = scalar("eta", per_layer=True, positive=True)

    @abstractmethod
    def featured(self, X: Block) -> Block:
        """phi(X), (p, n)."""

    @abstractmethod
    def first_layer(self, prompt: Prompt) -> Layer:
        """The layer that computes the features."""

    @abstractmethod
    def inputs_held(self, prompt: Prompt) -> State:
        """What every token holds beside its y rows, once the features are there."""

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    def gram(self, prompt: Prompt) -> Block:
        """K, (n, n)."""
        return self.featured(prompt.X).T @ self.featured(prompt.X)

    def query_column(self, prompt: Prompt) -> Block:
        """k, (n, 1)."""
        return self.featured(prompt.X).T @ self.featured(prompt.x_query)

    # The algorithm.

    def initial(self, prompt: Prompt) -> Any:
        return KernelIterate(Zero(prompt.m, prompt.n), prompt.Y)

    def step(self, l: Index, iterate: Any, prompt: Prompt) -> Any:
        alpha, Res = iterate
        rate = ratio(self.step_sizes[l], prompt.n)
        return KernelIterate(alpha + Res.scale(rate), Res - (Res @ self.gram(prompt)).scale(rate))

    def predict(self, iterate: Any, prompt: Prompt) -> Block:
        return iterate.alpha @ self.query_column(prompt)

    # The weights.

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """W_K = W_Q = I on the features, W_V = -I on y, P = (eta / n) I on y; the context is the key."""
        seen = Weight({(self.feature_slot, self.feature_slot): 1})
        return Layer(
            Attention(
                Head(
                    key=seen,
                    query=seen,
                    value=Weight({("y", "y"): -1}),
                    projection=Weight({("y", "y"): ratio(self.step_sizes[l], prompt.n)}),
                    mask=Mask(keys=("context",)),
                )
            )
        )

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        first = Single(self.first_layer(prompt), lambda iterate: self.state(0, iterate, prompt), name="features")
        return (first, *super().stages(prompt))

    def held(self, prompt: Prompt, residual: Block, prediction: Block) -> State:
        """The features beside the residuals in the context, and beside -prediction in the query."""
        return {**self.inputs_held(prompt), ("y", "context"): residual, ("y", "query"): -prediction}

    def state(self, l: Index, iterate: Any, prompt: Prompt) -> State:
        """Before layer l the targets are the residuals, and the query holds -F(x_query)."""
        return self.held(prompt, iterate.Res, self.predict(iterate, prompt))

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class FeatureDescent(DescentOnFeatures):
    """One layer f <- f + phi(x) in every token, then k linear attention layers that take gradient steps on phi.

    Args:
        step_sizes: eta_1, ..., eta_k, one per attention layer.
        features: phi; by default any map to any number of features p.
    """

    feature_slot: ClassVar[str] = "f"

    features: FeatureMap = FeatureMap("phi")

    def featured(self, X: Block) -> Block:
        return X.features(self.features)

    def initial(self, prompt: Prompt) -> Any:
        Phi = self.featured(prompt.X)
        return FeatureIterate(Zero(prompt.m, Phi.known_size(Phi.rows)), *super().initial(prompt))

    def step(self, l: Index, iterate: Any, prompt: Prompt) -> Any:
        W, alpha, Res = iterate
        Phi = self.featured(prompt.X)
        gradient = ((W @ Phi - prompt.Y) @ Phi.T).scale(ratio(self.step_sizes[l], prompt.n))
        return FeatureIterate(W - gradient, *super().step(l, (alpha, Res), prompt))

    def relations(self, iterate: Any, prompt: Prompt) -> tuple[Relation, ...]:
        W, alpha, Res = iterate
        return (
            Relation("W = alpha Phi^T", W, alpha @ self.featured(prompt.X).T),
            Relation("Res = Y - alpha K", Res, prompt.Y - alpha @ self.gram(prompt)),
        )

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0, y_i), and the query (x_query, 0, 0)."""
        Phi = self.featured(prompt.X)
        return Stream(
            slots={"x": prompt.d, "f": Phi.known_size(Phi.rows), "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={("x", "context"): prompt.X, ("y", "context"): prompt.Y, ("x", "query"): prompt.x_query},
        )

    def first_layer(self, prompt: Prompt) -> Layer:
        return Layer(TokenFunction(self.features, "x", "f"))

    def inputs_held(self, prompt: Prompt) -> State:
        return {
            ("x", "context"): prompt.X,
            ("x", "query"): prompt.x_query,
            ("f", "context"): self.featured(prompt.X),
            ("f", "query"): self.featured(prompt.x_query),
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class MLPDescent(DescentOnFeatures):
    """One residual MLP that replaces x by phi(x) = x + A_2 g(A_1 x + b_1) + b_2, then k steps of gradient descent.

    Args:
        step_sizes: eta_1, ..., eta_k, one per attention layer.
        A_1, b_1: of any hidden width h, (h, d) and (h, 1).
        A_2, b_2: (d, h) and (d, 1). A bias may be None, which is zero; the paper has no b_2.
        activation: g, "relu" or "square".
    """

    feature_slot: ClassVar[str] = "x"

    A_1: Any = matrix("A_1", "h", "d")
    A_2: Any = matrix("A_2", "d", "h")
    b_1: Any = matrix("b_1", "h", 1, default=None)
    b_2: Any = matrix("b_2", "d", 1, default=None)
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.activation not in ("relu", "square"):
            raise ValueError(f"activation = {self.activation!r}: it must be 'relu' or 'square'")

    def featured(self, X: Block) -> Block:
        hidden = self.A_1 @ X + self.b_1 @ X.ones(1, X.columns)
        active = hidden.relu() if self.activation == "relu" else hidden.square()
        return X + self.A_2 @ active + self.b_2 @ X.ones(1, X.columns)

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, 0)."""
        return example_tokens(prompt)

    def first_layer(self, prompt: Prompt) -> Layer:
        """First layer [A_1, 0], second [[A_2], [0]]: the MLP reads and writes the x rows only."""
        return Layer(
            MLP(
                Weight({("h", "x"): self.A_1}),
                Weight({("x", "h"): self.A_2}),
                self.activation,
                {} if self.b_1.is_zero else {"h": self.b_1},
                {} if self.b_2.is_zero else {"x": self.b_2},
            )
        )

    def inputs_held(self, prompt: Prompt) -> State:
        return {("x", "context"): self.featured(prompt.X), ("x", "query"): self.featured(prompt.x_query)}


class KernelMode(NamedTuple):
    """The residual, and by how much it has shrunk along an eigenvector."""

    Res: Block
    rho: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class FeatureDescentLimit(FeatureDescent):
    """k gradient steps on features with nonsingular K: the exact distance to the interpolant, and what shrinks it.

    F(x_query) = Y K^-1 k - Res K^-1 k, and along an eigenvector K v = lam v the residual is rho Y v, where every step
    multiplies rho by 1 - eta_l lam / n.

    Args:
        step_sizes, features: as for ``FeatureDescent``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"v": ("n", 1), "lam": (1, 1)}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        K, v, lam = self.gram(prompt), prompt.extra("v"), prompt.extra("lam")
        return (
            Relation("K is nonsingular", K @ K.inverse(), prompt.X.identity(prompt.n)),
            Relation("v is an eigenvector of K", K @ v, v @ lam),
        )

    def initial(self, prompt: Prompt) -> KernelMode:
        return KernelMode(prompt.Y, prompt.X.identity(1))

    def step(self, l: Index, iterate: KernelMode, prompt: Prompt) -> KernelMode:
        (Res, rho), rate = iterate, ratio(self.step_sizes[l], prompt.n)
        return KernelMode(Res - (Res @ self.gram(prompt)).scale(rate), rho - (rho @ prompt.extra("lam")).scale(rate))

    def predict(self, iterate: KernelMode, prompt: Prompt) -> Block:
        weights = self.gram(prompt).inverse() @ self.query_column(prompt)
        return prompt.Y @ weights - iterate.Res @ weights

    def state(self, l: Index, iterate: KernelMode, prompt: Prompt) -> State:
        return self.held(prompt, iterate.Res, self.predict(iterate, prompt))

    def relations(self, iterate: KernelMode, prompt: Prompt) -> tuple[Relation, ...]:
        v = prompt.extra("v")
        return (Relation("the residual along v", iterate.Res @ v, prompt.Y @ v @ iterate.rho),)

"""Gradient steps of different sizes: what they do to the error is one polynomial, whatever the context.

Symbols: n context tokens, d features, m targets, L layers; X (d, n), x_query (d, 1), Y (m, n), W_star (m, d) any
teacher, E = Y - W_star X what it leaves; H (d, d) invertible, Sigma = H H^T; T = H^-1 X X^T H^-T / n (d, d); a_l step
sizes, A_l = a_l Sigma^-1.

With phi(s) = prod_l (1 - a_l s) = 1 - s r(s), F = phi(T) and R = r(T), both symmetric, L layers predict

    W_star H (I - F) H^-1 x_query + (1 / n) E X^T H^-T R H^-1 x_query

so the teacher is missed by phi and the noise enters by r; the order of the steps does not matter. For H = I these are
plain gradient steps and T = S = X X^T / n.

Reference: derived; the family of Ahn et al. (2023), Theorem 3, arXiv 2306.00297.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from constructions.block import Block, Size, Zero
from constructions.construction import Construction
from constructions.layer import Layer
from constructions.parameters import PerLayer, depth, matrix, scalar
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, Relation, State
from constructions.stream import Stream


class _Scaled(PerLayer):
    """a_l M for every layer, a symbolic one included."""

    def __init__(self, block: Block, factors: Sequence[Scalar]) -> None:
        self._block = block
        self._factors = factors

    @property
    def depth(self) -> Size:
        return depth(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    def __getitem__(self, index: Any) -> Any:
        return self._block.scale(self._factors[index])


class PolynomialIterate(NamedTuple):
    """phi_l(T) and r_l(T) after l steps."""

    F: Block
    R: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class StepPolynomial(Construction):
    """L layers with A_l = a_l Sigma^-1 predict by the polynomials phi and r of the whitened second moment T.

    Args:
        step_sizes: a_1, ..., a_L, one per layer.
        root: H, (d, d), invertible; the preconditioner is (H H^T)^-1.
    """

    step_sizes: Sequence[Scalar] = scalar("a", per_layer=True)
    root: Any = matrix("H", "d", "d", invertible=True)

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d")}

    @property
    def depth(self) -> Size:
        return depth(self.step_sizes)

    def whitened_moment(self, prompt: Prompt) -> Block:
        """T = H^-1 X X^T H^-T / n."""
        inputs = self.root.inverse() @ prompt.X
        return (inputs @ inputs.T).scale(ratio(1, prompt.n))

    # The algorithm.

    def initial(self, prompt: Prompt) -> PolynomialIterate:
        return PolynomialIterate(prompt.X.identity(prompt.d), Zero(prompt.d, prompt.d))

    def step(self, l: Index, iterate: PolynomialIterate, prompt: Prompt) -> PolynomialIterate:
        F, R = iterate
        a, T = self.step_sizes[l], self.whitened_moment(prompt)
        return PolynomialIterate(F - (F @ T).scale(a), R + F.scale(a))

    def relations(self, iterate: PolynomialIterate, prompt: Prompt) -> tuple[Relation, ...]:
        F, R = iterate
        T, I = self.whitened_moment(prompt), prompt.X.identity(prompt.d)
        return (
            Relation("R is symmetric", R.T, R),
            Relation("F is I - R T", F, I - R @ T),
            Relation("R commutes with T", R @ T, T @ R),
        )

    def weights(self, iterate: PolynomialIterate, prompt: Prompt) -> Block:
        """W_star H (I - F) H^-1 + (1 / n) E X^T H^-T R H^-1, what the steps have reached, whatever W_star."""
        F, R = iterate
        W_star, H, inverse = prompt.extra("W_star"), self.root, self.root.inverse()
        E = prompt.Y - W_star @ prompt.X
        noise = (E @ prompt.X.T @ inverse.T).scale(ratio(1, prompt.n))
        return (W_star @ H @ (prompt.X.identity(prompt.d) - F) + noise @ R) @ inverse

    def predict(self, iterate: PolynomialIterate, prompt: Prompt) -> Block:
        return self.weights(iterate, prompt) @ prompt.x_query

    # The weights: those of preconditioned descent.

    def network(self, prompt: Prompt) -> PreconditionedDescent:
        """The layers: A_l = a_l H^-T H^-1, from W_0 = 0."""
        inverse = self.root.inverse()
        preconditioners = _Scaled(inverse.T @ inverse, self.step_sizes)
        return PreconditionedDescent(preconditioners=preconditioners, W_0=Zero(prompt.m, prompt.d))

    def embed(self, prompt: Prompt) -> Stream:
        return self.network(prompt).embed(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return self.network(prompt).layer(l, prompt)

    def state(self, l: Index, iterate: PolynomialIterate, prompt: Prompt) -> State:
        """Before layer l the labels are the residuals of those weights."""
        return self.network(prompt).state(l, self.weights(iterate, prompt), prompt)

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]

"""What functional descent leaves: closed forms after any number of layers, and the exact error towards the limit.

Symbols as in ``functional_descent``: K (n, n), k (n, 1), r_l; and the product P = (I - r_1 K) ... (I - r_l K).

    residual = Y P        f(x_query) = Y G k, G K = I - P        f(x_query) = Y K^-1 k - Y P K^-1 k

Along an eigenvector K v = lam v the residual is Y v times the product of the numbers 1 - r_l lam. So a constant step r
converges for every Y if and only if 0 < r lam < 2 for every eigenvalue: for positive definite K and r < 2 / lambda_max.
A negative eigenvalue makes every constant r > 0 diverge along it, by the factor 1 + r |lam| > 1 in every layer.

Reference: Cheng et al. (2024), for the limit; the closed forms and the error are this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block, Zero
from constructions.example_tokens import residual_state
from constructions.functional_descent import FunctionalDescent, kernel_head
from constructions.layer import Attention, Layer
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from constructions.stages import Index, Relation, State


class Products(NamedTuple):
    """The product of the factors I - r_l K, and what it is short of I divided by K."""

    P: Block
    G: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionalDescentClosedForm(FunctionalDescent):
    """k layers of functional descent in closed form: residual Y P and prediction Y G k, for invertible K or not.

    Args:
        step_sizes, kernel, score: as for ``FunctionalDescent``.
    """

    def initial(self, prompt: Prompt) -> Products:
        return Products(prompt.X.identity(prompt.n), Zero(prompt.n, prompt.n))

    def step(self, l: Index, iterate: Products, prompt: Prompt) -> Products:
        P, r = iterate.P, self.step_sizes[l]
        return Products(P - (P @ self.gram(prompt)).scale(r), iterate.G + P.scale(r))

    def predict(self, iterate: Products, prompt: Prompt) -> Block:
        return prompt.Y @ iterate.G @ self.query_column(prompt)

    def state(self, l: Index, iterate: Products, prompt: Prompt) -> State:
        return residual_state(prompt, prompt.Y @ iterate.P, self.predict(iterate, prompt))

    def relations(self, iterate: Products, prompt: Prompt) -> tuple[Relation, ...]:
        I = prompt.X.identity(prompt.n)
        return (Relation("G K = I - P", iterate.G @ self.gram(prompt), I - iterate.P),)


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionalDescentError(FunctionalDescent):
    """k layers of functional descent with invertible K, whose error towards Y K^-1 k is -Y P K^-1 k exactly.

    Args:
        step_sizes, kernel, score: as for ``FunctionalDescent``.
    """

    iterate_symbol: ClassVar[str] = "P"

    def limit_weights(self, prompt: Prompt) -> Block:
        """K^-1 k, (n, 1): the limit is Y times these."""
        return self.gram(prompt).inverse() @ self.query_column(prompt)

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X.identity(prompt.n)

    def step(self, l: Index, P: Block, prompt: Prompt) -> Block:
        return P - (P @ self.gram(prompt)).scale(self.step_sizes[l])

    def predict(self, P: Block, prompt: Prompt) -> Block:
        weights = self.limit_weights(prompt)
        return prompt.Y @ weights - prompt.Y @ P @ weights

    def state(self, l: Index, P: Block, prompt: Prompt) -> State:
        return residual_state(prompt, prompt.Y @ P, self.predict(P, prompt))


@dataclass(frozen=True, kw_only=True, repr=False)
class AlternatingDescent(FunctionalDescentError):
    """k pairs of layers with steps r_l and -r_l: the error is that of steps r_l^2 on K^2, which is never indefinite.

    Since (I - r K)(I + r K) = I - r^2 K^2, a constant r converges for every invertible K, definite or not, if and only
    if r^2 lambda^2 < 2 for every eigenvalue lambda.

    Args:
        step_sizes: r_1, ..., r_k, one per pair of layers.
        kernel, score: as for ``FunctionalDescent``.
    """

    def step(self, l: Index, P: Block, prompt: Prompt) -> Block:
        K, r = self.gram(prompt), self.step_sizes[l]
        return P - (P @ K @ K).scale(r * r)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Two layers of one head each: V = [[0, 0], [0, -r_l I]], then V = [[0, 0], [0, r_l I]]."""
        score, r = self.score or self.kernel, self.step_sizes[l]
        return Layer(Attention(kernel_head(score, r)), Attention(kernel_head(score, -r)))


class Mode(NamedTuple):
    """The coefficients, the residual, and by how much the residual has shrunk along an eigenvector."""

    alpha: Block
    R: Block
    rho: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionalDescentSpectrum(FunctionalDescent):
    """k layers of functional descent, followed along an eigenvector K v = lam v: the residual there is rho Y v.

    Args:
        step_sizes, kernel, score: as for ``FunctionalDescent``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"v": ("n", 1), "lam": (1, 1)}

    def eigenpair(self, prompt: Prompt) -> tuple[Block, Block]:
        """(v, lam), of shapes (n, 1) and (1, 1)."""
        return prompt.extra("v"), prompt.extra("lam")

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        v, lam = self.eigenpair(prompt)
        return (Relation("v is an eigenvector of K", self.gram(prompt) @ v, v @ lam),)

    def initial(self, prompt: Prompt) -> Mode:
        return Mode(super().initial(prompt), prompt.Y, prompt.X.identity(1))

    def step(self, l: Index, iterate: Mode, prompt: Prompt) -> Mode:
        (alpha, R, rho), r = iterate, self.step_sizes[l]
        _, lam = self.eigenpair(prompt)
        shrunk = rho - (rho @ lam).scale(r)
        return Mode(alpha + R.scale(r), R - (R @ self.gram(prompt)).scale(r), shrunk)

    def predict(self, iterate: Mode, prompt: Prompt) -> Block:
        return super().predict(iterate.alpha, prompt)

    def state(self, l: Index, iterate: Mode, prompt: Prompt) -> State:
        return residual_state(prompt, iterate.R, self.predict(iterate, prompt))

    def relations(self, iterate: Mode, prompt: Prompt) -> tuple[Relation, ...]:
        v, _ = self.eigenpair(prompt)
        return (Relation("the residual along v", iterate.R @ v, prompt.Y @ v @ iterate.rho),)


class Bounded(NamedTuple):
    """The coefficients, the residual, rho^(2 l), and by how much |R|^2 is below rho^(2 l) |Y|^2."""

    alpha: Block
    R: Block
    q: Block
    slack: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class FunctionalDescentBound(FunctionalDescent):
    """k layers of functional descent with one step r, whose residual is at most rho^k |Y|, whatever the eigenvectors.

    That rho is at least |1 - r lam| for every eigenvalue lam of K says that rho^2 I - (I - r K)^2 is positive
    semidefinite: that it is C^T D C for a diagonal D with entries >= 0. Then rho^(2 k) |Y|^2 - |R|^2 is a sum of terms
    rho^(2 j) (C R_i^T)^T D (C R_i^T), which are nonnegative one by one: the ``slack``. The error towards the limit is
    -R K^-1 k, at most rho^k |Y| |K^-1 k| <= rho^k |Y| |k| / lambda_min(K).

    Args:
        step_sizes: the one step r; ``Repeated(r, k)``.
        kernel, score: as for ``FunctionalDescent``.
    """

    targets: ClassVar[int | str] = 1
    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"rho": (1, 1), "C": ("n", "n"), "D": ("n", "n")}

    def __post_init__(self) -> None:
        if not isinstance(self.step_sizes, Repeated):
            raise TypeError(f"step_sizes must be Repeated(r, k), one step for all layers, but {self.step_sizes!r} came")

    def factor(self, prompt: Prompt) -> Block:
        """I - r K."""
        assert isinstance(self.step_sizes, Repeated)
        return prompt.X.identity(prompt.n) - self.gram(prompt).scale(self.step_sizes.value)

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        C, D, rho = prompt.extra("C"), prompt.extra("D"), prompt.extra("rho")
        row = prompt.X.ones(1, prompt.n)
        squares = (row.T @ rho @ rho).diagonal() - self.factor(prompt) @ self.factor(prompt)
        return (Relation("rho^2 I - (I - r K)^2 = C^T D C", C.T @ D @ C, squares),)

    def initial(self, prompt: Prompt) -> Bounded:
        return Bounded(super().initial(prompt), prompt.Y, prompt.X.identity(1), Zero(1, 1))

    def step(self, l: Index, iterate: Bounded, prompt: Prompt) -> Bounded:
        alpha, R, q, slack = iterate
        C, D, rho, r = prompt.extra("C"), prompt.extra("D"), prompt.extra("rho"), self.step_sizes[l]
        return Bounded(
            alpha + R.scale(r),
            R - (R @ self.gram(prompt)).scale(r),
            rho @ q @ rho,
            rho @ slack @ rho + R @ C.T @ D @ C @ R.T,
        )

    def predict(self, iterate: Bounded, prompt: Prompt) -> Block:
        return super().predict(iterate.alpha, prompt)

    def state(self, l: Index, iterate: Bounded, prompt: Prompt) -> State:
        return residual_state(prompt, iterate.R, self.predict(iterate, prompt))

    def relations(self, iterate: Bounded, prompt: Prompt) -> tuple[Relation, ...]:
        whole = iterate.q @ prompt.Y @ prompt.Y.T
        return (Relation("slack = rho^(2 l) |Y|^2 - |R|^2", iterate.slack, whole - iterate.R @ iterate.R.T),)

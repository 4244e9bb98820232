"""The spectrum of Newton's iteration, and the scale at which it stalls: alpha = 2 / |X X^T X X^T|.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d), W_star (m, d)
with W_star S = Y X^T, a least-squares solution. On a query with S x_query = lam x_query, and from M_0 = alpha S,

    M_k x_query = mu_k x_query      mu_0 = alpha lam,          mu <- 2 mu - lam mu^2
    rho_k = 1 - lam mu_k            rho_0 = 1 - alpha lam^2,   rho <- rho^2

and the prediction is (1 - rho_k) W_star x_query. It converges to W_star x_query if and only if |rho_0| < 1. At
alpha lam^2 = 2, which is alpha = 2 / |S S^T| for the largest eigenvalue in the spectral norm, rho_0 = -1 and rho_k = 1
for every k >= 1: the prediction is 0 for ever. The Frobenius norm is as large for inputs of rank one.

Reference: Fu et al. (2024) print alpha = 2 / |S S^T|_2; the first commit of their code has the Frobenius norm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from constructions.block import Block, Zero
from constructions.newton_gram import NewtonFromGramMasked, symmetric
from constructions.parameters import scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, Iterate, Loop, Relation, Single, Stage, State


class SpectralIterate(NamedTuple):
    """A Newton iterate, with its eigenvalue and that of its residual I - S M at the query."""

    M: Block
    mu: Block
    rho: Block


def least_squares_solution(prompt: Prompt) -> Relation:
    """The normal equations of W_star; they have a solution for any data."""
    X = prompt.X
    return Relation("W_star is a least-squares solution", prompt.Y @ X.T, prompt.extra("W_star") @ X @ X.T)


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonSpectrum(NewtonFromGramMasked):
    """Newton's network from M_0 = alpha X X^T on a query that is an eigenvector of X X^T.

    Args:
        alpha, steps, looped, relu: as for ``NewtonFromGramMasked``.
    """

    family = None
    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d"), "lam": (1, 1)}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        X, x = prompt.X, prompt.x_query
        return (
            least_squares_solution(prompt),
            Relation("x_query is an eigenvector of X X^T", X @ X.T @ x, x @ prompt.extra("lam")),
        )

    def initial(self, prompt: Prompt) -> SpectralIterate:  # type: ignore[override]  # the iterate carries more
        lam = prompt.extra("lam")
        one = lam.identity(1)
        return SpectralIterate(super().initial(prompt), lam.scale(self.alpha), one - (lam @ lam).scale(self.alpha))

    def step(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> SpectralIterate:  # type: ignore[override]
        M, mu, rho = iterate
        return SpectralIterate(super().step(l, M, prompt), mu.scale(2) - mu @ prompt.extra("lam") @ mu, rho @ rho)

    def predict(self, iterate: SpectralIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        claimed = prompt.extra("W_star") @ prompt.x_query
        return claimed - claimed @ iterate.rho

    def matrix(self, iterate: SpectralIterate) -> Block:
        return iterate.M

    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State:
        return super().state(l, iterate.M, prompt)

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        (M, mu, rho), lam = iterate, prompt.extra("lam")
        return (
            *symmetric(M),
            Relation("M x_query = mu x_query", M @ prompt.x_query, prompt.x_query @ mu),
            Relation("rho = 1 - lam mu", rho, lam.identity(1) - lam @ mu),
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonAfterOneStep(NewtonFromGramMasked):
    """k + 3 layers that run 1 + k Newton steps; what is claimed of every iterate is claimed from the first step on.

    Args:
        alpha: the initial scale, not 0.
        steps: k, the number of Newton steps after the first.
        looped, relu: as for ``NewtonFromGramMasked``.
    """

    family = None

    alpha: Scalar = scalar("alpha", positive=True, nonzero=True)

    def start(self, prompt: Prompt) -> Block:
        """M_0 = alpha X X^T."""
        return super().initial(prompt)

    def initial(self, prompt: Prompt) -> Block:
        """M_1."""
        return self.step(0, self.start(prompt), prompt)

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        first, newton, last = super(NewtonAfterOneStep, replace(self, steps=self.steps + 1)).stages(prompt)
        assert isinstance(first, Single)
        assert isinstance(newton, Loop)
        return (
            replace(first, state=lambda _: newton.state(0, self.start(prompt))),
            Single(layer=newton.layer(0), state=lambda M: newton.state(1, M), name="first Newton layer"),
            replace(
                newton,
                layer=lambda l: newton.layer(l + 1),
                state=lambda l, M: newton.state(l + 1, M),
                times=self.steps,
            ),
            last,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class StalledNewton(NewtonAfterOneStep):
    """Newton's network at alpha = 2 / lam^2 on an eigenvector of X X^T of the eigenvalue lam: it predicts 0 for ever.

    Args:
        alpha, steps, looped, relu: as for ``NewtonAfterOneStep``.
    """

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        X, x = prompt.X, prompt.x_query
        squared = X @ X.T @ X @ X.T @ x
        return (Relation("(X X^T)^2 x_query = (2 / alpha) x_query", squared, x.scale(ratio(2, self.alpha))),)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return Zero(prompt.Y.rows, 1)

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        x = prompt.x_query
        return *symmetric(iterate), Relation("M x_query = 0", iterate @ x, Zero(*x.shape))


@dataclass(frozen=True, kw_only=True, repr=False)
class StalledNewtonAtRankOne(NewtonAfterOneStep):
    """Newton's network at alpha = 2 / |X X^T X X^T| on inputs of rank one, in either norm: it predicts 0 for ever.

    For X = v w^T, (X X^T)^2 X = |v|^4 |w|^4 X, and |v|^4 |w|^4 is the Frobenius norm of (X X^T)^2 and the spectral one.

    Args:
        alpha, steps, looped, relu: as for ``NewtonAfterOneStep``.
    """

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        X = prompt.X
        return (Relation("(X X^T)^2 X = (2 / alpha) X", X @ X.T @ X @ X.T @ X, X.scale(ratio(2, self.alpha))),)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return Zero(prompt.Y.rows, 1)

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        return (Relation("M = 0", iterate, Zero(*iterate.shape)),)

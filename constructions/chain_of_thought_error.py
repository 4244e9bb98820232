"""The error of chain of thought: a matrix power, on any prompt, and its factor along each eigenvector.

Symbols: n data tokens, d features, one target; X (d, n), Y (1, n), w (d, 1); S = X X^T / n; w_star (d, 1), any
least-squares solution: X Y^T = X X^T w_star. Y may be noisy; if Y = w_star^T X, it is the teacher.

    w_k - w_star = (I - eta S)^k (w_0 - w_star)

Along an eigenvector S v = lam v the error is multiplied by 1 - eta lam in every token. Hence, as tokens are generated,
w_k tends to w_star for all w_star exactly if 0 < eta lam < 2 for every eigenvalue lam of this prompt's S (so n >= d).
At eta lam = 0 an error along v stays, at eta lam = 2 it changes its sign for ever, above 2 it grows without bound. No
distribution is assumed.

Reference: Huang et al. (2025), arXiv 2502.21212, for the network (second-hand); the statements are this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block, Zero
from constructions.chain_of_thought import ChainOfThought, Generated
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, Relation
from constructions.stream import Stream


def least_squares(prompt: Prompt) -> Relation:
    """The normal equations of w_star, the extra of that name."""
    X, Y = prompt.X, prompt.Y
    return Relation("w_star solves the normal equations", X @ Y.T, X @ X.T @ prompt.extra("w_star"))


class PowerIterate(NamedTuple):
    """A matrix power, and the iterates of gradient descent that came before."""

    F: Block
    """(I - eta S)^l, (d, d)."""
    past: Block
    """w_0, ..., w_(l-1), (d, l)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ChainOfThoughtClosedForm(ChainOfThought):
    """Token k holds w_star + (I - eta S)^k (w_0 - w_star), w_star solving least squares.

    Args:
        eta, tokens, w_0: as for ``ChainOfThought``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"w_star": ("d", 1)}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return (least_squares(prompt),)

    def initial(self, prompt: Prompt) -> PowerIterate:
        return PowerIterate(prompt.X.identity(prompt.d), Zero(prompt.d, 0))

    def step(self, l: Index, iterate: PowerIterate, prompt: Prompt) -> PowerIterate:
        S = (prompt.X @ prompt.X.T).scale(ratio(1, prompt.n))
        factor = prompt.X.identity(prompt.d) - S.scale(self.eta)
        return PowerIterate(factor @ iterate.F, iterate.past.beside(self.predict(iterate, prompt)))

    def predict(self, iterate: PowerIterate, prompt: Prompt) -> Block:
        w_star: Block = prompt.extra("w_star")
        return w_star + iterate.F @ (self.w_0 - w_star)

    def state(self, l: Index, iterate: PowerIterate, prompt: Prompt) -> Stream:
        return super().state(l, Generated(self.predict(iterate, prompt), iterate.past), prompt)


class SpectralIterate(NamedTuple):
    """What has been generated, and the factor of its error along one eigenvector."""

    w: Block
    past: Block
    rho: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class ChainOfThoughtSpectrum(ChainOfThought):
    """The generated error v^T (w_l - w_star) is (1 - eta lam / n)^l v^T (w_0 - w_star), if X X^T v = lam v.

    Args:
        eta, tokens, w_0: as for ``ChainOfThought``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {
        "w_star": ("d", 1),
        "v": ("d", 1),
        "lam": (1, 1),
    }

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        v = prompt.extra("v")
        eigen = Relation("v is an eigenvector of X X^T", prompt.X @ prompt.X.T @ v, v @ prompt.extra("lam"))
        return least_squares(prompt), eigen

    def initial(self, prompt: Prompt) -> SpectralIterate:
        first = super().initial(prompt)
        return SpectralIterate(first.w, first.past, prompt.X.identity(1))

    def step(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> SpectralIterate:
        factor = prompt.X.identity(1) - prompt.extra("lam").scale(ratio(self.eta, prompt.n))
        following = super().step(l, Generated(iterate.w, iterate.past), prompt)
        return SpectralIterate(following.w, following.past, iterate.rho @ factor)

    def relations(self, iterate: SpectralIterate, prompt: Prompt) -> tuple[Relation, ...]:
        v, w_star = prompt.extra("v"), prompt.extra("w_star")
        error = iterate.rho @ v.T @ (self.w_0 - w_star)
        return (Relation("the error along v", v.T @ iterate.w, v.T @ w_star + error),)

"""The spectrum of GD++: one scalar recursion per eigenvalue of X X^T says what the network does to the error.

Symbols: n context tokens, d features, m targets; X (d, n), Y = W_star X (m, n), W (m, d); v (d, 1), X X^T v = lam v.

With l_0 = lam and rho_0 = chi_0 = 1,

    rho <- rho (1 - eta_l l / n)      chi <- chi (1 - gamma_l l)      l <- l (1 - gamma_l l)^2

the inputs' factor has F v = chi v, the current Hessian F X X^T F^T has the eigenvalue l, and the error has
(W - W_star) v = rho (W_0 - W_star) v.

Reference: von Oswald et al. (2023), section 3, for the heuristic; the recursion is this project's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from constructions.block import Block
from constructions.gdpp import GDPlusPlus, PreconditionedIterate
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.stages import Index, Relation, State


class SpectralIterate(NamedTuple):
    """The iterate of GD++ with its scalars along one eigenvector."""

    W: Block
    F: Block
    rho: Block
    chi: Block
    ell: Block

    @property
    def matrices(self) -> PreconditionedIterate:
        return PreconditionedIterate(self.W, self.F)


@dataclass(frozen=True, kw_only=True, repr=False)
class GDPlusPlusSpectrum(GDPlusPlus):
    """GD++ on noiseless targets Y = W_star X, followed along an eigenvector v of X X^T.

    Args:
        step_sizes, curvature_steps, W_0: as for ``GDPlusPlus``.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {
        "W_star": ("m", "d"),
        "v": ("d", 1),
        "lam": (1, 1),
    }

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        v, lam = prompt.extra("v"), prompt.extra("lam")
        return (
            Relation("noiseless targets", prompt.Y, prompt.extra("W_star") @ prompt.X),
            Relation("v is an eigenvector of X X^T", prompt.X @ prompt.X.T @ v, v @ lam),
        )

    def initial(self, prompt: Prompt) -> SpectralIterate:  # type: ignore[override]  # the iterate carries more
        one = prompt.X.identity(1)
        return SpectralIterate(*super().initial(prompt), one, one, prompt.extra("lam"))

    def step(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> SpectralIterate:  # type: ignore[override]
        one = prompt.X.identity(1)
        shrunk = one - iterate.ell.scale(self.curvature_steps[l])
        return SpectralIterate(
            *super().step(l, iterate.matrices, prompt),
            iterate.rho @ (one - iterate.ell.scale(ratio(self.step_sizes[l], prompt.n))),
            iterate.chi @ shrunk,
            iterate.ell @ shrunk @ shrunk,
        )

    def predict(self, iterate: SpectralIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return super().predict(iterate.matrices, prompt)

    def state(self, l: Index, iterate: SpectralIterate, prompt: Prompt) -> State:  # type: ignore[override]
        return super().state(l, iterate.matrices, prompt)

    def relations(self, iterate: SpectralIterate, prompt: Prompt) -> tuple[Relation, ...]:
        X, v, lam, W_star = prompt.X, prompt.extra("v"), prompt.extra("lam"), prompt.extra("W_star")
        F, chi = iterate.F, iterate.chi
        return (
            Relation("F is symmetric", F.T, F),
            Relation("F commutes with X X^T", F @ X @ X.T, X @ X.T @ F),
            Relation("F v = chi v", F @ v, v @ chi),
            Relation("ell is the eigenvalue of F X X^T F^T", iterate.ell, lam @ chi @ chi),
            Relation("the error along v", iterate.W @ v, W_star @ v - (W_star - self.W_0) @ v @ iterate.rho),
        )

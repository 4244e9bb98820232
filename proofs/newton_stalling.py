"""The theorems on the scale at which Newton's iteration stalls, and the printed claim that it converges there."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.newton_as_printed import ConvergesAtTwiceTheInverseFrobeniusNorm, ConvergesAtTwiceTheInverseNorm
from constructions.newton_spectrum import NewtonSpectrum, StalledNewton, StalledNewtonAtRankOne
from constructions.parameters import Parameter, map_parameters
from numerics.instances import Sizes, until
from numerics.mutations import Instance
from numerics.teachers import as_prompt, inputs_with_eigenvector, labels
from proofs.construction_theorem import ConstructionTheorem, with_drawn_parameters
from proofs.refuted import RefutedStatement
from proofs.theorem import Theorem

_OURS = "this project"
_STALLS = "the exact behaviour at the scale that Fu et al. (2024), arXiv 2310.17086, print"


def theorems() -> tuple[Theorem, ...]:
    """The recursion of the eigenvalues, the two cases in which it stands still, and the claim that it converges."""
    return (
        ConstructionTheorem(
            name="newton_follows_a_spectral_recursion",
            system=_OURS,
            reference="the recursion behind the rate that Fu et al. (2024) cite, for any eigenvalue and any scale",
            statement=(
                "From M_0 = alpha S, S = X X^T, and for S x_query = lam x_query, M_k x_query = mu_k x_query with "
                "mu <- 2 mu - lam mu^2 from alpha lam, and the prediction is (1 - rho_k) W* x_query with rho <- rho^2 "
                "from 1 - alpha lam^2, for any least-squares solution W*."
            ),
            prototype=NewtonSpectrum(alpha=1, steps=1),
            layers=(0, 1, 2, 3),
            draw=eigenvector_instance,
        ),
        ConstructionTheorem(
            name="newton_stalls_at_twice_the_inverse_spectral_norm",
            system=_OURS,
            reference=_STALLS,
            statement=(
                "With alpha = 2 / |S S^T| in the spectral norm, S = X X^T, and the query a top eigenvector of S, "
                "M_k x_query = 0 and the network predicts 0 after every k >= 1 steps; likewise for every eigenvalue "
                "lam of S at alpha = 2 / lam^2."
            ),
            prototype=StalledNewton(alpha=1, steps=1),
            layers=(0, 1, 2, 3),
            draw=stalled_instance,
        ),
        ConstructionTheorem(
            name="newton_vanishes_at_twice_the_inverse_frobenius_norm_at_rank_one",
            system=_OURS,
            reference=_STALLS + "; the released code has the Frobenius norm there, which is as large at rank one",
            statement=(
                "With alpha = 2 / |S S^T|_F, S = X X^T, and X of rank one (as with one example), M_k = 0 and the "
                "network predicts 0 for every query after every k >= 1 steps."
            ),
            prototype=StalledNewtonAtRankOne(alpha=1, steps=1),
            layers=(0, 1, 2, 3),
            draw=rank_one_instance,
        ),
        RefutedStatement(
            name="newton_from_twice_the_inverse_norm_converges_as_printed_is_false",
            system="Fu et al. 2024",
            reference="Fu et al. (2024): alpha = 2 / |S S^T|_2 in the text, 2 / |S S^T|_F in the first code",
            statement=(
                "As printed, Newton's iteration converges to least squares from alpha = 2 / |S S^T|. It is constant "
                "from the first step on where the query is a top eigenvector, or, in the Frobenius norm, X of rank "
                "one; the constant is 0, and not least squares. By the spectral recursion alpha must be smaller."
            ),
            printed=(
                ConvergesAtTwiceTheInverseNorm(alpha=1, steps=1),
                ConvergesAtTwiceTheInverseFrobeniusNorm(alpha=1, steps=1),
            ),
            corrected="newton_stalls_at_twice_the_inverse_spectral_norm",
        ),
    )


def eigenvector_instance(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
    """A query along an eigenvector, of the eigenvalue 0 too, and targets that no linear map fits if the rank is < n."""
    n, d, m = sizes
    X, v, lam = inputs_with_eigenvector(rng, n, d)
    W_star = rng.integers(-3, 4, (m, d))
    entries = X, labels(rng, X, W_star), v * int(rng.integers(1, 4))
    prompt = as_prompt(entries, {"W_star": W_star, "lam": lam}, dtype)
    return with_drawn_parameters(NewtonSpectrum(alpha=1, steps=1), sizes, rng, depth, dtype), prompt


def stalled_instance(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
    """A query along an eigenvector at alpha = 2 / lam^2, which floats hold exactly: lam is a power of two."""
    n, d, m = sizes
    X, v, lam = until(lambda: inputs_with_eigenvector(rng, n, d), lambda drawn: int(drawn.lam[0, 0]).bit_count() == 1)
    prompt = as_prompt((X, rng.integers(-3, 4, (m, n)), v * int(rng.integers(1, 4))), {}, dtype)
    construction = with_drawn_parameters(StalledNewton(alpha=1, steps=1), sizes, rng, depth, dtype)
    return map_parameters(construction, _scaled(int(lam[0, 0]))), prompt


def rank_one_instance(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
    """X = v w^T at alpha = 2 / |X X^T X X^T|_F, which floats hold exactly: |v|^2 and |w|^2 are powers of two."""
    n, d, m = sizes

    def column(size: int) -> Any:
        entries = np.zeros((size, 1), dtype=int)
        places = rng.permutation(size)[: 2 ** int(rng.integers(0, size.bit_length()))]
        entries[places, 0] = rng.choice([-1, 1], len(places)) * int(rng.integers(1, 3))
        return entries

    X = column(d) @ column(n).T
    prompt = as_prompt((X, rng.integers(-3, 4, (m, n)), rng.integers(-3, 4, (d, 1))), {}, dtype)
    construction = with_drawn_parameters(StalledNewtonAtRankOne(alpha=1, steps=1), sizes, rng, depth, dtype)
    return map_parameters(construction, _scaled(int((X**2).sum()))), prompt


def _scaled(lam: int) -> Callable[[Any, Parameter], Any]:
    """What puts alpha = 2 / lam^2 in the place of every alpha."""
    return lambda value, declared: Fraction(2, lam**2) if declared.symbol == "alpha" else value

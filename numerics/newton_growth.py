"""How rounding errors grow in Newton's networks, step by step: the printed heads against the stable ones.

Symbols: n = 40 tokens, d = 20 features; X (d, n), R = (X X^T)^-1; U (d, n) the slot u, A = X^T U - U^T X the
antisymmetric part of the scores (twice); r the rounding in one step; |.| the Frobenius norm.

    printed (query x, key u)    A <- 2 A             so |A| doubles, up to |X^T r - r^T X| <= 2 |X| |r|
    stable (query u, key x)     F = U - R X <- F (I - X^T R X) - F X^T F + r, so |F| grows to |F| + |X| |F|^2 + |r|

Both are identities about every U (``proofs.newton_stability``). The exact U_k = M_k X has A = 0, so that |U - U_k| is
at least |A| / (2 |X|).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from flint import arb

from constructions.block import Block
from constructions.newton_gram import NewtonFromGramMasked
from constructions.prompt import Prompt
from numerics.balls import BallBlock, precision
from numerics.error_growth import BITS, RoundedState, norm, rounded_states

STEPS = {"float32": 26, "float64": 40}
"""How many steps are run in each dtype: the printed form's error stays below 1."""

CONVERGED = 20
"""The step of the instance of seed 0 from which on the exact U_k is R X, to far below the rounding of either dtype."""

TOKENS, FEATURES = 40, 20


@dataclass(frozen=True)
class Growth:
    """The rounding errors of both forms in one float dtype.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        inputs: X.
        printed, stable: the states before Newton step k = 0, 1, ..., and after the last.
    """

    dtype: str
    inputs: Any
    printed: tuple[RoundedState, ...]
    stable: tuple[RoundedState, ...]

    @cached_property
    def antisymmetric(self) -> tuple[arb, ...]:
        """|A| of the printed run, by step."""
        with precision(BITS):
            return tuple(norm(antisymmetric_part(self._X, BallBlock.lift(state.value))) for state in self.printed)

    @cached_property
    def rounding(self) -> tuple[arb, ...]:
        """2 |X| |r| of the printed run, with the proved bound on r in place of r: from step k - 1 to k, 0 for k = 0."""
        with precision(BITS):
            return tuple(2 * norm(self._X) * norm(BallBlock.lift(state.radius)) for state in self.printed)

    def least_errors(self, start: int) -> list[arb]:
        """Lower bounds on |U - U_k| / |U_k| of the printed run for k >= start, from |A| at the start alone.

        (2^j |A| - the rounding since, doubled as often as it was) / (2 |X| |U_k|), j = k - start.
        """
        with precision(BITS):
            size, part, bounds = norm(self._X), self.antisymmetric[start], []
            for k in range(start, len(self.printed)):
                part = 2 * part - self.rounding[k] if k > start else part
                bounds.append(part / (2 * size * self.printed[k].size))
            return bounds

    def limit_errors(self, start: int) -> list[arb]:
        """|U - R X| / |R X| of the stable run for k >= start."""
        with precision(BITS):
            fixed = self._limit
            return [norm(BallBlock.lift(state.value) - fixed) / norm(fixed) for state in self.stable[start:]]

    def largest_errors(self, start: int) -> list[arb]:
        """Upper bounds on ``limit_errors(start)``, from the first of them."""
        with precision(BITS):
            limit, bounds = norm(self._limit), self.limit_errors(start)[:1]
            size = norm(self._X) * limit
            for state in self.stable[start + 1 :]:
                last = bounds[-1]
                bounds.append(last + size * last**2 + norm(BallBlock.lift(state.radius)) / limit)
            return bounds

    def table(self, every: int = 2) -> Iterator[str]:
        """The errors relative to |U_k|, and by how much they grew in the last step."""
        yield f"{self.dtype}:  k   printed   grew by   |A| grew by   stable"
        for k in range(every, len(self.printed), every):
            error, before = self.printed[k].error, self.printed[k - 1].error
            part = self.antisymmetric[k] / self.antisymmetric[k - 1]
            yield (
                f"{'':{len(self.dtype)}}  {k:2}   {written(error)}   {written(error / before, '.3f')}     "
                f"{written(part, '.5f')}       {written(self.stable[k].error)}"
            )

    @property
    def _X(self) -> BallBlock:
        return BallBlock.lift(self.inputs)

    @property
    def _limit(self) -> Block:
        """R X."""
        return (self._X @ self._X.T).inverse() @ self._X


def antisymmetric_part(X: Block, U: Block) -> Block:
    """X^T U - U^T X: the scores minus their transpose."""
    scores = X.T @ U
    return scores - scores.T


def written(ball: arb, style: str = ".1e") -> str:
    """The middle of a ball, in decimals."""
    return format(float(ball.mid()), style)


@lru_cache(maxsize=4)
def newton_growth(dtype: str, seed: int = 0) -> Growth:
    """The rounding errors of both forms, step by step.

    The network is ``NewtonFromGramMasked``, looped; X is standard normal, alpha = 1 / |S S^T| as a float64.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        seed: of X.

    Raises:
        ValueError: for another dtype.
    """
    if dtype not in STEPS:
        raise ValueError(f"dtype = {dtype!r}: it must be one of {', '.join(STEPS)}")
    X = np.random.default_rng(seed).standard_normal((FEATURES, TOKENS)).astype(dtype)
    S = X.astype(float) @ X.astype(float).T
    alpha = float(1 / np.linalg.norm(S @ S))
    prompt = Prompt(X, np.ones((1, TOKENS), dtype), np.ones((FEATURES, 1), dtype))

    def run(printed: bool) -> tuple[RoundedState, ...]:
        network = NewtonFromGramMasked(alpha=alpha, steps=STEPS[dtype], looped=True, printed=printed)
        return tuple(rounded_states(network, prompt, "u", "context"))

    return Growth(dtype, X, run(printed=True), run(printed=False))

"""Newton's iteration under causal attention, as remarked in the paper, to be refuted: it is not Newton's iteration.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S_t = x_1 x_1^T + ... + x_t x_t^T,
Sigma = S_n / n, M (d, d).

    claimed: M_0 = alpha Sigma,  M <- 2 M - M Sigma M       prediction (1/n) Y X^T M_k x_query

Each token attends to the examples up to itself, with the normaliser 1 / t for t of them. So key j carries T_j x_j with
the iterate T_j of its own prefix, S_j / j in place of Sigma, and the sum over the keys is no T_t Sigma T_t. With one
example there is one prefix, and the claim holds. Two things are open in the print, so that there are four readings: the
read-out is through u_j of the keys or through u of the query; the update has the query from x and the key from u as
printed, or, as in the stable form, the other way round.

Reference: Fu et al. (2024), remark B.6; correct is full attention, ``constructions.newton_gram``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.layer import Attention, Layer, TokenMap
from constructions.newton_gram import NewtonFromGramMasked
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, Single, Stage
from constructions.weights import Weight


def prefix_mean(n: int) -> Callable[[int, int], Fraction]:
    """The pattern of the mean over the examples up to a token: 1 / t for t of them, and n for the query behind them."""

    def mean_over_the_prefix(key_position: int, query_position: int) -> Fraction:
        is_key = key_position <= query_position
        return Fraction(1, min(query_position + 1, n)) if is_key else Fraction(0)

    return mean_over_the_prefix


@dataclass(frozen=True, kw_only=True, repr=False)
class CausalNewton(NewtonFromGramMasked):
    """k + 2 causal layers, claimed to run Newton on Sigma = S / n; read out through u_j of the keys.

    Args:
        alpha, steps: as for ``NewtonFromGramMasked``; one weight set for all Newton layers, each with a doubling.
    """

    looped: bool = True
    newton_slots: ClassVar[tuple[str, str]] = ("x", "u")
    """Where the query and the key of a Newton layer are from."""
    read_out_slots: ClassVar[tuple[str, str]] = ("x", "u")
    """Where the query and the key of the read-out are from."""

    # The algorithm that is claimed.

    def initial(self, prompt: Prompt) -> Block:
        return super().initial(prompt).scale(ratio(1, prompt.n))

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return M.scale(2) - (M @ prompt.X @ (prompt.X.T @ M)).scale(ratio(1, prompt.n))

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return super().predict(M, prompt).scale(ratio(1, prompt.n))

    # The weights.

    def averaged(self, prompt: Prompt, slots: tuple[str, str], out: str, slot: str, value: Scalar) -> Attention:
        """A linear head over the examples up to each token, with the normaliser 1 / t."""
        query, key = slots
        return Attention(
            Head(
                key=Weight({("key", key): 1}),
                query=Weight({("key", query): 1}),
                value=Weight({(out, slot): value}),
                mask=Mask(keys=("context",), pattern=prefix_mean(prompt.n)),
            )
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """u_t <- 2 (u_t - (1 / 2 t) sum_(j <= t) u_j <u_j, x_t>)."""
        halved = self.averaged(prompt, self.newton_slots, "u", "u", ratio(-1, 2))
        return Layer(halved, TokenMap(Weight({("u", "u"): 1})))

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        first, newton, last = super().stages(prompt)
        assert isinstance(first, Single)
        assert isinstance(last, Single)
        initialise = Layer(self.averaged(prompt, ("x", "x"), "u", "x", self.alpha))
        read_out = Layer(self.averaged(prompt, self.read_out_slots, "y", "y", 1))
        return Single(initialise, first.state, name=first.name), newton, Single(read_out, last.state, name=last.name)


@dataclass(frozen=True, kw_only=True, repr=False)
class CausalNewtonReadThroughQuery(CausalNewton):
    """k + 2 causal layers, claimed to run Newton on Sigma = S / n; read out through u of the query."""

    read_out_slots: ClassVar[tuple[str, str]] = ("u", "x")


@dataclass(frozen=True, kw_only=True, repr=False)
class StableCausalNewton(CausalNewton):
    """k + 2 causal layers, query from u and key from x, claimed to run Newton on Sigma; read out through the keys."""

    newton_slots: ClassVar[tuple[str, str]] = ("u", "x")


@dataclass(frozen=True, kw_only=True, repr=False)
class StableCausalNewtonReadThroughQuery(StableCausalNewton):
    """k + 2 causal layers, query from u and key from x, claimed to run Newton on Sigma; read out through the query."""

    read_out_slots: ClassVar[tuple[str, str]] = ("u", "x")

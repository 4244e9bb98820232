"""Newton's networks with the query among the keys: they run Newton's iteration on S + x_query x_query^T.

Symbols: n examples, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d).

    G = S + x_query x_query^T,  M_0 = alpha G,  M <- 2 M - M G M            prediction Y X^T M_k x_query

A column that holds its input where the keys are read counts in every sum without a mask, with a target or without one.
The prediction is no least squares: it tends to Y X^T G^-1 x_query, which is that of least squares with one more
example, x_query with the target 0.

Reference: this project; Fu et al. (2024), equation (35), have x_query in both blocks.
"""

from dataclasses import dataclass
from typing import ClassVar

from constructions.attention import EVERY_TOKEN, Mask
from constructions.block import Block
from constructions.newton import newton_step
from constructions.newton_gram import NewtonFromGramMasked, symmetric
from constructions.newton_paper import PaperNewton
from constructions.prompt import Prompt
from constructions.stages import Index, Relation


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperNewtonWithQuery(PaperNewton):
    """The k + 8 layers of the paper with x_query in U and X, as in its equation (35), and so among the keys.

    Args:
        alpha, steps: as for ``PaperNewton``.
    """

    family = None
    query_slot: ClassVar[str] = "X"

    def columns(self, prompt: Prompt) -> dict[str, Block]:
        return {"inputs": prompt.X, "query": prompt.x_query}


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramWithQuery(NewtonFromGramMasked):
    """The k + 2 layers of ``NewtonFromGramMasked`` without their mask.

    Args:
        alpha, steps, looped, relu: as for ``NewtonFromGramMasked``.
    """

    family = None

    @property
    def mask(self) -> Mask:
        return EVERY_TOKEN

    def initial(self, prompt: Prompt) -> Block:
        return (prompt.X @ prompt.X.T + prompt.x_query @ prompt.x_query.T).scale(self.alpha)

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return newton_step(M, prompt.X, prompt.x_query)

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        return symmetric(iterate)

"""Slips in the printed network of Fu et al. (2024), each as the construction that it literally states, to be refuted.

Each differs in one method from the construction that is right; the docstring says what is printed and what is correct.
"""

from dataclasses import dataclass, replace

from constructions.attention import Head
from constructions.block import Block
from constructions.newton import newton_step
from constructions.newton_paper import PaperNewton
from constructions.newton_with_query import PaperNewtonWithQuery
from constructions.prompt import Prompt
from constructions.stages import Index


@dataclass(frozen=True, kw_only=True, repr=False)
class EqualValues(PaperNewton):
    """The pairs of ReLU heads literally as printed: V_2 = +V_1, and the Newton layers' query from X and key from U."""

    printed: bool = True

    def pair(self, head: Head) -> tuple[Head, Head]:
        first, second = super().pair(head)
        return first, replace(second, value=first.value)


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperNewtonEqualValues(EqualValues):
    """The network with V_2 = +V_1 in its pairs of ReLU heads, |z| in place of z; correct is V_2 = -V_1.

    Reference: Fu et al. (2024), equations (21) and (28).
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperNewtonEqualValuesWithQuery(EqualValues, PaperNewtonWithQuery):
    """The network with V_2 = +V_1 and x_query among the keys, claimed to run Newton on S + x_query x_query^T.

    Reference: Fu et al. (2024), equations (21), (28) and (35).
    """


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperNewtonWithQueryClaimedOnGram(PaperNewtonWithQuery):
    """The network with x_query in U and X, claimed to run Newton on S; correct is S + x_query x_query^T.

    Reference: Fu et al. (2024), equation (35) and the proof of Theorem 5.1, whose sums leave the column out.
    """

    def initial(self, prompt: Prompt) -> Block:
        return (prompt.X @ prompt.X.T).scale(self.alpha)

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return newton_step(M, prompt.X)

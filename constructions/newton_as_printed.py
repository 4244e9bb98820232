"""Slips in the printed network of Fu et al. (2024), each as the construction that it literally states, to be refuted.

Each differs in one method from the construction that is right; the docstring says what is printed and what is correct.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from constructions.attention import Head
from constructions.block import Block
from constructions.newton import newton_step
from constructions.newton_expansion import odd_powers
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_paper import PaperNewton
from constructions.newton_spectrum import StalledNewton, StalledNewtonAtRankOne, least_squares_solution
from constructions.newton_with_query import PaperNewtonWithQuery
from constructions.prompt import Prompt
from constructions.stages import Index, Relation


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


@dataclass(frozen=True, kw_only=True, repr=False)
class ConvergesAtTwiceTheInverseNorm(StalledNewton):
    """1 + k Newton steps from alpha = 2 / |S S^T|, claimed to converge to least squares; alpha must be below that.

    What is claimed of every k is the limit: on these data the predictions after one step, two steps, ... are proved to
    be all the same, so that they converge to it and to nothing else. W_star is a least-squares solution.

    Reference: Fu et al. (2024), the scale of their iteration.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d")}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        return *super().hypotheses(prompt), least_squares_solution(prompt)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.extra("W_star") @ prompt.x_query


@dataclass(frozen=True, kw_only=True, repr=False)
class ConvergesAtTwiceTheInverseFrobeniusNorm(StalledNewtonAtRankOne):
    """1 + k Newton steps from alpha = 2 / |S S^T|_F, claimed to converge to least squares; false at rank one.

    The limit is claimed as in ``ConvergesAtTwiceTheInverseNorm``, for a query x_query = X c in the span of the inputs.

    Reference: Fu et al. (2024), released code, first commit.
    """

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {"W_star": ("m", "d"), "c": ("n", 1)}

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        in_the_span = Relation("x_query = X c", prompt.x_query, prompt.X @ prompt.extra("c"))
        return *super().hypotheses(prompt), least_squares_solution(prompt), in_the_span

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.extra("W_star") @ prompt.x_query


@dataclass(frozen=True, kw_only=True, repr=False)
class FirstIterateAsPrinted(NewtonFromGramMasked):
    """One Newton step, claimed to give M_1 = 2 alpha S - 4 alpha^2 S^3; correct is 2 alpha S - alpha^2 S^3.

    Reference: Fu et al. (2024), appendix B.3.
    """

    steps: int = 1
    coefficients: ClassVar[tuple[int, ...]] = (2, -4)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        printed = odd_powers(self.coefficients, prompt.X @ prompt.X.T, self.alpha)
        return super().predict(printed, prompt)


@dataclass(frozen=True, kw_only=True, repr=False)
class SecondIterateAsPrinted(FirstIterateAsPrinted):
    """Two Newton steps, claimed to have in M_2 the coefficients 4, -12, 16, -16; correct are 4, -6, 4, -1.

    Printed is M_2 = 4 alpha S - 12 alpha^2 S^3 + 16 alpha^3 S^5 - 16 alpha^4 S^7, one Newton step from the printed M_1.

    Reference: Fu et al. (2024), appendix B.3.
    """

    steps: int = 2
    coefficients: ClassVar[tuple[int, ...]] = (4, -12, 16, -16)

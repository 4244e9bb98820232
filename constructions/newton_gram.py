"""Newton's iteration from M_0 = alpha X X^T, as in the paper, in k + 2 layers: masked, unmasked, and with own rows.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d).

    M_0 = alpha S,  M <- 2 M - M S M            prediction Y X^T M_k x_query

converges to (minimum-norm) least squares if 0 < alpha < 2 / lambda_max(S)^2. The first layer makes u_i = alpha S x_i.

Reference: this project; Fu et al. (2024), Theorem 5.1, use k + 8 layers.
"""

from dataclasses import dataclass
from typing import NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block
from constructions.layer import Attention, Layer
from constructions.newton import NewtonIteration
from constructions.prompt import Prompt
from constructions.relu_pairs import with_relu_pairs
from constructions.scalars import ratio
from constructions.stages import Index, Iterate, Loop, Relation, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramMasked(NewtonIteration):
    """k + 2 layers that run k Newton steps from M_0 = alpha X X^T, with the query masked as a key.

    Args:
        alpha: the initial scale; converges if 0 < alpha < 2 / lambda_max(X X^T)^2.
        steps, looped, relu: as for ``NewtonIteration``.
        printed: the update as in the paper, query from x and key from u; exact, but rounding errors double.
    """

    printed: bool = False

    @property
    def reads(self) -> tuple[str, str]:
        return ("x", "u") if self.printed else super().reads

    @property
    def mask(self) -> Mask:
        return Mask(keys=("context",))

    def initial(self, prompt: Prompt) -> Block:
        return (prompt.X @ prompt.X.T).scale(self.alpha)

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0, y_i), and the query (x_query, 0, 0)."""
        return Stream(
            slots={"x": prompt.d, "u": prompt.d, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("y", "context"): prompt.Y,
                ("x", "query"): prompt.x_query,
            },
        )

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before Newton layer l the u slots hold M x, rescaled."""
        return {
            ("x", "context"): prompt.X,
            ("u", "context"): (M @ prompt.X).scale(self.scale(l)),
            ("y", "context"): prompt.Y,
            ("x", "query"): prompt.x_query,
            ("u", "query"): (M @ prompt.x_query).scale(self.scale(l)),
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """u <- alpha S x; the Newton layers; the read-out y <- y + sum_i y_i <u_i, x>."""

        def read(iterate: Iterate) -> State:
            weights = prompt.Y @ (prompt.X.T @ self.matrix(iterate).T)
            return {
                **self.state(self.steps, iterate, prompt),
                ("y", "context"): prompt.Y + weights @ prompt.X,
                ("y", "query"): weights @ prompt.x_query,
            }

        first = self.head("x", "x", "u", "x", self.alpha)
        last = self.head("x", "u", "y", "y", ratio(1, self.scale(self.steps)))
        return (
            Single(layer=first, state=lambda M: self.state(0, M, prompt), name="first layer"),
            *super().stages(prompt),
            Single(layer=last, state=read, name="read-out layer"),
        )

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        return symmetric_and_commuting(iterate, prompt)


def symmetric(M: Block) -> tuple[Relation, ...]:
    """What every Newton iterate from a symmetric start is."""
    return (Relation("M is symmetric", M.T, M),)


def symmetric_and_commuting(M: Block, prompt: Prompt) -> tuple[Relation, ...]:
    """What every Newton iterate from alpha X X^T is: symmetric, and commuting with X X^T."""
    X = prompt.X
    return (*symmetric(M), Relation("M commutes with X X^T", M @ X @ X.T, X @ X.T @ M))


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramOwnRows(NewtonFromGramMasked):
    """k + 2 layers without a mask that run k Newton steps from M_0 = alpha X X^T, the query in rows of its own.

    Args:
        alpha, steps, looped, relu, printed: as for ``NewtonFromGramMasked``.
    """

    @property
    def mask(self) -> Mask:
        return Mask()

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0, y_i, 0), and the query (0, 0, 0, x_query), inert until the read-out."""
        return Stream(
            slots={"x": prompt.d, "u": prompt.d, "y": prompt.m, "q": prompt.d},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("y", "context"): prompt.Y,
                ("q", "query"): prompt.x_query,
            },
        )

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        return {
            ("x", "context"): prompt.X,
            ("u", "context"): (M @ prompt.X).scale(self.scale(l)),
            ("y", "context"): prompt.Y,
            ("q", "query"): prompt.x_query,
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        def read(iterate: Iterate) -> State:
            weights = prompt.Y @ (prompt.X.T @ self.matrix(iterate).T)
            return {**self.state(self.steps, iterate, prompt), ("y", "query"): weights @ prompt.x_query}

        first, newton, _ = super().stages(prompt)
        last = self.head("q", "u", "y", "y", ratio(1, self.scale(self.steps)))
        return first, newton, Single(layer=last, state=read, name="read-out layer")


class ProductIterate(NamedTuple):
    """A Newton iterate, and the product of the factors 2 I - M_i S that led to it."""

    M: Block
    product: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromGramUnmasked(NewtonIteration):
    """k + 2 layers of width 2 d + 2 m, without a mask, that run k Newton steps from M_0 = alpha X X^T.

    The query's u slot holds prod_i (2 I - M_i S) x_query, and p_i = alpha (Y X^T X)_i takes the place of y_i.

    Args:
        alpha: the initial scale; converges if 0 < alpha < 2 / lambda_max(X X^T)^2.
        steps, looped, relu: as for ``NewtonIteration``.
    """

    def initial(self, prompt: Prompt) -> ProductIterate:
        return ProductIterate((prompt.X @ prompt.X.T).scale(self.alpha), prompt.X.identity(prompt.d))

    def step(self, l: Index, iterate: ProductIterate, prompt: Prompt) -> ProductIterate:  # type: ignore[override]
        M, product = iterate
        moved = product.scale(2) - M @ prompt.X @ (prompt.X.T @ product)
        return ProductIterate(super().step(l, M, prompt), moved)

    def predict(self, iterate: ProductIterate, prompt: Prompt) -> Block:  # type: ignore[override]
        return super().predict(iterate.M, prompt)

    def converges_within_two(self, prompt: Prompt) -> Block:
        return self.initial(prompt).M @ prompt.X @ prompt.X.T

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0, y_i, 0), and the query (0, x_query, 0, 0)."""
        return Stream(
            slots={"x": prompt.d, "u": prompt.d, "y": prompt.m, "p": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("y", "context"): prompt.Y,
                ("u", "query"): prompt.x_query,
            },
        )

    def state(self, l: Index, iterate: ProductIterate, prompt: Prompt) -> State:
        M, product = iterate
        return {
            ("x", "context"): prompt.X,
            ("u", "context"): (M @ prompt.X).scale(self.scale(l)),
            ("y", "context"): prompt.Y,
            ("p", "context"): (prompt.Y @ prompt.X.T @ prompt.X).scale(self.alpha),
            ("u", "query"): (product @ prompt.x_query).scale(self.scale(l)),
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        def read(iterate: ProductIterate) -> State:
            M, product = iterate
            gathered = (prompt.Y @ prompt.X.T @ prompt.X @ prompt.X.T).scale(self.alpha)
            made = (prompt.Y @ prompt.X.T @ prompt.X).scale(self.alpha)
            return {
                **self.state(self.steps, iterate, prompt),
                ("p", "context"): made + gathered @ M @ prompt.X,
                ("p", "query"): gathered @ product @ prompt.x_query,
            }

        reads_x = Weight({("key", "x"): 1})
        both = Weight({("u", "x"): self.alpha, ("p", "y"): self.alpha})
        first = Layer(Attention(Head(key=reads_x, query=reads_x, value=both)))
        (newton,) = super().stages(prompt)
        assert isinstance(newton, Loop)
        return (
            Single(
                layer=with_relu_pairs(first) if self.relu else first,
                state=lambda iterate: self.state(0, iterate, prompt),
                name="first layer",
            ),
            newton,
            Single(
                layer=self.head("u", "x", "p", "p", ratio(1, self.scale(self.steps))), state=read, name="read-out layer"
            ),
        )

    def relations(self, iterate: ProductIterate, prompt: Prompt) -> tuple[Relation, ...]:
        """M = alpha S prod_i (2 I - M_i S), from which the read-out follows."""
        product, S = iterate.product, prompt.X @ prompt.X.T
        return (
            Relation("the product is symmetric", product.T, product),
            Relation("the product commutes with X X^T", product @ S, S @ product),
            Relation("M is alpha X X^T times the product", iterate.M, (S @ product).scale(self.alpha)),
        )

    def read_out(self, stream: Stream) -> Block:
        return stream["p", "query"]

"""Newton's iteration for the inverse of X X^T, from M_0 = alpha I in k + 1 layers, without a mask.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d).

    M <- 2 M - M S M            prediction Y X^T M_k x_query

converges to least squares from M_0 = alpha I if 0 < alpha < 2 / lambda_max(S). Tokens are [x | u | y] with u = M x; the
query's x slot is empty, so that its key is zero and no mask is needed. The update reads its query from u and its key
from x; the other way round, as printed in the paper, is equal in exact arithmetic for a symmetric M, but doubles
rounding errors (``proofs.newton_stability``).

Reference: this project; Fu et al. (2024), Theorem 5.1, prove k + 8 layers from M_0 = alpha S.
"""

from dataclasses import dataclass
from typing import ClassVar

from constructions.attention import EVERY_TOKEN, Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Attention, Layer, TokenMap
from constructions.parameters import layer_count, scalar
from constructions.prompt import Prompt
from constructions.relu_pairs import with_relu_pairs
from constructions.scalars import Scalar, power_of_two, ratio
from constructions.stages import Index, Iterate, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


def newton_step(M: Block, *columns: Block) -> Block:
    """2 M - M G M, for the Gram matrix G = sum of C C^T over the given blocks of columns."""
    following = M.scale(2)
    for C in columns:
        following = following - M @ C @ (C.T @ M)
    return following


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonIteration(Construction):
    """The algorithm that the Newton networks share, and the layer that does its step.

    Args:
        alpha: the initial scale.
        steps: k, the number of Newton steps.
        looped: one weight set for all Newton layers, each with a token-wise doubling; otherwise attention alone, the u
            slot rescaled by 2^-l.
        relu: two ReLU heads in place of each linear one.
    """

    iterate_symbol = "M"
    family: ClassVar[str | None] = "newton"

    alpha: Scalar = scalar("alpha", positive=True)
    steps: int = layer_count()
    looped: bool = False
    relu: bool = False

    @property
    def depth(self) -> Size:
        return self.steps

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return newton_step(M, prompt.X)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.Y @ (prompt.X.T @ (M @ prompt.x_query))

    def matrix(self, iterate: Iterate) -> Block:
        """M, (d, d): the iterate itself, unless it carries more."""
        return iterate

    def converges_within_two(self, prompt: Prompt) -> Block:
        """M_0 S: the residual I - M S of the span of the context is squared by every step."""
        return self.matrix(self.initial(prompt)) @ prompt.X @ prompt.X.T

    @property
    def mask(self) -> Mask:
        """Which tokens are keys."""
        return EVERY_TOKEN

    @property
    def reads(self) -> tuple[str, str]:
        """The slots that the query and the key of a Newton layer read: the stable form of the update."""
        return "u", "x"

    def head(self, query: str, key: str, out: str, slot: str, value: Scalar) -> Layer:
        """A layer of one head: query and key read one slot each, the value is a multiple of the identity."""
        head = Head(
            key=Weight({("key", key): 1}),
            query=Weight({("key", query): 1}),
            value=Weight({(out, slot): value}),
            mask=self.mask,
        )
        layer = Layer(Attention(head))
        return with_relu_pairs(layer) if self.relu else layer

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """u <- u - 2^(l-1) sum_i u_i <x_i, u>, or with half of that and a doubling if looped."""
        query, key = self.reads
        if not self.looped:
            return self.head(query, key, "u", "u", -power_of_two(l - 1))
        halved = self.head(query, key, "u", "u", ratio(-1, 2))
        return Layer(*halved.sublayers, TokenMap(Weight({("u", "u"): 1})))

    def scale(self, l: Index) -> Scalar:
        """What the u slot before Newton layer l is multiplied by."""
        return 1 if self.looped else power_of_two(-l)

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromIdentity(NewtonIteration):
    """k linear attention layers that run k Newton steps from M_0 = alpha I, and one that reads the prediction out.

    Args:
        alpha: the initial scale; converges if 0 < alpha < 2 / lambda_max(X X^T), for instance 1 / tr(X X^T).
        steps, looped, relu: as for ``NewtonIteration``.
    """

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X.identity(prompt.d).scale(self.alpha)

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, alpha x_i, y_i), and the query (0, alpha x_query, 0)."""
        return Stream(
            slots={"x": prompt.d, "u": prompt.d, "y": prompt.m},
            groups={"context": prompt.n, "query": 1},
            blocks={
                ("x", "context"): prompt.X,
                ("u", "context"): prompt.X.scale(self.alpha),
                ("y", "context"): prompt.Y,
                ("u", "query"): prompt.x_query.scale(self.alpha),
            },
        )

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before layer l the u slots hold M x, rescaled."""
        return {
            ("x", "context"): prompt.X,
            ("u", "context"): (M @ prompt.X).scale(self.scale(l)),
            ("y", "context"): prompt.Y,
            ("u", "query"): (M @ prompt.x_query).scale(self.scale(l)),
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """The Newton layers, and the read-out y <- y + sum_i y_i <x_i, u> (times 2^k if u is rescaled)."""

        def read(iterate: Iterate) -> State:
            weights = prompt.Y @ (prompt.X.T @ self.matrix(iterate))
            return {
                **self.state(self.steps, iterate, prompt),
                ("y", "context"): prompt.Y + weights @ prompt.X,
                ("y", "query"): weights @ prompt.x_query,
            }

        last = self.head("u", "x", "y", "y", ratio(1, self.scale(self.steps)))
        return *super().stages(prompt), Single(layer=last, state=read, name="read-out layer")

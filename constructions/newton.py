"""Newton's iteration for the inverse of X X^T, in k + 1 layers, with no mask and no MLP.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d).

    M_0 = alpha I,  M <- 2 M - M S M            prediction Y X^T M_k x_query

converges to least squares for 0 < alpha < 2 / lambda_max(S). Tokens are [x | u | y], u = M x rescaled by 2^-l: the
query's x slot is empty, so its key is zero and no mask is needed.

Reference: this project; Fu et al. (2024), Theorem 5.1, prove k + 8 layers from M_0 = alpha S.
"""

from dataclasses import dataclass

from constructions.attention import Head
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Attention, Layer
from constructions.parameters import layer_count, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, power_of_two
from constructions.stages import Index, Loop, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonFromIdentity(Construction):
    """k linear attention layers that run k Newton steps from M_0 = alpha I, and one that reads the prediction out.

    Args:
        alpha: the initial scale; converges if 0 < alpha < 2 / lambda_max(X X^T), for instance 1 / tr(X X^T).
        steps: k, the number of Newton steps.
    """

    iterate_symbol = "M"

    alpha: Scalar = scalar("alpha", positive=True)
    steps: int = layer_count()

    @property
    def depth(self) -> Size:
        return self.steps

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X.identity(prompt.d).scale(self.alpha)

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return M.scale(2) - M @ prompt.X @ (prompt.X.T @ M)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.Y @ (prompt.X.T @ (M @ prompt.x_query))

    # The weights.

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

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """W_Q reads u, W_K reads x, W_V is -2^(l-1) on u: u <- u - 2^(l-1) sum_i u_i <x_i, u>."""
        halved = -power_of_two(l - 1)
        return Layer(
            Attention(
                Head(key=Weight({("u", "x"): 1}), query=Weight({("u", "u"): 1}), value=Weight({("u", "u"): halved}))
            )
        )

    def read_out_layer(self, prompt: Prompt) -> Layer:
        """W_Q reads u, W_K reads x, W_V is 2^k on y: y <- y + 2^k sum_i y_i <x_i, u>."""
        doubled = power_of_two(self.steps)
        return Layer(
            Attention(
                Head(key=Weight({("u", "x"): 1}), query=Weight({("u", "u"): 1}), value=Weight({("y", "y"): doubled}))
            )
        )

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before layer l the u slots hold M x / 2^l."""
        halved = power_of_two(-l)
        return {
            ("x", "context"): prompt.X,
            ("u", "context"): (M @ prompt.X).scale(halved),
            ("y", "context"): prompt.Y,
            ("u", "query"): (M @ prompt.x_query).scale(halved),
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        def read(M: Block) -> State:
            weights = prompt.Y @ (prompt.X.T @ M)
            return {
                **self.state(self.steps, M, prompt),
                ("y", "context"): prompt.Y + weights @ prompt.X,
                ("y", "query"): weights @ prompt.x_query,
            }

        (newton,) = super().stages(prompt)
        assert isinstance(newton, Loop)
        return newton, Single(layer=self.read_out_layer(prompt), state=read, name="read-out layer")

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "query"]

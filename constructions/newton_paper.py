"""The (k + 8)-layer network of the paper: Newton's iteration on an interleaved prompt, with ReLU attention and MLPs.

Symbols: n examples, d features, one target; X (d, n), Y (1, n), x_query (d, 1), S = X X^T, M (d, d). The prompt is
x_1, y_1, ..., x_n, y_n, x_query: 2 n + 1 tokens, their positions as in ``constructions.positions``.

    M_0 = alpha S,  M <- 2 M - M S M            prediction Y X^T M_k x_query

Layers, as in the paper's list: move, initialise, affine; k Newton layers; move, multiply, sum, move, multiply. Every
one is exact: a move reads the token before, a product is a difference of squares, a linear map a pair of ReLUs.

Reference: Fu et al. (2024), Theorem 5.1 and appendix B, corrected: V_2 = -V_1 in every pair of heads, and x_query in
rows of its own, so that it is no key. The printed products, moves and affine maps are approximations; these are exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from constructions.attention import Head
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import MLP, Attention, Layer, Sublayer
from constructions.newton_gram import symmetric_and_commuting
from constructions.parameters import layer_count, scalar
from constructions.positions import ORDER, positions, previous_token, previous_token_scores
from constructions.prompt import Prompt
from constructions.relu_pairs import relu_pair
from constructions.scalars import Scalar, ratio
from constructions.stages import ANYTHING, Index, Loop, Relation, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


def linear_map(blocks: dict[tuple[str, str], Scalar]) -> MLP:
    """The MLP h <- h + A h by pairs of ReLUs, for a map A of multiples of the identity."""
    slots = dict.fromkeys(slot for _, slot in blocks)
    inner = {(f"{slot}{sign}", slot): value for slot in slots for sign, value in (("+", 1), ("-", -1))}
    outer = {
        (out, f"{slot}{sign}"): value * factor
        for (out, slot), value in blocks.items()
        for sign, factor in (("+", 1), ("-", -1))
    }
    return MLP(Weight(inner), Weight(outer))


@dataclass(frozen=True, kw_only=True, repr=False)
class PaperNewton(Construction):
    """k + 8 layers of ReLU attention and MLPs on the interleaved prompt that run k Newton steps from alpha X X^T.

    Args:
        alpha: the initial scale; converges if 0 < alpha < 2 / lambda_max(X X^T)^2.
        steps: k, the number of Newton steps.
        printed: the update as in the paper, query from X and key from U; exact, but rounding errors double.
    """

    iterate_symbol = "M"
    family = "newton"
    targets: ClassVar[int | str] = 1

    alpha: Scalar = scalar("alpha", positive=True)
    steps: int = layer_count()
    printed: bool = False

    @property
    def depth(self) -> Size:
        return self.steps

    # The algorithm.

    def initial(self, prompt: Prompt) -> Block:
        return (prompt.X @ prompt.X.T).scale(self.alpha)

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return M.scale(2) - M @ prompt.X @ (prompt.X.T @ M)

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.Y @ (prompt.X.T @ (M @ prompt.x_query))

    def converges_within_two(self, prompt: Prompt) -> Block:
        """M_0 S, as for ``NewtonIteration``."""
        return self.initial(prompt) @ prompt.X @ prompt.X.T

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        return symmetric_and_commuting(iterate, prompt)

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """x_i in U, y_i in y, x_query in rows XT of its own, and the position codes."""
        d = prompt.d
        return Stream(
            slots={"U": d, "X": d, "y": 1, "Z": d, "W": d, "XT": d, "result": 1, "one": 1, "p": 1, "pp": 1},
            groups={"inputs": prompt.n, "targets": prompt.n, "query": 1},
            blocks={
                **positions(prompt.X, prompt.n),
                ("U", "inputs"): prompt.X,
                ("y", "targets"): prompt.Y,
                ("XT", "query"): prompt.x_query,
            },
            order=ORDER,
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        return previous_token_scores(prompt.X, prompt.n)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """A Newton layer: u <- u - (1/2) sum_j u_j <x_j, u> by two ReLU heads, then u <- 2 u by the MLP.

        As printed the sum is that of u_j <u_j, x>.
        """
        return Layer(Attention(*self.newton_heads(prompt)), linear_map({("U", "U"): 1}))

    def newton_heads(self, prompt: Prompt) -> tuple[Head, ...]:
        """(G, J, J) and (-G, J, -J) with normaliser n; query from U and key from X unless ``printed``."""
        query, key = ("X", "U") if self.printed else ("U", "X")
        head = Head(
            key=Weight({("key", key): 1}),
            query=Weight({("key", query): ratio(-prompt.n, 2)}),
            value=Weight({("U", "U"): 1}),
            factor=ratio(1, prompt.n),
        )
        return relu_pair(head)

    def prologue(self, prompt: Prompt) -> tuple[Layer, ...]:
        """Move U to X; U <- U + alpha S U; U <- U - X."""
        initialise = Head(
            key=Weight({("key", "U"): 1}),
            query=Weight({("key", "U"): 1}),
            value=Weight({("U", "U"): self.alpha * prompt.n}),
            factor=ratio(1, prompt.n),
        )
        return (
            Layer(linear_map({("X", "U"): 1})),
            Layer(Attention(*relu_pair(initialise))),
            Layer(linear_map({("U", "X"): -1})),
        )

    def epilogue(self, prompt: Prompt) -> tuple[Layer, ...]:
        """Move U to the targets; Z = y U there; W = sum of Z; move it to the query; result = <W, x_query>."""
        return (
            Layer(Attention(previous_token({("U", "U"): 1}))),
            Layer(self.scaled_by_target(prompt)),
            Layer(
                Attention(
                    Head(
                        key=Weight({("key", "one"): 1}),
                        query=Weight({("key", "one"): 1}),
                        value=Weight({("W", "Z"): prompt.n}),
                        score="relu",
                        factor=ratio(1, prompt.n),
                    )
                )
            ),
            Layer(Attention(previous_token({("Z", "W"): 1}))),
            Layer(self.inner_product(prompt)),
        )

    def scaled_by_target(self, prompt: Prompt) -> Sublayer:
        """Z <- Z + y U: (U_i + y)^2 / 4 - (U_i - y)^2 / 4 in every row i."""
        spread = prompt.X.ones(prompt.d, 1)
        inner = Weight({("sum", "U"): 1, ("sum", "y"): spread, ("gap", "U"): 1, ("gap", "y"): -spread})
        return MLP(inner, Weight({("Z", "sum"): ratio(1, 4), ("Z", "gap"): ratio(-1, 4)}), activation="square")

    def inner_product(self, prompt: Prompt) -> Sublayer:
        """result <- result + <Z, XT>: the sum over rows of (Z_i + XT_i)^2 / 4 - (Z_i - XT_i)^2 / 4."""
        quarter = prompt.X.ones(1, prompt.d).scale(ratio(1, 4))
        inner = Weight({("sum", "Z"): 1, ("sum", "XT"): 1, ("gap", "Z"): 1, ("gap", "XT"): -1})
        return MLP(inner, Weight({("result", "sum"): quarter, ("result", "gap"): -quarter}), activation="square")

    # The invariant.

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before Newton layer l the inputs hold M x in U and x in X; the targets hold y, the query x_query in XT."""
        return {**self.held(prompt), ("U", "inputs"): M @ prompt.X, ("X", "inputs"): prompt.X}

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What no layer before the epilogue changes."""
        return {
            **positions(prompt.X, prompt.n),
            ("y", "targets"): prompt.Y,
            ("XT", "query"): prompt.x_query,
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        X, Y = prompt.X, prompt.Y
        move, initialise, affine = self.prologue(prompt)
        to_targets, multiply, add, to_query, product = self.epilogue(prompt)

        def before(U: Callable[[Block], Block]) -> Callable[[Block], State]:
            return lambda M: {**self.held(prompt), ("U", "inputs"): U(M), ("X", "inputs"): X}

        def moved(M: Block) -> dict[tuple[str, str], Block]:
            return {**self.state(0, M, prompt), ("U", "targets"): M @ X}

        def multiplied(M: Block) -> dict[tuple[str, str], Block]:
            return {**moved(M), ("Z", "targets"): M @ X @ Y.diagonal()}

        def summed(M: Block) -> dict[tuple[str, str], Block]:
            w = M @ X @ Y.T
            columns = {
                ("W", group): w @ X.ones(1, size) for group, size in (("inputs", prompt.n), ("targets", prompt.n))
            }
            return {**multiplied(M), **columns, ("W", "query"): w}

        def delivered(M: Block) -> State:
            scattered = {("Z", "inputs"): ANYTHING, ("Z", "targets"): ANYTHING}
            return {**summed(M), **scattered, ("Z", "query"): M @ X @ Y.T}

        def answered(M: Block) -> State:
            return {**delivered(M), ("result", "query"): Y @ X.T @ M.T @ prompt.x_query}

        (newton,) = super().stages(prompt)
        assert isinstance(newton, Loop)
        return (
            Single(move, before(lambda M: X), name="move"),
            Single(initialise, before(lambda M: X + (X @ (X.T @ X)).scale(self.alpha)), name="initialise"),
            Single(affine, before(lambda M: M @ X), name="affine"),
            newton,
            Single(to_targets, moved, name="move"),
            Single(multiply, multiplied, name="multiply"),
            Single(add, summed, name="sum"),
            Single(to_query, delivered, name="move"),
            Single(product, answered, name="multiply"),
        )

    def read_out(self, stream: Stream) -> Block:
        return stream["result", "query"]

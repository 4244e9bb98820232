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
from constructions.newton import newton_step
from constructions.newton_gram import symmetric
from constructions.parameters import layer_count, scalar
from constructions.positions import GROUPS, ORDER, positions, previous_token, previous_token_scores
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
    family: ClassVar[str | None] = "newton"
    targets: ClassVar[int | str] = 1
    query_slot: ClassVar[str] = "XT"
    """Where the last layer reads x_query."""

    alpha: Scalar = scalar("alpha", positive=True)
    steps: int = layer_count()
    printed: bool = False

    @property
    def depth(self) -> Size:
        return self.steps

    # The algorithm.

    def columns(self, prompt: Prompt) -> dict[str, Block]:
        """The inputs in the slots U and X, by group: the keys of the Newton layers."""
        return {"inputs": prompt.X}

    def initial(self, prompt: Prompt) -> Block:
        first, *others = (C @ C.T for C in self.columns(prompt).values())
        return sum(others, first).scale(self.alpha)

    def step(self, l: Index, M: Block, prompt: Prompt) -> Block:
        return newton_step(M, *self.columns(prompt).values())

    def predict(self, M: Block, prompt: Prompt) -> Block:
        return prompt.Y @ (prompt.X.T @ (M @ prompt.x_query))

    def converges_within_two(self, prompt: Prompt) -> Block:
        """M_0 S, as for ``NewtonIteration``."""
        return self.initial(prompt) @ prompt.X @ prompt.X.T

    def relations(self, iterate: Block, prompt: Prompt) -> tuple[Relation, ...]:
        return symmetric(iterate)

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """x_i in U, y_i in y, x_query in rows XT of its own, and the position codes."""
        d = prompt.d
        return Stream(
            slots={"U": d, "X": d, "y": 1, "Z": d, "W": d, self.query_slot: d, "result": 1, "one": 1, "p": 1, "pp": 1},
            groups={"inputs": prompt.n, "targets": prompt.n, "query": 1},
            blocks={**self.held(prompt), **{("U", group): C for group, C in self.columns(prompt).items()}},
            order=ORDER,
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        return previous_token_scores(prompt.X, prompt.n)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """A Newton layer: u <- u - (1/2) sum_j u_j <x_j, u> by two ReLU heads, then u <- 2 u by the MLP.

        As printed the sum is that of u_j <u_j, x>.
        """
        return Layer(Attention(*self.pair(self.newton_head(prompt))), linear_map({("U", "U"): 1}))

    def newton_head(self, prompt: Prompt) -> Head:
        """(G, J, J) with normaliser n; query from U and key from X unless ``printed``."""
        query, key = ("X", "U") if self.printed else ("U", "X")
        return Head(
            key=Weight({("key", key): 1}),
            query=Weight({("key", query): ratio(-prompt.n, 2)}),
            value=Weight({("U", "U"): 1}),
            factor=ratio(1, prompt.n),
        )

    def pair(self, head: Head) -> tuple[Head, Head]:
        """The two ReLU heads in place of a linear one: (Q, K, V) and (-Q, K, -V)."""
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
            Layer(Attention(*self.pair(initialise))),
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
        """result <- result + <Z, x>, x = XT: the sum over rows of (Z_i + x_i)^2 / 4 - (Z_i - x_i)^2 / 4."""
        quarter, x = prompt.X.ones(1, prompt.d).scale(ratio(1, 4)), self.query_slot
        inner = Weight({("sum", "Z"): 1, ("sum", x): 1, ("gap", "Z"): 1, ("gap", x): -1})
        return MLP(inner, Weight({("result", "sum"): quarter, ("result", "gap"): -quarter}), activation="square")

    # The invariant.

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before Newton layer l the inputs hold M x in U and x in X; the targets hold y, the query x_query in XT."""
        return self.carried(lambda C: M @ C, prompt)

    def carried(self, U: Callable[[Block], Block], prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What is held where the columns C have U(C) in U and themselves in X."""
        columns = self.columns(prompt).items()
        return {
            **self.held(prompt),
            **{("U", group): U(C) for group, C in columns},
            **{("X", group): C for group, C in columns},
        }

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What no layer before the epilogue changes."""
        apart = {} if "query" in self.columns(prompt) else {(self.query_slot, "query"): prompt.x_query}
        return {**positions(prompt.X, prompt.n), ("y", "targets"): prompt.Y, **apart}

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        X, Y = prompt.X, prompt.Y
        move, initialise, affine = self.prologue(prompt)
        to_targets, multiply, add, to_query, product = self.epilogue(prompt)

        def initialised(C: Block) -> Block:
            return sum(((K @ (K.T @ C)).scale(self.alpha) for K in self.columns(prompt).values()), C)

        def moved(M: Block) -> dict[tuple[str, str], Block]:
            return {**self.carried(lambda C: M @ C, prompt), ("U", "targets"): M @ X}

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
            unread = {("result", group): ANYTHING for group in GROUPS if (self.query_slot, group) in moved(M)}
            return {**delivered(M), **unread, ("result", "query"): Y @ X.T @ M.T @ prompt.x_query}

        (newton,) = super().stages(prompt)
        assert isinstance(newton, Loop)
        return (
            Single(move, lambda M: self.carried(lambda C: C, prompt), name="move"),
            Single(initialise, lambda M: self.carried(initialised, prompt), name="initialise"),
            Single(affine, lambda M: self.carried(lambda C: M @ C, prompt), name="affine"),
            newton,
            Single(to_targets, moved, name="move"),
            Single(multiply, multiplied, name="multiply"),
            Single(add, summed, name="sum"),
            Single(to_query, delivered, name="move"),
            Single(product, answered, name="multiply"),
        )

    def read_out(self, stream: Stream) -> Block:
        return stream["result", "query"]

"""Copying: heads that see positions only move the content of the next token into this one.

Symbols: n examples, d features, m targets; tokens (content | second half) as columns. The content is x (d rows) and y
(m rows); the second half is x2, y2 and the position code p, a unit vector of R^T for T tokens, counted from 0. U (T, T)
has ones above its diagonal, so that U^T p_t = p_(t+1), and U^T p_t = 0 for the last token.

    W_K = I on p,  W_Q = U^T on p,  W_V: x2 <- x, y2 <- y, p <- -U p            (c_t | p_t) -> (c_t | c_(t+1))

The score of key i and query t is p_i^T U^T p_t: 1 if i = t + 1, otherwise 0. Content and position code have rows of
their own here; where they share the rows of the second half the same weights do the same.

Reference: von Oswald et al. (2023), Proposition 3 and appendix A.5. The print calls U lower diagonal, which copies from
the wrong side, and passes over the last token, which keeps its position code.
"""

from dataclasses import dataclass
from itertools import product

from constructions.attention import Head
from constructions.block import Block, Size, Zero
from constructions.construction import Construction
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.prompt import Prompt
from constructions.scalars import one_if_equal
from constructions.stages import Index, Relation, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight

CODE = ("p", "p")
"""The place of a map of position codes in a weight."""


def shift(like: Block, tokens: Size) -> Block:
    """U (T, T), with ones above the diagonal."""
    return like.given("U", tokens, tokens, lambda i, j: one_if_equal(j, i + 1))


@dataclass(frozen=True, kw_only=True, repr=False)
class NextTokenCopy(OneLayer):
    """One linear head that copies the content of the next token into the second half of this one.

    The tokens are the columns of X; Y and the query play no part. The prediction is what the second halves then hold:
    the columns x_2, ..., x_n, 0.
    """

    iterate_symbol = "C"

    # The algorithm: the columns move by one.

    def initial(self, prompt: Prompt) -> Block:
        return prompt.X

    def step(self, l: Index, C: Block, prompt: Prompt) -> Block:
        return C @ shift(prompt.X, prompt.n).T

    def predict(self, C: Block, prompt: Prompt) -> Block:
        return C

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_t | 0, p_t): the position codes are the columns of the identity."""
        return Stream(
            slots={"x": prompt.d, "x2": prompt.d, "p": prompt.n},
            groups={"tokens": prompt.n},
            blocks={("x", "tokens"): prompt.X, ("p", "tokens"): prompt.X.identity(prompt.n)},
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        U = shift(prompt.X, prompt.n)
        return Layer(
            Attention(Head(key=Weight({CODE: 1}), query=Weight({CODE: U.T}), value=Weight({("x2", "x"): 1, CODE: -U})))
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        """Only the last position code is left over."""
        U = shift(prompt.X, prompt.n)
        left = prompt.X.identity(prompt.n) - self.last(prompt)
        return (Relation("U U^T = I, but for the last token", U @ U.T, left),)

    def last(self, prompt: Prompt) -> Block:
        """The position code of the last token in its column, (n, n)."""
        n = prompt.n
        return prompt.X.given("last", n, n, lambda i, j: one_if_equal(i, j) * one_if_equal(i, n - 1))

    def state(self, l: Index, C: Block, prompt: Prompt) -> State:
        """After the layer the second halves hold the next token's content; the last one keeps its position code."""
        return {("x", "tokens"): prompt.X, ("x2", "tokens"): C, ("p", "tokens"): self.last(prompt)}

    def read_out(self, stream: Stream) -> Block:
        return stream["x2", "tokens"]


@dataclass(frozen=True, kw_only=True, repr=False)
class TokenMerging(Construction):
    """Two linear heads turn the prompt x_1, y_1, ..., x_n, y_n, x_query into (x_1, y_1), ..., (x_n, y_n), (x_query, 0).

    The first copies the content of the next token into every input token, the second takes every target token off
    itself. The prediction is what the y rows of the second half then hold in the input tokens.
    """

    iterate_symbol = "held"

    @property
    def depth(self) -> Size:
        return 1

    # The algorithm: the targets move to their inputs.

    def initial(self, prompt: Prompt) -> Block:
        return prompt.Y

    def step(self, l: Index, held: Block, prompt: Prompt) -> Block:
        return held

    def predict(self, held: Block, prompt: Prompt) -> Block:
        return held

    # The weights.

    def codes(self, prompt: Prompt) -> dict[str, Block]:
        """The position codes by group: x_i stands at 2 i, y_i at 2 i + 1 (i from 0), the query at 2 n."""
        n, T, given = prompt.n, self.tokens(prompt), prompt.X.given
        return {
            "inputs": given("p_inputs", T, n, lambda t, i: one_if_equal(t, 2 * i)),
            "targets": given("p_targets", T, n, lambda t, i: one_if_equal(t, 2 * i + 1)),
            "query": given("p_query", T, 1, lambda t, _: one_if_equal(t, T - 1)),
        }

    def tokens(self, prompt: Prompt) -> Size:
        """T, the number of tokens."""
        return 2 * prompt.n + 1

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0 | p) and (0, y_i | p) in turn, then (x_query, 0 | p)."""
        d, m, n = prompt.d, prompt.m, prompt.n
        return Stream(
            slots={"x": d, "y": m, "x2": d, "y2": m, "p": self.tokens(prompt)},
            groups={"inputs": n, "targets": n, "query": 1},
            blocks={
                ("x", "inputs"): prompt.X,
                ("y", "targets"): prompt.Y,
                ("x", "query"): prompt.x_query,
                **{("p", group): code for group, code in self.codes(prompt).items()},
            },
            order=(("inputs", "targets"), "query"),
        )

    def queries(self, prompt: Prompt) -> tuple[Block, Block]:
        """(U^T on the inputs, the identity on the targets), both zero on every other position code."""
        codes = self.codes(prompt)
        return codes["targets"] @ codes["inputs"].T, codes["targets"] @ codes["targets"].T

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        next_of_inputs, on_targets = self.queries(prompt)
        key, U = Weight({CODE: 1}), shift(prompt.X, self.tokens(prompt))
        copies = Weight({("x2", "x"): 1, ("y2", "y"): 1, CODE: -U})
        itself = Weight({(slot, slot): 1 for slot in ("x", "y", "x2", "y2", "p")})
        minus = Weight({(slot, slot): -1 for slot in ("x", "y", "x2", "y2", "p")})
        return Layer(
            Attention(
                Head(key=key, query=Weight({CODE: next_of_inputs}), value=copies),
                Head(key=key, query=Weight({CODE: on_targets}), value=itself, projection=minus),
            )
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        """Position codes are orthonormal, and U takes a target's to its input's."""
        codes, U = self.codes(prompt), shift(prompt.X, self.tokens(prompt))
        products = tuple(
            Relation(
                f"position codes of {one} and {other}",
                codes[one].T @ codes[other],
                prompt.X.identity(codes[one].columns)
                if one == other
                else Zero(codes[one].columns, codes[other].columns),
            )
            for one, other in product(codes, repeat=2)
        )
        return (*products, Relation("U p_targets = p_inputs", U @ codes["targets"], codes["inputs"]))

    def state(self, l: Index, held: Block, prompt: Prompt) -> State:
        """After the layer the inputs hold (x_i, 0 | 0, y_i), the targets nothing; the query keeps its position code."""
        return {
            ("x", "inputs"): prompt.X,
            ("y2", "inputs"): held,
            ("x", "query"): prompt.x_query,
            ("p", "query"): self.codes(prompt)["query"],
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        return (Single(layer=self.layer(0, prompt), state=lambda held: self.state(1, held, prompt)),)

    def read_out(self, stream: Stream) -> Block:
        return stream["y2", "inputs"]

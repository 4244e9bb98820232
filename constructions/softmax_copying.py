"""Copying by softmax heads: a sink catches the tokens that should copy nothing, and the error falls like e^-beta.

Symbols: as in ``constructions.copying``; T = 2 n + 2 tokens, a sink at position 0 among them; scores are beta for the
one key that a token looks for (the next token, itself, or the sink) and 0 for the T - 1 others. The head's output is

    v_found + (sum_i v_i - T v_found) / (e^beta + T - 1)

for the values v_i: what the linear head copies, and an error of at most (T - 1) / (e^beta + T - 1) < (T - 1) e^-beta
times the largest difference of two values.

Reference: von Oswald et al. (2023), appendix A.5, where softmax is used as if it were exact; the sink and the error are
this project's.
"""

from dataclasses import dataclass

from constructions.attention import Head
from constructions.block import Block, Size, Zero
from constructions.copying import CODE, TokenMerging, shift
from constructions.layer import Attention, Layer
from constructions.parameters import scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, one_if_equal
from constructions.softmax_heads import exponential, times
from constructions.stages import Index, Relation, Single, Stage
from constructions.stream import Stream
from constructions.weights import Weight

SLOTS = ("x", "y", "x2", "y2", "p")


def tokens_held(stream: Stream) -> Block:
    """The token matrix of the examples and the query, group by group."""
    columns = [stream["x", group].above(*(stream[slot, group] for slot in SLOTS[1:])) for group in _GROUPS]
    return columns[0].beside(*columns[1:])


_GROUPS = ("inputs", "targets", "query")


@dataclass(frozen=True, kw_only=True, repr=False)
class SoftmaxMerging(TokenMerging):
    """Two softmax heads and a sink that merge an interleaved prompt up to an error of order e^-beta.

    The prediction is the whole token matrix, without the sink.

    Args:
        beta: the score of the key that is looked for.
    """

    iterate_symbol = "share"

    beta: Scalar = scalar("beta", positive=True)

    # The algorithm: the share of every other key.

    def initial(self, prompt: Prompt) -> Block:
        """1 / (e^beta + T - 1)."""
        return (self.weight(prompt) + prompt.X.identity(1).scale(self.tokens(prompt) - 1)).inverse()

    def weight(self, prompt: Prompt) -> Block:
        """e^beta."""
        return exponential(prompt.X, self.beta)

    def predict(self, share: Block, prompt: Prompt) -> Block:
        held = Stream(self.slots(prompt), self.embed(prompt).groups, self.merged(share, prompt))
        return tokens_held(held)

    # The weights.

    def tokens(self, prompt: Prompt) -> Size:
        return 2 * prompt.n + 2

    def codes(self, prompt: Prompt) -> dict[str, Block]:
        """The position codes by group: sink 0, x_i at 2 i + 1, y_i at 2 i + 2 (i from 0), query 2 n + 1."""
        n, T, given = prompt.n, self.tokens(prompt), prompt.X.given
        return {
            "sink": given("p_sink", T, 1, lambda t, _: one_if_equal(t, 0)),
            "inputs": given("p_inputs", T, n, lambda t, i: one_if_equal(t, 2 * i + 1)),
            "targets": given("p_targets", T, n, lambda t, i: one_if_equal(t, 2 * i + 2)),
            "query": given("p_query", T, 1, lambda t, _: one_if_equal(t, T - 1)),
        }

    def slots(self, prompt: Prompt) -> dict[str, Size]:
        d, m = prompt.d, prompt.m
        return {"x": d, "y": m, "x2": d, "y2": m, "p": self.tokens(prompt)}

    def embed(self, prompt: Prompt) -> Stream:
        """A sink (0, 0 | p_0), and then the interleaved prompt."""
        n = prompt.n
        return Stream(
            slots=self.slots(prompt),
            groups={"sink": 1, "inputs": n, "targets": n, "query": 1},
            blocks={
                ("x", "inputs"): prompt.X,
                ("y", "targets"): prompt.Y,
                ("x", "query"): prompt.x_query,
                **{("p", group): code for group, code in self.codes(prompt).items()},
            },
            order=("sink", ("inputs", "targets"), "query"),
        )

    def queries(self, prompt: Prompt) -> tuple[Block, Block]:
        """(U^T on the inputs, the identity on the targets), and p_0 for every other position code."""
        copying, emptying = super().queries(prompt)
        codes, one = self.codes(prompt), prompt.X.ones(prompt.n, 1)
        others = codes["sink"] + codes["query"]
        return (
            copying + codes["sink"] @ (others + codes["targets"] @ one).T,
            emptying + codes["sink"] @ (others + codes["inputs"] @ one).T,
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        """The same, and that the copying head gives the sink no value."""
        sink = self.codes(prompt)["sink"]
        gone = Relation("U p_0 = 0", shift(prompt.X, self.tokens(prompt)) @ sink, Zero(*sink.shape))
        return (*super().lemmas(prompt), gone)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        next_of_inputs, on_targets = (matrix.scale(self.beta) for matrix in self.queries(prompt))
        key, U = Weight({CODE: 1}), shift(prompt.X, self.tokens(prompt))
        itself = {(slot, slot): 1 for slot in SLOTS[:-1]}
        return Layer(
            Attention(
                Head(
                    key,
                    Weight({CODE: next_of_inputs}),
                    Weight({("x2", "x"): 1, ("y2", "y"): 1, CODE: -U}),
                    score="softmax",
                ),
                Head(
                    key,
                    Weight({CODE: on_targets}),
                    Weight({**itself, CODE: self.off_the_sink(prompt)}),
                    projection=Weight({(slot, slot): -1 for slot in SLOTS}),
                    score="softmax",
                ),
            )
        )

    def off_the_sink(self, prompt: Prompt) -> Block:
        """I - p_0 p_0^T: the emptying head gives the sink no value either."""
        sink = self.codes(prompt)["sink"]
        return prompt.X.identity(self.tokens(prompt)) - sink @ sink.T

    # What is claimed.

    def merged(self, share: Block, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """The tokens after the layer: to each, (e^beta - 1) share times what it finds, and share times all values."""
        codes, U = self.codes(prompt), shift(prompt.X, self.tokens(prompt))
        one, excess = prompt.X.ones(prompt.n, 1), self.weight(prompt) - prompt.X.identity(1)
        x, y = prompt.X @ one + prompt.x_query, prompt.Y @ one
        after_sink = codes["inputs"] @ one + codes["targets"] @ one + codes["query"]
        sums = {"x2": x, "y2": y, "moved p": -(U @ after_sink), "x": x, "y": y, "p": after_sink}
        found = {
            ("y2", "inputs"): prompt.Y,
            ("moved p", "inputs"): -codes["inputs"],
            ("y", "targets"): prompt.Y,
            ("p", "targets"): codes["targets"],
        }
        start, state = self.embed(prompt), dict[tuple[str, str], Block]()
        for group, size in start.groups.items():
            row = prompt.X.ones(1, size)
            averaged = {
                slot: times(found[slot, group], excess @ share) + times(total @ row, share)
                if (slot, group) in found
                else times(total @ row, share)
                for slot, total in sums.items()
            }
            state["x2", group], state["y2", group] = averaged["x2"], averaged["y2"]
            state["x", group], state["y", group] = (start[slot, group] - averaged[slot] for slot in ("x", "y"))
            state["p", group] = start["p", group] + averaged["moved p"] - averaged["p"]
        return state

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        return (Single(layer=self.layer(0, prompt), state=lambda share: self.merged(share, prompt)),)

    def read_out(self, stream: Stream) -> Block:
        return tokens_held(stream)

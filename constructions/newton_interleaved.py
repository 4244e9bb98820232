"""Newton's iteration on the interleaved prompt from M_0 = alpha I, in k + 2 layers of ReLU attention, without a mask.

Symbols: n examples, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), S = X X^T, M (d, d). The prompt is
x_1, y_1, ..., x_n, y_n, x_query: 2 n + 1 tokens, their positions as in ``constructions.positions``.

    M <- 2 M - M S M            prediction Y X^T M_k x_query

Tokens are [raw | x | u | y | position], of width 3 d + m + 3. The first layer copies x_i from its own token into the
slots x and u of y_i's token, which then is a token of ``NewtonFromIdentity``; the tokens of the x_i themselves have
empty x slots, so that their keys are zero, and empty u slots, so that they stay as they are.

Reference: this project; Fu et al. (2024), Theorem 5.1, use k + 8 layers, from M_0 = alpha S.
"""

from dataclasses import dataclass

from constructions.block import Block
from constructions.layer import Attention, Layer
from constructions.newton import NewtonFromIdentity
from constructions.positions import ORDER, positions, previous_token, previous_token_scores
from constructions.prompt import Prompt
from constructions.stages import Index, Loop, Relation, Single, Stage, State
from constructions.stream import Stream


@dataclass(frozen=True, kw_only=True, repr=False)
class NewtonInterleaved(NewtonFromIdentity):
    """k + 2 layers of ReLU heads on x_1, y_1, ..., x_n, y_n, x_query that run k Newton steps from M_0 = alpha I.

    Args:
        alpha, steps, looped: as for ``NewtonFromIdentity``.
        relu: two ReLU heads in place of each linear one; the first layer's head is a ReLU head in any case.
    """

    relu: bool = True

    def embed(self, prompt: Prompt) -> Stream:
        """x_i in the slot raw of its token, y_i in y of its token, alpha x_query in u, and the position codes."""
        return Stream(
            slots={"raw": prompt.d, "x": prompt.d, "u": prompt.d, "y": prompt.m, "one": 1, "p": 1, "pp": 1},
            groups={"inputs": prompt.n, "targets": prompt.n, "query": 1},
            blocks={
                **positions(prompt.X, prompt.n),
                ("raw", "inputs"): prompt.X,
                ("y", "targets"): prompt.Y,
                ("u", "query"): prompt.x_query.scale(self.alpha),
            },
            order=ORDER,
        )

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        return previous_token_scores(prompt.X, prompt.n)

    def state(self, l: Index, M: Block, prompt: Prompt) -> State:
        """Before Newton layer l the tokens of the targets hold (x_i, M x_i, y_i), the query's M x_query; u rescaled."""
        return {
            **positions(prompt.X, prompt.n),
            ("raw", "inputs"): prompt.X,
            ("x", "targets"): prompt.X,
            ("u", "targets"): (M @ prompt.X).scale(self.scale(l)),
            ("y", "targets"): prompt.Y,
            ("u", "query"): (M @ prompt.x_query).scale(self.scale(l)),
        }

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """The copy; the Newton layers; the read-out y <- y + sum_i y_i <x_i, u> (times 2^k if u is rescaled)."""

        def read(M: Block) -> State:
            weights = prompt.Y @ (prompt.X.T @ M)
            return {
                **self.state(self.steps, M, prompt),
                ("y", "targets"): prompt.Y + weights @ prompt.X,
                ("y", "query"): weights @ prompt.x_query,
            }

        copy = Layer(Attention(previous_token({("x", "raw"): 1, ("u", "raw"): self.alpha})))
        newton, last = super().stages(prompt)
        assert isinstance(newton, Loop)
        assert isinstance(last, Single)
        return (
            Single(copy, lambda M: self.state(0, M, prompt), name="copying layer"),
            newton,
            Single(last.layer, read, name=last.name),
        )

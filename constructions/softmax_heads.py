"""Two softmax heads in place of a linear one: what they do in the limit of small scores, with and without a sink.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); z = X^T x_query (n, 1) the scores.

    (n / (2 eps)) (softmax(eps z) - softmax(-eps z))  ->  z - mean(z)        eps -> 0

so two softmax heads take the gradient step with mean-centred keys. A sink token of zero value and score b is one more
key: then (e^b / (2 eps)) (softmax(eps z) - softmax(-eps z)) -> z as eps -> 0 and b -> infinity, the plain step.

Reference: von Oswald et al. (2023), appendix A.9, where the limit is taken for the plain step; the limits, the sink and
the error bounds (see ``proofs.softmax_heads``) are this project's.
"""

from dataclasses import dataclass, replace

from constructions.attention import Head, Mask
from constructions.block import Block, materialised, softmax
from constructions.example_tokens import example_tokens
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.parameters import scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar, ratio
from constructions.stages import Index, State
from constructions.stream import Stream
from constructions.weights import Weight


def exponential(like: Block, exponent: Scalar) -> Block:
    """e^exponent as a block, (1, 1)."""
    return materialised(like.identity(1).scale(exponent), like).exp()


def times(block: Block, number: Block) -> Block:
    """The block times a number that is itself a block, (1, 1)."""
    rows, columns = block.shape
    return (block.ones(rows, 1) @ number @ block.ones(1, columns)).hadamard(block)


@dataclass(frozen=True, kw_only=True, repr=False)
class SoftmaxDescent(OneLayer):
    """One layer of two softmax heads, scores eps z and -eps z, that takes the centred gradient step as eps -> 0.

    Args:
        eta: the step size.
        eps: by which the scores are multiplied, not 0.
    """

    iterate_symbol = "prediction"

    eta: Scalar = scalar("eta", positive=True)
    eps: Scalar = scalar("eps", nonzero=True, positive=True)

    # The algorithm: the difference of two softmax averages of the targets.

    def initial(self, prompt: Prompt) -> Block:
        return prompt.Y.zeros(prompt.m, 1)

    def step(self, l: Index, prediction: Block, prompt: Prompt) -> Block:
        scores = (prompt.X.T @ prompt.x_query).scale(self.eps)
        (plus,), (minus,) = softmax([scores]), softmax([-scores])
        return prediction + (prompt.Y @ plus - prompt.Y @ minus).scale(ratio(self.eta, 2 * self.eps))

    def predict(self, prediction: Block, prompt: Prompt) -> Block:
        return prediction

    # The weights.

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, y_i), and the query (x_query, 0)."""
        return example_tokens(prompt)

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """Heads of scores eps z and -eps z, whose outputs count eta / (2 eps) and -eta / (2 eps)."""
        rate = ratio(self.eta, 2 * self.eps)
        return Layer(Attention(*(self.head(sign, Weight({("y", "y"): sign * rate})) for sign in (1, -1))))

    def head(self, sign: int, value: Weight) -> Head:
        """The head of scores sign eps z, for the query alone."""
        return Head(
            key=Weight({("x", "x"): 1}),
            query=Weight({("x", "x"): sign * self.eps}),
            value=value,
            score="softmax",
            mask=Mask(keys={"query": ("context",)}),
        )

    def state(self, l: Index, prediction: Block, prompt: Prompt) -> State:
        """After the layer the query holds the prediction."""
        return {**self.embed(prompt).blocks, ("y", "query"): prediction}

    def read_out(self, stream: Stream) -> Block:
        return stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class SoftmaxDescentWithSink(SoftmaxDescent):
    """The same with a sink token: it takes the gradient step itself as eps -> 0 and the sink's score b -> infinity.

    Args:
        eta, eps: as for ``SoftmaxDescent``.
        b: the score of the sink.
    """

    b: Scalar = scalar("b", positive=True)

    def step(self, l: Index, prediction: Block, prompt: Prompt) -> Block:
        scores, sink = (prompt.X.T @ prompt.x_query).scale(self.eps), prompt.X.identity(1).scale(self.b)
        (plus, _), (minus, _) = softmax([scores, sink]), softmax([-scores, sink])
        return prediction + times(
            (prompt.Y @ plus - prompt.Y @ minus).scale(self.rate(prompt)), exponential(prompt.X, self.b)
        )

    def rate(self, prompt: Prompt) -> Scalar:
        """What the heads count, but for the factor e^b."""
        return ratio(self.eta, 2 * self.eps * prompt.n)

    def embed(self, prompt: Prompt) -> Stream:
        """As before, and a sink token that nothing but its own slot tells; the query asks for it by its slot one."""
        plain, one = super().embed(prompt), prompt.X.identity(1)
        return replace(
            plain,
            slots={**plain.slots, "one": 1, "sink": 1},
            groups={**plain.groups, "sink": 1},
            blocks={**plain.blocks, ("one", "query"): one, ("sink", "sink"): one},
            order=("sink", "context", "query"),
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """The same heads with the score b of the sink, whose outputs count e^b eta / (2 eps n), with either sign."""
        factor = times(prompt.X.identity(prompt.m).scale(self.rate(prompt)), exponential(prompt.X, self.b))
        return Layer(
            Attention(*(self.head(sign, Weight({("y", "y"): factor if sign == 1 else -factor})) for sign in (1, -1)))
        )

    def head(self, sign: int, value: Weight) -> Head:
        plain = super().head(sign, value)
        return replace(
            plain,
            key=Weight({**plain.key, ("sink", "sink"): 1}),
            query=Weight({**plain.query, ("sink", "one"): self.b}),
            mask=Mask(keys={"query": ("sink", "context")}),
        )

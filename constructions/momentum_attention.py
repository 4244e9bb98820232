"""Momentum attention: causal attention, and beside it an unnormalised sum of values that no query enters.

Symbols: n tokens before the current one, columns of X (d, n); the current token x_query (d, 1), at position n + 1; m
the width of a value; W_K, W_Q (d, d), W_V (m, d); V = W_V X with columns v_t; 0 < eta < 1. Y plays no part.

    output_t = Attn_t + sum_(i < t) eta^(t - i) v_i        outputs = V (P + H),  H_it = eta^(t - i) for i < t, else 0

P has the causal attention weights. H is strictly causal and Toeplitz: the same for every prompt, without a query; its
columns sum to eta (1 - eta^(t - 1)) / (1 - eta), so that nothing is normalised (``proofs/momentum_sum.py``). As a head
it has positions for keys: token i the unit vector i, and the query's weights are the columns of H. Gradient descent
with momentum on the outer products v_i k_i^T is another map (``constructions/outer_products.py``).

Reference: Dai et al. (2022), arXiv 2212.10559, momentum-based attention; its form is second-hand, the rest derived.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

from constructions.attention import Head, Mask, causal
from constructions.block import Block, Size, Zero, softmax
from constructions.layer import Attention, Layer
from constructions.one_layer import OneLayer
from constructions.parameters import matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import Index, Relation, State
from constructions.stream import Stream
from constructions.weights import Weight


class Outputs(NamedTuple):
    """What attention puts out, at the tokens before the current one and at the current one."""

    context: Block
    query: Block


def momentum_weight(eta: Scalar, i: Any, t: Any) -> Scalar:
    """H_it = eta^(t - i) for i < t, else 0: how much of value i the token at position t is given."""
    return eta ** (t - i) if i < t else 0


def momentum_weights(like: Block, n: Size, eta: Scalar) -> Block:
    """H (n, n)."""
    return like.given("H", n, n, lambda i, t: momentum_weight(eta, i, t), opaque=(momentum_weight, str(eta)))


def current_momentum_weights(like: Block, n: Size, eta: Scalar) -> Block:
    """h (n, 1), the column of H for the token after n others."""
    return like.given("h", n, 1, lambda i, _: momentum_weight(eta, i, n), opaque=(momentum_weight, str(eta)))


def momentum_buffer_weights(like: Block, n: Size, eta: Scalar) -> Block:
    """r (n, 1): 1 + eta + ... + eta^(n - i), i from 1, the weight of value i in the sum of n buffers."""
    return like.given("r", n, 1, lambda i, _: sum(eta**j for j in range(n - i)), opaque=("geometric sum", str(eta)))


@dataclass(frozen=True, kw_only=True, repr=False)
class MomentumAttention(OneLayer):
    """One causal attention head, and one linear head on positions that adds a fixed weighted sum of the values.

    Args:
        eta: the momentum.
        W_K, W_Q, W_V: the projections, (d, d), (d, d) and (m, d); a scale of the scores is a factor of W_Q.
        score: ``"softmax"``, or ``"linear"`` for relaxed attention.
    """

    eta: Scalar = scalar("eta", positive=True)
    W_K: Any = matrix("W_K", "d", "d")
    W_Q: Any = matrix("W_Q", "d", "d")
    W_V: Any = matrix("W_V", "m", "d")
    score: str = "softmax"

    # The algorithm: attention, and then the sums.

    def initial(self, prompt: Prompt) -> Outputs:
        """Causal attention: V P."""
        keys, own = self.W_K @ prompt.X, self.W_K @ prompt.x_query
        queries, query = self.W_Q @ prompt.X, self.W_Q @ prompt.x_query
        values, value = self.W_V @ prompt.X, self.W_V @ prompt.x_query
        earlier = self.causal(prompt, "context", "context")
        if self.score == "linear":
            return Outputs(
                values @ (keys.T @ queries).hadamard(earlier), values @ (keys.T @ query) + value @ (own.T @ query)
            )
        (weights,) = softmax([keys.T @ queries], [earlier])
        before, itself = softmax([keys.T @ query, own.T @ query])
        return Outputs(values @ weights, values @ before + value @ itself)

    def step(self, l: Index, outputs: Outputs, prompt: Prompt) -> Outputs:
        """The sums eta^(t - i) v_i, added."""
        V = self.W_V @ prompt.X
        return Outputs(
            outputs.context + V @ momentum_weights(prompt.X, prompt.n, self.eta),
            outputs.query + V @ current_momentum_weights(prompt.X, prompt.n, self.eta),
        )

    def predict(self, outputs: Outputs, prompt: Prompt) -> Block:
        return outputs.query

    # The weights.

    mask: ClassVar[Mask] = Mask(keys={"context": ("context",), "query": ("context", "query")}, pattern=causal)

    def causal(self, prompt: Prompt, key_group: str, query_group: str) -> Block:
        """The causal mask on a pair of groups."""
        block = self.mask.block(self.embed(prompt), key_group, query_group)
        assert block is not None, "this mask has a pattern"
        return block

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        """The causal mask keeps every token before the current one, and each token sees itself."""
        one, n = prompt.X.ones(1, 1), prompt.n
        keys_of_each = prompt.X.ones(1, n) @ self.causal(prompt, "context", "context")
        return (
            Relation("all tokens come before the current", self.causal(prompt, "context", "query"), one.ones(n, 1)),
            Relation("the current token sees itself", self.causal(prompt, "query", "query"), one),
            Relation("every token has a key", (one.ones(1, n) - keys_of_each).relu(), Zero(1, n)),
        )

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (x_i, 0, code i, 0), and the current token (x_query, 0, 0, 1); code i is the unit vector i."""
        return Stream(
            slots={"x": prompt.d, "out": prompt.m, "code": prompt.n, "last": 1},
            groups={"context": prompt.n, "query": 1},
            blocks=self.held(prompt),
        )

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What the layer does not change."""
        return {
            ("x", "context"): prompt.X,
            ("code", "context"): prompt.X.identity(prompt.n),
            ("x", "query"): prompt.x_query,
            ("last", "query"): prompt.X.ones(1, 1),
        }

    def momentum_head(self, prompt: Prompt) -> Head:
        """Keys: codes. Queries: the columns of H by the code, h for the current token. Linear, whatever the score."""
        H, h = (make(prompt.X, prompt.n, self.eta) for make in (momentum_weights, current_momentum_weights))
        return Head(
            key=Weight({("code", "code"): 1}),
            query=Weight({("code", "code"): H, ("code", "last"): h}),
            value=Weight({("out", "x"): self.W_V}),
            mask=Mask(keys=("context",)),
        )

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """The causal head with W_K, W_Q and W_V, and the head on positions."""
        attention = Head(
            key=Weight({("x", "x"): self.W_K}),
            query=Weight({("x", "x"): self.W_Q}),
            value=Weight({("out", "x"): self.W_V}),
            score=self.score,
            mask=self.mask,
        )
        return Layer(Attention(attention, self.momentum_head(prompt)))

    def state(self, l: Index, outputs: Outputs, prompt: Prompt) -> State:
        """After the layer every token holds its output."""
        return {**self.held(prompt), ("out", "context"): outputs.context, ("out", "query"): outputs.query}

    def read_out(self, stream: Stream) -> Block:
        return stream["out", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class ValuesAsOuterProducts(MomentumAttention):
    """The head on positions alone, said to be momentum on the outer products v_i k_i^T of gradient descent's dual form.

    With the buffers D_s = sum_(i <= s) eta^(s - i) v_i k_i^T the current token would get sum_(s <= n) D_s q.

    Args:
        eta: the momentum, fixed, so that a counterexample is one within 0 < eta < 1.
        W_K, W_Q, W_V: as for ``MomentumAttention``.
    """

    eta: Scalar = Fraction(1, 2)

    def initial(self, prompt: Prompt) -> Outputs:
        return Outputs(prompt.X.zeros(prompt.m, prompt.n), prompt.X.zeros(prompt.m, 1))

    def step(self, l: Index, outputs: Outputs, prompt: Prompt) -> Outputs:
        """sum_i (1 + eta + ... + eta^(n - i)) v_i <k_i, q> at the current token."""
        weights = momentum_buffer_weights(prompt.X, prompt.n, self.eta)
        keys, query = self.W_K @ prompt.X, self.W_Q @ prompt.x_query
        return Outputs(outputs.context, self.W_V @ prompt.X @ weights.diagonal() @ (keys.T @ query))

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        return Layer(Attention(self.momentum_head(prompt)))

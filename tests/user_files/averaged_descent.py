"""Preconditioned gradient descent that predicts with a running average of its iterates."""

from collections import namedtuple
from dataclasses import dataclass
from constructions import ANYTHING, Attention, Construction, Head, Layer, Mask, TokenMap, Weight
from constructions import example_tokens, matrix, ratio, residual_state, scalar

Averaged = namedtuple("Averaged", "W A")  # the iterate and its average, both (m, d)


@dataclass(frozen=True)
class AveragedDescent(Construction):
    eta: list = scalar("eta", per_layer=True, positive=True)  # the step sizes
    gamma: list = scalar("gamma", per_layer=True)  # the share of each new iterate in the average
    P: list = matrix("P", "d", "d")  # the preconditioner

    def initial(self, prompt):
        return Averaged(prompt.X.zeros(prompt.m, prompt.d), prompt.X.zeros(prompt.m, prompt.d))

    def step(self, l, now, prompt):
        W = now.W - ((now.W @ prompt.X - prompt.Y) @ prompt.X.T @ self.P).scale(ratio(self.eta[l], prompt.n))
        return Averaged(W, now.A + (W - now.A).scale(self.gamma[l]))

    def predict(self, now, prompt):
        return now.A @ prompt.x_query

    def embed(self, prompt):
        return example_tokens(prompt, a=prompt.m)

    def layer(self, l, prompt):
        key, query, value = {("x", "x"): 1}, {("x", "x"): self.P}, {("y", "y"): -ratio(self.eta[l], prompt.n)}
        head = Head(Weight(key), Weight(query), Weight(value), mask=Mask(keys=("context",)))
        return Layer(Attention(head), TokenMap(Weight({("a", "y"): -self.gamma[l], ("a", "a"): -self.gamma[l]})))

    def state(self, l, now, prompt):
        tokens = residual_state(prompt, prompt.Y - now.W @ prompt.X, now.W @ prompt.x_query)
        return {**tokens, ("a", "context"): ANYTHING, ("a", "query"): now.A @ prompt.x_query}

    def read_out(self, stream):
        return stream["a", "query"]

"""A change of basis of the inputs changes the weights of a stack of (P, Q) layers and nothing else.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1); A_l, B_l, T (d, d), T invertible.

    (A_l, B_l) on (X, Y, x_query)   and   (T^-T A_l T^-1, T B_l T^-1) on (T X, Y, T x_query)

have the same labels in every layer, and the inputs of the second are T times those of the first. So if T x and x have
one law, and T^-T w and w, the two networks have one population loss: for x ~ N(0, Sigma) and w ~ N(0, Sigma^-1) with
T = Sigma^(1/2) O Sigma^(-1/2), O orthogonal. With T = Sigma^(-1/2) this law becomes that of covariances I.

Reference: the symmetry in the proofs of Theorems 3 and 4 of Ahn et al. (2023), arXiv 2306.00297; for every invertible T
and on every prompt this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.example_tokens import example_tokens
from constructions.layer import Layer
from constructions.parameters import depth, matrix
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.stages import Index, State
from constructions.stream import Stream


class Tokens(NamedTuple):
    """The tokens of a stack: the inputs and the labels of the context and of the query."""

    inputs: Block
    labels: Block
    query_input: Block
    query_label: Block

    @classmethod
    def of(cls, stream: Stream) -> "Tokens":
        """The tokens that a stream holds."""
        return cls(*(stream[slot, group] for group in ("context", "query") for slot in ("x", "y")))

    def within(self, stream: Stream) -> Stream:
        """A stream of the same groups that holds these tokens."""
        places = [(slot, group) for group in ("context", "query") for slot in ("x", "y")]
        return Stream(stream.slots, stream.groups, dict(zip(places, self, strict=True)))


@dataclass(frozen=True, kw_only=True, repr=False)
class ChangedBasis(Construction):
    """The stack (T^-T A_l T^-1, T B_l T^-1) on the inputs T x has the labels of the stack (A_l, B_l) on the inputs x.

    The algorithm is the other stack: its layers, run on the prompt as it is.

    Args:
        preconditioners: A_1, ..., A_k, each (d, d), symmetric or not, with the sign of the relaxed form.
        input_maps: B_1, ..., B_k, each (d, d); zero for the stack that leaves the inputs alone.
        basis: T, (d, d), invertible.
    """

    preconditioners: Sequence[Any] = matrix("A", "d", "d", per_layer=True)
    input_maps: Sequence[Any] = matrix("B", "d", "d", per_layer=True)
    basis: Any = matrix("T", "d", "d", invertible=True)

    @property
    def depth(self) -> Size:
        return depth(self.preconditioners)

    # The algorithm: the original stack.

    def initial(self, prompt: Prompt) -> Tokens:
        return Tokens.of(example_tokens(prompt))

    def step(self, l: Index, iterate: Tokens, prompt: Prompt) -> Tokens:
        layer = _layer(self.preconditioners[l], self.input_maps[l], prompt)
        return Tokens.of(layer(iterate.within(example_tokens(prompt))))

    def predict(self, iterate: Tokens, prompt: Prompt) -> Block:
        return -iterate.query_label

    # The stack in the other basis.

    def embed(self, prompt: Prompt) -> Stream:
        T = self.basis
        return example_tokens(Prompt(T @ prompt.X, prompt.Y, T @ prompt.x_query, prompt.extras))

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        T, inverse = self.basis, self.basis.inverse()
        return _layer(inverse.T @ self.preconditioners[l] @ inverse, T @ self.input_maps[l] @ inverse, prompt)

    def state(self, l: Index, iterate: Tokens, prompt: Prompt) -> State:
        """Before layer l the inputs are T times those of the original stack, and the labels are its labels."""
        return {
            ("x", "context"): self.basis @ iterate.inputs,
            ("y", "context"): iterate.labels,
            ("x", "query"): self.basis @ iterate.query_input,
            ("y", "query"): iterate.query_label,
        }

    def read_out(self, stream: Stream) -> Block:
        return -stream["y", "query"]


def _layer(preconditioner: Block, input_map: Block, prompt: Prompt) -> Layer:
    """The layer of the relaxed form with these weights."""
    return RelaxedPreconditionedDescent(preconditioners=[preconditioner], input_maps=[input_map]).layer(0, prompt)

"""The dual form: a linear layer trained by gradient steps is linear attention over the errors of its training.

Symbols: n samples u_i = x_i, d inputs, m outputs; X (d, n), Y (m, n) the targets of a squared loss, x_query (d, 1); W
(m, d) the layer; E (m, n) the errors that its training has recorded, column by column; gamma_l the rates.

    W_l = W_(l-1) + E_l X^T        W_k x = W_0 x + E X^T x = W_0 x + sum_i e_i <x_i, x>,   E = E_1 + ... + E_k

Column i of E_l is -gamma_l times the gradient of loss i with respect to the output W_(l-1) x_i; it is zero if sample i
is not in the batch of step l. If every pair (step, sample) is given a column of its own (repeated samples are repeated
columns of X), E holds the e_(s,i) side by side; if the samples keep their columns, their errors add up.

Reference: Dai et al. (2022), arXiv 2212.10559, the dual form of a linear layer; the networks are this project's.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from constructions.attention import Head, Mask
from constructions.block import Block, Size
from constructions.construction import Construction
from constructions.layer import Attention, Layer, Sublayer, TokenMap
from constructions.parameters import depth, matrix, scalar
from constructions.prompt import Prompt
from constructions.scalars import Scalar
from constructions.stages import ANYTHING, Index, Relation, Single, Stage, State
from constructions.stream import Stream
from constructions.weights import Weight


class TrainedLayer(NamedTuple):
    """A linear layer in training, and the errors recorded so far."""

    W: Block
    E: Block


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainedByErrors(Construction):
    """A linear layer in training: e slots that hold the errors so far, and linear attention over them at the end.

    Args:
        W_0: the layer before its training, (m, d); None is zero.
    """

    W_0: Any = matrix("W_0", "m", "d", default=None)

    # The algorithm.

    @abstractmethod
    def new_errors(self, l: Index, W: Block, prompt: Prompt) -> Block:
        """E_l, (m, n), the errors that step l records at the weights W."""

    def initial(self, prompt: Prompt) -> TrainedLayer:
        return TrainedLayer(self.W_0, prompt.X.zeros(prompt.m, prompt.n))

    def step(self, l: Index, iterate: TrainedLayer, prompt: Prompt) -> TrainedLayer:
        errors = self.new_errors(l, iterate.W, prompt)
        return TrainedLayer(iterate.W + errors @ prompt.X.T, iterate.E + errors)

    def predict(self, iterate: TrainedLayer, prompt: Prompt) -> Block:
        return iterate.W @ prompt.x_query

    def relations(self, iterate: TrainedLayer, prompt: Prompt) -> tuple[Relation, ...]:
        return (Relation("the layer is its start and its errors", iterate.W, self.W_0 + iterate.E @ prompt.X.T),)

    # The weights.

    def further_slots(self, prompt: Prompt) -> dict[str, Size]:
        """The slots beside x, e and out."""
        return {}

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        """What no layer changes."""
        return {("x", "context"): prompt.X, ("x", "query"): prompt.x_query}

    def embed(self, prompt: Prompt) -> Stream:
        """Tokens (u_i, 0, 0), and the query (x_query, 0, 0)."""
        return Stream(
            slots={"x": prompt.d, "e": prompt.m, "out": prompt.m, **self.further_slots(prompt)},
            groups={"context": prompt.n, "query": 1},
            blocks=self.held(prompt),
        )

    def attend(self) -> tuple[Sublayer, ...]:
        """out <- W_0 x + sum_i e_i <x_i, x>: W_0, and linear attention with keys u_i and values e_i."""
        head = Head(
            key=Weight({("x", "x"): 1}),
            query=Weight({("x", "x"): 1}),
            value=Weight({("out", "e"): 1}),
            mask=Mask(keys=("context",)),
        )
        return TokenMap(Weight({("out", "x"): self.W_0})), Attention(head)

    def state(self, l: Index, iterate: TrainedLayer, prompt: Prompt) -> State:
        """Before step l the e slots hold the errors recorded so far, each evaluated at the weights of its step."""
        return {**self.held(prompt), ("e", "context"): iterate.E}

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """The training, step by step, and the attention layer, after which every token holds the layer's output."""

        def answered(iterate: TrainedLayer) -> State:
            outputs = {("out", "context"): iterate.W @ prompt.X, ("out", "query"): iterate.W @ prompt.x_query}
            return {**self.state(self.depth, iterate, prompt), **outputs}

        (training,) = super().stages(prompt)
        attention = Single(layer=Layer(*self.attend()), state=answered, name="attention layer")
        return replace(training, name="training step"), attention

    def read_out(self, stream: Stream) -> Block:
        return stream["out", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class DualForm(TrainedByErrors):
    """One linear attention layer over tokens (u_i, e_i) that is the linear layer trained with those errors.

    Args:
        errors: E_1, ..., E_k, (m, n) each: what the steps of any training, with any losses, rates and batches, add.
        W_0: the layer before its training, (m, d); None is zero.
    """

    errors: Sequence[Any] = matrix("E_s", "m", "n", per_layer=True)

    @property
    def depth(self) -> Size:
        return depth(self.errors)

    def new_errors(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return self.errors[l]

    def layer(self, l: Index, prompt: Prompt) -> Callable[[Stream], Stream]:
        return recorded(self.errors[l])


def recorded(errors: Block) -> Callable[[Stream], Stream]:
    """The map of streams that adds the errors of one training step to the e slots of the context."""

    def record(stream: Stream) -> Stream:
        """A training step outside of the network records its errors in the e slots."""
        return stream.plus({("e", "context"): errors})

    return record


@dataclass(frozen=True, kw_only=True, repr=False)
class BatchTraining(TrainedByErrors):
    """k layers that train a linear layer on batches by the squared loss, then linear attention over its errors.

    Args:
        batches: B_1, ..., B_k, (n, n) each: step l has E_l = gamma_l (Y - W X) B_l. A diagonal of 0 and 1 selects a
            batch; with a single 1 it is one step of SGD.
        rates: gamma_1, ..., gamma_k; the mean over a batch puts 1 / |batch| into it.
        W_0: the layer before its training, (m, d); None is zero.
    """

    batches: Sequence[Any] = matrix("B", "n", "n", per_layer=True)
    rates: Sequence[Scalar] = scalar("gamma", per_layer=True, positive=True)

    @property
    def depth(self) -> Size:
        return depth(self.rates)

    def new_errors(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return ((prompt.Y - W @ prompt.X) @ self.batches[l]).scale(self.rates[l])

    def further_slots(self, prompt: Prompt) -> dict[str, Size]:
        """The targets, and position codes: token i has the unit vector i."""
        return {"y": prompt.m, "code": prompt.n}

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        codes = {("code", "context"): prompt.X.identity(prompt.n)}
        return {**super().held(prompt), ("y", "context"): prompt.Y, **codes}

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """out <- W x by the attention so far; e <- e + gamma (y - out) B, keys codes, queries B codes; out <- 0."""
        record = Head(
            key=Weight({("code", "code"): 1}),
            query=Weight({("code", "code"): self.batches[l]}),
            value=Weight({("e", "y"): 1, ("e", "out"): -1}),
            factor=self.rates[l],
            mask=Mask(keys=("context",)),
        )
        return Layer(*self.attend(), Attention(record), TokenMap(Weight({("out", "out"): -1})))


@dataclass(frozen=True, kw_only=True, repr=False)
class ErrorsAtTheStart(BatchTraining):
    """Batch training with all errors evaluated at W_0, in parallel; correct is at the weights of each step.

    Args:
        batches, rates, W_0: as for ``BatchTraining``.
    """

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """out <- W_0 x, without the attention; the rest as in ``BatchTraining``."""
        start, _, record, clear = super().layer(l, prompt).sublayers
        return Layer(start, record, clear)


@dataclass(frozen=True, kw_only=True, repr=False)
class FullBatchTraining(TrainedByErrors):
    """k layers that train a linear layer by full-batch steps, then linear attention over its errors.

    Args:
        rates: gamma_1, ..., gamma_k; the mean over the samples puts 1 / n into it.
        W_0: the layer before its training, (m, d); None is zero.
    """

    rates: Sequence[Scalar] = scalar("gamma", per_layer=True, positive=True)

    @property
    def depth(self) -> Size:
        return depth(self.rates)

    def new_errors(self, l: Index, W: Block, prompt: Prompt) -> Block:
        return (prompt.Y - W @ prompt.X).scale(self.rates[l])

    def further_slots(self, prompt: Prompt) -> dict[str, Size]:
        """The targets."""
        return {"y": prompt.m}

    def held(self, prompt: Prompt) -> dict[tuple[str, str], Block]:
        return {**super().held(prompt), ("y", "context"): prompt.Y}

    def layer(self, l: Index, prompt: Prompt) -> Layer:
        """out <- W x by the attention so far; e <- e + gamma (y - out); out <- 0."""
        rate = self.rates[l]
        return Layer(
            *self.attend(),
            TokenMap(Weight({("e", "y"): rate, ("e", "out"): -rate})),
            TokenMap(Weight({("out", "out"): -1})),
        )

    def state(self, l: Index, iterate: TrainedLayer, prompt: Prompt) -> State:
        """Before step l the errors so far; the query, which is no key, gathers in its e slot what nothing reads."""
        return {**super().state(l, iterate, prompt), ("e", "query"): ANYTHING}

"""Constructions: weights, the algorithm they are claimed to run, and the invariant that connects the two.

A construction states the algorithm (initial iterate, step, prediction), the layers that run it, and what the residual
stream holds before and after each of them. From these three everything else follows mechanically:

    embed(prompt)                == state(0, initial)              base
    layer(l)(state(l, iterate))  == state(l + 1, step(l, iterate)) step, for an arbitrary iterate within its relations
    read_out(state(k, iterate))  == predict(iterate)               read-out

With symbols of unspecified size these identities are the induction proof for every k, n, d and m; with numbers they
locate the first wrong layer, slot and group.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from constructions.block import Block, Entry, Size, kind_of, materialised
from constructions.parameters import declared_depth, lifted
from constructions.prompt import Prompt
from constructions.stages import Handover, Index, Iterate, Loop, Relation, Single, Stage, State, layers_of
from constructions.stream import Stream


class Construction(ABC):
    """A transformer with given weights, and the algorithm that it is claimed to run.

    A subclass is a frozen dataclass; its fields are declared with ``scalar`` and ``matrix`` (see
    ``constructions.parameters``). Every method sees a lifted prompt and lifted parameters: blocks and exact scalars.
    """

    iterate_symbol: ClassVar[str] = "W"
    """How the iterate is called in a proof, if it is a single block; a named tuple names its own."""

    targets: ClassVar[int | str] = "m"
    """The number of targets m: its name, or the int for which alone the construction is meant."""

    dimension: ClassVar[int | str] = "d"
    """The number of features d: its name, or the int for which alone the construction is meant."""

    family: ClassVar[str | None] = None
    """The algorithm, where several constructions run it; ``icl show newton`` compares those of the family newton."""

    extras: ClassVar[Mapping[str, tuple[str | int, str | int]]] = {}
    """Further data that the theorem speaks of, by name, with their rows and columns as names of the prompt's sizes."""

    # The algorithm.

    @abstractmethod
    def initial(self, prompt: Prompt) -> Iterate:
        """The algorithm's first iterate."""

    @abstractmethod
    def step(self, l: Index, iterate: Iterate, prompt: Prompt) -> Iterate:
        """The iterate after step l = 0, 1, ..."""

    @abstractmethod
    def predict(self, iterate: Iterate, prompt: Prompt) -> Block:
        """The algorithm's prediction for the query, (m, 1), or what else the theorem says is read out."""

    # The weights and the invariant.

    @property
    def depth(self) -> Size:
        """The number of layers of the loop; by default that of the parameters that are declared per layer."""
        return declared_depth(self)

    @abstractmethod
    def embed(self, prompt: Prompt) -> Stream:
        """The stream before the first layer."""

    @abstractmethod
    def layer(self, l: Index, prompt: Prompt) -> Callable[[Stream], Stream]:
        """Layer l = 0, 1, ...: a ``Layer``, or another map of streams such as ``Decoding``."""

    def state(self, l: Index, iterate: Iterate, prompt: Prompt) -> State | Stream | None:
        """What the stream holds before layer l: the invariant.

        By default None: nothing is claimed of single layers, only that the network predicts what the algorithm does.
        """
        return None

    @abstractmethod
    def read_out(self, stream: Stream) -> Block:
        """The transformer's prediction from the last stream."""

    def stages(self, prompt: Prompt) -> tuple[Stage, ...]:
        """The network, stage by stage; by default one loop over ``layer``."""
        return (
            Loop(
                layer=lambda l: self.layer(l, prompt),
                step=lambda l, iterate: self.step(l, iterate, prompt),
                state=lambda l, iterate: self.state(l, iterate, prompt),
                times=self.depth,
            ),
        )

    def relations(self, iterate: Iterate, prompt: Prompt) -> tuple[Relation, ...]:
        """What is claimed of every iterate, beside the invariant; proved like it, by induction."""
        return ()

    def hypotheses(self, prompt: Prompt) -> tuple[Relation, ...]:
        """What is assumed of the data; a prompt that violates it is no instance of the theorem."""
        return ()

    def lemmas(self, prompt: Prompt) -> tuple[Relation, ...]:
        """Facts about matrices given entry by entry: proved entry by entry, then used; every instance checks them."""
        return ()

    def converges_within_two(self, prompt: Prompt) -> Block | None:
        """The matrix whose eigenvalues that are not 0 lie between 0 and 2 exactly if the algorithm converges.

        To least squares, of minimum norm, for all targets. None where no such criterion is known; the claim that the
        network runs the algorithm needs none.
        """
        return None

    # Running it.

    def __call__(self, X: Entry, Y: Entry, x_query: Entry) -> Entry:
        """The transformer's prediction in the kind of number of the prompt: (m, 1), unless ``predict`` says otherwise.

        Args:
            X: inputs, (d, n), one column per example; floats may have batch dimensions in front.
            Y: targets, (m, n).
            x_query: the query's input, (d, 1).

        Raises:
            TypeError: for mixed kinds of number, integer arrays, or entries that no kind holds.
            ValueError: for shapes that do not fit, empty contexts, NaN and infinities.
        """

        def predicted(*entries: Entry) -> Entry:
            prompt = Prompt(*entries).lifted()
            return materialised(forward(self, prompt), prompt.X).entry

        return kind_of(X).in_batches(predicted, X, Y, x_query)

    def __str__(self) -> str:
        from constructions.display import described

        return described(self)

    def _repr_latex_(self) -> str:
        from constructions.display import described_in_latex

        return described_in_latex(self)


# A construction without parameters may then do without the decorator. Applied as a call, unseen by the type checker,
# which would take every construction for one without fields.
dataclass(frozen=True, repr=False, eq=False)(Construction)  # type: ignore[type-abstract]


def forward(construction: Construction, prompt: Prompt) -> Block:
    """The transformer's prediction in whatever kind of number the prompt is, in the shape of ``predict``.

    Args:
        construction: the weights.
        prompt: raw entries, or lifted blocks.
    """
    # Each stream is dropped as soon as the next is there: all of them together would fill the cache, and the memory.
    (last,) = deque(streams(construction, prompt), maxlen=1)
    return construction.read_out(last)


def streams(construction: Construction, prompt: Prompt) -> Iterator[Stream]:
    """The residual stream before the first layer and after each layer."""
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    stream = construction.embed(prompt)
    yield stream
    for stage in construction.stages(prompt):
        for layer in layers_of(stage):
            stream = layer(stream)
            yield stream


def iterates(construction: Construction, prompt: Prompt) -> Iterator[Iterate]:
    """The algorithm's iterates: the initial one, then the one after each layer (the same if it runs no step)."""
    prompt = prompt.lifted()
    construction = lifted(construction, type(prompt.X), prompt)
    iterate = construction.initial(prompt)
    for stage in construction.stages(prompt):
        if isinstance(stage, Handover):
            iterate = stage.step(iterate)
        elif isinstance(stage, Single):
            yield iterate
            iterate = stage.step(iterate) if stage.step is not None else iterate
        else:
            for l in range(stage.times):
                yield iterate
                iterate = stage.step(l, iterate)
    yield iterate

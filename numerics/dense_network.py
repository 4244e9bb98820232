"""Dense networks: all that a construction is at given sizes, as plain matrices, to be stored and run elsewhere.

Symbols: D the width of a token, T the number of tokens; H (D, T), one column per token; a source is X (d, n), Y (m, n),
x_query (d, 1) or a further datum of the construction.

    H[:, tokens of g] = constant[:, tokens of g] + sum over sources s of  embedding.g.s  s
    H <- H + sum over heads of  factor P (W_V H) A     attention, part by part; H <- the sum, where ``skip`` is False
    A = mask o score((W_K H)^T (W_Q H))                linear, relu, exp
    A = mask o exp((W_K H)^T (W_Q H)) / column sums    softmax; a column without a key is 0
    prediction = read_out  H[:, the tokens that are read]

The weights are computed exactly, in rationals, or in balls where they hold exponentials; only then is each rounded.
That the tokens are such a linear map of the prompt, that the weights do not depend on its data, and what is read out,
is found by probing the construction and then checked, exactly, on prompts at random (``numerics.dense_export``); a
construction that is otherwise is refused.

The names of the matrices are the keys of an exported file and of a PyTorch ``state_dict``:

    constant                                  (D, T)
    embedding.GROUP.SOURCE                    (D, rows of the source)
    layer_L.attention_I.head_J.W_K, W_Q       (r, D)    the key space, r rows
    layer_L.attention_I.head_J.W_V, P         (s, D), (D, s)
    layer_L.attention_I.head_J.mask           (T, T)    row: key, column: query; 0, 1 or the weight of the key
    layer_L.attention_I.head_J.factor         (1, 1)
    layer_L.token_map_I.A                     (D, D)
    layer_L.mlp_I.W_1, b_1, W_2, b_2          (h, D), (h, 1), (D, h), (D, 1)
    read_out                                  (rows of the prediction, D)

Layers L and parts of a layer I are counted from 0. A weight set that is looped is stored once; ``run`` says in which
order the sets are applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import arb

from constructions.block import Block, Entry, kind_of, materialised
from constructions.dense import DenseHead, dense_attention
from constructions.prompt import Prompt

SCORES = ("linear", "relu", "exp", "softmax")
"""The scores that a dense network may have."""

ACTIVATIONS = ("relu", "square")
"""The activations of its MLPs."""


@dataclass(frozen=True)
class DensePart:
    """A part of a layer: what is done with the matrices whose names begin with its own.

    Args:
        name: ``attention_I``, ``token_map_I`` or ``mlp_I``.
        skip: whether what it makes is added to the tokens, or takes their place.
        scores: of attention, one per head.
        activation: of an MLP, ``"relu"`` or ``"square"``.
    """

    name: str
    skip: bool = True
    scores: tuple[str, ...] = ()
    activation: str = ""

    @property
    def kind(self) -> str:
        """``"attention"``, ``"token_map"`` or ``"mlp"``."""
        return self.name.rpartition("_")[0]


@dataclass(frozen=True)
class DenseNetwork:
    """A network by its matrices.

    Args:
        sizes: n, d, m and the names of further sizes.
        slots: the rows of each slot of a token, in order.
        groups: the tokens of each group.
        positions: where the tokens of each group stand in the prompt, from 0.
        sources: the shape of each source, by name.
        layers: the parts of each weight set.
        run: the weight sets in the order in which they are applied.
        read: the tokens that are read, from 0.
        weights: the matrices by name, in one kind of number.
        about: what else is recorded in a file: the construction, its parameters, versions.
    """

    sizes: Mapping[str, int]
    slots: Mapping[str, int]
    groups: Mapping[str, int]
    positions: Mapping[str, tuple[int, ...]]
    sources: Mapping[str, tuple[int, int]]
    layers: tuple[tuple[DensePart, ...], ...]
    run: tuple[int, ...]
    read: tuple[int, ...]
    weights: Mapping[str, Any]
    about: Mapping[str, Any]

    @property
    def width(self) -> int:
        """D."""
        return sum(self.slots.values())

    @property
    def tokens(self) -> int:
        """T."""
        return sum(self.groups.values())

    def names(self) -> Iterator[str]:
        """The names of all matrices but those of the embedding."""
        yield from ("constant", "read_out")
        for number, parts in enumerate(self.layers):
            for part in parts:
                place = f"layer_{number}.{part.name}"
                if part.kind == "attention":
                    heads = (f"{place}.head_{head}" for head in range(len(part.scores)))
                    yield from (
                        f"{head}.{name}" for head in heads for name in ("W_K", "W_Q", "W_V", "P", "mask", "factor")
                    )
                else:
                    names = ("A",) if part.kind == "token_map" else ("W_1", "b_1", "W_2", "b_2")
                    yield from (f"{place}.{name}" for name in names)

    def map(self, function: Callable[[Any], Any]) -> DenseNetwork:
        """The network with ``function`` applied to every matrix."""
        return replace(self, weights={name: function(matrix) for name, matrix in self.weights.items()})

    def as_floats(self, dtype: Any = np.float64) -> DenseNetwork:
        """The network in NumPy arrays; each entry is rounded to float64, and from there to the dtype."""
        return self.map(lambda matrix: as_floats(matrix).astype(dtype))

    def __call__(self, X: Entry, Y: Entry, x_query: Entry, **extras: Entry) -> Entry:
        """The prediction, in the kind of number of the prompt; float weights count as the dyadic numbers that they are.

        Args:
            X: (d, n); floats may have batch dimensions in front, and then have the weights' dtype and library.
            Y: (m, n).
            x_query: (d, 1).
            extras: the further sources.

        Raises:
            ValueError: for shapes that are not those of the network, or another set of sources.
        """
        kind = kind_of(X)
        entries = {"X": X, "Y": Y, "x_query": x_query, **extras}
        prompt = Prompt(X, Y, x_query, tuple(extras.items())).lifted(kind)
        held = {"X": prompt.X, "Y": prompt.Y, "x_query": prompt.x_query, **dict(prompt.extras)}
        if {name: block.shape for name, block in held.items()} != dict(self.sources):
            shapes = {name: held[name].shape for name in entries}
            raise ValueError(f"the network was made for {dict(self.sources)}, but {shapes} came: export it anew")
        return self.prediction(self.after(self.embedded(held))).entry

    def embedded(self, sources: Mapping[str, Block]) -> Block:
        """The tokens before the first layer, (D, T)."""
        like = sources["X"]
        H = self._lifted("constant", like)
        for name in self.weights:
            if name.startswith("embedding."):
                _, group, source = name.split(".")
                H = H + self._lifted(name, like) @ sources[source] @ self._placed(self.positions[group], like).T
        return H

    def after(self, H: Block) -> Block:
        """The tokens after the last layer, (D, T)."""
        for number in self.run:
            for part in self.layers[number]:
                update = self._update(f"layer_{number}.{part.name}", part, H)
                H = H + update if part.skip else update
        return H

    def prediction(self, H: Block) -> Block:
        """What is read out of the tokens."""
        return self._lifted("read_out", H) @ (H @ self._placed(self.read, H))

    def _update(self, place: str, part: DensePart, H: Block) -> Block:
        def held(name: str) -> Block:
            return self._lifted(f"{place}.{name}", H)

        if part.kind == "token_map":
            return held("A") @ H
        if part.kind == "mlp":
            row = H.ones(1, H.columns)
            hidden = held("W_1") @ H + held("b_1") @ row
            return held("W_2") @ (hidden.relu() if part.activation == "relu" else hidden.square()) + held("b_2") @ row
        total = H.zeros(*H.shape)
        for number, score in enumerate(part.scores):
            head = DenseHead(*(held(f"head_{number}.{name}") for name in ("W_K", "W_Q", "W_V", "P")))
            update = dense_attention(H, head, held(f"head_{number}.mask"), score)
            total = total + update.hadamard(H.ones(H.rows, 1) @ held(f"head_{number}.factor") @ H.ones(1, H.columns))
        return total

    def _lifted(self, name: str, like: Block) -> Block:
        return materialised(type(like).lift(self.weights[name]), like)

    def _placed(self, positions: tuple[int, ...], like: Block) -> Block:
        """The 0/1 matrix, (T, tokens at these positions), that takes them out of the token matrix."""
        return like.fill(self.tokens, len(positions), lambda t, i: int(t == positions[i]))


def as_floats(matrix: Any) -> Any:
    """The matrix in float64, every entry rounded to nearest (of a ball its midpoint)."""
    array = np.asarray(matrix)
    if array.dtype != object:
        return array.astype(np.float64)
    return np.array([[_as_float(entry) for entry in row] for row in array], dtype=np.float64).reshape(array.shape)


def _as_float(entry: Any) -> float:
    if isinstance(entry, arb):
        return float(entry.mid())
    return int(entry.p) / int(entry.q)

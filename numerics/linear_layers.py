"""Stacks of linear attention layers by what matters of them, the products M and B; rescaled, interpolated, rolled out.

Symbols: L layers, n context tokens, d features, m targets, D = d + m; tokens (x; y); M, B (L, D, D), e a token (D, 1).

    e <- e + B_l (sum_i e_i e_i^T) M_l e     over the context tokens e_i; minus the y rows of the query predict

with M = W_K^T W_Q and B = P W_V (and any factor such as 1/n). (M / b, b B) is the same layer for every b != 0.

Reference: von Oswald et al. (2023), section 3 and appendix A.3; their code takes b from the first d diagonal entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions.attention import Head, Mask
from constructions.block import kind_of, materialised
from constructions.construction import Construction
from constructions.dense import products
from constructions.example_tokens import example_tokens
from constructions.layer import Attention, Layer
from constructions.parameters import lifted
from constructions.prompt import Prompt
from constructions.stages import layers_of
from constructions.stream import Stream
from constructions.weights import Weight
from numerics.alignment import Estimate, estimated, losses, validation_tasks
from numerics.tasks import Array, Sampled

_MASK = Mask(keys=("context",))
_TOKEN = Weight({("x", "x"): 1, ("y", "y"): 1})


@dataclass(frozen=True, eq=False)
class LinearLayers:
    """A network of linear attention layers of one head each; a predictor.

    Args:
        M, B: NumPy floats, (L, D, D), slot x first; L >= 1.
        d: the number of features, 1 <= d < D.

    Raises:
        TypeError: for anything but NumPy arrays of real floats.
        ValueError: for other shapes, or entries that are not finite.
    """

    M: Array
    B: Array
    d: int

    def __post_init__(self) -> None:
        for name, array in (("M", self.M), ("B", self.B)):
            if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
                raise TypeError(f"{name} must be a NumPy array of floats, but {type(array).__name__} came")
            if array.ndim != 3 or array.shape[0] < 1 or array.shape[1] != array.shape[2] or array.shape != self.M.shape:
                raise ValueError(
                    f"M and B must both be (layers, D, D), but {self.M.shape} and {self.B.shape} came; one layer is "
                    "M[None]"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, but NaN or infinity came")
        if not 1 <= self.d < self.M.shape[1]:
            raise ValueError(
                f"d = {self.d}: tokens of width {self.M.shape[1]} have 1 to {self.M.shape[1] - 1} features"
            )

    @property
    def depth(self) -> int:
        """L."""
        return int(self.M.shape[0])

    def __call__(self, X: Any, Y: Any, x_query: Any) -> Any:
        """The predictions, (..., m, 1)."""

        def predicted(*entries: Any) -> Any:
            *_, last = self.predictions_by_layer(*entries)
            return last

        return kind_of(X).in_batches(predicted, X, Y, x_query)

    def predictions_by_layer(self, X: Any, Y: Any, x_query: Any) -> Iterator[Any]:
        """What is read out before the first layer and after each layer."""
        prompt = Prompt(X, Y, x_query).lifted()
        if (prompt.d, prompt.d + prompt.m) != (self.d, self.M.shape[1]):
            raise ValueError(
                f"the layers are for d = {self.d} and m = {self.M.shape[1] - self.d}, but the prompt has d = "
                f"{prompt.d} and m = {prompt.m}"
            )
        stream = example_tokens(prompt)
        yield _read_out(stream, prompt)
        for M, B in zip(self.M, self.B, strict=True):
            head = Head(key=_TOKEN, query=self._weight(M, prompt), value=self._weight(B, prompt), mask=_MASK)
            stream = Layer(Attention(head))(stream)
            yield _read_out(stream, prompt)

    def _weight(self, matrix: Array, prompt: Prompt) -> Weight:
        rows = {"x": slice(None, self.d), "y": slice(self.d, None)}
        blocks = {(out, into): matrix[rows[out], rows[into]] for out in rows for into in rows}
        return Weight({slots: prompt.X.lift(block) for slots, block in blocks.items() if block.any()})


def _read_out(stream: Stream, prompt: Prompt) -> Any:
    predicted = materialised(-stream["y", "query"], prompt.X).entry
    return np.broadcast_to(predicted, (*prompt.X.batch, *predicted.shape[-2:]))


def linear_layers(construction: Construction, n: int, d: int, m: int = 1) -> LinearLayers:
    """The layers of a construction on tokens (x_i; y_i) and (x_query; 0) with one linear head each.

    Args:
        construction: with weights that are given; n enters where they have a factor such as eta / n.
        n, d, m: the sizes of the prompts that it is for.

    Raises:
        ValueError: if it starts from other tokens, has another kind of layer, or other slots than x and y.
    """
    rng = np.random.default_rng(0)
    X, Y, x_query = (rng.standard_normal(shape) for shape in ((d, n), (m, n), (d, 1)))
    prompt = Prompt(X, Y, x_query).lifted()
    held, plain = lifted(construction, type(prompt.X), prompt), example_tokens(prompt)
    stream = held.embed(prompt)
    if stream.slots != plain.slots or not np.array_equal(stream.dense().entry, plain.dense().entry):
        raise ValueError(
            f"{type(construction).__name__} does not start from the tokens (x_i; y_i) and (x_query; 0): only such "
            "networks are stacks of products M and B (for gradient descent leave W_0 out)"
        )
    pairs = [_products(layer, stream) for stage in held.stages(prompt) for layer in layers_of(stage)]
    if not pairs:
        raise ValueError(f"{type(construction).__name__} has no layers here; at least one is required")
    M, B = (np.stack(matrices) for matrices in zip(*pairs, strict=True))
    return LinearLayers(M, B, d)


def _products(layer: Any, stream: Stream) -> tuple[Array, Array]:
    parts = layer.sublayers if isinstance(layer, Layer) else ()
    heads = parts[0].heads if len(parts) == 1 and isinstance(parts[0], Attention) else ()
    if len(heads) != 1 or heads[0].score != "linear" or heads[0].mask != _MASK:
        raise ValueError(f"one linear head with the context as keys is required in each layer, but {layer!r} came")
    M, B = products(heads[0], stream)
    return M.entry, B.entry * float(heads[0].factor)


def rescaled(layers: LinearLayers, like: LinearLayers) -> LinearLayers:
    """The same network with the diagonal of each M as large as another's: (M / b, b B).

    b is the mean of the first d diagonal entries of M, over that of the other.

    Raises:
        ValueError: if the shapes differ, or the mean is 0 in a layer of either.
    """
    _require_alike(layers, like)
    ours, theirs = (np.trace(each.M[:, : each.d, : each.d], axis1=1, axis2=2) for each in (layers, like))
    if not (ours.all() and theirs.all()):
        raise ValueError(
            "the diagonal of M has the mean 0 in some layer, so that no rescaling makes the two equal: they cannot be "
            "interpolated"
        )
    b = (ours / theirs)[:, None, None]
    return LinearLayers(layers.M / b, layers.B * b, layers.d)


def interpolated(first: LinearLayers, second: LinearLayers, weight: float) -> LinearLayers:
    """(1 - weight) of the first and weight of the second, in M and in B; rescale one of them before.

    Raises:
        ValueError: if the shapes differ, or the weight is not in [0, 1].
    """
    _require_alike(first, second)
    if not 0 <= weight <= 1:
        raise ValueError(f"weight = {weight}: it must be in [0, 1], 0 for the first network and 1 for the second")
    M, B = ((1 - weight) * a + weight * b for a, b in ((first.M, second.M), (first.B, second.B)))
    return LinearLayers(M, B, first.d)


def _require_alike(first: LinearLayers, second: LinearLayers) -> None:
    if first.M.shape != second.M.shape or first.d != second.d:
        raise ValueError(
            f"networks of equal shape are required, but {first.M.shape}, d = {first.d} and {second.M.shape}, d = "
            f"{second.d} came"
        )


def rolled_out(layer: LinearLayers, steps: int, damping: float = 1.0) -> LinearLayers:
    """One layer, looped: damping times its update of the targets, the inputs frozen.

    Args:
        layer: of depth 1.
        steps: how often, >= 1.
        damping: > 0; 1, 0.875 and 0.75 in the paper.

    Raises:
        ValueError: for any of these out of range.
    """
    if layer.depth != 1:
        raise ValueError(f"a roll-out loops one layer, but {layer.depth} came")
    if steps < 1 or not damping > 0:
        raise ValueError(f"steps = {steps}, damping = {damping}: at least one step and a damping above 0 are required")
    B = damping * layer.B
    B[:, : layer.d] = 0
    return LinearLayers(np.repeat(layer.M, steps, axis=0), np.repeat(B, steps, axis=0), layer.d)


def losses_by_layer(layers: LinearLayers, tasks: Sampled) -> list[Estimate]:
    """The mean loss before the first layer and after each layer; infinite once it leaves the range of the floats."""
    held = validation_tasks(tasks)
    with np.errstate(over="ignore", invalid="ignore"):
        found = [estimated(losses(y, held)) for y in layers.predictions_by_layer(held.X, held.Y, held.x_query)]
    return [each if np.isfinite(each.mean) else Estimate(np.inf, np.nan) for each in found]

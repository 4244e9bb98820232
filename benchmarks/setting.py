"""A setting: the same prompts and weights for us and for PyTorch, and PyTorch's ways to run them.

Symbols: n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1) for a batch of B prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from benchmarks import dense_torch, rounding_bound
from benchmarks.by_hand import ByHand
from benchmarks.dense_torch import Layers
from benchmarks.networks import Network
from benchmarks.rounding_bound import Bounded
from constructions.construction import streams
from constructions.dense import dense_forward
from constructions.prompt import Prompt
from numerics.rounding import RoundedBlock
from numerics.tasks import LinearTask

PIECE = 256
"""Prompts in a piece of the batch, for PyTorch: at n = 40, d = 20 in float64 their tokens take 3.3 MiB in Newton."""


@dataclass(frozen=True)
class Contender:
    """One way to run the forward pass.

    Args:
        name: what it is.
        predict: the predictions for the whole batch, (B, m, 1), as a tensor.
        bounded: the prediction for the given number of prompts with its radius, as tensors.
        class_: "dense" or "by hand" for those against which a ratio is promised, all over the whole batch; else None.
    """

    name: str
    predict: Callable[[], Any]
    bounded: Callable[[int], Any]
    class_: str | None = None


@dataclass(frozen=True)
class Setting:
    """The same prompts and weights for us and for PyTorch.

    Args:
        network: what is run.
        prompt: the batch of prompts, in NumPy.
        device: where PyTorch runs.
    """

    network: Network
    prompt: Prompt
    device: str = "cpu"

    @classmethod
    def drawn(
        cls,
        network: Callable[..., Network],
        n: int,
        d: int,
        m: int,
        layers: int,
        batch: int,
        dtype: Any,
        **options: Any,
    ) -> Setting:
        """Gaussian prompts from seed 0."""
        task = LinearTask(n=n, d=d, m=m, dtype=dtype)
        return cls(network(n, d, m, layers), task.sample(0, batch).prompt, **options)

    def first(self, count: int) -> Prompt:
        """The first prompts of the batch."""
        return self.prompt.map(lambda entry: entry[:count])

    def ours(self) -> Any:
        """Our predictions."""
        return self.network.construction(self.prompt.X, self.prompt.Y, self.prompt.x_query)

    def tensor(self, array: Any) -> Any:
        """The NumPy array where PyTorch runs."""
        tensor = dense_torch.tensor(array)
        return tensor if self.device == "cpu" else tensor.to(self.device)

    def contenders(self) -> Iterator[Contender]:
        """PyTorch's ways: as printed, on pieces that fit the cache, reassociated, and by hand."""
        layers = dense_torch.layers_of(self.network.construction, self.first(1), self.tensor)
        H = self.tensor(next(dense_forward(self.network.construction, self.prompt)).entry)
        columns, rows = H.contiguous(), H.mT.contiguous()
        by_columns, by_rows = dense_torch.by_columns, dense_torch.by_rows
        yield self._dense("dense, tokens as columns", by_columns, columns, layers, class_="dense")
        yield self._dense("dense, tokens as rows", by_rows, rows, layers, class_="dense")
        if self.device == "cpu":
            in_pieces = f"dense, tokens as columns, {PIECE} prompts at a time"
            yield self._dense(in_pieces, by_columns, columns, layers, PIECE)
        yield self._dense("dense, tokens as rows, Q (K^T V)", dense_torch.reassociated, rows, layers)
        for written in self.network.hand_written:
            yield self._by_hand(written, len(columns))
            if self.device == "cpu" and PIECE < len(columns):
                yield self._by_hand(written, PIECE)

    def _dense(
        self,
        name: str,
        forward_pass: Callable[[Any, Layers], Any],
        tokens: Any,
        layers: Layers,
        size: int | None = None,
        class_: str | None = None,
    ) -> Contender:
        construction, sign = self.network.construction, self.network.sign
        is_by_rows = forward_pass is not dense_torch.by_columns
        slots = next(streams(construction, self.first(1))).slots
        first = sum(rows for _, rows in takewhile(lambda item: item[0] != "y", slots.items()))
        y, query = np.s_[first : first + slots["y"]], np.s_[-1:]
        place = (..., query, y) if is_by_rows else (..., y, query)

        def on_all() -> Any:
            import torch

            with torch.inference_mode():
                pieces = tokens.split(size or len(tokens))
                predictions = torch.cat([forward_pass(piece, layers)[place] for piece in pieces])
                return sign * (predictions.mT if is_by_rows else predictions)

        def bounded(count: int) -> Any:
            prompt = self.first(count).map(dense_torch.tensor).lifted(RoundedBlock)
            weights = dense_torch.layers_of(construction, prompt, Bounded.lift)
            H = Bounded(next(dense_forward(construction, prompt)))
            prediction = forward_pass(H.mT if is_by_rows else H, weights)[place]
            return (prediction.mT if is_by_rows else prediction) * sign

        return Contender(f"PyTorch: {name}", on_all, bounded, class_)

    def _by_hand(self, written: ByHand, size: int) -> Contender:
        import torch

        entries = self.prompt.X, self.prompt.Y, self.prompt.x_query
        tensors = [self.tensor(entry) for entry in entries]
        laid_out = [each.mT.contiguous() for each in tensors] if written.is_by_rows else tensors
        identity = torch.eye(self.prompt.X.shape[-2], dtype=tensors[0].dtype, device=tensors[0].device)
        run = partial(written.run, torch, identity)

        def on_all() -> Any:
            with torch.inference_mode():
                pieces = zip(*(each.split(size) for each in laid_out), strict=True)
                predictions = [run(*piece) for piece in pieces]
                prediction = predictions[0] if len(predictions) == 1 else torch.cat(predictions)
                return prediction.mT if written.is_by_rows else prediction

        def bounded(count: int) -> Any:
            lifted = [Bounded.lift(dense_torch.tensor(entry[:count])) for entry in entries]
            operands = [each.mT for each in lifted] if written.is_by_rows else lifted
            eye = Bounded.lift(torch.eye(self.prompt.X.shape[-2], dtype=tensors[0].dtype))
            prediction = (written.bounded or written.run)(rounding_bound, eye, *operands)
            return prediction.mT if written.is_by_rows else prediction

        name = f"PyTorch: by hand, {written.name}"
        if size < len(tensors[0]):
            return Contender(f"{name}, {size} prompts at a time", on_all, bounded)
        return Contender(name, on_all, bounded, "by hand")

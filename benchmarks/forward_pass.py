"""The forward pass of gradient descent, held against PyTorch with the same weights on the same cores.

Symbols: n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1) for a batch of B prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import dense_torch
from benchmarks.contention import contention
from benchmarks.dense_torch import Layers
from benchmarks.results import Section, Target, cores
from benchmarks.rounding_bound import Bounded
from benchmarks.timing import RUNS, Timing, interleaved, ratio
from constructions.construction import forward
from constructions.dense import dense_forward
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.rounding import RoundedBlock
from numerics.tasks import LinearTask

REQUIRED = 25
"""How many times as long the dense forward pass in PyTorch must take, at least."""

STEP = 1 / 20
"""The step size: the time does not depend on it, the rounding bound does, which grows by (1 + eta |X||X^T| / n)."""

PIECE = 256
"""Prompts in a piece of the batch, for PyTorch: at n = 40, d = 20 in float64 their tokens take 1.7 MiB."""

CHECKED = 8
"""The prompts of the batch for which a rounding bound is computed."""


@dataclass(frozen=True)
class Contender:
    """One way to run the forward pass.

    Args:
        name: what it is.
        predict: the predictions for the whole batch, (B, m, 1), as an array.
        bounded: the prediction for the given number of prompts with its radius, as tensors.
        decides: whether the promised ratio is against it: the passes over the whole batch with the full matrices.
    """

    name: str
    predict: Callable[[], Any]
    bounded: Callable[[int], Any]
    decides: bool = False


@dataclass(frozen=True)
class Setting:
    """The same prompts and weights for us and for PyTorch."""

    construction: GradientDescent
    prompt: Prompt

    @classmethod
    def drawn(cls, n: int, d: int, m: int, layers: int, batch: int, dtype: Any) -> Setting:
        """Gaussian prompts from seed 0."""
        task = LinearTask(n=n, d=d, m=m, dtype=dtype)
        return cls(GradientDescent(step_sizes=[STEP] * layers), task.sample(0, batch).prompt)

    @property
    def n(self) -> int:
        return self.prompt.X.shape[-1]

    @property
    def d(self) -> int:
        return self.prompt.X.shape[-2]

    def first(self, count: int) -> Prompt:
        """The first prompts of the batch."""
        return self.prompt.map(lambda entry: entry[:count])

    def ours(self) -> Any:
        """Our predictions."""
        return self.construction(self.prompt.X, self.prompt.Y, self.prompt.x_query)

    def contenders(self) -> Iterator[Contender]:
        """PyTorch's ways to run it: as printed, on pieces that fit the cache, reassociated, and by hand."""
        layers = dense_torch.layers_of(self.construction, self.first(1))
        H = dense_torch.tensor(next(dense_forward(self.construction, self.prompt)).entry)
        columns, rows = H.contiguous(), H.mT.contiguous()
        yield self._dense("dense, tokens as columns", dense_torch.by_columns, columns, layers, decides=True)
        yield self._dense("dense, tokens as rows", dense_torch.by_rows, rows, layers, decides=True)
        in_pieces = f"dense, tokens as columns, {PIECE} prompts at a time"
        yield self._dense(in_pieces, dense_torch.by_columns, columns, layers, PIECE)
        yield self._dense("dense, tokens as rows, Q (K^T V)", dense_torch.reassociated, rows, layers)
        for size in dict.fromkeys((len(columns), min(PIECE, len(columns)))):
            yield self._by_hand(size)

    def _dense(
        self,
        name: str,
        forward_pass: Callable[[Any, Layers], Any],
        tokens: Any,
        layers: Layers,
        size: int | None = None,
        decides: bool = False,
    ) -> Contender:
        is_by_rows = forward_pass is not dense_torch.by_columns
        place = np.s_[..., self.n :, self.d :] if is_by_rows else np.s_[..., self.d :, self.n :]

        def on_all() -> Any:
            import torch

            with torch.inference_mode():
                pieces = tokens.split(size or len(tokens))
                predictions = torch.cat([forward_pass(piece, layers)[place] for piece in pieces])
                return -(predictions.mT if is_by_rows else predictions).numpy()

        def bounded(count: int) -> Any:
            prompt = self.first(count).map(dense_torch.tensor).lifted(RoundedBlock)
            weights = dense_torch.layers_of(self.construction, prompt, Bounded.lift)
            H = Bounded(next(dense_forward(self.construction, prompt)))
            prediction = forward_pass(H.mT if is_by_rows else H, weights)[place]
            return -(prediction.mT if is_by_rows else prediction)

        return Contender(f"PyTorch: {name}", on_all, bounded, decides)

    def _by_hand(self, size: int) -> Contender:
        rates = dense_torch.rates_of(self.construction, self.n)
        floats = [float(rate) for rate in rates]
        tensors = [dense_torch.tensor(entry) for entry in (self.prompt.X, self.prompt.Y, self.prompt.x_query)]
        name = "PyTorch: by hand, nonzero blocks, (Y X^T) X"

        def on_all() -> Any:
            import torch

            with torch.inference_mode():
                return dense_torch.in_pieces(partial(dense_torch.by_hand, floats), size, *tensors).numpy()

        def bounded(count: int) -> Any:
            return dense_torch.by_hand(rates, *(Bounded.lift(each[:count]) for each in tensors))

        return Contender(f"{name}, {size} prompts at a time" if size < len(tensors[0]) else name, on_all, bounded)


def forward_pass(
    n: int = 40, d: int = 20, m: int = 1, layers: int = 12, batch: int = 4096, dtype: str = "float64", runs: int = RUNS
) -> Section:
    """Our forward pass and PyTorch's, timed in turn in one process, after a check that they agree."""
    import torch

    held_threads = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        setting = Setting.drawn(n, d, m, layers, batch, np.dtype(dtype))
        contenders = list(setting.contenders())
        agreement = {each.name: _agreement(setting, each, min(CHECKED, batch)) for each in contenders}
        with contention() as taken_by_others:
            timings = interleaved({"ours": setting.ours, **{each.name: each.predict for each in contenders}}, runs)
            others = _in_words(taken_by_others())
    finally:
        torch.set_num_threads(held_threads)
    rows = [{"forward pass": "ours (NumPy)", **timings["ours"].columns()}]
    for each in contenders:
        against = ratio(timings[each.name], timings["ours"])
        rows.append(
            {
                "forward pass": each.name,
                **timings[each.name].columns(),
                "ratio of medians": against.of_medians,
                "smallest ratio": against.smallest,
                "largest ratio": against.largest,
                **agreement[each.name],
            }
        )
    is_promised = (n, d, m, layers, batch, dtype) == (40, 20, 1, 12, 4096, "float64")
    return Section(
        f"forward_pass_{dtype}",
        f"Forward pass of {layers} gradient-descent layers, {dtype}",
        {"n": n, "d": d, "m": m, "layers": layers, "batch": batch, "dtype": dtype, "cores": cores(), "eta": STEP},
        rows,
        (
            "Ratios are PyTorch's time over ours. The bound is what rounding explains of the difference on the first "
            f"{min(CHECKED, batch)} prompts, ours and PyTorch's together. {others[0].upper()}{others[1:]}.",
        ),
        (*_agreement_targets(agreement, dtype), *(_ratio_targets(contenders, timings, others) if is_promised else ())),
    )


def _agreement(setting: Setting, contender: Contender, count: int) -> dict[str, Any]:
    """How far the two are apart, and how far rounding explains."""
    ours, theirs = setting.ours(), contender.predict()
    gap = np.abs(ours - theirs)
    radius = forward(setting.construction, setting.first(count).lifted(RoundedBlock)).entry.radius
    bound = radius + contender.bounded(count).radius.numpy()
    return {
        "largest difference": float(gap.max()),
        f"on the first {count}": float(gap[:count].max()),
        "bound there": float(bound.max()),
        "within the bound": bool((gap[:count] <= bound).all()),
    }


def _agreement_targets(agreement: dict[str, dict[str, Any]], dtype: str) -> tuple[Target, ...]:
    apart = [name for name, held in agreement.items() if not held["within the bound"]]
    measured = f"too far apart: {', '.join(apart)}" if apart else f"all {len(agreement)} do"
    return (Target(f"PyTorch's predictions in {dtype} equal ours within the rounding bound", measured, not apart),)


def _ratio_targets(contenders: list[Contender], timings: dict[str, Timing], others: str) -> tuple[Target, ...]:
    decisive = [each.name for each in contenders if each.decides]
    fastest = min(decisive, key=lambda name: timings[name].median)
    against = ratio(timings[fastest], timings["ours"])
    return (
        Target(
            f"the dense forward pass in PyTorch takes at least {REQUIRED} times as long as ours",
            f"{against.of_medians:.1f} times (single pairs {against.smallest:.1f} to {against.largest:.1f}); "
            f"{fastest}; {others}",
            against.of_medians >= REQUIRED,
        ),
    )


def _in_words(share: float | None) -> str:
    return "what other processes took is unknown" if share is None else f"other processes took {share:.1%} of the cores"

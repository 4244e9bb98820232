"""The forward pass, held against PyTorch with the same weights on the same cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.ceiling import products_alone
from benchmarks.contention import contention
from benchmarks.networks import Network
from benchmarks.results import Section, Target, cores
from benchmarks.setting import Contender, Setting
from benchmarks.timing import RUNS, Timing, interleaved, ratio
from constructions.construction import forward
from numerics.rounding import RoundedBlock

PROMISED = {"n": 40, "d": 20, "m": 1, "layers": 12, "batch": 4096, "dtype": "float64"}
"""The sizes for which ratios are promised."""

CHECKED = 8
"""The prompts of the batch for which a rounding bound is computed."""

OURS = "ours (NumPy)"
CEILING = "the products of matrices alone, in cache (NumPy)"


def forward_pass(
    network: Callable[..., Network] = networks.newton,
    n: int = 40,
    d: int = 20,
    m: int = 1,
    layers: int = 12,
    batch: int = 4096,
    dtype: str = "float64",
    runs: int = RUNS,
) -> Section:
    """Our forward pass and PyTorch's, timed in turn in one process, after a check that they agree."""
    import torch

    held_threads = torch.get_num_threads()
    torch.set_num_threads(cores())
    sizes = {"n": n, "d": d, "m": m, "layers": layers, "batch": batch, "dtype": dtype}
    try:
        setting = Setting.drawn(network, n, d, m, layers, batch, np.dtype(dtype))
        measured = setting.network
        contenders = list(setting.contenders())
        agreement = {each.name: agreement_of(setting, each, min(CHECKED, batch)) for each in contenders}
        functions: dict[str, Callable[[], Any]] = {OURS: setting.ours}
        functions |= {each.name: each.predict for each in contenders}
        if measured.products:
            functions[CEILING] = products_alone(measured.products, batch, np.dtype(dtype))
        with contention() as taken_by_others:
            timings = interleaved(functions, runs)
            others = _in_words(taken_by_others())
    finally:
        torch.set_num_threads(held_threads)
    rows = [
        {
            "forward pass": name,
            **timing.columns(),
            **(ratio_columns(timing, timings[OURS]) if name != OURS else {}),
            "GFLOP/s": batch * measured.operations / timing.median / 1e9,
            **agreement.get(name, {}),
        }
        for name, timing in timings.items()
    ]
    return Section(
        f"forward_pass_{measured.name}_{dtype}",
        f"Forward pass of {measured.title}, {dtype}",
        {**sizes, "cores": cores(), **measured.parameters},
        rows,
        (
            "Ratios are PyTorch's time over ours. The bound is what rounding explains of the difference on the first "
            f"{min(CHECKED, batch)} prompts, ours and PyTorch's together; it must also tell the network with a layer "
            "less. GFLOP/s are the operations of the network's matrix products over the time. PyTorch's passes over "
            "the whole batch count; those in pieces, which stay in the cache as ours do, are printed beside them. "
            f"{others[0].upper()}{others[1:]}.",
        ),
        (
            *agreement_targets(agreement, f"{measured.title} in {dtype}"),
            *(ratio_targets(measured, contenders, timings, others) if sizes == PROMISED else ()),
        ),
    )


def agreement_of(setting: Setting, contender: Contender, count: int, ours: Any = None) -> dict[str, Any]:
    """How far the two are apart, and how far rounding explains.

    Args:
        setting: what both run.
        contender: PyTorch's way.
        count: for how many prompts the bound is computed.
        ours: our predictions, in NumPy; by default computed here.
    """
    ours = setting.ours() if ours is None else ours
    gap = np.abs(ours - contender.predict().cpu().numpy())
    prompt = setting.first(count).lifted(RoundedBlock)
    radius = forward(setting.network.construction, prompt).entry.radius
    bound = radius + contender.bounded(count).radius.numpy()
    shortened = np.abs(forward(setting.network.shortened, setting.first(count)).entry - ours[:count])
    return {
        "largest difference": float(gap.max()),
        f"on the first {count}": float(gap[:count].max()),
        "bound there": float(bound.max()),
        "within the bound": bool((gap[:count] <= bound).all()),
        "tells a layer less": bool((shortened > bound).any()),
    }


def ratio_columns(timing: Timing, ours: Timing) -> dict[str, float]:
    """How many times as long it took as ours, as columns of a table."""
    against = ratio(timing, ours)
    return {
        "ratio of medians": against.of_medians,
        "smallest ratio": against.smallest,
        "largest ratio": against.largest,
    }


def agreement_targets(agreement: Mapping[str, Mapping[str, Any]], what: str) -> tuple[Target, ...]:
    """The promise that PyTorch's predictions equal ours, decided."""
    apart = [name for name, held in agreement.items() if not held["within the bound"]]
    vague = [name for name, held in agreement.items() if not held["tells a layer less"]]
    measured = f"all {len(agreement)} do"
    if apart or vague:
        measured = f"too far apart: {', '.join(apart) or 'none'}; bound too wide: {', '.join(vague) or 'none'}"
    claim = f"PyTorch's predictions of {what} equal ours within a rounding bound that tells a layer less"
    return (Target(claim, measured, not apart and not vague),)


def ratio_targets(
    network: Network, contenders: Sequence[Contender], timings: Mapping[str, Timing], others: str
) -> tuple[Target, ...]:
    """The promised ratios, decided by PyTorch's fastest pass of each class over the whole batch."""
    targets = []
    for class_, required in network.required.items():
        held = [each.name for each in contenders if each.class_ == class_]
        fastest = min(held, key=lambda name: timings[name].median)
        against = ratio(timings[fastest], timings[OURS])
        targets.append(
            Target(
                f"{network.title}: PyTorch {class_} takes at least {required:g} times as long as ours",
                f"{against.of_medians:.2f} times (single pairs {against.smallest:.2f} to {against.largest:.2f}); "
                f"{fastest}; {others}",
                against.of_medians >= required,
            )
        )
    return tuple(targets)


def _in_words(share: float | None) -> str:
    return "what other processes took is unknown" if share is None else f"other processes took {share:.1%} of the cores"

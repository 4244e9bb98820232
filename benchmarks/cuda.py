"""Newton's forward pass on a CUDA device: ours on CuPy, PyTorch's ways there, and the device's own ceilings.

Symbols: n context tokens, d features, m targets, B prompts, k layers. A layer of Newton reads the x and u slots and
writes the u slot, so that a kernel which reads and writes everything once a layer moves 3 B k d n numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.forward_pass import agreement_of, agreement_targets, ratio_columns
from benchmarks.results import Section
from benchmarks.setting import Setting
from benchmarks.timing import RUNS, interleaved
from numerics.device import NoDevice, on_device, require_device

SECTION = "cuda"
TITLE = "Newton's forward pass on a CUDA device"
OURS = "ours (CuPy)"
CHECKED = 8


def on_cuda(
    n: int = 40, d: int = 20, m: int = 1, layers: int = 12, batch: int = 65536, dtype: str = "float64", runs: int = RUNS
) -> Section:
    """Ours on CuPy and PyTorch's passes, synchronised, beside what the device copies and multiplies at best."""
    reason = missing()
    if reason is not None:
        return Section(SECTION, TITLE, {}, (), (f"Not run: {reason}.",))
    import cupy
    import torch

    setting = Setting.drawn(networks.newton, n, d, m, layers, batch, np.dtype(dtype), device="cuda")
    network, prompt = setting.network, setting.prompt.map(on_device)
    source, square = cupy.ones(1 << 27, dtype), cupy.ones((8192, 8192), dtype)
    target = cupy.empty_like(source)
    moved = batch * 3 * layers * d * n * np.dtype(dtype).itemsize

    def synchronised(function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            result = function()
            cupy.cuda.Device().synchronize()
            torch.cuda.synchronize()
            return result

        return run

    def ours() -> Any:
        return network.construction(prompt.X, prompt.Y, prompt.x_query)

    contenders = list(setting.contenders())
    predictions = ours().get()
    checked = min(CHECKED, batch)
    agreement = {each.name: agreement_of(setting, each, checked, predictions) for each in contenders}
    functions = {
        OURS: ours,
        **{each.name: each.predict for each in contenders},
        "ceiling: copy": lambda: cupy.copyto(target, source),
        "ceiling: matrix product": lambda: square @ square,
    }
    timings = interleaved({name: synchronised(function) for name, function in functions.items()}, runs)
    work: dict[str, tuple[int | None, int | None]] = {
        "ceiling: copy": (2 * source.nbytes, None),
        "ceiling: matrix product": (None, 2 * 8192**3),
    }
    rows = []
    for name, timing in timings.items():
        moves, operations = work.get(name, (moved, batch * network.operations))
        rows.append(
            {
                "on the device": name,
                **timing.columns(),
                "GB/s": None if moves is None else moves / timing.median / 1e9,
                "GFLOP/s": None if operations is None else operations / timing.median / 1e9,
                **(ratio_columns(timing, timings[OURS]) if name in agreement else {}),
                **agreement.get(name, {}),
            }
        )
    return Section(
        SECTION,
        TITLE,
        {"n": n, "d": d, "m": m, "layers": layers, "batch": batch, "dtype": dtype, **network.parameters},
        rows,
        (
            "Ratios are PyTorch's time over ours. Each pass is credited with the operations of the network's matrix "
            "products, and with the bytes of a kernel that reads the x and u slots and writes the u slot once a layer.",
        ),
        agreement_targets(agreement, f"{network.title} in {dtype} on the device"),
    )


def missing() -> str | None:
    """Why this cannot be run here, or None."""
    try:
        require_device()
    except NoDevice as error:
        return str(error)
    try:
        import torch
    except ImportError as error:
        return f"PyTorch cannot be imported ({error})"
    return None if torch.cuda.is_available() else f"PyTorch {torch.__version__} finds no CUDA device"

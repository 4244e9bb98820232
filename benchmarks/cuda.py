"""The forward pass of gradient descent on a CUDA device: ours on CuPy, dense on PyTorch, and the device's own ceilings.

Symbols: n context tokens, d features, m targets, B prompts, k layers. The least that k layers take is
B k (4 m n d + 2 m d) operations, and B k |X| bytes, for a kernel that reads X once a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import dense_torch
from benchmarks.forward_pass import Setting
from benchmarks.results import Section
from benchmarks.timing import RUNS, interleaved, ratio
from constructions.dense import dense_forward
from numerics.device import NoDevice, on_device, require_device

SECTION = "cuda"
TITLE = "Forward pass on a CUDA device"


def on_cuda(
    n: int = 40, d: int = 20, m: int = 1, layers: int = 12, batch: int = 65536, dtype: str = "float64", runs: int = RUNS
) -> Section:
    """Ours on CuPy and PyTorch's dense pass, synchronised, beside what the device copies and multiplies at best."""
    reason = missing()
    if reason is not None:
        return Section(SECTION, TITLE, {}, (), (f"Not run: {reason}.",))
    import cupy
    import torch

    setting = Setting.drawn(n, d, m, layers, batch, np.dtype(dtype))
    prompt = setting.prompt.map(on_device)
    H = torch.from_numpy(next(dense_forward(setting.construction, setting.prompt)).entry).cuda()
    weights = dense_torch.layers_of(
        setting.construction, setting.first(1), lambda array: torch.from_numpy(array).cuda()
    )
    source, square = cupy.ones(1 << 27, dtype), cupy.ones((8192, 8192), dtype)
    target = cupy.empty_like(source)
    operations = batch * layers * (4 * m * n * d + 2 * m * d)
    moved = batch * layers * d * n * np.dtype(dtype).itemsize

    def synchronised(function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            result = function()
            cupy.cuda.Device().synchronize()
            torch.cuda.synchronize()
            return result

        return run

    def dense() -> Any:
        with torch.inference_mode():
            return -dense_torch.by_columns(H, weights)[..., d:, n:]

    def ours() -> Any:
        return setting.construction(prompt.X, prompt.Y, prompt.x_query)

    gap = float(np.abs(ours().get() - dense().cpu().numpy()).max())
    functions = {
        "ours (CuPy)": ours,
        "PyTorch: dense, tokens as columns": dense,
        "ceiling: copy": lambda: cupy.copyto(target, source),
        "ceiling: matrix product": lambda: square @ square,
    }
    timings = interleaved({name: synchronised(function) for name, function in functions.items()}, runs)
    work = {
        "ours (CuPy)": (moved, operations),
        "ceiling: copy": (2 * source.nbytes, None),
        "ceiling: matrix product": (None, 2 * 8192**3),
    }
    rows = []
    for name, timing in timings.items():
        moves, multiplies = work.get(name, (None, None))
        rows.append(
            {
                "on the device": name,
                **timing.columns(),
                "GB/s": None if moves is None else moves / timing.median / 1e9,
                "GFLOP/s": None if multiplies is None else multiplies / timing.median / 1e9,
            }
        )
    against = ratio(timings["PyTorch: dense, tokens as columns"], timings["ours (CuPy)"])
    return Section(
        SECTION,
        TITLE,
        {"n": n, "d": d, "m": m, "layers": layers, "batch": batch, "dtype": dtype},
        rows,
        (
            f"PyTorch's dense pass takes {against.of_medians:.1f} times as long as ours (single pairs "
            f"{against.smallest:.1f} to {against.largest:.1f}); the largest difference is {gap:.3g}. Ours is credited "
            "with the least bytes and operations that its layers need.",
        ),
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

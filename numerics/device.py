"""The CUDA device: whether there is one, and constructions and prompts moved onto it.

CuPy, an extra, is imported by the functions here and only when they are called.
"""

from __future__ import annotations

import warnings
from numbers import Number
from typing import Any

import numpy as np

from constructions.parameters import Repeated, map_parameters, parameters

EXTRAS = "icl-theory[cuda12] or icl-theory[cuda13], whichever fits the CUDA driver"


class NoDevice(RuntimeError):
    """CuPy is not installed, or it cannot compute on a CUDA device."""


def require_device() -> None:
    """Nothing, if CuPy can compute on a CUDA device here; it computes a little to find out.

    Raises:
        NoDevice: if it cannot; the message says what to install.
    """
    with warnings.catch_warnings():
        # What CuPy warns of while it looks for CUDA, such as an unset CUDA_PATH, stops nobody.
        warnings.simplefilter("ignore")
        try:
            import cupy
        except ImportError as error:
            raise NoDevice(f"CuPy cannot be imported ({_first_line(error)}): install {EXTRAS}") from error
        try:
            total = cupy.arange(3).sum().item()
        except Exception as error:  # missing drivers, devices and compilers each raise a class of their own
            raise NoDevice(
                f"CuPy {cupy.__version__} cannot compute on a CUDA device ({_first_line(error)}): use a machine with "
                f"an NVIDIA GPU and its driver, and install {EXTRAS}"
            ) from error
    if total != 3:
        raise NoDevice(f"CuPy {cupy.__version__} computes 0 + 1 + 2 = {total} on this device: install {EXTRAS}")


def device_name() -> str:
    """The name of the CUDA device in use, such as "NVIDIA H200".

    Raises:
        NoDevice: as for ``require_device``.
    """
    require_device()
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"]
    return name.decode() if isinstance(name, bytes) else str(name)


def free_bytes(array: Any) -> int:
    """How much of the memory of a CuPy array's device CuPy can still take.

    That is what the device has free and what CuPy's memory pool holds without using it, within the pool's limit.
    """
    import cupy

    with array.device:
        pool = cupy.get_default_memory_pool()
        on_the_device, _ = cupy.cuda.runtime.memGetInfo()
        unused = on_the_device + pool.free_bytes()
        limit = pool.get_limit()
        return int(min(unused, limit - pool.used_bytes()) if limit else unused)


def on_device(value: Any) -> Any:
    """The value on the CUDA device: what is a NumPy array becomes a CuPy array, numbers stay as they are.

    Args:
        value: a NumPy or CuPy array, a number, None, a sequence of such values (it becomes a tuple), one value
            ``Repeated`` in every layer, or a construction, whose declared parameters are moved. A prompt is moved
            by ``prompt.map(on_device)``.

    Raises:
        TypeError: for an array of no device's dtype (objects), and for anything else.
    """
    import cupy

    if value is None or isinstance(value, (Number, cupy.ndarray)):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            raise TypeError("an array of objects cannot be moved to a CUDA device: pass an array of floats")
        return cupy.asarray(value)
    if isinstance(value, Repeated):
        return Repeated(on_device(value.value), value.depth)
    if isinstance(value, (tuple, list)):
        return tuple(on_device(part) for part in value)
    if hasattr(value, "__dataclass_fields__") and parameters(value):
        return map_parameters(value, lambda held, _: on_device(held))
    raise TypeError(
        f"a {type(value).__name__} cannot be moved to a CUDA device: pass a NumPy array, a number, or a construction"
    )


def _first_line(error: Exception) -> str:
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)

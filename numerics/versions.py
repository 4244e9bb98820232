"""Versions: of Python and of the libraries, as reports and records of runs name them."""

from __future__ import annotations

import platform
from importlib import metadata

LIBRARIES = ("numpy", "scipy", "sympy", "python-flint", "hypothesis", "cupy", "icl-theory")
"""The distributions whose versions a report names."""


def versions() -> dict[str, str | None]:
    """The versions of Python and of the libraries; null for one that is not installed."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def version(name: str) -> str | None:
    """The installed version of a distribution; CuPy has one for each CUDA."""
    for distribution in (name, "cupy-cuda12x", "cupy-cuda13x") if name == "cupy" else (name,):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return None

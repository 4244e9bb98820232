"""``python -m benchmarks``: measure everything, print it, and write it under ``benchmarks/results/``.

Exit codes: 0 if every promise is kept, 1 if one is not, 2 if PyTorch or Matplotlib is missing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.cuda import on_cuda
from benchmarks.exact_kinds import exact_kinds
from benchmarks.forward_pass import forward_pass
from benchmarks.growth import growth
from benchmarks.networks import gradient_descent
from benchmarks.proving import symbolic_proofs, verification
from benchmarks.results import FOLDER, Section, written

SECTIONS: dict[str, Callable[[], Section]] = {
    "Newton in float64": forward_pass,
    "Newton in float32": lambda: forward_pass(dtype="float32", runs=3),
    "gradient descent in float64": lambda: forward_pass(gradient_descent, runs=5),
    "growth": growth,
    "exact rationals and balls": exact_kinds,
    "symbolic proofs": symbolic_proofs,
    "icl verify": verification,
    "CUDA": on_cuda,
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code, after everything has been measured, printed and written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what the project promises.")
    parser.add_argument("--output", type=Path, default=FOLDER, help="the folder of the results (%(default)s)")
    arguments = parser.parse_args(argv)
    for name, module, extra in (("PyTorch", "torch", "torch"), ("Matplotlib", "matplotlib", "plots")):
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"{name} cannot be imported ({error}): install icl-theory[{extra}]", file=sys.stderr)
            return 2
    sections = []
    for name, measured in SECTIONS.items():
        start = time.perf_counter()
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        sections.append(measured())
        print(sections[-1].markdown(), end="\n\n", flush=True)
        print(f"measured in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    for path in written(sections, arguments.output):
        print(f"written: {path}")
    targets = [target for section in sections for target in section.targets]
    print(*targets, sep="\n")
    return 0 if all(target.met for target in targets) else 1


if __name__ == "__main__":
    sys.exit(main())

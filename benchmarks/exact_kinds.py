"""Exact rationals and balls: seconds per instance."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

from benchmarks.results import Section, Target
from benchmarks.timing import RUNS, interleaved
from constructions.block import Block
from constructions.construction import forward
from constructions.gradient_descent import GradientDescent
from constructions.prompt import Prompt
from numerics.balls import BallBlock, precision
from numerics.check import check
from numerics.instances import rational_prompt
from numerics.rationals import RationalBlock
from numerics.tasks import LinearTask

BITS = 128
REQUIRED = 1.0
"""Seconds per exact instance, at most."""


def exact_kinds(n: int = 20, d: int = 10, m: int = 1, layers: int = 5, runs: int = RUNS) -> Section:
    """Seconds per instance: the forward pass, and the whole check of the instance against its invariant."""
    construction = GradientDescent(step_sizes=[Fraction(1, 20)] * layers)
    small = rational_prompt(0, n, d, m)
    dyadic = LinearTask(n=n, d=d, m=m).sample(0).prompt
    instances: dict[str, tuple[Prompt, type[Block]]] = {
        "rationals, integers over 1 or 2": (small, RationalBlock),
        "rationals, Gaussian floats taken exactly": (dyadic, RationalBlock),
        f"balls of {BITS} bits, Gaussian floats": (dyadic, BallBlock),
    }
    functions: dict[str, Callable[[], Any]] = {}
    for name, (prompt, kind) in instances.items():
        functions[f"{name}: forward pass"] = partial(_forward, construction, prompt, kind)
        functions[f"{name}: whole check"] = partial(_check, construction, prompt, kind)
    timings = interleaved(functions, runs)
    exact = {name: timing for name, timing in timings.items() if name.startswith("rationals")}
    slowest = max(exact, key=lambda name: exact[name].median)
    target = Target(
        f"an exact instance takes less than {REQUIRED:g} s at n = {n}, d = {d} and {layers} layers",
        f"{exact[slowest].median:.3f} s ({slowest})",
        exact[slowest].median < REQUIRED,
    )
    return Section(
        "exact_kinds",
        "Exact rationals and balls",
        {"n": n, "d": d, "m": m, "layers": layers, "eta": "1/20"},
        [{"instance": name, **timing.columns()} for name, timing in timings.items()],
        ("The whole check: the base, every step, the read-out, and the network against the algorithm end to end.",),
        (target,) if (n, d, layers) == (20, 10, 5) else (),
    )


def _forward(construction: GradientDescent, prompt: Prompt, kind: type[Block]) -> Block:
    with precision(BITS):
        return forward(construction, prompt.lifted(kind))


def _check(construction: GradientDescent, prompt: Prompt, kind: type[Block]) -> None:
    with precision(BITS):
        report = check(construction, prompt, kind=kind)
    if not report.holds:
        raise AssertionError(f"the check must hold before its time counts: {report.failure}")

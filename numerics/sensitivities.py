"""Sensitivities: the derivative of a prediction with respect to the query's input, the context held fixed.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1); G (B, m, d);
e_j the j-th unit vector of the features, f(x) = predict(X, Y, x), eps the spacing of the predictions' dtype at 1.

    G[:, :, j] = d f / d x[j] at x_query

    probing      (f(s e_j) - f(0)) / s             for f affine in x: no truncation, rounding alone
    differences  (4 D(h/2) - D(h)) / 3,  D(h) = (f(x_query + h e_j) - f(x_query - h e_j)) / 2 h

s is the power of two nearest to the root mean square of the task's x_query (1 if that is 0), and h = s eps^(1/5), a
power of two as well.

Reference: von Oswald et al. (2023), section 3: the sensitivities of which they take differences and cosines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_compat

from numerics.predictors import Predict, predictions

METHODS = ("probing", "differences")


@dataclass(frozen=True, eq=False)
class Sensitivities:
    """The sensitivities of a predictor on a batch of tasks.

    Args:
        G: d prediction / d x_query, (B, m, d), float64.
        error: an estimate of the largest error in each task's G, (B,); no bound. Probing: by how much f misses
            superposition at x_query, |f(x_query) - f(0) - G x_query| / s. Differences: by how much the finer quotient
            is corrected, |G - D(h/2)|, and what rounding once makes of it, 3 eps (|f| + |G| |x_query|) / h.
        method: "probing" or "differences".
    """

    G: Any
    error: Any
    method: str


def sensitivities(
    predict: Predict, X: Any, Y: Any, x_query: Any, method: str | None = None, *, name: str = "predict"
) -> Sensitivities:
    """How the predictions depend on the queries.

    Args:
        predict: a predictor, see ``numerics.predictors``; called d + 2 times to probe, 4 d times for differences.
        X, Y, x_query: a batch of prompts, (B, d, n), (B, m, n), (B, d, 1).
        method: "probing" for a predictor that is affine in the query, as linear attention and every step of gradient
            descent is; "differences" for any that is differentiable there; None probes, and takes differences if
            probing shows that it is not affine to the accuracy that differences could reach, eps^(4/5).
        name: what messages call the predictor.

    Raises:
        PredictorFailed, TypeError, ValueError: as for ``predictions``; the message says which queries were probed.
        ValueError: for an unknown method.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"method = {method!r}: it must be one of {', '.join(map(repr, METHODS))}, or None to choose")

    def f(x: Any, at: str = "") -> Any:
        return predictions(predict, X, Y, x, at=at, name=name)

    s = _powers_of_two(x_query)
    if method != "differences":
        probed, is_affine = _probed(f, x_query, s)
        if method == "probing" or is_affine:
            return probed
    return _differenced(f, x_query, s)


def _probed(f: Callable[..., Any], x_query: Any, s: Any) -> tuple[Sensitivities, bool]:
    """The sensitivities by probing, and whether superposition holds to eps^(4/5) of the terms that it adds."""
    xp = array_api_compat.array_namespace(x_query)
    zero, way_out = xp.zeros_like(x_query), "to probe linearity; method='differences' stays near the queries"
    at_query, base = f(x_query), f(zero, f"all 0, {way_out}")
    probes = (_moved(zero, j, s) for j in range(x_query.shape[-2]))
    images = [f(probe, f"a multiple of one unit vector, {way_out}") for probe in probes]
    value, offset, x = _double(at_query), _double(base), _double(x_query)
    G = (_double(xp.concat(images, axis=-1)) - offset) / s
    missed = xp.abs(value - offset - xp.matmul(G, x))
    terms = xp.abs(value) + xp.abs(offset) + xp.matmul(xp.abs(G), xp.abs(x))
    is_affine = bool(xp.all(missed <= float(xp.finfo(at_query.dtype).eps) ** 0.8 * terms))
    return Sensitivities(G, xp.max(missed / s, axis=(-2, -1)), "probing"), is_affine


def _differenced(f: Callable[..., Any], x_query: Any, s: Any) -> Sensitivities:
    """The sensitivities by central differences at two steps, extrapolated."""
    xp = array_api_compat.array_namespace(x_query)
    value = f(x_query)
    eps = float(xp.finfo(value.dtype).eps)
    h = s * 2.0 ** round(math.log2(eps) / 5)

    def quotient(j: int, step: Any) -> Any:
        above, below = _moved(x_query, j, step), _moved(x_query, j, -step)
        # What rounding has left of the steps, not what was meant.
        taken = _double(above[..., j : j + 1, :]) - _double(below[..., j : j + 1, :])
        after, before = (_double(f(x, "moved by a small step")) for x in (above, below))
        return (after - before) / taken

    coarse, fine = (xp.concat([quotient(j, step) for j in range(x_query.shape[-2])], axis=-1) for step in (h, h / 2))
    G = (4 * fine - coarse) / 3
    rounding = 3 * eps * (xp.abs(_double(value)) + xp.matmul(xp.abs(G), xp.abs(_double(x_query)))) / h
    return Sensitivities(G, xp.max(xp.abs(G - fine) + rounding, axis=(-2, -1)), "differences")


def _powers_of_two(x_query: Any) -> Any:
    """For each task the power of two nearest to the root mean square of its query, (B, 1, 1)."""
    xp = array_api_compat.array_namespace(x_query)
    size = xp.sqrt(xp.mean(_double(x_query) ** 2, axis=(-2, -1), keepdims=True))
    return 2.0 ** xp.round(xp.log2(xp.where(size > 0, size, xp.ones_like(size))))


def _moved(x: Any, j: int, step: Any) -> Any:
    """x + step e_j, for a step of each task."""
    xp = array_api_compat.array_namespace(x)
    moved = xp.asarray(x, copy=True)
    moved[..., j, :] += xp.astype(step[..., 0, :], x.dtype)
    return moved


def _double(array: Any) -> Any:
    xp = array_api_compat.array_namespace(array)
    return xp.astype(array, xp.float64)

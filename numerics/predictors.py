"""Predictors: whatever predicts a query from a context, arrays in and an array out, under one contract.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1).

    predict(X, Y, x_query) -> (B, m, 1)

A predictor always sees a batch: fresh copies of arrays of one library (NumPy, or CuPy for tasks on a CUDA device) and
one float dtype. It returns floats of that library; the prediction for a task may depend on that task alone. Nothing
else is asked, so that it may wrap a model of PyTorch or JAX. A ``Construction`` is a predictor; ``algorithm`` makes one
of the algorithm that it is claimed to run, ``one_by_one`` one of a function of a single prompt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import array_api_compat

from constructions.block import materialised
from constructions.construction import Construction, iterates
from constructions.parameters import lifted
from constructions.prompt import Prompt

Predict: TypeAlias = Callable[[Any, Any, Any], Any]
"""(X, Y, x_query) -> predictions: (B, d, n), (B, m, n), (B, d, 1) -> (B, m, 1)."""


class PredictorFailed(RuntimeError):
    """A predictor raised an exception of its own, which is the cause of this one."""


def one_by_one(predict_one: Predict) -> Predict:
    """The predictor that runs a function of one prompt, (d, n), (m, n), (d, 1) -> (m, 1), on task after task."""

    def predict(X: Any, Y: Any, x_query: Any) -> Any:
        xp = array_api_compat.array_namespace(X)
        return xp.stack([predict_one(X[i, ...], Y[i, ...], x_query[i, ...]) for i in range(X.shape[0])])

    return predict


def algorithm(construction: Construction) -> Predict:
    """The predictor that runs a construction's algorithm, its plain steps, in place of its layers."""

    def predict(X: Any, Y: Any, x_query: Any) -> Any:
        prompt = Prompt(X, Y, x_query).lifted()
        *_, last = iterates(construction, prompt)
        held = lifted(construction, type(prompt.X), prompt)
        predicted = materialised(held.predict(last, prompt), prompt.X).entry
        xp = array_api_compat.array_namespace(X)
        return xp.broadcast_to(predicted, (*X.shape[:-2], *predicted.shape[-2:]))

    return predict


def predictions(predict: Predict, X: Any, Y: Any, x_query: Any, at: str = "", name: str = "predict") -> Any:
    """What a predictor returns, its contract checked; in its own float dtype.

    Args:
        predict: the predictor.
        X, Y, x_query: one batch of prompts; the predictor sees copies.
        at: what the queries are, for messages, where they are not those of the tasks.
        name: what messages call the predictor.

    Returns:
        (B, m, 1), finite.

    Raises:
        PredictorFailed: if the predictor raises.
        TypeError: if it returns no array of floats of the library of X.
        ValueError: if it returns another shape, or values that are not finite.
    """
    xp = array_api_compat.array_namespace(X, Y, x_query)
    copies = [xp.asarray(array, copy=True) for array in (X, Y, x_query)]
    shapes = f"X {tuple(X.shape)}, Y {tuple(Y.shape)}, x_query {tuple(x_query.shape)}{f' ({at})' if at else ''}"
    try:
        result = predict(*copies)
    except Exception as error:
        raise PredictorFailed(
            f"{name} raised {type(error).__name__}: {error}; it was called with {shapes}, "
            f"{X.dtype}, and must return {_wanted(Y)}"
        ) from error
    _require_floats(result, xp, name)
    wanted = (*Y.shape[:-1], 1)
    if tuple(result.shape) != wanted:
        raise ValueError(
            f"{name} returned shape {tuple(result.shape)} for {shapes}, but {_wanted(Y)} is required: "
            f"{_advice(tuple(result.shape), wanted)}"
        )
    finite = xp.all(xp.isfinite(result), axis=(-2, -1))
    if not bool(xp.all(finite)):
        count = finite.shape[0]
        bad = [i for i in range(count) if not bool(finite[i])]
        raise ValueError(
            f"{name} returned NaN or infinity for {len(bad)} of {count} tasks, the first of them task {bad[0]}, "
            f"for {shapes}: a model that diverges there cannot be measured; leave such tasks out"
        )
    # A copy: a predictor may return the same buffer from call to call.
    return xp.asarray(result, copy=True)


def _wanted(Y: Any) -> str:
    return f"(tasks, targets, 1) = {(*Y.shape[:-1], 1)}"


def _require_floats(result: Any, xp: Any, name: str) -> None:
    if not array_api_compat.is_array_api_obj(result) or array_api_compat.array_namespace(result) != xp:
        library = xp.__name__.removeprefix("array_api_compat.")
        raise TypeError(
            f"{name} returned a {type(result).__module__}.{type(result).__name__}, but an array of {library}, the "
            "library of X, is required: convert it, with .detach().cpu().numpy() from PyTorch or numpy.asarray from JAX"
        )
    if not xp.isdtype(result.dtype, "real floating"):
        raise TypeError(f"{name} returned dtype {result.dtype}, but real floats are required")


def _advice(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What most likely is to be done about a wrong shape."""
    if shape == wanted[:-1] or (wanted[-2] == 1 and shape == wanted[:-2]):
        return "add the missing axes, with [..., None]"
    if len(shape) == len(wanted) and shape[0] == wanted[0] and shape[1:] != wanted[1:]:
        return "return the prediction for the query alone, one row per target and one column"
    if shape == wanted[1:]:
        return "it seems to take a single prompt: wrap it in one_by_one"
    return "one row per target and one column for each task of the batch"

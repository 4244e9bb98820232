"""The loss of a network in training and its gradient: over sampled tasks, or over all of them.

Symbols: B prompts; X (B, d, n), Y (B, m, n), x_query (B, d, 1), y_query (B, m, 1).

    loss = factor * E |prediction - y_query|^2

The gradient is the reverse pass through the one forward pass. A batch is cut into pieces of one size whatever the
machine, so that the sums are taken in the same order everywhere; on the CPU the pieces are spread over the cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeAlias

import array_api_compat

from constructions.block import Block
from constructions.construction import Construction, forward
from constructions.prompt import Prompt
from numerics.floats import FloatBlock
from numerics.one_layer_population import ContextLaw, population_loss
from numerics.reverse import TapeBlock, pulled_back, variable
from numerics.tasks import Sampled
from numerics.weight_sets import Matrices, matrices_of, with_matrices

LossAndGradient: TypeAlias = tuple[float, dict[str, Any]]
"""The loss, and its gradient with respect to each matrix by name, an array like the matrix."""

PIECE = 512
"""Prompts of a piece on the CPU: few enough to stay in the cache, many enough to outweigh the calls."""


def sampled_loss(network: Construction, tasks: Sampled, factor: float = 1.0) -> LossAndGradient:
    """The mean loss over sampled tasks, and its gradient.

    Args:
        network: its matrices are float arrays of the library, dtype and device of the tasks.
        tasks: one batch dimension.
        factor: of the squared error; von Oswald et al. (2023) have 1/2.
    """
    many = int(tasks.X.shape[0])

    def piece(first: int, last: int) -> LossAndGradient:
        sources = {name: variable(matrix) for name, matrix in matrices_of(network).items()}
        cut = Prompt(tasks.X[first:last], tasks.Y[first:last], tasks.x_query[first:last])
        prediction = forward(with_matrices(network, sources), cut.lifted(TapeBlock))
        error = _entry(prediction, tasks.y_query[first:last]) - tasks.y_query[first:last]
        gradients = _gradients(prediction, sources, FloatBlock(error * (2 * factor / many)))
        return float((error**2).sum()) * factor / many, gradients

    if not array_api_compat.is_numpy_array(tasks.X):
        return piece(0, many)
    bounds = [(first, min(first + PIECE, many)) for first in range(0, many, PIECE)]
    if len(bounds) == 1:
        return piece(0, many)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        parts = list(pool.map(lambda each: piece(*each), bounds))
    (total, gradients), *rest = parts
    for loss, more in rest:
        total += loss
        gradients = {name: gradient + more[name] for name, gradient in gradients.items()}
    return total, gradients


def _gradients(output: Block, sources: dict[str, TapeBlock], cotangent: FloatBlock | None = None) -> dict[str, Any]:
    """The gradient with respect to each source by name, as arrays."""
    found = zip(sources.items(), pulled_back(output, list(sources.values()), cotangent), strict=True)
    return {name: source.held.entry * 0 if gradient.is_zero else gradient.entry for (name, source), gradient in found}


def _entry(prediction: Any, like: Any) -> Any:
    """The predictions as an array; zeros if the network predicts zero whatever it sees."""
    return like * 0 if prediction.is_zero else prediction.held.entry


def whole_loss(network: Construction, law: ContextLaw, factor: float = 1.0) -> LossAndGradient:
    """The population loss of one layer, and its gradient; the law in floats like the matrices."""
    taped = replace(law, Sigma=TapeBlock.lift(law.Sigma), Omega=TapeBlock.lift(law.Omega))
    sources = {name: variable(matrix) for name, matrix in matrices_of(network).items()}
    loss = population_loss(with_matrices(network, sources), taped).scale(factor)
    return float(TapeBlock.lift(loss).held.entry[0, 0]), _gradients(loss, sources)


Objective: TypeAlias = Callable[[int, Matrices], LossAndGradient]
"""From the number of the step and the matrices to the loss of that step and its gradient."""

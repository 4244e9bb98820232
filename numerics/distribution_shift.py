"""Distribution shift: the loss of a predictor on tasks whose inputs or teachers are scaled after they were drawn.

Symbols: X, x_query inputs, W_star the teacher; alpha, beta scales.

    X <- alpha X, x_query <- alpha x_query, W_star <- beta W_star, the noise on the labels as it was

Reference: von Oswald et al. (2023), section 3: inputs from U(-alpha, alpha), teachers from N(0, alpha^2 I).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import array_api_compat

from numerics.alignment import Estimate, mean_loss
from numerics.predictors import Predict
from numerics.tasks import Sampled


def shifted(tasks: Sampled, inputs: float = 1.0, teachers: float = 1.0) -> Sampled:
    """The tasks with inputs and teachers scaled.

    Args:
        tasks: drawn tasks.
        inputs, teachers: alpha and beta, > 0.

    Raises:
        ValueError: for a scale that is not positive.
    """
    if not (inputs > 0 and teachers > 0):
        raise ValueError(f"inputs = {inputs}, teachers = {teachers}: scales must be above 0")
    xp = array_api_compat.array_namespace(tasks.X)
    noise = tasks.Y - xp.matmul(tasks.W_star, tasks.X)
    X, x_query, W_star = inputs * tasks.X, inputs * tasks.x_query, teachers * tasks.W_star
    return replace(
        tasks,
        X=X,
        Y=xp.matmul(W_star, X) + noise,
        x_query=x_query,
        y_query=xp.matmul(W_star, x_query),
        W_star=W_star,
    )


def losses_by_input_scale(predict: Predict, tasks: Sampled, scales: Sequence[float]) -> list[Estimate]:
    """The mean loss with the inputs of context and query scaled, for each scale; the predictor stays as it is."""
    return [mean_loss(predict, shifted(tasks, inputs=scale)) for scale in scales]


def losses_by_teacher_scale(predict: Predict, tasks: Sampled, scales: Sequence[float]) -> list[Estimate]:
    """The mean loss with the teachers scaled, for each scale; the predictor stays as it is."""
    return [mean_loss(predict, shifted(tasks, teachers=scale)) for scale in scales]

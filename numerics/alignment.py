"""Alignment: how close two predictors are, in their predictions and in what they make of the query.

Symbols: B tasks, d features, m targets; y, y' (B, m, 1) the predictions of the two, G, G' (B, m, d) their
sensitivities d prediction / d x_query (``numerics.sensitivities``); |.| the Euclidean or Frobenius norm, means over the
tasks.

    prediction difference  mean |y - y'|
    model difference       mean |G - G'|
    cosine                 mean <G, G'> / (|G| |G'|) = mean (1 - |G / |G| - G' / |G'||^2 / 2)
    loss                   mean |y - y_query|^2 / 2

The second form of the cosine is the one that is computed: near 1 it has no cancellation. For linear attention from
zero, G is the weight matrix that the network has learnt in-context, exactly.

Reference: von Oswald et al. (2023), section 3, over 10^4 validation tasks. Their code adds 1e-8 to each norm; here
norms are as they are, and a task in which one of them is 0 counts as cosine 0, as it does there, and is reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import array_api_compat

from numerics.predictors import Predict, predictions
from numerics.sensitivities import Sensitivities, sensitivities
from numerics.tasks import VON_OSWALD, LinearTask, Randomness, Sampled

VALIDATION_TASKS = 10_000
"""How many tasks von Oswald et al. (2023) validate on."""


@dataclass(frozen=True)
class Estimate:
    """A mean over tasks.

    Args:
        mean: the mean.
        standard_error: of the mean, the sample's standard deviation over sqrt(B); NaN for a single task.
    """

    mean: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.mean:.6g} +- {self.standard_error:.2g}"


@dataclass(frozen=True)
class Alignment:
    """How close a predictor is to a reference.

    Args:
        prediction_difference, model_difference, cosine: see the top of this module.
        loss, reference_loss: of the predictor and of the reference, 1/2 of the mean square, against y_query.
        tasks: B.
        undefined_cosines: in how many tasks a sensitivity is 0; they count as cosine 0.
        methods: how the two sensitivities were found, "probing" or "differences".
        sensitivity_error: the largest estimated error of both, in any task; 0 is possible.
    """

    prediction_difference: Estimate
    model_difference: Estimate
    cosine: Estimate
    loss: Estimate
    reference_loss: Estimate
    tasks: int
    undefined_cosines: int
    methods: tuple[str, str]
    sensitivity_error: float

    def __str__(self) -> str:
        lines = [
            f"over {self.tasks} tasks (mean +- standard error):",
            f"  prediction difference  {self.prediction_difference}",
            f"  model difference       {self.model_difference}",
            f"  cosine                 {self.cosine}",
            f"  loss                   {self.loss}",
            f"  loss of the reference  {self.reference_loss}",
            f"  sensitivities by {' and '.join(self.methods)}, errors up to {self.sensitivity_error:.1e} (estimated)",
        ]
        if self.undefined_cosines:
            lines.append(f"  in {self.undefined_cosines} tasks a sensitivity is 0; they count as cosine 0")
        return "\n".join(lines)


def alignment(
    predict: Predict,
    reference: Predict,
    tasks: LinearTask | Sampled = VON_OSWALD,
    *,
    count: int = VALIDATION_TASKS,
    rng: Randomness = 0,
    method: str | None = None,
) -> Alignment:
    """How close a predictor is to a reference on validation tasks.

    Args:
        predict, reference: predictors, see ``numerics.predictors``; a construction is one.
        tasks: the law to draw from, or tasks that were drawn, with one batch axis (NumPy or CuPy arrays).
        count, rng: how many are drawn, >= 1, and from which generator or seed; unused for drawn tasks.
        method: of both sensitivities, see ``sensitivities``; None chooses for each.

    Raises:
        PredictorFailed, TypeError, ValueError: if a predictor breaks its contract; the message says which and how.

    >>> from constructions import GradientDescent
    >>> print(alignment(GradientDescent(step_sizes=[3]), GradientDescent(step_sizes=[6]), count=100).cosine)
    1 +- 0
    """
    drawn = validation_tasks(tasks, count, rng)
    prompts = (drawn.X, drawn.Y, drawn.x_query)
    both = (("predict", predict), ("reference", reference))
    y, y_reference = (_double(predictions(each, *prompts, name=name)) for name, each in both)
    ours, theirs = (sensitivities(each, *prompts, method, name=name) for name, each in both)
    cosines, undefined = _cosines(ours, theirs)
    xp = array_api_compat.array_namespace(y)
    return Alignment(
        prediction_difference=estimated(_norms(y - y_reference)),
        model_difference=estimated(_norms(ours.G - theirs.G)),
        cosine=estimated(cosines),
        loss=estimated(losses(y, drawn)),
        reference_loss=estimated(losses(y_reference, drawn)),
        tasks=int(y.shape[0]),
        undefined_cosines=undefined,
        methods=(ours.method, theirs.method),
        sensitivity_error=max(float(xp.max(each.error)) for each in (ours, theirs)),
    )


def validation_tasks(
    tasks: LinearTask | Sampled = VON_OSWALD, count: int = VALIDATION_TASKS, rng: Randomness = 0
) -> Sampled:
    """The tasks themselves if they are drawn already, with one batch axis, or so many drawn from the law.

    Raises:
        TypeError: for anything else than tasks.
        ValueError: for drawn tasks without a batch axis, or with several.
    """
    if isinstance(tasks, LinearTask):
        return tasks.sample(rng, count)
    if not isinstance(tasks, Sampled):
        raise TypeError(f"tasks must be a LinearTask or a Sampled, but {type(tasks).__name__} came")
    if len(tasks.X.shape) != 3:
        raise ValueError(
            f"drawn tasks must have one batch axis, X (tasks, d, n), but X has shape {tuple(tasks.X.shape)}: draw them "
            "with sample(rng, count)"
        )
    return tasks


def mean_loss(predict: Predict, tasks: Sampled) -> Estimate:
    """1/2 of the mean square of prediction minus y_query.

    Args:
        predict: a predictor.
        tasks: drawn tasks with one batch axis.
    """
    held = validation_tasks(tasks)
    return estimated(losses(_double(predictions(predict, held.X, held.Y, held.x_query)), held))


def losses(predicted: Any, tasks: Sampled) -> Any:
    """|y - y_query|^2 / 2 of each task, (B,), float64."""
    return _norms(_double(predicted) - _double(tasks.y_query)) ** 2 / 2


def estimated(values: Any) -> Estimate:
    """The mean of one number per task, and its standard error."""
    xp, count = array_api_compat.array_namespace(values), int(values.shape[0])
    mean = float(xp.mean(values))
    if count == 1:
        return Estimate(mean, math.nan)
    return Estimate(mean, float(xp.std(values, correction=1)) / math.sqrt(count))


def _cosines(ours: Sensitivities, theirs: Sensitivities) -> tuple[Any, int]:
    """The cosine in each task, 0 where it is undefined, and in how many it is."""
    xp = array_api_compat.array_namespace(ours.G)
    sizes = [_norms(each.G) for each in (ours, theirs)]
    is_defined = xp.logical_and(sizes[0] > 0, sizes[1] > 0)
    units = [
        each.G / xp.where(size > 0, size, xp.ones_like(size))[:, None, None]
        for each, size in zip((ours, theirs), sizes, strict=True)
    ]
    cosines = 1 - _norms(units[0] - units[1]) ** 2 / 2
    return xp.where(is_defined, cosines, xp.zeros_like(cosines)), int(xp.sum(xp.astype(~is_defined, xp.int64)))


def _norms(matrices: Any) -> Any:
    """The Frobenius norm of each matrix of a batch, (B,)."""
    xp = array_api_compat.array_namespace(matrices)
    return xp.sqrt(xp.sum(matrices**2, axis=(-2, -1)))


def _double(array: Any) -> Any:
    xp = array_api_compat.array_namespace(array)
    return xp.astype(array, xp.float64)

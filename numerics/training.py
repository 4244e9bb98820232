"""Training: a network learns from tasks, by Adam or by SciPy's L-BFGS, on the CPU or on a CUDA device.

The same settings give the same run: the tasks of step t are drawn from (seed, t), so that a run that was stopped goes
on as if it had not been. It stops by itself where the loss is no number any more, or far above that of predicting zero.

    >>> from numerics.training_settings import von_oswald
    >>> run = train(TrainingRun.begun(von_oswald(steps=2, batch=8)))
    >>> run.stopped, run.step, len(run.losses)
    ('finished', 2, 2)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from constructions.construction import Construction
from numerics.adam import AdamState, adam_step, gradient_norm
from numerics.device import on_device, require_device
from numerics.floats import FloatBlock
from numerics.one_layer_population import ContextLaw, law_of
from numerics.tasks import Array, LinearTask, Sampled
from numerics.training_loss import LossAndGradient, Objective, sampled_loss, whole_loss
from numerics.training_run import FINISHED, INTERRUPTED, UNFINISHED, TrainingRun
from numerics.training_settings import TrainingSettings
from numerics.weight_sets import Matrices, mapped, with_matrices

Watch = Callable[[TrainingRun], None]
"""Called after every step with the run as it stands."""


class Diverged(ArithmeticError):
    """The loss is no number any more, or out of all proportion."""


def train(run: TrainingRun, watch: Watch | None = None) -> TrainingRun:
    """The run itself, trained until it has taken its steps, was interrupted, or has diverged; ``run.stopped`` says it.

    An interruption (KeyboardInterrupt) ends the training, not the process: the run stands where its last whole step
    left it, and ``train(run)`` goes on from there. Adam then takes the steps that it would have taken; L-BFGS has
    forgotten the curvature that it had seen.

    Args:
        run: ``TrainingRun.begun(settings)``, or one that goes on; with other ``run.settings.steps`` it goes further.
        watch: called after every step.

    Raises:
        ValueError: for a covariance that is not positive definite where the population loss is asked for.
        NoDevice: if a CUDA device is asked for and missing.
    """
    settings = run.settings
    run.stopped = UNFINISHED
    if settings.device == "cuda":
        require_device()
        run.state = AdamState(run.step, *(mapped(on_device, held) for held in run.state[1:]))
    objective = _objective(settings, run.network)
    take_steps = _adam_steps if settings.optimiser == "adam" else _lbfgs_steps
    try:
        # Overflow is found in the loss.
        with np.errstate(all="ignore"):
            run.stopped = take_steps(run, objective, watch or (lambda _: None))
    except KeyboardInterrupt:
        run.stopped = INTERRUPTED
    except Diverged as error:
        run.stopped = f"diverged at step {run.step + 1}: {error}"
    del run.losses[run.step :]
    return run


def loss_of_zero(task: LinearTask, factor: float = 1.0) -> float:
    """factor * E |y_query|^2, the loss of predicting zero."""
    variance = task.half_width**2 / 3 if task.half_width is not None else 1.0
    Sigma = variance * np.eye(task.d) if task.covariance is None else np.array(task.covariance)
    Omega = np.eye(task.d) if task.prior is None else np.array(task.prior)
    return factor * task.m * float((Sigma * Omega).sum())


def tasks_of_step(settings: TrainingSettings, step: int) -> Sampled:
    """The tasks of step 0, 1, ... of a run, in NumPy."""
    rng = np.random.default_rng([settings.seed, 1, step // settings.refresh])
    return settings.task.sample(rng, settings.batch)


def _objective(settings: TrainingSettings, network: Construction) -> Objective:
    """What is minimised, on the device of the run."""
    place = on_device if settings.device == "cuda" else lambda array: array
    if settings.objective == "population":
        law = _placed(law_of(settings.task), lambda array: place(array.astype(settings.task.dtype)))
        return lambda step, matrices: whole_loss(with_matrices(network, matrices), law, settings.factor)

    @lru_cache(maxsize=1)
    def tasks(first: int) -> Sampled:
        drawn = tasks_of_step(settings, first)
        return Sampled(**{each.name: place(getattr(drawn, each.name)) for each in fields(drawn)})

    def loss(step: int, matrices: Matrices) -> LossAndGradient:
        at = tasks(step - step % settings.refresh)
        return sampled_loss(with_matrices(network, matrices), at, settings.factor)

    return loss


def _placed(law: ContextLaw, place: Callable[[Any], Any]) -> ContextLaw:
    return replace(law, Sigma=FloatBlock(place(law.Sigma.entry)), Omega=FloatBlock(place(law.Omega.entry)))


def _adam_steps(run: TrainingRun, objective: Objective, watch: Watch) -> str:
    settings = run.settings
    while run.step < settings.steps:
        loss, gradients = objective(run.step, run.state.matrices)
        _require_sound(settings, loss, gradient_norm(gradients))
        state = adam_step(settings.adam, run.state, gradients)
        run.losses.append(loss)
        run.state = state
        watch(run)
    return FINISHED


def _lbfgs_steps(run: TrainingRun, objective: Objective, watch: Watch) -> str:
    settings, like = run.settings, run.state.matrices
    if run.step >= settings.steps:
        return FINISHED
    held = 0.0

    def value(vector: Array) -> tuple[float, Array]:
        loss, gradients = objective(0, _matrices(vector, like))
        norm = gradient_norm(gradients)
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise Diverged(f"the line search met a loss of {loss} with a gradient of norm {norm}")
        return loss, _vector(gradients)

    def accepted(intermediate_result: OptimizeResult) -> None:
        nonlocal held
        _require_sound(settings, float(intermediate_result.fun), 0.0)
        run.losses.append(held)
        held = float(intermediate_result.fun)
        run.state = run.state._replace(step=run.step + 1, matrices=_matrices(intermediate_result.x, like))
        watch(run)

    start = _vector(like)
    held = value(start)[0]
    # The gradient of small initial weights is tiny: only a loss that no longer falls ends the search.
    options = {
        "maxiter": settings.steps - run.step,
        "maxcor": 20,
        "maxfun": 20 * settings.steps,
        "gtol": 0,
        "ftol": 1e-13,
    }
    result = minimize(value, start, jac=True, method="L-BFGS-B", callback=accepted, options=options)
    return FINISHED if run.step >= settings.steps else f"{FINISHED}: {result.message}"


def _require_sound(settings: TrainingSettings, loss: float, norm: float) -> None:
    """Refuses a loss or a gradient that is not finite, and a loss out of all proportion."""
    if not math.isfinite(loss):
        raise Diverged(f"the loss is {loss}")
    if not math.isfinite(norm):
        raise Diverged(f"the gradient has the norm {norm}, the loss is {loss:.6g}")
    zero = loss_of_zero(settings.task, settings.factor)
    if loss > settings.give_up_at * zero:
        raise Diverged(f"the loss is {loss:.6g}, over {settings.give_up_at:g} times the {zero:.6g} of predicting 0")


def _vector(matrices: Matrices) -> Array:
    """The entries of all the matrices, in float64 on the host."""
    arrays = (A.get() if hasattr(A, "get") else A for A in matrices.values())
    return np.concatenate([np.asarray(A, dtype=np.float64).ravel() for A in arrays])


def _matrices(vector: Array, like: Matrices) -> dict[str, Any]:
    """The matrices of a vector, of the shapes, library and dtype of others."""
    found, first = {}, 0
    for name, matrix in like.items():
        count = math.prod(matrix.shape)
        array = vector[first : first + count].reshape(matrix.shape).astype(matrix.dtype)
        found[name] = on_device(array) if hasattr(matrix, "get") else array
        first += count
    return found

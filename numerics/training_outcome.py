"""What a training run has reached: its loss and its sensitivities, beside the algorithm that theory expects.

For one layer that is the gradient step of least population loss, in closed form, preconditioned where the inputs or the
teachers are not isotropic; for more it is GD++ with the parameters of least loss on the very contexts of the
comparison, so that what GD++ has over the network is not understated. Losses are 1/2 of the mean square error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from constructions.construction import Construction
from numerics.alignment import VALIDATION_TASKS, Alignment, Estimate, alignment, losses
from numerics.one_layer_population import best_network, best_step, law_of, population_loss
from numerics.tasks import Array
from numerics.training_run import TrainingRun
from numerics.tuned_descent import tuned_descent

FAR = 0.01
"""A population loss so far above the least one, relative to it, is called out."""


@dataclass(frozen=True)
class Outcome:
    """A trained network beside what theory expects of it.

    Args:
        reference: what it is compared with, in words.
        network: that as a construction.
        alignment: of the trained network to it, over fresh tasks.
        excess: by how much the mean loss over those tasks is above the reference's, relative to it; its standard error
            is that of the differences task by task.
        exact_losses: the population losses of the trained network and of the reference, of one layer; None of more.
    """

    reference: str
    network: Construction
    alignment: Alignment
    excess: Estimate
    exact_losses: tuple[float, float] | None

    @property
    def exact_excess(self) -> float | None:
        """By how much the population loss is above the least one, relative to it; None of more than one layer."""
        return None if self.exact_losses is None else self.exact_losses[0] / self.exact_losses[1] - 1

    def lines(self) -> Iterator[str]:
        """The outcome in sentences."""
        if self.exact_losses is not None and self.exact_excess is not None:
            ours, least = self.exact_losses
            yield f"exact loss {ours:.6f}, the closed-form optimum is {least:.6f}: {self.exact_excess:.3%} above it"
            if self.exact_excess > FAR:
                yield (
                    "that is no optimum: the landscape has spurious minima, where training can stay for good (icl show "
                    "one_layer_landscape_has_spurious_local_minima); more steps or another seed may do better"
                )
        said = f"loss {self.alignment.loss} on {self.alignment.tasks} fresh tasks, {self.reference} has "
        yield f"{said}{self.alignment.reference_loss}: {self.excess.mean:+.3%} +- {self.excess.standard_error:.2%}"
        yield f"sensitivity cosine {self.alignment.cosine} to {self.reference}"


def outcome(run: TrainingRun, count: int = VALIDATION_TASKS) -> Outcome:
    """What a run has reached, on fresh tasks drawn from its seed.

    Args:
        run: of one target.
        count: the number of tasks, >= 2.

    Raises:
        ValueError: for a task for which the expected algorithm is not known: several targets, a covariance that is not
            positive definite, or several layers and inputs or teachers that are not isotropic, or noise.
    """
    settings, task = run.settings, run.settings.task
    drawn = task.sample(_validation(run), count)
    exact = None
    if settings.layers == 1:
        law = law_of(task)
        network: Construction = best_network(law)
        is_isotropic = task.covariance is None and task.prior is None
        reference = f"one {'' if is_isotropic else 'preconditioned '}gradient step"
        ours_exactly, least = population_loss(run.network, law), best_step(law)[0]
        exact = float(ours_exactly.entry[0, 0]) / 2, float(least.entry[0, 0]) / 2
    else:
        tuned = tuned_descent(task, settings.layers, shared=settings.looped, contexts=count, rng=_validation(run))
        network = tuned.construction
        reference = f"{settings.layers} {'equal ' if settings.looped else ''}steps of tuned GD++"
    ours, theirs = (losses(each(drawn.X, drawn.Y, drawn.x_query), drawn) for each in (run.predict, network))
    return Outcome(
        reference=reference,
        network=network,
        alignment=alignment(run.predict, network, drawn),
        excess=_ratio(ours - theirs, theirs),
        exact_losses=exact,
    )


def _ratio(differences: Array, references: Array) -> Estimate:
    """The ratio of the means, and its standard error to first order."""
    ratio, scale = float(differences.mean() / references.mean()), float(references.mean())
    deviation = float((differences - ratio * references).std(ddof=1)) / scale
    return Estimate(ratio, deviation / len(differences) ** 0.5)


def _validation(run: TrainingRun) -> np.random.Generator:
    """Tasks that no step of the training has seen; the same whenever it is asked."""
    return np.random.default_rng([run.settings.seed, 2])

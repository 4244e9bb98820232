"""Whether identities that are proved say anything of a transformer: layers made of weights, and weights that matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from constructions.decoding import layer_in
from constructions.layer import SUBLAYERS, Layer
from constructions.parameters import lifted
from constructions.stages import layers_of
from numerics.balls import precision
from numerics.mutations import Instance
from proofs.construction_theorem import MutationOutcome
from proofs.enclosures import enclosed


def without_substance(instance: Instance, bits: int | None, outcomes: Sequence[MutationOutcome]) -> Iterator[str]:
    """Why the identities of a construction say nothing of a transformer; nothing where they do.

    Args:
        instance: the construction with a prompt, in rationals.
        bits: the precision of the balls in which it runs; None for one that runs in rationals.
        outcomes: what became of the changes of its weights.
    """
    with nullcontext() if bits is None else precision(bits):
        construction, prompt = instance if bits is None else enclosed(instance)
        held = prompt.lifted()
        stages = lifted(construction, type(held.X), held).stages(held)
        foreign = [number for number, layer in enumerate(_layers(stages), start=1) if not _is_made_of_weights(layer)]
    if foreign:
        yield (
            f"layer {foreign[0]} is not a Layer of attention, token maps and MLPs: no weights do what it computes, so "
            "the identities say nothing of a transformer"
        )
    elif not any(outcome.refuted_at for outcome in outcomes):
        yield (
            "no weight matters: the identities hold without any, so the embedding, the read-out or the start do all "
            "the work (a parameter that is None is zero)"
        )


def _layers(stages: Sequence[Any]) -> Iterator[Any]:
    return (layer for stage in stages for layer in layers_of(stage))


def _is_made_of_weights(layer: Any) -> bool:
    held = layer_in(layer)
    return type(held) is Layer and all(type(each) in SUBLAYERS for each in held.sublayers)

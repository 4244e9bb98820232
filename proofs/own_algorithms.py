"""The catalogue's algorithms with an unknown construction's own parameters, run beside its layers in exact numbers.

A construction and an algorithm of the catalogue that declare parameters of the same names, such as ``step_sizes`` and
``momenta``, can be held against each other without fitting anything, whatever the parameters are: matrices of any size,
kernels and feature maps included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from constructions.construction import Construction
from constructions.functional_descent import FunctionalDescent
from constructions.functional_limits import AlternatingDescent
from constructions.kernel_heads import TwoKernelDescent
from constructions.looped import LoopedTransformer
from constructions.parameters import parameters
from numerics.matching import Match, exact_agreement
from numerics.unknown_predictor import UnknownPredictor
from proofs.catalogue import catalogue
from proofs.refuted import RefutedStatement

NAMES = {
    "GradientDescent": "gradient descent",
    "LinearKernelDescent": "gradient descent",
    "OneUnmaskedLayer": "gradient descent",
    "TokenMergingThenGradientDescent": "gradient descent",
    "ChainOfThought": "gradient descent",
    "FullBatchTraining": "gradient descent on the summed loss",
    "UnmaskedGradientDescent": "gradient descent with the query as an example",
    "GDPlusPlus": "GD++",
    "PreconditionedDescent": "preconditioned gradient descent",
    "LoopedTransformer": "preconditioned gradient descent",
    "UnmaskedLoopedTransformer": "preconditioned gradient descent with the query as an example",
    "PreconditionedChainOfThought": "preconditioned gradient descent",
    "RelaxedPreconditionedDescent": "preconditioned gradient descent with moving inputs",
    "OneLayerAttention": "one linear attention layer",
    "SummedAttention": "one linear attention layer, summed",
    "OneLayerReluAttention": "one ReLU attention layer",
    "NewtonFromIdentity": "Newton from alpha I",
    "NewtonInterleaved": "Newton from alpha I",
    "NewtonFromIdentityDoubling": "Newton from alpha I",
    "PaperNewton": "Newton from alpha X X^T",
    "NewtonFromGramMasked": "Newton from alpha X X^T",
    "NewtonFromGramUnmasked": "Newton from alpha X X^T",
    "NewtonFromGramOwnRows": "Newton from alpha X X^T",
    "NewtonFromGramDoubling": "Newton from alpha X X^T",
    "PaperNewtonWithQuery": "Newton from alpha X X^T with the query as an example",
    "NewtonFromGramWithQuery": "Newton from alpha X X^T with the query as an example",
    "HeavyBall": "heavy ball",
    "NesterovDescent": "Nesterov's method",
    "TwoMemories": "momentum with two memories",
    "RidgeDescent": "ridge descent",
    "OnlineDescent": "online gradient descent",
    "FeatureDescent": "gradient descent on features",
    "MLPDescent": "gradient descent on the features of an MLP",
    "SoftmaxDescent": "the centred gradient step of two softmax heads",
    "SoftmaxDescentWithSink": "the gradient step of two softmax heads with a sink",
}
"""What ``numerics.known_algorithms`` calls the algorithms of the catalogue's constructions."""

_SHIFTED = ("preconditioned gradient descent", "preconditioned gradient descent on shifted labels")


def own_matches(unknown: UnknownPredictor) -> Iterator[Match]:
    """The algorithms of the catalogue that the construction runs with its own parameters.

    Args:
        unknown: a construction; nothing is known of the parameters of another predictor.
    """
    if unknown.construction is None:
        return
    held = {each.name: getattr(unknown.construction, each.name) for each in fields(unknown.construction)}  # type: ignore[arg-type]
    for cls in _algorithms():
        if _takes(cls, held):
            try:
                known = cls(**{each.name: held[each.name] for each in fields(cls) if each.name in held})  # type: ignore[arg-type]
                evidence = exact_agreement(unknown.construction, known, unknown.sizes)
            except (ValueError, ZeroDivisionError):
                continue  # parameters that it refuses, such as a start where it has none
            if evidence is not None:
                yield Match(_words(known), int(known.depth), 0, {}, f"{evidence}, with its own parameters")


def free_numbers(construction: Construction) -> int:
    """How many numbers its parameters have, those that are the same in every layer counted once."""
    total = 0
    for name, declared in parameters(construction).items():
        value = getattr(construction, name)
        if declared.counts_layers or value is None:
            continue
        layers = [value] if not declared.per_layer else [value[l] for l in range(len(value))]
        distinct = {str(each): each for each in layers if each is not None}.values()
        total += sum(len(each) * len(each[0]) if declared.is_matrix else 1 for each in distinct)
    return total


@cache
def _algorithms() -> tuple[type[Construction], ...]:
    """The constructions of which a theorem, not a refutation, says what they run, if that needs no further data."""
    held = (each.construction for each in catalogue().values() if not isinstance(each, RefutedStatement))
    return tuple(dict.fromkeys(type(each) for each in held if each is not None and not each.extras))


def _takes(cls: type[Construction], held: dict[str, Any]) -> bool:
    """Whether the class can be built of what is held, every parameter of the unknown one that is not zero in use."""
    own = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    needed = {each.name for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING}  # type: ignore[arg-type]
    return bool(parameters(cls)) and needed <= held.keys() and all(name in own or held[name] is None for name in held)


def _words(known: Construction) -> str:
    """What the algorithm of a construction is called."""
    cls = type(known)
    if isinstance(known, FunctionalDescent) and not isinstance(known, (TwoKernelDescent, AlternatingDescent)):
        return f"functional descent with the kernel {known.kernel}"
    name = NAMES.get(cls.__name__, f"the algorithm of {cls.__name__} ({cls.__module__})")
    shifted = isinstance(known, LoopedTransformer) and known.shift is not None
    return name.replace(*_SHIFTED) if shifted else name

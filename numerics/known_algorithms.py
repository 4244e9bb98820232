"""The known algorithms, in the order of the catalogue, and then the classical baselines that are no construction.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), x_query (d, 1), W (m, d), S = X X^T.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from constructions.dual_form import FullBatchTraining
from constructions.functional_descent import FunctionalDescent
from constructions.functions import Kernel
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.heavy_ball import HeavyBall, NesterovDescent, TwoMemories
from constructions.kernels import RELU, SOFTMAX, exponential, polynomial, rbf
from constructions.looped import LoopedTransformer, UnmaskedLoopedTransformer
from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_with_query import NewtonFromGramWithQuery
from constructions.one_layer_attention import OneLayerAttention, OneLayerReluAttention, SummedAttention
from constructions.online import OnlineDescent
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.ridge import RidgeDescent
from constructions.softmax_heads import SoftmaxDescent, SoftmaxDescentWithSink
from constructions.unmasked import UnmaskedGradientDescent
from numerics.algorithms import Algorithm, CatalogueAlgorithm, Tunable
from numerics.classical import classical_baselines

STEP = tuple(2.0**i for i in range(-5, 4))
"""Where the tuning of a step size eta / n starts."""

RATE = tuple(2.0**i for i in range(-8, 1))
"""The same for a rate that multiplies a sum over the context."""

MOMENTUM = (0.25, 0.5, 0.8)

MATRIX = (0.125, 0.5, 1.0)

ETA = Tunable("eta", STEP)
W_0 = Tunable("W_0", (0.0,), "m", "d", shared=True)

EACH = " with numbers of its own in each step"
"""What is added to the name of an algorithm whose steps differ."""


@cache
def known_algorithms(started: bool = False) -> tuple[Algorithm, ...]:
    """Every algorithm that an unknown predictor is held against.

    Args:
        started: those that have a start W_0, with it as one more tunable, in place of all others.
    """
    return tuple(
        algorithm
        for name, build, tunables, options in _FAMILIES
        for algorithm in _variants(name, build, tunables, started, **options)
    ) + (() if started else classical_baselines())


def _variants(
    name: str,
    build: Callable[[int, Any], Any],
    tunables: tuple[Tunable, ...],
    started: bool,
    *,
    starts: bool = False,
    least: int = 1,
    most: int | None = None,
) -> list[Algorithm]:
    """The algorithm with the same numbers in every step, and with numbers of its own in each, if it has such.

    Args:
        started: whether a start W_0 is asked for.
        starts: whether it has one.
        least, most: the numbers of steps that make sense.
    """
    if started and not starts:
        return []
    numbers = (*tunables, W_0) if started else tunables
    if started:
        # The decay of ridge descent plays a part in the first step as soon as there are weights to decay.
        numbers = tuple(replace(each, unused=0) if each is _DECAY else each for each in numbers)
    made: list[Algorithm] = [CatalogueAlgorithm(name, numbers, False, least, most, started, build=build)]
    if any(not tunable.shared for tunable in tunables) and most != 1:
        made.append(CatalogueAlgorithm(name + EACH, numbers, True, max(least, 2), most, started, build=build))
    return made


def _functional(kernel: Kernel) -> Callable[[int, Any], FunctionalDescent]:
    return lambda k, v: FunctionalDescent(step_sizes=v["r"], kernel=kernel)


def _scaled(kernel: Callable[[Any], Kernel]) -> Callable[[int, Any], FunctionalDescent]:
    return lambda k, v: FunctionalDescent(step_sizes=v["r"], kernel=kernel(v["scale"]))


def _one_layer(cls: type[OneLayerAttention], sign: int) -> Callable[[int, Any], OneLayerAttention]:
    """One layer in the gauge P_yy = sign: the product of P and Q is all that matters."""

    def build(k: int, values: Any) -> OneLayerAttention:
        is_float = isinstance(values["Q_xx"], np.ndarray)
        return cls(P_yy=np.full((1, 1), float(sign)) if is_float else [[Fraction(sign)]], **values)

    return build


_R = Tunable("r", RATE)
_SCALE = Tunable("scale", (0.5, 1.0, 2.0), shared=True)
_ALPHA = Tunable("alpha", RATE, shared=True)
_DECAY = Tunable("lam", (0.1, 0.5), unused=1)
_A = Tunable("A", MATRIX, "d", "d")
_LAYER = (
    Tunable("Q_xx", (1.0,), "d", "d", shared=True),
    Tunable("P_yx", (0.1,), 1, "d", shared=True),
    Tunable("Q_yx", (0.1,), 1, "d", shared=True),
)

_FAMILIES: tuple[tuple[str, Callable[[int, Any], Any], tuple[Tunable, ...], dict[str, Any]], ...] = (
    (
        "gradient descent",
        lambda k, v: GradientDescent(step_sizes=v["eta"], W_0=v.get("W_0")),
        (ETA,),
        {"starts": True},
    ),
    (
        "gradient descent on the summed loss",
        lambda k, v: FullBatchTraining(rates=v["r"], W_0=v.get("W_0")),
        (_R,),
        {"starts": True},
    ),
    (
        "gradient descent with the query as an example",
        lambda k, v: UnmaskedGradientDescent(step_sizes=v["eta"], W_0=v.get("W_0")),
        (ETA,),
        {"starts": True},
    ),
    (
        "GD++",
        lambda k, v: GDPlusPlus(step_sizes=v["eta"], curvature_steps=v["gamma"], W_0=v.get("W_0")),
        (ETA, Tunable("gamma", (0.01, 0.05, 0.2), unused=-1)),
        {"starts": True},
    ),
    (
        "preconditioned gradient descent",
        lambda k, v: PreconditionedDescent(preconditioners=v["A"], W_0=v.get("W_0")),
        (_A,),
        {"starts": True},
    ),
    (
        "preconditioned gradient descent with moving inputs",
        lambda k, v: RelaxedPreconditionedDescent(preconditioners=v["A"], input_maps=v["B"], W_0=v.get("W_0")),
        (Tunable("A", (-0.125, -0.5, -1.0), "d", "d"), Tunable("B", (0.1,), "d", "d", unused=-1)),
        {"starts": True, "least": 2},
    ),
    (
        "preconditioned gradient descent on shifted labels",
        lambda k, v: LoopedTransformer(preconditioner=v["A"], shift=v["U"], loops=k),
        (Tunable("A", MATRIX, "d", "d", shared=True), Tunable("U", (0.1,), "m", "d", shared=True)),
        {},
    ),
    (
        "preconditioned gradient descent with the query as an example",
        lambda k, v: UnmaskedLoopedTransformer(preconditioner=v["A"], loops=k),
        (Tunable("A", MATRIX, "d", "d", shared=True),),
        {"least": 2},
    ),
    (
        "preconditioned gradient descent on shifted labels with the query as an example",
        lambda k, v: UnmaskedLoopedTransformer(preconditioner=v["A"], shift=v["U"], loops=k),
        (Tunable("A", MATRIX, "d", "d", shared=True), Tunable("U", (0.1,), "m", "d", shared=True)),
        {},
    ),
    ("one linear attention layer", _one_layer(OneLayerAttention, -1), _LAYER, {"most": 1}),
    ("one linear attention layer, summed", _one_layer(SummedAttention, 1), _LAYER, {"most": 1}),
    ("one ReLU attention layer", _one_layer(OneLayerReluAttention, -1), _LAYER[:2], {"most": 1}),
    ("Newton from alpha I", lambda k, v: NewtonFromIdentity(alpha=v["alpha"], steps=k), (_ALPHA,), {}),
    ("Newton from alpha X X^T", lambda k, v: NewtonFromGramMasked(alpha=v["alpha"], steps=k), (_ALPHA,), {}),
    (
        "Newton from alpha X X^T with the query as an example",
        lambda k, v: NewtonFromGramWithQuery(alpha=v["alpha"], steps=k),
        (_ALPHA,),
        {},
    ),
    (
        "heavy ball",
        lambda k, v: HeavyBall(step_sizes=v["eta"], momenta=v["beta"], W_0=v.get("W_0")),
        (ETA, Tunable("beta", MOMENTUM, unused=1)),
        {"starts": True},
    ),
    (
        "Nesterov's method",
        lambda k, v: NesterovDescent(step_sizes=v["eta"], momenta=v["beta"], W_0=v.get("W_0")),
        (ETA, Tunable("beta", MOMENTUM, unused=1)),
        {"starts": True},
    ),
    (
        "momentum with two memories",
        lambda k, v: TwoMemories(step_sizes=v["eta"], momenta=v["beta"], older_momenta=v["kappa"], W_0=v.get("W_0")),
        (ETA, Tunable("beta", MOMENTUM, unused=1), Tunable("kappa", (0.1,), unused=2)),
        {"starts": True, "least": 3},
    ),
    (
        "ridge descent",
        lambda k, v: RidgeDescent(step_sizes=v["eta"], decays=v["lam"], W_0=v.get("W_0")),
        (ETA, _DECAY),
        {"starts": True},
    ),
    (
        "online gradient descent",
        lambda k, v: OnlineDescent(step_sizes=v["eta"], W_0=v.get("W_0")),
        (Tunable("eta", RATE),),
        {"starts": True},
    ),
    ("functional descent with the kernel relu", _functional(RELU), (_R,), {}),
    ("functional descent with the kernel polynomial(2)", _functional(polynomial(2)), (_R,), {}),
    ("functional descent with the kernel exponential", _scaled(exponential), (_R, _SCALE), {}),
    ("functional descent with the kernel rbf", _scaled(rbf), (_R, _SCALE), {}),
    ("functional descent with the kernel softmax", _functional(SOFTMAX), (_R,), {}),
    (
        "the centred gradient step of two softmax heads",
        lambda k, v: SoftmaxDescent(eta=v["eta"], eps=v["eps"]),
        (Tunable("eta", STEP, shared=True), Tunable("eps", (0.1, 0.5, 1.0, 2.0), shared=True)),
        {"most": 1},
    ),
    (
        "the gradient step of two softmax heads with a sink",
        lambda k, v: SoftmaxDescentWithSink(eta=v["eta"], eps=v["eps"], b=v["b"]),
        (
            Tunable("eta", (0.5, 2.0), shared=True),
            Tunable("eps", (0.1, 0.5, 1.0), shared=True),
            Tunable("b", (0.5, 2.0, 5.0), shared=True),
        ),
        {"most": 1},
    ),
)

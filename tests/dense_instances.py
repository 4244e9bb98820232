"""Every construction of the catalogue that is a dense network, as exact instances, and those that are none."""

import math
from dataclasses import fields
from fractions import Fraction
from functools import cache

import numpy as np
from flint import arb

from constructions.construction import forward
from constructions.prompt import Prompt
from numerics.balls import BallBlock, precision
from numerics.dense_export import NotDense, dense_network
from numerics.instances import Sizes, exact_parameters
from numerics.rationals import RationalBlock
from numerics.rounding import Rounded
from proofs.catalogue import catalogue

FURTHER = 2
"""The further sizes that some constructions name."""


@cache
def prototypes():
    """The constructions of the catalogue by the name of the first theorem about them; equal but for numbers, once."""
    found = {}
    for name, theorem in catalogue().items():
        held = theorem.construction
        if held is not None:
            options = [value for value in (getattr(held, each.name) for each in fields(held)) if not is_number(value)]
            found.setdefault(f"{type(held).__qualname__} {options}", (name, held))
    return dict(found.values())


def is_number(value):
    """Whether a field holds the values of a parameter, which are drawn anew."""
    return isinstance(value, (list, tuple, int, Fraction)) and not isinstance(value, bool)


def instance(prototype, n=2, d=3, m=2, depth=2, seed=0):
    """(construction, sizes by name) with exact parameters drawn at random."""
    sizes = Sizes(n, d, prototype.targets if isinstance(prototype.targets, int) else m)
    names = {size for shape in prototype.extras.values() for size in shape if isinstance(size, str)} - {*"ndm"}
    return exact_parameters(prototype, sizes, seed, depth), {**sizes._asdict(), **dict.fromkeys(names, FURTHER)}


def dyadic_sources(network, seed=0):
    """Sources of a network by name, multiples of 1/8 in [-1, 1], which every kind of number holds."""
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-8, 9, shape) / 8 for name, shape in network.sources.items()}


@cache
def dense_prototypes():
    """Those of the prototypes that can be exported as matrices."""
    return {name: held for name, held in prototypes().items() if is_dense(held)}


def is_dense(prototype):
    """Whether the construction can be exported as matrices."""
    construction, sizes = instance(prototype)
    try:
        dense_network(construction, **sizes)
    except NotDense:
        return False
    return True


def prediction(construction, sources):
    """Our own forward pass over blocks in rationals, or where it needs an exp in balls: an object array."""
    extras = tuple((name, array) for name, array in sources.items() if name not in ("X", "Y", "x_query"))
    prompt = Prompt(sources["X"], sources["Y"], sources["x_query"], extras)
    try:
        return forward(construction, prompt.lifted(RationalBlock)).entry
    except TypeError:
        with precision(256):
            return forward(construction, prompt.lifted(BallBlock)).entry


def rounded(matrix):
    """Exact numbers as float64, with how far each is from the exact one."""
    values = np.zeros(matrix.shape)
    radii = np.zeros(matrix.shape)
    for place, entry in np.ndenumerate(matrix):
        if isinstance(entry, arb):
            values[place] = float(entry.mid())
            radii[place] = math.nextafter(float((entry - arb(float(values[place]))).abs_upper()), math.inf)
        else:
            values[place] = int(entry.p) / int(entry.q)
            distance = abs(Fraction(int(entry.p), int(entry.q)) - Fraction(float(values[place])))
            radii[place] = math.nextafter(float(distance), math.inf) if distance else 0
    return Rounded(values, radii)

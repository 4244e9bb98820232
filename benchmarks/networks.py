"""The networks that are measured: the construction, what a prediction costs, and how an expert writes it in PyTorch.

Symbols: n context tokens, d features, m targets, k layers of the loop; prompts are Gaussian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from benchmarks import by_hand
from benchmarks.by_hand import ByHand
from constructions.construction import Construction
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.scalars import power_of_two, ratio

STEP = 1 / 20
"""The step size: the time does not depend on it, the rounding bound does, which grows by (1 + eta |X||X^T| / n)."""


@dataclass(frozen=True)
class Network:
    """A network to be measured.

    Args:
        name: for programs.
        title: for readers.
        construction: the network itself.
        shortened: the network with a layer less, which the rounding bound must tell from it.
        sign: the prediction is so many times what stands in the y slot of the query.
        required: what PyTorch's time over ours must at least be, by "dense" and "by hand", for the promised sizes.
        hand_written: the ways to write it in PyTorch.
        operations: the additions and multiplications of its matrix products for one prompt, those left out that
            nobody reads.
        products: those of them that take the time, as (times, rows, inner size, columns).
        parameters: further numbers that belong to the sizes.
    """

    name: str
    title: str
    construction: Construction
    shortened: Construction
    sign: int
    required: Mapping[str, float]
    hand_written: Sequence[ByHand]
    operations: int
    products: Sequence[tuple[int, int, int, int]]
    parameters: Mapping[str, Any]


def gradient_descent(n: int, d: int, m: int, layers: int) -> Network:
    """Gradient descent from zero with one step size."""
    construction = GradientDescent(step_sizes=[STEP] * layers)
    rates = [ratio(STEP, n)] * layers
    run = partial(by_hand.gradient_descent, [float(rate) for rate in rates])
    return Network(
        "gradient_descent",
        f"{layers} gradient-descent layers",
        construction,
        GradientDescent(step_sizes=[STEP] * (layers - 1)),
        -1,
        {"dense": 25},
        [ByHand("(Y X^T) X", run, partial(by_hand.gradient_descent, rates))],
        layers * (4 * m * n * d + 2 * m * d),
        (),
        {"eta": STEP},
    )


def newton(n: int, d: int, m: int, layers: int) -> Network:
    """Newton's iteration from a small multiple of the identity, in k + 1 layers.

    The time does not depend on alpha, the rounding bound does: |X||X^T| is near n d, and with alpha = 1 / (n d 2^k),
    rounded to a power of two, k doublings take alpha |X||X^T| to one and no further.
    """
    alpha = power_of_two(-((n * d - 1).bit_length() + layers))
    exactly = (alpha, layers)
    floats = (float(alpha), layers)

    def passed(name: str, run: Any, bounded: Any = None, is_by_rows: bool = False) -> ByHand:
        return ByHand(name, partial(run, *floats), partial(bounded or run, *exactly), is_by_rows)

    columns, rows = by_hand.newton_by_columns, by_hand.newton_by_rows
    return Network(
        "newton",
        f"{layers} Newton layers and a read-out",
        NewtonFromIdentity(alpha=alpha, steps=layers),
        NewtonFromIdentity(alpha=alpha, steps=layers - 1),
        1,
        {"dense": 25, "by hand": 1.5},
        [
            passed("U <- 2 U - (U X^T) U", by_hand.newton_as_written),
            passed("U <- (2 I - U X^T) U", columns),
            passed("U <- U (2 I - X^T U), tokens as rows", rows, is_by_rows=True),
            passed("U <- (2 I - U X^T) U, in place", by_hand.newton_by_columns_in_place, columns),
            passed("U <- U (2 I - X^T U), tokens as rows, in place", by_hand.newton_by_rows_in_place, rows, True),
        ],
        layers * (4 * d * d * n + 2 * d * d) - 2 * d * d * n + 2 * m * d * n + 2 * m * d,
        [(layers, d, n, d), (layers - 1, d, d, n)],
        {"alpha": str(Fraction(alpha))},
    )

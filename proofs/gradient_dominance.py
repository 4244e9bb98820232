"""Gradient dominance of the looped transformer's loss at infinitely many tokens: the sharp constant, with equality.

Symbols: Sigma = I, S = X X^T / n = I (the limit n -> infinity, and any n with whitened inputs); A (d, d) symmetric;
lam_i the eigenvalues of I - A; L loops.

    loss = sum_i lam_i^(2 L)            |gradient|^2 = 4 L^2 sum_i lam_i^(4 L - 2)
    |gradient|^2 >= 4 L^2 d^(-(L - 1)/L) loss^((2 L - 1)/L)

with equality, for L >= 2, if and only if (I - A)^2 is a multiple of I.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy

from constructions.construction import forward
from constructions.looped import LoopedTransformer
from constructions.looped_error import LoopedClosedForm
from constructions.prompt import Prompt
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.explicit import ExplicitBlock

_ONE: Any = [[1]]
_HADAMARD = ((1, 1, 1, 1), (1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))
"""Any d <= 4 of the rows are inputs of 4 tokens with X X^T / 4 = I."""


def dominance_margin(A: Any, loops: int, constant: Any = None) -> Any:
    """|gradient|^(2 L) less (constant loss^((2 L - 1)/L))^L, >= 0 exactly if the dominance holds at A.

    Args:
        A: (d, d), symmetric, of rationals.
        loops: L >= 1.
        constant: what stands before the loss, to the power L; None is the sharp (4 L^2)^L d^-(L - 1).

    Returns:
        A rational, since both sides are raised to the power L.

    Raises:
        ValueError: if A is not symmetric, or for fewer than one loop.

    >>> dominance_margin([[sympy.Rational(1, 3), 0], [0, sympy.Rational(1, 3)]], 3)
    0
    """
    A = sympy.Matrix(A)
    if A != A.T:
        raise ValueError(f"A = {A.tolist()} is not symmetric: the dominance is claimed of symmetric A only")
    if loops < 1:
        raise ValueError(f"loops = {loops}: without a loop the loss has no gradient; pass loops >= 1")
    M = sympy.eye(A.rows) - A
    sharp = sympy.Rational((4 * loops**2) ** loops, A.rows ** (loops - 1))
    gradient = 4 * loops**2 * (M ** (4 * loops - 2)).trace()
    return gradient**loops - (sharp if constant is None else constant) * (M ** (2 * loops)).trace() ** (2 * loops - 1)


def theorems() -> tuple[ArguedTheorem, ...]:
    """The sharp constant."""
    return (
        ArguedTheorem(
            name="gradient_dominance_has_a_sharp_constant_at_infinitely_many_tokens",
            system="this project",
            reference=(
                "for the model of Gatmiry et al. (2024), arXiv 2410.08292; their gradient dominance is reported "
                "second-hand, with 1/16 for the constant: unconfirmed, not claimed, and at S = I, where this one is "
                "sharp, possible only for d <= (64 L^2)^(L/(L-1))"
            ),
            statement=(
                "With S = X X^T / n = I (the limit of many tokens, Sigma = I) and symmetric A, the loss of L loops has "
                "|gradient|^2 >= 4 L^2 d^(-(L-1)/L) loss^((2L-1)/L) for every L and d, with equality for L >= 2 if and "
                "only if (I - A)^2 is a multiple of I (for L = 1 always), so at every A = a I: the constant is sharp, "
                "and none that is free of d would do for L >= 2."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "every L, d and symmetric A",
                "exact": "the looped layer on prompts with X X^T = n I: its loss, and its gradient entry by entry",
                "float": "the float64 loops on the same prompts, enclosed: the loss is sum_i lam_i^(2L)",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=LoopedTransformer(preconditioner=_ONE, loops=1),
        ),
    )


def _argument() -> tuple[Step, ...]:
    L, k, x = sympy.Symbol("L", positive=True), sympy.Symbol("k"), sympy.Symbol("x", positive=True)
    size, c = sympy.symbols("d c", positive=True)

    def low(index: Any) -> Any:
        return (L - 1) * (index + 1)

    def high(index: Any) -> Any:
        return L * (2 * L - 2 - index)

    return (
        Induction("the error is w^T (I - S A)^L x_query", LoopedClosedForm(preconditioner=_ONE, loops=1)),
        Inference("for S = I and w, x_query of covariance I the loss is |M^L|^2, M = I - A; M is symmetric"),
        Inference(
            "d (M^L) = sum_j M^j dM M^(L-1-j), the trace is cyclic and M symmetric: d |M^L|^2 = 2 L <M^(2L-1), dM>"
        ),
        Inference("so the gradient is -2 L M^(2L-1), its square 4 L^2 sum_i lam_i^(4L-2), the loss sum_i lam_i^(2L)"),
        Inference(
            "if the loss is not 0, with mu^(2L) the mean of the lam_i^(2L) and x = lam_i^2 / mu^2, sum_i of L x^(2L-1) "
            "- (2L-1) x^L + (L-1) is L (sum_i lam_i^(4L-2)) / mu^(4L-2) - L d: it is to be shown >= 0"
        ),
        Inference(
            "it is (x - 1)^2 sum_{k=0..2L-3} c_k x^k, c_k = (L-1)(k+1) for k < L and L (2L-2-k) for k >= L-1, all "
            "positive: so 0 at x = 1 alone for L >= 2. By comparing coefficients, for every L:"
        ),
        Equation("both formulas agree at k = L - 1", low(L - 1), high(L - 1)),
        Equation("at x^0: c_0 = L - 1", low(0), L - 1),
        Equation("at x^1: c_1 - 2 c_0 = 0", low(1) - 2 * low(0), sympy.Integer(0)),
        Equation("at x^k, 1 < k < L: c_k - 2 c_(k-1) + c_(k-2) = 0", low(k) - 2 * low(k - 1) + low(k - 2), 0 * k),
        Equation("at x^L: -(2L - 1)", high(L) - 2 * low(L - 1) + low(L - 2), -(2 * L - 1)),
        Equation("at x^k, L < k < 2L - 1: 0", high(k) - 2 * high(k - 1) + high(k - 2), 0 * k),
        Equation("and c_(2L-2) = 0", high(2 * L - 2), sympy.Integer(0)),
        Equation("at x^(2L-1): L", -2 * high(2 * L - 2) + high(2 * L - 3), L),
        *(
            Equation(
                f"written out for L = {loops}",
                loops * x ** (2 * loops - 1) - (2 * loops - 1) * x**loops + (loops - 1),
                sympy.expand(
                    (x - 1) ** 2
                    * sum(
                        ((loops - 1) * (j + 1) if j < loops else loops * (2 * loops - 2 - j)) * x**j
                        for j in range(2 * loops - 2)
                    )
                ),
            )
            for loops in (2, 3, 5)
        ),
        Equation(
            "sum_i lam_i^(4L-2) >= d mu^(4L-2) is the claim, mu^(2L) = loss / d",
            size * (c / size) ** ((2 * L - 1) / L),
            size ** (-(L - 1) / L) * c ** ((2 * L - 1) / L),
        ),
        Inference(
            "at A = a I both sides are equal, so that a constant C free of d needs C <= 4 L^2 d^(-(L-1)/L): for C = "
            "1/16, d <= (64 L^2)^(L/(L-1))"
        ),
    )


def network_loss(A: Any, loops: int) -> Any:
    """The loss of the looped layer itself for X X^T = n I, n = 4, w and x_query running over all unit vectors.

    Args:
        A: (d, d), d <= 4; its entries may hold a symbol.
        loops: L.
    """
    A = sympy.Matrix(A)
    network = LoopedTransformer(preconditioner=A.tolist(), loops=loops)
    total = sympy.Integer(0)
    for i, j in product(range(A.rows), repeat=2):
        X = sympy.Matrix(_HADAMARD[: A.rows])
        x = sympy.eye(A.rows)[:, j]
        predicted = forward(network, Prompt(X, X[i, :], x).lifted(ExplicitBlock)) + ExplicitBlock.lift([[0]])
        total += (predicted.entry[0, 0] - x[i]) ** 2
    return sympy.expand(total)


def network_gradient(A: Any, loops: int) -> Any:
    """The gradient of ``network_loss``, entry by entry."""
    A, t = sympy.Matrix(A), sympy.Symbol("t")

    def slope(i: int, j: int) -> Any:
        moved = A.as_mutable()
        moved[i, j] += t
        return sympy.Poly(network_loss(moved, loops), t).nth(1)

    return sympy.Matrix(A.rows, A.rows, slope)


def _drawn(rng: np.random.Generator, features: int) -> Any:
    half = sympy.Matrix(features, features, lambda i, j: sympy.Rational(int(rng.integers(-4, 5)), 4))
    return (half + half.T) / 2


_CASES = ((1, 1), (2, 1), (2, 2), (3, 2), (2, 3), (1, 3))
"""(d, L) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        features, loops = _CASES[number % len(_CASES)]
        A = _drawn(rng, features)
        yield Run(f"L = {loops}, A = {A.tolist()}", _dominates(A, loops))
        reflection = sympy.eye(features) + sympy.Rational(3, 4) * sympy.diag(*([1] * (features - 1)), -1)
        equal = network_gradient(reflection, loops)
        yield Run(f"equality, L = {loops}, d = {features}", _squared(equal) ** loops == _right(reflection, loops))
    for loops, size in ((2, 65536), (3, 13824)):
        limit = (64 * loops**2) ** loops == size ** (loops - 1)
        yield Run(f"1/16 is the sharp constant of L = {loops} at d = {size}", limit)


def _squared(gradient: Any) -> Any:
    return sum(value**2 for value in gradient)


def _right(A: Any, loops: int) -> Any:
    """The right side to the power L, from the network's loss."""
    return sympy.Rational((4 * loops**2) ** loops, A.rows ** (loops - 1)) * network_loss(A, loops) ** (2 * loops - 1)


def _dominates(A: Any, loops: int) -> bool:
    """The network's gradient dominates its loss, by the margin that the eigenvalues say."""
    margin = _squared(network_gradient(A, loops)) ** loops - _right(A, loops)
    M = (sympy.eye(A.rows) - A) ** 2
    is_multiple = loops == 1 or M == M[0, 0] * sympy.eye(A.rows)
    return bool(margin == dominance_margin(A, loops) and margin >= 0 and (margin == 0) == is_multiple)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        features, loops = ((1, 2), (2, 2), (3, 1), (4, 3))[number % 4]
        A = _drawn(rng, features)
        network = LoopedTransformer(preconditioner=np.array(A, dtype=float), loops=loops)
        low = high = Fraction(0)
        X = np.array(_HADAMARD[:features], dtype=float)
        for i, j in product(range(features), repeat=2):
            prompt = Prompt(X, X[i : i + 1], np.eye(features)[:, j : j + 1]).lifted(RoundedBlock)
            predicted: Any = forward(network, prompt) + RoundedBlock.lift(np.zeros((1, 1)))
            error = abs(Fraction(float(predicted.value[0, 0])) - (i == j))
            radius = Fraction(float(predicted.radius[0, 0]))
            low += max(error - radius, Fraction(0)) ** 2
            high += (error + radius) ** 2
        loss = Fraction(((sympy.eye(features) - A) ** (2 * loops)).trace())
        fewer = Fraction(((sympy.eye(features) - A) ** (2 * loops + 2)).trace())
        name = f"L = {loops}, A = {A.tolist()}"
        yield Run(name, low <= loss <= high)
        if fewer != loss:
            yield Run(f"a loop more, {name}", low <= fewer <= high, is_control=True)


def _is_refuted(constant: Callable[[int, int], Any]) -> bool:
    """Whether the network violates the dominance with that constant, to the power L, somewhere."""
    points = [sympy.diag(*diagonal) for diagonal in ((0, 0), (sympy.Rational(1, 2),) * 3, (3, 3))]
    for A, loops in product(points, (2, 3)):
        margin = _squared(network_gradient(A, loops)) ** loops
        if margin < constant(loops, A.rows) * network_loss(A, loops) ** (2 * loops - 1):
            return True
    return False


_SLIPS: dict[str, Callable[[int, int], Any]] = {
    "without the factor of d": lambda L, size: (4 * L**2) ** L,
    "d^(-1/L) for d^(-(L-1)/L) (L = 3)": lambda L, size: sympy.Rational((4 * L**2) ** L, size),
    "(2 L + 1)^2 for (2 L)^2": lambda L, size: sympy.Rational((2 * L + 1) ** (2 * L), size ** (L - 1)),
    "one part in a thousand more": lambda L, size: sympy.Rational(1001 * (4 * L**2) ** L, 1000 * size ** (L - 1)),
}

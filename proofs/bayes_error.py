"""Bayes optimality with the matching kernel: the exact mean squared error of L layers, and its limit, the Bayes error.

Symbols: X (d, n), x_query (d, 1); labels y, y_q given X, x_query of mean 0 and covariance [[K, k], [k^T, K_qq]], the
values of the kernel kappa, K > 0; r_l the step sizes, P = prod_l (I - r_l K); a (n, 1) the weights of a prediction
a^T y; rho = max |1 - r lam| over the eigenvalues lam of K.

    E (a^T y - y_q)^2 = B + (a - K^-1 k)^T K (a - K^-1 k)                B = K_qq - k^T K^-1 k
    L layers with scores kappa: a = (I - P) K^-1 k, so that the excess over B is k^T K^-1 P^2 k <= rho^(2 L) K_qq
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy

from constructions.block import Block, Kernel
from constructions.construction import forward
from constructions.functional_descent import FunctionalDescent
from constructions.functional_limits import FunctionalDescentClosedForm
from constructions.kernels import LINEAR, RELU, polynomial
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from numerics.rationals import RationalBlock
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.induction import normal_form
from proofs.symbols import SymbolBlock

QUADRATIC = Kernel("quadratic", lambda K, Q: (K.T @ Q).square())
"""<k, q>^2: of the features x_a x_b."""

FEATURES: dict[str, tuple[Kernel, Callable[[Any], list[Any]]]] = {
    "linear": (LINEAR, list),
    "affine": (polynomial(1), lambda x: [1, *x]),
    "quadratic": (QUADRATIC, lambda x: [a * b for a in x for b in x]),
}
"""Kernels with their features: labels sum_j theta_j phi_j(x), theta_j = +-1, have the kernel for their covariance."""


def bayes_error(covariance: Any) -> Any:
    """B = K_qq - k^T K^-1 k, the least mean squared error of y_q from y.

    Args:
        covariance: of (y, y_q), (n + 1, n + 1), symmetric and positive semidefinite with K > 0.

    Raises:
        ValueError: if it is not symmetric, or K is not positive definite.

    >>> bayes_error([[2, 1], [1, 2]])
    3/2
    """
    K, k, K_qq = _split(covariance)
    return K_qq - (k.T * K.inv() * k)[0, 0]


def prediction_error(weights: Any, covariance: Any) -> Any:
    """E (a^T y - y_q)^2 = B + (a - K^-1 k)^T K (a - K^-1 k).

    Args:
        weights: a, (n, 1).
        covariance: as for ``bayes_error``.
    """
    K, k, _ = _split(covariance)
    away = sympy.Matrix(weights) - K.inv() * k
    return bayes_error(covariance) + (away.T * K * away)[0, 0]


def layer_weights(steps: Sequence[Any], K: Any, k: Any) -> Any:
    """a with prediction a^T y after those steps with the Gram matrix K and the column k, which need not be matched."""
    K, k = sympy.Matrix(K), sympy.Matrix(k)
    total, P = sympy.zeros(*K.shape), sympy.eye(K.rows)
    for r in steps:
        total, P = total + r * P, P * (sympy.eye(K.rows) - r * K)
    return total * k


def _split(covariance: Any) -> tuple[Any, Any, Any]:
    C = sympy.Matrix(covariance)
    if C.rows < 2 or C != C.T:
        raise ValueError(f"the covariance of (y, y_q) must be symmetric and at least (2, 2), but {C.tolist()} came")
    K = C[:-1, :-1]
    minors = [K[:j, :j].det() for j in range(1, K.rows + 1)]
    if any(minor <= 0 for minor in minors):
        raise ValueError(
            f"K = {K.tolist()} must be positive definite, but its leading minors are {minors}; drop repeated examples"
        )
    return K, C[:-1, -1:], C[-1, -1]


def theorems() -> tuple[ArguedTheorem, ...]:
    """The exact error, matched and not."""
    return (
        ArguedTheorem(
            name="matched_kernel_attention_attains_the_bayes_error",
            system="Cheng et al. 2024",
            reference=(
                "Cheng et al. (2024), arXiv 2312.06528, whose Bayes optimality in the limit of many layers is reported "
                "second-hand; the exact error at every depth, its rate and the mismatched kernel are this project's"
            ),
            statement=(
                "Let (y, y_q) given the inputs be Gaussian with covariance kappa, K > 0. No predictor has a smaller "
                "mean squared error than B = K_qq - k^T K^-1 k. L layers with scores kappa and steps r_l have exactly "
                "B + k^T K^-1 P^2 k, P = prod_l (I - r_l K), and for a constant 0 < r < 2 / lambda_max(K) at most B + "
                "rho^(2L) K_qq, rho = max |1 - r lam| < 1: the limit is Bayes. Layers with another kernel kappa' have "
                "B + (a - K^-1 k)^T K (a - K^-1 k), a their weights of y: their limit K'^-1 k' is Bayes only if it is "
                "K^-1 k."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, inputs with K > 0, symmetric kernels, L and steps",
                "exact": "the layers run on every label sum_j theta_j phi_j, theta_j = +-1, matched kernels and others",
                "float": "the float64 layers on the same labels, enclosed",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=FunctionalDescent(step_sizes=[1]),
        ),
    )


def _argument() -> tuple[Step, ...]:
    letters: tuple[Any, ...] = (("X", "d", "n"), ("x_query", "d", 1), ("a", "n", 1), ("P", "n", "n"))
    X, x, a, P = (SymbolBlock.lift(Unspecified(*letter)) for letter in letters)
    kappa = Kernel("kappa")
    K, k, K_qq = X.kernel(X, kappa), X.kernel(x, kappa), x.kernel(x, kappa)
    best: Block = K.inverse() @ k
    away = a - best
    reached = (P.identity(P.rows) - P) @ best
    return (
        Induction(
            "L layers predict y^T G k with G K = I - P, P = prod_l (I - r_l K)",
            FunctionalDescentClosedForm(step_sizes=[1]),
        ),
        Equation(
            "E (a^T y - y_q)^2 = a^T K a - 2 a^T k + K_qq is B plus a square, for every a and every symmetric kernel",
            normal_form(a.T @ K @ a - (a.T @ k).scale(2) + K_qq),
            normal_form(K_qq - k.T @ best + away.T @ K @ away),
        ),
        Equation("y_q - k^T K^-1 y is uncorrelated with y", normal_form(k.T - best.T @ K), normal_form((k - k).T)),
        Inference(
            "so it is independent of y, both being Gaussian: k^T K^-1 y = E[y_q | X, y], which no measurable predictor "
            "betters in mean square; B is its error"
        ),
        Equation(
            "the layers have a = G k = (I - P) K^-1 k: the excess over B",
            normal_form((reached - best).T @ K @ (reached - best)),
            normal_form(best.T @ P.T @ K @ P @ best),
        ),
        Inference("P is a polynomial in K, so that P^T K P = K P^2 and the excess is k^T K^-1 P^2 k"),
        Inference(
            "for a constant r, P^2 has the eigenvalues (1 - r lam)^(2L) <= rho^(2L): the excess is at most rho^(2L) "
            "k^T K^-1 k, and k^T K^-1 k <= K_qq as B >= 0; rho < 1 exactly for 0 < r < 2 / lambda_max(K)"
        ),
        Inference("K > 0, so that (a - K^-1 k)^T K (a - K^-1 k) = 0 only for a = K^-1 k"),
    )


def _covariance(name: str, points: Sequence[Sequence[Any]]) -> Any:
    phi = sympy.Matrix([FEATURES[name][1](list(point)) for point in points])
    return phi * phi.T


def enumerated_error(network: FunctionalDescent, name: str, points: Sequence[Sequence[Any]]) -> Any:
    """E (prediction - y_q)^2 of the layers, run on every label of the features of that kernel.

    Args:
        network: one target, rational steps.
        name: of the kernel of the labels, one of ``FEATURES``.
        points: the inputs of the context and, last, of the query.
    """
    total = sympy.Integer(0)
    signs = _signs(name, points)
    for labels in signs:
        made = forward(network, _prompt(points, labels).lifted(RationalBlock)) + RationalBlock.lift([[0]])
        (value,) = made.entry.flat
        total += (sympy.Rational(int(value.p), int(value.q)) - labels[-1]) ** 2
    return total / len(signs)


def _signs(name: str, points: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The labels of all points, for every sign of every feature."""
    phi = [FEATURES[name][1](list(point)) for point in points]
    return [
        [sum(theta * value for theta, value in zip(choice, row, strict=True)) for row in phi]
        for choice in product((1, -1), repeat=len(phi[0]))
    ]


def _prompt(points: Sequence[Sequence[Any]], labels: Sequence[Any]) -> Prompt:
    *context, query = points
    X = [[Fraction(point[a]) for point in context] for a in range(len(query))]
    return Prompt(X, [[Fraction(value) for value in labels[:-1]]], [[Fraction(value)] for value in query])


def _drawn(rng: np.random.Generator, name: str) -> list[list[int]]:
    """Two points and a query, d = 2, whose K is positive definite."""
    while True:
        points = [[int(value) for value in row] for row in rng.integers(-2, 3, (3, 2))]
        if _covariance(name, points)[:2, :2].det() > 0:
            return points


def _network(name: str, steps: Sequence[Any]) -> FunctionalDescent:
    kernel = RELU if name == "relu" else FEATURES[name][0]
    return FunctionalDescent(step_sizes=[Fraction(int(r.p), int(r.q)) for r in steps], kernel=kernel)


def _gram(name: str, points: Sequence[Sequence[Any]]) -> Any:
    """The kernel of the network at all points; ReLU has no features."""
    if name != "relu":
        return _covariance(name, points)
    return _covariance("linear", points).applyfunc(lambda value: max(value, 0))


_CASES = (
    ("linear", "linear"),
    ("affine", "affine"),
    ("quadratic", "quadratic"),
    ("relu", "linear"),
    ("affine", "linear"),
)
"""(the kernel of the network, that of the labels) of the runs, in turn."""


def _steps(rng: np.random.Generator, number: int) -> list[Any]:
    return [sympy.Rational(int(value), 16) for value in rng.integers(1, 8, number % 4)]


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        scores, labels = _CASES[number % len(_CASES)]
        points, steps = _drawn(rng, labels), _steps(rng, number)
        covariance, gram = _covariance(labels, points), _gram(scores, points)
        value = enumerated_error(_network(scores, steps), labels, points)
        claimed = prediction_error(layer_weights(steps, gram[:2, :2], gram[:2, 2:]), covariance)
        name = f"scores {scores}, labels {labels}, steps {steps}, points {points}"
        yield Run(name, bool(value == claimed and value >= bayes_error(covariance)))
        if scores == labels:
            K, k = covariance[:2, :2], covariance[:2, 2:]
            P = sympy.eye(2)
            for r in steps:
                P = P * (sympy.eye(2) - r * K)
            yield Run(f"excess, {name}", bool(value == bayes_error(covariance) + (k.T * K.inv() * P**2 * k)[0, 0]))
            yield Run(f"rate, {name}", _keeps_its_rate(covariance, number % 4))


def _keeps_its_rate(covariance: Any, depth: int) -> bool:
    """Whether the excess of the constant step 1 / tr K is at most rho^(2L) K_qq, for two points."""
    K, k, K_qq = _split(covariance)
    r = 1 / K.trace()
    # Of two points: det = lambda_min lambda_max <= lambda_min tr, so that no factor 1 - r lam exceeds this rho.
    rho = 1 - r * K.det() / K.trace()
    excess = prediction_error(layer_weights([r] * depth, K, k), covariance) - bayes_error(covariance)
    return bool(excess <= rho ** (2 * depth) * K_qq)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        scores, labels = _CASES[number % len(_CASES)]
        points, steps = _drawn(rng, labels), _steps(rng, 1 + number % 3)
        signs = _signs(labels, points)
        *context, query = (np.array(point, dtype=float)[:, None] for point in points)
        X, x = np.broadcast_to(np.hstack(context), (len(signs), 2, 2)), np.broadcast_to(query, (len(signs), 2, 1))
        Y = np.array(signs, dtype=float)[:, None, :-1]
        made: Any = forward(_network(scores, steps), Prompt(X, Y, x).lifted(RoundedBlock))
        low = high = Fraction(0)
        for value, radius, each in zip(made.value[:, 0, 0], made.radius[:, 0, 0], signs, strict=True):
            error = abs(Fraction(float(value)) - Fraction(each[-1]))
            low += max(error - Fraction(float(radius)), Fraction(0)) ** 2 / len(signs)
            high += (error + Fraction(float(radius))) ** 2 / len(signs)
        gram, covariance = _gram(scores, points), _covariance(labels, points)
        claimed = Fraction(prediction_error(layer_weights(steps, gram[:2, :2], gram[:2, 2:]), covariance))
        name = f"scores {scores}, labels {labels}, steps {steps}, points {points}"
        yield Run(name, low <= claimed <= high)
        yield Run(f"less K_qq, {name}", low <= claimed - Fraction(covariance[2, 2]) - 1 <= high, is_control=True)


_POINTS, _STEPS = [[1, 0], [1, 1], [2, 1]], [sympy.Rational(1, 4), sympy.Rational(1, 8)]


def _is_refuted(slip: Callable[[Any, Any, Any, Any], Any]) -> bool:
    covariance = _covariance("affine", _POINTS)
    K, k, K_qq = _split(covariance)
    P = (sympy.eye(2) - _STEPS[0] * K) * (sympy.eye(2) - _STEPS[1] * K)
    return bool(enumerated_error(_network("affine", _STEPS), "affine", _POINTS) != slip(K, k, K_qq, P))


_SLIPS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "no excess": lambda K, k, K_qq, P: K_qq - (k.T * K.inv() * k)[0, 0],
    "P for P^2": lambda K, k, K_qq, P: K_qq - (k.T * K.inv() * (k - P * k))[0, 0],
    "without K^-1": lambda K, k, K_qq, P: K_qq - (k.T * K.inv() * k)[0, 0] + (k.T * P**2 * k)[0, 0],
    "the prior's error K_qq for B": lambda K, k, K_qq, P: K_qq + (k.T * K.inv() * P**2 * k)[0, 0],
    "the kernel smoother K for K^-1": lambda K, k, K_qq, P: K_qq - (k.T * K * k)[0, 0],
}

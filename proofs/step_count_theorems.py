"""How many steps Newton's iteration and gradient descent need: the worst case exactly, and in closed form.

Symbols: S = X X^T; lmin, lmax its smallest nonzero and its largest eigenvalue; kappa = lmax / lmin; K = kappa^p with
p = 1 from M_0 = alpha I (and for gradient descent) and p = 2 from M_0 = alpha S; W (m, d).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.block import materialised
from constructions.construction import Construction, forward, iterates
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_residual import NewtonFromGramResidual, NewtonFromIdentityResidual
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.rationals import as_fraction
from numerics.rounding import RoundedBlock
from numerics.step_counts import (
    StepSize,
    contraction_factor,
    gradient_descent_step_count,
    gradient_descent_sufficient_step_count,
    newton_step_count,
    newton_sufficient_step_count,
)
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.spectral_contexts import context_of


@dataclass(frozen=True)
class Method:
    """A method with its step count.

    Args:
        name: in words.
        count, sufficient: (kappa, epsilon) -> the exact number of steps, and the closed form that suffices.
        network: (kappa, steps, n) -> the network that runs it on a context with lmin = 1 and lmax = kappa.
        factor: (kappa, steps) -> what the error is at most multiplied by.
    """

    name: str
    count: Callable[[Fraction, Fraction], int]
    sufficient: Callable[[Fraction, Fraction], int]
    network: Callable[[Fraction, int, int], Construction]
    factor: Callable[[Fraction, int], Fraction]


def _size(kappa: Fraction, power: int, choice: StepSize) -> Fraction:
    """alpha for lmin = 1 and lmax = kappa."""
    return 1 / kappa**power if choice == "1/lmax" else 2 / (kappa**power + 1)


def _newton_from_identity(choice: StepSize) -> Method:
    return Method(
        f"Newton from alpha I, alpha {choice}",
        lambda kappa, epsilon: newton_step_count(kappa, epsilon, "identity", choice),
        lambda kappa, epsilon: newton_sufficient_step_count(kappa, epsilon, "identity", choice),
        lambda kappa, steps, n: NewtonFromIdentity(alpha=_size(kappa, 1, choice), steps=steps),
        lambda kappa, steps: contraction_factor(kappa, "identity", choice) ** 2**steps,
    )


def _newton_from_gram(choice: StepSize) -> Method:
    return Method(
        f"Newton from alpha S, alpha {choice} of S^2",
        lambda kappa, epsilon: newton_step_count(kappa, epsilon, "gram", choice),
        lambda kappa, epsilon: newton_sufficient_step_count(kappa, epsilon, "gram", choice),
        lambda kappa, steps, n: NewtonFromGramMasked(alpha=_size(kappa, 2, choice), steps=steps),
        lambda kappa, steps: contraction_factor(kappa, "gram", choice) ** 2**steps,
    )


def _gradient_descent(choice: StepSize) -> Method:
    return Method(
        f"gradient descent, step {choice}",
        lambda kappa, epsilon: gradient_descent_step_count(kappa, epsilon, choice),
        lambda kappa, epsilon: gradient_descent_sufficient_step_count(kappa, epsilon, choice),
        lambda kappa, steps, n: GradientDescent(step_sizes=Repeated(_size(kappa, 1, choice) * n, steps)),
        lambda kappa, steps: contraction_factor(kappa, "identity", choice) ** steps,
    )


METHODS = tuple(
    method(choice)
    for method in (_newton_from_identity, _newton_from_gram, _gradient_descent)
    for choice in ("1/lmax", "optimal")
)
"""Both starts of Newton's iteration and gradient descent, each with both step sizes."""

_CASES = ((Fraction(1), Fraction(1, 10)), (Fraction(5, 2), Fraction(1, 100)), (Fraction(7), Fraction(1, 3)))
"""(kappa, epsilon) of the runs."""

_LARGE_CASES = ((Fraction(10**6), Fraction(1, 10**9)), (Fraction(10**40), Fraction(1, 10**1000)))
"""(kappa, epsilon) at which only the counts are compared."""


def theorems() -> tuple[ArguedTheorem, ...]:
    """The step counts of Newton's iteration and of gradient descent."""
    return (
        ArguedTheorem(
            name="newton_step_counts_are_logarithmic_in_the_condition_number",
            system="Fu et al. 2024",
            reference=(
                "Fu et al. (2024), section 5, arXiv 2310.17086, with orders only (after Soderstrom and Stewart; Pan "
                "and Schreiber); the exact counts and constants are this project's"
            ),
            statement=(
                "Let p = 1 for M_0 = alpha I, p = 2 for M_0 = alpha S, K = kappa^p. The least k with |W_k - W*| <= "
                "epsilon |W*| for every context of that kappa is the least k with rho^(2^k) <= epsilon, rho = 1 - 1/K "
                "for alpha = 1 / lmax^p and (K - 1) / (K + 1) for the best, alpha = 2 / (lmax^p + lmin^p). k >= p log2 "
                "kappa + log2 ln(1/epsilon) suffices, one step fewer for the best alpha. Gradient descent has rho^k in "
                "place of rho^(2^k), p = 1: kappa ln(1/epsilon) steps suffice, half for the best; (kappa - 1) "
                "ln(1/epsilon), half for the best, are needed."
            ),
            argument=_argument,
            exact_runs=exact_runs,
            float_runs=float_runs,
            over={
                "proof": "every kappa >= 1 and epsilon in (0, 1), inputs of any rank",
                "exact": f"the networks of {len(METHODS)} methods on the worst context: the count suffices, one step "
                "fewer does not; drawn contexts are no worse; closed forms up to kappa 10^40",
                "float": "the same networks in float64, enclosed: the count suffices, one step fewer does not",
            },
            slips={
                "kappa once from alpha S": lambda: _is_refuted(METHODS[2], METHODS[0].count),
                "kappa squared from alpha I": lambda: _is_refuted(METHODS[0], METHODS[2].count),
                "the count for 1 / lmax with the best step": lambda: _is_refuted(METHODS[5], METHODS[4].count),
                "the count for the best step with 1 / lmax": lambda: _is_refuted(METHODS[4], METHODS[5].count),
                "one step fewer": lambda: _is_refuted(METHODS[0], lambda *case: METHODS[0].count(*case) - 1),
                "one step more": lambda: _is_refuted(METHODS[2], lambda *case: METHODS[2].count(*case) + 1),
                "the closed form taken for the count": lambda: _is_refuted(METHODS[4], METHODS[4].sufficient),
                "alpha = 2 / lmax^2, as printed, converges": _printed_alpha_stalls,
            },
            about=NewtonFromGramResidual(alpha=1, steps=1),
        ),
    )


def _argument() -> Sequence[Equation | Induction | Inference]:
    K, a, x = (sympy.Symbol(name, positive=True) for name in ("K", "a", "x"))
    return (
        Induction("from alpha I the error is -W* (P - alpha S)^(2^k)", NewtonFromIdentityResidual(alpha=1, steps=1)),
        Induction("from alpha S the error is -W* (P - alpha S^2)^(2^k)", NewtonFromGramResidual(alpha=1, steps=1)),
        Inference(
            "so an eigenvector of S with the eigenvalue lam has the factor (1 - alpha lam^p)^(2^k), and |W_k - W*| <= "
            "rho^(2^k) |W*| with rho = max |1 - alpha lam^p|, with equality if W* lies along the eigenvector of the "
            "maximum; gradient descent has the exponent k"
        ),
        Inference("|1 - alpha u| is convex in u = (lam / lmin)^p, so its maximum over [1, K] is at an end"),
        Equation("alpha = 1/K: at u = 1 it is 1 - 1/K", (1 - a).subs(a, 1 / K), (K - 1) / K),
        Equation("and at u = K it is 0", (1 - a * K).subs(a, 1 / K), sympy.Integer(0)),
        Equation("alpha = 2/(K + 1): at u = 1 it is (K - 1)/(K + 1)", (1 - a).subs(a, 2 / (K + 1)), (K - 1) / (K + 1)),
        Equation("and at u = K minus that", (1 - a * K).subs(a, 2 / (K + 1)), -(K - 1) / (K + 1)),
        Equation("for any alpha, K (1 - alpha) - (1 - alpha K) = K - 1", K * (1 - a) - (1 - a * K), K - 1),
        Inference("so the larger of |1 - alpha| and |1 - alpha K| is at least (K - 1)/(K + 1): that alpha is the best"),
        *bounds_on_logarithms(x),
        Inference(
            "with x = 1/K: -ln rho is at least 1/K for alpha = 1/K and at least 2/K for the best, so that 2^k >= K "
            "ln(1/epsilon), or half of it, suffices; and at most 1/(K - 1), or 2/(K - 1), so that 2^k >= (K - 1) "
            "ln(1/epsilon), or half of it, is needed"
        ),
    )


def bounds_on_logarithms(x: Any) -> tuple[Equation | Inference, ...]:
    """x <= -ln(1 - x) <= x/(1 - x) and 2 x <= ln((1 + x)/(1 - x)) <= 2 x/(1 - x) on [0, 1), by derivatives."""
    single, double = -sympy.log(1 - x), sympy.log(1 + x) - sympy.log(1 - x)
    cases = (
        ("-ln(1 - x) - x", single - x, x / (1 - x)),
        ("x/(1 - x) + ln(1 - x)", x / (1 - x) - single, x / (1 - x) ** 2),
        ("ln((1 + x)/(1 - x)) - 2 x", double - 2 * x, 2 * x**2 / (1 - x**2)),
        ("2 x/(1 - x) - ln((1 + x)/(1 - x))", 2 * x / (1 - x) - double, 4 * x / ((1 - x) ** 2 * (1 + x))),
    )
    at_zero = (Equation(f"{text} is 0 at x = 0", value.subs(x, 0), sympy.Integer(0)) for text, value, _ in cases)
    slopes = (Equation(f"the derivative of {text}", sympy.diff(value, x), positive) for text, value, positive in cases)
    return (*at_zero, *slopes, Inference("these derivatives are >= 0 on [0, 1), and so are the four functions"))


def exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """The counts on the worst context, the closed forms, and drawn contexts."""
    for method in METHODS:
        for kappa, epsilon in _CASES:
            steps = method.count(kappa, epsilon)
            yield Run(f"{method.name}, kappa {kappa}, {steps} steps", _is_least(method, steps, kappa, epsilon))
        for kappa, epsilon in (*_CASES, *_LARGE_CASES):
            spare = method.sufficient(kappa, epsilon) - method.count(kappa, epsilon)
            yield Run(f"{method.name}, closed form, kappa {kappa}, {spare} steps to spare", spare >= 0)
    for method in METHODS[4:]:
        for kappa, epsilon in (*_CASES[1:], *_LARGE_CASES):
            needed = method.sufficient(kappa - 1, epsilon)  # the closed form of the lower bound is that of kappa - 1
            yield Run(f"{method.name}, kappa {kappa}, {needed} needed", needed <= method.count(kappa, epsilon))
    for number in range(instances):
        yield _drawn(rng, METHODS[number % len(METHODS)])


def _is_least(method: Method, steps: int, kappa: Fraction, epsilon: Fraction) -> bool:
    """Whether on the worst context the network with so many steps errs by at most epsilon, with one fewer by more."""
    if _worst_error(method, kappa, steps) > epsilon:
        return False
    return steps == 0 or _worst_error(method, kappa, steps - 1) > epsilon


def _is_refuted(method: Method, count: Callable[[Fraction, Fraction], int]) -> bool:
    """Whether a count is not the least for a method, shown by the method's network."""
    kappa, epsilon = Fraction(7), Fraction(1, 100)
    return not _is_least(method, count(kappa, epsilon), kappa, epsilon)


def worst_context(kappa: Fraction) -> Prompt:
    """Eigenvalues 1, kappa and 0, and W* = 1 along the first, where 1 - lam / lmax is largest."""
    return context_of([(Fraction(1), Fraction(1)), (kappa, Fraction(0)), (Fraction(0), Fraction(0))])[0]


def _worst_error(method: Method, kappa: Fraction, steps: int) -> Fraction:
    """|prediction - W* x| / |W* x| of the network on the worst context."""
    held = worst_context(kappa).lifted()
    prediction = materialised(forward(method.network(kappa, steps, held.n), held), held.X)
    return abs(as_fraction(prediction.entry[0, 0]) - 1)


def _drawn(rng: np.random.Generator, method: Method) -> Run:
    """Whether on a drawn context within that kappa every iterate's error is within the factor."""
    kappa = Fraction(int(rng.integers(2, 9)))
    within = [1 + (kappa - 1) * Fraction(int(rng.integers(0, 5)), 4) for _ in range(2)]
    squares = [Fraction(int(rng.integers(0, 4))) for _ in range(3)]
    spectrum = list(zip([Fraction(1), *within], squares, strict=True))
    prompt, W_star = context_of([*spectrum, (Fraction(0), Fraction(0))])
    steps = int(rng.integers(0, 4))
    held = prompt.lifted()
    network = method.network(kappa, steps, held.n)
    predictions = [
        as_fraction(materialised(forward(network, Prompt(held.X, held.Y, query)), held.X).entry[0, 0])
        for query in (held.X.fill(held.d, 1, lambda i, _, j=j: int(i == j)) for j in range(held.d))
    ]
    error = sum(((p - w) ** 2 for p, w in zip(predictions, W_star, strict=True)), start=Fraction(0))
    size = sum((w**2 for w in W_star), start=Fraction(0))
    return Run(
        f"{method.name}, {steps} steps, eigenvalues {list(map(str, within))} in [1, {kappa}]",
        error <= method.factor(kappa, steps) ** 2 * size,
    )


def float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """The counts on the worst context in floats, the rounding error enclosed."""
    kappa, epsilon = Fraction(7), Fraction(1, 100)
    prompt = worst_context(kappa).map(lambda entry: np.array(entry, dtype=float))
    held = prompt.lifted(RoundedBlock)
    for method in METHODS:
        steps = method.count(kappa, epsilon)
        for taken, suffices in ((steps, True), (steps - 1, False)):
            low, high = _enclosed_error(method.network(kappa, taken, held.n), held)
            decided = high <= epsilon if low <= epsilon else False
            undecided = low <= epsilon < high
            text = f"{method.name}, {taken} of {steps} steps, error in [{float(low)}, {float(high)}]"
            yield Run(text, None if undecided else decided == suffices)


def _enclosed_error(network: Construction, held: Prompt) -> tuple[Fraction, Fraction]:
    prediction = materialised(forward(network, held), held.X)
    assert isinstance(prediction, RoundedBlock)
    middle = abs(Fraction(float(prediction.value[0, 0])) - 1)
    radius = Fraction(float(prediction.radius[0, 0]))
    return max(middle - radius, Fraction(0)), middle + radius


def _printed_alpha_stalls() -> bool:
    """Whether from alpha = 2 / lmax^2 no number of steps moves the error along the top eigenvector."""
    kappa = Fraction(7)
    prompt, _ = context_of([(Fraction(1), Fraction(0)), (kappa, Fraction(1))])
    network = NewtonFromGramMasked(alpha=2 / kappa**2, steps=6)
    *_, last = iterates(network, prompt)
    held = prompt.lifted()
    stalled = materialised(forward(network, held), held.X).entry[0, 0] == 0
    return bool(stalled) and bool(last.matrix[1, 1] == 0)

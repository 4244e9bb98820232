"""The exponential separation of depths: k + 1 Newton layers do what T gradient-descent layers do, k = ceil(log2 T).

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), W (m, d), S = X X^T; E = W - W* (m, d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.block import Block, compare, materialised
from constructions.comparison import Verdict
from constructions.construction import forward, iterates
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonFromIdentity
from constructions.newton_doubling import NewtonFromIdentityDoubling
from constructions.parameters import Repeated, Unspecified
from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.instances import float_prompt, rational_prompt
from numerics.krylov import excess_loss
from numerics.rationals import RationalBlock, as_fraction
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.induction import normal_form
from proofs.newton_convergence import gradient_descent_layers
from proofs.rewriting import reduced, rule
from proofs.spectral_contexts import context_of
from proofs.symbols import SymbolBlock

MOST_DOUBLINGS = 4
"""The exact runs go up to this many Newton steps, and 2 to the power of it gradient steps."""


def theorems() -> tuple[ArguedTheorem, ...]:
    """The separation from gradient descent."""
    return (
        ArguedTheorem(
            name="newton_depth_is_the_logarithm_of_gradient_descent_depth",
            system="this project",
            reference="the separation that Fu et al. (2024), section 5, arXiv 2310.17086, state in orders, exactly",
            statement=(
                "Let 0 < alpha <= 2 / lambda_max(X X^T), and let T >= 1 be the least number of gradient steps of size "
                "alpha from W = 0 whose error W - W* is at most epsilon, in any unitarily invariant norm or in excess "
                "loss. Then ceil(log2 T) is the least number of Newton steps from alpha I with that error, for every "
                "X, Y and epsilon: ceil(log2 T) + 1 layers in place of T."
            ),
            argument=_argument,
            exact_runs=exact_runs,
            float_runs=float_runs,
            over={
                "proof": "all n, d, m, X, Y, alpha, epsilon and all such norms",
                "exact": f"both networks, up to {2**MOST_DOUBLINGS} gradient layers, each error they reach as epsilon, "
                "in Frobenius norm and excess loss",
                "float": "float64 predictions of k + 1 Newton layers and 2^k gradient layers, enclosed, k 1..4",
            },
            slips={
                "alpha above 2 / lambda_max": lambda: not law_holds(*_growing_direction()),
                "log2 T rounded down": lambda: not law_holds(*_two_directions(), count=lambda T: T.bit_length() - 1),
                "one Newton step more": lambda: not law_holds(*_two_directions(), count=lambda T: T.bit_length()),
                "2^k - 1 gradient layers": lambda: _differs_from_layers(2**3 - 1),
                "2^k + 1 gradient layers": lambda: _differs_from_layers(2**3 + 1),
            },
            about=NewtonFromIdentityDoubling(alpha=1, steps=1),
        ),
    )


def _argument() -> Sequence[Equation | Induction | Inference]:
    X, Y, W, W_star, E = (
        SymbolBlock.lift(Unspecified(*letter))
        for letter in (("X", "d", "n"), ("Y", "m", "n"), ("W", "m", "d"), ("W_star", "m", "d"), ("E", "m", "d"))
    )
    alpha = sympy.Symbol("alpha", positive=True)
    S, I = X @ X.T, X.identity(X.rows)
    A = I - S.scale(alpha)
    normal_equations = rule(normal_form(Y @ X.T), normal_form(W_star @ S))
    stepped = W - ((W @ X - Y) @ X.T).scale(alpha) - W_star

    def loss(error: Block, weight: Block) -> Any:
        return normal_form(error @ weight @ error.T)

    return (
        Induction(
            "k Newton steps from alpha I predict what 2^k gradient steps of size alpha predict, for every query",
            NewtonFromIdentityDoubling(alpha=1, steps=1),
        ),
        Equation(
            "with W* S = Y X^T a gradient step multiplies the error by A = I - alpha S",
            reduced(normal_form(stepped), [normal_equations]),
            normal_form((W - W_star) @ A),
        ),
        Equation(
            "E E^T - (E A) (E A)^T = alpha (E X) (2 I - alpha X^T X) (E X)^T",
            loss(E, I) - loss(E @ A, I),
            loss(E @ X, X.identity(X.columns).scale(2 * alpha) - (X.T @ X).scale(alpha**2)),
        ),
        Inference(
            "2 I - alpha X^T X >= 0 for alpha <= 2 / lambda_max, so (E A) (E A)^T <= E E^T: no singular value of the "
            "error grows, and no unitarily invariant norm of it does (Fan's dominance)"
        ),
        Equation(
            "E S E^T - (E A) S (E A)^T = alpha (E S) (2 I - alpha S) (E S)^T",
            loss(E, S) - loss(E @ A, S),
            loss(E @ S, I.scale(2 * alpha) - S.scale(alpha**2)),
        ),
        Inference("likewise the excess loss |E X|^2 = tr E S E^T does not grow"),
        Inference(
            "so 2^k gradient steps have an error of at most epsilon exactly if 2^k >= T, that is k >= ceil(log2 T)"
        ),
    )


def exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """The law on drawn contexts of every shape, alpha up to 2 / trace <= 2 / lambda_max."""
    for number in range(instances):
        n, d, m = (int(rng.integers(1, largest + 1)) for largest in (4, 3, 2))
        prompt = rational_prompt(rng, n, d, m)
        factor = (Fraction(1), Fraction(1, 3), Fraction(2))[number % 3]
        alpha = factor / sum(value**2 for row in prompt.X for value in row)
        yield Run(f"n = {n}, d = {d}, m = {m}, alpha = {alpha}, {prompt}", law_holds(prompt, alpha))


def law_holds(prompt: Prompt, alpha: Fraction, count: Any = lambda T: (T - 1).bit_length()) -> bool:
    """Whether count(T) is the least number of Newton steps, for every error that gradient descent reaches.

    Args:
        prompt: rational entries.
        alpha: the step size.
        count: the law, from T to the number of Newton steps claimed.
    """
    held = prompt.lifted()
    depth = 2**MOST_DOUBLINGS
    W_star = RationalBlock.lift(least_squares(prompt).entry)
    gradient = GradientDescent(step_sizes=Repeated(alpha * held.n, depth))
    by_layers = [RationalBlock.lift(materialised(W, held.X).entry) for W in iterates(gradient, prompt)][1:]
    by_newton = [_weights(NewtonFromIdentity(alpha=alpha, steps=k), prompt) for k in range(MOST_DOUBLINGS + 1)]
    for inputs in (held.X.identity(held.d), held.X):
        gradient_errors = [excess_loss(W, W_star, inputs) for W in by_layers]
        newton_errors = [excess_loss(W, W_star, inputs) for W in by_newton]
        for epsilon in gradient_errors:
            T = 1 + next(i for i, error in enumerate(gradient_errors) if error <= epsilon)
            least = next((k for k, error in enumerate(newton_errors) if error <= epsilon), None)
            if least != count(T):
                return False
    return True


def _weights(network: NewtonFromIdentity, prompt: Prompt) -> RationalBlock:
    """The weights that a network predicts with, from its predictions for the d unit vectors as queries."""
    held = prompt.lifted()
    unit = [[[Fraction(int(i == j))] for i in range(held.d)] for j in range(held.d)]
    columns = [forward(network, Prompt(prompt.X, prompt.Y, query)) for query in unit]
    predictions = [materialised(column, held.X).entry for column in columns]
    return RationalBlock.lift([[as_fraction(column[i, 0]) for column in predictions] for i in range(held.m)])


def float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """k + 1 Newton layers against 2^k gradient layers in floats, and against 2^k - 1 as a control."""
    for number in range(instances):
        n, d, m = (int(rng.integers(1, largest + 1)) for largest in (4, 3, 2))
        prompt = float_prompt(rng, n, d, m)
        k = 1 + number % MOST_DOUBLINGS
        alpha = Fraction(float(1 / (2 * (prompt.X**2).sum())))
        newton = NewtonFromIdentity(alpha=alpha, steps=k)
        deep, _ = gradient_descent_layers(newton, prompt)
        shallower = GradientDescent(step_sizes=Repeated(alpha * n, 2**k - 1))
        yield Run(f"k = {k}, {prompt}", _agree(newton, deep, prompt))
        if number < MOST_DOUBLINGS:
            yield Run(f"k = {k}, one gradient layer less, {prompt}", _agree(newton, shallower, prompt), is_control=True)


def _agree(one: Any, other: Any, prompt: Prompt) -> bool | None:
    held = prompt.lifted(RoundedBlock)
    left, right = (materialised(forward(network, held), held.X) for network in (one, other))
    verdict = compare(left, right).verdict
    return None if verdict is Verdict.UNDECIDED else verdict is Verdict.EQUAL


def _two_directions() -> tuple[Prompt, Fraction]:
    """A context with the eigenvalues 1 and 3, and a converging alpha."""
    one = Fraction(1)
    return context_of([(one, one), (3 * one, one)])[0], Fraction(1, 4)


def _growing_direction() -> tuple[Prompt, Fraction]:
    """alpha lambda_max = 21/10 > 2, with little of W* along that eigenvector: the error falls, and then grows."""
    return context_of([(Fraction(5), Fraction(1)), (Fraction(21), Fraction(1, 25))])[0], Fraction(1, 10)


def _differs_from_layers(layers: int) -> bool:
    """Whether three Newton steps predict otherwise than that many gradient layers."""
    prompt, alpha = _two_directions()
    held = prompt.lifted()
    deep = GradientDescent(step_sizes=Repeated(alpha * held.n, layers))
    newton = forward(NewtonFromIdentity(alpha=alpha, steps=3), held)
    return compare(newton, forward(deep, held)).verdict is Verdict.DIFFERENT

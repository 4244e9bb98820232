"""Theorems on how fast Newton's iteration converges: its exact residual, and its equality with 2^k gradient steps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from constructions.construction import Construction
from constructions.gradient_descent import GradientDescent
from constructions.newton import NewtonIteration
from constructions.newton_doubling import NewtonFromGramDoubling, NewtonFromIdentityDoubling
from constructions.newton_residual import NewtonFromGramResidual, NewtonFromIdentityResidual
from constructions.parameters import Repeated
from constructions.prompt import Prompt
from numerics.instances import Sizes, exact_parameters, float_parameters
from numerics.mutations import Instance
from proofs.construction_theorem import ConstructionTheorem, Draw
from proofs.theorem import Theorem

_ANY_RANK = (
    "for X of any rank: P = I, or P = S S^+ (any orthogonal projector that fixes the inputs), and any W* = W* P with "
    "W* S = Y X^T"
)


def theorems() -> tuple[Theorem, ...]:
    """The exact error after k steps, and the gradient steps that make the same one."""
    return (*_residuals(), *_doublings())


def _residuals() -> tuple[Theorem, ...]:
    from_identity = NewtonFromIdentityResidual(alpha=1, steps=1)
    from_gram = NewtonFromGramResidual(alpha=1, steps=1)
    return (
        ConstructionTheorem(
            name="newton_residual_squares_from_gram",
            system="Fu et al. 2024",
            reference=(
                "Fu et al. (2024), section 5, arXiv 2310.17086, which cites the rate; the exact error, any rank "
                "included, and that the network makes it are this project's"
            ),
            statement=(
                "From M_0 = alpha S, S = X X^T, the residual P - S M_k is squared at every step, so it is "
                "(P - alpha S^2)^(2^k), and the network of k + 2 layers errs by exactly -W* (P - alpha S^2)^(2^k) "
                f"x_query, {_ANY_RANK}."
            ),
            prototype=from_gram,
            layers=(0, 1, 2, 3),
            draw=least_squares_instance(from_gram),
        ),
        ConstructionTheorem(
            name="newton_residual_squares_from_identity",
            system="this project",
            reference="the start that costs kappa once, where Fu et al. (2024) pay kappa^2",
            statement=(
                "From M_0 = alpha I the residual P - S M_k is (P - alpha S)^(2^k), and the network of k + 1 layers "
                f"errs by exactly -W* (P - alpha S)^(2^k) x_query, {_ANY_RANK}."
            ),
            prototype=from_identity,
            layers=(0, 1, 2, 3),
            draw=least_squares_instance(from_identity),
        ),
    )


def _doublings() -> tuple[Theorem, ...]:
    return (
        ConstructionTheorem(
            name="k_newton_steps_from_identity_are_2_to_the_k_gradient_steps",
            system="this project",
            reference="the equality behind the separation that Fu et al. (2024), section 5, state in orders",
            statement=(
                "k Newton steps from M_0 = alpha I predict exactly what 2^k gradient steps W <- W - alpha (W X - Y) "
                "X^T from W = 0 predict: k + 1 layers compute the function of 2^k gradient-descent layers with "
                "eta = alpha n."
            ),
            prototype=NewtonFromIdentityDoubling(alpha=1, steps=1),
            layers=tuple(range(6)),
            rival=gradient_descent_layers,
        ),
        ConstructionTheorem(
            name="k_newton_steps_from_gram_are_2_to_the_k_richardson_steps",
            system="this project",
            reference="the start of Fu et al. (2024), Theorem 5.1",
            statement=(
                "k Newton steps from M_0 = alpha S predict exactly what 2^k Richardson steps W <- W - alpha (W S - "
                "Y X^T) S from W = 0 predict: those of 2^k gradient-descent layers with eta = alpha d on the context "
                "(X X^T, Y X^T)."
            ),
            prototype=NewtonFromGramDoubling(alpha=1, steps=1),
            layers=tuple(range(6)),
            rival=richardson_layers,
        ),
    )


def gradient_descent_layers(newton: Construction, prompt: Prompt) -> Instance:
    """The gradient-descent network of 2^k layers that predicts what k Newton steps from alpha I predict."""
    assert isinstance(newton, NewtonIteration)
    return GradientDescent(step_sizes=Repeated(newton.alpha * prompt.lifted().n, 2**newton.steps)), prompt


def richardson_layers(newton: Construction, prompt: Prompt) -> Instance:
    """The gradient-descent network of 2^k layers, and the context (X X^T, Y X^T), for k Newton steps from alpha S."""
    assert isinstance(newton, NewtonIteration)
    held = prompt.lifted()
    normal = Prompt(held.X @ held.X.T, held.Y @ held.X.T, held.x_query)
    return GradientDescent(step_sizes=Repeated(newton.alpha * held.d, 2**newton.steps)), normal


def least_squares_instance(prototype: Construction) -> Draw:
    """Draws contexts of any rank with a least-squares solution, and a projector that fixes both, all dyadic.

    X = H D G^T, where H (d, d) and G (n, n) are block diagonal with blocks [[1, 1], [1, -1]] (and a 1 if the size is
    odd) and D is a rectangular diagonal matrix, some of whose entries are 0. The columns of H that D keeps span the
    inputs; the columns of G that it drops span the targets' noise N, for which N X^T = 0.
    """

    def draw(rng: np.random.Generator, sizes: Sizes, depth: int, dtype: Any) -> Instance:
        n, d, m = sizes
        H, G, D = _hadamard_blocks(d), _hadamard_blocks(n), np.zeros((d, n), dtype=int)
        for i in range(min(d, n)):
            D[i, i] = rng.integers(0 if i else 1, 3)
        kept = D.any(axis=1)
        X = H @ D @ G.T
        P = np.eye(d) if rng.integers(2) else (H[:, kept] / (H[:, kept] ** 2).sum(axis=0)) @ H[:, kept].T
        W_star = rng.integers(-3, 4, (m, d)) @ P
        noise = rng.integers(-1, 2, (m, n)) @ np.diag(~D.any(axis=0)) @ G.T
        entries = [X, W_star @ X + noise, rng.integers(-3, 4, (d, 1)), W_star, P]
        if dtype is None:
            construction = exact_parameters(prototype, sizes, rng, depth)
            held: list[Any] = [[[Fraction(float(value)) for value in row] for row in entry] for entry in entries]
        else:
            construction = float_parameters(prototype, sizes, rng, depth, dtype)
            held = [np.asarray(entry, dtype=dtype) for entry in entries]
        X_held, Y_held, query, *extras = held
        return construction, Prompt(X_held, Y_held, query, tuple(zip(("W_star", "P"), extras, strict=True)))

    return draw


def _hadamard_blocks(size: int) -> Any:
    """[[1, 1], [1, -1]] down the diagonal, and a 1 if the size is odd: its columns are orthogonal."""
    H = np.eye(size, dtype=int)
    for i in range(0, size - 1, 2):
        H[i : i + 2, i : i + 2] = [[1, 1], [1, -1]]
    return H

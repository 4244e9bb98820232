"""Without chain of thought: no weights of one forward pass predict w better than one gradient step, for all V and W.

Symbols: x_i ~ N(0, I), w ~ N(0, I), y_i = w^T x_i + eps_i with noise sigma2; S = X X^T / n, g = |y|^2 / n; V_ij, W_ij
the blocks of V and W, of sizes (d, 1, d, 1); rho = (n + d + 1 + sigma2) / n. The layer predicts odd + even, odd = M X y
/ n with M = V_31 W_24 + V_32 W_14^T, even = V_31 S W_14 + V_32 W_24 g + V_34 W_44 / n, as it is proved of
``constructions.without_chain_of_thought``.

    E |odd - w|^2 = d - d / rho + rho |M - I / rho|^2               E |prediction - w|^2 = that + E |even|^2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import sympy

from constructions.construction import forward
from constructions.parameters import Unspecified, parameters
from constructions.without_chain_of_thought import OneForwardPass
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.expected_words import indexed, regression_prompt
from proofs.gaussian_moments import NOISE, Gaussian, X, expectation, sigma2, w
from proofs.index_sums import IndexSum, Tensor, d, delta, n, summed
from proofs.induction import normal_form
from proofs.regression_law import RegressionLaw, float_weight_loss_bounds, integrated_weight_loss
from proofs.symbols import SymbolBlock

_SIZES = ("d", 1, "d", 1)
SHAPES: dict[str, tuple[str | int, str | int]] = {
    f"{name}_{i}{j}": (_SIZES[i - 1], _SIZES[j - 1]) for name in "VW" for i in range(1, 5) for j in range(1, 5)
}
"""The sizes of the 32 blocks."""

_ONE: Any = [[1]]
LAYER = OneForwardPass(**dict.fromkeys(parameters(OneForwardPass), _ONE))
"""The network that the theorem is about; the values of its weights do not matter."""

_V31, _V32, _V34, _W14 = Tensor("V_31", "dd"), *(Tensor(name, "d") for name in ("V_32", "V_34", "W_14"))
_W24, _W44 = sympy.symbols("W_24 W_44", real=True)
_M = Tensor("M", "dd")
_RHO = (n + d + 1 + sigma2) / n


def one_pass_bound(law: RegressionLaw) -> Any:
    """d (d + 1 + sigma2) / (2 (n + d + 1 + sigma2)), half the least mean square of a forward pass.

    Args:
        law: of which n, d and sigma2 count; Sigma = Omega = I.

    Raises:
        ValueError: if Sigma or Omega is not the identity.

    >>> one_pass_bound(RegressionLaw.isotropic(20, 10))
    55/31
    """
    _require_isotropic(law)
    return sympy.Rational(law.d, 2) * (law.d + 1 + law.sigma2) / (law.n + law.d + 1 + law.sigma2)


def one_pass_error(blocks: Mapping[str, Any], law: RegressionLaw) -> Any:
    """(1/2) E |prediction - w|^2 of one forward pass, in closed form.

    Args:
        blocks: the matrices by name, of the sizes ``SHAPES``; only V_31, V_32, V_34, W_14, W_24 and W_44 count.
        law: of which n, d and sigma2 count; Sigma = Omega = I.

    Raises:
        ValueError: if Sigma or Omega is not the identity.
    """
    _require_isotropic(law)
    V, v, c, b = (sympy.Matrix(blocks[name]) for name in ("V_31", "V_32", "V_34", "W_14"))
    scale, shift = (sympy.Matrix(blocks[name])[0, 0] for name in ("W_24", "W_44"))
    size, noise, tokens = law.d, law.sigma2, sympy.Integer(law.n)
    M, Vb, power = scale * V + v * b.T, V * b, size + noise
    odd = size - 2 * M.trace() + (tokens + size + 1 + noise) / tokens * _square(M)
    even = ((tokens + 1) * _square(Vb) + _square(b) * _square(V)) / tokens
    even += scale**2 * _square(v) * (1 + 2 / tokens) * (power**2 + 2 * size) + shift**2 * _square(c) / tokens**2
    even += 2 * scale * (power + 2 / tokens) * v.dot(Vb) + 2 * shift / tokens * (c.dot(Vb) + scale * power * c.dot(v))
    return sympy.expand(odd + even) / 2


def _square(matrix: Any) -> Any:
    return sum(value**2 for value in matrix)


def _require_isotropic(law: RegressionLaw) -> None:
    if law.Sigma != sympy.eye(law.d) or law.Omega != sympy.eye(law.d):
        raise ValueError(f"Sigma = Omega = I is required, but {law} came; use RegressionLaw.isotropic")


def theorems() -> tuple[ArguedTheorem, ...]:
    """The lower bound."""
    return (
        ArguedTheorem(
            name="without_chain_of_thought_one_gradient_step_is_optimal",
            system="Huang et al. 2025",
            reference=(
                "for the model of Huang et al. (2025), arXiv 2502.21212, whose theorem is reported second-hand (step "
                "n / (n + d + 1), an order for the loss); the exact bound over all V and W, the noise, the minimisers "
                "and the proof are this project's"
            ),
            statement=(
                "For x_i, w ~ N(0, I) and noise sigma2, one forward pass from w_0 = 0 has (1/2) E |prediction - w|^2 "
                ">= d (d + 1 + sigma2) / (2 (n + d + 1 + sigma2)) for all V and W, all 32 blocks: d (d + 1) / (2 (n + "
                "d + 1)) without noise. One gradient step of size eta = n / (n + d + 1 + sigma2) attains it, and every "
                "minimiser predicts that step almost surely; for d >= 2 they are V_31 = (eta / W_24) I, V_32 = W_14 = "
                "0, V_34 W_44 = 0, W_24 not 0, and no condition on other blocks."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, V, W and sigma2 >= 0",
                "exact": "forward passes with all 32 blocks drawn, integrated entry by entry, n 1..2, d 1..2",
                "float": "the float64 forward pass over a finite law of equal moments, enclosed, n 1..2, d 1..2",
            },
            slips={name: partial(_is_worse, slip) for name, slip in _SLIPS.items()}
            | {"n + d for n + d + 1 in the bound": _attained_is_above_the_slip},
            about=LAYER,
        ),
    )


def population_error() -> IndexSum:
    """E |prediction - w|^2 of the forward pass itself, all 32 blocks letters, by pairings."""
    letters = {name: SymbolBlock.lift(Unspecified(name, *shape)) for name, shape in SHAPES.items()}
    prompt, _ = regression_prompt()
    error = forward(OneForwardPass(**letters), prompt) - SymbolBlock.lift(Unspecified("w", "d", 1))
    return expectation(indexed(normal_form(error.T @ error)), (Gaussian(X), NOISE, Gaussian(w)))


def _odd_error() -> IndexSum:
    """d - d / rho + rho |M - I / rho|^2."""
    away = summed([(d - d / _RHO, []), (_RHO, [_M("a", "b"), _M("a", "b")])])
    return away.substituted({_M: lambda a, b: [*_M_in_blocks(a, b), (-1 / _RHO, [delta(a, b)])]})


def _M_in_blocks(a: Any, b: Any) -> list[tuple[Any, list[Any]]]:
    return [(_W24, [_V31(a, b)]), (1, [_V32(a), _W14(b)])]


def _even_error() -> IndexSum:
    """E |even|^2."""
    power = d + sigma2
    Vb = [_V31("a", "b"), _W14("b")]
    return summed(
        [
            ((n + 1) / n, [*Vb, _V31("a", "c"), _W14("c")]),
            (1 / n, [_V31("a", "b"), _V31("a", "b"), _W14("c"), _W14("c")]),
            (_W24**2 * (1 + 2 / n) * (power**2 + 2 * d), [_V32("a"), _V32("a")]),
            (_W44**2 / n**2, [_V34("a"), _V34("a")]),
            (2 * _W24 * (power + 2 / n), [_V32("a"), *Vb]),
            (2 * _W44 / n, [_V34("a"), *Vb]),
            (2 * _W24 * _W44 * power / n, [_V34("a"), _V32("a")]),
        ]
    )


def _argument() -> tuple[Step, ...]:
    eta = n / (n + d + 1 + sigma2)
    return (
        Induction("for all V and W the layer predicts odd + even; M, S, g as above", LAYER),
        Inference("negating w and eps changes no law and the sign of odd - w, not of even: they are uncorrelated"),
        Equation(
            "E |prediction - w|^2 of the forward pass, all 32 blocks, by pairings: a square in M, and E |even|^2",
            population_error(),
            _odd_error() + _even_error(),
        ),
        Inference("both are >= 0: the least value is that of M = I / rho and even = 0"),
        Equation(
            "half of it",
            (d - d / _RHO) / 2,
            d * (d + 1 + sigma2) / (2 * (n + d + 1 + sigma2)),
        ),
        Equation("V_31 = eta I, W_24 = 1 and no other block has M = I / rho: one gradient step", 1 / _RHO, eta),
        Inference(
            "at a minimum even = 0 for all X and w, so that V_34 W_44 = 0 (X = 0), V_31 x x^T W_14 = 0 for all x (y = "
            "0), whence V_31 = 0 or W_14 = 0, and V_32 W_24 = 0; all predict M X y / n, M = I / rho"
        ),
        Inference(
            "M = I / rho has rank d: for d >= 2 it is not V_32 W_14^T, so that W_24 V_31 is not 0; hence V_32 = 0, "
            "W_14 = 0 and V_31 = I / (rho W_24)"
        ),
    )


def _blocks(rng: np.random.Generator, features: int) -> dict[str, Any]:
    def size(name: str | int) -> int:
        return features if name == "d" else 1

    return {
        name: sympy.Matrix(size(rows), size(columns), lambda i, j: sympy.Rational(int(rng.integers(-4, 5)), 4))
        for name, (rows, columns) in SHAPES.items()
    }


def one_step(law: RegressionLaw, eta: Any = None, scale: Any = 1) -> dict[str, Any]:
    """The blocks of one gradient step, by default of the optimal size n / (n + d + 1 + sigma2); others are zero.

    Args:
        law: of which n, d and sigma2 count.
        eta: another step size.
        scale: W_24, not 0.
    """
    eta = law.n / (law.n + law.d + 1 + law.sigma2) if eta is None else eta
    zeros = {name: sympy.zeros(*(law.d if size == "d" else 1 for size in shape)) for name, shape in SHAPES.items()}
    return {**zeros, "V_31": sympy.eye(law.d) * eta / scale, "W_24": sympy.Matrix([[scale]])}


def _network(blocks: Mapping[str, Any]) -> OneForwardPass:
    return OneForwardPass(**{name: matrix.tolist() for name, matrix in blocks.items()})


def _integrated(blocks: Mapping[str, Any], law: RegressionLaw) -> Any:
    return integrated_weight_loss(_network(blocks), law) / 2


def _law(rng: np.random.Generator, number: int) -> RegressionLaw:
    tokens, features, noisy = ((1, 1, 1), (2, 1, 1), (1, 2, 0), (3, 1, 1), (1, 2, 1), (2, 2, 0))[number % 6]
    return RegressionLaw.isotropic(tokens, features, sympy.Rational(noisy * int(rng.integers(1, 4)), 2))


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _law(rng, number)
        blocks = _blocks(rng, law.d)
        value = _integrated(blocks, law)
        yield Run(f"drawn V and W, {law}", bool(value == one_pass_error(blocks, law) and value >= one_pass_bound(law)))
        scale = sympy.Rational(int(rng.integers(1, 9)) * int(rng.choice([-1, 1])), 4)
        best = one_step(law, scale=scale)
        free = {name: blocks[name] for name in SHAPES if name not in _FIXED}
        yield Run(f"one step, {law}", bool(_integrated({**best, **free}, law) == one_pass_bound(law)))


_FIXED = ("V_31", "V_32", "V_34", "W_14", "W_24")
"""The blocks that are fixed in a minimiser with V_34 = 0."""


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        law = _law(rng, number % 3)
        blocks = _blocks(rng, law.d)
        network = OneForwardPass(**{name: np.array(matrix, dtype=float) for name, matrix in blocks.items()})
        low, high = (
            sympy.Rational(end.numerator, 2 * end.denominator) for end in float_weight_loss_bounds(network, law)
        )
        claimed = one_pass_error(blocks, law)
        wrong = one_pass_error(blocks, RegressionLaw.isotropic(law.n + 1, law.d, law.root("s")))
        yield Run(f"drawn V and W, {law}", bool(low <= claimed <= high))
        if wrong != claimed:
            yield Run(f"a token more, {law}", bool(low <= wrong <= high), is_control=True)


_LAW = RegressionLaw.isotropic(2, 2, sympy.Rational(1, 2))


def _is_worse(slip: Callable[[RegressionLaw], Mapping[str, Any]]) -> bool:
    return bool(_integrated(slip(_LAW), _LAW) > one_pass_bound(_LAW))


def _attained_is_above_the_slip() -> bool:
    """One step's integrated error is not d (d + sigma2) / (2 (n + d + sigma2))."""
    slip = sympy.Rational(_LAW.d, 2) * (_LAW.d + _LAW.sigma2) / (_LAW.n + _LAW.d + _LAW.sigma2)
    return bool(_integrated(one_step(_LAW), _LAW) != slip)


def _with(**changed: Any) -> Callable[[RegressionLaw], Mapping[str, Any]]:
    return lambda law: {**one_step(law), **{name: sympy.Matrix(value) for name, value in changed.items()}}


_SLIPS: dict[str, Callable[[RegressionLaw], Mapping[str, Any]]] = {
    "the noise dropped from the step size": lambda law: one_step(law, sympy.Rational(law.n, law.n + law.d + 1)),
    "n + d for n + d + 1": lambda law: one_step(law, law.n / (law.n + law.d + law.sigma2)),
    "eta = 1": lambda law: one_step(law, sympy.Integer(1)),
    "W_24 of the other sign": lambda law: {**one_step(law), "W_24": -one_step(law)["W_24"]},
    "V_32 free": _with(V_32=[[1], [0]]),
    "W_14 free": _with(W_14=[[0], [1]]),
    "V_34 and W_44 free": _with(V_34=[[1], [0]], W_44=[[1]]),
    "V_31 not a multiple of I": _with(V_31=[[sympy.Rational(2, 5), sympy.Rational(1, 5)], [0, sympy.Rational(2, 5)]]),
}

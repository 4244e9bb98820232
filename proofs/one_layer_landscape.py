"""The landscape of one layer is not benign: critical points of rank one, of which some are strict local minima.

Symbols: as in ``proofs.one_layer_loss`` with Omega = I, Sigma = diag(lam), T = tr Sigma, T2 = tr Sigma^2,
tau = T + sigma2; c_j = 1 / ((1 + 1/n) lam_j + tau / n), h_j = lam_j / c_j; k a coordinate, e_k its unit vector.

    p0 = beta e_k, p1 = 0, Q1 = 0, q2 = alpha e_k, alpha beta = -c_k

is a critical point, sum_{j != k} lam_j^2 c_j above the minimum. If lam_k is the only largest eigenvalue and

    c_k^2 lam_k^2 (E g^2 - (tau + 2 lam_k / n)^2 / (1 + 2/n)) > n sum_{j != k} lam_j^2

with E g^2 = (1 + 2/n) (tau^2 + 2 T2), it is a strict local minimum, up to the scale; if < it is a saddle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import sympy

from constructions.one_layer_attention import OneLayerAttention
from proofs.argued_theorem import ArguedTheorem, Equation, Inference, Run
from proofs.critical_points import hessian_signs
from proofs.expected_words import population_loss
from proofs.gaussian_moments import Omega, sigma2
from proofs.index_sums import Free, IndexSum, Tensor, Terms, delta, eigenvalue, lam, n, power_sum, summed
from proofs.one_layer_closed_form import LAYER
from proofs.one_layer_loss import (
    Q1,
    Weights,
    closed_form,
    least_loss,
    loss,
    noise_level,
    p0,
    p1,
    q2,
    with_letters,
)
from proofs.one_layer_runs import float_bounds, rounded
from proofs.regression_law import RegressionLaw

_HALF = sympy.Rational(1, 2)


def criterion(law: RegressionLaw, k: int) -> Any:
    """Left minus right side of the inequality: > 0 for a strict local minimum at the largest eigenvalue's point.

    Args:
        law: Sigma diagonal, Omega = I.
        k: the coordinate, from 0.
    """
    spectrum, tokens, level = _spectrum(law), sympy.Integer(law.n), noise_level(law)
    power = (1 + 2 / tokens) * (level**2 + 2 * sum(value**2 for value in spectrum))
    top = spectrum[k]
    left = _shrinkage(law, k) ** 2 * top**2 * (power - (level + 2 * top / tokens) ** 2 / (1 + 2 / tokens))
    return left - tokens * sum(value**2 for j, value in enumerate(spectrum) if j != k)


def gap(law: RegressionLaw, k: int) -> Any:
    """How far the loss of the critical point of coordinate k is above the minimum: sum_{j != k} lam_j^2 c_j."""
    return sum(value**2 * _shrinkage(law, j) for j, value in enumerate(_spectrum(law)) if j != k)


def spurious_point(law: RegressionLaw, k: int, alpha: Any = 1) -> Weights:
    """The critical point of coordinate k: p0 = beta e_k, q2 = alpha e_k, alpha beta = -c_k."""
    row, alpha = sympy.eye(law.d)[k, :], sympy.Rational(alpha)
    return Weights(-_shrinkage(law, k) / alpha * row, 0, sympy.zeros(law.d, law.d), alpha * row)


def _shrinkage(law: RegressionLaw, k: int) -> Any:
    """c_k."""
    tokens = sympy.Integer(law.n)
    return 1 / ((1 + 1 / tokens) * _spectrum(law)[k] + noise_level(law) / tokens)


def _spectrum(law: RegressionLaw) -> list[Any]:
    if not law.Sigma.is_diagonal() or law.Omega != sympy.eye(law.d):
        raise ValueError(f"Sigma must be diagonal and Omega = I, but {law} came; rotate to the eigenbasis of Sigma")
    return [law.Sigma[j, j] for j in range(law.d)]


def theorems() -> tuple[ArguedTheorem, ...]:
    """The spurious minima."""
    return (
        ArguedTheorem(
            name="one_layer_landscape_has_spurious_local_minima",
            system="this project",
            reference="on the problem of Ahn et al. (2023), Theorem 1: what gradient methods may find in place of it",
            statement=(
                "For Omega = I, Sigma = diag(lam) and lam_k the only largest eigenvalue, p0 = beta e_k, p1 = 0, "
                "Q1 = 0, "
                "q2 = alpha e_k with alpha beta = -c_k, c_j = 1 / ((1 + 1/n) lam_j + tau/n), is critical, its loss "
                "sum_{j != k} lam_j^2 c_j above the minimum. It is a local minimum, strict up to the scale, if c_k^2 "
                "lam_k^2 ((1 + 2/n) (tau^2 + 2 T2) - (tau + 2 lam_k/n)^2 / (1 + 2/n)) > n sum_{j != k} lam_j^2, and a "
                "saddle if <. For all n and d >= 2 some Sigma has such a minimum: random restarts need not reach f*."
            ),
            argument=landscape_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d >= 2, lam, sigma2, and all directions",
                "exact": "exact Hessians on both sides of the inequality, d 2..3, their signs by Descartes' rule",
                "float": "the float64 layer at the minimum, and above it after random steps, enclosed; n = 1, d = 2",
            },
            slips=_SLIPS,
            about=LAYER,
        ),
    )


_LOCAL = RegressionLaw(3, [[sympy.Rational(2, 5), 0], [0, sympy.Rational(3, 2)]], [[1, 0], [0, 1]])
"""The law of the reference values."""

_SADDLE = RegressionLaw(5, [[1, 0], [0, sympy.Rational(3, 2)]], [[1, 0], [0, 1]])
_MINIMUM = (0, 1, 8)


def _signs(law: RegressionLaw, k: int) -> tuple[int, int, int]:
    return hessian_signs(spurious_point(law, k), law)


def _is_not_critical() -> bool:
    point = spurious_point(_LOCAL, 1)
    try:
        hessian_signs(Weights(2 * point.p0, point.p1, point.Q1, point.q2), _LOCAL)
    except ValueError:
        return True
    return False


def _without_n(law: RegressionLaw) -> Any:
    """The criterion with the factor n of its right side dropped."""
    return criterion(law, 1) + (law.n - 1) * law.Sigma[0, 0] ** 2


_SLIPS: dict[str, Callable[[], bool]] = {
    "the global minimum is the only local one": lambda: (
        _signs(_LOCAL, 1) == _MINIMUM and bool(loss(spurious_point(_LOCAL, 1), _LOCAL) > least_loss(_LOCAL))
    ),
    "always a local minimum": lambda: _signs(_SADDLE, 1)[0] > 0,
    "a local minimum at every eigenvalue": lambda: _signs(_LOCAL, 0)[0] > 0,
    "n dropped from the inequality": lambda: bool(_without_n(_SADDLE) > 0) and _signs(_SADDLE, 1)[0] > 0,
    "critical for every alpha beta": _is_not_critical,
}

# The proof: the loss along p0 = beta e_k + t u, p1 = t s, Q1 = t D, q2 = alpha e_k + t r.

_T, _T2 = power_sum(1), power_sum(2)
_k, _LAM = Free("k"), eigenvalue("k")
_t, _s = sympy.symbols("t s", real=True)
_beta = sympy.Symbol("beta", real=True, nonzero=True)
_tau = _T + sigma2
_c = 1 / ((1 + 1 / n) * _LAM + _tau / n)
_ALPHA = -_c / _beta
_u, _r, _D = Tensor("u", "d"), Tensor("r", "d"), Tensor("D", "dd")
_POWER = (1 + 2 / n) * (_tau**2 + 2 * _T2)


def _along(alpha: Any) -> IndexSum:
    """The loss along the direction, a polynomial in t."""
    return (
        closed_form()
        .substituted({Omega: lambda a, b: [(1, [delta(a, b)])]})
        .substituted(
            {
                p0: lambda a: [(_beta, [delta(a, _k)]), (_t, [_u(a)])],
                q2: lambda a: [(alpha, [delta(a, _k)]), (_t, [_r(a)])],
                Q1: lambda a, b: [(_t, [_D(a, b)])],
            }
        )
        .map(lambda coefficient: coefficient.subs(p1, _t * _s))
    )


def _of_order(power: int, total: IndexSum) -> IndexSum:
    return total.map(lambda coefficient: sympy.Poly(coefficient, _t).coeff_monomial(_t**power))


def _others(term: Any) -> list[tuple[Any, Any]]:
    """sum_{j != k}: the sum over all j, minus the term at k."""
    return [*term("j"), *((-coefficient, factors) for coefficient, factors in term(_k))]


def _h(j: Any) -> list[tuple[Any, list[Any]]]:
    """h_j = (1 + 1/n) lam_j^2 + (tau / n) lam_j."""
    return [(1 + 1 / n, [lam(j), lam(j)]), (_tau / n, [lam(j)])]


_h_k = _LAM / _c


def landscape_argument() -> Sequence[Equation | Inference]:
    """First and second variation, and the second as a sum of squares."""
    along = _along(_ALPHA)
    free_alpha = sympy.Symbol("alpha", real=True)
    first = _of_order(1, _along(free_alpha))
    l_k, l_j, t = sympy.symbols("lam_k lam_j tau", positive=True)
    c_k, c_j = (1 / ((1 + 1 / n) * value + t / n) for value in (l_k, l_j))
    top = sympy.Symbol("lam", positive=True)
    return (
        Equation(
            "the loss that is varied is that of the forward pass",
            population_loss(with_letters(OneLayerAttention)),
            closed_form(),
        ),
        Equation(
            "its first variation is 2 lam_k (lam_k + alpha beta h_k) (alpha u_k + beta r_k), zero for alpha beta "
            "= -c_k",
            first,
            summed(
                [
                    (2 * _LAM * (_LAM + free_alpha * _beta * _h_k) * f, [x(_k)])
                    for f, x in ((free_alpha, _u), (_beta, _r))
                ]
            ),
        ),
        Equation(
            "there the loss is T - c_k lam_k^2, which is f* + sum_{j != k} lam_j^2 c_j",
            _of_order(0, along),
            summed([(_T - _c * _LAM**2, [])]),
        ),
        Equation(
            "the second variation is sum_{j != k} (alpha^2 h_j lam_k u_j^2 + beta^2 h_k lam_j r_j^2 + 2 lam_j^2 "
            "u_j r_j) + "
            "h_k lam_k (alpha u_k + beta r_k)^2 + a sum of positive squares of entries of D shifted by multiples "
            "of s + "
            "s^2 (criterion) / (beta^2 lam_k)",
            _of_order(2, along),
            summed([*_vectors(), *_matrices(), *_shifted_diagonal(), *_remainder()]),
        ),
        Equation(
            "the form in (u_j, r_j) has the determinant lam_j^2 (c_k lam_k^2 - c_j lam_j^2) / c_j",
            (l_j / c_j * l_k) * (l_k / c_k * l_j) * c_k**2 - l_j**4,
            l_j**2 * (c_k * l_k**2 - c_j * l_j**2) / c_j,
        ),
        Equation(
            "which has the sign of lam_k - lam_j, as c_k lam_k^2 - c_j lam_j^2 is",
            c_k * l_k**2 - c_j * l_j**2,
            c_k * c_j * (l_k - l_j) * ((1 + 1 / n) * l_k * l_j + t / n * (l_k + l_j)),
        ),
        Inference(
            "so if lam_k is the only largest eigenvalue and the criterion is > 0, the second variation is >= 0 and "
            "vanishes only along alpha u_k + beta r_k = 0, the scale, on which the loss is constant: a strict local "
            "minimum up to the scale, whatever the blocks that do not enter"
        ),
        Inference(
            "if the criterion is < 0, s = 1 with the D that makes the shifted squares 0 decreases the loss: a saddle"
        ),
        Equation(
            "for sigma2 = 0 and lam_j -> 0 (j != k) the left side tends to 2 (1 + 2/n) c_k^2 lam_k^4 > 0, the "
            "right to 0",
            ((1 + 2 / n) * 3 * top**2 - (top + 2 * top / n) ** 2 / (1 + 2 / n)),
            2 * (1 + 2 / n) * top**2,
        ),
    )


def _vectors() -> Terms:
    """sum_{j != k} (alpha^2 h_j lam_k u_j^2 + beta^2 h_k lam_j r_j^2 + 2 lam_j^2 u_j r_j) + h_k lam_k (...)^2."""

    def pair(j: Any) -> list[tuple[Any, Any]]:
        return [
            *((_ALPHA**2 * _LAM * c, [*factors, _u(j), _u(j)]) for c, factors in _h(j)),
            (_beta**2 * _h_k, [lam(j), _r(j), _r(j)]),
            (2, [lam(j), lam(j), _u(j), _r(j)]),
        ]

    square = [(_ALPHA**2, [_u(_k), _u(_k)]), (2 * _ALPHA * _beta, [_u(_k), _r(_k)]), (_beta**2, [_r(_k), _r(_k)])]
    return [*_others(pair), *((_h_k * _LAM * c, factors) for c, factors in square)]


def _matrices() -> Terms:
    """Positive multiples of the squares of the entries of D off the diagonal."""
    weight = _beta**2 * _LAM / n

    def row(j: Any) -> list[tuple[Any, Any]]:
        return [(_beta**2 * (1 + 2 / n) * _LAM**2, [lam(j), _D(_k, j), _D(_k, j)])]

    def off_diagonal(i: Any) -> list[tuple[Any, Any]]:
        return [
            (weight, [lam(i), lam("m"), _D(i, "m"), _D(i, "m")]),
            (-weight, [lam(i), lam(i), _D(i, i), _D(i, i)]),
        ]

    return [*_others(row), *_others(off_diagonal)]


def _shifted_diagonal() -> Terms:
    """beta^2 lam_k^3 (1 + 2/n) (D_kk + s x)^2 + sum_{j != k} (beta^2 lam_k lam_j^2 / n) (D_jj + n s / (beta^2 "
    "lam_k))^2."""
    x = _ALPHA * (_tau + 2 * _LAM / n) / (_beta * _LAM * (1 + 2 / n))
    y = n / (_beta**2 * _LAM)

    def square(weight: Any, shift: Any, j: Any, more: list[Any]) -> list[tuple[Any, Any]]:
        return [
            (weight, [*more, _D(j, j), _D(j, j)]),
            (2 * weight * shift * _s, [*more, _D(j, j)]),
            (weight * (shift * _s) ** 2, [*more, delta(j, j)]),
        ]

    at_k = square(_beta**2 * _LAM**3 * (1 + 2 / n), x, _k, [])
    return [*at_k, *_others(lambda j: square(_beta**2 * _LAM / n, y, j, [lam(j), lam(j)]))]


def _remainder() -> Terms:
    left = _c**2 * _LAM**2 * (_POWER - (_tau + 2 * _LAM / n) ** 2 / (1 + 2 / n))
    return [(_s**2 * (left - n * (_T2 - _LAM**2)) / (_beta**2 * _LAM), [])]


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    yield Run(f"a spurious minimum, {_LOCAL}", hessian_signs(spurious_point(_LOCAL, 1), _LOCAL) == _MINIMUM)
    for number in range(instances):
        d = 2 if number < instances - 1 else 3
        spectrum = sorted(
            {sympy.Rational(int(value), 8) for value in rng.choice(np.arange(1, 17), size=d, replace=False)}
        )
        noise = sympy.Rational(int(rng.integers(0, 3)), 4)
        law = RegressionLaw(int(rng.integers(1, 7)), sympy.diag(*spectrum), sympy.eye(d), noise)
        point = spurious_point(law, d - 1, sympy.Rational(int(rng.integers(1, 5)), 2))
        signs, side = hessian_signs(point, law), criterion(law, d - 1)
        yield Run(f"criterion {side}, signs {signs}, {law}", bool((signs[0] == 0) == (side >= 0)))
        yield Run(f"one zero eigenvalue, {law}", bool(signs[1] == 1 or side == 0))
        yield Run(f"the gap, {law}", bool(loss(point, law) - least_loss(law) == gap(law, d - 1)))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """The point with its entries rounded, and random steps of 1 / 32 in every entry away from it."""
    law = RegressionLaw.of_roots(1, [[_HALF, 0], [0, 1]], sympy.eye(2), _HALF)
    point = rounded(spurious_point(law, 1, _HALF))
    low, high = float_bounds(point, law)
    yield Run(f"the point, rounded, {law}", bool(low <= loss(point, law) <= high))
    yield Run(f"the point has the least loss, {law}", bool(low <= least_loss(law) <= high), is_control=True)
    for _ in range(instances):
        moved = _moved(rng, point)
        yield Run(f"beside it, {moved}, {law}", bool(float_bounds(moved, law)[0] > high))


def _moved(rng: np.random.Generator, weights: Weights) -> Weights:
    """A step of size 1/32 in every entry, to either side; the scale is fixed by leaving q2 along e_k as it is."""

    def step(rows: int, columns: int) -> Any:
        return sympy.Matrix(rows, columns, lambda i, j: sympy.Rational(2 * int(rng.integers(0, 2)) - 1, 32))

    d = weights.Q1.rows
    across = step(1, d)
    across[d - 1] = 0
    return Weights(weights.p0 + step(1, d), weights.p1 + step(1, 1)[0], weights.Q1 + step(d, d), weights.q2 + across)

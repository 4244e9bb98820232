"""Step counts: how many steps Newton, gradient descent and conjugate gradient need in the worst case, exactly.

Symbols: S = X X^T; lmax, lmin its largest and its smallest nonzero eigenvalue; kappa = lmax / lmin; epsilon the
relative error |W_k - W*| / |W*| that is asked for, W* the least-squares solution of minimum norm, from W_0 = 0.

    Newton               rho^(2^k) <= epsilon      rho = 1 - kappa^-p or (kappa^p - 1) / (kappa^p + 1)
    gradient descent     rho^k <= epsilon          the same with p = 1
    conjugate gradient   1 / T_k(sigma) <= epsilon     T_k: Chebyshev's polynomial, sigma = (kappa + 1) / (kappa - 1)

with p = 1 for M_0 = alpha I and p = 2 for M_0 = alpha S. Each bound is attained by some context, so that each count is
the least that suffices for all of them. Counts are decided by balls of rising precision and, where the bound may equal
epsilon, in exact rationals: never by a rounded logarithm. A float is the dyadic number that it is.

Reference: Fu et al. (2024), section 5, have the orders; ``icl show`` has the proofs.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from flint import arb

from numerics.balls import as_arb, precision
from numerics.rationals import as_fmpq, as_fraction

Start: TypeAlias = Literal["identity", "gram"]
"""Newton's start: M_0 = alpha I, or M_0 = alpha S."""

StepSize: TypeAlias = Literal["1/lmax", "optimal"]
"""1 / lmax^p, or 2 / (lmax^p + lmin^p), which is the best for all contexts of that kappa."""

_POWERS = {"identity": 1, "gram": 2}
_STEP_SIZES = ("1/lmax", "optimal")
_FIRST_PRECISION = 64


def contraction_factor(kappa: Any, start: Start = "identity", alpha: StepSize = "1/lmax") -> Fraction:
    """rho, the largest |1 - alpha lam^p| over the eigenvalues lam in [lmin, lmax]: what one residual can be.

    Args:
        kappa: the condition number of S on its range, >= 1.
        start: p = 1 for ``"identity"`` (and for gradient descent), 2 for ``"gram"``.
        alpha: ``"1/lmax"`` is alpha = 1 / lmax^p, ``"optimal"`` is 2 / (lmax^p + lmin^p).

    Raises:
        TypeError: for a kappa that is no number.
        ValueError: for kappa < 1, NaN, infinity, or an unknown start or alpha.

    >>> contraction_factor(3), contraction_factor(3, alpha="optimal"), contraction_factor(3, "gram")
    (Fraction(2, 3), Fraction(1, 2), Fraction(8, 9))
    """
    power = _condition_number(kappa) ** _power(start)
    _require_step_size(alpha, "alpha")
    return 1 - 1 / power if alpha == "1/lmax" else (power - 1) / (power + 1)


def newton_step_count(kappa: Any, epsilon: Any, start: Start = "identity", alpha: StepSize = "1/lmax") -> int:
    """The least k with rho^(2^k) <= epsilon: Newton steps that suffice for every context of that kappa.

    Args:
        kappa: the condition number of S on its range, >= 1.
        epsilon: the relative error, in (0, 1).
        start: M_0 = alpha I (``"identity"``) or alpha S (``"gram"``).
        alpha: ``"1/lmax"`` is alpha = 1 / lmax^p, ``"optimal"`` is 2 / (lmax^p + lmin^p).

    Returns:
        k >= 0, exactly.

    Raises:
        TypeError: for a kappa or an epsilon that is no number.
        ValueError: for one out of range, NaN, infinity, or an unknown start or alpha.

    >>> newton_step_count(100, 1e-6), newton_step_count(100, 1e-6, start="gram")
    (11, 18)
    """
    rho, error = contraction_factor(kappa, start, alpha), _relative_error(epsilon)
    return _doublings(_steps_to(rho, error))


def gradient_descent_step_count(kappa: Any, epsilon: Any, step: StepSize = "1/lmax") -> int:
    """The least T with rho^T <= epsilon: gradient steps that suffice for every context of that kappa.

    The step is W <- W - eta (W S - Y X^T) from W = 0.

    Args:
        kappa: the condition number of S on its range, >= 1.
        epsilon: the relative error, in (0, 1).
        step: ``"1/lmax"`` is eta = 1 / lmax, ``"optimal"`` is 2 / (lmax + lmin).

    Returns:
        T >= 1, exactly.

    Raises:
        TypeError: for a kappa or an epsilon that is no number.
        ValueError: for one out of range, NaN, infinity, or an unknown step.

    >>> gradient_descent_step_count(100, 1e-6), gradient_descent_step_count(100, 1e-6, step="optimal")
    (1375, 691)
    """
    _require_step_size(step, "step")
    return _steps_to(contraction_factor(kappa, alpha=step), _relative_error(epsilon))


def conjugate_gradient_step_count(kappa: Any, epsilon: Any) -> int:
    """The least T with T_T((kappa + 1) / (kappa - 1)) >= 1 / epsilon: conjugate-gradient steps that always suffice.

    The error is measured as conjugate gradient minimises it, by |(W_T - W*) X| / |W* X|, the root of the excess loss.
    No method whose iterates are Y X^T p(S) with a polynomial p of degree below T needs fewer, in any norm of the form
    |(W_T - W*) f(S)|.

    Args:
        kappa: the condition number of S on its range, >= 1.
        epsilon: the relative error, in (0, 1).

    Returns:
        T >= 1, exactly; a context with fewer distinct eigenvalues than T ends earlier.

    Raises:
        TypeError: for a kappa or an epsilon that is no number.
        ValueError: for one out of range, NaN or infinity.

    >>> conjugate_gradient_step_count(100, 1e-6)
    73
    """
    kappa, error = _condition_number(kappa), _relative_error(epsilon)
    if kappa == 1:
        return 1
    sigma = (kappa + 1) / (kappa - 1)

    def quotient() -> arb:  # arcosh(1 / epsilon) / arcosh(sigma), where arcosh(sigma) = 2 artanh(kappa^-1/2)
        return as_arb(1 / error).acosh() / (2 * (1 / as_arb(kappa).sqrt()).atanh())

    def is_attained(T: int) -> bool:  # 2 T_T is monic over the integers in 2 sigma: its denominator is exactly Q^T
        Q = (2 * sigma).denominator
        return not _is_longer(Q, T, (2 / error).denominator) and chebyshev_value(T, sigma) == 1 / error

    return _ceiling(quotient, is_attained)


def newton_sufficient_step_count(
    kappa: Any, epsilon: Any, start: Start = "identity", alpha: StepSize = "1/lmax"
) -> int:
    """The closed form that suffices: the least integer k >= 0 with k >= p log2 kappa + log2 ln(1 / epsilon).

    One step fewer for the optimal alpha. For kappa >= 2 it is ``newton_step_count``, which is exact, or one more.

    Args, Raises: as for ``newton_step_count``.

    >>> newton_sufficient_step_count(100, 1e-6), newton_sufficient_step_count(100, 1e-6, start="gram")
    (11, 18)
    """
    power = _condition_number(kappa) ** _power(start)
    return _doublings(_ceiling(lambda: _logarithmic(power, alpha, _relative_error(epsilon))))


def gradient_descent_sufficient_step_count(kappa: Any, epsilon: Any, step: StepSize = "1/lmax") -> int:
    """The closed form that suffices: the least T >= kappa ln(1 / epsilon), or half of that for the optimal step.

    Args, Raises: as for ``gradient_descent_step_count``.

    >>> gradient_descent_sufficient_step_count(100, 1e-6)
    1382
    """
    _require_step_size(step, "step")
    return _ceiling(lambda: _logarithmic(_condition_number(kappa), step, _relative_error(epsilon)))


def conjugate_gradient_sufficient_step_count(kappa: Any, epsilon: Any) -> int:
    """The closed form that suffices: the least T >= (sqrt kappa / 2) ln(2 / epsilon).

    Args, Raises: as for ``conjugate_gradient_step_count``.

    >>> conjugate_gradient_sufficient_step_count(100, 1e-6)
    73
    """
    held, error = _condition_number(kappa), _relative_error(epsilon)
    return _ceiling(lambda: as_arb(held).sqrt() / 2 * as_arb(2 / error).log())


def chebyshev_value(degree: int, x: Fraction) -> Fraction:
    """T_degree(x), Chebyshev's polynomial of the first kind, exactly.

    From T_2n = 2 T_n^2 - 1 and T_2n+1 = 2 T_n T_n+1 - x, in log2(degree) doublings.

    Raises:
        ValueError: for a negative degree.

    >>> chebyshev_value(3, Fraction(2))
    Fraction(26, 1)
    """
    if degree < 0:
        raise ValueError(f"degree = {degree}: a polynomial has a degree of at least 0")
    current, following = Fraction(1), Fraction(x)
    for bit in bin(degree)[2:]:
        mixed = 2 * current * following - x
        if bit == "1":
            current, following = mixed, 2 * following**2 - 1
        else:
            current, following = 2 * current**2 - 1, mixed
    return current


def _doublings(steps: int) -> int:
    """The least k >= 0 with 2^k >= steps."""
    return (steps - 1).bit_length()


def _logarithmic(power: Fraction, alpha: StepSize, error: Fraction) -> arb:
    """kappa^p ln(1 / epsilon), or half of that for the optimal alpha; never an integer, as ln(1 / epsilon) is none."""
    _require_step_size(alpha, "alpha")
    return as_arb(power if alpha == "1/lmax" else power / 2) * as_arb(1 / error).log()


def _steps_to(rho: Fraction, error: Fraction) -> int:
    """The least T >= 1 with rho^T <= error, for rho in [0, 1)."""
    if rho == 0:
        return 1

    def is_attained(T: int) -> bool:
        return not _is_longer(rho.denominator, T, error.denominator) and rho**T == error

    return _ceiling(lambda: as_arb(error).log() / as_arb(rho - 1).log1p(), is_attained)


def _is_longer(base: int, exponent: int, number: int) -> bool:
    """Whether base^exponent exceeds the number by its length alone, so that neither need be computed."""
    return (base.bit_length() - 1) * exponent >= number.bit_length()


def _ceiling(value: Callable[[], arb], is_attained: Callable[[int], bool] = lambda integer: False) -> int:
    """The least integer not below a number, by enclosures of rising precision.

    Args:
        value: the enclosure at the current precision.
        is_attained: whether the number is exactly this integer; without that no precision would decide it.
    """
    bits = _FIRST_PRECISION
    while True:
        with precision(bits):
            ball = value()
            least = ball.ceil().unique_fmpz()
            nearest = (ball.mid() + arb("0.5")).floor().unique_fmpz()
            if nearest is not None and not ball.contains(arb(nearest)):
                nearest = None
        if least is not None:
            return int(least)
        if nearest is not None and is_attained(int(nearest)):
            return int(nearest)
        bits *= 2


def _exact(value: Any, name: str) -> Fraction:
    try:
        return as_fraction(as_fmpq(value))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error


def _condition_number(value: Any) -> Fraction:
    kappa = _exact(value, "kappa")
    if kappa < 1:
        raise ValueError(f"kappa = {value}: a condition number is at least 1; pass lmax / lmin, not lmin / lmax")
    return kappa


def _relative_error(value: Any) -> Fraction:
    epsilon = _exact(value, "epsilon")
    if not 0 < epsilon < 1:
        raise ValueError(
            f"epsilon = {value}: a relative error above 0 and below 1 is required; no number of steps makes it 0, and "
            "no step is needed for 1"
        )
    return epsilon


def _power(start: Any) -> int:
    if start not in _POWERS:
        raise ValueError(f"start = {start!r}: it must be 'identity' (M_0 = alpha I) or 'gram' (M_0 = alpha S)")
    return _POWERS[start]


def _require_step_size(value: Any, name: str) -> None:
    if value not in _STEP_SIZES:
        raise ValueError(f"{name} = {value!r}: it must be '1/lmax' or 'optimal'")

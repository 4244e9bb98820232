"""The best step sizes of L layers of gradient descent on random regression tasks, exactly.

Symbols: n context tokens, d features, L layers; x, x_query ~ N(0, Sigma), w ~ N(0, Sigma^-1), y = w^T x + eps, eps of
variance sigma2; a_l step sizes, A_l = a_l Sigma^-1; S = X X^T / n, whitened, W = n S a Wishart matrix with eigenvalues
lam; p_k = E tr W^k.

    phi(lam) = prod_l (1 - a_l lam / n) = 1 - lam rho(lam)
    loss     = E (prediction - w^T x_query)^2 = E tr (phi(W)^2 + sigma2 W rho(W)^2)

The loss is a quadratic in the coefficients rho_1, ..., rho_L of lam, ..., lam^L: over all polynomials with phi(0) = 1,

    sum_j (p_{i+j} + sigma2 p_{i+j-1}) rho_j = p_i   (i = 1..L)        least loss = d - sum_i p_i rho_i

and the best steps are a = n / (the roots of phi). Without noise phi is the orthogonal polynomial of degree L of the
measure lam mu, mu h = E tr h(W): its roots are real, positive and simple. With noise they may be complex: then no real
step sizes attain the least loss. The loss sums over the d coordinates; the query's label is free of noise, else add
sigma2 to it.

Reference: derived for the setting of Ahn et al. (2023), Theorem 3, arXiv 2306.00297; the theorems of
``proofs.optimal_steps``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, fmpq, fmpq_mat, fmpq_poly

from numerics.balls import precision
from numerics.rationals import as_fmpq, as_fraction
from numerics.wishart import require_size, wishart_trace_moments

_SPARE_BITS = 20
"""What the roots are computed with beyond the precision asked for."""


class NoRealSteps(ValueError):
    """The best polynomial has complex roots: the least loss over all polynomials is attained by no real step sizes."""


@dataclass(frozen=True)
class OptimalPolynomial:
    """The best phi(s) = sum_k coefficients[k] s^k in the eigenvalues s of S = W / n, and its loss.

    Args:
        coefficients: phi_0 = 1, ..., phi_L.
        loss: the least loss over all polynomials of degree L with phi(0) = 1.
    """

    coefficients: tuple[Fraction, ...]
    loss: Fraction


def optimal_polynomial(n: int, d: int, L: int, noise: Any = 0) -> OptimalPolynomial:
    """The polynomial whose inverse roots are the best step sizes, with its loss, exactly.

    Args:
        n: context tokens, >= 1.
        d: features, >= 1.
        L: layers, >= 1.
        noise: sigma2 >= 0, the variance of the context's label noise; a float is the dyadic number that it is.

    Raises:
        TypeError: for sizes that are no ints, or a noise that is no number.
        ValueError: for a size below 1, or a noise that is negative or not finite.

    >>> optimal_polynomial(20, 5, 1)
    OptimalPolynomial(coefficients=(Fraction(1, 1), Fraction(-10, 13)), loss=Fraction(15, 13))
    """
    require_size("L", L)
    sigma2 = _variance(noise)
    p = [fmpq(moment) for moment in wishart_trace_moments(n, d, 2 * L)]
    form = fmpq_mat(L, L, [p[i + j] + sigma2 * p[i + j - 1] for i in range(1, L + 1) for j in range(1, L + 1)])
    linear = fmpq_mat(L, 1, p[1 : L + 1])
    rho = form.solve(linear)
    loss = p[0] - (linear.transpose() * rho)[0, 0]
    powers = ((k, rho[k - 1, 0]) for k in range(1, L + 1))
    coefficients = (Fraction(1), *(as_fraction(-value * n**k) for k, value in powers))
    return OptimalPolynomial(coefficients, as_fraction(loss))


def optimal_loss(n: int, d: int, L: int, noise: Any = 0) -> Fraction:
    """The least loss of L steps, exactly: a ratio of determinants of Wishart moments.

    det [[d, p^T], [p, M]] / det M,  M_ij = p_{i+j} + sigma2 p_{i+j-1},  i, j = 1..L. Where ``optimal_step_sizes`` finds
    no real step sizes, it is a strict lower bound of the loss of every L real ones.

    Args and raises: as ``optimal_polynomial``.

    >>> optimal_loss(20, 5, 2), optimal_loss(20, 5, 1, noise=2)
    (Fraction(1795, 4969), Fraction(10, 7))
    """
    return optimal_polynomial(n, d, L, noise).loss


def optimal_step_sizes(n: int, d: int, L: int, noise: Any = 0, *, bits: int = 64) -> tuple[arb, ...]:
    """The best step sizes a_1 > ... > a_L of L layers A_l = a_l Sigma^-1, each enclosed by a ball, proven.

    Their order in the network does not matter. ``[float(a) for a in ...]`` are the nearest floats up to their last
    bits.

    Args:
        n, d, L, noise: as ``optimal_polynomial``.
        bits: the precision of the balls, at least 2: their relative radius is below 2^-bits.

    Raises:
        TypeError, ValueError: as ``optimal_polynomial``, and for less than 2 bits.
        NoRealSteps: if the noise is so large that real step sizes do not attain the least loss.

    >>> [round(float(a), 12) for a in optimal_step_sizes(20, 5, 2)]
    [1.249571961559, 0.515370682836]
    """
    best = optimal_polynomial(n, d, L, noise)
    with precision(bits), precision(bits + _SPARE_BITS):
        # The inverse roots are the roots of the polynomial with its coefficients in reverse order.
        reverse = fmpq_poly([as_fmpq(value) for value in reversed(best.coefficients)])
        # FLINT isolates them, and gives a real root the imaginary part 0 exactly.
        roots: Any = reverse.numer().complex_roots()
        real = [root.real for root, times in roots if root.imag.is_zero() for _ in range(times)]
        if len(real) < L:
            raise NoRealSteps(
                f"with n = {n}, d = {d}, noise = {noise} no {L} real step sizes attain the least loss: of the best "
                f"polynomial's {L} roots {L - len(real)} are complex; pass less noise or fewer layers"
            )
        return tuple(sorted(real, key=lambda a: as_fraction(a.mid().fmpq()), reverse=True))


def steps_loss(step_sizes: Sequence[Any], n: int, d: int, noise: Any = 0) -> Fraction:
    """The loss of given step sizes, exactly; the same in every order.

    Args:
        step_sizes: a_1, ..., a_L, exact or floats (dyadic); none leaves the loss d.
        n, d, noise: as ``optimal_polynomial``.

    Raises:
        TypeError, ValueError: as ``optimal_polynomial``, and for step sizes that are no finite numbers.

    >>> steps_loss([Fraction(10, 13)], 20, 5), steps_loss([], 20, 5)
    (Fraction(15, 13), Fraction(5, 1))
    """
    sigma2 = _variance(noise)
    p = wishart_trace_moments(n, d, 2 * len(step_sizes))
    phi = fmpq_poly([1])
    for step in step_sizes:
        phi *= fmpq_poly([1, -as_fmpq(step) / n])
    rho = fmpq_poly([-value for value in list(phi)[1:]])
    integrand = phi * phi + fmpq_poly([0, sigma2]) * rho * rho
    return as_fraction(sum((value * p[k] for k, value in enumerate(integrand)), start=fmpq(0)))


def largest_noise_of_two_real_steps(n: int, d: int, *, bits: int = 64) -> arb:
    """The noise sigma2 up to which, and no further, two real step sizes attain the least loss.

    (2 sqrt(P^2 - 3 Q) - P) / 3, with P, Q the sum and product of the roots lam of phi for L = 2 without noise.

    Args:
        n, d: as ``optimal_polynomial``.
        bits: the precision of the ball, at least 2.

    Raises:
        TypeError, ValueError: as ``optimal_step_sizes``.

    >>> round(float(largest_noise_of_two_real_steps(20, 5)), 6)
    4.248641
    """
    _, first, second = map(as_fmpq, optimal_polynomial(n, d, 2).coefficients)
    P, Q = -n * first / second, n * n / second
    with precision(bits), precision(bits + _SPARE_BITS):
        return (2 * arb(P * P - 3 * Q).sqrt() - arb(P)) / 3


def _variance(noise: Any) -> fmpq:
    try:
        sigma2 = as_fmpq(noise)
    except (TypeError, ValueError) as error:
        raise type(error)(f"noise = {noise!r}: the variance of the noise must be a finite number >= 0") from error
    if sigma2 < 0:
        raise ValueError(f"noise = {noise}: a variance must be >= 0")
    return sigma2

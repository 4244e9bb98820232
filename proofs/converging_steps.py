"""Step sizes that converge on a given context, chosen exactly, for each construction that runs on data.

Symbols: n context tokens, d features; X (d, n); S = X X^T with eigenvalues lam; t = trace S >= lam_max; D = diag S.

    gradient descent    eta = n / t                              error <- error (1 - eta lam / n), a factor in [0, 1)
    GD++                eta_l = (n / t) (9/4)^l, gamma_l = (9/4)^l / (3 t), l = 0, 1, ...
    preconditioned      A = eta n D^-1, eta = 1 / d              since S <= d D

GD++: f(lam) = lam (1 - gamma lam)^2 grows on [0, 1 / (3 gamma)], so gamma = 1 / (3 t) keeps the order of the eigenvalues,
and f(t) = 4 t / 9 bounds all of them after the layer. Hence layer l has lam_l <= t_l = t (4/9)^l, and the choice
eta_l = n / t_l, gamma_l = 1 / (3 t_l) repeats itself: with r_l = lam_l / t_l in (0, 1] the error is multiplied by
1 - eta_0 t r_l / n, where r <- r (3 - r)^2 / 4 increases to 1. It converges exactly for eta_0 < 2 n / t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq

from constructions.construction import Construction
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from numerics.eigenvalue_bounds import largest_eigenvalue_bounds
from numerics.rationals import as_fmpq, as_fraction

LAYERS = 10
"""The default number of layers."""

GDPP_LAYERS = 6
"""The default number of layers of GD++, where every layer has three times the digits of the one before."""

MOST_DIGITS = 10**7
"""The longest exact numbers that a run is let loose on."""


@dataclass(frozen=True)
class Plan:
    """A construction with its step sizes, and what is to be said of them.

    Args:
        name: of the construction, on the command line.
        construction: with exact parameters.
        in_floats: the same with its matrices in float64.
        notes: how the step sizes were chosen, and whether they converge.
        if_not_unique: what it converges to where least squares is not unique, as the end of a sentence.
    """

    name: str
    construction: Construction
    in_floats: Construction
    notes: tuple[str, ...]
    if_not_unique: str = "; from W_0 = 0 the algorithm approaches the solution of minimum norm"


def gradient_descent_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """Gradient descent with eta = n / t, or with the eta that is given."""
    S, t = _gram(prompt)
    chosen = eta or prompt.n / t
    lower, upper = largest_eigenvalue_bounds(S)
    notes = (
        f"step size eta = {_origin(eta, 'n / trace(X X^T)')}{written(chosen)} in every layer",
        _verdict(chosen, 2 * prompt.n / upper, 2 * prompt.n / lower, "2 n / lambda_max(X X^T)"),
    )
    construction = GradientDescent(step_sizes=Repeated(chosen, layers or LAYERS))
    return Plan("gradient_descent", construction, construction, notes)


def gdpp_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """GD++ with steps that grow by 9/4 from layer to layer, from eta_0 = n / t, or from the eta that is given.

    Raises:
        ValueError: if there are so many layers that the exact run would not end.
    """
    _, t = _gram(prompt)
    depth = layers or GDPP_LAYERS
    digits = 3**depth * max(t.numerator, t.denominator).bit_length() * 3 // 10
    if digits > MOST_DIGITS:
        raise ValueError(
            f"layers = {depth}: the exact run of gdpp has three times the digits in every layer, about {digits:.0e} at the "
            f"end, where {MOST_DIGITS:.0e} are allowed; ask for fewer layers"
        )
    chosen, limit = eta or prompt.n / t, 2 * prompt.n / t
    growth = [Fraction(9, 4) ** l for l in range(depth)]
    gammas = [factor / (3 * t) for factor in growth]
    notes = (
        f"step size eta_1 = {_origin(eta, 'n / trace(X X^T)')}{written(chosen)}, times 9/4 in every further layer",
        f"curvature step gamma_1 = 1 / (3 trace(X X^T)) = {written(gammas[0])}, times 9/4 in every further layer",
        _verdict(chosen, limit, limit, "2 n / trace(X X^T)"),
    )
    construction = GDPlusPlus(step_sizes=[chosen * factor for factor in growth], curvature_steps=gammas)
    return Plan("gdpp", construction, construction, notes)


def preconditioned_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """Descent preconditioned by the diagonal of X X^T, with eta = 1 / d, or with the eta that is given.

    A feature that is zero in the whole context counts neither for d nor gets a weight: its entry of A is zero.
    """
    S, _ = _gram(prompt)
    diagonal = [as_fraction(S[i, i]) for i in range(prompt.d)]
    kept = [i for i in range(prompt.d) if diagonal[i]]
    chosen = eta or Fraction(1, len(kept))
    A = [[chosen * prompt.n / diagonal[i] if i == j in kept else Fraction(0) for j in range(prompt.d)] for i in range(prompt.d)]
    inner = type(S)(len(kept), len(kept), [S[i, j] for i in kept for j in kept])
    lower, upper = largest_eigenvalue_bounds(inner, [diagonal[i] for i in kept])
    zero = prompt.d - len(kept)
    notes = (
        "preconditioner A = eta n diag(X X^T)^-1 in every layer"
        + (f"; {zero} of the features are zero in the whole context and keep the weight 0" if zero else ""),
        f"step size eta = {_origin(eta, '1 / d' if not zero else f'1 / {len(kept)}')}{written(chosen)}",
        _verdict(chosen, 2 / upper, 2 / lower, "2 / lambda_max(diag(X X^T)^-1 X X^T)"),
    )
    depth = layers or LAYERS
    return Plan(
        "preconditioned_descent",
        PreconditionedDescent(preconditioners=Repeated(A, depth)),
        PreconditionedDescent(preconditioners=Repeated(np.array(A, dtype=np.float64), depth)),
        notes,
        "; the algorithm approaches the solution that is smallest in the norm |W diag(X X^T)^(1/2)|, which may be another",
    )


PLANS: dict[str, Callable[[Prompt, int | None, Fraction | None], Plan]] = {
    "gradient_descent": gradient_descent_plan,
    "gdpp": gdpp_plan,
    "preconditioned_descent": preconditioned_plan,
}
"""The constructions that run on data, by name: (exact prompt, layers or None, eta or None) -> plan."""


def decimal_written(value: Fraction | fmpq, digits: int = 17) -> str:
    """The number in decimals, correctly rounded to that many significant digits, with a space for a plus.

    Fewer than 17 digits, and numbers far from 1, are written with an exponent.

    >>> decimal_written(Fraction(-2, 3), 4), decimal_written(Fraction(1, 8))
    ('-6.667e-01', ' 0.125')
    """
    p, q = (int(value.p), int(value.q)) if isinstance(value, fmpq) else (value.numerator, value.denominator)
    if p == 0:
        return " 0"
    sign, p = " -"[p < 0], abs(p)
    exponent = (p.bit_length() - q.bit_length()) * 30103 // 100000 + 1
    while _scaled(p, q, -exponent) == 0:
        exponent -= 1
    return sign


def _scaled(p: int, q: int, exponent: int) -> int:
    return p * 10**exponent // q if exponent >= 0 else p // (q * 10**-exponent)

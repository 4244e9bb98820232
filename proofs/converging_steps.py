"""Step sizes that converge on a given context, chosen exactly, for each construction that runs on data.

Symbols: n context tokens, d features; X (d, n); S = X X^T with eigenvalues lam; t = trace S >= lam_max; D = diag S.

    gradient descent    eta = n / t                      the error is multiplied by 1 - eta lam / n, in [0, 1)
    preconditioned      A = eta n D^-1, eta = 1 / d      likewise, since S <= d D
    GD++                eta_l = (n / t) (9/4)^l, gamma_l = (9/4)^l / (3 t), l = 0, 1, ...

GD++: f(lam) = lam (1 - gamma lam)^2 grows on [0, 1 / (3 gamma)], so gamma = 1 / (3 t) keeps the order of the
eigenvalues, and after the layer all are at most f(t) = 4 t / 9. Hence lam_l <= t_l = t (4/9)^l, and eta_l = n / t_l and
gamma_l = 1 / (3 t_l) repeat the first choice: with r_l = lam_l / t_l the error is multiplied by 1 - (eta_0 t / n) r_l,
where r <- r (3 - r)^2 / 4 grows to 1 from any r in (0, 1]. So it converges exactly for eta_0 < 2 n / t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq_mat

from constructions.construction import Construction
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.parameters import Repeated
from constructions.preconditioned import PreconditionedDescent
from constructions.prompt import Prompt
from numerics.eigenvalue_bounds import largest_eigenvalue_bounds
from numerics.rationals import as_fraction
from proofs.decimals import decimal_written, fraction_written

LAYERS = 10
"""The default number of layers."""

GDPP_LAYERS = 6
"""The default number of layers of GD++, where each layer has three times the digits of the one before."""

MOST_DIGITS = 10**7
"""How long the numbers of an exact run of GD++ may become; at that length a run takes hours."""


@dataclass(frozen=True)
class Plan:
    """A construction with its step sizes, and what is to be said of them.

    Args:
        construction: with exact parameters.
        in_floats: the same with its matrices in float64.
        notes: how the step sizes were chosen, and whether they converge.
        limit: what it converges to where least squares is not unique.
    """

    construction: Construction
    in_floats: Construction
    notes: tuple[str, ...]
    limit: str = "from W_0 = 0 the algorithm approaches the solution of minimum norm"


def gradient_descent_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """Gradient descent with eta = n / t, or with the eta that is given."""
    S, t = gram(prompt)
    lower, upper = largest_eigenvalue_bounds(S)
    chosen = prompt.n / t if eta is None else eta
    construction = GradientDescent(step_sizes=Repeated(chosen, layers or LAYERS))
    notes = (
        f"step size {choice_written('eta', eta, 'n / trace(X X^T)', chosen)}, in every layer",
        verdict("eta", chosen, 2 * prompt.n / upper, 2 * prompt.n / lower, "2 n / lambda_max(X X^T)"),
    )
    return Plan(construction, construction, notes)


def preconditioned_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """Descent preconditioned by the diagonal of X X^T, with eta = 1 / d, or with the eta that is given.

    A feature that is zero in the whole context does not count for d; its entry of A is zero.
    """
    S, _ = gram(prompt)
    diagonal = [as_fraction(S[i, i]) for i in range(prompt.d)]
    kept = [i for i in range(prompt.d) if diagonal[i]]
    inner = fmpq_mat(len(kept), len(kept), [S[i, j] for i in kept for j in kept])
    lower, upper = largest_eigenvalue_bounds(inner, [diagonal[i] for i in kept])
    chosen = Fraction(1, len(kept)) if eta is None else eta
    A = [[Fraction(0)] * prompt.d for _ in range(prompt.d)]
    for i in kept:
        A[i][i] = chosen * prompt.n / diagonal[i]
    zero = prompt.d - len(kept)
    counted = f"(d - {zero})" if zero else "d"
    notes = (
        "preconditioner A = eta n diag(X X^T)^-1 in every layer"
        + (f"; features that are zero in the whole context ({zero}) keep the weight 0" if zero else ""),
        f"step size {choice_written('eta', eta, f'1 / {counted}', chosen)}",
        verdict("eta", chosen, 2 / upper, 2 / lower, "2 / lambda_max(diag(X X^T)^-1 X X^T)"),
    )
    return Plan(
        PreconditionedDescent(preconditioners=Repeated(A, layers or LAYERS)),
        PreconditionedDescent(preconditioners=Repeated(np.array(A, dtype=np.float64), layers or LAYERS)),
        notes,
        "from W_0 = 0 the algorithm approaches the solution that is smallest in the norm |W diag(X X^T)^(1/2)|, which "
        "may differ from it",
    )


def gdpp_plan(prompt: Prompt, layers: int | None, eta: Fraction | None) -> Plan:
    """GD++ whose steps grow by 9/4 from layer to layer, from eta_0 = n / t, or from the eta that is given.

    Raises:
        ValueError: for so many layers that the exact run would not end.
    """
    _, t = gram(prompt)
    depth = layers or GDPP_LAYERS
    digits, most = max(t.numerator, t.denominator).bit_length() * 3 // 10 + 1, 0
    while digits * 3 ** (most + 1) <= MOST_DIGITS:
        most += 1
    if depth > most:
        raise ValueError(
            f"layers = {depth}: each layer of gdpp has three times the digits of the one before, so that its exact run "
            f"would end with numbers of about {digits} x 3^{depth} digits; ask for at most {most} layers"
        )
    chosen = prompt.n / t if eta is None else eta
    growth = [Fraction(9, 4) ** l for l in range(depth)]
    construction = GDPlusPlus(
        step_sizes=[chosen * factor for factor in growth], curvature_steps=[factor / (3 * t) for factor in growth]
    )
    notes = (
        f"step size {choice_written('eta_1', eta, 'n / trace(X X^T)', chosen)}",
        f"curvature step gamma_1 = 1 / (3 trace(X X^T)) = {fraction_written(1 / (3 * t))}",
        "both grow by 9/4 from layer to layer, since each layer shrinks the bound trace(X X^T) to 4/9",
        verdict("eta", chosen, 2 * prompt.n / t, 2 * prompt.n / t, "2 n / trace(X X^T)"),
    )
    return Plan(construction, construction, notes)


PLANS: dict[str, Callable[[Prompt, int | None, Fraction | None], Plan]] = {
    "gradient_descent": gradient_descent_plan,
    "gdpp": gdpp_plan,
    "preconditioned_descent": preconditioned_plan,
}
"""The constructions that run on data, by name: (lifted rational prompt, layers or None, eta or None) -> plan."""


def gram(prompt: Prompt) -> tuple[Any, Fraction]:
    """(X X^T as a matrix of rationals, its trace).

    Raises:
        ValueError: if X is zero.
    """
    S = (prompt.X @ prompt.X.T).matrix
    trace = sum((as_fraction(S[i, i]) for i in range(prompt.d)), start=Fraction(0))
    if not trace:
        raise ValueError("every feature is zero in the whole context, so that nothing can be learnt; add a feature")
    return S, trace


def choice_written(symbol: str, asked: Fraction | None, formula: str, chosen: Fraction) -> str:
    """The step size, and where it comes from."""
    number = fraction_written(chosen)
    return f"{symbol} = {formula} = {number}" if asked is None else f"{symbol} = {number}, as asked for"


def verdict(symbol: str, value: Fraction, lower: Fraction, upper: Fraction, formula: str) -> str:
    """Whether the step size converges, where the limit lies between lower and upper."""
    digits = decimal_written(lower, 6, down=True)
    limit = f"{formula} = {digits}{'' if Fraction(digits) == upper else '...'}"
    if value < lower:
        return f"converges: {symbol} is below {limit}"
    if value > upper:
        return f"WARNING: {symbol} diverges: it must be below {limit} for this context"
    if lower == upper:
        return f"WARNING: {symbol} does not converge: it must be below {limit} for this context"
    return f"WARNING: {symbol} is within rounding of {limit}, below which it converges"

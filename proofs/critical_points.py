"""Critical points of the one-layer loss, classified exactly by the signs of their Hessians' eigenvalues.

Symbols: as in ``proofs.one_layer_loss``: the variables are p0 (d), p1, Q1 (d, d), q2 (d), (d + 1)^2 of them.
"""

from __future__ import annotations

from itertools import pairwise

import sympy
from flint import fmpq, fmpq_mat

from proofs.one_layer_loss import Weights, loss
from proofs.regression_law import RegressionLaw


def hessian_signs(weights: Weights, law: RegressionLaw) -> tuple[int, int, int]:
    """(negative, zero, positive) eigenvalues of the Hessian in (p0, p1, Q1, q2) at a critical point, exactly.

    By Descartes' rule: a symmetric matrix has as many positive eigenvalues as its characteristic polynomial has changes
    of sign, and as many that are 0 as it has trailing coefficients that are.

    Raises:
        ValueError: if the gradient is not zero.
    """
    d = law.d
    symbols = sympy.symbols(f"s0:{d * d + 2 * d + 1}")
    free = Weights(
        [symbols[:d]],
        symbols[d],
        sympy.Matrix(d, d, symbols[d + 1 : d + 1 + d * d]),
        [symbols[d + 1 + d * d :]],
    )
    at = dict(zip(symbols, [*weights.p0, weights.p1, *weights.Q1, *weights.q2], strict=True))
    shifted = sympy.Poly(loss(free, law).subs({symbol: symbol + at[symbol] for symbol in symbols}), *symbols)
    size = len(symbols)
    entries = [[fmpq(0)] * size for _ in range(size)]
    for powers, coefficient in shifted.terms():
        if sum(powers) == 1:
            raise ValueError(f"the gradient is not zero: the loss has the linear term {coefficient} at {weights}")
        if sum(powers) == 2:
            i, *rest = (position for position, power in enumerate(powers) if power)
            j = rest[0] if rest else i
            value = fmpq(int(coefficient.p), int(coefficient.q))
            entries[i][j] = entries[j][i] = value if rest else 2 * value
    coefficients = list(fmpq_mat(entries).charpoly())
    zero = next(position for position, value in enumerate(coefficients) if value != 0)
    signs = [value > 0 for value in coefficients if value != 0]
    positive = sum(left != right for left, right in pairwise(signs))
    return size - zero - positive, zero, positive

"""Classical baselines that are no construction: least squares, ridge regression, Krylov and quasi-Newton methods.

Symbols: B tasks, n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1), W (B, m, d);
S = X X^T, lambda_max its largest eigenvalue, |.|_F the Frobenius norm.

    L(W) = (1 / 2) |W X - Y|^2                                        from W = 0

Conjugate gradient is SciPy's ``sparse.linalg.cg``; "nonlinear conjugate gradient", BFGS and L-BFGS are SciPy's
``optimize.minimize`` with "CG", "BFGS" and "L-BFGS-B", a step being an iteration.

Reference: Fu et al. (2024), section 4; that their curves are those of SciPy is inferred from its figures, not stated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import cg

from numerics.algorithms import Algorithm, Array, Baseline, Tunable, Values

FRACTION = (0.125, 0.25, 0.5, 1.0, 1.5)
"""Where the tuning of c starts, a step size as a multiple of one that the data decide."""

PENALTY = (0.01, 0.1, 0.5, 2.0)


def classical_baselines() -> tuple[Algorithm, ...]:
    """The baselines, the closed forms first."""
    fraction, penalty = (Tunable("c", FRACTION),), (Tunable("lam", PENALTY),)
    return (
        Baseline("least squares", most=1, run=_closed(_least_squares)),
        Baseline("ridge regression, |W X - Y|^2 + lam |W|^2", penalty, most=1, run=_closed(_ridge(False))),
        Baseline("ridge regression, |W X - Y|^2 / n + lam |W|^2", penalty, most=1, run=_closed(_ridge(True))),
        Baseline("conjugate gradient", run=_one_by_one(_conjugate_gradient)),
        Baseline("nonlinear conjugate gradient (SciPy)", is_homogeneous=False, run=_one_by_one(_minimised("CG"))),
        Baseline("BFGS (SciPy)", is_homogeneous=False, run=_one_by_one(_minimised("BFGS"))),
        Baseline("L-BFGS (SciPy)", is_homogeneous=False, run=_one_by_one(_minimised("L-BFGS-B"))),
        Baseline("gradient descent, step c / lambda_max(X X^T)", fraction, run=_iterated(_descent(_largest))),
        Baseline("gradient descent, step c / tr(X X^T)", fraction, run=_iterated(_descent(_trace))),
        Baseline("Newton from c I / lambda_max(X X^T)", fraction, run=_iterated(_newton(_largest, 0))),
        Baseline("Newton from c I / tr(X X^T)", fraction, run=_iterated(_newton(_trace, 0))),
        Baseline("Newton from c X X^T / lambda_max(X X^T)^2", fraction, run=_iterated(_newton(_largest_squared, 1))),
        Baseline("Newton from c X X^T / |X X^T X X^T|_F", fraction, run=_iterated(_newton(_frobenius, 1))),
        Baseline("online gradient descent, step c / |x_i|^2", fraction, run=_iterated(_online)),
    )


def _predicted(W: Array, x_query: Array) -> Array:
    return np.matmul(W, x_query)


def _zeros(X: Array, Y: Array) -> Array:
    return np.zeros((*X.shape[:-2], Y.shape[-2], X.shape[-2]))


def _gram(X: Array) -> Array:
    return np.matmul(X, X.mT)


def _closed(weights: Callable[[Values, Array, Array], Array]) -> Any:
    """A method of one step: the zero weights, and then its closed form."""

    def run(values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        predicted = _predicted(weights(values, X, Y), x_query)
        return [np.zeros_like(predicted)] + [predicted] * steps

    return run


def _least_squares(values: Values, X: Array, Y: Array) -> Array:
    return np.matmul(Y, np.linalg.pinv(X))


def _ridge(mean: bool) -> Callable[[Values, Array, Array], Array]:
    def weights(values: Values, X: Array, Y: Array) -> Array:
        penalty = values["lam"] * (X.shape[-1] if mean else 1)
        shifted = _gram(X) + penalty * np.eye(X.shape[-2])
        try:
            return np.linalg.solve(shifted, np.matmul(X, Y.mT)).mT
        except np.linalg.LinAlgError:
            return _least_squares(values, X, Y)  # the limit of vanishing lam, where rounding leaves a singular matrix

    return weights


def _iterated(iterates: Callable[[Values, Array, Array], Iterator[Array]]) -> Any:
    """A method given by its weights after 0, 1, ... steps, without end."""

    def run(values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        weights = iterates(values, X, Y)
        return [_predicted(next(weights), x_query) for _ in range(steps + 1)]

    return run


def _descent(size: Callable[[Array], Array]) -> Callable[[Values, Array, Array], Iterator[Array]]:
    def iterates(values: Values, X: Array, Y: Array) -> Iterator[Array]:
        W, rate = _zeros(X, Y), values["c"] / size(_gram(X))
        while True:
            yield W
            W = W - rate * np.matmul(np.matmul(W, X) - Y, X.mT)

    return iterates


def _newton(size: Callable[[Array], Array], power: int) -> Callable[[Values, Array, Array], Iterator[Array]]:
    """M <- 2 M - M S M from M_0 = c S^power / size(S); W = Y X^T M."""

    def iterates(values: Values, X: Array, Y: Array) -> Iterator[Array]:
        S = _gram(X)
        M = values["c"] / size(S) * (S if power else np.eye(X.shape[-2]))
        while True:
            yield np.matmul(np.matmul(Y, X.mT), M)
            M = 2 * M - M @ S @ M

    return iterates


def _online(values: Values, X: Array, Y: Array) -> Iterator[Array]:
    W, l = _zeros(X, Y), 0
    while True:
        yield W
        x, y = (each[..., l % X.shape[-1], None] for each in (X, Y))
        W, l = W - values["c"] * np.matmul(np.matmul(W, x) - y, x.mT) / np.matmul(x.mT, x), l + 1


def _largest(S: Array) -> Array:
    return np.linalg.eigvalsh(S)[..., -1:, None]


def _largest_squared(S: Array) -> Array:
    return _largest(S) ** 2


def _trace(S: Array) -> Array:
    return np.trace(S, axis1=-2, axis2=-1)[..., None, None]


def _frobenius(S: Array) -> Array:
    return np.linalg.norm(S @ S, axis=(-2, -1), keepdims=True)


def _one_by_one(iterates: Callable[[Array, Array, int], Sequence[Array]]) -> Any:
    """A method without numbers to tune that SciPy runs on one task and one target: w_0, w_1, ... of S w = X y.

    The last iterate stands for all that follow it, once the method has stopped.
    """

    def run(values: Values, steps: int, X: Array, Y: Array, x_query: Array) -> list[Array]:
        W = np.zeros((steps + 1, *_zeros(X, Y).shape))
        for task in np.ndindex(X.shape[:-2]):
            for target in range(Y.shape[-2]):
                found = list(iterates(X[task], Y[(*task, target)], steps))[: steps + 1]
                found += [found[-1]] * (steps + 1 - len(found))
                W[(slice(None), *task, target)] = found
        return list(_predicted(W, x_query))

    return run


def _conjugate_gradient(X: Array, y: Array, steps: int) -> list[Array]:
    found = [np.zeros(X.shape[0])]
    eps = float(np.finfo(X.dtype).eps)
    with np.errstate(all="ignore"):  # a context whose targets are orthogonal to its inputs
        cg(X @ X.T, X @ y, rtol=eps, atol=0.0, maxiter=steps, callback=lambda w: found.append(w.copy()))
    return found


def _minimised(method: str) -> Callable[[Array, Array, int], list[Array]]:
    def iterates(X: Array, y: Array, steps: int) -> list[Array]:
        found = [np.zeros(X.shape[0])]
        minimize(
            lambda w: (0.5 * np.sum((w @ X - y) ** 2), (w @ X - y) @ X.T),
            found[0],
            jac=True,
            method=method,
            callback=lambda w: found.append(np.array(w)),
            options={"maxiter": steps},
        )
        return found

    return iterates

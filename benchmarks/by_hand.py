"""Each network as an expert would write it in PyTorch, for this network alone: no zero blocks, no weights but scalars.

Symbols: n context tokens, d features, m targets; X (B, d, n), Y (B, m, n), x_query (B, d, 1), U (B, d, n + 1), the u
slot of the context and of the query; by rows all of them are transposed.

What nobody reads is left out: the context tokens after the last step. A pass takes as ``ops`` what has ``cat`` and
``baddbmm``: ``torch``, or ``benchmarks.rounding_bound``, which bounds the rounding errors of the same calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from constructions.scalars import Scalar


@dataclass(frozen=True)
class ByHand:
    """One way to write a network in PyTorch.

    Args:
        name: what it does.
        run: (ops, identity, X, Y, x_query) -> the predictions, (B, m, 1), or (B, 1, m) by rows; identity is (d, d).
        bounded: the same in operations that ``benchmarks.rounding_bound`` has; by default ``run`` itself.
        is_by_rows: whether tokens are rows.
    """

    name: str
    run: Callable[..., Any]
    bounded: Callable[..., Any] | None = None
    is_by_rows: bool = False


def gradient_descent(rates: Sequence[Scalar], ops: Any, identity: Any, X: Any, Y: Any, x_query: Any) -> Any:
    """Gradient descent from zero: Y <- Y - eta / n (Y X^T) X, and the sum of the steps at the query.

    Args:
        rates: eta_l / n, layer by layer: floats for tensors, exact scalars for bounds.
    """
    prediction = None
    for l, rate in enumerate(rates):
        step = (Y @ X.mT) * rate
        if l < len(rates) - 1:
            Y = Y - step @ X
        term = step @ x_query
        prediction = term if prediction is None else term + prediction
    return prediction


def newton_as_written(alpha: Scalar, steps: int, ops: Any, identity: Any, X: Any, Y: Any, x_query: Any) -> Any:
    """U <- 2 U - (U X^T) U, tokens as columns."""
    U = ops.cat((X, x_query), dim=-1) * alpha
    for l in range(steps):
        A = U[..., : X.shape[-1]] @ X.mT
        U = U if l < steps - 1 else U[..., -1:]
        U = ops.baddbmm(U, A, U, beta=2, alpha=-1)
    return (Y @ X.mT) @ U[..., -1:]


def newton_by_columns(alpha: Scalar, steps: int, ops: Any, identity: Any, X: Any, Y: Any, x_query: Any) -> Any:
    """U <- (2 I - U X^T) U, tokens as columns."""
    U, two = ops.cat((X, x_query), dim=-1) * alpha, identity * 2
    for l in range(steps):
        A = ops.baddbmm(two, U[..., : X.shape[-1]], X.mT, alpha=-1)
        U = A @ (U if l < steps - 1 else U[..., -1:])
    return (Y @ X.mT) @ U[..., -1:]


def newton_by_rows(alpha: Scalar, steps: int, ops: Any, identity: Any, X: Any, Y: Any, x_query: Any) -> Any:
    """U <- U (2 I - X^T U), tokens as rows."""
    U, two = ops.cat((X, x_query), dim=-2) * alpha, identity * 2
    for l in range(steps):
        A = ops.baddbmm(two, X.mT, U[..., : X.shape[-2], :], alpha=-1)
        U = (U if l < steps - 1 else U[..., -1:, :]) @ A
    return U[..., -1:, :] @ (X.mT @ Y)


def newton_by_columns_in_place(
    alpha: Scalar, steps: int, torch: Any, identity: Any, X: Any, Y: Any, x_query: Any
) -> Any:
    """As by columns, in memory that is taken once."""
    U, two = torch.cat((X, x_query), dim=-1).mul_(alpha), identity * 2
    A, V = U.new_empty((len(X), *identity.shape)), torch.empty_like(U)
    for l in range(steps):
        torch.baddbmm(two, U[..., : X.shape[-1]], X.mT, alpha=-1, out=A)
        if l == steps - 1:
            return (Y @ X.mT) @ (A @ U[..., -1:])
        torch.bmm(A, U, out=V)
        U, V = V, U
    return (Y @ X.mT) @ U[..., -1:]


def newton_by_rows_in_place(alpha: Scalar, steps: int, torch: Any, identity: Any, X: Any, Y: Any, x_query: Any) -> Any:
    """As by rows, in memory that is taken once."""
    U, two = torch.cat((X, x_query), dim=-2).mul_(alpha), identity * 2
    A, V = U.new_empty((len(X), *identity.shape)), torch.empty_like(U)
    for l in range(steps):
        torch.baddbmm(two, X.mT, U[..., : X.shape[-2], :], alpha=-1, out=A)
        if l == steps - 1:
            return (U[..., -1:, :] @ A) @ (X.mT @ Y)
        torch.bmm(U, A, out=V)
        U, V = V, U
    return U[..., -1:, :] @ (X.mT @ Y)

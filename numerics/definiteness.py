"""Definiteness of symmetric matrices, decided: exactly in rationals, and in balls wherever they are narrow enough.

Symbols: M (n, n) symmetric; C (n, n) unit upper triangular; D (n, n) diagonal; M = C^T D C.

M is positive semidefinite if and only if symmetric elimination ends with pivots D >= 0, a pivot 0 having a row of
zeros. Where it does not, it has found a v with v^T M v < 0.
"""

from __future__ import annotations

from typing import Any

from flint import arb, fmpq

from constructions.block import Block
from numerics.balls import BallBlock
from numerics.rationals import RationalBlock, as_fraction


class Indefinite(ValueError):
    """The matrix is not positive semidefinite.

    ``direction`` is a block v (n, 1) with v^T M v < 0.
    """

    def __init__(self, direction: Block, value: Any) -> None:
        self.direction = direction
        entries = ", ".join(_written(value) for (value,) in direction.entry)
        super().__init__(f"the matrix is not positive semidefinite: v^T M v = {_written(value)} for v = ({entries})")


def factors(M: Block) -> tuple[Block, Block]:
    """(C, D) with M = C^T D C: C unit upper triangular, D diagonal with entries >= 0.

    Raises:
        Indefinite: if M is not positive semidefinite.
        ArithmeticError: if M is in balls that are too wide to tell.
        TypeError: if M is in another kind than rationals or balls.
        ValueError: if M is not symmetric.
    """
    S = _table(M)
    n = len(S)
    C = [[_like(M, int(i == j)) for j in range(n)] for i in range(n)]
    D = [[_like(M, 0) for _ in range(n)] for _ in range(n)]
    for j in range(n):
        pivot, row = S[j][j], S[j]
        if pivot < 0:
            raise _indefinite(M, C, j, {j: _like(M, 1)})
        if pivot == 0:
            for i in range(j + 1, n):
                if row[i] != 0:
                    # With x e_j + e_i the form is 2 x S_ij + S_ii = -1.
                    raise _indefinite(M, C, j, {j: -(S[i][i] + 1) / (2 * row[i]), i: _like(M, 1)})
                if not row[i] == 0:
                    raise _undecided(M)
            continue
        if not pivot > 0:
            raise _undecided(M)
        D[j][j] = pivot
        for i in range(j + 1, n):
            C[j][i] = row[i] / pivot
        for i in range(j + 1, n):
            for k in range(j + 1, n):
                S[i][k] -= row[i] * C[j][k]
    return type(M).lift(C), type(M).lift(D)


def is_positive_definite(M: Block) -> bool:
    """Whether v^T M v > 0 for every v other than 0.

    Raises:
        ArithmeticError, TypeError, ValueError: as ``factors``.
    """
    try:
        _, D = factors(M)
    except Indefinite:
        return False
    return all(D.entry[i, i] > 0 for i in range(D.rows))


def is_positive_semidefinite(M: Block) -> bool:
    """Whether v^T M v >= 0 for every v.

    Raises:
        ArithmeticError, TypeError, ValueError: as ``factors``.
    """
    try:
        factors(M)
    except Indefinite:
        return False
    return True


def _table(M: Block) -> list[list[Any]]:
    if not isinstance(M, (RationalBlock, BallBlock)):
        raise TypeError(
            f"definiteness is decided in rationals and in balls, but {type(M).__name__} came: lift the Gram matrix of "
            "exact inputs"
        )
    if M.rows != M.columns:
        raise ValueError(f"a square matrix is required, but shape {M.shape} came")
    table: list[list[Any]] = M.entry.tolist()
    for i, row in enumerate(table):
        for j in range(i):
            different = not row[j].overlaps(table[j][i]) if isinstance(M, BallBlock) else row[j] != table[j][i]
            if different:
                raise ValueError(f"the matrix is not symmetric: entries ({i}, {j}) and ({j}, {i}) differ")
            row[j] = table[j][i]
    return table


def _like(M: Block, value: int) -> Any:
    return fmpq(value) if isinstance(M, RationalBlock) else arb(value)


def _indefinite(M: Block, C: list[list[Any]], j: int, tail: dict[int, Any]) -> Indefinite:
    """The direction that is ``tail`` in what elimination has left, and orthogonal to what it has taken out."""
    n = len(C)
    v = [tail.get(i, _like(M, 0)) for i in range(n)]
    for i in reversed(range(j)):
        v[i] = -sum((C[i][k] * v[k] for k in range(i + 1, n)), start=_like(M, 0))
    direction = type(M).lift([[value] for value in v])
    return Indefinite(direction, (direction.T @ M @ direction).entry[0, 0])


def _undecided(M: Block) -> ArithmeticError:
    return ArithmeticError(
        f"these balls are too wide to tell whether the ({M.rows}, {M.columns}) matrix is positive: raise the precision"
    )


def _written(value: Any) -> str:
    return value.str(6) if isinstance(value, arb) else str(as_fraction(value))

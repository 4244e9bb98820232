"""Baselines: what statistics would predict from the context, to hold a transformer against.

Symbols: n context tokens, d features, m targets; X (d, n), Y (m, n), W (m, d), r the rank of X.
"""

from __future__ import annotations

from flint import fmpq_mat

from constructions.block import Block
from constructions.prompt import Prompt
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock


def least_squares(prompt: Prompt) -> Block:
    """The least-squares weights of the context, of minimum norm where they are not unique.

    W = Y X^+ = Y X^T (X X^T)^+ with the pseudo-inverse: W X X^T = Y X^T, and the rows of W lie in the span of the
    inputs.

    Exact in rationals. In floats by a singular value decomposition; a singular value up to max(d, n) eps
    times the largest one, which is what rounding may make of a zero, counts as zero.

    Args:
        prompt: raw entries or blocks; rationals, or floats of any array library, with any batch.

    Returns:
        W, (m, d), a block of the prompt's kind; ``W.entry`` is what users hold.

    Raises:
        TypeError: for any other kind of number.
    """
    held = prompt.lifted()
    X, Y = held.X, held.Y
    if isinstance(X, RationalBlock):
        X_T = X.matrix.transpose()
        return RationalBlock(Y.matrix * X_T * pseudo_inverse(X.matrix * X_T))
    if isinstance(X, FloatBlock):
        return _float_least_squares(X, Y)
    raise TypeError(
        f"least squares must decide the rank of X, which a {type(X).__name__} cannot: pass a prompt of "
        "rationals or of float arrays"
    )


def pseudo_inverse(A: fmpq_mat) -> fmpq_mat:
    """The pseudo-inverse A^+ of a rational matrix (p, q), exactly: (q, p).

    R^T (R R^T)^-1 (C^T C)^-1 C^T, from A = C R with C (p, r) and R (r, q) of full rank r: R is the reduced row echelon
    form without its zero rows, and C holds the columns of A at its pivots.
    """
    echelon, rank = A.rref()
    if rank == A.nrows() == A.ncols():
        return A.inv()
    rows, columns = echelon.tolist()[:rank], A.transpose().tolist()
    pivots = [next(j for j, value in enumerate(row) if value) for row in rows]
    R = fmpq_mat(rank, A.ncols(), [value for row in rows for value in row])
    C_T = fmpq_mat(rank, A.nrows(), [value for j in pivots for value in columns[j]])
    return R.transpose() * (R * R.transpose()).inv() * (C_T * C_T.transpose()).inv() * C_T


def _float_least_squares(X: FloatBlock, Y: FloatBlock) -> FloatBlock:
    """Y V diag(1 / s) U^T, from X = U diag(s) V^T."""
    xp, array = X.xp, X.entry
    U, s, V_T = xp.linalg.svd(array, full_matrices=False)
    cutoff = max(X.shape) * xp.finfo(array.dtype).eps * xp.max(s, axis=-1, keepdims=True)
    kept = s > cutoff
    reciprocal = xp.where(kept, 1 / xp.where(kept, s, xp.ones_like(s)), xp.zeros_like(s))
    spectral = xp.matmul(Y.entry, xp.matrix_transpose(V_T)) * reciprocal[..., None, :]
    return FloatBlock(xp.matmul(spectral, xp.matrix_transpose(U)))

"""Which step sizes make functional descent converge on a given context, decided, and how far it then is from its limit.

Symbols: K (n, n) the Gram matrix of the context, k (n, 1) that of the query, lam an eigenvalue of K; y (1, n); steps r
multiply K itself: r = eta / n for an eta that divides by n.

    constant steps       the residual is multiplied by 1 - r lam:      for all y iff 0 < lam < 2 / r for every lam
    alternating steps    r, -r: it is multiplied by 1 - r^2 lam^2:     for all y iff 0 < lam^2 < 2 / r^2 for every lam

The softmax's matrix is not symmetric; with positive definite exp(X^T X) it converges if and only if 0 < r < 2.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb, fmpq_mat

from constructions.block import Block, Entry, Kernel, kind_of
from constructions.prompt import lift
from constructions.scalars import Scalar, exact, ratio
from numerics.balls import BallBlock
from numerics.definiteness import Indefinite, factors, is_positive_definite
from numerics.eigenvalue_bounds import largest_eigenvalue_bounds
from numerics.rationals import RationalBlock, as_fmpq, as_fraction


def gram_matrix(kernel: Kernel, X: Entry) -> Block:
    """kappa(X, X), (n, n), of the inputs X (d, n), in their kind of number.

    Raises:
        TypeError: for an arbitrary kernel, or one that does not run in the kind.
    """
    block = lift(X, kind_of(X), "X")
    return block.kernel(block, kernel)


def is_convergent_step(K: Block, r: Scalar) -> bool:
    """Whether constant steps r drive the residual Y (I - r K)^l to zero, for every Y; decided exactly in rationals.

    Args:
        K: symmetric, in rationals or balls.
        r: the step.

    Raises:
        ArithmeticError: if K is in balls that are too wide to tell.
    """
    return exact(r) > 0 and is_positive_definite(K) and is_positive_definite(_above(K, ratio(2, r)))


def is_convergent_alternating_step(K: Block, r: Scalar) -> bool:
    """Whether steps r, -r, r, -r, ... drive the residual Y (I - r^2 K^2)^m to zero, for every Y.

    Args, Raises: as ``is_convergent_step``; K may be indefinite.
    """
    square = _symmetric(K @ K)
    return exact(r) != 0 and is_positive_definite(square) and is_positive_definite(_above(square, ratio(2, r * r)))


def require_convergent_step(K: Block, r: Scalar) -> None:
    """Refuses a constant step that does not drive the residual to zero for every Y.

    Raises:
        Indefinite: if K is not positive semidefinite, which no constant step can mend.
        ValueError: if K is singular, or r is not between 0 and 2 / lambda_max(K).
        ArithmeticError: if K is in balls that are too wide to tell.
    """
    try:
        _, D = factors(K)
    except Indefinite as error:
        error.args = (
            f"no constant step converges, as K is no Gram matrix of a positive semidefinite kernel: {error}; "
            "use AlternatingDescent",
        )
        raise
    if not all(D.entry[i, i] > 0 for i in range(K.rows)):
        raise ValueError(
            "K is singular: targets outside its range cannot be fitted; leave out inputs that are repeated"
        )
    if not is_convergent_step(K, r):
        _, high = eigenvalue_range(K)
        raise ValueError(
            f"r = {r}: it must be above 0 and below 2 / lambda_max(K), which is at least {float(2 / high):.6g}"
        )


def eigenvalue_range(K: Block) -> tuple[Fraction, Fraction]:
    """(low, high) with low <= lam <= high for every eigenvalue of the symmetric matrix K, in rationals or balls."""
    if isinstance(K, BallBlock):
        middle, slack = _middle(K)
    elif isinstance(K, RationalBlock):
        middle, slack = K.matrix, Fraction(0)
    else:
        raise TypeError(f"eigenvalues are bounded in rationals and in balls, but {type(K).__name__} came")
    n = middle.nrows()
    shift = max(sum((abs(as_fraction(middle[i, j])) for j in range(n)), start=Fraction(0)) for i in range(n))
    high = largest_eigenvalue_bounds(_shifted(middle, 1, shift))[1] - shift
    low = high - largest_eigenvalue_bounds(_shifted(middle, -1, high))[1]
    return low - slack, high + slack


def limit_error_bound(K: Block, k: Block, y: Block, r: Scalar, layers: int) -> Fraction:
    """No less than the distance of f(x_query) after so many layers from its limit y K^-1 k.

    |k| rho^layers |y| / lambda_min(K), where rho is the largest |1 - r lam|, from bounds on the eigenvalues.

    Args:
        K, k, y: (n, n), (n, 1), (1, n), in rationals or balls.
        r: a constant step; the bound holds for every r, and shrinks with the layers for a convergent one.
        layers: how many.

    Raises:
        ValueError: if lambda_min(K) is not known to be above 0.
    """
    low, high = eigenvalue_range(K)
    if low <= 0:
        raise ValueError(
            f"K must be positive definite, but its least eigenvalue is only known to be >= {float(low):.6g}"
        )
    rho = max(abs(1 - exact(r) * low), abs(1 - exact(r) * high))
    squares = (k.T @ k).entry[0, 0], (y @ y.T).entry[0, 0]
    root: arb = (arb(as_fmpq(0)) + squares[0] * squares[1]).sqrt()
    norms = _upper(root)
    return norms * rho**layers / low


def _above(K: Block, level: Scalar) -> Block:
    """level I - K."""
    return K.identity(K.rows).scale(level) - K


def _symmetric(M: Block) -> Block:
    return (M + M.T).scale(Fraction(1, 2))


def _middle(K: BallBlock) -> tuple[fmpq_mat, Fraction]:
    """(the midpoints made symmetric, a bound on how far they can move an eigenvalue)."""
    n = K.rows
    table = K.entry.tolist()
    middle = RationalBlock.lift([[_exactly(table[min(i, j)][max(i, j)].mid()) for j in range(n)] for i in range(n)])
    far = max(
        _upper(abs(table[i][j] - as_fmpq(_exactly(table[min(i, j)][max(i, j)].mid()))))
        for i in range(n)
        for j in range(n)
    )
    return middle.matrix, n * far


def _exactly(ball: arb) -> Fraction:
    mantissa, exponent = ball.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _upper(ball: arb) -> Fraction:
    return _exactly(ball.abs_upper())


def _shifted(M: fmpq_mat, sign: int, level: Fraction) -> fmpq_mat:
    """sign M + level I."""
    n = M.nrows()
    return fmpq_mat(n, n, [sign * M[i, j] + (as_fmpq(level) if i == j else 0) for i in range(n) for j in range(n)])

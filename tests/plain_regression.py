"""Regression in plain Fractions, token by token: another route than the package's blocks and matrices."""

from fractions import Fraction


def dot(u, v):
    return sum(a * b for a, b in zip(u, v, strict=True))


def solved(A, b):
    """The solution of A w = b by Gauss-Jordan elimination."""
    rows = [[Fraction(entry) for entry in (*row, value)] for row, value in zip(A, b, strict=True)]
    for i in range(len(rows)):
        pivot = next(k for k in range(i, len(rows)) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in range(len(rows)):
            if k != i:
                rows[k] = [a - rows[k][i] * c for a, c in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]


def least_squares(context):
    """The weights of a context [(x, y), ...] of full rank."""
    d = range(len(context[0][0]))
    return solved(
        [[sum(x[i] * x[j] for x, _ in context) for j in d] for i in d], [sum(x[i] * y for x, y in context) for i in d]
    )


def newton_weights(context, alpha, steps):
    """The weights after so many Newton steps: gradient descent w <- w - alpha (S w - b) takes 2^steps of them."""
    w = [Fraction(0)] * len(context[0][0])
    for _ in range(2**steps):
        errors = [dot(w, x) - y for x, y in context]
        w = [w[i] - alpha * dot(errors, [x[i] for x, _ in context]) for i in range(len(w))]
    return w

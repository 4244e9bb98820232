"""Equations behind functional descent: the functional gradient, the posterior mean, and two kernels that misbehave."""

from __future__ import annotations

from fractions import Fraction

from constructions.block import Block, Kernel
from constructions.kernels import LINEAR, RELU, SOFTMAX, exponential, polynomial
from proofs.identity_theorem import Data, IdentityTheorem
from proofs.theorem import Theorem

_ARXIV = "Cheng et al. (2024), arXiv 2312.06528"
_KERNELS = (LINEAR, polynomial(2))


def kernel_identities() -> tuple[Theorem, ...]:
    """The equations, each with false ones beside it."""
    return (_gradient(), _posterior_mean(), _relu_is_indefinite(), _softmax_is_not_the_posterior_mean())


def _gradient() -> Theorem:
    def loss(f: Block, data: Data) -> Block:
        residual = f @ _gram(data) - data["Y"]
        return residual @ residual.T

    def sides(data: Data, factor: int = 2, sign: int = 1, second_order: bool = True) -> tuple[Block, Block]:
        alpha, beta, t, K = data["alpha"], data["beta"], data["t"], _gram(data)
        gradient = (alpha @ K - data["Y"]).scale(factor * sign)
        change = t @ beta @ K @ gradient.T
        quadratic = t @ t @ beta @ K @ K @ beta.T
        moved = loss(alpha + t @ beta, data)
        return moved, loss(alpha, data) + change + (quadratic if second_order else change - change)

    return IdentityTheorem(
        name="functional_gradient_of_the_squared_loss_is_a_kernel_sum",
        system="Cheng et al. 2024",
        reference=f"{_ARXIV}; the gradient in a reproducing kernel Hilbert space, along which it is said to descend",
        statement=(
            "loss(f) = sum_i (f(x_i) - y_i)^2 has loss(f + t g) = loss(f) + t <g, G> + t^2 sum_i g(x_i)^2 with G = 2 "
            "sum_i (f(x_i) - y_i) kappa(., x_i), for all f, g in the span of the kappa(., x_i), whose inner product is "
            "that of their coefficients under K: G is the gradient, and r = 2 rho the step along -rho G."
        ),
        sides=sides,
        shapes={"X": ("d", "n"), "Y": (1, "n"), "alpha": (1, "n"), "beta": (1, "n"), "t": (1, 1)},
        kernels=_KERNELS,
        wrong={
            "the gradient without its 2": lambda data: sides(data, factor=1),
            "the gradient with the other sign": lambda data: sides(data, sign=-1),
            "without the second order": lambda data: sides(data, second_order=False),
        },
    )


def _posterior_mean() -> Theorem:
    def error(data: Data) -> Block:
        """E (y_q - a^T y)^2 for y, y_q of covariance [[K, k], [k^T, K_qq]]."""
        a, (K, k, K_qq) = data["a"], _joint(data)
        return K_qq - (a.T @ k).scale(2) + a.T @ K @ a

    def sides(data: Data, regress: bool = True) -> tuple[Block, Block]:
        a, (K, k, K_qq) = data["a"], _joint(data)
        best = K.inverse() @ k if regress else k
        away = a - best
        return error(data), K_qq - k.T @ best + away.T @ K @ away

    def without_conditioning(data: Data) -> tuple[Block, Block]:
        a, (K, k, K_qq) = data["a"], _joint(data)
        away = a - K.inverse() @ k
        return error(data), K_qq + away.T @ K @ away

    return IdentityTheorem(
        name="kernel_interpolant_is_the_gaussian_posterior_mean",
        system="Cheng et al. 2024",
        reference=f"{_ARXIV}, of which the Bayes limit is reported; Gaussian conditioning",
        statement=(
            "For labels of covariance kappa, K invertible, the predictor a^T y has the mean squared error K_qq - k^T "
            "K^-1 k + (a - K^-1 k)^T K (a - K^-1 k): for K > 0 the least is that of y K^-1 k, the limit of functional "
            "descent, whose error is uncorrelated with y and so, for Gaussian labels, independent: E[y_q | X, y]."
        ),
        sides=sides,
        shapes={"X": ("d", "n"), "x_query": ("d", 1), "a": ("n", 1)},
        kernels=(polynomial(2), RELU),
        wrong={
            "the kernel smoother y k in place of y K^-1 k": lambda data: sides(data, regress=False),
            "the least error without the conditioning": without_conditioning,
        },
    )


def _relu_is_indefinite() -> Theorem:
    X = [[1, 1, 0, -1, -1, -1, 0, 1], [0, 1, 1, 1, 0, -1, -1, -1]]
    v = [[2], [-1], [2], [-1], [2], [-1], [2], [-1]]

    def sides(data: Data) -> tuple[Block, Block]:
        X, v = data["X"], data["v"]
        return v.T @ X.kernel(X, RELU) @ v, X.identity(1).scale(-8)

    def linear(data: Data) -> tuple[Block, Block]:
        X, v = data["X"], data["v"]
        return v.T @ X.kernel(X, LINEAR) @ v, X.identity(1).scale(-8)

    def ones(data: Data) -> tuple[Block, Block]:
        X, e = data["X"], data["v"].ones(8, 1)
        return e.T @ X.kernel(X, RELU) @ e, X.identity(1).scale(-8)

    return IdentityTheorem(
        name="relu_gram_matrix_can_be_indefinite",
        system="this project",
        reference=f"the ReLU kernel of {_ARXIV} reproduces no space of functions",
        statement=(
            "On the eight points (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1) and v = (2, -1, "
            "2, -1, 2, -1, 2, -1), the Gram matrix K of max(<x, x'>, 0) has v^T K v = -8: K has a negative eigenvalue, "
            "along which every constant step r > 0 diverges."
        ),
        sides=sides,
        shapes={"X": (2, 8), "v": (8, 1)},
        given={"X": X, "v": v},
        wrong={"the linear kernel, which is semidefinite": linear, "another direction": ones},
    )


def _softmax_is_not_the_posterior_mean() -> Theorem:
    kernel = exponential()

    def sides(data: Data, weigh: bool = True) -> tuple[Block, Block]:
        X, x, Y = data["X"], data["x_query"], data["Y"]
        K, k, row = X.kernel(X, kernel), X.kernel(x, kernel), X.ones(1, X.columns)
        D, D_q, regression = (row @ K).diagonal(), row @ k, K.inverse() @ k
        softmax = Y @ X.kernel(X, SOFTMAX).inverse() @ X.kernel(x, SOFTMAX)
        factors = D @ regression @ D_q.inverse() - regression
        return softmax - Y @ regression, Y @ (factors if weigh else regression - regression)

    return IdentityTheorem(
        name="softmax_limit_differs_from_the_posterior_mean_by_its_normalisers",
        system="this project",
        reference=f"the softmax map of {_ARXIV} beside its exponential map",
        statement=(
            "The limit of softmax layers less that of exponential layers is sum_i y_i (D(x_i) / D(x) - 1) (K^-1 "
            "k_x)_i, for invertible K = exp(X^T X): they agree for all Y if and only if D(x_i) = D(x) "
            "wherever (K^-1 k_x)_i is not 0."
        ),
        sides=sides,
        shapes={"X": ("d", "n"), "x_query": ("d", 1), "Y": (1, "n")},
        wrong={"that they are equal": lambda data: sides(data, weigh=False)},
        largest=Fraction(3, 2),
        bits=256,
    )


def _gram(data: Data) -> Block:
    """K, (n, n)."""
    X, kappa = data["X"], data["kappa"]
    assert isinstance(X, Block)
    assert isinstance(kappa, Kernel)
    return X.kernel(X, kappa)


def _joint(data: Data) -> tuple[Block, Block, Block]:
    """(K, k, K_qq): (n, n), (n, 1), (1, 1)."""
    X, x, kappa = data["X"], data["x_query"], data["kappa"]
    return _gram(data), X.kernel(x, kappa), x.kernel(x, kappa)

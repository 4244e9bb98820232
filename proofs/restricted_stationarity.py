"""Stationary points of kernel attention: on the symmetric set a restricted one is one over all weights.

Symbols: layers l with A_l, B_l, C_l (d, d) and r_l; Sigma = Q^2, Q symmetric and positive definite; x = Q xi; J the
training loss as a function of all weights, differentiable; R orthogonal, T = Q R Q^-1. Assumed: (i) the inputs (X,
x_query) and T (X, x_query) have the same law for every R; (ii) so does the labels' covariance; (iii) h sees keys and
queries by their inner products only. The symmetric set: A_l = a_l I (or 0), B_l = b_l Q^-1, C_l = c_l Q^-1, r_l free.

    on it   grad_{A_l} J = s'' I        grad_{B_l} J = s Q        grad_{C_l} J = s' Q        with numbers s'', s, s'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import permutations, product
from typing import Any

import numpy as np
import sympy

from constructions.construction import forward
from constructions.kernel_attention import KernelAttention, TransformedKernelAttention
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.bayes_error import QUADRATIC
from proofs.construction_theorem import ConstructionTheorem
from proofs.explicit import ExplicitBlock
from proofs.induction import normal_form
from proofs.regression_law import as_matrix
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem

_ONE: Any = [[1]]
_MODEL = "for the model of Cheng et al. (2024), arXiv 2312.06528, as reported second-hand"
_WEIGHTS: dict[str, Any] = {"step_sizes": [1], "A": [_ONE], "B": [_ONE], "C": [_ONE]}
TRANSFORMED = TransformedKernelAttention(**_WEIGHTS, transform=_ONE, reciprocal=_ONE)
"""All four scores; the values of the weights do not matter."""


def signed_permutations(d: int) -> list[Any]:
    """The 2^d d! signed permutation matrices: only multiples of I commute with all of them.

    Raises:
        ValueError: for d < 1.

    >>> [len(signed_permutations(d)) for d in (1, 2, 3)]
    [2, 8, 48]
    """
    if d < 1:
        raise ValueError(f"d = {d}: at least one feature is required")
    matrices = []
    for order, signs in product(permutations(range(d)), product((1, -1), repeat=d)):
        matrices.append(sympy.Matrix(d, d, lambda i, j, o=order, s=signs: s[i] if o[i] == j else 0))
    return matrices


@dataclass(frozen=True)
class InvariantLaw:
    """Inputs Q R Xi, R uniform over the signed permutations; labels of covariance kappa(xi, xi') = <xi, xi'>.

    Args:
        Q: the root of Sigma, (d, d), symmetric and positive definite.
        Xi: (d, n + 1), the query last; rationals.

    Raises:
        ValueError: if Q is not symmetric and positive definite, or Xi does not fit.
    """

    Q: Any
    Xi: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "Q", as_matrix(self.Q))
        object.__setattr__(self, "Xi", as_matrix(self.Xi))
        minors = [self.Q[:k, :k].det() for k in range(1, self.Q.rows + 1)] if self.Q.is_square else []
        if self.Q != self.Q.T or any(minor <= 0 for minor in minors):
            raise ValueError(f"Q = {self.Q.tolist()} must be symmetric and positive definite, the root of Sigma")
        if self.Xi.rows != self.Q.rows or self.Xi.cols < 2:
            raise ValueError(f"Xi is {self.Xi.shape}: it must be ({self.Q.rows}, n + 1) with n >= 1")

    @property
    def d(self) -> int:
        return int(self.Q.rows)

    def inputs(self) -> list[Any]:
        """The inputs, each of the same probability."""
        return [self.Q * R * self.Xi for R in signed_permutations(self.d)]

    @property
    def covariance(self) -> Any:
        """Of the labels, the query's last: the same for all inputs."""
        return self.Xi.T * self.Xi


def training_loss(network: KernelAttention, law: InvariantLaw) -> Any:
    """J = E (TF + y_q)^2, from the transformer itself: TF is linear in y, its coefficients are read off unit labels.

    Args:
        network: its weights may hold symbols.
        law: of the inputs and the labels.
    """
    K, k, K_qq = law.covariance[:-1, :-1], law.covariance[:-1, -1:], law.covariance[-1, -1]
    inputs, total = law.inputs(), sympy.Integer(0)
    for X in inputs:
        prompt = Prompt(X[:, :-1], sympy.eye(X.cols - 1), X[:, -1:]).lifted(ExplicitBlock)
        made = forward(network, prompt) + ExplicitBlock.lift([[0]] * (X.cols - 1))
        a = sympy.Matrix(made.entry.tolist())
        total += (a.T * K * a)[0, 0] - 2 * (a.T * k)[0, 0] + K_qq
    return total / len(inputs)


def gradient(network: KernelAttention, law: InvariantLaw, name: str, layer: int) -> Any:
    """The gradient of J with respect to one weight matrix, entry by entry, exactly.

    Args:
        network: rational weights, scores that are polynomials.
        law: of the inputs and the labels.
        name: "A", "B" or "C".
        layer: l.
    """
    t, held = sympy.Symbol("t"), getattr(network, name)

    def slope(i: int, j: int) -> Any:
        moved = sympy.Matrix(held[layer]).as_mutable()
        moved[i, j] += t
        changed = [moved.tolist() if l == layer else each for l, each in enumerate(held)]
        return sympy.Poly(training_loss(_with(network, name, changed), law), t).nth(1)

    return sympy.Matrix(law.d, law.d, slope)


def _with(network: KernelAttention, name: str, matrices: Any) -> KernelAttention:
    """The network with other matrices for A, B or C."""
    changes: dict[str, Any] = {name: matrices}
    return replace(network, **changes)


def on_the_symmetric_set(
    law: InvariantLaw, numbers: Sequence[tuple[Any, Any, Any, Any]], scores: tuple[Any, ...] = ("linear",)
) -> KernelAttention:
    """The network with A_l = a_l I, B_l = b_l Q^-1, C_l = c_l Q^-1 and r_l, from (a_l, b_l, c_l, r_l) per layer."""
    inverse = law.Q.inv()
    return KernelAttention(
        step_sizes=[r for *_, r in numbers],
        A=[(a * sympy.eye(law.d)).tolist() for a, *_ in numbers],
        B=[(b * inverse).tolist() for _, b, *_ in numbers],
        C=[(c * inverse).tolist() for _, _, c, _ in numbers],
        scores=scores,
    )


def theorems() -> tuple[Theorem, ...]:
    """The symmetry of the layers, and what follows for stationary points."""
    return (
        ConstructionTheorem(
            name="kernel_attention_moves_with_its_inputs",
            system="this project",
            reference=f"{_MODEL}: the symmetry behind its stationary points, for every invertible S and T",
            statement=(
                "Layers X <- X + A_l X h(B_l X, C_l X), Y <- Y + r_l Y h(B_l X, C_l X), whose h sees keys and queries "
                "by their inner products only, with the weights (T^-1 A_l T, S^T B_l T, S^-1 C_l T, r_l) on the inputs "
                "x have the labels of (A_l, B_l, C_l, r_l) on T x after every layer. Here h is the sum of the linear "
                "and the ReLU score; the exponential and the softmax are proved with the theorem that follows."
            ),
            prototype=replace(TRANSFORMED, scores=("linear", "relu")),
            layers=(0, 1, 2),
        ),
        ArguedTheorem(
            name="restricted_stationary_points_of_kernel_attention_are_stationary",
            system="Cheng et al. 2024",
            reference=(
                "Cheng et al. (2024), arXiv 2312.06528, the statement on stationary points as reported second-hand "
                "(infimum of the gradient norm 0 on the set); the form of the gradients and the proof are this "
                "project's. It claims neither that a minimiser exists nor that it is global"
            ),
            statement=(
                "Under (i) inputs invariant in law under T = Q R Q^-1 for all orthogonal R (signed permutations do), "
                "Sigma = Q^2, (ii) the same for the labels' covariance, (iii) scores of inner products: at A_l = a_l "
                "I, B_l = b_l Q^-1, C_l = c_l Q^-1 the gradients are grad_{A_l} J = (dJ/da_l / d) I, grad_{B_l} J = "
                "(dJ/db_l / d) Q, grad_{C_l} J = (dJ/dc_l / d) Q, for every number of layers. So a point stationary in "
                "the numbers a_l (or with A_l = 0 fixed, its gradient left out), b_l, c_l, r_l is stationary in all "
                "weights, and the infimum of the full gradient's norm over the set is 0."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L, Sigma > 0 and invariant laws; linear, ReLU, exponential and softmax scores",
                "exact": "gradients of the layers' loss entry by entry, the law an exact mean over signed permutations",
                "float": "the float64 loss of moved weights, enclosed: it is that of the weights themselves",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=TRANSFORMED,
        ),
    )


def _argument() -> tuple[Step, ...]:
    Q, R = (SymbolBlock.lift(Unspecified(name, "d", "d", has_inverse=True)) for name in ("Q", "R"))
    G, I = SymbolBlock.lift(Unspecified("G", "d", "d")), Q.identity(Q.rows)
    b = sympy.Symbol("b", real=True)
    T, B = Q @ R @ Q.inverse(), Q.inverse().scale(b)
    T_transposed = Q.inverse() @ R.inverse() @ Q
    return (
        Induction(
            "the weights (T^-1 A_l T, S^T B_l T, S^-1 C_l T) on x have the labels of (A_l, B_l, C_l) on T x",
            TRANSFORMED,
        ),
        Inference(
            "with S = R orthogonal, S^-1 = R^T: by (i) and (ii) J(T^-1 A_l T, R^T B_l T, R^T C_l T) = J(A_l, B_l, "
            "C_l), all l at once; below R^T is written R^-1, and T^T = Q^-1 R^-1 Q as Q is symmetric"
        ),
        Equation("b Q^-1 is fixed: R^-1 (b Q^-1) T = b Q^-1", normal_form(R.inverse() @ B @ T), normal_form(B)),
        Equation(
            "a I is fixed: T^-1 (a I) T = a I", normal_form(T.inverse() @ I.scale(b) @ T), normal_form(I.scale(b))
        ),
        Inference("so the gradients at a fixed point obey G = R G T^T for B_l and C_l, and G = T^-T G T^T for A_l"),
        Equation(
            "for B_l: (R G T^T) Q^-1 = R (G Q^-1) R^-1, so that G Q^-1 commutes with R",
            normal_form(R @ G @ T_transposed @ Q.inverse()),
            normal_form(R @ (G @ Q.inverse()) @ R.inverse()),
        ),
        Equation(
            "for A_l: Q (T^-T G T^T) Q^-1 = R (Q G Q^-1) R^-1, so that Q G Q^-1 commutes with R",
            normal_form(Q @ T_transposed.inverse() @ G @ T_transposed @ Q.inverse()),
            normal_form(R @ (Q @ G @ Q.inverse()) @ R.inverse()),
        ),
        Inference(
            "what commutes with every diagonal matrix of signs is diagonal, and with every permutation a multiple of "
            "I: G = s Q for B_l and C_l, G = s'' I for A_l"
        ),
        Equation(
            "<s Q, Q^-1> = s d = dJ/db_l: (s Q) Q^-1", normal_form(Q.scale(b) @ Q.inverse()), normal_form(I.scale(b))
        ),
        Inference(
            "so the full gradient is at most a constant times the restricted one; J >= 0 falls along the restricted "
            "gradient flow, so that the integral of the restricted gradient squared is finite: its infimum is 0"
        ),
    )


def _drawn_law(rng: np.random.Generator, features: int, tokens: int) -> InvariantLaw:
    roots = ([[1]], [[2]]) if features == 1 else ([[1, 0], [0, 1]], [[2, 1], [1, 2]], [[1, 1], [1, 3]])
    Xi = rng.integers(-2, 3, (features, tokens + 1))
    return InvariantLaw(roots[int(rng.integers(len(roots)))], Xi.tolist())


def _numbers(rng: np.random.Generator, layers: int) -> list[tuple[Any, ...]]:
    return [tuple(sympy.Rational(int(value), 4) for value in rng.integers(1, 4, 4)) for _ in range(layers)]


_CASES = ((2, 2, 1, ("linear",)), (2, 1, 2, ("linear",)), (2, 1, 1, (QUADRATIC,)))
"""(d, n, L, scores) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for d in (1, 2, 3):
        G = sympy.Matrix(d, d, lambda i, j: sympy.Integer(int(rng.integers(-9, 10))))
        group = signed_permutations(d)
        mean = sum((R * G * R.T for R in group), sympy.zeros(d, d)) / len(group)
        yield Run(f"mean over signed permutations, d = {d}", mean == G.trace() / d * sympy.eye(d))
    for number in range(min(instances, len(_CASES))):
        features, tokens, layers, scores = _CASES[number]
        law, numbers = _drawn_law(rng, features, tokens), _numbers(rng, layers)
        network = on_the_symmetric_set(law, numbers, scores)
        for layer in range(layers):
            for name, direction in (("A", sympy.eye(features)), ("B", law.Q), ("C", law.Q)):
                made = gradient(network, law, name, layer)
                claimed = _restricted_slope(law, numbers, scores, name, layer) / features * direction
                yield Run(f"grad of {name}_{layer}, {numbers}, Q = {law.Q.tolist()}", made == claimed)


def _restricted_slope(
    law: InvariantLaw, numbers: Sequence[tuple[Any, ...]], scores: tuple[Any, ...], name: str, layer: int
) -> Any:
    """dJ/da_l, dJ/db_l or dJ/dc_l, from the loss as a polynomial in that number."""
    t, position = sympy.Symbol("t"), "ABC".index(name)
    moved = [
        tuple(value + (t if (l, p) == (layer, position) else 0) for p, value in enumerate(row))
        for l, row in enumerate(numbers)
    ]
    return sympy.Poly(training_loss(on_the_symmetric_set(law, moved, scores), law), t).nth(1)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """J of weights moved by T and R, in floats; J of the weights themselves, exactly."""
    for number in range(instances):
        law = InvariantLaw([[2, 0], [0, 1]], rng.integers(-2, 3, (2, 3)).tolist())
        A, B, C = (sympy.Matrix(2, 2, lambda i, j: sympy.Rational(int(rng.integers(-3, 4)), 4)) for _ in range(3))
        R = signed_permutations(2)[1 + number % 7]
        T = law.Q * R * law.Q.inv()
        still = KernelAttention(step_sizes=[1], A=[A.tolist()], B=[B.tolist()], C=[C.tolist()], scores=("linear",))
        moved = (T.inv() * A * T, R.T * B * T, R.T * C * T)
        wrong = (T.inv() * A * T, R.T * B, R.T * C + sympy.eye(2))
        exact, name = (
            training_loss(still, law),
            f"A = {A.tolist()}, B = {B.tolist()}, C = {C.tolist()}, R = {R.tolist()}",
        )
        low, high = _float_loss_bounds(moved, law)
        yield Run(name, bool(low <= exact <= high))
        if training_loss(_network(wrong), law) != exact:
            low, high = _float_loss_bounds(wrong, law)
            yield Run(f"moved wrongly, {name}", bool(low <= exact <= high), is_control=True)


def _network(weights: Sequence[Any]) -> KernelAttention:
    A, B, C = (matrix.tolist() for matrix in weights)
    return KernelAttention(step_sizes=[1], A=[A], B=[B], C=[C], scores=("linear",))


def _float_loss_bounds(weights: Sequence[Any], law: InvariantLaw) -> tuple[Any, Any]:
    """An enclosure of J of one layer in float64, labels +-xi_a: a finite law with the labels' covariance."""
    A, B, C = (np.array(matrix, dtype=float) for matrix in weights)
    network = KernelAttention(step_sizes=[1], A=[A], B=[B], C=[C], scores=("linear",))
    low = high = Fraction(0)
    cases = [(X, theta) for X in law.inputs() for theta in product((1, -1), repeat=law.d)]
    for X, theta in cases:
        labels = sympy.Matrix([theta]) * law.Xi
        held, y = np.array(X, dtype=float), np.array(labels, dtype=float)
        made: Any = forward(network, Prompt(held[:, :-1], y[:, :-1], held[:, -1:]).lifted(RoundedBlock))
        error = abs(Fraction(float(made.value[0, 0])) - Fraction(labels[0, -1]))
        radius = Fraction(float(made.radius[0, 0]))
        low += max(error - radius, Fraction(0)) ** 2
        high += (error + radius) ** 2
    return tuple(sympy.Rational(total.numerator, total.denominator) / len(cases) for total in (low, high))


_LAW = InvariantLaw([[2, 1], [1, 2]], [[1, 0, 1], [0, 1, 2]])
_POINT = [tuple(sympy.Rational(value, 4) for value in (1, 2, 3, 1))]


def _gradient_of_B() -> Any:
    return gradient(on_the_symmetric_set(_LAW, _POINT), _LAW, "B", 0)


def _is_refuted(slip: Callable[[], bool]) -> bool:
    """Whether the gradient is what is claimed, and not what the slip says."""
    slope = _restricted_slope(_LAW, _POINT, ("linear",), "B", 0)
    return bool(_gradient_of_B() == slope / 2 * _LAW.Q) and not slip()


def _is_multiple(G: Any, direction: Any) -> bool:
    return bool(G * direction[0, 0] == direction * G[0, 0])


def _off_the_set(name: str, matrix: Any) -> Any:
    network = _with(on_the_symmetric_set(_LAW, _POINT), name, [matrix.tolist()])
    return gradient(network, _LAW, "B", 0)


def _two_layers_with(A: Any) -> Any:
    """grad_{B_0} J of two layers, of which the first moves the covariates by A."""
    law = InvariantLaw(_LAW.Q, _LAW.Xi[:, 1:])
    network = on_the_symmetric_set(law, _POINT * 2)
    return gradient(_with(network, "A", [A.tolist(), network.A[1]]), law, "B", 0)


_SLIPS: dict[str, Callable[[], bool]] = {
    "grad_B a multiple of I": lambda: _is_multiple(_gradient_of_B(), sympy.eye(2)),
    "grad_B a multiple of Q^-1": lambda: _is_multiple(_gradient_of_B(), _LAW.Q.inv()),
    "grad_B a multiple of Sigma": lambda: _is_multiple(_gradient_of_B(), _LAW.Q**2),
    "without the 1 / d": lambda: bool(
        _gradient_of_B() == _restricted_slope(_LAW, _POINT, ("linear",), "B", 0) * _LAW.Q
    ),
    "B_l = b_l I": lambda: _is_multiple(_off_the_set("B", sympy.eye(2)), _LAW.Q),
    "C_l = c_l Q": lambda: _is_multiple(_off_the_set("C", _LAW.Q), _LAW.Q),
    "A_0 any matrix": lambda: _is_multiple(_two_layers_with(sympy.Matrix([[1, 2], [0, 1]])), _LAW.Q),
}

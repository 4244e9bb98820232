"""The reduced landscape of chain of thought: V_31 = -v I, W_13 = c I, W_24 = -1, teacher forced, for all (v, c).

Symbols: x_i, w ~ N(0, I), y = w^T X; S = X X^T / n; the teacher's iterates w_i = D_i w, D_i = I - (I - eta S)^i, eta
> 0; k >= 2 tokens. The residual of token i is (eta - v c) S D_i w - (eta - v) S w, so that

    L(v, c) = (1/2) (Qaa (eta - v)^2 - 2 Qab (eta - v) (eta - v c) + Qbb (eta - v c)^2)
    Qaa = k E tr S^2        Qab = sum_{i < k} E tr S^2 D_i        Qbb = sum_{i < k} E tr S^2 D_i^2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sympy

from constructions.block import Block
from constructions.chain_of_thought import ChainOfThought
from constructions.construction import forward
from constructions.parameters import Unspecified
from constructions.prompt import Prompt
from constructions.sparse_chain_of_thought import SparseChainOfThought
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run, Step
from proofs.construction_theorem import ConstructionTheorem
from proofs.explicit import ExplicitBlock
from proofs.index_sums import d, n
from proofs.induction import normal_form
from proofs.regression_law import RegressionLaw, integrated, symbolic_task
from proofs.symbols import SymbolBlock
from proofs.theorem import Theorem
from proofs.wishart_moments import normalised_moment

_ONE: Any = [[1]]
_v, _c = sympy.symbols("v c", real=True)
_MODEL = "for the model of Huang et al. (2025), arXiv 2502.21212, as reported second-hand"
SPARSE = SparseChainOfThought(preconditioner=_ONE, of_weights=_ONE, of_labels=1, tokens=1, w_0=_ONE)
"""The network that these theorems are about; the values of its weights do not matter."""


@lru_cache(maxsize=64)
def landscape_coefficients(tokens: int, eta: Any, samples: Any = n, features: Any = d) -> tuple[Any, Any, Any]:
    """(Qaa, Qab, Qbb), from the Wishart moments.

    Args:
        tokens: k >= 1.
        eta: the teacher's step size.
        samples, features: n and d, symbols or ints >= 1.

    Raises:
        ValueError: for fewer than one token, or n or d of 0.

    >>> landscape_coefficients(2, 1, 1, 1)
    (6, 15, 105)
    """
    if tokens < 1:
        raise ValueError(f"tokens = {tokens}: without a token there is no training loss; pass tokens >= 1")
    s = sympy.Symbol("s")

    def summed_moments(power: int) -> Any:
        total = sympy.Add(*(s**2 * (1 - (1 - eta * s) ** i) ** power for i in range(tokens)))
        terms = sympy.Poly(total, s).terms()
        return sympy.Add(*(value * normalised_moment(degree, samples, features) for (degree,), value in terms))

    Qaa, Qab, Qbb = (sympy.factor(summed_moments(power)) for power in (0, 1, 2))
    return Qaa, Qab, Qbb


def reduced_loss(coefficients: tuple[Any, Any, Any], eta: Any, v: Any = _v, c: Any = _c) -> Any:
    """L(v, c).

    >>> reduced_loss((6, 15, 105), 1, 1, 1)
    0
    """
    Qaa, Qab, Qbb = coefficients
    return sympy.sympify(Qaa * (eta - v) ** 2 - 2 * Qab * (eta - v) * (eta - v * c) + Qbb * (eta - v * c) ** 2) / 2


def critical_points(coefficients: tuple[Any, Any, Any], eta: Any) -> dict[str, tuple[Any, Any]]:
    """The critical points (v, c) by what they are: the minimum, and the strict saddle if there is one.

    Args:
        coefficients: Qaa, Qab, Qbb, with Qaa Qbb > Qab^2.
        eta: the teacher's step size, > 0.

    Raises:
        ValueError: if eta or Qaa Qbb - Qab^2 is not positive: one token, whose c plays no part, or wrong coefficients.
    """
    Qaa, Qab, Qbb = coefficients
    if not eta > 0:
        raise ValueError(f"eta = {eta}: the teacher's step size must be > 0")
    if not Qaa * Qbb > Qab**2:
        raise ValueError(
            f"Qaa Qbb - Qab^2 = {Qaa * Qbb - Qab**2} must be > 0, as it is for tokens >= 2; for one token c is free"
        )
    points = {"minimum": (eta, sympy.Integer(1))}
    if Qab != Qbb:
        points["strict saddle"] = (sympy.Integer(0), sympy.sympify(Qaa - Qab) / (Qab - Qbb))
    return points


def theorems() -> tuple[Theorem, ...]:
    """What the three free blocks generate, and the landscape of two numbers."""
    return (
        ConstructionTheorem(
            name="sparse_chain_of_thought_generates_scaled_iterates",
            system="Huang et al. 2025",
            reference=f"{_MODEL}: the blocks that its training is said to move; the proof is this project's",
            statement=(
                "With V_31 = -Gamma, W_13 = C, W_24 = -b and no other block the generated tokens hold w <- w - Gamma "
                "(1/n) X (X^T C w - b y), for every Gamma, C and b."
            ),
            prototype=SPARSE,
            layers=(0, 1, 2, 3),
        ),
        ArguedTheorem(
            name="reduced_chain_of_thought_landscape_has_one_minimum",
            system="this project",
            reference=(
                f"{_MODEL}: its training loss on two numbers; their convergence theorem for matrices is reported, "
                "unconfirmed, and not claimed"
            ),
            statement=(
                "For x_i, w ~ N(0, I), V_31 = -v I, W_13 = c I, W_24 = -1 and k >= 2 teacher-forced tokens of step "
                "size eta > 0, the training loss is the quadratic form L(v, c) above, for all n, d and k. Its critical "
                "points are (eta, 1), the global minimum, with L = 0 and a positive definite Hessian, and, if Qab is "
                "not Qbb, v = 0, c = (Qaa - Qab) / (Qab - Qbb), a strict saddle; if Qab = Qbb there is no other: no "
                "spurious local minimum."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, k >= 2, eta > 0, v and c",
                "exact": "one generated token from each teacher's iterate, integrated entry by entry; Hessians' signs",
                "float": "the float64 token on drawn prompts, enclosed: the residual",
            },
            slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
            about=SPARSE,
        ),
    )


def _argument() -> tuple[Step, ...]:
    Qaa, Qab, Qbb, eta = sympy.symbols("Qaa Qab Qbb eta", positive=True)
    loss = reduced_loss((Qaa, Qab, Qbb), eta)
    by_v, by_c = sympy.diff(loss, _v), sympy.diff(loss, _c)
    hessian = sympy.hessian(loss, (_v, _c))
    minimum, saddle = {_v: eta, _c: 1}, {_v: 0, _c: (Qaa - Qab) / (Qab - Qbb)}
    zero = sympy.Integer(0)
    return (
        Induction("the layer takes w to w - Gamma (1/n) X (X^T C w - b y), for all Gamma, C and b", SPARSE),
        _residual(eta),
        Inference(
            "E over w of covariance I, of half its square, summed over i < k: L(v, c), as S and D_i commute; the Q are "
            "sums of Wishart moments"
        ),
        Equation("L(eta, 1) = 0, the least value", loss.subs(minimum), zero),
        Equation("dL/dc", by_c, -_v * (Qbb * (eta - _v * _c) - Qab * (eta - _v))),
        Equation(
            "where dL/dc = 0 and v is not 0, Qbb dL/dv is a multiple of eta - v",
            Qbb * by_v + (Qab - _c * Qbb) * by_c / _v,
            -(Qaa * Qbb - Qab**2) * (eta - _v),
        ),
        Inference(
            "Qaa Qbb > Qab^2 by Cauchy and Schwarz for the sequences (S)_i and (S D_i)_i, i < k: they are not "
            "proportional, as D_0 = 0 and D_1 = eta S is not 0. So v = eta, and dL/dc = 0 leaves c = 1"
        ),
        Equation("the Hessian's determinant there", hessian.det().subs(minimum), eta**2 * (Qaa * Qbb - Qab**2)),
        Equation("and d^2 L/dc^2, > 0", hessian[1, 1].subs(minimum), eta**2 * Qbb),
        Equation("at v = 0, dL/dv", by_v.subs(_v, 0), -eta * ((Qaa - Qab) - _c * (Qab - Qbb))),
        Inference("dL/dc = 0 there; if Qab = Qbb, dL/dv = 0 would make Qaa Qbb = Qab^2: no critical point"),
        Equation(
            "else the Hessian's determinant at the critical c", hessian.det().subs(saddle), -(eta**2) * (Qab - Qbb) ** 2
        ),
        Inference("which is negative: one positive and one negative eigenvalue"),
    )


def _residual(eta: Any) -> Equation:
    X, D, w = (SymbolBlock.lift(Unspecified(*letter)) for letter in (("X", "d", "n"), ("D", "d", "d"), ("w", "d", 1)))
    I, rate = D.identity(D.rows), 1 / n
    S = (X @ X.T).scale(rate)
    prompt = Prompt(X, w.T @ X, w)
    taught = ChainOfThought(eta=eta, tokens=1, w_0=D @ w)
    student = _student(_v, _c, I, D @ w)
    return Equation(
        "the residual, the student's token less the teacher's from w_i = D w, by the forward passes",
        normal_form(forward(student, prompt) - forward(taught, prompt)),
        normal_form((S @ D @ w).scale(eta - _v * _c) - (S @ w).scale(eta - _v)),
    )


def _student(v: Any, c: Any, I: Block, w_0: Any) -> SparseChainOfThought:
    return SparseChainOfThought(preconditioner=I.scale(v), of_weights=I.scale(c), of_labels=1, tokens=1, w_0=w_0)


def integrated_training_loss(tokens: int, eta: Any, v: Any, c: Any, law: RegressionLaw) -> Any:
    """L(v, c) from the network: each teacher-forced token from each of the teacher's iterates, integrated."""
    prompt, _, entries = symbolic_task(law)
    lifted, total = prompt.lifted(ExplicitBlock), sympy.Integer(0)
    I = ExplicitBlock.lift(sympy.eye(law.d).tolist())
    w: Any = ExplicitBlock.lift([[0]] * law.d)
    for _ in range(tokens):
        following = forward(ChainOfThought(eta=eta, tokens=1, w_0=w), lifted)
        residual = forward(_student(v, c, I, w), lifted) - following
        errors = (sympy.Poly(value, *entries) for value in (residual + w.scale(0)).entry[:, 0])
        total += sympy.Add(*(integrated(error * error) for error in errors))
        w = following
    return total / 2


_CASES = ((1, 1, 2), (2, 1, 2), (1, 2, 2), (1, 1, 3), (2, 1, 1))
"""(n, d, k) of the exact runs, in turn."""


def _quarter(rng: np.random.Generator) -> Any:
    return sympy.Rational(int(rng.integers(1, 9)), 4)


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        samples, features, tokens = _CASES[number % len(_CASES)]
        eta, v, c = _quarter(rng), _quarter(rng) - 1, _quarter(rng) - 1
        coefficients = landscape_coefficients(tokens, eta, samples, features)
        claimed = reduced_loss(coefficients, eta, v, c)
        name = f"n = {samples}, d = {features}, k = {tokens}, eta = {eta}, v = {v}, c = {c}"
        law = RegressionLaw.isotropic(samples, features)
        yield Run(name, bool(integrated_training_loss(tokens, eta, v, c, law) == claimed))
        samples, features, tokens = (int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.integers(2, 6)))
        eta = eta / 2
        name = f"n = {samples}, d = {features}, k = {tokens}, eta = {eta}"
        yield Run(f"critical points, {name}", _classified(landscape_coefficients(tokens, eta, samples, features), eta))


def _classified(coefficients: tuple[Any, Any, Any], eta: Any) -> bool:
    """Whether the critical points are what they are claimed to be, by exact gradients and Hessians."""
    loss = reduced_loss(coefficients, eta)
    hessian = sympy.hessian(loss, (_v, _c))
    found = sympy.solve([sympy.diff(loss, _v), sympy.diff(loss, _c)], [_v, _c])
    points = critical_points(coefficients, eta)
    signs = {name: hessian.det().subs({_v: v, _c: c}) for name, (v, c) in points.items()}
    return bool(
        set(found) == set(points.values())
        and signs["minimum"] > 0
        and hessian[0, 0].subs(dict(zip((_v, _c), points["minimum"], strict=True))) > 0
        and signs.get("strict saddle", -1) < 0
    )


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    """One prompt each: the student's float64 token less the exact teacher's, against the residual's formula."""
    for _ in range(instances):
        eta, v, c = (int(value) / 8 for value in rng.integers(1, 16, 3))
        X, w = rng.integers(-3, 4, (2, 4)).astype(float), rng.integers(-3, 4, (2, 1)).astype(float)
        S = sympy.Matrix(X.astype(int)) * sympy.Matrix(X.astype(int)).T / 4
        teacher = sympy.Matrix(w.astype(int))
        first = sympy.Rational(eta) * S * teacher
        following = first - sympy.Rational(eta) * S * (first - teacher)
        start = np.array(first, dtype=float)
        network = SparseChainOfThought(
            preconditioner=v * np.eye(2), of_weights=c * np.eye(2), of_labels=1, tokens=1, w_0=start
        )
        made: Any = forward(network, Prompt(X, w.T @ X, w).lifted(RoundedBlock))
        exact = (sympy.Rational(eta) - sympy.Rational(v) * sympy.Rational(c)) * S * first - (
            sympy.Rational(eta) - sympy.Rational(v)
        ) * S * teacher
        name = f"eta = {eta}, v = {v}, c = {c}, X = {X.tolist()}, w = {w.ravel().tolist()}"
        yield Run(name, _is_enclosed(made, following + exact))
        if any(S * teacher):
            yield Run(f"without the residual of y, {name}", _is_enclosed(made, following + exact + S * teacher), True)


def _is_enclosed(made: Any, claimed: Any) -> bool:
    return all(
        abs(Fraction(float(value)) - Fraction(int(each.p), int(each.q))) <= Fraction(float(radius))
        for value, radius, each in zip(made.value.flat, made.radius.flat, claimed, strict=True)
    )


def _is_refuted(slip: Callable[[tuple[Any, Any, Any], Any, Any, Any], Any]) -> bool:
    eta, v, c = sympy.Rational(1, 2), sympy.Rational(3, 4), sympy.Rational(1, 4)
    true = integrated_training_loss(2, eta, v, c, RegressionLaw.isotropic(2, 1))
    return bool(true != slip(landscape_coefficients(2, eta, 2, 1), eta, v, c))


_SLIPS: dict[str, Callable[[tuple[Any, Any, Any], Any, Any, Any], Any]] = {
    "without the half": lambda Q, eta, v, c: 2 * reduced_loss(Q, eta, v, c),
    "without the cross term": lambda Q, eta, v, c: reduced_loss((Q[0], 0, Q[2]), eta, v, c),
    "Qab for Qbb": lambda Q, eta, v, c: reduced_loss((Q[0], Q[1], Q[1]), eta, v, c),
    "c in place of v c": lambda Q, eta, v, c: reduced_loss(Q, eta, v, c / v),
    "another sample": lambda Q, eta, v, c: reduced_loss(landscape_coefficients(2, eta, 3, 1), eta, v, c),
    "another feature": lambda Q, eta, v, c: reduced_loss(landscape_coefficients(2, eta, 2, 2), eta, v, c),
    "one token": lambda Q, eta, v, c: reduced_loss(landscape_coefficients(1, eta, 2, 1), eta, v, c),
}

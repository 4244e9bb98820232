"""GD++ on the family of Ahn et al. (2023), Theorem 4: its loss by exact moments.

Symbols: as in ``numerics.gdpp_loss``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy
from flint import fmpq_mat

from constructions.construction import forward
from constructions.gdpp import GDPlusPlus, PreconditionedIterate
from constructions.gdpp_spectrum import GDPlusPlusSpectrum
from constructions.parameters import Unspecified
from constructions.preconditioned import RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from numerics.gdpp_loss import error_polynomial, gdpp_loss
from numerics.rationals import as_fmpq, as_fraction
from numerics.rounding import RoundedBlock
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.index_sums import n
from proofs.induction import normal_form
from proofs.regression_law import RegressionLaw, integrated_loss, mean_square_bounds
from proofs.stacks import CHANGED_BASIS, PAPER, RELAXED_STACK_ERROR
from proofs.symbols import SymbolBlock
from proofs.wishart_moments import mixed_moment, moment_by_pairings, normalised_moment, trace_moment


def theorems() -> tuple[ArguedTheorem, ...]:
    """The loss."""
    return (_loss_theorem(),)


def _loss_theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="gdpp_family_loss_is_a_polynomial_in_wishart_moments",
        system=PAPER,
        reference=(
            "the family of Ahn et al. (2023), Theorem 4, layers of equation (11), arXiv 2306.00297; the formula is "
            "this project's"
        ),
        statement=(
            "For x ~ N(0, Sigma), w ~ N(0, Sigma^-1), A_l = a_l Sigma^-1 and B_l = b_l I the loss of L layers is E tr "
            "q(S)^2, S = W / n, W Wishart, q = prod_l (1 + a_l s_l), s_0 = s, s_(l+1) = s_l (1 + a_l b_l s_l)^2: deg q "
            "= (3^L - 1) / 2, so that moments E tr W^k up to k = 3^L - 1 decide, 2, 8, 26 for L = 1, 2, 3; b_(L-1) "
            "plays no part."
        ),
        argument=_loss_argument,
        exact_runs=_exact_runs,
        float_runs=_float_runs,
        over={
            "proof": "all n, d, L, a_l and b_l",
            "exact": "the network's squared error integrated entry by entry, L 1..3, n 1..2, d 1..2",
            "float": "the float64 network on drawn contexts, w and x_query over all signs, enclosed, d = 2, L 1..3",
        },
        slips={name: partial(_is_refuted, slip) for name, slip in _SLIPS.items()},
        about=RELAXED_STACK_ERROR,
    )


def _loss_argument() -> Sequence[Equation | Induction | Inference]:
    s, a, b = sympy.symbols("s a b", real=True)
    return (
        Induction("in another basis the stack is the same network", CHANGED_BASIS),
        Inference(
            "with T = Sigma^(-1/2) the family is A_l = a_l I, B_l = b_l I on inputs and teachers of covariance I"
        ),
        *_steps_of_gdpp(a, b),
        Induction(
            "along an eigenvector of X X^T the error's factor is 1 - eta ell / n, and ell <- ell (1 - gamma ell)^2",
            GDPlusPlusSpectrum(step_sizes=[1], curvature_steps=[1]),
        ),
        Equation("with ell = n s the error's factor is 1 + a s", 1 + a / n * (n * s), 1 + a * s),
        Equation("and s <- s (1 + a b s)^2", (n * s) * (1 + a * b / n * (n * s)) ** 2 / n, s * (1 + a * b * s) ** 2),
        Inference("so the error is w^T q(S) x_query, and its mean square over w and x_query is tr q(S)^2"),
        *(
            Equation(
                f"L = {layers}: the degree of q is (3^L - 1) / 2", _degree(layers), sympy.Integer(3**layers - 1) / 2
            )
            for layers in (1, 2, 3, 4)
        ),
        Inference("deg s_(l+1) = 3 deg s_l, deg s_0 = 1: deg q = 1 + 3 + ... + 3^(L-1)"),
        *(
            Equation(f"E tr W^{k}: the closed form counts the pairings", trace_moment(k), moment_by_pairings(k))
            for k in (2, 6)
        ),
        Equation(
            "E tr W^8, what two layers need: the closed form satisfies the recursion", trace_moment(8), mixed_moment(8)
        ),
    )


def _steps_of_gdpp(a: Any, b: Any) -> Iterator[Equation]:
    """A layer a I, b I is one of GD++ with eta = -a, gamma = -a b / n."""
    letters = (("X", "d", "n"), ("Y", "m", "n"), ("x_query", "d", 1), ("W", "m", "d"), ("F", "d", "d"))
    X, Y, x_query, W, F = (SymbolBlock.lift(Unspecified(*letter)) for letter in letters)
    prompt, iterate = Prompt(X, Y, x_query), PreconditionedIterate(W, F)
    one = X.identity(X.rows)
    relaxed = RelaxedPreconditionedDescent(preconditioners=[one.scale(a)], input_maps=[one.scale(b)])
    plain = GDPlusPlus(step_sizes=[-a], curvature_steps=[-a * b / n])
    steps = (network.step(0, iterate, prompt) for network in (relaxed, plain))
    for name, left, right in zip(("weights W", "inputs' factor F"), *steps, strict=True):
        text = f"the {name} after a layer A = a I, B = b I: those of GD++ with eta = -a, gamma = -a b / n"
        yield Equation(text, normal_form(left), normal_form(right))


def _degree(layers: int) -> Any:
    return sympy.Integer(error_polynomial([-1] * layers, [1] * layers).degree())


def network(a: Sequence[Any], b: Sequence[Any], features: int, as_floats: bool = False) -> RelaxedPreconditionedDescent:
    def scaled(value: Any) -> Any:
        if as_floats:
            return float(value) * np.eye(features)
        return [[Fraction(value) if i == j else Fraction(0) for j in range(features)] for i in range(features)]

    return RelaxedPreconditionedDescent(preconditioners=list(map(scaled, a)), input_maps=list(map(scaled, b)))


def _drawn(rng: np.random.Generator, layers: int) -> tuple[list[Fraction], list[Fraction]]:
    a, b = ([Fraction(int(rng.integers(1, 8)), 4) for _ in range(layers)] for _ in range(2))
    return [-value for value in a], b


def _integrated(a: Sequence[Fraction], b: Sequence[Fraction], tokens: int, features: int) -> Fraction:
    value = integrated_loss(network(a, b, features), RegressionLaw.isotropic(tokens, features))
    return Fraction(int(value.p), int(value.q))


_CASES = ((1, 1, 2), (2, 1, 2), (1, 2, 2), (1, 1, 3), (2, 2, 1))
"""(n, d, L) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, layers = _CASES[number % len(_CASES)]
        a, b = _drawn(rng, layers)
        holds = _integrated(a, b, tokens, features) == gdpp_loss(a, b, tokens, features)
        yield Run(f"n = {tokens}, d = {features}, a = {a}, b = {b}", holds)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        layers = 1 + number % 3
        a, b = _drawn(rng, layers)
        X = [[Fraction(int(rng.integers(-3, 4)), 2) for _ in range(2)] for _ in range(2)]
        low, high = _enclosed_mean(a, b, X)
        claimed, other = (_context_loss(steps, b, X) for steps in (a, [*a[:-1], a[-1] / 2]))
        yield Run(f"X = {X}, a = {a}, b = {b}", low <= claimed <= high)
        if claimed != other:
            yield Run(f"half the last step, X = {X}, a = {a}, b = {b}", low <= other <= high, is_control=True)


def _context_loss(a: Sequence[Fraction], b: Sequence[Fraction], X: Sequence[Sequence[Fraction]]) -> Fraction:
    """tr q(S)^2 of one context, d = 2."""
    held = fmpq_mat(2, len(X[0]), [as_fmpq(value) for row in X for value in row])
    S = held * held.transpose() / len(X[0])
    image = fmpq_mat(2, 2)
    for coefficient in reversed(error_polynomial(a, b).coeffs()):
        image = image * S + fmpq_mat(2, 2, [coefficient, 0, 0, coefficient])
    square = image * image
    return as_fraction(square[0, 0] + square[1, 1])


def _enclosed_mean(
    a: Sequence[Fraction], b: Sequence[Fraction], X: Sequence[Sequence[Fraction]]
) -> tuple[Fraction, Fraction]:
    """Bounds on the mean squared error of one context over w and x_query with entries +-1."""
    signs = np.array(list(product((1.0, -1.0), repeat=2)))
    pairs = list(product(range(4), repeat=2))
    w, x = signs[[i for i, _ in pairs]][:, None, :], signs[[j for _, j in pairs]][:, :, None]
    held = np.broadcast_to(np.array(X, dtype=float), (len(pairs), 2, len(X[0])))
    predicted: Any = forward(network(a, b, 2, as_floats=True), Prompt(held, w @ held, x).lifted(RoundedBlock))
    low, high = mean_square_bounds(
        predicted.value[:, 0, 0], predicted.radius[:, 0, 0], (w @ x)[:, 0, 0], np.ones(len(pairs))
    )
    return low / len(pairs), high / len(pairs)


Polynomial = Callable[[Sequence[Fraction], Sequence[Fraction]], Any]
_s = sympy.Symbol("s")
_A, _B = [Fraction(-1, 2), Fraction(-3, 4)], [Fraction(1, 3), Fraction(0)]


def _formula(q: Any, tokens: int, features: int, moment: Callable[..., Any] = normalised_moment) -> Any:
    """E tr q(S)^2 for a polynomial q in s."""
    squared = sympy.Poly(q, _s) ** 2
    return sympy.Add(*(c * moment(k, tokens, features) for (k,), c in squared.terms()))


def _q(a: Sequence[Fraction], b: Sequence[Fraction], power: int = 2, sign: int = 1) -> Any:
    """q, or with another power or sign a slip."""
    ell, product_ = _s, sympy.Integer(1)
    for step, move in zip(map(sympy.Rational, a), map(sympy.Rational, b), strict=True):
        product_ *= 1 + step * ell
        ell *= (1 + sign * step * move * ell) ** power
    return sympy.expand(product_)


_SLIPS: dict[str, Callable[[], Any]] = {
    "s (1 - a b s)^2": lambda: _formula(_q(_A, _B, sign=-1), 1, 2),
    "s (1 + a b s)": lambda: _formula(_q(_A, _B, power=1), 1, 2),
    "the inputs left alone": lambda: _formula(_q(_A, [Fraction(0)] * 2), 1, 2),
    "the layers in the other order": lambda: _formula(_q(_A[::-1], _B), 1, 2),
    "a token more": lambda: _formula(_q(_A, _B), 2, 2),
    "n + d for n + d + 1 in E tr W^2": lambda: _formula(
        _q(_A, _B), 1, 2, lambda k, tokens, size: normalised_moment(k, tokens, size) - (2 if k == 2 else 0)
    ),
    "the trace of one eigenvalue": lambda: _formula(_q(_A, _B), 1, 2) / 2,
}


def _is_refuted(slip: Callable[[], Any]) -> bool:
    """Whether the integrated loss is the formula's, and not the slip's."""
    true = _integrated(_A, _B, 1, 2)
    return bool(true == gdpp_loss(_A, _B, 1, 2) and sympy.Rational(true.numerator, true.denominator) != slip())

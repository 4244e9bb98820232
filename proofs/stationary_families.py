"""Ahn et al. (2023), Theorems 3 and 4: on their families the gradient of the population loss stays in the family.

Symbols: as in ``numerics.signed_permutations``; G_l, H_l (d, d) the derivatives of the loss f by A_l, B_l; X = R Z,
Sigma = R R^T, Z of a law that signed permutations of its rows leave as it is; E w w^T = Sigma^-1; Gh = R^-1 G R^-T.

    A_l = a_l Sigma^-1, B_l = b_l I for all l    =>    G_l = (1/d) (df/da_l) Sigma,  H_l = (1/d) (df/db_l) I
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from flint import fmpq, fmpq_mat

from constructions.parameters import Unspecified
from numerics.multilayer_loss import multilayer_gradient
from numerics.rationals import as_fraction
from numerics.signed_permutations import averaged_slopes
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.family_points import FamilyPoint, drawn_point, enclosed_slope
from proofs.gaussian_moments import Gaussian, Omega, expectation, sigma2
from proofs.index_sums import Free, IndexSum, Tensor, d, delta, lam, n, summed
from proofs.induction import normal_form
from proofs.multilayer_closed_form import A_LAYERS, stack_loss
from proofs.rewriting import reduced, rule
from proofs.stacks import CHANGED_BASIS, PAPER
from proofs.symbols import SymbolBlock
from proofs.wishart_moments import normalised_moment

Step = Equation | Induction | Inference
_J, _M, _O = Tensor("J", "dd"), Tensor("M", "dd"), Tensor("O", "dd")
STEP_SYMBOLS = sympy.symbols("a_0 a_1", real=True)
_t = sympy.Symbol("t", real=True)


def family_loss(steps: Sequence[Any], tokens: Any = n, features: Any = d) -> Any:
    """E tr prod_l (I - a_l S)^2 = sum_ij phi_i phi_j m_(i+j), the loss at A_l = a_l Sigma^-1.

    Args:
        steps: a_0, ..., a_(L-1), numbers or symbols.
        tokens, features: n and d, symbols or ints >= 1.

    >>> family_loss([sympy.Rational(10, 13)], 20, 5)
    15/13
    """
    s = sympy.Symbol("s")
    phi = sympy.Poly(sympy.prod([1 - sympy.sympify(a) * s for a in steps]), s)
    return sympy.Add(*(c * normalised_moment(k, tokens, features) for (k,), c in (phi * phi).terms()))


def theorems() -> tuple[ArguedTheorem, ...]:
    """Theorems 3 and 4."""
    return (_theorem(moves_inputs=False), _theorem(moves_inputs=True))


def _theorem(moves_inputs: bool) -> ArguedTheorem:
    setting = (
        "For a context X = Sigma^(1/2) Z, Z of any law with finite moments that signed permutations of its rows leave "
        "as it is (Gaussian, say), a query of covariance Sigma, E w w^T = Sigma^-1 and any number of layers, "
    )
    if moves_inputs:
        name = "gradient_on_the_gdpp_family_stays_in_it"
        claim = (
            "at A_l = a_l Sigma^-1, B_l = b_l I the derivatives of the population loss f over all matrices are (1/d) "
            "(df/da_l) Sigma by A_l and (1/d) (df/db_l) I by B_l."
        )
        statement, number = "Theorem 4", "(11)"
    else:
        name = "gradient_on_the_inverse_covariance_family_stays_in_it"
        claim = (
            "at A_l = a_l Sigma^-1 the derivative of the population loss f over all matrices is (1/d) (df/da_l) Sigma "
            "by A_l: a point critical among these is critical among all."
        )
        statement, number = "Theorem 3", "(8)"
    return ArguedTheorem(
        name=name,
        system=PAPER,
        reference=(
            f"Ahn et al. (2023), {statement}, layers of equation {number}, arXiv 2306.00297: there that the infimum "
            "over the family of the gradient's norm is 0; the identity is this project's"
        ),
        statement=setting + claim,
        argument=lambda: _argument(moves_inputs),
        exact_runs=lambda rng, instances: _exact_runs(rng, instances, moves_inputs),
        float_runs=lambda rng, instances: _float_runs(rng, instances, moves_inputs),
        over={
            "proof": "all n, d, L, Sigma and points of the family",
            "exact": "one context averaged over all signed permutations, every entry of every gradient, L 1..3, d 1..3",
            "float": "the float64 network over that group of contexts, enclosed, differenced exactly, d = 2, L 1..2",
        },
        slips=_slips(moves_inputs),
        about=CHANGED_BASIS,
    )


def _argument(moves_inputs: bool) -> Sequence[Step]:
    R, O, G = (
        SymbolBlock.lift(Unspecified(letter, "d", "d", has_inverse=letter == "R")) for letter in ("R", "O", "Gh")
    )
    one = R.identity(R.rows)
    orthogonal = [rule(normal_form(side), normal_form(one)) for side in (O @ O.T, O.T @ O)]
    inverse = R.inverse()
    T, T_inverse, Sigma = R @ O @ inverse, R @ O.T @ inverse, R @ R.T
    prior = inverse.T @ inverse

    def equal(text: str, left: Any, right: Any) -> Equation:
        return Equation(text, *(reduced(normal_form(side), orthogonal) for side in (left, right)))

    i, j = Free("i"), Free("j")
    rotated = [(1, [_O("a", i), _M("a", "b"), _O("b", j)])]
    steps: list[Step] = [
        Induction("the weights (T^-T A T^-1, T B T^-1) on T x have the labels of (A, B) on x", CHANGED_BASIS),
        equal("T = R O R^-1, O a signed permutation: T^-1 = R O^T R^-1", T @ T_inverse, one),
        equal("T keeps the covariance Sigma = R R^T of x", T @ Sigma @ T.T, Sigma),
        equal("and T^-T that of w, Sigma^-1 = R^-T R^-1", T_inverse.T @ prior @ T_inverse, prior),
        Inference(
            "T X = R O Z has the law of X; of w and x_query only covariances enter, the error being linear in both: "
            "f(T^-T A T^-1, T B T^-1) = f(A, B), all layers moved at once"
        ),
        equal(
            "T^-T (a Sigma^-1) T^-1 = a Sigma^-1: the family is fixed, as is b I by T (b I) T^-1",
            T_inverse.T @ prior @ T_inverse,
            prior,
        ),
        Inference(
            "so <G, D> = <G, T^-T D T^-1> for every direction D of A_l at a point of the family: G = T^-1 G T^-T"
        ),
        equal(
            "with G = R Gh R^T that is Gh = O^T Gh O, for every signed permutation O",
            T_inverse @ R @ G @ R.T @ T_inverse.T,
            R @ (O.T @ G @ O) @ R.T,
        ),
    ]
    if moves_inputs:
        steps += [
            Inference("likewise <H, D> = <H, T D T^-1> for every direction D of B_l: H = T^T H T^-T"),
            equal(
                "with H = R^-T Gh R^T that is Gh = O^T Gh O",
                T.T @ inverse.T @ G @ R.T @ T_inverse.T,
                inverse.T @ (O.T @ G @ O) @ R.T,
            ),
        ]
    steps += [
        Inference(
            "a random signed permutation has E O[a,i] O[b,j] = delta_ab delta_ij / d, as independent entries have"
        ),
        Equation(
            "so the mean of O^T M O is (tr M / d) I, and Gh a multiple of I",
            expectation(summed(rotated), [Gaussian(_O, variance=1 / d)]),
            summed([(1 / d, [_M("a", "a"), delta(i, j)])]),
        ),
        Inference(
            "G = c Sigma with d c = <G, Sigma^-1> = df/da_l" + ("; H = c I with d c = df/db_l" if moves_inputs else "")
        ),
    ]
    return (*steps, *(() if moves_inputs else _by_pairings()))


def _by_pairings() -> Iterator[Step]:
    """A second proof for one and two layers, from the loss of the forward pass at A_l = a_l I + t J."""
    for layers in (1, 2):
        steps = STEP_SYMBOLS[:layers]
        for moved in range(layers):
            along = isotropic(stack_loss(layers)).substituted(
                {A_LAYERS[l]: _moved(a, l == moved) for l, a in enumerate(steps)}
            )
            slope = sympy.cancel(sympy.diff(family_loss(steps), steps[moved]) / d)
            yield Equation(
                f"L = {layers}, by pairings: at a_l I the slope of A_{moved} along J is (1/d) (df/da_{moved}) tr J",
                along.map(lambda c: sympy.Poly(c, _t).coeff_monomial(_t)),
                summed([(slope, [_J("e", "e")])]),
            )


def isotropic(total: IndexSum) -> IndexSum:
    """The loss with Sigma = Omega = I and no noise."""
    return total.substituted({lam: lambda a: [(1, [])], Omega: lambda a, b: [(1, [delta(a, b)])]}).map(
        lambda c: c.subs(sigma2, 0)
    )


def _moved(a: Any, is_moved: bool) -> Callable[[Any, Any], Any]:
    return lambda i, j: [(a, [delta(i, j)]), *([(_t, [_J(i, j)])] if is_moved else [])]


_CASES = ((2, 2, 1), (3, 2, 2), (1, 2, 3), (2, 1, 2), (2, 3, 1))
"""(n, d, L) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int, moves_inputs: bool) -> Iterator[Run]:
    for number in range(min(instances, 2 * len(_CASES))):
        tokens, features, layers = _CASES[number % len(_CASES)]
        point = drawn_point(rng, tokens, features, layers, moves_inputs)
        yield Run(f"{point}", _stays_in_the_family(point, point.matrices, moves_inputs))
    point = _GENERIC[moves_inputs]
    A, B = point.matrices
    shear = fmpq_mat(2, 2, [1, 1, 0, 1])
    yield Run("off the family", _stays_in_the_family(point, ([A[0] * shear, A[1]], B), moves_inputs), is_control=True)


def _stays_in_the_family(
    point: FamilyPoint,
    matrices: tuple[list[fmpq_mat], list[fmpq_mat]],
    moves_inputs: bool,
    by_steps: Callable[[FamilyPoint], fmpq_mat] = lambda point: point.Sigma,
    by_maps: Callable[[FamilyPoint], fmpq_mat] = lambda point: point.one,
    scale: int = 1,
) -> bool:
    """Whether the derivatives are (scale / d) df/da_l times the one matrix, and (scale / d) df/db_l times the other."""
    layers, size = len(point.a), point.R.nrows()
    by_A, by_B = averaged_slopes(*matrices, point.X, point.R)
    claimed = [fmpq(scale, size) * point.slope(l) * by_steps(point) for l in range(layers)]
    if not moves_inputs:
        return bool(by_A == claimed)
    moved = [fmpq(scale, size) * point.slope(layers + l) * by_maps(point) for l in range(layers)]
    return bool(by_A == claimed and by_B == moved)


_GENERIC = tuple(
    FamilyPoint(
        fmpq_mat(2, 2, [1, fmpq(1, 2), -1, 2]),
        fmpq_mat(2, 2, [2, 0, 1, 1]),
        [scale * fmpq(1, 4), scale * fmpq(1, 2)],
        [fmpq(1, 2) * (scale < 0), fmpq(0)],
    )
    for scale in (1, -1)
)
"""A point of each family, without and with moving inputs."""


def _slips(moves_inputs: bool) -> dict[str, Callable[[], bool]]:
    point = _GENERIC[moves_inputs]

    def refuted(**changed: Any) -> Callable[[], bool]:
        return lambda: not _stays_in_the_family(point, point.matrices, moves_inputs, **changed)

    slips = {
        "a multiple of I by A_l": refuted(by_steps=lambda point: point.one),
        "a multiple of Sigma^-1 by A_l": refuted(by_steps=lambda point: point.prior),
        "without 1/d": refuted(scale=2),
        "for w ~ N(0, I) as well": _is_refuted_for_another_prior,
    }
    if moves_inputs:
        slips |= {
            "a multiple of Sigma^-1 by B_l": refuted(by_maps=lambda point: point.prior),
            "a multiple of Sigma by B_l": refuted(by_maps=lambda point: point.Sigma),
        }
    return slips


def _is_refuted_for_another_prior() -> bool:
    """Whether the exact gradient at one layer a Sigma^-1 is no multiple of Sigma if w ~ N(0, I)."""
    Sigma, prior = [[4, 2], [2, 2]], [[Fraction(1, 2), Fraction(-1, 2)], [Fraction(-1, 2), 1]]
    (((first, _), (_, last)),) = multilayer_gradient([prior], 3, Sigma, [[1, 0], [0, 1]])
    (((matched, _), (_, matched_last)),) = multilayer_gradient([prior], 3, Sigma, prior)
    return first / 4 != last / 2 and matched / 4 == matched_last / 2


def _float_runs(rng: np.random.Generator, instances: int, moves_inputs: bool) -> Iterator[Run]:
    for number in range(instances):
        point = drawn_point(rng, 2, 2, 1 + number % 2, moves_inputs)
        moved = int(rng.integers(0, len(point.a) * (1 + moves_inputs)))
        into_steps = moved < len(point.a)
        i, j = int(rng.integers(0, 2)), int(rng.integers(0, 2))
        low, high = enclosed_slope(point, moved, i, j)
        claimed = point.slope(moved) / 2
        base = (point.Sigma if into_steps else point.one)[i, j]
        text = f"{point}, matrix {moved}, entry {i, j}"
        yield Run(text, bool(low <= as_fraction(claimed * base) <= high))
        doubled = as_fraction(2 * claimed * base if base != 0 else claimed)
        if doubled:
            yield Run(f"wrong by a factor, {text}", bool(low <= doubled <= high), is_control=True)

"""The population loss of a stack of layers that leave the inputs alone is a sum over pairings: theorem and evidence.

Symbols: as in ``numerics.multilayer_loss``; A_l (d, d) any matrices, tau and the like as traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import sympy

from constructions.parameters import Unspecified
from constructions.preconditioned import PreconditionedDescent
from numerics.multilayer_loss import multilayer_loss
from numerics.word_moments import closed_words
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.expected_words import population_loss
from proofs.gaussian_moments import Omega, sigma2
from proofs.index_sums import Factor, IndexSum, Tensor, lam, n, summed
from proofs.one_layer_runs import drawn_law
from proofs.regression_law import NINE_POINTS, TWO_POINTS, RegressionLaw, float_loss_bounds, integrated_loss
from proofs.stacks import PAPER, STACK_ERROR
from proofs.symbols import SymbolBlock

Matrices = Sequence[Sequence[Sequence[Fraction]]]
Chain = tuple[tuple[str, bool], ...]
"""A product of matrices: (name, whether transposed); "Sigma" is the covariance of the inputs."""

LAWS = (NINE_POINTS, TWO_POINTS, TWO_POINTS, TWO_POINTS)
"""For up to two layers: degree 8 in an entry of z_i, 2 in the others."""

A_LAYERS = tuple(Tensor(f"A_{l}", "dd") for l in range(2))


@cache
def stack_loss(layers: int) -> IndexSum:
    """The loss of up to two layers for all n, d, A_l, Sigma = diag(lam), Omega and sigma2, from the forward pass.

    A user's own matrices go in by ``evaluated``; for numbers ``numerics.multilayer_loss`` is faster.

    >>> len(stack_loss(2).terms)
    66
    """
    held = [SymbolBlock.lift(Unspecified(f"A_{l}", "d", "d")) for l in range(layers)]
    return population_loss(PreconditionedDescent(preconditioners=held))


def loss_under(matrices: Matrices, law: RegressionLaw) -> Any:
    """The loss by ``numerics.multilayer_loss``, of a law and as a number of SymPy's."""
    value = multilayer_loss(matrices, law.n, _rows(law.Sigma), _rows(law.Omega), _fraction(law.sigma2))
    return sympy.Rational(value.numerator, value.denominator)


def _rows(matrix: Any) -> list[list[Fraction]]:
    return [[_fraction(value) for value in row] for row in matrix.tolist()]


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def theorems() -> tuple[ArguedTheorem, ...]:
    """The exact loss."""
    return (
        ArguedTheorem(
            name="multilayer_population_loss_is_a_sum_over_pairings",
            system=PAPER,
            reference=(
                "the loss of Ahn et al. (2023), equation (5), for the layers of equation (8), arXiv 2306.00297; the "
                "form is this project's, for every Sigma, prior and noise"
            ),
            statement=(
                "For x ~ N(0, Sigma), E w w^T = Omega, noise sigma2, any A_0, ..., A_(L-1) and C_l = A_l^T, E "
                "(prediction - w^T x_query)^2 = E tr Sigma Err Omega Err^T + (sigma2/n) E tr Sigma R S R^T, Err = (I - "
                "C_(L-1) S) ... (I - C_0 S) = I - R S: sums over pairs of words of E tr M_0 S M_1 S ... M_(k-1) S = "
                "n^-k sum over the (2k-1)!! pairings of the legs of the S of n^(classes) prod tr(words in M_t Sigma "
                "and M_t^T Sigma)."
            ),
            argument=_argument,
            exact_runs=_exact_runs,
            float_runs=_float_runs,
            over={
                "proof": "all n, d, L, A_l, Sigma, Omega and sigma2",
                "exact": "the network's squared error integrated entry by entry, L 1..3, n 1..2, d 1..2",
                "float": "the float64 network over a finite law of equal moments, enclosed, L 1..2, n 1..2, d 1..2",
            },
            slips={
                "A_l untransposed": lambda: _is_refuted([_transposed(A) for A in _GENERIC]),
                "the first matrix transposed": lambda: _is_refuted([_transposed(_GENERIC[0]), _GENERIC[1]]),
                "the layers in the other order": lambda: _is_refuted(_GENERIC[::-1]),
                "n for n + 1": lambda: _is_another(lambda total: total.map(lambda c: c.subs(n + 1, n))),
                "no noise": lambda: _is_another(lambda total: total.map(lambda c: c.subs(sigma2, 0))),
                "pairings of a single word alone": lambda: _words_loss(2, only=1) != stack_loss(2),
                "words of one letter dropped": lambda: _words_loss(2, shortest=2) != stack_loss(2),
            },
            about=STACK_ERROR,
        ),
    )


def _argument() -> Sequence[Equation | Induction | Inference]:
    return (
        Induction(
            "without noise the error is w^T (I - S A_0) ... (I - S A_(L-1)) x_query = (Err w)^T x_query", STACK_ERROR
        ),
        Inference(
            "the step u <- u - C (S u - v) is affine in v = S w + X eps^T / n: the noise adds R X eps^T / n to the "
            "weights, R S = I - Err as polynomials in S, and E over eps and w leaves their second moments"
        ),
        Inference(
            "a product of 2k coordinates of Gaussian samples has as expectation the sum over all pairings (Isserlis); "
            "paired legs of different S identify their samples, and Sigma joins what they leave: the words close"
        ),
        *(
            Equation(
                f"L = {layers}: the loss of the forward pass on letters is the sum over words and pairings",
                stack_loss(layers),
                _words_loss(layers),
            )
            for layers in (0, 1, 2)
        ),
    )


def _words_loss(layers: int, only: int | None = None, shortest: int = 1) -> IndexSum:
    """The formula for letters: words of Err and R, closed by pairings.

    Args:
        layers: L.
        only: a slip: the number of words of the pairings that count.
        shortest: a slip: the least number of letters of the words other than the empty one.
    """
    letters = [(f"A_{l}", True) for l in reversed(range(layers))]
    words = [
        ((-1) ** length, chosen)
        for length in range(layers + 1)
        for chosen in combinations(letters, length)
        if length == 0 or length >= shortest
    ]
    S, O = ("Sigma", False), ("Omega", False)
    terms: list[tuple[Any, list[Factor]]] = []
    for sign, left in words:
        for other, right in words:
            back = [(name, False) for name, _ in reversed(right)]
            first = (*back[-1:], S, *left[:1])
            inner: list[Chain] = [(letter,) for letter in left[1:]]
            outer: list[Chain] = [(letter,) for letter in back[:-1]]
            if left and right:
                chains = [first, *inner, (O,), *outer]
                terms += _closed([first, *inner, *outer], sign * other * sigma2 / n, only)
            elif left:
                chains = [(O, *first), *inner]
            else:
                chains = [(*first, O), *outer]
            terms += _closed(chains, sympy.Integer(sign * other), only) if left or right else [(1, _traced((S, O), ""))]
    return summed(terms)


def _closed(chains: Sequence[Chain], coefficient: Any, only: int | None) -> list[tuple[Any, list[Factor]]]:
    """coefficient E tr M_0 S M_1 S ..., as (coefficient, factors)."""
    terms = []
    for classes, words in closed_words(len(chains)):
        if only is None or len(words) == only:
            factors = [
                factor
                for number, word in enumerate(words)
                for factor in _traced(
                    tuple(link for t, ahead in word for link in _entered(chains[t], ahead)), f"{number}"
                )
            ]
            terms.append((coefficient * n ** (classes - len(chains)), factors))
    return terms


def _entered(chain: Chain, is_forwards: bool) -> Chain:
    """M Sigma, or M^T Sigma."""
    turned = chain if is_forwards else tuple((name, not transposed) for name, transposed in reversed(chain))
    return (*turned, ("Sigma", False))


def _traced(chain: Chain, mark: str) -> list[Factor]:
    """The trace of a product, in the eigenbasis of Sigma."""
    factors, at = list[Factor](), 0
    count = sum(name != "Sigma" for name, _ in chain)
    for name, transposed in chain:
        row = f"{mark}.{at % count}" if count else f"{mark}.0"
        if name == "Sigma":
            factors.append(lam(row))
            continue
        at += 1
        ends = (row, f"{mark}.{at % count}")
        tensor = Omega if name == "Omega" else Tensor(name, "dd")
        factors.append(tensor(*(reversed(ends) if transposed else ends)))
    return factors


_HALF, _QUARTER = Fraction(1, 2), Fraction(1, 4)
_GENERIC: Matrices = (
    ((_HALF, Fraction(-1)), (Fraction(1), 3 * _QUARTER)),
    ((_QUARTER, Fraction(1)), (Fraction(0), -_HALF)),
)
_LAW = RegressionLaw.of_roots(2, [[2, 0], [0, 1]], [[_HALF, 0], [-1, 1]], _HALF)


@cache
def _generic_loss() -> Any:
    return integrated_loss(_network(_GENERIC), _LAW)


def _is_refuted(changed: Matrices) -> bool:
    """Whether the integrated loss is the formula's, and not the formula's with these matrices."""
    return bool(loss_under(_GENERIC, _LAW) == _generic_loss() != loss_under(changed, _LAW))


def _is_another(slip: Callable[[IndexSum], IndexSum]) -> bool:
    """Whether the integrated loss is that of the letters, and not the slip's."""
    tensors = {"lam": [4, 1], "Omega": _LAW.Omega.tolist(), "A_0": _GENERIC[0], "A_1": _GENERIC[1]}
    true, wrong = (
        total.evaluated({"n": 2, "d": 2}, tensors, {sigma2: _LAW.sigma2})
        for total in (stack_loss(2), slip(stack_loss(2)))
    )
    return bool(true == _generic_loss() != wrong)


def _transposed(A: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    return [list(row) for row in zip(*A, strict=True)]


def _network(matrices: Matrices) -> PreconditionedDescent:
    return PreconditionedDescent(preconditioners=[[list(row) for row in A] for A in matrices])


def drawn_matrices(rng: np.random.Generator, layers: int, d: int) -> Matrices:
    """Matrices in quarters."""
    return [[[Fraction(int(rng.integers(-4, 5)), 4) for _ in range(d)] for _ in range(d)] for _ in range(layers)]


_EXACT_CASES = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 2), (1, 1, 3), (2, 2, 1), (2, 1, 3))
"""(n, d, L) of the exact runs, in turn."""


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, layers = _EXACT_CASES[number % len(_EXACT_CASES)]
        law = drawn_law(rng, tokens, features, tokens * features < 4)
        matrices = drawn_matrices(rng, layers, features)
        value = integrated_loss(_network(matrices), law)
        yield Run(f"A = {matrices}, {law}", bool(value == loss_under(matrices, law)))


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for number in range(instances):
        tokens, features, layers = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (1, 1, 2))[number % 4]
        law = drawn_law(rng, tokens, features, features == 1)
        matrices = drawn_matrices(rng, layers, features)
        network = PreconditionedDescent(preconditioners=[np.array(A, dtype=float) for A in matrices])
        low, high = float_loss_bounds(network, law, laws=LAWS)
        longer = RegressionLaw(tokens + 1, law.Sigma, law.Omega, law.sigma2)
        for held, is_control in ((law, False), (longer, True)):
            value = _fraction(loss_under(matrices, held))
            if not is_control or any(value for A in matrices for row in A for value in row):
                yield Run(f"A = {matrices}, {held}", low <= value <= high, is_control=is_control)

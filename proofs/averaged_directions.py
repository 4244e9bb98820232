"""Ahn et al. (2023), proofs of Theorems 3 and 4: which directions the average over signed permutations leaves.

Symbols: R, T, O, Sigma (d, d) as in ``numerics.signed_permutations``; D (d, d) a direction of A_l or of B_l.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq_mat

from constructions.block import compare
from constructions.comparison import Verdict
from numerics.rationals import RationalBlock, as_fraction
from numerics.rounding import RoundedBlock
from numerics.signed_permutations import signed_permutations
from proofs.argued_theorem import ArguedTheorem, Equation, Induction, Inference, Run
from proofs.gaussian_moments import Gaussian, expectation
from proofs.index_sums import Free, Tensor, d, delta, summed
from proofs.stacks import CHANGED_BASIS, PAPER

_M, _O = Tensor("M", "dd"), Tensor("O", "dd")
_ROOT = fmpq_mat(2, 2, [2, 0, 0, 1])


def theorems() -> tuple[ArguedTheorem, ...]:
    """The erratum."""
    return (_theorem(),)


def _theorem() -> ArguedTheorem:
    return ArguedTheorem(
        name="averaged_directions_as_printed_are_false",
        system=PAPER,
        reference="Ahn et al. (2023), proofs of Theorems 3 and 4, arXiv 2306.00297, as reported",
        statement=(
            "The proofs first replace a direction of A_l by r_l I, and later one of B_l by s_l Sigma^-1. The mean of "
            "T^T D T over signed permutations O, T = Sigma^(1/2) O Sigma^(-1/2), is (1/d) tr(Sigma D) Sigma^-1, along "
            "the family; the mean of T^-1 D T is (1/d) tr(D) I. For Sigma = diag(4, 1) neither is what is printed."
        ),
        argument=_argument,
        exact_runs=_exact_runs,
        float_runs=_float_runs,
        over={
            "proof": "all d, Sigma and D",
            "exact": "drawn D averaged over all signed permutations, Sigma = diag(4, 1)",
            "float": "the same in float64, within its rounding",
        },
        slips={
            "r I, as printed": lambda: not _is_multiple(_mean(_ONE, True), _ONE),
            "s Sigma^-1, as printed": lambda: not _is_multiple(_mean(_ONE, False), _PRIOR),
        },
        about=CHANGED_BASIS,
    )


_ONE = fmpq_mat(2, 2, [1, 0, 0, 1])
_PRIOR = (_ROOT * _ROOT.transpose()).inv()


def _is_multiple(matrix: fmpq_mat, of: fmpq_mat) -> bool:
    return bool(matrix * of[0, 0] == of * matrix[0, 0])


def _mean(direction: fmpq_mat, of_steps: bool) -> fmpq_mat:
    """The mean of T^T D T, or of T^-1 D T."""
    total, count = 0 * direction, 0
    for O in signed_permutations(2):
        T = _ROOT * O * _ROOT.inv()
        total, count = total + (T.transpose() if of_steps else T.inv()) * direction * T, count + 1
    return total / count


def _argument() -> Sequence[Equation | Induction | Inference]:
    i, j = Free("i"), Free("j")
    return (
        Inference("T^T D T = R^-T (O^T (R^T D R) O) R^-1, and T^-1 D T = R (O^T (R^-1 D R) O) R^-1, Sigma = R R^T"),
        Inference(
            "a random signed permutation has E O[a,i] O[b,j] = delta_ab delta_ij / d, as independent entries have"
        ),
        Equation(
            "so the mean of O^T M O is (tr M / d) I",
            expectation(summed([(1, [_O("a", i), _M("a", "b"), _O("b", j)])]), [Gaussian(_O, variance=1 / d)]),
            summed([(1 / d, [_M("a", "a"), delta(i, j)])]),
        ),
        Inference("with tr R^T D R = tr Sigma D: (1/d) tr(Sigma D) R^-T R^-1; with tr R^-1 D R = tr D: (1/d) tr(D) I"),
        Inference("Sigma^-1 is no multiple of I unless Sigma is one"),
    )


def _drawn_direction(rng: np.random.Generator) -> fmpq_mat:
    return fmpq_mat(2, 2, [int(rng.integers(-3, 4)) for _ in range(4)])


def _claimed(D: fmpq_mat, of_steps: bool) -> fmpq_mat:
    return (4 * D[0, 0] + D[1, 1]) / 2 * _PRIOR if of_steps else (D[0, 0] + D[1, 1]) / 2 * _ONE


def _exact_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for _ in range(instances):
        D = _drawn_direction(rng)
        for of_steps in (True, False):
            yield Run(f"D = {D.tolist()}", _mean(D, of_steps) == _claimed(D, of_steps))
    yield Run("r I, as printed", _mean(_ONE, True) == _ONE * 5 / 2, is_control=True)
    yield Run("s Sigma^-1, as printed", _mean(_ONE, False) == _PRIOR, is_control=True)


def _float_runs(rng: np.random.Generator, instances: int) -> Iterator[Run]:
    for _ in range(instances):
        D = _drawn_direction(rng)
        for of_steps in (True, False):
            mean, claimed = _float_mean(D, of_steps), _claimed(D, of_steps)
            yield Run(f"D = {D.tolist()}", _is_within(mean, claimed))
            if claimed != 0 * claimed:
                yield Run(f"twice as much, D = {D.tolist()}", _is_within(mean, 2 * claimed), is_control=True)


def _float_mean(D: fmpq_mat, of_steps: bool) -> Any:
    """The mean, by products of float64 matrices whose rounding is enclosed."""
    total: Any = None
    for O in signed_permutations(2):
        T = _ROOT * O * _ROOT.inv()
        left, right = (_rounded(each) for each in (T.transpose() if of_steps else T.inv(), T))
        moved = left @ _rounded(D) @ right
        total = moved if total is None else total + moved
    return total.scale(Fraction(1, 8))


def _rounded(matrix: fmpq_mat) -> RoundedBlock:
    return RoundedBlock.lift(np.array([[float(as_fraction(v)) for v in row] for row in RationalBlock(matrix).entry]))


def _is_within(mean: Any, claimed: fmpq_mat) -> bool:
    return compare(mean, _rounded(claimed)).verdict is Verdict.EQUAL

"""The looped transformer against plain loops over Fractions, its error, whitening, and what does not hold of it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.looped import LoopedTransformer, UnmaskedLoopedTransformer
from constructions.looped_error import LoopedClosedForm, LoopedSpectrum
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.unmasked import without_mask
from constructions.whitening import TransformedPrompt
from numerics.check import NotAnInstance, check
from numerics.instances import Sizes, exact_parameters, is_invertible, rational_prompt, until
from numerics.rationals import as_fraction
from numerics.strategies import SIZES, instances
from proofs.induction import prove

ONE = [[1]]
SHIFTED = LoopedTransformer(preconditioner=ONE, loops=1, shift=ONE)
LOOPS = st.integers(0, 4)


# Plain Python: matrices are lists of rows.


def times(A, B):
    return [[sum((a * b for a, b in zip(row, c, strict=True)), Fraction(0)) for c in zip(*B, strict=True)] for row in A]


def plus(A, B, factor=1):
    return [[a + factor * b for a, b in zip(r, s, strict=True)] for r, s in zip(A, B, strict=True)]


def transposed(A):
    return [list(column) for column in zip(*A, strict=True)]


def descent(A, X, Y, loops):
    """W after so many steps W <- W - (1/n) (W X - Y) X^T A from 0."""
    W = [[Fraction(0)] * len(X) for _ in Y]
    for _ in range(loops):
        W = plus(W, times(times(plus(times(W, X), Y, -1), transposed(X)), A), Fraction(-1, len(X[0])))
    return W


def predicted(construction, prompt):
    entry = construction(prompt.X, prompt.Y, prompt.x_query)
    return [[as_fraction(value) for value in row] for row in entry]


# The steps.


@given(instances(SHIFTED, SIZES, LOOPS))
def test_the_loops_take_preconditioned_steps_on_the_shifted_labels(instance):
    construction, prompt = instance
    labels = plus(prompt.Y, times(construction.shift, prompt.X))
    W = descent(construction.preconditioner, prompt.X, labels, construction.loops)
    assert predicted(construction, prompt) == times(W, prompt.x_query)


@given(instances(LoopedTransformer(preconditioner=ONE, loops=1), SIZES, LOOPS))
def test_without_a_shift_they_take_them_on_the_labels(instance):
    construction, prompt = instance
    W = descent(construction.preconditioner, prompt.X, prompt.Y, construction.loops)
    assert predicted(construction, prompt) == times(W, prompt.x_query)


@pytest.mark.parametrize(
    ("construction", "message"),
    [
        (LoopedTransformer(preconditioner=ONE, loops=-1), "loops = -1: the number of layers must be at least 0"),
        (LoopedTransformer(preconditioner=[[1, 2]], loops=1), r"preconditioner must have shape \(1, 1\)"),
        (LoopedTransformer(preconditioner=ONE, loops=1, shift=[[1], [1]]), r"shift must have shape \(1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(construction, message):
    with pytest.raises(ValueError, match=message):
        construction([[1, 2]], [[3, 4]], [[1]])


def test_a_fraction_of_a_loop_is_refused():
    with pytest.raises(TypeError, match="loops must be an int, but float came"):
        LoopedTransformer(preconditioner=ONE, loops=2.0)([[1]], [[1]], [[1]])


# Slips that the pitfalls of this network invite.


@dataclass(frozen=True, kw_only=True, repr=False)
class UntransposedLoops(LoopedTransformer):
    """Claims the preconditioner A in place of A^T."""

    def step(self, l, W, prompt):
        gradient = ((W @ prompt.X - prompt.Y) @ prompt.X.T).scale(ratio(1, prompt.n))
        return W - gradient @ self.preconditioner.T


@dataclass(frozen=True, kw_only=True, repr=False)
class ReadWithoutTheMinus(LoopedTransformer):
    """Reads the label of the query itself."""

    def read_out(self, stream):
        return stream["y", "query"]


@dataclass(frozen=True, kw_only=True, repr=False)
class LoopsWithoutTheMask(LoopedTransformer):
    """Claims the masked steps of a network whose query is a key."""

    def layer(self, l, prompt):
        return without_mask(super().layer(l, prompt))


PROMPT = Prompt([[1, 2, 1], [0, 1, 3]], [[3, -1, 2]], [[1], [2]])
ASYMMETRIC = [[1, 2], [0, 1]]


@pytest.mark.parametrize(
    ("slip", "place"),
    [
        (UntransposedLoops(preconditioner=ASYMMETRIC, loops=2), "layer 1, slot 'y' of group 'context', step"),
        (ReadWithoutTheMinus(preconditioner=ASYMMETRIC, loops=2), "layer 2, read-out"),
        (LoopsWithoutTheMask(preconditioner=ASYMMETRIC, loops=2), "layer 2, slot 'y' of group 'context', step"),
        (
            LoopsWithoutTheMask(preconditioner=ASYMMETRIC, loops=2, shift=[[1, 1]]),
            "layer 1, slot 'y' of group 'context', step",
        ),
    ],
    ids=["the transpose", "the sign", "the mask, from the second loop", "the mask, with a shift from the first"],
)
def test_slips_are_refuted_and_located(slip, place):
    assert check(slip, PROMPT).failure.place == place
    assert not prove(slip).holds


def test_the_first_loop_needs_no_mask_without_a_shift():
    unmasked, masked = (
        cls(preconditioner=ASYMMETRIC, loops=1) for cls in (UnmaskedLoopedTransformer, LoopedTransformer)
    )
    assert predicted(unmasked, PROMPT) == predicted(masked, PROMPT)


# The error.


def test_the_closed_form_is_w_star_times_one_minus_a_matrix_power():
    """Noiseless labels, so that the error of the network is W* (I - S A)^L x, the power by repeated multiplication."""
    W_star, A = [[Fraction(2), Fraction(-1)]], [[Fraction(1, 3), Fraction(1, 2)], [Fraction(0), Fraction(1, 4)]]
    X, x = PROMPT.X, PROMPT.x_query
    SA = times(times(X, transposed(X)), A)
    factor = plus([[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]], SA, Fraction(-1, 3))
    power = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]
    for loops in range(4):
        prompt = Prompt(X, times(W_star, X), x)
        error = plus(times(W_star, x), predicted(LoopedTransformer(preconditioner=A, loops=loops), prompt), -1)
        assert error == times(times(W_star, power), x)
        power = times(power, factor)


@given(instances(SHIFTED, SIZES, LOOPS))
def test_what_the_shift_adds_does_not_depend_on_the_labels(instance):
    construction, prompt = instance
    plain = LoopedTransformer(preconditioner=construction.preconditioner, loops=construction.loops)
    nothing = Prompt(prompt.X, [[Fraction(0)] * len(row) for row in prompt.Y], prompt.x_query)
    added = plus(predicted(construction, prompt), predicted(plain, prompt), -1)
    assert added == predicted(construction, nothing)


@pytest.mark.parametrize(
    ("rate", "errors"),
    [
        (Fraction(1, 2), [1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]),
        (2, [1, -1, 1, -1]),
        (3, [1, -2, 4, -8]),
        (0, [1, 1, 1, 1]),
        (-1, [1, 2, 4, 8]),
    ],
)
def test_the_error_shrinks_alternates_or_grows_by_where_lam_is(rate, errors):
    """S = I, W* = (1, 1), A = rate I: lam is the rate, and the error at x = (1, 0) starts from 1."""
    A = [[Fraction(rate), Fraction(0)], [Fraction(0), Fraction(rate)]]
    for loops, error in enumerate(errors):
        network = LoopedTransformer(preconditioner=A, loops=loops)
        assert 1 - predicted(network, Prompt([[1, 1], [1, -1]], [[2, 0]], [[1], [0]]))[0][0] == error


def test_a_teacher_that_does_not_solve_least_squares_is_no_instance():
    prompt = Prompt([[1, 2]], [[3, 6]], [[1]], (("W_star", [[2]]),))
    with pytest.raises(NotAnInstance, match="W_star solves the normal equations"):
        check(LoopedClosedForm(preconditioner=ONE, loops=1), prompt)


def test_a_vector_that_is_no_eigenvector_of_the_preconditioned_moment_is_no_instance():
    """v is an eigenvector of X X^T, but not of X X^T A."""
    extras = (("W_star", [[1, 0]]), ("v", [[1], [0]]), ("lam", [[1]]))
    prompt = Prompt([[1, 0], [0, 1]], [[1, 0]], [[1], [1]], extras)
    with pytest.raises(NotAnInstance, match="v is an eigenvector of X X"):
        check(LoopedSpectrum(preconditioner=[[1, 0], [1, 1]], loops=1), prompt)


def test_the_spectrum_refuses_a_label_shift():
    with pytest.raises(ValueError, match="stated without a label shift; leave shift out, or take LoopedClosedForm"):
        LoopedSpectrum(preconditioner=ONE, loops=1, shift=ONE)


# Whitening.


@given(st.integers(0, 2**32), LOOPS)
def test_two_networks_on_two_prompts_predict_the_same(seed, loops):
    """Run apart from one another, T and its inverse by Fractions: T^-T A T^-1 on T x, and A on x."""
    rng = np.random.default_rng(seed)
    A, U, T, inverse = _matrices(rng)
    prompt = rational_prompt(rng, 3, 2)
    moved = Prompt(times(T, prompt.X), prompt.Y, times(T, prompt.x_query))
    conjugate = times(times(transposed(inverse), A), inverse)
    original = LoopedTransformer(preconditioner=A, loops=loops, shift=U)
    other = LoopedTransformer(preconditioner=conjugate, loops=loops, shift=times(U, inverse))
    assert predicted(other, moved) == predicted(original, prompt)
    both = TransformedPrompt(preconditioner=A, transform=T, loops=loops, shift=U)
    assert predicted(both, prompt) == predicted(original, prompt)


def _matrices(rng):
    """A, U, an invertible T, and its inverse."""
    drawn = exact_parameters(
        TransformedPrompt(preconditioner=ONE, transform=ONE, loops=1, shift=ONE), Sizes(3, 2), rng, 1
    )
    T = until(lambda: [[Fraction(int(rng.integers(-3, 4))) for _ in range(2)] for _ in range(2)], is_invertible)
    (a, b), (c, d) = T
    det = a * d - b * c
    return drawn.preconditioner, drawn.shift, T, [[d / det, -b / det], [-c / det, a / det]]


def test_the_preconditioner_is_conjugated_by_the_inverse_transpose_and_not_by_the_transform():
    """T^-1 A T^-T, which is right for the inputs T^T x and for symmetric T, is wrong for T x."""
    T, inverse = [[Fraction(1), Fraction(1)], [Fraction(0), Fraction(1)]], [[1, -1], [0, 1]]
    original = LoopedTransformer(preconditioner=ASYMMETRIC, loops=1)
    moved = Prompt(times(T, PROMPT.X), PROMPT.Y, times(T, PROMPT.x_query))
    wrong = times(times(inverse, ASYMMETRIC), transposed(inverse))
    assert predicted(LoopedTransformer(preconditioner=wrong, loops=1), moved) != predicted(original, PROMPT)
    right = times(times(transposed(inverse), ASYMMETRIC), inverse)
    assert predicted(LoopedTransformer(preconditioner=right, loops=1), moved) == predicted(original, PROMPT)


def test_a_singular_transform_is_refused():
    with pytest.raises(ZeroDivisionError, match="singular"):
        TransformedPrompt(preconditioner=ASYMMETRIC, transform=[[1, 1], [1, 1]], loops=1)(
            PROMPT.X, PROMPT.Y, PROMPT.x_query
        )

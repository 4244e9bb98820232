"""Chain of thought, and one forward pass without it, against plain loops over Fractions."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constructions.block import compare
from constructions.chain_of_thought import ChainOfThought, PreconditionedChainOfThought
from constructions.chain_of_thought_error import ChainOfThoughtClosedForm, ChainOfThoughtSpectrum
from constructions.comparison import Verdict
from constructions.construction import streams
from constructions.decoding import Decoding
from constructions.layer import Attention, Layer
from constructions.parameters import parameters
from constructions.prompt import Prompt
from constructions.scalars import ratio
from constructions.without_chain_of_thought import OneForwardPass
from numerics.check import NotAnInstance, check
from numerics.instances import Sizes, exact_parameters, rational_prompt
from numerics.rationals import as_fraction
from numerics.strategies import instances
from proofs.induction import SymbolicRun, prove

ONE = [[1]]
ALL_BLOCKS = OneForwardPass(**dict.fromkeys(parameters(OneForwardPass), ONE))
SIZES = st.builds(Sizes, st.integers(1, 4), st.integers(1, 3), st.just(1))


# Plain Python: vectors are lists, matrices lists of rows.


def applied(A, u):
    return [sum((a * b for a, b in zip(row, u, strict=True)), Fraction(0)) for row in A]


def columns(A):
    return [list(column) for column in zip(*A, strict=True)]


def gradient(X, y, w):
    """(1/n) sum_j x_j (x_j^T w - y_j)"""
    errors = [sum(a * b for a, b in zip(x, w, strict=True)) - target for x, target in zip(columns(X), y, strict=True)]
    return [value / Fraction(len(y)) for value in applied(X, errors)]


def descent(X, y, w, Gamma, steps):
    """w_0, ..., w_steps"""
    reached = [w]
    for _ in range(steps):
        moved = applied(Gamma, gradient(X, y, reached[-1]))
        reached.append([a - b for a, b in zip(reached[-1], moved, strict=True)])
    return reached


def scaled_identity(eta, d):
    return [[eta if i == j else Fraction(0) for j in range(d)] for i in range(d)]


def number(value):
    """A Fraction from an int, a Fraction or an entry of a result."""
    return Fraction(value) if isinstance(value, (int, Fraction)) else as_fraction(value)


def vector(matrix):
    return [number(value) for (value,) in matrix]


def generated(construction, prompt):
    """The tokens after the last one was generated, as columns: (x, y, w, one)."""
    *_, last = streams(construction, prompt)
    return columns([[number(value) for value in row] for row in last.dense().entry])


# The generated tokens.


@given(instances(ChainOfThought(eta=1, tokens=1, w_0=ONE), SIZES, st.integers(0, 4)))
def test_the_tokens_are_the_data_as_they_were_and_the_iterates_of_gradient_descent(instance):
    construction, prompt = instance
    d, (y,) = len(prompt.X), prompt.Y
    expected = descent(
        prompt.X, y, vector(construction.w_0), scaled_identity(Fraction(construction.eta), d), construction.tokens
    )
    data = [[*x, target, *[0] * d, 0] for x, target in zip(columns(prompt.X), y, strict=True)]
    assert generated(construction, prompt) == data + [[*[0] * d, 0, *w, 1] for w in expected]


@given(instances(PreconditionedChainOfThought(preconditioner=ONE, tokens=1, w_0=ONE), SIZES, st.integers(0, 3)))
def test_the_preconditioner_is_gamma_and_not_its_transpose(instance):
    construction, prompt = instance
    (y,) = prompt.Y
    expected = descent(prompt.X, y, vector(construction.w_0), construction.preconditioner, construction.tokens)
    assert vector(construction(prompt.X, prompt.Y, prompt.x_query)) == expected[-1]


def test_without_a_token_to_generate_the_answer_is_w_0():
    assert ChainOfThought(eta=1, tokens=0, w_0=[[5], [7]])([[1], [2]], [[3]], [[1], [1]]).tolist() == [[5], [7]]
    assert ChainOfThought(eta=1, tokens=0)([[1], [2]], [[3]], [[1], [1]]).tolist() == [[0], [0]]


def test_the_query_plays_no_part():
    construction, X, Y = ChainOfThought(eta=Fraction(1, 3), tokens=3), [[1, 2]], [[3, -1]]
    assert construction(X, Y, [[1]]).tolist() == construction(X, Y, [[-7]]).tolist()


@pytest.mark.parametrize(
    ("construction", "Y", "message"),
    [
        (ChainOfThought(eta=1, tokens=-1), [[1, 2]], "tokens = -1: the number of layers must be at least 0"),
        (ChainOfThought(eta=1, tokens=1, w_0=[[1, 2]]), [[1, 2]], r"w_0 must have shape \(1, 1\)"),
        (PreconditionedChainOfThought(preconditioner=[[1, 2]], tokens=1), [[1, 2]], r"preconditioner must have shape"),
        (ChainOfThought(eta=1, tokens=1), [[1, 2], [3, 4]], "meant for 1 target, but Y has 2 rows"),
        (ChainOfThought(eta=float("nan"), tokens=1), [[1, 2]], "a scalar must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(construction, Y, message):
    with pytest.raises(ValueError, match=message):
        construction([[1, 2]], Y, [[1]])


def test_a_fraction_of_a_token_is_refused():
    with pytest.raises(TypeError, match="tokens must be an int, but float came"):
        ChainOfThought(eta=1, tokens=1.5)([[1]], [[1]], [[1]])


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_a_thousand_tokens_in_floats(batch):
    """With X = [[1]] and eta = 1/2 the error halves in every token: after 54 of them w is 1 in float64, and stays."""
    X = np.ones((*batch, 1, 1))
    assert np.array_equal(ChainOfThought(eta=0.5, tokens=1000)(X, X, X), X)


# Slips that the pitfalls of this network invite.


@dataclass(frozen=True, kw_only=True, repr=False)
class DividedByTheLength(ChainOfThought):
    """Divides by the number of tokens at that moment."""

    def layer(self, l, prompt):
        (attention,) = super().layer(l, prompt).layer.sublayers
        return Decoding(Layer(Attention(replace(attention.heads[0], factor=ratio(1, prompt.n + 1 + l)))))


@dataclass(frozen=True, kw_only=True, repr=False)
class GeneratedTokensScore(ChainOfThought):
    """W_33 and V_33 are not zero: generated tokens attend to one another."""

    def layer(self, l, prompt):
        (attention,) = super().layer(l, prompt).layer.sublayers
        (head,) = attention.heads
        scored = replace(head, query=head.query.replaced(("w", "w"), 1), value=head.value.replaced(("w", "w"), 1))
        return Decoding(Layer(Attention(scored)))


@dataclass(frozen=True, kw_only=True, repr=False)
class TransposedPreconditioner(PreconditionedChainOfThought):
    """Claims the preconditioner Gamma^T."""

    def preconditioned(self, gradient):
        return self.preconditioner.T @ gradient


@pytest.mark.parametrize(
    "slip",
    [
        DividedByTheLength(eta=1, tokens=2, w_0=[[1], [0]]),
        GeneratedTokensScore(eta=1, tokens=2, w_0=[[1], [0]]),
        TransposedPreconditioner(preconditioner=[[1, 2], [0, 1]], tokens=2),
    ],
    ids=lambda slip: type(slip).__name__,
)
def test_slips_are_refuted_at_the_w_rows_of_the_last_token(slip):
    report = check(slip, Prompt([[1, 2, 1], [0, 1, 3]], [[3, -1, 2]], [[1], [1]]))
    assert report.failure.place == "layer 1, slot 'w' of group 'last', step"
    assert {(i.claim.kind, i.claim.slot, i.claim.group) for i in prove(slip).undecided} >= {("step", "w", "last")}


# The error.


@pytest.mark.parametrize(
    ("eta", "errors"),
    [
        (Fraction(1, 4), [1, Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]),
        (Fraction(1, 2), [1, 0, 0, 0]),
        (1, [1, -1, 1, -1]),
        (Fraction(3, 2), [1, -2, 4, -8]),
        (0, [1, 1, 1, 1]),
        (Fraction(-1, 2), [1, 2, 4, 8]),
    ],
)
def test_the_error_shrinks_alternates_or_grows_by_where_eta_lam_is(eta, errors):
    """X = 2 I has S = X X^T / 2 = 2 I: eta lam is 1/2, 1, 2, 3, 0 and -1."""
    X, w_star = [[2, 0], [0, 2]], [Fraction(3), Fraction(-1)]
    y = [sum(a * b for a, b in zip(w_star, x, strict=True)) for x in columns(X)]
    for tokens, error in enumerate(errors):
        w = vector(ChainOfThought(eta=eta, tokens=tokens, w_0=[[4], [0]])(X, [y], [[1], [1]]).tolist())
        assert [a - b for a, b in zip(w, w_star, strict=True)] == [error, error]


def test_noise_off_the_inputs_changes_nothing():
    """Labels 1 and -1 more on a repeated input: w_star solves least squares as before."""
    X, w_0 = [[1, 1, 2]], [[5]]
    for Y in ([[3, 3, 6]], [[4, 2, 6]]):
        prompt = Prompt(X, Y, [[1]], (("w_star", [[3]]),))
        assert check(ChainOfThoughtClosedForm(eta=Fraction(1, 3), tokens=3, w_0=w_0), prompt).holds


def test_a_teacher_that_does_not_solve_least_squares_is_no_instance():
    prompt = Prompt([[1, 2]], [[3, 6]], [[1]], (("w_star", [[2]]),))
    with pytest.raises(NotAnInstance, match="w_star solves the normal equations"):
        check(ChainOfThoughtClosedForm(eta=1, tokens=1), prompt)


def test_a_vector_that_is_no_eigenvector_is_no_instance():
    extras = (("w_star", [[1], [0]]), ("v", [[1], [1]]), ("lam", [[1]]))
    with pytest.raises(NotAnInstance, match="v is an eigenvector of X X"):
        check(ChainOfThoughtSpectrum(eta=1, tokens=1), Prompt([[1, 2], [0, 1]], [[1, 2]], [[1], [1]], extras))


# One forward pass without chain of thought.


def full_matrix(construction, name, d):
    """V or W as (2 d + 2) rows, put together from the blocks."""
    rows = []
    for i, height in enumerate((d, 1, d, 1), start=1):
        blocks = [getattr(construction, f"{name}_{i}{j}") for j in range(1, 5)]
        rows += [[Fraction(value) for block in blocks for value in block[r]] for r in range(height)]
    return rows


def last_column(V, W, Z, n):
    """The last column of Z + (1/n) V Z (Z^T W Z); Z is a list of columns."""
    query = applied(W, Z[-1])
    total = list(Z[-1])
    for token in Z:
        score = sum(a * b for a, b in zip(token, query, strict=True)) / Fraction(n)
        total = [a + score * b for a, b in zip(total, applied(V, token), strict=True)]
    return total


@given(SIZES, st.integers(0, 2**32))
def test_one_forward_pass_is_the_full_matrix_product_and_splits_by_parity(sizes, seed):
    rng, d = np.random.default_rng(seed), sizes.d
    construction = exact_parameters(ALL_BLOCKS, sizes, rng, 1)
    prompt = rational_prompt(rng, *sizes)
    V, W = (full_matrix(construction, name, d) for name in "VW")
    outputs = []
    for sign in (1, -1):
        y = [sign * value for value in prompt.Y[0]]
        Z = [[*x, target, *[0] * d, 0] for x, target in zip(columns(prompt.X), y, strict=True)]
        expected = last_column(V, W, [*Z, [0] * (2 * d + 1) + [1]], sizes.n)[d + 1 : 2 * d + 1]
        assert vector(construction(prompt.X, [y], prompt.x_query).tolist()) == expected
        outputs.append(expected)
    moment = [value / Fraction(sizes.n) for value in applied(prompt.X, prompt.Y[0])]
    W_24, W_14 = Fraction(construction.W_24[0][0]), vector(construction.W_14)
    M = [
        [W_24 * v + Fraction(row[0]) * w for v, w in zip(line, W_14, strict=True)]
        for line, row in zip(construction.V_31, construction.V_32, strict=True)
    ]
    assert [(a - b) / 2 for a, b in zip(*outputs, strict=True)] == applied(M, moment)


def test_the_odd_part_is_odd_and_the_even_part_even_for_all_sizes():
    run = SymbolicRun(ALL_BLOCKS)
    negated = replace(run.prompt, Y=-run.prompt.Y)
    first = run.construction.initial(run.prompt)
    at, there = (run.construction.step(0, first, prompt) for prompt in (run.prompt, negated))
    assert compare(there.odd, -at.odd).verdict is Verdict.EQUAL
    assert compare(there.even, at.even).verdict is Verdict.EQUAL
    assert compare(at.odd, at.even).verdict is not Verdict.EQUAL


@pytest.mark.parametrize("seed", range(5))
def test_no_weights_take_two_gradient_steps_in_one_forward_pass(seed):
    """f(2 X, y) - f(2 X, -y) - 2 (f(X, y) - f(X, -y)) is 0 for every V and W; for two steps of size eta it is not."""
    rng = np.random.default_rng(seed)
    sizes = Sizes(3, 2)
    construction = exact_parameters(ALL_BLOCKS, sizes, rng, 1)
    prompt = rational_prompt(rng, *sizes)
    two_steps = ChainOfThought(eta=Fraction(1, 3), tokens=2)

    def combination(network):
        total = [Fraction(0)] * 2
        for (scale, weight), sign in product(((2, 1), (1, -2)), (1, -1)):
            X = [[scale * value for value in row] for row in prompt.X]
            w = vector(network(X, [[sign * value for value in prompt.Y[0]]], prompt.x_query).tolist())
            total = [a + weight * sign * b for a, b in zip(total, w, strict=True)]
        return total

    assert combination(construction) == [0, 0]
    assert combination(two_steps) != [0, 0]


def test_one_forward_pass_takes_one_step_with_the_weights_of_the_chain():
    d, eta = 2, Fraction(1, 3)
    one_step = OneForwardPass(V_31=[[-eta, 0], [0, -eta]], W_13=[[1, 0], [0, 1]], W_24=[[-1]])
    prompt = rational_prompt(np.random.default_rng(0), 3, d)
    given_prompt = (prompt.X, prompt.Y, prompt.x_query)
    assert one_step(*given_prompt).tolist() == ChainOfThought(eta=eta, tokens=1)(*given_prompt).tolist()

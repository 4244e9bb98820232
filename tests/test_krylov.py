"""Krylov methods: the duality on drawn polynomials, and conjugate gradient against direct minimisation."""

from fractions import Fraction

import pytest
from flint import fmpq_mat
from hypothesis import given
from hypothesis import strategies as st

from constructions.prompt import Prompt
from numerics.baselines import least_squares
from numerics.krylov import conjugate_gradient, excess_loss, interpolation_weights, least_krylov_error
from numerics.rationals import RationalBlock
from numerics.step_counts import chebyshev_value
from numerics.strategies import rational_prompts, sizes
from proofs.krylov_theorem import chebyshev_nodes, hard_context
from proofs.spectral_contexts import context_of, four_squares

node_sets = st.lists(st.fractions(Fraction(1, 4), 9, max_denominator=4), min_size=1, max_size=5, unique=True)


@given(node_sets, st.data())
def test_weights_give_every_polynomial_of_lower_degree_at_zero(nodes, data):
    c = data.draw(st.lists(st.fractions(-3, 3, max_denominator=3), min_size=len(nodes), max_size=len(nodes)))
    values = [sum(c[i] * z**i for i in range(len(c))) for z in nodes]
    assert sum(l * q for l, q in zip(interpolation_weights(nodes), values, strict=True)) == c[0]


@given(node_sets, st.data())
def test_no_polynomial_that_is_1_at_zero_is_smaller_on_all_nodes(nodes, data):
    drawn = st.fractions(-1, 1, max_denominator=50)
    c = [Fraction(1), *data.draw(st.lists(drawn, min_size=len(nodes) - 1, max_size=len(nodes) - 1))]
    assert max(abs(sum(c[i] * z**i for i in range(len(c)))) for z in nodes) >= least_krylov_error(nodes)


@given(node_sets)
def test_some_polynomial_attains_the_bound_on_all_nodes(nodes):
    """Solve for the coefficients of q with q(z_i) = sign(l_i) / L: q(0) = 1."""
    L, size = 1 / least_krylov_error(nodes), len(nodes)
    values = [(1 if weight > 0 else -1) / L for weight in interpolation_weights(nodes)]
    rows = [(node**j).as_integer_ratio() for node in nodes for j in range(size)]
    powers = RationalBlock.lift([[Fraction(*rows[i * size + j]) for j in range(size)] for i in range(size)]).matrix
    c = powers.inv() * RationalBlock.lift([[value] for value in values]).matrix
    assert c[0, 0] == 1


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_bound_is_chebyshevs_at_the_nodes_where_that_polynomial_alternates(degree):
    kappa = Fraction(7, 2)
    nodes = chebyshev_nodes(kappa, degree, 4)
    assert least_krylov_error(nodes) == 1 / chebyshev_value(degree, (kappa + 1) / (kappa - 1))


def minimiser(prompt, degree):
    """The W in the span of Y X^T S^j, j < degree, of least |(W - W*) X|, by its normal equations."""
    held = prompt.lifted()
    S, b = held.X.matrix * held.X.matrix.transpose(), held.Y.matrix * held.X.matrix.transpose()
    rows, power = [], b
    for _ in range(degree):
        rows.append(power.tolist()[0])
        power = power * S
    basis = fmpq_mat(rows)
    return (basis * b.transpose()).transpose() * (basis * S * basis.transpose()).inv() * basis


@given(rational_prompts(sizes(max_n=4, max_d=4, max_m=1)))
def test_conjugate_gradient_minimises_the_excess_loss_over_the_krylov_space(prompt):
    for degree, W in enumerate(conjugate_gradient(prompt)):
        if degree:
            assert W.matrix == minimiser(prompt, degree)


@given(rational_prompts(sizes(max_n=4, max_d=4, max_m=1)))
def test_conjugate_gradient_ends_at_least_squares(prompt):
    *_, last = conjugate_gradient(prompt)
    assert last.matrix == least_squares(prompt).matrix


def test_conjugate_gradient_takes_as_many_steps_as_there_are_distinct_eigenvalues():
    one = Fraction(1)
    prompt, _ = context_of([(one, one), (one, 2 * one), (3 * one, one), (7 * one, one), (0 * one, 0 * one)])
    assert len(list(conjugate_gradient(prompt))) == 1 + 3


@pytest.mark.parametrize("degree", range(1, 6))
def test_conjugate_gradient_attains_the_bound_on_the_hard_context(degree):
    prompt, W_star = hard_context(chebyshev_nodes(Fraction(5), degree, 10))
    X = prompt.lifted().X
    errors = [excess_loss(W, W_star, X) for W in conjugate_gradient(prompt)]
    assert errors[0] == 1
    assert errors[degree] == least_krylov_error(chebyshev_nodes(Fraction(5), degree, 10)) ** 2
    assert errors[degree + 1] == 0


@given(st.fractions(0, 40, max_denominator=30))
def test_four_squares_sum_to_the_number(value):
    roots = four_squares(value)
    assert len(roots) <= 4
    assert sum(root**2 for root in roots) == value


@given(st.lists(st.tuples(*[st.fractions(0, 9, max_denominator=5)] * 2), min_size=1, max_size=3))
def test_context_has_the_spectrum_and_the_sizes(spectrum):
    if not any(value for value, _ in spectrum):
        spectrum = [*spectrum, (Fraction(2), Fraction(1))]
    prompt, W_star = context_of(spectrum)
    X = prompt.lifted().X.matrix
    S, sizes_of = X * X.transpose(), {}
    for i, root in enumerate(W_star):
        assert all(S[i, j] == 0 for j in range(len(W_star)) if j != i)
        value = Fraction(int(S[i, i].p), int(S[i, i].q))
        sizes_of[value] = sizes_of.get(value, 0) + root**2
    wanted = {}
    for value, square in spectrum:
        wanted[value] = wanted.get(value, 0) + square
    assert sizes_of == wanted
    assert prompt.lifted().Y.matrix == RationalBlock.lift([W_star]).matrix * X


def test_what_has_no_meaning_is_refused():
    one = Fraction(1)
    with pytest.raises(ValueError, match="at least one node is required, and different ones"):
        interpolation_weights([one, one])
    with pytest.raises(ValueError, match="at least one node is required"):
        least_krylov_error([])
    with pytest.raises(ValueError, match="must be above 0, but 0 came"):
        least_krylov_error([one, 0 * one])
    with pytest.raises(ValueError, match="only a number >= 0 is a sum of squares, but -1 came"):
        four_squares(-one)
    with pytest.raises(ValueError, match="run for 1 target, but Y has 2 rows"):
        next(conjugate_gradient(Prompt([[1]], [[1], [2]], [[1]])))
    with pytest.raises(ValueError, match="no eigenvalue is above 0"):
        context_of([(0 * one, one)])


def test_conjugate_gradient_in_floats_is_refused():
    import numpy as np

    with pytest.raises(TypeError, match="conjugate gradient is run in rationals, but FloatBlock came"):
        next(conjugate_gradient(Prompt(*(np.ones((1, 1)) for _ in range(3)))))

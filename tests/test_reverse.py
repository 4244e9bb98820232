"""Gradients by the reverse pass: against SymPy's derivatives, exact slopes, enclosed secants, and prompt by prompt."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import arb

from constructions.block import Zero, compare, softmax
from constructions.comparison import Verdict
from constructions.construction import forward
from constructions.functional_descent import FunctionalDescent
from constructions.functions import Kernel
from constructions.parameters import Repeated, parameters
from constructions.preconditioned import PreconditionedDescent, RelaxedPreconditionedDescent
from constructions.prompt import Prompt
from constructions.self_attention import LinearSelfAttention
from numerics.balls import BallBlock
from numerics.floats import FloatBlock
from numerics.rationals import RationalBlock, as_fraction
from numerics.reverse import TapeBlock, pulled_back, variable
from numerics.rounding import Rounded, RoundedBlock
from numerics.weight_sets import matrices_of, with_matrices
from proofs.explicit import ExplicitBlock

SHAPES = {"A": (2, 3), "B": (3, 2), "C": (2, 3), "D": (2, 2), "u": (3, 1), "y": (1, 2)}


def letters():
    return {name: sympy.Matrix(*shape, sympy.symbols(f"{name}:{math.prod(shape)}")) for name, shape in SHAPES.items()}


OPERATIONS = {
    "A @ B": lambda b: b["A"] @ b["B"],
    "A + C": lambda b: b["A"] + b["C"],
    "A + A": lambda b: b["A"] + b["A"],
    "A - C": lambda b: b["A"] - b["C"],
    "scale": lambda b: b["A"].scale(Fraction(-3, 2)),
    "transpose": lambda b: b["A"].T @ b["C"],
    "hadamard": lambda b: b["A"].hadamard(b["C"]),
    "square": lambda b: b["A"].square(),
    "exp": lambda b: (b["A"] @ b["B"]).exp(),
    "inverse": lambda b: b["D"].inverse() @ b["A"],
    "diagonal of a column": lambda b: b["u"].diagonal() @ b["B"],
    "diagonal of a row": lambda b: b["y"].diagonal() @ b["A"],
    "beside": lambda b: b["D"] @ b["A"].beside(b["D"], b["C"]).square(),
    "above": lambda b: b["A"].above(b["C"]).square() @ b["u"],
    "plus a product": lambda b: b["D"].plus_product(b["A"], b["B"]).square(),
    "softmax over two groups": lambda b: softmax([b["y"], b["D"]])[1],
    "kernel": lambda b: b["A"].kernel(b["C"], Kernel("cube", lambda K, Q: (K.T @ Q).hadamard((K.T @ Q).square()))),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_gradient_is_the_derivative_that_sympy_takes(operation):
    matrices = letters()
    sources = {name: variable(ExplicitBlock.lift(matrix)) for name, matrix in matrices.items()}
    output = operation(sources)
    weights = sympy.Matrix(*output.shape, lambda i, j: 2 * i - 3 * j + 1)
    scalar = sum(w * value for w, value in zip(weights, output.held.entry, strict=True))
    # At a generic point, where the derivatives of exponentials and inverses are numbers.
    point = {symbol: sympy.Rational(2 * i + 1, 7 + i) for i, symbol in enumerate(scalar.free_symbols)}
    gradients = pulled_back(output, list(sources.values()), ExplicitBlock.lift(weights))
    assert any(not gradient.is_zero for gradient in gradients)
    for matrix, gradient in zip(matrices.values(), gradients, strict=True):
        expected = matrix.applyfunc(lambda symbol: sympy.diff(scalar, symbol)).subs(point)
        found = sympy.zeros(*matrix.shape) if gradient.is_zero else gradient.entry.subs(point)
        assert sympy.simplify(expected - found).is_zero_matrix


def slope(function, degree):
    """f'(0) of a polynomial of at most that degree, exactly, from its values at 0, ..., degree."""
    t = sympy.Symbol("t")
    points = [(i, sympy.Rational(str(function(Fraction(i))))) for i in range(degree + 1)]
    return Fraction(str(sympy.Poly(sympy.interpolate(points, t), t).coeff_monomial(t)))


def drawn(rng, rows, columns):
    return [[Fraction(int(value), 2) for value in row] for row in rng.integers(-2, 3, (rows, columns))]


def rational_matrices(kind, layers, rng, d=2):
    sizes = {"d": d, "m": 1}
    declared = {name: p for name, p in parameters(kind).items() if name != "W_0"}
    return kind(
        **{
            name: layers(lambda shape=(sizes[p.rows], sizes[p.columns]): drawn(rng, *shape))
            for name, p in declared.items()
        }
    )


def looped(draw):
    return Repeated(draw(), 2)


def untied(draw):
    return [draw(), draw()]


@pytest.mark.parametrize("layers", [looped, untied])
@pytest.mark.parametrize("kind", [LinearSelfAttention, PreconditionedDescent, RelaxedPreconditionedDescent])
def test_gradient_of_a_network_is_its_exact_slope_in_rationals(kind, layers):
    rng = np.random.default_rng(3)
    network, direction = (rational_matrices(kind, layers, rng) for _ in range(2))
    X, Y, x_query = drawn(rng, 2, 3), drawn(rng, 1, 3), drawn(rng, 2, 1)
    held, moves = matrices_of(network), matrices_of(direction)

    def predicted(t):
        moved = {
            name: RationalBlock.lift(value) + RationalBlock.lift(moves[name]).scale(t) for name, value in held.items()
        }
        return as_fraction(forward(with_matrices(network, moved), Prompt(X, Y, x_query)).matrix[0, 0])

    sources = {name: variable(value) for name, value in held.items()}
    output = with_matrices(network, sources)(TapeBlock.lift(X), Y, x_query)
    gradients = pulled_back(output, list(sources.values()))
    exact = sum(
        as_fraction((gradient.T @ RationalBlock.lift(moves[name])).matrix[i, i])
        for name, gradient in zip(sources, gradients, strict=True)
        if not gradient.is_zero
        for i in range(gradient.columns)
    )
    # Two layers are of degree 4 + 3 * 4 in the weights of linear self-attention, and of lower degree in the others'.
    assert exact == slope(predicted, 16)
    assert exact != 0


def test_gradient_in_balls_encloses_the_secant():
    def predicted(X):
        return FunctionalDescent(step_sizes=[1, 1], kernel=exponential())(X, [[arb(1), arb(-2)]], query)

    def exponential():
        return Kernel("exp", lambda K, Q: (K.T @ Q).exp())

    query = [[arb("0.5")], [arb(-1)]]
    X, h = [[arb(1), arb("0.25")], [arb("-0.5"), arb(1)]], arb(2) ** -20
    moved = [[X[0][0] + h, X[0][1]], X[1]]
    secant = (predicted(moved)[0, 0] - predicted(X)[0, 0]) / h
    # By the mean value theorem the secant is the derivative somewhere in between.
    between = variable([[X[0][0].union(moved[0][0]), X[0][1]], X[1]])
    [gradient] = pulled_back(predicted(between), [between])
    assert isinstance(gradient, BallBlock)
    enclosure = gradient.entry[0, 0]
    assert enclosure.overlaps(secant)
    assert not enclosure.overlaps(-secant)


def test_gradient_of_relu_is_the_exact_slope_away_from_zero():
    A, B = variable([[1, -2], [3, 0]]), RationalBlock.lift([[2], [-5]])
    [gradient] = pulled_back(A.relu() @ TapeBlock.lift(B), [A])
    assert compare(gradient, RationalBlock.lift([[2, 0], [2, 0]])).verdict is Verdict.EQUAL


def test_relu_of_floats_has_the_gradient_of_rationals(xp):
    table = [[1.0, -2.0], [3.0, 0.0]]
    A = variable(xp.asarray(table, dtype=xp.float64))
    [gradient] = pulled_back(A.relu().scale(3), [A])
    assert np.array_equal(on_host(gradient.entry), [[3, 0], [3, 0]])


def on_host(array):
    return np.asarray(array.get() if hasattr(array, "get") else array)


def test_gradient_of_a_batch_is_the_sum_over_its_prompts(xp):
    rng = np.random.default_rng(0)
    # Small whole numbers, so that every product and sum is exact.
    A, X, Y, x_query = (rng.integers(-2, 3, s).astype(float) for s in ((2, 2), (5, 2, 2), (5, 1, 2), (5, 2, 1)))

    def gradients(*prompt):
        weights, inputs = variable(xp.asarray(A)), variable(xp.asarray(prompt[0]))
        network = PreconditionedDescent(preconditioners=[weights, weights])
        output = network(inputs, *(TapeBlock.lift(xp.asarray(entry)) for entry in prompt[1:]))
        return [on_host(block.entry) for block in pulled_back(output, [weights, inputs])]

    whole, each = gradients(X, Y, x_query)
    singles = [gradients(X[i], Y[i], x_query[i]) for i in range(5)]
    assert np.array_equal(whole, sum(weights for weights, _ in singles))
    assert np.array_equal(each, np.stack([inputs for _, inputs in singles]))


def test_gradient_of_a_batch_of_one_is_summed_where_it_was_spread():
    A, B = variable(np.ones((1, 2, 2))), variable(np.arange(8.0).reshape(2, 2, 2))
    [gradient] = pulled_back(A.hadamard(B), [A])
    assert np.array_equal(gradient.entry, [[[4, 6], [8, 10]]])


def test_what_the_output_does_not_depend_on_has_a_zero_gradient():
    A, B = variable([[1]]), variable([[2, 3]])
    assert [block.is_zero for block in pulled_back(A @ A, [A, B])] == [False, True]
    assert all(isinstance(block, Zero) for block in pulled_back(Zero(1, 1), [A, B]))


def test_constants_are_not_recorded():
    made = TapeBlock.lift([[1, 2]]).T @ TapeBlock.lift([[3]])
    assert (made.is_recorded, made.pullbacks) == (False, ())


def test_repeated_use_adds_up():
    A = variable([[3]])
    assert str(pulled_back(A @ A @ A + A, [A])[0].entry[0, 0]) == "28"


def test_cotangent_of_another_shape_is_refused():
    A = variable([[1, 2]])
    with pytest.raises(ValueError, match=r"must have the shape \(2, 1\) of the output, but \(1, 2\) came"):
        pulled_back(A.T, [A], [[1, 1]])


def test_source_that_is_no_variable_is_refused():
    A = variable([[1]])
    with pytest.raises(TypeError, match="only be taken with respect to a variable"):
        pulled_back(A, [TapeBlock.lift([[1]])])


def test_output_without_a_tape_is_refused():
    with pytest.raises(TypeError, match="the output is a RationalBlock, which has no tape"):
        pulled_back(RationalBlock.lift([[1]]), [variable([[1]])])


def test_variable_of_a_tape_is_refused():
    with pytest.raises(TypeError, match=r"a TapeBlock came where a plain entry is required: pass .* block.held"):
        variable(variable([[1]]))


def test_relu_in_a_kind_without_signs_is_refused():
    with pytest.raises(TypeError, match="needs the sign of every entry, which a BallBlock may not know"):
        variable([[arb(1)]]).relu()


def test_batch_of_floats_with_a_radius_is_refused():
    A = variable(RoundedBlock.lift(Rounded(np.ones((2, 1, 1)), np.zeros((2, 1, 1)))))
    with pytest.raises(TypeError, match="a batch of RoundedBlock has no gradient here"):
        pulled_back(A.square(), [A])


def test_kinds_held_by_tapes_do_not_mix():
    with pytest.raises(TypeError, match="kinds of number do not mix"):
        variable([[1]]) @ variable(np.ones((1, 1)))


def test_tape_is_compared_by_what_it_holds():
    assert compare(variable([[1]]), TapeBlock.lift([[1]])).verdict is Verdict.EQUAL
    assert FloatBlock.lift(np.ones((1, 1))).shape == variable(np.ones((1, 1))).shape

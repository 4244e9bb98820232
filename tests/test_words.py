"""The normal form: whatever it proves is true (soundness), and what proofs need it proves (completeness samples)."""

from fractions import Fraction

import pytest
import sympy
from expression_trees import (
    DEPTH,
    ETA,
    FLAVOURS,
    MU,
    SHAPES,
    D,
    Instance,
    M,
    N,
    Symbols,
    Tree,
    block_of,
    trees,
    value_of,
)
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.block import FeatureMap, Kernel, compare
from constructions.comparison import Verdict
from proofs.symbols import SymbolBlock
from proofs.words import exact_coefficient

letter = SymbolBlock.letter
A, B, C, I = letter("A", N, N), letter("B", N, N), letter("C", N, N), letter("A", N, N).identity(N)
X, U, V, W = letter("X", D, N), letter("U", D, N), letter("V", D, N), letter("W", M, D)
u, v, w = letter("u", N, 1), letter("v", N, 1), letter("w", N, 1)
s, t = letter("s", 1, 1), letter("t", 1, 1)
y, q = letter("y", 1, N), letter("q", M, 1)
ONE, ONES = A.identity(1), A.ones(N, 1)
S, G = X @ X.T, X.T @ X
P = letter("P", D, D)
SEEDS = st.integers(0, 2**32)
PHI, NARROW = FeatureMap("phi", rows="p"), FeatureMap("phi", rows="n")
KAPPA, THETA = Kernel("kappa"), Kernel("theta", symmetric=False)


def is_proved(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


def assert_normal_form_keeps_the_value(tree, instance):
    try:
        normal_form = block_of(tree, Symbols()).normal_form
        expected = block_of(tree, instance)
        value = value_of(normal_form, instance)
    except ZeroDivisionError:
        assume(False)
    assert value.matrix == expected.matrix


@pytest.mark.parametrize("flavour", FLAVOURS)
@settings(max_examples=120)
@given(data=st.data(), shape=SHAPES, seed=SEEDS)
def test_normal_form_of_an_expression_has_the_value_of_the_expression(flavour, data, shape, seed):
    assert_normal_form_keeps_the_value(data.draw(trees(*shape, flavour)), Instance(seed))


@settings(max_examples=120)
@given(data=st.data(), shape=st.tuples(*[st.sampled_from([N, 1])] * 2), seed=SEEDS)
def test_normal_form_of_scalars_and_vectors_has_the_value_of_the_expression(data, shape, seed):
    tree = data.draw(trees(*shape, depth=5, sizes=(N, 1, 1)))
    assert_normal_form_keeps_the_value(tree, Instance(seed))


HALF_ONES = Tree("scale", (Tree("ones", (), (N, N)),), Fraction(-1, 2))


@pytest.mark.parametrize("operation", ["inverse", "relu", "exp", "T"])
def test_a_function_of_a_constant_matrix_has_the_value_of_the_expression(operation):
    assert_normal_form_keeps_the_value(Tree(operation, (HALF_ONES,)), Instance(0, sizes={N: 1}))


IDENTITIES = {
    "products associate": ((A @ B) @ C, A @ (B @ C)),
    "products distribute": ((A + B) @ (B - C), A @ B - A @ C + B @ B - B @ C),
    "the transpose of a product": ((W @ X).T, X.T @ W.T),
    "the transpose of an inverse": (A.inverse().T, A.T.inverse()),
    "the transpose of an inverse of a sum": ((A + B).inverse().T, (B.T + A.T).inverse()),
    "the inverse of a product": ((A @ B.T).inverse(), B.T.inverse() @ A.inverse()),
    "the inverse of a multiple": ((A @ B).scale(-ETA).inverse(), (B.inverse() @ A.inverse()).scale(-1 / ETA)),
    "the inverse of a multiple of a sum": ((B - A).scale(3).inverse(), (A - B).inverse().scale(Fraction(-1, 3))),
    "the inverse of a transposed inverse": ((A.T + B).inverse().T.inverse(), A + B.T),
    "the inverse of the transpose of a sum": (
        ((A @ B).scale(2) - (C @ A).scale(3)).T.inverse(),
        ((A @ B).scale(2) - (C @ A).scale(3)).inverse().T,
    ),
    "the inverse of an inverse": ((A + B).inverse().inverse(), A + B),
    "inverses cancel": (A @ B.inverse() @ A.inverse() @ A @ B, A),
    "transposed inverses cancel": (B @ A.T.inverse() @ A.T, B),
    "a scalar is its transpose, and commutes": (w @ (u.T @ A @ v), w @ (v.T @ A.T @ u)),
    "scalars commute": (s @ (u.T @ v) @ t, t @ s @ (v.T @ u)),
    "a scalar cancels its inverse": (u @ (v.T @ w) @ (w.T @ v).inverse(), u),
    "a scalar letter cancels its inverse": (s.inverse() @ t @ s, t),
    "the inverse of a product of scalars": ((s @ (u.T @ v)).inverse(), (v.T @ u).inverse() @ s.inverse()),
    "relu(z) - relu(-z) = z": (A.relu() - (-A).relu(), A),
    "relu(E) - relu(-E) = E": ((A - B @ C).relu() - (B @ C - A).relu(), A - B @ C),
    "relu of a multiple of unknown sign": (
        X.scale(ETA - MU).relu() - X.scale(MU - ETA).relu(),
        X.scale(ETA) - X.scale(MU),
    ),
    "relu of a positive multiple": (
        (A + B.scale(1 / N)).relu().scale(N * 2**DEPTH),
        ((A.scale(N) + B).relu().scale(2**DEPTH)),
    ),
    "relu of n ones": (ONES.scale(N).relu(), ONES.scale(N)),
    "relu of ones times 1 - n": (ONES.scale(1 - N).relu(), ONES - ONES),
    "relu of a transpose": ((A @ B - C @ u @ v.T).relu().T, (B.T @ A.T - v @ u.T @ C.T).relu()),
    "relu of a scalar": ((u.T @ A @ v).relu(), (v.T @ A.T @ u).relu()),
    "exp of a transpose": ((A - B @ C).exp().T, (A.T - C.T @ B.T).exp()),
    "a symmetric argument makes a symmetric matrix": ((A + A.T).exp().T, (A.T + A).exp()),
    "the inverse of a symmetric sum is symmetric": ((S + P.identity(D)).inverse().T, (S + P.identity(D)).inverse()),
    "1^T 1 = n": (ONES.T @ ONES, ONE.scale(N)),
    "diag(1) = I": (ONES.diagonal(), I),
    "diag(u) 1 = u": (u.diagonal() @ ONES, u),
    "1^T diag(y) = y": (ONES.T @ y.diagonal(), y),
    "1^T (u o v) = u^T v": (ONES.T @ u.hadamard(v), u.T @ v),
    "diagonal matrices commute": (u.diagonal() @ v.diagonal(), v.diagonal() @ u.diagonal()),
    "diag(u) v = diag(v) u": (A @ u.diagonal() @ v, A @ v.diagonal() @ u),
    "diag(u o v) = diag(u) diag(v)": (u.hadamard(v).diagonal(), u.diagonal() @ v.diagonal()),
    "u^T diag(v) w is symmetric in all three": (u.T @ v.diagonal() @ w, w.T @ u.diagonal() @ v),
    "diag(u)^-1 u = 1": (u.diagonal().inverse() @ u, ONES),
    "1^T diag(u)^-1 u = n": (ONES.T @ u.diagonal().inverse() @ u, ONE.scale(N)),
    "entrywise products of columns commute": (u.hadamard(v).hadamard(w), w.hadamard(u).hadamard(v)),
    "entrywise products of rows commute": (y.hadamard(u.T), u.T.hadamard(y)),
    "entrywise products commute": (U.hadamard(V).hadamard(X), X.hadamard(V.hadamard(U))),
    "entrywise products distribute": ((U + V).hadamard(X), X.hadamard(U) + V.hadamard(X)),
    "the transpose of an entrywise product": ((A @ B).hadamard(C.T).T, (B.T @ A.T).hadamard(C)),
    "an entrywise product of rank one": (U.hadamard(W.T @ q @ y), (W.T @ q).diagonal() @ U @ y.diagonal()),
    "an entrywise product of two of rank one": ((u @ v.T).hadamard(w @ y), u.hadamard(w) @ v.T.hadamard(y)),
    "a product by squares": (
        (U + U.ones(D, 1) @ y).square() - (U - U.ones(D, 1) @ y).square(),
        (U @ y.diagonal()).scale(4),
    ),
    "the residual of Newton's iteration": (
        P.identity(D) - S @ (P.scale(2) - P @ S @ P),
        (P.identity(D) - S @ P) @ (P.identity(D) - S @ P),
    ),
    "a symmetric kernel": (X.kernel(U, KAPPA), U.kernel(X, KAPPA).T),
    "a symmetric kernel of one matrix": (X.kernel(X, KAPPA), X.kernel(X, KAPPA).T),
    "powers of two": (A.scale(2 * 2**DEPTH), A.scale(2 ** (DEPTH + 1))),
    "one coefficient in two forms": (A.scale(1 / (1 - ETA)), A.scale(-1 / (ETA - 1))),
    "eta / n, n times": (A.scale(ETA / N).scale(N), A.scale(ETA)),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_is_proved(name):
    assert is_proved(*IDENTITIES[name])


SUMS = {
    "of unlike coefficients": (A @ B).scale(2) - (C @ A).scale(3),
    "whose transpose comes first": (B.T @ A.T).scale(-5) + (A.T @ C.T).scale(Fraction(1, 2)),
    "of a matrix and its transpose": A.scale(3) - A.T.scale(2),
    "of transposes": (A.T + B.T).scale(-2),
    "of coefficients of unknown sign": A.scale(ETA - MU) - B.T.scale(ETA),
    "that is an inverse": (A.T - B.scale(2)).inverse(),
    "that is the transpose of an inverse": (A.T - B.scale(2)).inverse().T,
}


@pytest.mark.parametrize("operation", [lambda E: E.inverse(), lambda E: E.relu()], ids=["inverse", "relu"])
@pytest.mark.parametrize("name", SUMS)
def test_function_of_a_sum_has_the_value_of_the_function(name, operation):
    held = 0
    for seed in range(10):
        instance = Instance(seed, sizes={N: 2})
        try:
            expected = operation(value_of(SUMS[name].normal_form, instance))
            value = value_of(operation(SUMS[name]).normal_form, instance)
        except ZeroDivisionError:
            continue
        held += value.matrix == expected.matrix
        assert value.matrix == expected.matrix
    assert held >= 5


NOT_IDENTITIES = {
    "products do not commute": (A @ B, B @ A),
    "a matrix is not its transpose": (A.T, A),
    "a product is not its transpose": (A.T @ B, A @ B.T),
    "an inverse is not a transpose": (A.inverse(), A.T),
    "A A^-T is no identity": (A @ A.T.inverse(), I),
    "A^-1 B A is not B": (A.inverse() @ B @ A, B),
    "A^-1 (A + B) is not I + B": (A.inverse() @ (A + B), I + B),
    "the inverse of a sum": ((A + B).inverse(), A.inverse() + B.inverse()),
    "the inverse of a product in the same order": ((A @ B).inverse(), A.inverse() @ B.inverse()),
    "relu of a sum": ((A + B).relu(), A.relu() + B.relu()),
    "relu of a product": ((A @ B).relu(), A.relu() @ B.relu()),
    "relu of a negative multiple": (A.scale(-2).relu(), A.relu().scale(-2)),
    "relu of a multiple of unknown sign": (A.scale(ETA).relu(), A.relu().scale(ETA)),
    "relu of ones of unknown sign": (ONES.scale(ETA).relu(), ONES.scale(ETA)),
    "relu of ones times 2 - n": (ONES.scale(2 - N).relu(), ONES - ONES),
    "relu twice, with a minus": ((-A.relu()).relu(), -A.relu()),
    "exp of a sum": ((A + B).exp(), A.exp() @ B.exp()),
    "exp of a sum, entrywise": ((A + B).exp(), A.exp().hadamard(B.exp())),
    "exp of minus": ((-A).exp(), A.exp().inverse()),
    "exp of a multiple": (A.scale(2).exp(), A.exp().scale(2)),
    "exp is not the identity": (A.exp(), A),
    "exp of ones": (ONES.exp(), ONES),
    "a matrix between two columns": (u.T @ A @ v, u.T @ v),
    "u v^T is not v u^T": (u @ v.T, v @ u.T),
    "x^T A y with the wrong transpose": (u.T @ A @ v, u.T @ A.T @ v),
    "(u^T v)^2": ((u.T @ v) @ (u.T @ v), (u.T @ u) @ (v.T @ v)),
    "1 1^T = n": (ONES @ ONES.T, I.scale(N)),
    "1 1^T = n 1 1^T": (ONES @ ONES.T @ ONES, ONES),
    "diag(u) on the other side": (u.diagonal() @ A, A @ u.diagonal()),
    "diag(u) is not u 1^T": (u.diagonal(), u @ ONES.T),
    "diag(u)^-1 1 is not u": (u.diagonal().inverse() @ ONES, u),
    "1^T diag(y)^-1 is not y": (ONES.T @ y.diagonal().inverse(), y),
    "diag(u)^-1 v is not diag(v)^-1 u": (u.diagonal().inverse() @ v, v.diagonal().inverse() @ u),
    "diag of a sum over products": ((A @ u).diagonal(), A @ u.diagonal()),
    "the entrywise product is no product": (A.hadamard(B), A @ B),
    "entrywise powers differ": (A.hadamard(A).hadamard(A.T), A.hadamard(A.T).hadamard(A.T)),
    "the transpose of an entrywise product of unlike powers": (
        A.hadamard(A).hadamard(A.T),
        A.hadamard(A).hadamard(A.T).T,
    ),
    "a kernel that is not symmetric": (X.kernel(U, THETA), U.kernel(X, THETA).T),
    "a kernel of one matrix that is not symmetric": (A.kernel(A, THETA), A.kernel(A, THETA).T),
    "a kernel and its transpose": (A.kernel(B, KAPPA), A.kernel(B, KAPPA).T),
    "blocks in another order": (A.beside(B) @ A.above(B), A.beside(B) @ B.above(A)),
    "n is not d": (A.scale(N), A.scale(D)),
    "2^l is not 2^(l + 1)": (A.scale(2**DEPTH), A.scale(2 ** (DEPTH + 1))),
    "a gram matrix is not another": (G, (X.T @ U)),
    "sums of antisymmetric arguments": ((A - A.T).relu().T, (A - A.T).relu()),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_IDENTITIES)
def test_non_identity_is_not_proved(name):
    assert not is_proved(*NOT_IDENTITIES[name])


@pytest.mark.parametrize("name", NOT_IDENTITIES)
def test_non_identity_has_a_counterexample(name):
    left, right = NOT_IDENTITIES[name]
    assert any(differ_on(left, right, Instance(seed)) for seed in range(40))


def differ_on(left, right, instance):
    try:
        return value_of(left.normal_form, instance).matrix != value_of(right.normal_form, instance).matrix
    except ZeroDivisionError:
        return False


SIDE = sympy.Symbol("r", integer=True, positive=True)
SAME_IN_PRINT = {
    "letters of two shapes": (
        letter("P", N, M) @ letter("Q", M, D),
        letter("P", N, SIDE) @ letter("Q", SIDE, D),
    ),
    "scalars of two assumptions": (X.scale(ETA), X.scale(sympy.Symbol("eta"))),
    "sizes of two assumptions": (X.scale(N), X.scale(sympy.Symbol("n"))),
    "a letter called like a product": (letter("A B", N, N), A @ B),
    "a letter called like a transpose": (letter("A'", N, N), A.T),
    "a letter called like one of a family": (letter("A_l", N, N), letter("A", N, N, DEPTH)),
    "a letter called like a function": (letter("relu(A)", N, N), A.relu()),
    "a kernel called like a function": (A.kernel(B, Kernel("exp")), (A.T @ B).exp()),
    "a map called like a function": (A.features(FeatureMap("exp", rows="n")), A.exp()),
    "maps of two widths": (A.features(PHI).T @ A.features(PHI), A.features(NARROW).T @ A.features(NARROW)),
    "kernels that differ in symmetry": (A.kernel(B, KAPPA), A.kernel(B, Kernel("kappa", symmetric=False))),
}


@pytest.mark.parametrize("inside", [lambda E: E, lambda E: E.exp(), lambda E: (E @ E.T.relu()).hadamard(E @ E.T)])
@pytest.mark.parametrize("name", SAME_IN_PRINT)
def test_what_only_looks_the_same_is_not_proved(name, inside):
    left, right = map(inside, SAME_IN_PRINT[name])
    assert not is_proved(left, right)
    assert left.normal_form != right.normal_form


@pytest.mark.parametrize("name", IDENTITIES)
def test_equal_normal_forms_have_equal_hashes(name):
    left, right = (side.normal_form for side in IDENTITIES[name])
    assert left == right
    assert hash(left) == hash(right)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, sympy.Integer(3)),
        (Fraction(-1, 3), sympy.Rational(-1, 3)),
        (sympy.Float(0.5) * ETA, ETA / 2),
        (0.1 * ETA, sympy.Rational(3602879701896397, 36028797018963968) * ETA),
    ],
)
def test_coefficient_is_exact(value, expected):
    assert exact_coefficient(value) == expected


@pytest.mark.parametrize("value", [sympy.oo, -sympy.oo, sympy.zoo, sympy.nan, sympy.I, ETA + sympy.I, 1j * ETA])
def test_a_coefficient_that_is_not_real_and_finite_is_refused(value):
    with pytest.raises(ValueError, match=r"a symbolic number must be real and finite, but .* came"):
        A.scale(value)


@pytest.mark.parametrize("value", ["eta", True, None, 1j, 0.5, arb(1)])
def test_a_coefficient_that_is_no_exact_number_is_refused(value):
    with pytest.raises(TypeError, match="a symbolic number must be an int, a Fraction or a SymPy expression, but"):
        exact_coefficient(value)


def test_one_column_repeated_in_every_block_is_that_column_times_ones():
    """[u 1^T, u] = u 1^T of the whole length, which is what generated tokens with a constant slot need."""
    a, b, row = letter("a", D, 1), letter("b", D, 1), A.ones(1, N)
    assert is_proved((a @ row).beside(a), a @ A.ones(1, N + 1))
    assert is_proved((a @ row - b @ row).beside(a - b, (a - b) @ row), (a - b) @ A.ones(1, 2 * N + 1))
    assert is_proved(row.beside(ONE), A.ones(1, N + 1))
    assert not is_proved((a @ row).beside(b), a @ A.ones(1, N + 1))
    assert not is_proved(X.beside(a), a @ A.ones(1, N + 1))
    assert not is_proved((a @ row).beside(a.scale(2)), a @ A.ones(1, N + 1))

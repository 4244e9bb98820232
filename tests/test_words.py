"""The normal form: whatever it proves is true (soundness), and what proofs need it proves (completeness samples)."""

from fractions import Fraction

import pytest
from expression_trees import DEPTH, ETA, FLAVOURS, MU, SHAPES, D, Instance, M, N, Symbols, block_of, trees, value_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.block import Kernel, compare
from constructions.comparison import Verdict
from proofs.symbols import SymbolBlock

letter = SymbolBlock.letter
A, B, C, I = letter("A", N, N), letter("B", N, N), letter("C", N, N), letter("A", N, N).identity(N)
X, U, V, W = letter("X", D, N), letter("U", D, N), letter("V", D, N), letter("W", M, D)
u, v, w = letter("u", N, 1), letter("v", N, 1), letter("w", N, 1)
s, t = letter("s", 1, 1), letter("t", 1, 1)
y = letter("y", 1, N)
ONE, ONES = A.identity(1), A.ones(N, 1)
S, G = X @ X.T, X.T @ X
P = letter("P", D, D)
KAPPA, THETA = Kernel("kappa"), Kernel("theta", symmetric=False)


def is_proved(left, right):
    return compare(left, right).verdict is Verdict.EQUAL


@pytest.mark.parametrize("flavour", FLAVOURS)
@settings(max_examples=150)
@given(data=st.data(), shape=SHAPES, seed=st.integers(0, 2**32))
def test_normal_form_of_an_expression_has_the_value_of_the_expression(flavour, data, shape, seed):
    tree, instance = data.draw(trees(*shape, flavour)), Instance(seed)
    try:
        normal_form = block_of(tree, Symbols()).normal_form
        expected = block_of(tree, instance)
        value = value_of(normal_form, instance)
    except ZeroDivisionError:
        assume(False)
    assert value.matrix == expected.matrix


@settings(max_examples=150)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_normal_form_of_scalars_and_vectors_has_the_value_of_the_expression(data, seed):
    shape = data.draw(st.tuples(*[st.sampled_from([N, 1])] * 2))
    tree, instance = data.draw(trees(*shape, "everything", depth=5, sizes=(N, 1, 1))), Instance(seed)
    try:
        normal_form = block_of(tree, Symbols()).normal_form
        expected = block_of(tree, instance)
        value = value_of(normal_form, instance)
    except ZeroDivisionError:
        assume(False)
    assert value.matrix == expected.matrix


IDENTITIES = {
    "products associate": ((A @ B) @ C, A @ (B @ C)),
    "products distribute": ((A + B) @ (B - C), A @ B - A @ C + B @ B - B @ C),
    "the transpose of a product": ((W @ X).T, X.T @ W.T),
    "the transpose of an inverse": (A.inverse().T, A.T.inverse()),
    "the transpose of an inverse of a sum": ((A + B).inverse().T, (B.T + A.T).inverse()),
    "the inverse of a product": ((A @ B.T).inverse(), B.T.inverse() @ A.inverse()),
    "the inverse of a multiple": ((A @ B).scale(-ETA).inverse(), (B.inverse() @ A.inverse()).scale(-1 / ETA)),
    "the inverse of a multiple of a sum": ((B - A).scale(3).inverse(), (A - B).inverse().scale(Fraction(-1, 3))),
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
    "relu of a positive multiple": ((A + B.scale(1 / N)).relu().scale(N * 2**DEPTH), ((A.scale(N) + B).relu().scale(2**DEPTH))),
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
    "an entrywise product of rank one": (U.hadamard(W.T @ letter("q", M, 1) @ y), (W.T @ letter("q", M, 1)).diagonal() @ U @ y.diagonal()),
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
    "relu twice, with a minus": ((-A.relu()).relu(), -A.relu()),
    "exp of a sum": ((A + B).exp(), A.exp() @ B.exp()),
    "exp of a sum, entrywise": ((A + B).exp(), A.exp().hadamard(B.exp())),
    "exp of minus": ((-A).exp(), A.exp().inverse()),
    "exp of a multiple": (A.scale(2).exp(), A.exp().scale(2)),
    "exp is not the identity": (A.exp(), A),
    "exp of ones": (ONES.exp(), ONES),
    "scalars are no matrices": (A @ (u.T @ v).diagonal() if False else (u.T @ A @ v) @ ONE, (u.T @ v) @ ONE),
    "u v^T is not v u^T": (u @ v.T, v @ u.T),
    "x^T A y with the wrong transpose": (u.T @ A @ v, u.T @ A.T @ v),
    "(u^T v)^2": ((u.T @ v) @ (u.T @ v), (u.T @ u) @ (v.T @ v)),
    "1 1^T = n": (ONES @ ONES.T, I.scale(N)),
    "1 1^T = n 1 1^T": (ONES @ ONES.T @ ONES, ONES),
    "diag(u) on the other side": (u.diagonal() @ A, A @ u.diagonal()),
    "diag(u) is not u 1^T": (u.diagonal(), u @ ONES.T),
    "diag of a sum over products": ((A @ u).diagonal(), A @ u.diagonal()),
    "the entrywise product is no product": (A.hadamard(B), A @ B),
    "entrywise powers differ": (A.hadamard(A).hadamard(A.T), A.hadamard(A.T).hadamard(A.T)),
    "the transpose of an entrywise product of unlike powers": (
        A.hadamard(A).hadamard(A.T),
        A.hadamard(A).hadamard(A.T).T,
    ),
    "a kernel that is not symmetric": (X.kernel(U, THETA), U.kernel(X, THETA).T),
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


def values(block):
    """The values of a block on instances, until ten of them are defined."""
    for seed in range(40):
        try:
            yield seed, value_of(block.normal_form, Instance(seed)).matrix
        except ZeroDivisionError:
            continue


@pytest.mark.parametrize("name", NOT_IDENTITIES)
def test_non_identity_has_a_counterexample(name):
    left, right = (dict(values(side)) for side in NOT_IDENTITIES[name])
    assert any(left[seed] != right[seed] for seed in left.keys() & right.keys())

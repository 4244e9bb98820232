"""Rewriting under declared relations: it keeps the value wherever the relations hold, and it ends."""

from fractions import Fraction
from itertools import permutations, product

import pytest
from expression_trees import SHAPES, D, Instance, M, N, Symbols, Tree, block_of, trees, value_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.block import FeatureMap, Kernel
from proofs.rewriting import reduced, rule
from proofs.symbols import SymbolBlock
from proofs.words import times_scalar

block = SymbolBlock.letter
F, X, W, Y = block("A_dd", D, D), block("A_dn", D, N), block("A_md", M, D), block("A_mn", M, N)
v, lam, x, z = block("A_d1", D, 1), block("A_11", 1, 1), block("x", D, 1), block("z", D, 1)
S, I = X @ X.T, F.identity(D)


def times(scalar):
    """A 1 x 1 block times the identity, as a sum."""
    return times_scalar(scalar.normal_form, I.normal_form)


def rules(*pairs):
    return [rule(left.normal_form, right.normal_form) for left, right in pairs]


def leaf(rows, columns):
    return Tree("letter", (), (f"A_{rows}{columns}", rows, columns))


GRAM = Tree("@", (leaf(D, N), Tree("T", (leaf(D, N),))))
PLANTED = (
    (D, D, Tree("T", (leaf(D, D),))),
    (D, D, Tree("@", (leaf(D, D), GRAM))),
    (D, D, Tree("@", (GRAM, leaf(D, D)))),
    (D, D, Tree("inverse", (leaf(D, D),))),
    (D, 1, Tree("@", (leaf(D, D), leaf(D, 1)))),
    (D, 1, Tree("@", (GRAM, leaf(D, 1)))),
    (1, 1, Tree("@", (Tree("T", (leaf(D, 1),)), leaf(D, 1)))),
)
"""The sides of the relations below, so that the rules apply."""


def under(relations, block):
    """The block's normal form under the relations."""
    return reduced(block.normal_form, rules(*relations))


SYMMETRIC = ((F.T, F),)
COMMUTING = (*SYMMETRIC, (F @ X @ X.T, X @ X.T @ F))
PROJECTOR = (*SYMMETRIC, (F @ F, F))
EIGENVECTOR = ((X @ X.T @ v, v @ lam),)
NOISELESS = ((Y, W @ X),)
RELATIONS = {
    "symmetric": SYMMETRIC,
    "commuting": COMMUTING,
    "commuting, the other way": (*SYMMETRIC, (X @ X.T @ F, F @ X @ X.T)),
    "projector": PROJECTOR,
    "eigenvector": EIGENVECTOR,
    "eigenvector of a symmetric matrix": (*SYMMETRIC, (F @ v, v @ lam)),
    "unit vector": ((v.T @ v, v.identity(1)),),
    "noiseless targets": NOISELESS,
    "scalar": ((lam, lam.identity(1).scale(2)),),
    "zero": ((X, X - X),),
}


def test_ones_that_a_rule_makes_of_a_column_are_counted():
    """1^T v with v = 1 is n, and not a word of two columns of ones."""
    ones, row = x.ones(D, 1), x.ones(1, D)
    assert under([(x, ones)], row @ x) == x.ones(1, 1).scale(D).normal_form
    assert under([(x, ones)], (x.ones(1, 1) - row @ x).relu()).is_zero


def within(name, seed):
    """An instance whose letters satisfy the relations of that name."""
    instance = Instance(seed)
    U, w, one, size = instance.letter("A_dn", D, N), instance.letter("A_md", M, D), instance.like, instance.size(D)
    first = one.fill(size, 1, lambda i, j: int(i == 0))
    if name in ("symmetric", "commuting", "commuting, the other way"):
        gram = U @ U.T
        instance.letters["A_dd"] = gram - (gram @ gram).scale(2) + gram.identity(size).scale(3)
    elif name == "projector":
        instance.letters["A_dd"] = U @ (U.T @ U).inverse() @ U.T
    elif name == "eigenvector of a symmetric matrix":
        instance.letters |= {"A_dd": one.identity(size).scale(3), "A_11": one.scale(3)}
    elif name == "eigenvector":
        U = U.fill(*U.shape, lambda i, j: 2 * int(i == j == 0) if 0 in (i, j) else U.matrix[i, j])
        instance.letters |= {"A_dn": U, "A_d1": first, "A_11": one.scale(4)}
    elif name == "unit vector":
        instance.letters["A_d1"] = first
    elif name == "noiseless targets":
        instance.letters["A_mn"] = w @ U
    elif name == "scalar":
        instance.letters["A_11"] = one.scale(2)
    else:
        instance.letters["A_dn"] = U - U
    return instance


@pytest.mark.parametrize("name", RELATIONS)
def test_instances_satisfy_the_relations(name):
    sides = [(left.normal_form, right.normal_form) for left, right in RELATIONS[name]]
    for seed in range(20):
        try:
            instance = within(name, seed)
        except ZeroDivisionError:
            continue
        assert all(value_of(left, instance).matrix == value_of(right, instance).matrix for left, right in sides)


@pytest.mark.parametrize("name", RELATIONS)
@settings(max_examples=60)
@given(data=st.data(), shape=SHAPES, seed=st.integers(0, 2**32))
def test_rewriting_keeps_the_value_where_the_relations_hold(name, data, shape, seed):
    tree = data.draw(trees(*shape, depth=3, letters="A", sizes=(D, N, 1), planted=PLANTED))
    try:
        instance = within(name, seed)
        expected = block_of(tree, instance)
        value = value_of(under(RELATIONS[name], block_of(tree, Symbols())), instance)
    except ZeroDivisionError:
        assume(False)
    assert value.matrix == expected.matrix


@pytest.mark.parametrize("name", ["commuting", "commuting, the other way"])
@pytest.mark.parametrize("ends", [(I, I), (x.T, z), (z.T, x), (x.T, x), (x.T, I), (I, z)])
def test_every_order_of_what_commutes_has_one_form(name, ends):
    orders = {tuple(order) for order in permutations([F, F.T, S, S])}
    forms = {under(RELATIONS[name], ends[0] @ a @ b @ c @ d @ ends[1]) for a, b, c, d in orders}
    assert len(forms) == 1


@pytest.mark.parametrize(("left", "right"), [*product([x, z, v, F @ x], repeat=2)])
def test_a_scalar_is_read_from_both_ends(left, right):
    relations = (*SYMMETRIC, (F @ v, v @ lam))
    assert under(relations, left.T @ F @ right) == under(relations, right.T @ F.T @ left)


def test_an_eigenvector_is_found_at_either_end_of_a_scalar():
    relations = (*SYMMETRIC, (F @ v, v @ lam))
    assert under(relations, x.T @ F @ v) == under(relations, v.T @ F @ x) == (lam @ x.T @ v).normal_form


def test_the_residual_of_newton_from_the_right_is_the_square_where_the_iterate_commutes():
    residual = I - (F.scale(2) - F @ S @ F) @ S
    assert under(COMMUTING, residual) == under(COMMUTING, (I - S @ F) @ (I - F @ S))


def test_the_inverse_and_transpose_of_a_letter_follow_its_relation():
    forms = [under(SYMMETRIC, block) for block in (F.T.inverse(), F.inverse().T, F.inverse())]
    assert forms[0] == forms[1] == forms[2]


def test_the_transpose_of_a_letter_is_rewritten_too():
    assert under(NOISELESS, Y.T @ Y) == (X.T @ W.T @ W @ X).normal_form


def test_a_projector_is_idempotent():
    assert under(PROJECTOR, F @ F.T @ F @ x) == (F @ x).normal_form


ARGUMENTS = {
    "relu": lambda A: (A - I).relu(),
    "exp": lambda A: A.exp(),
    "diagonal": lambda A: (A @ x).diagonal(),
    "the inverse of a sum": lambda A: (A + I).inverse(),
    "an entrywise product": lambda A: A.hadamard(S),
    "blocks side by side": lambda A: A.beside(I),
    "the keys of a kernel": lambda A: A.kernel(S, Kernel("kappa", symmetric=False)),
    "the queries of a kernel": lambda A: S.kernel(A, Kernel("kappa", symmetric=False)),
    "a feature map": lambda A: A.features(FeatureMap("phi")),
    "a function of a function": lambda A: (A.relu() @ x).exp(),
    "a transposed function": lambda A: A.exp().T @ S,
    "an inverted function": lambda A: A.exp().inverse(),
}


@pytest.mark.parametrize("place", ARGUMENTS)
def test_rules_apply_inside(place):
    inside = ARGUMENTS[place]
    assert inside(F.T).normal_form != inside(F).normal_form
    assert under(SYMMETRIC, inside(F.T)) == under(SYMMETRIC, inside(F))


def test_without_rules_nothing_changes():
    assert reduced(F.T.normal_form, []) == F.T.normal_form


def test_what_no_rule_speaks_of_stays():
    assert under(COMMUTING, W @ X) == (W @ X).normal_form


@pytest.mark.parametrize(
    "relations",
    [((W @ F, W @ S), (W @ S, W @ F)), ((F, F.T), (F.T, F)), ((F, F + I),)],
)
def test_rules_that_undo_each_other_are_noticed(relations):
    with pytest.raises(RecursionError, match="more than 2000 rewriting steps: two of the declared relations may undo"):
        under(relations, W @ F @ X)


@pytest.mark.parametrize("left", [F + S, F - I, X - X, I, F + F.T, x @ (x.T @ z) @ (z.T @ z), I @ (I.scale(2))])
def test_a_left_side_that_is_no_single_product_is_refused(left):
    with pytest.raises(ValueError, match="the left side of a relation must be a single product of letters"):
        rule(left.normal_form, left.normal_form)


def test_a_multiple_of_the_identity_is_no_left_side():
    multiple = (I.hadamard(I) @ I).normal_form, times(x.T @ z)
    with pytest.raises(ValueError, match="the left side of a relation must be a single product of letters"):
        rule(multiple[1], multiple[0])


def test_sides_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must have one shape, but they have \(d, n\) and \(d, d\)"):
        rule(X.normal_form, F.normal_form)


def test_a_multiple_on_the_left_is_divided_out():
    assert reduced(F.normal_form, rules((F.scale(2), S))) == S.scale(Fraction(1, 2)).normal_form

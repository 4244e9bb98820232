"""Rewriting under declared relations: it keeps the value wherever the relations hold, and it ends."""

from itertools import permutations, product

import pytest
from expression_trees import SHAPES, D, Instance, M, N, Symbols, block_of, trees, value_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constructions.block import Kernel
from numerics.rationals import RationalBlock
from proofs.rewriting import reduced, rule
from proofs.symbols import SymbolBlock

letter = SymbolBlock.letter
F, X, W, Y = letter("A_dd", D, D), letter("A_dn", D, N), letter("A_md", M, D), letter("A_mn", M, N)
v, lam, x, z = letter("A_d1", D, 1), letter("A_11", 1, 1), letter("x", D, 1), letter("z", D, 1)
S, I = X @ X.T, F.identity(D)


def rules(*pairs):
    return [rule(left.normal_form, right.normal_form) for left, right in pairs]


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


def polynomial(drawn):
    """S - 2 S^2 + 3 I of the drawn S."""
    gram = drawn["A_dn"] @ drawn["A_dn"].T
    return gram - (gram @ gram).scale(2) + gram.identity(gram.rows).scale(3)


def projector(drawn):
    U = drawn["A_dn"]
    return U @ (U.T @ U).inverse() @ U.T


def letters_within(name, seed):
    """Rational letters that satisfy the relations of that name, and the sizes that they have."""
    base = Instance(seed)
    drawn = {}
    for held, rows, columns in (("A_dn", D, N), ("A_md", M, D), ("A_d1", D, 1), ("B_dn", D, N)):
        drawn[held] = base.letter(held, rows, columns)
    size, one = base.size(D), base.like
    first = one.fill(size, 1, lambda i, j: int(i == 0))
    if name in ("symmetric", "commuting", "commuting, the other way"):
        drawn["A_dd"] = polynomial(drawn)
    if name == "projector":
        drawn["A_dd"] = projector(drawn)
    if name == "eigenvector of a symmetric matrix":
        drawn |= {"A_dd": one.identity(size).scale(3), "A_11": one.scale(3)}
    if name == "eigenvector":
        U = drawn["A_dn"]
        pick = one.fill(size, size, lambda i, j: int(i == j and i > 0))
        top = first @ one.fill(1, base.size(N), lambda i, j: 2 * int(j == 0))
        below = pick @ U @ one.fill(base.size(N), base.size(N), lambda i, j: int(i == j and i > 0))
        drawn |= {"A_dn": top + below, "A_d1": first, "A_11": one.scale(4)}
    if name == "unit vector":
        drawn["A_d1"] = first
    if name == "noiseless targets":
        drawn["A_mn"] = drawn["A_md"] @ drawn["A_dn"]
    if name == "scalar":
        drawn["A_11"] = one.scale(2)
    if name == "zero":
        drawn["A_dn"] = drawn["A_dn"] - drawn["A_dn"]
    return drawn, base.sizes


@pytest.mark.parametrize("name", RELATIONS)
@settings(max_examples=60)
@given(data=st.data(), shape=SHAPES, seed=st.integers(0, 2**32))
def test_rewriting_keeps_the_value_where_the_relations_hold(name, data, shape, seed):
    tree = data.draw(trees(*shape, depth=3, letters="A", sizes=(D, N, 1)))
    try:
        instance = Instance(seed, *letters_within(name, seed))
        expected = block_of(tree, instance)
        value = value_of(under(RELATIONS[name], block_of(tree, Symbols())), instance)
    except ZeroDivisionError:
        assume(False)
    assert value.matrix == expected.matrix


@pytest.mark.parametrize("name", RELATIONS)
def test_instances_of_the_previous_test_satisfy_the_relations(name):
    for seed in range(30):
        try:
            instance = Instance(seed, *letters_within(name, seed))
        except ZeroDivisionError:
            continue
        for left, right in RELATIONS[name]:
            assert value_of(left.normal_form, instance).matrix == value_of(right.normal_form, instance).matrix

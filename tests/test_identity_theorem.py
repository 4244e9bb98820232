"""Theorems that are one equation: what each kind of evidence says of true, false and undecidable ones."""

from fractions import Fraction

import pytest

from constructions.block import Kernel
from constructions.kernels import LINEAR, polynomial
from proofs.catalogue import catalogue
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Settings
from proofs.identity_theorem import IdentityTheorem

SHAPES = {"A": ("n", "d"), "B": ("n", "d"), "c": ("n", 1)}


def product_of_sums(data):
    A, B = data["A"], data["B"]
    return (A + B).T @ (A - B), A.T @ A - B.T @ B + B.T @ A - A.T @ B


def without_cross_terms(data):
    A, B = data["A"], data["B"]
    return (A + B).T @ (A - B), A.T @ A - B.T @ B


def theorem(sides=product_of_sums, **options):
    given = {"shapes": SHAPES, "wrong": {"without the cross terms": without_cross_terms}} | options
    return IdentityTheorem(name="a", system="this project", reference="a test", statement="A.", sides=sides, **given)


def outcome(held, kind):
    return held.evidence(kind, Settings()).outcome


@pytest.mark.parametrize("kind", ["proof", "exact", "float", "refutation"])
def test_true_equation_holds_in_every_kind(kind):
    assert theorem().kinds == ("proof", "exact", "float", "refutation")
    assert outcome(theorem(), kind) == HOLDS


def test_false_equation_is_refuted_by_numbers_and_only_undecided_by_symbols():
    false = theorem(without_cross_terms)
    assert [outcome(false, kind) for kind in ("proof", "exact", "float")] == [FAILS] * 3
    assert false.evidence("proof", Settings()).undecided
    exact = false.evidence("exact", Settings())
    assert not exact.undecided
    assert " is not " in exact.reason


def test_equation_called_wrong_that_is_right_is_not_refuted():
    evidence = theorem(wrong={"the same": product_of_sums}).evidence("refutation", Settings())
    assert (evidence.outcome, evidence.reason) == (FAILS, "not refuted: the same")


def exponential_of_a_sum(data):
    """exp(c + c') exp(-c') = exp(c): entry by entry."""
    c, e = data["c"], data["c"].scale(Fraction(1, 3))
    return (c + e).exp().hadamard((-e).exp()), c.exp()


def test_equation_with_an_exponential_is_enclosed_in_balls():
    held = theorem(exponential_of_a_sum, wrong={"the logarithm": lambda data: (data["c"].exp(), data["c"])}, bits=128)
    assert held.kinds == ("proof", "ball", "float", "refutation")
    evidence = held.evidence("ball", Settings())
    assert evidence.outcome == HOLDS
    assert 0 <= evidence.worst <= evidence.bound < 1e-30
    assert evidence.over.endswith("128 bits")
    assert outcome(held, "float") == HOLDS
    assert held.evidence("proof", Settings()).undecided


def test_balls_too_wide_to_reject_a_false_equation_count_as_not_run():
    def nearly(data):
        return data["c"].exp(), data["c"].exp().scale(1 + Fraction(1, 2**40))

    held = theorem(lambda data: (data["c"].exp(), data["c"].exp()), wrong={"nearly the same": nearly}, bits=16)
    evidence = held.evidence("ball", Settings())
    assert evidence.outcome == NOT_RUN
    assert evidence.reason == "uninformative: the bound does not reject the equation nearly the same"


def inverse_of_a_gram_matrix(data):
    K = data["A"].T @ data["A"]
    return K @ K.inverse(), K.identity(K.rows)


def test_instances_with_a_singular_matrix_are_drawn_again():
    held = theorem(inverse_of_a_gram_matrix, wrong={})
    assert outcome(held, "exact") == HOLDS
    assert outcome(held, "float") == HOLDS


def test_equation_that_always_inverts_a_singular_matrix_is_refused():
    def sides(data):
        c = data["c"] - data["c"]
        return c.T.diagonal().inverse(), c.T.diagonal()

    with pytest.raises(ZeroDivisionError, match="a has a singular matrix on each of 100 instances"):
        theorem(sides, wrong={}).evidence("exact", Settings())


def kernel_of_a_pair(data):
    A, B = data["A"], data["B"]
    return A.kernel(B, data["kappa"]), B.kernel(A, data["kappa"]).T


def test_equation_about_a_kernel_is_proved_for_all_and_evaluated_on_some():
    held = theorem(kernel_of_a_pair, kernels=(LINEAR, polynomial(2)), wrong={})
    assert [outcome(held, kind) for kind in ("proof", "exact", "float")] == [HOLDS] * 3
    assert "kappa(A, B)" in held.shown()
    assert Kernel("kappa").is_arbitrary


def test_equation_about_given_entries_is_about_these_alone():
    table = [[1, 2], [3, 4]]

    def square(data):
        return data["A"] @ data["A"], data["A"].fill(2, 2, lambda i, j: [[7, 10], [15, 22]][i][j])

    def wrong(data):
        return data["A"].T @ data["A"], data["A"].fill(2, 2, lambda i, j: [[7, 10], [15, 22]][i][j])

    held = theorem(square, given={"A": table}, shapes={"A": (2, 2)}, wrong={"transposed": wrong})
    assert {outcome(held, kind) for kind in held.kinds} == {HOLDS}
    assert held.evidence("exact", Settings()).over == "the entries given"
    assert "A = [[1, 2], [3, 4]]" in held.shown()


@pytest.mark.parametrize("name", [name for name, t in catalogue().items() if isinstance(t, IdentityTheorem)])
def test_every_equation_of_the_catalogue_has_false_ones_beside_it(name):
    held = catalogue()[name]
    assert held.wrong
    assert held.shown()

"""Matrix identities: what is false is undecided, refuted on numbers, and never counted as evidence."""

from dataclasses import replace

import pytest
import sympy

from constructions.stages import Relation
from proofs import geometric_weights, linear_loss, momentum_buffers, momentum_sum
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Settings
from proofs.geometric_weights import NEXT_COLUMN, RECURSION_IN_T, n
from proofs.matrix_identities import Lemma

THEOREMS = [linear_loss.theorem(), momentum_sum.theorem(), momentum_buffers.theorem()]
every = pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.name)
SETTINGS = Settings(seed=3, instances=6)


@every
def test_every_slip_is_neither_proved_nor_held(theorem):
    for name, slip in theorem.slips.items():
        wrong = replace(theorem, identities=(slip,), slips={})
        proof, exact = (wrong.evidence(kind, SETTINGS) for kind in ("proof", "exact"))
        assert (proof.outcome, proof.undecided) == (FAILS, True), name
        assert exact.outcome == FAILS, name
        assert not exact.undecided
        assert wrong.evidence("float", SETTINGS).outcome == FAILS, name


@every
def test_true_identity_among_the_slips_is_found(theorem):
    tame = replace(theorem, slips={"none at all": theorem.identities[0]})
    assert tame.evidence("refutation", SETTINGS).reason == "not refuted: none at all"
    floats = tame.evidence("float", SETTINGS)
    assert floats.outcome == NOT_RUN
    assert "uninformative" in floats.reason


def test_identity_needs_its_lemmas():
    bare = replace(momentum_sum.theorem(), lemmas=())
    assert bare.evidence("proof", SETTINGS).outcome == FAILS
    assert bare.evidence("exact", SETTINGS).outcome == HOLDS


def test_wrong_case_of_a_lemma_is_undecided():
    wrong = Lemma(NEXT_COLUMN.relation, (("every i", sympy.Symbol("a"), sympy.Symbol("b")),))
    evidence = replace(momentum_sum.theorem(), lemmas=(*momentum_sum.theorem().lemmas, wrong)).evidence(
        "proof", SETTINGS
    )
    assert (evidence.outcome, evidence.reason) == (FAILS, "undecided: lemma, every i")


def test_wrong_lemma_is_refuted_on_numbers():
    def wrong(data):
        right = NEXT_COLUMN.relation(data)
        return Relation("a wrong lemma", right.left, right.right.scale(2))

    theorem = replace(momentum_sum.theorem(), lemmas=(Lemma(wrong, (), is_rule=False),))
    evidence = theorem.evidence("exact", SETTINGS)
    assert evidence.outcome == FAILS
    assert evidence.reason.startswith("a wrong lemma:")


def test_a_side_with_two_letters_for_a_rule_is_refused():
    def both(data):
        return Relation("two", data["G"] + data["E"], data["G"])

    with pytest.raises(ValueError, match="single product of letters"):
        list(replace(momentum_sum.theorem(), lemmas=(Lemma(both, ()),)).proved())


def test_cases_of_the_lemmas_use_the_entries_of_the_weights(monkeypatch):
    """R with a wrong entry right of the diagonal would be noticed by its case, not only on numbers."""
    monkeypatch.setattr(geometric_weights, "resolvent_entry", lambda eta, i, t: eta ** (t - i) if i <= t else eta)
    (_, left, right) = RECURSION_IN_T.cases[2]
    assert left == right == 0
    s = geometric_weights.s
    assert geometric_weights._R(n + s + 1, n) == geometric_weights.eta


@every
def test_printed_theorem_shows_identities_lemmas_and_slips(theorem):
    shown = theorem.shown()
    for slip in theorem.slips:
        assert slip in shown
    assert shown.count("both =") == len(theorem.identities)
    assert shown.count("Lemma, ") == len(theorem.lemmas)
    assert "undecided" not in shown


def test_an_undecided_identity_is_shown_as_undecided():
    theorem = linear_loss.theorem()
    wrong = replace(theorem, identities=(next(iter(theorem.slips.values())),))
    assert "undecided" in wrong.shown()


def test_same_seed_gives_the_same_instances():
    theorem = linear_loss.theorem()
    first, second = (theorem.evidence("float", Settings(seed=5, instances=4)) for _ in range(2))
    assert (first.worst, first.bound) == (second.worst, second.bound)

"""Mutations: every single-block change is refuted and located, or proved to change nothing."""

from dataclasses import replace
from functools import cache

import pytest

from constructions.attention import EVERY_TOKEN
from constructions.gdpp import GDPlusPlus
from constructions.gradient_descent import GradientDescent
from constructions.layer import MLP, Layer, TokenMap
from constructions.newton import NewtonFromIdentity
from constructions.newton_paper import PaperNewton
from constructions.prompt import Prompt
from constructions.weights import Weight
from numerics.mutations import Mutation, mutations
from proofs.catalogue import catalogue
from proofs.construction_theorem import ConstructionTheorem, equivalent_among, refutation_evidence
from proofs.evidence import Settings
from proofs.induction import SymbolicRun
from proofs.theorem import Verification

THEOREMS = [theorem for theorem in catalogue().values() if isinstance(theorem, ConstructionTheorem)]
EVERY_THEOREM = pytest.mark.parametrize(
    # One worker for both tests of a theorem, so that its outcomes are found once.
    "theorem",
    [pytest.param(each, id=each.name, marks=pytest.mark.xdist_group(f"mutations of {each.name}")) for each in THEOREMS],
)


@cache
def outcomes_of(name):
    return catalogue()[name].mutation_outcomes(Settings(seed=2, instances=6))


@EVERY_THEOREM
def test_survivors_are_exactly_the_mutants_proved_equivalent(theorem):
    outcomes = outcomes_of(theorem.name)
    assert outcomes
    for outcome in outcomes:
        assert (outcome.refuted_at is None) == outcome.is_equivalent, str(outcome.mutation)
        assert (outcome.survivor is None) == (not outcome.is_equivalent)


@EVERY_THEOREM
def test_refuted_mutants_are_located_in_a_layer_slot_and_group(theorem):
    for outcome in outcomes_of(theorem.name):
        if outcome.refuted_at is not None:
            assert "layer" in outcome.refuted_at
            assert "slot" in outcome.refuted_at
            assert "group" in outcome.refuted_at


def test_idle_block_of_the_printed_weights_is_named():
    """P = (eta / n) I_D has an x block that nothing reads, since the values have no x rows."""
    theorem = catalogue()["k_linear_layers_take_k_gradient_steps"]
    survivors = {(str(o.mutation), o.survivor) for o in theorem.mutation_outcomes(Settings()) if o.survivor}
    assert survivors == {
        (f"stage 1, sublayer 1, head 1, projection, block x <- x {change}", "idle")
        for change in ("negated", "doubled", "deleted")
    }


def test_every_block_of_every_weight_is_changed_in_three_ways():
    run = SymbolicRun(GDPlusPlus(step_sizes=[1], curvature_steps=[1]))
    found = list(mutations(run.construction, run.prompt))
    places = {(m.weight, m.block) for m in found}
    assert places == {
        ("query", ("x", "x")),
        ("key", ("x", "x")),
        ("value", ("x", "x")),
        ("value", ("y", "y")),
        ("projection", ("x", "x")),
        ("projection", ("y", "y")),
        ("mask", None),
    }
    assert len(found) == 3 * (len(places) - 1) + 1


def test_factor_is_changed_in_three_ways_where_there_is_one():
    run = SymbolicRun(PaperNewton(alpha=1, steps=1))
    (head, *_) = run.construction.layer(0, run.prompt).sublayers[0].heads
    factors = [m for m in mutations(run.construction, run.prompt) if m.weight == "factor" and m.stage == 3]
    assert [(m.head, m.change) for m in factors] == [(h, c) for h in (0, 1) for c in ("negated", "doubled", "deleted")]
    layer = run.construction.layer(0, run.prompt)
    changed = [m(3, layer).sublayers[0].heads[0].factor for m in factors[:3]]
    assert changed == [-head.factor, 2 * head.factor, 0]


def test_unit_factor_and_absent_mask_are_left_alone():
    run = SymbolicRun(NewtonFromIdentity(alpha=1, steps=1))
    assert {m.weight for m in mutations(run.construction, run.prompt)} == {"query", "key", "value"}


def test_dropped_mask_makes_every_token_a_key():
    run = SymbolicRun(GradientDescent(step_sizes=[1]))
    layer = run.construction.layer(0, run.prompt)
    mutant = Mutation(0, 0, 0, "mask", None, "dropped")
    assert layer.sublayers[0].heads[0].mask != EVERY_TOKEN
    assert mutant(0, layer).sublayers[0].heads[0].mask == EVERY_TOKEN
    assert str(mutant) == "stage 1, sublayer 1, head 1, mask dropped"


def test_mask_that_the_read_out_does_not_need_is_named():
    """The masked network reads <u_i, x> out of the query's column last, where its own y is still empty."""
    theorem = catalogue()["newton_from_gram_runs_in_k_plus_2_masked_layers"]
    survivors = {(str(o.mutation), o.survivor) for o in theorem.mutation_outcomes(Settings()) if o.survivor}
    assert survivors == {("stage 3, sublayer 1, head 1, mask dropped", "idle")}


def test_block_that_is_zero_in_the_first_layer_of_a_loop_is_changed_as_well():
    class Growing(NewtonFromIdentity):
        def layer(self, l, prompt):
            return Layer(*super().layer(l, prompt).sublayers, TokenMap(Weight({("y", "x"): l})))

    run = SymbolicRun(Growing(alpha=1, steps=1))
    assert not run.construction.layer(0, run.prompt).sublayers[1].weight
    changes = [m.change for m in mutations(run.construction, run.prompt) if m.block == ("y", "x")]
    assert changes == ["negated", "doubled", "deleted"]


def test_loop_without_layers_has_no_mutations():
    prompt = Prompt([[1]], [[1]], [[1]]).lifted()
    found = list(mutations(NewtonFromIdentity(alpha=1, steps=0), prompt))
    assert {m.stage for m in found} == {1}


def test_mutation_changes_one_block_and_nothing_else():
    run = SymbolicRun(GradientDescent(step_sizes=[1], W_0=[[1]]))
    layer = run.construction.layer(0, run.prompt)
    changed = Mutation(0, 0, 0, "value", ("y", "y"), "negated")(0, layer)
    before, after = layer.sublayers[0].heads[0], changed.sublayers[0].heads[0]
    assert after.value["y", "y"] == 1
    assert after.value["y", "x"] is before.value["y", "x"]
    assert (after.key, after.query, after.projection, after.mask) == (
        before.key,
        before.query,
        before.projection,
        before.mask,
    )


def test_deletion_removes_the_block():
    layer = Layer(TokenMap(Weight({("x", "x"): 1, ("y", "x"): 2})))
    changed = Mutation(0, 0, None, "weight", ("y", "x"), "deleted")(0, layer)
    assert dict(changed.sublayers[0].weight) == {("x", "x"): 1}


def test_mutation_reaches_the_weights_of_an_mlp():
    layer = Layer(MLP(Weight({("h", "x"): 1}), Weight({("x", "h"): 1})))
    changed = Mutation(0, 0, None, "outer", ("x", "h"), "doubled")(0, layer)
    assert dict(changed.sublayers[0].outer) == {("x", "h"): 2}


def test_mutation_of_another_stage_changes_nothing():
    layer = Layer(TokenMap(Weight({("x", "x"): 1})))
    assert Mutation(1, 0, None, "weight", ("x", "x"), "deleted")(0, layer) is layer


def test_equivalence_is_proved_for_an_idle_block_only():
    run = SymbolicRun(GradientDescent(step_sizes=[1], W_0=[[1]]))
    idle, needed = (
        Mutation(0, 0, 0, "projection", ("x", "x"), "deleted"),
        Mutation(0, 0, 0, "projection", ("y", "y"), "deleted"),
    )
    assert equivalent_among(run, [idle, needed]) == {idle}


def test_a_survivor_that_is_not_proved_equivalent_refutes_nothing():
    theorem = catalogue()["newton_from_identity_runs_in_k_plus_1_layers"]
    evidence = theorem.evidence("refutation", Settings(instances=1))
    assert (evidence.outcome, evidence.undecided) == ("fails", True)
    assert "survives these instances" in evidence.reason
    assert not Verification(theorem, (evidence,)).refuted


def test_a_refuted_mutant_that_is_proved_equivalent_is_a_contradiction():
    theorem = catalogue()["linear_attention_head_takes_one_gradient_step"]
    odd = [replace(each, is_equivalent=True) for each in outcomes_of(theorem.name)]
    evidence = refutation_evidence(odd)
    assert (evidence.outcome, evidence.undecided) == ("fails", False)
    assert "proved equivalent, but refuted" in evidence.reason

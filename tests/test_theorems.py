"""Every theorem of the catalogue, each kind of evidence its own test: ``pytest -k gradient_step`` verifies one."""

import re
from pathlib import Path

import pytest

from proofs.catalogue import catalogue, theorem_named
from proofs.evidence import HOLDS, Settings
from proofs.refuted import RefutedStatement
from proofs.theorem import SYSTEMS, verify

CATALOGUE = catalogue()

CASES = [
    pytest.param(name, kind, id=f"{name}-{kind}", marks=[pytest.mark.cuda] if kind == "cuda" else [])
    for name, theorem in CATALOGUE.items()
    for kind in theorem.kinds
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_theorem(name, kind):
    settings = Settings(seed=1, instances=8, device="cuda" if kind == "cuda" else "cpu")
    evidence = CATALOGUE[name].evidence(kind, settings)
    assert evidence.outcome == HOLDS, evidence.reason


REQUIRED = {
    "linear_attention_head_takes_one_gradient_step",
    "k_linear_layers_take_k_gradient_steps",
    "only_products_of_attention_weights_matter",
    "gdpp_layers_precondition_by_their_own_inputs",
    "recurrent_gdpp_is_one_looped_layer",
    "gdpp_follows_a_spectral_recursion",
    "attention_stack_takes_preconditioned_gradient_steps",
    "relaxed_attention_stack_moves_the_inputs_as_well",
    "best_single_gradient_step_has_a_closed_form",
    "unmasked_query_acts_as_a_training_example",
    "unmasked_query_is_harmless_for_one_layer_from_zero",
    "query_started_at_plus_w0_x_as_printed_is_false",
    "unmasked_query_takes_gradient_steps_as_printed_is_false",
    "preconditioner_without_transpose_as_printed_is_false",
    "gdpp_with_w0_in_the_value_weights_as_printed_is_false",
    "interleaved_network_with_query_among_the_keys_runs_newton_on_s_plus_x_xt",
    "newton_from_gram_without_its_mask_runs_on_s_plus_x_xt",
    "newton_follows_a_spectral_recursion",
    "newton_stalls_at_twice_the_inverse_spectral_norm",
    "newton_vanishes_at_twice_the_inverse_frobenius_norm_at_rank_one",
    "newton_iterates_expand_in_odd_powers_of_the_gram_matrix",
    "relu_heads_of_equal_values_run_newton_as_printed_is_false",
    "query_in_the_unmasked_sums_as_printed_is_false",
    "newton_from_twice_the_inverse_norm_converges_as_printed_is_false",
    "moment_expansion_of_newton_as_printed_is_false",
    "causal_attention_runs_newton_as_printed_is_false",
}


def test_catalogue_holds_every_theorem_of_the_slice():
    assert set(CATALOGUE) >= REQUIRED


def test_readme_lists_exactly_the_theorems_of_the_catalogue():
    readme = Path(__file__).parent.parent.joinpath("README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| `([\w/.]+)` \|", readme, flags=re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(CATALOGUE)
    for name, module in listed:
        assert Path(__file__).parent.parent.joinpath(module).is_file(), name


def test_every_theorem_has_the_four_kinds_of_evidence():
    for theorem in CATALOGUE.values():
        assert {"proof", "float", "refutation"} <= set(theorem.kinds), theorem.name
        assert {"exact", "ball"} & set(theorem.kinds), theorem.name


def test_names_are_identifiers_and_systems_are_known():
    for name, theorem in CATALOGUE.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert theorem.name == name
        assert theorem.system in SYSTEMS
        assert theorem.statement.endswith(".")


def test_every_refuted_statement_names_a_correction_of_the_catalogue():
    refuted = [theorem for theorem in CATALOGUE.values() if isinstance(theorem, RefutedStatement)]
    assert refuted
    for theorem in refuted:
        assert theorem.name.endswith("_is_false")
        assert not theorem.corrected.endswith("_is_false")
        assert theorem.corrected in CATALOGUE


def test_unknown_theorem_is_refused_with_the_nearest_names():
    with pytest.raises(KeyError, match="linear_attention_head_takes_one_gradient_step"):
        theorem_named("linear_attention_takes_one_gradient_step")


def test_unknown_system_is_refused():
    from dataclasses import replace

    with pytest.raises(ValueError, match="it must be one of von Oswald"):
        replace(CATALOGUE["k_linear_layers_take_k_gradient_steps"], system="somebody")


def test_same_seed_gives_the_same_evidence():
    theorem = CATALOGUE["k_linear_layers_take_k_gradient_steps"]
    first, second = (theorem.evidence("float", Settings(seed=7, instances=5)) for _ in range(2))
    assert (first.worst, first.bound, first.over) == (second.worst, second.bound, second.over)


def test_evidence_says_for_which_numbers_of_targets_it_is():
    over = {name: CATALOGUE[name].evidence("proof", Settings()).over for name in CATALOGUE if "newton" in name}
    assert over["interleaved_relu_network_runs_newton_in_k_plus_8_layers"].startswith(
        "all n, d; m = 1 and every number"
    )
    assert over["newton_from_identity_runs_in_k_plus_2_interleaved_layers"].startswith("all n, d, m and every number")


def test_one_exact_instance_is_larger_than_the_others():
    theorem = CATALOGUE["newton_from_gram_runs_in_k_plus_2_masked_layers"]
    evidence = theorem.evidence("exact", Settings(instances=4))
    assert evidence.over == "n 1..9, d 1..6, m 1..2, layers 0..5"
    assert evidence.instances == 5


def test_shown_theorem_has_symbols_for_its_parameters():
    shown = CATALOGUE["recurrent_gdpp_is_one_looped_layer"].shown()
    assert "step_sizes:  eta, any, the same in every layer" in shown
    assert "W_0 (m x d):  W_0 = 0" in shown


def test_verification_as_json_has_the_documented_fields():
    record = verify(CATALOGUE["unmasked_query_is_harmless_for_one_layer_from_zero"], Settings(instances=4)).as_json()
    assert set(record) == {"name", "system", "reference", "statement", "verified", "evidence"}
    assert record["verified"] is True
    for evidence in record["evidence"]:
        assert set(evidence) == {"kind", "outcome", "over", "instances", "worst", "bound", "seconds", "reason"}


@pytest.mark.parametrize(
    ("options", "message"), [({"instances": 0}, "at least one instance"), ({"device": "tpu"}, "'cpu' or 'cuda'")]
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)

"""The two forms of a Newton step: what float runs do, measured by another route, and broken forms."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from constructions.newton_gram import NewtonFromGramMasked
from constructions.newton_interleaved import NewtonInterleaved
from constructions.prompt import Prompt
from numerics.error_growth import rounded_states
from numerics.newton_growth import CONVERGED, STEPS, Growth, newton_growth
from proofs import newton_stability
from proofs.catalogue import catalogue
from proofs.evidence import FAILS, HOLDS, NOT_RUN, Settings

NAME = "printed_newton_heads_double_antisymmetric_errors"
DTYPES = pytest.mark.parametrize("dtype", STEPS)


def small_run(network, slot, group, dtype="float64", **options):
    X = np.array([[1.5, 0.25, -1.0, 2.0], [0.5, -0.75, 1.0, 0.125]], dtype)
    prompt = Prompt(X, np.ones((1, 4), dtype), np.ones((2, 1), dtype))
    return X, rounded_states(network(alpha=0.01, steps=5, looped=True, **options), prompt, slot, group)


def exact_tokens(X, alpha, steps, from_gram):
    """M_k X by object arrays of Fractions."""
    X = np.array([[Fraction(float(value)) for value in row] for row in X], dtype=object)
    S = X @ X.T
    M = Fraction(alpha) * (S if from_gram else np.array([[Fraction(1), 0], [0, Fraction(1)]], dtype=object))
    for _ in range(steps):
        M = 2 * M - M @ S @ M
    return M @ X


@pytest.mark.parametrize("printed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors_are_those_against_the_exact_iterates(printed, dtype):
    X, states = small_run(NewtonFromGramMasked, "u", "context", dtype, printed=printed)
    assert [state.index for state in states] == list(range(6))
    for state in states:
        exact = exact_tokens(X, 0.01, state.index, from_gram=True)
        gap = np.array([[Fraction(float(value)) for value in row] for row in state.value], dtype=object) - exact
        squared = sum(value**2 for value in gap.flat) / sum(value**2 for value in exact.flat)
        assert float(state.error.mid()) == pytest.approx(float(squared) ** 0.5, rel=1e-9)
        assert state.error < 1e-5


def test_errors_are_measured_in_a_network_with_layers_before_the_loop():
    X, states = small_run(NewtonInterleaved, "u", "targets")
    assert np.array_equal(states[0].value, 0.01 * X)
    assert states[0].error < 1e-15


def test_rounding_of_one_layer_stays_within_its_radius():
    X, states = small_run(NewtonFromGramMasked, "u", "context", "float32")
    for before, after in itertools.pairwise(states):
        U = np.array([[Fraction(float(value)) for value in row] for row in before.value], dtype=object)
        held = np.array([[Fraction(float(value)) for value in row] for row in X], dtype=object)
        exact = 2 * U - U @ (held.T @ U)
        gaps = np.array([float(abs(Fraction(float(a)) - b)) for a, b in zip(after.value.flat, exact.flat, strict=True)])
        assert (gaps <= after.radius.flatten()).all()
        assert gaps.any()


@DTYPES
def test_error_of_the_printed_form_doubles_in_the_long_run(dtype):
    """At least as the identity says: twice the antisymmetric part of step 20 each time, less the rounding bound."""
    found = newton_growth(dtype)
    least = found.least_errors(CONVERGED)
    assert all(state.error >= bound for state, bound in zip(found.printed[CONVERGED:], least, strict=True))
    assert all(after > before for before, after in itertools.pairwise(least))
    assert least[0] > 0


@DTYPES
def test_antisymmetric_part_doubles_up_to_rounding_in_every_step(dtype):
    """Its growth lies within 2 +- bound / part, an interval that shrinks as the part grows."""
    found = newton_growth(dtype, seed=5)
    parts = found.antisymmetric
    assert all(abs(b - 2 * a) <= r for a, b, r in zip(parts, parts[1:], found.rounding[1:], strict=False))
    distances = [bound / part for part, bound in zip(parts, found.rounding[1:], strict=False)]
    assert distances[-1] < distances[0] / 2 ** (STEPS[dtype] // 2)


@DTYPES
def test_error_of_the_stable_form_stays_below_its_bound(dtype):
    found = newton_growth(dtype)
    errors, bounds = found.limit_errors(CONVERGED), found.largest_errors(CONVERGED)
    assert all(error <= bound for error, bound in zip(errors[1:], bounds[1:], strict=True))
    assert bounds[-1] < found.least_errors(CONVERGED)[-1]


def test_other_dtypes_are_refused():
    with pytest.raises(ValueError, match="dtype = 'float16': it must be one of float32, float64"):
        newton_growth("float16")


def fresh():
    return newton_stability.theorems()[0]


def test_exchanged_forms_are_neither_proved_nor_exact(monkeypatch):
    exchanged = tuple(
        (name, lambda printed, network=network: network(not printed), x, u)
        for name, network, x, u in newton_stability._NETWORKS
    )
    monkeypatch.setattr(newton_stability, "_NETWORKS", exchanged)
    assert fresh().evidence("proof", Settings()).outcome == FAILS
    assert fresh().evidence("exact", Settings()).outcome == FAILS


def test_stable_run_taken_for_the_printed_one_is_uninformative(monkeypatch):
    def stable_twice(dtype, seed=0):
        found = newton_growth(dtype, seed)
        return Growth(found.dtype, found.inputs, found.stable, found.stable)

    monkeypatch.setattr(newton_stability, "newton_growth", stable_twice)
    evidence = fresh().evidence("float", Settings())
    assert (evidence.outcome, "uninformative" in evidence.reason) == (NOT_RUN, True)
    assert fresh().evidence("closed_form", Settings()).outcome == FAILS


def test_printed_run_that_grows_faster_is_refused(monkeypatch):
    """Every other state left out: the part is multiplied by four, which rounding does not explain."""

    def every_other(dtype, seed=0):
        found = newton_growth(dtype, seed)
        return Growth(found.dtype, found.inputs, found.printed[::2], found.stable[::2])

    monkeypatch.setattr(newton_stability, "newton_growth", every_other)
    assert fresh().evidence("float", Settings()).outcome == FAILS


def test_true_identity_counted_as_a_slip_is_reported(monkeypatch):
    true = {**newton_stability.WRONG, "doubling": lambda held: newton_stability._grown(held, True, 2)}
    monkeypatch.setattr(newton_stability, "WRONG", true)
    evidence = fresh().evidence("refutation", Settings())
    assert (evidence.outcome, evidence.reason) == (FAILS, "not refuted: doubling")


def test_theorem_shows_its_identities_and_the_measured_growth():
    theorem = catalogue()[NAME]
    shown = theorem.shown()
    assert "both =  2 U - U U' X" in shown
    assert "float64:  k   printed   grew by   |A| grew by   stable" in shown
    assert all(theorem.evidence(kind, Settings()).outcome == HOLDS for kind in theorem.kinds)

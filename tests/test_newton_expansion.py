"""The expansion of Newton's iterates: against other routes, and with its evidence made to fail."""

from fractions import Fraction
from functools import cached_property

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from constructions.construction import forward
from constructions.newton_as_printed import FirstIterateAsPrinted, SecondIterateAsPrinted
from constructions.newton_expansion import expansion_coefficients, odd_powers
from constructions.newton_gram import NewtonFromGramMasked
from numerics.rationals import RationalBlock, as_fraction
from numerics.strategies import rational_prompts
from proofs import newton_expansion, prove
from proofs.catalogue import theorem_named
from proofs.counterexamples import smallest_counterexample
from proofs.evidence import Settings
from proofs.newton_expansion import MOST_STEPS, NewtonExpansion

THEOREM = theorem_named("newton_iterates_expand_in_odd_powers_of_the_gram_matrix")


@pytest.mark.parametrize("k", range(MOST_STEPS + 1))
def test_coefficients_are_those_of_the_iteration(k):
    """SymPy's polynomials in s, at alpha = 1: p <- 2 p - s p^2 from s."""
    s = sympy.Symbol("s")
    p = sympy.Poly(s, s)
    for _ in range(k):
        p = 2 * p - sympy.Poly(s, s) * p * p
    descending = p.all_coeffs()[::-1]
    assert tuple(descending[1::2]) == expansion_coefficients(k)
    assert not any(descending[::2])
    assert p.degree() == 2 ** (k + 1) - 1


def test_first_coefficients_by_hand():
    assert [expansion_coefficients(k) for k in range(3)] == [(1,), (2, -1), (4, -6, 4, -1)]


def test_negative_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="steps = -1: the number of Newton steps must be at least 0"):
        expansion_coefficients(-1)


@given(rational_prompts(), st.integers(0, 3), st.fractions(0, 2, max_denominator=7))
def test_network_predicts_by_the_expansion(prompt, k, alpha):
    held = prompt.lifted()
    S = held.X @ held.X.T
    power, M = S, S.zeros(*S.shape)
    for j, c in enumerate(expansion_coefficients(k), start=1):
        M, power = M + power.scale(c * alpha**j), power @ S @ S
    claimed = (held.Y @ held.X.T @ M @ held.x_query).matrix
    network = NewtonFromGramMasked(alpha=alpha, steps=k)
    assert (forward(network, prompt) + held.Y.zeros(held.m, 1)).matrix == claimed


def test_odd_powers_of_a_number():
    """2 * 3 * 5 + 7 * 3^2 * 5^3 + 11 * 3^3 * 5^5, at alpha = 3 and S = 5."""
    (value,) = odd_powers((2, 7, 11), RationalBlock.lift([[5]]), Fraction(3)).entry[0]
    assert as_fraction(value) == 2 * 3 * 5 + 7 * 9 * 125 + 11 * 27 * 3125


def test_printed_second_iterate_is_one_step_from_the_printed_first():
    """The two printed expansions agree with each other, at s = 2 and alpha = 3, and with nothing else."""
    s, alpha = 2, 3

    def value(coefficients):
        return sum(c * alpha**j * s ** (2 * j - 1) for j, c in enumerate(coefficients, start=1))

    p = value(FirstIterateAsPrinted.coefficients)
    assert value(SecondIterateAsPrinted.coefficients) == 2 * p - s * p**2
    assert p != 2 * alpha * s - s * (alpha * s) ** 2


@pytest.mark.parametrize(("network", "claimed"), [(FirstIterateAsPrinted, -2), (SecondIterateAsPrinted, -8)])
def test_printed_expansion_fails_on_one_number(network, claimed):
    """X = y = x = alpha = 1: every true iterate is 1; printed are 2 - 4 and 4 - 12 + 16 - 16."""
    example = smallest_counterexample(network(alpha=1))
    assert (example.predicted, example.claimed) == ([[1]], [[claimed]])
    assert not prove(network(alpha=1)).holds


def test_wrong_identity_is_no_proof(monkeypatch):
    s = sympy.Symbol("s")
    wrong = cached_property(lambda self: (("1 = 1 - s", sympy.Integer(1), 1 - s),))
    wrong.__set_name__(NewtonExpansion, "steps")
    monkeypatch.setattr(NewtonExpansion, "steps", wrong)
    evidence = NewtonExpansion(**named()).evidence("proof", Settings())
    assert (evidence.outcome, evidence.undecided) == ("fails", True)
    assert "1 = 1 - s" in evidence.reason


def named():
    return {name: getattr(THEOREM, name) for name in ("name", "system", "reference", "statement")}


@pytest.mark.parametrize("slip", newton_expansion.SLIPS)
@pytest.mark.parametrize("kind", ["exact", "float"])
def test_every_slip_in_the_coefficients_fails(monkeypatch, kind, slip):
    wrong = [newton_expansion.SLIPS[slip](k) for k in range(MOST_STEPS + 1)]
    monkeypatch.setattr(newton_expansion, "expansion_coefficients", wrong.__getitem__)
    monkeypatch.setattr(newton_expansion, "SLIPS", {})
    assert THEOREM.evidence(kind, Settings()).outcome == "fails"


def test_network_that_is_not_the_recursion_is_found(monkeypatch):
    class Other(NewtonFromGramMasked):
        def layer(self, l, prompt):
            return super().layer(l + 1, prompt)

    monkeypatch.setattr(newton_expansion, "NewtonFromGramMasked", Other)
    assert THEOREM.evidence("exact", Settings()).outcome == "fails"


def test_slip_that_is_none_survives_and_is_named(monkeypatch):
    monkeypatch.setattr(newton_expansion, "SLIPS", {"nothing": expansion_coefficients})
    refutation = THEOREM.evidence("refutation", Settings())
    assert (refutation.outcome, refutation.reason) == ("fails", "not refuted: nothing")
    blind = THEOREM.evidence("float", Settings())
    assert (blind.outcome, blind.reason) == ("not run", "uninformative: no bound rejects nothing")

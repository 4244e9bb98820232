"""What samples miss of the loss of three layers of GD++: exact shares and chances."""

from fractions import Fraction

import pytest

from proofs.gdpp_sampling import BATCH_FIT, MAJORANT, chance_above, share_below


def test_a_third_of_the_loss_at_most_is_from_contexts_that_a_batch_has():
    assert Fraction(1, 4) < share_below() < Fraction(1, 3)
    assert chance_above() < Fraction("0.12")


def test_chance_grows_with_the_batch():
    assert chance_above(40_000) == 2 * chance_above(20_000)


@pytest.mark.parametrize("place", [0, 5, 12])
def test_a_majorant_with_a_smaller_coefficient_is_refused(place):
    lowered = [c - max(20, abs(c) // 10**6) * (k == place) for k, c in enumerate(MAJORANT)]
    with pytest.raises(ValueError, match=r"h is no bound: it must exceed q\^2 on \[0, 17/4\]"):
        share_below(majorant=lowered)


def test_a_majorant_that_falls_below_0_is_refused():
    with pytest.raises(ValueError, match="and 0 beyond"):
        share_below(BATCH_FIT, [10**9, 0, -1])

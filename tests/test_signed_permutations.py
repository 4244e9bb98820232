"""Averages over signed permutations: the group, the slopes, and what only the whole group gives."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from numerics import signed_permutations as module
from numerics.signed_permutations import averaged_loss, averaged_slope, averaged_slopes, signed_permutations, slope_at_0

ONE = fmpq_mat(2, 2, [1, 0, 0, 1])
R = fmpq_mat(2, 2, [2, 0, 1, 1])
SIGMA = R * R.transpose()
X = fmpq_mat(2, 3, [1, 2, 0, -1, 1, fmpq(1, 2)])
STEPS, MAPS = [fmpq(-1, 3) * SIGMA.inv(), fmpq(1, 2) * SIGMA.inv()], [fmpq(1, 2) * ONE, 0 * ONE]


@pytest.mark.parametrize(("d", "count"), [(1, 2), (2, 8), (3, 48), (4, 384)])
def test_group_has_as_many_orthogonal_elements_as_it_should(d, count):
    group = list(signed_permutations(d))
    assert len({str(O) for O in group}) == count
    assert all(O * O.transpose() == O * O.inv() for O in group)


def test_average_is_the_mean_of_float_losses():
    """The same mean by NumPy, with the recursion written out anew."""
    r, x = np.array(R.tolist(), dtype=float), np.array(X.tolist(), dtype=float)
    sigma, prior = r @ r.T, np.linalg.inv(r @ r.T)
    losses = []
    for O in signed_permutations(2):
        moved = r @ np.array(O.tolist(), dtype=float) @ np.linalg.inv(r) @ x
        S = moved @ moved.T / 3
        J = F = np.eye(2)
        for a, b in ((-1 / 3, 1 / 2), (1 / 2, 0)):
            J, F = J + J @ S @ F.T @ (a * prior) @ F, F + b * F @ S @ F.T @ (a * prior) @ F
        losses.append(np.trace(prior @ J @ sigma @ J.T))
    assert float(averaged_loss(STEPS, MAPS, X, R)) == pytest.approx(np.mean(losses), rel=1e-12)


def test_gradient_stays_in_the_family_exactly():
    by_steps, by_maps = averaged_slopes(STEPS, MAPS, X, R)
    for l, (G, H) in enumerate(zip(by_steps, by_maps, strict=True)):
        slopes = [averaged_slope(STEPS, MAPS, X, R, *at) for at in ((l, SIGMA.inv()), (2 + l, ONE))]
        assert G == fmpq(slopes[0].numerator, 2 * slopes[0].denominator) * SIGMA
        assert H == fmpq(slopes[1].numerator, 2 * slopes[1].denominator) * ONE


def test_gradient_leaves_the_family_without_the_permutations(monkeypatch):
    """Signs alone make it diagonal, no more."""
    signs = [O for O in signed_permutations(2) if O[0, 1] == 0]
    monkeypatch.setattr(module, "signed_permutations", lambda d: iter(signs))
    by_steps, _ = averaged_slopes([fmpq(-1, 3) * ONE], [0 * ONE], X, ONE)
    assert by_steps[0][0, 1] == 0
    assert by_steps[0][0, 0] != by_steps[0][1, 1]


def test_slope_of_a_polynomial_of_a_higher_degree_is_wrong():
    assert slope_at_0(lambda t: Fraction(7 * t + t**5 - t**6), 6) == 7
    assert slope_at_0(lambda t: Fraction(7 * t + t**5), 4) != 7


@pytest.mark.parametrize("d", [0, 5])
def test_groups_that_are_empty_or_too_large_are_refused(d):
    with pytest.raises(ValueError, match=rf"d = {d}: groups of 1\.\.4 features"):
        list(signed_permutations(d))


def test_another_number_of_input_maps_is_refused():
    with pytest.raises(ValueError, match="2 matrices A_l and 1 matrices B_l came"):
        averaged_loss(STEPS, MAPS[:1], X, R)


def test_a_singular_root_is_refused():
    with pytest.raises(ZeroDivisionError):
        averaged_loss(STEPS, MAPS, X, fmpq_mat(2, 2, [1, 1, 1, 1]))

"""The looped transformer's loss on multiples of the identity: reference values and moments of single eigenvalues."""

import numpy as np
import pytest
import sympy
from scipy.optimize import minimize_scalar

from proofs.index_sums import d, n
from proofs.looped_scalar_loss import scalar_loss

a = sympy.Symbol("a", real=True)


@pytest.mark.parametrize(("tokens", "step", "loss"), [(20, 0.628077, 2.10528), (100, 0.894458, 0.194513)])
def test_reference_values_of_two_loops(tokens, step, loss):
    value = sympy.lambdify(a, scalar_loss(2, a, tokens, 10))
    best = minimize_scalar(value, bounds=(0, 1), method="bounded", options={"xatol": 1e-10})
    assert best.x == pytest.approx(step, abs=5e-7)
    assert best.fun == pytest.approx(loss, rel=5e-6)


def test_no_loop_predicts_nothing():
    assert scalar_loss(0) == d


def test_loss_of_two_loops_for_many_tokens():
    """At a = 1 - b / n, whatever b, n^2 loss -> d (2 d^2 + 5 d + 5)."""
    b = sympy.Symbol("b")
    above, below = sympy.fraction(sympy.cancel(scalar_loss(2, 1 - b / n) * n**2))
    leading = sympy.Poly(above, n).LC() / sympy.Poly(below, n).LC()
    assert sympy.Poly(above, n).degree() == sympy.Poly(below, n).degree()
    assert sympy.expand(leading - d * (2 * d**2 + 5 * d + 5)) == 0


def test_sampled_loss_agrees_within_its_standard_error():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100_000, 2, 5))
    eigenvalues = np.linalg.eigvalsh(X @ np.swapaxes(X, 1, 2) / 5)
    losses = ((1 - eigenvalues / 2) ** 6).sum(axis=1)
    claimed = float(scalar_loss(3, sympy.Rational(1, 2), 5, 2))
    assert abs(losses.mean() - claimed) < 4 * losses.std() / np.sqrt(len(losses))


def test_a_negative_number_of_loops_is_refused():
    with pytest.raises(ValueError, match="loops = -1: at least 0"):
        scalar_loss(-1)


@pytest.mark.parametrize(("tokens", "features"), [(0, 1), (1, 0)])
def test_empty_sizes_are_refused(tokens, features):
    with pytest.raises(ValueError, match="at least 1 is required"):
        scalar_loss(1, a, tokens, features)

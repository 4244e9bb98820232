"""Layers of different step sizes, against gradient descent written out in plain Fractions."""

from fractions import Fraction
from itertools import permutations

from constructions.prompt import Prompt
from constructions.step_polynomial import StepPolynomial
from numerics.check import check
from numerics.rationals import as_fmpq

X = [[Fraction(1, 2), 2, -1], [3, Fraction(-1, 3), 1]]
Y, X_QUERY, W_STAR = [[1, -2, Fraction(5, 2)]], [[1], [Fraction(1, 4)]], [[7, -3]]
STEPS = (Fraction(1, 3), Fraction(-1, 2), Fraction(1, 5))
ROOT = [[2, 1], [0, 1]]
INVERSE_COVARIANCE = [[Fraction(1, 4), Fraction(-1, 4)], [Fraction(-1, 4), Fraction(5, 4)]]
"""(H H^T)^-1 for H = ROOT, by hand."""


def prediction(steps, preconditioner):
    """w <- w - a P (1/n) sum_i (w^T x_i - y_i) x_i, entry by entry."""
    w = [Fraction(0), Fraction(0)]
    for a in steps:
        residuals = [sum(w[j] * X[j][i] for j in range(2)) - Y[0][i] for i in range(3)]
        gradient = [sum(residuals[i] * X[j][i] for i in range(3)) / 3 for j in range(2)]
        w = [w[j] - a * sum(preconditioner[j][k] * gradient[k] for k in range(2)) for j in range(2)]
    return sum(w[j] * X_QUERY[j][0] for j in range(2))


def test_layers_take_steps_preconditioned_by_the_inverse_covariance():
    layers = StepPolynomial(step_sizes=STEPS, root=ROOT)
    assert layers(X, Y, X_QUERY)[0, 0] == as_fmpq(prediction(STEPS, INVERSE_COVARIANCE))


def test_prediction_does_not_depend_on_the_order_of_the_steps():
    predictions = {StepPolynomial(step_sizes=order, root=ROOT)(X, Y, X_QUERY)[0, 0] for order in permutations(STEPS)}
    assert predictions == {as_fmpq(prediction(STEPS, INVERSE_COVARIANCE))}


def test_claim_holds_for_any_teacher_on_noisy_labels():
    prompt = Prompt(X, Y, X_QUERY, (("W_star", W_STAR),))
    assert check(StepPolynomial(step_sizes=STEPS, root=ROOT), prompt).holds


def test_claim_fails_if_the_noise_enters_by_phi():
    class Slip(StepPolynomial):
        def weights(self, iterate, prompt):
            return super().weights(iterate._replace(R=iterate.F), prompt)

    prompt = Prompt(X, Y, X_QUERY, (("W_star", W_STAR),))
    assert not check(Slip(step_sizes=STEPS, root=ROOT), prompt).holds

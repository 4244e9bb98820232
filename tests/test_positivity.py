"""Signs for all sizes: what the coefficients decide, and what they do not."""

import pytest
import sympy

from proofs.positivity import Positivity

n, d = sympy.symbols("n d")


@pytest.mark.parametrize(
    ("expression", "least", "holds"),
    [
        (n - 1, {n: 2}, True),
        (n - 1, {n: 1}, False),
        (1 / (n - 2), {n: 3}, True),
        (-n, {n: 1}, False),
        (n * d - 6, {n: 2, d: 3}, False),
        (n * d - 5, {n: 2, d: 3}, True),
        (n - d**2, {n: d**2 + 1, d: 1}, True),
        (n - d**2, {n: d**2, d: 1}, False),
        (sympy.Integer(0), {n: 1}, False),
    ],
)
def test_signs(expression, least, holds):
    assert Positivity("", expression, least).holds is holds


def test_a_positive_function_with_a_negative_coefficient_is_not_decided():
    assert not Positivity("", n**2 - n + 1, {n: 0}).holds


def test_the_print_says_for_which_values():
    shown = Positivity("it grows", n - d, {n: d + 1, d: 1}).written()
    assert shown == "it grows\n    0 <    -d + n   for n >= d + 1, d >= 1, by its coefficients"

"""The figures of the report: which are drawn, and what they show."""

import re
from dataclasses import replace

import pytest
from reported import ARGUED, FALSE, HEAD, LEMMA

from numerics.newton_growth import newton_growth
from proofs.catalogue import catalogue
from proofs.evidence import FAILS, HOLDS, Evidence
from proofs.evidence_file import Gathered
from proofs.figures import CONDITIONS, figures
from proofs.theorem import Verification

GROWTH = "printed_newton_heads_double_antisymmetric_errors"


def gathered(**evidence):
    """Evidence for some theorems, by name."""
    held = tuple(Verification(catalogue()[name], pieces) for name, pieces in evidence.items())
    return Gathered(0, "cpu", {}, held)


def floated(worst, bound, outcome=HOLDS):
    return (Evidence("float", outcome, worst=worst, bound=bound),)


def drawn(report):
    return {figure.name: figure for figure in figures(report)}


def places(figure, colour):
    """The x coordinates of the points of one colour, from left to right."""
    found = re.findall(rf'<circle class="dot colour-{colour}" cx="([\d.]+)"', figure.svg)
    return sorted(map(float, found))


def mark(figure):
    return float(re.search(r'class="mark" d="M([\d.]+)', figure.svg)[1])


def test_identities_lie_left_of_the_line_and_counterexamples_right_of_it():
    figure = drawn(gathered(**{HEAD: floated(1e-15, 1e-13), LEMMA: floated(0.0, 1e-13), FALSE: floated(2.0, 1e-15)}))[
        "rounding-shares"
    ]
    left, right = places(figure, 1), places(figure, 2)
    assert len(left) == 2
    assert len(right) == 1
    assert max(left) < mark(figure) < right[0]


def test_the_numbers_of_the_rounding_figure_are_those_of_the_evidence():
    figure = drawn(gathered(**{HEAD: floated(1e-15, 1e-13), FALSE: floated("5/2", "1/3")}))["rounding-shares"]
    assert figure.rows == ((HEAD, "float", 1e-15, 1e-13), (FALSE, "float", 2.5, 1 / 3))


@pytest.mark.parametrize("piece", [floated(None, None), floated("inf", 1.0), floated(1.0, "inf"), floated(0.0, 0.0)])
def test_a_run_without_a_share_is_no_point(piece):
    assert "rounding-shares" not in drawn(gathered(**{LEMMA: piece}))


def test_a_run_that_fails_is_no_point():
    assert "rounding-shares" not in drawn(gathered(**{LEMMA: floated(1.0, 2.0, FAILS)}))


def test_figures_are_drawn_for_the_theorems_that_they_illustrate():
    assert drawn(gathered(**{LEMMA: floated(None, None)})) == {}
    assert set(drawn(gathered(**{HEAD: floated(None, None)}))) == {"convergence", "rounding"}
    assert drawn(gathered(**{ARGUED: floated(None, None)})).keys() >= {"step-counts"}


def test_newton_needs_the_fewest_steps_at_every_condition_number():
    figure = drawn(gathered(**{ARGUED: floated(None, None)}))["step-counts"]
    assert figure.columns == ("condition number", "gradient descent", "conjugate gradient", "Newton")
    assert len(figure.rows) == len(CONDITIONS)
    counts = [tuple(map(int, row[1:])) for row in figure.rows]
    assert all(newton < conjugate < descent for descent, conjugate, newton in counts)
    assert counts[-1] == (13815504, 7255, 24)


def test_the_growth_figure_shows_the_errors_of_both_forms():
    figure = drawn(gathered(**{GROWTH: floated(None, None)}))["growth"]
    growth = newton_growth("float64")
    column = figure.columns.index("printed heads, float64")
    assert figure.rows[30][column] == float(growth.printed[30].error.mid())
    assert figure.rows[30][column] > 1e6 * figure.rows[30][figure.columns.index("stable heads, float64")]


def test_the_seed_is_that_of_the_evidence():
    report = gathered(**{HEAD: floated(None, None)})
    other = replace(report, seed=1)
    assert drawn(report)["convergence"].rows != drawn(other)["convergence"].rows

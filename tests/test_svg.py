"""Plots as SVG: where points lie, what the ticks are, and what is refused."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.svg import BOTTOM, HEIGHT, LEFT, MOST_TICKS, RIGHT, TOP, WIDTH, Axis, Series, around, plotted

LINEAR, LOG = Axis("x", 0, 10), Axis("y", 1e-4, 1, is_log=True)


def test_the_ends_of_the_axes_are_the_corners_of_the_plot():
    svg = plotted("p", "", LINEAR, LOG, [Series("s", [(0, 1e-4), (10, 1)], 1)])
    corners = f"M{LEFT:.1f} {HEIGHT - BOTTOM:.1f}L{WIDTH - RIGHT:.1f} {TOP:.1f}"
    assert f'd="{corners}"' in svg


def test_a_logarithmic_axis_places_the_geometric_mean_in_the_middle():
    assert LOG.place(1e-2) == pytest.approx(0.5, rel=0, abs=1e-15)


@pytest.mark.parametrize(("value", "place"), [(-1, 0), (0, 0), (1e-9, 0), (7, 1), (math.inf, 1)])
def test_what_is_beyond_an_axis_is_at_its_end(value, place):
    assert LOG.place(value) == place


@given(st.integers(-300, 300), st.integers(1, 300))
def test_the_ticks_of_a_logarithmic_axis_are_powers_of_ten_within_it(low, decades):
    low, high = max(low, -300), min(low + decades, 300)
    if low == high:
        return
    ticks = Axis("", 10.0**low, 10.0**high, is_log=True).ticks()
    assert 0 < len(ticks) <= MOST_TICKS
    powers = [round(math.log10(tick)) for tick in ticks]
    assert low <= powers[0]
    assert powers[-1] <= high
    assert len({b - a for a, b in pairwise(powers)}) <= 1


@given(st.integers(1, 5000))
def test_the_ticks_of_a_linear_axis_are_few_whole_and_equally_far(high):
    ticks = Axis("", 0, high).ticks()
    assert ticks[0] == 0
    assert len(ticks) <= MOST_TICKS
    assert all(tick == int(tick) <= high for tick in ticks)
    assert len({b - a for a, b in pairwise(ticks)}) <= 1


def test_the_powers_of_ten_around_numbers():
    assert around([0.0, 0.03, 20.0, math.inf]) == (0.01, 100.0)
    assert around([1.0]) == (1.0, 10.0)


def test_names_are_escaped():
    svg = plotted("p", "<b>", LINEAR, LOG, [Series("s", [(1, 1)], 1, is_line=False, titles=["<i>"])])
    assert "<b>" not in svg
    assert "<title>&lt;i&gt;</title>" in svg


def test_a_plot_has_no_colour_or_font_of_its_own():
    svg = plotted("p", "", LINEAR, LOG, [Series("s", [(0, 1e-4), (10, 1)], 1)], mark=3)
    assert not re.search(r"style=|fill=|stroke=|font|#[0-9a-f]{3}", svg)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, math.inf), (math.nan, 1)])
def test_an_axis_without_length_is_refused(low, high):
    with pytest.raises(ValueError, match="its ends must be finite and ascending"):
        Axis("", low, high)


def test_a_logarithmic_axis_from_zero_is_refused():
    with pytest.raises(ValueError, match="a logarithmic axis from 0: its ends must be positive"):
        Axis("", 0, 1, is_log=True)

"""Every picture: its name, what its caption and axes say, and that no text covers another."""

import re
from itertools import combinations

import pytest

from proofs.pictures import MODULES, pictures

GROUP = pytest.mark.xdist_group("pictures")
"""One worker draws each picture once."""


def test_every_picture_has_a_name_of_its_own():
    names = [picture.name for module in MODULES for picture in module.PICTURES]
    assert len(set(names)) == len(names) == len(pictures())


@GROUP
@pytest.mark.plots
@pytest.mark.parametrize("name", pictures())
def test_caption_says_seed_and_sizes(name, drawn):
    caption = " ".join(drawn(name).get_supxlabel().split())
    assert "seed 3" in caption or "nothing is drawn at random" in caption
    assert re.search(r"n = \d+|n = d|n and d", caption)


@GROUP
@pytest.mark.plots
@pytest.mark.parametrize("name", pictures())
def test_every_axis_is_labelled(name, drawn):
    for axis in drawn(name).axes:
        assert axis.get_ylabel()
        assert axis.get_xlabel() or axis.get_label() == "<colorbar>"


@GROUP
@pytest.mark.plots
@pytest.mark.parametrize("name", pictures())
def test_no_label_is_cut_off_or_covers_another(name, drawn):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = drawn(name)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [figure._suptitle, figure._supxlabel]
    for axis in figure.axes:
        labels += [axis.xaxis.label, axis.yaxis.label]
        labels += axis.get_legend().get_texts() if axis.get_legend() else []
    boxes = [label.get_window_extent(canvas.get_renderer()) for label in labels if label.get_text()]
    assert all(min(box.x0, box.y0) >= 0 for box in boxes)
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(box.y1 <= figure.bbox.y1 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]

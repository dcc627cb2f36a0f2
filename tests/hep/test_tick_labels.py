"""Labels of axes of integers and of categories: none is written over another."""

import itertools
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spectrum_workflows.hep.plot.style import categories, styled
from spectrum_workflows.hep.spec.axes import Axis

INTEGERS = [
    (0, 10),
    (0, 25),
    (0, 26),
    (-3, 40),
    (-500, 501),
    (362_000, 362_031),
    (7, 8),
    (0, 9_999),
]
WORDS = [
    ("e", "mu", "tau"),
    tuple(f"HLT_Mu{k}_TrkIsoVVL" for k in range(12)),
    tuple(f"trigger {k}" for k in range(45)),
]


def of_integers(start: int, stop: int) -> Axis:
    return Axis("n", stop - start, float(start), float(stop), integer=True)


def of_words(words: tuple[str, ...]) -> Axis:
    return Axis("n", len(words), 0.0, float(len(words)), categories=words)


def drawn(axis: Axis, which: str) -> tuple[list[str], list[Any]]:
    """Texts of an axis in a panel of the usual size, and the boxes they are in."""
    with styled():
        fig = Figure(figsize=(7.2, 5.6), layout="constrained")
        canvas, axes = FigureCanvasAgg(fig), fig.subplots()
        getattr(axes, f"set_{which}lim")(axis.start, axis.stop)
        along = getattr(axes, f"{which}axis")
        categories(along, axis)
        canvas.draw()
        labels = along.get_ticklabels()
        boxes = [label.get_window_extent(canvas.get_renderer()) for label in labels]
        return [label.get_text() for label in labels], boxes


@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize("axis", [*itertools.starmap(of_integers, INTEGERS), *map(of_words, WORDS)])
def test_no_label_is_over_another(axis: Axis, which: str) -> None:
    texts, boxes = drawn(axis, which)
    assert texts
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    if axis.categories:
        assert texts == [*axis.categories]
    else:
        assert all(axis.start <= int(text) < axis.stop for text in texts)
        assert len(texts) >= min(axis.bins, 4)


def test_numbers_stand_at_the_centres_of_their_bins() -> None:
    with styled():
        axes = Figure().subplots()
        categories(axes.xaxis, of_integers(-3, 40))
        places = {
            t.get_text(): p for t, p in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        }
    assert places["0"] == 0.5
    assert {int(b) - int(a) for a, b in itertools.pairwise(places)} == {5}

"""Pictures on request: by name, on one scale, of a region; and to explore without a network."""

import sys

import matplotlib as mpl
import numpy as np
import pytest

from spectrum_workflows import connect, explore, load_site, load_spec, run, show, vary
from spectrum_workflows.errors import SpecError
from spectrum_workflows.examples import make_data
from spectrum_workflows.radio.plot.showing import round_length
from spectrum_workflows.varying import changed, value_of

pytestmark = pytest.mark.xdist_group("showing")  # what they share is made once

SMALL = {"hep/dimuon": 2000, "radio/vla_sim": 20_000}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, outcomes = str(tmp_path_factory.mktemp("showing")), {}
    with connect(load_site("serial"), data=folder, results=folder) as place:
        for name, size in SMALL.items():
            spec = load_spec(name)
            make_data(spec, place, size=size)
            outcomes[spec.workflow] = run(spec, place)
        yield outcomes, place


def images(figure):
    return [
        axes.images[0] for axes in figure.axes if axes.images and "colorbar" not in axes.get_label()
    ]


def test_images_side_by_side_have_one_scale_and_sky_coordinates(ran) -> None:
    outcome = ran[0]["radio"]
    figure = show(outcome, ["dirty", "image"])
    drawn = images(figure)
    assert len(drawn) == 2
    assert drawn[0].norm.vmin == drawn[1].norm.vmin
    assert drawn[0].norm.vmax == drawn[1].norm.vmax
    apart = images(show(outcome, ["dirty", "image"], common=False))
    assert apart[0].norm.vmin != apart[1].norm.vmin
    [first, *_] = figure.axes
    centre = outcome.result.geometry.npix // 2
    world = first.wcs.pixel_to_world(centre, centre)
    expected = np.degrees(outcome.result.observation.phase_centre)
    np.testing.assert_allclose([world.ra.deg, world.dec.deg], expected, atol=1e-6)
    assert [p for p in first.patches if isinstance(p, mpl.patches.Ellipse)]
    assert any(text.get_text().endswith(("'", '"')) for text in first.texts)


def test_a_residual_is_drawn_symmetric_around_zero(ran) -> None:
    [drawn] = images(show(ran[0]["radio"], "residual"))
    assert drawn.norm.vmin == -drawn.norm.vmax
    assert drawn.get_cmap().name == "RdBu_r"


def test_a_region_is_that_of_the_sky(ran) -> None:
    outcome = ran[0]["radio"]
    figure = show(outcome, "image", region=(100.0, -50.0, 200.0))
    [drawn] = images(figure)
    assert drawn.get_array().shape == (81, 81)  # of 2.5 arcsec
    whole = outcome.result.planes[0].image
    np.testing.assert_array_equal(drawn.get_array(), whole[196:277, 176:257])
    with pytest.raises(ValueError, match="outside the image"):
        show(outcome, "image", region=(1e6, 0, 10))
    with pytest.raises(ValueError, match="three|east"):
        show(outcome, "image", region=(1, 2))


def test_histograms_are_shown_by_name_and_on_one_scale(ran) -> None:
    outcome = ran[0]["hep"]
    figure = show({"a": outcome, "b": outcome}, "z", region=(80, 100))
    assert [axes.get_xlim() for axes in figure.axes] == [(80, 100)] * 2
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert "statistical uncertainty" in labels


def test_what_cannot_be_shown_is_said_with_what_can(ran) -> None:
    with pytest.raises(SpecError, match=r"there is no 'residul' to show.*residual"):
        show(ran[0]["radio"], "residul")
    with pytest.raises(SpecError, match="there is no 'ranking'"):
        show(ran[0]["hep"], "ranking")  # it has no likelihood fit


@pytest.mark.parametrize(("science", "what"), [("radio", "residual"), ("hep", "spectrum")])
def test_a_page_to_explore_needs_no_network(ran, tmp_path, science, what) -> None:
    explorer = explore(ran[0][science], what)
    assert len(repr(explorer)) < 100
    assert "<script src=" not in explorer.html
    assert '<link rel="stylesheet" href="http' not in explorer.html
    explorer.save(str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text() == explorer.html
    assert explorer._repr_html_().startswith("<iframe ")


def test_a_slider_runs_where_it_is_moved_to(ran) -> None:
    outcomes, place = ran
    box = vary(outcomes["hep"], place, "luminosity", (10.0, 20.0), picture="z")
    slider, below = box.children
    assert slider.value == 10.0
    assert below.outputs == ()  # nothing before it is moved
    spec = outcomes["hep"].spec
    assert value_of(changed(spec, "cuts.muon_pt", 25.0), "cuts.muon_pt") == 25.0
    assert value_of(spec, "cuts.muon_pt") is None


def test_without_widgets_there_is_no_slider(ran, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert vary(ran[0]["hep"], ran[1], "luminosity", (10.0, 20.0)) is None


def test_bars_of_scale_have_round_lengths() -> None:
    assert [round_length(x) for x in (7.3, 0.3, 59.0, 250.0, 1e4)] == [
        5.0,
        0.2,
        50.0,
        240.0,
        6000.0,
    ]

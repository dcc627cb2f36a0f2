"""What the planner says, against what happens."""

import pytest

from spectrum_workflows import calibrate, check, load_site, run, save
from spectrum_workflows.cli.commands import app
from spectrum_workflows.errors import OutputError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution import residual_image
from spectrum_workflows.radio.plan import forecast
from spectrum_workflows.radio.plan.forecast import COSTS
from spectrum_workflows.record import read_record
from spectrum_workflows.sites import Place, calibration
from spectrum_workflows.stages import Forecast

from .conftest import spec_of

STRIPS = {
    "image": {"npix": 256, "cell_arcsec": 8.0},
    "partition": {"max_visibilities": 351 * 8 * 2},
    "strips": {"count": 4},
    "weighting": {"scheme": "uniform"},
    "clean": {"max_major": 2, "threshold": 0.001, "iterations": 400},
    "self_check": False,
}


@pytest.fixture
def place(small, tmp_path) -> Place:
    return Place(load_site("serial"), str(small), str(tmp_path))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A user without costs of this machine."""
    monkeypatch.setattr(calibration, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


def test_every_stage_is_foretold_and_recorded(place, monkeypatch):
    """Tasks as they are; bytes between tasks within 1.2 of the planner's figure."""
    monkeypatch.setattr(residual_image, "SPARE", 1)  # so that minor cycles subtract sidelobes
    spec = spec_of(**STRIPS)
    found = check(spec, place)
    outcome = run(spec, place)
    names = ["weights", "strips", "image", "psf", "psf transform", "minor cycle"]
    names += ["major cycle"]
    assert [stage.name for stage in found.stages] == names
    record = read_record(save(outcome, place))
    assert record["plan"]["method"].startswith("4 uv strips of at most ")
    stages = {stage["name"]: stage for stage in record["stages"]}
    assert {"major cycle 1", "major cycle 2"} <= stages.keys()
    for name in (*names[:5], "major cycle 2"):
        expected, measured = stages[name]["expected"], stages[name]["measured"]
        assert measured["tasks"] == expected["tasks"], name
        assert measured["bytes_moved"] <= 1.2 * expected["bytes_moved"], name
        assert measured["bytes_moved"] >= 0.7 * expected["bytes_moved"], name
        assert measured["cpu_seconds"] > 0
        assert measured["memory"] > 50e6
    assert stages["counts"]["expected"] is None
    cycle = stages["minor cycle 1"]
    subtractions = (cycle["measured"]["tasks"] - 2) / 5  # a search and two exchanges of one block
    foretold = cycle["expected"]["bytes_moved"] / forecast.SUBTRACTIONS * subtractions
    assert subtractions >= 1
    assert 0.9 * foretold <= cycle["measured"]["bytes_moved"] <= 1.5 * foretold


def test_a_large_image_from_several_chunks_is_foretold_too(small):
    changes = {"image": {"npix": 1100, "cell_arcsec": 4.0}, "strips": {"count": "auto"}}
    plan = DOMAIN.plan(spec_of(**STRIPS).changed(**changes, clean=None), str(small))
    assert plan.groups[0].layout is None  # so little data need no half second of work
    assert plan.method == "one call of the gridder per chunk and image"
    stages = {stage.name: stage for stage in plan.stages}
    assert stages.keys() == {"weights", "image"}
    assert stages["image"].bytes_moved == 2 * 5 * 8 * 1100**2
    assert dict(stages["image"].work)["transform"] > 2 * 6 * 5 * 1100**2


def test_costs_of_this_machine_are_measured_and_used(place, cache):
    before = check(spec_of(**STRIPS), place)
    assert not before.calibrated
    assert "default costs: spectrum calibrate" in str(before)
    found = calibrate()
    assert found.keys() == {"radio"}
    assert found["radio"].keys() == COSTS.keys()
    assert all(
        0.02 * COSTS[kind] < cost < 50 * COSTS[kind] for kind, cost in found["radio"].items()
    )
    after = check(spec_of(**STRIPS), place)
    assert after.calibrated
    assert calibration.calibration_file().parent == cache
    assert calibration.costs_of("radio") == found["radio"]
    expected = [stage.on(found["radio"]).cpu_seconds for stage in after.plan.stages]
    assert [stage.cpu_seconds for stage in after.stages] == expected
    assert before.plan == after.plan  # no plan depends on the machine


def test_a_damaged_cache_is_as_good_as_none(cache):
    cache.mkdir()
    calibration.calibration_file().write_text("{")
    assert calibration.costs_of("radio") == {}


def test_a_cache_that_cannot_be_written(tmp_path, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="cannot keep the costs"):
        calibration.save_costs("radio", {"read": 1.0})


def test_check_prints_the_plan(place):
    text = str(check(spec_of(**STRIPS), place))
    assert "method              4 uv strips of at most" in text
    rows = [line.split()[0] for line in text.splitlines()[4:]]
    stages = ["weights", "strips", "image", "psf", "psf", "minor", "major"]
    assert rows == ["energy", "stage", *stages]
    small = str(check(spec_of(), place))
    assert "stage" not in small


def test_wall_time_is_shared_by_workers_with_work(place):
    found = check(spec_of(**STRIPS), place)
    stage = Forecast("image", 3, (("grid", 6.0),), 0, 0).on({"grid": 1.0})
    assert found.workers >= 1
    for workers, wall in ((1, 6.0), (2, 3.0), (9, 2.0)):
        assert type(found)("n", found.plan, workers=workers).wall(stage) == wall


def test_the_command_teaches():
    from typer.testing import CliRunner

    shown = CliRunner().invoke(app, ["calibrate", "--help"]).output
    assert "no result" in " ".join(shown.split())


def test_costs_scale_with_the_accuracy(small):
    plans = [
        DOMAIN.plan(spec_of(**STRIPS).changed(image={"epsilon": epsilon}), str(small))
        for epsilon in (1e-4, 1e-5)
    ]
    loose, tight = ({s.name: dict(s.work) for s in plan.stages}["image"] for plan in plans)
    assert tight["grid"] == pytest.approx(loose["grid"] * 0.36 / 0.25)
    assert tight["filter"] > loose["filter"]

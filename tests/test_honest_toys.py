"""Generated data never passes for what somebody measured, simulated or published."""

import json
import shutil
from pathlib import Path

import pytest
import uproot

from spectrum_workflows import (
    connect,
    load_site,
    load_spec,
    make_data,
    run,
)
from spectrum_workflows.datasets import convert_data, fetch_data, verify_data
from spectrum_workflows.domain import get, installed
from spectrum_workflows.errors import DataError
from spectrum_workflows.hep import plot
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.sites import Place

REAL = "Run2012B_SingleMu.root"
ENTRY = "cms-run2012b-singlemu"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return connect(load_site("serial"), data=str(tmp_path), results=str(tmp_path / "results"))


def adl(*files: str):
    return load_spec("hep/adl/q1").changed(samples={"single_muon": {"files": list(files)}})


def titles(figure) -> str:
    return " ".join(axes.get_title(loc=loc) for axes in figure.axes for loc in ("left", "right"))


def test_no_shipped_spec_makes_data_under_a_published_name(place: Place) -> None:
    from spectrum_workflows import catalogue, shipped

    published = catalogue.published()
    assert catalogue.plain_name(REAL) in published
    for name in shipped.specs():
        spec = load_spec(name)
        inputs = get(spec.workflow).inputs(spec, place.data)
        if getattr(spec, "synthetic", None):
            stems = {catalogue.plain_name(Path(url).name) for url in inputs}
            assert stems & published.keys() == set(), name


def test_generated_events_take_no_published_name(place: Place, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"a published file, of catalogue:{ENTRY}"):
        make_data(adl(REAL), place, size=100)
    own = load_spec("radio/vla_sim").changed(data_set="3c391_ctm_mosaic_10s_spw0")
    with pytest.raises(DataError, match="a published file, of catalogue:vla-3c391"):
        make_data(own, place, size=2000)
    assert [p.name for p in tmp_path.iterdir()] == []


@pytest.mark.parametrize("converted", [False, True])
def test_fetch_and_verify_see_generated_events_under_a_published_name(
    tmp_path: Path, converted: bool
) -> None:
    write_sample(str(tmp_path / "toy.root"), "ttbar", events=50, seed=1, data=True)
    if converted:
        convert_data(str(tmp_path / "toy.root"), str(tmp_path / REAL))
    else:
        shutil.copy(tmp_path / "toy.root", tmp_path / REAL)
    with pytest.raises(DataError, match="generated data lies under this name"):
        fetch_data(ENTRY, str(tmp_path))
    [row] = verify_data([ENTRY], str(tmp_path))
    assert row["state"] == "different"
    assert "generated data" in row["what"]


def test_real_events_are_not_taken_for_generated_ones(shared_hep: Path, tmp_path: Path) -> None:
    file = shared_hep / "adl_Run2012B_SingleMu_1000.root"
    assert not any(science.is_synthetic(str(file)) for science in installed())
    shutil.copy(file, tmp_path / REAL)
    [row] = verify_data([ENTRY], str(tmp_path))
    assert row["state"] == "unpublished"


def test_a_simulated_set_is_known_under_any_name(place: Place, tmp_path: Path) -> None:
    make_data(load_spec("radio/vla_sim"), place, size=3000)
    other = tmp_path / "3c391_ctm_mosaic_10s_spw0.ms"
    (tmp_path / "vla_sim.ms").rename(other)
    assert get("radio").is_synthetic(str(other))
    with pytest.raises(DataError, match="generated data lies under this name"):
        fetch_data("vla-3c391", str(tmp_path))


def test_pictures_and_files_of_generated_events_say_so(
    place: Place, tmp_path: Path, shared_hep: Path
) -> None:
    make_data(adl("adl_generated.root"), place, size=500)
    generated = run(adl("adl_generated.root"), place).result
    assert generated.origin == "generated events"
    assert "adl-q1: generated events" in titles(plot.figure(generated))
    files = dict(get("hep").files(generated))
    assert json.loads(files["histograms.json"])["samples"]["single_muon"]["generated_events"]
    (tmp_path / "h.root").write_bytes(files["histograms.root"])
    with uproot.open(tmp_path / "h.root") as file:
        assert str(file["generated events"]) == "single_muon"

    real = str(shared_hep / "adl_Run2012B_SingleMu_1000.root")
    measured = run(adl(real), place).result
    assert measured.origin == ""
    assert "adl-q1: data" in titles(plot.figure(measured))
    both = run(adl(str(tmp_path / "adl_generated.root"), real), place).result
    assert both.origin == "generated events"  # of the sample, not all of its files


def test_pictures_of_a_simulated_set_say_so(place: Place) -> None:
    spec = load_spec("radio/vla_sim").changed(
        image={"npix": 128, "cell_arcsec": 10.0}, clean={"iterations": 10}
    )
    make_data(spec, place, size=3000)
    for _, figure in get("radio").pictures(run(spec, place).result):
        words = " ".join(axes.get_title() for axes in figure.axes)
        assert "SIMULATED" in words

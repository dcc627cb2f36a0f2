"""A saved run comes back with the same result; results as xarray and as records."""

import json
import shutil
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spectrum_workflows import connect, load, load_site, load_spec, make_data, plot, run, save
from spectrum_workflows.domain import plain_result
from spectrum_workflows.errors import DataError, DataNotFoundError

pytestmark = pytest.mark.xdist_group("loading")  # what they share is made once

HEP = {"synthetic": {"events": 3_000}, "partition": {"max_events": 1_000}}
RADIO = {
    "synthetic": {"visibilities": 20_000},
    "image": {"npix": 256, "cell_arcsec": 4.0},
    "clean": {"sigma": 5.0},
}


def saved(tmp_path_factory, name, changes, break_data=None, on_error="raise"):
    """A run in one process and the folder it was saved in."""
    folder = tmp_path_factory.mktemp("run")
    spec = load_spec(name).changed(**changes)
    with connect(load_site("serial"), data=str(folder), results=str(folder / "out")) as place:
        make_data(spec, place)
        if break_data is not None:
            break_data(folder)
        outcome = run(spec, place, on_error=on_error)
        return outcome, Path(save(outcome, place).removeprefix("file://"))


@pytest.fixture(scope="module")
def hep(tmp_path_factory):
    return saved(tmp_path_factory, "hep/quickstart", HEP)


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    return saved(tmp_path_factory, "radio/vla_sim", RADIO)


@pytest.fixture(params=["hep", "radio"])
def science(request):
    return request.getfixturevalue(request.param)


# Back from a folder


def test_a_saved_run_comes_back(science):
    outcome, folder = science
    again = load(folder)
    assert again.digest == outcome.digest
    assert again.spec.model_dump() == outcome.spec.model_dump()
    assert again.warnings == outcome.warnings
    assert again.fraction == outcome.fraction == 1.0
    assert again.stages == json.loads(json.dumps(outcome.stages))
    summaries = [json.loads(json.dumps(o.summary, default=float)) for o in (again, outcome)]
    for summary in summaries:
        for key in ("cpu_seconds", "seconds"):
            del summary[key]
    assert summaries[0] == summaries[1]
    plot(again)


def test_a_loaded_run_can_be_saved_again(science, tmp_path):
    _, folder = science
    again = load(folder)
    with connect(load_site("serial"), results=str(tmp_path)) as place:
        copy = save(again, place)
    assert load(copy).digest == again.digest


def test_both_give_the_same_to_xarray_and_table(science):
    outcome, folder = science
    again = load(folder)
    assert again.to_table() == outcome.to_table()
    ours, theirs = again.to_xarray(), outcome.to_xarray()
    compared = xr.testing.assert_allclose
    compared(ours, theirs, rtol=1e-12)
    assert ours.attrs["digest"] == outcome.digest


def test_what_failed_is_known_afterwards(tmp_path_factory):
    def cut(folder):
        wjets = folder / "wjets.root"
        wjets.write_bytes(wjets.read_bytes()[:-20_000])

    made = partial(saved, tmp_path_factory, "hep/quickstart", HEP, cut)
    outcome, folder = made(on_error="keep")
    again = load(folder)
    assert outcome.failures
    assert sorted(map(str, again.failures)) == sorted(map(str, outcome.failures))
    assert again.fraction == outcome.fraction
    assert {*again.warnings} == {*outcome.warnings}


def test_a_likelihood_fit_comes_back(tmp_path, ttbar_like):
    from spectrum_workflows.hep import DOMAIN

    for name, content in DOMAIN.files(ttbar_like):
        (tmp_path / name).write_bytes(content)
    summary = json.loads(json.dumps(DOMAIN.summary(ttbar_like)))
    again = DOMAIN.load(str(tmp_path), ttbar_like.spec, summary)
    before, after = ttbar_like.likelihood, again.likelihood
    for field in fields(before):
        one, two = getattr(before, field.name), getattr(after, field.name)
        if field.name in ("prefit", "postfit"):
            for part in ("edges", "errors"):
                for region, values in getattr(one, part).items():
                    np.testing.assert_array_equal(values, getattr(two, part)[region])
        elif field.name == "data":
            np.testing.assert_array_equal(one["r"], two["r"])
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, two)
        else:
            assert one == two
    failed = replace(ttbar_like, likelihood="it did not converge")
    summary = json.loads(json.dumps(DOMAIN.summary(failed)))
    assert DOMAIN.load(str(tmp_path), failed.spec, summary).likelihood == "it did not converge"


@pytest.fixture
def ttbar_like():
    import hist

    from spectrum_workflows.hep import fill
    from spectrum_workflows.hep.fit import likelihood
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.types import HepResult

    axis = hist.axis.Regular(4, 0.0, 4.0, name="x", label="x")
    samples = {"top": [50, 300, 200, 50], "other": [400] * 4, "data": [450, 700, 650, 440]}
    spec = HepSpec.model_validate(
        {
            "workflow": "hep",
            "name": "small",
            "select": "spectrum_workflows.hep.analyses.dimuon:select",
            "columns": ["none"],
            "normalisation": "none",
            "samples": {s: {"files": ["f.root"], "data": s == "data"} for s in samples},
            "histograms": {"r": {"bins": 4, "start": 0.0, "stop": 4.0, "label": "x"}},
            "fit": {"signal": "top", "regions": ["r"]},
        }
    )
    filled = {
        (name, "r"): fill(np.repeat(axis.centers, counts), axis, name="r")
        for name, counts in samples.items()
    }
    counts = {(name, "r"): sum(of) for name, of in samples.items()}
    events = {name: sum(of) for name, of in samples.items()}
    result = HepResult(spec, filled, counts, events, dict.fromkeys(samples, 1.0))
    return replace(result, likelihood=likelihood(result))


@dataclass(frozen=True)
class Plain:
    """The result of a science that gives no function for it."""

    strain: np.ndarray
    snr: float
    detector: str


def test_a_science_without_functions_of_its_own_is_served(tmp_path):
    result = Plain(np.linspace(0, 1, 5), 8.5, "H1")
    for name, content in plain_result.files(plain_result.arrays, result):
        (tmp_path / name).write_bytes(content)
    summary = plain_result.summary(result) | {"warnings": []}
    again = plain_result.load(plain_result.read, str(tmp_path), None, summary)
    np.testing.assert_array_equal(again.strain, result.strain)
    assert plain_result.summary(again) == plain_result.summary(result)
    dataset = plain_result.dataset(plain_result.arrays, again)
    assert dataset.strain.dims == ("strain_0",)
    assert plain_result.table(plain_result.summary, again) == [{"snr": 8.5, "detector": "H1"}]


# What is refused


def test_a_folder_that_is_no_run_says_so(tmp_path):
    with pytest.raises(DataNotFoundError, match="not a run, or one that did not finish"):
        load(tmp_path)
    with pytest.raises(DataNotFoundError, match="not a run"):
        load(tmp_path / "nowhere")
    (tmp_path / "record.json").write_text('{"schema": 1}')
    with pytest.raises(DataError, match="not a run record"):
        load(tmp_path)


def copied(folder: Path, target: Path, change) -> Path:
    """A copy of a run whose record was changed."""
    shutil.copytree(folder, target)
    record = json.loads((target / "record.json").read_text())
    change(record)
    (target / "record.json").write_text(json.dumps(record))
    return target


def test_a_damaged_or_foreign_run_is_refused(science, tmp_path):
    outcome, folder = science
    broken = copied(folder, tmp_path / "a", lambda record: None)
    name = "histograms.json" if outcome.spec.workflow == "hep" else "dirty.fits"
    (broken / name).write_bytes((broken / name).read_bytes() + b" ")
    with pytest.raises(DataError, match=f"{name} is not what was recorded"):
        load(broken)
    other = copied(folder, tmp_path / "b", lambda record: record.update(digest="0" * 64))
    with pytest.raises(DataError, match="another digest"):
        load(other)
    lost = copied(folder, tmp_path / "c", lambda record: record.update(lost=["x.fits: full"]))
    with pytest.raises(DataError, match="not saved whole: x.fits"):
        load(lost)
    without = copied(folder, tmp_path / "d", lambda record: record.pop("plan"))
    with pytest.raises(DataError, match="this version can read"):
        load(without)


# xarray and records


def test_histograms_as_a_tree(hep):
    outcome, _ = hep
    tree = outcome.to_xarray()
    h = outcome.result.histograms["ttbar", "4j2b"]
    node = tree["4j2b"]
    np.testing.assert_array_equal(node["values"].sel(sample="ttbar"), h.values())
    np.testing.assert_array_equal(node["variances"].sel(sample="ttbar"), h.variances())
    np.testing.assert_array_equal(node["x_low"], h.axes[0].edges[:-1])
    total = float(node["values"].sel(sample="ttbar").sum() + node["underflow"].sel(sample="ttbar"))
    total += float(node["overflow"].sel(sample="ttbar"))
    assert total == pytest.approx(h.sum(flow=True).value)
    assert int(tree["events"].sel(every_sample="wjets")) == 3_000
    [row] = [r for r in outcome.to_table() if (r["sample"], r["histogram"]) == ("ttbar", "4j2b")]
    assert row["yield"] == pytest.approx(total)
    assert row["entries"] == outcome.result.selected["ttbar", "4j2b"]


def test_images_with_coordinates(radio):
    outcome, _ = radio
    found = outcome.to_xarray()
    [plane] = outcome.result.planes
    own = found.SKY.squeeze().transpose("m", "l")
    np.testing.assert_array_equal(own, plane.image)
    assert found.SKY.units == "Jy/beam"
    assert found.SKY_MODEL.units == "Jy/pixel"
    middle = found.sel(l=0.0, m=0.0)
    ra, dec = outcome.result.observation.phase_centre
    assert float(middle.right_ascension) == pytest.approx(ra)
    assert float(middle.declination) == pytest.approx(dec)
    [row] = outcome.to_table()
    assert row["peak"] == outcome.summary["image"]["peak"]
    assert row["bmaj_arcsec"] == plane.beam.bmaj

"""The list of CLEAN's components in a saved run, and what several scales need, foretold."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.deconvolution import scales
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.responses import response_bytes, responses
from spectrum_workflows.radio.plan import memory
from spectrum_workflows.radio.types import ARCSEC, ComponentList, Geometry
from spectrum_workflows.radio.write import components

from .conftest import spec_of

EXTENDED = {
    "clean": {"threshold": 0.02, "scales": (60.0, 120.0), "max_major": 4},
    "self_check": False,
}


@pytest.fixture(scope="module")
def made(small):
    spec = spec_of(**EXTENDED)
    return spec, DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]


def test_the_model_is_the_drawing_of_the_list(made):
    _, result = made
    [plane] = result.planes
    own = plane.components
    assert len(own) >= 3
    model = Components(own.row, own.column, own.flux[:, None], own.diameter / 8.0)
    np.testing.assert_allclose(model.dense(128, 128)[0], plane.model, atol=1e-12)
    assert set(np.unique(own.diameter)) <= {0.0, 60.0, 120.0}


def test_the_list_is_a_table_with_units_and_comes_back(made, tmp_path):
    spec, result = made
    extended = ComponentList(
        *(np.array([64, 10, 10]), np.array([64, 3, 3])), np.array([0.0, 60.0, 120.0]), np.ones(3)
    )
    plane = replace(result.planes[0], components=extended)
    result = replace(result, groups=(replace(result.groups[0], planes=(plane,)),))
    for name, data in DOMAIN.files(result):
        (tmp_path / name).write_bytes(data)
    table = Table.read((tmp_path / "components.ecsv").read_text(), format="ascii.ecsv")
    assert (table["flux"].unit, table["diameter"].unit, table["ra"].unit) == ("Jy", "arcsec", "deg")
    assert table.meta["origin"] == "generated data"
    brightest = table[int(np.argmax(table["flux"] * (table["diameter"] == 0)))]
    assert (brightest["row"], brightest["column"]) == (64, 64)
    centre = np.degrees(result.observation.phase_centre)
    assert [brightest["ra"], brightest["dec"]] == pytest.approx(centre, abs=1e-9)
    again = DOMAIN.load(str(tmp_path), spec, DOMAIN.summary(result)).planes[0].components
    for name in ("row", "column", "diameter", "flux"):
        np.testing.assert_array_equal(
            getattr(again, name), getattr(result.planes[0].components, name)
        )
    with pytest.raises(DataError, match="not a list of components"):
        components.decode(b"nothing", "x")


def test_points_need_no_list(small):
    spec = spec_of(clean={"threshold": 0.1}, self_check=False)
    result = DOMAIN.run(spec, DOMAIN.plan(spec, str(small)))[0]
    assert "components.ecsv" not in dict(DOMAIN.files(result))


def test_memory_of_responses_is_foretold():
    own = scales.scales_of((9.0, 40.0))
    made = responses([np.eye(128)] * 2, own)
    foretold = response_bytes(128, own, 2)
    assert made.values.nbytes < foretold < made.values.nbytes + 30 * 300**2


def test_check_counts_what_scales_need(small, monkeypatch):
    """Responses in the session; with strips, the residual at every scale on the workers, too."""
    wide = {"image": {"npix": 1024, "cell_arcsec": 8.0}, "self_check": False}
    clean = {"threshold": 0.02}
    plans = {
        (count, name): DOMAIN.plan(
            spec_of(**wide, strips={"count": count}, clean=clean | more), str(small)
        )
        for count in (1, 2)
        for name, more in (("points", {}), ("scales", {"scales": "auto"}))
    }
    own = memory.session_bytes(Geometry(1024, 8.0 * ARCSEC, 1e-4))
    for count in (1, 2):
        assert plans[count, "scales"].largest_memory > own + 4 * 1024**2
        assert plans[count, "scales"].largest_memory > plans[count, "points"].largest_memory
    stages = {stage.name: stage for stage in plans[2, "points"].stages}
    more = {stage.name: stage for stage in plans[2, "scales"].stages}
    assert stages.keys() - more.keys() == {"psf transform"}
    assert more["minor cycle"].memory > stages["minor cycle"].memory
    monkeypatch.setattr("os.sysconf", lambda _: 20_000)  # squared, 400 MB
    with pytest.raises(SpecError, match="needs"):
        DOMAIN.plan(spec_of(**wide, clean=clean | {"scales": "auto"}), str(small))

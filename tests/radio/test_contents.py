"""``spectrum data show``: what is in a set, the same whatever its format."""

import json
import sys

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows import datasets, storage
from spectrum_workflows.cli import main
from spectrum_workflows.errors import DataNotFoundError, OutputError, SpecError
from spectrum_workflows.radio.contents import _Coverage, contents
from spectrum_workflows.radio.convert import convert

from .written import columns_of, rounded, write_uvfits, write_uvh5

pytestmark = pytest.mark.xdist_group("radio contents")  # what they share is made once


@pytest.fixture(scope="module")
def root(small, tmp_path_factory):
    """Two fields, one after the other, three scans, some flags; in four formats."""
    import shutil

    root = tmp_path_factory.mktemp("contents")
    shutil.copytree(small / "small.ms", root / "small.ms")
    rounded(root / "small.ms")
    with casa.table(str(root / "small.ms::FIELD"), readonly=False, ack=False) as table:
        table.addrows(1)
        for name in ("PHASE_DIR", "DELAY_DIR", "REFERENCE_DIR"):
            table.putcell(name, 1, table.getcell(name, 0) + 0.01)
        table.putcell("NAME", 1, "SIMULATED")
    with casa.table(str(root / "small.ms"), readonly=False, ack=False) as table:
        row = np.arange(table.nrows())
        table.putcol("FIELD_ID", (row >= 6 * 351).astype(np.int32))
        table.putcol("SCAN_NUMBER", (1 + row // (4 * 351)).astype(np.int32))
        flag = np.zeros((len(row), 8, 2), bool)
        flag[: 351 * 3] = True
        table.putcol("FLAG", flag)
    columns = columns_of(root / "small.ms")
    write_uvfits(root / "small.uvfits", columns, sources=True)
    write_uvh5(root / "small.uvh5", columns)
    convert(str(root / "small.ms"), str(root / "small.zarr"))
    return root


def without(numbers, *keys):
    return {key: value for key, value in numbers.items() if key not in keys}


DIFFERENT = ("url", "format", "observer", "project", "begin", "end", "interval_s", "notes", "scans")


@pytest.mark.parametrize("form", ["zarr", "uvfits", "uvh5"])
def test_every_format_shows_the_same(root, form):
    """But for words that a format has no place for, and times in whole milliseconds."""
    one, two = (contents(str(root / f"small.{kind}")).json for kind in ("ms", form))
    assert two["begin"][:19] == one["begin"][:19]
    assert two["interval_s"] == pytest.approx(one["interval_s"], abs=1e-2)
    for numbers in (one, two):
        for field in numbers["fields"]:
            assert field.pop("name").startswith(("SIMULATED", "SOURCE"))
            field["ra_deg"], field["dec_deg"] = (
                round(field["ra_deg"], 9),
                round(field["dec_deg"], 9),
            )
        for window in numbers["windows"]:
            window.pop("name"), window.pop("frame")
        for antenna in numbers["antennas"]:
            antenna["name"] = antenna["name"].partition("_")[0]
            antenna["position_m"] = [round(value, 2) for value in antenna["position_m"]]
    assert without(two, *DIFFERENT) == without(one, *DIFFERENT)
    if form == "zarr":
        assert two["scans"] == one["scans"]


def test_the_numbers_are_those_of_the_set(root):
    found = contents(str(root / "small.ms")).json
    assert (found["telescope"], found["columns"]) == ("VLA", ["DATA"])
    assert (found["rows"], found["times"], found["autocorrelations"]) == (11 * 351, 11, 0)
    assert found["flagged_fraction"] == pytest.approx(3 / 11)
    assert [field["rows"] for field in found["fields"]] == [6 * 351, 5 * 351]
    assert [part["flagged_fraction"] for part in found["data"]] == [0.5, 0]
    [window] = found["windows"]
    assert (window["channels"], window["correlations"]) == (8, ["XX", "YY"])
    assert (window["first_hz"], window["width_hz"]) == (1.4e9, 4e6)
    assert [scan["fields"] for scan in found["scans"]] == [[0], [0, 1], [1]]
    assert [scan["rows"] for scan in found["scans"]] == [4 * 351, 4 * 351, 3 * 351]
    with casa.table(str(root / "small.ms"), ack=False) as table:
        u, v, _ = table.getcol("UVW").T
    assert found["longest_baseline_m"] == np.hypot(u, v).max()
    assert found["shortest_baseline_m"] == np.hypot(u, v).min()
    beam = np.degrees(299792458 / 1.428e9 / np.hypot(u, v).max()) * 3600
    assert found["suggested_cell_arcsec"] == pytest.approx(beam / 5, rel=0.05)
    side = found["suggested_npix"] * found["suggested_cell_arcsec"]
    assert side >= 1.5 * np.degrees(1.2 * 299792458 / 1.4e9 / 25) * 3600
    assert len(found["antennas"]) == 27


def test_a_notebook_shows_all_tables(root):
    shown = datasets.show_data(str(root / "small.uvh5"))._repr_html_()
    for word in ("<b>fields</b>", "<b>windows</b>", "<b>antennas</b>", "npix to begin with"):
        assert word in shown


def test_a_set_in_a_store_is_shown_where_it_is(root):
    place = "memory://contents/small.uvh5"
    storage.write_bytes(place, (root / "small.uvh5").read_bytes())
    assert datasets.show_data(place).numbers["rows"] == 11 * 351


def test_what_is_thinned_for_the_plot_is_spread_over_all_rows():
    coverage = _Coverage()
    for start in range(0, 200_000, 1000):
        coverage.add(np.arange(start, start + 1000)[:, None] * [1.0, 0.0])
    points = coverage.all[:, 0]
    assert 1 << 13 < len(points) <= 1 << 15
    assert set(np.diff(points)) == {coverage.step}


@pytest.fixture
def spectrum(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPECTRUM_SITE", "serial")

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["spectrum", "data", "show", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def test_the_command_prints_tables_and_draws(spectrum, root, tmp_path):
    code, out, _ = spectrum(root / "small.ms", "--plot", tmp_path / "small.png")
    assert code == 0
    for word in ("VLA, small.ms", "flagged (%)", "27.27", "RA (deg)", "XX, YY", "V000", "scans"):
        assert word in out
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = spectrum(root / "small.ms", "--json")
    assert json.loads(out)["rows"] == 11 * 351


def test_what_cannot_be_shown_says_so(spectrum, root, tmp_path):
    with pytest.raises(DataNotFoundError, match="no such data"):
        datasets.show_data(str(tmp_path / "none.ms"))
    (tmp_path / "text.txt").write_text("text")
    with pytest.raises(SpecError, match="no science shows such data"):
        datasets.show_data(str(tmp_path / "text.txt"))
    with pytest.raises(OutputError, match="cannot write the plot"):
        datasets.save_plot(contents(str(root / "small.uvh5")), str(tmp_path / "a/b.png"))
    code, out, err = spectrum(tmp_path / "none.ms")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_real_sets_are_shown(unpacked_radio, shared_radio):
    found = contents(str(unpacked_radio / "vla_J1008_raw.ms"))
    assert found.numbers["telescope"] in ("VLA", "EVLA")
    assert found.numbers["rows"] > 0
    flagged = contents(str(shared_radio / "mwa_1061316296_all_flagged.uvfits"))
    assert flagged.numbers["flagged_fraction"] == 1

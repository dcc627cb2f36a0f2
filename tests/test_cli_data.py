"""``spectrum data``: what it prints, and how it refuses."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows.cli import main

REFERENCE = Path(__file__).parent / "reference"
Spectrum = Callable[..., tuple[int, str, str]]


@pytest.fixture
def spectrum(monkeypatch, capsys, tmp_path: Path) -> Spectrum:
    """Call ``spectrum data`` in this process; gives exit code, stdout and stderr."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPECTRUM_SITE", "serial")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", "data", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def test_help_teaches(spectrum: Spectrum) -> None:
    code, out, _ = spectrum("--help")
    assert code == 0
    for word in ("data make SPEC", "NAME.ms s3://bucket/NAME.zarr", "ZSTD"):
        assert word in " ".join(out.split())
    assert spectrum("convert", "--help")[0] == 0


def test_convert_a_measurement_set(
    spectrum: Spectrum, unpacked_radio: Path, tmp_path: Path
) -> None:
    convert = ("convert", unpacked_radio / "sim_vlac_330.ms", tmp_path / "sim.zarr")
    code, out, _ = spectrum(*convert)
    assert code == 0
    assert "112,320 visibilities" in out
    assert "peak memory" in out
    code, out, _ = spectrum(*convert)
    assert (code, out) == (0, f"{tmp_path}/sim.zarr: complete already\n")
    said = json.loads(spectrum(*convert, "--overwrite", "--columns", "DATA", "--json")[1])
    assert said["visibilities"] == 112_320
    assert said["peak_memory"] > said["bytes"] > 0


def test_convert_the_branches_of_a_spec(
    spectrum: Spectrum, shared_hep: Path, tmp_path: Path
) -> None:
    source, target = shared_hep / "NanoAODv5_sample.root", tmp_path / "NanoAODv5_sample.root"
    spec = REFERENCE / "hep_ttbar.toml"
    code, out, _ = spectrum("convert", source, target, "--spec", spec)
    assert code == 0
    assert "1,000 events" in out
    assert target.stat().st_size < source.stat().st_size / 4


BAD = [
    (("convert", "{tmp}/none.ms", "{tmp}/a.zarr"), "none.ms: no such data set"),
    (("convert", "{tmp}/none.root", "{tmp}/a.root"), "no such file"),
    (
        ("convert", "{tmp}/thesis.txt", "{tmp}/a.zarr"),
        "nothing converts such data; known: .root, .ms",
    ),
    (("convert", "{tmp}/a.ms", "{tmp}/a.zarr", "--cluster-events", "3"), "no option for .ms"),
    (("convert", "{tmp}/a.root", "{tmp}/b", "--spec", "{ref}/radio_dirty.toml"), "no columns"),
    (("convert", "{tmp}/a.ms", "{tmp}/a.out"), "must end in .zarr"),
]


@pytest.mark.parametrize(("words", "says"), BAD, ids=[b[1] for b in BAD])
def test_bad_input_is_one_line(spectrum: Spectrum, tmp_path: Path, words, says: str) -> None:
    code, out, err = spectrum(*(word.format(tmp=tmp_path, ref=REFERENCE) for word in words))
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1

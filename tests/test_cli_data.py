"""``spectrum data``: what it prints, and how it refuses."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows import storage
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


CATALOGUE = """
[entries.mine]
title = "four bytes"
replicas = ["memory://replica"]
licence = "CC0-1.0"
citation = "nobody"
source = "https://example.org/four"
[[entries.mine.files]]
name = "four.bin"
size = 4
checksum = "adler32:0{digits}"
"""


def test_list_fetch_and_verify(spectrum: Spectrum, tmp_path: Path) -> None:
    storage.write_bytes("memory://replica/four.bin", b"abcd")
    root = ("--data", tmp_path)
    (tmp_path / "catalogue.toml").write_text(CATALOGUE.format(digits="3d8018b"))
    listed = json.loads(spectrum("list", *root, "--json")[1])
    assert listed["mine"]["files"][0]["size"] == 4
    assert "agc-ttbar" in listed
    out = " ".join(spectrum("list", *root)[1].split())
    assert "53,446,198" in out
    assert "not fetched" in out
    assert spectrum("verify", *root) == (0, "no catalogued file is there\n", "")
    assert spectrum("verify", "mine", *root)[0] == 1
    place = f"{tmp_path}/four.bin"
    code, out, _ = spectrum("fetch", "mine", *root)
    assert (code, out) == (0, f"{place}: from memory://replica/four.bin\n")
    assert spectrum("fetch", "mine", *root)[1] == f"{place}: there\n"
    [row] = json.loads(spectrum("verify", *root, "--json")[1])["files"]
    assert (row["state"], row["what"]) == ("verified", "adler32:03d8018b")
    Path(place).write_bytes(b"abce")
    code, out, _ = spectrum("verify", *root)
    assert code == 1
    assert "different" in out


def test_a_copy_that_is_not_what_was_published(spectrum: Spectrum, tmp_path: Path) -> None:
    storage.write_bytes("memory://replica/four.bin", b"abcd")
    (tmp_path / "catalogue.toml").write_text(CATALOGUE.format(digits="0000000"))
    code, out, err = spectrum("fetch", "mine", "--data", tmp_path)
    assert (code, out) == (2, "")
    assert "adler32 03d8018b, not the 00000000 published" in err
    assert not (tmp_path / "four.bin").exists()


BAD = [
    (("fetch", "mein"), "no entry 'mein' in the catalogue"),
    (("fetch", "vla-3c391", "--data", "memory://x"), "local file systems only"),
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

"""Cases of sites that are about how things end: hung partition, silent store, results, archives."""

import hashlib
import io
import json
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import uproot

sys.path.insert(0, str(Path(__file__).parents[1]))
from spectrum_workflows import cli
from test_silent_stores import nothing, server

Spectrum = Callable[..., tuple[int, str, str]]

SPEC = """
workflow = "hep"
name = "case"
select = "my_analysis.py:select"
columns = ["MET_pt"]
normalisation = "none"
[samples.s]
files = ["a.root", "b.root"]
data = true
[histograms.h]
bins = 20
start = 0.0
stop = 200.0
"""
SELECT = """
import time
def select(events):
    if max(events.MET_pt) > 1000:
        time.sleep(10000)
    return {"h": events.MET_pt}
"""


@pytest.fixture
def spectrum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Spectrum:
    """The command in a folder with two files of events: exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("spec.toml").write_text(SPEC)
    Path("my_analysis.py").write_text(SELECT)
    for name, largest in (("a.root", 100.0), ("b.root", 150.0)):
        events(tmp_path / name, largest)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def events(path: Path, largest: float) -> None:
    with uproot.recreate(path) as file:
        file["Events"] = {"MET_pt": np.linspace(0, largest, 500).astype("f4")}


@pytest.mark.timeout(900)
def test_hung_partition(spectrum: Spectrum, tmp_path: Path) -> None:
    """One worker is restarted, another tries; then the partition is named, or kept as a failure."""
    events(tmp_path / "b.root", 2000.0)
    limits = ("--set", "workers.partition_timeout=4", "--set", "workers.count=2")
    run = ("run", "spec.toml", "--site", "laptop", "--data", ".", "--out", "r", "--json", *limits)
    code, _, err = spectrum(*run)
    assert (code, "b.root" in err) == (2, True)
    assert "not done within 4 s" in err
    code, out, _ = spectrum(*run, "--on-error", "keep")
    said = json.loads(out)
    assert (code, said["partial"], len(said["failures"])) == (0, True, 1)
    assert "b.root" in said["failures"][0]["where"]


def test_silent_store(spectrum: Spectrum, tmp_path: Path) -> None:
    """It is said before the run, and a result that is there by then is kept."""
    with server(nothing) as port:
        store = f'{{endpoint_url="http://127.0.0.1:{port}", anon=true, timeout=1, patience=1}}'
        silent = ("--set", f'storage={{"s3://b"={store}}}', "--out", "s3://b/r")
        begun = time.monotonic()
        code, _, err = spectrum("run", "spec.toml", "--site", "serial", "--data", ".", *silent)
        assert (code, time.monotonic() - begun < 100) == (2, True)
        assert "did not answer" in err
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("spectrum_workflows.front.check_results", lambda place: None)
            code, _, err = spectrum("run", "spec.toml", "--site", "serial", "--data", ".", *silent)
        assert (code, time.monotonic() - begun < 250) == (2, True)
        assert "the result is kept in" in err
    [kept] = json.loads(spectrum("save", "--json")[1])["spooled"]
    code, out, _ = spectrum("save", kept["name"], "--out", "elsewhere")
    assert (code, out.strip()) == (0, f"elsewhere/{kept['name']}")
    assert spectrum("compare", out.strip(), out.strip())[0] == 0
    assert spectrum("save")[1].strip() == "nothing is spooled"


def test_result_in_memory_only(spectrum: Spectrum, tmp_path: Path) -> None:
    """The results folder becomes something that cannot be written while the run computes."""
    Path("my_analysis.py").write_text(
        "from pathlib import Path\n"
        "def select(events):\n"
        f"    root = Path({str(tmp_path / 'r')!r})\n"
        "    if root.is_dir():\n"
        f"        root.rename({str(tmp_path / 'before')!r})\n"
        "        root.touch()\n"
        '    return {"h": events.MET_pt}\n'
    )
    code, _, err = spectrum("run", "spec.toml", "--site", "serial", "--data", ".", "--out", "r")
    assert code == 2
    assert "the result is kept in" in err
    assert "spectrum save" in err
    [kept] = json.loads(spectrum("save", "--json")[1])["spooled"]
    code, out, _ = spectrum("save", kept["folder"], "--out", "good", "--json")
    assert code == 0
    folder = Path(json.loads(out)["folder"])
    record = json.loads((folder / "record.json").read_bytes())
    for entry in record["objects"]:
        assert hashlib.sha256((folder / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]


def test_archive(spectrum: Spectrum, tmp_path: Path) -> None:
    """One megabyte that unpacks to a gigabyte; entries that hide."""
    source, root = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    root.mkdir()
    with tarfile.open(source / "some.ms.tgz", "w:gz") as tar:
        info = tarfile.TarInfo("some.ms/table.f0")
        info.size = 1 << 30
        tar.addfile(info, Zeros())
    words = "\n".join(f'{word} = "x"' for word in ("title", "licence", "citation", "source"))
    head = f"[entries.mine]\nreplicas = [{str(source)!r}]\n{words}\n[[entries.mine.files]]\n"
    (root / "catalogue.toml").write_text(f'{head}name = "some.ms.tgz"\n')
    code, _, err = spectrum("data", "fetch", "mine", "--data", str(root))
    assert (code, "unpacks to more than 67 MB" in err) == (2, True)
    assert sorted(p.name for p in root.iterdir() if not p.name.endswith(".json")) == [
        "catalogue.toml",
        "some.ms.tgz",
    ]
    (root / "catalogue.toml").write_text(f'{head}name = ".bashrc"\n')
    (source / ".bashrc").write_text("echo")
    code, _, err = spectrum("data", "fetch", "mine", "--data", str(root))
    assert (code, "catalogue" in err) == (2, True)
    assert not (root / ".bashrc").exists()


class Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)

"""The proof on small data: the same notebooks at every site, from every store, all of them real."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import with_services
from datastore import Store

ROOT = Path(__file__).parents[2]
SITES = {"serial", "laptop", "slurm", "cloud"}
STORES = {"file", "ceph", "rclone", "xrootd", "https"}

pytestmark = [
    pytest.mark.xdist_group("proof"),
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
    pytest.mark.timeout(1200),
    pytest.mark.long,
]

SMALL = {"hep/quickstart": 10_000, "hep/dimuon": 10_000, "radio/vla_sim": 60_000}
"""Events per sample, or visibilities; the notebooks take the data that they find."""


@pytest.fixture
def two_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles of the user's own that extend those of the same name: this machine is small."""
    folder = tmp_path / "config" / "spectrum-workflows"
    folder.mkdir(parents=True)
    for name in ("slurm", "cloud"):
        text = f'extends = "{name}"\n[workers]\ncount = 2\n'
        text += "[cluster]\ninsecure = true\n" if name == "cloud" else ""  # http on loopback
        (folder / f"{name}.toml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def spectrum(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("spectrum")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def described(
    ceph_up: Store, rclone_up: Store, xrootd_up: Store, https_up: Store, tmp_path: Path
) -> Path:
    """The file of stores."""
    running = (ceph_up, rclone_up, xrootd_up, https_up)
    for store in running:
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / store.service.__name__).symlink_to(store.folder)
    file = tmp_path / "stores.toml"
    file.write_text(with_services.described(tmp_path / "run", list(with_services.STORES)))
    return file


@pytest.mark.usefixtures("two_workers")
def test_the_notebooks_give_the_same_result_everywhere(tmp_path: Path, described: Path) -> None:
    for name, size in SMALL.items():
        options = ("--data", str(tmp_path / "data"), "--size", str(size))
        assert spectrum("data", "make", f"workflows/{name}.toml", *options).returncode == 0
    ended = spectrum("proof", "--out", str(tmp_path), "--stores", str(described), "--json")
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["holds"]) == (0, True), ended.stdout
    rows = found["rows"]
    assert {row["notebook"] for row in rows} == {"hep/quickstart.ipynb", "radio/quickstart.ipynb"}
    assert len(rows) <= 14
    sites, stores = (Counter(row[k] for row in rows) for k in ("site", "store"))
    assert sites.keys() == SITES
    assert stores.keys() == STORES
    assert min(*sites.values(), *stores.values()) >= 2
    for notebook in {row["notebook"] for row in rows}:
        own = [row for row in rows if row["notebook"] == notebook]
        assert {row["site"] for row in own} == SITES
        assert len({row["sha256"] for row in own}) == 1
        assert all(len(row["digest"]) == 64 and row["bytes_read"] > 0 for row in own)
        assert len({row["digest"] for row in own}) == 1
        assert {row["workers"] for row in own if row["site"] == "serial"} == {0}
        assert min(row["workers"] for row in own if row["site"] != "serial") >= 1
    assert json.loads((tmp_path / "proof.json").read_text())["rows"] == rows
    assert (tmp_path / "proof.md").read_text().count("\n| ") == len(rows)

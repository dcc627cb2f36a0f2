"""Names as DAS prints them, patterns and two routes to a file, with a real XRootD server."""

from pathlib import Path

import numpy as np
import pytest
import uproot
from datastore import Store

from spectrum_workflows import load_spec, storage
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io import rootfile
from spectrum_workflows.hep.spec import HepSpec

pytestmark = pytest.mark.xdist_group("stores")

SPEC = """
workflow = "hep"
name = "das"
select = "mine.py:select"
columns = ["x"]
normalisation = "none"
[samples.s]
files = ["store/mc/a.root"]
data = true
[histograms.h]
bins = 4
start = 0.0
stop = 100.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files were written."""
    return tmp_path_factory.mktemp("das")


@pytest.fixture(scope="module")
def host(xrootd_up: Store, folder: Path) -> str:
    """A server with two files below ``/store/mc``."""
    found = xrootd_up.data.partition("//data")[0]
    for k, name in enumerate("ab"):
        with uproot.recreate(folder / f"{name}.root") as file:
            file["Events"] = {"x": np.arange(10.0 + k)}
        storage.put_file(folder / f"{name}.root", f"{found}//store/mc/{name}.root")
    return found


@pytest.fixture
def spec(tmp_path: Path) -> HepSpec:
    (tmp_path / "mine.py").write_text("def select(events):\n    return {'h': events.x}\n")
    (tmp_path / "mine.toml").write_text(SPEC)
    rootfile.close_all()
    return load_spec(tmp_path / "mine.toml")


def counted(spec: HepSpec, data: str, files: list[str], **more: object) -> int:
    spec = spec.changed(samples={"s": {"files": files} | more})
    plan = DOMAIN.plan(spec, data)
    result, _ = DOMAIN.run(spec, plan, client=None, on_error="raise", report=lambda *_: None)
    assert all(p.url.startswith("root://") and "//store/mc/" in p.url for p in plan.partitions)
    return int(result.counts["h"])


@pytest.mark.parametrize("slashes", ["", "/", "//"])
@pytest.mark.parametrize("name", ["store/mc/a.root", "/store/mc/a.root"])
def test_a_redirector_as_data_root(host: str, spec: HepSpec, slashes: str, name: str):
    assert counted(spec, host + slashes, [name]) == 10


def test_whole_urls_patterns_and_lists(host: str, spec: HepSpec, tmp_path: Path):
    assert counted(spec, "", [f"{host}/store/mc/a.root"]) == 10
    assert counted(spec, f"{host}//", ["/store/mc/*.root"]) == 21
    assert counted(spec, "elsewhere", [f"{host}//store/*/[ab].root"]) == 21
    (tmp_path / "das.txt").write_text(f"/store/mc/b.root\n{host}//store/mc/a.root\n")
    assert counted(spec, host, ["@das.txt"]) == 21
    with pytest.raises(DataNotFoundError, match="no file fits this pattern"):
        counted(spec, host, ["/store/mc/c*.root"])


def test_what_is_not_there_is_said_to_be_missing(host: str, spec: HepSpec):
    with pytest.raises(DataNotFoundError, match=r"/store/mc/c.root: no such file") as error:
        counted(spec, host, ["store/mc/c.root"])
    assert "credentials" not in str(error.value)


@pytest.mark.parametrize("events", [[], [10, 10]])
def test_two_routes_to_one_file(host: str, spec: HepSpec, folder: Path, events: list[int]):
    other = host.replace("127.0.0.1", "localhost")
    routes = [f"{host}//store/mc/a.root", f"{other}//store/mc/a.root"]
    with pytest.raises(DataError, match="the same file is listed twice"):
        counted(spec, "", routes, events=events)
    with pytest.raises(DataError, match="the same file is listed twice"):
        counted(spec, host, ["store/mc/a.root", f"file://{folder}/a.root"], events=events)

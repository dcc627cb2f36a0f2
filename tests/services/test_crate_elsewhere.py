"""A crate that was made in one process is verified by real SLURM jobs and behind a real Gateway."""

import hashlib
import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows import connect, export, load_site, run, save, verify
from spectrum_workflows.resuming import KNOWN
from spectrum_workflows.sites import Site
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.long,
    pytest.mark.timeout(1200),  # with the services' own start
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
]

ONE = {"workers.count": 1, "workers.patience": 400}
"""One worker is enough; one that does not come is said, before the test's own end."""

Verify = Callable[..., Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four partitions with code of its own, in one process; its data are in ``d``."""
    folder = tmp_path_factory.mktemp("crate")
    folder.joinpath("d").mkdir()
    workload.make(folder / "d")
    spec = workload.spec().changed(partition={"max_events": 2_000})
    with connect(load_site("serial"), data=str(folder / "d"), results=str(folder / "r")) as place:
        return Path(save(run(spec, place), place))


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed; its data are in ``d`` beside it."""
    shutil.copytree(saved.parents[1] / "d", tmp_path / "d")
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(params=["slurm", "cloud"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Verify:
    """``elsewhere(crate, data)``: verified at a shipped profile, where no run may be left."""
    changes = ONE | {"results": str(tmp_path / "again")}
    if request.param == "slurm":
        changes |= {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00"}
    else:
        changes |= {"cluster.insecure": True}  # the tests' server has no certificate
    site: Site = load_site(request.param, changes=changes)

    def verified(crate: Path, data: Path) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InsecureWarning)
            verification = verify(str(crate), site=site, data=str(data), user_code=True)
        assert {entry.name for entry in (tmp_path / "again").glob("*")} <= {KNOWN}
        return verification

    return verified


def differences(verification: Any) -> set[tuple[str, str]]:
    """What is other there; nothing was run."""
    assert verification.verdict == "other"
    assert workload.queue("PENDING", "RUNNING") == []
    return {(one.kind, Path(one.name).name) for one in verification.differences}


def test_it_is_verified(saved: Path, elsewhere: Verify, tmp_path: Path) -> None:
    archive = Path(export(str(saved), str(tmp_path / "run.zip")))
    verification = elsewhere(archive, saved.parents[1] / "d")
    assert verification.verdict == "identical", verification
    assert verification.differences == ()


def test_another_byte_is_named_before_a_job_is_asked_for(copied: Path, elsewhere: Verify) -> None:
    data = copied.parent / "d" / "zmumu.root"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    assert differences(elsewhere(copied, data.parent)) == {("input", "zmumu.root")}


def test_other_code_is_named_before_a_job_is_asked_for(copied: Path, elsewhere: Verify) -> None:
    [code] = copied.joinpath("workflow").rglob("slow_dimuon.py")
    code.write_text(code.read_text().replace("time.sleep(seconds)", "time.sleep(2 * seconds)"))
    record = json.loads(copied.joinpath("record.json").read_text())
    name = str(code.relative_to(copied))
    entry = next(entry for entry in record["objects"] if entry["name"] == name)
    content = code.read_bytes()
    entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    copied.joinpath("record.json").write_text(json.dumps(record))
    others = differences(elsewhere(copied, copied.parent / "d"))
    assert {kind for kind, _ in others} == {"code"}


def test_another_version_is_named_before_a_job_is_asked_for(
    copied: Path, elsewhere: Verify
) -> None:
    record = json.loads(copied.joinpath("record.json").read_text())
    record["machine"]["versions"]["numpy"] = "1.0"
    copied.joinpath("record.json").write_text(json.dumps(record))
    assert differences(elsewhere(copied, copied.parent / "d")) == {("version", "numpy")}

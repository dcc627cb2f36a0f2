"""A crate that was made in one process is verified by real SLURM jobs and behind a real Gateway."""

import sys
from pathlib import Path

import pytest

from spectrum_workflows import connect, export, load_site, run, save, verify
from spectrum_workflows.sites import Site
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.long,
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
]

SMALL = {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00", "workers.count": 2}


@pytest.fixture(scope="module")
def crate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of a run with code of its own, whose file lies elsewhere; data in ``d``."""
    folder = tmp_path_factory.mktemp("crate")
    folder.joinpath("d").mkdir()
    workload.make(folder / "d")
    with connect(load_site("serial"), data=str(folder / "d"), results=str(folder / "r")) as place:
        saved = save(run(workload.spec(), place), place)
    return Path(export(saved, str(folder / "run.zip")))


def slurm(results: Path) -> Site:
    return load_site("slurm", changes=SMALL | {"results": str(results)})


def cloud(results: Path) -> Site:
    """The shipped profile; the tests' server has no certificate."""
    changes = {"workers.count": 2, "cluster.insecure": True, "results": str(results)}
    return load_site("cloud", changes=changes)


def test_it_is_verified_by_jobs(crate: Path, tmp_path: Path) -> None:
    data = str(crate.with_name("d"))
    verification = verify(str(crate), site=slurm(tmp_path), data=data, user_code=True)
    assert str(verification) == "identical"
    assert [*tmp_path.iterdir()] == []


def test_it_is_verified_behind_a_gateway(crate: Path, tmp_path: Path) -> None:
    data = str(crate.with_name("d"))
    with pytest.warns(InsecureWarning):
        verification = verify(str(crate), site=cloud(tmp_path), data=data, user_code=True)
    assert str(verification) == "identical"


def test_another_byte_is_named_before_a_job_is_asked_for(crate: Path, tmp_path: Path) -> None:
    for path in crate.with_name("d").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= path.suffix == ".root"
        tmp_path.joinpath(path.name).write_bytes(content)
    verification = verify(
        str(crate), site=slurm(tmp_path / "r"), data=str(tmp_path), user_code=True
    )
    assert verification.verdict == "other"
    assert {difference.kind for difference in verification.differences} == {"input"}

"""``diagnose`` behind a real Dask Gateway."""

from pathlib import Path

import dask
import pytest

from spectrum_workflows import diagnose, load_site
from spectrum_workflows.sites.security import InsecureWarning

pytestmark = pytest.mark.xdist_group("slurm")


def cloud(folder: Path):
    """The shipped profile; the tests' server has no certificate."""
    (folder / "data").mkdir()
    roots = {"data": str(folder / "data"), "results": str(folder / "results")}
    return load_site("cloud", changes=roots | {"cluster.insecure": True})


@pytest.mark.usefixtures("gateway_up")
def test_one_worker_of_a_gateway_looks_from_inside(tmp_path: Path) -> None:
    with pytest.warns(InsecureWarning):
        diagnosis = diagnose(cloud(tmp_path))
    assert diagnosis.starts, str(diagnosis)
    inside = {one.subject for one in diagnosis.findings if one.where != "session"}
    assert inside >= {"network", "task", "clock", "data", "results", "scratch"}
    [gateway] = [one for one in diagnosis.findings if one.subject == "gateway"]
    assert "0 clusters of yours there" in gateway.found


@pytest.mark.usefixtures("gateway_up")
def test_a_wrong_password_is_named_before_a_cluster_is_asked_for(tmp_path: Path) -> None:
    with (
        dask.config.set({"gateway.auth.kwargs.password": "open sesame"}),
        pytest.warns(InsecureWarning),
    ):
        diagnosis = diagnose(cloud(tmp_path))
    [fault] = diagnosis.faults
    assert "credentials are not accepted" in fault.remedy
    assert "sesame" not in str(diagnosis)

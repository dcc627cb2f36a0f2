"""A real Dask Gateway: a run, a refusal, and no cluster left behind."""

import os
import sys
import time
from pathlib import Path

import dask
import pytest
from dask_gateway import Gateway

from spectrum_workflows import connect, load_site, run
from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.gateway import ENDED
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import workload

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("gateway_up")]


def cloud():
    """The shipped profile; the tests' server has no certificate."""
    return load_site("cloud", changes={"workers.count": 2, "cluster.insecure": True})


def clusters() -> list[str]:
    """Names of the clusters that the server has for us."""
    gateway = Gateway(os.environ["DASK_GATEWAY_ADDRESS"])
    ENDED.append(gateway)
    names = [report.name for report in gateway.list_clusters()]
    gateway.close()
    return names


def test_a_run_gives_the_same_result_and_leaves_nothing(tmp_path: Path) -> None:
    workload.make(tmp_path)
    with pytest.warns(InsecureWarning):
        connected = connect(cloud(), data=str(tmp_path))
    with connected as place:
        assert len(clusters()) == 1
        outcome = run(workload.spec(0.1), place)
        end = time.monotonic() + 60
        while place.workers < 2 and time.monotonic() < end:
            time.sleep(0.1)
        assert place.workers == 2
    assert outcome.digest == workload.reference(tmp_path)
    assert clusters() == []


def test_a_wrong_password_is_an_error_that_does_not_show_it() -> None:
    with (
        dask.config.set({"gateway.auth.kwargs.password": "open sesame"}),
        pytest.warns(InsecureWarning),
        pytest.raises(SiteError, match="credentials are not accepted") as caught,
    ):
        connect(cloud())
    assert "sesame" not in str(caught.value)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_GATEWAY_ADDRESS", "https://127.0.0.1:9")
    ended = len(ENDED)
    with pytest.raises(SiteError, match="the gateway did not start a cluster"):
        connect(load_site("cloud"))
    assert len(ENDED) == ended + 1  # and not left to the garbage collector


@pytest.mark.parametrize("host", ["gateway.example.org", "127.0.0.1:9"])
def test_plain_http_needs_leave(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DASK_GATEWAY_ADDRESS", f"http://{host}")
    with pytest.raises(SiteError, match="http:// is open to"):
        connect(load_site("cloud"))

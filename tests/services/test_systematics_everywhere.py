"""An analysis with all its systematics and replicas: one digest at every site, from every store."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from spectrum_workflows import connect, load_site, load_spec, make_data, run
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.sites import Place
from spectrum_workflows.sites.security import InsecureWarning

sys.path.insert(0, str(Path(__file__).parent))
import workload
from datastore import Store

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.long,
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
    pytest.mark.timeout(600),
]

SITES = {
    "laptop": {},
    "slurm": {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00"},
    "cloud": {"cluster.insecure": True},
}


def spec(max_events: int) -> HepSpec:
    """Corrected jets, variations of objects and weights, regions, cut flows and replicas."""
    return load_spec(workload.ROOT / "workflows/hep/zprime.toml").changed(
        bootstrap={"replicas": 20},
        fit=None,
        partition={"max_events": max_events},
        synthetic={"events": 3_000, "seed": 9, "detail": "full"},
    )


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples."""
    folder = tmp_path_factory.mktemp("sampled")
    make_data(spec(1_000), Place(load_site("serial"), str(folder), str(folder)))
    return folder


@pytest.fixture(scope="module")
def reference(sampled: Path) -> str:
    """The digest of a plain loop over whole files."""
    return run(spec(100_000), connect(load_site("serial"), data=str(sampled))).digest


@pytest.mark.parametrize("kept", ["here", "ceph", "xrootd"])
@pytest.mark.parametrize("name", SITES)
def test_the_digest_is_the_same(
    name: str, kept: str, sampled: Path, reference: str, request: pytest.FixtureRequest
) -> None:
    changes = SITES[name] | {"workers.count": 2}
    data = str(sampled)
    if kept != "here":
        store: Store = request.getfixturevalue(f"{kept}_up")
        store.fill(sampled)
        changes |= {"storage": dict(store.tables)}
        data = store.data
    with ExitStack() as stack:
        if name == "cloud":
            stack.enter_context(pytest.warns(InsecureWarning))
        place = stack.enter_context(connect(load_site(name, changes=changes), data=data))
        outcome = run(spec(700), place)
    assert outcome.digest == reference

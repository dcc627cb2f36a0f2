"""A run is killed on a laptop, goes on as SLURM jobs, is killed, and ends behind a Gateway."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import datastore
import workload
from processes import until

from spectrum_workflows import connect, load_site, load_spec, run, storage
from spectrum_workflows.ledgers import questions
from spectrum_workflows.sites import Place, Site
from spectrum_workflows.sites.security import InsecureWarning

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.long,
    pytest.mark.usefixtures("slurm_up", "gateway_up"),
]

SELECT = '''"""The dimuon selection, slowly; every partition leaves a file."""
import time
import uuid
from pathlib import Path

from spectrum_workflows.hep.analyses import dimuon

FOLDER = Path({folder!r})


def select(events):
    if len(events) == 200:  # it is also tried with none, and compared with halves of one
        time.sleep(0.3)
        words = repr(events["Muon_pt"].tolist()[:9])
        FOLDER.joinpath(f"{{uuid.uuid4()}}.partition").write_text(words)
    return dimuon.select(events)
'''
SESSION = """
import json, sys
from spectrum_workflows import connect, load_site, load_spec, run
if __name__ == "__main__":
    name, changes, edits = json.loads(sys.argv[1])
    with connect(load_site(name, changes=changes)) as place:
        run(load_spec("hep/dimuon").changed(**edits), place)
"""
ALWAYS = {"ledger.after": 0.0, "workers.count": 2}
AGAIN = 2 + 8
"""Partitions that a kill may cost: those in flight, and those not merged and written yet."""
JOBS = {"cluster.memory": "1 GB", "cluster.walltime": "00:10:00"}


def in_ledger(place: Place) -> int:
    """Partitions that need not be computed again."""
    return sum(question.finished for question in questions(place))


def killed(folder: Path, asked: Any, looking: Place, finished: int) -> int:
    """Kill a session and all that it has begun, when so many partitions are in the ledger.

    How many are in it then.
    """
    command = [sys.executable, str(folder / "session.py"), json.dumps(asked)]
    errors = folder / "stderr"
    with errors.open("w") as file:
        process = subprocess.Popen(command, start_new_session=True, stderr=file)
    try:
        until(lambda: in_ledger(looking) >= finished or process.poll() is not None, "the ledger")
        assert process.poll() is None, errors.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for job in workload.queue():
        subprocess.run(["scancel", job], check=True)
    until(lambda: not workload.queue(), "the end of its jobs")
    return in_ledger(looking)


@pytest.mark.parametrize("store", ["ceph"], indirect=True)
def test_killed_twice_and_ended_elsewhere(
    store: datastore.Store, digest: str, tmp_path: Path
) -> None:
    (tmp_path / "session.py").write_text(SESSION)
    (tmp_path / "slow.py").write_text(SELECT.format(folder=str(tmp_path)))
    edits = {
        "select": f"{tmp_path}/slow.py:select",
        "cuts": {},
        "partition": {"max_events": 8_000 // workload.PARTITIONS},
    }
    roots = {"data": store.data, "results": storage.join(store.data, "resumed")}
    changes = ALWAYS | roots | {"storage": dict(store.tables)}
    looking = Place(load_site("serial", changes=changes), *roots.values())

    def asked(name: str, **more: Any) -> Any:
        return name, changes | more, edits

    first = killed(tmp_path, asked("laptop"), looking, 8)
    second = killed(tmp_path, asked("slurm", **JOBS), looking, 24)
    assert 8 <= first < second < workload.PARTITIONS
    site: Site = load_site("cloud", changes=changes | {"cluster.insecure": True})
    with pytest.warns(InsecureWarning):
        connected = connect(site)
    with connected as place:
        outcome = run(load_spec("hep/dimuon").changed(**edits), place)
    assert outcome.digest == digest
    assert outcome.metrics.resumed == second
    words = [path.read_text() for path in tmp_path.glob("*.partition")]
    computed = Counter(word for word in words if word)  # not that of a partition that was killed
    assert len(computed) == workload.PARTITIONS
    assert computed.total() <= workload.PARTITIONS + 2 * AGAIN

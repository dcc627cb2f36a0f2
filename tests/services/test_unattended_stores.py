"""A submitted run whose results and state lie in S3, asked about from there alone."""

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import datastore
import workload

from spectrum_workflows import storage
from spectrum_workflows.record import read_record
from spectrum_workflows.sites import Place
from spectrum_workflows.unattended import find, log, submit


@pytest.mark.xdist_group("stores")
@pytest.mark.parametrize("store", ["rclone"], indirect=True)
def test_a_run_in_a_store(
    store: datastore.Store, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = Place(store.site(), store.data, storage.join(store.data, "results"))
    run = submit(workload.spec(), place).status.submitted.run
    end = time.monotonic() + 120
    while not (known := find(run, place)).is_over and time.monotonic() < end:
        time.sleep(0.5)
    assert known.state == "finished", log(run, place)
    assert known.end.digest == digest
    with storage.using(place.stores):
        assert read_record(known.end.folder)["digest"] == digest
    assert "finished" in log(run, place)
    assert not submit(workload.spec(), place).is_new

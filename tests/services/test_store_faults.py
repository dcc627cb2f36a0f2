"""Trouble at a store in the middle of a run, which must end with the same result."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from spectrum_workflows import connect, load_site, run, save, storage
from spectrum_workflows.errors import DataNotFoundError, OutputError
from spectrum_workflows.record import Outcome, read_record
from spectrum_workflows.record.writing import damaged
from spectrum_workflows.resuming import KNOWN
from spectrum_workflows.sites import Place

sys.path.insert(0, str(Path(__file__).parent))
import buckets
import ceph
import faults
import https
import workload
import xrootd
from datastore import Store, at, tables
from processes import until

pytestmark = pytest.mark.xdist_group("stores")


@pytest.fixture
def through(request: pytest.FixtureRequest, made: Path) -> tuple[Store, int]:
    """A store with the data, and the port of its plain http."""
    running: Store = request.getfixturevalue(f"{request.param}_up")
    running.fill(made)
    [(_, table)] = running.tables.items()
    if request.param == "https":
        return running, https.ports(running.folder)[1]
    return running, int(str(table["endpoint_url"]).rpartition(":")[2])


@pytest.mark.parametrize("through", ["ceph", "https"], indirect=True)
@pytest.mark.parametrize("mode", faults.MODES)
def test_a_store_that_spoils_every_seventh_answer(
    through: tuple[Store, int], mode: str, laptop: Place, digest: str
) -> None:
    """Slow answers come after the time-out: they are given up and asked for again."""
    store, port = through
    spec = workload.spec().changed(partition={"max_events": 500})
    with faults.proxy(port, mode, delay=2.0) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        data, table = store.data, {"endpoint_url": address, "timeout": 0.7}
        if store.service is https:
            data, table = f"{address}/data", {"timeout": 0.7}
        prefix = "/".join(data.split("/")[:3])
        table = store.tables.get(prefix, {}) | table
        site = load_site("laptop", changes={"data": data, "storage": {prefix: table}})
        outcome = run(spec, replace(laptop, site=site, data=data))
    assert outcome.digest == digest
    assert outcome.metrics.failures == ()
    assert proxy.spoilt >= 5, f"only {proxy.seen} requests"


def in_the_middle(
    place: Place, act: Callable[[], None], **changes: Mapping[str, object]
) -> Outcome:
    """Run, and act meanwhile; what came of a run that had work left after that."""
    for seconds in (6, 20, 60):  # the first is enough unless the machine is very busy
        acted: list[float] = []

        def later(done: list[float] = acted) -> None:
            time.sleep(2)
            act()
            done.append(time.monotonic())

        thread = threading.Thread(target=later)
        thread.start()
        spec = workload.spec(2 * seconds / workload.PARTITIONS).changed(**changes)
        outcome = run(spec, place)  # on two workers
        ended = time.monotonic()
        thread.join()
        if acted[0] < ended - 1:
            return outcome
    pytest.fail("nothing was left to do when the trouble was over")


def test_a_key_that_expires_and_is_renewed(
    ceph_up: Store, made: Path, laptop: Place, digest: str
) -> None:
    """The key is removed at the store; the new one comes later, through the credential file."""
    ceph_up.fill(made)
    folder = ceph_up.folder
    old = buckets.read_credentials(ceph.credential_file(folder), ceph.PROFILE)

    def expire() -> None:
        new = ceph.new_key(folder)
        ceph.remove_key(folder)  # it goes before the command ends, seconds on a busy machine
        ceph.write_credentials(folder, *new)

    assert in_the_middle(at(laptop, ceph_up), expire).digest == digest
    with pytest.raises(ClientError, match="InvalidAccessKeyId|AccessDenied"):  # Ceph says either
        buckets.client(*ceph_up.tables.values(), key=old).list_buckets()


def test_an_xrootd_server_that_dies_and_comes_back(
    xrootd_up: Store, made: Path, laptop: Place, digest: str
) -> None:
    xrootd_up.fill(made)

    def outage() -> None:
        xrootd.kill(xrootd_up.folder)
        time.sleep(2)
        xrootd.restart(xrootd_up.folder)

    assert in_the_middle(at(laptop, xrootd_up), outage).digest == digest


def test_another_replica_takes_over_from_a_server_that_stays_away(
    xrootd_up: Store, rclone_up: Store, made: Path, laptop: Place, digest: str, tmp_path: Path
) -> None:
    """The record says what was read in place of the replica that was planned."""
    near, far = xrootd_up, rclone_up
    files, lines = sorted(made.glob("*.root")), []
    for store in (near, far):
        store.fill(made)
    for path in files:
        lines += [f"[entries.{path.stem}]", f"replicas = {[near.data, far.data]}"]
        lines += [f'{word} = "x"' for word in ("title", "licence", "citation", "source")]
        lines += [f"[[entries.{path.stem}.files]]", f'name = "{path.name}"', "events = 4000"]
    (tmp_path / "catalogue.toml").write_text("\n".join(lines))
    samples = {
        name: {"files": [f"catalogue:{Path(sample.files[0]).stem}"]}
        for name, sample in workload.spec().samples.items()
    }
    host = near.data.partition("//data")[0]
    options = {**tables(near, far), host: {"patience": 6, "timeout": 6}}
    site = load_site("laptop", changes={"data": str(tmp_path), "storage": options})
    place = replace(laptop, site=site, data=str(tmp_path), results=str(tmp_path))
    try:
        outcome = in_the_middle(place, lambda: xrootd.kill(near.folder), samples=samples)
    finally:
        xrootd.restart(near.folder)
    assert outcome.digest == digest
    code = "slow_dimuon.py"  # the user's, with its hash
    assert {u for u, _ in outcome.plan.inputs} == {code, *(f"{near.data}/{p.name}" for p in files)}
    assert read_record(save(outcome, place))["copies_read"] == [far.data]


def test_a_store_that_dies_while_results_are_written(
    ceph_up: Store, made: Path, digest: str
) -> None:
    """Nothing that is half there is ever taken for a result."""
    site = ceph_up.site(patience=8, timeout=8)  # a loaded machine answers within it
    place = connect(site, data=str(made), results=f"{ceph_up.data}/dying")
    outcome = run(workload.spec(), place)
    large = os.urandom(1 << 20) * 96
    files = outcome.domain.files
    block = ceph_up.folder / "osd" / "block"  # sparse: what is written takes blocks
    before, killed = block.stat().st_blocks, threading.Event()

    def kill_when_a_part_has_arrived() -> None:
        until(lambda: (block.stat().st_blocks - before) * 512 > 8 << 20, "a part of the object")
        ceph.kill(ceph_up.folder)
        killed.set()

    def with_a_large_one(result: object) -> Iterator[tuple[str, bytes]]:
        yield from files(result)
        killer.start()
        yield "large.bin", large

    killer = threading.Thread(target=kill_when_a_part_has_arrived)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outcome, "domain", replace(outcome.domain, files=with_a_large_one))
        with pytest.raises(OutputError, match="127.0.0.1"):
            save(outcome, place)
    killer.join()
    assert killed.is_set()
    ceph.restart(ceph_up.folder)
    with storage.using(site.stores):
        urls = [u for u in storage.files_below(place.results) if f"/{KNOWN}/" not in u]
        [folder] = {url.rpartition("/")[0] for url in urls}
        assert not any(url.endswith(("record.json", "large.bin")) for url in urls)
        with pytest.raises(DataNotFoundError, match="did not finish"):
            read_record(folder)
        again = save(run(workload.spec(), place), place)
        assert again != folder
        record = read_record(again)
        assert (record["digest"], damaged(again, record)) == (digest, [])

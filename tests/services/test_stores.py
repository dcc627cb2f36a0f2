"""Real stores: the same bytes and the same results from each, and errors in words."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spectrum_workflows import connect, load_site, run, save, storage
from spectrum_workflows.errors import AccessError, DataNotFoundError, OutputError, StoreError
from spectrum_workflows.proof.places import DataStore, profile
from spectrum_workflows.record import compare, read_record
from spectrum_workflows.sites import Place
from spectrum_workflows.storage import Stores, location

sys.path.insert(0, str(Path(__file__).parent))
import buckets
import workload
from datastore import Store, at, tables

pytestmark = pytest.mark.xdist_group("stores")

NAMES = ("ceph", "rclone", "xrootd", "https")
SECRET = "never-to-be-seen-0123456789"
TWO_MUONS = """
import awkward as ak, numpy as np
from spectrum_workflows.hep import Observable

def select(events, *, seconds=0.0):
    index = np.flatnonzero(ak.num(events.Muon_pt) == 2)
    return {"dimuon": Observable(ak.sum(events.Muon_pt[index], axis=1), index=index)}
"""
WITHIN = 30  # seconds in which an error must be said


# The same contract for every store


@pytest.mark.parametrize("store", NAMES, indirect=True)
def test_a_store_reads_back_what_was_written(store: Store) -> None:
    data = bytes(range(256)) * 4096
    with storage.using(store.site().stores):
        url = storage.join(store.data, "deep/er/x.bin")
        assert not storage.exists(url)
        for content in (b"before", data):
            storage.write_bytes(storage.join(store.upload, "deep/er/x.bin"), content)
            assert storage.read_bytes(url) == content
        assert storage.exists(url)
        assert storage.info(url)["size"] == len(data)
        spans = [(500_000, 600_000), (0, 3), (len(data) - 9, len(data)), (4, 4), (10, 20)]
        with storage.metering() as counter:
            found = storage.read_ranges(url, spans)
        assert [bytes(part) for part in found] == [data[a:b] for a, b in spans]
        assert 100_022 <= counter.bytes_read <= 1.05 * 100_022
        with storage.open_read(url) as stream:
            stream.seek(-10, 2)
            assert stream.read() == data[-10:]
            stream.seek(1000)
            assert stream.read(10) == data[1000:1010]
        with pytest.raises(DataNotFoundError, match="--data"):
            storage.read_bytes(f"{url}.not")


@pytest.mark.parametrize("store", NAMES[:3], indirect=True)
def test_a_store_that_can_be_written_to(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(1 << 20) * 12)
    with storage.using(store.site().stores):
        storage.check_writable(store.data)
        folder = storage.join(store.data, "new")
        urls = [storage.join(folder, name) for name in ("a.bin", "b/c.bin")]
        for url in urls:
            storage.put_file(source, url)
        assert storage.files_below(folder) == urls
        assert storage.read_bytes(urls[1]) == source.read_bytes()
        storage.remove(folder)
        assert storage.files_below(folder) == []
        assert not storage.exists(urls[0])


def test_a_web_server_cannot_be_written_to(https_up: Store) -> None:
    with pytest.raises(OutputError, match="over http"):
        storage.write_bytes(f"{https_up.data}/x", b"")


@pytest.mark.parametrize("store", NAMES, indirect=True)
def test_a_run_gives_the_same_result_from_every_store(
    store: Store, laptop: Place, digest: str
) -> None:
    outcome = run(workload.spec(), at(laptop, store))
    assert outcome.digest == digest
    assert outcome.metrics.bytes_read > 100_000


@pytest.mark.parametrize("store", ["ceph", "xrootd"], indirect=True)
def test_results_are_saved_in_a_store(store: Store, made: Path, tmp_path: Path) -> None:
    here = connect(load_site("serial"), data=str(made), results=str(tmp_path))
    there = connect(store.site(), results=storage.join(store.data, "results"))
    folder = save(run(workload.spec(), there), there)
    assert folder.startswith(store.data)
    with storage.using(there.stores):
        record = read_record(folder)
        names = {url.removeprefix(folder + "/") for url in storage.files_below(folder)}
        assert names == {entry["name"] for entry in record["objects"]} | {"record.json"}
        assert compare(folder, save(run(workload.spec(), here), here)).verdict == "identical"


@pytest.mark.parametrize("store", ["ceph", "xrootd"], indirect=True)
def test_columns_of_events_are_the_same_bytes_in_a_store(
    store: Store, made: Path, tmp_path: Path
) -> None:
    here = connect(load_site("serial"), data=str(made), results=str(tmp_path))
    there = connect(store.site(), results=storage.join(store.data, "results"))
    (tmp_path / "mine.py").write_text(TWO_MUONS)
    asked = {"columns": ["Muon_pt"], "folder": "skims/v1"}
    spec = workload.spec().changed(select=f"{tmp_path}/mine.py:select", columns_out=asked)
    texts = []
    for place in (here, there):
        columns = run(spec, place).result.columns
        assert columns.folder == storage.join(place.results, "skims/v1")
        assert columns.events > 0
        with storage.using(place.stores):
            texts.append(storage.read_bytes(storage.join(columns.folder, "columns.json")))
    assert texts[0] == texts[1]
    names = [f["name"] for s in json.loads(texts[0])["samples"].values() for f in s["files"]]
    with storage.using(there.stores):
        for name in names:
            written = storage.read_bytes(storage.join(columns.folder, name))
            assert written == (tmp_path / "skims/v1" / name).read_bytes()


def test_the_command_saves_in_a_store_and_compares_there(
    ceph_up: Store, made: Path, tmp_path: Path, digest: str
) -> None:
    ceph_up.fill(made)
    file = tmp_path / "site.toml"
    store = DataStore("ceph", ceph_up.data, ceph_up.data, options=ceph_up.tables)
    file.write_text(profile("serial", f"{ceph_up.data}/saved", store))

    def spectrum(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("spectrum")), *words, "--site", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    spec = str(workload.ROOT / "workflows/hep/dimuon.toml")
    found = json.loads(spectrum("run", spec, "--json"))
    assert found["folder"].startswith(f"{ceph_up.data}/saved/dimuon-")
    assert found["digest"] == digest
    assert 0 < found["share_of_data_read"] < 1.1
    assert "identical" in spectrum("compare", found["folder"], found["folder"])


def test_two_s3_stores_serve_one_run(
    ceph_up: Store, rclone_up: Store, made: Path, laptop: Place, digest: str
) -> None:
    for store in (ceph_up, rclone_up):
        store.fill(made)
    spec = workload.spec()
    samples = {
        name: sample.model_dump() | {"files": [f"{store.data}/{sample.files[0]}"]}
        for (name, sample), store in zip(spec.samples.items(), (ceph_up, rclone_up), strict=True)
    }
    both = load_site("laptop", changes={"storage": tables(ceph_up, rclone_up)})
    assert run(spec.changed(samples=samples), replace(laptop, site=both)).digest == digest


# Errors, each within half a minute, and never with the secret in it


def error_of(url: str, table: dict[str, object], kind: type[Exception]) -> str:
    """What an error says, with all that led to it."""
    begun = time.monotonic()
    name = "/".join(url.split("/")[:3])
    with storage.using(Stores(((name, tuple(table.items())),))), pytest.raises(kind) as caught:
        storage.read_bytes(url)
    assert time.monotonic() - begun < WITHIN
    error: BaseException | None = caught.value
    said = str(error)
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    return said


@pytest.fixture
def s3(request: pytest.FixtureRequest, made: Path) -> tuple[str, dict[str, object]]:
    """URL of an object, and the options with which it can be read."""
    running: Store = request.getfixturevalue(f"{request.param}_up")
    running.fill(made)
    [table] = running.tables.values()
    return f"{running.data}/dimuon.root", dict(table)


S3 = pytest.mark.parametrize("s3", ["ceph", "rclone"], indirect=True)


def words(s3: tuple[str, dict[str, object]]) -> list[str]:
    """What an error of this store must name."""
    return [str(s3[1]["endpoint_url"]), s3[0].split("/")[2]]


@S3
@pytest.mark.parametrize("wrong", ["secret", "key", "nobody"])
def test_a_store_that_does_not_know_us(s3, wrong: str, tmp_path: Path) -> None:
    url, table = s3
    profile = str(table["profile"])
    key, _ = buckets.read_credentials(Path(str(table["credential_file"])), profile)
    file = tmp_path / "credentials"
    buckets.write_credentials(file, profile, key if wrong == "secret" else "unknown", SECRET)
    other: dict[str, object] = (
        {"anon": True} if wrong == "nobody" else {"credential_file": str(file)}
    )
    said = error_of(url, table | other | {"patience": 1}, AccessError)
    assert all(word in said for word in words(s3)), said


@S3
def test_a_store_for_which_there_are_no_credentials(s3, tmp_path: Path) -> None:
    url, table = s3
    said = error_of(
        url, table | {"credential_file": str(tmp_path / "none"), "patience": 1}, AccessError
    )
    assert all(word in said for word in words(s3)), said


@S3
def test_a_store_without_the_bucket_or_the_object(s3) -> None:
    url, table = s3
    said = error_of(url + "x", table, DataNotFoundError)
    assert "no such object" in said
    assert all(word in said for word in words(s3)), said
    said = error_of("s3://no-such-bucket/x", table, DataNotFoundError)
    assert "no bucket 'no-such-bucket'" in said
    assert str(table["endpoint_url"]) in said


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["s3", "http", "root"])
def test_a_store_that_is_down(scheme: str, nowhere: int) -> None:
    host = f"127.0.0.1:{nowhere}"
    url = "s3://bucket-x/a.root" if scheme == "s3" else f"{scheme}://{host}//a.root"
    table: dict[str, object] = {"patience": 5}
    if scheme == "s3":
        table |= {"endpoint_url": f"http://{host}", "anon": True}
    said = error_of(url, table, StoreError)
    assert host in said
    assert scheme != "s3" or "bucket-x" in said


def test_a_store_that_hangs(mute: int) -> None:
    """Less than half of what is usual, to be done sooner: an error after at most both together."""
    assert location.TIMEOUT + location.PATIENCE <= WITHIN
    table = {"endpoint_url": f"http://127.0.0.1:{mute}", "anon": True}
    table |= {"timeout": 3, "patience": 6}
    assert f"127.0.0.1:{mute}" in error_of("s3://bucket-x/a.root", table, StoreError)


def test_a_store_whose_certificate_is_not_trusted(https_up: Store, made: Path) -> None:
    https_up.fill(made)
    said = error_of(f"{https_up.data}/dimuon.root", {}, StoreError)
    assert "certificate of https://127.0.0.1" in said
    table = {"endpoint_url": https_up.data.removesuffix("/data"), "anon": True}
    said = error_of("s3://bucket-x/a", table, StoreError)
    assert "certificate of https://127.0.0.1" in said


def test_a_store_that_forbids(https_up: Store) -> None:
    [table] = https_up.tables.values()
    url = https_up.data.replace("/data", "/closed/x.root")
    assert "refused access" in error_of(url, table, AccessError)


def test_a_token_that_is_renewed_in_its_file(https_up: Store, made: Path, tmp_path: Path) -> None:
    https_up.fill(made)
    [table] = https_up.tables.values()
    file = tmp_path / "token"
    file.write_text(SECRET)
    table |= {"token_file": str(file)}
    url = https_up.data.replace("/data", "/private/data/dimuon.root")
    assert "refused access (401 Unauthorized)" in error_of(
        url, table | {"patience": 1}, AccessError
    )
    right = (https_up.folder / "token").read_text()
    threading.Timer(1, file.write_text, [right + "\n"]).start()
    with storage.using(Stores(((https_up.data.removesuffix("data"), tuple(table.items())),))):
        assert storage.read_bytes(url) == (made / "dimuon.root").read_bytes()

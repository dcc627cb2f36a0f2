"""The catalogue: entries, replicas, interrupted copies, checksums, and runs that name an entry."""

import hashlib
import json
import socket
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from spectrum_workflows import catalogue, check, load_site, load_spec, run, storage
from spectrum_workflows.catalogue import CatalogueEntry, CatalogueFile, fetching
from spectrum_workflows.errors import DataError, DataNotFoundError, SpecError, StoreError
from spectrum_workflows.sites import Place

REFERENCE = Path(__file__).parent / "reference"
MUONS = "agc_poet_open-data-example.root"


class Ranges(SimpleHTTPRequestHandler):
    """Files with byte ranges, which the standard library's server does not know."""

    served: list[tuple[str, int, int]]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = self.headers.get("Range", "")
        start, stop = 0, len(data)
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), int(last or len(data) - 1) + 1
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(min(stop, len(data)) - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        self.served.append((path.name, start, stop))
        self.wfile.write(data[start:stop])

    def log_message(self, *_: Any) -> None:
        pass


Served = tuple[str, Path, list[tuple[str, int, int]]]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A web server: its URL, its folder, and the ranges it has sent."""
    folder, sent = tmp_path / "served", []
    folder.mkdir()
    handler = type("Handler", (Ranges,), {"served": sent})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder, sent
        server.shutdown()
        thread.join()


def entry_of(*files: CatalogueFile, replicas: tuple[str, ...] = ()) -> CatalogueEntry:
    words = {"title": "t", "licence": "CC0-1.0", "citation": "c", "source": "s"}
    return CatalogueEntry(replicas=replicas, files=files, **words)


def silent(_done: int, _total: int) -> None:
    pass


def put(folder: Path, name: str = "events.bin", size: int = 300_000) -> tuple[bytes, CatalogueFile]:
    """A file on the server, and what a catalogue says of it."""
    data = hashlib.sha256(name.encode()).digest() * (size // 32)
    (folder / name).write_bytes(data)
    published = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return data, CatalogueFile(name=name, size=len(data), checksum=published)


def catalogue_at(root: Path, found: CatalogueEntry) -> None:
    """A data root with a catalogue of its own: one entry, ``mine``."""
    root.mkdir(exist_ok=True)

    def table(values: dict[str, Any]) -> str:
        return "\n".join(f"{k} = {json.dumps(v)}" for k, v in values.items() if v is not None)

    values = found.model_dump(mode="json")
    files = values.pop("files")
    text = f"[entries.mine]\n{table(values).replace('false', 'false')}\n"
    text += "".join(f"[[entries.mine.files]]\n{table(file)}\n" for file in files)
    (root / "catalogue.toml").write_text(text)


def test_what_comes_with_the_package() -> None:
    found = catalogue.catalogue()
    assert {"cms-run2012b-singlemu", "agc-ttbar", "vla-3c391"} <= found.keys()
    for entry in found.values():
        assert not entry.fetched_in_tests
        assert entry.replicas
        assert entry.licence
        assert entry.citation
        assert entry.source.startswith("https://")
        assert all(file.checksum is None for file in entry.files)
    assert found["cms-run2012b-singlemu"].events == 53_446_198


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[entries.a]\ntitel = 't'", "unknown key 'entries.a.titel'.*did you mean title"),
        ("[entries.a]\ntitle = 't'", "missing key"),
        ("[entries]\na = 3", "entries.a"),
        ("entries", "not valid TOML"),
    ],
)
def test_a_catalogue_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "catalogue.toml").write_text(text)
    with pytest.raises(SpecError, match=says):
        catalogue.catalogue(str(tmp_path))


def test_checksums_and_names_are_checked() -> None:
    with pytest.raises(ValueError, match="pattern"):
        CatalogueFile(name="a", checksum="sha256:123")
    with pytest.raises(ValueError, match="pattern"):
        CatalogueFile(name="../a")
    with pytest.raises(ValueError, match="listed twice"):
        entry_of(CatalogueFile(name="a"), CatalogueFile(name="a"))
    with pytest.raises(SpecError, match="no entry 'agc-tbar'.*did you mean agc-ttbar"):
        catalogue.entry("catalogue:agc-tbar")


def test_an_interrupted_copy_goes_on_where_it_was(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder, sent = served
    data, file = put(folder)
    entry = entry_of(file, replicas=(url,))
    monkeypatch.setattr(fetching, "BLOCK", 50_000)

    def interrupted(done: int, _total: int) -> None:
        if done >= 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.fetch(entry, file, str(tmp_path / "data"), interrupted)
    assert not (tmp_path / "data" / file.name).exists()
    seen = []
    place, replica = catalogue.fetch(
        entry, file, str(tmp_path / "data"), lambda done, total: seen.append((done, total))
    )
    assert Path(place).read_bytes() == data
    assert replica == f"{url}/{file.name}"
    assert seen[0] == (100_000, len(data))
    assert seen[-1] == (len(data), len(data))
    blocks = [part for part in sent if part[2] - part[1] > 1]
    assert sum(stop - start for _, start, stop in blocks) == len(data)
    assert catalogue.fetch(entry, file, str(tmp_path / "data"), silent) == (place, "")


def test_the_next_replica_takes_over_in_the_order_of_the_site(
    served: Served, tmp_path: Path
) -> None:
    url, folder, _ = served
    (folder / "b").mkdir()
    data, file = put(folder / "b")
    entry = entry_of(file, replicas=(f"{url}/a", f"{url}/b", "memory://copies"))
    storage.write_bytes("memory://copies/events.bin", data)
    place, replica = catalogue.fetch(entry, file, str(tmp_path / "one"), silent)
    assert replica == f"{url}/b/events.bin"
    with storage.using(storage.Stores(replicas=("memory://", url))):
        place, replica = catalogue.fetch(entry, file, str(tmp_path / "two"), silent)
    assert replica == "memory://copies/events.bin"
    assert Path(place).read_bytes() == data
    none = entry_of(file, replicas=(f"{url}/a", f"{url}/c"))
    with pytest.raises(DataNotFoundError, match=r"events\.bin: no replica can be read .*/a/.*/c/"):
        catalogue.fetch(none, file, str(tmp_path / "three"), silent)


def test_what_is_not_what_was_published(served: Served, tmp_path: Path) -> None:
    url, folder, _ = served
    data, file = put(folder)
    (folder / file.name).write_bytes(data[:-1] + b"!")
    root = tmp_path / "data"
    with pytest.raises(DataError, match=f"sha256 .*, not the {file.checksum[7:]} published"):
        catalogue.fetch(entry_of(file, replicas=(url,)), file, str(root), silent)
    assert [p.name for p in root.iterdir()] == []
    (folder / file.name).write_bytes(data[:-1])
    with pytest.raises(DataNotFoundError, match="299999 bytes, not the 300000 published|published"):
        catalogue.fetch(entry_of(file, replicas=(url,)), file, str(root), silent)


def test_verify(served: Served, tmp_path: Path) -> None:
    url, folder, _ = served
    data, file = put(folder)
    root = str(tmp_path / "data")
    adler = CatalogueFile(name="events.bin", checksum=f"adler32:{zlib.adler32(data):08x}")
    unknown = CatalogueFile(name="events.bin")
    assert catalogue.verify(file, root)[0] == "missing"
    catalogue.fetch(entry_of(unknown, replicas=(url,)), unknown, root, silent)
    assert catalogue.verify(file, root) == ("verified", file.checksum)
    assert catalogue.verify(adler, root) == ("verified", adler.checksum)
    assert catalogue.verify(unknown, root) == ("unpublished", file.checksum)
    Path(root, "events.bin").write_bytes(data[:-1] + b"!")
    for published in (file, adler, unknown):
        assert catalogue.verify(published, root)[0] == "different"


def test_an_archive_is_unpacked(served: Served, tmp_path: Path) -> None:
    url, folder, _ = served
    (tmp_path / "some.ms").mkdir()
    (tmp_path / "some.ms" / "table.dat").write_text("x")
    for name, inside in (("some.ms.tgz", "some.ms"), ("bad.ms.tgz", "other.ms")):
        with tarfile.open(folder / name, "w:gz") as tar:
            tar.add(tmp_path / "some.ms", arcname=inside)
    root = str(tmp_path / "data")
    file = CatalogueFile(name="some.ms.tgz")
    for _ in range(2):
        place, _ = catalogue.fetch(entry_of(file, replicas=(url,)), file, root, silent)
        assert place == f"{root}/some.ms"
        assert Path(place, "table.dat").read_text() == "x"
    assert not list(Path(root).glob("*.part"))
    file = CatalogueFile(name="bad.ms.tgz")
    with pytest.raises(DataError, match=r"the archive holds no bad\.ms"):
        catalogue.fetch(entry_of(file, replicas=(url,)), file, root, silent)


def test_names_that_would_hide_or_replace_something() -> None:
    for name in (".bashrc", "-rf", "..", "catalogue.toml", "checksums.json", "a.part", "a" * 300):
        with pytest.raises(ValueError, match="pattern|own|at most"):
            CatalogueFile(name=name)


def test_a_fetched_file_that_is_no_longer_what_it_was(served: Served, tmp_path: Path) -> None:
    url, folder, _ = served
    data, file = put(folder)
    root = tmp_path / "data"
    for published in (file, CatalogueFile(name=file.name)):
        entry = entry_of(published, replicas=(url,))
        catalogue_at(root, entry)
        catalogue.fetch(entry, published, str(root), silent)
        assert [found.url for found in catalogue.located("catalogue:mine", str(root))] == [
            str(root / file.name)
        ]
        (root / file.name).write_bytes(data[:-1] + b"!")
        with pytest.raises(DataError, match="had when it was fetched.*spectrum data fetch"):
            catalogue.located("catalogue:mine", str(root))
        assert catalogue.fetch(entry, published, str(root), silent)[1], "it is fetched anew"
        assert (root / file.name).read_bytes() == data
        (root / file.name).touch()
        assert catalogue.located("catalogue:mine", str(root))
    (root / "checksums.json").write_text('{"events.bin": {"checksum": 5}, "x": []}')
    assert catalogue.located("catalogue:mine", str(root))


def test_a_source_that_changes_while_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions are never one file, neither in one go nor after an interruption."""
    source, root = tmp_path / "source", tmp_path / "data"
    source.mkdir()
    old, new = b"a" * 300_000, b"b" * 300_000
    (source / "events.bin").write_bytes(old)
    file = CatalogueFile(name="events.bin")
    entry = entry_of(file, replicas=(str(source),))
    monkeypatch.setattr(fetching, "BLOCK", 100_000)

    def exchange(done: int, _total: int) -> None:
        if done == 100_000:
            (source / "events.bin").write_bytes(new)

    with pytest.raises(DataNotFoundError, match="changed while it was copied"):
        catalogue.fetch(entry, file, str(root), exchange)

    def stop(done: int, _total: int) -> None:
        if done == 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.fetch(entry, file, str(root), stop)
    assert (root / "events.bin.part").stat().st_size == 100_000
    (source / "events.bin").write_bytes(old)
    catalogue.fetch(entry, file, str(root), silent)
    assert (root / "events.bin").read_bytes() == old
    assert not list(root.glob("*.part*"))


# Runs that name an entry


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., Place]:
    """``place(replicas)``: in this process, with an empty data root."""

    def make(*replicas: str) -> Place:
        site = load_site("serial", changes={"replicas": list(replicas)})
        return Place(site, str(tmp_path / "data"), str(tmp_path / "results"))

    return make


def test_a_run_reads_a_replica_and_records_which(
    served: Served, shared_hep: Path, tmp_path: Path, place: Callable[..., Place]
) -> None:
    url, folder, _ = served
    (folder / MUONS).symlink_to(shared_hep / MUONS)
    data = (shared_hep / MUONS).read_bytes()
    checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
    file = CatalogueFile(name=MUONS, checksum=checksum)
    catalogue_at(tmp_path / "data", entry_of(file, replicas=(f"{url}/none", url)))
    spec = load_spec(REFERENCE / "hep_dimuon.toml")
    [sample] = spec.samples
    named = spec.changed(samples={sample: {"files": ["catalogue:mine"]}})
    expected = run(spec, Place(load_site("serial"), str(shared_hep), str(tmp_path / "r")))
    remote = run(named, place())
    assert remote.digest == expected.digest
    [(read, identity)] = remote.plan.inputs  # these go into the record
    assert read == f"{url}/{MUONS}"
    assert identity.endswith(checksum)
    catalogue.fetch(catalogue.entry("mine", place().data), file, place().data, silent)
    assert check(named, place()).plan.inputs == ((f"{tmp_path}/data/{MUONS}", identity),)


def test_an_entry_of_visibilities(tmp_path: Path, place: Callable[..., Place]) -> None:
    from spectrum_workflows.radio.read import find

    storage.write_bytes("memory://sets/sim_vlac_330.zarr/zarr.json", b"{}")
    files = CatalogueFile(name="sim_vlac_330.zarr")
    replicas = ("memory://nothing", "memory://sets")
    catalogue_at(tmp_path / "data", entry_of(files, replicas=replicas))
    spec = load_spec(REFERENCE / "radio_dirty.toml").changed(data_set="catalogue:mine")
    assert find(spec, place().data) == "memory://sets/sim_vlac_330.zarr"
    (tmp_path / "data" / "sim_vlac_330.ms").mkdir()
    assert find(spec, place().data) == f"{tmp_path}/data/sim_vlac_330.ms"


def test_a_site_says_which_replicas_it_wants(place: Callable[..., Place]) -> None:
    assert place("root://near", "https://far").stores.replicas == ("root://near", "https://far")


def test_a_copy_is_read_where_a_store_fails(served: Served) -> None:
    """The store that is down is asked once, however long; what was read instead is counted."""
    url, folder, _ = served
    data, _ = put(folder)
    with hanging_up() as (port, asked):
        away = f"http://127.0.0.1:{port}/set"
        options = ((away, (("patience", 0.2),)),)
        stores = storage.Stores(options, copies=((away, url),))
        with storage.using(stores), storage.metering() as counter:
            assert storage.read_bytes(f"{away}/events.bin") == data
            assert asked
            asked.clear()
            for _ in range(2):
                assert storage.read_bytes(f"{away}/events.bin") == data
            [part] = storage.read_ranges(f"{away}/events.bin", [(10, 20)])
            assert bytes(part) == data[10:20]
            assert storage.info(f"{away}/events.bin")["size"] == len(data)
        assert not asked
    assert counter.copies == {url}
    assert counter.bytes_read == 3 * len(data) + 10


@contextmanager
def hanging_up() -> Iterator[tuple[int, list[int]]]:
    """A port at which every connection is ended without a word, and who has asked there."""
    asked: list[int] = []

    class HangsUp(BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.client_address[1])

    with ThreadingTCPServer(("127.0.0.1", 0), HangsUp) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


def test_where_no_copy_can_be_read_the_first_trouble_is_told(
    served: Served, closed_port: int
) -> None:
    url, _, _ = served
    away = f"http://127.0.0.1:{closed_port}/other"
    stores = storage.Stores(((away, (("patience", 0.2),)),), copies=((away, url),))
    for _ in range(2):  # then the other is asked first
        with storage.using(stores), pytest.raises(StoreError, match=f"{closed_port}/other/none"):
            storage.read_bytes(f"{away}/none")


def test_a_copy_of_another_size_is_none(served: Served) -> None:
    url, folder, _ = served
    (folder / "near").mkdir()
    (folder / "far").mkdir()
    (folder / "near" / "f.bin").write_bytes(b"1" * 100)
    (folder / "far" / "f.bin").write_bytes(b"2" * 90)
    stores = storage.Stores(copies=((f"{url}/near", f"{url}/far"),))
    with storage.using(stores):
        assert storage.info(f"{url}/near/f.bin")["size"] == 100
        (folder / "near" / "f.bin").unlink()
        with pytest.raises(DataNotFoundError, match=r"near/f\.bin"):
            storage.read_ranges(f"{url}/near/f.bin", [(0, 10)])
        (folder / "far" / "f.bin").write_bytes(b"2" * 100)
        assert bytes(storage.read_ranges(f"{url}/near/f.bin", [(0, 3)])[0]) == b"222"


def test_copies_are_those_of_the_entries_that_a_spec_names(tmp_path: Path) -> None:
    replicas = ("s3://a/x/", "copies/here", "https://b/y")
    for name, expected in (("f.root", (("s3://a/x", "https://b/y"),)), ("f.zarr", ())):
        catalogue_at(tmp_path / name, entry_of(CatalogueFile(name=name), replicas=replicas))
        assert catalogue.copies(["catalogue:mine"], str(tmp_path / name)) == expected
    assert catalogue.copies([], str(tmp_path / "f.root")) == ()


def test_where_a_file_lies_besides() -> None:
    stores = storage.Stores(copies=(("s3://a/x", "https://b/y"), ("root://c", "root://d")))
    assert stores.copies_of("s3://a/x/f.root") == [
        ("s3://a/x", "s3://a/x/f.root"),
        ("https://b/y", "https://b/y/f.root"),
    ]
    assert stores.copies_of("https://b/y/f.root")[1] == ("s3://a/x", "s3://a/x/f.root")
    assert stores.copies_of("s3://a/xy/f.root") == []
    nested = storage.Stores(copies=(("s3://a", "s3://b"), ("s3://a/x", "s3://c")))
    assert nested.copies_of("s3://a/x/f")[1] == ("s3://c", "s3://c/f")


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

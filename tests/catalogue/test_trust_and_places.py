"""What is believed of a file that is there, and where one is read."""

import hashlib
import json
import os
import zlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from spectrum_workflows import catalogue, datasets, storage
from spectrum_workflows.catalogue import fetching, finding, trusting
from spectrum_workflows.catalogue.entries import CatalogueEntry, CatalogueFile
from spectrum_workflows.errors import (
    DataError,
    DataNotFoundError,
    OutputError,
    SpecError,
    StoreError,
)

DATA = b"0123456789" * 100
WORDS = {"title": "t", "licence": "CC0-1.0", "citation": "c", "source": "s"}


def published(name: str = "f.bin", algorithm: str = "sha256", **more: object) -> CatalogueFile:
    digest = f"{zlib.adler32(DATA):08x}"
    if algorithm != "adler32":
        digest = hashlib.new(algorithm, DATA).hexdigest()
    return CatalogueFile(name=name, size=len(DATA), checksum=f"{algorithm}:{digest}", **more)


def entry(*files: CatalogueFile, **more: object) -> CatalogueEntry:
    return CatalogueEntry(files=files, **WORDS, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f.bin"
    path.write_bytes(DATA)
    return path


def age(path: Path, ns: int) -> None:
    os.utime(path, ns=(ns, ns))


@pytest.mark.parametrize("algorithm", ["sha256", "md5", "adler32"])
def test_every_checksum_is_that_of_the_bytes(
    path: Path, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusting, "BLOCK", 7)
    assert f"{algorithm}:{trusting.checksum(path, algorithm)}" == published("f", algorithm).checksum
    assert fetching.verify(published(algorithm=algorithm), str(path.parent))[0] == "verified"
    path.write_bytes(DATA[:-1] + b"x")
    state, fault = fetching.verify(published(algorithm=algorithm), str(path.parent))
    assert state == "different"
    assert fault.startswith(f"{algorithm} ")


def test_what_came_otherwise_is_not_read_again(path: Path) -> None:
    path.write_bytes(DATA[::-1])
    assert trusting.distrust(published(), path) == ""
    path.write_bytes(DATA + b"x")
    assert trusting.distrust(published(), path) == "1001 bytes, not the 1000 published"


def test_what_was_fetched_is_read_again_once_it_has_changed(path: Path) -> None:
    trusting.note(published(), path)
    path.write_bytes(DATA[::-1])
    age(path, 5)
    assert "which it had when it was fetched" in trusting.distrust(published(), path)
    path.write_bytes(DATA)
    age(path, 6)
    assert trusting.distrust(published(), path) == ""
    assert trusting.notes(path)["f.bin"]["changed"] == 6, "it is not read a third time"


def test_of_what_has_no_published_checksum_the_own_is_kept(path: Path) -> None:
    file = CatalogueFile(name="f.bin")
    assert fetching.verify(file, str(path.parent)) == (
        *("unpublished", f"sha256:{hashlib.sha256(DATA).hexdigest()}"),
    )
    path.write_bytes(DATA[::-1])
    age(path, 5)
    state, fault = fetching.verify(file, str(path.parent))
    assert state == "different"
    assert fault.endswith("computed when it came")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"f.bin": 5}', b'{"f.bin": {"checksum": "x"}}']
)
def test_notes_that_cannot_be_believed_are_none(path: Path, text: bytes) -> None:
    path.with_name(trusting.NOTES).write_bytes(text)
    assert trusting.notes(path) == {}
    trusting.note(published(), path)
    assert [*trusting.notes(path)] == ["f.bin"]


def test_notes_of_other_files_stay(path: Path) -> None:
    other = path.with_name("g.bin")
    other.write_bytes(DATA)
    for name in ("f.bin", "g.bin", "f.bin"):
        trusting.note(published(name), path.with_name(name))
    assert json.loads(path.with_name(trusting.NOTES).read_bytes()).keys() == {"f.bin", "g.bin"}


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    state, remedy = fetching.verify(published(), str(tmp_path))
    assert (state, remedy) == ("missing", f"fetch it: {tmp_path}/f.bin is not there")


# Fetching


@pytest.fixture
def store() -> str:
    storage.write_bytes("memory://replica/set/f.bin", DATA)
    return "memory://replica/set"


def fetched(file: CatalogueFile, data: Path, *replicas: str) -> tuple[str, str]:
    return fetching.fetch(entry(file, replicas=replicas), file, str(data), lambda *_: None)


def test_a_copy_is_there_whole_with_its_note(store: str, tmp_path: Path) -> None:
    assert fetched(published(), tmp_path / "d", store) == (
        *(f"{tmp_path}/d/f.bin", f"{store}/f.bin"),
    )
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["checksums.json", "f.bin"]
    assert fetched(published(), tmp_path / "d") == (f"{tmp_path}/d/f.bin", "")


def test_a_replica_of_another_size_is_passed_by(store: str, tmp_path: Path) -> None:
    storage.write_bytes("memory://replica/old/f.bin", DATA + b"x")
    _, replica = fetched(published(), tmp_path, "memory://replica/old", store)
    assert replica == f"{store}/f.bin"


@pytest.mark.parametrize(
    ("replicas", "says"),
    [
        ((), "no replica can be read \\(the entry has no replicas\\); try again later"),
        (("memory://replica/none",), r"no replica can be read \(memory://replica/none/f\.bin"),
    ],
)
def test_without_a_replica_nothing_is_fetched(
    tmp_path: Path, replicas: tuple[str, ...], says: str
) -> None:
    with pytest.raises(DataNotFoundError, match=says):
        fetched(published(), tmp_path, *replicas)
    assert not (tmp_path / "f.bin").exists()


def test_a_part_that_is_too_long_is_begun_anew(store: str, tmp_path: Path) -> None:
    (tmp_path / "f.bin.part").write_bytes(DATA * 2)
    fetched(published(), tmp_path, store)
    assert (tmp_path / "f.bin").read_bytes() == DATA


@pytest.mark.parametrize("note", [b"", b"[]", b'{"memory://replica/set/f.bin": "another"}'])
def test_a_part_of_another_version_is_begun_anew(store: str, tmp_path: Path, note: bytes) -> None:
    (tmp_path / "f.bin.part").write_bytes(b"x" * 500)
    (tmp_path / "f.bin.part.from").write_bytes(note)
    if b"another" in note:
        fetched(published(), tmp_path, store)
        assert (tmp_path / "f.bin").read_bytes() == DATA
    else:  # nobody knows of what it is a part: the checksum does
        with pytest.raises(DataError, match=r"sha256 .*, not the .* published; fetch it again"):
            fetched(published(), tmp_path, store)
        assert [p.name for p in tmp_path.iterdir()] == [], "the next try begins anew"


def test_a_full_disk_is_said_before_anything_is_copied(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetching.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage._replace(free=999))
    with pytest.raises(OutputError, match=r"0\.00 GB are to come, .* free; choose another place"):
        fetched(published(), tmp_path, store)


def test_a_data_root_that_cannot_be_written_is_said_with_the_option(
    store: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write \(.*\); choose another .* --data"):
        fetched(published(), tmp_path / "file", store)


# Where a file is read


def catalogued(data: Path, found: CatalogueEntry) -> str:
    """A data root whose catalogue has that entry as ``mine``."""
    lines = ["[entries.mine]", *(f"{k} = {json.dumps(v)}" for k, v in WORDS.items())]
    lines.append(f"replicas = {json.dumps(found.replicas)}")
    for file in found.files:
        lines.append("[[entries.mine.files]]")
        values = file.model_dump(exclude_none=True)
        lines += [f"{k} = {json.dumps(v)}" for k, v in values.items()]
    data.mkdir(exist_ok=True)
    (data / "catalogue.toml").write_text("\n".join(lines))
    return str(data)


def test_what_is_below_the_data_root_comes_first(store: str, tmp_path: Path) -> None:
    data = catalogued(tmp_path, entry(published(), replicas=(store,)))
    [place] = finding.located("catalogue:mine", data)
    assert (place.url, place.checksum) == (f"{store}/f.bin", published().checksum)
    (tmp_path / "f.bin").write_bytes(DATA)
    assert finding.located("catalogue:mine", data)[0].url == f"{tmp_path}/f.bin"
    (tmp_path / "f.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="5 bytes, not the 1000 published; spectrum data fetch"):
        finding.located("catalogue:mine", data)


def test_where_no_replica_has_it_all_are_named(tmp_path: Path) -> None:
    replicas = ("memory://replica/none", "memory://replica/nor-here")
    data = catalogued(tmp_path, entry(published(), replicas=replicas))
    with pytest.raises(DataNotFoundError, match="try spectrum data fetch") as caught:
        finding.located("catalogue:mine", data)
    assert all(f"{url}/f.bin: not there" in caught.value.what for url in (data, *replicas))


def test_one_answer_speaks_for_all_files_whose_events_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [CatalogueFile(name=f"{n}.root", events=n) for n in range(4)]
    storage.write_bytes("memory://replica/many/0.root", b"1")
    data = catalogued(tmp_path, entry(*files, replicas=("memory://replica/many",)))
    (tmp_path / "2.root").write_bytes(b"1")
    asked: list[str] = []
    exists = storage.exists
    monkeypatch.setattr(storage, "exists", lambda url: (asked.append(url), exists(url))[1])
    places = finding.located("catalogue:mine", data)
    assert [place.events for place in places] == [0, 1, 2, 3]
    assert [place.url for place in places] == [
        "memory://replica/many/0.root",
        "memory://replica/many/1.root",
        f"{data}/2.root",
        "memory://replica/many/3.root",
    ]
    assert [url for url in asked if url.startswith("memory://replica")] == [
        "memory://replica/many/0.root"
    ]


def test_an_entry_that_is_none_names_the_closest(tmp_path: Path) -> None:
    data = catalogued(tmp_path, entry(published()))
    with pytest.raises(SpecError, match="no entry 'mime' in the catalogue; did you mean mine"):
        finding.entry("catalogue:mime", data)
    assert finding.entry("catalogue:mine", data) == finding.entry("mine", data)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.ms.tgz", "a"), ("a.ms", "a"), ("a.zarr", "a"), ("a.tar.gz", "a"), ("a.b.root", "a.b")],
)
def test_a_set_has_one_name_in_all_its_forms(tmp_path: Path, name: str, stem: str) -> None:
    assert catalogue.plain_name(name) == stem
    data = catalogued(tmp_path, entry(CatalogueFile(name=name), replicas=("s3://b/x/",)))
    if not name.endswith(".root"):
        assert finding.stems("catalogue:mine", data) == [f"{data}/{stem}", f"s3://b/x/{stem}"]
    assert finding.published(data)[stem] == "mine"


# What a catalogue may say


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": "a/b"},
        {"name": ".hidden"},
        {"name": "catalogue.toml"},
        {"name": "checksums.json"},
        {"name": "x.part"},
        {"name": "x.part.from"},
        {"size": 0},
        {"events": -1},
        {"checksum": "sha256:abc"},
        {"checksum": "sha1:" + "0" * 40},
        {"checksum": "md5:" + "A" * 32},
    ],
)
def test_what_no_file_of_a_catalogue_is(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CatalogueFile(**{"name": "x", **change})


def test_an_entry_sums_what_is_known_of_every_file() -> None:
    known = [CatalogueFile(name=n, size=5_000_000, events=0) for n in "ab"]
    row = entry(*known, fetched_in_tests=True).row("mine")
    assert (row["GB"], row["events"], row["what"], row["files"]) == ("0.01", "", "t", 2)
    one = entry(*known, CatalogueFile(name="c"))
    assert (one.size, one.events) == (None, None)
    assert one.row("mine")["GB"] == "?"
    with pytest.raises(ValidationError, match="a file is listed twice"):
        entry(known[0], known[0])


# Generated data under a published name


def test_generated_data_is_not_taken_for_what_was_published(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = catalogued(tmp_path, entry(published(), replicas=(store,)))
    (tmp_path / "f.bin").write_bytes(DATA)
    monkeypatch.setattr(datasets, "_generated", lambda file, data: f"{data}/{file.name}")
    with pytest.raises(DataError, match=r"generated data lies .*; move it away, or .* --data"):
        datasets.fetch_data("mine", data)
    [row] = datasets.verify_data(["mine"], data)
    assert (row["state"], row["what"]) == ("different", datasets.GENERATED)


def test_verify_looks_at_what_is_there_unless_it_is_asked(store: str, tmp_path: Path) -> None:
    files = (published(), CatalogueFile(name="other.bin"))
    data = catalogued(tmp_path, entry(*files, replicas=(store,)))
    (tmp_path / "f.bin").write_bytes(DATA)
    assert [row["file"] for row in datasets.verify_data([], data)] == ["f.bin"]
    states = {row["file"]: row["state"] for row in datasets.verify_data(["mine"], data)}
    assert states == {"f.bin": "verified", "other.bin": "missing"}


def test_a_source_that_does_not_say_its_size_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    monkeypatch.setattr(storage, "info", lambda url: {"size": None})
    with pytest.raises(StoreError, match="does not say how large the file is"):
        fetching._append(f"{store}/f.bin", published(), tmp_path / "f.part", lambda *_: None)

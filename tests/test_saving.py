"""A result is saved whole, or kept on this machine: never half there, never lost."""

import errno
import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from spectrum_workflows import front, load_site, storage
from spectrum_workflows.cli import main
from spectrum_workflows.domain import Domain, Metrics, Plan
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError
from spectrum_workflows.record import Outcome, Spooled, compare, damaged, read_record
from spectrum_workflows.record.digest import digest
from spectrum_workflows.sites import Place
from spectrum_workflows.specs import FrozenModel
from spectrum_workflows.storage.writing import BLOCK

CONTENT = {"numbers.json": b'{"x": 1}', "deep/er.bin": bytes(1000)}


class Question(FrozenModel):
    workflow: str = "hep"
    name: str = "little"


def science() -> Domain:
    unused = "inputs run pictures plot make deviation"
    return Domain(
        name="hep",
        spec=Question,
        plan=lambda *_: Plan((), 0, 0),
        arrays=lambda result: {"x": np.ones(1)},
        summary=lambda result: {},
        files=lambda result: iter(CONTENT.items()),
        read=lambda folder: {"x": np.ones(1)},
        **{name: (lambda *_: iter(())) for name in unused.split()},
    )


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    own = science()
    monkeypatch.setattr(Outcome, "domain", own)
    monkeypatch.setattr("spectrum_workflows.domain.get", lambda name: own)
    return Outcome(
        Question(),
        Plan((), 0, 0),
        object(),
        Metrics(),
        digest({"x": np.ones(1)}),
        "2026-01-02T03:04:05+00:00",
        1.0,
        1.0,
        0,
        {},
        (),
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    spool = {"spool": str(tmp_path / "spool")}
    return Place(load_site("serial", changes=spool), str(tmp_path), str(tmp_path / "results"))


def kept(place: Place) -> list[str]:
    return [one.name for one in front.spooled(place)]


def full(monkeypatch: pytest.MonkeyPatch, below: Path, after: int) -> None:
    """Let a folder's disk be full after some bytes."""
    write, written = Path.write_bytes, [0]

    def write_bytes(path: Path, data: bytes) -> int:
        if path.resolve().is_relative_to(below.resolve()):  # also of a file that has no name yet
            written[0] += len(data)
            if written[0] > after:
                write(path, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


def spooled(outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch) -> Spooled:
    """What is kept of an outcome whose results root is full."""
    with monkeypatch.context() as patch:
        full(patch, Path(place.results), 0)
        with pytest.raises(OutputError):
            front.save(outcome, place)
    [one] = front.spooled(place)
    return one


def test_a_local_folder_gets_its_name_when_all_is_there(outcome: Outcome, place: Place) -> None:
    seen = []

    def files(_result: object) -> Iterator[tuple[str, bytes]]:
        for name, data in CONTENT.items():
            seen.append([path.name[0] for path in Path(place.results).glob("*")])
            yield name, data

    outcome = replace(outcome)
    type(outcome).domain = replace(science(), files=files)
    folder = Path(front.save(outcome, place))
    assert seen == [[], ["."]]
    assert [path.name for path in Path(place.results).iterdir()] == [folder.name]
    assert damaged(str(folder), read_record(str(folder))) == []
    assert kept(place) == []
    assert not Path(place.spools[0]).exists(), "nothing is written twice"


@pytest.mark.parametrize("after", [0, 500, 1008])
def test_a_full_disk_loses_nothing(
    outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """At the first object, in the second, or when only the record is missing."""
    with monkeypatch.context() as patch:
        full(patch, Path(place.results), after)
        for _ in range(2):  # in a notebook save() is simply called again
            with pytest.raises(OutputError, match=r"No space left.*spectrum save .* --out") as said:
                front.save(outcome, place)
    assert not list(Path(place.results).glob("*")), "half a result is none"
    [name] = kept(place)
    assert str(Path(place.spools[0], name)) in str(said.value)
    assert stat.S_IMODE(Path(place.spools[0]).stat().st_mode) == 0o700
    folder = front.save_spooled(name, place)
    assert Path(folder).parent == Path(place.results)
    assert damaged(folder, read_record(folder)) == []
    assert kept(place) == []


def test_a_result_that_is_saved_later_leaves_the_spool(
    outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled(outcome, place, monkeypatch)
    front.save(outcome, place)
    assert kept(place) == []


@pytest.mark.parametrize("url", ["file", "s3://b/results", "http://127.0.0.1:9/results"])
def test_a_place_that_cannot_be_written(
    outcome: Outcome, place: Place, tmp_path: Path, url: str
) -> None:
    if url == "file":
        (tmp_path / "file").touch()
        url = str(tmp_path / "file" / "results")
    options = {"s3://b": {"endpoint_url": "http://127.0.0.1:9", "anon": True, "patience": 0.1}}
    site = place.site.model_copy(update={"storage": options})
    with pytest.raises(OutputError, match="cannot write|nothing can be written"):
        front.check_results(replace(place, site=site, results=url))
    with pytest.raises(OutputError, match="is kept in"):
        front.save(outcome, replace(place, site=site, results=url))
    [one] = front.spooled(place)
    sizes = [entry["size"] for entry in read_record(one.folder)["objects"]]
    assert (one.results, bool(one.reason), one.nbytes) == (url, True, sum(sizes))
    assert sum(sizes) >= sum(map(len, CONTENT.values()))


def test_a_store_gets_it_through_the_spool(outcome: Outcome, place: Place) -> None:
    there = replace(place, results="memory://saving/results")
    front.check_results(there)
    folder = front.save(outcome, there)
    assert damaged(folder, read_record(folder)) == []
    assert compare(folder, folder).verdict == "identical"
    assert not any(".spooled" in url for url in storage.files_below(folder))
    assert kept(place) == []


def test_the_spool_is_full_too(
    outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next folder takes it; without any, a store still gets it directly."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    full(monkeypatch, Path(place.results), 0)
    full(monkeypatch, Path(place.spools[0]), 0)
    with pytest.raises(OutputError, match=r"is kept in .*spare"):
        front.save(outcome, place)
    full(monkeypatch, Path(place.spools[1]), 0)
    with pytest.raises(OutputError, match="no spool takes the result"):
        front.save(replace(outcome, started="2027-01-01T00:00:00+00:00"), place)
    there = replace(place, results="memory://saving/direct")
    folder = front.save(replace(outcome, started="2028-01-01T00:00:00+00:00"), there)
    assert damaged(folder, read_record(folder)) == []
    with pytest.raises(OutputError, match="no folder to keep results in"):
        front.check_results(there)


def test_a_spool_of_somebody_else_is_not_used(
    outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    (tmp_path / "elsewhere").mkdir(mode=0o777)
    Path(place.spools[0]).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="embedded null byte.*; the result is kept in") as said:
        front.save(outcome, replace(place, results=str(tmp_path / "x\0y")))
    assert f"kept in {place.spools[0]}" not in str(said.value)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_damaged_one_is_not_sent(
    outcome: Outcome, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = spooled(outcome, place, monkeypatch)
    Path(one.folder, "deep", "er.bin").write_bytes(b"other")
    with pytest.raises(DataError, match=r"er\.bin is not what was recorded"):
        front.save_spooled(one.name, place)
    assert kept(place) == [one.name]
    with pytest.raises(DataNotFoundError, match=f"there is: {one.name}"):
        front.save_spooled("another", place)


def test_the_command(
    outcome: Outcome,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    one = spooled(outcome, place, monkeypatch)

    def spectrum(*words: str) -> dict[str, object]:
        here = ("--site", "serial", "--set", f"spool={tmp_path / 'spool'}", "--json")
        monkeypatch.setattr(sys, "argv", ["spectrum", *words, *here])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    [row] = spectrum("save")["spooled"]
    assert (row["name"], row["results"]) == (one.name, place.results)
    said = spectrum("save", one.folder, "--out", str(tmp_path / "other"))
    assert said["folder"] == str(tmp_path / "other" / one.name)
    assert read_record(said["folder"])["name"] == "little"
    assert spectrum("save")["spooled"] == []


LITTLE = """
workflow = "hep"
name = "little"
select = "mine.py:select"
columns = ["x"]
normalisation = "none"
[samples.s]
files = ["a.root"]
[histograms.h]
bins = 4
start = 0.0
stop = 10.0
"""


@pytest.fixture
def little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a small spec by the command; exit code, stdout and stderr."""
    with uproot.recreate(tmp_path / "a.root") as file:
        file["Events"] = {"x": np.arange(10.0)}
    (tmp_path / "mine.py").write_text("def select(events):\n    return {'h': events.x}\n")
    (tmp_path / "little.toml").write_text(LITTLE)

    def run(*words: str) -> tuple[int, str, str]:
        run = ["run", str(tmp_path / "little.toml"), "--data", str(tmp_path), "--json"]
        there = ["--site", "serial", "--set", f"spool={tmp_path / 'spool'}"]
        to = ["--out", str(tmp_path / "results")]
        monkeypatch.setattr(sys, "argv", ["spectrum", *run, *there, *to, *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return run


def test_a_run_that_lacks_numbers_exits_with_3_and_has_the_others(
    little: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectrum_workflows.hep.io import write

    everything = write.files

    def files(result: Any) -> Iterator[tuple[str, bytes]]:
        yield next(iter(everything(result)))
        raise ValueError("no room in this format")

    assert little()[0] == 0
    monkeypatch.setattr(write, "files", files)
    code, out, err = little()
    said = json.loads(out)
    assert code == 3
    assert said["lost"] == ["ValueError: no room in this format"]
    assert "lacks numbers: ValueError: no room in this format" in err
    assert said["folder"] in err
    record = read_record(said["folder"])
    assert record["lost"] == said["lost"]
    assert damaged(said["folder"], record) == []
    assert len(record["objects"]) >= 1


def test_a_run_that_cannot_be_saved_is_kept_and_says_where(
    little: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        full(patch, tmp_path / "results", 2 * BLOCK + 100)  # after two trials of the folder
        code, out, err = little()
    assert (code, out) == (2, ""), err
    [line] = err.strip().splitlines()
    assert "is kept in" in line
    [folder] = (tmp_path / "spool").iterdir()
    assert f"the result is kept in {folder}" in line
    assert "spectrum save" in line
    assert damaged(str(folder), read_record(str(folder))) == []


# Records that lie


@pytest.fixture
def saved(outcome: Outcome, place: Place) -> Path:
    return Path(front.save(outcome, place))


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["objects"][0].update(name="../../secret"),
        lambda r: r["objects"][0].update(name="/etc/hostname"),
        lambda r: r["objects"][0].update(name="s3://b/x"),
        lambda r: r["objects"][0].update(name="a/../../x"),
        lambda r: r["objects"][0].update(name=""),
        lambda r: r["objects"][0].update(name=5),
        lambda r: r["objects"][0].update(size=-1),
        lambda r: r["objects"][0].update(size="1"),
        lambda r: r["objects"][0].update(sha256=None),
        lambda r: r["objects"].append(r["objects"][0]),
        lambda r: r["objects"].append("x"),
        lambda r: r.update(objects={}),
        lambda r: r.update(inputs=[1]),
        lambda r: r.update(inputs={"a": {}}),
        lambda r: r.update(partial="no"),
        lambda r: r.update(fraction=None),
        lambda r: r.update(workflow=["hep"]),
        lambda r: r.pop("spec_digest"),
        lambda r: r.pop("code"),
        lambda r: r.update(schema=99),
    ],
)
def test_a_record_that_lies_is_refused(saved: Path, change: Callable[[dict], object]) -> None:
    record = json.loads((saved / "record.json").read_bytes())
    change(record)
    (saved / "record.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="record|in its folder"):
        compare(str(saved), str(saved))


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"\xff\xfe", b"", b"null", b"[]", b'{"schema": 1}', b"1e999"]
)
def test_what_is_no_record_at_all(saved: Path, text: bytes) -> None:
    (saved / "record.json").write_bytes(text)
    with pytest.raises(DataError, match="record"):
        compare(str(saved), str(saved))


def test_a_huge_object_is_not_read(saved: Path) -> None:
    with (saved / "deep" / "er.bin").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="not what was recorded"):
        compare(str(saved), str(saved))


def test_a_run_refuses_unwritable_results_before_it_computes(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever one starts: a notebook calls `run` alone."""

    def compute(*_: object, **__: object) -> None:
        raise AssertionError("it has begun")

    own = replace(science(), plan=compute, run=compute)
    monkeypatch.setattr("spectrum_workflows.domain.get", lambda name: own)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="file"):
        front.run(Question(), replace(place, results=str(tmp_path / "file" / "results")))

"""Names of data sets: what is a name, how answers are parsed, what a plan makes of them.

No test here speaks to a Rucio or a DAS; the answers have the form that their clients document.
"""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from spectrum_workflows import (
    catalogue,
    check,
    connect,
    load_site,
    load_spec,
    make_data,
    run,
    save,
    storage,
)
from spectrum_workflows.catalogue import das, data_sets, rucio
from spectrum_workflows.errors import (
    AccessError,
    DataError,
    DataNotFoundError,
    MissingExtraError,
    SpecError,
    SpectrumError,
    StoreError,
)

WHERE = "rucio:mc:nano"


def pfn(kind: str = "DISK", priority: int = 1, **more: Any) -> dict[str, Any]:
    return {"rse": "X", "type": kind, "priority": priority, "client_extract": False} | more


def listed(name: str, size: int = 5, **more: Any) -> dict[str, Any]:
    row = {"scope": "mc", "name": name, "bytes": size, "adler32": "1a2b3c4", "events": 7}
    return row | {"guid": None} | more


def replica(name: str, pfns: dict[str, Any], size: int = 5) -> dict[str, Any]:
    return {"scope": "mc", "name": name, "bytes": size, "md5": None, "pfns": pfns, "rses": {}}


# Names


@pytest.mark.parametrize(
    "name",
    [
        *("rucio:", "rucio:mc", "rucio:mc:", "rucio::nano", "rucio:m c:nano", "rucio:mc:na*o"),
        *("rucio:mc:a:b", "das:", "das:/A/B", "das:A/B/C", "das:/A/B/C/D", "das:/A/*/C"),
        *("das:/A/B/", "das:/A/B/C run=1", "das:/A//C"),
    ],
)
def test_what_begins_like_a_data_set_and_is_none_is_refused_in_a_spec(name: str) -> None:
    spec = load_spec("hep/dimuon")
    with pytest.raises(SpecError, match=r"is no (rucio:SCOPE:NAME|das:/PRIMARY/PROCESSED/TIER)"):
        spec.changed(samples={"zmumu": {"files": [name], "cross_section": 1.0}})
    with pytest.raises(SpecError, match="files: .* is no "):  # as in a list of names
        catalogue.data_set(name, "/data")


@pytest.mark.parametrize("name", ["rucio:mc:/A/B/NANO", "rucio:user.me:x.y", "das:/A-b/B_1/USER"])
def test_a_data_set_stands_for_files_that_nobody_can_make(name: str) -> None:
    spec = load_spec("hep/dimuon")
    spec = spec.changed(samples={"zmumu": {"files": [name], "events": [1, 2], "cross_section": 1}})
    from spectrum_workflows.hep.plan import files

    assert files.inputs(spec, "/data") == ["/data/dimuon.root"]  # of the other sample
    with pytest.raises(SpecError, match="names no file that could be made"):
        files.names_to_make(spec, "zmumu")


# Answers of Rucio, as its client's documentation gives them


def test_parsing_of_rucio_puts_replicas_with_the_files_of_the_list() -> None:
    pfns = {
        "davs://b:1094/cms/mc/x.root": pfn(priority=2),
        "root://a:1094//mc/x.root": pfn(priority=1),
        "root://tape//mc/x.root": pfn("TAPE", 3),
        "gsiftp://g/mc/x.root": pfn(priority=4),
        "root://zip//mc/x.zip": pfn(client_extract=True),
        "https://s3/mc/x.root?X-Amz-Signature=abc": pfn(),
    }
    [file, tape] = rucio.combined(
        [listed("x.root"), listed("y.root")],
        [replica("x.root", pfns), replica("y.root", {"root://t//y": pfn("TAPE")})],
        WHERE,
    )
    assert (file.name, file.size, file.checksum, file.events) == (
        *("mc:x.root", 5, "adler32:01a2b3c4", 7),
    )
    assert file.replicas == ("root://a:1094//mc/x.root", "https://b:1094/cms/mc/x.root")
    assert tape.replicas == ()


@pytest.mark.parametrize(
    ("rows", "replicas", "message"),
    [
        ([listed("x"), listed("x", 6)], [], "listed twice, and differs"),
        ([{"name": "x"}], [], "a row without scope and name"),
        (["x"], [], "a row without scope and name"),
        ([listed("x", -1)], [], "bytes of mc:x is -1"),
        ([listed("x", events="many")], [], "events of mc:x is 'many'"),
        ([listed("x")], [replica("y", {})], "mc:y, which is not in the list"),
        ([listed("x")], [replica("x", {}, 6)], "5 bytes, and 6 in its replicas"),
        ([listed("x")], [{"scope": "mc", "name": "x"}], "no pfns of mc:x"),
        ([listed("x")], [{"ExceptionClass": "DatabaseException"}], "a row without scope"),
    ],
)
def test_parsing_of_rucio_refuses_what_it_cannot_understand(
    rows: Any, replicas: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        rucio.combined(rows, replicas, WHERE)


def test_parsing_of_rucio_keeps_a_file_that_is_listed_twice_once() -> None:
    assert len(rucio.combined([listed("x"), listed("x")], [], WHERE)) == 1


def test_without_the_client_of_rucio_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rucio", None)
    monkeypatch.setitem(sys.modules, "rucio.client", None)
    with pytest.raises(MissingExtraError, match=r"rucio:mc:nano: .*not installed; pip install '"):
        catalogue.data_set(WHERE, "/data")


def test_a_client_of_rucio_without_a_configuration_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real client, on a machine that knows no Rucio."""
    pytest.importorskip("rucio.client")
    for name in [n for n in os.environ if n.startswith(("RUCIO", "X509", "VIRTUAL_ENV"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RUCIO_HOME", str(tmp_path))
    with pytest.raises(AccessError, match="rucio whoami says what is missing"):
        catalogue.data_set("rucio:mc:other", "/data")


# Answers of DAS


def record(name: str, size: int = 5, valid: int = 1, **more: Any) -> dict[str, Any]:
    file = {"name": name, "size": size, "nevents": 7, "adler32": "0A", "is_file_valid": valid}
    return {"das": {"services": ["dbs3:files"]}, "file": [file | more], "qhash": "x"}


def test_parsing_of_das_gives_valid_files_and_says_which_are_not() -> None:
    text = json.dumps([record("/store/b.root"), record("/store/a.root"), record("/store/c", 1, 0)])
    files, invalid = das.parsed(text, "das:/A/B/C")
    assert [(f.name, f.size, f.events, f.checksum) for f in files] == [
        ("/store/b.root", 5, 7, "adler32:0000000a"),
        ("/store/a.root", 5, 7, "adler32:0000000a"),
    ]
    assert invalid == ["/store/c"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", DataNotFoundError, "DAS knows no valid file"),
        ("[]", DataNotFoundError, "DAS knows no valid file"),
        (json.dumps([record("/a", valid=0)]), DataNotFoundError, "DAS knows no valid file"),
        ("{}", DataError, "no list of records"),
        ('[{"error": "x"}]', DataError, "a record without a file"),
        (json.dumps([record("a.root")]), DataError, "a file without a name"),
        (json.dumps([record("/a"), record("/a", 6)]), DataError, "listed twice, and differs"),
        (json.dumps([record("/a"), record("/a", 5, 0)]), DataError, "/a is valid and invalid"),
        (json.dumps([record("/a", nevents=1.5)]), DataError, "nevents of /a is 1.5"),
        ("Unable to find X509 proxy", AccessError, "voms-proxy-init"),
        ("504 Gateway Time-out", StoreError, "DAS gives no answer .504 Gateway Time-out."),
    ],
)
def test_parsing_of_das_refuses_what_it_cannot_understand(
    text: str, kind: type[SpectrumError], message: str
) -> None:
    with pytest.raises(kind, match=message) as error:
        das.parsed(text, "das:/A/B/C")
    assert str(error.value).startswith("das:/A/B/C: ")


def test_without_the_client_of_das_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingExtraError, match="dasgoclient is not installed here; set up CMS'"):
        catalogue.data_set("das:/No/Client/NANOAOD", "/data")


# Replicas


def test_replicas_share_the_longest_end_behind_their_hosts() -> None:
    one = ["root://a//x/y.root", "root://b//eos/x/y.root", "https://c/y.root"]
    two = ["root://a//z", "root://b//w"]
    assert data_sets.shared_roots([one, two, ["root://a//alone"], one, []]) == (
        ("root://a//x", "root://b//eos/x", "https://c"),
        ("root://a//z", "root://b//w"),
    )
    stores = storage.Stores(copies=data_sets.shared_roots([one, two]))
    assert [url for _, url in stores.copies_of("root://a//x/y.root")] == one
    assert [url for _, url in stores.copies_of("root://b//w")] == two[::-1]


def test_files_of_one_root_with_other_partners_find_all_of_them() -> None:
    pairs = [["root://a//x/1", "root://b//x/1"], ["root://a//x/2", "root://c//x/2"]]
    stores = storage.Stores(copies=data_sets.shared_roots(pairs))
    urls = [url for _, url in stores.copies_of("root://a//x/2")]
    assert urls == ["root://a//x/2", "root://b//x/2", "root://c//x/2"]


def test_the_order_of_replicas_is_the_site_s(monkeypatch: pytest.MonkeyPatch) -> None:
    pfns = {"root://far//x": pfn(priority=1), "root://near//x": pfn(priority=2)}
    answer = rucio.combined([listed("x")], [replica("x", pfns)], WHERE)
    monkeypatch.setattr(rucio, "files", lambda *_: answer)
    with storage.using(storage.Stores(replicas=("root://near/",))):
        [file] = catalogue.data_set("rucio:mc:ordered", "/data").files
    assert file.replicas == ("root://near//x", "root://far//x")
    with storage.using(storage.Stores()):
        [file] = catalogue.data_set("rucio:mc:ordered", "/data").files
    assert file.replicas == ("root://far//x", "root://near//x")


def test_a_file_without_a_replica_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [listed(name) for name in "abcde"]
    answer = rucio.combined(rows, [replica("a", {"root://n//a": pfn()})], WHERE)
    monkeypatch.setattr(rucio, "files", lambda *_: answer)
    asked = catalogue.data_set("rucio:mc:partial", "/data")
    message = r"rucio:mc:partial: 4 of 5 files have no replica .*\(mc:b, mc:c, mc:d and 1 more\)"
    with pytest.raises(DataNotFoundError, match=message):
        asked.check_available()


# From an answer to a plan


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Data of which a program that prints an answer of DAS' form knows the names."""
    with connect(load_site("serial"), data=str(tmp_path), results=str(tmp_path / "out")) as place:
        make_data(load_spec("hep/dimuon"), place, size=2_000)
        (tmp_path / "store").mkdir()
        (tmp_path / "zmumu.root").rename(tmp_path / "store" / "z.root")
        program = tmp_path / "bin" / "dasgoclient"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\ncat {tmp_path}/answer\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        yield place


def dimuon(*files: str) -> Any:
    samples = {"zmumu": {"files": [*files], "cross_section": 1976.0}}
    return load_spec("hep/dimuon").changed(samples=samples)


def test_an_answer_of_das_form_is_planned_once_and_recorded(place: Any, tmp_path: Path) -> None:
    answer = [record("/store/z.root", nevents=2_000), record("/store/w.root", valid=0)]
    (tmp_path / "answer").write_text(json.dumps(answer))
    outcome = run(dimuon("das:/Z/Once/NANOAODSIM"), place)
    assert outcome.digest == run(dimuon("store/z.root"), place).digest
    assert (tmp_path / "asked").read_text() == (
        "-query=file dataset=/Z/Once/NANOAODSIM -json -limit=0\n"
    )
    assert any("without 1 file that DAS holds for invalid" in w for w in outcome.plan.warnings)
    saved = json.loads(Path(save(outcome, place), "record.json").read_text())
    assert saved["inputs"]["das:/Z/Once/NANOAODSIM"].startswith("1 files, sha256 ")
    assert saved["replicas"] == {str(tmp_path / "store" / "z.root"): []}


def test_a_file_with_other_events_than_the_answer_says_is_refused(
    place: Any, tmp_path: Path
) -> None:
    (tmp_path / "answer").write_text(json.dumps([record("/store/z.root", nevents=1_999)]))
    with pytest.raises(DataError, match="has 2000 events, not 1999"):
        run(dimuon("das:/Z/Events/NANOAODSIM"), place)


def test_a_file_that_lies_nowhere_stops_a_run_or_is_said(place: Any, tmp_path: Path) -> None:
    answer = [record("/store/z.root", nevents=2_000), record("/store/gone.root", nevents=500)]
    (tmp_path / "answer").write_text(json.dumps(answer))
    spec = dimuon("das:/Z/Gone/NANOAODSIM")
    with pytest.raises(DataNotFoundError, match=r"1 of 2 files have no replica .*/store/gone.root"):
        check(spec, place)
    outcome = run(spec, place, on_error="keep")
    assert outcome.summary["partial"]
    assert outcome.summary["fraction"] == pytest.approx(4_000 / 4_500)
    assert [failure.where for failure in outcome.plan.failures] == ["/store/gone.root"]


def test_a_site_without_a_store_of_cms_is_told_which_key_to_set(place: Any, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(json.dumps([record("/store/gone.root")]))
    with pytest.raises(SpecError, match="no store of this site serves files of CMS.*replicas = "):
        check(dimuon("das:/Z/Nowhere/NANOAODSIM"), place)


def test_names_of_cms_lie_below_the_data_root_and_the_site_s_stores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = das.parsed(json.dumps([record("/store/mc/z.root")]), "das:/A/B/C")
    monkeypatch.setattr(das, "files", lambda *_: answer)
    stores = storage.Stores(replicas=("root://near//cms", "https://other/cms", "/local"))
    with storage.using(stores):
        [file] = catalogue.data_set("das:/Served/B/C", "root://data").files
    assert file.replicas == (
        "root://data//store/mc/z.root",
        "root://near//cms/store/mc/z.root",
        "https://other/cms/store/mc/z.root",
    )

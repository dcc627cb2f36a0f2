"""Every saved run is a Provenance Run Crate, can be exported, and is verified by running it."""

import hashlib
import importlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rocrate.rocrate

from spectrum_workflows import connect, export, load_site, load_spec, make_data, run, save, verify
from spectrum_workflows.cli import commands
from spectrum_workflows.crates import enclosing, hashing, reading
from spectrum_workflows.crates.toml import catalogue_text
from spectrum_workflows.errors import DataError, DataNotFoundError, OutputError, SpecError
from spectrum_workflows.specs import parse, read_toml

pytestmark = pytest.mark.xdist_group("crate")  # what they share is made once

ROOT = Path(__file__).parents[1]
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
BIOSCHEMAS = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
"""The terms that the context of RO-Crate 1.1 maps otherwise than that of 1.3, which ro-crate-py
brings along: so the first can be had without a network."""

MINE = """
from spectrum_workflows.hep.analyses import dimuon
from cuts import LEAST

def select(events):
    return dimuon.select(events, muon_pt=LEAST)
"""
SPEC = """
workflow = "hep"
name = "mine"
select = "mine.py:select"
columns = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"]
luminosity = 10.0
[samples.zmumu]
files = ["zmumu.root"]
cross_section = 1976.0
[histograms.z]
observable = "dimuon"
bins = 12
start = 60.0
stop = 120.0
[synthetic]
events = 400
seed = 5
"""
RADIO = {
    "name": "tiny",
    "data_set": "tiny",
    "image": {"npix": 64, "cell_arcsec": 10.0},
    "synthetic": {"visibilities": 3_000},
    "clean": None,
}
SERIAL = load_site("serial")


def _run(spec: Any, folder: Path) -> Path:
    with connect(SERIAL, data=str(folder / "d"), results=str(folder / "r")) as place:
        make_data(spec, place)
        return Path(save(run(spec, place, watch=False), place))


@pytest.fixture(scope="module")
def hep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with code of the user's own, in two files, and its data in ``d``."""
    folder = tmp_path_factory.mktemp("hep")
    folder.joinpath("mine.py").write_text(MINE)
    folder.joinpath("cuts.py").write_text("LEAST = 3.0\n")
    folder.joinpath("mine.toml").write_text(SPEC)
    return _run(load_spec(folder / "mine.toml"), folder)


@pytest.fixture(scope="module")
def radio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = load_spec("radio/vla_sim").changed(**RADIO)
    return _run(spec, tmp_path_factory.mktemp("radio"))


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of the example's science, which is none of this package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "examples" / "gravitational_waves")
        science = importlib.import_module("gravitational_waves").DOMAIN
        known = sys.modules["spectrum_workflows.domain"].get
        patch.setattr(
            "spectrum_workflows.domain.get", lambda n: science if n == science.name else known(n)
        )
        table = read_toml(science.demo.read_bytes(), where="chirp")
        table["synthetic"] |= {"segments": 2, "seconds": 8, "time": 9.0}
        spec = parse(science.spec, table, where="chirp")
        yield _run(spec, tmp_path_factory.mktemp("waves"))


@pytest.fixture(params=["hep", "radio", "waves"])
def saved(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture
def copied(hep: Path, tmp_path: Path) -> Path:
    """A copy of the run of `hep`, to be changed; its data is in ``d`` beside it."""
    shutil.copytree(hep.parents[1] / "d", tmp_path / "d")
    shutil.copytree(hep, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def validator(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[dict[str, Any]]]:
    """``validator(folder)``: what rocrate-validator has against a crate, without a network."""
    binaries = ROOT / ".venv-exchange" / "bin"
    command, python = (program(str(binaries / name)) for name in ("rocrate-validator", "python"))
    folder = tmp_path_factory.mktemp("validator")
    brought = Path(rocrate.rocrate.__file__).with_name("data") / "ro-crate.jsonld"
    context = json.loads(brought.read_bytes())
    context["@context"] |= BIOSCHEMAS
    folder.joinpath("context.json").write_text(json.dumps(context))
    script, cache = Path(__file__).with_name("with_context.py"), folder / "cache"
    warm = [python, script, CONTEXT, folder / "context.json", cache]
    subprocess.run(warm, check=True, capture_output=True)

    def validate(crate: Path) -> list[dict[str, Any]]:
        report = folder / "report.json"
        report.unlink(missing_ok=True)
        options = ("--offline", "--cache-path", cache, "--profile-identifier", PROFILE)
        options += ("--requirement-severity", "required", "--output-format", "json")
        call = [command, "-y", "validate", *options, "--output-file", report, crate]
        subprocess.run(call, check=False, capture_output=True)
        issues: list[dict[str, Any]] = json.loads(report.read_text())["issues"]
        return issues

    return validate


PROFILE = "provenance-run-crate"


def _graph(folder: Path) -> dict[str, dict[str, Any]]:
    graph = json.loads(folder.joinpath("ro-crate-metadata.json").read_text())["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(folder.joinpath("record.json").read_text())
    return record


def _forge(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of a run, and what its record says of that file."""
    folder.joinpath(name).write_bytes(content)
    record = _record(folder)
    entry = next(entry for entry in record["objects"] if entry["name"] == name)
    entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    folder.joinpath("record.json").write_text(json.dumps(record))


def _verify(folder: Path, **options: Any) -> Any:
    beside = folder.parent / "d"
    data = options.pop("data", str(beside if beside.is_dir() else folder.parents[1] / "d"))
    site = SERIAL.model_copy(update={"results": str(folder.parent / "again")})
    return verify(str(folder), site=site, data=data, user_code=True, **options)


# Description


def test_the_validator_has_nothing_against_it(
    saved: Path, validator: Callable[[Path], list[dict[str, Any]]]
) -> None:
    assert validator(saved) == []


def test_the_validator_sees_what_is_missing(
    copied: Path, validator: Callable[[Path], list[dict[str, Any]]]
) -> None:
    metadata = json.loads(copied.joinpath("ro-crate-metadata.json").read_text())
    metadata["@graph"] = [e for e in metadata["@graph"] if e["@type"] != "HowToStep"]
    copied.joinpath("ro-crate-metadata.json").write_text(json.dumps(metadata))
    assert validator(copied) != []


def test_every_object_of_the_record_is_described(saved: Path) -> None:
    graph, record = _graph(saved), _record(saved)
    assert record["notes"] == record["lost"] == []
    listed = {entry["name"]: entry for entry in record["objects"]}
    assert "ro-crate-metadata.json" in listed
    for name in listed.keys() - {"ro-crate-metadata.json"}:
        assert graph[name]["sha256"] == listed[name]["sha256"]
        assert graph[name]["contentSize"] == str(listed[name]["size"])
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert parts == {i for i, e in graph.items() if {"File", "Dataset"} & {*_types(e)}} - {"./"}
    files = {str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file()}
    assert files == {*listed, "record.json"}


def _types(entity: dict[str, Any]) -> list[str]:
    kind = entity["@type"]
    return kind if isinstance(kind, list) else [kind]


def test_the_library_of_crates_reads_it_and_writes_the_same(saved: Path) -> None:
    crate = rocrate.rocrate.ROCrate(saved)
    assert crate.mainEntity.id == "workflow/spec.json"
    written = crate.metadata.generate()
    assert {entity["@id"]: entity for entity in written["@graph"]} == _graph(saved)
    ours = json.loads((saved / "ro-crate-metadata.json").read_text())
    assert written["@context"] == ours["@context"][0]  # it leaves out the terms that are added


def test_the_run_is_described(hep: Path) -> None:
    graph, record = _graph(hep), _record(hep)
    action = graph["#run"]
    assert action["startTime"] == record["started"] <= action["endTime"]
    assert action["actionStatus"].endswith("CompletedActionStatus")
    assert graph[action["location"]["@id"]]["name"] == "serial"
    objects = [graph[entity["@id"]] for entity in action["object"]]
    assert {entity["name"] for entity in objects} == {
        "zmumu.root",
        "workflow/beside/mine.py",
        "workflow/beside/cuts.py",
    }
    data = hep.parents[1] / "d" / "zmumu.root"
    [zmumu] = [entity for entity in objects if entity["name"] == "zmumu.root"]
    assert zmumu["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert zmumu["identifier"] == record["inputs"][str(data)]
    usage = {graph[u["@id"]]["name"]: graph[u["@id"]] for u in action["resourceUsage"]}
    assert float(usage["cpu_hours"]["value"]) * 3600 == pytest.approx(
        record["cpu_seconds"], abs=0.002
    )
    assert usage["bytes_read"]["value"] == str(record["bytes_read"])
    assert usage["bytes_read"]["unitCode"] == "AD"
    software = {e["name"]: e["softwareVersion"] for e in graph.values() if "softwareVersion" in e}
    assert software.items() >= record["machine"]["versions"].items() - {
        ("spectrum-workflows", "0.1.0")
    }
    assert f"numpy=={software['numpy']}\n" in hep.joinpath("workflow/requirements.txt").read_text()


def test_nothing_of_a_catalogue_is_left_out() -> None:
    entry = {
        "title": 'Ünïcode "quoted" \x7f \U0001f600',
        "replicas": ["https://example/a"],
        "files": [{"name": "a.root", "size": 3, "checksum": "adler32:0123abcd"}],
        "licence": "CC0-1.0",
        "citation": "nobody\nat all",
        "source": "https://example/b",
    }
    parsed = _entry(entry)
    again = read_toml(catalogue_text({"a.b": parsed}).encode(), where="test")
    assert _entry(again["entries"]["a.b"]) == parsed


def _entry(table: dict[str, Any]) -> Any:
    from spectrum_workflows.catalogue.entries import CatalogueEntry

    return parse(CatalogueEntry, table, where="entry")


# Files beside the spec


def test_code_that_lies_elsewhere_goes_along(tmp_path: Path) -> None:
    for folder in ("specs", "code"):
        tmp_path.joinpath(folder).mkdir()
    tmp_path.joinpath("code", "mine.py").write_text(MINE)
    tmp_path.joinpath("code", "cuts.py").write_text("LEAST = 3.0\n")
    spec = SPEC.replace("mine.py", str(tmp_path / "code" / "mine.py"))
    tmp_path.joinpath("specs", "mine.toml").write_text(spec)
    folder = _run(load_spec(tmp_path / "specs" / "mine.toml"), tmp_path)
    assert folder.joinpath("workflow/elsewhere/mine.py").read_text() == MINE
    assert str(tmp_path) not in folder.joinpath("workflow/spec.json").read_text()
    shutil.rmtree(tmp_path / "code")
    verification = verify(str(folder), site=SERIAL, data=str(tmp_path / "d"), user_code=True)
    assert verification.verdict == "identical", verification


def test_a_file_that_changed_or_holds_a_secret_does_not_go_along(tmp_path: Path) -> None:
    spec = load_spec("hep/dimuon").changed(folder=str(tmp_path))
    contents = {"a.json": b"{}", "b.json": b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY"}
    inputs = []
    for name, content in contents.items():
        tmp_path.joinpath(name).write_bytes(content)
        inputs.append((name, f"sha256 {hashlib.sha256(content).hexdigest()}"))
    assert enclosing.enclose(spec, inputs).missing == ("b.json",)
    tmp_path.joinpath("a.json").write_bytes(b"{ }")
    assert enclosing.enclose(spec, inputs).missing == ("a.json", "b.json")


# Verification


def test_a_run_is_verified(saved: Path) -> None:
    assert str(_verify(saved)) == "identical"
    assert not [*saved.parent.parent.joinpath("again").glob(".verify-*")]


def test_a_run_that_verifies_can_be_kept(radio: Path, tmp_path: Path) -> None:
    verification = _verify(radio, out=str(tmp_path))
    assert verification.verdict == "identical"
    assert _record(Path(verification.folder))["digest"] == _record(radio)["digest"]


def test_code_of_a_crate_needs_consent(hep: Path) -> None:
    with pytest.raises(SpecError, match=r"brings code .*mine\.py.* then give --user-code"):
        verify(str(hep), site=SERIAL, data=str(hep.parents[1] / "d"))


def test_another_byte_of_the_input_is_named(copied: Path) -> None:
    data = copied.parent / "d" / "zmumu.root"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    verification = _verify(copied)
    assert (verification.verdict, verification.ok) == ("other", False)
    [difference] = verification.differences
    assert difference.kind == "input"
    assert str(difference).startswith(f"input {data}: was sha256 ")


def test_another_byte_of_visibilities_is_named(radio: Path, tmp_path: Path) -> None:
    shutil.copytree(radio.parents[1] / "d", tmp_path / "d")
    part = max(tmp_path.joinpath("d").rglob("table.f*"), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    [difference] = _verify(radio, data=str(tmp_path / "d")).differences
    assert (difference.kind, Path(difference.name).name) == ("input", "tiny.ms")


def test_input_that_is_not_here_is_named(copied: Path) -> None:
    copied.parent.joinpath("d", "zmumu.root").unlink()
    with pytest.raises(DataNotFoundError, match=r"zmumu\.root"):
        _verify(copied)


def test_other_code_of_the_user_is_named_and_never_run(copied: Path, tmp_path: Path) -> None:
    trap = tmp_path / "it_ran"
    _forge(copied, "workflow/beside/mine.py", f"open({str(trap)!r}, 'w')\n{MINE}".encode())
    verification = _verify(copied)
    assert verification.verdict == "other"
    assert [(d.kind, d.name) for d in verification.differences] == [("code", "mine.py")]
    assert not trap.exists()


def test_other_code_of_the_science_is_named(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = _record(copied) | {"code": "0" * 64}
    copied.joinpath("record.json").write_text(json.dumps(record))
    code = json.loads(copied.joinpath("workflow/code.json").read_text())
    code["modules"]["spectrum_workflows.hep.histogram"] = "0" * 16
    _forge(copied, "workflow/code.json", json.dumps(code).encode())
    [difference] = _verify(copied).differences
    assert (difference.kind, difference.name) == ("code", "spectrum_workflows.hep.histogram")


def test_another_version_is_named(copied: Path) -> None:
    record = _record(copied)
    now = record["machine"]["versions"]["numpy"]
    record["machine"]["versions"]["numpy"] = "1.0"
    copied.joinpath("record.json").write_text(json.dumps(record))
    verification = _verify(copied)
    assert str(verification) == f"other\n  version numpy: was 1.0, here {now}"
    anyway = _verify(copied, anyway=True)
    assert (anyway.verdict, anyway.differences) == ("identical", verification.differences)


def test_the_command_says_it_with_its_exit_code(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spectrum(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            commands.main()
        return int(end.value.code or 0), *capsys.readouterr()

    data = ("--site", "serial", "--data", copied.parent / "d")
    assert spectrum("verify", copied, *data)[0] == 2
    code, out, _ = spectrum("verify", copied, *data, "--user-code", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "identical")
    archive = copied.parent / "run.zip"
    assert spectrum("export", copied, archive) == (0, f"{archive}\n", "")
    assert spectrum("export", copied, archive)[0] == 2
    assert spectrum("verify", archive, "--stored")[:2] == (0, "whole\n")
    copied.joinpath("workflow/spec.json").write_text("{}")
    code, out, _ = spectrum("verify", copied, "--stored")
    assert (code, out) == (1, "damaged\n  note: not what was recorded: workflow/spec.json\n")


# What is stored


def test_damage_is_named_before_anything_runs(copied: Path) -> None:
    copied.joinpath("histograms.json").write_text("{}")
    copied.joinpath("workflow/beside/cuts.py").unlink()
    verification = _verify(copied)
    assert verification.verdict == "damaged"
    assert verification.notes == (
        "not what was recorded: histograms.json, workflow/beside/cuts.py",
    )


def test_a_forged_result_is_seen(copied: Path) -> None:
    table = copied.joinpath("histograms.json").read_text()
    number = json.dumps(_some_number(json.loads(table)))
    _forge(copied, "histograms.json", table.replace(number, "1.5", 1).encode())
    assert "the stored result" in _verify(copied, stored=True).notes[0]


def _some_number(value: Any) -> float:
    """The first number of a table that is not whole."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, float) and one % 1:
            return one
        todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    raise AssertionError


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ro-crate-metadata.json", b"[" * 100_000),
        ("ro-crate-metadata.json", b"[]"),
        ("ro-crate-metadata.json", b'{"@graph": {"a": 1}}'),
        ("workflow/spec.json", b"\xff\xfe"),
        ("workflow/spec.json", b'{"workflow": "hep"}'),
        ("workflow/spec.json", b'{"workflow": "hep", "name": "../../x"}'),
    ],
)
def test_absurd_metadata_is_one_error(copied: Path, name: str, content: bytes) -> None:
    _forge(copied, name, content)
    with pytest.raises((DataError, SpecError)) as raised:
        _verify(copied)
    assert "\n" not in str(raised.value)


def test_a_record_without_its_versions_is_one_error(copied: Path) -> None:
    record = _record(copied) | {"machine": 3}
    copied.joinpath("record.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="no versions in it"):
        _verify(copied)


def test_a_run_of_before_cannot_be_exported_or_verified(copied: Path) -> None:
    record = _record(copied)
    record["objects"] = [o for o in record["objects"] if o["name"] == "histograms.json"]
    copied.joinpath("record.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="was saved without ro-crate-metadata"):
        export(str(copied), str(copied.parent / "a.zip"))
    with pytest.raises(DataError, match="only runs that were saved with one"):
        _verify(copied)


# Archives


def test_an_archive_has_the_same_bytes_and_verifies(hep: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        export(str(hep), str(tmp_path / name))
    assert tmp_path.joinpath("a.zip").read_bytes() == tmp_path.joinpath("b.zip").read_bytes()
    options = {"site": SERIAL, "data": str(hep.parents[1] / "d"), "user_code": True}
    assert verify(str(tmp_path / "a.zip"), **options).verdict == "identical"
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert packed.namelist()[0] == "ro-crate-metadata.json"
        assert "zmumu.root" not in {Path(name).name for name in packed.namelist()}


def test_an_archive_goes_through_a_store(hep: Path) -> None:
    url = export(str(hep), "memory://crates/hep.zip", site=SERIAL)
    assert verify(url, site=SERIAL, stored=True).verdict == "whole"
    with pytest.raises(OutputError, match="there is a file of that name"):
        export(str(hep), url, site=SERIAL)


def test_only_zip_files_are_written(hep: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"ends in \.zip"):
        export(str(hep), str(tmp_path / "zmumu.root"))


def _zip(path: Path, members: dict[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            packed.writestr(member, content)
    return path


@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:/out.txt", "a\\..\\b", "a//b"]
)
def test_an_archive_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    archive = _zip(tmp_path / "evil.zip", {"record.json": b"{}", name: b"x"})
    with pytest.raises(DataError, match="which is not inside it"):
        verify(str(archive), site=SERIAL)
    assert [*tmp_path.rglob("out.txt")] == []


def test_an_archive_holds_no_links(tmp_path: Path) -> None:
    archive = _zip(tmp_path / "evil.zip", {"record.json": b"/etc/passwd"}, 0o120777)
    with pytest.raises(DataError, match="no plain file"):
        verify(str(archive), site=SERIAL)


def test_an_archive_that_swells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "GRANTED", 1 << 10)
    archive = _zip(tmp_path / "bomb.zip", {"record.json": bytes(4 << 20)})
    with pytest.raises(DataError, match="it would unpack to"):
        verify(str(archive), site=SERIAL)


def test_an_archive_that_is_none_is_one_error(hep: Path, tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as packed:
        packed.writestr("notes.txt", "nothing")
    for content, reason in (
        (b"PK nonsense", "not a zip file"),
        (whole.getvalue()[:-9], "not a zip file"),
        (whole.getvalue(), "not an exported run"),
    ):
        path = tmp_path / "a.zip"
        path.write_bytes(content)
        with pytest.raises(DataError, match=reason):
            verify(str(path), site=SERIAL)
    with pytest.raises(DataNotFoundError, match="no such crate"):
        verify(str(tmp_path / "none.zip"), site=SERIAL)
    with pytest.raises(DataNotFoundError, match="not a run"):
        verify(str(tmp_path), site=SERIAL)


# Large input


def test_input_that_is_too_large_is_not_read_again(
    hep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(hep.parents[1] / "d" / "zmumu.root")
    assert hashing.hashes([data]).keys() == {data}
    monkeypatch.setattr(hashing, "MOST_BYTES", 1000)
    assert hashing.hashes([data]) == {}

"""The part that a worker of the laptop sees, and how a diagnosis is shown."""

import json
from pathlib import Path

import pytest
from distributed import Client

from spectrum_workflows import diagnose, display, load_site
from spectrum_workflows.cli import main
from spectrum_workflows.doctor import node, processors, software
from spectrum_workflows.doctor.diagnosis import Diagnosis, _no_worker
from spectrum_workflows.doctor.probing import of_examination
from spectrum_workflows.errors import SiteError, StoreError
from spectrum_workflows.findings import Finding, doubt, failed, fault, fine
from spectrum_workflows.sites.place import Place
from spectrum_workflows.sites.security import InsecureWarning


@pytest.fixture
def place(tmp_path: Path, dask_client: Client) -> Place:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "events.root").write_bytes(bytes(1000))
    site = load_site("laptop", changes={"spool": str(tmp_path / "spool")})
    return Place(site, str(tmp_path / "data"), str(tmp_path / "results"), dask_client)


def test_a_worker_of_a_connected_place_is_asked(place: Place, tmp_path: Path) -> None:
    diagnosis = diagnose(place)
    assert diagnosis.starts, str(diagnosis)
    inside = {one.subject: one for one in diagnosis.findings if one.where.startswith("node ")}
    assert {*inside} >= {"network", "task", "clock", "data", "results", "scratch", "libraries"}
    assert "ranges read of 1,000 bytes" in inside["data"].found
    assert [*(tmp_path / "results").iterdir()] == []  # what was written to try it is removed


def test_a_scheduler_of_somebody_else_is_asked_and_stays(place: Place, dask_client: Client) -> None:
    address = {"cluster.address": dask_client.scheduler.address, "cluster.insecure": True}
    site = load_site("existing", changes=address | {"data": place.data, "results": place.results})
    with pytest.warns(InsecureWarning):
        diagnosis = diagnose(site)
    assert diagnosis.starts, str(diagnosis)
    assert "task" in {one.subject for one in diagnosis.findings}
    assert dask_client.submit(abs, -1).result(timeout=10) == 1


def test_a_worker_that_has_not_found_its_scheduler() -> None:
    words = "3 jobs in a row ended before their worker connected (its last words: {})"
    remedies = [
        _no_worker(SiteError(words.format(last), "logs", "correct [software]")).remedy
        for last in ("INFO - Timed out starting worker", "line 3: python: command not found")
    ]
    assert remedies[0].startswith("nodes do not reach the session")
    assert remedies[1] == "correct [software]"


def test_the_command_exits_by_what_it_sees(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("SPECTRUM_SITE", "serial")
    (tmp_path / "data").mkdir()
    codes = []
    for data in ("data", "none"):
        roots = ["--data", str(tmp_path / data), "--out", str(tmp_path / "out")]
        monkeypatch.setattr("sys.argv", ["spectrum", "doctor", "--json", *roots])
        with pytest.raises(SystemExit) as stopped:
            main()
        codes.append((stopped.value.code or 0, json.loads(capsys.readouterr().out)["starts"]))
    assert codes == [(0, True), (1, False)]


def test_data_that_a_worker_does_not_see(place: Place, tmp_path: Path) -> None:
    questions = node.Questions(place.stores, str(tmp_path / "none"), place.results)
    examination = node.examine_node(questions)
    [fault] = [one for one in of_examination(examination, 0) if one.status == "fault"]
    assert fault.subject == "data"


def test_results_that_a_worker_cannot_write_are_a_doubt(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    questions = node.Questions(place.stores, place.data, str(tmp_path / "file" / "below"))
    statuses = {one.subject: one.status for one in node.examine_node(questions).findings}
    assert (statuses["data"], statuses["results"]) == ("fine", "doubt")


def test_other_libraries_on_a_node_are_named() -> None:
    here = {"numpy": "2.0", "dask": "3", "hist": "1"}
    finding = software.against_session({"numpy": "1.9", "dask": "3"}, here)
    assert finding.status == "doubt"
    assert finding.found == "numpy 1.9, and 2.0 here; no hist"


def test_a_lock_is_read_for_this_interpreter() -> None:
    text = (
        "# made by hand\n"
        "a-b==1.0 \\\n    --hash=sha256:00\n"
        "numpy==1.0 ; python_full_version < '3.0' \\\n    --hash=sha256:00\n"
        "numpy==2.0 ; python_full_version >= '3.0' \\\n    --hash=sha256:00\n"
        "plain==3\n"
    )
    assert software.locked(text) == {"a-b": "1.0", "numpy": "2.0", "plain": "3"}
    assert len(software.lock()) > 100


def test_other_machine_code_means_equivalent_results() -> None:
    machine = {"cpu_features": [], "blas_kernels": [], "arithmetic": {"level": 2}}
    finding = processors.processor(machine)
    assert finding.status == "doubt"
    assert finding.found.startswith("equivalent results:")


def test_a_finding_holds_no_secret() -> None:
    secret = "https://data.example.org/x?X-Amz-Signature=0123456789abcdef0123456789"
    assert "0123456789abcdef" not in str(fault("data", secret, secret, secret))
    error = StoreError("no answer", "s3://bucket", "is it up?")
    assert failed("data", error, "an answer") == Finding(
        "data", "fault", "s3://bucket: no answer", "an answer", "is it up?"
    )


def test_a_diagnosis_is_shown_in_lines_in_a_table_and_as_json() -> None:
    findings = (
        fine("Python", "3.11"),
        doubt("scratch", "nfs", "a <local> disk", "set local_directory").at("node n1"),
        fault("data", "not there", "there", "make it").at("node n1"),
    )
    diagnosis = Diagnosis("a place", findings)
    text = str(diagnosis)
    assert text.splitlines()[0] == "session"
    assert "node n1" in text
    assert "remedy: make it" in text
    assert text.endswith("work would not start: 1 fault, 1 doubt")
    assert "a &lt;local&gt; disk" in diagnosis._repr_html_()
    assert display.card("", []) != diagnosis._repr_html_()
    summary = json.loads(json.dumps(diagnosis.summary))
    assert summary["starts"] is False
    assert summary["findings"][2] == {
        "subject": "data",
        "status": "fault",
        "found": "not there",
        "expected": "there",
        "remedy": "make it",
        "where": "node n1",
        "site": "",
    }


def test_an_installation_that_was_broken_off_is_stepped_over(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "~umpy-2.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert software.installed()["numpy"]

"""A federation is looked at site by site, and each finding names its site."""

import socket
from pathlib import Path

import pytest

from spectrum_workflows import diagnose, load_site, load_spec
from spectrum_workflows.doctor.diagnosis import Diagnosis
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.sites import Site

GATEWAY = """\
extends = "cloud"
data = "{folder}/d-b"
results = "{folder}/r"
[cluster]
address = "{address}"
"""


@pytest.fixture
def both(tmp_path: Path) -> Site:
    """A site in this process, and one behind a gateway that does not answer."""
    for name in ("d-a", "d-b", "r"):
        (tmp_path / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
    (tmp_path / "a.toml").write_text(
        f'extends = "serial"\ndata = "{tmp_path}/d-a"\nresults = "{tmp_path}/r"\n'
    )
    (tmp_path / "b.toml").write_text(GATEWAY.format(folder=tmp_path, address=address))
    file = tmp_path / "both.toml"
    sites = '[federation.sites]\na = "a.toml"\nb = "b.toml"\n'
    file.write_text(f'results = "{tmp_path}/r"\nspool = "{tmp_path}/spool"\n{sites}')
    return load_site(file)


def faults(diagnosis: Diagnosis) -> set[tuple[str, str]]:
    return {(one.site, one.subject) for one in diagnosis.faults}


def test_every_site_is_looked_at_and_a_dead_one_is_named(both: Site) -> None:
    diagnosis = diagnose(both)
    assert faults(diagnosis) == {("b", "gateway")}
    assert {one.site for one in diagnosis.findings} == {"", "a", "b"}
    assert diagnosis.starts  # at the other
    lines = str(diagnosis).splitlines()
    assert lines[-1].startswith("work would start, without b: 1 fault")
    [fault] = [line for line in lines if "FAULT" in line]
    assert fault.split()[:3] == ["FAULT", "b", "gateway"]
    [left] = [one for one in diagnosis.findings if one.subject == "node"]
    assert (left.site, left.found) == ("b", "not looked at")
    assert diagnosis.summary["findings"][-1]["site"] == "b"


def test_data_that_no_site_has_keep_work_from_starting(both: Site, tmp_path: Path) -> None:
    (tmp_path / "d-a").rmdir()
    diagnosis = diagnose(both, probe=False)
    assert faults(diagnosis) == {("a", "data"), ("b", "gateway")}
    assert not diagnosis.starts
    assert str(diagnosis).splitlines()[-1].startswith("work would not start: 2 faults")


def test_what_the_session_lacks_no_site_makes_good(both: Site, tmp_path: Path) -> None:
    (tmp_path / "r").rmdir()
    (tmp_path / "r").write_text("")
    diagnosis = diagnose(both, probe=False)
    assert ("", "results") in faults(diagnosis)
    assert not diagnosis.starts


def test_a_spec_is_planned_over_all_sites(both: Site, tmp_path: Path) -> None:
    write_sample(str(tmp_path / "d-a" / "dimuon.root"), "dimuon", events=200, seed=1)
    write_sample(str(tmp_path / "d-b" / "zmumu.root"), "zmumu", events=200, seed=2)
    diagnosis = diagnose(both, spec=load_spec("hep/dimuon"), probe=False)
    assert faults(diagnosis) == {("b", "gateway")}
    [planned] = [one for one in diagnosis.findings if one.subject == "spec"]
    assert planned.found.startswith("dimuon: ")


def test_data_of_one_site_that_cannot_be_read_keep_work_from_starting(
    both: Site, tmp_path: Path
) -> None:
    """The other site takes over the work, but has not what it is done with."""
    (tmp_path / "d-b").rmdir()
    diagnosis = diagnose(both, probe=False)
    assert ("b", "data") in faults(diagnosis)
    assert "a" not in {site for site, _ in faults(diagnosis)}
    assert not diagnosis.starts

"""Prometheus: the scheduler of each site tells its own part, one of them the whole run."""

import time
from dataclasses import replace

import pytest
from distributed import Client

from spectrum_workflows import exporting, load_site, load_spec
from spectrum_workflows.accounting.exposing import RunFigures, SiteFigures, collector
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Nobody
from spectrum_workflows.engine.federation import Federation, travelled
from spectrum_workflows.engine.parts import Part
from spectrum_workflows.errors import SiteError
from spectrum_workflows.exporting import exported, part_of
from spectrum_workflows.sites import Place

KNOWN = Metrics(
    cpu_seconds=9.0,
    between={
        ("a", "a"): 50,
        ("a", "b"): 7,
        ("a", "session"): 3,
        ("session", "b"): 2,
        ("x", "a"): 1,
    },
    cpu_at={"a": 5.0, "b": 3.0},
)


@pytest.fixture
def place(federation: Federation) -> Place:
    return Place(load_site("federation"), ".", ".", federation)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is sent: to whom, whether the whole run, and the part of which site."""
    kept: list = []

    def keep(client: Client, whole: RunFigures | None, part: SiteFigures | None) -> None:
        kept.append((client, whole is not None, part.site if part else None))

    monkeypatch.setattr(exporting, "_send_to", keep)
    return kept


def test_what_moves_is_told_once():
    flows = [flow for site in "ab" for flow in part_of("r", site, KNOWN).flows]
    assert sorted(flows) == sorted((*pair, nbytes) for pair, nbytes in KNOWN.between.items())
    assert part_of("r", "a", KNOWN).cpu_seconds == 5.0
    assert part_of("r", "new", KNOWN) == SiteFigures("r", "new")


def test_cpu_time_of_two_sites_adds_up(federation: Federation):
    a, b = federation.members
    part = Part(1.0, Metrics(cpu_seconds=2.0))
    both = travelled(part, a).metrics + travelled(part, b).metrics + travelled(part, a).metrics
    assert both.cpu_at == {"a": 4.0, "b": 2.0}


def test_one_scheduler_tells_the_whole_run_and_each_its_part(place, sent):
    with exported(place, load_spec("hep/dimuon"), Nobody()) as exporter:
        exporter.count(KNOWN)
    clients = [member.client for member in place.federation.members]
    assert sent == [(clients[0], True, "a"), (clients[1], False, "b")]


def test_a_lost_site_leaves_the_whole_run_to_the_next(place, sent):
    federation = place.federation
    with exported(place, load_spec("hep/dimuon"), Nobody()) as exporter:
        federation.lose(federation.members[0], SiteError("gone"))
        exporter.end("done")
    assert sent == [(federation.members[1].client, True, "b")]


def test_real_schedulers_take_them(place):
    spec = load_spec("hep/dimuon").changed(name="two-sites")
    with exported(place, spec, Nobody()) as exporter:
        exporter.count(KNOWN)
    here, end = collector(), time.monotonic() + 20
    while len(here.parts.get(exporter.run, {})) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    families = {family.name: family.samples for family in here.collect()}
    cpu = {
        s.labels["site"]: s.value
        for s in families["spectrum_site_cpu_seconds"]
        if s.labels["run"] == exporter.run
    }
    assert cpu == KNOWN.cpu_at
    ways = {
        (s.labels["source"], s.labels["target"]): s.value
        for s in families["spectrum_site_bytes"]
        if s.labels["run"] == exporter.run
    }
    assert ways == KNOWN.between


def test_addresses_of_all_schedulers_are_given(place):
    assert [link.rpartition("/")[2] for link in place.metrics.split(", ")] == ["metrics"] * 2
    assert replace(place, client=None).metrics == ""

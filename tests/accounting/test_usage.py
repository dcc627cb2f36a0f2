"""Usage records: what APEL and AUDITOR read, and that nothing of the user is in them."""

import json
import re
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from spectrum_workflows.accounting import Intensity, Power
from spectrum_workflows.accounting.accounts import Terms, accounts_of, read_accounts
from spectrum_workflows.accounting.readings import Use
from spectrum_workflows.accounting.usage import CAR, FORMATS, UsageRecord, usage_of
from spectrum_workflows.errors import DataError
from spectrum_workflows.sites.profile import EnergySpec
from spectrum_workflows.stages import Stage

TERMS = Terms(
    Power(10.0, 5.0, 20.0, "table"), 1.2, Intensity(200.0, "grid", "2026"), "SITE-A", "vo"
)
STORES = (("local files", 7), ("s3://bucket", 5))


def record(*, jobs: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """The record of a run that took ten minutes and an hour of CPU time on four processors."""
    accounts = accounts_of(
        Use(2, jobs),
        TERMS,
        cpu_seconds=3600.0,
        seconds=600.5,
        processors=4,
        memory=2_048_000,
        stores=STORES,
        stages=[Stage("read", 3, 1800.0, 0, 0, STORES)],
    )
    return {
        "name": "dimuon",
        "workflow": "hep",
        "started": "2026-11-27T23:50:09+00:00",
        "seconds": 600.5,
        "cpu_seconds": 3600.0,
        "workers": 4,
        "partial": False,
        "accounts": json.loads(json.dumps(accounts.table)),
    } | changes


def usage(**changes: Any) -> UsageRecord:
    """The usage record of the same run."""
    return usage_of(record(**changes), "dimuon-1")


def test_accounts_come_back_from_json() -> None:
    table = record()["accounts"]
    back = read_accounts(table)
    assert json.loads(json.dumps(back.table)) == table
    assert back.energy.joules == pytest.approx(3600.0 * 10.0 * 1.2)
    assert back.stages[0].energy.joules == pytest.approx(3600.0 * 10.0 * 1.2 / 2)
    assert back.stages[0].stores == STORES
    assert back.carbon is not None
    assert back.carbon.grams == pytest.approx(0.012 * 200.0)


def test_json_lines_have_units_in_their_names() -> None:
    lines = FORMATS["jsonl"]([usage(), usage(jobs=("12", "13"))]).splitlines()
    first, second = map(json.loads, lines)
    assert (first["cpu_seconds"], first["wall_seconds"]) == (3600.0, 600.5)
    assert first["energy_joules"] == pytest.approx(43_200.0)
    assert (first["energy_joules_low"], first["energy_joules_high"]) == pytest.approx(
        (21_600.0, 86_400.0)
    )
    assert first["carbon_grams_co2e"] == pytest.approx(2.4)
    assert (first["start"], first["end"]) == ("2026-11-27T23:50:09Z", "2026-11-28T00:00:09Z")
    assert first["bytes_read_by_store"] == dict(STORES)
    assert (first["jobs"], second["jobs"]) == ([], ["12", "13"])


@pytest.mark.parametrize("form", ["car", "auditor"])
def test_a_run_at_several_sites_is_booked_under_a_name_that_is_given(form: str) -> None:
    several = record()
    several["accounts"] |= {"site": "SITE-A; SITE-B", "project": "vo-a; vo-b"}
    with pytest.raises(DataError, match="several sites, SITE-A; SITE-B"):
        FORMATS[form]([usage_of(several, "r")])
    text = FORMATS[form]([usage_of(several, "r", site="BOTH")])
    assert "BOTH" in text
    assert "SITE-A" not in text
    assert "vo-a" not in text
    assert "SITE-A; SITE-B" in FORMATS["jsonl"]([usage_of(several, "r")])


def test_apel_reads_the_xml_by_namespace_and_name() -> None:
    """As `car_parser` of APEL does: the first element of each name, durations as ISO 8601."""
    [document] = ElementTree.fromstring(FORMATS["car"]([usage(jobs=("4711",))]))
    text = {e.tag.removeprefix(f"{{{CAR}}}"): e.text for e in document.iter()}
    mandatory = ("Site", "LocalJobId", "WallDuration", "CpuDuration", "StartTime", "EndTime")
    assert all(text[name] for name in mandatory)
    assert (text["Site"], text["LocalJobId"], text["Group"]) == ("SITE-A", "4711", "vo")
    assert (text["WallDuration"], text["CpuDuration"]) == ("PT600S", "PT3600S")
    start, end = (
        datetime.strptime(text[n] or "", "%Y-%m-%dT%H:%M:%SZ") for n in ("StartTime", "EndTime")
    )
    assert 0 < (end - start).total_seconds() <= 601
    assert (text["Processors"], text["NodeCount"], text["Memory"]) == ("4", "2", "2000")
    energy = document.find(f"{{{CAR}}}ConsumableResource")
    assert energy is not None
    assert (energy.text, energy.get(f"{{{CAR}}}units")) == ("43200", "J")
    assert document.find(f"{{{CAR}}}RecordIdentity").get(f"{{{CAR}}}recordId") == "dimuon-1"


def test_a_run_of_several_jobs_is_one_record_of_its_own() -> None:
    [document] = ElementTree.fromstring(FORMATS["car"]([usage(jobs=("12", "13"))]))
    assert document.find(f".//{{{CAR}}}LocalJobId").text == "dimuon-1"


def test_auditor_takes_names_without_its_forbidden_letters_and_whole_amounts() -> None:
    [one] = json.loads(FORMATS["auditor"]([usage_of(record(jobs=("7",)), 'a/b(c)"<d>\\{e}')]))
    named = [one["record_id"], *(text for texts in one["meta"].values() for text in texts)]
    assert not [text for text in named if re.search(r'[/()"<>\\{}]', text)]
    amounts = {c["name"]: c["amount"] for c in one["components"]}
    assert amounts == {"Cores": 4, "TotalCPU": 3600, "Memory": 2, "Energy": 43_200}
    assert all(isinstance(amount, int) for amount in amounts.values())
    assert one["meta"]["site_id"] == ["SITE-A"]
    assert one["stop_time"] == "2026-11-28T00:00:09Z"


@pytest.mark.parametrize("form", FORMATS)
def test_no_user_and_no_host_is_named(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import getpass
    import platform

    text = FORMATS[form]([usage()])
    assert f'"{getpass.getuser()}"' not in text
    assert platform.node() not in text


def test_a_record_of_an_earlier_version_has_no_energy() -> None:
    old = record()
    del old["accounts"]
    one = usage_of(old, "old", site="SITE-B")
    assert (one.energy, one.cpu_seconds, one.processors) == (None, 3600.0, 4)
    for form in FORMATS.values():
        assert "SITE-B" in form([one])
    assert usage_of(record(), "new", site="SITE-B").site == "SITE-A"


def test_what_xml_cannot_write_is_left_out() -> None:
    [document] = ElementTree.fromstring(FORMATS["car"]([usage(name="a\x00<b>&\x1b")]))
    assert document.find(f"{{{CAR}}}JobName").text == "a<b>&"


@pytest.mark.parametrize(
    "damage",
    [
        {"started": "yesterday"},
        {"started": "2026-11-27T23:50:09"},
        {"started": None},
        {"seconds": "long"},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"seconds": 1e300},
        {"accounts": {"cpu_hours": 1}},
        {"accounts": [1]},
        {"cpu_seconds": None},
    ],
)
def test_a_damaged_record_is_refused_with_its_name(damage: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"dimuon-1: its record has no usage .*; run it again"):
        usage(**damage)


@pytest.mark.parametrize(
    "damage",
    [
        {"energy": None},
        {"cpu_hours": None},
        {"cpu_hours": -1.0},
        {"wall_hours": float("inf")},
        {"stages": [{"name": "x"}]},
        {"bytes_read_by_store": [1]},
        {"energy": {"kwh": -1.0, "low": 0, "high": 0, "method": "m", "source": "s", "pue": None}},
    ],
)
def test_damaged_accounts_are_refused_in_one_line(damage: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"accounts of a run that cannot be read .*; run it again"):
        read_accounts(record()["accounts"] | damage)


@pytest.mark.parametrize("day", ["2026", "2026-11", "2026-11-28", ""])
def test_dates_of_a_figure(day: str) -> None:
    stated = EnergySpec(carbon_date=day)
    assert stated.carbon_date == day


@pytest.mark.parametrize(("form", "refused"), [("car", True), ("auditor", True), ("jsonl", False)])
def test_a_service_is_told_of_no_run_without_a_site(form: str, refused: bool) -> None:
    table = record()
    table["accounts"]["site"] = ""
    one = usage_of(table, "dimuon-1")
    if refused:
        with pytest.raises(DataError, match="dimuon-1: it does not say which site .* --as SITE"):
            FORMATS[form]([one])
    else:
        assert json.loads(FORMATS[form]([one]))["site"] == ""

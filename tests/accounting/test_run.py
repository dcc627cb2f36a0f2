"""Accounts of a run: in its outcome, its record, its report, on screen, and when it is loaded."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectrum_workflows import connect, load, load_site, load_spec, record, run, save
from spectrum_workflows.accounting.accounts import planned
from spectrum_workflows.budget import Amount
from spectrum_workflows.checking import Check, cpu_seconds_of
from spectrum_workflows.cli import screen
from spectrum_workflows.cli.commands import app
from spectrum_workflows.domain import Plan
from spectrum_workflows.examples import make_data
from spectrum_workflows.sites.profile import AccountingSpec, EnergySpec
from spectrum_workflows.sites.spending import terms_of
from spectrum_workflows.stages import Stage

pytestmark = pytest.mark.xdist_group("accounting run")  # what they share is made once

ENERGY = EnergySpec(
    watts_per_core=10.0,
    watts_source="test",
    pue=1.5,
    carbon_intensity=200.0,
    carbon_source="grid",
    carbon_date="2026",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[record.Outcome, str]:
    folder = tmp_path_factory.mktemp("accounts")
    profile = load_site("serial").model_copy(
        update={"energy": ENERGY, "accounting": AccountingSpec(site="HERE", project="p")}
    )
    spec = load_spec("hep/dimuon")
    with connect(profile, data=str(folder / "data"), results=str(folder / "results")) as place:
        make_data(spec, place, size=20_000)
        outcome = run(spec, place, watch=False)
        return outcome, save(outcome, place)


def test_all_bytes_have_a_store_and_a_stage(saved: tuple[record.Outcome, str]) -> None:
    outcome, _ = saved
    accounts = outcome.accounts
    assert accounts is not None
    assert dict(accounts.stores) == {"local files": outcome.metrics.bytes_read}
    assert outcome.metrics.bytes_read > 1e5
    assert sum(read for stage in accounts.stages for _, read in stage.stores) > 1e5
    assert accounts.cpu_seconds == outcome.cpu_seconds
    assert sum(stage.cpu_seconds for stage in accounts.stages) <= outcome.cpu_seconds


def test_the_energy_is_that_of_the_cpu_time(saved: tuple[record.Outcome, str]) -> None:
    accounts = saved[0].accounts
    assert accounts is not None
    if accounts.energy.method != "modelled":
        pytest.skip("this machine has counters")
    assert accounts.energy.joules == pytest.approx(accounts.cpu_seconds * 10.0 * 1.5)
    assert accounts.carbon is not None
    assert accounts.carbon.grams == pytest.approx(accounts.energy.kwh * 200.0)
    assert (accounts.site, accounts.project, accounts.nodes) == ("HERE", "p", 1)


def test_the_record_has_them_and_a_loaded_run_has_them_again(
    saved: tuple[record.Outcome, str],
) -> None:
    outcome, folder = saved
    assert outcome.accounts is not None
    written = record.read_record(folder)["accounts"]
    assert written == outcome.accounts.table
    again = load(folder)
    assert again.accounts is not None
    assert again.accounts.line == outcome.accounts.line
    assert again.accounts.energy.joules == pytest.approx(outcome.accounts.energy.joules)
    assert [s.cpu_seconds for s in again.accounts.stages] == pytest.approx(
        [s.cpu_seconds for s in outcome.accounts.stages]
    )
    assert again.metrics.stores == outcome.metrics.stores
    assert [s.stores for s in again.metrics.stages] == [s.stores for s in outcome.metrics.stages]
    assert outcome.accounts.line in str(outcome)
    assert "modelled" in outcome._repr_html_() or "measured" in outcome._repr_html_()


def test_a_run_of_an_earlier_version_has_none(saved: tuple[record.Outcome, str]) -> None:
    outcome = replace(saved[0], accounts=None)
    assert "energy" not in str(outcome)
    assert "Energy and accounts" not in record.report(dict(_without_accounts(saved[1])), {})


def _without_accounts(folder: str) -> dict[str, object]:
    return {k: v for k, v in record.read_record(folder).items() if k != "accounts"}


def test_the_screen_says_it_in_one_line(
    saved: tuple[record.Outcome, str], capsys: pytest.CaptureFixture[str]
) -> None:
    outcome, folder = saved
    screen.outcomes([(outcome.summary, folder)])
    [line] = [ln for ln in capsys.readouterr().out.splitlines() if "energy" in ln]
    assert " Wh (" in line


def test_the_report_has_a_table(saved: tuple[record.Outcome, str]) -> None:
    html = record.report(record.read_record(saved[1]), {})
    assert "Energy and accounts" in html
    assert "read from local files" in html
    assert "g CO2e, at 200 g/kWh, grid, 2026" in html


def test_the_command_prints_usage_records(saved: tuple[record.Outcome, str]) -> None:
    name = Path(saved[1]).name
    for form, sign in (
        ("jsonl", '"site": "HERE"'),
        ("car", "<urf:Site>HERE</urf:Site>"),
        ("auditor", '"HERE"'),
    ):
        printed = CliRunner().invoke(app, ["usage", saved[1], "--format", form])
        assert printed.exit_code == 0
        assert sign in printed.output
        assert name in printed.output


def test_a_plan_says_its_energy_where_its_cpu_time_is_known() -> None:
    terms = terms_of(load_site("serial").model_copy(update={"energy": ENERGY}))
    stages = (Stage("image", 4, 1800.0, 0, 0), Stage("major cycle", 4, 5400.0, 0, 0))
    of_plan = planned(cpu_seconds_of((), stages), terms)
    assert of_plan is not None
    assert of_plan.energy.joules == pytest.approx(7200.0 * 10.0 * 1.5)
    checked = Check("x", Plan((), 0, 0), stages, planned=of_plan)
    assert "  energy              2 CPU hours, 30 Wh (22.5 to 37.5), modelled" in str(checked)
    assert "6 g CO2e" in checked._repr_html_()
    assert checked.summary["planned"]["cpu_hours"] == pytest.approx(2.0)
    assert checked.summary["planned"]["carbon"]["grams_co2e"] == pytest.approx(6.0)
    assert checked.summary["stages"][0]["name"] == "image"
    assert planned(cpu_seconds_of((), ()), terms) is None
    assert Check("x", Plan((), 0, 0)).summary["planned"] is None


def test_the_cpu_time_of_a_plan_is_that_of_its_budget_where_that_knows_it() -> None:
    stages = (Stage("image", 4, 1800.0, 0, 0),)
    known = Amount("core_hours", "core h", planned=0.25, at_most=2.0)
    bounded = Amount("core_hours", "core h", at_most=2.0)
    assert cpu_seconds_of((known,), stages) == pytest.approx(900.0)
    assert cpu_seconds_of((bounded,), stages) == pytest.approx(1800.0)
    assert cpu_seconds_of((bounded,), ()) == 0

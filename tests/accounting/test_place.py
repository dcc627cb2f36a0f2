"""What a place spends: its processes are asked, its profile says what a core and a kWh are."""

from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from distributed import Client

from spectrum_workflows.accounting.power import DEFAULT
from spectrum_workflows.accounting.telling import JOB, JOB_AD, job_of
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine.federation import Federation, Member
from spectrum_workflows.errors import SpecError
from spectrum_workflows.sites import Place, load_site
from spectrum_workflows.sites.batch.slurm.energy import consumed, joules_by_job
from spectrum_workflows.sites.batch.systems import SYSTEMS
from spectrum_workflows.sites.profile import Site
from spectrum_workflows.sites.spending import begin, readings, terms_of
from spectrum_workflows.specs import parse
from spectrum_workflows.storage import Stores


def site(**energy: Any) -> Site:
    """A profile with some keys of [energy]."""
    return parse(Site, {"data": ".", "results": ".", "energy": energy}, where="test", exact=True)


def test_workers_and_session_of_one_machine_are_one_node(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JOB, "77")
    place = Place(site(watts_per_core=10.0, watts_source="test"), ".", ".", dask_client)
    spending = begin(place)
    assert len({reading.process for reading in spending.readings}) == 3
    assert len({reading.node for reading in spending.readings}) == 1
    assert spending.processors == 2
    accounts = spending.end(Metrics(cpu_seconds=50.0, memory=9), cpu_seconds=60.0, seconds=30.0)
    assert (accounts.nodes, accounts.processors, accounts.jobs) == (1, 2, ("77",))
    assert (accounts.cpu_seconds, accounts.seconds, accounts.memory) == (60.0, 30.0, 9)
    if accounts.energy.method == "modelled":  # no counter on this machine
        assert accounts.energy.joules == pytest.approx(600.0)


def test_several_sites_have_a_core_and_a_building_each(dask_client: Client) -> None:
    first = site(watts_per_core=10.0, watts_source="a", pue=1.2)
    second = site(watts_per_core=20.0, watts_source="b", pue=1.2)
    members = (Place(first, ".", ".", dask_client), Place(second, ".", "."))
    several = Federation((Member("a", dask_client, Stores()), Member("b", None, Stores())))
    for own, least, most in ((site(), 10.0, 20.0), (second, 20.0, 20.0)):
        place = Place(own, ".", ".", cast("Client", several), members=members)
        spending = begin(place)
        dask_client.submit(sum, range(1_000_000), pure=False).result()
        accounts = spending.end(Metrics(), cpu_seconds=100.0, seconds=30.0)
        assert accounts.pue == pytest.approx(1.2)
        if accounts.energy.method == "modelled":  # no counter on this machine
            watts = accounts.energy.joules / 100.0 / 1.2
            assert least * (1 - 1e-9) <= watts <= most * (1 + 1e-9)
            assert watts != pytest.approx(20.0) or least == most


def test_a_plain_loop_is_one_process() -> None:
    assert len(readings(Place(site(), ".", "."))) == 1


def test_a_profile_states_watts_building_and_grid() -> None:
    terms = terms_of(
        site(
            watts_per_core=8.0,
            watts_source="the centre",
            pue=1.2,
            carbon_intensity=100.0,
            carbon_source="operator",
            carbon_date=date(2026, 1, 31),
        )
    )
    assert (terms.power.watts, terms.power.low, terms.power.high) == (8.0, 6.0, 10.0)
    assert terms.power.source == "8 W per core (the centre)"
    assert terms.pue == 1.2
    assert terms.intensity is not None
    assert (terms.intensity.grams_per_kwh, terms.intensity.date) == (100.0, "2026-01-31")


def test_without_keys_there_is_no_carbon_and_another_machine_is_the_default() -> None:
    terms = terms_of(load_site("slurm"))
    assert (terms.power, terms.pue, terms.intensity) == (DEFAULT, None, None)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"watts_per_core": 8.0}, "needs watts_source"),
        ({"watts_per_core": 0.0, "watts_source": "x"}, "greater than 0"),
        ({"watts_per_core": -3.0, "watts_source": "x"}, "greater than 0"),
        ({"watts_per_core": float("nan"), "watts_source": "x"}, "finite"),
        ({"watts_per_core": 8e4, "watts_source": "x"}, "less than or equal to 100"),
        ({"pue": 0.9}, "greater than or equal to 1"),
        ({"pue": 118}, "less than or equal to 10"),
        ({"carbon_intensity": 100.0}, "needs carbon_source"),
        ({"carbon_intensity": 100.0, "carbon_source": "x"}, "needs carbon_date"),
        ({"carbon_intensity": -1.0, "carbon_source": "x", "carbon_date": "2026"}, "or equal to 0"),
        ({"carbon_intensity": 1.0, "carbon_source": "x", "carbon_date": "May"}, "not a date"),
        ({"carbon_intensity": 1.0, "carbon_source": "x", "carbon_date": "2026-13"}, "not a date"),
        ({"carbon_intensity": 1.0, "carbon_source": "x", "carbon_date": "26"}, "not a date"),
        ({"carbon_intensity": 1.0, "carbon_source": "x", "carbon_date": 2026}, "string"),
        ({"carbon_intensity": 0.23, "carbon_source": "x", "carbon_date": "2026"}, "not in kg"),
        ({"carbon_intensities": 1.0}, "carbon_intensity"),
    ],
)
def test_a_profile_that_cannot_be(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        site(**keys)


def test_energy_of_slurms_steps_is_that_of_the_node_they_share() -> None:
    text = "12.extern|900\n12.batch|870\n13.batch|\n14.batch|0\n15.0|18446744073709551614\nx\n"
    assert joules_by_job(text) == {"12": 900.0}
    assert consumed([]) == {}


def test_every_batch_system_says_what_it_counts() -> None:
    for system in SYSTEMS.values():
        assert system.consumed([]) == {}


def test_a_job_of_htcondor_is_named_by_its_description(tmp_path: Path) -> None:
    described = tmp_path / ".job.ad"
    described.write_text('ClusterId = 12\nCmd = "python"\nOrigProcId = 9\nProcId = 3\n')
    assert job_of({JOB_AD: str(described)}) == "12.3"
    assert job_of({JOB_AD: str(tmp_path / "gone")}) == ""
    assert job_of({}) == ""

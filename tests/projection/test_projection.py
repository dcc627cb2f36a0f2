"""Projection: figures by hand, the published one, and units and files that are wrong."""

import json
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from spectrum_workflows import project
from spectrum_workflows.errors import DataError, DataNotFoundError, MissingExtraError, SpecError
from spectrum_workflows.projection import quantity
from spectrum_workflows.projection.estimate import UNITS, Estimate, estimate
from spectrum_workflows.projection.projecting import default_targets, load_targets, projection
from spectrum_workflows.projection.quantity import Unit
from spectrum_workflows.projection.rates import measured, rates
from spectrum_workflows.projection.targets import Targets
from spectrum_workflows.specs import parse, read_toml

Record = Callable[..., dict[str, Any]]
FOLDER = Path(__file__).parents[2] / "docs" / "evidence"
EVIDENCE = json.loads((FOLDER / "projection.json").read_text())
FIELDS = (
    "items",
    "data",
    "item_rate",
    "live",
    "bytes_per_item",
    "read_rate",
    "data_rate",
    "within",
)
"""Of a target, those that are quantities."""


def table() -> dict[str, Any]:
    """The shipped file of targets."""
    return read_toml(default_targets().read_bytes(), where="targets.toml")


def targets(**of_target: Any) -> Targets:
    """One target with the shipped assumptions."""
    source = {
        "document": "A document",
        "year": 2025,
        "url": "https://arxiv.org",
        "says": "a number",
    }
    target = {"title": "A target", "workflow": "hep", "sources": [source], **of_target}
    assumptions = table()["assumptions"]
    return parse(Targets, {"assumptions": assumptions, "targets": {"t": target}}, where="t.toml")


def made(record: dict[str, Any], **of_target: Any) -> Estimate:
    """What one target takes by the rates of one record."""
    read = targets(**of_target)
    return estimate("t", read.targets["t"], rates([measured(record, "x")]), read.assumptions)


# Figures by hand: 10 kHz and 12.5 MB/s per core, busy 0.8 (0.5 to 1), processor 1 (0.5 to 2)


def test_a_read_rate(record: Record) -> None:
    one = made(record(), read_rate="200 Gb/s", data="200 TB")
    assert one.cores.to("cores") == pytest.approx((1000, 2500, 8000))
    assert one.item_rate.to("MHz")[1] == pytest.approx(20.0)
    assert one.read_rate.to("Gb/s")[1] == pytest.approx(200.0)
    assert one.disk is not None
    assert one.disk.to("TB") == pytest.approx((200, 200, 400))
    assert one.power.to("kW") == pytest.approx((4, 14, 48))
    assert (one.cpu_time, one.energy, one.items) == (None, None, None)


def test_a_number_of_events(record: Record) -> None:
    one = made(record(), items="36e6 events", data="1 TB", within="1 h")
    assert one.cpu_time is not None
    assert one.cpu_time.to("CPU-h") == pytest.approx((0.5, 1.0, 2.0))
    assert one.cores.to("cores") == pytest.approx((0.5, 1.25, 4.0))
    assert one.read is not None
    assert one.read.to("GB")[1] == pytest.approx(45.0)
    assert one.read_rate.to("Mb/s")[1] == pytest.approx(45e9 * 8 / 3600 / 1e6)
    assert one.read_fraction is not None
    assert one.read_fraction.value == pytest.approx(0.045)
    assert one.energy is not None
    assert one.energy.to("Wh") == pytest.approx((2.0, 7.0, 24.0))


def test_a_rate_of_events_for_some_time(record: Record) -> None:
    one = made(
        record(), item_rate="7.5 kHz", live="6e6 s", bytes_per_item="2 kB/event", within="1 d"
    )
    assert one.items is not None
    assert one.items.to("items")[1] == pytest.approx(4.5e10)
    assert one.disk is not None
    assert one.disk.to("TB")[1] == pytest.approx(90.0)
    assert one.cpu_time is not None
    assert one.cpu_time.to("CPU-h")[1] == pytest.approx(1250.0)


def test_an_amount_of_data_and_a_rate_of_it(record: Record) -> None:
    volume = made(record(), data="2.5 TB", within="1000 s")
    assert volume.items is not None
    assert volume.items.to("items")[1] == pytest.approx(1e9)
    assert volume.cpu_time is not None
    assert volume.cpu_time.to("CPU-s")[1] == pytest.approx(1e5)
    flow = made(record(), data_rate="20 Gb/s")
    assert flow.cores.to("cores")[1] == pytest.approx(125.0)
    assert flow.read_rate.to("Gb/s")[1] == pytest.approx(10.0)
    assert flow.item_rate.to("MHz")[1] == pytest.approx(1.0)


def test_the_spread_of_runs_widens_the_range(record: Record) -> None:
    read = targets(read_rate="200 Gb/s")
    runs = [measured(record(cpu_seconds=s), "x") for s in (50.0, 200.0)]
    one = estimate("t", read.targets["t"], rates(runs), read.assumptions)
    assert one.cores.to("cores") == pytest.approx((500, 3125, 16000))


def test_power_is_that_of_the_runs_where_their_accounts_have_it(record: Record) -> None:
    accounts = {"energy": {"kwh": 2e-4, "low": 1e-4, "high": 4e-4, "method": "modelled"}}
    one = made(record(accounts=accounts), read_rate="200 Gb/s")
    assert one.power.to("kW") == pytest.approx((3.6, 14.4, 57.6))


def test_data_of_unknown_size_give_no_estimate_of_data(record: Record) -> None:
    with pytest.raises(DataError, match="said in stored data.*give runs whose plan says it"):
        made(record(plan={"data_bytes": 0}), data="1 TB", within="1 h")
    assert made(record(plan={"data_bytes": 0}), read_rate="1 Gb/s").cores.value > 0


# The published figure, and what becomes of it with a wrong unit


def challenge() -> Estimate:
    """The 200 Gb/s challenge by the runs that are in the evidence."""
    runs = [measured(one, one["name"]) for one in EVIDENCE["records"]["challenge"]]
    read = load_targets(str(default_targets()))
    [one] = [e for e in projection(runs, read, where="").estimates if e.name == "gbps200"]
    return one


def test_measured_rates_reproduce_the_published_cores_within_the_claimed_factor() -> None:
    [cores] = [c for c in challenge().compared if c.published.quantity == "cores"]
    assert cores.published.amount().to("cores")[1] == 2000
    assert cores.published.factor == 3
    assert 1 / 3 <= cores.ratio <= 3
    assert (cores.reproduced, cores.in_range) == (True, True)
    assert "within the factor 3 claimed" in str(cores)
    ratio = EVIDENCE["ratios"]["cores for 200 Gb/s over published"]
    assert cores.ratio == pytest.approx(ratio, abs=1e-3)


@pytest.mark.parametrize(
    ("symbol", "times"), [("Gb", 8), ("Gb", 1e-3), ("Gb", 1e3), ("cores", 60), ("cores", 1 / 60)]
)
def test_with_a_wrong_unit_it_is_not_reproduced(
    monkeypatch: pytest.MonkeyPatch, symbol: str, times: float
) -> None:
    """Bits for bytes, a wrong prefix, minutes for seconds."""
    right = quantity.UNITS[symbol]
    monkeypatch.setitem(quantity.UNITS, symbol, Unit(right.size * times, right.dimension))
    [cores] = [c for c in challenge().compared if c.published.quantity == "cores"]
    assert cores.reproduced is False


def test_the_ratio_of_software_is_the_one_that_was_measured() -> None:
    there = load_targets(str(default_targets())).targets["gbps200"].published[0].software
    measured_ratios = [
        ratio
        for name, ratio in json.loads((FOLDER / "hep_vs_peers.json").read_text())["ratios"].items()
        if name.endswith(": coffea / ours")
    ]
    assert len(measured_ratios) == 4
    expected = (min(measured_ratios), median(measured_ratios), max(measured_ratios))
    assert there is not None
    assert there.ranged(quantity.NUMBER).to("") == pytest.approx(expected, rel=0.01)


def test_other_software_takes_other_cores_and_no_other_bytes(record: Record) -> None:
    software = {"value": "3", "low": "2", "high": "4", "why": "measured there"}
    published = [{"quantity": "cores", "value": "7500 cores", "software": software}]
    [one] = made(record(), read_rate="200 Gb/s", published=published).compared
    assert one.part.to("cores") == pytest.approx((2000, 7500, 32000))
    assert (one.ratio, one.in_range, one.reproduced) == (pytest.approx(1.0), True, None)
    published = [{"quantity": "item_rate", "value": "3 MHz", "software": software}]
    with pytest.raises(SpecError, match="item_rate does not depend on it; leave it out"):
        made(record(), read_rate="200 Gb/s", published=published)


def test_a_figure_outside_its_factor_is_said(record: Record) -> None:
    published = [{"quantity": "cores", "value": "10 cores", "factor": 2}]
    [one] = made(record(), read_rate="200 Gb/s", published=published).compared
    assert (one.ratio, one.reproduced, one.in_range) == (pytest.approx(250.0), False, False)
    assert "NOT within the factor 2 claimed" in str(one)


def test_a_published_figure_that_does_not_apply_is_refused(record: Record) -> None:
    published = [{"quantity": "cpu_time", "value": "10 CPU-h"}]
    with pytest.raises(DataError, match="no cpu_time follows for this target"):
        made(record(), read_rate="200 Gb/s", published=published)


@pytest.mark.parametrize(
    ("name", "field"),
    [(n, f) for n, target in table()["targets"].items() for f in FIELDS if f in target],
)
def test_every_shipped_number_is_refused_in_another_unit(name: str, field: str) -> None:
    for wrong in ("3 W/core", "5", "2 cores", "1 J"):
        changed = deepcopy(table())
        changed["targets"][name][field] = wrong
        with pytest.raises(SpecError, match=rf"targets\.{name}\.{field}: (this is|write)"):
            parse(Targets, changed, where="targets.toml", exact=True)


@pytest.mark.parametrize("name", ["processor", "busy", "power", "copies"])
def test_every_assumption_is_refused_in_another_unit(name: str) -> None:
    changed = deepcopy(table())
    changed["assumptions"][name]["high"] = "300 MB/s"
    with pytest.raises(SpecError, match=f"{name}: this is a data rate"):
        parse(Targets, changed, where="targets.toml", exact=True)


# Files that are wrong


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, "say how much in one way"),
        ({"items": "5 events", "read_rate": "1 Gb/s", "data_rate": "1 Gb/s"}, "in one way"),
        ({"items": "5 events"}, "within is missing"),
        ({"data_rate": "1 Gb/s", "within": "1 h"}, "a rate goes on for ever"),
        ({"item_rate": "1 kHz", "within": "1 h"}, "item_rate and live go together"),
        ({"items": 5, "within": "1 h"}, "items"),
        ({"rate": "1 Gb/s"}, "unknown key 'targets.t.rate'"),
        ({"data": "1 TB", "within": "1 h", "sources": []}, "sources"),
        (
            {"read_rate": "1 Gb/s", "published": [{"quantity": "cores", "value": "1 TB"}]},
            "value: this is an amount of data; write a number of cores such as '2000 cores'",
        ),
        (
            {"read_rate": "1 Gb/s", "published": [{"quantity": "love", "value": "1"}]},
            "quantity",
        ),
        (
            {
                "read_rate": "1 Gb/s",
                "published": [{"quantity": "cores", "value": "1 cores", "factor": 0.5}],
            },
            "factor",
        ),
    ],
)
def test_a_target_that_is_none_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpecError, match=problem) as refused:
        targets(**changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("busy", {"high": "1.5"}, "busy: a core computes at most all the time"),
        ("busy", {"low": "0.9"}, "busy: low 0.9, value 0.8 and high 1: no range"),
        ("power", {"value": "0 W/core"}, "power: it must be more than 0"),
        ("copies", {"why": ""}, "why"),
    ],
)
def test_an_assumption_that_is_no_range_is_refused(
    name: str, changes: dict[str, str], problem: str
) -> None:
    changed = deepcopy(table())
    changed["assumptions"][name] |= changes
    with pytest.raises(SpecError, match=problem):
        parse(Targets, changed, where="targets.toml", exact=True)


def test_files_that_are_not_there_are_named(saved: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="no such file of targets; leave --to out"):
        project([saved()], tmp_path / "no.toml")
    with pytest.raises(DataNotFoundError, match="not a run"):
        project([tmp_path])
    (tmp_path / "bad.toml").write_text("targets = 3")
    with pytest.raises(SpecError, match="bad.toml"):
        project([saved()], tmp_path / "bad.toml")


def test_runs_of_another_science_have_no_target(saved: Callable[..., str]) -> None:
    with pytest.raises(DataError, match="its targets are of hep, radio; runs of chirp were given"):
        project([saved(workflow="chirp")])


# The command


def test_the_command_prints_rates_targets_sources_and_assumptions(
    saved: Callable[..., str], spectrum: Any, tmp_path: Path
) -> None:
    code, out, err = spectrum(
        "project", saved(), saved(cpu_seconds=120.0), "--plot", tmp_path / "p.png"
    )
    assert (code, err) == (0, "")
    assert "  cores: published 2000 cores, estimated " in out
    for name in ("agc_full", "hl_lhc_year", "200 Gb/s", "assumed: busy 0.8 (0.5 to 1)"):
        assert name in out
    assert "no run was given for lotss_pointing, lofar2, ska_visibilities" in out
    assert (tmp_path / "p.png").read_bytes()[1:4] == b"PNG"


def test_json_has_every_number_with_its_range_and_unit(
    saved: Callable[..., str], spectrum: Any
) -> None:
    code, out, _ = spectrum("project", saved(), "--json")
    assert code == 0
    told = json.loads(out)
    one = told["targets"]["gbps200"]
    assert one["cores"]["unit"] == "cores"
    assert one["cores"]["low"] < one["cores"]["value"] < one["cores"]["high"]
    assert {name: one[name]["unit"] for name in UNITS if one[name]} == {
        name: symbol for name, symbol in UNITS.items() if one[name]
    }
    assert told["rates"][0]["read_per_core"]["unit"] == "MB/s/core"
    assert one["sources"][0]["year"] == 2025
    assert told["assumptions"]["busy"]["low"] == "0.5"


def test_a_wrong_file_is_one_line(saved: Callable[..., str], spectrum: Any, tmp_path: Path) -> None:
    file = tmp_path / "t.toml"
    text = default_targets().read_text().replace('"200 Gb/s"', '"200 Gb"')
    file.write_text(text)
    code, out, err = spectrum("project", saved(), "--to", file)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "targets.gbps200.read_rate: this is an amount of data; write a data rate" in err


def test_a_picture_of_another_kind_is_refused(saved: Callable[..., str], spectrum: Any) -> None:
    code, out, err = spectrum("project", saved(), "--plot", "cores.pdf")
    assert (code, out) == (2, "")
    assert "cores.pdf: a picture is written as PNG; give it a name that ends in .png" in err


def test_without_matplotlib_the_picture_says_what_to_install(
    saved: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of = project(saved())
    monkeypatch.setitem(sys.modules, "spectrum_workflows.projection.plot", None)
    with pytest.raises(MissingExtraError, match="needs matplotlib; pip install"):
        made_of.plot()


def test_a_run_given_twice_counts_once(saved: Callable[..., str]) -> None:
    folder = saved()
    assert len(project([folder, f"{folder}/"]).rates[0].runs) == 1


def test_the_picture_shows_every_target_and_what_is_published() -> None:
    from spectrum_workflows.projection.plot import figure

    runs = [measured(one, one["name"]) for one in EVIDENCE["records"]["challenge"]]
    made_of = projection(runs, load_targets(str(default_targets())), where="")
    [axes] = figure(made_of.estimates).axes
    words = [text.get_text() for text in axes.texts]
    assert len(words) == len(made_of.estimates) == 3
    for one, text in zip(reversed(made_of.estimates), words, strict=True):
        assert text.startswith(f"{one.target.title}: ")
    assert 2000.0 in [
        float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1
    ]

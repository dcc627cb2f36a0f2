"""Prometheus: what a live scheduler tells of a run, and the dashboard that shows it."""

import json
import re
import ssl
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.accounting.exposing import MOST, Progress, RunCollector, RunFigures
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Nobody
from spectrum_workflows.examples import make_data
from spectrum_workflows.exporting import both, exported
from spectrum_workflows.record import Outcome
from spectrum_workflows.sites import Place

DASHBOARD = Path(__file__).parents[2] / "environments" / "grafana-dashboard.json"
FUNCTIONS = {"rate", "count", "by", "label_values"}


def told(url: str) -> str:
    """What an endpoint answers."""
    with urllib.request.urlopen(url, timeout=10, context=ssl.create_default_context()) as answer:
        text: str = answer.read().decode()
    return text


NAME = "exposing"
"""Of the run: schedulers of one process share their figures."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Outcome]]:
    """A local cluster of one worker that has run, and is still there."""
    folder = tmp_path_factory.mktemp("exposing")
    profile = load_site("laptop", changes={"workers.count": 1})
    spec = load_spec("hep/dimuon").changed(name=NAME)
    with connect(profile, data=str(folder / "data"), results=str(folder / "results")) as place:
        make_data(spec, place, size=2000)
        yield place, run(spec, place, watch=False)


@pytest.fixture(scope="module")
def samples(live: tuple[Place, Outcome]) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Everything that its endpoint tells once the run is done, by name."""
    place, _ = live
    end = time.monotonic() + 20
    while time.monotonic() < end:
        text = told(place.metrics)
        if any(NAME in line and 'state="done"' in line for line in text.splitlines()):
            break
        time.sleep(0.05)
    families = text_string_to_metric_families(text)
    listed: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        if NAME not in sample.labels.get("run", NAME):
            continue
        listed.setdefault(sample.name, []).append((sample.labels, sample.value))
    return listed


Samples = dict[str, list[tuple[dict[str, str], float]]]


def test_the_endpoint_tells_what_the_outcome_holds(
    live: tuple[Place, Outcome], samples: Samples
) -> None:
    _, outcome = live
    accounts = outcome.accounts
    assert accounts is not None
    [(labels, one)] = samples["spectrum_run"]
    assert (labels["workflow"], labels["state"], one) == ("hep", "done", 1)
    assert samples["spectrum_run_cpu_seconds_total"][0][1] == pytest.approx(outcome.cpu_seconds)
    read = {labels["store"]: value for labels, value in samples["spectrum_run_read_bytes_total"]}
    assert read == dict(accounts.stores)
    [(labels, joules)] = samples["spectrum_run_energy_joules"]
    assert labels["method"] == accounts.energy.method
    assert joules == pytest.approx(accounts.energy.joules)
    done = {labels["stage"]: value for labels, value in samples["spectrum_stage_done"]}
    total = {labels["stage"]: value for labels, value in samples["spectrum_stage_total"]}
    assert done == total
    assert len(outcome.plan.partitions) in done.values()
    assert samples["spectrum_run_failures"][0][1] == 0


def test_every_query_of_the_dashboard_names_what_the_endpoint_gives(samples: Samples) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [
        one["query"]["query"] for one in dashboard["templating"]["list"] if one["name"] == "run"
    ]
    assert len(queries) > 10
    for query in queries:
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)|, \w+\)", "", query)
        names = {*re.findall(r"[a-z_]+", bare)} - FUNCTIONS
        assert names, query
        assert names <= samples.keys(), query
        for label in re.findall(r"(\w+)=~?\"", query):
            assert all(label in labels for name in names for labels, _ in samples[name]), query


def test_panels_and_legends_name_labels_that_there_are(samples: Samples) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            [name, *_] = [n for n in re.findall(r"[a-z_]+", target["expr"]) if n in samples]
            labels = {*samples[name][0][0], "instance"}
            assert {*re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])} <= labels


def test_it_is_told_below_the_secret_path_alone(live: tuple[Place, Outcome]) -> None:
    place, _ = live
    host = re.sub(r"(https?://[^/]+)/.*", r"\1", place.metrics)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        told(f"{host}/metrics")


def figures(name: str, done: int = 0) -> RunFigures:
    """Figures of a run with one stage of four pieces."""
    return RunFigures(name, "hep", "running", 1.0, (Progress("read", done, 4),))


def test_the_newest_figures_of_the_last_runs_are_kept() -> None:
    collector = RunCollector()
    for n in range(MOST + 3):
        collector.take(figures(f"run-{n}"))
    collector.take(figures("run-5", 3))
    assert len(collector.runs) == MOST
    assert [*collector.runs][-1] == "run-5"
    families = {family.name: family for family in collector.collect()}
    done = {s.labels["run"]: s.value for s in families["spectrum_stage_done"].samples}
    assert (done["run-5"], done["run-6"]) == (3, 0)


def test_without_a_scheduler_nothing_is_exported() -> None:
    place = Place(load_site("serial"), ".", ".")
    with exported(place, None, Nobody()) as exporter:
        assert exporter is None
    assert place.metrics == ""
    both()("stage", 1, 2)  # nobody is told


def test_a_scheduler_that_is_gone_costs_the_run_nothing() -> None:
    class Gone:
        """A client whose loop is closed."""

        loop = property()

    place = Place(load_site("serial"), ".", ".", Gone())  # type: ignore[arg-type]
    with exported(place, load_spec("hep/dimuon"), Nobody()) as exporter:
        assert exporter is not None
        exporter.report("read", 1, 2)
        exporter.count(Metrics(cpu_seconds=1.0))
        exporter.end("done")

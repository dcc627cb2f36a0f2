"""Planning: what is opened, where, how often; what is kept for the next plan."""

import shutil

import pytest
from fsspec.implementations.local import LocalFileSystem

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.io import rootfile
from spectrum_workflows.hep.plan import cache
from spectrum_workflows.hep.synthetic import write_sample
from spectrum_workflows.record import digest

from .conftest import WORKFLOWS

MANY = 10_000


@pytest.fixture(autouse=True)
def nothing_left_open():
    rootfile.close_all()
    yield
    rootfile.close_all()


@pytest.fixture
def never_opened(monkeypatch):
    """Any attempt to open a file fails."""

    def opened(url, *_):
        raise AssertionError(f"{url} was opened")

    monkeypatch.setattr(rootfile, "_open", opened)
    monkeypatch.setattr("spectrum_workflows.storage.open_read", opened)


@pytest.fixture
def opens(monkeypatch):
    """The files that are opened in this process, in order."""
    seen, really = [], rootfile._open

    def counting(url, *rest):
        seen.append(url)
        return really(url, *rest)

    monkeypatch.setattr(rootfile, "_open", counting)
    return seen


def run(spec, plan, client=None):
    result, metrics = DOMAIN.run(
        spec, plan, client=client, on_error="raise", report=lambda *_: None
    )
    assert not metrics.failures
    return result


def test_ten_thousand_counted_files_are_planned_without_opening_one(ttbar_spec, never_opened):
    files = [f"store/{k}.root" for k in range(MANY)]
    counts = [350_001 + k % 7 for k in range(MANY)]
    spec = ttbar_spec.changed(samples={"ttbar": {"files": files, "events": counts}})
    plan = DOMAIN.plan(spec, "root")
    assert plan.size == sum(counts)
    assert len(plan.partitions) == 8 * MANY  # of at most 50,000 events
    assert all(p.size <= 50_000 for p in plan.partitions)
    assert plan.partitions[-1].url == f"root/store/{MANY - 1}.root"
    assert any("files were not opened" in warning for warning in plan.warnings)


def test_a_counted_run_equals_one_that_looked(ttbar_spec, generated):
    looked = run(ttbar_spec, DOMAIN.plan(ttbar_spec, str(generated)))
    spec = ttbar_spec.changed(samples={"ttbar": {"events": [8400]}})
    counted = run(spec, DOMAIN.plan(spec, str(generated)))
    assert digest(DOMAIN.arrays(counted)) == digest(DOMAIN.arrays(looked))


def test_a_wrong_count_loses_no_event_silently(ttbar_spec, generated):
    spec = ttbar_spec.changed(samples={"ttbar": {"events": [8000]}})
    with pytest.raises(DataError, match="has 8400 events, not 8000 as was said; correct"):
        run(spec, DOMAIN.plan(spec, str(generated)))
    with pytest.raises(SpecError, match="events has 2 numbers for 1 files"):
        ttbar_spec.changed(samples={"ttbar": {"events": [8000, 400]}})


def test_a_column_that_a_counted_file_lacks_is_refused_by_name(ttbar_spec, shared_hep):
    v12 = {"files": ["nano_tt_v12.root"], "events": [200]}
    spec = ttbar_spec.changed(samples={"ttbar": v12})
    with pytest.raises(DataError, match="no branch 'Jet_btagCSVV2'.*did you mean"):
        run(spec, DOMAIN.plan(spec, str(shared_hep)))
    fallback = load_spec(WORKFLOWS / "ttbar_nanoaod_v12.toml").fallbacks["Jet_btagCSVV2"]
    spec = spec.changed(fallbacks={"Jet_btagCSVV2": fallback.model_dump(exclude_defaults=True)})
    plan = DOMAIN.plan(spec, str(shared_hep))  # looks into one file of the sample to know
    assert "DeepJet" in plan.warnings[0]
    assert run(spec, plan).counts["4j2b"] > 20


def test_a_real_file_of_1479_branches_is_opened_once_for_plan_and_partitions(shared_hep, opens):
    spec = load_spec(WORKFLOWS.parents[1] / "tests" / "reference" / "hep_ttbar.toml")
    spec = spec.changed(partition={"max_events": 59})
    plan = DOMAIN.plan(spec, str(shared_hep))
    assert len(plan.partitions) == 17
    assert run(spec, plan).counts == {"4j1b": 35, "4j2b": 73}
    assert opens == [str(shared_hep / "NanoAODv5_sample.root")]


@pytest.fixture
def states(monkeypatch):
    """The files whose state a store is asked for, in order."""
    asked = []

    def info(fs, path, **options):
        asked.append(path)
        return really(fs, path, **options)

    really = LocalFileSystem.info
    monkeypatch.setattr(LocalFileSystem, "info", info)
    return asked


@pytest.mark.parametrize("normalisation", ["events", "genweight"])
def test_a_partition_asks_the_store_once_for_the_state_of_its_file(
    tmp_path, ttbar_spec, states, normalisation
):
    """The open tree is handed down; looking it up again would ask the store again."""
    write_sample(str(tmp_path / "ttbar.root"), "ttbar", events=900, seed=1, cluster_events=300)
    spec = ttbar_spec.changed(normalisation=normalisation, partition={"max_events": 300})
    plan = DOMAIN.plan(spec, str(tmp_path))
    assert states.count(str(tmp_path / "ttbar.root")) == 1
    states.clear()
    assert run(spec, plan).events == {"ttbar": 900}
    assert len(plan.partitions) == 3
    assert states == 3 * [str(tmp_path / "ttbar.root")]


def count_opens(dask_worker):
    """Count from now on, in a worker process."""
    really = rootfile._open
    dask_worker.opens = []

    def counting(url, *rest):
        dask_worker.opens.append(url)
        return really(url, *rest)

    counting.really = really
    rootfile._open = counting


def opens_counted(dask_worker):
    """The files opened since, and no more counting."""
    rootfile._open = rootfile._open.really
    return dask_worker.opens


@pytest.fixture
def copies(generated, tmp_path):
    """Four files of one sample, each with 42 clusters."""
    for k in range(4):
        shutil.copy(generated / "ttbar.root", tmp_path / f"{k}.root")
        identity = (tmp_path / f"{k}.root").read_bytes()
        (tmp_path / f"{k}.root").write_bytes(identity + bytes(k))  # another size
    return tmp_path


@pytest.fixture
def four(ttbar_spec):
    files = [f"{k}.root" for k in range(4)]
    return ttbar_spec.changed(samples={"ttbar": {"files": files}}, partition={"max_events": 1000})


def test_workers_open_the_files_and_every_one_of_them_at_most_once(
    four, copies, dask_client, opens
):
    dask_client.run(count_opens)
    try:
        plan = DOMAIN.plan(four, str(copies), client=dask_client)
        result = run(four, plan, dask_client)
    finally:
        per_worker = dask_client.run(opens_counted).values()
    assert opens == []  # not one in this process
    urls = [url for seen in per_worker for url in seen]
    assert {*urls} == {str(copies / f"{k}.root") for k in range(4)}
    assert all(len(seen) == len({*seen}) for seen in per_worker)
    assert plan == DOMAIN.plan(four, str(copies))
    assert result.events == {"ttbar": 4 * 8400}


def test_a_second_plan_opens_nothing_and_is_the_same(four, copies, tmp_path, request):
    known = str(tmp_path / "known")
    first = DOMAIN.plan(four, str(copies), known=known)
    request.getfixturevalue("never_opened")
    assert DOMAIN.plan(four, str(copies), known=known) == first
    wrong = four.changed(histograms={"4j3b": {"bins": 2, "start": 0.0, "stop": 1.0}})
    with pytest.raises(SpecError, match="no region '4j3b'"):  # rehearsed all the same
        DOMAIN.plan(wrong, str(copies), known=known)


def test_only_a_file_that_changed_or_another_question_is_looked_into_again(
    four, copies, opens, tmp_path, generated
):
    known = str(tmp_path / "known")
    DOMAIN.plan(four, str(copies), known=known)
    opens.clear()
    (copies / "2.root").write_bytes((generated / "ttbar.root").read_bytes() + bytes(9))
    rootfile.close_all()
    plan = DOMAIN.plan(four, str(copies), known=known)
    assert opens == [str(copies / "2.root")]
    assert plan == DOMAIN.plan(four, str(copies))
    opens.clear()
    rootfile.close_all()
    DOMAIN.plan(four.changed(partition={"max_events": 500}), str(copies), known=known)
    assert len(opens) == 4


@pytest.mark.parametrize("damage", [b"", b"{", b'{"files": 3}', b'{"files": {"a": 1}}', b"[]"])
def test_damaged_findings_are_found_anew(four, copies, tmp_path, damage):
    known = tmp_path / "known"
    first = DOMAIN.plan(four, str(copies), known=str(known))
    (kept,) = (known / cache.FOLDER).iterdir()
    kept.write_bytes(damage)
    assert DOMAIN.plan(four, str(copies), known=str(known)) == first
    assert len(kept.read_bytes()) > 1000


def test_a_folder_of_many_files_is_listed_once(ttbar_spec, generated, tmp_path, opens, monkeypatch):
    n = cache.LISTED + 1
    for k in range(n):
        content = (generated / "zmumu.root").read_bytes()
        (tmp_path / f"{k}.root").write_bytes(content + bytes(k))
    files = [f"{k}.root" for k in range(n)]
    spec = ttbar_spec.changed(samples={"ttbar": {"files": files}})
    known = str(tmp_path / "known")
    first = DOMAIN.plan(spec, str(tmp_path), known=known)
    assert len(opens) == n
    monkeypatch.setattr(cache, "_states", lambda urls: pytest.fail(f"asked for {urls}"))
    assert DOMAIN.plan(spec, str(tmp_path), known=known) == first
    assert len(opens) == n


def test_where_findings_cannot_be_kept_a_plan_is_made_all_the_same(four, copies, tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    assert DOMAIN.plan(four, str(copies), known=str(tmp_path / "taken")).size == 4 * 8400


def test_a_glance_looks_into_the_first_file_of_every_sample_only(four, copies, opens):
    DOMAIN.plan(four, str(copies), preflight=True)
    assert opens == [str(copies / "0.root")]

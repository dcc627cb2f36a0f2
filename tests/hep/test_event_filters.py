"""Trigger bits and lists of good runs."""

import json

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from spectrum_workflows import load_spec
from spectrum_workflows.errors import DataError, DataNotFoundError
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.select.event_filters import any_fired, good_runs, in_good_runs

from .conftest import WORKFLOWS

FILE = "adl_Run2012B_SingleMu_1000.root"  # run 194711, block 299, and run 195916, block 64
TRIGGERS = ["HLT_IsoMu24", "HLT_IsoMu17_eta2p1_LooseIsoPFTau20"]

ranges = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 12)).map(lambda r: [r[0], r[0] + r[1]]),
    min_size=1,
    max_size=5,
)


@given(st.dictionaries(st.integers(1, 4), ranges, min_size=1))
def test_a_block_is_good_if_a_range_of_its_run_holds_it(certified):
    good = good_runs(json.dumps(certified).encode(), where="good.json")
    run, block = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(60), indexing="ij"))
    expected = [
        any(first <= b <= last for first, last in certified.get(int(r), []))
        for r, b in zip(run, block, strict=True)
    ]
    found = in_good_runs(run.astype(np.uint32), block.astype(np.int32), good)
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[1, 2]]", "not a list of good runs"),
        ("{", "not a list of good runs"),
        ('{"194711": [1, 7]}', "not a list of good runs"),
        ('{"194711": [[7, 1]]}', "ends before it begins"),
        ("{}", "is empty"),
    ],
)
def test_what_is_no_list_of_good_runs_is_refused(text, said):
    with pytest.raises(DataError, match=f"good.json: .*{said}"):
        good_runs(text.encode(), where="good.json")


def test_one_trigger_of_several_is_enough():
    events = {"A": np.array([True, False, False]), "B": np.array([False, True, False])}
    records = np.rec.fromarrays(list(events.values()), names="A,B")
    assert any_fired(records, ["A", "B"]).tolist() == [True, True, False]
    assert any_fired(records, ["B"]).tolist() == [False, True, False]


@pytest.fixture
def spec(tmp_path):
    text = (WORKFLOWS / "adl" / "q1.toml").read_text().replace("adl_generated.root", FILE)
    (tmp_path / "q1.toml").write_text(text)
    return load_spec(tmp_path / "q1.toml").changed(partition={"max_events": 300})


@pytest.fixture(scope="module")
def stored(shared_hep):
    with uproot.open(shared_hep / FILE) as file:
        return file["Events"].arrays(["run", "luminosityBlock", *TRIGGERS], library="np")


def counted(spec, data, client=None):
    plan = DOMAIN.plan(spec, str(data), client=client)
    result, _ = DOMAIN.run(spec, plan, client=client, on_error="raise", report=lambda *_: None)
    assert result.events == {"single_muon": 1000}  # processed, selected or not
    return plan, result.counts["met"]


def test_triggers_of_a_spec_choose_events(spec, stored, shared_hep):
    expected = int(np.sum(stored[TRIGGERS[0]] | stored[TRIGGERS[1]]))
    assert int(np.sum(stored[TRIGGERS[0]])) < expected < 1000
    assert counted(spec.changed(triggers=TRIGGERS), shared_hep)[1] == expected
    with pytest.raises(DataError, match="no branch 'HLT_IsoMu25'.*did you mean HLT_IsoMu24"):
        DOMAIN.plan(spec.changed(triggers=["HLT_IsoMu25"]), str(shared_hep))


def test_data_outside_of_the_good_runs_is_left_out(spec, stored, shared_hep, tmp_path, dask_client):
    certified = spec.changed(good_runs="good.json")
    with pytest.raises(DataNotFoundError, match=r"good.json: no such file"):
        DOMAIN.plan(certified, str(shared_hep))
    (tmp_path / "good.json").write_text('{"195916": [[1, 63], [64, 70]], "194711": [[1, 298]]}')
    plan, number = counted(certified, shared_hep, dask_client)
    expected = int(np.sum((stored["run"] == 195916) & (stored["luminosityBlock"] == 64)))
    assert number == expected
    assert 0 < expected < 1000
    assert dict(plan.inputs)["good.json"].startswith("sha256 ")
    both = certified.changed(triggers=TRIGGERS)
    fired = (stored[TRIGGERS[0]] | stored[TRIGGERS[1]]) & (stored["run"] == 195916)
    assert counted(both, shared_hep)[1] == int(np.sum(fired))


def test_simulation_needs_no_certification(spec, shared_hep, tmp_path):
    (tmp_path / "good.json").write_text('{"194711": [[1, 2]]}')
    simulated = spec.changed(good_runs="good.json", samples={"single_muon": {"data": False}})
    assert counted(simulated, shared_hep)[1] == 1000

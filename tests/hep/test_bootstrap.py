"""The file that the benchmark times is what it says it is."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import uproot

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bootstrap_hep.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("bootstrap_hep", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mantissas_are_rounded_to_ten_bits(script):
    values = np.random.default_rng(1).normal(0, 100, 1000).astype(np.float32)
    cut = script.truncated(values)
    assert not (cut.view(np.uint32) & 0x1FFF).any()
    np.testing.assert_allclose(cut, values, rtol=2**-11)
    assert np.array_equal(script.truncated(cut), cut)


def test_events_are_drawn_whole_and_reproducibly(script, generated, tmp_path):
    source = str(generated / "ttbar.root")
    paths = [tmp_path / f"{name}.root" for name in ("a", "b")]
    for path in paths:
        names = script.bootstrap(source, str(path), events=300)
    assert {"Jet_btagCSVV2", "Muon_tightId", "event"} <= set(names)
    with uproot.open(source) as file:
        tree = file["Events"]
        known = dict(
            zip(tree["event"].array().to_list(), tree["nJet"].array().to_list(), strict=True)
        )
    found = []
    for path in paths:
        with uproot.open(path) as file:
            tree = file["Events"]
            found.append(
                list(
                    zip(
                        tree["event"].array().to_list(), tree["nJet"].array().to_list(), strict=True
                    )
                )
            )
    assert found[0] == found[1]
    assert all(known[event] == jets for event, jets in found[0])
    assert len({event for event, _ in found[0]}) > 200

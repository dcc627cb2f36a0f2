"""Generated events, once per session."""

from pathlib import Path

import pytest

from spectrum_workflows import load_spec
from spectrum_workflows.hep.spec import HepSpec
from spectrum_workflows.hep.synthetic import write_sample

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "hep"


@pytest.fixture(scope="session")
def ttbar_spec() -> HepSpec:
    """The shipped spec, with its top-pair sample only and no more bins than needed."""
    spec = load_spec(WORKFLOWS / "quickstart.toml")
    return spec.model_copy(update={"samples": {"ttbar": spec.samples["ttbar"]}})


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ttbar.root`` (8400 events in 42 clusters) and ``zmumu.root``."""
    folder = tmp_path_factory.mktemp("generated")
    write_sample(str(folder / "ttbar.root"), "ttbar", events=8_400, seed=5, cluster_events=200)
    write_sample(str(folder / "zmumu.root"), "zmumu", events=5_000, seed=5)
    return folder

"""Radio runs that are ended in a pass, and go on from what they had finished before it."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrum_workflows import domain, load_site, load_spec, make_data, run
from spectrum_workflows.engine.ledger import entries
from spectrum_workflows.ledgers import questions
from spectrum_workflows.radio.deconvolution.components import Components
from spectrum_workflows.radio.deconvolution.cycle import Cycle, Found, Level
from spectrum_workflows.radio.imaging.codecs import cycle_codec
from spectrum_workflows.radio.spec import RadioSpec
from spectrum_workflows.radio.types import Stop
from spectrum_workflows.resuming import FOLDER, KNOWN, question_of
from spectrum_workflows.sites import Place

PLAIN = {"threshold": 0.01, "mgain": 0.5, "max_major": 6}
WAYS: dict[str, dict[str, Any]] = {
    "points": {"clean": PLAIN},
    "strips": {"clean": PLAIN, "strips": {"count": 2}},
    "scales": {"clean": {**PLAIN, "scales": (60.0,)}},
    "masks": {"clean": {"sigma": 2.0, "auto_mask": 5.0, "mgain": 0.5, "max_major": 8}},
    "as needed": {"clean": {**PLAIN, "accuracy": "as needed"}, "image": {"epsilon": 1e-6}},
}
QUICK = {"points", "strips", "scales"}
"""The others go the way of the points, with other thresholds."""

SPEC = """
workflow = "radio"
name = "two"
data_set = "two"
image = {npix = 128, cell_arcsec = 8.0}
weighting = {scheme = "briggs"}
partition = {max_visibilities = 2808}

[synthetic]
telescope = "vla-d"
visibilities = 12_000
channels = 4
sefd_jy = 20.0
sources = [
    {name = "centre", flux_jy = 1.0, east_arcsec = 0.0, north_arcsec = 0.0},
    {name = "lobe", flux_jy = 0.8, east_arcsec = 240.0, north_arcsec = 96.0, fwhm_arcsec = 60.0},
]
"""


def spec_of(**changes: Any) -> RadioSpec:
    return RadioSpec.model_validate(tomllib.loads(SPEC)).changed(**changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("two"))
    make_data(spec_of(), Place(load_site("serial"), root, root))
    return root


def place_at(data: str, results: Path, **changes: Any) -> Place:
    site = load_site("serial", changes={"ledger.after": 0.0, **changes})
    return Place(site, data, str(results))


class Ended(KeyboardInterrupt):
    """What ends a run, wherever it is."""


def end_in(stage: str) -> Callable[[Any], None]:
    """A watcher that ends the run when a stage is at its second chunk."""

    def watch(state: Any) -> None:
        if state.stage == stage and state.done == 1:
            raise Ended

    return watch


@pytest.fixture(
    scope="module",
    params=[pytest.param(w, marks=[] if w in QUICK else [pytest.mark.long]) for w in WAYS],
)
def way(request: pytest.FixtureRequest, data: str, tmp_path_factory: Any) -> tuple[RadioSpec, Any]:
    """A spec, and the outcome of a run of it that was not disturbed."""
    spec, out = spec_of(**WAYS[request.param]), tmp_path_factory.mktemp("whole")
    outcome = run(spec, place_at(data, out, **{"ledger.enabled": False}))
    assert outcome.result.groups[0].major >= 2
    return spec, outcome


def test_a_run_that_is_ended_again_and_again_comes_to_the_same_end(
    way: tuple[RadioSpec, Any], data: str, tmp_path: Path
) -> None:
    """No pass is made twice but the one that was not finished, and, in strips, their own."""
    spec, whole = way
    place, passes = place_at(data, tmp_path), [stage.name for stage in whole.metrics.stages]
    once = [name for name in passes if name == "weights" or name.startswith("major cycle")]
    for stage in [name for name in once if name != "major cycle 0"]:
        with pytest.raises(Ended):
            run(spec, place, watch=end_in(stage))
    last = run(spec, place)
    assert last.digest == whole.digest
    made = {stage.name for stage in last.metrics.stages}
    assert len(made & set(once)) == 1
    assert last.result.groups[0].stop is whole.result.groups[0].stop
    assert last.result.groups[0].iterations == whole.result.groups[0].iterations
    [one] = questions(place)
    assert one.reached[-1].startswith("CLEAN up to minor cycle")
    assert "weights" in last.summary["passes_resumed"]
    fresh = run(spec, place, resume=False)
    assert fresh.digest == whole.digest
    assert not fresh.metrics.passes_resumed


def test_what_an_image_needs_besides_is_made(data: str, tmp_path: Path) -> None:
    """The sample of the self-check was not drawn; so the pass is made again, in silence."""
    place = place_at(data, tmp_path)
    run(spec_of(self_check=False), place)
    drawn = run(spec_of(self_check=False, products={"plots": True}), place)
    assert drawn.metrics.passes_resumed == ("weights",)
    assert drawn.result.planes[0].coverage is not None
    assert not drawn.warnings


def test_a_damaged_entry_is_named_and_computed_again(data: str, tmp_path: Path) -> None:
    place, spec = place_at(data, tmp_path), spec_of()
    before = run(spec, place).digest
    for url in entries(str(tmp_path / KNOWN / FOLDER)):
        content = bytearray(Path(url).read_bytes())
        content[-40] ^= 1
        Path(url).write_bytes(content)
    outcome = run(spec, place)
    assert outcome.digest == before
    assert sum("damaged entry" in line for line in outcome.warnings) == 2


def test_edited_data_are_imaged_anew(data: str, tmp_path: Path) -> None:
    import shutil

    import casacore.tables as casa

    shutil.copytree(data, tmp_path / "data")
    place = place_at(str(tmp_path / "data"), tmp_path / "out")
    before = run(spec_of(), place).digest
    with casa.table(str(tmp_path / "data/two.ms"), readonly=False, ack=False) as table:
        flags = table.getcol("FLAG", 0, 10)
        table.putcol("FLAG", ~flags, 0, 10)
    outcome = run(spec_of(), place)
    assert not outcome.metrics.passes_resumed
    assert outcome.digest != before


def test_a_copy_elsewhere_serves(data: str, tmp_path: Path) -> None:
    """The content of a small set is known, wherever it lies."""
    import shutil

    results = tmp_path / "out"
    before = run(spec_of(), place_at(data, results))
    shutil.copytree(data, tmp_path / "copy")
    outcome = run(spec_of(), place_at(str(tmp_path / "copy"), results))
    assert outcome.metrics.passes_resumed == ("weights", "image")
    assert (outcome.digest, outcome.metrics.bytes_read < 1000) == (before.digest, True)


KILLED = """
import sys
from spectrum_workflows import connect, load_site, load_spec, run
if __name__ == "__main__":
    site = load_site("laptop", changes={"ledger.after": 0.0, "workers.count": 2})
    with connect(site, data=sys.argv[1], results=sys.argv[2]) as place:
        run(load_spec(sys.argv[3]), place)
"""


@pytest.mark.long
def test_a_killed_session_goes_on_in_one_process(data: str, tmp_path: Path) -> None:
    text = f"{SPEC}\n[clean]\nthreshold = 1e-5\nmax_major = 8\nmgain = 0.5\n"
    (tmp_path / "two.toml").write_text(text)
    spec = load_spec(tmp_path / "two.toml")
    (tmp_path / "killed.py").write_text(KILLED)
    results = tmp_path / "out"
    command = [sys.executable, tmp_path / "killed.py", data, results, tmp_path / "two.toml"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    place, end, last = place_at(data, results), time.monotonic() + 120, ""
    while "minor cycle 2" not in last and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
        last = "".join("".join(one.reached) for one in questions(place))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "minor cycle" in last
    outcome = run(spec, place)
    whole = run(spec, place_at(data, tmp_path / "whole"))
    assert outcome.digest == whole.digest
    assert len(outcome.metrics.stages) < len(whole.metrics.stages)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"image": {"epsilon": 1e-5}}, False),
        ({"image": {"npix": 130}}, False),
        ({"weighting": {"robust": 0.5}}, False),
        ({"clean": {"gain": 0.2}}, False),
        ({"hands": "XX"}, False),
        ({"select": {"uv_m": (10.0, 900.0)}}, False),
        ({"partition": {"max_visibilities": 351 * 4 * 3}}, False),
        ({"name": "three"}, True),
        ({"products": {"plots": True, "zarr": True}}, True),
    ],
)
def test_what_is_another_question(data: str, change: dict[str, Any], *, same: bool) -> None:
    science = domain.get("radio")
    specs = spec_of(clean=PLAIN), spec_of(clean=PLAIN).changed(**change)
    before, after = (question_of(spec, science.plan(spec, data), science) for spec in specs)
    assert (before == after) is same


def model(count: int, scale: Any) -> Components:
    rng = np.random.default_rng(count)
    places = rng.integers(0, 100, (2, count))
    return Components(places[0], places[1], rng.normal(size=(count, 2)), scale)


@pytest.mark.parametrize("held", [None, Level(1e-3, Stop.SIGMA)])
@pytest.mark.parametrize("scale", [None, np.array([0.0, 7.5, 7.5])])
def test_a_cycle_is_read_back_to_the_bit(scale: Any, held: Level | None) -> None:
    after = Found(model(3, scale), Stop.NOTHING_LEFT, 2, 17, 1 / 3, float("nan"))
    before = Found(model(2, None), Stop.NOTHING_LEFT, 1, 9, 0.0, 0.7)
    cycle, codec = (
        Cycle(after, before, 2.5, True, float("inf"), held, model(1, None)),
        cycle_codec(2),
    )
    again = codec.read(codec.write(cycle, ()), ())
    for one, other in [(after, again.after), (before, again.before)]:
        for name, part in vars(one.model).items():
            np.testing.assert_array_equal(getattr(other.model, name), part)
        assert repr((one.stop, one.major, one.iterations, one.threshold, one.peak)) == repr(
            (other.stop, other.major, other.iterations, other.threshold, other.peak)
        )
    assert (again.accuracy, again.rough, again.allowed, again.held) == (2.5, True, np.inf, held)
    assert again.mask is not None

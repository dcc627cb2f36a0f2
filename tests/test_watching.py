"""Watching a run: what is told, what it may cost, and that it changes nothing."""

import operator
import sys
from pathlib import Path

import numpy as np
import pytest

from spectrum_workflows import connect, load_site, load_spec, run
from spectrum_workflows.domain import Metrics
from spectrum_workflows.engine import Reduction, Run, Sketch, observed
from spectrum_workflows.examples import make_data
from spectrum_workflows.live import view
from spectrum_workflows.progress import watched
from spectrum_workflows.radio.imaging.preview import SIDE, preview
from spectrum_workflows.watching import EVERY, RunState, Watching

sys.path.insert(0, str(Path(__file__).parent / "engine"))
import items as kit


def one(_item: kit.Item) -> int:
    return 1


def doubled(value: int) -> int:
    return 2 * value


class Eager(Watching):
    """Has always time for a picture."""

    def due(self) -> bool:
        return True


@pytest.mark.parametrize("workers", [False, True])
def test_what_is_merged_so_far_is_shown_and_the_value_is_the_same(dask_client, workers) -> None:
    seen: list[RunState] = []
    counting = Reduction(one, operator.add, Sketch(doubled, str))
    with observed(eager := Eager(seen.append)):
        client = dask_client if workers else None
        run_of = Run(tuple(kit.items(40)), client, "raise", eager.report, "test")
        assert run_of.over("count", counting) == 40
    values = [int(event.snapshot) for event in seen if event.snapshot is not None]
    assert values == sorted(values)
    assert values[0] < values[-1] == 2 * 40
    assert ("count", 40, 40) in [(event.stage, event.done, event.total) for event in seen]
    assert [(stage.name, stage.tasks) for stage in run_of.metrics.stages] == [("count", 40)]


def test_an_error_of_a_watcher_is_a_warning_and_then_it_is_off() -> None:
    told = []

    def watcher(event: RunState) -> None:
        told.append(event)
        raise RuntimeError("no <more>")

    watching = Watching(watcher)
    with pytest.warns(UserWarning, match="unwatched: RuntimeError: no <more>"):
        watching.report("a", 0, 2)
    watching.report("a", 1, 2)
    assert len(told) == 1
    assert not watching.due()


def test_a_picture_is_not_due_again_at_once() -> None:
    watching = Watching(lambda _: None)
    assert not watching.due()  # nor at the beginning
    watching._next = 0.0
    assert watching.due()
    watching.attempt(lambda: watching.see(1, picture=True))
    assert not watching.due()
    left = watching._next - watching._begun
    assert left >= EVERY


def test_an_event_tells_rate_and_remaining_time() -> None:
    event = RunState("s", 3, 12, seconds=10.0, stage_seconds=6.0)
    assert event.remaining == 18.0
    assert event.rate == 0.5
    assert RunState("s", 0, 12, 1.0, 1.0).remaining is None


def test_nobody_watches_where_nobody_sees_it(capsys) -> None:
    with watched() as watching:
        assert watching is None
    with watched(False) as watching:
        assert watching is None
    assert capsys.readouterr() == ("", "")


def test_the_view_stays_short_and_ends_with_the_stages() -> None:
    from matplotlib.figure import Figure

    shown: list[dict[str, str]] = []

    def plot(snapshots: object) -> Figure:
        figure = Figure(figsize=(7.6, 3.1))
        figure.add_subplot().imshow(np.random.default_rng(1).normal(size=(256, 256)))
        return figure

    with view("a name", plot, shown.append) as watcher:
        watching = Watching(watcher)
        watching.report("first", 0, 4)
        watching.report("first", 2, 4)
        watching.count(Metrics(bytes_read=5_000_000))
        watching._next = 0.0
        watching.attempt(lambda: watching.see("a snapshot", picture=watching.due()))
        live = watcher.bundle()
        watching.report("second", 0, 1)
    assert "first: 2 of 4" in live["text/html"]
    assert "5.0 MB read" in live["text/html"]
    assert "data:image/webp" in live["text/html"]
    last = shown[-1]
    assert last["text/plain"].startswith("a name: done, ")
    assert "second" in last["text/html"]
    assert all(len(bundle["text/html"]) < 20_000 for bundle in [live, *shown])


def test_previews_of_blocks_are_that_of_the_image() -> None:
    image = np.random.default_rng(3).normal(size=(1000, 1000))
    image[700, 123] = -50.0
    whole = preview(image)
    parts = [preview(image[:, a:b], a) for a, b in ((0, 333), (333, 334), (334, 666), (666, 1000))]
    together = parts[0] + parts[1] + parts[2] + parts[3]
    assert whole.strongest.shape == (250, 250)
    assert whole.strongest.shape[0] <= SIDE
    np.testing.assert_array_equal(together.strongest, whole.strongest)
    np.testing.assert_array_equal(together.sample, whole.sample)
    assert whole.strongest[175, 30] == -50.0
    small = image[:200, :200]
    np.testing.assert_array_equal(preview(small).strongest, small.astype(np.float32))


SMALL = {"hep/dimuon": 2000, "radio/vla_sim": 20_000}


@pytest.mark.parametrize("name", SMALL)
def test_a_watched_run_has_the_same_digest(name: str, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    from spectrum_workflows.domain import get

    spec, events = load_spec(name), []
    with connect(load_site("serial"), data=str(tmp_path), results=str(tmp_path)) as place:
        make_data(spec, place, size=SMALL[name])
        alone = run(spec, place, watch=False)
        outcome = run(spec, place, watch=events.append)
    assert outcome.digest == alone.digest
    snapshots = [event.snapshot for event in events if event.snapshot is not None]
    assert snapshots
    if hasattr(snapshots[-1], "line"):
        assert [s.cycle for s in snapshots] == [*range(len(snapshots))]
        assert snapshots[-1].line.startswith("Stokes I, major cycle ")
    draw = get(spec.workflow).plot_progress
    assert draw is not None
    assert isinstance(draw(snapshots), Figure)

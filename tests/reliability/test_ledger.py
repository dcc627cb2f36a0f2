"""What is finished is kept, found again, and never taken for what it is not."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from distributed import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectrum_workflows.engine import Codec, Ledger, Reduction, Run, Written, keeping
from spectrum_workflows.engine.ledger import entries, packed, unpacked
from spectrum_workflows.errors import DataError

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
import items as kit

cloudpickle.register_pickle_by_value(kit)

CODEC: Codec[Any] = Codec(
    lambda value, _items: Written({"sum": value}), lambda written, _items: written.arrays["sum"]
)
computed: list[int] = []


@pytest.fixture(autouse=True)
def _all_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """These partitions take no time, so that many nodes wait to be written."""
    monkeypatch.setattr("spectrum_workflows.engine.ledger.MOST_WAITING", 1000)


def counting(item: kit.Item) -> np.ndarray:
    computed.append(item.n)
    return kit.waves(item)


def breaks_at(number: int) -> Any:
    def compute(item: kit.Item) -> np.ndarray:
        if item.n >= number:
            raise DataError("the machine went away", item.where)
        return counting(item)

    return compute


def ledger(folder: Path, **options: Any) -> Ledger:
    return Ledger(str(folder), {"": "as it was"}, **{"after": 0.0, **options})


def reduced(
    fn: Any, count: int, kept: Ledger | None, client: Client | None = None, fan_in: int = 4
) -> tuple[bytes, Run[Any]]:
    with keeping(kept):
        run = Run(tuple(kit.items(count)), client, "raise", lambda *_: None, "test", fan_in)
        computed.clear()
        value = run.over("select", Reduction(fn, kit.add, codec=CODEC))
    return value.tobytes(), run


def broken_off(count: int, at: int, kept: Ledger, client: Client | None = None) -> None:
    with pytest.raises(DataError, match="went away"):
        reduced(breaks_at(at), count, kept, client)


@given(count=st.integers(1, 90), data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_run_goes_on_from_what_was_finished(
    tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject
) -> None:
    """The same bits as of an undisturbed run; of what was done at most one bundle again."""
    folder = tmp_path_factory.mktemp("ledger")
    at, fan_in = data.draw(st.integers(0, count - 1)), 4
    whole, _ = reduced(counting, count, None)
    broken_off(count, at, ledger(folder))
    again, run = reduced(counting, count, ledger(folder))
    assert again == whole
    assert run.metrics.resumed + len(computed) == count
    assert run.metrics.resumed >= at // fan_in * fan_in - fan_in
    third, run = reduced(counting, count, ledger(folder))
    assert third == whole
    if count > 1:
        assert computed == []
        assert len(entries(str(folder))) == 1


@pytest.mark.parametrize("count", [1, 4, 5, 16, 17, 64, 100])
def test_workers_go_on_from_what_this_process_had_finished(
    dask_client: Client, tmp_path: Path, count: int
) -> None:
    whole, _ = reduced(kit.waves, count, None)
    broken_off(count, count * 2 // 3, ledger(tmp_path))
    there, run = reduced(kit.waves, count, ledger(tmp_path), dask_client)
    assert there == whole
    assert run.metrics.resumed >= count * 2 // 3 // 4 * 4 - 4
    here, run = reduced(counting, count, ledger(tmp_path))
    assert here == whole
    assert computed == [0] * (count == 1)


def test_this_process_goes_on_from_what_workers_had_finished(
    dask_client: Client, tmp_path: Path
) -> None:
    whole, _ = reduced(kit.waves, 100, None)
    broken_off(100, 90, ledger(tmp_path), dask_client)
    again, run = reduced(counting, 100, ledger(tmp_path))
    assert again == whole
    assert run.metrics.resumed + len(computed) == 100


def test_a_short_run_writes_nothing(tmp_path: Path, dask_client: Client) -> None:
    for client in (None, dask_client):
        reduced(kit.waves, 50, ledger(tmp_path, after=30.0), client)
        assert not entries(str(tmp_path))


@pytest.mark.parametrize("workers", [False, True])
def test_what_is_finished_when_it_is_time_is_kept_with_the_first(
    workers: bool, dask_client: Client, tmp_path: Path
) -> None:
    kept = ledger(tmp_path, after=1e6)

    def report(_stage: str, done: int, _total: int) -> None:
        if done >= 40:
            object.__setattr__(kept, "after", 0.0)

    client = dask_client if workers else None
    with keeping(kept):
        run = Run(tuple(kit.items(64)), client, "raise", report, "test", 4)
    with pytest.raises(DataError, match="went away"):
        run.over("select", Reduction(breaks_at(60), kit.add, codec=CODEC))
    again, run = reduced(counting, 64, ledger(tmp_path))
    assert run.metrics.resumed >= 40
    assert again == reduced(kit.waves, 64, None)[0]


@pytest.mark.parametrize("place", [0, 5, 40, 100, -1])
def test_a_damaged_entry_is_computed_again_and_said(tmp_path: Path, place: int) -> None:
    whole, _ = reduced(kit.waves, 16, ledger(tmp_path))
    [url] = entries(str(tmp_path))
    data = bytearray(Path(url).read_bytes())
    data[place] ^= 1
    Path(url).write_bytes(data)
    again, run = reduced(counting, 16, ledger(tmp_path))
    assert again == whole
    assert len(computed) == 16
    assert "1 damaged entry" in run.metrics.warnings[0]
    assert reduced(counting, 16, ledger(tmp_path))[1].metrics.resumed == 16


def test_other_input_is_computed_again(tmp_path: Path) -> None:
    reduced(kit.waves, 16, ledger(tmp_path))
    edited = Ledger(str(tmp_path), {"": "edited"}, after=0.0)
    unknown = Ledger(str(tmp_path), {}, after=0.0)
    for kept in (edited, unknown, ledger(tmp_path, reading=False)):
        _, run = reduced(counting, 16, kept)
        assert (run.metrics.resumed, len(computed)) == (0, 16)


def test_copies_of_the_input_serve_where_they_are_known_or_trusted() -> None:
    class At:
        def __init__(self, source: str) -> None:
            self.source = source

    there: Sequence[At] = [At("s3://b/x"), At("s3://b/x")]
    sources = {"/data/x": "1"}
    kept = Ledger("f", {"s3://b/x": "etag"})
    assert not kept.accepts(sources, there)
    assert Ledger("f", {}, published=frozenset({"s3://b/x"})).accepts(sources, there)
    assert Ledger("f", {}, trusting=True).accepts(sources, there)
    assert not Ledger("f", {"/data/x": "2"}, trusting=True).accepts(sources, [At("/data/x")])


def test_a_folder_that_cannot_be_written_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    value, run = reduced(kit.waves, 40, ledger(tmp_path / "file" / "ledger"))
    assert value == reduced(kit.waves, 40, None)[0]
    assert any("could not be kept" in warning for warning in run.metrics.warnings)


def test_an_entry_is_read_back_to_the_bit() -> None:
    arrays = {"a/b": np.array([np.nan, -0.0, 1e-310]), "text": np.array(["x", "yy"])}
    written, header = unpacked(packed(Written(arrays, {"k": [1, "z"]}), {"node": [1, 0]}))
    assert {n: a.tobytes() for n, a in written.arrays.items()} == {
        n: a.tobytes() for n, a in arrays.items()
    }
    assert (written.words, header) == ({"k": [1, "z"]}, {"node": [1, 0]})
    with pytest.raises(ValueError, match="pickle"):
        packed(Written({"o": np.array([object()])}), {})

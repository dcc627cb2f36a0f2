"""Checkpoints of a run: kept late, replaced, and recalled for the same input alone."""

import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spectrum_workflows import storage
from spectrum_workflows.engine import Checkpoints, Codec, Ledger, Written
from spectrum_workflows.engine import checkpoints as checkpoints_module
from spectrum_workflows.engine.ledger import entries
from spectrum_workflows.errors import DataError, StoreError

SET = SimpleNamespace(url="set.zarr")
NUMBERS = Codec[Any](
    lambda value, _items: Written({"value": np.asarray(value)}),
    lambda written, _items: written.arrays["value"],
)


@dataclass
class Run:
    """One after the other asks the same."""

    folder: Path
    after: float = 0.0
    stamps: dict[str, str] | None = None
    now: dict[str, str] | None = None  # the versions of the input at the end

    def checkpoints(self) -> Checkpoints:
        stamps = {"set.zarr": "written on Monday"} if self.stamps is None else self.stamps
        now = stamps if self.now is None else self.now
        return Checkpoints(
            Ledger(str(self.folder), stamps, after=self.after, look=lambda _urls: now)
        )

    def keep(self, *values: float) -> None:
        checkpoints = self.checkpoints()
        for value in values:
            checkpoints.keep("clean", [value], NUMBERS, (SET,), reached=f"{value:g}")
        checkpoints.close()
        assert len(checkpoints.warnings) == (self.now is not None)

    def recall(self, codec: Codec[Any] = NUMBERS) -> Any:
        checkpoints = self.checkpoints()
        value = checkpoints.recall("clean", codec, (SET,))
        checkpoints.close()
        return value if value is None else list(value), checkpoints.warnings


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    return Run(tmp_path)


def test_the_last_value_of_a_name_is_there(run: Run) -> None:
    run.keep(1.0, 2.0, 1 / 3)
    assert run.recall() == ([1 / 3], [])
    assert len(entries(str(run.folder))) == 1


@pytest.mark.parametrize("now", [{"set.zarr": "written on Tuesday"}, {}])
def test_a_value_of_input_that_was_exchanged_meanwhile_is_not_kept(run: Run, now: dict) -> None:
    """It may be made of the other one, which is gone again when somebody goes on."""
    run.keep(1.0)
    run.now = now
    run.keep(2.0)
    assert run.recall() == ([1.0], [])


def test_why_a_value_was_not_kept_is_told_unless_a_later_one_was(run: Run) -> None:
    now: dict[str, str] = {}
    stamps = {"set.zarr": "written on Monday"}
    kept = Ledger(str(run.folder), stamps, after=0.0, look=lambda _urls: dict(now))
    checkpoints = Checkpoints(kept)
    checkpoints.keep("clean", [1.0], NUMBERS, (SET,), reached="CLEAN up to minor cycle 1")
    checkpoints.keep("psf", [1.0], NUMBERS, (SET,), reached="psf")
    wait(checkpoints._writing)
    now |= stamps
    checkpoints.keep("psf", [2.0], NUMBERS, (SET,), reached="psf")
    checkpoints.close()
    assert checkpoints.warnings == [
        "'CLEAN up to minor cycle 1' was not kept: set.zarr: its store has it no more,"
        " refused, or was silent for 5 s"
    ]


def test_a_short_run_keeps_nothing_and_a_longer_one_what_it_had_by_then(run: Run) -> None:
    run.after = 0.3
    run.keep(1.0)
    assert run.recall() == (None, [])
    checkpoints = run.checkpoints()
    checkpoints.keep("clean", [2.0], NUMBERS, (SET,), reached="2")
    end = time.monotonic() + 10
    while not entries(str(run.folder)) and time.monotonic() < end:  # without another word
        time.sleep(0.02)
    checkpoints.close()
    assert run.recall() == ([2.0], [])


@pytest.mark.parametrize(
    "stamps",
    [{"set.zarr": "written on Tuesday"}, {"set.zarr": ""}, {}],
    ids=["another", "unknown", "none"],
)
def test_other_input_is_another_value(run: Run, stamps: dict[str, str]) -> None:
    run.keep(1.0)
    run.stamps = stamps
    assert run.recall() == (None, [])


def test_what_a_codec_has_no_use_for_is_computed_in_silence(run: Run) -> None:
    def refuse(_written: Written, _items: Any) -> Any:
        raise DataError("of other planes")

    run.keep(1.0)
    assert run.recall(Codec(NUMBERS.write, refuse)) == (None, [])


def test_a_damaged_entry_is_named(run: Run) -> None:
    run.keep(1.0)
    [url] = entries(str(run.folder))
    content = bytearray(Path(url).read_bytes())
    content[-30] ^= 1
    Path(url).write_bytes(content)
    value, [warning] = run.recall()
    assert value is None
    assert warning == f"a damaged entry of the ledger {url}: computed again"


def test_a_store_that_does_not_answer_is_no_damage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on, and asks it nothing more."""
    run.keep(1.0)

    def silent(_url: str) -> bytes:
        raise StoreError("it does not answer", "s3://somewhere")

    monkeypatch.setattr(storage, "read_bytes", silent)
    checkpoints = run.checkpoints()
    for _ in range(2):
        assert checkpoints.recall("clean", NUMBERS, (SET,)) is None
    checkpoints.keep("clean", [2.0], NUMBERS, (SET,), reached="2")
    checkpoints.close()
    [warning] = checkpoints.warnings
    assert warning.startswith("what is finished could not be looked up, to go on from:")
    monkeypatch.undo()
    assert run.recall() == ([1.0], [])


def test_without_a_ledger_there_is_nothing() -> None:
    checkpoints = Checkpoints(None)
    checkpoints.keep("clean", [1.0], NUMBERS, (SET,), reached="1")
    assert checkpoints.recall("clean", NUMBERS, (SET,)) is None
    checkpoints.close()


def test_a_value_that_is_not_written_at_the_end_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints_module, "LAST_WORDS", 0.1)
    over = Event()

    def write(value: Any, items: Any) -> Written:
        over.wait(20)
        return NUMBERS.write(value, items)

    checkpoints = run.checkpoints()
    slow = Codec[Any](write, NUMBERS.read)
    checkpoints.keep("clean", [1.0], slow, (SET,), reached="CLEAN")
    checkpoints.close()
    over.set()
    [warning] = checkpoints.warnings
    assert warning == "what was finished last could not be kept in the 0 s after the run"

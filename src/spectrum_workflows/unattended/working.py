"""The job of an unattended run: ``python -m`` this module ``FOLDER [NUMBER]``.

Without the number of a batch job it is this process's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectrum_workflows import front, storage
from spectrum_workflows.credentials import hidden
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.record import read_record
from spectrum_workflows.sites.place import connect_in_job
from spectrum_workflows.unattended import state_files
from spectrum_workflows.unattended.jobs import LOG, clear
from spectrum_workflows.unattended.notifying import notify
from spectrum_workflows.unattended.request import Request, question, read_request
from spectrum_workflows.unattended.states import End, JobHandle, Progress, Status
from spectrum_workflows.watching import RunState

PERIOD = 5.0
"""Seconds between two writings of progress, where there is any."""
LIFE = 60.0
"""Seconds between two signs of life."""
MOST = 1 << 20
"""Bytes of a log that are kept: its end."""


@dataclass
class Heartbeat:
    """What a job writes of itself below the results root, now and then.

    Attributes
    ----------
    request : Request
    number : str
        Of the job.
    log : Path
    """

    request: Request
    number: str
    log: Path
    now: tuple[str, int, int] = ("", 0, 0)
    told: tuple[str, int, int] | None = None
    at: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self, state: RunState) -> None:
        """Take the progress of a run."""
        self.now = (state.stage, state.done, state.total)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Tell of progress inside the block."""
        thread = threading.Thread(target=self._beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join(PERIOD)

    def _beat(self) -> None:
        with storage.using(self.request.place.stores):
            while True:
                if self.now != self.told or time.monotonic() - self.at > LIFE:
                    with suppress(SpectrumError, OSError):  # the run goes on without
                        self._write()
                if self.over.wait(PERIOD):
                    return

    def _write(self) -> None:
        now = self.now
        progress = Progress(self.number, time.time(), *now)
        state_files.write(self.request.results, self.request.run, progress)
        self.keep_log()
        self.told, self.at = now, time.monotonic()

    def keep_log(self) -> None:
        """Copy the end of the log to where the state is."""
        folder = state_files.folder_of(self.request.results, self.request.run)
        text = hidden(self.log.read_bytes()[-MOST:].decode(errors="replace"))
        storage.write_bytes(storage.join(folder, state_files.LOG), text.encode())


def work(folder: Path, number: str) -> End:
    """Do what is asked in a folder, and leave the end of it below the results root.

    Parameters
    ----------
    folder : Path
        With a request; removed afterwards.
    number : str
        Of this job.
    """
    request = read_request(folder)
    heartbeat = Heartbeat(request, number, folder / LOG)
    try:
        with heartbeat.beating():
            end = _computed(request, folder, heartbeat)
    except SpectrumError as error:
        end = End(number, time.time(), "failed", error=hidden(str(error)))
    except KeyboardInterrupt:
        word = "told to end, by its time limit or by somebody; submit it again to go on"
        end = End(number, time.time(), "failed", error=word)
    except Exception as error:  # ours to mend; the state must say so all the same
        sys.stderr.write(hidden(traceback.format_exc()))
        end = End(number, time.time(), "failed", error=hidden(f"{type(error).__name__}: {error}"))
    sys.stderr.write(f"{end.state} {end.error or end.folder}\n")
    sys.stderr.flush()
    with storage.using(request.place.stores):
        with suppress(SpectrumError, OSError):
            heartbeat.keep_log()
        state_files.write(request.results, request.run, end)
        submitted = state_files.submitted(request.results, request.run)
    if request.notify and submitted:
        try:
            notify(request.notify, Status(submitted, end.state, end=end))
        except OSError as error:  # the result is there, whoever knows of it
            sys.stderr.write(hidden(f"{error}\n"))
            with storage.using(request.place.stores), suppress(SpectrumError, OSError):
                heartbeat.keep_log()
    return end


def _computed(request: Request, folder: Path, heartbeat: Heartbeat) -> End:
    spec, asked = request.parsed_spec(), request.place
    with connect_in_job(asked.site, folder, data=asked.data, results=asked.results) as place:
        outcome = front.run(
            spec,
            place,
            on_error=request.on_error,
            watch=heartbeat.watch,
            resume=request.resume,
            trust_weak=request.trust_weak,
        )
        saved = front.save(outcome, place)
    with storage.using(asked.stores):
        lacking = [*(f.error for f in outcome.failures), *read_record(saved).get("lost", ())]
        asked_for = "" if lacking else question(spec, outcome.plan)
    return End(
        job=heartbeat.number,
        at=time.time(),
        state="finished",
        folder=saved,
        digest=outcome.digest,
        error=f"{saved} is partial: {lacking[0]}" if lacking else "",
        question=asked_for,
    )


def _interrupted(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Work, with SIGTERM as a wish to end in order."""
    folder, number = Path(sys.argv[1]), (*sys.argv[2:], str(os.getpid()))[0]
    signal.signal(signal.SIGTERM, _interrupted)
    end = work(folder, number)
    clear(JobHandle("", number, "", str(folder)))
    sys.exit(0 if end.state == "finished" and not end.error else 3)


if __name__ == "__main__":
    main()

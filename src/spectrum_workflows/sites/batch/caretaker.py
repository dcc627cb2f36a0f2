"""A process of its own that empties the queue when the run's process is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.commands import ANSWER, LOGIN
from spectrum_workflows.sites.batch.system import BatchSystem

SCRIPT = """
trap '' INT HUP TERM
cat >/dev/null
for pause in 0 2 5 15 30 60 120 300; do
    sleep "$pause"
    {cancel_all} || continue
    left=$({remaining}) || continue
    if [ -z "$left" ] && [ "$pause" -ge 5 ]; then break; fi
done
rm -rf -- "$3"
"""
"""``cat`` ends when the other end of its pipe does: with the run, however it ends.

A submission may have been under way then, hence several rounds.
"""

LEFT: list[subprocess.Popen[bytes]] = []
"""Caretakers still at work after their run: kept, for they are ended by nobody but themselves."""

CANCELLED_WITHIN = 10.0  # seconds that finishing jobs may take to leave the queue


@dataclass(frozen=True)
class Caretaker:
    """Cleanup that is left when a run is over.

    Attributes
    ----------
    system : BatchSystem
    job_name : str
        Of all jobs of the run.
    folder : Path
        The run's own, with its certificates.
    process : subprocess.Popen
        Waits for the end of this process.
    """

    system: BatchSystem
    job_name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, system: BatchSystem, job_name: str, folder: Path) -> Caretaker:
        """Start the process that waits for the end of this one.

        Raises
        ------
        SiteError
            The batch system's commands are not installed here.
        """
        if any(shutil.which(name) is None for name in system.commands):
            shutil.rmtree(folder, ignore_errors=True)
            names = " and ".join(system.commands)
            raise SiteError(f"{system.name}'s {names} are not installed here", remedy=LOGIN)
        script = SCRIPT.replace("{cancel_all}", system.cancel_all)
        script = script.replace("{remaining}", system.remaining)
        process = subprocess.Popen(
            ["sh", "-c", script, "caretaker", str(os.getuid()), job_name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(system, job_name, folder, process)

    def finish(self, *, keep: bool = False) -> None:
        """Empty the queue now; ``keep`` leaves the folder with the job logs.

        If the batch system does not answer now, the process goes on trying for a while.
        """
        if not self._begin_to_end():
            return
        if not self._empty_queue():
            LEFT.append(self.process)
            return
        self.process.kill()
        self.process.wait()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        """Empty the queue now, and let the process do so again in a while.

        For a start that failed or was interrupted: a submission may be under way.
        """
        if self._begin_to_end():
            LEFT.append(self.process)
            self._empty_queue()

    def _begin_to_end(self) -> bool:
        """Tell the process, and take the certificates away; false the second time."""
        assert self.process.stdin is not None
        if self.process.stdin.closed:
            return False
        self.process.stdin.close()
        for secret in self.folder.glob("*.pem"):
            secret.unlink(missing_ok=True)
        return True

    def _empty_queue(self) -> bool:
        end = time.monotonic() + CANCELLED_WITHIN
        while time.monotonic() < end:
            try:
                left = self._run(self.system.remaining)
                if left.returncode:
                    return False
                if not left.stdout.strip():
                    return True
                self._run(self.system.cancel_all)
            except (OSError, subprocess.TimeoutExpired):
                return False
            time.sleep(0.5)
        return False

    def _run(self, command: str) -> subprocess.CompletedProcess[bytes]:
        words = ["sh", "-c", command, "sh", str(os.getuid()), self.job_name]
        return subprocess.run(words, capture_output=True, timeout=ANSWER, check=False)

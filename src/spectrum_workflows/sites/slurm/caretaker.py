"""A process of its own that empties the queue when the run's process is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.slurm.queue import LIVE, listed

SCRIPT = """
trap '' INT HUP TERM
cat >/dev/null
for pause in 0 2 5 15 30 60 120 300; do
    sleep "$pause"
    scancel --quiet --user="$1" --name="$2" || continue
    left=$(squeue --noheader --user="$1" --name="$2") || continue
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
ENDING = LIVE | {"COMPLETING"}


@dataclass(frozen=True)
class Caretaker:
    """Cleanup that is left when a run is over.

    Attributes
    ----------
    job_name : str
        Of all jobs of the run.
    folder : Path
        The run's own, with its certificates.
    process : subprocess.Popen
        Waits for the end of this process.
    """

    job_name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, job_name: str, folder: Path) -> Caretaker:
        """Start the process that waits for the end of this one.

        Raises
        ------
        SiteError
            SLURM's commands are not installed here.
        """
        if shutil.which("scancel") is None or shutil.which("sbatch") is None:
            shutil.rmtree(folder, ignore_errors=True)
            raise SiteError(
                "SLURM's sbatch and scancel are not installed here",
                remedy="run this on a login node of the cluster",
            )
        process = subprocess.Popen(
            ["sh", "-c", SCRIPT, "caretaker", str(os.getuid()), job_name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(job_name, folder, process)

    def finish(self, *, keep: bool = False) -> None:
        """Empty the queue now; ``keep`` leaves the folder with the job logs.

        If SLURM does not answer now, the process goes on trying for a while.
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
        command = ["scancel", "--quiet", f"--user={os.getuid()}", f"--name={self.job_name}"]
        end = time.monotonic() + CANCELLED_WITHIN
        while time.monotonic() < end:
            try:
                left = [e for e in listed(self.job_name).values() if e.state in ENDING]
            except SiteError:
                return False
            if not left:
                return True
            subprocess.run(command, capture_output=True, check=False)
            time.sleep(0.5)
        return False

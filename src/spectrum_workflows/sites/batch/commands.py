"""Commands of a batch system, each with a limit: a controller may be down."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from spectrum_workflows.errors import SiteError
from spectrum_workflows.findings import Finding, fault, fine

ANSWER = 30.0
"""Seconds that a command may take in a run."""
WITHIN = 10.0
"""Seconds that a command may take in an examination."""
LOGIN = "run this on a login node of the cluster"


@dataclass(frozen=True)
class Answer:
    """What a command printed, and whether it succeeded."""

    text: str
    succeeded: bool


def ask(command: Sequence[str], *, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever its exit code.

    Raises
    ------
    SiteError
        It is not here, or does not end.
    """
    try:
        return subprocess.run(
            [*command], input=given, capture_output=True, text=True, timeout=ANSWER, check=False
        )
    except FileNotFoundError:
        raise SiteError(f"{command[0]} is not installed here", remedy=LOGIN) from None
    except subprocess.TimeoutExpired:
        raise SiteError(
            f"{command[0]} does not answer", remedy="is the batch system's controller up?"
        ) from None


def answered(command: Sequence[str], text: str = "") -> Answer:
    """Run a command of an examination; what it prints on either channel."""
    try:
        done = subprocess.run(
            [*command], input=text, capture_output=True, text=True, timeout=WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(f"{command[0]} does not answer within {WITHIN:g} s", succeeded=False)
    except OSError as error:
        return Answer(f"{command[0]}: {error.strerror}", succeeded=False)
    return Answer((done.stdout + done.stderr).strip(), done.returncode == 0)


def installed(needed: Sequence[str], informing: Sequence[str], remedy: str) -> Finding:
    """Whether a batch system's commands are on the PATH.

    Parameters
    ----------
    needed, informing : sequence of str
        Without which nothing is submitted, and limits are not known.
    remedy : str
        What to do where one is missing that is needed.
    """
    missing = [name for name in needed if shutil.which(name) is None]
    expected = f"{', '.join((*needed, *informing))} on the PATH"
    if missing:
        return fault("commands", f"no {', '.join(missing)} here", expected, remedy)
    silent = [name for name in informing if shutil.which(name) is None]
    if silent:
        ask_them = "ask the centre for them: limits are not known without"
        return fault("commands", f"no {', '.join(silent)} here", expected, ask_them)
    return fine("commands", "all there", expected)

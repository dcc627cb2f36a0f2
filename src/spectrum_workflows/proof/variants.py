"""Rows of a proof on one machine that stand for other machines and other Pythons."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from spectrum_workflows.arithmetic import DUCC0, LEVEL, OPENBLAS
from spectrum_workflows.errors import DataNotFoundError

SITE = "laptop"
"""Where they run: kernel and workers inherit what is changed."""

KERNELS = ("Zen", "Sandybridge")
"""What OpenBLAS calls its machine code for AMD's processors, and for one without FMA."""

ASK = "import platform, spectrum_workflows, ipykernel; print(platform.python_version())"


@dataclass(frozen=True)
class Variant:
    """One notebook's run at the laptop with one thing changed.

    Attributes
    ----------
    name : str
        As the table shows it in place of the site.
    environment : dict
        What the processes find in their environment when they start.
    python : str
        The interpreter; empty for this one.
    level : int
        Of x86-64: what the processes then compute with.  A row below 3 shows how far the
        results are from the others'; it need not agree.
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    python: str = ""
    level: int = LEVEL

    @property
    def argv(self) -> list[str]:
        """The command that starts its kernel; empty for this Python's."""
        command = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return [self.python, *command] if self.python else []


def machine_codes() -> list[Variant]:
    """Variants that ask ducc0 and OpenBLAS for other machine code through the environment."""
    levels = [
        Variant(f"{SITE}, ducc0 at most v{n}", {DUCC0: str(n)}, level=min(n, LEVEL))
        for n in (2, 3, 4)
    ]
    return [*levels, *(Variant(f"{SITE}, OpenBLAS {name}", {OPENBLAS: name}) for name in KERNELS)]


def other_python(python: str) -> Variant:
    """An interpreter of another environment in which this package is installed.

    Raises
    ------
    DataNotFoundError
        There is no such interpreter, or this package is not installed for it.
    """
    own = str(Path(python).absolute()) if Path(python).exists() else python
    return Variant(f"{SITE}, Python {_version(own)}", python=own)


def _version(python: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  it was given to be run
            [python, "-c", ASK], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise DataNotFoundError(
            "no Python with this package and ipykernel", python, "give the one of an environment"
        ) from None
    return done.stdout.strip()

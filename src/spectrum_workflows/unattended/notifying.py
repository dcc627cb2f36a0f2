"""Word at the end of a run: to a command, or to a URL."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import asdict

from spectrum_workflows.errors import SpecError
from spectrum_workflows.specs import refuse_secrets
from spectrum_workflows.unattended.states import Status

WITHIN = 30.0
"""Seconds for whoever is told."""


def check_notify(notify: str) -> None:
    """Refuse what cannot be told, or holds a secret.

    Raises
    ------
    SpecError
        A URL that is not http, or one with a password, a token or a signature in it.
    """
    if "://" in notify.split(" ", 1)[0] and not notify.startswith(("https://", "http://")):
        raise SpecError("not a web address", notify, "give https://…, or a command")
    refuse_secrets({"notify": notify}, "notify", guess=True)


def notify(target: str, status: Status) -> None:
    """Tell a command (JSON on its standard input, the line as its argument) or POST to a URL.

    Raises
    ------
    OSError
        Nobody was told; the end of the run does not depend on it.
    """
    text = json.dumps({"line": str(status), "state": status.state, "run": asdict(status)})
    if target.startswith(("https://", "http://")):
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(target, text.encode(), headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=WITHIN):  # noqa: S310
            return
    command = ["bash", "-c", f'{target} "$@"', "notify", str(status)]
    try:
        subprocess.run(command, input=text, text=True, timeout=WITHIN, check=True)
    except subprocess.SubprocessError as error:
        raise OSError(f"the command that is told of ends: {error}") from error

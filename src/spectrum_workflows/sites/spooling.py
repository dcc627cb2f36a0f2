"""Folders of this machine that keep results until they are where they should go."""

from __future__ import annotations

import getpass
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_path

from spectrum_workflows.sites.profile import Site

FOLDER = "spectrum-workflows"


def spools(site: Site) -> tuple[str, ...]:
    """The folders that may keep results, the most wanted first.

    The one that the site names, or the user's folder for state; then one
    below the folder for temporary files.
    """
    own = Path(site.spool).expanduser() if site.spool else user_state_path(FOLDER) / "spool"
    user = "me"
    with suppress(Exception):  # whatever a machine without a user database raises
        user = getpass.getuser()
    spare = Path(tempfile.gettempdir(), f"{FOLDER}-{user}", "spool")
    return tuple(dict.fromkeys((str(own.absolute()), str(spare))))

"""Files that come with the package: site profiles, specs and notebooks.

In a checkout they lie beside ``src``; in an installed package, inside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder of shipped files: ``environments`` or ``workflows``."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name

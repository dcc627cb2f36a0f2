"""Files that come with the package: site profiles, specs and notebooks.

In a checkout they lie beside ``src``; in an installed package, inside it.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_NO_SPECS = {"catalogue", "targets", "use_case"}
"""Names of shipped TOML files that are of another kind."""


def folder(name: str) -> Path:
    """The folder of shipped files: ``environments`` or ``workflows``."""
    installed = _PACKAGE / "shipped" / name
    return installed if installed.is_dir() else _PACKAGE.parents[1] / name


def spec(name: str) -> str:
    """The file of a shipped spec that is called by its name, ``hep/quickstart``.

    Parameters
    ----------
    name : str
        A name or a path, as somebody wrote it.

    Returns
    -------
    str
        The file, if there is none of that name here and one is shipped under it;
        otherwise what was given.
    """
    file = folder("workflows") / f"{name}.toml"
    if Path(name).suffix or Path(name).exists() or not file.is_file():
        return name
    return str(file)


def specs() -> list[str]:
    """Names of the shipped specs: every TOML file with a notebook's or a run's question."""
    root = folder("workflows")
    files = sorted(root.rglob("*.toml"))
    return [str(f.relative_to(root).with_suffix("")) for f in files if f.stem not in _NO_SPECS]

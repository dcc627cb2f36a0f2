"""Site profiles: TOML files that say where to compute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from platformdirs import site_config_path, user_config_path
from pydantic import ConfigDict, Field, field_validator

from spectrum_workflows import shipped
from spectrum_workflows.errors import SpecError
from spectrum_workflows.specs import FrozenModel, closest, parse, read_toml
from spectrum_workflows.storage import Stores

VARIABLE = "SPECTRUM_SITE"
DEFAULT = "laptop"
CREDENTIAL = re.compile(r"(?i)secret|passw|token|credential|^(access_?)?key(_?id)?$")


class Cluster(FrozenModel):
    """How workers come about; extra keys are the deployment library's own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: Literal["local"]

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are handed on unchanged."""
        return dict(self.model_extra or {})


class Site(FrozenModel):
    """A place to compute.

    Attributes
    ----------
    data, results : str
        Root URLs for input and for the folders of finished runs.
    cluster : Cluster, optional
        Absent: a plain loop in this process.
    storage : dict
        fsspec options per URL prefix; no credentials.
    """

    description: str = ""
    data: str
    results: str
    cluster: Cluster | None = None
    storage: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)

    @field_validator("storage")
    @classmethod
    def _no_credentials(cls, storage: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for options in storage.values():
            for name in options:
                if CREDENTIAL.search(name):
                    raise ValueError(
                        f"{name} is a credential, and profiles hold none: leave it to the "
                        "library's own chain (environment, provider profile, token file)"
                    )
        return storage

    @property
    def stores(self) -> Stores:
        """The storage options as the frozen value that travels with tasks."""
        pairs = ((prefix, tuple(sorted(o.items()))) for prefix, o in self.storage.items())
        return Stores(tuple(sorted(pairs)))


def load_site(name: str | Path | None = None) -> Site:
    """Read a site profile.

    Parameters
    ----------
    name : str or Path, optional
        A file, or the name of a profile.  Without it: the environment
        variable ``SPECTRUM_SITE``, else ``site.toml`` in the user's or the
        system's configuration folder, else the laptop profile.

    Raises
    ------
    SpecError
        There is no such profile, or it is not valid.
    """
    path = _find(str(name) if name else os.environ.get(VARIABLE, ""))
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the profile ({error.strerror})", str(path)) from None
    table = _expanded(read_toml(text, where=str(path)), str(path))
    for root in ("data", "results"):
        if isinstance(table.get(root), str):
            table[root] = os.path.expanduser(table[root])  # noqa: PTH111  URLs are no Paths
    return parse(Site, table, where=str(path))


def site_names() -> dict[str, Path]:
    """Profiles that can be named: the user's, the system's, the shipped ones."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def _folders() -> Iterator[Path]:
    yield user_config_path("spectrum-workflows")
    yield site_config_path("spectrum-workflows")
    yield shipped.folder("environments")


def _find(name: str) -> Path:
    if name.endswith(".toml") or os.sep in name:
        return Path(name).expanduser()
    known = site_names()
    if name in known:
        return known[name]
    if name:
        raise SpecError(f"unknown site {name!r}", remedy=closest(name, list(known)))
    return known.get("site", known[DEFAULT])


def _expanded(value: Any, where: str) -> Any:
    """Replace ``${VAR}`` in every string of a parsed TOML value."""
    if isinstance(value, Mapping):
        return {k: _expanded(v, where) for k, v in value.items()}
    if isinstance(value, list):
        return [_expanded(v, where) for v in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        try:
            return os.environ[match[1]]
        except KeyError:
            raise SpecError(
                f"the variable {match[1]} is not set", where, f"export {match[1]}=... first"
            ) from None

    return re.sub(r"\$\{(\w+)\}", variable, value)

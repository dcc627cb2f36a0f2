"""From a name to a profile: search path, inheritance, variables, changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import site_config_path, user_config_path

from spectrum_workflows import shipped
from spectrum_workflows.credentials import NAMED
from spectrum_workflows.errors import SpecError
from spectrum_workflows.sites.profile import Site
from spectrum_workflows.specs import closest, parse, read_toml, refuse_secrets

VARIABLE = "SPECTRUM_SITE"
DEFAULT = "laptop"
ASKED = "--set"


@dataclass(frozen=True)
class Resolved:
    """A profile with everything it inherits.

    Attributes
    ----------
    name : str
        Its file's name without suffix.
    table : dict
        The merged TOML table, variables replaced.
    origins : dict
        Dotted key to where its value was written.
    """

    name: str
    table: dict[str, Any]
    origins: dict[str, str]


def load_site(name: str | Path | None = None, *, changes: Mapping[str, Any] | None = None) -> Site:
    """Read a site profile.

    Parameters
    ----------
    name : str or Path, optional
        A file, or the name of a profile.  Without it: the environment
        variable ``SPECTRUM_SITE``, else ``site.toml`` in the user's or the
        system's configuration folder, else the laptop profile.
    changes : mapping, optional
        Dotted key to value, in place of what the file says:
        ``{"cluster.account": "my-project", "workers.count": 8}``.

    Raises
    ------
    SpecError
        There is no such profile, or it is not valid.
    """
    resolved = resolve(name, changes=changes)
    site = parse(Site, resolved.table, where=f"site {resolved.name}")
    members_of(site)  # now, if one of them is not valid
    return site


def resolve(
    name: str | Path | None = None, *, changes: Mapping[str, Any] | None = None
) -> Resolved:
    """Merge a profile with those it extends, and with changes.

    Raises
    ------
    SpecError
        A profile cannot be found or read, or a variable is not set.
    """
    path = _find(str(name) if name else os.environ.get(VARIABLE, ""), without=())
    table: dict[str, Any] = {}
    origins: dict[str, str] = {}
    policies: list[Any] = []
    for file in reversed(list(_lineage(path))):
        own = _read(file)
        own.pop("extends", None)
        policies += _policies(own, file.name)
        _displace(table, own)
        _merge(table, own, origins, str(file), "")
    asked: dict[str, Any] = {}
    for key, value in (changes or {}).items():
        _merge(asked, _nested(key, value), {}, "", "")
    policies += _policies(asked, ASKED)
    _displace(table, asked)
    _merge(table, asked, origins, ASKED, "")
    if policies:  # none takes the place of another
        table["policy"] = policies
    table = _expanded(table, f"site {path.stem}")
    refuse_secrets(table, f"site {path.stem}", guess=True)
    if isinstance(table.get("federation"), dict):
        _find_members(table, origins, path)
    for root in ("data", "results"):
        if isinstance(table.get(root), str):
            table[root] = os.path.expanduser(table[root])  # noqa: PTH111  URLs are no Paths
    return Resolved(path.stem, table, origins)


def members_of(site: Site) -> dict[str, Site]:
    """The profiles of the sites of a federation, by their names there; empty for another site.

    Raises
    ------
    SpecError
        One of them cannot be read, is not valid, or is itself a federation.
    """
    members = {}
    for name, file in (site.federation.sites if site.federation else {}).items():
        resolved = resolve(file)
        if "federation" in resolved.table:
            message = "a federation cannot be a site of another"
            raise SpecError(message, f"federation.sites.{name} ({file})", "name its sites instead")
        members[name] = parse(Site, resolved.table, where=f"site {resolved.name}")
    return members


def _find_members(table: dict[str, Any], origins: Mapping[str, str], path: Path) -> None:
    """Put the files of a federation's sites in the place of their names.

    The first one's data root is that of the federation, unless it has its own.
    """
    sites = table["federation"].get("sites")
    if not isinstance(sites, dict):
        table.setdefault("data", "")  # what is wrong is another key
        return
    for name, profile in sites.items():
        if not isinstance(profile, str):
            continue
        origin = origins.get(f"federation.sites.{name}", ASKED)
        beside = Path.cwd() if origin == ASKED else Path(origin).parent
        file = beside / Path(profile).expanduser()
        sites[name] = str(
            file.resolve() if profile.endswith(".toml") else _find(profile, without=(path,))
        )
    for member in (Path(text) for text in sites.values() if isinstance(text, str)):
        own = next((t["data"] for t in map(_read, _lineage(member)) if "data" in t), "")
        table.setdefault("data", _expanded(own, f"site {member.stem}"))


def site_names() -> dict[str, Path]:
    """Profiles that can be named: the user's, the system's, the shipped ones."""
    profiles: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.toml")):
            profiles.setdefault(path.stem, path)
    return profiles


def _folders() -> Iterator[Path]:
    yield user_config_path("spectrum-workflows")
    yield site_config_path("spectrum-workflows")
    yield shipped.folder("environments")


def _find(name: str, *, without: tuple[Path, ...]) -> Path:
    """A profile's file; ``without`` those that are asking for it."""
    if name.endswith(".toml") or os.sep in name:
        return Path(name).expanduser()
    stems = [name] if name else ["site", DEFAULT]
    for stem in stems:
        for path in (folder / f"{stem}.toml" for folder in _folders()):
            if path.is_file() and path not in without:
                return path
    raise SpecError(f"unknown site {name!r}", remedy=closest(name, list(site_names())))


def _lineage(path: Path) -> Iterator[Path]:
    """A profile, the one it extends, and so on."""
    seen: tuple[Path, ...] = ()
    while True:
        if path in seen:
            raise SpecError("this profile extends itself", str(path), "break the circle")
        yield path
        seen = (*seen, path)
        parent = _read(path).get("extends")
        if parent is None:
            return
        if not isinstance(parent, str):
            raise SpecError("extends: not the name of a profile", str(path))
        beside = path.parent / parent
        path = beside if parent.endswith(".toml") else _find(parent, without=seen)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the profile ({error.strerror})", str(path)) from None
    return read_toml(text, where=str(path))


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _displace(table: dict[str, Any], own: Mapping[str, Any]) -> None:
    """Take out what is inherited and cannot stand beside what a layer says itself."""
    kind = _part(own, "cluster").get("kind")
    if kind is not None and kind != _part(table, "cluster").get("kind"):
        table.pop("cluster", None)
    workers = _part(own, "workers")
    for name in ("count",) if workers.keys() & {"min", "max"} else ("min", "max"):
        if workers.keys() & {"count", "min", "max"}:
            _part(table, "workers").pop(name, None)


def _policies(own: dict[str, Any], origin: str) -> list[Any]:
    """Take the rules out of a layer: whoever extends a profile cannot loosen them."""
    stated = own.pop("policy", [])
    return [
        {"stated_by": origin, **one} if isinstance(one, Mapping) else one
        for one in (stated if isinstance(stated, list) else [stated])
    ]


def _part(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = table.get(name)
    return part if isinstance(part, dict) else {}


def _merge(
    into: dict[str, Any], table: Mapping[str, Any], origins: dict[str, str], origin: str, at: str
) -> None:
    for key, value in table.items():
        where = f"{at}.{key}" if at else key
        if isinstance(value, Mapping):
            inner = into.get(key)
            into[key] = dict(inner) if isinstance(inner, Mapping) else {}
            _merge(into[key], value, origins, origin, where)
        else:
            into[key] = value
            origins[where] = origin


def _expanded(value: Any, where: str) -> Any:
    """Replace ``${VAR}`` in every string of a parsed TOML value."""
    if isinstance(value, Mapping):
        return {k: _expanded(v, where) for k, v in value.items()}
    if isinstance(value, list):
        return [_expanded(v, where) for v in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if NAMED.search(match[1]):
            raise SpecError(
                f"{match[1]} looks like a secret, and profiles hold none",
                where,
                "leave it to the library's own chain (environment, provider profile, token file)",
            )
        try:
            return os.environ[match[1]]
        except KeyError:
            raise SpecError(
                f"the variable {match[1]} is not set", where, f"export {match[1]}=... first"
            ) from None

    return re.sub(r"\$\{(\w+)\}", variable, value)

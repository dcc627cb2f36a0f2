"""Places of modules, and which of them are of a released distribution; nothing is run."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from spectrum_workflows.code_identity.data_files import python_files

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def spec_of(name: str) -> ModuleSpec | None:
    """The import system's spec of a module, without running anything."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if loaded is not None:
        return loaded  # type: ignore[no-any-return]
    parent = name.rpartition(".")[0]
    places = None
    if parent:
        above = spec_of(parent)
        if above is None or above.submodule_search_locations is None:
            return None
        places = list(above.submodule_search_locations)
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, places)
        except (ImportError, AttributeError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def file_of(name: str) -> Path | None:
    """The file of a module: its source, or what it was compiled to."""
    spec = spec_of(name)
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    path = Path(spec.origin)
    return path if path.is_file() else None


def modules_below(package: str) -> list[str]:
    """Names of all modules of a package that lie in its folders."""
    path = file_of(package)
    spec = spec_of(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    modules = [package] if path else []
    for place in map(Path, places):
        for file in sorted(python_files(place)):
            steps = file.relative_to(place).with_suffix("").parts
            steps = steps[:-1] if steps[-1] == "__init__" else steps
            modules.append(".".join([package, *steps]))
    return modules


@lru_cache(maxsize=1024)
def is_released(top: str) -> bool:
    """Whether a top-level module is of a distribution that was installed from an index."""
    spec = spec_of(top)
    if spec is None:
        return True
    places = [*(spec.submodule_search_locations or []), spec.origin or ""]
    path = Path(places[0] or ".")
    if not path.exists():
        return True  # built in
    owner = _owner(path.parent, top)
    if owner is None:
        return False
    installer = _text(owner / "INSTALLER").strip()
    return installer == "conda" or not (owner / "direct_url.json").is_file()


def _owner(folder: Path, top: str) -> Path | None:
    """What describes the distribution that a top-level module in a folder is of."""
    begin = re.compile(rf"^{re.escape(top)}[/.,]", re.MULTILINE)
    described = _described(folder, folder.stat().st_mtime_ns)
    for info in sorted(described, key=lambda path: not path.name.lower().startswith(top.lower())):
        listed = _text(info / "RECORD") or _text(info / "installed-files.txt")
        if begin.search(listed.replace("../", "")) or top in _text(info / "top_level.txt").split():
            return info
    return None


@lru_cache(maxsize=16)
def _described(folder: Path, changed: int) -> tuple[Path, ...]:  # noqa: ARG001 - part of the key
    """What describes distributions in a folder, as it was when it was last changed."""
    kinds = ["*.dist-info"]
    if folder.name in ("site-packages", "dist-packages"):
        kinds.append("*.egg-info")
    return tuple(info for kind in kinds for info in folder.glob(kind))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""

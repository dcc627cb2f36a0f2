"""A store that is running: what a site profile says of it, and how to fill it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from spectrum_workflows import load_site, storage
from spectrum_workflows.sites import Place
from spectrum_workflows.sites.profile import Site


@dataclass(frozen=True)
class Store:
    """One running service."""

    service: ModuleType
    folder: Path

    @property
    def data(self) -> str:
        """Data root, to read from."""
        return self.service.store(self.folder)["data"]

    @property
    def upload(self) -> str:
        """The same place, to write to."""
        return self.service.store(self.folder).get("upload", self.data)

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """``[storage]`` of a site profile."""
        return self.service.store(self.folder)["storage"]

    def site(self, name: str = "serial", **more: Any) -> Site:
        """A profile with this store, and options for it."""
        tables = {prefix: options | more for prefix, options in self.tables.items()}
        if more and not tables:
            tables = {self.data.partition("//data")[0]: more}
        return load_site(name, changes={"data": self.data, "storage": tables})

    def fill(self, folder: Path) -> None:
        """Upload every file of a folder."""
        with storage.using(self.site().stores):
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                storage.put_file(path, storage.join(self.upload, str(path.relative_to(folder))))


@contextmanager
def running(service: ModuleType) -> Iterator[Store]:
    """Start a store in a folder that its server may enter, and stop it afterwards."""
    with TemporaryDirectory(prefix="spectrum-", ignore_cleanup_errors=True) as name:
        folder = Path(name, service.__name__)
        try:
            service.up(folder)
            yield Store(service, folder)
        finally:
            service.down(folder)


def at(place: Place, store: Store, **more: Any) -> Place:
    """The same workers, with the data of a store."""
    site = store.site("laptop", **more)
    return replace(place, site=site, data=site.data)


def tables(*stores: Store) -> Mapping[str, Any]:
    """``[storage]`` of a profile that knows several stores."""
    return {prefix: options for store in stores for prefix, options in store.tables.items()}

"""Energy counters of a node's processors and memory, as Linux shows them below ``powercap``.

Running average power limit: Intel's counters, and those of AMD from Zen on, in microjoules
since some moment, which begin anew at a maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

POWERCAP = Path("/sys/class/powercap")
EVERY = 60.0
"""Seconds between two looks: a counter of 262 kJ begins anew every 20 minutes at 200 W."""
MICRO = 1e-6


@dataclass(frozen=True)
class Domain:
    """A counter that holds energy of no other one.

    Attributes
    ----------
    name : str
        Such as ``package-0``, or ``package-0/dram``.
    file : Path
        Holds microjoules.
    most : int
        Microjoules after which it begins anew.
    """

    name: str
    file: Path
    most: int


def domains(root: Path = POWERCAP) -> tuple[Domain, ...]:
    """The packages of a node and their memory, each once, as far as this user may read them.

    Cores and graphics are inside their package, ``psys`` is around all of them, and
    ``intel-rapl-mmio`` shows the same package once more: none of these is taken.

    Parameters
    ----------
    root : Path
        Folder of the control types, laid out as ``/sys/class/powercap`` is.
    """
    listed: dict[str, Domain] = {}
    for package in sorted(root.glob("intel-rapl:*")):
        name = _text(package / "name")
        if package.name.count(":") != 1 or not name.startswith("package"):
            continue
        zones = sorted(package.glob(f"{package.name}:*"))
        inside = [zone for zone in zones if _text(zone / "name") == "dram"]
        for zone, label in [(package, name), *((zone, f"{name}/dram") for zone in inside)]:
            if label not in listed and (domain := _domain(zone, label)):
                listed[label] = domain
    return tuple(listed.values())


def joules_between(before: int, after: int, most: int) -> float:
    """Energy between two looks at a counter of microjoules that began anew at most once.

    >>> joules_between(1_000_000, 3_500_000, 10_000_000)
    2.5
    >>> joules_between(9_000_000, 500_000, 10_000_000)
    1.5
    """
    return (after - before if after >= before else after + most - before) * MICRO


@dataclass
class Meter:
    """Energy of this node since the meter was made; it looks often enough by itself.

    Attributes
    ----------
    domains : tuple of Domain
    joules : float
        Of all of them together, at the last look.
    """

    domains: tuple[Domain, ...]
    joules: float = 0.0
    _last: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _ended: Event = field(default_factory=Event)

    def start(self, every: float = EVERY) -> None:
        """Look at once, and again every so many seconds until the process ends."""
        self.look()

        def again() -> None:
            while not self._ended.wait(every):
                self.look()

        if self.domains:
            Thread(target=again, name="energy", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> float | None:
        """Joules since the meter was made; ``None`` where there is no counter."""
        with self._lock:
            for domain in self.domains:
                value = _number(domain.file)
                if value is None:
                    continue
                last = self._last.get(domain.name, value)
                self.joules += joules_between(last, value, domain.most)
                self._last[domain.name] = value
            return self.joules if self._last else None


def _domain(zone: Path, name: str) -> Domain | None:
    value, most = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
    if value is None or not most:
        return None  # since 2020 the kernel shows it to root alone, unless somebody changes that
    return Domain(name, zone / "energy_uj", most)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    try:
        value = int(_text(file))
    except ValueError:
        return None
    return value if value >= 0 else None

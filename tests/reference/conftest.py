"""How far results lie from those of the fields' own programs: asserted, and told to a file."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest


@dataclass
class Agreement:
    """One quantity, how far it lies from the other program's at most, and what is allowed."""

    what: str
    against: str
    quantity: str
    measured: float
    allowed: float


ROWS = pytest.StashKey[dict[tuple[str, str, str], Agreement]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--agreement", metavar="FILE", help="write what was measured, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = {}


@pytest.fixture(scope="session")
def agrees(pytestconfig: pytest.Config) -> Callable[..., None]:
    """``agrees(what, against, quantity, measured, allowed)`` asserts, and keeps the numbers.

    Several measurements of one quantity are one row, that of the largest.
    """
    rows = pytestconfig.stash[ROWS]

    def agrees(what: str, against: str, quantity: str, measured: float, allowed: float) -> None:
        new = Agreement(what, against, quantity, float(measured), float(allowed))
        row = rows.setdefault((what, against, quantity), new)
        row.measured = max(row.measured, new.measured)
        assert new.measured <= new.allowed, new

    return agrees


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    name = session.config.getoption("--agreement", default=None)
    if not name:
        return
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "?")
    told = {
        "rows": [asdict(row) for row in session.config.stash[ROWS].values()],
        "holds": exitstatus == 0,
        "machine": model,
        "date": datetime.now(UTC).date().isoformat(),
    }
    Path(name).write_text(json.dumps(told, indent=1) + "\n")

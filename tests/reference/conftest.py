"""How far results lie from those of the fields' own programs: asserted, and told to a file."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROWS = pytest.StashKey[list[dict[str, object]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--agreement", metavar="FILE", help="write what was measured, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


@pytest.fixture(scope="session")
def agrees(pytestconfig: pytest.Config) -> Callable[..., None]:
    """``agrees(what, against, quantity, measured, allowed)`` asserts, and keeps the numbers.

    Several measurements of one quantity are one row, that of the largest.
    """
    rows = pytestconfig.stash[ROWS]

    def agrees(what: str, against: str, quantity: str, measured: float, allowed: float) -> None:
        key = {"what": what, "against": against, "quantity": quantity}
        row = next((row for row in rows if row.items() >= key.items()), None)
        if row is None:
            rows.append(key | {"measured": float(measured), "allowed": float(allowed)})
        else:
            row["measured"] = max(float(measured), row["measured"])  # type: ignore[call-overload]
        assert measured <= allowed, (key, measured, allowed)

    return agrees


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    name = session.config.getoption("--agreement", default=None)
    if not name:
        return
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "?")
    told = {
        "rows": session.config.stash[ROWS],
        "holds": exitstatus == 0,
        "machine": model,
        "date": datetime.now(UTC).date().isoformat(),
    }
    Path(name).write_text(json.dumps(told, indent=1) + "\n")

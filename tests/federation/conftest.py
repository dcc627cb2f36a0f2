"""Two sites whose workers are threads of this process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from spectrum_workflows.engine.federation import Federation, Member
from spectrum_workflows.storage import Stores

sys.path.insert(0, str(Path(__file__).parent))
from lying import SITES, a_client


@pytest.fixture(scope="session")
def clients() -> Iterator[dict[str, Client]]:
    with a_client() as a, a_client() as b:
        yield {"a": a, "b": b}


@pytest.fixture
def federation(clients: dict[str, Client]) -> Federation:
    """Sites a and b, each with a worker."""
    return Federation(
        tuple(
            Member(name, client, Stores(sites=SITES, here=name)) for name, client in clients.items()
        )
    )

"""Workers for tests whose subject is not that they are processes."""

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="session")
def threads() -> Iterator[Client]:
    """Two workers that are threads of this process: what a test changes here they have, too."""
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client

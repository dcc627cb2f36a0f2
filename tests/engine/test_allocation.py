"""Memory that arrays give back is used again, on workers that Dask told to hand it on."""

import resource
import sys
from pathlib import Path

import cloudpickle
import pytest
from distributed import Client, LocalCluster

from spectrum_workflows.engine import allocation, each, merged

sys.path.insert(0, str(Path(__file__).parent))
import items as kit

cloudpickle.register_pickle_by_value(kit)

ARRAY, TIMES = allocation.LARGEST // 2, 10
PAGES = TIMES * ARRAY // resource.getpagesize()


@pytest.mark.skipif(not allocation.keep_freed_memory(), reason="only glibc's malloc is told")
def test_workers_use_freed_memory_again():
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, **options) as cluster, Client(cluster) as client:
        before = client.submit(kit.faults, kit.Item(0), ARRAY, TIMES).result()
        after, _ = merged(each(kit.faults, kit.items(3), ARRAY, TIMES, client=client), min)
    if before < PAGES / 2:
        pytest.skip("this system gives huge pages: there is little to save")
    assert after < PAGES / 20

"""HEP columns from real stores: bytes moved, throughput, and latency hidden.

Starts Ceph, rclone, XRootD and nginx on loopback (`make services`), puts a
bootstrapped file of 200,000 events into each (see bootstrap_hep.py), and
prints per store:

* bytes: what was moved for the 15 columns of the ttbar analysis, over the size
  of their baskets; the records that describe the file are apart;
* throughput: the same byte ranges by `storage.read_ranges` and by the plain
  fsspec file system with as many connections, interleaved, best of several;
* latency (Ceph): a run over 2 million events through a proxy that adds 50 ms
  to every request, over the same through the same proxy without; opening the
  file is apart.

    python benchmarks/stores.py [--source NANOAOD] [--store NAME ...] [--json]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "services"))

import ceph  # noqa: E402
import datastore  # noqa: E402
import faults  # noqa: E402
import https  # noqa: E402
import rclone  # noqa: E402
import xrootd  # noqa: E402

from bootstrap_hep import bootstrap, generated  # noqa: E402
from report import finished, show  # noqa: E402
from spectrum_workflows import check, connect, load_site, load_spec, run, storage  # noqa: E402
from spectrum_workflows.hep.io import rootfile  # noqa: E402
from spectrum_workflows.hep.io.clusters import clusters  # noqa: E402
from spectrum_workflows.hep.io.read import read  # noqa: E402
from spectrum_workflows.hep.types import Events  # noqa: E402
from spectrum_workflows.storage.ranges import joined  # noqa: E402

SERVICES = {"ceph": ceph, "rclone": rclone, "xrootd": xrootd, "https": https}
EVENTS, LARGE, PARTITION = 200_000, 2_000_000, 200_000
DELAY = 0.05  # seconds that the proxy adds
NEVER = 10**9  # the proxy spoils every so manieth request
MOST = {"bytes ceph": 1.15, "latency ceph": 1.5}
LEAST = {"throughput ceph": 0.8}
SPEC = load_spec(ROOT / "workflows/hep/ttbar.toml")


def spec_of(file: str) -> Any:
    """The ttbar analysis on one file alone."""
    sample = SPEC.samples["ttbar"].model_copy(update={"files": (file,)})
    changed = SPEC.changed(partition={"max_events": PARTITION})
    return changed.model_copy(update={"samples": {"ttbar": sample}, "synthetic": None, "fit": None})


def moved(url: str) -> tuple[float, float]:
    """Bytes moved for the columns over their baskets, and megabytes of describing records."""
    rootfile.close_all()
    with storage.metering() as opening:
        tree = rootfile.open_tree(url, SPEC.tree)
        needed = int(clusters(tree, SPEC.columns).baskets[:, 2].sum())
    half = tree.entries // 2
    with storage.metering() as counter:
        for start, stop in ((0, half), (half, tree.entries)):
            part = Events("ttbar", url, SPEC.tree, start, stop, tree.uuid, tree.nbytes)
            read(tree, part, SPEC.columns)
    return counter.bytes_read / needed, opening.bytes_read / 1e6


def baskets(url: str) -> list[tuple[int, int]]:
    """Where the baskets of the columns lie."""
    tree = rootfile.open_tree(url, SPEC.tree).tree
    return [
        (int(start), int(start) + int(branch.basket_compressed_bytes(k)))
        for branch in (tree[column] for column in SPEC.columns)
        for k, start in enumerate(branch.member("fBasketSeek")[: branch.num_baskets])
    ]


def best(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least wall time of each, interleaved after one round that warms up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats + 1):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - started)
    return {name: min(found[1:]) for name, found in times.items()}


def throughput(url: str, repeats: int) -> tuple[float, float]:
    """Ours over plain fsspec on the same ranges, and our MB/s."""
    ranges = joined(baskets(url))
    fs, path = storage.locate(url)
    starts, stops = ([span[k] for span in ranges] for k in (0, 1))

    def plain() -> None:
        fs.cat_ranges([path] * len(ranges), starts, stops, batch_size=32, on_error="raise")

    if isinstance(fs, xrootd_type()):

        def plain() -> None:  # it knows no on_error
            fs.cat_ranges([path] * len(ranges), starts, stops, batch_size=32)

    found = best({"ours": lambda: storage.read_ranges(url, ranges), "plain": plain}, repeats)
    total = sum(stop - start for start, stop in ranges)
    return found["plain"] / found["ours"], total / found["ours"] / 1e6


def xrootd_type() -> type:
    """The class of root:// file systems."""
    from fsspec_xrootd import XRootDFileSystem

    return XRootDFileSystem


def latency(store: datastore.Store, file: str, repeats: int) -> dict[str, float]:
    """A large run without and with a delay: how much longer, and opening apart."""
    [(prefix, table)] = store.tables.items()
    port = int(str(table["endpoint_url"]).rpartition(":")[2])
    run_time: dict[float, list[float]] = {0.0: [], DELAY: []}
    opening: dict[float, list[float]] = {0.0: [], DELAY: []}
    digests = set()
    with ExitStack() as stack:
        for delay in (0.0, DELAY):
            mode = "slow" if delay else "503"
            every = 1 if delay else NEVER
            proxy = stack.enter_context(faults.proxy(port, mode, every=every, delay=delay))
            changed = table | {"endpoint_url": f"http://127.0.0.1:{proxy.port}"}
            changes = {"storage": {prefix: changed}, "ledger.enabled": False}
            site = load_site("serial", changes=changes)
            place = connect(site, data=store.data)
            for _ in range(repeats):
                rootfile.close_all()
                started = time.perf_counter()
                check(spec_of(file), place)  # the file stays open in this thread
                opening[delay].append(time.perf_counter() - started)
                outcome = run(spec_of(file), place)
                run_time[delay].append(outcome.seconds)
                digests.add(outcome.digest)
    assert len(digests) == 1, "the delay changed the result"
    return {
        "ratio": min(run_time[DELAY]) / min(run_time[0.0]),
        "seconds": min(run_time[0.0]),
        "opening": min(opening[0.0]),
        "opening, delayed": min(opening[DELAY]),
    }


def measured(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All numbers of the chosen stores."""
    source = args.source or generated(str(folder))
    sizes = {"small.root": EVENTS} | ({"large.root": LARGE} if "ceph" in args.store else {})
    for name, events in sizes.items():
        (folder / "data").mkdir(exist_ok=True)
        bootstrap(source, str(folder / "data" / name), events=events)
    ratios: dict[str, float] = {}
    more: dict[str, dict[str, float]] = {"MB/s": {}, "MB to open the file": {}}
    for name in args.store:
        with datastore.running(SERVICES[name]) as store, storage.using(store.site().stores):
            store.fill(folder / "data")
            url = f"{store.data}/small.root"
            ratios[f"bytes {name}"], opened = moved(url)
            more["MB to open the file"][name] = round(opened, 2)
            ratios[f"throughput {name}"], speed = throughput(url, args.repeats)
            more["MB/s"][name] = round(speed, 1)
            if name == "ceph":
                found = latency(store, "large.root", max(2, args.repeats // 4))
                ratios["latency ceph"] = found.pop("ratio")
                more["seconds"] = {k: round(v, 3) for k, v in found.items()}
    return {"ratios": ratios, **more}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="a NanoAOD file (default: our own generator)")
    parser.add_argument("--store", action="append", choices=[*SERVICES], help="default: all")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.store = args.store or [*SERVICES]
    with tempfile.TemporaryDirectory() as folder:
        found = measured(args, Path(folder))
    ratios = found.pop("ratios")
    most = {k: v for k, v in MOST.items() if k.split()[1] in args.store}
    least = {k: v for k, v in LEAST.items() if k.split()[1] in args.store}
    above = finished(ratios, least)
    result = finished(ratios, most, at_most=True, **found)
    result["bars"] |= least
    result["bars_are"] = "at most; throughput at least"
    result["holds"] = bool(result["holds"] and above["holds"])
    show(result, as_json=args.json)
    sys.exit(0 if result["holds"] else 1)


if __name__ == "__main__":
    main()

"""Workers on this machine."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.interrupts import without_interrupts
from spectrum_workflows.sites.closed import (
    check_dashboard,
    closed,
    secret_path,
    worker,
)
from spectrum_workflows.sites.deployment import LOOPBACK, Deployment, check_options
from spectrum_workflows.sites.local_pool import LocalPool
from spectrum_workflows.sites.private import Scratch
from spectrum_workflows.sites.profile import Local, Site
from spectrum_workflows.sites.scripts import check_guarded
from spectrum_workflows.sites.security import certificate_files, warn_insecure

OURS = {
    "security": "certificates are made for every run",
    "protocol": "it is TLS, or plain TCP with insecure = true",
    "scheduler_kwargs": "set host or interface",
    "worker_dashboard_address": "the scheduler's dashboard shows the workers",
    "worker_class": "leave it out",
    "http_prefix": "leave it out",
    "loop": "leave it out",
    "asynchronous": "leave it out",
}
SHARE = 1_000_000_000
"""Bytes of memory for which there is a worker; one takes 0.3 GB before it has read anything."""

STARTS_WITHIN = 60.0  # seconds that a worker process may always take to start


@dataclass(frozen=True)
class Size:
    """Number of workers at first and at the most, and their threads."""

    first: int
    most: int
    threads: int


def start_local(site: Site, cluster: Local) -> Deployment:
    """Start worker processes on this machine, which nobody else can talk to.

    Raises
    ------
    SiteError
        They could not be started.
    """
    from distributed import Client, LocalCluster, Nanny, Worker

    makers = (LocalCluster.__init__, Nanny.__init__, Worker.__init__)
    check_options(cluster.options, makers, ours=OURS, library="LocalCluster")
    check_dashboard(cluster.options.get("dashboard_address"), insecure=cluster.insecure)
    if cluster.options.get("processes", True):
        check_guarded()
    with ExitStack() as stack:
        scratch = Scratch.make(cluster.options.get("local_directory"))
        stack.callback(scratch.remove)
        size = sized(site)
        options, prefix = _options(site, cluster, scratch.folder, size), secret_path()
        options["scheduler_kwargs"] |= {"http_prefix": prefix}
        try:
            with without_interrupts():
                started = closed(LocalCluster, prefix)(**options)
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            raise SiteError(f"the local cluster did not start: {error}") from error
        _without_http(started)
        pool = LocalPool(started, size.first)
        stack.callback(pool.close)
        pool.start()
        if site.workers.max is not None:
            started.adapt(minimum=site.workers.min, maximum=size.most)
        client = Client(started, direct_to_workers=True)  # results in one step, not two
        stack.pop_all()

    def close() -> None:
        with ExitStack() as rest:
            rest.callback(scratch.remove)
            rest.callback(pool.close)
            rest.callback(client.close)

    return Deployment(client, close, pool.reconcile, pool.diagnose)


def sized(site: Site) -> Size:
    """The size that the profile wants, or else that cores and memory allow.

    A container may see all cores of its machine and have little of its memory: without a
    number in the profile there is a worker for every `SHARE` of memory at the most.
    """
    from dask.system import CPU_COUNT
    from distributed import system
    from distributed.deploy.utils import nprocesses_nthreads

    options = site.cluster.options if isinstance(site.cluster, Local) else {}
    workers, threads = site.workers, options.get("threads_per_worker")
    count = workers.max or workers.count or options.get("n_workers")
    if count is None and threads is None:
        alone = not options.get("processes", True)
        count, threads = (1, CPU_COUNT) if alone else nprocesses_nthreads()
    elif count is None:
        count = max(1, CPU_COUNT // threads) if options.get("processes", True) else 1
    if not (workers.max or workers.count or options.get("n_workers")):
        fitting = max(1, system.MEMORY_LIMIT // SHARE)
        if fitting < count:  # memory is what there is little of, and every thread takes some
            count, threads = fitting, options.get("threads_per_worker") or 1
    threads = threads or max(1, math.ceil(CPU_COUNT / count))
    return Size(workers.min if workers.max else count, count, threads)


def _options(site: Site, cluster: Local, scratch: Path, size: Size) -> dict[str, Any]:
    """What the cluster object is given; its workers are asked for afterwards."""
    share = _share(size)
    options = {"dashboard_address": LOOPBACK, "memory_limit": share} | cluster.options
    options.setdefault("death_timeout", max(STARTS_WITHIN, site.workers.patience))
    options |= {"n_workers": 0, "threads_per_worker": size.threads}
    options |= {"local_directory": str(scratch)}
    scheduler = {"local_directory": str(scratch), "worker_ttl": site.workers.silence}
    options |= {"scheduler_kwargs": scheduler} | _secured(cluster, scratch)
    if options.get("processes", True) and isinstance(own := options.get("env") or {}, dict):
        options["env"] = {"TMPDIR": _temporary(scratch)} | own
    return options


def _temporary(scratch: Path) -> str:
    """Where worker processes leave what would outlive one that is killed: it goes with the rest."""
    folder = scratch / "tmp"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


def _share(size: Size) -> Any:
    """Bytes of this machine's memory for each of its workers."""
    from distributed.worker_memory import parse_memory_limit

    logger = logging.getLogger("distributed.worker.memory")
    return parse_memory_limit("auto", 1, size.most, logger=logger)


def memory_each(site: Site) -> int:
    """Bytes that a worker of this site may take; 0 where it has no limit."""
    from distributed.worker_memory import parse_memory_limit

    options, size = site.cluster.options if isinstance(site.cluster, Local) else {}, sized(site)
    given = options.get("memory_limit", _share(size))
    logger = logging.getLogger("distributed.worker.memory")
    return int(parse_memory_limit(given, size.threads, size.most, logger=logger) or 0)


def _secured(cluster: Local, folder: Path) -> dict[str, Any]:
    """TLS, unless all is in one process or the profile wants it open."""
    beyond = cluster.options.keys() & {"host", "interface", "scheduler_port"}
    if not cluster.options.get("processes", True) and not beyond:
        return {}  # inproc://
    if cluster.insecure:
        warn_insecure("the local cluster")
        return {}
    return {"security": certificate_files(folder), "protocol": "tls"}


def _without_http(started: Any) -> None:
    """Let the workers that are still to be made serve no HTTP."""
    if started.processes:
        started.new_spec["options"]["worker_class"] = worker
    else:
        started.new_spec["cls"] = worker

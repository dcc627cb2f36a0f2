"""What can be known of a site before workers are asked for."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spectrum_workflows import display
from spectrum_workflows.doctor import folders
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.findings import Finding, doubt, failed, fault, fine
from spectrum_workflows.sites import private
from spectrum_workflows.sites.profile import Batch, Existing, Gateway, Local, Site, Workers
from spectrum_workflows.sites.security import check_address, is_loopback

PROBE_SECONDS = 300.0
"""Time limit of a job that is only asked questions."""
ANSWERS_WITHIN = 5.0


@dataclass(frozen=True)
class Terms:
    """What a worker of a site gets, as far as the profile says.

    Attributes
    ----------
    memory : int
        Bytes; 0 where it is not known.
    threads : int
    walltime : float
        Seconds; infinite where nothing ends it.
    """

    memory: int = 0
    threads: int = 1
    walltime: float = math.inf


def terms(site: Site) -> Terms:
    """What a worker gets.

    Raises
    ------
    SpectrumError
        The profile's options are not those of the deployment library.
    """
    match site.cluster:
        case None:
            from distributed import system

            return Terms(int(system.MEMORY_LIMIT))
        case Local():
            from spectrum_workflows.sites.local import memory_each, sized

            return Terms(memory_each(site), sized(site).threads)
        case Batch() as cluster:
            return _of_job(site, cluster)
    return Terms()


def examine_site(site: Site) -> list[Finding]:
    """Ask for everything that can be known without a worker."""
    match site.cluster:
        case Local() as cluster:
            return [*_network(cluster.options), _scratch(cluster)]
        case Batch() as cluster:
            return _batch(site, cluster)
        case Gateway() as cluster:
            return [_gateway(cluster)]
        case Existing() as cluster:
            return [_reachable(cluster.address)]
    return []


def for_probe(site: Site) -> Site:
    """The same site with one worker, for as long as an examination takes."""
    patience, silence = site.workers.patience, site.workers.silence
    workers = Workers(count=1, patience=patience, silence=silence, renew_before=0.0)
    cluster = site.cluster
    if isinstance(cluster, Batch) and _of_job(site, cluster).walltime > PROBE_SECONDS:
        cluster = cluster.model_copy(
            update=cluster.system.shortened(cluster.options, PROBE_SECONDS)
        )
    return site.model_copy(update={"workers": workers, "cluster": cluster})


def _of_job(site: Site, cluster: Batch) -> Terms:
    from dask.utils import parse_bytes

    from spectrum_workflows.sites.batch.jobs import job_options, job_script, usual

    system, options = cluster.system, job_options(site, cluster)
    request = system.requested(job_script(site, cluster))
    memory = options.get("memory") or usual(system, "memory") or 0
    threads = int(options.get("cores") or usual(system, "cores") or 1)
    return Terms(parse_bytes(memory), threads, request.seconds or math.inf)


def _batch(site: Site, cluster: Batch) -> list[Finding]:
    """A batch system: its commands, limits and network, and the folder that jobs share."""
    from spectrum_workflows.sites.batch.jobs import job_script, shared_folder, usual

    system = cluster.system

    try:
        script = job_script(site, cluster)
    except SpectrumError as error:
        return [failed("profile", error, f"options of dask_jobqueue.{system.cluster}")]
    options = cluster.options
    of_scheduler = dict(options.get("scheduler_options") or {})
    interface = options.get("interface") or usual(system, "interface")
    network = {"interface": interface} | of_scheduler
    shared = folders.looked_at(shared_folder(options))
    key = "set shared_temp_directory below [cluster]"
    return [
        *system.examine(script),
        *_network(network, beyond=True),
        _owned(folders.judged(shared, "run folder", key), shared.path),
    ]


def _network(options: dict[str, Any], *, beyond: bool = False) -> Iterator[Finding]:
    """The interface and port on which a scheduler would listen here.

    Parameters
    ----------
    options : dict
        ``interface``, ``host`` and ``port``, where the profile sets them.
    beyond : bool
        Whether other machines have to reach it.
    """
    from distributed.utils import get_ip, get_ip_interface

    expected = "a network interface of this machine" + ", which nodes reach" * beyond
    remedy = "set interface below [cluster]"
    interface, host = options.get("interface"), options.get("host")
    try:
        address = host or (get_ip_interface(interface) if interface else "")
    except ValueError as error:
        yield failed_in_words("network", error, expected, remedy)
        return
    address = address or (get_ip() if beyond else "127.0.0.1")
    line = f"{interface} is {address}" if interface else address
    if beyond and is_loopback(address):
        yield doubt("network", f"{line} is this machine alone", expected, remedy)
    else:
        yield fine("network", line, expected)
    yield _port(address, int(options.get("port") or options.get("scheduler_port") or 0))


def failed_in_words(subject: str, error: ValueError, expected: str, remedy: str) -> Finding:
    """A library's refusal, as it says it."""
    return fault(subject, str(error), expected, remedy)


def _port(address: str, port: int) -> Finding:
    """Whether one can listen at an address of this machine."""
    host = urlsplit(f"//{address}").hostname or address
    expected = f"port {port} is free" if port else "a free port"
    try:
        with socket.create_server((host, port), family=_family(host)) as server:
            taken = server.getsockname()[1]
    except OSError as error:
        reason = f"cannot listen at {address}, port {port or 'any'} ({error.strerror or error})"
        return fault("port", reason, expected, "set another host or port below [cluster]")
    return fine("port", f"{port} is free" if port else f"any, {taken} for one", expected)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _scratch(cluster: Local) -> Finding:
    """The folder below which local workers spill."""
    import tempfile

    parent = cluster.options.get("local_directory") or tempfile.gettempdir()
    key = "set local_directory below [cluster], or TMPDIR"
    folder = folders.looked_at(parent)
    return _owned(folders.judged(folder, "scratch", key, room=SPILL, local=True), folder.path)


SPILL = 1_000_000_000
"""Bytes that should be free for what does not fit in memory."""


def _owned(finding: Finding, path: str) -> Finding:
    """The finding, unless others could exchange what is in the folder."""
    if finding.status == "fault":
        return finding
    try:
        private.check_owned(Path(path).resolve(strict=True))
    except SpectrumError as error:
        return failed(finding.subject, error, "a folder that only you can change")
    return finding


def _gateway(cluster: Gateway) -> Finding:
    """Whether the server lets us in; nothing is started."""
    from spectrum_workflows.sites.gateway import ask_server

    expected = "it answers, and knows you"
    try:
        number = display.counted(ask_server(cluster), "cluster")
        return fine("gateway", f"{cluster.address} answers; {number} of yours there", expected)
    except SpectrumError as error:
        return failed("gateway", error, expected)


def _reachable(address: str) -> Finding:
    """Whether something listens at a scheduler's address."""
    expected, remedy = "a scheduler that listens", "is it running, and is its address right?"
    parts = urlsplit(address)
    if parts.scheme == "inproc":
        return fine("scheduler", address, expected)
    try:
        check_address(address, safe=("tls", "wss"), insecure=True)
        with socket.create_connection((parts.hostname, parts.port or 8786), ANSWERS_WITHIN):
            return fine("scheduler", f"something listens at {address}", expected)
    except (OSError, SpectrumError) as error:
        return failed("scheduler", error, f"{expected} at {address}", remedy)

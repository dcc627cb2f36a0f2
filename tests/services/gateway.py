"""A real Dask Gateway server on loopback, whose clusters are processes of this machine."""

import base64
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PROGRAMS = ()  # it comes with the test group
SERVERS: dict[Path, subprocess.Popen[bytes]] = {}
IDLE = 300  # seconds after which the server ends a cluster that nobody uses
PATIENCE = 180  # seconds without a word from a process that a busy machine may keep from its turn

CONFIGURATION = """\
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:0"
c.DaskGateway.authenticator_class = "dask_gateway_server.auth.SimpleAuthenticator"
c.SimpleAuthenticator.password = {password!r}
c.Proxy.address = "127.0.0.1:{port}"
c.UnsafeLocalBackend.clusters_directory = {clusters!r}
c.UnsafeLocalBackend.cluster_heartbeat_period = 2
c.UnsafeLocalBackend.cluster_heartbeat_timeout = {patience}
c.UnsafeLocalBackend.cluster_start_timeout = {patience}
c.UnsafeLocalBackend.worker_start_timeout = {patience}
c.ClusterConfig.scheduler_cmd = {scheduler!r}
c.ClusterConfig.worker_cmd = {worker!r}
c.ClusterConfig.worker_cores = 1
c.ClusterConfig.worker_memory = "2 G"
c.ClusterConfig.idle_timeout = {idle}
c.ClusterConfig.adaptive_period = 1
"""


def up(folder: Path) -> dict[str, str]:
    """Start it, and give the environment with its address and password."""
    folder.mkdir(parents=True, exist_ok=True)
    port, password = _free_port(), secrets.token_hex(16)
    dask = str(Path(sys.executable).with_name("dask"))
    text = CONFIGURATION.format(
        password=password,
        port=port,
        clusters=str(folder / "clusters"),
        scheduler=[dask, "scheduler"],
        worker=[dask, "worker"],
        idle=IDLE,
        patience=PATIENCE,
    )
    configuration = folder / "gateway.py"
    configuration.touch(mode=0o600)
    configuration.write_text(text)
    with (folder / "gateway.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "dask_gateway_server", "--config", str(configuration)],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    SERVERS[folder] = server
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 300  # it imports much, perhaps beside other load
    while not _answers(address, password):
        if server.poll() is not None or time.monotonic() > end:
            down(folder)
            raise RuntimeError(f"no gateway:\n{(folder / 'gateway.log').read_text()[-3000:]}")
        time.sleep(0.2)
    return {
        "DASK_GATEWAY_ADDRESS": address,
        "DASK_GATEWAY__AUTH__KWARGS__USERNAME": "tester",
        "DASK_GATEWAY__AUTH__KWARGS__PASSWORD": password,
    }


def down(folder: Path) -> None:
    """End the server; it ends its clusters."""
    server = SERVERS.pop(folder, None)
    if server is None:
        return
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _answers(address: str, password: str) -> bool:
    token = base64.b64encode(f"tester:{password}".encode()).decode()
    request = urllib.request.Request(
        f"{address}/api/v1/clusters/", headers={"Authorization": f"Basic {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])

"""A real Ceph on loopback, one monitor and one object store daemon, with its S3 gateway.

No systemd, everything in one folder.  ``bluestore`` keeps its data in a sparse file and
survives kill -9; Ceph's ``memstore`` would forget it.
"""

import secrets
import signal
import uuid
from pathlib import Path
from typing import Any

import buckets
from processes import end_file, free_ports, listens, run, start, until

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "monmaptool", "radosgw", "radosgw-admin")
USER, BUCKET, PROFILE = "spectrum", "spectrum-ceph", "ceph"
NAMES = ("mon", "osd")

CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]
mon_initial_members = a
public_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data = {folder}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_data = {folder}/osd
auth_allow_insecure_global_id_reclaim = true
osd_objectstore = bluestore
bluestore_block_size = 4294967296
osd_memory_target = 939524096
ms_mon_client_mode = crc
ms_bind_ipv4 = true
ms_bind_ipv6 = false
ms_bind_port_min = {ports[3]}
ms_bind_port_max = {top}
run_dir = {folder}/run
admin_socket = {folder}/run/$name.asok
pid_file = {folder}/run/$type.pid
log_file = {folder}/log/$name.log
crash_dir = {folder}/log
keyring = {folder}/keyring
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{ports[0]} tcp_nodelay=1
rgw_data = {folder}/rgw
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_run_sync_thread = false
rgw_lifecycle_work_time = 00:00-00:01
rgw_dns_name =
pid_file =
log_file = {folder}/log/rgw.log
"""
# ms_mon_client_mode: without authentication "secure" hangs for ever.  tcp_nodelay: else a range
# read costs 47 ms.


def up(folder: Path) -> dict[str, str]:
    """Start it and make a user and a bucket; its clients need no environment."""
    for name in ("run", "log", "mon", "osd", "rgw"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ports = free_ports(4)
    (folder / "port").write_text(str(ports[0]))
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    text = CONFIGURATION.format(folder=folder, fsid=fsid, ports=ports, top=ports[3] + 40)
    (folder / "ceph.conf").write_text(text)
    _ceph(folder, "ceph-authtool", "-C", f"{folder}/keyring", "--gen-key", "-n", "client.admin")
    monitor = f"[v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]"
    command = ["monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", monitor]
    run([*command, f"{folder}/monmap"])
    _ceph(folder, "ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{folder}/monmap")
    _ceph(folder, "ceph-mon", "-i", "a")
    _ceph(folder, "ceph", "osd", "new", osd, "0")
    _ceph(folder, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    _ceph(folder, "ceph-osd", "-i", "0")
    _start_gateway(folder)
    admin(folder, "user", "create", f"--uid={USER}", f"--display-name={USER}", "--max-buckets=100")
    write_credentials(folder, *new_key(folder))
    buckets.make_bucket(store(folder)["storage"][f"s3://{BUCKET}"], BUCKET)
    return {}


def down(folder: Path) -> None:
    """Stop what `up` started, by its pid files only."""
    for name in ("rgw", *reversed(NAMES)):
        end_file(folder / "run" / f"{name}.pid")


def kill(folder: Path) -> None:
    """Let gateway and object store die in mid-sentence, as in a power failure."""
    for name in ("rgw", "osd"):
        end_file(folder / "run" / f"{name}.pid", signal.SIGKILL)


def restart(folder: Path) -> None:
    """Start again what `kill` ended, with the data that was there."""
    _ceph(folder, "ceph-osd", "-i", "0")
    _start_gateway(folder)


def endpoint(folder: Path) -> str:
    """URL of the S3 gateway."""
    return f"http://127.0.0.1:{(folder / 'port').read_text()}"


def credential_file(folder: Path) -> Path:
    """Where the user's key stands, as in ``~/.aws/credentials``."""
    return folder / "credentials"


def store(folder: Path) -> dict[str, Any]:
    """Data root and storage options, as a file of stores has them."""
    options = {
        "endpoint_url": endpoint(folder),
        "credential_file": str(credential_file(folder)),
        "profile": PROFILE,
    }
    return {
        "data": f"s3://{BUCKET}/data",
        "storage": {f"s3://{BUCKET}": options},
    }


def admin(folder: Path, *words: str) -> str:
    """What ``radosgw-admin`` says."""
    return _ceph(folder, "radosgw-admin", "-n", "client.rgw", *words)


def new_key(folder: Path) -> tuple[str, str]:
    """Give the user one more key."""
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    chosen = (f"--access-key={key}", f"--secret-key={secret}")
    admin(folder, "key", "create", f"--uid={USER}", "--key-type=s3", *chosen)
    return key, secret


def remove_key(folder: Path) -> None:
    """Take away the key that stands in the credential file."""
    key = credential_file(folder).read_text().partition("aws_access_key_id = ")[2].split()[0]
    admin(folder, "key", "rm", f"--uid={USER}", "--key-type=s3", f"--access-key={key}")


def write_credentials(folder: Path, key: str, secret: str) -> None:
    """Deliver a key through the credential file, all of it at once."""
    buckets.write_credentials(credential_file(folder), PROFILE, key, secret)


def _start_gateway(folder: Path) -> None:
    port = int((folder / "port").read_text())
    command = ["radosgw", "-f", "-c", str(folder / "ceph.conf"), "-n", "client.rgw"]
    until(lambda: "1 up" in _ceph(folder, "ceph", "osd", "stat"), "the object store daemon")
    pid = start(command, folder / "log" / "rgw.out")
    (folder / "run" / "rgw.pid").write_text(str(pid))
    until(lambda: listens(port), "the S3 gateway")


def _ceph(folder: Path, program: str, *words: str) -> str:
    place = [] if program == "ceph-authtool" else ["-c", str(folder / "ceph.conf")]
    return run([program, *place, *words])

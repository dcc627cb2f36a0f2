"""A real HTCondor pool on this one machine: all of its daemons and one slot, no systemd.

Everything lives in one folder and listens on loopback only.  HTCondor runs no job of root's, so
for root the daemons live in a user namespace, in which the same user has another number.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

RELEASE = user_cache_path("spectrum-workflows") / "htcondor" / "usr"
"""Where ``environments/htcondor.sh`` puts it on distributions that have no package."""
if (RELEASE / "sbin" / "condor_master").exists():
    os.environ["PATH"] += f":{RELEASE}/bin:{RELEASE}/sbin"

PROGRAMS = ("condor_master", "condor_submit", "condor_q", "condor_rm", "condor_status", "unshare")
CPUS, MEMORY = 8, 12000  # virtual, in MB

CONFIGURATION = """\
RELEASE_DIR = {release}
LOCAL_DIR = {folder}
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/lock
RUN = $(LOCAL_DIR)/run
BIN = $(RELEASE_DIR)/bin
SBIN = $(RELEASE_DIR)/sbin
LIB = $(RELEASE_DIR)/lib/condor
LIBEXEC = $(RELEASE_DIR)/libexec/condor
CONDOR_HOST = 127.0.0.1
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
COLLECTOR_HOST = $(CONDOR_HOST):{port}
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
USE_SHARED_PORT = False
BASE_CGROUP =
UID_DOMAIN = spectrum
FILESYSTEM_DOMAIN = spectrum
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
NUM_CPUS = {cpus}
MEMORY = {memory}
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
SUSPEND = False
PREEMPT = False
KILL = False
RunBenchmarks = False
STARTD_CRON_JOBLIST =
STARTD_CRON_BENCHMARKS_JOBLIST =
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
UPDATE_INTERVAL = 2
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
PERIODIC_EXPR_INTERVAL = 2
SHADOW_QUEUE_UPDATE_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 2
STARTER_INITIAL_UPDATE_INTERVAL = 1
POLLING_INTERVAL = 1
CLAIM_WORKLIFE = 0
JOB_START_DELAY = 0
JOB_START_COUNT = 50
JOB_STOP_DELAY = 0
JOB_STOP_COUNT = 50
KILLING_TIMEOUT = 10
"""


OTHER_USER = ["unshare", "--user", "--map-user=1", "--map-group=1"]


def obstacle() -> str:
    """Why there can be no pool on this machine; empty where there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {missing[0]} here; `make services` installs HTCondor where a package can be had"
    if os.getuid() == 0 and subprocess.run([*OTHER_USER, "true"], check=False).returncode:
        return "HTCondor runs no job of root's, and this machine has no user namespaces"
    return ""


def up(folder: Path) -> dict[str, str]:
    """Start it, and give the environment that its commands need."""
    for name in ("log", "spool", "execute", "lock", "run"):
        (folder / name).mkdir(parents=True)
    release = RELEASE if RELEASE.exists() else Path("/usr")
    text = CONFIGURATION.format(
        release=release, folder=folder, port=_free_port(), cpus=CPUS, memory=MEMORY
    )
    (folder / "condor_config").write_text(text)
    environment = {"CONDOR_CONFIG": str(folder / "condor_config"), "PATH": os.environ["PATH"]}
    if os.getuid() == 0:
        environment["CONDOR_IDS"] = "0.0"
    outer = {k: v for k, v in os.environ.items() if k != "CONDOR_IDS"} | {
        "CONDOR_CONFIG": environment["CONDOR_CONFIG"]
    }
    other = OTHER_USER if os.getuid() == 0 else []
    with (folder / "log" / "output").open("wb") as log:
        master = subprocess.Popen(
            [*other, "condor_master", "-f"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=outer,
            start_new_session=True,
        )
    MASTERS[folder] = master
    end = time.monotonic() + 60
    while not _slots(os.environ | environment):
        if time.monotonic() > end or master.poll() is not None:
            down(folder)
            logs = "".join(p.read_text()[-2000:] for p in (folder / "log").glob("*Log"))
            raise RuntimeError(f"HTCondor did not come up:\n{logs}")
        time.sleep(0.2)
    return environment


MASTERS: dict[Path, subprocess.Popen[bytes]] = {}


def down(folder: Path) -> None:
    """Stop what `up` started: the master, which ends its daemons, and they their jobs."""
    master = MASTERS.pop(folder, None)
    if master is None:
        return
    for number in (signal.SIGQUIT, signal.SIGKILL):  # fast, not gracefully
        with suppress(ProcessLookupError):
            os.killpg(master.pid, number)
        with suppress(subprocess.TimeoutExpired):
            master.wait(20)
            return


def _slots(environment: dict[str, str]) -> list[str]:
    command = ["condor_status", "-af", "Name"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    schedd = subprocess.run(
        ["condor_q", "-totals"], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.split() if schedd.returncode == 0 else []


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

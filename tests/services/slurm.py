"""A real SLURM on this one machine: munge, the controller and two virtual nodes, no systemd.

Everything lives in one folder and listens on loopback only.  Works as root and as a user.
"""

import getpass
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
NODES, CPUS, MEMORY = 2, 4, 6000  # virtual: two nodes of four declared cores, in MB

CONFIGURATION = """\
ClusterName=spectrum
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmdLogFile={folder}/log/slurmd-%n.log
SlurmdSpoolDir={folder}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=10000,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
MpiDefault=none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SwitchType=switch/none
PropagateResourceLimits=NONE
ReturnToService=2
InactiveLimit=0
KillWait=2
MinJobAge=300
SlurmctldTimeout=30
SlurmdTimeout=60
MessageTimeout=20
DefMemPerCPU=512
{nodes}
PartitionName=debug Nodes=n[1-{count}] Default=YES MaxTime=04:00:00 DefaultTime=00:30:00 State=UP
PartitionName=closed Nodes=n[1-{count}] MaxTime=04:00:00 State=DOWN
"""
NODE = (
    "NodeName=n{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1 "
    "SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={memory} State=UNKNOWN"
)


def up(folder: Path) -> dict[str, str]:
    """Start it, and give the environment that its commands need."""
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    for name in ("run", "log", "state", "spool", "munge"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    _start_munge(folder)
    _configure(folder)
    outer = os.environ | environment
    for command in (["slurmctld", "-c"], *(["slurmd", "-c", "-N", n] for n in _nodes())):
        _run([*command, "-f", environment["SLURM_CONF"]], outer)
    end = time.monotonic() + 120
    while len(_idle(outer)) < NODES:
        if time.monotonic() > end:
            logs = "".join(p.read_text()[-2000:] for p in (folder / "log").glob("*.log"))
            down(folder)
            raise RuntimeError(f"SLURM did not come up:\n{logs}")
        time.sleep(0.1)
    return environment


def down(folder: Path) -> None:
    """Cancel all jobs and stop what `up` started, by its pid files only."""
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    with suppress(OSError):
        subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=environment, check=False)
        time.sleep(0.5)
    for name in (*(f"slurmd-{n}" for n in _nodes()), "slurmctld", "munged"):
        file = folder / "run" / f"{name}.pid"
        if file.exists() and (text := file.read_text().strip()):
            _end(int(text))


def _start_munge(folder: Path) -> None:
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    key.parent.chmod(0o700)
    files = {"key-file": key, "socket": folder / "run/munge.sock"}
    files |= {"pid-file": folder / "run/munged.pid", "log-file": folder / "log/munged.log"}
    files |= {"seed-file": folder / "munge/seed"}
    _run(["munged", "--force", *(f"--{k}={v}" for k, v in files.items())], dict(os.environ))


def _configure(folder: Path) -> None:
    host, ports = socket.gethostname().split(".")[0], _free_ports(NODES + 1)
    nodes = "\n".join(
        NODE.format(n=n, host=host, port=ports[n], cpus=CPUS, memory=MEMORY)
        for n in range(1, NODES + 1)
    )
    user = getpass.getuser()
    text = CONFIGURATION.format(
        host=host, ports=ports, user=user, folder=folder, nodes=nodes, count=NODES
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")  # read even where unused


def _nodes() -> list[str]:
    return [f"n{n}" for n in range(1, NODES + 1)]


def _idle(environment: dict[str, str]) -> list[str]:
    command = ["sinfo", "-h", "-N", "-p", "debug", "-t", "idle", "-o", "%N"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split()


def _free_ports(count: int) -> list[int]:
    listening = [socket.socket() for _ in range(count)]
    for one in listening:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} did not start: {done.stderr or done.stdout}")


def _end(pid: int) -> None:
    """End a process that is not our child."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(50):
            try:
                os.kill(pid, number if _ == 0 else 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)

"""Submit descriptions of HTCondor: what they ask for, and those of whole runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from spectrum_workflows.errors import SiteError
from spectrum_workflows.sites.batch.system import Request, WholeRun

INHERITED = ("HOME", "PATH", "LANG", "X509_USER_PROXY", "BEARER_TOKEN_FILE", "KRB5CCNAME")
"""Variables that a job gets from the session: of paths alone, for everybody can read them."""
REMEMBERED = 600
"""Seconds for which the queue shows a job that is over: so it is known how it ended."""
REPLACED = {
    *("arguments", "executable", "batch_name", "logdirectory", "output", "error", "log"),
    *("stream_output", "stream_error", "leave_in_queue", "my.daskworkername"),
}
"""Keys of a worker's job that the whole run has others for, or none."""
SHARED = re.compile(r"request_?(cpus|memory|disk)", re.IGNORECASE)
"""Keys of what a job gets of a machine."""
VACATE = 60  # seconds that a job has to end when it is told to


def adapted(options: dict[str, Any], job_name: str) -> dict[str, Any]:
    """Options of `dask_jobqueue.HTCondorCluster`, with a name that all jobs of a run share.

    Raises
    ------
    SiteError
        An older name of an option, which would replace what is set here.
    """
    import dask

    if "job_extra" in options:
        raise SiteError("job_extra has another name", "[cluster]", "write job_extra_directives")
    usual = dask.config.get("jobqueue.htcondor.job-extra-directives", None) or {}
    extra = {"getenv": ", ".join(INHERITED)} | dict(usual)
    extra |= dict(options.get("job_extra_directives") or {})
    ended = "JobStatus == 4 && time() - EnteredCurrentStatus"
    ours = {"batch_name": job_name, "leave_in_queue": f"{ended} < {REMEMBERED}"}
    if logs := options.get("log_directory"):
        for key, suffix in (("output", "out"), ("error", "err")):
            ours[key] = f"{logs}/{job_name}-$(ClusterId).$(ProcId).{suffix}"
    kept = {key: value for key, value in extra.items() if key.lower() not in ours}
    prologue = [_escaped(line) for line in options.get("job_script_prologue") or ()]
    return options | {"job_extra_directives": kept | ours, "job_script_prologue": prologue}


def _escaped(line: str) -> str:
    """A line of shell in a submit description, whose macros have the shell's form."""
    return line.replace("$(", "$(DOLLAR)(")


def shortened(options: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Options of a job that ends after so many seconds."""
    extra = dict(options.get("job_extra_directives") or {})
    return {
        **options,
        "job_extra_directives": extra | {"allowed_execute_duration": int(seconds)},
    }


def requested(script: str) -> Request:
    """What a submit description asks for."""
    table = _table(script)
    cores = _own(table, "cpus") or table.get("my.daskworkercores", "1")
    memory = _own(table, "memory")
    limits = ("allowed_execute_duration", "allowed_job_duration", "+maxruntime", "my.maxruntime")
    seconds = [float(table[name]) for name in limits if _is_number(table.get(name, ""))]
    return Request(
        account=table.get("accounting_group", ""),
        seconds=min(seconds, default=0.0),
        memory=size(memory) if memory else int(table.get("my.daskworkermemory", "0")),
        cores=int(cores),
    )


def _table(script: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in script.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _own(table: Mapping[str, str], resource: str) -> str:
    """A number that the profile gives in HTCondor's words; dask-jobqueue gives expressions."""
    values = (table.get(f"request{dash}{resource}", "") for dash in ("", "_"))
    return next((value for value in values if value[:1].isdigit()), "")


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def size(text: str) -> int:
    """Bytes of a memory size as HTCondor writes it: MB unless it says else.

    >>> size("2GB"), size("512")
    (2147483648, 536870912)
    """
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)B?", text.strip().upper())
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    return int(match[1]) * units[match[2] or "M"] if match else 0


def worker_shell(job: Any) -> str:
    """Shell lines that start the worker of a job of dask-jobqueue: its ``Arguments``, as it is."""
    return str(job._command_template).replace("$(DOLLAR)(", "$(")


def errors(job_name: str) -> str:
    """Pattern of the files with the error output of workers' jobs."""
    return f"{job_name}-*.err"


def step(cores: int) -> tuple[str, ...]:
    """Words before a worker inside a job: none, it is a process on the job's machine."""
    del cores
    return ()


def whole(script: str, run: WholeRun) -> str:
    """The job of a whole run, on one machine.

    It asks for what its workers and, as one more, scheduler and session ask for.  It is not
    started a second time: what it had finished is in the ledger, for the next that is submitted.
    """
    header = [line for line in script.splitlines() if "=" in line and not line.startswith("#")]
    kept = [line for line in header if line.partition("=")[0].strip().lower() not in REPLACED]
    command = f"exec {shlex.join(run.command)} $(ClusterId).$(ProcId)"
    lines = [*map(_escaped, run.prologue), f"exec >>{shlex.quote(str(run.log))} 2>&1", command]
    return "\n".join(
        [
            *(_times(line, run.workers + 1) for line in kept),
            f"batch_name = {run.name}",
            f"job_max_vacate_time = {VACATE}",
            "periodic_remove = JobStatus == 5 || (JobStatus == 1 && NumJobStarts > 0)",
            "executable = /bin/bash",
            "transfer_executable = False",
            f'arguments = "-c {_quoted("; ".join(lines))}"',
            "queue",
            "",
        ]
    )


def _times(line: str, count: int) -> str:
    """A line of a submit description, for so many times what one worker gets."""
    key, _, value = line.partition("=")
    return f"{key}= {count} * ({value.strip()})" if SHARED.fullmatch(key.strip()) else line


def _quoted(text: str) -> str:
    """One argument, in HTCondor's way of quoting."""
    return "'" + text.replace("'", "''").replace('"', '""') + "'"

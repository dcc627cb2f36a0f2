"""Submit descriptions of HTCondor: what they ask for, and those of whole runs."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping
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
SHARED = re.compile(r"request_?(cpus|memory|disk|gpus)", re.IGNORECASE)
"""Keys of what a job gets of a machine."""
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
COUNTED_IN = {"memory": "M", "disk": "K"}
"""Units of numbers without one."""
VACATE = 60  # seconds that a job has to end when it is told to
LITERAL = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""")
"""What a shell takes as it is written."""
COMMENT = re.compile(r"(^|[\s;&|()])#")
UNFINISHED = re.compile(r"""['"]|[&|;(\\]\s*$|(^|[\s;])(\{|then|do|else)\s*$""")
"""Quotes that are not closed, and ends of lines after which no semicolon may stand."""


def adapted(options: dict[str, Any], job_name: str) -> dict[str, Any]:
    """Options of `dask_jobqueue.HTCondorCluster`, with a name that all jobs of a run share.

    Raises
    ------
    SiteError
        An older name of an option, which would replace what is set here; or a line of the
        prologue that cannot be joined to the next.
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
    prologue = _joinable(options.get("job_script_prologue") or ())
    return options | {"job_extra_directives": kept | ours, "job_script_prologue": prologue}


def _joinable(lines: Iterable[str]) -> list[str]:
    """Lines of shell that stand in one line of a submit description, with semicolons between.

    Raises
    ------
    SiteError
        One has a comment, which would swallow the next, or does not end a command.
    """
    kept = [line for line in lines if line.strip()]
    for line in kept:
        bare = LITERAL.sub("_", line)
        if "\n" in line.strip() or COMMENT.search(bare) or UNFINISHED.search(bare):
            what = f"HTCondor has all in one line, and {line!r} cannot be followed by another"
            raise SiteError(
                what,
                "[software] prologue",
                "write whole commands, without comments or & at the end",
            )
    return [_escaped(line.strip()) for line in kept]


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


def size(text: str, *, unit: str = "M") -> int:
    """Bytes of a size as HTCondor writes it, in a unit unless it says else; 0 if it is none.

    >>> size("2GB"), size("512"), size("512", unit="K")
    (2147483648, 536870912, 524288)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    return math.ceil(float(match[1]) * UNITS[match[2] or unit]) if match else 0


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

    Raises
    ------
    SiteError
        A line of the prologue cannot be joined to the next.
    """
    header = [line for line in script.splitlines() if "=" in line and not line.startswith("#")]
    kept = [line for line in header if line.partition("=")[0].strip().lower() not in REPLACED]
    begin = f"exec {_escaped(run.python)} {shlex.join(run.command)} $(ClusterId).$(ProcId)"
    lines = [f"exec >>{shlex.quote(str(run.log))} 2>&1", *_joinable(run.prologue), begin]
    return "\n".join(
        [
            *(_for_all(line, run.workers) for line in kept),
            f"batch_name = {run.name}",
            f"job_max_vacate_time = {VACATE}",
            "want_graceful_removal = True",
            "periodic_remove = JobStatus == 5 || (JobStatus == 1 && NumJobStarts > 0)",
            "executable = /bin/bash",
            "transfer_executable = False",
            f'arguments = "-c {_quoted("; ".join(lines))}"',
            "queue",
            "",
        ]
    )


def _for_all(line: str, workers: int) -> str:
    """A line of a worker's submit description, for so many and the session, which has no GPU."""
    key, _, value = line.partition("=")
    match = SHARED.fullmatch(key.strip())
    if match is None:
        return line
    resource = match[1].lower()
    count = workers if resource == "gpus" else workers + 1
    unit = COUNTED_IN.get(resource)
    if unit and (each := size(value, unit=unit)):  # units have no place in an expression
        return f"{key}= {count * math.ceil(each / UNITS[unit])}"
    return f"{key}= {count} * ({value.strip()})"


def _quoted(text: str) -> str:
    """One argument, in HTCondor's way of quoting."""
    return "'" + text.replace("'", "''").replace('"', '""') + "'"

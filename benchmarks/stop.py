"""What a press of Stop leaves behind: a kernel is interrupted at random moments, again and again.

The kernel is Jupyter's own, and the press is what JupyterLab's button sends: SIGINT to the
kernel's group of processes.  A press meets one of the cells below at a moment drawn with a seed:
the start of the workers, a run of either science, a fit, saving, or the end of the workers.  After
each press the next run has to give the reference digest, within the bar; after the end of the
workers no process and no scratch may be left, and nothing may have been written to stderr.  One
press in five is a Ctrl-C of ``spectrum run`` instead, which ends with one line.  Presses that come
when the cell, or the run, was over already are made again and do not count.

    python benchmarks/stop.py --presses 100 --json
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client import BlockingKernelClient, KernelManager

from report import finished, show

BARS = {
    "seconds_to_next_result": 10.0,
    "wrong_digests": 0,
    "red_lines": 0,
    "left_processes": 0,
    "left_folders": 0,
    "left_tasks": 0,
    "ctrl_c_without_one_line": 0,
}
PATIENCE = 300.0  # seconds for a cell
REPLY = 10.0  # seconds for the answer of a kernel that is idle
MARK = "SPECTRUM_STOP_BENCHMARK"
SETUP = """
from spectrum_workflows import connect, load_site, load_spec, plot, run, save
from spectrum_workflows.hep.fit import fit_peaks
site = load_site("laptop", changes={"workers.count": 2})
hep = load_spec("hep/quickstart").changed(partition={"max_events": 4000})
radio = load_spec("radio/vla_sim").changed(
    image={"npix": 128, "cell_arcsec": 10.0}, strips={"count": 2},
    clean={"iterations": 300}, partition={"max_visibilities": 5000},
)
"""
CONNECT = "place = connect(site, data={data!r}, results={results!r})"
CELLS = {
    "connect": CONNECT,
    "radio": "outcome = run(radio, place)",
    "hep": "outcome = run(hep, place)",
    "fit": "fit_peaks(outcome.result), plot(outcome)",
    "save": "save(outcome, place)",
    "close": "place.close()",
}
SHARES = {"connect": 1, "hep": 4, "radio": 5, "fit": 1, "save": 1, "close": 2}
DIGEST = "outcome = run({science}, place); print(outcome.digest)"
LEFT = "print(len(place.client.cluster.scheduler.tasks))"
OVER = "the cell was over"
STAGES = (
    ("shuffle", r"engine/shuffle"),
    ("map and merge", r"engine/(tree|lookout|window)"),
    ("clean", r"radio/(clean|image|strips|gridding)"),
    ("fit", r"/fit"),
    ("picture", r"/plot|matplotlib/"),
    ("save", r"/(record|write|results)"),
    ("plan", r"/plan"),
    ("start and end of workers", r"/sites/"),
    ("run, elsewhere", r"spectrum_workflows/front"),
)


@dataclass
class Answer:
    """What a cell gave back."""

    stdout: str = ""
    red: str = ""
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
    shown: int = 0
    replied: bool = True


@dataclass
class Found:
    """What all presses came to."""

    seconds: list[float] = field(default_factory=list)
    stages: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    red: list[str] = field(default_factory=list)
    processes: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    tasks: int = 0
    lines: list[str] = field(default_factory=list)


@dataclass
class Notebook:
    """A kernel, and what is sent to it."""

    manager: KernelManager
    client: BlockingKernelClient

    @classmethod
    def start(cls, environment: dict[str, str], folder: Path) -> Notebook:
        """A kernel in a group of processes of its own, as a server starts it."""
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=environment, cwd=str(folder))
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return cls(manager, client)

    def run(self, code: str, *, stop_after: float | None = None) -> Answer:
        """Run a cell; press Stop after some seconds if it is still running."""
        began, answer = time.monotonic(), Answer()
        number = self.client.execute(code)
        pressed = stop_after is None
        while True:
            left = 1.0 if pressed else max(0.0, began + stop_after - time.monotonic())
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except queue.Empty:
                if not pressed:
                    self.manager.interrupt_kernel()
                    pressed = True
                if time.monotonic() - began > PATIENCE:
                    raise TimeoutError(f"the kernel does not come back from: {code}") from None
                continue
            if message["parent_header"].get("msg_id") != number:
                continue
            if _take(answer, message):
                answer.seconds = time.monotonic() - began
                answer.replied = self._has_replied()
                return answer

    def _has_replied(self) -> bool:
        """Whether the kernel has said that the cell is over, besides being idle.

        ipykernel loses the reply if Stop meets it between the end of the cell and its answer.
        """
        try:
            self.client.get_shell_msg(timeout=REPLY)
        except queue.Empty:
            return False
        return True

    def workers(self) -> list[psutil.Process]:
        """Processes below the kernel, apart from Python's own helper."""
        kernel = psutil.Process(self.manager.provisioner.process.pid)
        below = kernel.children(recursive=True)
        return [p for p in below if "resource_tracker" not in _command(p)]

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def _take(answer: Answer, message: dict[str, Any]) -> bool:
    """Note a message of the kernel; whether the cell is over."""
    content = message["content"]
    match message["msg_type"]:
        case "stream" if content["name"] == "stdout":
            answer.stdout += content["text"]
        case "stream":
            answer.red += content["text"]
        case "error":
            answer.error, answer.trace = content["ename"], "\n".join(content["traceback"])
        case "display_data" | "update_display_data":
            answer.shown += 1
        case "status":
            return bool(content["execution_state"] == "idle")
    return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "resource_tracker"  # gone


def stage_of(answer: Answer) -> str:
    """Where the press met the cell: the innermost of our files in the traceback."""
    if not answer.replied:
        return "ipykernel, before its reply"
    if not answer.error:
        return OVER
    files = re.findall(
        r"[\w/.-]+/(?:spectrum_workflows|matplotlib)/[\w/]+\.py", _plain(answer.trace)
    )
    for file in reversed(files):
        for stage, pattern in STAGES:
            if re.search(pattern, file):
                return stage
    return "Python, elsewhere"


def _plain(text: str) -> str:
    """Text without colours and without the folders of files."""
    return re.sub(r'(?<=File ").*/', "", re.sub(r"\x1b\[[\d;]*m", "", text))


def lasting(notebook: Notebook, connect: str) -> dict[str, float]:
    """How long each cell takes by itself, all libraries loaded."""
    notebook.run("place.close()")
    taken: dict[str, float] = {}
    first, *between, last = CELLS
    for name in (first, *between, *between, last):  # the second time is like those stopped
        answer = notebook.run(connect if name == "connect" else CELLS[name])
        assert not answer.error, _plain(answer.trace)
        taken[name] = answer.seconds
    print(", ".join(f"{name} {taken[name]:.2f} s" for name in taken), file=sys.stderr)
    notebook.run(connect)
    return taken


def press(notebook: Notebook, found: Found, cell: str, delay: float, connect: str) -> bool:
    """Run a cell, press Stop, and look at what is left and whether the next run works.

    Whether the cell was still running then.
    """
    if cell == "connect":
        _close(notebook, found)
    if cell in {"fit", "save"}:
        notebook.run(CELLS["hep"])
    code = connect if cell == "connect" else CELLS[cell]
    answer = notebook.run(code, stop_after=delay)
    found.stages[f"{cell}: {stage_of(answer)}"] += 1
    _note_red(found, cell, answer)
    if answer.error not in {"", "KeyboardInterrupt"}:
        found.wrong.append(f"{cell} ended with {answer.error}: {_plain(answer.trace)[-2000:]}")
    began = time.monotonic()
    if cell in {"connect", "close"}:  # what a person does then
        _close(notebook, found)
        _note_red(found, "connect", notebook.run(connect))
    science = "radio" if cell == "radio" else "hep"
    after = notebook.run(DIGEST.format(science=science))
    found.seconds.append(time.monotonic() - began)
    _note_red(found, f"the run after {cell}", after)
    digest = after.stdout.strip()
    if digest != REFERENCE.get(science):
        found.wrong.append(f"the run after {cell}: {digest} {_plain(after.trace)[-2000:]}")
    where = f"{cell} at {delay:.2f} s, {stage_of(answer)}"
    print(f"{where}: next after {found.seconds[-1]:.1f} s", file=sys.stderr)
    return stage_of(answer) != OVER


REFERENCE: dict[str, str] = {}


def _note_red(found: Found, cell: str, answer: Answer) -> None:
    if answer.red.strip():
        found.red.append(f"{cell}: {_plain(answer.red)[-1000:]}")


def _close(notebook: Notebook, found: Found) -> None:
    """Close the place, if there is one, and see that nothing is left."""
    tasks = notebook.run("del outcome\n" + LEFT).stdout.strip()
    found.tasks += int(tasks) if tasks.isdigit() else 0
    answer = notebook.run("place.close()")
    _note_red(found, "close", answer)
    found.processes |= _left(notebook.workers())
    scratch = notebook.run("import tempfile; print(tempfile.gettempdir())").stdout.strip()
    found.folders |= {p.name for p in Path(scratch).glob("spectrum-*")}


def _left(processes: list[psutil.Process]) -> set[str]:
    """Those that do not end of themselves within moments."""
    _, alive = psutil.wait_procs(processes, timeout=3)
    return {f"{p.pid} {_command(p)[:150]}" for p in alive if "resource_tracker" not in _command(p)}


def ctrl_c(environment: dict[str, str], folder: Path, delay: float) -> tuple[int, str]:
    """Start a run on the command line, press Ctrl-C; how it ended, and what it wrote to stderr."""
    command = [str(Path(sys.executable).with_name("spectrum")), "run", "hep/quickstart"]
    command += ["--site", "laptop", "--set", "workers.count=2"]
    command += ["--data", str(folder), "--out", str(folder / "results")]
    process = subprocess.Popen(
        [sys.executable, "-c", AS_IN_A_TERMINAL, *command],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, words = process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        _, words = process.communicate(timeout=PATIENCE)
    return process.returncode, words


AS_IN_A_TERMINAL = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


def commands(found: Found, environment: dict[str, str], folder: Path, count: int) -> None:
    """Press Ctrl-C at runs of the command line."""
    for _ in range(2 if count else 0):  # the first one may still compile
        began = time.monotonic()
        code, words = ctrl_c(environment, folder, PATIENCE - 1)
        whole = time.monotonic() - began
        assert code == 0, words
    met = 0
    while met < count:
        delay = random.uniform(STARTED, 1.0) * whole
        code, words = ctrl_c(environment, folder, delay)
        if (code, words.count("\n")) not in {(130, 1), (0, 0)}:
            found.lines.append(f"exit code {code} after {delay:.2f} s: {words[-1500:]}")
        found.stages[f"command line: exit code {code}"] += 1
        met += code != 0  # else the run was over


STARTED = 0.15  # of the time of a whole run: Python itself has started


def measure(presses: int, seed: int, folder: Path) -> tuple[Found, dict[str, float]]:
    """All presses, in a folder of their own."""
    random.seed(seed)
    (temporary := folder / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(temporary), MARK: str(folder)}
    connect = CONNECT.format(data=str(folder), results=str(folder / "results"))
    notebook, found = Notebook.start(environment, folder), Found()
    try:
        made = notebook.run(
            f"{SETUP}\nfrom spectrum_workflows import make_data\n{connect}\n"
            "make_data(hep, place, size=12_000)\nmake_data(radio, place, size=20_000)"
        )
        assert not made.error, _plain(made.trace)
        for science in ("radio", "hep"):
            answer = notebook.run(DIGEST.format(science=science))
            REFERENCE[science] = answer.stdout.strip()
            print(f"first {science}: {answer.seconds:.1f} s", file=sys.stderr)
        taken = lasting(notebook, connect)
        met = 0
        while met < presses - presses // 5:
            [cell] = random.choices([*SHARES], [*SHARES.values()])
            delay = random.uniform(0.0, 1.0) * taken[cell]
            met += press(notebook, found, cell, delay, connect)
        _close(notebook, found)
    finally:
        notebook.stop()
    commands(found, environment, folder, presses // 5)
    found.processes |= _left(marked(folder))
    found.folders |= {
        p.name for p in temporary.iterdir() if p.name.startswith(("spectrum", "dask"))
    }
    found.folders |= unfinished(folder / "results")
    return found, taken


def marked(folder: Path) -> list[psutil.Process]:
    """Processes that descend from the benchmark, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def unfinished(results: Path) -> set[str]:
    """Folders of results without a record."""
    folders = [p for p in results.glob("*") if p.is_dir() and not p.name.startswith(".")]
    return {p.name for p in folders if not (p / "record.json").exists()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stop-") as folder:
        found, taken = measure(options.presses, options.seed, Path(folder))
    result = summary(found, taken, options.presses)
    show(result, as_json=options.json)
    sys.exit(0 if result["holds"] else 1)


def summary(found: Found, taken: dict[str, float], presses: int) -> dict[str, Any]:
    """Numbers against the bars, and in words what fell short of them."""
    ratios = {
        "seconds_to_next_result": max(found.seconds, default=0.0),
        "wrong_digests": len(found.wrong),
        "red_lines": len(found.red),
        "left_processes": len(found.processes),
        "left_folders": len(found.folders),
        "left_tasks": found.tasks,
        "ctrl_c_without_one_line": len(found.lines),
    }
    return finished(
        ratios,
        BARS,
        at_most=True,
        presses=presses,
        met=dict(sorted(found.stages.items())),
        seconds_of_a_cell={name: round(value, 2) for name, value in taken.items()},
        median_seconds_to_next_result=round(sorted(found.seconds)[len(found.seconds) // 2], 2),
        short=[*found.wrong, *found.red, *found.lines, *found.processes, *found.folders],
    )


if __name__ == "__main__":
    main()

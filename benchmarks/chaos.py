"""Faults at random moments: after each, the run is given again until it is done.

A round draws a science, a place and a fault; it starts a session of its own, waits until the
first partition is done, lets a random time pass, and does harm.  Then the same run is given
again, at most three times.  It must end with the digest of the undisturbed run; the ledger must
be whole, and no process, job or temporary object of the round may be left.

Faults: a worker, or the session with its scheduler, is killed, stopped, ended or interrupted;
a SLURM job is cancelled, or hangs while it shows as running; a byte of the input, of the ledger
or of what is known of files is flipped; the input is exchanged in the middle; two sessions run
at once below one results root; results, or a worker's scratch, are on a disk that is full; the
workers have too little memory.

Rounds are written to a file as they end; given again, the benchmark goes on where it stopped.

    python benchmarks/chaos.py --rounds 100 --json
    python tests/services/with_services.py slurm -- python benchmarks/chaos.py --json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from report import finished, show
from spectrum_workflows import load_site, load_spec, make_data, run
from spectrum_workflows.ledgers import questions
from spectrum_workflows.sites import Place

HERE = Path(__file__).parent
BARS = {
    "wrong_digests": 0,
    "not_done": 0,
    "damaged_ledgers": 0,
    "left_processes": 0,
    "left_jobs": 0,
    "left_objects": 0,
    "computed_again": 1.0,
}
PATIENCE = 180.0  # seconds in which a session ends, whatever happened to it
AGAIN = 3
MARK = "SPECTRUM_CHAOS"
WORKERS = 2
FAN_IN, WINDOW, EVENTS = 8, 3, 250
"""Of the HEP merge tree; partitions in flight for each worker; events of each partition."""

HEP = f"""
workflow = "hep"
name = "chaos"
select = "chaos_select.py:select"
columns = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge", "event"]
normalisation = "none"
partition = {{max_events = {EVENTS}}}
synthetic = {{events = 12_000, cluster_events = {EVENTS}}}
samples.zmumu = {{files = ["zmumu.root"], generator = "zmumu"}}
histograms.mass = {{observable = "dimuon", bins = 60, start = 60.0, stop = 120.0}}
"""
RADIO = """
workflow = "radio"
name = "chaos"
data_set = "chaos"
image = {npix = 512, cell_arcsec = 4.0}
weighting = {scheme = "briggs"}
partition = {max_visibilities = 20_000}
clean = {threshold = 1e-3, mgain = 0.4, max_major = 12}

[synthetic]
telescope = "vla-d"
visibilities = 160_000
channels = 8
sefd_jy = 20.0
point_sources = 12
"""
SPECS = {"hep": HEP, "radio": RADIO, "radio strips": "strips = {count = 2}\n" + RADIO}


@dataclass
class Session:
    """A process that runs a spec, and what it has said so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    moving: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Take down what it says, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.lines.append(json.loads(line))
                if "moves" in self.lines[-1]:
                    self.moving.set()
        self.moving.set()

    def value(self, name: str) -> Any:
        """What it said under a name, the last time."""
        return next((line[name] for line in reversed(self.lines) if name in line), None)

    def end(self) -> None:
        """Wait for the end; after a while make one."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Round:
    """What is to be done in a round.

    Attributes
    ----------
    number : int
    science, site, fault : str
    moment : float
        Part of an undisturbed run that passes after its first partition.
    """

    number: int
    science: str
    site: str
    fault: str
    moment: float


@dataclass
class Result:
    """How a round ended."""

    round: Round
    seconds: float = 0.0
    runs: int = 0
    digest: str = ""
    error: str = ""
    ended: str = ""
    computed: int = 0
    partitions: int = 0
    resumed: int = 0
    damaged: int = 0
    processes: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)


@dataclass
class Stage:
    """Where a round takes place: its folders, and what its sessions are given."""

    folder: Path
    data: Path
    round: Round
    settings: dict[str, Any]

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def log(self) -> Path:
        return self.folder / "computed"

    def spec(self) -> Path:
        """The file of the spec; the partitions that are computed are noted beside it."""
        path = self.folder / "chaos.toml"
        text = SPECS[self.round.science]
        if self.round.science == "hep":
            text = f"cuts = {{log = {json.dumps(str(self.log))}}}\n{text}"
            shutil.copy(HERE / "chaos_select.py", self.folder)
        path.write_text(text)
        return path

    def start(self, *, site: str = "", **settings: Any) -> Session:
        """Start a session."""
        asked = {
            "site": site or self.round.site,
            "settings": self.settings | settings,
            "data": str(self.data),
            "results": str(self.results),
            "spec": str(self.spec()),
        }
        command = [sys.executable, str(HERE / "chaos_session.py"), json.dumps(asked)]
        environment = os.environ | {MARK: str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        with (self.folder / "stderr").open("a") as errors:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
                env=environment,
            )
        session = Session(process)
        threading.Thread(target=session.read, daemon=True).start()
        return session

    def later(self, lasts: float) -> None:
        """Let the round's moment come."""
        time.sleep(self.round.moment * lasts)


Harm = Callable[[Stage, Session, float], None]
"""``harm(stage, session, lasts)``: a run of which the first partition is done is disturbed."""


def signalled(number: signal.Signals, *, worker: bool, awake_after: float = 0.0) -> Harm:
    """A signal to one of the workers, or to the session."""

    def harm(stage: Stage, session: Session, lasts: float) -> None:
        stage.later(lasts)
        pids = session.value("workers") or []
        pid = random.choice(pids) if worker and pids else session.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if awake_after:
                time.sleep(awake_after)
                os.kill(pid, signal.SIGCONT)

    return harm


def killed_with_all(stage: Stage, session: Session, lasts: float) -> None:
    """The machine goes off: session and workers at once."""
    stage.later(lasts)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session.process.pid, signal.SIGKILL)


def flipped(where: Callable[[Stage], list[Path]]) -> Harm:
    """The session is killed, and a byte of some file is another one."""

    def harm(stage: Stage, session: Session, lasts: float) -> None:
        killed_with_all(stage, session, lasts)
        session.process.wait()
        files = [path for path in where(stage) if path.stat().st_size]
        if files:
            flip(random.choice(files))

    return harm


def flip(path: Path) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def in_ledger(stage: Stage) -> list[Path]:
    return [*stage.results.glob(".known/ledger/*/*.entry")]


def in_known(stage: Stage) -> list[Path]:
    found = stage.results.glob(".known/**/*")
    return [path for path in found if path.is_file() and "ledger" not in path.parts]


def bad_input(stage: Stage, session: Session, lasts: float) -> None:
    """A byte of the input is another one, and the run goes on; then the input is restored.

    What was read of it is refused, or was not needed; the digest is never another one.
    """
    files = [path for path in stage.data.rglob("*") if path.is_file()]
    kept = {path: path.read_bytes() for path in files}
    path = random.choices(files, [len(content) for content in kept.values()])[0]
    flip(path)
    stage.later(lasts)
    session.end()
    path.write_bytes(kept[path])


def exchanged(stage: Stage, session: Session, lasts: float) -> None:
    """Another file takes the place of the input in the middle of the run."""
    stage.later(lasts / 2)
    path = max((path for path in stage.data.rglob("*") if path.is_file()), key=_size)
    kept = path.with_suffix(".kept")
    path.rename(kept)
    shutil.copy(kept, path)
    flip(path)
    session.end()
    kept.replace(path)


def _size(path: Path) -> int:
    return path.stat().st_size


def two_at_once(stage: Stage, session: Session, _lasts: float) -> None:
    """Another session asks the same at the same time."""
    other = stage.start()
    session.end()
    other.end()
    assert other.value("digest") is not None, other.lines


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_results(stage: Stage, session: Session, _lasts: float) -> None:
    """What is finished cannot be kept: the disk below the results root is full."""
    killed_with_all(stage, session, 0.0)
    session.process.wait()
    shutil.rmtree(stage.results)
    with small_disk(stage.results, "64k"):
        stage.start().end()


def full_scratch(stage: Stage, session: Session, _lasts: float) -> None:
    """Workers cannot write what does not fit into memory."""
    killed_with_all(stage, session, 0.0)
    session.process.wait()
    with small_disk(stage.folder / "small", "16k"):
        stage.start(**{"cluster.local_directory": str(stage.folder / "small")}).end()


def little_memory(stage: Stage, session: Session, _lasts: float) -> None:
    """Workers that have not enough for anything: the run ends with an error, or goes on."""
    killed_with_all(stage, session, 0.0)
    session.process.wait()
    settings: dict[str, Any] = {"cluster.memory_limit": "180MB", "workers.patience": 8.0}
    stage.start(**settings).end()


def cancelled(stage: Stage, _session: Session, lasts: float) -> None:
    """One of the jobs is cancelled."""
    stage.later(lasts)
    if jobs := jobs_of(stage):
        subprocess.run(["scancel", random.choice(jobs)], check=False)


def hanging_job(stage: Stage, session: Session, lasts: float) -> None:
    """A job hangs while it shows as running: a worker, and the process that would restart it."""
    stage.later(lasts)
    for pid in (session.value("workers") or [])[:1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker = psutil.Process(pid)
            for process in (worker.parent(), worker):
                if process is not None:
                    process.suspend()


def jobs_of(_stage: Stage) -> list[str]:
    """Jobs in the queue."""
    if shutil.which("squeue") is None:
        return []
    listed = subprocess.run(
        ["squeue", "--noheader", "--format=%i"], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


def slurm_is_up() -> bool:
    """Whether there is a SLURM, and it answers."""
    if shutil.which("sinfo") is None:
        return False
    return subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0


EVERYWHERE: dict[str, Harm] = {
    "worker SIGKILL": signalled(signal.SIGKILL, worker=True),
    "worker SIGTERM": signalled(signal.SIGTERM, worker=True),
    "worker SIGSTOP": signalled(signal.SIGSTOP, worker=True),
    "session SIGKILL": signalled(signal.SIGKILL, worker=False),
    "session SIGTERM": signalled(signal.SIGTERM, worker=False),
    "session SIGINT": signalled(signal.SIGINT, worker=False),
    "session SIGSTOP, SIGCONT": signalled(signal.SIGSTOP, worker=False, awake_after=2.0),
    "machine off": killed_with_all,
    "byte of the ledger": flipped(in_ledger),
    "byte of what is known": flipped(in_known),
    "byte of the input": bad_input,
    "input exchanged": exchanged,
    "two at once": two_at_once,
    "results full": full_results,
}
LAPTOP = EVERYWHERE | {"scratch full": full_scratch, "little memory": little_memory}
SLURM = EVERYWHERE | {"job cancelled": cancelled, "job hangs": hanging_job}
FAULTS: dict[str, dict[str, Harm]] = {"laptop": LAPTOP, "slurm": SLURM}


def drawn(rounds: int, seed: int, sites: list[str]) -> list[Round]:
    """The rounds, every fault about as often, whatever their number."""
    rng = random.Random(seed)
    kinds = [(site, fault) for site in sites for fault in FAULTS[site]]
    order: list[tuple[str, str]] = []
    while len(order) < rounds:
        order += rng.sample(kinds, len(kinds))
    return [
        Round(n, rng.choice([*SPECS]), site, fault, round(rng.uniform(0.0, 0.9), 3))
        for n, (site, fault) in enumerate(order[:rounds])
    ]


def play(each: Round, data: Path, reference: Mapping[str, Any]) -> Result:
    """One round."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    (folder / "tmp").mkdir()
    shutil.copytree(data / each.science.split()[0], folder / "data")
    settings = {
        "ledger.after": 0.0,
        "workers.count": WORKERS,
        "workers.silence": 6.0,
        "workers.partition_timeout": 5.0,
        "workers.patience": 40.0,
    }
    stage = Stage(folder, folder / "data", each, settings)
    result = Result(each, partitions=reference["partitions"][each.science])
    random.seed(each.number)
    try:
        session = disturb_and_finish(stage, result, reference["lasts"][each.science])
    except BaseException:
        kill_all(stage.folder)
        raise
    result.digest, result.error = session.value("digest") or "", session.value("error") or ""
    result.resumed = sum(session.value("resumed") or [0])
    result.computed = computed_of(stage)
    look_round(stage, result)
    result.seconds = round(time.monotonic() - began, 1)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def disturb_and_finish(stage: Stage, result: Result, lasts: float) -> Session:
    """The first run, with its fault, and further ones until one is done; the last of them."""
    each = stage.round
    session = stage.start()
    session.moving.wait(PATIENCE)
    FAULTS[each.site][each.fault](stage, session, lasts)
    session.end()
    result.ended = str(session.value("error") or session.process.returncode)
    result.runs = 1
    while session.value("digest") is None and result.runs <= AGAIN:
        session = stage.start()
        session.end()
        result.runs += 1
    return session


def computed_of(stage: Stage) -> int:
    """Times that a whole partition was selected; a run also tries halves of the first one."""
    lines = stage.log.read_text().splitlines() if stage.log.exists() else []
    return sum(int(line.split()[1]) == EVENTS for line in lines)


def kill_all(folder: Path) -> None:
    """End what is left of a round's sessions and their workers."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder):
                process.kill()


def look_round(stage: Stage, result: Result) -> None:
    """What is left of a round."""
    end = time.monotonic() + 10
    while (left := processes_of(stage.folder)) and time.monotonic() < end:
        time.sleep(0.1)
    result.processes = left
    kill_all(stage.folder)
    result.jobs = jobs_of(stage)
    place = Place(load_site("serial"), str(stage.data), str(stage.results))
    result.damaged = sum(len(one.damaged) for one in questions(place))
    suspects = [*stage.results.rglob("*.part"), *stage.results.rglob("*.tmp*")]
    suspects += [*(stage.folder / "tmp").glob("spectrum-*")] if result.runs == 1 else []
    result.objects = [path.name for path in suspects]


def processes_of(folder: Path) -> list[str]:
    """Processes of a round's sessions that are still there."""
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            stuck = process.status() == psutil.STATUS_ZOMBIE
            if process.environ().get(MARK) == str(folder) and not stuck:
                command = " ".join(process.cmdline())
                if "resource_tracker" not in command:
                    left.append(f"{process.pid} {command[:120]}")
    return left


def undisturbed(data: Path) -> dict[str, Any]:
    """Digest, partitions and seconds of each run, once the kernels are compiled."""
    reference: dict[str, Any] = {"digest": {}, "partitions": {}, "lasts": {}}
    site = load_site("serial", changes={"ledger.enabled": False})
    for science, text in SPECS.items():
        root = data / science.split()[0]
        root.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "chaos_select.py", root)
        (root / "chaos.toml").write_text(text)
        spec, place = load_spec(root / "chaos.toml"), Place(site, str(root), str(root))
        make_data(spec, place)
        run(spec, place, watch=False)
        began = time.monotonic()
        outcome = run(spec, place, watch=False)
        reference["lasts"][science] = (time.monotonic() - began) / WORKERS
        reference["digest"][science] = outcome.digest
        reference["partitions"][science] = len(outcome.plan.partitions)
        (root / "chaos.toml").unlink()
        (root / "chaos_select.py").unlink()
    return reference


def again_of(result: Result) -> float:
    """Partitions computed more than once, over those that a killed session may cost."""
    ended = result.round.fault.startswith(("session", "machine"))
    if result.round.science != "hep" or result.runs != 2 or not ended:
        return 0.0
    allowed = WORKERS * (WINDOW + FAN_IN)
    return max(result.computed - result.partitions, 0) / allowed


def summed(results: list[Result], reference: Mapping[str, Any]) -> dict[str, Any]:
    """The object that is printed."""
    wrong = [r for r in results if r.digest and r.digest != reference["digest"][r.round.science]]
    ratios = {
        "wrong_digests": len(wrong),
        "not_done": sum(not r.digest for r in results),
        "damaged_ledgers": sum(bool(r.damaged) for r in results),
        "left_processes": sum(len(r.processes) for r in results),
        "left_jobs": sum(len(r.jobs) for r in results),
        "left_objects": sum(len(r.objects) for r in results),
        "computed_again": max(map(again_of, results), default=0.0),
    }
    kinds = Counter(f"{r.round.site}: {r.round.fault}" for r in results)
    bad = [
        r for r in results if r in wrong or not r.digest or r.damaged or r.processes or r.objects
    ]
    return finished(
        ratios,
        BARS,
        at_most=True,
        benchmark="chaos",
        rounds=len(results),
        faults=dict(sorted(kinds.items())),
        longest_round=max(r.seconds for r in results),
        median_round=sorted(r.seconds for r in results)[len(results) // 2],
        runs=dict(Counter(str(r.runs) for r in results)),
        trouble=[asdict(r) for r in bad],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose name holds these words")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "spectrum-chaos"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    work = Path(options.work).resolve()
    sites = ["laptop", *(["slurm"] if slurm_is_up() else [])]
    reference = undisturbed(work / "data")
    ended = work / f"rounds-{options.seed}-{'-'.join(sites)}.jsonl"
    results = [_read(line) for line in ended.read_text().splitlines()] if ended.exists() else []
    done = {result.round for result in results}
    for each in drawn(options.rounds, options.seed, sites):
        if each in done or options.only not in f"{each.site}: {each.fault}":
            continue
        result = play(each, work / "data", reference)
        results.append(result)
        with ended.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        right = result.digest == reference["digest"][each.science]
        words = f"{each.number}: {each.fault}, {each.science} at {each.site}: {result.runs} runs"
        print(f"{words}, {result.seconds} s, {'same' if right else 'TROUBLE'}", file=sys.stderr)
    show(summed(results, reference), as_json=options.json)


def _read(line: str) -> Result:
    words = json.loads(line)
    return Result(**{**words, "round": Round(**words["round"])})


if __name__ == "__main__":
    main()

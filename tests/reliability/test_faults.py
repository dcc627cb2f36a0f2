"""Every kind of fault of the chaos benchmark has a test: `faults.toml` says which.

Here are those that no other file has: a run is disturbed in the middle, and comes to the digest of
an undisturbed one, at once or given again.
"""

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

sys.path.insert(0, str(Path(__file__).parent))
import muon_pairs

from spectrum_workflows import connect, load_site, load_spec, make_data, run
from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.ledgers import questions
from spectrum_workflows.resuming import FOLDER, KNOWN
from spectrum_workflows.sites import Place

ROOT = Path(__file__).parents[2]
PARTITIONS = 24
SELECT = '''"""Muon pairs, slowly."""
import time
from spectrum_workflows.hep.analyses import dimuon

def select(events):
    time.sleep(0.1)
    return dimuon.select(events)
'''
SPEC = muon_pairs.spec("faults", "mine.py:select")
RUN = """
import json, sys
from spectrum_workflows import load_site, load_spec, run
from spectrum_workflows.sites import Place
if __name__ == "__main__":
    place = Place(load_site("serial", changes={"ledger.after": 0.0}), sys.argv[1], sys.argv[2])
    print(json.dumps(run(load_spec(sys.argv[3]), place, watch=False).digest))
"""
ON_WORKERS = """
import json, sys
from spectrum_workflows import connect, load_site, load_spec, run
def watch(state):
    if state.stage == "select" and state.done == 4:
        print("moving", flush=True)
if __name__ == "__main__":
    site = load_site("laptop", changes={"workers.count": 1})
    with connect(site, data=sys.argv[1], results=sys.argv[2]) as place:
        print(json.dumps(run(load_spec(sys.argv[3]), place, watch=watch).digest))
"""


# The table


def faults() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_name("faults.toml").read_text())


def test_every_test_of_the_table_is_there() -> None:
    for kinds in faults().values():
        for kind, tests in kinds.items():
            assert tests, kind
            for name in tests:
                file, *inside = name.split("::")
                tree: Any = ast.parse((ROOT / "tests" / file).read_text())
                for part in inside:
                    named = [node for node in tree.body if getattr(node, "name", "") == part]
                    assert len(named) == 1, name
                    [tree] = named


def test_every_fault_of_the_benchmark_is_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("chaos", ROOT / "benchmarks" / "chaos.py")
    assert spec is not None
    assert spec.loader is not None
    chaos = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "chaos", chaos)  # its dataclasses look there
    spec.loader.exec_module(chaos)
    known = {fault for site in chaos.FAULTS.values() for fault in site}
    assert len(known) > 15
    assert known == {*faults()["of benchmarks/chaos.py"]}


def test_all_of_them_are_run_with_this_folder(pytestconfig: pytest.Config) -> None:
    here = Path(__file__).parent
    plugin: Any = pytestconfig.pluginmanager.get_plugin(str(here / "conftest.py"))
    named = {name for kind in faults().values() for tests in kind.values() for name in tests}
    for folder, words in ((ROOT, "tests/reliability"), (here, "."), (ROOT, f"{here}/")):
        asked, *others = plugin.completed([words], folder)
        assert asked == words
        own = {name for name in named if name.startswith("reliability/")}
        assert {*others} == {str(ROOT / "tests" / name) for name in named - own}
        assert len(others) == len({*others}) > 10
    for fewer in (["tests"], [], ["tests/reliability/test_faults.py"], [words, "tests/engine"]):
        assert plugin.completed(fewer, ROOT) == fewer


# The tests that no other file has


def site(name: str = "serial", **changes: Any) -> Any:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return load_site(name, changes={"ledger.after": 0.0, **changed})


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being kept when a run ends is kept, however busy the machine is."""
    monkeypatch.setattr("spectrum_workflows.engine.ledger.LAST_WORDS", 100.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec, a slow selection and data."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "mine.py").write_text(SELECT)
    (folder / "faults.toml").write_text(SPEC)
    make_data(load_spec(folder / "faults.toml"), Place(site(), str(folder), str(folder)))
    return folder


@pytest.fixture(scope="module")
def digest(made: Path) -> str:
    """Of an undisturbed run that keeps nothing."""
    place = Place(site(ledger__enabled=False), str(made), str(made / "none"))
    outcome = run(load_spec(made / "faults.toml"), place, watch=False)
    assert len(outcome.plan.partitions) == PARTITIONS
    return str(outcome.digest)


def disturbed(made: Path, place: Place, harms: dict[int, Callable[[], object]]) -> str:
    """Digest of a run in which something happens when so many partitions are done."""
    left = dict(harms)

    def watch(state: Any) -> None:
        for done in [done for done in left if state.stage == "select" and state.done >= done]:
            left.pop(done)()

    outcome = run(load_spec(made / "faults.toml"), place, watch=watch)
    assert left == {}
    return str(outcome.digest)


def again(made: Path, results: Path) -> tuple[str, int]:
    """Digest of the same run given again in one process, and what it went on from."""
    place = Place(site(), str(made), str(results))
    outcome = run(load_spec(made / "faults.toml"), place, watch=False)
    assert [one.damaged for one in questions(place)] == [()]
    return str(outcome.digest), outcome.metrics.resumed


def test_workers_that_are_ended_or_killed(made: Path, digest: str, tmp_path: Path) -> None:
    asked = site("laptop", workers__count=2)
    with connect(asked, data=str(made), results=str(tmp_path)) as place:
        first, second = place.client.run(os.getpid).values()  # before: a dying one does not answer
        harms = {
            4: lambda: os.kill(first, signal.SIGTERM),
            14: lambda: os.kill(second, signal.SIGKILL),
        }
        assert disturbed(made, place, harms) == digest


def test_a_scratch_that_is_full(made: Path, digest: str, tmp_path: Path) -> None:
    """Of a worker that cannot write what does not fit into its memory."""
    with small_disk(tmp_path / "scratch", "16k") as scratch:
        asked = site("laptop", workers__count=1, cluster__local_directory=str(scratch))
        with connect(asked, data=str(made), results=str(tmp_path / "results")) as place:
            try:
                ended = disturbed(made, place, {})
            except SpectrumError as error:
                ended = str(error)
    assert digest in (ended, again(made, tmp_path / "results")[0])


def test_a_results_root_that_is_full(made: Path, digest: str, tmp_path: Path) -> None:
    """A run whose work cannot be kept any more is not ended for it, and says so."""
    results = tmp_path / "results"

    def watch(state: Any) -> None:
        if state.stage == "select" and state.done >= 4:
            with suppress(OSError), (results / f"ballast{state.done}").open("wb") as ballast:
                ballast.write(bytes(2**18))

    with small_disk(results, "128k"):
        outcome = run(
            load_spec(made / "faults.toml"), Place(site(), str(made), str(results)), watch=watch
        )
        assert outcome.digest == digest
        assert any("could not be kept" in warning for warning in outcome.warnings)
    assert again(made, results) == (digest, 0)
    assert again(made, results) == (digest, PARTITIONS)


def test_two_sessions_at_once_below_one_results_root(
    made: Path, digest: str, tmp_path: Path
) -> None:
    script, results = tmp_path / "run.py", tmp_path / "results"
    script.write_text(RUN)
    command = [sys.executable, str(script), str(made), str(results), str(made / "faults.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        while not questions(Place(site(), str(made), str(results))) and other.poll() is None:
            time.sleep(0.01)
        mine, _ = again(made, results)
        theirs, _ = other.communicate(timeout=100)
    assert (mine, json.loads(theirs)) == (digest, digest)
    assert again(made, results) == (digest, PARTITIONS)
    assert [*results.rglob("*.part")] == []


def test_a_session_that_stands_still_for_a_while(made: Path, digest: str, tmp_path: Path) -> None:
    """Its workers hear nothing of it for longer than a sign of life usually takes."""
    script, results = tmp_path / "run.py", tmp_path / "results"
    script.write_text(ON_WORKERS)
    command = [sys.executable, str(script), str(made), str(results), str(made / "faults.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "moving\n"
        session.send_signal(signal.SIGSTOP)
        time.sleep(3)
        session.send_signal(signal.SIGCONT)
        ended, _ = session.communicate(timeout=100)
    assert json.loads(ended) == digest


def test_clocks_that_go_wrong(made: Path, digest: str, tmp_path: Path) -> None:
    """Entries of yesterday and of tomorrow serve; input with another time is read again."""
    results, data = tmp_path / "results", tmp_path / "data"
    shutil.copytree(made, data)
    assert again(data, results) == (digest, 0)
    for n, entry in enumerate((results / KNOWN / FOLDER).rglob("*.entry")):
        moment = time.time() + (-1) ** n * 100_000
        os.utime(entry, (moment, moment))
    assert again(data, results) == (digest, PARTITIONS)
    tomorrow = time.time() + 100_000
    os.utime(data / "zmumu.root", (tomorrow, tomorrow))
    assert again(data, results) == (digest, 0)


@pytest.mark.filterwarnings("ignore:.*reachable without TLS")
def test_a_nanny_and_then_the_scheduler_are_killed(made: Path, digest: str, tmp_path: Path) -> None:
    """Another worker does the work of the first; without a scheduler it is for the next run."""
    with ExitStack() as stack:
        scheduler, address = stack.enter_context(a_scheduler(tmp_path))
        nannies = [stack.enter_context(a_nanny(address, tmp_path)) for _ in range(2)]
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=100)
            workers = client.run(os.getpid, nanny=False)
        changes = {"cluster__address": address, "cluster__insecure": True, "workers__patience": 5.0}
        asked = site("existing", **changes)
        with connect(asked, data=str(made), results=str(tmp_path / "first")) as place:
            assert disturbed(made, place, {3: nannies[0].kill}) == digest
            assert [process.poll() for process in nannies] == [-signal.SIGKILL, None]
            assert len(place.client.scheduler_info(-1)["workers"]) == 1
        results = tmp_path / "second"
        with connect(asked, data=str(made), results=str(results)) as place:

            def watch(state: Any) -> None:
                if state.stage == "select" and questions(Place(site(), str(made), str(results))):
                    scheduler.kill()

            with pytest.raises(SpectrumError, match="scheduler|no worker"):
                run(load_spec(made / "faults.toml"), place, watch=watch)
        assert scheduler.poll() == -signal.SIGKILL
        assert until(lambda: not any(map(psutil.pid_exists, workers.values()))), "a worker is left"
    ended, resumed = again(made, results)
    assert ended == digest
    assert 8 <= resumed < PARTITIONS


@contextmanager
def a_scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    file = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with a_process("scheduler", *options, "--scheduler-file", str(file)) as process:
        assert until(lambda: file.exists() and file.read_text().endswith("}"))
        yield process, json.loads(file.read_text())["address"]


@contextmanager
def a_nanny(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--nthreads", "1", "--no-dashboard", "--death-timeout", "100")
    with a_process("worker", address, *options, "--local-directory", str(folder)) as process:
        yield process


@contextmanager
def a_process(program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *words]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def until(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes, where this user may mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)

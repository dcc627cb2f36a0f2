"""A trial reading in a process of its own: a copy of this one, or a new Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2 import probing

WALKS = {
    "ends": "say('FLAG of main table')",
    "dies": "say('UVW of main table'); say('FLAG of main table'); os.abort()",
    "hangs": "say('FLAG of main table'); time.sleep(60)",
    "is stopped": "os.kill(os.getpid(), signal.SIGKILL)",
}
EXPECTED = {
    "ends": probing.Ending(0, "FLAG of main table"),
    "dies": probing.Ending(-6, "FLAG of main table"),
    "hangs": probing.Ending(None, "FLAG of main table"),
    "is stopped": probing.Ending(-9, "its beginning"),
}

PROGRAM = """
import os, signal, sys, time
from spectrum_workflows.radio.read.msv2 import probing, walk

def pretended(path, say):
    {walk}

probing.SECONDS = 1.0 if {walk!r}.endswith("(60)") else 60.0
walk.walk = pretended
assert probing.may_fork()
sys.stdout.write("before\\n")
sys.stdout.flush()
ending = probing.forked("x.ms")
sys.stdout.write(f"{{ending}}\\n")
"""


def in_a_process(program: str) -> list[str]:
    """Lines of what a fresh Python says, which has one thread."""
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=alone, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("how", WALKS)
def test_a_copy_of_this_process_says_how_it_ended(how: str) -> None:
    assert in_a_process(PROGRAM.format(walk=WALKS[how])) == ["before", str(EXPECTED[how])]


@pytest.mark.parametrize("how", WALKS)
def test_a_new_python_says_how_it_ended(how: str, tmp_path: Path, monkeypatch) -> None:
    said = "import os, signal, sys, time\ndef say(where): print(where, flush=True)\n"
    program = tmp_path / "walk.py"
    program.write_text(said + WALKS[how])
    monkeypatch.setattr(probing, "WALK", program)
    monkeypatch.setattr(probing, "SECONDS", 2.0 if how == "hangs" else 60.0)
    assert probing.started("x.ms") == EXPECTED[how]


def test_both_walk_through_a_set(small: Path) -> None:
    program = f"""
from spectrum_workflows.radio.read.msv2 import probing
print(probing.forked({str(small / "small.ms")!r}))
print(probing.started({str(small / "small.ms")!r}))
"""
    forked, started = in_a_process(program)
    assert forked == started
    assert forked.startswith("Ending(code=0, where='")
    assert "its beginning" not in forked


def test_a_process_with_threads_is_not_copied() -> None:
    program = """
import threading
from spectrum_workflows.radio.read.msv2 import probing
end = threading.Event()
other = threading.Thread(target=end.wait)
other.start()
print(probing.may_fork())
end.set()
"""
    assert in_a_process(program) == ["False"]


def test_a_process_of_a_pool_is_not_copied() -> None:
    program = """
import multiprocessing
from spectrum_workflows.radio.read.msv2 import probing
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply(probing.may_fork))
"""
    assert in_a_process(program) == ["False"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("dies", "casacore dies of it (SIGABRT at FLAG of main table)"),
        ("hangs", "casacore does not get through it in 300 s (at FLAG of main table)"),
        ("is stopped", "reading it was stopped (SIGKILL at its beginning)"),
    ],
)
def test_a_set_that_casacore_does_not_survive_is_refused(how, said, small, monkeypatch) -> None:
    monkeypatch.setattr(probing, "may_fork", lambda: True)
    monkeypatch.setattr(probing, "forked", lambda _path: EXPECTED[how])
    probing._walked.cache_clear()
    with pytest.raises(DataError) as raised:
        probing.probe(str(small / "small.ms"))
    assert raised.value.what == said
    probing._walked.cache_clear()

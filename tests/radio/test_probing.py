"""A trial reading in a process of its own: a copy of this one, or a new Python."""

import os
import subprocess
import sys
from pathlib import Path

import casacore.tables as casa
import numpy as np
import pytest

from spectrum_workflows.errors import DataError
from spectrum_workflows.radio.read.msv2 import probing
from spectrum_workflows.radio.read.msv2.cells import selected

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")

WALKS = {
    "ends": "say('FLAG of main table')",
    "dies": "say('UVW of main table'); say('FLAG of main table'); os.abort()",
    "hangs": "say('FLAG of main table'); time.sleep(3600)",
    "is stopped": "os.kill(os.getpid(), signal.SIGKILL)",
}
EXPECTED = {
    "ends": probing.Ending(0, "FLAG of main table"),
    "dies": probing.Ending(-6, "FLAG of main table"),
    "hangs": probing.Ending(None, "FLAG of main table"),
    "is stopped": probing.Ending(-9, "its beginning"),
}
SECONDS = {"ends": 60.0, "dies": 60.0, "hangs": 4.0, "is stopped": 60.0}

COPIED = """
import multiprocessing, os, signal, sys, time
from spectrum_workflows.radio.read.msv2 import probing
assert probing.may_fork()
from spectrum_workflows.radio.read.msv2 import walk

def pretended(path, say):
    {walk}

probing.SECONDS = {seconds}
walk.walk = pretended
sys.stdout.write("before\\n")
sys.stdout.flush()
sys.stdout.write(f"{{probing.walk_in_copy('x.ms')}}\\n{{multiprocessing.active_children()}}\\n")
"""


def in_a_process(program: str) -> list[str]:
    """Lines of what a fresh Python says, which has one thread."""
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=alone, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@on_linux
@pytest.mark.parametrize("how", WALKS)
def test_a_copy_of_this_process_says_how_it_ended(how: str) -> None:
    program = COPIED.format(walk=WALKS[how], seconds=SECONDS[how])
    assert in_a_process(program) == ["before", str(EXPECTED[how]), "[]"]


@pytest.mark.parametrize("how", WALKS)
def test_a_new_python_says_how_it_ended(how: str, tmp_path: Path, monkeypatch) -> None:
    said = "import os, signal, sys, time\ndef say(where): print(where, flush=True)\n"
    program = tmp_path / "walk.py"
    program.write_text(said + WALKS[how])
    monkeypatch.setattr(probing, "WALK", program)
    monkeypatch.setattr(probing, "SECONDS", SECONDS[how])
    assert probing.walk_in_python("x.ms") == EXPECTED[how]


@on_linux
def test_a_copy_ignores_what_its_process_ignores() -> None:
    """As with ``spectrum run SPEC &`` in a script, whose terminal then sees Ctrl-C."""
    walk = "os.kill(os.getpid(), signal.SIGINT); say('FLAG of main table')"
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    program = COPIED.format(walk=walk, seconds=60.0)
    assert in_a_process(ignoring + program)[1] == str(EXPECTED["ends"])
    assert in_a_process(program)[1] == str(probing.Ending(-2, "its beginning"))


@on_linux
def test_an_interrupt_leaves_no_copy_behind() -> None:
    program = COPIED.format(walk=WALKS["hangs"], seconds=3600).partition("sys.stdout.write")[0]
    interrupted = """
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.alarm(1)
try:
    probing.walk_in_copy("x.ms")
except KeyboardInterrupt:
    print(multiprocessing.active_children())
"""
    assert in_a_process(program + interrupted) == ["[]"]


@on_linux
def test_both_walk_through_a_set(small: Path) -> None:
    path = str(small / "small.ms")
    program = f"""
from spectrum_workflows.radio.read.msv2 import probing
print(probing.may_fork(), probing.walk_in_copy({path!r}))
print(probing.may_fork(), probing.walk_in_python({path!r}))
"""
    copied, python = in_a_process(program)
    assert copied.startswith("True Ending(code=0, where='")
    assert "its beginning" not in copied
    assert python == copied.replace("True", "False")  # casacore is loaded by then


@on_linux
@pytest.mark.parametrize(
    "before",
    [
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import casacore.tables",
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    ],
)
def test_where_a_copy_would_not_be_safe_none_is_made(before: str) -> None:
    program = "from spectrum_workflows.radio.read.msv2 import probing; print(probing.may_fork())"
    assert in_a_process(program) == ["True"]
    assert in_a_process(f"{before}\n{program}") == ["False"]


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
    monkeypatch.setattr(probing, "walk_in_copy", lambda _path: EXPECTED[how])
    probing._walked.cache_clear()
    with pytest.raises(DataError) as raised:
        probing.probe(str(small / "small.ms"))
    assert raised.value.what == said
    probing._walked.cache_clear()


def test_without_memory_for_a_copy_a_new_python_walks(small, monkeypatch) -> None:
    def full(_path: str) -> probing.Ending:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(probing, "may_fork", lambda: True)
    monkeypatch.setattr(probing, "walk_in_copy", full)
    probing._walked.cache_clear()
    probing.probe(str(small / "small.ms"))
    probing._walked.cache_clear()


@pytest.mark.parametrize(
    "rows", [range(3861), range(5), range(100, 3861), [0, 2], [7], [], [3000, 3860]]
)
def test_some_rows_of_a_table_are_those(rows, small: Path) -> None:
    wanted = np.asarray(rows, np.int64)
    with casa.table(str(small / "small.ms"), ack=False, lockoptions="usernoread") as table:
        assert table.nrows() == 3861
        time, view = np.asarray(table.getcol("TIME")), selected(table, wanted)
        assert view.nrows() == len(wanted)
        if len(wanted):
            np.testing.assert_array_equal(view.getcol("TIME"), time[wanted])
            again = selected(view, np.arange(len(wanted) // 2, len(wanted)))
            np.testing.assert_array_equal(again.getcol("TIME"), time[wanted][len(wanted) // 2 :])

"""A selection in a file of one's own, with what it uses beside it: the same thing everywhere."""

import hashlib
import os
import pickle
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from distributed.core import error_message

from spectrum_workflows.code_identity import confirm
from spectrum_workflows.errors import PartitionError, SpecError
from spectrum_workflows.hep.select import bundle, loader
from spectrum_workflows.hep.select.finding import find_selection


def write(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


def call(selection, *arguments):
    return selection(*arguments)


USES = {
    "import": ("import lib", {"lib.py": "x = 3"}, "lib.x"),
    "import_as": ("import lib as h", {"lib.py": "x = 3"}, "h.x"),
    "from": ("from lib import x", {"lib.py": "x = 3"}, "x"),
    "star": ("from lib import *", {"lib.py": "x = 3"}, "x"),
    "relative": ("from .lib import x", {"lib.py": "x = 3"}, "x"),
    "relative_module": ("from . import lib", {"lib.py": "x = 3"}, "lib.x"),
    "package": (
        "import lib",
        {"lib/__init__.py": "from .a import x", "lib/a.py": "x = 3"},
        "lib.x",
    ),
    "submodule": ("import lib.a", {"lib/__init__.py": "", "lib/a.py": "x = 3"}, "lib.a.x"),
    "submodule_as": ("import lib.a as b", {"lib/__init__.py": "", "lib/a.py": "x = 3"}, "b.x"),
    "from_package": ("from lib import a", {"lib/__init__.py": "", "lib/a.py": "x = 3"}, "a.x"),
    "no_init": ("from lib.a import x", {"lib/a.py": "x = 3"}, "x"),
    "no_init_deep": ("from lib.b import a", {"lib/b/a.py": "x = 3"}, "a.x"),
    "chain": ("import lib", {"lib.py": "from lib2 import x", "lib2.py": "x = 3"}, "lib.x"),
    "chain_absolute": (
        "from lib.a import x",
        {"lib/__init__.py": "", "lib/a.py": "from lib.b import x", "lib/b.py": "x = 3"},
        "x",
    ),
    "up": (
        "from lib.sub.a import x",
        {"lib/__init__.py": "", "lib/sub/__init__.py": "", "lib/sub/a.py": "from ..b import x"}
        | {"lib/b.py": "x = 3"},
        "x",
    ),
    "late": (
        "from lib import x",
        {"lib/__init__.py": "import importlib\nx = importlib.import_module('.a', __name__).x"}
        | {"lib/a.py": "x = 3"},
        "x",
    ),
    "circle": ("import lib\ny = 3", {"lib.py": "import mine\ndef x(): return mine.y"}, "lib.x()"),
    "data": (
        "from pathlib import Path\nx = (Path(__file__).parent / 'sf.json').read_text()",
        {"sf.json": "3"},
        "int(x)",
    ),
    "data_below": (
        "import os\nwith open(os.path.join(os.path.dirname(__file__), 'data', 'sf.txt')) as f:\n"
        "    x = f.read()",
        {"data/sf.txt": "3", "data/big.txt": "4"},
        "int(x)",
    ),
    "data_one_string": (
        "from pathlib import Path\nx = Path(__file__).with_name('a').joinpath('b/c.t').read_text()",
        {"a/b/c.t": "3"},
        "int(x)",
    ),
    "data_by_year": (
        "from pathlib import Path\nHERE = Path(__file__).parent\n"
        "def load(year): return (HERE / f'sf_{year}.txt').read_text()",
        {"sf_2018.txt": "3"},
        "int(load(2018))",
    ),
    "data_listed": (
        "from pathlib import Path\nHERE = Path(__file__).parent\n"
        "x = [p.read_text() for p in (HERE / 'd').iterdir()]",
        {"d/one": "3"},
        "int(x[0])",
    ),
    "data_of_package": (
        "from lib import x",
        {"lib/__init__.py": "from importlib import resources\n"} | {"lib/sf.txt": "3"},
        "x",
    ),
    "dataclass": (
        "from lib import P",
        {"lib.py": "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 3"},
        "P().x",
    ),
    "optional": ("try:\n    import no_such_thing\nexcept ImportError:\n    x = 3", {}, "x"),
}
USES["data_of_package"][1]["lib/__init__.py"] += (
    "x = int(resources.files(__name__).joinpath('sf.txt').read_text())"
)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("late", [False, True])
def test_what_lies_beside_the_code_is_found_here_and_on_workers(use, late, tmp_path, dask_client):
    head, files, value = USES[use]
    if late and ("*" in head or use == "circle"):
        return
    inside = head.replace("\n", "\n    ") if late else "pass"
    text = f"{'' if late else head}\ndef select(events):\n    {inside}\n    return {value}\n"
    select = "mine.py:select"
    selection = find_selection(select, {}, folder=write(tmp_path, {"mine.py": text, **files}))
    sent = pickle.loads(pickle.dumps(selection))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()  # whatever is used from now on has come along
    assert call(selection, None) == 3
    if not late:
        assert dask_client.submit(call, sent, None, pure=False).result() == 3
    names = {name for name, _ in selection.source.inputs}
    assert names == {"mine.py", *files} - {"data/big.txt"}


def test_a_file_runs_once_per_process_and_registers_what_it_does(tmp_path, dask_client):
    text = """
import sys, awkward as ak
sys.runs = getattr(sys, "runs", 0) + 1

class Four(ak.Record): pass
@ak.mixin_class(ak.behavior)
class Four2:
    @property
    def double(self): return 2 * self.pt

if __name__ == "__main__":
    raise SystemExit("not this")

def select(events):
    four = ak.Array([{"pt": 1.5}], with_name="Four2")
    return sys.runs, four.double.tolist()
"""
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, {"mine.py": text}))
    again = find_selection("mine.py:select", {}, folder=str(tmp_path))
    assert selection(None) == again(None) == (1, [3.0])
    answers = dask_client.run(lambda s: [s(None), s(None)], pickle.loads(pickle.dumps(selection)))
    assert set(map(str, answers.values())) == {"[(1, [3.0]), (1, [3.0])]"}


def test_modules_of_the_same_name_in_two_folders_are_two(tmp_path, dask_client):
    selections = []
    for number in (1, 2):
        files = {"mine.py": "import lib\ndef select(e): return lib.x", "lib.py": f"x = {number}"}
        selections.append(
            find_selection("mine.py:select", {}, folder=write(tmp_path / str(number), files))
        )
    assert [s(None) for s in selections] == [1, 2]
    futures = [dask_client.submit(call, s, None, pure=False) for s in selections]
    assert dask_client.gather(futures) == [1, 2]
    assert "lib" not in sys.modules
    assert "mine" not in sys.modules


def test_an_edit_beside_the_code_counts_and_so_does_data(tmp_path, dask_client):
    code = "from pathlib import Path\nfrom lib import x\n"
    code += "def select(e): return x, (Path(__file__).parent / 'd.txt').read_text()"
    digests = set()
    for x, d in ((1, "a"), (2, "a"), (2, "b")):
        files = {"mine.py": code, "lib.py": f"x = {x}", "d.txt": d}
        selection = find_selection("mine.py:select", {}, folder=write(tmp_path, files))
        assert selection(None) == (x, d)
        assert dask_client.submit(call, selection, None, pure=False).result() == (x, d)
        digests.add(selection.digest)
    assert len(digests) == 3


def test_comments_docstrings_and_formatting_are_no_edit(tmp_path):
    lib = "def f(e):\n    return 2"
    digests = set()
    for text in (lib, '"""L."""\n# two\ndef f(e):\n    """Two."""\n\n    return (2)\n'):
        files = {"mine.py": "import lib\ndef select(e): return lib.f(e)", "lib.py": text}
        digests.add(find_selection("mine.py:select", {}, folder=write(tmp_path, files)).digest)
    assert len(digests) == 1


def test_an_edit_of_a_package_elsewhere_counts(tmp_path, monkeypatch):
    """As of an editable install: it does not travel, and is refused where it is another one."""
    files = {"elsewhere_lab/__init__.py": "", "elsewhere_lab/sf.py": "def sf(): return 2"}
    monkeypatch.syspath_prepend(write(tmp_path / "path", files))
    code = "from elsewhere_lab.sf import sf\ndef select(e): return sf()"
    folder = write(tmp_path / "here", {"mine.py": code})
    before = find_selection("mine.py:select", {}, folder=folder)
    assert before(None) == 2
    assert [name for name, _ in before.source.inputs] == ["mine.py"]
    # Of another length: Python takes bytecode for that of a file of the same second and length.
    write(tmp_path / "path", {"elsewhere_lab/sf.py": "def sf(): return 30"})
    with pytest.raises(SpecError, match="elsewhere_lab.sf has changed since it was imported"):
        find_selection("mine.py:select", {}, folder=folder)
    for name in [n for n in sys.modules if n.startswith("elsewhere_lab")]:
        del sys.modules[name]
    after = find_selection("mine.py:select", {}, folder=folder)
    assert after(None) == 30
    assert after.digest != before.digest
    confirm.cache_clear()  # as in another process
    with pytest.raises(SpecError, match="elsewhere_lab.sf is another version here"):
        before(None)


def test_the_code_of_an_installed_selection_is_of_all_it_imports():
    names = {
        m.name
        for m in find_selection(
            "spectrum_workflows.hep.analyses.ttbar:select", {}
        ).source.code.modules
    }
    assert "spectrum_workflows.hep.analyses.ttbar_objects" in names


def test_every_file_is_in_the_inputs(tmp_path):
    code = "def select(e): return 1"
    files = {"mine.py": "import lib\n" + code, "lib.py": "x = 1"}
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, files))
    expected = {n: f"sha256 {hashlib.sha256(t.encode()).hexdigest()}" for n, t in files.items()}
    assert dict(selection.source.inputs) == expected


def test_code_below_the_spec_sees_its_own_folder_and_the_spec_s(tmp_path):
    files = {
        "code/mine.py": "import near, far\ndef select(e): return near.x, far.x",
        "code/near.py": "x = 'near'",
        "near.py": "x = 'wrong'",
        "far.py": "x = 'far'",
    }
    assert find_selection("code/mine.py:select", {}, folder=write(tmp_path, files))(None) == (
        "near",
        "far",
    )


def test_code_inside_a_package_may_look_upwards(tmp_path):
    files = {
        "pkg/__init__.py": "",
        "pkg/common.py": "x = 3",
        "pkg/sub/__init__.py": "",
        "pkg/sub/mine.py": "from ..common import x\ndef select(e): return x",
    }
    write(tmp_path, files)
    for spec, named in (("pkg/sub", "mine.py"), ("", "pkg/sub/mine.py")):
        assert find_selection(f"{named}:select", {}, folder=str(tmp_path / spec))(None) == 3


def test_it_is_unpacked_where_nobody_else_can_write(tmp_path):
    selection = find_selection(
        "mine.py:select", {}, folder=write(tmp_path, {"mine.py": "select = print"})
    )
    place = loader.place(selection.source)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, monkeypatch):
    """Not what a living one uses, is too young to be locked, or belongs to no such process."""
    folder = write(tmp_path / "mine", {"mine.py": "def select(events): return 1"})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = (
        "import os, signal, sys\nfrom spectrum_workflows.hep.select.finding import find_selection\n"
        f"find_selection('mine.py:select', {{}}, folder={str(folder)!r})\n"
        "print('there', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == 'dies' else sys.stdin.read()\n"
    )
    start = partial(
        subprocess.Popen,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with start([sys.executable, "-c", code, "lives"]) as living:
        assert living.stdout.readline() == b"there\n"
        [used] = scratch.iterdir()
        with start([sys.executable, "-c", code, "dies"]) as dead:
            dead.communicate()
        [left] = {*scratch.iterdir()} - {used}
        (scratch / "spectrum-code-other").mkdir()
        monkeypatch.setattr(loader, "_YOUNG", 0.0)
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        find_selection(
            "mine.py:select", {}, folder=write(tmp_path / "b", {"mine.py": "select = len"})
        )
        assert used.is_dir()
        assert not left.exists()
        assert (scratch / "spectrum-code-other").is_dir()
        living.communicate()
    assert not used.exists()


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("select = lambda events: 3", 3),
        ("from functools import partial\ndef f(a, events): return a\nselect = partial(f, 3)", 3),
        ("class S:\n    def __call__(self, events, *, x=3): return x\nselect = S()", 3),
        ("from numba import njit\n@njit(cache=True)\ndef select(events): return 3", 3),
        (
            "import functools\ndef d(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n"
            "        return f(*a, **k)\n    return g\n@d\ndef select(events): return 3",
            3,
        ),
        ("def make(x):\n    def inner(events): return x\n    return inner\nselect = make(3)", 3),
        ("class A:\n    @staticmethod\n    def s(events): return 3\nselect = A.s", 3),
        ("class A:\n    def s(self, events): return 3\nselect = A().s", 3),
    ],
)
def test_anything_that_can_be_called_is_a_selection(code, answer, tmp_path, dask_client):
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, {"mine.py": code}))
    assert selection(None) == answer
    assert dask_client.submit(call, selection, None, pure=False).result() == answer
    assert selection.where.startswith("mine.py")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"mine.py": "import numpy", "numpy.py": "x = 1"}, "numpy.py beside .* has the name of an"),
        ({"mine.py": "import json", "json.py": "x = 1"}, "json.py .* installed module, json"),
        ({"mine.py": "import hist.x", "hist/__init__.py": ""}, "hist beside the code"),
        ({"mine.py": "x = (1"}, r"mine.py, line 1: this code does not run \(SyntaxError"),
        ({"mine.py": "import lib", "lib.py": "x ="}, "lib.py, line 1: this code does not run"),
        (
            {"mine.py": "\n\nx = {}['a']"},
            r"mine.py, line 3: this code does not run \(KeyError: 'a'",
        ),
        ({"mine.py": "import lib", "lib.py": "\n1 / 0"}, "lib.py, line 2: .*ZeroDivisionError"),
        ({"mine.py": "raise SystemExit(1)"}, r"does not run \(SystemExit: 1"),
        ({"mine.py": "import nosuch"}, "No module named 'nosuch'.*put it beside this file"),
        ({"mine.py": "from ..lib import x"}, "does not run"),
        (
            {"mine.py": "import importlib\nlib = importlib.import_module('lib')", "lib.py": ""},
            "write: import lib",
        ),
        ({"mine.py": "def other(events): pass"}, "no function 'select' in mine.py"),
        ({"mine.py": "select = 3"}, "no function 'select'"),
        ({"mine.py": "def select(): pass"}, "takes no events"),
        ({"mine.py": "def select(*, events): pass"}, "takes no events"),
    ],
)
def test_code_that_cannot_be_used_says_where(files, said, tmp_path):
    with pytest.raises(SpecError, match=said) as found:
        find_selection("mine.py:select", {}, folder=write(tmp_path, files))
    assert "\n" not in str(found.value)


def test_a_failed_file_runs_again_when_it_is_asked_for_again(tmp_path):
    flag = tmp_path / "flag"
    code = f"open({str(flag)!r}).close()\ndef select(events): return 3"
    write(tmp_path, {"mine.py": code})
    with pytest.raises(SpecError, match="FileNotFoundError"):
        find_selection("mine.py:select", {}, folder=str(tmp_path))
    flag.touch()
    assert find_selection("mine.py:select", {}, folder=str(tmp_path))(None) == 3


@pytest.mark.parametrize("name", ["numpy", "spectrum_workflows", "json"])
def test_a_file_called_like_what_it_imports_gets_the_installed_one(name, tmp_path):
    imported = "spectrum_workflows.hep.types" if name == "spectrum_workflows" else name
    code = f"import {imported}\ndef select(events): return {name}.__file__"
    selection = find_selection(
        f"{name}.py:select", {}, folder=write(tmp_path, {f"{name}.py": code})
    )
    assert selection(None) == sys.modules[name].__file__


def test_folders_called_like_what_is_installed_are_no_modules(tmp_path):
    files = {"mine.py": "import hist\ndef select(e): return hist.__file__", "hist/old.py": ""}
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, files))
    assert "site-packages" in selection(None)


def test_what_comes_along_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MOST_BYTES", 1000)
    code = "x = __file__, 'big.bin', 'small.bin'\ndef select(e): pass"
    write(tmp_path, {"mine.py": code, "small.bin": "x" * 100, "other.bin": "x" * 2000})
    find_selection("mine.py:select", {}, folder=str(tmp_path))
    write(tmp_path, {"big.bin": "x" * 2000})
    with pytest.raises(SpecError, match="big.bin .*larger than"):
        find_selection("mine.py:select", {}, folder=str(tmp_path))


def test_a_folder_full_of_other_things_costs_nothing(tmp_path):
    files = {f"out/run{n}/x.json": "{}" for n in range(200)} | {"notes.txt": "x", "other.py": "1/0"}
    code = "HERE = __file__\ndef select(e): return 1"
    selection = find_selection(
        "mine.py:select", {}, folder=write(tmp_path, {"mine.py": code, **files})
    )
    assert [name for name, _ in selection.source.inputs] == ["mine.py"]


def test_main_blocks_bring_nothing_along(tmp_path):
    code = "def select(e): return 1\nif __name__ == '__main__':\n    import lib\n    1 / 0"
    folder = write(tmp_path, {"mine.py": code, "lib.py": "1 / 0"})
    selection = find_selection("mine.py:select", {}, folder=folder)
    assert selection(None) == 1
    assert [name for name, _ in selection.source.inputs] == ["mine.py"]


ERRORS = """
def helper(x):
    return x["nope"]

def select(events):
    return helper({})
"""


def test_an_error_names_the_lines_of_the_user(tmp_path, dask_client):
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, {"mine.py": ERRORS}))
    said = (
        r"mine.py, line 3, in helper \(called from mine.py, line 6, in select\): KeyError: 'nope'"
    )
    with pytest.raises(PartitionError, match=said) as here:
        selection(None)
    [note] = here.value.__notes__
    assert 'return x["nope"]' in note
    assert "return helper({})" in note
    future = dask_client.submit(call, selection, None, pure=False)
    with pytest.raises(PartitionError, match=said) as there:
        future.result()
    assert there.value.__notes__ == [note]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def select(e): import sys; sys.exit(3)", "mine.py, line 1, in select: SystemExit: 3"),
        ("def select(e): assert e", "mine.py, line 1, in select: AssertionError"),
        ("import lib\ndef select(e): return lib.f()", "lib.py, line 1, in f .*ZeroDivisionError"),
        ("select = lambda e: 1 / 0", "mine.py, line 1, in <lambda>: ZeroDivisionError"),
        ("class E(Exception): pass\ndef select(e): raise E('x\\ny')", "line 2, in select: E: x"),
        ("def select(e): return open('d.txt')", r"No such file.*; files beside the code are Path"),
        (
            "from numba import njit\n@njit\ndef select(e): return e + {}",
            "mine.py, line 2, in select: TypingError",
        ),
        ("def select(e): return select(e)", "RecursionError"),
        ("def select(e): raise StopIteration", "StopIteration"),
        ("def select(e): raise GeneratorExit", "mine.py, line 1, in select: GeneratorExit"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\ndef select(e): raise E",
            "mine.py, line 3, in select: E",
        ),
    ],
)
def test_any_error_is_one_line_with_the_user_s_place(code, said, tmp_path):
    folder = write(tmp_path, {"mine.py": code, "lib.py": "def f(): return 1 / 0"})
    selection = find_selection("mine.py:select", {}, folder=folder)
    with pytest.raises(PartitionError, match=said) as found:
        selection(None)
    assert "\n" not in str(found.value)
    message = error_message(found.value)["exception"].data  # with tracebacks, as a worker sends it
    assert len(message) < 20_000
    sent = pickle.loads(message)
    assert (type(sent), str(sent)) == (PartitionError, str(found.value))
    assert sent.__notes__ == found.value.__notes__


def test_a_second_process_has_it_all_without_the_folder(tmp_path):
    files = {"mine.py": "import lib\ndef select(e): return lib.x", "lib.py": "x = 3"}
    selection = find_selection("mine.py:select", {}, folder=write(tmp_path, files))
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer)(None))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(selection),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"3\n"


def test_what_a_notebook_defines_is_said_to_need_a_file():
    with pytest.raises(SpecError, match="write the function into a file"):
        find_selection("__main__:select", {})


def test_what_the_code_prints_is_no_part_of_the_output(tmp_path, capsys):
    code = "print('top')\ndef select(events):\n    print('inside')"
    find_selection("mine.py:select", {}, folder=write(tmp_path, {"mine.py": code}))(None)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.split() == ["top", "inside"]

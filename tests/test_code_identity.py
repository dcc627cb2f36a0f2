"""What counts as the code of a result: every module that decides it, and not how it is written."""

import importlib
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest

from spectrum_workflows.code_identity import (
    Code,
    code_of,
    confirm,
    dependencies,
    modules,
    science_code,
    state,
)
from spectrum_workflows.errors import SpecError

BASE = {
    "lab/__init__.py": "",
    "lab/main.py": '"""Doc."""\nfrom lab.second import scale\ndef select(e):\n    return scale(e)',
    "lab/second.py": "from lab.third import factor\ndef scale(e):\n    return factor() * e",
    "lab/third.py": "def factor():\n    return 2",
    "lab/unused.py": "x = 1",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """``package(files)``: write them where Python looks, and forget what it knew of them."""

    def write(files: dict[str, str], below: str = "") -> Path:
        for name, text in files.items():
            path = tmp_path / below / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        forget()
        return tmp_path / below

    def forget() -> None:
        for name in [n for n in sys.modules if n.partition(".")[0] in ("lab", "tools")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        modules.is_released.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    forget()


def digest() -> str:
    return code_of("lab.main").digest


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lab/main.py", "from lab.second import scale\ndef select(e):\n    return scale(e) + 1"),
        ("lab/second.py", "from lab.third import factor\ndef scale(e):\n    return factor() + e"),
        ("lab/third.py", "def factor():\n    return 3"),
        ("lab/third.py", "def factor():\n    return 2.0"),
        ("lab/third.py", "def factor():\n    return '2'"),
        ("lab/third.py", "def factor():\n    return None"),
        ("lab/third.py", "def factor():\n    return"),
        ("lab/third.py", "def factor(x=2):\n    return 2"),
        ("lab/third.py", "async def factor():\n    return 2"),
        ("lab/__init__.py", "import numpy; numpy.seterr(all='raise')"),
    ],
)
def test_an_edit_of_any_module_that_is_used_counts(name, text, package):
    package(BASE)
    before = digest()
    package({name: text})
    assert digest() != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lab/main.py", "from lab.second import scale\n\n\ndef select(e):\n    return (scale(e))"),
        ("lab/third.py", "# two\ndef factor():\n    'Said.'\n    # two\n    return 2"),
        ("lab/third.py", "def factor(\n):\n\n    return (\n        2\n    )\n'''Of nothing.'''"),
        ("lab/third.py", "def factor():\n\treturn 0b10"),
        ("lab/unused.py", "x = 2"),
        ("lab/new.py", "x = 2"),
    ],
)
def test_how_it_is_written_and_what_is_not_used_does_not(name, text, package):
    package(BASE)
    before = digest()
    package({name: text})
    assert digest() == before


def test_a_number_is_not_another_number_of_the_same_digits(package):
    seen = set()
    for value in ("1", "1.0", "True", "'1'", "b'1'", "1j", "-1", "(1,)", "[1]", "{1}", "..."):
        package(BASE | {"lab/third.py": f"def factor(): return {value}"})
        seen.add(digest())
    assert len(seen) == 11


@pytest.mark.parametrize("look", ["factor.__doc__", "inspect.getsource(factor)"])
def test_docstrings_count_where_code_looks_at_them(look, package):
    third = "import inspect\ndef factor():\n    'two'\n    return 2\nx = {}"
    package(BASE | {"lab/third.py": third.format(look)})
    before = digest()
    package({"lab/third.py": third.format(look).replace("two", "three")})
    assert digest() != before


@pytest.mark.parametrize(
    "late",
    [
        "import importlib\nx = importlib.import_module('lab.' + 'unused').x",
        "import importlib\nx = importlib.import_module('.unused', __package__).x",
        "import lab.unused",
        "def f():\n    from . import unused",
        "from .unused import *",
        "try:\n    from lab import unused\nexcept ImportError:\n    pass",
    ],
)
def test_imports_count_wherever_and_however_they_stand(late, package):
    second = BASE["lab/second.py"] + "\n" + late
    package(BASE | {"lab/second.py": second})
    before = digest()
    package({"lab/unused.py": "x = 2"})
    assert digest() != before


def test_imports_that_never_run_do_not_count(package):
    second = BASE["lab/second.py"]
    second += "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lab.unused"
    second += "\nif __name__ == '__main__':\n    import lab.unused"
    package(BASE | {"lab/second.py": second})
    before = digest()
    package({"lab/unused.py": "x = 2"})
    assert digest() == before


def test_data_beside_the_code_counts_by_content(package, tmp_path):
    second = BASE["lab/second.py"] + "\nfrom importlib import resources\n"
    second += "x = resources.files(__package__) / 'sf.json'\n"
    package(BASE | {"lab/second.py": second, "lab/sf.json": "1", "lab/other.json": "1"})
    before = digest()
    package({"lab/other.json": "2"})
    assert digest() == before
    package({"lab/sf.json": "2"})
    assert digest() != before


def test_a_file_named_by_its_full_path_counts(package, tmp_path):
    (tmp_path / "sf.txt").write_text("1")
    package(BASE | {"lab/third.py": f"def factor(): return open({str(tmp_path / 'sf.txt')!r})"})
    before = digest()
    (tmp_path / "sf.txt").write_text("2")
    assert digest() != before


def installed(folder: Path, direct: str = "", installer: str = "pip") -> None:
    """The metadata of a distribution that owns ``lab``."""
    info = folder / "lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (info / "RECORD").write_text("lab/__init__.py,,\nlab-1.0.dist-info/RECORD,,\n")
    (info / "INSTALLER").write_text(installer)
    if direct:
        (info / "direct_url.json").write_text(direct)


LOCAL = '{"url": "file:///lab", "dir_info": {}}'


@pytest.mark.parametrize(
    ("direct", "installer", "counts"),
    [("", "pip", False), (LOCAL, "pip", True), (LOCAL, "conda", False), (None, "", True)],
)
def test_only_released_distributions_are_left_out(direct, installer, counts, package):
    """``None``: nobody installed it, it lies there."""
    folder = package(BASE)
    package({"tools.py": "from lab.main import select"})
    if direct is not None:
        installed(folder, direct, installer)
    names = [module.name for module in code_of("tools").modules]
    assert names == (["lab", "lab.main", "lab.second", "lab.third"] if counts else []) + ["tools"]


def test_what_is_asked_for_counts_however_it_is_installed(package):
    installed(package(BASE))
    assert not code_of("lab.main")
    used = [module.name for module in code_of(own=("lab.main",)).modules]
    assert used == ["lab", "lab.main", "lab.second", "lab.third"]
    whole = [module.name for module in code_of(whole=("lab",)).modules]
    assert whole == ["lab", "lab.main", "lab.second", "lab.third", "lab.unused"]


def test_a_science_is_its_whole_package(package):
    package(BASE)
    before = science_code("lab.main")
    assert science_code("lab") == before
    package({"lab/unused.py": "x = 3"})
    assert science_code("lab.main") != before


def test_ours_are_the_science_and_what_it_uses_of_the_core():
    names = {module.name for module in code_of(whole=("spectrum_workflows.radio",)).modules}
    assert {"spectrum_workflows.engine.tree", "spectrum_workflows.storage"} <= names
    assert "spectrum_workflows.radio.gridding" in names
    assert not any(name.startswith("spectrum_workflows.hep") for name in names)
    outside = ("spectrum_workflows.cli", "spectrum_workflows.sites", "spectrum_workflows.front")
    assert not any(name.startswith(outside) for name in names)
    assert science_code("spectrum_workflows.radio.spec") != science_code("spectrum_workflows.hep")


def test_what_was_imported_and_then_edited_is_refused_until_it_is_imported_anew(package):
    folder = package(BASE)
    importlib.import_module("lab.main")
    digest()
    (folder / "lab/third.py").write_text("# a remark\n" + BASE["lab/third.py"])
    digest()
    (folder / "lab/third.py").write_text("def factor():\n    return 3")
    with pytest.raises(SpecError, match=r"lab\.third has changed since it was imported.*restart"):
        digest()
    importlib.reload(sys.modules["lab.third"])
    digest()


def test_another_process_refuses_another_version(package, tmp_path):
    folder = package(BASE)
    code = code_of("lab.main")
    for text, fails in (("# a remark\ndef factor(): return 2", False), ("factor = int", True)):
        package({"lab/third.py": text})
        confirm.cache_clear()
        if not fails:
            confirm(code)
            continue
        with pytest.raises(SpecError, match=r"lab\.third is another version here"):
            confirm(code)
    (folder / "lab/third.py").unlink()
    package({})
    confirm.cache_clear()
    with pytest.raises(SpecError, match=r"lab\.third is another version here"):
        confirm(code)


def test_the_digest_is_the_same_in_any_process(package):
    folder = package(BASE)
    program = "from spectrum_workflows.code_identity import *; print(code_of('lab.main').digest)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == digest() == pickle.loads(pickle.dumps(code_of("lab.main"))).digest


def test_long_chains_and_odd_texts_have_a_digest(package):
    third = "x = " + " + ".join(["1"] * 900) + "\ny = '\\ud800'\nz = 0x" + "f" * 5000
    package(BASE | {"lab/third.py": third})
    assert len(digest()) == 64


def test_our_own_code_is_parsed_again_only_after_a_change(tmp_path, monkeypatch):
    package = tmp_path / "spectrum_workflows"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    os.utime(package / "__init__.py", ns=(10**18, 10**18))
    monkeypatch.setattr(sys.modules["spectrum_workflows"], "__path__", [str(package)])
    asked = []
    monkeypatch.setattr(dependencies, "_code_of", lambda question: asked.append(question) or Code())
    monkeypatch.setattr(dependencies, "_answered", {})
    monkeypatch.setattr(state, "FRESH", -1.0)

    def parses() -> bool:
        before = len(asked)
        assert code_of(whole=("spectrum_workflows.radio",)) == Code()
        return len(asked) > before

    assert (parses(), parses()) == (True, False)
    (package / "sub/new.py").write_text("x = 1")
    assert (parses(), parses()) == (True, True)  # it may be written again at the same time
    os.utime(package / "sub/new.py", ns=(10**18, 10**18))
    assert (parses(), parses()) == (True, False)
    (package / "sub/new.py").write_text("x = 2")  # as long as before
    os.utime(package / "sub/new.py", ns=(10**18, 10**18 + 1))
    assert (parses(), parses()) == (True, False)
    monkeypatch.setitem(sys.modules, "spectrum_workflows.sub", types.ModuleType("sub"))
    assert parses()

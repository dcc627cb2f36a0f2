"""The shared cases: where they are, and how each is run."""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrum_workflows import cli

CASES = Path(__file__).parents[3] / "shared" / "cases"


def shared_case(science: str, pattern: str) -> Path:
    """The one case like this; without the shared cases the test skips."""
    if not CASES.is_dir():
        pytest.skip("the shared cases are not beside this checkout")
    [found] = (CASES / science).glob(pattern)
    return found


@pytest.fixture
def hep_case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder of the case that a test is named after, copied; we are in it."""
    folder = shared_case("hep", request.node.originalname.split("_")[1] + "-*")
    for path in folder.iterdir():
        shutil.copy(path, tmp_path)
        (tmp_path / path.name).chmod(0o644)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def radio_case(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What the script of the case that a test is named after prints; its data are in tmp_path."""
    number = request.node.originalname.split("_")[1]
    script = shared_case("radio", f"{number}_*.py")
    monkeypatch.setitem(os.environ, "CASE_WORK", str(tmp_path))
    monkeypatch.setitem(os.environ, "CASE_FAST", "1")
    monkeypatch.syspath_prepend(str(script.parent))
    monkeypatch.delitem(sys.modules, "mk", raising=False)
    described = importlib.util.spec_from_file_location(number, script)
    assert described is not None
    assert described.loader is not None
    with contextlib.suppress(SystemExit):
        described.loader.exec_module(importlib.util.module_from_spec(described))
    sys.modules.pop("mk", None)
    return capsys.readouterr().out


@pytest.fixture
def spectrum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command, in this process: exit code, output and errors."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spectrum", *words])
        try:
            cli.main()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call

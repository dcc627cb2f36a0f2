"""Scripts that start workers while a worker imports them."""

import subprocess
import sys
from pathlib import Path

import pytest

from spectrum_workflows.sites.scripts import is_guarded

STARTS = "place = connect(load_site('laptop', changes={'workers.count': 1}))\nplace.close()\n"
IMPORTS = "from spectrum_workflows import connect, load_site\n"
GUARD = "if __name__ == '__main__':\n"


def test_a_script_without_a_guard_ends_at_once_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "go.py"
    script.write_text(
        f"{IMPORTS}def main():\n    {STARTS.replace(chr(10), chr(10) + '    ')}\nmain()\n"
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert f"{script}:6: a script may not start workers while it is imported" in last
    assert "__main__" in last


def test_a_script_with_a_guard_starts_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "go.py"
    script.write_text(f"{IMPORTS}{GUARD}    {STARTS.replace(chr(10), chr(10) + '    ')}")
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "line", "guarded"),
    [
        ("go()\n", 1, False),
        (f"{GUARD}    go()\n", 2, True),
        (f"{GUARD}    pass\ngo()\n", 3, False),
        ("if '__main__' == __name__ and True:\n    go()\n", 2, True),
        ("if True:\n    go()\n", 2, False),
        (f"try:\n    {GUARD}        go()\nfinally:\n    pass\n", 3, True),
        ("if not Python:\n", 1, True),  # cannot be read
    ],
)
def test_which_lines_are_guarded(text: str, line: int, guarded: bool, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(text)
    assert is_guarded(str(path), line) is guarded


def test_a_script_that_is_gone_is_let_pass(tmp_path: Path) -> None:
    assert is_guarded(str(tmp_path / "none.py"), 1)

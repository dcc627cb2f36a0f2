"""A third science as a package of its own: installed, run, and short."""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "gravitational_waves"
SPEC = EXAMPLE / "gravitational_waves" / "chirp.toml"

LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
}


def lines_of_code(source: str) -> set[int]:
    """Numbers of the lines that are neither blank nor comment nor documentation."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for t in tokens if t.type not in LAYOUT for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= {*range(node.lineno, (node.end_lineno or 0) + 1)}
    return lines


def test_it_has_at_most_120_lines_of_code() -> None:
    assert len(lines_of_code('"""Text."""\n\nx = 1  # one\n# two\ny = [\n  2]\n')) == 3
    files = sorted(EXAMPLE.rglob("*.py"))
    assert len(files) >= 2
    assert sum(len(lines_of_code(file.read_text())) for file in files) <= 120


def spectrum(python: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "spectrum_workflows", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_own_test_finds_the_chirp_and_proves_the_contract(third_science: Path) -> None:
    """In one process and on the laptop's workers: `check_domain`."""
    command = [third_science, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(EXAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_damaged_file_is_counted_once_over_the_two_passes(
    third_science: Path, tmp_path: Path
) -> None:
    roots = ("--data", tmp_path)
    made = spectrum(third_science, "data", "make", SPEC, *roots).stdout.split()
    assert len(made) == 32
    run = ("run", SPEC, *roots, "--out", tmp_path / "r", "--site", "serial", "--json")
    whole = json.loads(spectrum(third_science, *run).stdout)
    assert whole["fraction"] == 1.0
    Path(made[5]).write_bytes(Path(made[5]).read_bytes()[:-1000])
    refused = spectrum(third_science, *run)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert made[5] in refused.stderr
    done = spectrum(third_science, *run, "--on-error", "keep")
    assert done.returncode == 0, done.stderr
    partial = json.loads(done.stdout)
    assert partial["fraction"] == 31 / 32
    assert [failure["size"] for failure in partial["failures"]] == [16 * 1024]
    assert partial["time"] == whole["time"]
    assert partial["digest"] != whole["digest"]
    verdict = spectrum(third_science, "compare", whole["folder"], partial["folder"])
    assert verdict.stdout.startswith("different\n")


SCIENCE = """
# mypy: disable-error-code="empty-body"
from typing import Any
from spectrum_workflows.domain import Arrays, Domain, Metrics, Plan
from spectrum_workflows.specs import RunSpec

class Question(RunSpec): ...

def inputs(spec: Question, data: str) -> list[str]: ...
def plan(spec: Question, data: str, **_: object) -> Plan: ...
def run(spec: Question, plan: Plan, **_: Any) -> tuple[float, Metrics]: ...

def no_inputs(spec: int, data: str) -> list[str]: ...
def no_plan(spec: Question, data: str) -> Plan: ...
def no_arrays(result: float) -> dict[str, int]: ...

Domain("x", Question, inputs=inputs, plan=plan, run=run)
Domain("x", Question, inputs=no_inputs, plan=plan, run=run)
Domain("x", Question, inputs=inputs, plan=no_plan, run=run)
Domain("x", Question, inputs=inputs, plan=plan, run=run, arrays=no_arrays)
"""


def test_mypy_checks_what_a_science_gives(tmp_path: Path) -> None:
    file = tmp_path / "science.py"
    file.write_text(SCIENCE)
    command = [sys.executable, "-m", "mypy", file]  # as `make lint`, whose cache serves
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wrong = [n for n, line in enumerate(SCIENCE.splitlines(), 1) if "=no_" in line]
    errors = {int(n) for n in re.findall(r"science.py:(\d+): error", done.stdout)}
    assert errors == {*wrong}, done.stdout

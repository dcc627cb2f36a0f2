"""The notebooks: stored clean, short and without a site; executed, and their numbers read back."""

import ast
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from spectrum_workflows.proof.kernel import execute

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "workflows"
NOTEBOOKS = sorted(str(p.relative_to(FOLDER)) for p in FOLDER.rglob("*.ipynb"))
SITES = sorted(p.stem for p in (ROOT / "environments").glob("*.toml"))


@dataclass(frozen=True)
class Claim:
    """A number that a notebook must end with: an expression of its variables, and a range."""

    expression: str
    lowest: float
    highest: float


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "hep/quickstart.ipynb": (
        Claim("top.values['mass']", 171.0, 175.0),  # GeV; generated at 172.7
        Claim("top.errors['mass']", 0.05, 1.0),
        Claim("z.values['mass']", 91.0, 91.4),  # GeV; generated at 91.19
        Claim("outcome.summary['counts']['4j2b']", 10_000, 100_000),
        Claim("tight.summary['counts']['4j2b'] / outcome.summary['counts']['4j2b']", 0.05, 0.8),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "radio/quickstart.ipynb": (
        Claim("recovered['P0']", 0.99, 1.01),  # found over true flux density, 250 mJy
        Claim("min(recovered.values())", 0.9, 1.1),
        Claim("max(recovered.values())", 0.9, 1.1),
        Claim("image['peak']", 0.245, 0.255),  # Jy / beam
        Claim("1e6 * image['rms']", 5.0, 30.0),  # µJy / beam
        Claim("image['self_check']['error_peak'] / spec.image.epsilon", 0.0, 3.0),
        Claim("found['uniform'].result.beam.bmaj / found['natural'].result.beam.bmaj", 0.4, 0.8),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "radio/scaling.ipynb": (
        Claim("len(strips)", 6, 6),
        Claim("difference", 0.0, 1e-4),  # of the peak; epsilon is 1e-4
        Claim("max(moved)", 0.5, 1.2),  # of the planner's figure, in the worst stage
        Claim("image['self_check']['error_peak'] / spec.image.epsilon", 0.0, 3.0),
        Claim("image['major_cycles']", 1, 6),
        Claim("bytes_read[1] / bytes_read[0]", 1.9, 9.0),  # read once, or in every cycle
        Claim("compare(saved, again).verdict == 'identical'", True, True),
        Claim("len(json.loads(read(saved))['stages'])", 5, 30),
    ),
}

READ = "import json, pathlib\nread = lambda folder: pathlib.Path(folder, 'record.json').read_text()"


def load(name: str) -> Any:
    """Read a notebook and check it against the format's schema."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_of(notebook: Any) -> list[str]:
    """The source of every code cell."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def executed(name: str, home: Path) -> dict[str, Any]:
    """Run a notebook as a new user would, and evaluate its claims in its kernel."""
    notebook = load(name)
    shown = ", ".join(f"{c.expression!r}: {c.expression}" for c in CLAIMS[name])
    last = f"{READ}\nprint(json.dumps({{{shown}}}, default=float))"
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPECTRUM_", "XDG_", "CI"))}
    environment = kept | {"HOME": str(home), "MPLBACKEND": "agg"}
    execute(notebook, (FOLDER / name).parent, environment)
    return json.loads(notebook.cells[-1].outputs[0].text)


def test_each_science_has_a_quick_start() -> None:
    assert {"hep/quickstart.ipynb", "radio/quickstart.ipynb"} <= {*NOTEBOOKS}
    assert {*NOTEBOOKS} == CLAIMS.keys()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_results(name: str) -> None:
    for cell in load(name).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert not {*cell.metadata} - {"tags"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_short_and_defines_nothing(name: str) -> None:
    cells = code_of(load(name))
    assert sum(1 for source in cells for line in source.splitlines() if line.strip()) < 100
    for node in (node for source in cells for node in ast.walk(ast.parse(source))):
        assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_knows_no_site(name: str) -> None:
    words = {word for source in code_of(load(name)) for word in re.findall(r"\w+", source)}
    assert words & {*SITES, "LocalCluster", "Client", "SLURMCluster", "Gateway"} == set()
    assert len(SITES) >= 2


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_its_numbers_are_right(name: str, tmp_path: Path) -> None:
    found = executed(name, tmp_path)
    assert found.keys() == {claim.expression for claim in CLAIMS[name]}
    wrong = {
        claim.expression: found[claim.expression]
        for claim in CLAIMS[name]
        if not claim.lowest <= found[claim.expression] <= claim.highest
    }
    assert wrong == {}

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

from spectrum_workflows import load_site, load_spec, make_data
from spectrum_workflows.proof.kernel import execute
from spectrum_workflows.sites import Place

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
        Claim("outcome.summary['counts']['4j2b']", 3_000, 30_000),
        Claim("outcome.workers", 1, 64),
        Claim("tight.summary['counts']['4j2b'] / outcome.summary['counts']['4j2b']", 0.05, 0.8),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "hep/ttbar.ipynb": (
        Claim("value", 0.9, 1.4),  # the pseudo-data hold other top pairs and no single top
        Claim("error", 0.01, 0.2),
        Claim("fit.chi2 / fit.ndf", 0.1, 2.0),
        Claim("len(outcome.summary['pulls'])", 11, 11),
        Claim("asimov['ttbar_norm']", 0.999, 1.001),
        Claim("max(abs(asimov[n]) for n in outcome.summary['pulls'])", 0.0, 0.01),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
        Claim("(pathlib.Path(saved) / 'workspace.json').exists()", True, True),
    ),
    "hep/zprime.ipynb": (
        Claim("last['data'] / expected", 0.95, 1.05),  # corrected simulation describes the data
        Claim("flow['chi2']['zprime'] / flow['all']['zprime']", 0.3, 0.6),
        Claim("fitted['zprime_norm']", -0.1, 1.0),  # the data hold no Z'
        Claim("fitted['chi2'] / fitted['ndf']", 0.3, 1.7),
        Claim("limit['expected']", 0.4, 1.0),
        Claim("limit['expected_-2'] < limit['observed'] < limit['expected_+2']", True, True),
        Claim("(pathlib.Path(saved) / 'impacts.png').exists()", True, True),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "hep/adl.ipynb": (
        Claim("found[1].summary['counts']['met']", 20_000, 20_000),
        Claim("found[2].summary['counts']['jet_pt']", 100_000, 130_000),
        Claim("found[6].summary['counts']['btag'] / 20_000", 0.9, 1.0),
        Claim("found[8].summary['counts']['mt']", 20, 2_000),
        Claim("'Jet_btagCSVV2 stands in' in found[6].summary['warnings'][0]", True, True),
        Claim("len(shown)", 9, 9),
    ),
    "hep/bring_your_own.ipynb": (
        Claim("z.values['mass']", 91.0, 91.4),  # GeV; generated at 91.19
        Claim("z.errors['mass']", 0.005, 0.1),
        Claim("loop.digest == outcome.digest", True, True),
        Claim("loop.plan.code != outcome.plan.code", True, True),
        Claim("harder.result.counts['dimuon'] / outcome.result.counts['dimuon']", 0.2, 0.9),
        Claim("json.loads(read(saved))['code'] == outcome.plan.code", True, True),
    ),
    "in_your_pipeline.ipynb": (
        Claim("recovered", 0.99, 1.01),  # Jy; planted: 1
        Claim("alone == shared", True, True),
        Claim("shared['tasks']", 2, 2),
        Claim("shared['mass']", 91.0, 91.4),  # GeV; generated at 91.19
        Claim("cube.sizes['frequency']", 3, 3),
        Claim("coffea is None or coffea['values'] == alone['values']", True, True),
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "radio/quickstart.ipynb": (
        Claim("recovered['P0']", 0.99, 1.01),  # found over true flux density, 250 mJy
        Claim("min(recovered.values())", 0.9, 1.1),
        Claim("max(recovered.values())", 0.9, 1.1),
        Claim("plane.visibilities", 200_000, 220_000),  # of those made before
        Claim("outcome.workers", 1, 64),
        Claim("image['peak']", 0.245, 0.255),  # Jy / beam
        Claim("1e6 * image['rms']", 5.0, 30.0),  # µJy / beam
        Claim("image['self_check']['error_peak'] / spec.image.epsilon", 0.0, 3.0),
        Claim("beams['uniform'].bmaj / beams['natural'].bmaj", 0.4, 0.8),
        Claim("abs(left['scales'] / left['points'])", 0.0, 0.5),  # of the lobe, in the residual
        Claim("outcome.digest == json.loads(read(saved))['digest']", True, True),
    ),
    "radio/bring_your_own.ipynb": (
        Claim("flux", 1.95, 2.1),  # Jy; the ring has 2, and the residual is below a threshold
        Claim("len(found['windows'])", 2, 2),
        Claim("len(every.result.fields)", 2, 2),
        Claim("every.summary['fields']['calibrator']['image']['peak']", 2.98, 3.02),  # Jy
        Claim(
            "(every.result['remnant'].planes[0].dirty == points.result.planes[0].dirty).all()",
            True,
            True,
        ),
        Claim("[*made] == ['natural']", True, True),  # what the widget drew
        Claim("every.digest == json.loads(read(saved))['digest']", True, True),
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

SMALL = {
    "hep/quickstart.ipynb": {"hep/quickstart": 30_000, "hep/dimuon": 30_000},
    "hep/ttbar.ipynb": {"hep/ttbar": 10_000},
    "radio/quickstart.ipynb": {"radio/vla_sim": 210_000},
    "radio/scaling.ipynb": {"radio/scaling": 200_000},
}
"""Notebooks that find data of these sizes, made before: their own would take too long."""

HOLDS_CODE = {"hep/bring_your_own.ipynb", "radio/bring_your_own.ipynb"}
"""The notebooks that may define functions: in files that they write."""

IN_ONE_PROCESS = {"hep/adl.ipynb", "hep/ttbar.ipynb", "hep/zprime.ipynb", "in_your_pipeline.ipynb"}
IN_ONE_PROCESS |= HOLDS_CODE
"""Notebooks that the tests execute without workers; the quick starts have them."""

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
    if name in IN_ONE_PROCESS:
        environment["SPECTRUM_SITE"] = "serial"
    data = str(home / "spectrum" / "data")
    for spec, size in SMALL.get(name, {}).items():
        make_data(load_spec(spec), Place(load_site("serial"), data, data), size=size)
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
    written = [source for source in cells if source.startswith("%%writefile ~/")]
    assert bool(written) == (name in HOLDS_CODE)
    plain = [source for source in cells if source not in written]
    for node in (node for source in plain for node in ast.walk(ast.parse(source))):
        assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_knows_no_site(name: str) -> None:
    words = {word for source in code_of(load(name)) for word in re.findall(r"\w+", source)}
    assert words & {*SITES, "LocalCluster", "Client", "SLURMCluster", "Gateway"} == set()
    assert len(SITES) >= 2


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_that_makes_other_data_has_a_folder_for_them(name: str) -> None:
    """`make docs` and people execute one after the other, with one data root."""
    code = "\n".join(code_of(load(name)))
    assert not re.search(r"\bsize=", code) or "{site.data}/" in code


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

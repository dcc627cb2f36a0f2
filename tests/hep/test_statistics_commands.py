"""Commands on the folder of a saved run: what they print, and what they write."""

import inspect
import json
import sys
from pathlib import Path

import pytest

from spectrum_workflows import connect, load_site, load_spec, run, save
from spectrum_workflows.cli import main
from spectrum_workflows.cli.sciences import COMMAND_LINE
from spectrum_workflows.hep import DOMAIN
from spectrum_workflows.hep.synthetic import write_sample

pytestmark = [
    pytest.mark.xdist_group("hep statistics commands"),
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning"),
]

FIT = {
    "signal": "wjets",
    "regions": ["4j1b", "4j2b"],
    "start": 110.0,
    "stop": 510.0,
    "rebin": 4,
    "luminosity_error": 0.03,
    "pseudodata": {"ttbar": 1.0, "wjets": 1.1},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder of a small run with a fit, and of one without."""
    folder = tmp_path_factory.mktemp("saved")
    spec = load_spec("hep/quickstart")
    for name in ("ttbar", "wjets"):
        write_sample(str(folder / f"{name}.root"), name, events=2_000, seed=3)
    small = spec.model_copy(update={"samples": {n: spec.samples[n] for n in ("ttbar", "wjets")}})
    with connect(load_site("serial"), data=str(folder), results=str(folder / "r")) as place:
        return tuple(
            save(run(small.changed(fit=fit), place, watch=False), place) for fit in (FIT, None)
        )


@pytest.fixture
def spectrum(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPECTRUM_SITE", "serial")

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["spectrum", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def test_every_command_is_an_action_with_these_options():
    commands = COMMAND_LINE.commands["hep"]
    assert {name.replace("-", "_") for name in commands} == {*DOMAIN.actions}
    for name, command in commands.items():
        known = inspect.signature(DOMAIN.actions[name.replace("-", "_")]).parameters
        assert {*command.options} <= {*known}, name


@pytest.mark.parametrize(
    ("words", "line", "files"),
    [
        (["limit"], "observed limit at 0.95 CL", ["limit.json", "limit.png"]),
        (["scan", "--points", "5"], "from the Hesse matrix", ["scan.json", "scan.png"]),
        (["impacts"], "impact of +1 σ", ["impacts.json", "impacts.png"]),
        (["goodness"], "degrees of freedom", ["goodness.json"]),
        (["toys", "--number", "40"], "CPU time of one toy", ["toys.json", "toys_goodness.png"]),
        (["export"], "combine/card.txt", ["export.json", "combine/card.txt"]),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else None,
)
def test_a_command_prints_and_writes_beside_the_run(spectrum, saved, words, line, files):
    name, *options = words
    code, out, _ = spectrum("hep", name, saved[0], *options)
    assert code == 0
    assert line in out
    assert "generated events: no measurement" in out
    for file in files:
        assert Path(saved[0], name, file).stat().st_size > 50
    assert json.loads(Path(saved[0], name, f"{name}.json").read_text())["digest"]


def test_the_json_of_a_command_is_the_same_whatever_else(spectrum, saved, tmp_path):
    call = ("hep", "toys", saved[0], "--statistic", "limit", "--tested", 1.5, "--number", 20)
    code, out, _ = spectrum(*call, "--seed", 7, "--out", tmp_path / "here", "--json")
    assert code == 0
    said = json.loads(out)
    assert len(said["values"]) == len(said["background"]) == 20
    assert said["seed"] == 7
    assert said["folder"] == str(tmp_path / "here")
    assert {*said["files"]} == {p.name for p in (tmp_path / "here").iterdir()}


def test_what_cannot_be_asked_is_one_line(spectrum, saved):
    code, _, err = spectrum("hep", "limit", saved[1])
    assert (code, "has no [fit] table" in err) == (2, True)
    code, _, err = spectrum("hep", "toys", saved[0], "--statistic", "mean")
    assert (code, "choose goodness, limit, discovery" in err) == (2, True)
    code, _, err = spectrum("hep", "scan", saved[0], "--points", 1)
    assert (code, "choose 3 or more" in err) == (2, True)
    code, _, err = spectrum("hep", "limit", saved[0] + "-nowhere")
    assert code == 2

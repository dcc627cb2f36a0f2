"""A science that is not installed, or is broken, is left out with a line; the others work."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from spectrum_workflows import domain
from spectrum_workflows.domain import LeftOutWarning
from spectrum_workflows.errors import MissingExtraError, SpecError
from spectrum_workflows.hep.synthetic import write_sample

pytestmark = pytest.mark.xdist_group("left out")  # what they share is made once

RADIO = ("astropy", "casacore", "ducc0", "python_casacore", "xarray", "zarr")
"""What only one of the two sciences needs."""


@pytest.fixture(scope="module")
def hep_alone(environment: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the libraries of one science."""
    return environment(tmp_path_factory.mktemp("environment"), without=RADIO)


def spectrum(python: Path, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "spectrum_workflows", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def left_out(stderr: str) -> None:
    [line] = [line for line in stderr.splitlines() if "left out" in line]
    assert "the radio workflow needs " in line
    assert line.endswith("pip install 'spectrum-workflows[radio]'")


def test_a_file_of_the_other_science_is_converted(hep_alone: Path, tmp_path: Path) -> None:
    write_sample(str(tmp_path / "in.root"), "dimuon", events=500, seed=1)
    done = spectrum(hep_alone, "data", "convert", "in.root", "out.root", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] == 500
    left_out(done.stderr)


def test_calibrate_and_the_wrong_science(hep_alone: Path, tmp_path: Path) -> None:
    done = spectrum(hep_alone, "calibrate", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["costs"] == {}
    left_out(done.stderr)
    refused = spectrum(hep_alone, "run", "radio/vla_sim", "--site", "serial", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.endswith("pip install 'spectrum-workflows[radio]'\n")


def outside(folder: Path, name: str, source: str, metadata: str = "") -> None:
    """An installed package that registers a science."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{metadata}")
    (info / "entry_points.txt").write_text(f"[{domain.GROUP}]\n{name} = {name}:DOMAIN\n")


BROKEN = {
    "raises": "raise RuntimeError('not today')",
    "is_none": "DOMAIN = 5",
    "lacks_it": "",
    "imports_badly": "from json import no_such_name",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_left_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(tmp_path, name, BROKEN[name])
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.warns(LeftOutWarning, match=f"left out: the {name} workflow cannot be loaded"):
        usable = [science.name for science in domain.installed()]
    assert usable == ["hep", "radio"]
    with pytest.raises(SpecError, match=f"mend or remove {name}") as refused:
        domain.get(name)
    assert "\n" not in str(refused.value)


def test_an_extra_is_named_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "import a_library_that_is_nowhere"
    outside(tmp_path, "plain_science", missing)
    outside(tmp_path, "rich_science", missing, "Provides-Extra: rich_science\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    needs = "workflow needs a_library_that_is_nowhere; "
    with pytest.raises(MissingExtraError, match=needs + "install what plain_science requires"):
        domain.get("plain_science")
    with pytest.raises(MissingExtraError, match=needs + r"pip install 'rich_science\[rich_sci"):
        domain.get("rich_science")


def test_the_demo_leaves_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from spectrum_workflows import front
    from spectrum_workflows.cli.commands import demo_command

    outside(tmp_path, "absent", "import a_library_that_is_nowhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    ran: list[str] = []

    def run(spec: object, place: object) -> SimpleNamespace:
        ran.append(spec.name)
        return SimpleNamespace(summary={})

    monkeypatch.setattr(front, "run", run)
    monkeypatch.setattr(front, "save", lambda outcome, place: "")
    monkeypatch.setattr("spectrum_workflows.examples.make_data", lambda spec, place: [])
    with pytest.warns(LeftOutWarning, match="the absent workflow needs"):
        demo_command(out=str(tmp_path / "demo"), site="serial", json=True)
    assert len(ran) == 2


def test_a_demo_of_nothing_names_the_extras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spectrum_workflows.cli.commands import demo_command

    monkeypatch.setattr(domain, "installed", list)
    with pytest.raises(MissingExtraError, match=r"spectrum-workflows\[all\]"):
        demo_command(out=str(tmp_path / "demo"), site="serial", json=True)
    assert not (tmp_path / "demo").exists()

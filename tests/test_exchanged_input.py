"""Input that is exchanged while a run reads it is noticed: the result would be a mixture."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spectrum_workflows import domain, load_site, load_spec, run, storage
from spectrum_workflows.domain import Metrics, Plan
from spectrum_workflows.errors import DataError
from spectrum_workflows.sites import Place

WORKFLOWS = Path(__file__).parents[1] / "workflows"


def test_stamps(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"12345")
    before = storage.stamp(str(path))
    assert storage.stamp(str(path)) == before
    shutil.copy2(path, other)
    assert storage.stamp(str(other)).split()[:2] == before.split()[:2]
    other.replace(path)
    assert storage.stamp(str(path)) != before, "same size and time, another file"
    folder = tmp_path / "set.ms"
    (folder / "SUB").mkdir(parents=True)
    (folder / "SUB" / "table.f0").write_bytes(b"1")
    before = storage.stamp(str(folder))
    (folder / "table.lock").write_bytes(b"casacore was here")
    assert storage.stamp(str(folder)) == before
    (folder / "SUB" / "table.f0").write_bytes(b"12")
    assert storage.stamp(str(folder)) != before
    storage.write_bytes("memory://stamps/x", b"1")
    before = storage.stamp("memory://stamps/x")
    storage.write_bytes("memory://stamps/x", b"12")
    assert storage.stamp("memory://stamps/x") != before


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def copied(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [touched, copied, removed])
@pytest.mark.parametrize("fails", [False, True])
def test_a_run_whose_input_was_exchanged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    fails: bool,
) -> None:
    spec = load_spec(WORKFLOWS / "hep" / "quickstart.toml")
    place = Place(load_site("serial"), str(tmp_path), str(tmp_path / "results"))
    path = tmp_path / "input.root"
    path.write_bytes(b"x")

    def compute(*_: object, **__: object) -> tuple[None, Metrics]:
        change(path)
        if fails:
            raise DataError("damaged", str(path))
        return None, Metrics()

    plan = Plan((), 0, 0, inputs=((str(path), ""),))
    science = replace(domain.get("hep"), plan=lambda *_, **__: plan, run=compute)
    monkeypatch.setattr("spectrum_workflows.domain.get", lambda name: science)
    with pytest.raises(DataError, match="exchanged while the run read it"):
        run(spec, place)

"""The contract every registered science keeps, whichever it is."""

import json
from pathlib import Path

import pytest
from distributed import Client

from spectrum_workflows import (
    check,
    compare,
    domain,
    load_site,
    load_spec,
    make_data,
    run,
    save,
    shipped,
)
from spectrum_workflows.record import damaged, digest, read_record
from spectrum_workflows.sites import Place

SIZE = 20_000
"""Events per sample, or visibilities."""

SMALLER = {"radio-large": ("npix = 4096", "npix = 1024")}
"""What is changed in a shipped spec for these tests, which need no large image."""

SPECS = [
    pytest.param(path, SMALLER.get(f"{name}-{path.stem}"), id=f"{name}-{path.stem}")
    for name in domain.names()
    for path in sorted((shipped.folder("workflows") / name).glob("*.toml"))
    if path.name != "catalogue.toml"
]


def test_both_sciences_are_registered_and_have_specs() -> None:
    assert {"hep", "radio"} <= set(domain.names())
    assert len(SPECS) >= 3


@pytest.mark.parametrize(("path", "smaller"), SPECS)
def test_contract(
    path: Path, smaller: tuple[str, str] | None, tmp_path: Path, dask_client: Client
) -> None:
    site = load_site("serial")
    roots = {"data": str(tmp_path / "data"), "results": str(tmp_path / "results")}
    serial, workers = Place(site, **roots), Place(site, **roots, client=dask_client)
    if smaller:
        text = path.read_text()
        assert smaller[0] in text
        path = tmp_path / path.name
        path.write_text(text.replace(*smaller))
    spec = load_spec(path)
    science = domain.get(spec.workflow)

    made = make_data(spec, serial, size=SIZE)
    assert sorted(made) == sorted(science.inputs(spec, serial.data))
    before = {p: p.stat().st_mtime_ns for p in Path(serial.data).rglob("*")}
    assert sorted(make_data(spec, serial)) == sorted(made)
    assert {p: p.stat().st_mtime_ns for p in Path(serial.data).rglob("*")} == before

    found = check(spec, serial)
    assert found.plan.partitions
    assert found.plan.bytes_to_read > 0
    assert found.plan.largest_memory > 0
    assert not Path(serial.results).exists()

    here, there = run(spec, serial), run(spec, workers)
    assert here.plan == there.plan == found.plan
    assert here.digest == there.digest
    assert here.fraction == 1.0
    assert here.metrics.bytes_read > 0
    json.dumps(here.summary, allow_nan=False)

    folder = save(here, serial)
    record = read_record(folder)
    assert damaged(folder, record) == []
    assert record["machine"]["cpu_features"]
    assert digest(science.read(folder)) == record["digest"] == here.digest
    assert compare(folder, save(there, serial)).verdict == "identical"
    assert str(tmp_path) not in json.dumps(record["spec"])

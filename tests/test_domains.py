"""The contract every registered science keeps, whichever it is."""

import inspect
from pathlib import Path

import pytest
from distributed import Client

from spectrum_workflows import domain, load_spec, shipped
from spectrum_workflows.cli.sciences import COMMAND_LINE
from spectrum_workflows.testing import check_domain

SIZE = 20_000
"""Events per sample, or visibilities."""

FINER = {
    "hep-ttbar_nanoaod_v12": {
        "partition": {"max_events": 10_000},
        "synthetic": {"cluster_events": 5_000},
    },
    "radio": {"partition": {"max_visibilities": 8_000}},
    "radio-vla_sim": {"image": {"npix": 256, "cell_arcsec": 5.0}, "clean": {"max_major": 2}},
    "radio-large": {"image": {"npix": 1024}},
}
"""What is changed in shipped specs for these tests: two partitions or more, and no large image."""

ALIKE = {"large", "scaling", "ttbar", "ttbar_nanoaod_v12", "ttbar_objects", "zprime"}
"""Specs that take long and differ from another in size, in names or in what other tests try."""

SPECS = [
    pytest.param(
        path,
        id=f"{name}-{path.stem}",
        marks=[pytest.mark.long] if path.stem in ALIKE else [],
    )
    for name in domain.names()
    for path in sorted((shipped.folder("workflows") / name).glob("*.toml"))
    if path.name not in {"catalogue.toml", "use_case.toml"}
]


def test_both_sciences_are_registered_and_have_specs() -> None:
    assert {"hep", "radio"} <= set(domain.names())
    assert len(SPECS) >= 3


@pytest.mark.parametrize("path", SPECS)
def test_contract(path: Path, tmp_path: Path, dask_client: Client) -> None:
    spec = load_spec(path)
    for name in (spec.workflow, f"{spec.workflow}-{path.stem}"):
        spec = spec.changed(**FINER.get(name, {}))
    evidence = check_domain(spec, tmp_path, client=dask_client, size=SIZE)
    assert str(tmp_path) not in evidence.outcome.spec.model_dump_json()


def test_what_the_sciences_add_to_the_command_line_is_theirs() -> None:
    specs = [science.spec.model_fields for science in domain.installed()]
    converters = [s.converter.convert for s in domain.installed() if s.converter]
    parameters = [inspect.signature(convert).parameters for convert in converters]
    assert {"self_check"} <= COMMAND_LINE.run.keys()
    assert {"output_channels", "cluster_events"} <= COMMAND_LINE.convert.keys()
    assert all(any(name in keys for keys in specs) for name in COMMAND_LINE.run)
    assert all(any(name in keys for keys in parameters) for name in COMMAND_LINE.convert)

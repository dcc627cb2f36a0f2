"""The ``[veto_maps]`` tables of a HEP spec: regions whose objects are not to be trusted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from spectrum_workflows.hep.spec.objects import Files, Inputs, Text
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel, closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec


class VetoMapSpec(FrozenModel):
    """A map of regions in which objects are vetoed: its value there is not 0.

    It is looked up once, with the corrected nominal objects: what is vetoed is the same under all
    systematic variations.
    """

    files: Files
    """Correctionlib files, ``.json`` or ``.json.gz``, relative to the spec."""
    correction: Text
    """Name of the map."""
    collection: Text
    """Which objects: ``"Jet"`` for ``Jet_eta``."""
    inputs: Inputs = Field(default_factory=dict)
    """For every input its column, as ``eta = "Jet_eta"``; a number; or the word of an input of
    words, as ``type = "jetvetomap"``.  Azimuths that rounding puts on pi are inside."""
    where: str = ""
    """Name of a function beside ``select``: which of the objects are looked up, an array of true
    and false.  It is given the events as ``select`` sees them, and those of the cuts that it takes;
    all are looked up if left out."""
    drop: Literal["events", "objects"] = "events"
    """Leave out events with such an object, or only the objects themselves."""
    samples: tuple[Name, ...] = ()
    """Samples that it is for, of data too; all if left out."""


def maps_of(spec: HepSpec, sample: str) -> dict[str, VetoMapSpec]:
    """The maps that are for a sample, in their order."""
    return {n: m for n, m in spec.veto_maps.items() if not m.samples or sample in m.samples}


def row_of(name: str) -> str:
    """Row of the events that a map leaves."""
    return f"veto_maps.{name}"


def check(spec: HepSpec) -> None:
    """Refuse maps of samples that are not there, and columns that would point to other objects.

    Raises
    ------
    ValueError
        In one line.
    """
    of_samples = (name for sample in spec.samples.values() for name in sample.columns)
    columns = (*spec.columns, *spec.simulation_columns, *of_samples)
    for name, described in spec.veto_maps.items():
        for sample in described.samples:
            if sample not in spec.samples:
                hint = closest(sample, list(spec.samples))
                raise ValueError(f"veto_maps.{name}.samples: no {sample!r} here; {hint}")
        index = re.compile(rf"_{_lowered(described.collection)}Idx[A-Z0-9]*$")
        pointing = next((c for c in columns if index.search(c)), "")
        if described.drop == "objects" and pointing:
            raise ValueError(
                f"veto_maps.{name} drops objects, and {pointing} counts them as the file does;"
                ' leave that column out, or drop = "events"'
            )


def _lowered(collection: str) -> str:
    """A collection as columns of indices name it: ``fatJet`` of ``FatJet``."""
    return re.escape(collection[:1].lower() + collection[1:])

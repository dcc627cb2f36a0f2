"""The ``[objects]`` and ``[met]`` tables of a HEP spec: what is corrected before ``select``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

Text = Annotated[str, Field(min_length=1)]

Files = Text | Annotated[tuple[Text, ...], Field(min_length=1)]
"""One correctionlib file, or several."""

Several = Text | tuple[Text, ...]
"""One name of a correction, or several that are applied one after the other."""

Inputs = dict[str, Text | int | float]
"""Where the inputs of corrections come from."""

MET = "met"
"""What a variation calls the missing transverse momentum."""


def column_of(given: str) -> str:
    """The column that an input names, with or without bars around it."""
    barred = len(given) > 2 and given[0] == given[-1] == "|"
    return given[1:-1] if barred else given


def listed(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """One name as a list of one."""
    return (names,) if isinstance(names, str) else names


class SmearingSpec(FrozenModel):
    """Simulated objects whose resolution is made that of data, after all other corrections.

    One with a generated match has its distance to that scaled, one without gets a random number:
    a hash of run, luminosity block, event and the object's place.  Its corrections take their
    inputs as the object's do.
    """

    resolution: Text
    """Correction that gives the relative resolution of the transverse momentum."""
    scale_factor: Text
    """Correction that gives the resolution of data over that of simulation."""
    generated: str = ""
    """Collection of generated objects, such as ``"GenJet"``; no object has a match if left out."""
    index: str = ""
    """Column of the objects that says which of the generated is its match, such as
    ``"Jet_genJetIdx"``; a negative number is none."""
    cone: PositiveFloat = 0.2
    """A match is nearer in pseudorapidity and azimuth, in radians: half the size of the jets."""
    widths: PositiveFloat = 3.0
    """And nearer in transverse momentum, in resolutions."""

    @model_validator(mode="after")
    def _a_match_is_told(self) -> Self:
        if bool(self.generated) != bool(self.index):
            raise ValueError("generated and index belong together")
        return self


class ObjectSpec(FrozenModel):
    """Objects of one collection, such as jets, corrected before ``select`` sees them.

    Corrections are factors: transverse momentum and mass are multiplied by one after the other.
    ``select`` finds the result under the names and with the types of the file's own columns, in
    the file's order.
    """

    collection: Text
    """Name before the columns: ``"Jet"`` for ``Jet_pt``."""
    files: Files
    """Correctionlib files, ``.json`` or ``.json.gz``, relative to the spec."""
    nominal: Several = ()
    """Correction of simulation, simple or compound; or several, one after the other."""
    data: Several = ()
    """The same of data; none if left out."""
    by_sample: dict[Name, Several] = Field(default_factory=dict)
    """The same of samples that have their own, such as data of one era."""
    raw: str = ""
    """Column of which the file's values are to be undone before: they are multiplied by 1 less
    this. In NanoAOD ``"Jet_rawFactor"``; nothing is undone if left out."""
    smearing: SmearingSpec | None = None
    """How the resolution of simulation is made that of data, if it is."""
    scaled: tuple[Text, ...] = ("pt", "mass")
    """Columns of the collection that are multiplied; the first is the transverse momentum."""
    inputs: Inputs = Field(default_factory=dict)
    """For every input of the corrections its column, as ``JetPt = "Jet_pt"``: of this collection
    or one number per event, taken as it is at that step, between bars its absolute value,
    ``"|Jet_eta|"``; a number; or the word of an input of words."""

    @model_validator(mode="after")
    def _something_is_scaled(self) -> Self:
        if not self.scaled:
            raise ValueError('scaled is empty; leave it out for ["pt", "mass"]')
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are multiplied, by their full names."""
        return tuple(f"{self.collection}_{name}" for name in self.scaled)

    def corrections_of(self, sample: str, *, data: bool) -> tuple[str, ...]:
        """Names of the corrections of a sample, in their order."""
        if sample in self.by_sample:
            return listed(self.by_sample[sample])
        return listed(self.data if data else self.nominal)


class MetSpec(FrozenModel):
    """The missing transverse momentum, which changes against the momenta of objects."""

    pt: Text = "MET_pt"
    """Column of its size."""
    phi: Text = "MET_phi"
    """Column of its azimuth."""
    objects: tuple[Name, ...] = ()
    """Which of the ``[objects]`` it follows; all if left out."""
    minimum_pt: NonNegativeFloat = 15.0
    """Objects count whose transverse momentum in the file, in GeV, is above."""

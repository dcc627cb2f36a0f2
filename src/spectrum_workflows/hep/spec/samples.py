"""The samples of a spec: files of one process or data set, and what is its own."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, model_validator

from spectrum_workflows.catalogue.data_set_names import check_name, is_data_set
from spectrum_workflows.catalogue.entries import PREFIX
from spectrum_workflows.hep.spec.cuts import Cut
from spectrum_workflows.hep.spec.event_filters import Filters, Triggers
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

SEVERAL = "*?["
"""Characters that make a pattern of a name."""

LIST = "@"
"""Before the name of a file of names."""


def stands_for_several(file: str) -> bool:
    """Whether a name in ``files`` may stand for more, or fewer, than one file."""
    several = file.startswith((LIST, PREFIX)) or is_data_set(file)
    return several or any(mark in file for mark in SEVERAL)


FileName = Annotated[str, AfterValidator(check_name)]
"""A name in ``files``; one that begins like a data set's is one."""


class SampleSpec(FrozenModel):
    """One process: its files and, for simulation, its cross section in pb."""

    files: tuple[FileName, ...] = ()
    """URLs, names below the data root (as DAS prints them, too), patterns such as ``QCD/*.root``,
    ``@LIST`` for a file of names beside the spec, one per line, or ``catalogue:NAME``: all
    files of an entry, read below the data root if fetched, else from a replica.  Data sets that
    their own clients resolve when a run is planned: ``rucio:SCOPE:NAME``, ``das:/A/B/NANOAOD``.
    A sample needs some; with ``[eras]`` in each of its eras."""
    cross_section: PositiveFloat | None = None
    """In pb; times branching fractions and filter efficiency, if any."""
    events: tuple[NonNegativeInt, ...] = ()
    """Events in each file, if known: then no file is opened to plan a run."""
    format: str = ""
    """Format of its files, instead of the spec's."""
    label: str = ""
    """Name in legends."""
    data: bool = False
    """Counted as it is, not normalised, and drawn as points."""
    weighted: bool = False
    """Data whose events ``select`` may weight: fake factors, transfer factors, embedded or
    prescaled samples."""
    generator: str = ""
    """Which synthetic process stands in for it; its own name if left out."""
    mixture: tuple[Name, ...] = ()
    """Generated data: of each of these simulated samples as many events as its cross section and
    the luminosity let expect, by Poisson's law, in an order without meaning."""
    varies: str = ""
    """The sample of which this one is a systematic variation: it enters the fit as such, and no
    total and no picture."""
    variations: tuple[Name, ...] | None = None
    """Systematic variations asked of ``select``, instead of the spec's list."""
    triggers: Triggers | None = None
    """Its trigger bits, instead of the spec's; none if empty."""
    primary_dataset: str = ""
    """Which of the ``[[primary_datasets]]`` this data is of."""
    event_filters: Filters | None = None
    """Flags of good events, instead of the spec's; none if empty."""
    columns: tuple[str, ...] = ()
    """Branches that ``select`` sees of this sample besides the spec's."""
    cuts: dict[str, Cut] = Field(default_factory=dict)
    """Cuts that are others than the spec's."""
    luminosity: PositiveFloat | None = None
    """Integrated luminosity in 1/pb, instead of the spec's."""

    @model_validator(mode="after")
    def _a_number_per_file(self) -> Self:
        plain = not any(map(stands_for_several, self.files))
        if self.events and plain and len(self.events) != len(self.files):
            raise ValueError(f"events has {len(self.events)} numbers for {len(self.files)} files")
        return self

    @model_validator(mode="after")
    def _only_data_is_a_mixture(self) -> Self:
        if self.mixture and (self.generator or not self.data):
            raise ValueError("mixture is for data, instead of generator")
        return self

    @model_validator(mode="after")
    def _only_data_is_weighted_on_request(self) -> Self:
        if self.weighted and not self.data:
            raise ValueError("weighted is for data; simulation is weighted always")
        return self

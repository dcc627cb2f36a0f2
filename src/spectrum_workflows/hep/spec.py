"""The run spec of the HEP workflow: what can stand in its TOML file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from spectrum_workflows.specs import FrozenModel

Name = Annotated[str, Field(pattern=r"^[^/\s]+$")]
"""A name that can be part of a file or histogram name."""


class HistogramSpec(FrozenModel):
    """One histogram: which observable, in which bins.

    Attributes
    ----------
    observable : str
        Region returned by ``select``; the histogram's own name if left out.
    bins, start, stop
        Regular axis, in the unit of the observable; edges belong to the bin
        above them.
    log : bool
        Bins of equal width in the logarithm; both axes are drawn logarithmic.
    label : str
        Axis label with unit.
    marks : mapping of str to float
        Names to write at positions on the axis, such as known resonances.
    fit : {"", "top", "z"}
        Which peak to fit, if any.
    """

    observable: str = ""
    bins: PositiveInt
    start: float
    stop: float
    log: bool = False
    label: str = ""
    marks: dict[str, float] = Field(default_factory=dict)
    fit: Literal["", "top", "z"] = ""

    @model_validator(mode="after")
    def _axis_makes_sense(self) -> Self:
        if self.stop <= self.start:
            raise ValueError(f"stop must be above start ({self.start:g})")
        if self.log and self.start <= 0:
            raise ValueError("a logarithmic axis must start above 0")
        return self


class SampleSpec(FrozenModel):
    """One process: its files and, for simulation, its cross section in pb.

    Attributes
    ----------
    files : tuple of str
        URLs, names below the data root, or ``catalogue:NAME`` for all files of
        an entry of the catalogue: read below the data root where they were
        fetched, else from a replica.
    cross_section : float
        In pb; times branching fractions and filter efficiency, if any.
    label : str
        Name in legends.
    data : bool
        Counted as it is, never weighted, and drawn as points.
    generator : str
        Which synthetic process stands in for it; its own name if left out.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    cross_section: PositiveFloat | None = None
    label: str = ""
    data: bool = False
    generator: str = ""


class PartitionSpec(FrozenModel):
    """How the input is cut; more events per partition cost more memory."""

    max_events: PositiveInt = 200_000


class SyntheticSpec(FrozenModel):
    """What ``make`` generates for the samples of a spec."""

    events: PositiveInt = 100_000
    seed: NonNegativeInt = 1
    cluster_events: PositiveInt = 25_000


class HepSpec(FrozenModel):
    """A run spec of the HEP workflow.

    Attributes
    ----------
    select : str
        ``"package.module:function"``, or ``"file.py:function"`` relative to
        the spec: a plain function from events to observables.
    tree : str
        Name of the TTree or RNTuple.
    columns : tuple of str
        Branches to read; ``select`` sees nothing else.
    normalisation : {"events", "none"}
        Weight every simulated event by cross section x luminosity / events
        processed of its sample, or count events.
    luminosity : float
        Integrated luminosity in 1/pb.
    cuts : mapping
        Numbers passed to ``select`` as keyword arguments.
    """

    workflow: Literal["hep"]
    name: Name
    select: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    tree: str = "Events"
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    normalisation: Literal["events", "none"] = "events"
    luminosity: PositiveFloat | None = None
    cuts: dict[str, bool | int | float] = Field(default_factory=dict)
    partition: PartitionSpec = PartitionSpec()
    samples: Annotated[dict[Name, SampleSpec], Field(min_length=1)]
    histograms: Annotated[dict[Name, HistogramSpec], Field(min_length=1)]
    synthetic: SyntheticSpec | None = None
    folder: str = Field(default="", exclude=True, repr=False)

    @model_validator(mode="after")
    def _can_be_normalised(self) -> Self:
        simulated = {n: s for n, s in self.samples.items() if not s.data}
        if self.normalisation == "none" or not simulated:
            return self
        if self.luminosity is None:
            raise ValueError('normalisation = "events" needs luminosity (in 1/pb)')
        for name, sample in simulated.items():
            if sample.cross_section is None:
                raise ValueError(
                    f'samples.{name} needs cross_section (in pb), or set normalisation = "none"'
                )
        return self

    def changed(self, **changes: Any) -> Self:
        """Return a validated copy with some values replaced; see `FrozenModel`."""
        return super().changed(**({"folder": self.folder} | changes))

    @property
    def user_code(self) -> str:
        """The file of code this spec names, or an empty string."""
        source = self.select.rpartition(":")[0]
        return source if source.endswith(".py") else ""

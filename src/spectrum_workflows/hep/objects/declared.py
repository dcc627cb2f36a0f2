"""What is to be done to the objects of one sample: names resolved, inputs in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """Where an input of a correction comes from.

    Attributes
    ----------
    column : str
        A column; empty where it is always the same.
    value : float or str
        Then its value: a number, or a word.
    absolute : bool
        Whether the column's absolute value is meant.
    """

    column: str = ""
    value: float | str = 0.0
    absolute: bool = False


@dataclass(frozen=True)
class Call:
    """One correction with its inputs.

    Attributes
    ----------
    file, name : str
        Which file of the spec, and which correction in it.
    inputs : tuple of Source
        In the order in which it takes them.
    """

    file: str
    name: str
    inputs: tuple[Source, ...]


@dataclass(frozen=True)
class Smearing:
    """How the resolution of simulated objects is made that of data.

    Attributes
    ----------
    resolution, scale_factor : Call
        Relative resolution of the transverse momentum, and that of data over that of simulation.
    generated, index : str
        Collection of generated objects, and column that says which of them is whose match; all
        objects are without if they are empty.
    cone, widths : float
        A match is nearer in pseudorapidity and azimuth, and by so many resolutions in momentum.
    numbers : tuple of str
        Columns that name an event.
    """

    resolution: Call
    scale_factor: Call
    generated: str
    index: str
    cone: float
    widths: float
    numbers: tuple[str, ...] = ("run", "luminosityBlock", "event")


@dataclass(frozen=True)
class Chain:
    """The correction of the objects of one collection.

    Attributes
    ----------
    scaled : tuple of str
        Columns that are multiplied, the transverse momentum first.
    raw : str
        Column of which the file's values are undone before; none if empty.
    steps : tuple of Call
        Factors, one after the other.
    smearing : Smearing or None
        What is done last.
    """

    scaled: tuple[str, ...]
    raw: str = ""
    steps: tuple[Call, ...] = ()
    smearing: Smearing | None = None

    @property
    def pt(self) -> str:
        """Column of the transverse momentum."""
        return self.scaled[0]

    @property
    def phi(self) -> str:
        """Column of the azimuth."""
        return self.beside("phi")

    def beside(self, name: str) -> str:
        """Another column of the collection."""
        return f"{self.pt.rpartition('_')[0]}_{name}"

    @property
    def calls(self) -> list[Call]:
        """All corrections that are evaluated."""
        last = self.smearing
        return [*self.steps, *([last.resolution, last.scale_factor] if last is not None else [])]

    @property
    def columns(self) -> list[str]:
        """All columns that are needed."""
        names = [self.pt, *([self.raw] if self.raw else []), *_inputs(*self.calls)]
        if self.smearing is not None:
            names += [self.beside("eta"), self.phi, *self.smearing.numbers]
        if self.smearing is not None and self.smearing.generated:
            names += [f"{self.smearing.generated}_{name}" for name in ("pt", "eta", "phi")]
            names.append(self.smearing.index)
        return names


@dataclass(frozen=True)
class Met:
    """The missing transverse momentum, and what it follows.

    Attributes
    ----------
    pt, phi : str
        Its columns.
    objects : tuple of str
        Names of chains.
    minimum_pt : float
        In GeV.
    """

    pt: str
    phi: str
    objects: tuple[str, ...]
    minimum_pt: float


@dataclass(frozen=True)
class Shift:
    """A relative uncertainty of objects: they are multiplied by 1 plus and 1 minus it.

    Attributes
    ----------
    name : str
        Its templates are ``name_up`` and ``name_down``.
    object : str
        Name of the chain.
    call : Call
        What gives the uncertainty.
    """

    name: str
    object: str
    call: Call


@dataclass(frozen=True)
class Rerun:
    """A correction that is done again with other inputs; ``name`` is that of the template."""

    name: str
    object: str
    chain: Chain


@dataclass(frozen=True)
class MetShift:
    """Columns that stand for the file's missing momentum; ``name`` is that of the template."""

    name: str
    pt: str
    phi: str


@dataclass(frozen=True)
class Weight:
    """A weight of events, with its variations.

    Attributes
    ----------
    name : str
    call : Call
    variations : tuple of (str, Call)
        By the name of the template.
    collection, where, tagged : str
        The items whose product it is, and functions that tell which count and which are tagged.
    efficiency : Call or None
        Efficiency to tag an item in simulation.
    """

    name: str
    call: Call
    variations: tuple[tuple[str, Call], ...] = ()
    collection: str = ""
    where: str = ""
    tagged: str = ""
    efficiency: Call | None = None

    @property
    def counted(self) -> str:
        """The column by which items are counted: the first of the collection's."""
        prefix = f"{self.collection}_"
        return next((n for n in self.columns if n.startswith(prefix)), f"{prefix}pt")

    @property
    def columns(self) -> list[str]:
        """All columns that are needed."""
        return _inputs(*self.calls)

    @property
    def calls(self) -> list[Call]:
        """All corrections that are evaluated."""
        efficiency = [] if self.efficiency is None else [self.efficiency]
        return [self.call, *(call for _, call in self.variations), *efficiency]


@dataclass(frozen=True)
class Veto:
    """A map of regions whose objects are not to be trusted.

    Attributes
    ----------
    name : str
    call : Call
        Its value is not 0 there.
    collection, where : str
        The objects, and a function that tells which of them are looked up.
    drops_events : bool
        Whether events with such objects are left out, or only the objects.
    """

    name: str
    call: Call
    collection: str
    where: str = ""
    drops_events: bool = True

    @property
    def counted(self) -> str:
        """The column by which objects are counted: the first of the collection's."""
        prefix = f"{self.collection}_"
        return next((n for n in _inputs(self.call) if n.startswith(prefix)), f"{prefix}pt")

    @property
    def columns(self) -> list[str]:
        """All columns that are needed."""
        return [*_inputs(self.call), self.counted]


@dataclass(frozen=True)
class GeneratorWeight:
    """Weights that the generator stores in a list per event.

    Attributes
    ----------
    name, column : str
    members : tuple of (str, int)
        Variation that is filled with it, and position in the list.
    reference : int or None
        Position of what they are relative to.
    """

    name: str
    column: str
    members: tuple[tuple[str, int], ...]
    reference: int | None = None


@dataclass(frozen=True)
class Declared:
    """All that a spec declares for one sample.

    Attributes
    ----------
    chains : mapping of str to Chain
    met : Met or None
    shifts, reruns, met_shifts : tuple
        Systematic variations.
    weights : tuple of Weight
    generator_weights : tuple of GeneratorWeight
    vetoes : tuple of Veto
    """

    chains: Mapping[str, Chain] = field(default_factory=dict)
    met: Met | None = None
    shifts: tuple[Shift, ...] = ()
    reruns: tuple[Rerun, ...] = ()
    met_shifts: tuple[MetShift, ...] = ()
    weights: tuple[Weight, ...] = ()
    generator_weights: tuple[GeneratorWeight, ...] = ()
    vetoes: tuple[Veto, ...] = ()

    def changed_by(self, template: str) -> set[str]:
        """Columns that a variation changes; none if it only weighs events."""
        if self.met is not None and template in {shift.name for shift in self.met_shifts}:
            return {self.met.pt, self.met.phi}
        of = {rerun.name: rerun.object for rerun in self.reruns}
        of |= {f"{shift.name}_{d}": shift.object for shift in self.shifts for d in ("up", "down")}
        name = of.get(template)
        if name is None:
            return set()
        follows = self.met is not None and name in self.met.objects
        met = {self.met.pt, self.met.phi} if self.met is not None and follows else set()
        return {*self.chains[name].scaled} | met

    @property
    def calls(self) -> list[Call]:
        """All corrections that are evaluated."""
        chains = (*self.chains.values(), *(rerun.chain for rerun in self.reruns))
        calls = [call for chain in chains for call in chain.calls]
        calls += [shift.call for shift in self.shifts]
        calls += [veto.call for veto in self.vetoes]
        return calls + [call for weight in self.weights for call in weight.calls]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are needed, each once."""
        names: list[str] = []
        for chain in (*self.chains.values(), *(rerun.chain for rerun in self.reruns)):
            names += chain.columns
        names += _inputs(*(shift.call for shift in self.shifts))
        if self.met is not None:
            names += [self.met.pt, self.met.phi]
            names += [self.chains[name].phi for name in self.met.objects]
        names += [column for shift in self.met_shifts for column in (shift.pt, shift.phi)]
        for weight in self.weights:
            names += [*weight.columns, *([weight.counted] if weight.collection else [])]
        names += [weight.column for weight in self.generator_weights]
        names += [column for veto in self.vetoes for column in veto.columns]
        return tuple(dict.fromkeys(names))


def _inputs(*calls: Call) -> list[str]:
    return [source.column for call in calls for source in call.inputs if source.column]

"""The ``[weights]`` and ``[generator_weights]`` tables of a HEP spec: what simulation counts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from spectrum_workflows.hep.spec.objects import Files, Inputs, Text
from spectrum_workflows.hep.spec.variations import DIRECTIONS
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel


class WeightSpec(FrozenModel):
    """A weight of simulated events from a correction, such as of pile-up or a scale factor.

    Selected events are multiplied by all of them. ``up`` and ``down`` are variations,
    ``NAME_up`` and ``NAME_down``, that do not select again.
    """

    files: Files
    """Correctionlib files, ``.json`` or ``.json.gz``, relative to the spec."""
    correction: Text
    """Name of the correction, simple or compound."""
    inputs: Inputs = Field(default_factory=dict)
    """For every input its column, of this collection or one number per event, as corrected;
    between bars its absolute value, ``"|Jet_eta|"``; a number; or the word of an input of words."""
    up: Inputs = Field(default_factory=dict)
    """Inputs that are others for ``NAME_up``, as ``{ systematic = "up" }``; without, it does not
    vary."""
    down: Inputs = Field(default_factory=dict)
    """The same for ``NAME_down``."""
    collection: str = ""
    """The weight is the product over the items of this collection, such as ``"Muon"``; one number
    per event if left out."""
    where: str = ""
    """Name of a function beside ``select``: which of the items count, an array of true and false.
    It is given the events as ``select`` sees them, and those of the cuts that it takes."""
    tagged: str = ""
    """For a working point: name of a function beside ``select`` that tells which items are tagged.
    These have the scale factor; others (1 - scale factor x efficiency) / (1 - efficiency)."""
    efficiency: str = ""
    """Correction, in the same files, that gives the efficiency of simulation to tag an item."""
    samples: tuple[Name, ...] = ()
    """Simulated samples that it is for, and those that vary them; all if left out."""

    @model_validator(mode="after")
    def _items_are_of_a_collection(self) -> Self:
        for key in ("where", "tagged"):
            if getattr(self, key) and not self.collection:
                raise ValueError(f"{key} needs a collection, whose items it tells")
        if bool(self.tagged) != bool(self.efficiency):
            raise ValueError("tagged and efficiency belong together")
        if bool(self.up) != bool(self.down):
            raise ValueError("give both up and down, or neither")
        return self

    def templates(self, name: str) -> tuple[str, ...]:
        """Names of its variations."""
        return tuple(f"{name}_{d}" for d in DIRECTIONS) if self.up else ()


class GeneratorWeightSpec(FrozenModel):
    """Weights that the generator stores in a list per event, relative to the nominal one.

    As members of a set they give two templates, ``NAME_up`` and ``NAME_down``, bin by bin: the
    ``envelope`` of all, or the nominal plus and minus the spread of ``replicas`` (their standard
    deviation) or ``hessian`` members (the root of the sum of squared differences).  A ``pair``
    is one member for up and one for down.
    """

    column: Text
    """Column of lists, as ``"LHEScaleWeight"``, ``"LHEPdfWeight"`` or ``"PSWeight"``."""
    kind: Literal["pair", "envelope", "replicas", "hessian"]
    """What the members mean."""
    members: Annotated[tuple[NonNegativeInt, ...], Field(min_length=2)]
    """Positions in the list, counted from 0; of a pair up, then down."""
    reference: NonNegativeInt | None = None
    """Position of what the others are relative to; they are relative to 1 if left out."""
    samples: tuple[Name, ...] = ()
    """Simulated samples that it is for; all that vary no other if left out."""

    @model_validator(mode="after")
    def _members_make_sense(self) -> Self:
        if self.kind == "pair" and len(self.members) != 2:
            raise ValueError(f"a pair has two members, not {len(self.members)}")
        if len({*self.members}) != len(self.members):
            raise ValueError("a member is named twice")
        return self

    def templates(self, name: str) -> tuple[str, ...]:
        """Names of its variations."""
        return tuple(f"{name}_{d}" for d in DIRECTIONS)

    def filled(self, name: str) -> tuple[str, ...]:
        """Names of what is filled to know them."""
        if self.kind == "pair":
            return self.templates(name)
        return tuple(f"{name}_{k}" for k in self.members)

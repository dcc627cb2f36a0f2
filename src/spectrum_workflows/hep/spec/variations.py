"""The ``[variations]`` tables of a HEP spec: systematic variations of corrected objects."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from spectrum_workflows.hep.spec.objects import Files, Inputs
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

DIRECTIONS = ("up", "down")

SOURCE = "{source}"
"""What stands for the name of a source."""


class VariationSpec(FrozenModel):
    """A systematic variation of objects: ``select`` is applied again to what it changes.

    Its templates are called ``NAME_up`` and ``NAME_down``, with ``sources`` ``NAME_SOURCE_up``
    and so on.
    """

    object: Name
    """Which of the ``[objects]`` varies, or ``"met"``."""
    correction: str = ""
    """Correction that gives a relative uncertainty: the objects are multiplied by 1 plus and 1
    minus it. ``{source}`` in its name stands for each of the sources."""
    sources: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Names of sources, each a variation of its own."""
    files: Files | None = None
    """Files of that correction; those of the object if left out."""
    inputs: Inputs = Field(default_factory=dict)
    """Where inputs come from that the object's ``inputs`` do not name, or name otherwise."""
    up: Inputs = Field(default_factory=dict)
    """Or: inputs of the object's own corrections that are others for up, as ``{ systematic = "up"
    }``; of ``"met"`` its columns, as ``{ pt = "PuppiMET_ptUnclusteredUp", phi =
    "PuppiMET_phiUnclusteredUp" }``."""
    down: Inputs = Field(default_factory=dict)
    """The same for down."""
    samples: tuple[Name, ...] = ()
    """Simulated samples that it is for; all that vary no other if left out."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if bool(self.correction) == bool(self.up or self.down):
            raise ValueError("give either a correction, or up and down")
        if self.correction and (SOURCE in self.correction) != (self.sources is not None):
            raise ValueError(f"sources belong to a correction with {SOURCE} in its name")
        if self.sources is not None and len({*self.sources}) != len(self.sources):
            raise ValueError("a source is named twice")
        if not self.correction and not (self.up and self.down):
            raise ValueError("give both up and down")
        if not self.correction and self.sources is not None:
            raise ValueError("sources belong to a correction")
        return self

    def corrections(self, name: str) -> dict[str, str]:
        """Correction of every source, by the name that its templates begin with."""
        if self.sources is None:
            return {name: self.correction}
        return {f"{name}_{s}": self.correction.replace(SOURCE, s) for s in self.sources}

    def templates(self, name: str) -> tuple[str, ...]:
        """Names of all templates."""
        return tuple(f"{n}_{d}" for n in self.corrections(name) for d in DIRECTIONS)

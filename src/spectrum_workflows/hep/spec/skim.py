"""The ``[skim]`` table of a HEP spec: the loosest selection, and what is kept of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, PositiveInt, model_validator

from spectrum_workflows.hep.spec.objects import Text, column_of
from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec


class LimitsSpec(FrozenModel):
    """Limits of numbers, which belong to what is within; no number (NaN) is within none."""

    minimum: dict[Text, float] = Field(default_factory=dict)
    """Least number of each column; between bars, as ``"|eta|"``, of its absolute value."""
    maximum: dict[Text, float] = Field(default_factory=dict)
    """Largest number of each column."""

    @property
    def limited(self) -> tuple[str, ...]:
        """Columns as they are named, each once."""
        return tuple(dict.fromkeys((*self.minimum, *self.maximum)))


class RequirementSpec(LimitsSpec):
    """One condition: limits of numbers per event, or how many items of collections are within."""

    items: dict[Text, LimitsSpec] = Field(default_factory=dict)
    """Collections whose items count, each with limits of its columns: ``items.Muon = { minimum = {
    pt = 25.0 }, maximum = { "|eta|" = 2.4 } }``. Those of several are added up."""
    at_least: PositiveInt = 1
    """Least number of such items."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if bool(self.items) == bool(self.limited):
            raise ValueError("give either limits of numbers per event, or items")
        if self.at_least > 1 and not self.items:
            raise ValueError("at_least counts items; there are none")
        for collection, limits in self.items.items():
            if not limits.limited:
                raise ValueError(f"items.{collection} has no limits; give minimum or maximum")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Branches that it is decided by."""
        of_items = (
            f"{collection}_{column_of(name)}"
            for collection, limits in self.items.items()
            for name in limits.limited
        )
        return tuple(dict.fromkeys((*map(column_of, self.limited), *of_items)))


class SkimSpec(FrozenModel):
    """The loosest selection of all variations, whose events are kept for the next run.

    ``select`` sees no other events.  A later run that requires as much or more, and reads no
    other columns, reads what is kept instead of the files.
    """

    require: dict[Name, RequirementSpec] = Field(default_factory=dict)
    """Conditions on the file's own columns, before anything is corrected: an event fulfils them
    all."""
    columns: tuple[Text, ...] = ()
    """Branches that are kept besides those that this spec reads, for later runs; data need not
    have them."""

    @property
    def decided_by(self) -> tuple[str, ...]:
        """Branches that the conditions look at, each once."""
        names = (name for requirement in self.require.values() for name in requirement.columns)
        return tuple(dict.fromkeys(names))


def check(spec: HepSpec) -> None:
    """Refuse conditions on what may be another column in another file.

    Raises
    ------
    ValueError
        Naming it.
    """
    if spec.skim is None:
        return
    for name, requirement in spec.skim.require.items():
        for column in requirement.columns:
            if column in spec.fallbacks:
                message = f"skim.require.{name}: {column} has a fallback"
                raise ValueError(f"{message}, and conditions are on the files' own columns")

"""Declared fallbacks for columns that a file does not have; none is ever guessed."""

from __future__ import annotations

from spectrum_workflows.hep.spec import cuts
from spectrum_workflows.hep.spec.cuts import Cut
from spectrum_workflows.specs import FrozenModel

Number = bool | int | float
"""A value in a TOML file."""


class FallbackSpec(FrozenModel):
    """An alternative for one column: ``[fallbacks.COLUMN]`` in a spec.

    The selection finds it under the name of the column it stands in for, and
    is called with the cuts that belong to it.  A file that has the column is
    read as if there were no fallback.
    """

    column: str = ""
    """Branch to read instead."""
    definition: str = ""
    """Or a definition to compute it by; see `jet_id.DEFINITIONS`."""
    constant: Number | tuple[Number, ...] | None = None
    """Or the value that every event has; a list for a jagged column."""
    tagger: str = ""
    """Name of the tagger, in the experiment's words; a b-tagging discriminant needs it."""
    working_point: str = ""
    """For which working point the cuts are; a b-tagging discriminant needs it, and so does a
    definition."""
    cuts: dict[str, Cut] | None = None
    """Cuts of the selection that it changes; for a b-tagging discriminant to be said even if there
    are none, as ``cuts = {}``."""

    @property
    def neutral(self) -> bool:
        """Whether it selects nothing otherwise, so that it may differ from file to file."""
        return self.constant is not None and not self.cuts

    def words(self, name: str) -> str:
        """The fallback of column ``name`` in words, in one line."""
        parts = [f"tagger {self.tagger}"] if self.tagger else []
        parts += [f"working point {self.working_point}"] if self.working_point else []
        parts += [f"cuts.{cut} = {cuts.words(v)}" for cut, v in (self.cuts or {}).items()]
        source = self.column or f"definition {self.definition}"
        if self.constant is not None:
            value = self.constant
            source = f"the constant {list(value) if isinstance(value, tuple) else value}"
        return f"{name} is absent, {source} stands in" + (f" ({', '.join(parts)})" if parts else "")


def check(name: str, fallback: FallbackSpec) -> None:
    """Refuse a fallback that would leave open what it means.

    Raises
    ------
    ValueError
        Says what to add.
    """
    where = f"fallbacks.{name}"
    given = [fallback.column, fallback.definition, fallback.constant is not None]
    if sum(map(bool, given)) != 1:
        raise ValueError(f"{where} needs either a column or a definition or a constant")
    if fallback.constant is not None:
        _check_constant(where, fallback)
        return
    if fallback.definition and not fallback.working_point:
        raise ValueError(f"{where} needs working_point: which one the definition gives")
    if "btag" in name.lower() and not (fallback.tagger and fallback.working_point):
        raise ValueError(f"{where} needs tagger and working_point")
    if "btag" in name.lower() and fallback.cuts is None:
        raise ValueError(
            f"{where} needs the cuts that belong to its working point, such as"
            " cuts = { btag = 0.3 }, or cuts = {} if no cut depends on it"
        )


def _check_constant(where: str, fallback: FallbackSpec) -> None:
    value = fallback.constant
    numbers = value if isinstance(value, tuple) else (value,)
    if any(isinstance(n, int) and abs(n) >= 1 << 63 for n in numbers):
        raise ValueError(f"{where}.constant does not fit into 64 bits")
    if fallback.tagger or fallback.working_point:
        raise ValueError(f"{where} is a constant, which has no tagger and no working point")

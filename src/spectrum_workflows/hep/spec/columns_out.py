"""The ``[columns_out]`` table of a spec: columns of selected events as files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spectrum_workflows.specs import FrozenModel

WEIGHT, PASSED = "weight", "passed_"
"""Columns that are added: the weight of an event, and whether it is in a region."""


class ColumnsOutSpec(FrozenModel):
    """Columns of selected events, written as files, one for each partition."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    """Columns as ``select`` sees them: of corrected objects where there are such."""
    regions: tuple[str, ...] = ()
    """Regions whose events are written; all if left out."""
    variations: tuple[str, ...] = ()
    """Systematic variations, such as ``"jes_FlavorQCD_up"``: events that pass under one of them are
    written, too. Of each there are ``passed_REGION_VARIATION``, ``weight_VARIATION``, and those of
    the columns that it changes, ``Jet_pt_VARIATION``; ``weight`` is 0 of what passes so only."""
    format: Literal["parquet", "root"] = "parquet"
    """Apache Parquet, or ROOT files that a spec can name as its input: a tree ``Events``, and a
    tree ``Runs`` with the sum of weights."""
    folder: str = ""
    """Name below the results root, or URL.  If left out, the spec's name and a digest of what
    decides the content: the same question overwrites it, and another does not. In a folder of one's
    own a run removes files of the same samples that an earlier run has written."""

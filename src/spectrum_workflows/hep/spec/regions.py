"""The ``[regions]`` and ``[categories]`` of a spec: named cuts, combined."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from spectrum_workflows.naming import Name
from spectrum_workflows.specs import FrozenModel, closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec

NOT = "not "
"""Before the name of a cut: events that do not pass it."""

CutName = Annotated[str, Field(pattern=r"^(not )?\S+$")]
"""A cut that ``select`` returns, or ``not`` one."""

Categories = dict[Name, tuple[CutName, ...]]
"""Cuts of every category."""


class RegionSpec(FrozenModel):
    """One region: events that pass all of its cuts."""

    cuts: tuple[CutName, ...] = ()
    """Names of cuts that ``select`` returns, in the order of the cut flow; ``"not NAME"`` asks for
    events that fail."""
    within: str = ""
    """Another region, whose cuts come first."""
    split: tuple[str, ...] = ()
    """Names of categories: for each of theirs, and each combination of several, there is a region
    ``REGION_CATEGORY`` besides."""


def region_key(region: str, observable: str) -> str:
    """Name of an observable in a region, or of the cut flow of a region."""
    return f"{region}/{observable}"


def combined(spec: HepSpec) -> dict[str, tuple[str, ...]]:
    """The cuts of every region, those of categories included, in their order.

    Raises
    ------
    ValueError
        A region or category is not there, names come twice, or regions are within each other.
    """
    out: dict[str, tuple[str, ...]] = {}
    for name, region in spec.regions.items():
        out[name] = _cuts(spec.regions, name, ())
        for axis in region.split:
            if axis not in spec.categories:
                remedy = closest(axis, list(spec.categories))
                raise ValueError(f"regions.{name}.split: no {axis!r} here; {remedy}")
    for name, region in spec.regions.items():
        axes = [spec.categories[axis].items() for axis in region.split]
        for chosen in product(*axes) if axes else ():
            title = "_".join([name, *(category for category, _ in chosen)])
            if title in out:
                raise ValueError(f"regions.{name}.split: there is another region {title!r}")
            out[title] = (*out[name], *(cut for _, cuts in chosen for cut in cuts))
    for name, cuts in out.items():
        twice = next((cut for k, cut in enumerate(cuts) if cut in cuts[:k]), "")
        if twice:
            raise ValueError(f"regions.{name}: the cut {twice!r} is there twice")
        if not cuts:
            raise ValueError(f"regions.{name} has no cuts")
    return out


def _cuts(regions: Mapping[str, RegionSpec], name: str, inner: tuple[str, ...]) -> tuple[str, ...]:
    """The cuts of a region after those of the region that it is within."""
    if name in inner:
        raise ValueError(f"regions.{name} is within itself ({' within '.join((*inner, name))})")
    region = regions[name]
    if not region.within:
        return region.cuts
    if region.within not in regions:
        remedy = closest(region.within, list(regions))
        raise ValueError(f"regions.{name}.within: no {region.within!r} here; {remedy}")
    return (*_cuts(regions, region.within, (*inner, name)), *region.cuts)


def expanded(table: Any) -> Any:
    """A spec's table in which every histogram names its one region.

    One of several ``regions`` becomes a histogram ``NAME_REGION`` for each; one that is called as
    a region is of that.
    """
    if not isinstance(table, dict) or not isinstance(table.get("histograms"), dict):
        return table
    regions = table.get("regions") or {}
    histograms: dict[str, Any] = {}
    for name, described in table["histograms"].items():
        listed = described.get("regions") if isinstance(described, dict) else None
        if listed:
            if described.get("region"):
                raise ValueError(f"histograms.{name} has either region or regions")
            rest = {k: v for k, v in described.items() if k != "regions"}
            for region in listed:
                one = {"observable": name, **rest, "region": region}
                if f"{name}_{region}" in histograms:
                    raise ValueError(f"histograms.{name}_{region} is there twice")
                histograms[f"{name}_{region}"] = one
        elif isinstance(described, dict) and name in regions and "region" not in described:
            histograms[name] = {**described, "region": name}
        else:
            histograms[name] = described
    return {**table, "histograms": histograms}


def check(spec: HepSpec) -> None:
    """Refuse regions and histograms that do not fit each other.

    Raises
    ------
    ValueError
        In one line.
    """
    regions = combined(spec)
    for name, described in spec.histograms.items():
        if described.region and described.region not in regions:
            remedy = closest(described.region, list(regions))
            raise ValueError(f"histograms.{name}.region: no {described.region!r} here; {remedy}")
        if regions and not described.region:
            raise ValueError(f"histograms.{name} says no region, as there are [regions]; add one")

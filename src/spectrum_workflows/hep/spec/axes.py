"""The ``[histograms]`` tables of a HEP spec: which observables, in which bins."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, StrictInt, field_validator, model_validator

from spectrum_workflows.hep.spec.regions import region_key
from spectrum_workflows.specs import FrozenModel

AXIS_NAMES = "xyzuvw"
"""What the axes of a histogram are called; it has no more."""

Words = tuple[str, ...] | tuple[StrictInt, ...]
"""Categories of one axis: text, or whole numbers."""

MOST_BINS = 10_000_000
"""Bins of a histogram; every partition and every variation has as many."""

LARGEST_INTEGER = 2**31 - 2
"""Of an axis of whole numbers; boost-histogram counts them in 32 bits."""


@dataclass(frozen=True)
class Axis:
    """One axis of a histogram.

    Attributes
    ----------
    observable : str
        Region returned by ``select``; one of its observables where the spec combines cuts.
    region : str
        Then the region.
    bins : int
        Bins between the two that take what lies outside.
    start, stop : float
        First and last edge; 0 and the number of categories.
    edges : tuple of float
        All edges, where the axis is not regular.
    categories : tuple of str, or of int
        Text, or whole numbers, that is counted, one bin each.
    integer : bool
        One bin per whole number.
    log : bool
        Drawn logarithmic; regular bins are of equal width in the logarithm.
    label : str
        With unit.
    """

    observable: str
    bins: int
    start: float
    stop: float
    edges: tuple[float, ...] = ()
    categories: Words = ()
    integer: bool = False
    log: bool = False
    label: str = ""
    region: str = ""

    @property
    def key(self) -> str:
        """Name of what is filled into it."""
        return region_key(self.region, self.observable) if self.region else self.observable

    @property
    def of_text(self) -> bool:
        """Whether text is counted on it."""
        return any(isinstance(category, str) for category in self.categories)

    @property
    def boundaries(self) -> tuple[float, ...]:
        """All edges; ``bins + 1`` numbers."""
        if self.edges:
            return self.edges
        if self.integer:
            return tuple(self.start + k for k in range(self.bins + 1))
        parts = [k / self.bins for k in range(self.bins + 1)]
        if self.log:
            low, high = math.log(self.start), math.log(self.stop)
            return tuple(math.exp((1 - z) * low + z * high) for z in parts)
        return tuple((1 - z) * self.start + z * self.stop for z in parts)


class HistogramSpec(FrozenModel):
    """One histogram: which observable, in which bins.

    With several axes, up to six, ``observable`` is a list of regions that hold
    the same events, one for each axis, and every other key of an axis is a list
    of as many, or one value for all.
    """

    observable: str | tuple[str, ...] = ""
    """Region returned by ``select``, or one of its observables where there are ``[regions]``; the
    histogram's own name if left out."""
    region: str = ""
    """Region of ``[regions]``; the histogram's own name, if one is called so and it is left out."""
    regions: tuple[str, ...] = ()
    """Instead of one: a histogram ``NAME_REGION`` is made for each."""
    bins: int | tuple[int, ...] = 0
    """Number of bins of a regular axis."""
    start: float | tuple[float, ...] | None = None
    """First edge, in the unit of the observable; an edge belongs to the bin above it."""
    stop: float | tuple[float, ...] | None = None
    """Last edge, in the unit of the observable."""
    edges: tuple[float, ...] | tuple[tuple[float, ...], ...] = ()
    """Edges of bins of any width, instead of ``bins``, ``start`` and ``stop``. Of several axes
    those without have an empty list."""
    categories: Words | tuple[Words, ...] = ()
    """Instead of edges: a bin for each text, or each whole number such as a particle's code, that
    the observable may have. What is not listed goes to the overflow."""
    integer: bool | tuple[bool, ...] = False
    """A bin for each whole number from ``start`` up to, without, ``stop``."""
    log: bool | tuple[bool, ...] = False
    """Bins of equal width in the logarithm; drawn so, with the contents."""
    label: str | tuple[str, ...] = ""
    """Axis label with unit."""
    profile: str = ""
    """Instead of events, bins hold the mean of this observable of the same events, with its spread
    and statistical error."""
    profile_label: str = ""
    """Label of the mean, with unit."""
    marks: dict[str, float] = Field(default_factory=dict)
    """Names to write at positions on the axis, such as known resonances."""
    fit: Literal["", "top", "z"] = ""
    """Which peak to fit, if any."""

    @field_validator("bins", "start", "stop", "edges", mode="before")
    @classmethod
    def _are_numbers(cls, value: Any) -> Any:
        entries = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(entry, bool) for entry in entries):
            raise ValueError("true and false are no numbers")
        return value

    @model_validator(mode="after")
    def _axes_make_sense(self) -> Self:
        axes = self.axes("")
        cells = math.prod(axis.bins + 2 for axis in axes)
        if cells > MOST_BINS:
            raise ValueError(f"{cells} bins are too many; at most {MOST_BINS}")
        if self.plain("") is None and (self.fit or self.marks):
            key = "fit" if self.fit else "marks"
            raise ValueError(f"{key} needs one axis of numbers")
        if self.profile and (self.fit or self.marks):
            key = "fit" if self.fit else "marks"
            raise ValueError(f"{key} needs a histogram of events, not a profile")
        if self.profile_label and not self.profile:
            raise ValueError("profile_label has no meaning without profile; leave it out")
        return self

    def axes(self, name: str) -> tuple[Axis, ...]:
        """The axes of the histogram of this name.

        Raises
        ------
        ValueError
            The keys do not describe axes.
        """
        n = self._count()
        if n > 1 and not isinstance(self.observable, tuple):
            raise ValueError(f"{n} axes need observable = [...], a list of {n} regions")
        if n > 1 and not all(self.observable):
            raise ValueError("observable names a region for each axis")
        given = [{key: self._entry(key, k, n) for key in _KEYS} for k in range(n)]
        axes = (_axis(g, name if n == 1 else "", mixed=n > 1) for g in given)
        return tuple(replace(axis, region=self.region) for axis in axes)

    def filled(self, name: str) -> tuple[str, ...]:
        """Names of what is filled: on every axis, and then that of which the mean is taken."""
        keys = [axis.key for axis in self.axes(name)]
        if self.profile:
            own = region_key(self.region, self.profile) if self.region else self.profile
            keys.append(own)
        return tuple(keys)

    def plain(self, name: str) -> Axis | None:
        """The only axis, if there is one and it is of numbers."""
        axes = self.axes(name)
        return axes[0] if len(axes) == 1 and not axes[0].categories else None

    def alone(self, name: str, k: int) -> HistogramSpec:
        """What describes the projection of the histogram of this name on one of its axes."""
        axis = self.axes(name)[k]
        listed = axis.edges or axis.categories
        keys = (*_PLAIN, *(_LISTS if listed else ("bins", "start", "stop", "integer")))
        own = {"profile": self.profile, "profile_label": self.profile_label}
        return HistogramSpec(**own, **{key: getattr(axis, key) for key in keys})

    def _count(self) -> int:
        """Number of axes: as many as every list has entries."""
        sizes = {}
        for key in _KEYS:
            value = getattr(self, key)
            nested = key not in _LISTS or any(isinstance(v, tuple) for v in value)
            if isinstance(value, tuple) and nested:
                sizes[key] = len(value)
        if not sizes:
            return 1
        (first, n), *others = sizes.items()
        for key, m in others:
            if m != n:
                raise ValueError(f"{first} is for {n} axes and {key} for {m}")
        if not 1 <= n <= len(AXIS_NAMES):
            raise ValueError(f"{first} is for {n} axes; a histogram has 1 to {len(AXIS_NAMES)}")
        return n

    def _entry(self, key: str, k: int, n: int) -> Any:
        value = getattr(self, key)
        if key in _LISTS:
            return value[k] if any(isinstance(v, tuple) for v in value) else value
        if isinstance(value, tuple):
            return value[k]
        if key == "label" and n > 1 and value:
            raise ValueError(f"{n} axes need label = [...], a list of {n} texts")
        return value


_LISTS = ("edges", "categories")
"""Keys that are a list for one axis already."""

_PLAIN = ("observable", "region", "log", "label")

_KEYS = ("observable", "bins", "start", "stop", *_LISTS, "integer", "log", "label")


def _axis(given: dict[str, Any], name: str, *, mixed: bool) -> Axis:
    """One axis from its keys; where axes are ``mixed``, unused keys cannot be left out."""
    known = {
        "observable": given["observable"] or name,
        "label": given["label"],
        "log": given["log"],
    }
    if given["edges"] and given["categories"]:
        raise ValueError("an axis has either edges or categories")
    listed = "edges" if given["edges"] else "categories" if given["categories"] else ""
    if listed:
        ignored = ("bins",) if mixed else ("bins", "start", "stop")
        for key in ignored:
            if given[key]:
                remedy = "give 0 for that axis" if mixed else "leave it out"
                raise ValueError(f"{key} has no meaning beside {listed}; {remedy}")
        if given["integer"]:
            raise ValueError(f"integer has no meaning beside {listed}; leave it out")
    if given["edges"]:
        return _variable(known, given["edges"])
    if given["categories"]:
        return _listed(known, given["categories"])
    return _regular(known, given)


def _variable(known: dict[str, Any], edges: tuple[float, ...]) -> Axis:
    if len(edges) < 2:
        raise ValueError("edges needs two numbers or more")
    for low, high in pairwise(edges):
        if not low < high:
            raise ValueError(f"edges must rise: {high:g} comes after {low:g}")
    if known["log"] and edges[0] <= 0:
        raise ValueError("a logarithmic axis must start above 0")
    return Axis(bins=len(edges) - 1, start=edges[0], stop=edges[-1], edges=edges, **known)


def _listed(known: dict[str, Any], categories: Words) -> Axis:
    if known["log"]:
        raise ValueError("an axis of categories cannot be logarithmic")
    for k, category in enumerate(categories):
        if category in categories[:k] or (isinstance(category, str) and not category.strip()):
            kind = "texts, and none empty" if isinstance(category, str) else "numbers"
            raise ValueError(f"categories must be different {kind} ({category!r})")
        if isinstance(category, int) and abs(category) > LARGEST_INTEGER:
            raise ValueError(f"whole numbers go up to {LARGEST_INTEGER}")
    n = len(categories)
    return Axis(bins=n, start=0.0, stop=float(n), categories=categories, **known)


def _regular(known: dict[str, Any], given: dict[str, Any]) -> Axis:
    bins, start, stop = given["bins"], given["start"], given["stop"]
    for key, value in (("start", start), ("stop", stop)):
        if value is None:
            raise ValueError(f"missing key {key!r}; an axis needs bins, start and stop, or edges")
    if stop <= start:
        raise ValueError(f"stop must be above start ({start:g})")
    if given["integer"]:
        return _whole(known, given)
    if bins < 1:
        raise ValueError(f"bins must be greater than 0 (got {bins}), or give edges or categories")
    if known["log"] and start <= 0:
        raise ValueError("a logarithmic axis must start above 0")
    width = (math.log(stop) - math.log(start) if known["log"] else stop - start) / bins
    least = 4 * math.ulp(max(abs(math.log(start)), abs(math.log(stop)))) if known["log"] else 0.0
    least = least or 4 * math.ulp(max(abs(start), abs(stop)))
    if not least < width < math.inf:
        raise ValueError(f"{bins} bins from {start:g} to {stop:g} have no width that is a number")
    return Axis(bins=bins, start=start, stop=stop, **known)


def _whole(known: dict[str, Any], given: dict[str, Any]) -> Axis:
    bins, start, stop = given["bins"], given["start"], given["stop"]
    if known["log"]:
        raise ValueError("an axis of whole numbers cannot be logarithmic")
    if not (start.is_integer() and stop.is_integer()):
        raise ValueError(
            f"an axis of whole numbers needs a whole start and stop, not {start:g} and {stop:g}"
        )
    if max(abs(start), abs(stop)) > LARGEST_INTEGER:
        raise ValueError(f"whole numbers go up to {LARGEST_INTEGER}")
    if bins not in (0, int(stop - start)):
        raise ValueError(f"{int(stop - start)} whole numbers do not go into {bins} bins")
    return Axis(bins=int(stop - start), start=start, stop=stop, integer=True, **known)

"""Histograms as xarray trees, and yields as records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.domain import plain_result
from spectrum_workflows.hep import cut_flow, filter_flow, profiles
from spectrum_workflows.hep.bootstrap.covariance import bins_of, inside_of
from spectrum_workflows.hep.types import HepResult

if TYPE_CHECKING:
    import hist
    import xarray as xr


EVENTS: dict[str, Callable[[Any], Any]] = {
    "values": lambda h: h.values(),
    "variances": lambda h: h.variances(),
}
"""Variables of a histogram."""

PROFILE: dict[str, Callable[[Any], Any]] = {
    "mean": lambda h: h.values(),
    "error": profiles.error_of_mean,
    "spread": profiles.spread,
    "effective_entries": profiles.effective,
    "sum_of_weights": lambda h: np.asarray(h.view()["sum_of_weights"]),
}
"""Variables of a profile."""


def dataset_of(result: HepResult) -> xr.DataTree:
    """All histograms of a result, a dataset for each.

    Returns
    -------
    xarray.DataTree
        At its root the number of ``events`` processed and the ``weight`` of every sample, and
        ``selected`` events of every sample and region.  Below, by the histogram's name,
        ``values`` and ``variances`` with dimensions sample and x (and y, z, u, v, w): bin centres,
        with the edges beside them, or categories.  Flow bins of one axis are ``underflow`` and
        ``overflow``.  Of a profile ``mean`` with its statistical ``error``, ``spread`` (standard
        deviation), ``effective_entries`` and ``sum_of_weights``.  Where the spec asks for them,
        ``replicas`` of either with one more dimension, replica.

    Raises
    ------
    MissingExtraError
        xarray is not installed.
    """
    plain_result.import_xarray()
    import xarray as xr

    samples = list(result.spec.samples)
    regions = list(dict.fromkeys(region for _, region in result.selected))
    selected = [[result.selected.get((s, r), 0) for r in regions] for s in samples]
    root = xr.Dataset(
        {
            "events": ("sample", [result.events[s] for s in samples]),
            "weight": ("sample", [result.weights[s] for s in samples]),
            "selected": (("sample", "region"), np.array(selected).reshape(len(samples), -1)),
        },
        {"sample": samples, "region": regions},
    )
    titles: dict[str, dict[str, hist.Hist]] = {}
    for (sample, title), h in result.histograms.items():
        titles.setdefault(title, {})[sample] = h
    nodes = {f"/{title}": _dataset(title, of) for title, of in titles.items()}
    for title in dict.fromkeys(name for _, name in result.replicas):
        nodes[f"/{title}"]["replicas"] = _replicas(title, titles[title], result)
    if result.luminosities:
        of_data = [getattr(result.luminosities.get(s), "processed", np.nan) for s in samples]
        root["luminosity"] = ("sample", of_data, {"units": "1/pb"})
    tree: xr.DataTree = xr.DataTree.from_dict(nodes)
    tree.dataset = root.rename(sample="every_sample")
    return tree


def _dataset(title: str, histograms: dict[str, hist.Hist]) -> xr.Dataset:
    """One histogram of several samples."""
    import xarray as xr

    first = next(iter(histograms.values()))
    dims = ("sample", *(axis.name for axis in first.axes))
    coordinates: dict[str, Any] = {"sample": list(histograms)}
    for axis in first.axes:
        about = {"long_name": axis.label}
        if axis.traits.ordered:
            coordinates[axis.name] = (axis.name, np.asarray(axis.centers), about)
            edges = np.asarray(axis.edges)
            coordinates[f"{axis.name}_low"] = (axis.name, edges[:-1], about)
            coordinates[f"{axis.name}_high"] = (axis.name, edges[1:], about)
        else:
            coordinates[axis.name] = (axis.name, list(axis), about)
    variables: dict[str, Any] = {
        key: (dims, np.array([numbers(h) for h in histograms.values()]))
        for key, numbers in (PROFILE if profiles.is_profile(first) else EVENTS).items()
    }
    if len(first.axes) == 1 and not profiles.is_profile(first):
        ends = {"underflow": 0, "overflow": -1}
        traits = first.axes[0].traits
        for name, place in ends.items():
            if getattr(traits, name):
                flow = [float(h.values(flow=True)[place]) for h in histograms.values()]
                variables[name] = ("sample", flow)
    return xr.Dataset(variables, coordinates, {"name": title})


def _replicas(title: str, histograms: dict[str, hist.Hist], result: HepResult) -> xr.DataArray:
    """Replicas of one histogram of several samples."""
    import xarray as xr

    axes = next(iter(histograms.values())).axes
    inside = inside_of(result, title, flow=False)
    every = [bins_of(result, [sample], title, inside) for sample in histograms]
    dims = ("sample", *(axis.name for axis in axes), "replica")
    return xr.DataArray(np.stack(every), dims=dims)


def table_of(result: HepResult) -> list[dict[str, Any]]:
    """The yields of a result: a record for every sample and histogram.

    Returns
    -------
    list of dict
        ``sample``, ``label``, ``histogram``, ``data``, ``events`` processed, ``entries`` selected
        for it (of the region on its first axis), ``yield``: the sum of weights with what lies
        outside the axis, also of a profile, and its statistical ``error``.  Where the spec
        combines cuts, also a record for every sample, ``region``, ``variation`` and ``cut``; where
        it counts events before the selection, such records without a region.  Those of one era of
        several name the ``era``.  Keys that a record does not have are None.
    """
    spec, rows = result.spec, []
    for sample, described in spec.samples.items():
        for name, histogram in spec.histograms.items():
            h = result.histograms[sample, name]
            axis = histogram.axes(name)[0]
            region = axis.region or axis.observable
            events = profiles.events_of(h).view(flow=True)
            rows.append(
                {
                    "sample": sample,
                    "label": described.label or sample,
                    "histogram": name,
                    "data": described.data,
                    "events": result.events[sample],
                    "entries": result.selected.get((sample, region), 0),
                    "yield": float(events.value.sum()),
                    "error": float(np.sqrt(events.variance.sum())),
                }
            )
    flows = [*filter_flow.table(result), *cut_flow.table(result)]
    of_eras = [{"era": era, **row} for era, of in result.eras.items() for row in table_of(of)]
    if not flows and not of_eras:
        return rows
    both = {name: None for row in (*rows, *flows, *of_eras) for name in row}
    return [{name: row.get(name) for name in both} for row in (*rows, *flows, *of_eras)]

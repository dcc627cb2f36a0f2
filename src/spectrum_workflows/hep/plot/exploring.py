"""A histogram to explore: zoomed in a browser, with the contents of the bin under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.plot.style import colour, title
from spectrum_workflows.hep.spec.fit_check import simulated

if TYPE_CHECKING:
    from spectrum_workflows.hep.types import HepResult


def explore(result: HepResult, name: str) -> Any:
    """A Bokeh figure of a histogram: simulation stacked, data as points with their errors.

    Raises
    ------
    SpecError
        It has several axes, or is a profile.
    """
    described = result.spec.histograms[name]
    n = len(described.axes(name))
    if n > 1 or described.profile:
        kind = "is a profile" if described.profile else f"has {n} axes"
        message = f"the histogram {kind}; what is explored has events on one axis"
        raise SpecError(message, f"histograms.{name}", "show draws it")
    import bokeh.models
    import bokeh.plotting

    models: Any = bokeh.models
    plotting: Any = bokeh.plotting

    spec, axis = result.spec, result.spec.histograms[name].axes(name)[0]
    edges = np.asarray(axis.boundaries, float)
    shown = {n: np.nan_to_num(result.histograms[n, name].values()) for n in spec.nominal_samples}
    logarithmic: Any = "log" if axis.log else "linear"
    drawn = plotting.figure(
        title=f"{spec.name}: {name}",
        x_axis_type=logarithmic,
        y_axis_type=logarithmic,
        sizing_mode="stretch_width",
        height=600,
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
        x_axis_label=axis.label or axis.observable,
        y_axis_label="Events / bin",
    )
    order = sorted(simulated(spec), key=lambda n: float(shown[n].sum()))
    bins = {"left": edges[:-1], "right": edges[1:]}
    below = np.full(axis.bins, 0.5 if axis.log else 0.0)
    for sample in order:
        above = below + shown[sample]
        own = bins | {"bottom": below, "top": above, "content": shown[sample]}
        source = models.ColumnDataSource(own | {"sample": [title(spec, sample)] * axis.bins})
        bars = drawn.quad(
            source=source,
            color=colour(spec, sample),
            legend_label=title(spec, sample),
            line_width=0,
        )
        tips = [("", "@sample"), ("from, to", "@left, @right"), ("events", "@content{0,0.0}")]
        drawn.add_tools(models.HoverTool(renderers=[bars], tooltips=tips))
        below = above
    measured = [shown[n] for n, sample in spec.samples.items() if sample.data]
    if measured:
        data = np.sum(measured, axis=0)
        own = bins | {"x": (edges[1:] + edges[:-1]) / 2, "content": data}
        error = np.sqrt(np.maximum(data, 0))
        source = models.ColumnDataSource(own | {"low": data - error, "high": data + error})
        points = drawn.scatter("x", "content", source=source, color="black", legend_label="data")
        drawn.add_layout(models.Whisker(source=source, base="x", lower="low", upper="high"))
        tips = [("", "data"), ("from, to", "@left, @right"), ("events", "@content{0,0}")]
        drawn.add_tools(models.HoverTool(renderers=[points], tooltips=tips))
    drawn.legend.click_policy = "hide"
    return drawn

"""Histograms and pictures of the fit on request, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from spectrum_workflows.errors import SpecError
from spectrum_workflows.hep.plot import bootstrap, likelihood, stacks
from spectrum_workflows.hep.plot.style import styled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from spectrum_workflows.domain import Panel
    from spectrum_workflows.hep.types import HepResult

ACROSS = 3
"""Panels in a row, at most."""


def shown(result: HepResult) -> tuple[str, ...]:
    """The names of what can be shown: histograms, then the pictures of the fit and of replicas."""
    return (*result.spec.histograms, *_alone(result))


def show(
    panels: Sequence[Panel[HepResult]], *, region: tuple[float, ...] | None, common: bool
) -> Figure:
    """Histograms side by side, or one other picture; see `showing.show`."""
    others = [panel for panel in panels if panel.name not in panel.result.spec.histograms]
    if others and len(panels) > 1:
        kind = "replicas" if others[0].name == bootstrap.NAME else "the fit"
        message = f"a picture of {kind} is shown alone"
        raise SpecError(message, others[0].name, "show one at a time")
    if others:
        return _alone(others[0].result)[others[0].name]()
    if region is not None and (len(region) != 2 or not region[0] < region[1]):
        raise ValueError("a region is (lowest, highest) on the axis")
    drawn = [(panel, view) for panel in panels for view in stacks.views(panel.result, panel.name)]
    across = min(ACROSS, len(drawn))
    down = -(-len(drawn) // across)
    with styled():
        figure = Figure(figsize=(7.2 * across, 5.6 * down), layout="constrained")
        flat: dict[str, list[Axes]] = {}  # by what is drawn upwards
        for number, (panel, view) in enumerate(drawn, start=1):
            axes = figure.add_subplot(down, across, number)
            stacks.draw(axes, view)
            if len(panels) > 1:
                text = ": ".join(filter(None, (panel.title, panel.result.origin)))
                axes.set_title(text, loc="left", fontsize="small", parse_math=False)
            if region is not None:
                axes.set_xlim(*region)
            if not view.whose:
                described = view.result.spec.histograms[view.name]
                flat.setdefault(described.profile and axes.get_ylabel(), []).append(axes)
        for alike in flat.values() if common else ():
            limits = np.array([axes.get_ylim() for axes in alike])
            for axes in alike:
                axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    return figure


def _alone(result: HepResult) -> dict[str, Callable[[], Figure]]:
    """Pictures that are no histograms."""
    drawings = bootstrap.drawings(result)
    if not isinstance(result.likelihood, str):
        drawings += likelihood.on_request(result)
    return {n: draw for n, draw in drawings if n not in result.spec.histograms}

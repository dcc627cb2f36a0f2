"""Pictures on request: a named part of a result, drawn or to be explored."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from spectrum_workflows.domain import Panel
from spectrum_workflows.errors import MissingExtraError, SpecError
from spectrum_workflows.specs import closest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectrum_workflows.record import Outcome


def show_figures() -> None:
    """Have a notebook draw the figures that a cell returns, whoever imported matplotlib."""
    if shell := getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)():
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"})


def show(
    outcome: Outcome | Sequence[Outcome] | Mapping[str, Outcome],
    pictures: str | Sequence[str] = "",
    *,
    region: Sequence[float] | None = None,
    common: bool = True,
) -> Figure:
    """Draw named parts of a result, or the same part of several, side by side.

    Parameters
    ----------
    outcome : Outcome, sequence of Outcome, or mapping of title to Outcome
        From `run`; several must be of one science.
    pictures : str or sequence of str
        ``"dirty"``, ``"residual"``, ``"psf"``, ``"model"`` or ``"image"`` of an imaging run; of an
        analysis the name of what was filled, or ``"pulls"``, ``"ranking"``, ``"correlations"``
        or ``"scan"`` of its likelihood fit.  By default what people look at first.
    region : sequence of float, optional
        The part that is drawn: of an image offsets to the east and north of the phase centre and
        the side, in arcsec; else the lowest and highest value on the axis.
    common : bool
        One scale for all panels that have the same unit.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpecError
        There is no such part, or the science draws none by name.
    """
    show_figures()
    named = outcome if isinstance(outcome, Mapping) else _titled(outcome)
    first = next(iter(named.values()))
    science, names = first.domain, [pictures] if isinstance(pictures, str) else list(pictures)
    if science.show is None:
        raise SpecError("nothing is shown by name", first.spec.workflow, "plot(outcome) draws it")
    panels = [
        Panel(_title(title, name, len(named), len(names)), other.result, _known(other, name))
        for title, other in named.items()
        for name in names
    ]
    return science.show(panels, region=None if region is None else tuple(region), common=common)


@dataclass(frozen=True, repr=False)
class Explorer:
    """A picture to zoom and to read values from; a page of its own, which needs no network.

    Attributes
    ----------
    title : str
    html : str
        The page, with the scripts that it needs.
    """

    title: str
    html: str

    def __repr__(self) -> str:
        return f"<Explorer of {self.title}, {len(self.html) / 1e6:.1f} MB>"

    def _repr_html_(self) -> str:
        style = "border:0;width:100%;height:640px"
        return f'<iframe style="{style}" srcdoc="{escape(self.html, quote=True)}"></iframe>'

    def save(self, path: str) -> None:
        """Write the page to a file of this machine.

        Parameters
        ----------
        path : str
        """
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123  any path
            file.write(self.html)


def explore(outcome: Outcome, picture: str = "") -> Explorer:
    """Zoom into a named part of a result and read its values, in a notebook or a saved page.

    Parameters
    ----------
    outcome : Outcome
        From `run`.
    picture : str
        As in `show`; by default what people look at first.

    Returns
    -------
    Explorer
        A notebook shows it; ``save(path)`` writes it.  It holds the values that it shows and the
        scripts of Bokeh, together some megabytes.

    Raises
    ------
    SpecError
        There is no such part, or the science offers none to explore.
    MissingExtraError
        Bokeh is not installed.
    """
    science, spec = outcome.domain, outcome.spec
    if science.explore is None:
        raise SpecError("nothing can be explored", spec.workflow, "plot(outcome) draws it")
    try:
        from bokeh.embed import file_html
        from bokeh.resources import Resources
    except ImportError as error:
        remedy = "pip install 'spectrum-workflows[notebooks]'"
        raise MissingExtraError("explore needs bokeh", remedy=remedy) from error
    name = _known(outcome, picture)
    title = f"{spec.name}: {name}"
    model = science.explore(outcome.result, name)
    offline = Resources(mode="inline")
    return Explorer(title, file_html(model, offline, title))


def _titled(outcome: Outcome | Sequence[Outcome]) -> dict[str, Outcome]:
    """Outcomes by the names of their specs, numbered where two have the same."""
    several = list(outcome) if isinstance(outcome, Sequence) else [outcome]
    names = [other.spec.name for other in several]
    return {
        name if names.count(name) == 1 else f"{name} ({number})": other
        for number, (name, other) in enumerate(zip(names, several, strict=True), start=1)
    }


def _title(title: str, name: str, outcomes: int, names: int) -> str:
    """The shortest that tells panels apart."""
    if outcomes == 1:
        return name or title
    return title if names == 1 else f"{title}: {name}"


def _known(outcome: Outcome, picture: str) -> str:
    """A name that the science shows of a result; the first one by default."""
    names = list(outcome.domain.shown(outcome.result))
    if picture and picture not in names:
        raise SpecError(
            f"there is no {picture!r} to show", outcome.spec.name, closest(picture, names)
        )
    return picture or names[0]

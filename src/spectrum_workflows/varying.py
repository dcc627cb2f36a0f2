"""A slider: one number of a spec is moved, and the run is made anew."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectrum_workflows.errors import SpectrumError
from spectrum_workflows.front import run
from spectrum_workflows.showing import show

if TYPE_CHECKING:
    from spectrum_workflows.record import Outcome
    from spectrum_workflows.sites import Place


def vary(
    outcome: Outcome,
    place: Place,
    key: str,
    values: Sequence[Any],
    *,
    picture: str = "",
    region: Sequence[float] | None = None,
) -> Any:
    """Give a slider over values of one key of a spec; where it is moved to is run and shown.

    Nothing is run before it is moved, and nothing twice.

    Parameters
    ----------
    outcome : Outcome
        A finished run, of whose spec one key is changed.
    place : Place
        Where to run; it must still be connected when the slider is moved.
    key : str
        With a dot for every table: ``"cuts.jet_pt"``.
    values : sequence
        What the key may be.
    picture : str
        As in `show`.
    region : sequence of float, optional
        As in `show`.

    Returns
    -------
    ipywidgets.Widget or None
        None where ipywidgets is not installed.
    """
    try:
        import ipywidgets
        from IPython.display import Image, display
    except ImportError:
        return None
    now = value_of(outcome.spec, key)
    outcomes = {now: outcome}
    first = now if now in values else values[0]
    options: Any = {"options": list(values), "value": first, "continuous_update": False}
    slider = ipywidgets.SelectionSlider(description=key, **options)
    below = ipywidgets.Output()

    def move(change: dict[str, Any]) -> None:
        value = change["new"]
        with below:
            try:
                if value not in outcomes:
                    outcomes[value] = run(changed(outcome.spec, key, value), place, watch=False)
                drawn = _png(show({f"{key} = {value}": outcomes[value]}, picture, region=region))
            except SpectrumError as error:
                print(error)  # noqa: T201  below the slider
                return
            below.clear_output(wait=True)
            display(Image(drawn))

    slider.observe(move, names="value")
    return ipywidgets.VBox([slider, below])


def value_of(spec: Any, key: str) -> Any:
    """The value that a spec has for a key; None where it has none."""
    value = spec
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def changed(spec: Any, key: str, value: Any) -> Any:
    """The spec with another value for a key.

    Raises
    ------
    SpecError
        There is no such key, or it cannot have that value.
    """
    *tables, name = key.split(".")
    change: dict[str, Any] = {name: value}
    for table in reversed(tables):
        change = {table: change}
    return spec.changed(**change)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()

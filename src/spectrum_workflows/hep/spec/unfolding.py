"""The ``[fit.unfolding]`` table of a spec: the signal, bin by bin of the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, NonNegativeFloat

from spectrum_workflows.hep.spec.veto_maps import maps_of
from spectrum_workflows.specs import FrozenModel, closest

if TYPE_CHECKING:
    from spectrum_workflows.hep.spec import HepSpec
    from spectrum_workflows.hep.spec.axes import Axis


class UnfoldingSpec(FrozenModel):
    """What the signal's events are by the truth of the simulation, to be unfolded."""

    truth: str
    """Histogram of the truth, of all generated events of the signal, selected or not: its bins
    are unfolded."""
    responses: Annotated[dict[str, str], Field(min_length=1)]
    """For each region of the fit a histogram of two axes, the truth and what the region holds, of
    the events that are in the region."""
    regularisation: NonNegativeFloat = 0.0
    """Tikhonov's: second differences of the strengths of neighbouring bins are held at 0 with a
    standard deviation of 1 over this; 0 does not regularise."""


def strength(signal: str, number: int) -> str:
    """Name of the parameter, and of the sample, of a bin of the truth."""
    return f"{signal}_truth_{number}"


def check(spec: HepSpec) -> None:
    """Refuse an unfolding that cannot work.

    Raises
    ------
    ValueError
        A histogram is not there or has other axes, or the truth cannot be of all events.
    """
    fit = spec.fit
    if fit is None or fit.unfolding is None:
        return
    where, unfolding = "fit.unfolding", fit.unfolding
    truth = _axes(spec, unfolding.truth, f"{where}.truth", 1)[0]
    if truth.bins < 2:
        raise ValueError(f"{where}.truth: one bin is no spectrum; fit its normalisation")
    for region in fit.regions:
        if region not in unfolding.responses:
            raise ValueError(f"{where}.responses: region {region!r} has none; each needs its own")
    for region, name in unfolding.responses.items():
        if region not in fit.regions:
            hint = closest(region, list(fit.regions))
            raise ValueError(f"{where}.responses: {region!r} is no region of the fit; {hint}")
        _check_response(spec, unfolding, region, name)
    _all_events(spec, fit.signal, where)
    names = {strength(fit.signal, k) for k in range(truth.bins)}
    for name in (*fit.systematics, *spec.samples):
        if name in names:
            raise ValueError(f"{where}: {name!r} is the name of a bin of the truth; rename it")


def _check_response(spec: HepSpec, unfolding: UnfoldingSpec, region: str, name: str) -> None:
    where = f"fit.unfolding.responses.{region}"
    axes = _axes(spec, name, where, 2)
    for axis, of, which in zip(axes, (unfolding.truth, region), ("first", "second"), strict=True):
        if axis.boundaries != spec.histograms[of].axes(of)[0].boundaries:
            raise ValueError(f"{where}: the {which} axis of {name!r} has other bins than {of!r}")


def _axes(spec: HepSpec, name: str, where: str, number: int) -> tuple[Axis, ...]:
    if name not in spec.histograms:
        raise ValueError(f"{where}: no {name!r} here; {closest(name, list(spec.histograms))}")
    axes = spec.histograms[name].axes(name)
    if len(axes) != number or any(axis.categories for axis in axes):
        raise ValueError(f"{where}: {name!r} needs {number} axes of numbers")
    return axes


def _all_events(spec: HepSpec, signal: str, where: str) -> None:
    """Refuse what leaves events out before they are counted."""
    for own in (spec, *spec.era_specs.values()):
        if signal not in own.samples:
            continue
        reasons = {
            "triggers": own.triggers_of(signal),
            "event_filters": own.filters_of(signal),
            "veto_maps": [m for m in maps_of(own, signal).values() if m.drop == "events"],
            "preselect": own.preselect,
            "skim.require": own.skim is not None and own.skim.require,
        }
        for name, reason in reasons.items():
            if reason:
                raise ValueError(
                    f"{where}: events of {signal!r} are left out by {name} before select counts"
                    " their truth; cut on that in select"
                )

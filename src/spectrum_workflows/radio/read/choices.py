"""The spec's choices in a set: fields, windows, channels, rows, and what it does not hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows.errors import DataError, SpecError
from spectrum_workflows.radio.types import SPEED_OF_LIGHT, Interval, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from spectrum_workflows.radio.read.reader import Choice, Name
    from spectrum_workflows.radio.spec import SelectSpec
    from spectrum_workflows.radio.types import Antennas, Visibilities, Window

LISTED = 12
"""Things of a kind that a message names."""

MJD_ZERO = datetime(1858, 11, 17)
"""The beginning of the Modified Julian Date."""


@dataclass(frozen=True)
class Named:
    """A row of a subtable that occurs in the data, and its name."""

    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.number} ({self.name})" if self.name else str(self.number)


@dataclass(frozen=True)
class Described:
    """A data description that occurs in the data, and its spectral window."""

    number: int
    window: Named


def field_in(asked: Name | tuple[Name, ...] | None, present: Sequence[Named], url: str) -> int:
    """The number of the field that the spec names, or of the only one there is.

    Raises
    ------
    SpecError
        It is not in the set; or the spec does not choose, or the name fits several.
    """
    if asked is None:
        if len(present) == 1:
            return present[0].number
        message = f"the set holds several fields: {_listed(present)}"
        raise SpecError(message, url, 'choose: field = N, its name, a list, or "all"')
    numbers = fields_in(asked, present, url)
    if len(numbers) > 1:
        listed = ", ".join(map(str, numbers))
        raise SpecError(f"several fields are chosen: {listed}", url, "choose one: field = N")
    return numbers[0]


def fields_in(
    asked: Name | tuple[Name, ...], present: Sequence[Named], url: str
) -> tuple[int, ...]:
    """Numbers, rising, of the fields that the spec names.

    Raises
    ------
    SpecError
        One is not in the set, or a name fits several.
    """
    if asked == "all":
        return tuple(each.number for each in present)
    chosen: set[int] = set()
    for name in asked if isinstance(asked, tuple) else (asked,):
        matches = _called(name, present)
        if not matches:
            message = f"field {name} is not in the set"
            raise SpecError(message, url, f"it holds {_listed(present)}")
        if len(matches) > 1:
            message = f"several fields are called {name}: {_listed(matches)}"
            raise SpecError(message, url, "choose one by its number: field = N")
        chosen.add(matches[0].number)
    if not chosen:
        raise SpecError("field is an empty list", url, 'name some, or "all"')
    return tuple(sorted(chosen))


def windows_in(choice: Choice, present: Sequence[Described], url: str) -> tuple[int, ...]:
    """Numbers, rising, of the data descriptions that the spec chooses, or of the only one.

    Raises
    ------
    SpecError
        One is not in the set, or the spec does not choose.
    """
    if choice.data_description is not None:
        numbers = [each.number for each in present]
        if choice.data_description not in numbers:
            message = f"data_description {choice.data_description} is not in the set"
            raise SpecError(message, url, f"it holds {', '.join(map(str, numbers))}")
        return (choice.data_description,)
    asked = choice.spectral_window
    if asked is None:
        if len(present) == 1:
            return (present[0].number,)
        raise _several(present, url)
    if asked == "all":
        return tuple(sorted(each.number for each in present))
    chosen: set[int] = set()
    windows = tuple(dict.fromkeys(each.window for each in present))
    for name in asked if isinstance(asked, tuple) else (asked,):
        matches = _called(name, windows)
        if not matches:
            message = f"spectral_window {name} is not in the set"
            raise SpecError(message, url, f"it holds {_listed(windows)}")
        chosen |= {each.number for each in present if each.window in matches}
    if not chosen:
        raise SpecError("spectral_window is an empty list", url, 'name some, or "all"')
    return tuple(sorted(chosen))


def _several(present: Sequence[Described], url: str) -> SpecError:
    """The error for a spec that chooses none of several data descriptions."""
    windows = tuple(dict.fromkeys(each.window for each in present))
    if len(windows) == 1:
        numbers = ", ".join(str(each.number) for each in present)
        message = f"the set holds several data descriptions of one spectral window: {numbers}"
        return SpecError(message, url, "choose one: data_description = N")
    message = f"the set holds several spectral windows: {_listed(windows)}"
    return SpecError(message, url, 'choose: spectral_window = N, its name, a list, or "all"')


def _called(asked: Name, present: Sequence[Named]) -> tuple[Named, ...]:
    """Those of a number or name; a number written as text is a number where no name fits."""
    if isinstance(asked, int):
        return tuple(each for each in present if each.number == asked)
    named = tuple(each for each in present if each.name == asked)
    if not named and asked.isdecimal():
        return tuple(each for each in present if each.number == int(asked))
    return named


def _listed(present: Iterable[object]) -> str:
    """Some things in words."""
    words = [str(each) for each in present]
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return ", ".join(words[:LISTED]) + more


def channels_in(select: SelectSpec, frequency: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Mask of the channels of a window that are chosen; ``None`` for all.

    Parameters
    ----------
    select : SelectSpec
    frequency : ndarray of float64, shape (nchan,)
        Hz, in the set's order.
    """
    if not (select.channels or select.frequencies_hz):
        return None
    mask = np.ones(len(frequency), np.bool_)
    for values, ranges in (
        (np.arange(len(frequency)), select.channels),
        (frequency, select.frequencies_hz),
    ):
        if ranges:
            mask &= np.any([Interval(*ends).hold(values) for ends in ranges], axis=0)
    return None if mask.all() else mask


def with_channels(windows: Sequence[Window], url: str) -> tuple[Window, ...]:
    """The windows of which some channel is chosen.

    Raises
    ------
    SpecError
        There is none.
    """
    left = tuple(w for w in windows if w.chosen is None or w.chosen.any())
    if left:
        return left
    spans = [
        f"{w.number}: {len(w.frequency)} channels, "
        f"{w.frequency.min() / 1e6:.8g} to {w.frequency.max() / 1e6:.8g} MHz"
        for w in windows
    ]
    message = "select.channels and select.frequencies_hz leave no channel"
    raise SpecError(message, url, f"the windows have {_listed(spans)}")


def selection_in(choice: Choice, antennas: Antennas, url: str) -> Selection:
    """The rows, hands and uv range of a spec, with the numbers of a set's antennas.

    Raises
    ------
    SpecError
        An antenna is not in the set.
    """
    select = choice.select

    def numbers(asked: Iterable[Name]) -> tuple[int, ...]:
        return tuple(sorted({_antenna(name, antennas, url) for name in asked}))

    pairs = {(_antenna(a, antennas, url), _antenna(b, antennas, url)) for a, b in select.baselines}
    return Selection(
        times=tuple(Interval(_seconds(start), _seconds(stop)) for start, stop in select.times),
        scans=tuple(sorted(set(select.scans))),
        antennas=numbers(select.antennas),
        without_antennas=numbers(select.without_antennas),
        baselines=tuple(sorted({(min(pair), max(pair)) for pair in pairs})),
        uv_m=Interval(*select.uv_m) if select.uv_m else Interval(),
        uv_wavelengths=Interval(*select.uv_wavelengths) if select.uv_wavelengths else Interval(),
        hands=choice.hands,
    )


def _seconds(when: datetime) -> float:
    """A date as s of the Modified Julian Date."""
    return (when - MJD_ZERO).total_seconds()


def _antenna(asked: Name, antennas: Antennas, url: str) -> int:
    """The number of an antenna: by it, by NAME_STATION, or by NAME where one is called so."""
    names = antennas.name
    if isinstance(asked, int):
        if asked < len(names):
            return asked
        message = f"antenna {asked} is not in the set"
        raise SpecError(message, url, f"it has {len(names)}, numbered from 0")
    if asked in names:
        return names.index(asked)
    matches = [n for n, name in enumerate(names) if name.startswith(f"{asked}_")]
    if len(matches) == 1:
        return matches[0]
    if len(matches) > 1:
        several = _listed(names[n] for n in matches)
        raise SpecError(f"several antennas are called {asked}: {several}", url, "name it in full")
    if asked.isdecimal():
        return _antenna(int(asked), antennas, url)
    raise SpecError(f"antenna {asked} is not in the set", url, f"it has {_listed(names)}")


def nothing_left(choice: Choice, selection: Selection, held: str, url: str) -> DataError:
    """The error for rows of which none is left.

    Parameters
    ----------
    choice : Choice
    selection : Selection
    held : str
        The times and scans of the field and window, in words; empty where that is not known.
    url : str
    """
    if selection.any_time and selection.any_baseline:
        remedy = "choose another field or spectral_window"
        return DataError("no cross-correlations of this field", url, remedy)
    asked = [name for name in type(choice.select).model_fields if getattr(choice.select, name)]
    rows = [name for name in asked if name not in ("channels", "frequencies_hz")]
    keys = ", ".join(f"select.{name}" for name in rows if not name.startswith("uv_"))
    remedy = f"this field and window hold {held}" if held else "choose more of them"
    return DataError(f"{keys} leave no cross-correlations", url, remedy)


def describe_times(times: NDArray[np.float64], scans: Sequence[int] | None) -> str:
    """Times (s of the Modified Julian Date) and scans, for a message."""
    if not len(times):
        return ""
    ends = [np.datetime64(MJD_ZERO, "s") + np.timedelta64(int(t), "s") for t in times[[0, -1]]]
    words = f"{len(times)} times from {ends[0]} to {ends[1]}"
    return words if scans is None else f"{words}, scans {_listed(scans)}"


def within_uv(data: Visibilities, selection: Selection) -> Visibilities:
    """The visibilities whose baselines have a chosen length; the others weigh nothing."""
    length = np.hypot(data.uvw[:, 0], data.uvw[:, 1])
    inside = selection.uv_m.hold(length)[:, None] & selection.uv_wavelengths.hold(
        length[:, None] * (data.frequency / SPEED_OF_LIGHT)
    )
    left_out = int(np.count_nonzero(~inside & (data.weight > 0)))
    zero = np.float32(0)
    return replace(
        data,
        visibility=np.where(inside, data.visibility, np.complex64(0)),
        weight=np.where(inside, data.weight, zero),
        outside=data.outside + left_out,
    )


def remarks(choice: Choice, lost: Sequence[int], windows: Sequence[Window]) -> tuple[str, ...]:
    """What a user should know of the choice itself.

    Windows of which nothing is chosen, channels that there are not, frames that differ, and that
    Stokes I is none.

    Parameters
    ----------
    choice : Choice
    lost : sequence of int
        Data descriptions that it names, and of which nothing is imaged.
    windows : sequence of Window
        Those of which something is imaged.
    """
    notes = []
    if lost:
        notes.append(f"nothing is chosen of data description {_listed(lost)}")
    widest = max((len(window.frequency) for window in windows), default=0)
    beyond = [f"{start} to {stop}" for start, stop in choice.select.channels if stop > widest]
    if beyond:
        notes.append(
            f"select.channels {_listed(beyond)}: no window that is imaged has more than {widest}"
        )
    frames = sorted({window.spectral_frame or "unknown" for window in windows})
    if len(frames) > 1:
        listed = ", ".join(frames)
        notes.append(f"windows have frequencies in several frames ({listed}), taken as they are")
    every = {name for window in windows for name in window.correlations}
    if choice.hands == "either":
        hands = " or ".join(name for name in ("XX", "YY", "RR", "LL") if name in every) or "I"
        notes.append(f'pseudo-I of {hands} (hands = "either"): Stokes I where nothing is polarised')
    elif choice.hands != "both":
        notes.append(f"pseudo-I of {choice.hands} alone: Stokes I where nothing is polarised")
    return tuple(notes)


def not_corrected() -> str:
    """The warning for a set whose calibrated column is not imaged."""
    other = 'column = "CORRECTED_DATA" images the calibrated data'
    return f"the set has CORRECTED_DATA too, and DATA is imaged: {other}"

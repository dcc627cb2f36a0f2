"""Generated events and sums of weights of a sample, and its normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spectrum_workflows.errors import DataError

MORE = 1.1
"""Times by which a sum of weights is more than that of the events: a mean of a few is not exact."""

SAME = 1e-6
"""Relative difference below which sums of weights are the same: weights have 24 bits."""


SUMS = {
    "Runs tree": "Runs tree with genEventSumw",
    "bookkeeper": "bookkeeper AllExecutedEvents in MetaData",
}
"""What tells the sum of weights, in NanoAOD and in files of ATLAS."""


@dataclass(frozen=True)
class Generated:
    """The generated events that a simulated file stands for, as it tells them itself.

    Attributes
    ----------
    weights, squares : float or None
        Sum of generator weights, and of their squares, from the ``Runs`` tree.
    events : int or None
        Number of events, from there.
    negative, mean : float or None
        Of the first events of the file, where they were looked at: the share that
        has a negative weight, and the mean weight.
    runs : int
        Entries of the ``Runs`` tree.
    told_by : {"Runs tree", "bookkeeper"}
        What tells it in such a file.
    """

    weights: float | None = None
    squares: float | None = None
    events: int | None = None
    negative: float | None = None
    mean: float | None = None
    runs: int = 0
    told_by: str = "Runs tree"

    @property
    def equal(self) -> bool | None:
        """Whether all events have the same weight; ``None`` where the sums do not say."""
        if self.weights is None or not self.events:
            return None
        if self.squares is not None:  # Cauchy and Schwarz: equal only if the weights are
            return math.isclose(self.weights**2, self.events * self.squares, rel_tol=SAME)
        return math.isclose(self.weights, self.events, rel_tol=SAME) or None


def sum_of_weights(generated: Generated, url: str, *, entries: int) -> float:
    """The sum of generator weights of a file, which may be of any sign.

    Parameters
    ----------
    generated : Generated
        What the file says.
    url : str
        The file.
    entries : int
        Its events.

    Raises
    ------
    DataError
        The file does not say, or it is no number.
    """
    if generated.weights is None:
        raise DataError(
            f"no {SUMS[generated.told_by]}, by which genweight normalises",
            url,
            'use files that have one; normalisation = "events" is right only for files'
            " that hold every generated event",
        )
    if entries and not generated.runs:
        remedy = f"make the file again with its {generated.told_by}, or leave it out"
        raise DataError(f"has {entries} events, but its {generated.told_by} is empty", url, remedy)
    if not math.isfinite(generated.weights):
        remedy = "make the file again, or leave it out"
        raise DataError(f"its sum of generator weights is {generated.weights:g}", url, remedy)
    return generated.weights


def usable(number: float) -> bool:
    """Whether a sample can be normalised by such a sum of weights."""
    return math.isfinite(number) and number > 0


def check_total(sample: str, number: float) -> None:
    """Refuse a sample that cannot be normalised by its sum of generator weights.

    Raises
    ------
    DataError
        It is not positive.
    """
    if not usable(number):
        raise DataError(
            f"the sum of generator weights is {number:g}",
            f"samples.{sample}",
            "check the Runs trees or bookkeepers of its files",
        )


def warnings(
    sample: str, normalisation: str, files: Sequence[tuple[str, int, Generated]]
) -> list[str]:
    """Warnings about the normalisation of a simulated sample.

    Parameters
    ----------
    sample, normalisation : str
        Its name, and how it is normalised.
    files : sequence of (url, entries, Generated)
        Of all of its files that were looked into.
    """
    texts = [_fewer(sample, files)]
    if normalisation == "events":
        texts += [_skimmed(sample, files), _summed(sample, files), _weighted(sample, files)]
    return [text for text in texts if text]


def _skimmed(sample: str, files: Sequence[tuple[str, int, Generated]]) -> str:
    """That the files hold only some of the events that were generated."""
    told = [(url, n, made.events) for url, n, made in files if made.events is not None]
    short = [(url, n, events) for url, n, events in told if n < events]
    place = next((made.told_by for *_, made in files), "")
    if not short:
        return ""
    url, n, events = short[0]
    held, generated = sum(n for _, n, _ in told), sum(events for *_, events in told)
    times = f"{generated / held:.3g} times too high" if held else "too high"
    return (
        f'{sample}: normalisation = "events" divides by the {held} events in its files, but their'
        f" {place}s count {generated} generated ({url}: {n} of {events}): yields are {times};"
        ' use normalisation = "genweight"'
    )


def _summed(sample: str, files: Sequence[tuple[str, int, Generated]]) -> str:
    """The same of files that tell the sum of weights of what was generated, and not its number."""
    for url, n, made in files:
        if made.events is not None or made.weights is None or not made.weights > 0:
            continue
        held = n * (made.mean or 0.0)
        if n and made.mean is None:
            continue
        if made.weights > MORE * held:
            return (
                f'{sample}: normalisation = "events" divides by the events in its files, but the'
                f" {made.told_by} of {url} has a sum of weights of {made.weights:g}, its events"
                f' about {held:g}: yields are too high; use normalisation = "genweight"'
            )
    return ""


def _fewer(sample: str, files: Sequence[tuple[str, int, Generated]]) -> str:
    """That a file holds more events than were generated."""
    for url, n, made in files:
        if made.events is not None and n > made.events:
            return (
                f"{sample}: {url} has {n} events, but its {made.told_by} counts {made.events}"
                " generated: its sum of weights is too small"
            )
    return ""


def _weighted(sample: str, files: Sequence[tuple[str, int, Generated]]) -> str:
    """That events have weights which ``"events"`` does not apply."""
    negative = [(url, made.negative) for url, _, made in files if made.negative]
    if negative:
        url, share = negative[0]
        return (
            f'{sample}: normalisation = "events" leaves generator weights out, of which'
            f" {100 * (share or 0):.2g} % are negative ({url})"
        )
    differing = [url for url, _, made in files if made.equal is False]
    if differing:
        return (
            f'{sample}: normalisation = "events" leaves generator weights out, which differ'
            f" from event to event ({differing[0]})"
        )
    return ""

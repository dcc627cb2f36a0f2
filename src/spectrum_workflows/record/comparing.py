"""Do two runs agree: identical, equivalent, or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spectrum_workflows import domain
from spectrum_workflows.domain import Deviation
from spectrum_workflows.errors import DataError
from spectrum_workflows.record.digest import digest
from spectrum_workflows.record.writing import damaged, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spectrum_workflows.domain import Arrays, Domain

ROUNDING = 1e-12
"""How far numbers of the axes may differ, relative to them, and still be equivalent."""

Verdict = Literal["identical", "equivalent", "different"]


@dataclass(frozen=True)
class Comparison:
    """The verdict on two runs.

    Attributes
    ----------
    verdict : {"identical", "equivalent", "different"}
        *Identical*: the same bits.  *Equivalent*: within the domain's
        tolerance, as between two CPU types.
    deviations : dict
        Of every array that is not bit-identical, by its name.
    notes : tuple of str
        What else differs: arrays that only one run has, other specs.
    """

    verdict: Verdict
    deviations: dict[str, Deviation]
    notes: tuple[str, ...] = ()


def compare(folder_a: str, folder_b: str) -> Comparison:
    """Compare the results of two saved runs.

    Parameters
    ----------
    folder_a, folder_b : str
        URLs of their folders, as `save` gives them.

    Returns
    -------
    Comparison
        Its ``verdict`` is ``"identical"``, ``"equivalent"`` or ``"different"``.

    Raises
    ------
    DataNotFoundError
        One of the folders holds no finished run.
    DataError
        Runs of two different sciences, or objects that do not match their
        own record.
    """
    a, b = read_record(folder_a), read_record(folder_b)
    if a["workflow"] != b["workflow"]:
        raise DataError(f"a {a['workflow']} run and a {b['workflow']} run cannot be compared")
    for folder, record in ((folder_a, a), (folder_b, b)):
        if bad := damaged(folder, record):
            raise DataError(f"{', '.join(bad)} is not what was recorded", folder, "run it again")
    science = domain.get(a["workflow"])
    notes: tuple[str, ...] = ()
    if a["spec_digest"] != b["spec_digest"]:
        notes = ("the two specs differ",)
    if a["code"] != b["code"]:
        notes += ("the code differs",)
    if sorted(a["inputs"].values()) != sorted(b["inputs"].values()):
        notes += ("the two runs read different input",)
    for folder, record in ((folder_a, a), (folder_b, b)):
        if record["partial"]:
            notes += (f"{folder} is partial: it holds {record['fraction']:.4%} of its input",)
    comparison = compare_arrays(science, science.read(folder_a), science.read(folder_b), notes)
    return with_axes(comparison, science.axes(folder_a), science.axes(folder_b))


def with_axes(comparison: Comparison, a: Mapping[str, Any], b: Mapping[str, Any]) -> Comparison:
    """The verdict once it is known where the two results' numbers lie."""
    other = {name: (a.get(name), b.get(name)) for name in sorted({*a, *b})}
    other = {name: pair for name, pair in other.items() if pair[0] != pair[1]}
    if not other:
        return comparison
    notes = tuple(f"{name}: {one} against {two}" for name, (one, two) in other.items())
    verdict: Verdict = "different"
    if comparison.verdict != "different" and all(_close(*pair) for pair in other.values()):
        verdict = "equivalent"
    return Comparison(verdict, comparison.deviations, comparison.notes + notes)


def _close(one: Any, two: Any) -> bool:
    """Whether two numbers agree but for rounding."""
    numbers = isinstance(one, float) and isinstance(two, float)
    return numbers and math.isclose(one, two, rel_tol=ROUNDING)


def compare_arrays(
    science: Domain[Any, Any], a: Arrays, b: Arrays, notes: tuple[str, ...] = ()
) -> Comparison:
    """Compare two sets of result arrays by the rules of their science."""
    for name in sorted(a.keys() ^ b.keys()):
        notes += (f"only in the {'first' if name in a else 'second'}: {name}",)
    common = sorted(a.keys() & b.keys())
    shapes = [n for n in common if a[n].shape != b[n].shape]
    notes += tuple(f"{n}: shape {a[n].shape} against {b[n].shape}" for n in shapes)
    deviations = {
        n: Deviation(*science.deviation(n, a[n], b[n]))
        for n in common
        if n not in shapes and digest({n: a[n]}) != digest({n: b[n]})
    }
    if shapes or a.keys() != b.keys():
        return Comparison("different", deviations, notes)
    if not deviations:
        return Comparison("identical", deviations, notes)
    close = all(one.found <= one.allowed for one in deviations.values())
    return Comparison("equivalent" if close else "different", deviations, notes)

"""Simulated observations with a known sky, written in any of the formats that are read."""

from __future__ import annotations

import json
import shutil
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import OutputError, SpecError, SpectrumError
from spectrum_workflows.radio.read.msv2.files import is_measurement_set
from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.read.uvfits import UVFITS
from spectrum_workflows.radio.read.uvh5 import UVH5
from spectrum_workflows.radio.spec import MADE
from spectrum_workflows.radio.synthetic import array, measurement_set, sky, uvfits, uvh5
from spectrum_workflows.radio.synthetic.schedule import Block, Schedule, schedule
from spectrum_workflows.radio.types import SIMULATED, Planted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from spectrum_workflows.domain import Report
    from spectrum_workflows.radio.spec import RadioSpec, SimulationSpec, SourceSpec

TRUTH = ".sources.json"
"""Behind the name of a set: the sky that was put into it."""

BLOCK_BYTES = 48 << 20
"""Correlated data held in memory at a time."""


def is_synthetic(url: str) -> bool:
    """Whether a local set holds visibilities simulated here, under whatever name."""
    try:
        if not storage.is_local(url):
            return False
        if not is_measurement_set(url):
            return _project(url) == SIMULATED
        with opened(url, "OBSERVATION") as table:
            return bool(table.nrows() and table.getcell("PROJECT", 0) == SIMULATED)
    except (SpectrumError, RuntimeError):  # something else, or nothing
        return False


def _project(url: str) -> str:
    """What a file of rows says that it was observed for."""
    if UVFITS.recognises(url) or UVH5.recognises(url):
        reader = UVFITS if UVFITS.recognises(url) else UVH5
        return reader.inventory(url).project
    return ""


def planted(url: str, field: int = 0) -> tuple[Planted, ...] | None:
    """The sky that was put into a field, from what lies beside the set; ``None`` without that."""
    stem, dot, suffix = url.rstrip("/").rpartition(".")
    beside = f"{stem if f'{dot}{suffix}' in MADE else url.rstrip('/')}{TRUTH}"
    try:
        truth = json.loads(storage.read_bytes(beside))
        listed = truth["fields"][field] if "fields" in truth else truth
        return tuple(Planted(**source) for source in listed["sources"])
    except (SpectrumError, ValueError, LookupError, TypeError):
        return None


def make(
    spec: RadioSpec, data: str, *, size: int | None = None, report: Report | None = None
) -> list[str]:
    """Write the observation that ``spec.synthetic`` describes below ``data``.

    The set is written under another name and renamed when complete; its sky is
    written beside it as ``NAME.sources.json``.

    Parameters
    ----------
    spec : RadioSpec
    data : str
        Data root, a local folder.
    size : int, optional
        Approximate number of visibilities, instead of the spec's.
    report : callable, optional
        ``report("simulate", done, total)`` in visibilities.

    Returns
    -------
    list of str
        The set.

    Raises
    ------
    SpecError
        The spec has no ``[synthetic]`` table, or observes below the horizon.
    OutputError
        The folder cannot be written, or holds the set in another format.
    """
    synthetic = spec.synthetic
    if synthetic is None:
        raise SpecError("this spec describes no synthetic data", spec.name, "add [synthetic]")
    plan = schedule(synthetic, size or synthetic.visibilities)
    side = spec.image.npix * spec.image.cell_arcsec
    skies = [sky.sources(synthetic, side, number) for number in range(len(plan.targets))]
    rounded = uvfits.rounded if synthetic.format == "uvfits" else _as_it_is
    blocks = _blocks(plan, [*map(sky.sky_of, skies)], synthetic.seed, rounded, report)
    stem = storage.join(data, spec.data_set)
    url = f"{stem}.{synthetic.format}"
    _check_alone(stem, synthetic.format)
    path = storage.local_path(url)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part{_suffix(synthetic.format)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[synthetic.format](part, plan, blocks)
        _remove(path)
        part.rename(path)
    except (OSError, RuntimeError) as error:
        remedy = "choose another data root with --data"
        raise OutputError(f"cannot write the set ({error})", url, remedy) from error
    finally:
        _remove(part)
    listed = json.dumps(_truth(plan, synthetic, skies), indent=1).encode()
    storage.write_bytes(f"{stem}{TRUTH}", listed)
    return [url]


def _suffix(form: str) -> str:
    """What the name of a set that is being written must end in."""
    return ".zarr" if form == "zarr" else ""


def _check_alone(stem: str, form: str) -> None:
    """Refuse to write a set where one would be read, in its place, in another format."""
    if form == "ms" and not any(storage.exists(f"{stem}{end}") for end in (".uvfits", ".uvh5")):
        return  # what is converted from it, and older then, is known by itself
    for suffix in MADE:
        if suffix != f".{form}" and storage.exists(f"{stem}{suffix}"):
            message = "a set of that name is here in another format"
            raise OutputError(message, f"{stem}{suffix}", "remove it, or choose another data_set")


def _remove(path: Path) -> None:
    """Remove a set, a folder or a file, if there is one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink()


def _truth(
    plan: Schedule, synthetic: SimulationSpec, skies: Sequence[Sequence[SourceSpec]]
) -> dict[str, Any]:
    """What is in the data, for the file beside them."""
    noise = [band.sigma for band in plan.bands]
    told = {"noise_jy": noise[0] if len(noise) == 1 else noise}
    if not synthetic.fields:
        centre = [synthetic.right_ascension_deg, synthetic.declination_deg]
        return {"phase_centre_deg": centre} | told | {"sources": [*map(_source, skies[0])]}
    fields = [
        {
            "name": field.name,
            "phase_centre_deg": [field.right_ascension_deg, field.declination_deg],
            "sources": [*map(_source, own)],
        }
        for field, own in zip(synthetic.fields, skies, strict=True)
    ]
    return told | {"fields": fields}


def _source(source: SourceSpec) -> dict[str, Any]:
    return source.model_dump(exclude=None if source.ring_arcsec else {"ring_arcsec"})


def _blocks(
    plan: Schedule,
    skies: Sequence[sky.Sky],
    seed: int,
    rounded: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    report: Report | None,
) -> Iterator[Block]:
    """Data of consecutive times: the sky in every hand, and noise of its own in each.

    Simulated at the coordinates of antenna 2 less antenna 1, and turned to those of 1 less 2,
    which Measurement Sets have: there visibilities are the conjugates.
    """
    noises = [np.random.default_rng([seed, 2, *([n] if n else [])]) for n in range(len(plan.bands))]
    nbaseline = len(array.baselines(plan.telescope)[0])
    nchan = sum(len(band.frequency) for band in plan.bands)
    done, total = 0, plan.nrow * nchan
    for times in plan.stretches(max(1, BLOCK_BYTES // (nbaseline * nchan * 16))):
        uvw = rounded(plan.uvw(times)).reshape(-1, 3)
        seen = skies[plan.target[times][0]]
        data = []
        for band, rng in zip(plan.bands, noises, strict=True):
            stokes_i = sky.visibilities(uvw, band.frequency, seen)
            of_hands = np.repeat(stokes_i[..., None], len(plan.hands), axis=-1)
            if band.sigma:
                noise = rng.standard_normal((*of_hands.shape, 2), np.float32)
                noise *= np.float32(band.sigma)
                of_hands += noise.view(np.complex64)[..., 0]
            data.append(np.conjugate(of_hands, out=of_hands))
        done += len(uvw) * nchan
        if report:
            report("simulate", done, total)
        yield Block(times, -uvw, tuple(data))


def _as_it_is(uvw: NDArray[np.float64]) -> NDArray[np.float64]:
    return uvw


def _write_zarr(path: Path, plan: Schedule, blocks: Iterable[Block]) -> None:
    """By way of a Measurement Set, which lies beside it meanwhile."""
    from spectrum_workflows.radio.convert import convert

    source = path.with_suffix(".ms")
    try:
        measurement_set.write(source, plan, blocks)
        convert(str(source), str(path))
    finally:
        _remove(source)


WRITERS: dict[str, Callable[[Path, Schedule, Iterable[Block]], None]] = {
    "ms": measurement_set.write,
    "zarr": _write_zarr,
    "uvfits": uvfits.write,
    "uvh5": uvh5.write,
}
"""What writes each format."""

"""Simulated observations with a known sky, written as Measurement Sets."""

from __future__ import annotations

import json
import shutil
import uuid
from typing import TYPE_CHECKING

import numpy as np

from spectrum_workflows import storage
from spectrum_workflows.errors import OutputError, SpecError, SpectrumError
from spectrum_workflows.radio.read.msv2.files import is_measurement_set
from spectrum_workflows.radio.read.msv2.tables import opened
from spectrum_workflows.radio.synthetic import array, measurement_set, sky
from spectrum_workflows.radio.synthetic.schedule import Schedule, schedule
from spectrum_workflows.radio.types import SIMULATED, Planted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spectrum_workflows.domain import Report
    from spectrum_workflows.radio.spec import RadioSpec

TRUTH = ".sources.json"
"""Behind the name of a set: the sky that was put into it."""

BLOCK_BYTES = 48 << 20
"""Correlated data held in memory at a time."""


def is_synthetic(url: str) -> bool:
    """Whether a Measurement Set holds visibilities simulated here, under whatever name."""
    try:
        if not (storage.is_local(url) and is_measurement_set(url)):
            return False
        with opened(url, "OBSERVATION") as table:
            return bool(table.nrows() and table.getcell("PROJECT", 0) == SIMULATED)
    except (SpectrumError, RuntimeError):  # something else, or nothing
        return False


def planted(url: str) -> tuple[Planted, ...] | None:
    """The sky that was put into a set, from what lies beside it; ``None`` where nothing does."""
    stem, dot, suffix = url.rstrip("/").rpartition(".")
    beside = f"{stem if dot and suffix in ('ms', 'zarr') else url.rstrip('/')}{TRUTH}"
    try:
        listed = json.loads(storage.read_bytes(beside))["sources"]
        return tuple(Planted(**source) for source in listed)
    except (SpectrumError, ValueError, KeyError, TypeError):
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
        The Measurement Set.

    Raises
    ------
    SpecError
        The spec has no ``[synthetic]`` table, or observes below the horizon.
    OutputError
        The folder cannot be written.
    """
    synthetic = spec.synthetic
    if synthetic is None:
        raise SpecError("this spec describes no synthetic data", spec.name, "add [synthetic]")
    plan = schedule(synthetic, size or synthetic.visibilities)
    sources = sky.sources(synthetic, spec.image.npix * spec.image.cell_arcsec)
    blocks = _blocks(plan, sky.table(sources), synthetic.seed, report)
    url = storage.join(data, spec.data_set + ".ms")
    path = storage.local_path(url)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        measurement_set.write(part, plan, blocks, synthetic.feeds)
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    except (OSError, RuntimeError) as error:
        remedy = "choose another data root with --data"
        raise OutputError(f"cannot write the set ({error})", url, remedy) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    truth = storage.join(data, spec.data_set + TRUTH)
    listed = {
        "phase_centre_deg": [synthetic.right_ascension_deg, synthetic.declination_deg],
        "noise_jy": plan.sigma,
        "sources": [source.model_dump() for source in sources],
    }
    storage.write_bytes(truth, json.dumps(listed, indent=1).encode())
    return [url]


def _blocks(
    plan: Schedule, sources: NDArray[np.float64], seed: int, report: Report | None
) -> Iterator[NDArray[np.complex64]]:
    """Data of consecutive times: the sky in both hands, and noise of its own in each."""
    rng = np.random.default_rng([seed, 2])
    nbaseline, nchan = len(array.baselines(plan.telescope)[0]), len(plan.frequency)
    ntime = len(plan.hour_angle)
    times = max(1, BLOCK_BYTES // (nbaseline * nchan * 16))
    for begin in range(0, ntime, times):
        hour_angle = plan.hour_angle[begin : begin + times]
        uvw = array.uvw(plan.telescope, hour_angle, plan.declination)
        stokes_i = sky.visibilities(uvw.reshape(-1, 3), plan.frequency, sources)
        data = np.repeat(stokes_i[..., None], 2, axis=-1)
        if plan.sigma:
            noise = rng.standard_normal((*data.shape, 2), np.float32)
            noise *= np.float32(plan.sigma)
            data += noise.view(np.complex64)[..., 0]
        done = begin + len(hour_angle)
        if report:
            report("simulate", done * nbaseline * nchan, ntime * nbaseline * nchan)
        yield data.reshape(len(hour_angle), nbaseline, nchan, 2)

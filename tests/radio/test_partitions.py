"""Partitions change nothing: random sets, cut in any way, against ten lines of direct sums.

Rows come in any order, of two fields, with autocorrelations, some twice, some
with antennas exchanged; WEIGHT_SPECTRUM in some rows only; flags, rows that
are flagged, values and coordinates that are no numbers, weights of any sign.
"""

import casacore.tables as casa
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spectrum_workflows.radio import DOMAIN
from spectrum_workflows.radio.convert import convert
from spectrum_workflows.radio.read.msv2 import probing
from spectrum_workflows.radio.types import ARCSEC, SPEED_OF_LIGHT

from .conftest import spec_of

NCHAN, NROW = 8, 11 * 351
CELL, NPIX, EPSILON = 8.0, 64, 1e-6


def shuffled(small, target, seed, order):
    """A copy of the set with 240 of its rows, of which much is odd; what it should give."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(NROW, 240, replace=False)
    rows = np.sort(rows) if order == "sorted" else rows
    with casa.table(str(small / "small.ms"), ack=False) as table:
        table.selectrows(rows).copy(str(target), deep=True).close()
    with casa.table(str(target), readonly=False, ack=False) as table:
        n = table.nrows()
        column = casa.makearrcoldesc("WEIGHT_SPECTRUM", 0.0, ndim=2, valuetype="float")
        table.addcols(casa.maketabdesc(column))
        own = rng.random(n) < rng.choice([0.1, 0.5, 0.9])
        spectrum = rng.choice([0.0, 1.0, 3.0, 9.0, -1.0, np.nan], (n, NCHAN, 2)).astype("f4")
        for row in np.flatnonzero(own):
            table.putcell("WEIGHT_SPECTRUM", int(row), spectrum[row])
        for row in np.flatnonzero(~own & (rng.random(n) < 0.1)):
            table.putcell("WEIGHT_SPECTRUM", int(row), np.zeros((0, 2), "f4"))
        flag, flag_row = rng.random((n, NCHAN, 2)) < 0.1, rng.random(n) < 0.05
        weight = rng.choice([1.0, 2.0, 0.5, 0.0, -3.0], (n, 2), p=[0.4, 0.3, 0.2, 0.05, 0.05])
        data, uvw = table.getcol("DATA"), table.getcol("UVW")
        data[rng.random(data.shape) < 0.02] = np.nan
        uvw[rng.random(n) < 0.02] = np.inf
        first, second = table.getcol("ANTENNA1"), table.getcol("ANTENNA2")
        auto = np.zeros(n, np.bool_)
        time = table.getcol("TIME")
        _, one_each = np.unique(time, return_index=True)  # two would be the same baseline
        auto[one_each[::3]] = True
        turned = rng.random(n) < 0.1
        first[turned], second[turned] = second[turned], first[turned]
        uvw[turned], data[turned] = -uvw[turned], data[turned].conj()
        second[auto] = first[auto]
        field = np.zeros(n, np.int32)
        values = {"DATA": data, "UVW": uvw, "FLAG": flag, "FLAG_ROW": flag_row, "FIELD_ID": field}
        values |= {"WEIGHT": weight.astype("f4"), "ANTENNA1": first, "ANTENNA2": second}
        for name, value in values.items():
            table.putcol(name, value)
    full = np.where(own[:, None, None], spectrum, weight[:, None, :]).astype(np.float64)
    used = ~flag & ~flag_row[:, None, None] & np.isfinite(data) & (full > 0)
    used &= np.isfinite(uvw).all(axis=1)[:, None, None] & ~auto[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.where(used.all(axis=2), 4 / (1 / full).sum(axis=2), 0.0)
    return np.nan_to_num(uvw, posinf=0, neginf=0), np.nan_to_num(data.mean(axis=2)), w


def direct(uvw, vis, w, pixels):
    """The dirty image at some pixels, as a plain sum."""
    scale = np.arange(NCHAN) * 4e6 + 1.4e9
    out = []
    for row, column in pixels:
        east, north = -(column - NPIX // 2) * CELL * ARCSEC, (row - NPIX // 2) * CELL * ARCSEC
        n = np.sqrt(1 - east**2 - north**2) - 1
        turns = (uvw @ [east, north, n])[:, None] * scale / SPEED_OF_LIGHT
        out.append((w * vis * np.exp(-2j * np.pi * turns)).sum().real / w.sum())
    return np.array(out)


@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(0, 2**32 - 1),
    order=st.sampled_from(["sorted", "any"]),
    cut=st.sampled_from([40, 100, 333, 1000]),
)
def test_partitions_change_nothing(small, tmp_path_factory, seed, order, cut):
    root = tmp_path_factory.mktemp("cut")
    uvw, vis, w = shuffled(small, root / "small.ms", seed, order)
    found = {}
    for form in ("ms", "zarr"):
        if form == "zarr":
            convert(str(root / "small.ms"), str(root / "zarr" / "small.zarr"))
        for limit in (10**9, cut):
            image = {"npix": NPIX, "cell_arcsec": CELL, "epsilon": EPSILON, "psf": False}
            spec = spec_of(image=image, partition={"max_visibilities": limit})
            data = root / "zarr" if form == "zarr" else root
            found[form, limit] = DOMAIN.run(spec, DOMAIN.plan(spec, str(data)))[0].planes[0]
    whole = found["ms", 10**9]
    pixels = [(32, 32), (10, 50), (63, 0), (20, 20), (41, 33)]
    at = tuple(np.transpose(pixels))
    for result in found.values():
        assert result.weight_sum == pytest.approx(w.sum(), rel=1e-6)
        assert result.weight_sum == pytest.approx(whole.weight_sum, rel=1e-12)
        assert result.visibilities == np.count_nonzero(w)
        peak = np.abs(whole.dirty).max()
        np.testing.assert_allclose(result.dirty, whole.dirty, atol=3 * EPSILON * peak)
        np.testing.assert_allclose(result.dirty[at], direct(uvw, vis, w, pixels), atol=1e-5 * peak)
    for limit in (10**9, cut):
        np.testing.assert_array_equal(found["ms", limit].dirty, found["zarr", limit].dirty)
    probing._walked.cache_clear()
